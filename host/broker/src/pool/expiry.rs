//! Tasks that waited too long for their first attempt.
//!
//! The failure that this prevents: answers that come when nobody wants them any more, from a pool that is behind and stays so because it works on
//! what is out of date. A job with [`queue_timeout`](crate::JobOptions::queue_timeout) has its tasks end [`PoolEffect::Expired`] instead.
//!
//! Its tasks wait here and nowhere else: one at a time goes to a worker that has nothing to do. So what was not begun can be taken out of
//! the line, and a task that a worker has is not touched any more, in whatever attempt. Jobs without that bound pay nothing.

use super::Pool;
use crate::chunk::Chunk;
use crate::effect::PoolEffect;
use crate::time::{Duration, Now};

/// Moments are rounded up to a multiple of this: each costs a walk through what waits.
const GRAIN: Duration = Duration::from_millis(10);

impl Pool {
    /// Notes when a chunk that begins to wait has to be with a worker.
    pub(super) fn bound_waiting(&mut self, now: Now, chunk: &mut Chunk) {
        let Some(limit) = self.jobs.get(&chunk.job).and_then(|job| job.options.queue_timeout) else { return };
        let by = Now(now.plus(limit).0.div_ceil(GRAIN.0).saturating_mul(GRAIN.0));
        chunk.start_by = Some(by);
        self.expiries.insert(by);
    }

    /// Ends what waited too long.
    pub(super) fn expire(&mut self, now: Now) {
        if self.expiries.first().is_none_or(|by| *by > now) {
            return;
        }
        self.expiries = self.expiries.split_off(&Now(now.0.saturating_add(1)));
        let is_over = |chunk: &Chunk| chunk.start_by.is_some_and(|by| by <= now);
        let (over, kept) = std::mem::take(&mut self.pending).into_iter().partition::<Vec<_>, _>(is_over);
        self.pending = kept.into();
        for chunk in over {
            self.effects.push(PoolEffect::Expired { job: chunk.job, first: chunk.first, count: chunk.count });
        }
    }

    /// Leaves one task at the front of the line, if that is of a job whose tasks travel alone.
    pub(super) fn split_front(&mut self) {
        let Some(chunk) = self.pending.front().filter(|chunk| chunk.start_by.is_some() && chunk.count > 1) else { return };
        let (Some(one), Some(rest)) = (chunk.part(0, 1), chunk.part(1, chunk.count)) else { return };
        self.pending.pop_front();
        self.pending.push_front(rest);
        self.pending.push_front(one);
    }
}

//! What workers say of their tasks: what is believed of it, and whether an attempt was the last.
//!
//! A worker may speak of the task at the front of its line and of those behind it in the same chunk, once each and in order. Anything else is a
//! [`Violation`], and changes nothing.

use taskcell_wire::{ChunkId, JobId, WorkerId};

use super::{Flight, Pool};
use crate::chunk::{Attempt, Cause, Chunk};
use crate::effect::{PoolEffect, Violation};
use crate::options::{JobOptions, Verdict};
use crate::time::{Duration, Now};

impl Pool {
    /// The worker tells that `count` tasks of `chunk`, beginning with `from`, ended in `nanoseconds` together and need no other
    /// attempt. Gives their job and the first one's place.
    ///
    /// # Errors
    /// A [`Violation`]; nothing is accepted then, and the worker has to be killed.
    pub fn finished(
        &mut self,
        now: Now,
        id: WorkerId,
        chunk: ChunkId,
        from: u32,
        count: u32,
        nanoseconds: u64,
    ) -> Result<(JobId, u64), Violation> {
        let flight = self.front(id, chunk, from, count)?;
        let place = (flight.chunk.job, flight.chunk.first.saturating_add(u64::from(from)));
        let task = self.jobs.get(&place.0).map(|job| job.options.task);
        if let Some(task) = task {
            self.estimates.entry(task).or_default().learn(count, nanoseconds);
        }
        self.advance(now, id, count);
        self.assign(now);
        Ok(place)
    }

    /// Like [`finished`](Self::finished) for one task whose attempt failed: is that its last?
    ///
    /// # Errors
    /// A [`Violation`] as there.
    pub fn attempt_failed(
        &mut self,
        now: Now,
        id: WorkerId,
        chunk: ChunkId,
        at: u32,
        attempt: Attempt,
    ) -> Result<(JobId, u64, Verdict), Violation> {
        let flight = self.front(id, chunk, at, 1)?;
        let index = flight.chunk.first.saturating_add(u64::from(at));
        let job = flight.chunk.job;
        let again = flight.chunk.part(at, at + 1).map(|part| Chunk { history: flight.chunk.history.clone(), ..part });
        let verdict = match again {
            Some(again) if self.may_retry(&again, &attempt.cause) => {
                self.retry(now, again, attempt);
                Verdict::Again
            }
            Some(_) | None => Verdict::Final,
        };
        self.advance(now, id, 1);
        self.assign(now);
        Ok((job, index, verdict))
    }

    /// The place in its job of a task that the worker says something of while it runs it or before: one of its front chunk that has not
    /// ended.
    ///
    /// # Errors
    /// A [`Violation`] if it may not speak of that task.
    pub fn place(&self, id: WorkerId, chunk: ChunkId, at: u32) -> Result<u64, Violation> {
        let done = self.worker(id).and_then(|worker| worker.flights.front()).map_or(0, |flight| flight.done);
        let flight = self.front(id, chunk, done, at.saturating_add(1).saturating_sub(done))?;
        Ok(flight.chunk.first.saturating_add(u64::from(at)))
    }

    /// Every attempt of the task at `at` of a chunk at the front of a worker's line that failed before this one.
    #[must_use]
    pub fn history(&self, id: WorkerId, chunk: ChunkId) -> &[Attempt] {
        let flight = self.worker(id).and_then(|worker| worker.flights.front()).filter(|flight| flight.id == chunk);
        flight.map_or(&[], |flight| &flight.chunk.history)
    }

    /// The task that a worker names, if it was given that, and else the front of its line: its chunk and its place there.
    #[must_use]
    pub fn blamed(&self, id: WorkerId, said: Option<(ChunkId, u32)>) -> Option<(&Chunk, u32, JobOptions)> {
        let flights = &self.worker(id)?.flights;
        let named = said.and_then(|(chunk, at)| {
            let flight = flights.iter().find(|flight| flight.id == chunk)?;
            (at < flight.chunk.count).then_some((flight, at))
        });
        let (flight, at) = named.or_else(|| flights.front().map(|front| (front, front.done)))?;
        Some((&flight.chunk, at, flight.options))
    }

    /// The flight that the worker may speak of, if `from..from + count` is what is due of it.
    pub(super) fn front(&self, id: WorkerId, chunk: ChunkId, from: u32, count: u32) -> Result<&Flight, Violation> {
        // What a worker says once it is to be killed comes too late: its running task is charged already, and a result that was
        // taken now would put the charge on the task behind.
        let worker = self.worker(id).filter(|worker| !worker.is_dying()).ok_or(Violation::OutOfTurn)?;
        let flight = worker.flights.front().filter(|flight| flight.id == chunk).ok_or(Violation::ForeignChunk)?;
        if from != flight.done || count == 0 || count > flight.chunk.count - flight.done {
            return Err(Violation::OutOfOrder);
        }
        Ok(flight)
    }

    /// `count` tasks of the front flight ended.
    fn advance(&mut self, now: Now, id: WorkerId, count: u32) {
        self.restart.progressed();
        self.pending.offer();
        let Some(worker) = self.worker_mut(id) else { return };
        worker.tasks = worker.tasks.saturating_sub(count);
        worker.served = worker.served.saturating_add(count);
        worker.waits = false;
        let Some(flight) = worker.flights.front_mut() else { return };
        flight.done += count;
        flight.since = now;
        if flight.done >= flight.chunk.count {
            self.next_flight(now, id);
        }
    }

    /// A worker has no more of its front flight: the next one's turn.
    pub(super) fn next_flight(&mut self, now: Now, id: WorkerId) {
        let Some(worker) = self.worker_mut(id) else { return };
        worker.flights.pop_front();
        self.front_begins(now, id);
    }

    /// A worker comes to its front flight.
    pub(super) fn front_begins(&mut self, now: Now, id: WorkerId) {
        let Some(worker) = self.worker_mut(id) else { return };
        if let Some(next) = worker.flights.front_mut() {
            next.since = now;
            if next.stop_sent.is_some() {
                let stop = PoolEffect::Stop(id, next.id);
                self.effects.push(stop);
            }
        }
    }

    pub(super) fn may_retry(&self, chunk: &Chunk, cause: &Cause) -> bool {
        let budget = self.options.budget;
        let (budget, same): (u32, fn(&Cause) -> bool) = match cause {
            Cause::Death(_) => (budget.deaths, |c| matches!(c, Cause::Death(_))),
            Cause::Timeout => (budget.timeouts, |c| matches!(c, Cause::Timeout)),
            Cause::Trap => (budget.traps, |c| matches!(c, Cause::Trap)),
            Cause::Error => (budget.errors, |c| matches!(c, Cause::Error)),
        };
        let used = chunk.history.iter().filter(|attempt| same(&attempt.cause)).count();
        let retries = self.options.retries.unwrap_or(u32::MAX);
        let once = self.jobs.get(&chunk.job).is_none_or(|job| job.options.once);
        let left = used < budget as usize && chunk.history.len() < retries as usize;
        left && !once && self.is_open(chunk.job) && !self.failed
    }

    /// Another attempt, after 10, 20, 40 .. 1280 ms.
    pub(super) fn retry(&mut self, now: Now, mut chunk: Chunk, attempt: Attempt) {
        let wait = Duration::from_millis(10 << chunk.history.len().min(7));
        chunk.history.push(attempt);
        // It has begun once, so it is not out of date.
        chunk.start_by = None;
        self.delayed.push(now.plus(wait), chunk);
    }
}

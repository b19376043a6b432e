//! Work that a worker has, and has not begun: it can be taken back.
//!
//! The failures that this prevents: quick tasks that stand at a worker behind one that turned out to be slow, while others have nothing to do; a task
//! that may wait for so long and no longer, where it can neither expire nor go elsewhere; tasks behind one that waits for one of them.
//!
//! Each task that is given to a worker has a turn, and the worker claims it in shared memory before it begins with it. Taking back closes
//! the claims, which also tells how far the worker has got, and the rest is in line again, as old as before. So what
//! travels together is bound together only until somebody has nothing to do. It is taken back
//!
//! - when another worker is idle and nothing is in line, from those that have not told of an end for [`KEEP`];
//! - when its tasks may not wait for ever ([`queue_timeout`](crate::JobOptions::queue_timeout)), [`KEEP`] after it was sent. Such a chunk goes to a worker
//!   that has nothing else. So a task has begun when it was claimed, or when it was given to an idle worker as the first of its chunk; all others are in line,
//!   or are there again before their time is over;
//! - when the running task waits in a call, at once.
//!
//! The first tasks that an idle worker is given are claimed for it. Without that, two workers that are slow to be scheduled could take
//! a task from each other for ever.
//!
//! The roads not taken: one task at a time is a journey for each, and still leaves as many behind a slow one as are under way; a message that takes work back is not read by
//! a worker that runs a guest; a worker that looks at a clock would tell of what expired only when the slow task ended, and by a clock that
//! goes on while the supervisor is stopped.

use taskcell_wire::{ChunkId, Turn, WorkerId};

use super::{Flight, Pool, Slot, Worker};
use crate::chunk::Chunk;
use crate::effect::PoolEffect;
use crate::time::{Duration, Now};

/// How long a worker may keep what it has not begun: eight times what a chunk is made for, so that little is taken back for nothing.
const KEEP: Duration = Duration::from_millis(2);

/// Long inputs lie in shared memory, where there is room for those of one chunk, and else go through a socket of about this size.
const CARRIED_BYTES: usize = 256 * 1024;

/// How many tasks that have to begin by `start_by` may go together, of `tasks` that others would be. What has to begin sooner than it
/// would be taken back goes alone.
pub(super) fn most(now: Now, start_by: Now, tasks: u32) -> u32 {
    if start_by > now.plus(KEEP) { tasks } else { 1 }
}

/// When a chunk that is sent now is taken back, if its tasks may not wait for ever and there are some that would.
pub(super) fn until(now: Now, chunk: &Chunk) -> Option<Now> {
    chunk.start_by.filter(|_| chunk.count > 1).map(|_| now.plus(KEEP))
}

impl Worker {
    /// The flight that it has come to, if something of what it has was not asked for yet, and is not to stop.
    fn is_behind(&self) -> Option<&Flight> {
        let has_more = !self.is_dying() && !self.waits && self.tasks > 1 && self.asked < self.next;
        self.flights.front().filter(|front| has_more && front.stop_sent.is_none())
    }

    /// Whether so many bytes of inputs may wait at it: always behind one chunk, and behind more only a few.
    pub(super) fn may_carry(&self, bytes: usize) -> bool {
        let waiting = || self.flights.iter().map(|flight| flight.chunk.items.len()).sum::<usize>();
        self.flights.len() < 2 || waiting().saturating_add(bytes) <= CARRIED_BYTES
    }

    /// Whether it has told of no end for as long as it may keep what it has not begun: it gets nothing more until it does.
    pub(super) fn is_late(&self, now: Now) -> bool {
        self.flights.front().is_some_and(|front| front.since.plus(KEEP) <= now)
    }

    /// Asks for all that it has not begun.
    pub(super) fn ask_back(&mut self) -> PoolEffect {
        self.asked = self.next;
        self.flights.iter_mut().for_each(|flight| flight.hurried = None);
        PoolEffect::TakeBack(self.id, self.next)
    }
}

impl Flight {
    /// Takes off what its worker has not begun, if there is something, when turns before `claimed` were. Whether any of it is left. With
    /// `keeps_next`, the next task stays in any case.
    fn cut(&mut self, claimed: Turn, keeps_next: bool) -> (Option<Chunk>, bool) {
        let begun = u32::try_from(claimed.0.saturating_sub(self.turn.0)).unwrap_or(u32::MAX);
        // Its worker says how many, and is believed within what it has.
        let own = if self.claimed { self.options.together.max(1) } else { 0 };
        let begun = begun.max(own).max(self.done.saturating_add(u32::from(keeps_next)));
        if begun >= self.chunk.count {
            return (None, true);
        }
        // One that was tried before is a single task, so there is no history to lose in a part.
        let Some(kept) = self.chunk.part(0, begun) else { return (Some(self.chunk.clone()), false) };
        let rest = self.chunk.part(begun, self.chunk.count);
        self.chunk = kept;
        (rest, begun > self.done)
    }
}

impl Pool {
    /// The turn of a chunk's first task at its worker, and whether the first ones are claimed for it.
    #[must_use]
    pub fn turn(&self, id: WorkerId, chunk: ChunkId) -> Option<(Turn, bool)> {
        let flight = self.worker(id)?.flights.iter().find(|flight| flight.id == chunk)?;
        Some((flight.turn, flight.claimed))
    }

    /// Whether somebody has nothing to do, or would be started, and nothing is in line.
    fn has_nothing_for_one(&self) -> bool {
        self.pending.is_empty()
            && self.slots.iter().any(|slot| match slot {
                Slot::Ready(worker) => worker.is_idle(),
                Slot::Empty { .. } => self.options.on_demand,
                Slot::Starting { .. } | Slot::Leaving(_) | Slot::Closed(_) => false,
            })
    }

    /// When the next of what workers have not begun is taken back.
    pub(super) fn next_taken_back(&self) -> Option<Now> {
        let somebody_idle = self.has_nothing_for_one();
        self.slots.iter().filter_map(|slot| self.taken_back_at(slot, somebody_idle)).min()
    }

    fn taken_back_at(&self, slot: &Slot, somebody_idle: bool) -> Option<Now> {
        let Slot::Ready(worker) = slot else { return None };
        let front = worker.is_behind()?;
        let idle = (somebody_idle && self.is_open(front.chunk.job)).then(|| front.since.plus(KEEP));
        let hurried = front.hurried.filter(|_| front.chunk.count - front.done > 1);
        [hurried, idle].into_iter().flatten().min()
    }

    /// Asks for what was not begun for long enough.
    pub(super) fn take_back_due(&mut self, now: Now) {
        let somebody_idle = self.has_nothing_for_one();
        for place in 0..self.slots.len() {
            let due = self.slots.get(place).and_then(|slot| self.taken_back_at(slot, somebody_idle)).is_some_and(|at| at <= now);
            if let Some(Slot::Ready(worker)) = self.slots.get_mut(place).filter(|_| due) {
                let ask = worker.ask_back();
                self.effects.push(ask);
            }
        }
    }

    /// Of what a worker was given before the turn `until` it has claimed what comes before `claimed`, in its own words, and can begin with no more of it. It is
    /// believed within what it has: one that says less can't give the results, and one that says more has more to do.
    pub fn taken_back(&mut self, now: Now, id: WorkerId, until: Turn, claimed: Turn) {
        if self.worker(id).is_some_and(|worker| !worker.is_dying()) {
            self.reclaim(now, id, until, claimed);
        }
    }

    /// The connection of a worker ended: its process has ended, or is killed in a moment, and has claimed the tasks before
    /// `claimed`, in its own words. The other tasks return to the line at once. Tasks that it may have begun, and its place, wait for
    /// [`worker_gone`](Self::worker_gone): whether they are retried depends on the cause of its death.
    pub fn worker_ending(&mut self, now: Now, id: WorkerId, claimed: Turn) {
        let Some(worker) = self.worker_mut(id) else { return };
        worker.is_ending = true;
        let until = worker.next;
        self.reclaim(now, id, until, claimed);
    }

    fn reclaim(&mut self, now: Now, id: WorkerId, until: Turn, claimed: Turn) {
        let Some(worker) = self.worker_mut(id) else { return };
        let is_dying = worker.is_dying();
        let front = worker.flights.front().map(|flight| (flight.id, flight.options.task, flight.done, flight.since));
        let mut back = Vec::new();
        // A dying worker keeps its front task, whatever it claims: its death may be charged to that task. What is never retried is
        // not given to another worker either.
        let kept = front.filter(|_| is_dying).map(|(front, ..)| front);
        worker.flights.retain_mut(|flight| {
            if flight.turn >= until || (is_dying && flight.options.once) {
                return true;
            }
            let (rest, is_left) = flight.cut(claimed, kept == Some(flight.id));
            back.extend(rest.map(|rest| (flight.stop_sent.is_some(), rest)));
            is_left
        });
        if back.is_empty() {
            return;
        }
        let taken = back.iter().fold(0u32, |sum, (_, rest)| sum.saturating_add(rest.count));
        worker.tasks = worker.tasks.saturating_sub(taken);
        let now_front = worker.flights.front().map(|flight| (flight.id, flight.chunk.count));
        match (front, now_front) {
            _ if is_dying => {}
            // What it runs takes longer than was thought, or it would have told.
            (Some((before, task, done, since)), Some((chunk, count))) if before == chunk => {
                self.estimates.entry(task).or_default().at_least(count.saturating_sub(done), now.since(since).0);
            }
            (_, Some(_)) => self.front_begins(now, id),
            (_, None) => {}
        }
        for (stopped, rest) in back.into_iter().rev() {
            if self.failed {
                // Lost with the pool, which was told.
            } else if !stopped && self.is_open(rest.job) {
                self.put_back(rest);
            } else {
                self.cancelled(&rest);
            }
        }
        self.pending.offer();
        self.assign(now);
        // With nothing left it may be the one for whom others wait.
        self.take_back_due(now);
    }
}

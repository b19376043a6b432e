//! What becomes of a dead worker's tasks.

use taskcell_wire::{ChunkId, WorkerId};

use super::{Flight, Pool, Slot, Worker};
use crate::chunk::{Attempt, Cause, Chunk};
use crate::effect::{KillReason, PoolEffect};
use crate::restart::Restart;
use crate::time::{Duration, Now};

impl Pool {
    /// The worker's process ended. `running` is what it said it was running, if it said so; `death` tells how it ended.
    pub fn worker_gone(&mut self, now: Now, id: WorkerId, pid: u32, death: String, running: Option<(ChunkId, u32)>) {
        let Some(at) = self.slots.iter().position(|slot| slot.id() == Some(id)) else { return };
        let Some(slot) = self.slots.get_mut(at) else { return };
        let former = std::mem::replace(slot, Slot::Empty { respawn: now });
        let worker = match former {
            Slot::Ready(worker) => worker,
            Slot::Closed(_) if self.retiring => {
                *slot = Slot::Closed(None);
                return;
            }
            Slot::Closed(_) => {
                self.slots.remove(at);
                self.tick(now);
                return;
            }
            Slot::Leaving(_) => {
                self.tick(now);
                return;
            }
            Slot::Starting { .. } | Slot::Empty { .. } => Worker::new(id),
        };
        // Counted before its tasks are: a task that ends by this death is progress and forgives it.
        let restart = self.restart.died();
        let cause = match &worker.killed {
            Some(KillReason::Timeout) => Cause::Timeout,
            Some(KillReason::Violation(violation)) => Cause::Death(format!("killed because {violation}")),
            Some(KillReason::Cancelled | KillReason::NotReady | KillReason::Killed | KillReason::Stopped) | None => {
                Cause::Death(death.clone())
            }
        };
        self.take_apart(now, worker, &Attempt { pid, cause, ran: Duration(0) }, running);
        match restart {
            Restart::After(_) if self.failed => {}
            Restart::After(wait) => {
                if let Some(slot) = self.slots.get_mut(at) {
                    *slot = Slot::Empty { respawn: now.plus(wait) };
                }
                self.tick(now);
            }
            Restart::GiveUp if self.restart.deaths() == 0 => self.tick(now),
            Restart::GiveUp => {
                let deaths = self.restart.deaths();
                self.fail(format!("{deaths} workers in a row ended without finishing a task; the last one {death}"));
            }
        }
    }

    /// Puts a dead worker's tasks where they belong.
    pub(super) fn take_apart(&mut self, now: Now, worker: Worker, attempt: &Attempt, running: Option<(ChunkId, u32)>) {
        let charged = self.charged(&worker, &attempt.cause, running);
        let mut back: Vec<Chunk> = Vec::new();
        for Flight { id, chunk, options: _, done, since, stop_sent, .. } in worker.flights {
            if stop_sent.is_some() || !self.jobs.contains_key(&chunk.job) {
                if let Some(rest) = chunk.part(done, chunk.count) {
                    self.restart.progressed();
                    self.cancelled(&rest);
                }
                continue;
            }
            let at = charged.filter(|(charged, _)| *charged == id).map_or(chunk.count, |(_, at)| at);
            // What is never tried again must not be given to another worker either: what it brought went with this one.
            let once = self.jobs.get(&chunk.job).is_some_and(|job| job.options.once);
            let at = if once { done } else { at };
            back.extend(keep_history(&chunk, done, at));
            if let Some(one) = keep_history(&chunk, at, at.saturating_add(1)) {
                let attempt = Attempt { ran: now.since(since), ..attempt.clone() };
                if self.may_retry(&one, &attempt.cause) {
                    self.retry(now, one, attempt);
                } else {
                    self.restart.progressed();
                    let mut history = one.history;
                    history.push(attempt);
                    self.effects.push(PoolEffect::Lost { job: one.job, index: one.first, history });
                }
            }
            back.extend(keep_history(&chunk, at.saturating_add(1), chunk.count));
        }
        for chunk in back.into_iter().rev() {
            if self.failed {
                // Lost with the pool, which was told.
            } else if self.is_open(chunk.job) {
                self.put_back(chunk);
            } else {
                self.restart.progressed();
                self.cancelled(&chunk);
            }
        }
    }

    /// Which task a worker's end is charged to: its chunk and its place there.
    ///
    /// What the worker said of it is believed within what it was given, and that need not be the front of its line: results of
    /// chunks before may have been on their way when it died.
    fn charged(&mut self, worker: &Worker, cause: &Cause, running: Option<(ChunkId, u32)>) -> Option<(ChunkId, u32)> {
        let front = worker.flights.front()?;
        let said = running.and_then(|(chunk, at)| {
            let flight = worker.flights.iter().find(|flight| flight.id == chunk)?;
            let at = at.max(flight.done);
            (at < flight.chunk.count).then_some((chunk, at))
        });
        match (said, cause) {
            (Some((chunk, at)), Cause::Timeout) if chunk == front.id => Some((chunk, at)),
            // It was killed for its front task, whatever it said.
            (_, Cause::Timeout) => Some((front.id, front.done)),
            (Some(said), Cause::Death(_) | Cause::Trap | Cause::Error) => Some(said),
            // Nothing ran, or a worker in a guest's hands hides what did: the second time it is the front task that pays, or the
            // worker's successors would die of it for ever.
            (None, Cause::Death(_) | Cause::Trap | Cause::Error) => {
                let suspect = (front.chunk.job, front.chunk.first.saturating_add(u64::from(front.done)));
                (!self.suspects.insert(suspect)).then_some((front.id, front.done))
            }
        }
    }
}

/// A part of a chunk; one that was tried before is a single task and keeps its history.
fn keep_history(chunk: &Chunk, from: u32, to: u32) -> Option<Chunk> {
    chunk.part(from, to).map(|part| Chunk { history: chunk.history.clone(), ..part })
}

//! What may be taken back from a worker, and when.

use taskcell_broker::Now;
use taskcell_wire::{Turn, WorkerId};

use super::{KEEP, Naive, Phase, Place, Worker};

impl Naive {
    /// A worker keeps what has a turn before `claimed`, what has ended, and what was claimed for it.
    pub(crate) fn taken_back(&mut self, now: Now, id: WorkerId, until: Turn, claimed: Turn) {
        let Some(worker) = self.workers.get_mut(&id).filter(|worker| worker.killed.is_none()) else { return };
        let front = worker.line.front().map(|flight| flight.id);
        let mut back = Vec::new();
        for flight in worker.line.iter_mut().filter(|flight| flight.turns.first().is_some_and(|first| *first < until)) {
            let keep = flight.turns.iter().filter(|turn| **turn < claimed).count().max(flight.done as usize).max(flight.given);
            flight.turns.truncate(keep);
            let stopped = flight.stop.is_some();
            back.extend(flight.tasks.split_off(keep.min(flight.tasks.len())).into_iter().map(|task| (stopped, task)));
        }
        worker.line.retain(|flight| !flight.rest().is_empty());
        if let Some(next) = worker.line.front_mut().filter(|next| front != Some(next.id)) {
            next.since = now;
            if next.stop.is_some() {
                self.expected.stops.push((id, next.id));
            }
        }
        for (stopped, task) in back {
            if !stopped && self.phase(task.0) == Some(Phase::Open) {
                self.put(task, Place::Waiting);
            } else {
                self.expected.cancelled.insert(task);
            }
        }
    }

    /// Turns before `until` of the tasks of a worker that have not ended, and how many of them it must have claimed.
    pub(crate) fn turns(&self, id: WorkerId, until: Turn) -> (Vec<Turn>, usize) {
        let line = self.workers.get(&id).into_iter().flat_map(|worker| &worker.line);
        let front = line.clone().next().map_or(0, |front| front.given.min(front.turns.len()).saturating_sub(front.done as usize));
        let turns = line.flat_map(|flight| flight.turns.iter().skip(flight.done as usize)).copied();
        (turns.filter(|turn| *turn < until).collect(), front)
    }

    /// Whether a worker has nothing to do and nothing waits for it.
    pub(super) fn somebody_is_idle(&self) -> bool {
        let idle = |worker: &Worker| worker.ready && !worker.retired && worker.killed.is_none() && worker.line.is_empty();
        self.waiting == 0 && self.workers.values().any(idle)
    }

    pub(super) fn taken_back_at(&self, worker: &Worker, somebody_idle: bool) -> Option<Now> {
        let front = worker.behind()?;
        let is_open = front.tasks.first().is_some_and(|task| self.phase(task.0) == Some(Phase::Open));
        let idle = (somebody_idle && is_open).then(|| front.since.plus(KEEP));
        let hurried = front.hurried.filter(|_| front.rest().len() > 1);
        [hurried, idle].into_iter().flatten().min()
    }

    /// When the next tasks are taken back.
    pub(super) fn next_taken_back(&self) -> Option<Now> {
        let somebody_idle = self.somebody_is_idle();
        self.workers.values().filter_map(|worker| self.taken_back_at(worker, somebody_idle)).min()
    }
}

//! What happens to a program, beside what its tasks do: time, deaths, and people.

use taskcell_broker::{Attempt, Cause, Duration, Verdict, Violation};
use taskcell_wire::call::{Call, CallError, Ended, HandleId, Tell};
use taskcell_wire::{ChunkId, WorkerId};

use super::{Guest, Program};
use crate::history::MS;
use crate::host::{ROOT, json};

impl Program {
    pub(super) fn step(&mut self) {
        if self.guests.is_empty() && self.random.once_in(8) {
            self.another_root();
        }
        match self.random.below(200) {
            0 => self.die(),
            1 => self.violate(),
            2..=8 => self.time(),
            9..=10 => self.cancel_or_fail(),
            11..=70 => self.move_workers(),
            71..=80 => self.finish_one(),
            81 => self.abandon(),
            _ => {
                let free = self.free();
                if let Some(id) = self.random.pick(&free) {
                    self.act(id);
                }
            }
        }
    }

    /// Workers whose task runs and does not wait.
    pub(super) fn free(&self) -> Vec<WorkerId> {
        let free = |id: &&WorkerId| self.host.workers.get(id).is_some_and(|w| w.open.is_empty() && !w.killed);
        self.guests.keys().filter(free).copied().collect()
    }

    fn die(&mut self) {
        let all: Vec<WorkerId> = self.host.workers.keys().copied().collect();
        if let Some(id) = self.random.pick(&all) {
            let running = self.host.at(id).filter(|_| !self.random.once_in(4));
            self.tell(|| format!("{id} dies"));
            self.counts.deaths += 1;
            self.gone(id, running);
        }
    }

    pub(super) fn gone(&mut self, id: WorkerId, running: Option<(ChunkId, u32)>) {
        let guest = self.guests.remove(&id);
        self.host.gone(id, running);
        if let Some(guest) = guest {
            self.orphans(&guest);
        }
    }

    /// Children of an attempt that is over are dead, or about to be.
    fn orphans(&mut self, guest: &Guest) {
        for view in self.host.broker.tasks() {
            if guest.children.contains(&view.id) {
                let killed = view.worker.is_none_or(|worker| self.host.workers.get(&worker).is_some_and(|w| w.killed));
                assert!(killed, "{} lives on: {view:?}", view.id);
                self.counts.orphans += 1;
            }
        }
    }

    fn violate(&mut self) {
        let busy = self.host.busy();
        let Some(id) = self.random.pick(&busy) else { return };
        if self.random.once_in(2) {
            self.tell(|| format!("{id} breaks the protocol"));
            self.host.broker.violated(self.host.now, id, Violation::Malformed);
        } else if self.host.workers[&id].killed || !self.host.workers[&id].open.is_empty() {
            self.tell(|| format!("{id} calls out of turn"));
            let called = self.host.raw_call(id, Call::Identity);
            assert_eq!(called, Err(Violation::OutOfTurn));
            self.counts.out_of_turn += 1;
        }
        self.host.settle();
    }

    fn time(&mut self) {
        let next = self.host.broker.next_tick();
        let to = match next {
            Some(next) if self.random.once_in(2) => next.max(self.host.now),
            Some(_) | None => self.host.now.plus(Duration(self.random.below(30) * MS / 2)),
        };
        self.tell(|| format!("it is {to:?}"));
        self.host.now = to;
        self.host.broker.tick(to);
        self.host.settle();
        assert!(self.host.broker.next_tick().is_none_or(|next| next > to), "{:?} at {to:?}", self.host.broker.next_tick());
    }

    fn cancel_or_fail(&mut self) {
        match self.random.below(8) {
            0 if !self.closed_world => {
                self.tell(|| "the job is cancelled".into());
                self.host.broker.cancel_job(self.host.now, ROOT);
                self.host.settle();
            }
            3 if self.random.once_in(20) => {
                let pool = self.host.pool;
                self.tell(|| "the API's pool fails".into());
                self.host.broker.fail(self.host.now, Some(pool), "it failed".into());
                self.host.settle();
            }
            1 => {
                let all: Vec<WorkerId> = self.host.workers.keys().copied().collect();
                let pools = all.iter().filter_map(|id| self.host.broker.pool_of(*id));
                let pools: Vec<_> = pools.filter(|pool| self.host.broker.is_guests(*pool)).collect();
                if let Some(pool) = self.random.pick(&pools) {
                    self.tell(|| format!("{pool:?} fails"));
                    self.counts.failures += 1;
                    self.host.broker.fail(self.host.now, Some(pool), "it failed".into());
                    self.host.settle();
                }
            }
            2 => self.another_root(),
            _ => {}
        }
    }

    /// Workers start, and end when they were told to.
    fn move_workers(&mut self) {
        let all: Vec<WorkerId> = self.host.workers.keys().copied().collect();
        let Some(id) = self.random.pick(&all) else { return };
        self.move_worker(id);
    }

    pub(super) fn move_worker(&mut self, id: WorkerId) {
        let worker = &self.host.workers[&id];
        let (ready, killed, retired) = (worker.ready, worker.killed, worker.retired);
        if killed || retired {
            let running = self.host.at(id).filter(|_| killed);
            self.tell(|| format!("{id} ends"));
            self.gone(id, running);
        } else if !ready {
            self.tell(|| format!("{id} is ready"));
            self.host.ready(id);
        }
    }

    fn finish_one(&mut self) {
        let mut free = self.free();
        // One may also end while its call waits: it was stopped there.
        free.extend(self.guests.keys().filter(|id| self.host.workers.get(id).is_some_and(|w| w.stop.is_some() && !w.killed)));
        if let Some(id) = self.random.pick(&free)
            && (self.host.workers[&id].line[0].job != ROOT || self.random.once_in(8))
        {
            self.finish(id);
        }
    }

    fn another_root(&mut self) {
        self.tell(|| "one more root".into());
        let place = self.roots;
        self.roots += 1;
        self.host.submit(place);
    }

    pub(super) fn finish(&mut self, id: WorkerId) {
        let Some(guest) = self.guests.remove(&id) else { return };
        let sent = self.host.workers[&id].line[0].clone();
        let (job, index) = (sent.job, sent.first + u64::from(sent.done));
        let text = match sent.options.input {
            // A value of a map is answered with itself.
            taskcell_wire::Encoding::Json if job != ROOT => String::from_utf8_lossy(&sent.items[sent.done as usize]).into_owned(),
            taskcell_wire::Encoding::Json
            | taskcell_wire::Encoding::Bytes
            | taskcell_wire::Encoding::Arguments
            | taskcell_wire::Encoding::Command => {
                format!("\"{}\"", guest.task)
            }
        };
        if self.host.broker.budget(id).timeouts > 0 && self.random.once_in(4) {
            return self.run_out_of_time(id, &guest, sent.chunk);
        }
        self.counts.results += 1;
        let left = sent.items.len() - sent.done as usize;
        if left > 1 && self.random.once_in(2) {
            self.tell(|| format!("{id} ends {left} tasks from {} on", guest.task));
            self.counts.chunks += 1;
            self.host.end_chunk(id);
        } else {
            self.tell(|| format!("{id}: {} ends with {text}", guest.task));
            self.said.insert(guest.task, text.clone());
            if job == ROOT {
                *self.root_ends.entry(index).or_default() += 1;
            }
            self.host.end(id, Ended::Ok(json(&text)));
        }
        self.orphans(&guest);
    }

    /// A task that waits is over its time: its call is answered at once, whatever it is.
    fn abandon(&mut self) {
        let waits = |id: &&WorkerId| self.host.workers.get(id).is_some_and(|w| !w.killed && !w.open.is_empty());
        let waiting: Vec<WorkerId> = self.guests.keys().filter(waits).copied().collect();
        let Some(id) = self.random.pick(&waiting) else { return };
        let call = self.host.workers[&id].open[0];
        self.tell(|| format!("{id} abandons {call}"));
        let told = self.host.broker.tell(self.host.now, id, Tell::Abandon(call));
        told.unwrap_or_else(|violation| panic!("{id}: {violation}"));
        self.host.settle();
        assert!(self.host.workers.get(&id).is_none_or(|worker| worker.open.is_empty()), "{id} still waits");
        self.counts.abandoned += 1;
    }

    fn run_out_of_time(&mut self, id: WorkerId, guest: &Guest, chunk: ChunkId) {
        self.tell(|| format!("{id}: {} is over its time", guest.task));
        let attempt = Attempt { pid: 7, cause: Cause::Timeout, ran: Duration(1) };
        self.host.pop(id);
        let failed = self.host.broker.attempt_failed(self.host.now, id, chunk, guest.at.1, attempt);
        let (job, index, verdict) = failed.unwrap_or_else(|violation| panic!("{id}: {violation}"));
        match verdict {
            Verdict::Final => self.host.broker.ended(self.host.now, job, index, Ended::TimedOut),
            Verdict::Again => self.counts.again += 1,
        }
        self.host.settle();
        self.orphans(guest);
    }

    /// A task says something that has no answer.
    pub(super) fn tells(&mut self, id: WorkerId) {
        let now = self.host.now;
        let tell = if self.random.once_in(2) {
            Tell::Progress { done: 1, total: None, note: "half" }
        } else {
            Tell::Log { level: taskcell_wire::call::Level::Info, text: "so far" }
        };
        self.host.broker.tell(now, id, tell).unwrap_or_else(|violation| panic!("{violation}"));
        self.host.settle();
    }

    /// A call on a number that is not this task's.
    pub(super) fn guess(&mut self, id: WorkerId) {
        let number = HandleId(self.random.below(60));
        if self.guests[&id].handles.contains_key(&number) {
            return;
        }
        let call = Call::Queue(number, taskcell_wire::call::QueueCall::Counts);
        assert_eq!(self.host.call(id, call), Some(Err(CallError::Closed)));
        self.counts.guesses += 1;
    }
}

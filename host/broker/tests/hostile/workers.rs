//! What workers say and do beside their calls: answers for any tasks, tells, starts and deaths; and what people and clocks do.

use taskcell_broker::{Attempt, Cause, Duration, Verdict, Violation};
use taskcell_wire::call::{Call, CallId, Ended, HandleId, Level, TaskValue, Tell};
use taskcell_wire::{ChunkId, WorkerId};

use super::Hostile;
use crate::host::{ROOT, json};

impl Hostile<'_> {
    /// A worker dies, and says anything of what it ran; or one speaks that nobody knows.
    pub(super) fn begin_or_end_worker(&mut self) {
        let Some(id) = self.a_worker() else { return };
        match self.script.below(5) {
            0 => {
                let chunk = ChunkId(self.script.number());
                let place = self.script.below(4);
                self.gone(id, Some((chunk, place)));
            }
            1 => self.gone(id, self.host.at(id)),
            2 if !self.host.workers[&id].ready => {
                self.host.workers.remove(&id);
                self.host.broker.could_not_start(self.host.now, id, "there is no room");
                self.host.settle();
            }
            3 => {
                let stranger = WorkerId(u64::MAX);
                let called = self.host.broker.call(self.host.now, stranger, CallId(0), Call::Identity);
                assert_eq!(called, Err(Violation::OutOfTurn));
            }
            _ => self.gone(id, None),
        }
        self.counts.add("deaths");
    }

    /// A worker does what it was asked: it starts, or ends.
    pub(super) fn move_worker(&mut self) {
        let Some(id) = self.a_worker() else { return };
        let worker = &self.host.workers[&id];
        let (ready, killed, retired) = (worker.ready, worker.killed, worker.retired);
        if killed || retired {
            self.gone(id, self.host.at(id).filter(|_| killed));
        } else if !ready {
            self.host.ready(id);
        } else if self.script.once_in(16) {
            let again = self.host.broker.worker_ready(self.host.now, id);
            assert!(again.is_err(), "{id} is ready twice");
            self.judge(id, again.err());
        }
    }

    fn an_end(&mut self) -> Ended<'static> {
        let long = "x".repeat(if self.script.once_in(8) { 2000 } else { 5 });
        match self.script.below(8) {
            0 => Ended::Failed(json("\"no\"")),
            1 => Ended::Trapped(long),
            2 => Ended::TimedOut,
            3 => Ended::OverLimit("memory".into()),
            4 => Ended::Cancelled,
            5 => Ended::Ok(TaskValue::None),
            _ => Ended::Ok(TaskValue::Bytes(long.into_bytes().into())),
        }
    }

    /// Results for a chunk, a place and a number of tasks that may be anything.
    pub(super) fn claim(&mut self) {
        let Some(id) = self.a_worker() else { return };
        let at = self.host.at(id);
        let (chunk, from) = at.filter(|_| !self.script.once_in(3)).unwrap_or_else(|| (ChunkId(self.script.number()), 0));
        let from = from.wrapping_add(if self.script.once_in(3) { self.script.below(4).wrapping_sub(1) } else { 0 });
        let count = if self.script.once_in(8) { u32::MAX } else { self.script.below(4) };
        self.results(id, chunk, from, count);
    }

    /// The honest end of what a worker runs.
    pub(super) fn finish(&mut self) {
        let Some(id) = self.a_worker() else { return };
        let Some((chunk, from)) = self.host.at(id) else { return };
        // The first task of all goes on, most of the time: its end would end the others.
        if self.host.workers[&id].line[0].job == ROOT && !self.script.once_in(8) {
            return;
        }
        if self.script.once_in(4) { self.attempt_failed(id, chunk, from) } else { self.results(id, chunk, from, 1) }
    }

    /// How many tasks a worker has left of its front chunk, from a place on; none if that place is not next.
    fn left(&self, id: WorkerId, chunk: ChunkId, from: u32) -> u32 {
        let front = self.host.workers.get(&id).filter(|worker| !worker.killed).and_then(|worker| worker.line.front());
        let front = front.filter(|front| front.chunk == chunk && front.done == from);
        front.map_or(0, |front| u32::try_from(front.items.len()).unwrap_or(u32::MAX) - front.done)
    }

    fn results(&mut self, id: WorkerId, chunk: ChunkId, from: u32, count: u32) {
        let left = self.left(id, chunk, from);
        match self.host.broker.finished(self.host.now, id, chunk, from, count, self.script.number()) {
            Ok((job, first)) => {
                assert!((1..=left).contains(&count), "{id} answered for {count} tasks of {left}");
                for index in first..first + u64::from(count) {
                    self.over(id);
                    if self.host.broker.owns(job) {
                        let end = self.an_end();
                        self.host.broker.ended(self.host.now, job, index, end);
                    } else {
                        *self.root_ends.entry(index).or_default() += 1;
                    }
                }
                self.counts.add("results");
            }
            Err(violation) => self.judge(id, Some(violation)),
        }
        self.host.settle();
    }

    fn attempt_failed(&mut self, id: WorkerId, chunk: ChunkId, at: u32) {
        let cause = [Cause::Timeout, Cause::Trap, Cause::Error][self.script.below(3) as usize].clone();
        let left = self.left(id, chunk, at);
        let attempt = Attempt { pid: 7, cause, ran: Duration(1) };
        match self.host.broker.attempt_failed(self.host.now, id, chunk, at, attempt) {
            Ok((job, index, verdict)) => {
                assert!(left > 0, "{id} answered for a task that it does not run");
                self.over(id);
                match (verdict, self.host.broker.owns(job)) {
                    (Verdict::Final, true) => {
                        let end = self.an_end();
                        self.host.broker.ended(self.host.now, job, index, end);
                    }
                    (Verdict::Final, false) => *self.root_ends.entry(index).or_default() += 1,
                    (Verdict::Again, _) => self.counts.add("attempts tried again"),
                }
            }
            Err(violation) => self.judge(id, Some(violation)),
        }
        self.host.settle();
    }

    /// What a worker ran is over: it waits for no answer any more.
    fn over(&mut self, id: WorkerId) {
        self.guests.remove(&id);
        self.say(|| format!("{id} is done with its task"));
        self.host.pop(id);
    }

    /// Something without an answer, by anybody.
    pub(super) fn tell(&mut self) {
        let Some(id) = self.a_worker() else { return };
        let own: Vec<HandleId> = self.guests.get(&id).map_or_else(Vec::new, |guest| guest.handles.keys().copied().collect());
        let tell = match self.script.below(8) {
            0..=3 => {
                let handle = if self.script.once_in(4) { None } else { self.script.pick(&own) };
                Tell::Drop(handle.unwrap_or_else(|| HandleId(self.script.number())))
            }
            4 => {
                let open = self.host.workers[&id].open.first().copied();
                Tell::Abandon(open.filter(|_| !self.script.once_in(3)).unwrap_or_else(|| CallId(self.script.number())))
            }
            5 => Tell::Progress { done: self.script.number(), total: None, note: "\u{e9}\u{1b}[2J" },
            _ => Tell::Log {
                level: Level::Info,
                text: ["", "a line", "forty bytes of what a guest has to say\u{e9}"][self.script.below(3) as usize],
            },
        };
        let drops = if let Tell::Drop(handle) = &tell { Some(*handle) } else { None };
        let worker = &self.host.workers[&id];
        let waits = !worker.open.is_empty() && !worker.killed;
        self.say(|| format!("{id} {tell:?}"));
        let told = self.host.broker.tell(self.host.now, id, tell);
        self.host.settle();
        match (drops, self.guests.get_mut(&id)) {
            (Some(handle), Some(guest)) if told.is_ok() => {
                assert!(!waits || !guest.handles.contains_key(&handle), "{id} drops what its call waits on");
                guest.handles.remove(&handle);
                guest.doubtful.remove(&handle);
            }
            (Some(_), Some(_)) => assert!(waits, "{id}: {told:?}"),
            (None, _) | (_, None) => assert!(told.is_ok(), "{id}: {told:?}"),
        }
        self.judge(id, told.err());
        self.counts.add("tells");
    }

    pub(super) fn time(&mut self) {
        // Who waits for 500 years waits for ever.
        let next = self.host.broker.next_tick().filter(|next| next.0 < 1 << 62 && self.script.once_in(2));
        let to = next.unwrap_or_else(|| self.host.now.plus(Duration(self.script.number().wrapping_mul(500_000) % (1 << 40))));
        self.host.now = to.max(self.host.now);
        self.host.broker.tick(self.host.now);
        self.host.settle();
        let (now, next) = (self.host.now, self.host.broker.next_tick());
        assert!(next.is_none_or(|next| next > now), "{next:?} at {now:?}");
    }

    /// What people do.
    pub(super) fn outside(&mut self) {
        let now = self.host.now;
        match self.script.below(8) {
            0 => self.host.broker.cancel_job(now, ROOT),
            1 => self.host.broker.drain_job(now, ROOT),
            2 => {
                let pool = self.a_worker().and_then(|id| self.host.broker.pool_of(id));
                self.host.broker.fail(now, pool, "it failed".into());
            }
            _ => self.one_more(),
        }
        self.host.settle();
    }

    /// One more task of the API.
    pub(super) fn one_more(&mut self) {
        self.roots += 1;
        self.host.submit(self.roots - 1);
    }

    /// Standard input for any call of any worker: taken only where it was asked for.
    pub(super) fn input(&mut self) {
        let Some(id) = self.a_worker() else { return };
        let open = self.host.workers[&id].open.first().copied();
        let call = open.filter(|_| !self.script.once_in(4)).unwrap_or_else(|| CallId(self.script.number()));
        let taken = self.host.broker.input(self.host.now, id, call, b"line"[..].into());
        assert!(!taken || open == Some(call), "{id} was given input for {call}, and waits for {open:?}");
        self.host.settle();
    }
}

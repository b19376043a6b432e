//! One random history: which events there are, in which order, and what else a pool is tried with.

use taskcell_broker::{
    Attempt, Cause, Chunk, Duration, JobOptions, KillReason, Now, Pool, PoolEffect, PoolOptions, RetryBudget, Verdict, Violation,
};
use taskcell_wire::{ChunkId, ItemWriter, JobId, TaskIndex, Turn, WorkerId};

use super::naive::{End, Naive, Phase, input};
use super::random::Random;

/// How often something happened in all schedules together; what never happens is not tested.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) events: u64,
    pub(crate) results: u64,
    pub(crate) again: u64,
    pub(crate) last: u64,
    pub(crate) lost: u64,
    pub(crate) cancelled: u64,
    pub(crate) expired: u64,
    pub(crate) in_time: u64,
    pub(crate) taken_back: u64,
    pub(crate) deaths: u64,
    pub(crate) charged: u64,
    pub(crate) charged_behind: u64,
    pub(crate) timeouts: u64,
    pub(crate) cancel_kills: u64,
    pub(crate) not_ready: u64,
    pub(crate) foreign: u64,
    pub(crate) out_of_order: u64,
    pub(crate) out_of_turn: u64,
    pub(crate) late: u64,
    pub(crate) failures: u64,
    pub(crate) retired: u64,
}

struct Play<'a> {
    pool: Pool,
    naive: Naive,
    random: Random,
    now: Now,
    counts: &'a mut Counts,
    trace: bool,
    jobs: Vec<(JobId, u64)>,
    /// Workers that are gone, with a chunk that they had.
    dead: Vec<(WorkerId, ChunkId)>,
    log: Vec<PoolEffect>,
}

/// Plays the history of a seed; gives every effect.
pub(crate) fn play(seed: u64, trace: bool, counts: &mut Counts) -> Vec<PoolEffect> {
    let mut random = Random::new(seed);
    let budget = RetryBudget {
        deaths: random.between(0, 2),
        timeouts: random.between(0, 2),
        traps: random.between(0, 2),
        errors: random.between(0, 2),
    };
    let grace = Duration::from_millis(random.below(50));
    let options = PoolOptions { budget, grace, ..PoolOptions::new(random.between(1, 4)) };
    let steps = random.between(20, 200);
    let mut play = Play {
        pool: Pool::new(options),
        naive: Naive::new(options),
        random,
        now: Now(0),
        counts,
        trace,
        jobs: Vec::new(),
        dead: Vec::new(),
        log: Vec::new(),
    };
    play.say(&format!("{options:?}"));
    play.naive.ticking(play.now);
    play.pool.start(play.now);
    play.settle(true);
    for _ in 0..steps {
        play.step();
    }
    play.fair_end();
    play.log
}

impl Play<'_> {
    #[expect(clippy::print_stderr, reason = "somebody replays one seed and wants to see it")]
    fn say(&self, what: &str) {
        if self.trace {
            eprintln!("{:>12} {what}", self.now.0);
        }
    }

    /// Checks what the last event brought.
    fn settle(&mut self, ticked: bool) {
        self.counts.events += 1;
        let mut effects = Vec::new();
        self.pool.take_effects(&mut effects);
        for effect in &effects {
            self.say(&format!("             {effect:?}"));
            match effect {
                PoolEffect::Lost { .. } => self.counts.lost += 1,
                PoolEffect::Cancelled { .. } => self.counts.cancelled += 1,
                PoolEffect::Expired { .. } => self.counts.expired += 1,
                PoolEffect::Send(worker, chunk) => {
                    let limit = self.pool.flight(*worker, *chunk).and_then(|(_, options)| options.queue_timeout);
                    self.counts.in_time += u64::from(limit.is_some());
                }
                PoolEffect::TakeBack(..) => {}
                PoolEffect::Failed(_) => self.counts.failures += 1,
                PoolEffect::Retire(_) => self.counts.retired += 1,
                PoolEffect::Kill(_, KillReason::Timeout) => self.counts.timeouts += 1,
                PoolEffect::Kill(_, KillReason::Cancelled) => self.counts.cancel_kills += 1,
                PoolEffect::Kill(_, KillReason::NotReady) => self.counts.not_ready += 1,
                PoolEffect::Kill(_, KillReason::Violation(_) | KillReason::Killed | KillReason::Stopped)
                | PoolEffect::Spawn(_)
                | PoolEffect::Stop(..) => {}
            }
            self.naive.effect(self.now, effect, &self.pool);
        }
        let asked = effects.iter().filter_map(|effect| match effect {
            PoolEffect::TakeBack(id, until) => Some((*id, *until)),
            PoolEffect::Spawn(_)
            | PoolEffect::Send(..)
            | PoolEffect::Stop(..)
            | PoolEffect::Retire(_)
            | PoolEffect::Kill(..)
            | PoolEffect::Lost { .. }
            | PoolEffect::Cancelled { .. }
            | PoolEffect::Expired { .. }
            | PoolEffect::Failed(_) => None,
        });
        let asked: Vec<_> = asked.collect();
        self.log.append(&mut effects);
        for (id, until) in asked {
            self.take_back(id, until);
        }
        self.naive.settled(&self.pool, ticked.then_some(self.now));
    }

    /// A worker has claimed some of its tasks, or says anything; it has not ended more than it has claimed.
    fn take_back(&mut self, id: WorkerId, until: Turn) {
        let (turns, least) = self.naive.turns(id, until);
        let keep = self.random.between(0, u32::try_from(turns.len()).unwrap_or(0)) as usize;
        let claimed = turns.get(keep).copied().unwrap_or(until);
        let said = match keep {
            _ if keep == turns.len() && self.random.once_in(2) => Turn(u64::MAX),
            _ if keep <= least && self.random.once_in(2) => Turn(self.random.below(claimed.0 + 1)),
            _ => claimed,
        };
        self.say(&format!("{id} has claimed {keep} of {} tasks until {until}, and says {said}", turns.len()));
        self.counts.taken_back += turns.len().saturating_sub(keep.max(least)) as u64;
        self.naive.taken_back(self.now, id, until, claimed);
        self.pool.taken_back(self.now, id, until, said);
        self.settle(false);
    }

    fn step(&mut self) {
        match self.random.below(100) {
            0..4 => self.open(),
            4..22 => self.submit(),
            22..32 => self.ready(),
            32..62 => self.finish(),
            62..70 => self.attempt_fails(),
            70..76 => self.die(|_| true),
            76..80 => self.die(|worker| worker.killed.is_some()),
            80..86 => self.lie(),
            86..88 => self.cancel(),
            88..89 => self.drain(),
            89..90 => self.close(),
            90..91 if self.random.once_in(60) => self.fail(),
            _ => self.tick(),
        }
    }

    fn open(&mut self) {
        if self.jobs.len() >= 6 {
            return;
        }
        let job = JobId(self.jobs.len() as u64);
        let timeout = if self.random.once_in(2) { None } else { Some(Duration::from_millis(1 + self.random.below(100))) };
        let queue_timeout = self.random.once_in(3).then(|| Duration::from_millis(self.random.below(200)));
        let together = if self.random.once_in(4) { self.random.between(1, 5) } else { 1 };
        let options =
            JobOptions { timeout, queue_timeout, together, ..JobOptions::new(TaskIndex(u16::from(self.random.once_in(2)))) };
        self.say(&format!("open {job} {options:?}"));
        self.jobs.push((job, 0));
        self.pool.open_job(job, options);
        self.naive.opened(job, options);
        self.settle(false);
    }

    fn submit(&mut self) {
        let Some((job, first)) = self.random.pick(&self.jobs) else { return self.open() };
        if self.naive.unended() > 150 {
            return;
        }
        let count = if self.random.once_in(4) { self.random.between(0, 40) } else { self.random.between(1, 4) };
        let mut items = ItemWriter::default();
        (first..first + u64::from(count)).for_each(|index| items.push(&input((job, index))));
        let (items, _) = items.into_parts();
        self.say(&format!("submit {job} {first} +{count}"));
        if let Some(entry) = self.jobs.iter_mut().find(|(of, _)| *of == job) {
            entry.1 += u64::from(count);
        }
        self.naive.submitted(self.now, job, first, count);
        self.pool.submit(self.now, Chunk { job, first, count, items: items.into(), history: Vec::new(), start_by: None });
        self.settle(false);
    }

    fn ready(&mut self) {
        let starting = self.naive.workers(|worker| !worker.ready && worker.killed.is_none());
        let Some(id) = self.random.pick(&starting) else { return };
        self.say(&format!("{id} is ready"));
        assert_eq!(self.pool.worker_ready(self.now, id), Ok(()));
        if let Some(worker) = self.naive.workers.get_mut(&id) {
            worker.ready = true;
        }
        self.settle(false);
    }

    fn busy(&mut self) -> Option<WorkerId> {
        let busy = self.naive.workers(|worker| !worker.line.is_empty() && worker.killed.is_none());
        self.random.pick(&busy)
    }

    fn nanoseconds(&mut self) -> u64 {
        match self.random.below(8) {
            0 => 0,
            1 => u64::MAX,
            2 => self.random.below(100_000_000_000),
            _ => self.random.below(20_000),
        }
    }

    fn finish(&mut self) {
        let Some(id) = self.busy() else { return };
        let Some((chunk, from, left)) = self.naive.front(id).map(|flight| (flight.id, flight.done, flight.count() - flight.done))
        else {
            return;
        };
        self.speak_of(id, chunk, from, from + left);
        let count = if self.random.once_in(2) { left } else { self.random.between(1, left) };
        self.finish_some(id, chunk, from, count);
    }

    /// What a worker says of a task before its outcome, such as what it prints, is for a task of its front chunk that has not ended.
    fn speak_of(&mut self, id: WorkerId, chunk: ChunkId, done: u32, count: u32) {
        let at = self.random.between(0, count);
        let task = self.naive.front(id).and_then(|flight| flight.tasks.get(at as usize)).filter(|_| at >= done);
        let expected = task.map(|task| task.1).ok_or(Violation::OutOfOrder);
        assert_eq!(self.pool.place(id, chunk, at), expected, "{id} speaks of {at} in {chunk}");
        assert_eq!(self.pool.place(id, ChunkId(u64::MAX), 0), Err(Violation::ForeignChunk));
        assert!(self.pool.place(id, chunk, u32::MAX).is_err());
    }

    fn finish_some(&mut self, id: WorkerId, chunk: ChunkId, from: u32, count: u32) {
        let first = self.naive.front(id).and_then(|flight| flight.tasks.get(from as usize)).copied();
        let nanoseconds = self.nanoseconds();
        self.say(&format!("{id} finished {count} of {chunk} from {from}"));
        let place = self.pool.finished(self.now, id, chunk, from, count, nanoseconds);
        assert_eq!(place.ok(), first, "a result is put in its task's place");
        for _ in 0..count {
            self.naive.advanced(self.now, id, Some(End::Result));
        }
        self.counts.results += u64::from(count);
        self.settle(false);
    }

    fn attempt_fails(&mut self) {
        let Some(id) = self.busy() else { return };
        let Some((chunk, at, task)) =
            self.naive.front(id).and_then(|flight| Some((flight.id, flight.done, *flight.tasks.get(flight.done as usize)?)))
        else {
            return;
        };
        let causes = [0, 1, 2, 3];
        let cause = match self.random.pick(&causes) {
            Some(0) => Cause::Timeout,
            Some(1) => Cause::Trap,
            Some(2) => Cause::Error,
            Some(_) | None => Cause::Death("it said so".into()),
        };
        let attempt = Attempt { pid: 7, cause, ran: Duration(self.random.below(1000)) };
        self.say(&format!("{id}'s attempt at {at} of {chunk}, {task:?}, failed: {:?}", attempt.cause));
        assert_eq!(self.pool.history(id, chunk), self.naive.history(task), "the history is complete and in order");
        let verdict = self.pool.attempt_failed(self.now, id, chunk, at, attempt.clone());
        let again = self.naive.attempt_failed(self.now, task, attempt);
        let expected = if again { Verdict::Again } else { Verdict::Final };
        assert_eq!(verdict, Ok((task.0, task.1, expected)), "retries by cause stay within their budget");
        self.naive.advanced(self.now, id, if again { None } else { Some(End::Failed) });
        if again {
            self.counts.again += 1;
        } else {
            self.counts.last += 1;
        }
        self.settle(false);
    }

    fn die(&mut self, wanted: impl Fn(&super::naive::Worker) -> bool) {
        let ids = self.naive.workers(wanted);
        let Some(id) = self.random.pick(&ids) else { return };
        let running = self.hint(id);
        let line: Vec<ChunkId> = self.naive.workers.get(&id).map_or(Vec::new(), |w| w.line.iter().map(|f| f.id).collect());
        self.say(&format!("{id} is gone, it ran {running:?}"));
        let paid = self.naive.gone(self.now, id, 42, "fell over", running);
        self.pool.worker_gone(self.now, id, 42, "fell over".into(), running);
        self.counts.deaths += 1;
        self.counts.charged += u64::from(paid.is_some());
        self.counts.charged_behind +=
            u64::from(paid.is_some() && running.is_some_and(|(chunk, _)| line.iter().skip(1).any(|id| *id == chunk)));
        self.dead.push((id, line.first().copied().unwrap_or(ChunkId(0))));
        self.settle(false);
    }

    /// What a dying worker says that it ran: the truth, half of it, or anything.
    fn hint(&mut self, id: WorkerId) -> Option<(ChunkId, u32)> {
        let line: Vec<(ChunkId, u32, u32)> =
            self.naive.workers.get(&id)?.line.iter().map(|flight| (flight.id, flight.done, flight.count())).collect();
        let (chunk, done, count) = *line.first()?;
        match self.random.below(12) {
            0..4 => Some((chunk, self.random.between(done, count - 1))),
            4 => Some((chunk, done.saturating_sub(1))),
            5 => Some((chunk, count)),
            6 => Some((chunk, u32::MAX)),
            7 => Some((ChunkId(u64::MAX), 0)),
            8 => self.other_chunk(id).map(|chunk| (chunk, 0)),
            9 => None,
            _ => self.random.pick(&line).map(|(chunk, done, count)| (chunk, self.random.between(done, count - 1))),
        }
    }

    fn other_chunk(&mut self, id: WorkerId) -> Option<ChunkId> {
        let others = self.naive.workers.iter().filter(|(other, _)| **other != id);
        let others: Vec<ChunkId> = others.filter_map(|(_, worker)| Some(worker.line.front()?.id)).collect();
        self.random.pick(&others)
    }

    /// A worker says what it may not say.
    fn lie(&mut self) {
        let ids = self.naive.workers(|_| true);
        let Some(id) = self.random.pick(&ids) else { return };
        let Some(worker) = self.naive.workers.get(&id) else { return };
        let may_speak = worker.ready && !worker.retired && worker.killed.is_none();
        let front = worker.line.front().map(|flight| (flight.id, flight.done, flight.count() - flight.done));
        let behind = worker.line.get(1).map(|flight| flight.id);
        let starting = !worker.ready && worker.killed.is_none();
        let dead = self.random.pick(&self.dead);
        let other = self.other_chunk(id);
        let (expected, told) = match (self.random.below(8), front) {
            (0, _) if !starting => (Violation::OutOfTurn, self.pool.worker_ready(self.now, id).err()),
            (0 | 1, _) => {
                let (id, chunk) = dead.unwrap_or((WorkerId(u64::MAX), ChunkId(0)));
                self.counts.late += 1;
                (Violation::OutOfTurn, self.told(id, chunk, 0, 1))
            }
            (_, front) if !may_speak => {
                let (chunk, from, count) = front.unwrap_or((ChunkId(0), 0, 1));
                (Violation::OutOfTurn, self.told(id, chunk, from, count))
            }
            (_, None) => (Violation::ForeignChunk, self.told(id, other.unwrap_or(ChunkId(0)), 0, 1)),
            (2, Some(_)) => (Violation::ForeignChunk, self.told(id, behind.or(other).unwrap_or(ChunkId(u64::MAX)), 0, 1)),
            (3, Some(_)) => {
                // A late word of an attempt that is over: every chunk has another number.
                let old = dead.map_or(ChunkId(u64::MAX - 1), |(_, chunk)| chunk);
                let old = if front.is_some_and(|(chunk, _, _)| chunk == old) { ChunkId(u64::MAX) } else { old };
                (Violation::ForeignChunk, self.told(id, old, 0, 1))
            }
            (4, Some((chunk, from, left))) => (Violation::OutOfOrder, self.told(id, chunk, from, left + 1)),
            (5, Some((chunk, from, _))) => (Violation::OutOfOrder, self.told(id, chunk, from, 0)),
            (6, Some((chunk, from, left))) => (Violation::OutOfOrder, self.told(id, chunk, from.wrapping_sub(1), left)),
            (_, Some((chunk, from, _))) => (Violation::OutOfOrder, self.told(id, chunk, from + 1, u32::MAX)),
        };
        self.say(&format!("{id} lies: {told:?}"));
        assert_eq!(told, Some(expected));
        match expected {
            Violation::ForeignChunk => self.counts.foreign += 1,
            Violation::OutOfOrder => self.counts.out_of_order += 1,
            Violation::OutOfTurn
            | Violation::Malformed
            | Violation::BadResult
            | Violation::OverLimit
            | Violation::NotImported
            | Violation::ReadsNothing => self.counts.out_of_turn += 1,
        }
        // Nothing of it was believed.
        self.settle(false);
        if self.random.once_in(2) && self.naive.workers.get(&id).is_some_and(|worker| !worker.retired) {
            self.say(&format!("{id} is to be killed for it"));
            self.naive.violated(id, KillReason::Violation(expected));
            self.pool.violated(id, expected);
            self.settle(false);
        }
        // Of one that is not known any more nothing follows.
        self.pool.violated(WorkerId(u64::MAX), expected);
        self.settle(false);
    }

    fn told(&mut self, id: WorkerId, chunk: ChunkId, from: u32, count: u32) -> Option<Violation> {
        if count == 1 && self.random.once_in(2) {
            let attempt = Attempt { pid: 0, cause: Cause::Error, ran: Duration(0) };
            return self.pool.attempt_failed(self.now, id, chunk, from, attempt).err();
        }
        self.pool.finished(self.now, id, chunk, from, count, 1).err()
    }

    fn cancel(&mut self) {
        let Some((job, _)) = self.random.pick(&self.jobs) else { return };
        self.say(&format!("cancel {job}"));
        self.naive.cancelled(self.now, job, Phase::Cancelled);
        self.pool.cancel_job(self.now, job);
        self.settle(false);
    }

    fn drain(&mut self) {
        let Some((job, _)) = self.random.pick(&self.jobs) else { return };
        if self.naive.phase(job) == Some(Phase::Open) {
            self.naive.cancelled(self.now, job, Phase::Drained);
        }
        self.say(&format!("drain {job}"));
        self.pool.drain_job(job);
        self.settle(false);
    }

    fn close(&mut self) {
        let Some((job, _)) = self.random.pick(&self.jobs) else { return };
        self.say(&format!("close {job}"));
        self.naive.cancelled(self.now, job, Phase::Closed);
        self.pool.close_job(self.now, job);
        self.settle(false);
    }

    fn fail(&mut self) {
        if !self.naive.failed {
            self.naive.failing();
        }
        self.say("fail");
        self.pool.fail("somebody said so".into());
        self.settle(false);
    }

    fn tick(&mut self) {
        let step = match self.random.below(6) {
            0 if self.random.once_in(4) => 30_000_000_000,
            0 => 0,
            1 => self.random.below(1_000_000),
            2 | 3 => self.random.below(30_000_000),
            4 => self.random.below(2_000_000_000),
            _ => self.pool.next_tick().map_or(0, |at| at.since(self.now).0),
        };
        self.tick_at(self.now.plus(Duration(step)));
    }

    fn tick_at(&mut self, now: Now) {
        self.now = now;
        self.say("tick");
        self.naive.ticking(now);
        self.pool.tick(now);
        self.settle(true);
    }

    /// From here on everybody does his part: then every task ends.
    fn fair_end(&mut self) {
        self.say("from here on fair");
        let retire = self.random.once_in(2);
        if retire {
            self.naive.retiring = true;
            self.pool.retire();
            self.settle(false);
        }
        for _ in 0..100_000 {
            let all_gone = !retire || self.naive.failed || self.naive.workers(|worker| !worker.retired).is_empty();
            if self.naive.unended() == 0 && all_gone {
                return;
            }
            let killed = self.naive.failed || !self.naive.workers(|worker| worker.killed.is_some()).is_empty();
            if killed && !self.naive.workers(|_| true).is_empty() {
                let failed = self.naive.failed;
                self.die(|worker| failed || worker.killed.is_some());
            } else if !self.naive.workers(|worker| !worker.ready).is_empty() {
                self.ready();
            } else if let Some(id) = self.busy() {
                let front = self.naive.front(id).map(|flight| (flight.id, flight.done, flight.count() - flight.done));
                let (chunk, from, left) = front.unwrap_or((ChunkId(0), 0, 0));
                self.finish_some(id, chunk, from, left);
            } else if let Some(at) = self.pool.next_tick() {
                self.tick_at(at.max(self.now));
            } else {
                panic!("{} tasks wait, and nothing will ever happen: {:?}", self.naive.unended(), self.pool);
            }
        }
        panic!("{} tasks have not ended after 100000 fair events", self.naive.unended());
    }
}

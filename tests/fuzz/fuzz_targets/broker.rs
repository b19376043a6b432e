//! Hostile workers, deaths and clocks in any order: every task ends once, and a worker speaks only of what it was given.
#![no_main]

use std::collections::BTreeMap;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use taskcell_broker::{
    Attempt, Cause, Chunk, Duration, JobOptions, Now, Pool, PoolEffect, PoolOptions, RetryBudget, Verdict, Violation,
};
use taskcell_wire::{ChunkId, ItemWriter, JobId, TaskIndex, Turn, WorkerId};

/// Numbers are small or taken modulo what there is, so that right ones come up often.
#[derive(Debug, Arbitrary)]
enum Call {
    Submit { job: bool, count: u8 },
    Ready { worker: u8 },
    Finished { worker: u8, chunk: u8, from: u8, count: u8, nanoseconds: u64 },
    AttemptFailed { worker: u8, chunk: u8, at: u8, cause: u8 },
    Gone { worker: u8, running: Option<(u8, u8)> },
    Cancel { job: bool },
    Drain { job: bool },
    Waits { worker: u8 },
    GoesOn { worker: u8 },
    CouldNotStart { worker: u8 },
    Tick { milliseconds: u16 },
}

#[derive(Debug, Arbitrary)]
struct Input {
    workers: u8,
    budget: [u8; 4],
    retries: Option<u8>,
    max_tasks: Option<u8>,
    on_demand: bool,
    timeout: Option<u8>,
    calls: Vec<Call>,
}

const JOBS: [JobId; 2] = [JobId(0), JobId(1)];
const MILLISECOND: u64 = 1_000_000;

fuzz_target!(|input: Input| {
    let mut model = Model::new(&input);
    input.calls.iter().take(200).for_each(|call| model.play(call));
    model.end();
});

struct Model {
    pool: Pool,
    now: Now,
    /// Every task that was submitted, and how often it ended.
    ended: BTreeMap<(JobId, u64), u32>,
    next: [u64; 2],
    live: Vec<WorkerId>,
    /// What was sent to whom: the job, the first place, the count.
    sent: BTreeMap<(WorkerId, ChunkId), (JobId, u64, u32)>,
    last_chunk: u64,
    failed: bool,
}

impl Model {
    fn new(input: &Input) -> Self {
        let [deaths, timeouts, traps, errors] = input.budget.map(|times| u32::from(times % 3));
        let budget = RetryBudget { deaths, timeouts, traps, errors };
        let workers = u32::from(input.workers % 4) + 1;
        let options = PoolOptions {
            retries: input.retries.map(|retries| u32::from(retries % 3)),
            max_tasks_per_worker: input.max_tasks.map(|most| u32::from(most % 4) + 1),
            on_demand: input.on_demand,
            ..PoolOptions::new(workers)
        };
        let mut pool = Pool::new(PoolOptions { budget, grace: Duration(5 * MILLISECOND), ..options });
        let timeout = input.timeout.map(|timeout| Duration(u64::from(timeout) * MILLISECOND));
        for job in JOBS {
            let queue_timeout = timeout.filter(|_| job != JOBS[0]);
            pool.open_job(job, JobOptions { timeout, queue_timeout, ..JobOptions::new(TaskIndex(0)) });
        }
        let mut model = Self {
            pool,
            now: Now::default(),
            ended: BTreeMap::new(),
            next: [0; 2],
            live: Vec::new(),
            sent: BTreeMap::new(),
            last_chunk: 0,
            failed: false,
        };
        model.pool.start(model.now);
        model.take_effects();
        model
    }

    fn play(&mut self, call: &Call) {
        match *call {
            Call::Submit { job, count } => self.submit(usize::from(job), u32::from(count % 8) + 1),
            Call::Ready { worker } => {
                let id = self.worker(worker);
                let outcome = self.pool.worker_ready(self.now, id);
                self.judge(id, outcome.err());
            }
            Call::Finished { worker, chunk, from, count, nanoseconds } => {
                let (id, chunk) = (self.worker(worker), self.chunk(chunk));
                let (from, count) = (u32::from(from), u32::from(count));
                match self.pool.finished(self.now, id, chunk, from, count, nanoseconds) {
                    Ok((job, index)) => self.accepted(id, chunk, job, index, count),
                    Err(violation) => self.judge(id, Some(violation)),
                }
            }
            Call::AttemptFailed { worker, chunk, at, cause } => {
                let (id, chunk) = (self.worker(worker), self.chunk(chunk));
                let cause = [Cause::Timeout, Cause::Trap, Cause::Error][usize::from(cause % 3)].clone();
                let attempt = Attempt { pid: 1, cause, ran: Duration(1) };
                match self.pool.attempt_failed(self.now, id, chunk, u32::from(at), attempt) {
                    Ok((job, index, Verdict::Final)) => self.accepted(id, chunk, job, index, 1),
                    Ok((_, _, Verdict::Again)) => {}
                    Err(violation) => self.judge(id, Some(violation)),
                }
            }
            Call::Gone { worker, running } => {
                let id = self.worker(worker);
                let running = running.map(|(chunk, place)| (self.chunk(chunk), u32::from(place)));
                self.gone(id, running);
            }
            Call::Cancel { job } => self.pool.cancel_job(self.now, JOBS[usize::from(job)]),
            Call::Drain { job } => self.pool.drain_job(JOBS[usize::from(job)]),
            Call::Waits { worker } => {
                let id = self.worker(worker);
                // As the broker does it: only a task that runs makes a call that waits.
                if self.pool.running(id).is_some() {
                    self.pool.waits(id);
                }
            }
            Call::GoesOn { worker } => self.pool.goes_on(self.now, self.worker(worker)),
            Call::CouldNotStart { worker } => {
                let id = self.worker(worker);
                self.live.retain(|live| *live != id);
                self.pool.could_not_start(self.now, id, "there is no room");
            }
            Call::Tick { milliseconds } => {
                self.now = self.now.plus(Duration(u64::from(milliseconds) * MILLISECOND));
                self.pool.tick(self.now);
            }
        }
        self.take_effects();
    }

    /// One that lives, or one that nobody knows.
    fn worker(&self, at: u8) -> WorkerId {
        self.live.get(usize::from(at) % (self.live.len() + 1)).copied().unwrap_or(WorkerId(u64::MAX))
    }

    /// A late one, most of the time.
    fn chunk(&self, back: u8) -> ChunkId {
        ChunkId(self.last_chunk.wrapping_sub(u64::from(back % 16)))
    }

    fn submit(&mut self, job: usize, count: u32) {
        if self.failed {
            return;
        }
        let first = self.next[job];
        self.next[job] += u64::from(count);
        let mut items = ItemWriter::default();
        for index in first..self.next[job] {
            items.push(index.to_string().as_bytes());
            self.ended.insert((JOBS[job], index), 0);
        }
        let (items, count) = items.into_parts();
        self.pool
            .submit(self.now, Chunk { job: JOBS[job], first, count, items: items.into(), history: Vec::new(), start_by: None });
    }

    fn accepted(&mut self, id: WorkerId, chunk: ChunkId, job: JobId, index: u64, count: u32) {
        let (of, first, most) = self.sent[&(id, chunk)];
        assert!(of == job && index >= first && index + u64::from(count) <= first + u64::from(most), "a foreign task was taken");
        (index..index + u64::from(count)).for_each(|index| self.task_ended(job, index));
    }

    fn task_ended(&mut self, job: JobId, index: u64) {
        let times = self.ended.get_mut(&(job, index)).expect("only tasks that were submitted end");
        *times += 1;
        assert_eq!(*times, 1, "a task ended twice: {job}, place {index}");
    }

    /// As the dispatcher does it: a violation is the worker's end.
    fn judge(&mut self, id: WorkerId, violation: Option<Violation>) {
        if let Some(violation) = violation {
            self.pool.violated(id, violation);
            self.gone(id, None);
        }
    }

    fn gone(&mut self, id: WorkerId, running: Option<(ChunkId, u32)>) {
        self.live.retain(|live| *live != id);
        self.pool.worker_gone(self.now, id, 1, "ended".into(), running);
    }

    fn take_effects(&mut self) {
        let mut effects = Vec::new();
        self.pool.take_effects(&mut effects);
        let (mut killed, mut taken_back) = (Vec::new(), Vec::new());
        for effect in effects.drain(..) {
            match effect {
                PoolEffect::Spawn(id) => self.live.push(id),
                PoolEffect::Send(id, chunk) => {
                    self.last_chunk = chunk.0;
                    // It may have been taken back since.
                    if let Some((flight, _)) = self.pool.flight(id, chunk) {
                        self.sent.insert((id, chunk), (flight.job, flight.first, flight.count));
                    }
                }
                PoolEffect::TakeBack(id, until) => taken_back.push((id, until)),
                PoolEffect::Kill(id, _) => killed.push(id),
                PoolEffect::Lost { job, index, .. } => self.task_ended(job, index),
                PoolEffect::Cancelled { job, first, count } => {
                    (first..first + u64::from(count)).for_each(|index| self.task_ended(job, index));
                }
                PoolEffect::Expired { job, first, count } => {
                    (first..first + u64::from(count)).for_each(|index| self.task_ended(job, index));
                }
                PoolEffect::Failed(_) => self.failed = true,
                PoolEffect::Stop(..) | PoolEffect::Retire(_) => {}
            }
        }
        for (id, until) in taken_back {
            // It says something; what it can have begun is what it was sent.
            let claimed = Turn(until.0.saturating_sub(self.now.0 % 9));
            self.pool.taken_back(self.now, id, until, claimed);
            let pool = &self.pool;
            self.sent.retain(|(of, chunk), sent| {
                let flight = pool.flight(*of, *chunk).filter(|_| *of == id);
                *sent = flight.map_or(*sent, |(flight, _)| (flight.job, flight.first, flight.count));
                *of != id || flight.is_some()
            });
            self.take_effects();
        }
        for id in killed {
            if self.live.contains(&id) {
                self.gone(id, None);
                self.take_effects();
            }
        }
    }

    /// Everything is cancelled and every worker ends: then each task has ended.
    fn end(&mut self) {
        for job in JOBS {
            self.pool.cancel_job(self.now, job);
        }
        self.take_effects();
        for id in std::mem::take(&mut self.live) {
            self.pool.worker_gone(self.now, id, 1, "ended".into(), None);
            self.take_effects();
        }
        // What a pool that gave up still had is ended by whoever drives it.
        if !self.failed {
            assert!(self.ended.values().all(|times| *times == 1), "a task has not ended");
        }
    }
}

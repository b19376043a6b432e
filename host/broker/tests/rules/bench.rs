//! A pool whose worker is the test.

use taskcell_broker::{Chunk, Duration, JobOptions, KillReason, Now, Pool, PoolEffect, PoolOptions, RetryBudget};
use taskcell_wire::{ChunkId, ItemWriter, JobId, TaskIndex, Turn, WorkerId};

pub(crate) const JOB: JobId = JobId(1);
pub(crate) const OTHER: JobId = JobId(2);
pub(crate) const GRACE: Duration = Duration::from_millis(100);

/// A pool and what it asked for.
pub(crate) struct Bench {
    pub(crate) pool: Pool,
    pub(crate) now: Now,
    /// Workers that were started and are not ready.
    pub(crate) starting: Vec<WorkerId>,
    /// What else was asked for since the last look.
    asked: Vec<PoolEffect>,
}

impl Bench {
    /// With its workers on their way and two jobs open.
    pub(crate) fn starting(workers: u32, budget: RetryBudget) -> Self {
        Self::with(PoolOptions { budget, ..PoolOptions::new(workers) })
    }

    /// The same of any kind.
    pub(crate) fn with(options: PoolOptions) -> Self {
        let mut pool = Pool::new(PoolOptions { grace: GRACE, ..options });
        pool.start(Now(0));
        pool.open_job(JOB, JobOptions::new(TaskIndex(0)));
        pool.open_job(OTHER, JobOptions::new(TaskIndex(0)));
        let mut bench = Self { pool, now: Now(0), starting: Vec::new(), asked: Vec::new() };
        bench.gather();
        bench
    }

    /// With its workers ready; `timeout` is that of one of the two jobs.
    pub(crate) fn new(workers: u32, budget: RetryBudget, timeout: Option<Duration>) -> Self {
        let mut bench = Self::starting(workers, budget);
        bench.pool.open_job(JOB, JobOptions { timeout, ..JobOptions::new(TaskIndex(0)) });
        bench.ready_all();
        bench
    }

    /// Like [`new`](Self::new), with one worker that is known to take a microsecond a task, so that chunks wait in its line.
    pub(crate) fn quick(budget: RetryBudget) -> Self {
        let mut bench = Self::new(1, budget, None);
        bench.submit(OTHER, 0, 1);
        let (worker, chunk) = bench.sent().remove(0);
        bench.pool.finished(bench.now, worker, chunk, 0, 1, 1000).unwrap();
        bench
    }

    fn gather(&mut self) {
        let mut effects = Vec::new();
        self.pool.take_effects(&mut effects);
        for effect in effects {
            if let PoolEffect::Spawn(id) = effect { self.starting.push(id) } else { self.asked.push(effect) }
        }
    }

    /// What was asked for since the last look, but for workers to start.
    pub(crate) fn look(&mut self) -> Vec<PoolEffect> {
        self.gather();
        std::mem::take(&mut self.asked)
    }

    pub(crate) fn submit(&mut self, job: JobId, first: u64, count: u32) {
        let mut items = ItemWriter::default();
        (0..count).for_each(|at| items.push(&(first + u64::from(at)).to_le_bytes()));
        self.pool.submit(
            self.now,
            Chunk { job, first, count, items: items.into_parts().0.into(), history: Vec::new(), start_by: None },
        );
    }

    /// Makes those ready that were started.
    pub(crate) fn ready_all(&mut self) {
        self.gather();
        for id in std::mem::take(&mut self.starting) {
            self.pool.worker_ready(self.now, id).unwrap();
        }
    }

    /// What was sent since the last look; nothing else may have been asked.
    pub(crate) fn sent(&mut self) -> Vec<(WorkerId, ChunkId)> {
        let effects = self.look();
        let sent = |effect: &PoolEffect| {
            if let PoolEffect::Send(worker, chunk) = effect { (*worker, *chunk) } else { panic!("expected Send, got {effect:?}") }
        };
        effects.iter().map(sent).collect()
    }

    /// Places of the tasks in a chunk that was sent.
    pub(crate) fn places(&self, worker: WorkerId, chunk: ChunkId) -> Vec<u64> {
        let (flight, _) = self.pool.flight(worker, chunk).unwrap();
        (flight.first..flight.first + u64::from(flight.count)).collect()
    }

    /// The first turn of a chunk that was sent, and the one after its last.
    pub(crate) fn turns(&self, worker: WorkerId, chunk: ChunkId) -> (u64, Turn) {
        let (turn, _) = self.pool.turn(worker, chunk).unwrap();
        (turn.0, Turn(turn.0 + self.places(worker, chunk).len() as u64))
    }

    pub(crate) fn finish(&mut self, worker: WorkerId, chunk: ChunkId, from: u32, count: u32) {
        self.pool.finished(self.now, worker, chunk, from, count, 1000 * u64::from(count)).unwrap();
    }

    pub(crate) fn die(&mut self, worker: WorkerId, running: Option<(ChunkId, u32)>) {
        self.pool.worker_gone(self.now, worker, 7, "fell over".into(), running);
    }

    pub(crate) fn tick(&mut self, milliseconds: u64) {
        self.now = self.now.plus(Duration::from_millis(milliseconds));
        self.pool.tick(self.now);
    }

    /// Waits for the worker that replaces a dead one.
    pub(crate) fn replace(&mut self) {
        self.gather();
        if self.starting.is_empty() {
            self.skip();
        }
        self.ready_all();
    }

    /// To the next moment at which something is due.
    pub(crate) fn skip(&mut self) {
        self.now = self.pool.next_tick().unwrap();
        self.pool.tick(self.now);
        self.gather();
    }
}

pub(crate) fn budget(deaths: u32, timeouts: u32) -> RetryBudget {
    RetryBudget { deaths, timeouts, ..RetryBudget::default() }
}

pub(crate) fn lost(effects: &[PoolEffect]) -> Vec<(JobId, u64)> {
    effects.iter().filter_map(|e| if let PoolEffect::Lost { job, index, .. } = e { Some((*job, *index)) } else { None }).collect()
}

pub(crate) fn cancelled(effects: &[PoolEffect]) -> Vec<(u64, u32)> {
    effects
        .iter()
        .filter_map(|e| if let PoolEffect::Cancelled { first, count, .. } = e { Some((*first, *count)) } else { None })
        .collect()
}

pub(crate) fn kills(effects: &[PoolEffect]) -> Vec<KillReason> {
    effects.iter().filter_map(|e| if let PoolEffect::Kill(_, reason) = e { Some(reason.clone()) } else { None }).collect()
}

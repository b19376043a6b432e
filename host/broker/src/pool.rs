//! Many tasks over a fixed number of workers.
//!
//! ```text
//!            spawn            ready                gone
//!   (none) ────────> starting ──────> ready ──────────────> (none, respawn after a while)
//!                        └─────────────── gone ─────────────┘
//! ```
//!
//! The failure that this prevents: a task that is lost or counted twice because a worker died at the wrong moment. A chunk stays in
//! the broker until each of its tasks ended; what a worker has is a copy. Results are accepted only for the chunk at the front of
//! that worker's line and only in order, so a worker can speak of nothing but what it was given, once.
//!
//! When a worker ends, its chunks are taken apart: tasks before the running one whose results did not arrive and tasks after it
//! go back to the front of the line, uncharged; the running one is charged an attempt. So a death costs one task.
//!
//! Invariants, checked by `tests/model.rs` with random histories: every submitted task ends exactly once (a result is accepted,
//! or [`PoolEffect::Lost`], [`PoolEffect::Cancelled`] or [`PoolEffect::Expired`], or the pool fails); no worker has work that another has; nothing waits while
//! a worker is idle.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use taskcell_wire::{ChunkId, JobId, TaskIndex, Turn, WorkerId};

use crate::chunk::Chunk;
use crate::effect::{KillReason, PoolEffect, Violation};
use crate::estimate::Estimate;
use crate::options::{JobOptions, PoolOptions};
use crate::restart::RestartPolicy;
use crate::time::Now;

mod assign;
mod clock;
mod death;
mod line;
mod outcome;
mod shortage;
mod staff;
mod stop;
mod take_back;

use line::{Lane, Later, Line};

#[derive(Debug)]
struct Job {
    options: JobOptions,
    phase: Phase,
    /// Its chunks in line.
    lane: Lane,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Open,
    /// Nothing of it starts any more; what workers have goes on.
    Draining,
    /// What workers have was told to stop.
    Cancelled,
}

#[derive(Debug)]
struct Flight {
    id: ChunkId,
    chunk: Chunk,
    /// Its job's. The job may be closed before its tasks ended, and its worker is honest all the same.
    options: JobOptions,
    done: u32,
    /// When its next task can have started at the earliest.
    since: Now,
    stop_sent: Option<Now>,
    /// The turn of its first task.
    turn: Turn,
    /// Whether its worker had nothing else, so that its first tasks can't be taken back.
    claimed: bool,
    /// When what was not begun of it is taken back at the latest, whoever is idle.
    hurried: Option<Now>,
}

#[derive(Debug)]
enum Slot {
    Empty {
        respawn: Now,
    },
    Starting {
        id: WorkerId,
        since: Now,
    },
    Ready(Worker),
    /// Told to end, because it ran as many tasks as a worker may; replaced when it did.
    Leaving(WorkerId),
    /// Told to end; not replaced.
    Closed(Option<WorkerId>),
}

#[derive(Debug)]
struct Worker {
    id: WorkerId,
    flights: VecDeque<Flight>,
    /// Tasks in `flights` that have not ended.
    tasks: u32,
    /// Tasks that ended.
    served: u32,
    /// The turn of the next task that it is given.
    next: Turn,
    /// Before this turn all that it has not begun was asked for.
    asked: Turn,
    /// Its running task waits in a call.
    waits: bool,
    killed: Option<KillReason>,
    /// Its connection ended; its process may live a moment longer.
    is_ending: bool,
}

impl Worker {
    fn new(id: WorkerId) -> Self {
        Self {
            id,
            flights: VecDeque::new(),
            tasks: 0,
            served: 0,
            next: Turn(0),
            asked: Turn(0),
            waits: false,
            killed: None,
            is_ending: false,
        }
    }

    /// Whether it has nothing to do and may be given something.
    fn is_idle(&self) -> bool {
        self.flights.is_empty() && !self.is_dying()
    }

    /// Whether it is to be killed, or its connection ended: it runs nothing more, and nothing that
    /// arrives from it counts.
    fn is_dying(&self) -> bool {
        self.killed.is_some() || self.is_ending
    }
}

/// The task that a worker runs, or is about to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The chunk that it is in.
    pub chunk: ChunkId,
    /// Its place there.
    pub at: u32,
    /// Its job.
    pub job: JobId,
    /// Its place in the job.
    pub index: u64,
    /// Whether it was told to stop.
    pub stopped: bool,
}

/// The pool's state.
#[derive(Debug)]
pub struct Pool {
    options: PoolOptions,
    slots: Vec<Slot>,
    pending: Line,
    delayed: Later,
    jobs: BTreeMap<JobId, Job>,
    estimates: BTreeMap<TaskIndex, Estimate>,
    restart: RestartPolicy,
    effects: Vec<PoolEffect>,
    next_worker: u64,
    next_chunk: u64,
    /// Tasks at the front of a worker's line when it ended without a word of what it ran. Once is forgiven: it may have run nothing.
    suspects: BTreeSet<(JobId, u64)>,
    /// Workers beside those of the options, for tasks that gave their place back while they wait.
    extra: u32,
    retiring: bool,
    failed: bool,
}

impl Pool {
    /// A pool without workers; [`start`](Self::start) asks for them.
    #[must_use]
    pub fn new(options: PoolOptions) -> Self {
        Self::numbered(options, 0)
    }

    /// The same with workers that are numbered from `first_worker`.
    #[must_use]
    pub fn numbered(options: PoolOptions, first_worker: u64) -> Self {
        let budget = options.budget;
        // A timeout takes down a worker too, if the task does not stop when it is told to.
        let attempts = budget.deaths.saturating_add(budget.timeouts).saturating_add(1);
        Self {
            options,
            slots: (0..options.workers.max(1)).map(|_| Slot::Empty { respawn: Now::default() }).collect(),
            pending: Line::default(),
            delayed: Later::default(),
            jobs: BTreeMap::new(),
            estimates: BTreeMap::new(),
            restart: RestartPolicy::new(options.workers, attempts),
            effects: Vec::new(),
            next_worker: first_worker,
            next_chunk: 0,
            suspects: BTreeSet::new(),
            extra: 0,
            retiring: false,
            failed: false,
        }
    }

    /// Takes what is to be done; call it after every event.
    pub fn take_effects(&mut self, into: &mut Vec<PoolEffect>) {
        into.append(&mut self.effects);
    }

    /// Whether something is to be done.
    #[must_use]
    pub fn has_effects(&self) -> bool {
        !self.effects.is_empty()
    }

    /// Asks for the workers.
    pub fn start(&mut self, now: Now) {
        self.tick(now);
    }

    /// A job begins; its tasks come as chunks.
    pub fn open_job(&mut self, job: JobId, options: JobOptions) {
        let lane = Lane::default();
        if let Some(before) = self.jobs.insert(job, Job { options, phase: Phase::Open, lane }) {
            // What waits of it runs with the new options.
            self.pending.offer();
            self.jobs.entry(job).and_modify(|job| job.lane = before.lane);
        }
    }

    /// No more chunks of this job will come, and nobody waits for it.
    pub fn close_job(&mut self, now: Now, job: JobId) {
        self.cancel_job(now, job);
        self.end_job(job);
    }

    /// All tasks of this job have ended, and no more will come.
    pub fn end_job(&mut self, job: JobId) {
        self.jobs.remove(&job);
        while let Some(suspect) = self.suspects.range((job, 0)..=(job, u64::MAX)).next().copied() {
            self.suspects.remove(&suspect);
        }
    }

    /// Tasks to run. Tasks of a job that is unknown, cancelled or drained are cancelled, and so are all once the pool retires. A
    /// pool that failed takes none: they are lost with it.
    pub fn submit(&mut self, now: Now, chunk: Chunk) {
        if self.failed || chunk.count == 0 {
            return;
        }
        let job = self.jobs.get_mut(&chunk.job).filter(|job| job.phase == Phase::Open && !self.retiring);
        let Some(job) = job else { return self.cancelled(&chunk) };
        let start_by = job.options.queue_timeout.map(|limit| now.plus(limit));
        self.pending.push_back(&mut job.lane, Chunk { start_by, ..chunk });
        self.assign(now);
    }

    /// Tasks that had their turn are the next again.
    fn put_back(&mut self, chunk: Chunk) {
        match self.jobs.get_mut(&chunk.job) {
            Some(job) => self.pending.push_front(&mut job.lane, chunk),
            None => self.cancelled(&chunk),
        }
    }

    /// Whether tasks of this job may start.
    fn is_open(&self, job: JobId) -> bool {
        self.jobs.get(&job).is_some_and(|job| job.phase == Phase::Open)
    }

    /// Whether a caller with many tasks should submit another chunk now.
    #[must_use]
    pub fn wants_more(&self) -> bool {
        !self.failed && self.pending.len() < 2 * self.slots.len()
    }

    /// How many chunks no worker has, those included that wait for another attempt.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.pending.len() + self.delayed.len()
    }

    /// A job's options.
    #[must_use]
    pub fn job(&self, job: JobId) -> Option<JobOptions> {
        self.jobs.get(&job).map(|job| job.options)
    }

    /// When what a worker runs can have started at the earliest.
    #[must_use]
    pub fn since(&self, id: WorkerId) -> Option<Now> {
        Some(self.worker(id)?.flights.front()?.since)
    }

    /// What it was made with.
    #[must_use]
    pub fn options(&self) -> &PoolOptions {
        &self.options
    }

    /// How many tasks the next chunk of this export should have.
    #[must_use]
    pub fn chunk_tasks(&self, task: TaskIndex) -> u32 {
        together(&self.options, &self.estimates.get(&task).copied().unwrap_or_default())
    }

    /// The chunk that [`PoolEffect::Send`] speaks of, with its job's options.
    #[must_use]
    pub fn flight(&self, worker: WorkerId, chunk: ChunkId) -> Option<(&Chunk, JobOptions)> {
        let flight = self.worker(worker)?.flights.iter().find(|flight| flight.id == chunk)?;
        Some((&flight.chunk, flight.options))
    }

    /// The worker may be given tasks.
    ///
    /// # Errors
    /// [`Violation::OutOfTurn`] unless it was starting.
    pub fn worker_ready(&mut self, now: Now, id: WorkerId) -> Result<(), Violation> {
        let slot = self.slots.iter_mut().find(|slot| matches!(slot, Slot::Starting { id: starting, .. } if *starting == id));
        let slot = slot.ok_or(Violation::OutOfTurn)?;
        *slot = Slot::Ready(Worker::new(id));
        self.pending.offer();
        self.restart.started();
        self.assign(now);
        Ok(())
    }

    /// Whether the pool gave up.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.failed
    }

    /// Gives up: nothing more is started.
    pub fn fail(&mut self, why: String) {
        if !self.failed {
            self.failed = true;
            self.take_waiting();
            self.effects.push(PoolEffect::Failed(why));
        }
    }

    /// The task that a worker runs, or is about to: the first that has not ended of what it has. `None` for a dying worker.
    #[must_use]
    pub fn running(&self, id: WorkerId) -> Option<Place> {
        let flight = self.worker(id).filter(|worker| !worker.is_dying())?.flights.front()?;
        let index = flight.chunk.first.saturating_add(u64::from(flight.done));
        Some(Place { chunk: flight.id, at: flight.done, job: flight.chunk.job, index, stopped: flight.stop_sent.is_some() })
    }

    fn worker(&self, id: WorkerId) -> Option<&Worker> {
        self.slots.iter().find_map(|slot| match slot {
            Slot::Ready(worker) if worker.id == id => Some(worker),
            Slot::Ready(_) | Slot::Empty { .. } | Slot::Starting { .. } | Slot::Leaving(_) | Slot::Closed(_) => None,
        })
    }

    fn worker_mut(&mut self, id: WorkerId) -> Option<&mut Worker> {
        self.slots.iter_mut().find_map(|slot| match slot {
            Slot::Ready(worker) if worker.id == id => Some(worker),
            Slot::Ready(_) | Slot::Empty { .. } | Slot::Starting { .. } | Slot::Leaving(_) | Slot::Closed(_) => None,
        })
    }

    fn cancelled(&mut self, chunk: &Chunk) {
        self.effects.push(PoolEffect::Cancelled { job: chunk.job, first: chunk.first, count: chunk.count });
    }
}

/// How many tasks of which so much is known make a chunk.
fn together(options: &PoolOptions, estimate: &Estimate) -> u32 {
    let tasks = estimate.chunk_tasks();
    options.max_tasks_per_worker.map_or(tasks, |most| tasks.min(most.max(1)))
}

impl Slot {
    fn id(&self) -> Option<WorkerId> {
        match self {
            Self::Starting { id, .. } => Some(*id),
            Self::Ready(worker) => Some(worker.id),
            Self::Leaving(id) => Some(*id),
            Self::Closed(id) => *id,
            Self::Empty { .. } => None,
        }
    }
}

//! What a caller chooses, and what it is told of an attempt.

use taskcell_wire::{Encoding, TaskIndex};

use crate::time::Duration;

/// How often a task is tried again, by cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RetryBudget {
    /// After its worker died.
    pub deaths: u32,
    /// After it ran over its time.
    pub timeouts: u32,
    /// After a trap or a limit.
    pub traps: u32,
    /// After it returned an error.
    pub errors: u32,
}

/// How a pool behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolOptions {
    /// Worker processes.
    pub workers: u32,
    /// Further attempts.
    pub budget: RetryBudget,
    /// How long a task may go on after it was told to stop, before its worker is killed.
    pub grace: Duration,
    /// Further attempts for all causes together; `None`: as many as the budget has.
    pub retries: Option<u32>,
    /// A worker is replaced after so many tasks.
    pub max_tasks_per_worker: Option<u32>,
    /// Workers start when tasks wait for them, and not before.
    pub on_demand: bool,
}

impl PoolOptions {
    /// So many workers, started at once; no further attempts, and ten seconds to stop.
    #[must_use]
    pub fn new(workers: u32) -> Self {
        Self {
            workers,
            budget: RetryBudget::default(),
            grace: Duration::from_millis(10_000),
            retries: None,
            max_tasks_per_worker: None,
            on_demand: false,
        }
    }
}

/// What becomes of an attempt that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It was the last; its outcome is the task's.
    Final,
    /// The task waits for another attempt.
    Again,
}

/// What all tasks of a job have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JobOptions {
    /// Which export.
    pub task: TaskIndex,
    /// The run time of one attempt.
    pub timeout: Option<Duration>,
    /// How long each may wait for its first attempt. Chunks of such tasks go to workers that have nothing else, and are taken back when they
    /// are not begun soon, so that none of them waits where it can't expire.
    pub queue_timeout: Option<Duration>,
    /// How their inputs are written.
    pub input: Encoding,
    /// How their results are to be written.
    pub output: Encoding,
    /// Whether to measure each task's run time.
    pub timed: bool,
    /// None of them is tried again, whatever it ended with.
    pub once: bool,
    /// Each is given to a worker that has nothing else: it brings what only the running task may have.
    pub alone: bool,
    /// How many a worker claims at once, at least 1: none of these runs elsewhere once the first has begun.
    pub together: u32,
}

impl JobOptions {
    /// Calls of an export with JSON in and out, without a bound.
    #[must_use]
    pub fn new(task: TaskIndex) -> Self {
        let (input, output) = (Encoding::Json, Encoding::Json);
        Self { task, timeout: None, queue_timeout: None, input, output, timed: false, once: false, alone: false, together: 1 }
    }
}

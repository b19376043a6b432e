//! What a caller chooses, and what it is told of an attempt.

use taskcell_wire::TaskIndex;

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
}

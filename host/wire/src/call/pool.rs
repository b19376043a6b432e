//! Calls on pools, on futures of their tasks, and on mappings (`wit/pool.wit`).

use serde::{Deserialize, Serialize};

use super::{Batch, Ended, Invocation, TaskState, TaskValue, Timeout};
use crate::limits::Isolation;

/// What a new pool is to be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolSettings {
    /// Worker processes; `None`: as many as this job may use CPUs.
    pub workers: Option<u32>,
    /// Fresh instances or one.
    pub isolation: Isolation,
    /// The run time of one attempt, in nanoseconds.
    pub timeout: Option<u64>,
    /// Further attempts after a death or a timeout.
    pub retries: u32,
    /// Bytes of linear memory; `None`: as the caller's.
    pub memory_bytes: Option<u64>,
    /// A worker is replaced after so many tasks.
    pub max_tasks_per_worker: Option<u32>,
    /// For people.
    pub name: Option<String>,
}

/// What a guest asks of its pool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum PoolCall<'a> {
    /// Start a task when a worker is free.
    Submit(#[serde(borrow)] Invocation<'a>),
    /// Run a task once for each value, and wait for all.
    Map {
        /// Which.
        task: &'a str,
        /// One value for each run.
        #[serde(borrow)]
        values: Batch<TaskValue<'a>>,
    },
    /// Open a mapping.
    Imap {
        /// Which task.
        task: &'a str,
        /// Whether outcomes come in the order of the values.
        ordered: bool,
        /// The most values under way; 0: the host chooses.
        window: u32,
    },
    /// Take no more, and wait until all have ended.
    Drain {
        /// How long to wait.
        timeout: Timeout,
    },
    /// Take no more.
    Shutdown {
        /// Whether tasks that no worker has yet are cancelled.
        cancel_pending: bool,
    },
    /// Take no more, and end everything.
    Kill,
}

/// What a guest asks of the future of a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum FutureCall {
    /// What the task is doing.
    State,
    /// Wait for its end.
    Result {
        /// How long to wait.
        timeout: Timeout,
    },
    /// Cancel it.
    Cancel,
}

/// What a guest asks of a mapping.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum MappingCall<'a> {
    /// Add values, as many as there is room for; waits for room for the first.
    Push {
        /// In order.
        #[serde(borrow)]
        values: Batch<TaskValue<'a>>,
        /// How long to wait.
        timeout: Timeout,
    },
    /// There are no more values.
    Finish,
    /// Take outcomes that are due; waits for the first.
    Next {
        /// The most to take; not 0.
        limit: u32,
        /// How long to wait.
        timeout: Timeout,
    },
}

/// What came of one value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mapped<'a> {
    /// The value's place among all that were pushed.
    pub index: u64,
    /// How its task ended.
    #[serde(borrow)]
    pub ended: Ended<'a>,
}

/// A pool's answer, a future's, and a mapping's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum PoolReply<'a> {
    /// It is done: drain, shutdown, kill, finish.
    Done,
    /// To map, in the order of the values.
    Outcomes(#[serde(borrow)] Vec<Ended<'a>>),
    /// To a future's state.
    State(TaskState),
    /// To a future's result.
    Ended(#[serde(borrow)] Ended<'a>),
    /// To a future's cancel: whether the task had not ended.
    Cancelled(bool),
    /// To push: how many were added.
    Pushed(u32),
    /// To next; empty at the end.
    Mapped(#[serde(borrow)] Vec<Mapped<'a>>),
}

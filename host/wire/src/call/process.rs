//! Calls on processes (`wit/process.wit`).

use serde::{Deserialize, Serialize};

use super::{Ended, TaskState, Timeout};

/// How a process is to be run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessOptions {
    /// For people; `None`: the task's name.
    pub name: Option<String>,
    /// How long it may run, in nanoseconds.
    pub timeout: Option<u64>,
    /// Bytes of linear memory; `None`: as the caller's.
    pub memory_bytes: Option<u64>,
    /// Whether it lives on when its parent ends.
    pub detached: bool,
}

/// What a guest asks of a process that it started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ProcessCall {
    /// The number of its worker process.
    Pid,
    /// What it is doing.
    State,
    /// Wait for its end.
    Join {
        /// How long to wait.
        timeout: Timeout,
    },
    /// Ask it to stop, and kill it if it has not ended after `grace` nanoseconds.
    Terminate {
        /// How long it has.
        grace: u64,
    },
    /// Kill it.
    Kill,
}

/// A process's answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ProcessReply<'a> {
    /// It is done: terminate, kill.
    Done,
    /// To pid.
    Pid(Option<u32>),
    /// To state.
    State(TaskState),
    /// To join.
    Ended(#[serde(borrow)] Ended<'a>),
}

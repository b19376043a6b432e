//! What tasks are given and give back where a guest is the one who starts them (`wit/types.wit`).

use serde::{Deserialize, Serialize};

use super::Bytes;

/// A value with the way in which it is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum TaskValue<'a> {
    /// Nothing.
    None,
    /// One JSON text in UTF-8. Who sends it says so; who uses it checks.
    Json(#[serde(borrow)] Bytes<'a>),
    /// The bytes of a `list<u8>`, or of a `string`.
    Bytes(#[serde(borrow)] Bytes<'a>),
}

impl TaskValue<'_> {
    /// The same value for keeping.
    #[must_use]
    pub fn into_shared(self) -> TaskValue<'static> {
        match self {
            Self::None => TaskValue::None,
            Self::Json(json) => TaskValue::Json(json.into_shared().into()),
            Self::Bytes(bytes) => TaskValue::Bytes(bytes.into_shared().into()),
        }
    }

    /// How many bytes it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::None => 0,
            Self::Json(bytes) | Self::Bytes(bytes) => bytes.len(),
        }
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// How a task ended, after its last attempt: the cases of `outcome` in `wit/types.wit`, one by one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ended<'a> {
    /// It returned; its result.
    Ok(#[serde(borrow)] TaskValue<'a>),
    /// It returned the error case of its result; the payload.
    Failed(#[serde(borrow)] TaskValue<'a>),
    /// The guest trapped; for people.
    Trapped(String),
    /// It was over its own time limit.
    TimedOut,
    /// It was over another limit; for people.
    OverLimit(String),
    /// It was asked to stop, or never started.
    Cancelled,
    /// Its worker ended under it; for people.
    Lost(String),
}

impl Ended<'_> {
    /// How many bytes its value holds.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Ok(value) | Self::Failed(value) => value.len(),
            Self::Trapped(text) | Self::OverLimit(text) | Self::Lost(text) => text.len(),
            Self::TimedOut | Self::Cancelled => 0,
        }
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What a task is doing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum TaskState {
    /// It waits for a worker, or for a CPU.
    Ready,
    /// It runs.
    Running,
    /// It waits in a call; on what, for people.
    Waiting(String),
    /// It ended.
    Ended,
}

impl TaskState {
    /// What [`name`](Self::name) can give.
    pub const NAMES: [&'static str; 4] = ["ready", "running", "waiting", "ended"];

    /// One word for records and messages.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Running => "running",
            Self::Waiting(_) => "waiting",
            Self::Ended => "ended",
        }
    }
}

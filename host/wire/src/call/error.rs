//! Why a call has no other answer: the cases of `error` in `wit/types.wit`, one by one.

use serde::{Deserialize, Serialize};

/// What a guest is told instead of a result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum CallError {
    /// The timeout passed first; nothing was done.
    #[error("timed out")]
    TimedOut,
    /// The object was closed, and nothing more comes out of it or goes in.
    #[error("closed")]
    Closed,
    /// The task was asked to stop while the call waited, or its worker ended.
    #[error("cancelled")]
    Cancelled,
    /// The handle does not carry the right to do this.
    #[error("denied")]
    Denied,
    /// The lease ended before this answer for it, or never was this caller's.
    #[error("the lease has ended")]
    Lapsed,
    /// Another party of the barrier ended or gave up.
    #[error("the barrier is broken")]
    Broken,
    /// A limit was reached; its name, and its value where there is one.
    #[error("quota: {0}")]
    Quota(String),
    /// The wait could never end: who waits for whom.
    #[error("deadlock: {0}")]
    Deadlock(String),
    /// The call makes no sense as made; what and why.
    #[error("invalid: {0}")]
    Invalid(String),
    /// No task, module or name like this; the nearest ones.
    #[error("not found: {0}")]
    NotFound(String),
    /// Anything that has no case of its own.
    #[error("{0}")]
    Other(String),
}

//! What the broker wants done.

use taskcell_wire::{ChunkId, JobId, WorkerId};

use crate::chunk::Attempt;

/// Why a worker is to be killed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KillReason {
    /// Its running task is over its time and did not stop by itself.
    Timeout,
    /// Its running task was cancelled and did not stop by itself.
    Cancelled,
    /// It was not ready in time.
    NotReady,
    /// It broke the protocol; how.
    Violation(Violation),
}

/// What a worker did that none may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// It spoke of a chunk that is not at the front of its line.
    #[error("it answered for a chunk that it was not running")]
    ForeignChunk,
    /// It skipped or repeated a task, or gave more than it was asked.
    #[error("its answers were out of order")]
    OutOfOrder,
    /// It is not known, or not ready.
    #[error("it spoke out of turn")]
    OutOfTurn,
    /// Its bytes were no message, or broke a cap.
    #[error("it sent bytes that are no message")]
    Malformed,
    /// A result was not one line of JSON.
    #[error("it sent a result that is not one line of JSON")]
    BadResult,
    /// A result, a text or what a task printed is longer than its limit.
    #[error("it sent more than its limits allow")]
    OverLimit,
}

/// What to do. Effects are carried out in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Start a worker process under this id.
    Spawn(WorkerId),
    /// Send the worker this chunk, which [`Pool::flight`](crate::Pool::flight) lends.
    Send(WorkerId, ChunkId),
    /// Ask the worker to stop what it runs of this chunk.
    Stop(WorkerId, ChunkId),
    /// Let the worker end by itself; it has nothing more to do.
    Retire(WorkerId),
    /// Kill the worker.
    Kill(WorkerId, KillReason),
    /// The last attempt of a task failed without an outcome of its own: its job, its place, what was tried.
    Lost {
        /// Whose task.
        job: JobId,
        /// Its place in the job.
        index: u64,
        /// Every attempt, in order; the last one's cause is the task's.
        history: Vec<Attempt>,
    },
    /// These tasks were cancelled before they ran, or with the worker that ran them.
    Cancelled {
        /// Whose tasks.
        job: JobId,
        /// The first one's place.
        first: u64,
        /// How many.
        count: u32,
    },
    /// No worker can be kept alive; every task that waits is lost, and so is every later one. For people.
    Failed(String),
}

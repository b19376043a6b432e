//! What the broker wants done.

use taskcell_wire::call::{CallError, CallId, Level, Loan, Reply, TaskId};
use taskcell_wire::{ChunkId, JobId, Turn, WorkerId};

use crate::broker::PoolId;
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
    /// A task killed it, or the one that it belongs to ended, or it was let go and did not end.
    Killed,
    /// Its pool gave up.
    Stopped,
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
    /// It made a call of an interface whose functions its component does not import.
    #[error("it made a call that its component does not import")]
    NotImported,
    /// More waits to be sent to it than an honest worker leaves unread.
    #[error("it reads nothing of what it is sent")]
    ReadsNothing,
}

/// What to do. Effects are carried out in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Start a worker process under this id; [`Broker::spec`](crate::Broker::spec) tells what kind.
    Spawn(WorkerId),
    /// Send the worker this chunk, which [`Broker::work`](crate::Broker::work) lends.
    Send(WorkerId, ChunkId),
    /// Take back what the worker has not claimed of what was sent to it until now: what has a turn before this one. How far it has got is told to
    /// [`Broker::taken_back`](crate::Broker::taken_back).
    TakeBack(WorkerId, Turn),
    /// Ask the worker to stop what it runs of this chunk.
    Stop(WorkerId, ChunkId),
    /// Let the worker end by itself; it has nothing more to do.
    Retire(WorkerId),
    /// Kill the worker.
    Kill(WorkerId, KillReason),
    /// The last attempt of a task of the API failed without an outcome of its own: its job, its place, what was tried.
    Lost {
        /// Whose task.
        job: JobId,
        /// Its place in the job.
        index: u64,
        /// Every attempt, in order; the last one's cause is the task's.
        history: Vec<Attempt>,
    },
    /// These tasks of the API were cancelled before they ran, or with the worker that ran them.
    Cancelled {
        /// Whose tasks.
        job: JobId,
        /// The first one's place.
        first: u64,
        /// How many.
        count: u32,
    },
    /// These tasks of the API waited too long for their first attempt.
    Expired {
        /// Whose tasks.
        job: JobId,
        /// The first one's place.
        first: u64,
        /// How many.
        count: u32,
    },
    /// No worker of this pool of the API can be kept alive; every task that waits is lost, and so is every later one. For people.
    PoolFailed(PoolId, String),
    /// Answer a call; the number is the worker's own.
    Reply(WorkerId, CallId, Result<Reply<'static>, CallError>),
    /// Answer a call, and lend something for the next ones.
    Lend(WorkerId, CallId, Reply<'static>, Loan<'static>),
    /// See to it that the worker uses nothing any more that it was lent, tell what it did with it until then ([`Broker::posted`](crate::Broker::posted),
    /// [`Broker::taken`](crate::Broker::taken)), and that this is all ([`Broker::recovered`](crate::Broker::recovered)).
    Recover(WorkerId),
    /// Read so many bytes of standard input, at most, and hand them to [`Broker::input`](crate::Broker::input).
    ReadInput(WorkerId, CallId, u32),
    /// Calls wait for each other and go on doing so: who for what, for people. Names are guests' words.
    Deadlocked(String),
    /// A task wrote a line to the log.
    Logged {
        /// Which task.
        task: TaskId,
        /// How much the line matters.
        level: Level,
        /// The guest's own words.
        text: String,
    },
}

/// What one pool wants done; [`Effect`] says what each means.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "they are those of `Effect`")]
pub enum PoolEffect {
    Spawn(WorkerId),
    Send(WorkerId, ChunkId),
    TakeBack(WorkerId, Turn),
    Stop(WorkerId, ChunkId),
    Retire(WorkerId),
    Kill(WorkerId, KillReason),
    Lost { job: JobId, index: u64, history: Vec<Attempt> },
    Cancelled { job: JobId, first: u64, count: u32 },
    Expired { job: JobId, first: u64, count: u32 },
    Failed(String),
}

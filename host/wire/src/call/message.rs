//! One call, whatever it is on, and its answer; and what a guest tells without asking.

use serde::{Deserialize, Serialize};

use super::{
    BarrierCall, BarrierOptions, BarrierReply, Batch, Bytes, CallId, ConditionCall, EventCall, EventReply, FutureCall, HandleId,
    Interest, Invocation, LockCall, LockOptions, LockReply, MapCall, MapReply, MapRights, MappingCall, PipeCall, PipeOptions,
    PipeReply, PoolCall, PoolReply, PoolSettings, ProcessCall, ProcessOptions, ProcessReply, QueueCall, QueueOptions, QueueReply,
    QueueRights, SemaphoreCall, SemaphoreOptions, SemaphoreReply, SharedBytes, TaskId, Timeout,
};

/// Something new. The answer is [`Reply::Handle`], but for pipes ([`Reply::Ends`]) and processes ([`Reply::Started`]).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Create<'a> {
    /// A queue.
    Queue(QueueOptions),
    /// A pipe.
    Pipe(PipeOptions),
    /// A shared map, with its name for people.
    Map(Option<String>),
    /// A lock.
    Lock(LockOptions),
    /// A semaphore.
    Semaphore(SemaphoreOptions),
    /// An event, with its name for people.
    Event(Option<String>),
    /// A condition.
    Condition {
        /// Its lock.
        lock: HandleId,
        /// For people.
        name: Option<String>,
    },
    /// A barrier.
    Barrier(BarrierOptions),
    /// A process.
    Process {
        /// What it runs.
        #[serde(borrow)]
        task: Invocation<'a>,
        /// How.
        options: ProcessOptions,
    },
    /// A pool.
    Pool(PoolSettings),
}

/// What a guest asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Call<'a> {
    /// Make something.
    Create(#[serde(borrow)] Create<'a>),
    /// Another handle of a queue, with these rights at most: [`Reply::Handle`].
    RestrictQueue(HandleId, QueueRights),
    /// Another handle of a map, with these rights at most, to keys that begin with this, without it: [`Reply::Handle`].
    RestrictMap(HandleId, MapRights, &'a str),
    /// On a queue.
    Queue(HandleId, #[serde(borrow)] QueueCall<'a>),
    /// On an end of a pipe.
    Pipe(HandleId, #[serde(borrow)] PipeCall<'a>),
    /// On a shared map.
    Map(HandleId, #[serde(borrow)] MapCall<'a>),
    /// On a lock.
    Lock(HandleId, LockCall),
    /// On a condition.
    Condition(HandleId, ConditionCall),
    /// On a semaphore.
    Semaphore(HandleId, SemaphoreCall),
    /// On an event.
    Event(HandleId, EventCall),
    /// On a barrier.
    Barrier(HandleId, BarrierCall),
    /// On a process.
    Process(HandleId, ProcessCall),
    /// On a pool.
    Pool(HandleId, #[serde(borrow)] PoolCall<'a>),
    /// On a future.
    Future(HandleId, FutureCall),
    /// On a mapping.
    Mapping(HandleId, #[serde(borrow)] MappingCall<'a>),
    /// Wait for the first of these: [`Reply::Places`].
    WaitAny {
        /// A handle and which side of it.
        on: Batch<(HandleId, Interest)>,
        /// How long to wait.
        timeout: Timeout,
    },
    /// Who the running task is: [`Reply::Identity`].
    Identity,
    /// Bytes of the program's standard input, at most so many; waits for the first: [`Reply::Input`].
    Input(u32),
}

impl Call<'_> {
    /// A long message that it brings becomes a part of `frame`, in which the call came, see [`Bytes::share`].
    pub fn share(&mut self, frame: &SharedBytes) {
        if let Self::Queue(_, QueueCall::Put { message, .. }) | Self::Pipe(_, PipeCall::Send { message, .. }) = self {
            message.share(frame);
        } else if let Self::Map(_, MapCall::Set { value, .. }) = self {
            value.share(frame);
        }
    }
}

impl Reply<'_> {
    /// A long message that it brings becomes a part of `frame`, in which the answer came, see [`Bytes::share`].
    pub fn share(&mut self, frame: &SharedBytes) {
        if let Self::Queue(QueueReply::Message(message)) | Self::Pipe(PipeReply::Message(message)) = self {
            message.share(frame);
        }
    }
}

/// The answer to a call that went well; which one, is said with the call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply<'a> {
    /// A new handle.
    Handle(HandleId),
    /// Both ends of a new pipe.
    Ends(HandleId, HandleId),
    /// A process's or a future's handle, and its task's number.
    Started(HandleId, TaskId),
    /// A queue's.
    Queue(#[serde(borrow)] QueueReply<'a>),
    /// A pipe's.
    Pipe(#[serde(borrow)] PipeReply<'a>),
    /// A map's.
    Map(#[serde(borrow)] MapReply<'a>),
    /// A lock's or a condition's.
    Lock(LockReply),
    /// A semaphore's.
    Semaphore(SemaphoreReply),
    /// An event's.
    Event(EventReply),
    /// A barrier's.
    Barrier(BarrierReply),
    /// A process's.
    Process(#[serde(borrow)] ProcessReply<'a>),
    /// A pool's, a future's or a mapping's.
    Pool(#[serde(borrow)] PoolReply<'a>),
    /// Places in the list that are ready, in rising order.
    Places(Vec<u32>),
    /// Who the task is.
    Identity(Identity),
    /// Bytes of standard input; none at its end.
    Input(#[serde(borrow)] Bytes<'a>),
}

/// Who a task is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Its number.
    pub id: TaskId,
    /// 1 for the first attempt.
    pub attempt: u32,
    /// Its name.
    pub name: String,
    /// Who started it, if a task did.
    pub parent: Option<TaskId>,
}

/// How much a line of the log matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Level {
    /// Step by step.
    Trace,
    /// For those who look for a fault.
    Debug,
    /// For those who want to know.
    Info,
    /// Something is not as it should be.
    Warn,
    /// Something failed.
    Error,
}

impl Level {
    /// One word for records and messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

/// What a guest tells; there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Tell<'a> {
    /// It has no more use for a handle.
    Drop(HandleId),
    /// Its task is over its time: the call that waits is to be answered now, with whatever it is. The worker reads on to that answer, so it
    /// has seen all that was sent before.
    Abandon(CallId),
    /// How far it is.
    Progress {
        /// So much is done.
        done: u64,
        /// Of so much.
        total: Option<u64>,
        /// For people.
        note: &'a str,
    },
    /// A line of the log.
    Log {
        /// How much it matters.
        level: Level,
        /// One line.
        text: &'a str,
    },
}

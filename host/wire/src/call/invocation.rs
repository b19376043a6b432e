//! A task's name with its arguments, on the way from the guest that starts it and on the way to the one that runs it.

use serde::{Deserialize, Serialize};

use super::{Batch, HandleId, TaskValue};

/// What a handle is of. The names are those of the resources in `wit/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum HandleKind {
    /// `queue.queue`
    Queue,
    /// `pipe.connection`
    Connection,
    /// `shared-map.shared-map`
    SharedMap,
    /// `sync.lock`
    Lock,
    /// `sync.semaphore`
    Semaphore,
    /// `sync.event`
    Event,
    /// `sync.condition`
    Condition,
    /// `sync.barrier`
    Barrier,
}

impl HandleKind {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Queue,
        Self::Connection,
        Self::SharedMap,
        Self::Lock,
        Self::Semaphore,
        Self::Event,
        Self::Condition,
        Self::Barrier,
    ];

    /// The resource's name in `wit/`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Queue => "queue",
            Self::Connection => "connection",
            Self::SharedMap => "shared-map",
            Self::Lock => "lock",
            Self::Semaphore => "semaphore",
            Self::Event => "event",
            Self::Condition => "condition",
            Self::Barrier => "barrier",
        }
    }

    /// How a parameter of this kind stands in a [`TypeDef::Handle`](crate::TypeDef::Handle): the handle becomes the task's own.
    #[must_use]
    pub fn own(self) -> String {
        format!("own<{}>", self.name())
    }

    /// Likewise for a parameter that the task has for the length of the call.
    #[must_use]
    pub fn borrow(self) -> String {
        format!("borrow<{}>", self.name())
    }
}

/// One argument as the caller pushed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Argument<'a> {
    /// A value.
    Value(#[serde(borrow)] TaskValue<'a>),
    /// One of the caller's handles.
    Handle(HandleId),
}

/// One argument as it is held against the type of its parameter, before its task starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckedArgument<'a> {
    /// A value.
    Value(&'a TaskValue<'a>),
    /// A handle of this kind.
    Handle(HandleKind),
}

/// A task to start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invocation<'a> {
    /// `export`, `interface#export`, or `module/export`.
    pub task: &'a str,
    /// One for each parameter, in order.
    #[serde(borrow)]
    pub arguments: Batch<Argument<'a>>,
}

/// One argument as the task's worker gets it. An input in [`Encoding::Arguments`](crate::Encoding::Arguments) is a
/// [`Batch`] of these.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum RunArgument<'a> {
    /// A value, to be read by the parameter's type.
    Value(#[serde(borrow)] TaskValue<'a>),
    /// A handle that is now this attempt's.
    Handle(HandleKind, HandleId),
}

/// Writes a task's arguments as one input in [`Encoding::Arguments`](crate::Encoding::Arguments).
#[must_use]
pub fn write_arguments(arguments: Vec<RunArgument<'_>>) -> Vec<u8> {
    // A vector grows as needed, and these types have no part that postcard can't write.
    postcard::to_stdvec(&Batch(arguments)).unwrap_or_default()
}

//! What a worker tells its supervisor. All of it is hostile: a guest with an engine's fault in hand is the worker.

use serde::{Deserialize, Serialize};

use crate::call::{Call, CallId, Tell};
use crate::ids::ChunkId;

/// One layer of the sandbox, as the worker found it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerReport {
    /// The layer's name.
    pub name: String,
    /// Whether it is in force.
    pub active: bool,
    /// Details, or why it is missing.
    pub detail: String,
}

/// The worker is confined and warm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ready {
    /// [`PROTOCOL_VERSION`](crate::PROTOCOL_VERSION) of the worker.
    pub version: u16,
    /// What confines it. The supervisor believes only what it can see from outside.
    pub layers: Vec<LayerReport>,
}

/// Where a guest printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stream {
    /// Its standard output.
    Stdout,
    /// Its standard error.
    Stderr,
}

impl Stream {
    /// One word for records and messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }
}

/// Why a worker could not get ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum BootFailure {
    /// A required layer of the sandbox could not be put in force.
    Sandbox,
    /// The component's instance could not be made: a trap in its start function, a limit.
    Guest,
    /// Anything else: a file that is not what it should be, another version.
    Boot,
}

/// Worker to supervisor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum FromWorker<'a> {
    /// First: tasks may come.
    Ready(Ready),
    /// Instead of ready, before the end.
    Failed {
        /// What class of failure.
        kind: BootFailure,
        /// For people.
        text: &'a str,
    },
    /// Outcomes of consecutive tasks of the oldest chunk that is not finished.
    Results {
        /// Which chunk.
        chunk: ChunkId,
        /// The first task's place in the chunk.
        first: u32,
        /// How many outcomes there are.
        count: u32,
        /// What they took together, in nanoseconds.
        nanoseconds: u64,
        /// The outcomes, as [`OutcomeWriter`](crate::outcome::OutcomeWriter) writes them.
        #[serde(borrow)]
        #[serde(serialize_with = "crate::codec::raw")]
        outcomes: &'a [u8],
    },
    /// A task printed; sent before its outcome.
    Printed {
        /// Which chunk.
        chunk: ChunkId,
        /// The task's place in the chunk.
        task: u32,
        /// Where.
        stream: Stream,
        /// What.
        #[serde(borrow)]
        #[serde(serialize_with = "crate::codec::raw")]
        bytes: &'a [u8],
    },
    /// The running task makes a call: the one after all whose outcomes came. The worker chose the number, and waits for its answer.
    Call(CallId, #[serde(borrow)] Call<'a>),
    /// The running task tells something.
    Tell(#[serde(borrow)] Tell<'a>),
    /// So many bytes of [`Results`](Self::Results), a frame with its header, lie in shared memory.
    LaidResults(u32),
    /// A call lies in shared memory, or a message for room that was lent, for a supervisor that did not look there.
    Laid,
}

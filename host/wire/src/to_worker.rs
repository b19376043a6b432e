//! What a supervisor tells a worker.

use serde::{Deserialize, Serialize};

use crate::call::{CallError, CallId, Loan, Reply};
use crate::ids::{ChunkId, TaskIndex, Turn};
use crate::limits::{Isolation, Limits};
use crate::types::Interface;

/// How inputs or results are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Encoding {
    /// One JSON text.
    Json,
    /// The bytes themselves, for a single `list<u8>` or `string`.
    Bytes,
    /// A batch of [`RunArgument`](crate::call::RunArgument)s in postcard, one for each parameter; of inputs only.
    Arguments,
    /// An input is a [`CommandInput`](crate::CommandInput) in postcard, for the export that runs a program; a result is empty, since what
    /// the command wrote comes before it, as [`FromWorker::Printed`](crate::FromWorker::Printed).
    Command,
}

/// A directory that the guest may use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirGrant {
    /// Where it is: an absolute path.
    pub host: std::path::PathBuf,
    /// What the guest calls it.
    pub guest: String,
    /// Whether the guest may change what is in it.
    pub writable: bool,
}

/// What the guest may see of the machine beside its inputs; nothing by default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grants {
    /// Environment variables of the guest.
    pub env: Vec<(String, String)>,
    /// Directories; each is also all that the operating system lets the worker reach.
    pub dirs: Vec<DirGrant>,
    /// The program's arguments, its name first; empty for a task that is no program.
    pub args: Vec<String>,
    /// Whether the guest may read the standard input of the command, with [`Call::Input`](crate::call::Call::Input).
    pub stdin: bool,
}

/// The first message: what this worker is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Boot {
    /// [`PROTOCOL_VERSION`](crate::PROTOCOL_VERSION) of the supervisor.
    pub version: u16,
    /// What the component exports, as its compile found it.
    pub interface: Interface,
    /// What the guest may use.
    pub limits: Limits,
    /// What the guest may see.
    pub grants: Grants,
    /// Fresh instances or one.
    pub isolation: Isolation,
    /// Whether to refuse to run when a required layer of the sandbox is missing.
    pub strict: bool,
    /// Whether to switch off speculation of the processor where the kernel leaves that to a process.
    pub restrict_speculation: bool,
    /// Whether what the guest prints is sent or dropped.
    pub send_printed: bool,
    /// The CPUs that this job may use.
    pub cpus: u32,
}

/// Tasks to run, one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run<'a> {
    /// Their number on the way back.
    pub chunk: ChunkId,
    /// Which export.
    pub task: TaskIndex,
    /// How the inputs are written.
    pub input: Encoding,
    /// How to write the results.
    pub output: Encoding,
    /// The run time of each task, in nanoseconds; `None`: no bound.
    pub timeout: Option<u64>,
    /// Whether to measure each task's run time.
    pub timed: bool,
    /// The first one's turn; those behind it follow.
    pub turn: Turn,
    /// How many are claimed at once, at least 1 (`taskcell_worker::page`).
    pub together: u32,
    /// Whether the first ones are claimed for the worker.
    pub claimed: bool,
    /// How many inputs there are.
    pub count: u32,
    /// The inputs, as [`ItemWriter`](crate::items::ItemWriter) writes them.
    #[serde(serialize_with = "crate::codec::raw")]
    pub items: &'a [u8],
}

/// Supervisor to worker. Cancelling and taking back are not here: a worker that runs a guest reads no messages, so these
/// requests stand in the page that both share (`taskcell_worker::page`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToWorker<'a> {
    /// First, once.
    Boot(Box<Boot>),
    /// Work.
    #[serde(borrow)]
    Run(Run<'a>),
    /// The answer to a call.
    Reply(CallId, #[serde(borrow)] Result<Reply<'a>, CallError>),
    /// End, after what was sent before.
    Shutdown,
    /// So many bytes of [`Run`](Self::Run), a frame with its header, lie in shared memory. Only for a worker that has nothing else, or makes no calls.
    LaidRun(u32),
    /// The answer to this call lies in shared memory, with so many bytes.
    Laid(CallId, u32),
    /// The answer to a call, and what is lent for the next ones. A loan for room takes the place of the last one for room, and one of messages of the
    /// last one of messages.
    Lend(CallId, #[serde(borrow)] Reply<'a>, Loan<'a>),
}

//! What can go wrong before a task runs, and how a task can end badly. The two never mix: an [`Error`] is the host's, a
//! [`TaskError`] is one task's.

use std::path::PathBuf;

use taskcell_broker::{Attempt, Cause};
use taskcell_sandbox::SpawnError;
use taskcell_wire::from_worker::BootFailure;
use taskcell_wire::{Limit, Outcome, Refusal, TrapKind};

/// A step of the host that failed. The text fits "failed to ...".
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The component's file can't be read.
    #[error("read {}: {source}", .path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// What the path names is not a regular file.
    #[error("read {}: it is {what}, not a file", .path.display())]
    NotAFile {
        /// Which path.
        path: PathBuf,
        /// `a directory`, `a pipe` ...
        what: &'static str,
    },
    /// A granted directory can't be opened.
    #[error("open the granted directory {}: {source}", .path.display())]
    Directory {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The component is too long.
    #[error("read {name}: it has {length} bytes, the most is {most}")]
    TooLong {
        /// Which component.
        name: String,
        /// Its length in bytes.
        length: u64,
        /// The cap in bytes.
        most: u64,
    },
    /// The component can't be run here.
    #[error("take {name}: {}", .refusal.text)]
    Refused {
        /// Which component.
        name: String,
        /// Why, and what to do.
        refusal: Refusal,
    },
    /// The compile child ended without an answer.
    #[error("compile {name}: {why}")]
    Compile {
        /// Which component.
        name: String,
        /// What happened.
        why: String,
    },
    /// The compile child was killed by somebody, or by the kernel for want of memory, or had no threads: not the component's doing.
    #[error("compile {name}: {why}")]
    CompilerLost {
        /// Which component.
        name: String,
        /// What happened.
        why: String,
    },
    /// The component needs what nobody provides.
    #[error("link {name}: nobody provides its import {import}")]
    MissingImport {
        /// Which component.
        name: String,
        /// The import, as the component names it.
        import: String,
    },
    /// No export has this name.
    #[error("find the task {task}: {name} exports no function of that name{}", offer(.nearest))]
    NoSuchTask {
        /// Which component.
        name: String,
        /// The name asked for.
        task: String,
        /// Exports with similar names, best first; all of them if none is similar and there are few.
        nearest: Vec<String>,
    },
    /// The export can't be called with values.
    #[error("run the task {task}: its {part} has type {ty}, which can't be given as a value")]
    NotRunnable {
        /// Which export.
        task: String,
        /// `parameter x` or `result`.
        part: String,
        /// The type, in WIT.
        ty: String,
    },
    /// A component that was to be run as a program is none.
    #[error("run {name}: it is no program, it does not export wasi:cli/run; its functions can be run with map and call")]
    NotAProgram {
        /// The component's name.
        name: String,
    },
    /// A module can't have this name.
    #[error("name a module {name:?}: {why}")]
    ModuleName {
        /// The name.
        name: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// An input does not fit the task's parameters.
    #[error("use the input of {task}: {why}")]
    Input {
        /// Which task.
        task: String,
        /// Where in the value, what was expected, what was found.
        why: String,
    },
    /// A worker process could not be started.
    #[error("{0}")]
    Spawn(#[from] SpawnError),
    /// A system call of the dispatcher's failed.
    #[error("set up the pool: {0}")]
    System(std::io::Error),
    /// A thread of the pool's could not be started.
    #[error("start a thread of the pool: {0}")]
    Thread(std::io::Error),
    /// The control group of the workers can't be had.
    #[error("{what}: {error}; {advice}")]
    Cgroup {
        /// What was tried, and where.
        what: String,
        /// What the system said.
        error: std::io::Error,
        /// What to do about it.
        advice: String,
    },
    /// A worker could not get ready.
    #[error("run tasks: {text}")]
    Boot {
        /// What class of failure.
        kind: BootFailure,
        /// What failed.
        text: String,
    },
    /// A message of ours is too long; an interface with thousands of types could do that.
    #[error("{0}")]
    Wire(#[from] taskcell_wire::WireError),
    /// The pool stopped.
    #[error("run tasks: {0}")]
    Stopped(String),
}

fn offer(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [one] => format!("; did you mean {one}?"),
        many => format!("; it has {}", many.join(", ")),
    }
}

impl From<rustix::io::Errno> for Error {
    fn from(errno: rustix::io::Errno) -> Self {
        Self::System(errno.into())
    }
}

/// How a task ended badly. Its texts may hold what a guest wrote; print them with care.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TaskError {
    /// The task returned the error case of its `result`.
    #[error("the task returned an error: {json}")]
    Failed {
        /// The payload as JSON.
        json: String,
    },
    /// It ended with an exit code other than 0.
    #[error("the program ended with exit code {code}")]
    Exited {
        /// The code.
        code: i32,
    },
    /// The guest trapped.
    #[error("the guest trapped: {text}")]
    Trapped {
        /// What class of trap.
        kind: TrapKind,
        /// The engine's words and a short backtrace.
        text: String,
    },
    /// It ran longer than allowed.
    #[error("the task ran over its time")]
    TimedOut,
    /// It ran into a limit.
    #[error("the task ran into its {} limit: {text}", .limit.name())]
    OverLimit {
        /// Which limit.
        limit: Limit,
        /// What it wanted, and what the limit is.
        text: String,
    },
    /// It was cancelled.
    #[error("the task was cancelled")]
    Cancelled,
    /// It waited for its first attempt for longer than it may.
    #[error("the task waited for a worker for longer than its queue timeout")]
    Expired,
    /// Its input does not fit its parameters.
    #[error("the input does not fit: {text}")]
    Invalid {
        /// Where, what was expected, what was found.
        text: String,
    },
    /// Its worker process ended under it, in its last attempt.
    #[error("the worker process ended under the task: {text}")]
    Lost {
        /// How the process ended.
        text: String,
    },
    /// The pool stopped before it ended.
    #[error("the pool stopped: {text}")]
    Stopped {
        /// Why.
        text: String,
    },
    /// The result is not of the type that the caller asked for.
    #[error("the result is not of the type asked for: {text}")]
    Decode {
        /// What differs.
        text: String,
    },
}

impl TaskError {
    /// One word for records and exit codes.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Failed { .. } => "failed",
            Self::Exited { .. } => "exited",
            Self::Trapped { .. } => "trapped",
            Self::TimedOut => "timed-out",
            Self::OverLimit { .. } => "over-limit",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
            Self::Invalid { .. } => "invalid",
            Self::Lost { .. } => "lost",
            Self::Stopped { .. } => "stopped",
            Self::Decode { .. } => "decode",
        }
    }

    /// The exit code of a program that ended by itself, which is not 0.
    #[must_use]
    pub fn exit_code(&self) -> Option<i32> {
        match self {
            Self::Exited { code } => Some(*code),
            Self::Failed { .. }
            | Self::Trapped { .. }
            | Self::TimedOut
            | Self::OverLimit { .. }
            | Self::Cancelled
            | Self::Expired
            | Self::Invalid { .. }
            | Self::Lost { .. }
            | Self::Stopped { .. }
            | Self::Decode { .. } => None,
        }
    }

    /// The error in a worker's outcome; `Ok` with the result's bytes if there is none.
    #[inline]
    pub(crate) fn of<'a>(outcome: &Outcome<'a>) -> Result<&'a [u8], Self> {
        Err(match *outcome {
            Outcome::Ok(bytes) => return Ok(bytes),
            Outcome::Failed(json) => Self::Failed { json: String::from_utf8_lossy(json).into_owned() },
            Outcome::Exited(code) => Self::Exited { code },
            Outcome::Trapped { kind, text } => Self::Trapped { kind, text: text.to_owned() },
            Outcome::TimedOut => Self::TimedOut,
            Outcome::OverLimit { limit, text } => Self::OverLimit { limit, text: text.to_owned() },
            Outcome::Cancelled => Self::Cancelled,
            Outcome::Invalid { text } => Self::Invalid { text: text.to_owned() },
        })
    }

    /// The error of a task that never told its own outcome.
    pub(crate) fn lost(history: &[Attempt]) -> Self {
        match history.last().map(|attempt| &attempt.cause) {
            Some(Cause::Timeout) => Self::TimedOut,
            Some(Cause::Death(text)) => Self::Lost { text: text.clone() },
            Some(Cause::Trap | Cause::Error) | None => Self::Lost { text: "no attempt told its outcome".into() },
        }
    }
}

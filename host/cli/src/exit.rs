//! Exit codes, and the only place that chooses them.

use std::process::ExitCode;

use taskcell::{BootFailure, Error, RefusalKind};

use crate::error::CliError;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// All went well.
    Ok,
    /// A task failed, or results could not be written.
    TaskFailed,
    /// The command line or an input was wrong.
    Usage,
    /// The component can't be run here.
    Refused,
    /// A required layer of the sandbox is missing.
    Sandbox,
    /// Stopped by SIGINT.
    Interrupted,
    /// Stopped by SIGTERM.
    Terminated,
    /// Stopped by SIGHUP: its terminal is gone.
    HungUp,
    /// The reader of our output is gone.
    ReaderGone,
    /// What a program ended with.
    Program(u8),
}

impl Exit {
    /// The number that a shell sees.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::TaskFailed => 1,
            Self::Usage => 2,
            Self::Refused => 3,
            Self::Sandbox => 4,
            Self::Interrupted => 130,
            Self::Terminated => 143,
            Self::HungUp => 129,
            // As a shell reports a program that SIGPIPE ended.
            Self::ReaderGone => 141,
            Self::Program(code) => code,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

impl CliError {
    /// What the error means to a shell.
    #[must_use]
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Usage(_) | Self::Input { .. } | Self::Call(_) | Self::Audit { .. } => Exit::Usage,
            Self::Output(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Exit::ReaderGone,
            Self::Output(_) | Self::Thread(_) | Self::Signals(_) => Exit::TaskFailed,
            Self::Host(error) => match error {
                Error::Refused { refusal, .. } => match refusal.kind {
                    RefusalKind::Sandbox => Exit::Sandbox,
                    RefusalKind::NotWasm
                    | RefusalKind::Precompiled
                    | RefusalKind::Malformed
                    | RefusalKind::NotComponent
                    | RefusalKind::Unsupported => Exit::Refused,
                },
                Error::Boot { kind, .. } => match kind {
                    BootFailure::Sandbox => Exit::Sandbox,
                    BootFailure::Guest => Exit::Refused,
                    BootFailure::Boot => Exit::TaskFailed,
                },
                Error::Compile { .. } | Error::MissingImport { .. } | Error::TooLong { .. } => Exit::Refused,
                Error::Read { .. }
                | Error::Directory { .. }
                | Error::NotAFile { .. }
                | Error::NoSuchTask { .. }
                | Error::NotRunnable { .. }
                | Error::NotAProgram { .. }
                | Error::ModuleName { .. }
                | Error::Cgroup { .. }
                | Error::Input { .. } => Exit::Usage,
                Error::Spawn(_)
                | Error::System(_)
                | Error::Thread(_)
                | Error::CompilerLost { .. }
                | Error::Wire(_)
                | Error::Stopped(_) => Exit::TaskFailed,
            },
        }
    }
}

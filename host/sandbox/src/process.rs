//! A child process and how it ended.
//!
//! A child is held by descriptor, never by number alone, so a signal can't hit a stranger that got the number later.
//! Dropping a [`Child`] kills and reaps it: no path through the supervisor, an error or a panic included, leaves one.

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::process::{Signal, WaitId, WaitIdOptions, WaitIdStatus, pidfd_send_signal, waitid};

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Termination {
    /// By itself, with this exit code.
    Exited(i32),
    /// By a signal.
    Signalled {
        /// Which one.
        signal: i32,
        /// Whether the kernel wrote a core file.
        core: bool,
    },
}

impl Termination {
    /// Whether the process made a system call that its filter kills for.
    #[must_use]
    pub const fn is_sandbox_violation(self) -> bool {
        match self {
            Self::Signalled { signal, .. } => signal == libc::SIGSYS,
            Self::Exited(_) => false,
        }
    }

    /// Whether it was killed outright: by us, by an administrator, or by the kernel for want of memory.
    #[must_use]
    pub const fn is_kill(self) -> bool {
        match self {
            Self::Signalled { signal, .. } => signal == libc::SIGKILL,
            Self::Exited(_) => false,
        }
    }

    /// Whether the cap on processor time ended it.
    #[must_use]
    pub const fn is_out_of_cpu_time(self) -> bool {
        match self {
            Self::Signalled { signal, .. } => signal == libc::SIGXCPU,
            Self::Exited(_) => false,
        }
    }
}

/// What went wrong with a child that exists. Each text fits "failed to ...".
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// It could not be killed.
    #[error("kill process {pid}: {error}")]
    Kill {
        /// Which one.
        pid: u32,
        /// What the system said.
        error: io::Error,
    },
    /// It could not be waited for. "No child processes" means that somebody else reaped it: a program that embeds us must
    /// neither ignore SIGCHLD nor wait for any child.
    #[error("wait for process {pid}: {error}")]
    Wait {
        /// Which one.
        pid: u32,
        /// What the system said.
        error: io::Error,
    },
    /// The kernel reported neither an exit nor a signal.
    #[error("learn how process {0} ended")]
    NoCause(u32),
}

/// A child process. Dropping it kills and reaps it.
#[derive(Debug)]
pub struct Child {
    pid: u32,
    pidfd: OwnedFd,
    ended: Option<Termination>,
}

impl Child {
    pub(crate) const fn new(pid: u32, pidfd: OwnedFd) -> Self {
        Self { pid, pidfd, ended: None }
    }

    /// Its process id. It stays the child's until [`Child::wait`] or [`Child::try_wait`] returned its end.
    #[must_use]
    pub const fn pid(&self) -> u32 {
        self.pid
    }

    /// A descriptor for the process, which becomes readable when it ends.
    #[must_use]
    pub fn pidfd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }

    /// Kills it with SIGKILL. Killing one that has ended is not an error.
    ///
    /// # Errors
    ///
    /// [`ProcessError::Kill`].
    pub fn kill(&self) -> Result<(), ProcessError> {
        match pidfd_send_signal(&self.pidfd, Signal::KILL) {
            Ok(()) | Err(Errno::SRCH) => Ok(()),
            Err(errno) => Err(ProcessError::Kill { pid: self.pid, error: errno.into() }),
        }
    }

    /// How it ended, or `None` while it runs. Does not block; reaps it.
    ///
    /// # Errors
    ///
    /// [`ProcessError::Wait`] or [`ProcessError::NoCause`].
    pub fn try_wait(&mut self) -> Result<Option<Termination>, ProcessError> {
        self.wait_with(WaitIdOptions::EXITED | WaitIdOptions::NOHANG)
    }

    /// Blocks until it has ended, and reaps it. Answers the same again when asked again.
    ///
    /// # Errors
    ///
    /// [`ProcessError::Wait`] or [`ProcessError::NoCause`].
    pub fn wait(&mut self) -> Result<Termination, ProcessError> {
        self.wait_with(WaitIdOptions::EXITED)?.ok_or(ProcessError::NoCause(self.pid))
    }

    fn wait_with(&mut self, options: WaitIdOptions) -> Result<Option<Termination>, ProcessError> {
        if self.ended.is_none() {
            let status = rustix::io::retry_on_intr(|| waitid(WaitId::PidFd(self.pidfd.as_fd()), options))
                .map_err(|errno| ProcessError::Wait { pid: self.pid, error: errno.into() })?;
            let Some(status) = status else { return Ok(None) };
            self.ended = Some(termination(&status).ok_or(ProcessError::NoCause(self.pid))?);
        }
        Ok(self.ended)
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // Nobody is left to be told of a failure. Either it has ended, or the kernel takes it down within microseconds.
        if self.ended.is_none() && self.kill().is_ok() {
            let _ = self.wait();
        }
    }
}

fn termination(status: &WaitIdStatus) -> Option<Termination> {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => Some(Termination::Exited(code)),
        (None, Some(signal)) => Some(Termination::Signalled { signal, core: status.dumped() }),
        (None, None) => None,
    }
}

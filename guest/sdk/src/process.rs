//! Tasks as processes: each runs in a worker process of its own and has a name, a state and an end.
//!
//! ```no_run
//! # fn main() -> taskcell_guest::Result {
//! use taskcell_guest::Process;
//!
//! let process = Process::spawn("compute-fibonacci", (30,))?;
//! println!("{}", process.join::<u64>()?);
//! # Ok(())
//! # }
//! ```

use std::time::Duration;

use crate::argument::{Arguments, Invocation};
use crate::bindings::nanoseconds;
use crate::bindings::taskcell::host::process as raw;
use crate::error::{Error, Result, TaskError, result_of};
use crate::task::State;
use crate::value::FromValue;
use crate::waiting::Waitable;

/// How often [`Process::started`] looks.
const LOOK: Duration = Duration::from_millis(1);

/// A handle of a process that this task started. Dropping it does not end the process; a process ends with the task that started it,
/// unless it is [`detached`](Builder::detached).
#[derive(Debug)]
pub struct Process {
    raw: raw::Process,
}

/// How a process is to be run. What is not said is as for the caller; no limit can be wider than the caller's own.
#[derive(Debug, Clone)]
pub struct Builder {
    task: String,
    options: raw::Options,
}

impl Builder {
    /// A name for people; else the task's name.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.options.name = Some(name.into());
        self
    }

    /// How long it may run. The time that it waits in calls counts.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.options.timeout = Some(nanoseconds(timeout));
        self
    }

    /// How many bytes of memory it may have.
    #[must_use]
    pub fn memory(mut self, bytes: u64) -> Self {
        self.options.memory_bytes = Some(bytes);
        self
    }

    /// It lives on when its parent ends. It never outlives the host.
    #[must_use]
    pub fn detached(mut self) -> Self {
        self.options.detached = true;
        self
    }

    /// Starts the process with these arguments; see [`Process::spawn`].
    ///
    /// # Errors
    /// As there.
    pub fn spawn(self, arguments: impl Arguments) -> Result<Process> {
        let invocation = Invocation::with(&self.task, arguments)?;
        Ok(Process { raw: raw::Process::spawn(invocation, &self.options)? })
    }
}

impl Process {
    /// Starts a task in a process of its own, with a tuple of arguments. Does not wait until it runs.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a task or module that is not there; [`Error::Invalid`] if the arguments don't fit the parameters;
    /// [`Error::Quota`] if there are too many processes; [`Error::Conversion`]. Ends of pipes among the arguments are closed then.
    pub fn spawn(task: &str, arguments: impl Arguments) -> Result<Self> {
        Self::builder(task).spawn(arguments)
    }

    /// Options for a process that runs this task.
    pub fn builder(task: impl Into<String>) -> Builder {
        let options = raw::Options { name: None, timeout: None, memory_bytes: None, detached: false };
        Builder { task: task.into(), options }
    }

    /// The host's number for it, never used again.
    pub fn id(&self) -> u64 {
        self.raw.id()
    }

    /// The operating system's number for its worker; `None` before it runs and after it ended.
    pub fn pid(&self) -> Option<u32> {
        self.raw.pid()
    }

    /// Waits until it runs, and gives its [`pid`](Process::pid); `None` if it ended so soon that nobody saw it run.
    ///
    /// # Errors
    /// As [`Process::join`], but a process that failed is no error here.
    pub fn started(&self) -> Result<Option<u32>> {
        loop {
            if let Some(pid) = self.pid() {
                return Ok(Some(pid));
            }
            match self.raw.join(Some(nanoseconds(LOOK))).map_err(Error::from) {
                Ok(_) => return Ok(None),
                Err(Error::TimedOut) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Its name.
    pub fn name(&self) -> String {
        self.raw.name()
    }

    /// What it is doing now.
    pub fn state(&self) -> State {
        self.raw.state().into()
    }

    /// Whether it has not ended.
    pub fn is_alive(&self) -> bool {
        self.state() != State::Ended
    }

    /// Waits until it has ended, and gives its result, which is read as a `T`. Any number of times.
    ///
    /// # Errors
    /// How it ended if it did not return a result, and [`TaskError::Call`] with [`Error::Cancelled`], [`Error::Deadlock`] or
    /// [`Error::Conversion`].
    pub fn join<T: FromValue>(&self) -> Result<T, TaskError> {
        result_of(self.raw.join(None)?)
    }

    /// The same, for so long.
    ///
    /// # Errors
    /// As [`Process::join`]; [`Error::TimedOut`] in [`TaskError::Call`], while [`TaskError::TimedOut`] is the process's own end.
    pub fn join_timeout<T: FromValue>(&self, timeout: Duration) -> Result<T, TaskError> {
        result_of(self.raw.join(Some(nanoseconds(timeout)))?)
    }

    /// Asks it to stop. If it has not ended after `grace`, it is killed. Does not wait for that.
    pub fn terminate(&self, grace: Duration) {
        self.raw.terminate(nanoseconds(grace));
    }

    /// Kills it. What it held is given on, and what it wrote stays. Does not wait.
    pub fn kill(&self) {
        self.raw.kill();
    }

    /// Ready when it has ended.
    pub fn ended(&self) -> Waitable {
        self.raw.ended().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_those_that_were_given() {
        let builder = Process::builder("work").name("w").timeout(Duration::from_secs(1)).memory(1 << 20).detached();
        assert_eq!(builder.task, "work");
        assert_eq!(builder.options.name.as_deref(), Some("w"));
        assert_eq!(builder.options.timeout, Some(1_000_000_000));
        assert_eq!(builder.options.memory_bytes, Some(1 << 20));
        assert!(builder.options.detached && !Process::builder("work").options.detached);
    }
}

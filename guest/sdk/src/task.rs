//! What a running task may know of itself, and tell. Nothing here waits, and nothing fails.

use std::fmt;

use crate::bindings::taskcell::host::task as raw;
use crate::bindings::taskcell::host::types;

/// Who a task is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The host's number for the task, the same in all its attempts.
    pub id: u64,
    /// Which attempt this is: 1 for the first.
    pub attempt: u32,
    /// The task's name, as it was spawned, or the export's.
    pub name: String,
    /// The task that started this one; `None` if the command line or an embedding program did.
    pub parent: Option<u64>,
}

/// How much a line of the log matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
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

/// What a task is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum State {
    /// It waits for a worker, or for a CPU.
    Ready,
    /// It runs.
    Running,
    /// It waits in a call; on what, for people.
    Waiting(String),
    /// It ended; its outcome says how.
    Ended,
}

/// Who this task is.
pub fn current() -> Identity {
    let raw::Identity { id, attempt, name, parent } = raw::self_();
    Identity { id, attempt, name, parent }
}

/// Whether somebody asked this task to stop. It may then end as it likes; after its grace it is killed. A loop may ask often.
pub fn is_cancelled() -> bool {
    raw::cancelled()
}

/// Tells how far this task is: `done` of `total`, with a note for people. Only the latest is kept.
pub fn progress(done: u64, total: Option<u64>, note: &str) {
    raw::progress(done, total, note);
}

/// Writes a line to the log of this job. [`info!`](crate::info) and the like are shorter.
pub fn log(level: Level, message: &str) {
    raw::log(level.into(), message);
}

/// How many CPUs this job may use, at least 1.
pub fn cpu_count() -> u32 {
    raw::cpu_count()
}

impl fmt::Display for State {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready => formatter.write_str("ready"),
            Self::Running => formatter.write_str("running"),
            Self::Waiting(on) => write!(formatter, "waiting ({on})"),
            Self::Ended => formatter.write_str("ended"),
        }
    }
}

impl From<types::State> for State {
    fn from(state: types::State) -> Self {
        match state {
            types::State::Ready => Self::Ready,
            types::State::Running => Self::Running,
            types::State::Waiting(on) => Self::Waiting(on),
            types::State::Ended => Self::Ended,
        }
    }
}

impl From<Level> for raw::Level {
    fn from(level: Level) -> Self {
        match level {
            Level::Trace => Self::Trace,
            Level::Debug => Self::Debug,
            Level::Info => Self::Info,
            Level::Warn => Self::Warn,
            Level::Error => Self::Error,
        }
    }
}

/// Writes a line to the log of this job, at a [`Level`], with the arguments of [`format!`].
///
/// ```no_run
/// # let name = "a";
/// taskcell_guest::log!(taskcell_guest::task::Level::Info, "{name} is done");
/// taskcell_guest::info!("{name} is done");
/// ```
#[macro_export]
macro_rules! log {
    ($level:expr, $($message:tt)+) => {
        $crate::task::log($level, &::std::format!($($message)+))
    };
}

/// Writes a line to the log, step by step.
#[macro_export]
macro_rules! trace {
    ($($message:tt)+) => { $crate::log!($crate::task::Level::Trace, $($message)+) };
}

/// Writes a line to the log, for those who look for a fault.
#[macro_export]
macro_rules! debug {
    ($($message:tt)+) => { $crate::log!($crate::task::Level::Debug, $($message)+) };
}

/// Writes a line to the log, for those who want to know.
#[macro_export]
macro_rules! info {
    ($($message:tt)+) => { $crate::log!($crate::task::Level::Info, $($message)+) };
}

/// Writes a line to the log: something is not as it should be.
#[macro_export]
macro_rules! warn {
    ($($message:tt)+) => { $crate::log!($crate::task::Level::Warn, $($message)+) };
}

/// Writes a line to the log: something failed.
#[macro_export]
macro_rules! error {
    ($($message:tt)+) => { $crate::log!($crate::task::Level::Error, $($message)+) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_shown_in_words() {
        assert_eq!(State::from(types::State::Ready).to_string(), "ready");
        assert_eq!(State::from(types::State::Waiting("queue 3: get".to_owned())).to_string(), "waiting (queue 3: get)");
    }

    #[test]
    fn levels_rise() {
        let levels = [Level::Trace, Level::Debug, Level::Info, Level::Warn, Level::Error];
        assert!(levels.is_sorted());
        assert!(levels.map(raw::Level::from).is_sorted());
    }
}

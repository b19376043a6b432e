//! Waiting for the first of several things.

use std::time::Duration;

use crate::bindings::nanoseconds;
use crate::bindings::taskcell::host::waiting as raw;
use crate::error::Result;

/// Something that will be ready, or is: a queue that has a message, a process that has ended. It belongs to the task that made it. Once
/// what it stands for is closed it is always ready.
#[derive(Debug)]
pub struct Waitable {
    raw: raw::Waitable,
}

impl Waitable {
    /// Whether it is ready now.
    pub fn is_ready(&self) -> bool {
        self.raw.ready()
    }
}

impl From<raw::Waitable> for Waitable {
    fn from(raw: raw::Waitable) -> Self {
        Self { raw }
    }
}

/// Waits until at least one of these is ready, and gives the places of all that are, in rising order.
///
/// Nothing is taken: what is ready can be gone when this task comes to it, so follow with a call that does not wait.
///
/// ```no_run
/// # fn main() -> taskcell_guest::Result {
/// # use taskcell_guest::{Process, Queue, wait_any};
/// # let (queue, process) = (Queue::<String>::new()?, Process::spawn("work", ())?);
/// let on = [queue.get_ready(), process.ended()];
/// loop {
///     let ready = wait_any(&on)?;
///     while let Some(message) = queue.try_get()? {
///         println!("{message}");
///     }
///     if ready.contains(&1) {
///         break;
///     }
/// }
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`Error::Invalid`](crate::Error::Invalid) for nothing to wait on, [`Error::Quota`](crate::Error::Quota) for more than 1024 things,
/// [`Error::Cancelled`](crate::Error::Cancelled), [`Error::Deadlock`](crate::Error::Deadlock).
pub fn wait_any<'a>(on: impl IntoIterator<Item = &'a Waitable>) -> Result<Vec<usize>> {
    wait(on, None)
}

/// The same, for so long.
///
/// # Errors
/// As [`wait_any`], and [`Error::TimedOut`](crate::Error::TimedOut).
pub fn wait_any_timeout<'a>(on: impl IntoIterator<Item = &'a Waitable>, timeout: Duration) -> Result<Vec<usize>> {
    wait(on, Some(nanoseconds(timeout)))
}

fn wait<'a>(on: impl IntoIterator<Item = &'a Waitable>, timeout: Option<u64>) -> Result<Vec<usize>> {
    let on: Vec<&raw::Waitable> = on.into_iter().map(|waitable| &waitable.raw).collect();
    let ready = raw::wait_any(&on, timeout)?;
    Ok(ready.into_iter().filter_map(|place| usize::try_from(place).ok()).collect())
}

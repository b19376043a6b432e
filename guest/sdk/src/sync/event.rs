//! Flags to wait for.

use std::time::Duration;

use crate::bindings::nanoseconds;
use crate::bindings::taskcell::host::sync as raw;
use crate::error::Result;
use crate::waiting::Waitable;

/// A flag to wait for.
#[derive(Debug)]
pub struct Event {
    raw: raw::Event,
}

impl Event {
    /// Makes an event that is not set.
    ///
    /// # Errors
    /// [`Error::Quota`](crate::Error::Quota) if this task has too many handles.
    pub fn new() -> Result<Self> {
        Ok(raw::Event::create(None)?.into())
    }

    /// Makes an event with a name for people.
    ///
    /// # Errors
    /// As [`Event::new`].
    pub fn named(name: &str) -> Result<Self> {
        Ok(raw::Event::create(Some(name))?.into())
    }

    /// Sets the flag: all who wait go on, even if it is cleared right after.
    pub fn set(&self) {
        self.raw.set();
    }

    /// Unsets the flag.
    pub fn clear(&self) {
        self.raw.clear();
    }

    /// Whether the flag is set.
    pub fn is_set(&self) -> bool {
        self.raw.is_set()
    }

    /// Waits until the flag is set.
    ///
    /// # Errors
    /// [`Error::Cancelled`](crate::Error::Cancelled), [`Error::Deadlock`](crate::Error::Deadlock),
    /// [`Error::Quota`](crate::Error::Quota) if too many calls wait.
    pub fn wait(&self) -> Result {
        Ok(self.raw.wait(None)?)
    }

    /// Waits until the flag is set, for so long.
    ///
    /// # Errors
    /// As [`Event::wait`], and [`Error::TimedOut`](crate::Error::TimedOut).
    pub fn wait_timeout(&self, timeout: Duration) -> Result {
        Ok(self.raw.wait(Some(nanoseconds(timeout)))?)
    }

    /// Ready while the flag is set.
    pub fn ready(&self) -> Waitable {
        self.raw.ready().into()
    }

    pub(crate) fn raw(&self) -> &raw::Event {
        &self.raw
    }
}

impl From<raw::Event> for Event {
    fn from(raw: raw::Event) -> Self {
        Self { raw }
    }
}

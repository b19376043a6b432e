//! Places where nobody goes on until all have arrived.

use std::time::Duration;

use crate::bindings::nanoseconds;
use crate::bindings::taskcell::host::sync as raw;
use crate::error::Result;

/// A place where nobody goes on until all have arrived. It can be used again and again.
#[derive(Debug)]
pub struct Barrier {
    raw: raw::Barrier,
}

impl Barrier {
    /// Makes a barrier for so many parties.
    ///
    /// # Errors
    /// [`Error::Invalid`](crate::Error::Invalid) for 0 parties, [`Error::Quota`](crate::Error::Quota) for more than 4096, or if this
    /// task has too many handles.
    pub fn new(parties: u32) -> Result<Self> {
        Ok(raw::Barrier::create(parties, None)?.into())
    }

    /// Makes a barrier with a name for people.
    ///
    /// # Errors
    /// As [`Barrier::new`].
    pub fn named(parties: u32, name: &str) -> Result<Self> {
        Ok(raw::Barrier::create(parties, Some(name))?.into())
    }

    /// Arrives, and waits until all have; gives this one's number in the order of arrival, from 0.
    ///
    /// # Errors
    /// [`Error::Broken`](crate::Error::Broken) if another party ended, was cancelled or gave up, until the barrier is
    /// [reset](Barrier::reset); [`Error::Cancelled`](crate::Error::Cancelled) and [`Error::Deadlock`](crate::Error::Deadlock), which
    /// break it for the others.
    pub fn wait(&self) -> Result<u32> {
        Ok(self.raw.wait(None)?)
    }

    /// The same, for so long; giving up breaks the barrier. With [`Duration::ZERO`] it arrives only if it is the last one, and breaks
    /// nothing.
    ///
    /// # Errors
    /// As [`Barrier::wait`], and [`Error::TimedOut`](crate::Error::TimedOut).
    pub fn wait_timeout(&self, timeout: Duration) -> Result<u32> {
        Ok(self.raw.wait(Some(nanoseconds(timeout)))?)
    }

    /// Makes the barrier whole and empty again; those who wait fail with [`Error::Broken`](crate::Error::Broken). To be called when no
    /// party of the broken round is still to come.
    pub fn reset(&self) {
        self.raw.reset();
    }

    pub(crate) fn raw(&self) -> &raw::Barrier {
        &self.raw
    }
}

impl From<raw::Barrier> for Barrier {
    fn from(raw: raw::Barrier) -> Self {
        Self { raw }
    }
}

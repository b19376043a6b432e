//! Numbers of permits.

use std::time::Duration;

use crate::bindings::taskcell::host::sync as raw;
use crate::bindings::{AT_ONCE, nanoseconds};
use crate::error::{Result, tried};

/// A number of permits.
///
/// Permits of an owned one ([`Semaphore::new`]) are lent, and those of a task that ends come back. A counting one
/// ([`Semaphore::counting`]) is a counter: anybody may release permits that nobody acquired, and the end of a task changes nothing.
#[derive(Debug)]
pub struct Semaphore {
    raw: raw::Semaphore,
}

/// Permits that this task holds. Dropping this releases them.
#[derive(Debug)]
#[must_use = "permits are released at once if they are not kept"]
pub struct Permits<'a> {
    semaphore: &'a raw::Semaphore,
    number: u32,
}

impl Semaphore {
    /// Makes a semaphore that lends so many permits.
    ///
    /// # Errors
    /// [`Error::Quota`](crate::Error::Quota) if this task has too many handles.
    pub fn new(permits: u32) -> Result<Self> {
        Ok(raw::Semaphore::create(permits, raw::SemaphoreKind::Owned, None)?.into())
    }

    /// Makes a semaphore that counts, from so many.
    ///
    /// # Errors
    /// As [`Semaphore::new`].
    pub fn counting(permits: u32) -> Result<Self> {
        Ok(raw::Semaphore::create(permits, raw::SemaphoreKind::Counting, None)?.into())
    }

    /// Makes a semaphore that lends so many permits, with a name for people.
    ///
    /// # Errors
    /// As [`Semaphore::new`].
    pub fn named(permits: u32, name: &str) -> Result<Self> {
        Ok(raw::Semaphore::create(permits, raw::SemaphoreKind::Owned, Some(name))?.into())
    }

    /// Makes a semaphore that counts, with a name for people.
    ///
    /// # Errors
    /// As [`Semaphore::new`].
    pub fn counting_named(permits: u32, name: &str) -> Result<Self> {
        Ok(raw::Semaphore::create(permits, raw::SemaphoreKind::Counting, Some(name))?.into())
    }

    /// Takes a permit. Waits while there is none.
    ///
    /// # Errors
    /// [`Error::Cancelled`](crate::Error::Cancelled), [`Error::Deadlock`](crate::Error::Deadlock),
    /// [`Error::Quota`](crate::Error::Quota) if too many calls wait.
    pub fn acquire(&self) -> Result<Permits<'_>> {
        self.acquire_many(1)
    }

    /// Takes so many permits at once. Waits until they are there, and is not overtaken by calls that want fewer.
    ///
    /// # Errors
    /// As [`Semaphore::acquire`], and [`Error::Invalid`](crate::Error::Invalid) for 0, or more than an owned semaphore has in all.
    pub fn acquire_many(&self, number: u32) -> Result<Permits<'_>> {
        self.raw.acquire(number, None)?;
        Ok(Permits { semaphore: &self.raw, number })
    }

    /// Takes a permit if there is one.
    ///
    /// # Errors
    /// As [`Semaphore::acquire`].
    pub fn try_acquire(&self) -> Result<Option<Permits<'_>>> {
        Ok(tried(self.raw.acquire(1, AT_ONCE))?.map(|()| Permits { semaphore: &self.raw, number: 1 }))
    }

    /// Takes a permit. Waits while there is none, for so long.
    ///
    /// # Errors
    /// As [`Semaphore::acquire`], and [`Error::TimedOut`](crate::Error::TimedOut).
    pub fn acquire_timeout(&self, timeout: Duration) -> Result<Permits<'_>> {
        self.raw.acquire(1, Some(nanoseconds(timeout)))?;
        Ok(Permits { semaphore: &self.raw, number: 1 })
    }

    /// Releases so many permits of a counting semaphore, or such as were [forgotten](Permits::forget).
    ///
    /// # Errors
    /// [`Error::Invalid`](crate::Error::Invalid) for 0, or more than this task holds of an owned semaphore;
    /// [`Error::Quota`](crate::Error::Quota) if there would be more than a `u32` tells.
    pub fn release(&self, number: u32) -> Result {
        Ok(self.raw.release(number)?)
    }

    /// How many permits could be taken now. By the time that the caller looks at the number it may be another.
    pub fn available(&self) -> u32 {
        self.raw.available()
    }

    pub(crate) fn raw(&self) -> &raw::Semaphore {
        &self.raw
    }
}

impl Permits<'_> {
    /// How many they are.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// Does not release them: for a counting semaphore, whose permits are used up.
    pub fn forget(self) {
        std::mem::forget(self);
    }
}

impl Drop for Permits<'_> {
    fn drop(&mut self) {
        // It fails only if they were released already, by hand.
        drop(self.semaphore.release(self.number));
    }
}

impl From<raw::Semaphore> for Semaphore {
    fn from(raw: raw::Semaphore) -> Self {
        Self { raw }
    }
}

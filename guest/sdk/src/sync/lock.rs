//! Locks that one task holds at a time.

use std::ops::Deref;
use std::time::Duration;

use crate::bindings::taskcell::host::sync as raw;
use crate::bindings::{AT_ONCE, nanoseconds};
use crate::error::{Result, tried};

/// A lock that one task holds at a time. It is handed from owner to owner in the order of the calls.
///
/// ```no_run
/// # fn main() -> taskcell_guest::Result {
/// # use taskcell_guest::{Lock, SharedMap};
/// # let (lock, map) = (Lock::new()?, SharedMap::<String, u32>::new()?);
/// let guard = lock.acquire()?;
/// let total = map.get("total")?.unwrap_or(0);
/// map.set("total", &(total + 1))?;
/// drop(guard);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Lock {
    raw: raw::Lock,
}

/// A [`Lock`] that its owner may acquire again. It is released when as many guards are gone.
#[derive(Debug)]
pub struct RLock {
    lock: Lock,
}

/// This task holds a lock as long as it has this. Dropping it releases the lock.
#[derive(Debug)]
#[must_use = "the lock is released at once if the guard is not kept"]
pub struct LockGuard<'a> {
    lock: &'a raw::Lock,
    abandoned: bool,
}

impl Lock {
    /// Makes a lock that nobody holds.
    ///
    /// # Errors
    /// [`Error::Quota`](crate::Error::Quota) if this task has too many handles.
    pub fn new() -> Result<Self> {
        Ok(raw::Lock::create(false, None)?.into())
    }

    /// Makes a lock with a name for people.
    ///
    /// # Errors
    /// As [`Lock::new`].
    pub fn named(name: &str) -> Result<Self> {
        Ok(raw::Lock::create(false, Some(name))?.into())
    }

    /// Waits until this task holds the lock.
    ///
    /// # Errors
    /// [`Error::Cancelled`](crate::Error::Cancelled); [`Error::Deadlock`](crate::Error::Deadlock), also at once if this task holds the
    /// lock already and it is no [`RLock`]; [`Error::Quota`](crate::Error::Quota) if too many calls wait.
    pub fn acquire(&self) -> Result<LockGuard<'_>> {
        Ok(LockGuard::new(&self.raw, self.raw.acquire(None)?))
    }

    /// Acquires the lock if it is free.
    ///
    /// # Errors
    /// As [`Lock::acquire`], but that this task holds the lock already is `None`.
    pub fn try_acquire(&self) -> Result<Option<LockGuard<'_>>> {
        Ok(tried(self.raw.acquire(AT_ONCE))?.map(|acquired| LockGuard::new(&self.raw, acquired)))
    }

    /// Waits until this task holds the lock, for so long.
    ///
    /// # Errors
    /// As [`Lock::acquire`], and [`Error::TimedOut`](crate::Error::TimedOut).
    pub fn acquire_timeout(&self, timeout: Duration) -> Result<LockGuard<'_>> {
        Ok(LockGuard::new(&self.raw, self.raw.acquire(Some(nanoseconds(timeout)))?))
    }

    pub(crate) fn raw(&self) -> &raw::Lock {
        &self.raw
    }
}

impl RLock {
    /// Makes a lock that nobody holds.
    ///
    /// # Errors
    /// As [`Lock::new`].
    pub fn new() -> Result<Self> {
        Ok(raw::Lock::create(true, None)?.into())
    }

    /// Makes a lock with a name for people.
    ///
    /// # Errors
    /// As [`Lock::new`].
    pub fn named(name: &str) -> Result<Self> {
        Ok(raw::Lock::create(true, Some(name))?.into())
    }
}

impl Deref for RLock {
    type Target = Lock;

    fn deref(&self) -> &Lock {
        &self.lock
    }
}

impl<'a> LockGuard<'a> {
    pub(super) fn new(lock: &'a raw::Lock, acquired: raw::Acquired) -> Self {
        Self { lock, abandoned: acquired == raw::Acquired::Abandoned }
    }

    /// Whether the last owner ended while it held the lock: what the lock guards may be half done. This is told once, to the next
    /// owner.
    pub fn is_abandoned(&self) -> bool {
        self.abandoned
    }

    /// Releases the lock, as dropping does.
    ///
    /// # Errors
    /// [`Error::Invalid`](crate::Error::Invalid) if this task does not hold it.
    pub fn release(self) -> Result {
        let lock = self.keep();
        Ok(lock.release()?)
    }

    /// The lock, still held.
    pub(super) fn keep(self) -> &'a raw::Lock {
        let lock = self.lock;
        std::mem::forget(self);
        lock
    }
}

impl Drop for LockGuard<'_> {
    fn drop(&mut self) {
        // It fails only if the lock is not held: then there is nothing to release.
        drop(self.lock.release());
    }
}

impl From<raw::Lock> for Lock {
    fn from(raw: raw::Lock) -> Self {
        Self { raw }
    }
}

impl From<raw::Lock> for RLock {
    fn from(raw: raw::Lock) -> Self {
        Self { lock: raw.into() }
    }
}

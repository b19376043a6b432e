//! Places to wait until somebody says that things changed.

use std::time::Duration;

use super::{Lock, LockGuard};
use crate::bindings::nanoseconds;
use crate::bindings::taskcell::host::sync as raw;
use crate::bindings::taskcell::host::types;
use crate::error::Result;

/// A place to wait, without the lock, until somebody who holds the lock says that things changed.
///
/// A task that waits on it needs both: it is given `&lock` and `&condition`.
///
/// ```no_run
/// # fn main() -> taskcell_guest::Result {
/// # use taskcell_guest::{Condition, Lock, SharedMap};
/// # let (lock, map) = (Lock::new()?, SharedMap::<String, u32>::new()?);
/// # let condition = Condition::new(&lock)?;
/// let guard = condition.wait_for(lock.acquire()?, || Ok(map.contains("result")?))?;
/// println!("{:?}", map.get("result")?);
/// drop(guard);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Condition {
    raw: raw::Condition,
}

impl Condition {
    /// Makes a condition of this lock.
    ///
    /// # Errors
    /// [`Error::Quota`](crate::Error::Quota) if this task has too many handles.
    pub fn new(lock: &Lock) -> Result<Self> {
        Ok(raw::Condition::create(lock.raw(), None)?.into())
    }

    /// Makes a condition with a name for people.
    ///
    /// # Errors
    /// As [`Condition::new`].
    pub fn named(lock: &Lock, name: &str) -> Result<Self> {
        Ok(raw::Condition::create(lock.raw(), Some(name))?.into())
    }

    /// In one step releases the lock and begins to wait; acquires it again when it was notified.
    ///
    /// Who has several guards of an [`RLock`](super::RLock) gives one of them, and holds the lock as often as before afterwards.
    ///
    /// # Errors
    /// [`Error::Invalid`](crate::Error::Invalid) if the guard is of another lock, [`Error::Quota`](crate::Error::Quota) if too many
    /// calls wait, [`Error::Cancelled`](crate::Error::Cancelled), [`Error::Deadlock`](crate::Error::Deadlock),
    /// [`Error::Closed`](crate::Error::Closed). The lock is not held any more then.
    pub fn wait<'a>(&self, guard: LockGuard<'a>) -> Result<LockGuard<'a>> {
        Ok(self.wait_raw(guard, None)?.0)
    }

    /// The same, for so long; also tells whether it was notified. To have the lock again may take longer.
    ///
    /// # Errors
    /// As [`Condition::wait`].
    pub fn wait_timeout<'a>(&self, guard: LockGuard<'a>, timeout: Duration) -> Result<(LockGuard<'a>, bool)> {
        self.wait_raw(guard, Some(nanoseconds(timeout)))
    }

    /// Waits until `done` says so. It is asked while the lock is held, first before any waiting.
    ///
    /// # Errors
    /// As [`Condition::wait`], and those of `done`.
    pub fn wait_for<'a>(&self, mut guard: LockGuard<'a>, mut done: impl FnMut() -> Result<bool>) -> Result<LockGuard<'a>> {
        while !done()? {
            guard = self.wait(guard)?;
        }
        Ok(guard)
    }

    /// Lets the first one who waits go on, as soon as it has the lock, and tells whether there was one.
    ///
    /// # Errors
    /// [`Error::Invalid`](crate::Error::Invalid) if this task does not hold the lock.
    pub fn notify_one(&self) -> Result<bool> {
        Ok(self.raw.notify(1)? > 0)
    }

    /// Lets the first `count` of those who wait go on, and tells how many there were.
    ///
    /// # Errors
    /// As [`Condition::notify_one`].
    pub fn notify(&self, count: u32) -> Result<u32> {
        Ok(self.raw.notify(count)?)
    }

    /// Lets all who wait go on, and tells how many there were.
    ///
    /// # Errors
    /// As [`Condition::notify_one`].
    pub fn notify_all(&self) -> Result<u32> {
        Ok(self.raw.notify_all()?)
    }

    fn wait_raw<'a>(&self, guard: LockGuard<'a>, timeout: Option<u64>) -> Result<(LockGuard<'a>, bool)> {
        match self.raw.wait(timeout) {
            Ok(woken) => Ok((LockGuard::new(guard.keep(), woken.acquired), woken.notified)),
            // Nothing has changed: the guard, which is dropped here, releases the lock.
            Err(error @ (types::Error::Invalid(_) | types::Error::Quota(_))) => Err(error.into()),
            // The lock is gone already.
            Err(error) => {
                guard.keep();
                Err(error.into())
            }
        }
    }

    pub(crate) fn raw(&self) -> &raw::Condition {
        &self.raw
    }
}

impl From<raw::Condition> for Condition {
    fn from(raw: raw::Condition) -> Self {
        Self { raw }
    }
}

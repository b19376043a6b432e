//! Many tasks over a fixed number of worker processes.
//!
//! ```no_run
//! # fn main() -> taskcell_guest::Result {
//! use taskcell_guest::Pool;
//!
//! let pool = Pool::with_workers(4)?;
//! for result in pool.imap::<String, _>("process-task", [1, 2, 3, 4, 5])? {
//!     println!("{}", result?);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! The death of a worker costs the task that it was running and no other. A task that waits for tasks of a pool gives its own place back
//! while it waits, so that pools can be nested.

mod feed;
mod future;
mod mapping;

use std::time::Duration;

pub use future::{AsCompleted, Future, as_completed};
pub use mapping::Imap;

use crate::argument::{Arguments, Invocation};
use crate::bindings::nanoseconds;
use crate::bindings::taskcell::host::pool as raw;
use crate::bindings::taskcell::host::types;
use crate::error::{Result, TaskError, result_of};
use crate::value::{FromValue, ToValue};

/// A pool of worker processes. It belongs to the task that made it. Dropping it shuts it down and cancels what has not ended.
#[derive(Debug)]
pub struct Pool {
    raw: raw::Pool,
}

/// What tasks of one worker share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Isolation {
    /// Nothing: each task has an instance of its own.
    #[default]
    Fresh,
    /// One instance, so that what a task leaves in its globals the next one finds.
    Reuse,
}

/// What a new pool is to be. No limit can be wider than the caller's own.
#[derive(Debug, Clone)]
pub struct Builder {
    options: raw::Options,
}

impl Builder {
    /// How many worker processes; else as many as this job may use CPUs.
    #[must_use]
    pub fn workers(mut self, workers: u32) -> Self {
        self.options.workers = Some(workers);
        self
    }

    /// What tasks of one worker share.
    #[must_use]
    pub fn isolation(mut self, isolation: Isolation) -> Self {
        self.options.isolation = isolation.into();
        self
    }

    /// How long each attempt of a task may run.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.options.timeout = Some(nanoseconds(timeout));
        self
    }

    /// How often a task is tried again when its worker died or it was over its time; else never.
    #[must_use]
    pub fn retries(mut self, retries: u32) -> Self {
        self.options.retries = retries;
        self
    }

    /// How many bytes of memory each instance may have.
    #[must_use]
    pub fn memory(mut self, bytes: u64) -> Self {
        self.options.memory_bytes = Some(bytes);
        self
    }

    /// A worker is replaced after so many tasks.
    #[must_use]
    pub fn max_tasks_per_worker(mut self, tasks: u32) -> Self {
        self.options.max_tasks_per_worker = Some(tasks);
        self
    }

    /// A name for people.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.options.name = Some(name.into());
        self
    }

    /// Makes the pool. Its workers start when there are tasks for them.
    ///
    /// # Errors
    /// [`Error::Invalid`](crate::Error::Invalid) for a number of 0, [`Error::Quota`](crate::Error::Quota) for more workers or pools than
    /// the host allows.
    pub fn create(self) -> Result<Pool> {
        Ok(Pool { raw: raw::Pool::create(&self.options)? })
    }
}

impl Pool {
    /// Makes a pool with as many workers as this job may use CPUs.
    ///
    /// # Errors
    /// As [`Builder::create`].
    pub fn new() -> Result<Self> {
        Self::builder().create()
    }

    /// Makes a pool with so many workers.
    ///
    /// # Errors
    /// As [`Builder::create`].
    pub fn with_workers(workers: u32) -> Result<Self> {
        Self::builder().workers(workers).create()
    }

    /// Options for a new pool.
    pub fn builder() -> Builder {
        let options = raw::Options {
            workers: None,
            isolation: raw::Isolation::Fresh,
            timeout: None,
            retries: 0,
            memory_bytes: None,
            max_tasks_per_worker: None,
            name: None,
        };
        Builder { options }
    }

    /// Submits a task with a tuple of arguments. Its result will be read as a `T`.
    ///
    /// # Errors
    /// As [`Process::spawn`](crate::Process::spawn), and [`Error::Closed`](crate::Error::Closed) if the pool takes no more tasks.
    pub fn submit<T>(&self, task: &str, arguments: impl Arguments) -> Result<Future<T>> {
        Ok(self.raw.submit(Invocation::with(task, arguments)?)?.into())
    }

    /// Calls the task once for each value, waits until all have ended, and gives their results in the order of the values; the first
    /// failure in that order if there is one.
    ///
    /// # Errors
    /// [`TaskError::Call`] with [`Error::NotFound`](crate::Error::NotFound); with [`Error::Invalid`](crate::Error::Invalid) if a value
    /// does not fit the parameter, before any task starts; with [`Error::Quota`](crate::Error::Quota) for more than 16384 values or 16
    /// MiB of results: use [`imap`](Pool::imap) for those.
    pub fn map<T: FromValue, V: ToValue>(&self, task: &str, values: impl IntoIterator<Item = V>) -> Result<Vec<T>, TaskError> {
        self.map_each(task, values)?.into_iter().collect()
    }

    /// As [`map`](Pool::map), with a result for each value: a task that fails is no failure of the whole.
    ///
    /// # Errors
    /// As there, but for those of single tasks.
    pub fn map_each<T: FromValue, V: ToValue>(
        &self,
        task: &str,
        values: impl IntoIterator<Item = V>,
    ) -> Result<Vec<Result<T, TaskError>>> {
        let values = values.into_iter().map(|value| Ok(value.to_value()?.into()));
        let values = values.collect::<Result<Vec<types::Value>>>()?;
        Ok(self.raw.map(task, &values)?.into_iter().map(result_of).collect())
    }

    /// Calls the task once for each value, and gives the results as they are due, in the order of the values. Values are taken from the
    /// iterator as there is room, so that there may be any number of them.
    ///
    /// # Errors
    /// [`Error::NotFound`](crate::Error::NotFound), [`Error::Closed`](crate::Error::Closed). What goes wrong later is an item.
    pub fn imap<T, I>(&self, task: &str, values: I) -> Result<Imap<'_, T, I::IntoIter>>
    where
        I: IntoIterator<Item: ToValue>,
    {
        self.mapping(task, true, values)
    }

    /// As [`imap`](Pool::imap), with the results in the order in which the tasks end.
    ///
    /// # Errors
    /// As there.
    pub fn imap_unordered<T, I>(&self, task: &str, values: I) -> Result<Imap<'_, T, I::IntoIter>>
    where
        I: IntoIterator<Item: ToValue>,
    {
        self.mapping(task, false, values)
    }

    fn mapping<T, I>(&self, task: &str, ordered: bool, values: I) -> Result<Imap<'_, T, I::IntoIter>>
    where
        I: IntoIterator<Item: ToValue>,
    {
        // The host knows best how many are to be under way.
        const WINDOW: u32 = 0;
        Ok(Imap::new(self.raw.imap(task, ordered, WINDOW)?, values.into_iter()))
    }

    /// Takes no more tasks, and waits until those that were submitted have ended.
    ///
    /// # Errors
    /// [`Error::Cancelled`](crate::Error::Cancelled), [`Error::Deadlock`](crate::Error::Deadlock).
    pub fn drain(&self) -> Result {
        Ok(self.raw.drain(None)?)
    }

    /// The same, waiting for so long; if the time is over the tasks go on.
    ///
    /// # Errors
    /// As [`Pool::drain`], and [`Error::TimedOut`](crate::Error::TimedOut).
    pub fn drain_timeout(&self, timeout: Duration) -> Result {
        Ok(self.raw.drain(Some(nanoseconds(timeout)))?)
    }

    /// Takes no more tasks. With `cancel_pending` those that no worker has yet are cancelled. Does not wait.
    pub fn shutdown(&self, cancel_pending: bool) {
        self.raw.shutdown(cancel_pending);
    }

    /// Takes no more tasks, cancels those that wait and kills those that run. Does not wait.
    pub fn kill(&self) {
        self.raw.kill();
    }
}

impl From<Isolation> for raw::Isolation {
    fn from(isolation: Isolation) -> Self {
        match isolation {
            Isolation::Fresh => Self::Fresh,
            Isolation::Reuse => Self::Reuse,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_those_that_were_given() {
        let builder = Pool::builder().workers(4).isolation(Isolation::Reuse).retries(2).timeout(Duration::from_millis(5));
        assert_eq!(builder.options.workers, Some(4));
        assert_eq!(builder.options.isolation, raw::Isolation::Reuse);
        assert_eq!(builder.options.retries, 2);
        assert_eq!(builder.options.timeout, Some(5_000_000));
        assert_eq!(Pool::builder().options.isolation, Isolation::default().into());
    }
}

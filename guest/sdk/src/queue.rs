//! Bounded queues of messages between tasks: first in, first out, any number of producers and consumers.
//!
//! ```no_run
//! # fn main() -> taskcell_guest::Result {
//! use taskcell_guest::{Process, Queue};
//!
//! let queue = Queue::<String>::new()?;
//! let consumer = Process::spawn("data-consumer", (&queue,))?;
//! queue.put("Data item")?;
//! queue.close()?;
//! consumer.join::<()>()?;
//! # Ok(())
//! # }
//! ```

mod delivery;
mod get;
mod put;

use std::marker::PhantomData;
use std::time::Duration;

pub use delivery::{Delivery, Rejected};
pub use get::Iter;
pub(crate) use get::until_closed;

#[cfg(doc)]
use crate::Error;
use crate::bindings::nanoseconds;
use crate::bindings::taskcell::host::queue as raw;
use crate::error::Result;
use crate::waiting::Waitable;

/// A handle of a queue of `T`: what implements [`Serialize`](serde::Serialize) and [`Deserialize`](serde::Deserialize), as JSON, or
/// [`Bytes`](crate::Bytes).
///
/// It is lent to other tasks as an argument, `&queue`; both have the same queue then. The queue ends with its last handle, and what
/// it holds then is dropped.
///
/// A task that takes a queue as a parameter says `queue: Queue<T>` if it has the attribute [`task`](macro@crate::task), and makes it
/// from the generated handle with [`From`] otherwise.
#[derive(Debug)]
pub struct Queue<T> {
    raw: raw::Queue,
    messages: PhantomData<fn(T) -> T>,
}

/// How many messages are where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Ready to be taken.
    pub waiting: u32,
    /// Taken under a lease and not answered for.
    pub leased: u32,
    /// Given back with a delay that is not over.
    pub delayed: u32,
    /// Rejected, and kept to be looked at.
    pub rejected: u32,
    /// Rejected, and dropped because no more are kept.
    pub dropped: u64,
}

/// What a new queue is to be.
#[derive(Debug, Clone)]
pub struct Builder<T> {
    options: raw::Options,
    messages: PhantomData<fn(T) -> T>,
}

impl<T> Builder<T> {
    /// The most messages that it holds, those under a lease included. Else the host's limit, one million.
    #[must_use]
    pub fn capacity(mut self, messages: u32) -> Self {
        self.options.capacity = Some(messages);
        self
    }

    /// How often a message is delivered under a lease before it is put aside as rejected. Else 16.
    #[must_use]
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.options.max_attempts = Some(attempts);
        self
    }

    /// A name for people, shown where somebody waits on this queue.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.options.name = Some(name.into());
        self
    }

    /// Makes the queue.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a number of 0, [`Error::Quota`] if this task has too many handles.
    pub fn create(self) -> Result<Queue<T>> {
        Ok(raw::Queue::create(&self.options)?.into())
    }
}

impl<T> Queue<T> {
    /// Makes a queue that holds as much as the host allows.
    ///
    /// # Errors
    /// [`Error::Quota`] if this task has too many handles.
    pub fn new() -> Result<Self> {
        Self::builder().create()
    }

    /// Makes a queue that holds at most so many messages.
    ///
    /// # Errors
    /// As [`Builder::create`].
    pub fn bounded(capacity: u32) -> Result<Self> {
        Self::builder().capacity(capacity).create()
    }

    /// Makes a queue with a name for people.
    ///
    /// # Errors
    /// As [`Queue::new`].
    pub fn named(name: impl Into<String>) -> Result<Self> {
        Self::builder().name(name).create()
    }

    /// Options for a new queue.
    pub fn builder() -> Builder<T> {
        Builder { options: raw::Options { capacity: None, max_attempts: None, name: None }, messages: PhantomData }
    }

    /// How many messages are ready to be taken. By the time that the caller looks at the number it may be another.
    pub fn len(&self) -> u32 {
        self.raw.len()
    }

    /// Whether no message is ready to be taken.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many messages are where, at one moment.
    pub fn counts(&self) -> Counts {
        let raw::Counts { waiting, leased, delayed, rejected, dropped } = self.raw.counts();
        Counts { waiting, leased, delayed, rejected, dropped }
    }

    /// Closes the queue for all: puts fail from now on, and gets fail with [`Error::Closed`] when all is taken.
    ///
    /// # Errors
    /// [`Error::Denied`] without the right to put.
    pub fn close(&self) -> Result {
        Ok(self.raw.close()?)
    }

    /// Waits until all that was put was taken, and all that was received was answered for.
    ///
    /// # Errors
    /// [`Error::Cancelled`], [`Error::Deadlock`], [`Error::Quota`].
    pub fn join(&self) -> Result {
        Ok(self.raw.join(None)?)
    }

    /// The same, for so long.
    ///
    /// # Errors
    /// As [`Queue::join`], and [`Error::TimedOut`].
    pub fn join_timeout(&self, timeout: Duration) -> Result {
        Ok(self.raw.join(Some(nanoseconds(timeout)))?)
    }

    /// A handle of the same queue that can only put and close.
    ///
    /// # Errors
    /// [`Error::Quota`] if this task has too many handles.
    pub fn producer(&self) -> Result<Self> {
        Ok(self.raw.restrict(raw::Rights::PUT)?.into())
    }

    /// A handle of the same queue that can only take.
    ///
    /// # Errors
    /// [`Error::Quota`] if this task has too many handles.
    pub fn consumer(&self) -> Result<Self> {
        Ok(self.raw.restrict(raw::Rights::GET)?.into())
    }

    /// Ready when a get would not wait.
    pub fn get_ready(&self) -> Waitable {
        self.raw.get_ready().into()
    }

    /// Ready when a put of a short message would not wait.
    pub fn put_ready(&self) -> Waitable {
        self.raw.put_ready().into()
    }

    pub(crate) fn raw(&self) -> &raw::Queue {
        &self.raw
    }
}

impl<T> From<raw::Queue> for Queue<T> {
    fn from(raw: raw::Queue) -> Self {
        Self { raw, messages: PhantomData }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_those_that_were_given() {
        let builder = Queue::<u8>::builder().capacity(8).name("results");
        assert_eq!(builder.options.capacity, Some(8));
        assert_eq!(builder.options.max_attempts, None);
        assert_eq!(builder.options.name.as_deref(), Some("results"));
    }
}

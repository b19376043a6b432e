//! Taking messages.

use std::time::Duration;

use super::{Delivery, Queue, Rejected};
use crate::bindings::{AT_ONCE, nanoseconds};
use crate::error::{Error, Result, tried};
use crate::message::{Decode, decode_all};

impl<T: Decode> Queue<T> {
    /// Takes the oldest message for good. Waits while there is none.
    ///
    /// # Errors
    /// [`Error::Closed`] when the queue was closed and nothing can come any more; [`Error::Denied`]; [`Error::Cancelled`];
    /// [`Error::Deadlock`]; [`Error::Quota`]; [`Error::Conversion`] if the message is no `T`: it is gone all the same.
    pub fn get(&self) -> Result<T> {
        T::decode(self.raw.get(None)?)
    }

    /// Takes the oldest message if there is one now.
    ///
    /// # Errors
    /// As [`Queue::get`].
    pub fn try_get(&self) -> Result<Option<T>> {
        tried(self.raw.get(AT_ONCE))?.map(T::decode).transpose()
    }

    /// Takes the oldest message. Waits while there is none, for so long.
    ///
    /// # Errors
    /// As [`Queue::get`], and [`Error::TimedOut`].
    pub fn get_timeout(&self, timeout: Duration) -> Result<T> {
        T::decode(self.raw.get(Some(nanoseconds(timeout)))?)
    }

    /// Takes the oldest messages for good: at least one, at most `limit`. Waits for the first one only.
    ///
    /// # Errors
    /// As [`Queue::get`], and [`Error::Invalid`] for a limit of 0.
    pub fn get_many(&self, limit: u32) -> Result<Vec<T>> {
        decode_all(self.raw.get_many(limit, None)?)
    }

    /// The same, waiting for so long; with [`Duration::ZERO`] for what is there now.
    ///
    /// # Errors
    /// As [`Queue::get_many`], and [`Error::TimedOut`] if there is none in time.
    pub fn get_many_timeout(&self, limit: u32, timeout: Duration) -> Result<Vec<T>> {
        decode_all(self.raw.get_many(limit, Some(nanoseconds(timeout)))?)
    }

    /// The messages, taken for good one after the other, until the queue is closed and empty.
    pub fn iter(&self) -> Iter<'_, T> {
        Iter { queue: self }
    }

    /// Takes the oldest message under a lease. Waits while there is none. It comes back to the queue if it is not answered for in
    /// time, or this task ends before.
    ///
    /// # Errors
    /// As [`Queue::get`] but [`Error::Conversion`], which [`Delivery::message`] tells.
    pub fn receive(&self, lease: Duration) -> Result<Delivery<T>> {
        Ok(self.raw.receive(nanoseconds(lease), None)?.into())
    }

    /// Takes the oldest message under a lease, if there is one now.
    ///
    /// # Errors
    /// As [`Queue::receive`].
    pub fn try_receive(&self, lease: Duration) -> Result<Option<Delivery<T>>> {
        Ok(tried(self.raw.receive(nanoseconds(lease), AT_ONCE))?.map(Delivery::from))
    }

    /// Takes the oldest message under a lease. Waits while there is none, for so long.
    ///
    /// # Errors
    /// As [`Queue::receive`], and [`Error::TimedOut`].
    pub fn receive_timeout(&self, lease: Duration, timeout: Duration) -> Result<Delivery<T>> {
        Ok(self.raw.receive(nanoseconds(lease), Some(nanoseconds(timeout)))?.into())
    }

    /// Takes messages that were given up, oldest first. Never waits; empty if there are none.
    ///
    /// # Errors
    /// [`Error::Denied`] without the right to get.
    pub fn take_rejected(&self, limit: u32) -> Result<Vec<Rejected<T>>> {
        Ok(self.raw.take_rejected(limit)?.into_iter().map(Rejected::from).collect())
    }
}

/// The messages of a queue until it is closed and empty; see [`Queue::iter`]. An error other than that is an item.
#[derive(Debug)]
pub struct Iter<'a, T> {
    queue: &'a Queue<T>,
}

impl<T: Decode> Iterator for Iter<'_, T> {
    type Item = Result<T>;

    fn next(&mut self) -> Option<Result<T>> {
        until_closed(self.queue.get())
    }
}

impl<'a, T: Decode> IntoIterator for &'a Queue<T> {
    type Item = Result<T>;
    type IntoIter = Iter<'a, T>;

    fn into_iter(self) -> Iter<'a, T> {
        self.iter()
    }
}

/// To be closed is the end and no error.
pub(crate) fn until_closed<T>(answer: Result<T>) -> Option<Result<T>> {
    match answer {
        Err(Error::Closed) => None,
        other => Some(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn being_closed_is_the_end() {
        assert_eq!(until_closed::<u8>(Err(Error::Closed)), None);
        assert_eq!(until_closed::<u8>(Err(Error::Cancelled)), Some(Err(Error::Cancelled)));
        assert_eq!(until_closed(Ok(1)), Some(Ok(1)));
    }
}

//! Adding messages.

use std::borrow::Borrow;
use std::time::Duration;

use super::Queue;
#[cfg(doc)]
use crate::Error;
use crate::bindings::{AT_ONCE, nanoseconds};
use crate::error::{Result, tried};
use crate::message::{Encode, encode_all};

impl<T> Queue<T> {
    /// Adds a message at the end. Waits while the queue is full.
    ///
    /// What can stand for a `T` will do, so that `put("text")` goes into a `Queue<String>`.
    ///
    /// # Errors
    /// [`Error::Closed`], also when the queue is closed while this waits; [`Error::Denied`]; [`Error::Quota`] if the message is too
    /// long; [`Error::Cancelled`]; [`Error::Deadlock`]; [`Error::Conversion`].
    pub fn put<M: Encode + ?Sized>(&self, message: &M) -> Result
    where
        T: Borrow<M>,
    {
        Ok(self.raw.put(&message.encode()?, None)?)
    }

    /// Adds a message if there is room, and tells whether there was.
    ///
    /// # Errors
    /// As [`Queue::put`].
    pub fn try_put<M: Encode + ?Sized>(&self, message: &M) -> Result<bool>
    where
        T: Borrow<M>,
    {
        Ok(tried(self.raw.put(&message.encode()?, AT_ONCE))?.is_some())
    }

    /// Adds a message. Waits while the queue is full, for so long.
    ///
    /// # Errors
    /// As [`Queue::put`], and [`Error::TimedOut`].
    pub fn put_timeout<M: Encode + ?Sized>(&self, message: &M, timeout: Duration) -> Result
    where
        T: Borrow<M>,
    {
        Ok(self.raw.put(&message.encode()?, Some(nanoseconds(timeout)))?)
    }
}

impl<T: Encode> Queue<T> {
    /// Adds these messages at the end, in order and with nothing between them, or none of them. Waits for room for all.
    ///
    /// # Errors
    /// As [`Queue::put`], and [`Error::Quota`] for more than the queue could ever hold, or more than 16384.
    pub fn put_many<M: Borrow<T>>(&self, messages: impl IntoIterator<Item = M>) -> Result {
        Ok(self.raw.put_many(&encode_all(messages)?, None)?)
    }

    /// The same, for so long.
    ///
    /// # Errors
    /// As [`Queue::put_many`], and [`Error::TimedOut`].
    pub fn put_many_timeout<M: Borrow<T>>(&self, messages: impl IntoIterator<Item = M>, timeout: Duration) -> Result {
        Ok(self.raw.put_many(&encode_all(messages)?, Some(nanoseconds(timeout)))?)
    }
}

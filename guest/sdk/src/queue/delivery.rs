//! Messages under a lease, and those that were given up.

use std::marker::PhantomData;
use std::time::Duration;

use crate::bindings::nanoseconds;
use crate::bindings::taskcell::host::queue as raw;
use crate::error::Result;
use crate::message::{Bytes, Decode};

/// A message under a lease. It belongs to the task that received it. Dropping it unanswered gives the message back, as
/// [`nack`](Delivery::nack) without a delay does.
///
/// ```no_run
/// # fn main() -> taskcell_guest::Result {
/// # let queue = taskcell_guest::Queue::<String>::new()?;
/// # fn work(_: &str) -> bool { true }
/// # use std::time::Duration;
/// let delivery = queue.receive(Duration::from_secs(30))?;
/// match delivery.message() {
///     Ok(message) if work(&message) => delivery.ack()?,
///     Ok(_) => delivery.nack(Duration::from_secs(1))?,
///     Err(_) => delivery.reject()?,
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a delivery that is dropped goes back to the queue"]
pub struct Delivery<T> {
    raw: raw::Delivery,
    message: PhantomData<fn() -> T>,
}

impl<T: Decode> Delivery<T> {
    /// The message.
    ///
    /// # Errors
    /// [`Error::Conversion`](crate::Error::Conversion) if it is no `T`.
    pub fn message(&self) -> Result<T> {
        T::decode(self.raw.message())
    }
}

impl<T> Delivery<T> {
    /// The message as it was sent.
    pub fn bytes(&self) -> Bytes {
        Bytes(self.raw.message())
    }

    /// Which delivery of the message this is: 1 for the first.
    pub fn attempt(&self) -> u32 {
        self.raw.attempt()
    }

    /// The message is done, and gone.
    ///
    /// # Errors
    /// [`Error::Lapsed`](crate::Error::Lapsed) if the lease is over.
    pub fn ack(self) -> Result {
        Ok(self.raw.ack()?)
    }

    /// Gives the message back, to be the oldest in the queue again after `delay`. If this was its last attempt, it is rejected.
    ///
    /// # Errors
    /// As [`Delivery::ack`].
    pub fn nack(self, delay: Duration) -> Result {
        Ok(self.raw.nack(nanoseconds(delay))?)
    }

    /// Puts the message aside with the rejected ones: it can't be handled by anybody.
    ///
    /// # Errors
    /// As [`Delivery::ack`].
    pub fn reject(self) -> Result {
        Ok(self.raw.reject()?)
    }

    /// Lets the lease end so long after now; shorter than before is allowed.
    ///
    /// # Errors
    /// As [`Delivery::ack`].
    pub fn extend(&self, lease: Duration) -> Result {
        Ok(self.raw.extend(nanoseconds(lease))?)
    }
}

impl<T> From<raw::Delivery> for Delivery<T> {
    fn from(raw: raw::Delivery) -> Self {
        Self { raw, message: PhantomData }
    }
}

/// A message that was given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected<T> {
    /// The message as it was sent.
    pub bytes: Bytes,
    /// How often it was delivered.
    pub attempts: u32,
    message: PhantomData<fn() -> T>,
}

impl<T: Decode> Rejected<T> {
    /// The message.
    ///
    /// # Errors
    /// [`Error::Conversion`](crate::Error::Conversion) if it is no `T`, which may be why it was rejected.
    pub fn message(&self) -> Result<T> {
        T::decode(self.bytes.to_vec())
    }
}

impl<T> From<raw::RejectedMessage> for Rejected<T> {
    fn from(rejected: raw::RejectedMessage) -> Self {
        Self { bytes: Bytes(rejected.message), attempts: rejected.attempts, message: PhantomData }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rejected_message_can_be_looked_at_even_if_it_is_no_t() {
        let rejected = |text: &str| Rejected::<u8>::from(raw::RejectedMessage { message: text.into(), attempts: 3 });
        assert_eq!(rejected("7").message(), Ok(7));
        assert!(rejected("x").message().is_err());
        assert_eq!((rejected("x").bytes, rejected("x").attempts), (Bytes::from("x"), 3));
    }
}

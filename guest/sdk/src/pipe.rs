//! Channels between two tasks, message by message.
//!
//! ```no_run
//! # fn main() -> taskcell_guest::Result {
//! use taskcell_guest::{Process, pipe};
//!
//! let (sender, receiver) = pipe::<String>()?;
//! let process = Process::spawn("send-data", (sender,))?;
//! println!("Received: {}", receiver.recv()?);
//! process.join::<()>()?;
//! # Ok(())
//! # }
//! ```
//!
//! An end has one owner. It is given to another task by value, and belongs to that task from then on. When an end is dropped, or its
//! task ends in any way, the other end still receives what was sent before, and is told [`Error::Closed`] after that.

mod ends;
mod stream;

use std::borrow::Borrow;
use std::marker::PhantomData;
use std::time::Duration;

pub use ends::{Receiver, Sender};
pub use stream::{ByteReader, ByteWriter};

#[cfg(doc)]
use crate::Error;
use crate::bindings::taskcell::host::pipe as raw;
use crate::bindings::{AT_ONCE, nanoseconds};
use crate::error::{Result, tried};
use crate::message::{Decode, Encode};
use crate::queue::until_closed;
use crate::waiting::Waitable;

/// Makes a pipe that goes one way.
///
/// # Errors
/// [`Error::Quota`] if this task has too many handles.
pub fn pipe<T>() -> Result<(Sender<T>, Receiver<T>)> {
    one_way(None)
}

/// Makes a pipe that goes one way, with a name for people.
///
/// # Errors
/// As [`pipe`].
pub fn pipe_named<T>(name: impl Into<String>) -> Result<(Sender<T>, Receiver<T>)> {
    one_way(Some(name.into()))
}

/// Makes a pipe that goes both ways: the first end sends `A` and receives `B`, and the second the other way round.
///
/// # Errors
/// As [`pipe`].
pub fn duplex<A, B>() -> Result<(Connection<A, B>, Connection<B, A>)> {
    both_ways(None)
}

/// Makes a pipe that goes both ways, with a name for people.
///
/// # Errors
/// As [`pipe`].
pub fn duplex_named<A, B>(name: impl Into<String>) -> Result<(Connection<A, B>, Connection<B, A>)> {
    both_ways(Some(name.into()))
}

fn one_way<T>(name: Option<String>) -> Result<(Sender<T>, Receiver<T>)> {
    let (first, second) = raw::open(&raw::Options { duplex: false, name })?;
    Ok((second.into(), first.into()))
}

fn both_ways<A, B>(name: Option<String>) -> Result<(Connection<A, B>, Connection<B, A>)> {
    let (first, second) = raw::open(&raw::Options { duplex: true, name })?;
    Ok((first.into(), second.into()))
}

/// An end of a pipe that sends `S` and receives `R`. Dropping it closes it.
#[derive(Debug)]
pub struct Connection<S, R> {
    raw: raw::Connection,
    messages: PhantomData<fn(S) -> R>,
}

impl<S, R> Connection<S, R> {
    /// Sends a message. Waits while the pipe is full, 1 MiB or 4096 messages in this direction. That it was sent does not mean that
    /// it was received.
    ///
    /// # Errors
    /// [`Error::Closed`] if either end is closed; [`Error::Quota`] if the message is too long; [`Error::Cancelled`];
    /// [`Error::Deadlock`]; [`Error::Denied`] at an end that only receives; [`Error::Conversion`].
    pub fn send<M: Encode + ?Sized>(&self, message: &M) -> Result
    where
        S: Borrow<M>,
    {
        Ok(self.raw.send(&message.encode()?, None)?)
    }

    /// Sends a message. Waits while the pipe is full, for so long.
    ///
    /// # Errors
    /// As [`Connection::send`], and [`Error::TimedOut`].
    pub fn send_timeout<M: Encode + ?Sized>(&self, message: &M, timeout: Duration) -> Result
    where
        S: Borrow<M>,
    {
        Ok(self.raw.send(&message.encode()?, Some(nanoseconds(timeout)))?)
    }

    /// Takes the next message. Waits while there is none.
    ///
    /// # Errors
    /// [`Error::Closed`] if the other end is closed and all that it sent was received; [`Error::Cancelled`]; [`Error::Deadlock`];
    /// [`Error::Denied`] at an end that only sends; [`Error::Conversion`] if the message is no `R`: it is gone all the same.
    pub fn recv(&self) -> Result<R>
    where
        R: Decode,
    {
        R::decode(self.raw.recv(None)?)
    }

    /// Takes the next message if there is one now.
    ///
    /// # Errors
    /// As [`Connection::recv`].
    pub fn try_recv(&self) -> Result<Option<R>>
    where
        R: Decode,
    {
        tried(self.raw.recv(AT_ONCE))?.map(R::decode).transpose()
    }

    /// Takes the next message. Waits while there is none, for so long.
    ///
    /// # Errors
    /// As [`Connection::recv`], and [`Error::TimedOut`].
    pub fn recv_timeout(&self, timeout: Duration) -> Result<R>
    where
        R: Decode,
    {
        R::decode(self.raw.recv(Some(nanoseconds(timeout)))?)
    }

    /// Whether [`recv`](Connection::recv) would be answered at once, with a message or with [`Error::Closed`]. Waits until that is so
    /// or the time is over. Takes nothing.
    ///
    /// # Errors
    /// [`Error::Cancelled`], [`Error::Deadlock`], [`Error::Denied`].
    pub fn poll(&self, timeout: Duration) -> Result<bool> {
        Ok(self.raw.poll(Some(nanoseconds(timeout)))?)
    }

    /// The messages, until the other end is closed.
    pub fn iter(&self) -> Iter<'_, S, R> {
        Iter { connection: self }
    }

    /// Closes this end. What it sent can still be received.
    pub fn close(self) {
        self.raw.close();
    }

    /// Ready when [`recv`](Connection::recv) would not wait.
    pub fn recv_ready(&self) -> Waitable {
        self.raw.recv_ready().into()
    }

    pub(crate) fn into_raw(self) -> raw::Connection {
        self.raw
    }
}

impl<S, R> From<raw::Connection> for Connection<S, R> {
    fn from(raw: raw::Connection) -> Self {
        Self { raw, messages: PhantomData }
    }
}

/// The messages that come to an end of a pipe until the other end is closed. An error other than that is an item.
#[derive(Debug)]
pub struct Iter<'a, S, R> {
    connection: &'a Connection<S, R>,
}

impl<S, R: Decode> Iterator for Iter<'_, S, R> {
    type Item = Result<R>;

    fn next(&mut self) -> Option<Result<R>> {
        until_closed(self.connection.recv())
    }
}

//! The ends of a pipe that goes one way.

use std::borrow::Borrow;
use std::time::Duration;

use super::{ByteReader, ByteWriter, Connection, raw};
use crate::error::Result;
use crate::message::{Bytes, Decode, Encode};
use crate::waiting::Waitable;

/// The end of a pipe that sends `T`. Dropping it closes it.
#[derive(Debug)]
pub struct Sender<T>(Connection<T, Nothing>);

/// The end of a pipe that receives `T`. Dropping it closes it.
#[derive(Debug)]
pub struct Receiver<T>(Connection<Nothing, T>);

/// What goes in the direction that a pipe does not have.
#[derive(Debug)]
enum Nothing {}

impl<T> Sender<T> {
    /// Sends a message; see [`Connection::send`].
    ///
    /// # Errors
    /// As there.
    pub fn send<M: Encode + ?Sized>(&self, message: &M) -> Result
    where
        T: Borrow<M>,
    {
        self.0.send(message)
    }

    /// Sends a message; see [`Connection::send_timeout`].
    ///
    /// # Errors
    /// As there.
    pub fn send_timeout<M: Encode + ?Sized>(&self, message: &M, timeout: Duration) -> Result
    where
        T: Borrow<M>,
    {
        self.0.send_timeout(message, timeout)
    }

    /// Closes this end. What it sent can still be received.
    pub fn close(self) {
        self.0.close();
    }

    pub(crate) fn into_raw(self) -> raw::Connection {
        self.0.into_raw()
    }
}

impl Sender<Bytes> {
    /// This end as a stream of bytes.
    pub fn into_writer(self) -> ByteWriter {
        ByteWriter::new(self)
    }
}

impl<T> From<raw::Connection> for Sender<T> {
    fn from(raw: raw::Connection) -> Self {
        Self(raw.into())
    }
}

impl<T> Receiver<T> {
    /// Ready when [`recv`](Receiver::recv) would not wait.
    pub fn recv_ready(&self) -> Waitable {
        self.0.recv_ready()
    }

    /// Whether [`recv`](Receiver::recv) would be answered at once; see [`Connection::poll`].
    ///
    /// # Errors
    /// As there.
    pub fn poll(&self, timeout: Duration) -> Result<bool> {
        self.0.poll(timeout)
    }

    /// Closes this end.
    pub fn close(self) {
        self.0.close();
    }

    pub(crate) fn into_raw(self) -> raw::Connection {
        self.0.into_raw()
    }
}

impl<T: Decode> Receiver<T> {
    /// Takes the next message; see [`Connection::recv`].
    ///
    /// # Errors
    /// As there.
    pub fn recv(&self) -> Result<T> {
        self.0.recv()
    }

    /// Takes the next message if there is one now; see [`Connection::try_recv`].
    ///
    /// # Errors
    /// As there.
    pub fn try_recv(&self) -> Result<Option<T>> {
        self.0.try_recv()
    }

    /// Takes the next message; see [`Connection::recv_timeout`].
    ///
    /// # Errors
    /// As there.
    pub fn recv_timeout(&self, timeout: Duration) -> Result<T> {
        self.0.recv_timeout(timeout)
    }

    /// The messages, until the other end is closed.
    pub fn iter(&self) -> impl Iterator<Item = Result<T>> {
        self.0.iter()
    }
}

impl Receiver<Bytes> {
    /// This end as a stream of bytes.
    pub fn into_reader(self) -> ByteReader {
        ByteReader::new(self)
    }
}

impl<T> From<raw::Connection> for Receiver<T> {
    fn from(raw: raw::Connection) -> Self {
        Self(raw.into())
    }
}

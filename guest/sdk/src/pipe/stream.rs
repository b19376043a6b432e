//! A pipe as a stream of bytes.

use std::io::{self, BufRead, Read, Write};

use super::{Receiver, Sender};
use crate::error::{Error, Result};
use crate::message::Bytes;

/// The longest message that a write makes.
const LONGEST: usize = 256 * 1024;

/// Reads what comes through a pipe as one stream, until the other end is closed; see [`Receiver::into_reader`].
#[derive(Debug)]
pub struct ByteReader {
    receiver: Receiver<Bytes>,
    message: Rest,
}

/// Writes into a pipe; see [`Sender::into_writer`]. Each write is a message, so put a [`BufWriter`](std::io::BufWriter) around it
/// where writes are short.
#[derive(Debug)]
pub struct ByteWriter {
    sender: Sender<Bytes>,
}

impl ByteReader {
    pub(super) fn new(receiver: Receiver<Bytes>) -> Self {
        Self { receiver, message: Rest::default() }
    }
}

impl Read for ByteReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.message.read(buffer, || self.receiver.recv())
    }
}

impl BufRead for ByteReader {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.message.fill(|| self.receiver.recv())
    }

    fn consume(&mut self, length: usize) {
        self.message.consume(length);
    }
}

impl ByteWriter {
    pub(super) fn new(sender: Sender<Bytes>) -> Self {
        Self { sender }
    }
}

impl Write for ByteWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let part = &bytes[..bytes.len().min(LONGEST)];
        if !part.is_empty() {
            self.sender.send(&Bytes::from(part)).map_err(io::Error::from)?;
        }
        Ok(part.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        let kind = match &error {
            Error::Closed => io::ErrorKind::BrokenPipe,
            Error::TimedOut => io::ErrorKind::TimedOut,
            Error::Denied => io::ErrorKind::PermissionDenied,
            Error::Invalid(_) => io::ErrorKind::InvalidInput,
            Error::Conversion(_) => io::ErrorKind::InvalidData,
            // Not `Interrupted` for a task that was cancelled: that is tried again.
            _ => io::ErrorKind::Other,
        };
        Self::new(kind, error)
    }
}

/// What is left of the last message.
#[derive(Debug, Default)]
struct Rest {
    message: Vec<u8>,
    from: usize,
}

impl Rest {
    fn fill(&mut self, mut next: impl FnMut() -> Result<Bytes>) -> io::Result<&[u8]> {
        // An empty message is no end.
        while self.from >= self.message.len() {
            match next() {
                Ok(message) => (self.message, self.from) = (message.0, 0),
                Err(Error::Closed) => return Ok(&[]),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(&self.message[self.from..])
    }

    fn consume(&mut self, length: usize) {
        self.from = self.from.saturating_add(length).min(self.message.len());
    }

    fn read(&mut self, buffer: &mut [u8], next: impl FnMut() -> Result<Bytes>) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let mut rest = self.fill(next)?;
        let length = rest.read(buffer)?;
        self.consume(length);
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads the messages, then the end or an error, in steps of `step` bytes.
    fn read_all(messages: &[&str], end: Error, step: usize) -> (String, io::Result<usize>) {
        let mut messages = messages.iter();
        let mut rest = Rest::default();
        let mut text = Vec::new();
        let mut buffer = vec![0; step];
        loop {
            let read = rest.read(&mut buffer, || messages.next().map(|m| Bytes::from(*m)).ok_or(end.clone()));
            match read {
                Ok(length) if length > 0 => text.extend(&buffer[..length]),
                end => return (String::from_utf8_lossy(&text).into_owned(), end),
            }
        }
    }

    #[test]
    fn messages_become_one_stream() {
        for step in [1, 2, 3, 100] {
            let (text, end) = read_all(&["one ", "", "two ", "three"], Error::Closed, step);
            assert_eq!(text, "one two three");
            assert!(matches!(end, Ok(0)), "{end:?}");
        }
    }

    #[test]
    fn an_error_is_told_after_what_came_before_it() {
        let (text, end) = read_all(&["half"], Error::Cancelled, 3);
        assert_eq!(text, "half");
        let Err(error) = end else { panic!("no error") };
        assert_ne!(error.kind(), io::ErrorKind::Interrupted);
        assert_eq!(error.to_string(), Error::Cancelled.to_string());
    }
}

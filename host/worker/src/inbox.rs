//! What arrived and was not handled yet.
//!
//! Two read the socket, one at a time and both on the main thread: the run loop between tasks, and a guest's call while a task runs
//! ([`crate::caller`]). What a call finds that is not its answer is kept here for the run loop, in order.

use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use taskcell_wire::FrameBuffer;

use crate::error::WorkerError;
use crate::stop::now;

/// The socket's reading side.
#[derive(Debug)]
pub struct Inbox {
    socket: OwnedFd,
    arrived: Mutex<Arrived>,
}

/// Frames in two places: those that a call read and did not want, and those behind them.
#[derive(Debug)]
pub struct Arrived {
    kept: VecDeque<Vec<u8>>,
    /// The last one that was taken out of `kept`, to be lent.
    taken: Vec<u8>,
    buffer: FrameBuffer,
}

/// How a wait for bytes ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// There are bytes.
    Bytes,
    /// There will be none any more.
    End,
    /// The moment came first.
    Deadline,
}

impl Inbox {
    /// Reads what `buffer` and then `socket` hold.
    #[must_use]
    pub fn new(socket: OwnedFd, buffer: FrameBuffer) -> Self {
        Self { socket, arrived: Mutex::new(Arrived { kept: VecDeque::new(), taken: Vec::new(), buffer }) }
    }

    /// What arrived, to be looked through. Never held while a guest runs that can make calls.
    pub fn lock(&self) -> MutexGuard<'_, Arrived> {
        self.arrived.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for bytes and takes them, until `deadline` in nanoseconds of [`now`].
    ///
    /// # Errors
    /// [`WorkerError::Socket`].
    pub fn read(&self, arrived: &mut Arrived, deadline: Option<u64>) -> Result<Wait, WorkerError> {
        loop {
            if let Some(deadline) = deadline
                && !self.wait(deadline)?
            {
                return Ok(Wait::Deadline);
            }
            match rustix::io::read(&self.socket, arrived.buffer.space()) {
                Ok(0) => return Ok(Wait::End),
                Ok(count) => {
                    arrived.buffer.filled(count);
                    return Ok(Wait::Bytes);
                }
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    /// Whether the socket can be read before the deadline.
    fn wait(&self, deadline: u64) -> Result<bool, WorkerError> {
        loop {
            let left = deadline.saturating_sub(now());
            let mut fds = [PollFd::new(&self.socket, PollFlags::IN)];
            match poll(&mut fds, Some(&timespec(left))) {
                Ok(0) if left == 0 => return Ok(false),
                Ok(0) | Err(Errno::INTR) => {}
                Ok(_) => return Ok(true),
                Err(errno) => return Err(errno.into()),
            }
        }
    }
}

impl Arrived {
    /// The next whole frame's message bytes, or `None` until more arrived.
    ///
    /// # Errors
    /// [`WorkerError::Wire`] for a frame over the cap.
    pub fn next_frame(&mut self) -> Result<Option<&[u8]>, WorkerError> {
        if let Some(frame) = self.kept.pop_front() {
            self.taken = frame;
            return Ok(Some(&self.taken));
        }
        Ok(self.buffer.next_frame()?)
    }

    /// The next whole frame behind those that are kept.
    ///
    /// # Errors
    /// As [`next_frame`](Self::next_frame).
    pub fn next_new(&mut self) -> Result<Option<&[u8]>, WorkerError> {
        Ok(self.buffer.next_frame()?)
    }

    /// Changes the cap for the frames to come.
    pub fn set_cap(&mut self, cap: u64) {
        self.buffer.set_cap(cap);
    }

    /// Keeps work for the run loop.
    pub fn keep(&mut self, frame: Vec<u8>) {
        self.kept.push_back(frame);
    }
}

fn timespec(nanoseconds: u64) -> Timespec {
    let (seconds, rest) = (nanoseconds / 1_000_000_000, nanoseconds % 1_000_000_000);
    Timespec { tv_sec: i64::try_from(seconds).unwrap_or(i64::MAX), tv_nsec: i64::try_from(rest).unwrap_or(0) }
}

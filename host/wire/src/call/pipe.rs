//! Calls on an end of a pipe (`wit/pipe.wit`).

use serde::{Deserialize, Serialize};

use super::{Bytes, Timeout};

/// Which end of a pipe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum End {
    /// The one that receives if the pipe is not duplex.
    First,
    /// The one that sends if the pipe is not duplex.
    Second,
}

impl End {
    /// The end that it is joined to.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::First => Self::Second,
            Self::Second => Self::First,
        }
    }
}

/// What a guest asks of its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum PipeCall<'a> {
    /// Send a message to the other end; waits for room.
    Send {
        /// What to send.
        #[serde(borrow)]
        message: Bytes<'a>,
        /// How long to wait.
        timeout: Timeout,
    },
    /// Take the next message; waits for one.
    Recv {
        /// How long to wait.
        timeout: Timeout,
    },
    /// Whether a receive would not wait; waits until that is so or the time is over.
    Poll {
        /// How long to wait.
        timeout: Timeout,
    },
    /// Close this end.
    Close,
}

/// A pipe's answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum PipeReply<'a> {
    /// It is done: send, close.
    Done,
    /// To recv.
    Message(#[serde(borrow)] Bytes<'a>),
    /// To poll.
    Ready(bool),
}

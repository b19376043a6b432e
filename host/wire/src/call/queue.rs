//! Calls on a queue (`wit/queue.wit`).

use serde::{Deserialize, Serialize};

use super::{Batch, Bytes, LeaseId, Timeout};

/// What a guest asks of a queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum QueueCall<'a> {
    /// Add a message; waits for room.
    Put {
        /// What to add.
        #[serde(borrow)]
        message: Bytes<'a>,
        /// How long to wait.
        timeout: Timeout,
    },
    /// Add all of these, next to each other, or none; waits for room for all.
    PutMany {
        /// What to add, in order.
        #[serde(borrow)]
        messages: Batch<Bytes<'a>>,
        /// How long to wait.
        timeout: Timeout,
    },
    /// Take a message for good; waits for one.
    Get {
        /// How long to wait.
        timeout: Timeout,
    },
    /// Take at least one message and at most `limit`; waits for the first only.
    GetMany {
        /// The most to take; not 0.
        limit: u32,
        /// How long to wait.
        timeout: Timeout,
    },
    /// Take a message under a lease; waits for one.
    Receive {
        /// How long the lease lasts, in nanoseconds from the delivery.
        lease: u64,
        /// How long to wait.
        timeout: Timeout,
    },
    /// The message of this lease is done.
    Ack {
        /// Which lease.
        lease: LeaseId,
    },
    /// Give the message back, to be delivered again after `delay` nanoseconds.
    Nack {
        /// Which lease.
        lease: LeaseId,
        /// How long nobody is given it.
        delay: u64,
    },
    /// Let the lease end so many nanoseconds from now.
    Extend {
        /// Which lease.
        lease: LeaseId,
        /// Its new length from now.
        by: u64,
    },
    /// The message can't be handled: put it aside.
    Reject {
        /// Which lease.
        lease: LeaseId,
    },
    /// How many messages are where.
    Counts,
    /// No more puts.
    Close,
    /// Wait until nothing waits, nothing is under a lease and nothing is delayed.
    Join {
        /// How long to wait.
        timeout: Timeout,
    },
    /// Take messages that were put aside, oldest first.
    TakeRejected {
        /// The most to take.
        limit: u32,
    },
}

impl QueueCall<'_> {
    /// The right that the handle must carry for this; none for looking.
    #[must_use]
    pub fn needs(&self) -> QueueRights {
        match self {
            Self::Put { .. } | Self::PutMany { .. } | Self::Close => QueueRights { get: false, put: true },
            Self::Get { .. }
            | Self::GetMany { .. }
            | Self::Receive { .. }
            | Self::Ack { .. }
            | Self::Nack { .. }
            | Self::Extend { .. }
            | Self::Reject { .. }
            | Self::TakeRejected { .. } => QueueRights { get: true, put: false },
            Self::Counts | Self::Join { .. } => QueueRights { get: false, put: false },
        }
    }
}

/// What a handle of a queue allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueRights {
    /// Take messages and answer for them.
    pub get: bool,
    /// Add messages and close.
    pub put: bool,
}

impl QueueRights {
    /// What the one who made the queue may do.
    pub const ALL: Self = Self { get: true, put: true };

    /// Whether these rights include those.
    #[must_use]
    pub fn include(self, needed: Self) -> bool {
        (self.get || !needed.get) && (self.put || !needed.put)
    }

    /// What both allow: a handle can be narrowed and never widened.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self { get: self.get && other.get, put: self.put && other.put }
    }
}

/// How many messages are where.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueCounts {
    /// Ready to be taken.
    pub waiting: u32,
    /// Taken and not answered for.
    pub leased: u32,
    /// Given back, not ready before a moment to come.
    pub delayed: u32,
    /// Put aside and kept.
    pub rejected: u32,
    /// Put aside and dropped, because no more are kept.
    pub dropped: u64,
}

/// A message that was put aside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejected<'a> {
    /// The message.
    #[serde(borrow)]
    pub message: Bytes<'a>,
    /// How often it was delivered.
    pub attempts: u32,
}

/// A queue's answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum QueueReply<'a> {
    /// It is done: put, put-many, ack, nack, extend, reject, close, join.
    Done,
    /// To get.
    Message(#[serde(borrow)] Bytes<'a>),
    /// To get-many.
    Messages(#[serde(borrow)] Vec<Bytes<'a>>),
    /// To receive.
    Delivery {
        /// What to answer for.
        lease: LeaseId,
        /// 1 for the message's first delivery.
        attempt: u32,
        /// The message.
        #[serde(borrow)]
        message: Bytes<'a>,
    },
    /// To counts.
    Counts(QueueCounts),
    /// To take-rejected.
    Rejected(#[serde(borrow)] Vec<Rejected<'a>>),
}

//! What an answer may lend beside what was asked for, so that the next calls need no answer of their own.
//!
//! The failure that this prevents: a stream of short messages that pays for a question and an answer with each. A loan changes nothing of what
//! is true: room that is lent is nobody else's, and messages that are lent are the next ones. What a task did not use is taken back as
//! soon as anybody could tell the difference, and with its end.

use serde::{Deserialize, Serialize};

use super::{Batch, Bytes};

/// Lent with the answer to a put, a send, a get or a receive, for the next calls of that kind on that handle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Loan<'a> {
    /// Room: so many messages will go in, of so many bytes together.
    Room {
        /// How many.
        messages: u32,
        /// Their bytes.
        bytes: u32,
    },
    /// The messages that come next.
    Messages(#[serde(borrow)] Batch<Bytes<'a>>),
}

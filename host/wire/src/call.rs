//! What a guest asks of the broker, and what it is answered.
//!
//! ```text
//! guest          worker                               broker
//!   |  queue.get  |  (CallId, ObjectId, QueueCall)      |
//!   | ----------> | ----------------------------------> |  at once, or parked until it can be answered
//!   | <---------- | <---------------------------------- |
//!                    (CallId, Result<QueueReply, CallError>)
//! ```
//!
//! One pair of enums per primitive, so that the one who handles a queue's calls matches a queue's calls and nothing else. What `wit/`
//! says of a function is said there; here stands only how it travels.
//!
//! The failure that this prevents: a call that is answered twice, or for somebody else. The answer carries the [`CallId`] that the
//! worker chose, which means something on that worker's connection only; who asks ([`Holder`]) is not in any message, because the
//! supervisor knows which attempt runs at the other end of a socket and would believe nothing else.
//!
//! Payload is borrowed from the frame on arrival ([`Bytes`]); lists that a worker sends have a cap that is checked while they
//! are decoded ([`Batch`]), because an element can take fifty times more memory than frame.

use serde::{Deserialize, Serialize};

pub mod batch;
pub mod bytes;
pub mod create;
pub mod error;
pub mod ids;
pub mod pipe;
pub mod queue;
pub mod shared_map;
pub mod sync;

pub use batch::{BATCH_ITEMS, Batch};
pub use bytes::Bytes;
pub use create::{BarrierOptions, LockOptions, PipeOptions, QueueOptions, SemaphoreKind, SemaphoreOptions};
pub use error::CallError;
pub use ids::{CallId, Holder, LeaseId, ObjectId};
pub use pipe::{End, PipeCall, PipeReply};
pub use queue::{QueueCall, QueueCounts, QueueReply, QueueRights, Rejected};
pub use shared_map::{MapCall, MapChange, MapEntry, MapItem, MapReply, MapRights, Swap, Update};
pub use sync::{Acquired, BarrierCall, BarrierReply, ConditionCall, EventCall, EventReply, LockCall, LockReply};
pub use sync::{SemaphoreCall, SemaphoreReply};

/// How long a call may wait, in nanoseconds: `None` for ever, `Some(0)` not at all.
pub type Timeout = Option<u64>;

/// One side of what can be waited for with others (`waiting.wait-any`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Interest {
    /// A queue's get or a pipe's receive would not wait; an event is set.
    In,
    /// A queue's put would not wait.
    Out,
}

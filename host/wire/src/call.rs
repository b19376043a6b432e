//! What a guest asks of the broker, and what it is answered.
//!
//! ```text
//! guest          worker                               broker
//!   |  queue.get  |  (CallId, Call::Queue(HandleId, ..)) |
//!   | ----------> | ----------------------------------> |  at once, or parked until it can be answered
//!   | <---------- | <---------------------------------- |
//!                    (CallId, Result<Reply, CallError>)
//! ```
//!
//! [`Call`] and [`Reply`] hold one pair of enums per primitive, so that the one who handles a queue's calls matches a queue's calls and nothing else. What `wit/`
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
pub mod invocation;
pub mod loan;
pub mod message;
pub mod pipe;
pub mod pool;
pub mod process;
pub mod queue;
pub mod shared_map;
pub mod sync;
pub mod value;

pub use self::bytes::{Bytes, SharedBytes};
pub use batch::{BATCH_ITEMS, Batch};
pub use create::{BarrierOptions, LockOptions, PipeOptions, QueueOptions, SemaphoreKind, SemaphoreOptions};
pub use error::CallError;
pub use ids::{CallId, HandleId, Holder, LeaseId, ObjectId, TaskId};
pub use invocation::{Argument, CheckedArgument, HandleKind, Invocation, RunArgument};
pub use loan::Loan;
pub use message::{Call, Create, Identity, Level, Reply, Tell};
pub use pipe::{End, PipeCall, PipeReply};
pub use pool::{FutureCall, Mapped, MappingCall, PoolCall, PoolReply, PoolSettings};
pub use process::{ProcessCall, ProcessOptions, ProcessReply};
pub use queue::{QueueCall, QueueCounts, QueueReply, QueueRights, Rejected};
pub use shared_map::{MapCall, MapChange, MapEntry, MapItem, MapReply, MapRights, Swap, Update};
pub use sync::{Acquired, BarrierCall, BarrierReply, ConditionCall, EventCall, EventReply, LockCall, LockReply};
pub use sync::{SemaphoreCall, SemaphoreReply};
pub use value::{Ended, TaskState, TaskValue};

/// How long a call may wait, in nanoseconds: `None` for ever, `Some(0)` not at all.
pub type Timeout = Option<u64>;

/// One side of what can be waited for with others (`waiting.wait-any`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Interest {
    /// A queue's get, a pipe's receive or a mapping's next would not wait; an event is set; a process or a future's task has ended.
    In,
    /// A queue's put would not wait.
    Out,
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use std::fmt::Debug;

    use super::*;
    use crate::codec::decode;

    /// Comes back as it went, and neither cut short nor with any one byte changed does it do worse than fail.
    fn travels<'a, M: Serialize + Deserialize<'a> + PartialEq + Debug>(message: &M) {
        let bytes: &'a [u8] = postcard::to_stdvec(message).unwrap().leak();
        assert_eq!(decode::<M>(bytes).as_ref(), Ok(message));
        for at in 0..bytes.len() {
            assert!(decode::<M>(&bytes[..at]).is_err(), "{message:?} cut at {at}");
            for value in [0, 1, 0x7f, 0x80, 0xff] {
                let mut changed = bytes.to_vec();
                changed[at] = value;
                drop(decode::<M>(changed.leak()));
            }
        }
    }

    #[test]
    fn calls_come_as_they_went() {
        travels(&QueueCall::Put { message: b"m".into(), timeout: Some(u64::MAX) });
        travels(&QueueCall::PutMany { messages: Batch(vec![b"a".into(), b"".into()]), timeout: None });
        travels(&QueueCall::Receive { lease: 5, timeout: Some(0) });
        travels(&QueueCall::Nack { lease: LeaseId(300), delay: 1 });
        travels(&PipeCall::Send { message: b"m".into(), timeout: None });
        travels(&MapCall::Set { key: "k", value: b"v".into(), expires_in: Some(9) });
        travels(&MapCall::GetMany { keys: Batch(vec!["a", "\u{e9}"]) });
        travels(&MapCall::SetMany { entries: Batch(vec![("a", b"1".into())]) });
        travels(&MapCall::Items { prefix: "p", cursor: Some("p1"), limit: 3 });
        let changes = vec![MapChange::Set("a", b"1".into()), MapChange::Remove("b"), MapChange::Check("c", Some(2))];
        travels(&MapCall::UpdateMany { changes: Batch(changes) });
        travels(&MapCall::Increment { key: "n", by: i64::MIN });
        travels(&LockCall::Acquire { timeout: None });
        travels(&ConditionCall::Notify { count: Some(1) });
        travels(&SemaphoreCall::Release { permits: 2 });
        travels(&EventCall::Wait { timeout: None });
        travels(&BarrierCall::Wait { timeout: Some(1) });
    }

    #[test]
    fn answers_come_as_they_went() {
        let entry = MapEntry { value: b"v".into(), version: 7 };
        travels(&QueueReply::Delivery { lease: LeaseId(1), attempt: 2, message: b"m".into() });
        travels(&QueueReply::Messages(vec![b"a".into(), b"b".into()]));
        travels(&QueueReply::Rejected(vec![Rejected { message: b"r".into(), attempts: 3 }]));
        travels(&QueueReply::Counts(QueueCounts { waiting: 1, dropped: 2, ..QueueCounts::default() }));
        travels(&PipeReply::Message(b"m".into()));
        travels(&MapReply::Entries(vec![None, Some(entry.clone())]));
        travels(&MapReply::Swap(Swap::Stale(Some(entry.clone()))));
        travels(&MapReply::Items { items: vec![MapItem { key: "k".into(), entry }], next: Some("k".into()) });
        travels(&LockReply::Woken { notified: true, acquired: Acquired::Abandoned });
        travels(&Err::<SemaphoreReply, _>(CallError::Quota("x".into())));
    }

    #[test]
    fn rights_are_only_ever_narrowed() {
        let get = QueueRights { get: true, put: false };
        assert_eq!(get.and(QueueRights::ALL), get);
        assert!(QueueRights::ALL.include(get) && !get.include(QueueRights::ALL));
        let read = MapRights { read: true, write: false };
        assert_eq!(read.and(MapRights::ALL), read);
        assert!(read.include(MapCall::Len.needs()) && !read.include(MapCall::Clear.needs()));
    }
}

//! Numbers of calls and of what they are made on.

use serde::{Deserialize, Serialize};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $word:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(pub u64);

        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                write!(f, concat!($word, " {}"), self.0)
            }
        }
    };
}

id!(
    /// One call of a guest, from its request to its answer. Within the broker it is unique among all calls that are under way; whoever
    /// feeds the broker translates the number that a worker chose.
    CallId,
    "call"
);
id!(
    /// A queue, an end of a pipe, a map, a lock. Never used again after the object's end.
    ObjectId,
    "object"
);
id!(
    /// A guest's handle. It means something on its worker's connection and for the attempt that was given it, and is never used again
    /// there: guessing one gives nothing of anybody else's.
    HandleId,
    "handle"
);
id!(
    /// A task that a guest started, or that asked who it is: the number that people see. The same in all attempts.
    TaskId,
    "task"
);
id!(
    /// The attempt that makes a call and owns what it takes: locks, leases, permits, ends of pipes. It dies with its worker and is
    /// never used again, so that a later attempt of the same task inherits nothing by accident.
    Holder,
    "attempt"
);
id!(
    /// A message that was taken from a queue and not answered for yet. Each delivery has a new number: a late answer for an
    /// earlier delivery of the same message means nothing.
    LeaseId,
    "lease"
);

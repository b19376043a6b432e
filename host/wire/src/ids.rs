//! Numbers that must not be mixed up.

use serde::{Deserialize, Serialize};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident($inner:ty), $word:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(pub $inner);

        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                write!(f, concat!($word, " {}"), self.0)
            }
        }
    };
}

id!(
    /// A worker of one pool; never used again after the worker's end, so that late words of a dead one are told apart.
    WorkerId(u64),
    "worker"
);
id!(
    /// Tasks that travel together, with one attempt number. A repeated attempt is a new chunk: the id is the fencing number
    /// by which a late result of an old attempt is known.
    ChunkId(u64),
    "chunk"
);
id!(
    /// All tasks of one submission or one map.
    JobId(u64),
    "job"
);
id!(
    /// How many tasks were given to a worker before this one. A task that was taken back keeps its turn for itself, so none comes twice.
    Turn(u64),
    "turn"
);
id!(
    /// A task's place in [`Interface::tasks`](crate::types::Interface).
    TaskIndex(u16),
    "task"
);

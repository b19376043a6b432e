//! What an object is made with. A `name` is for people only: it is shown where somebody waits on the object.

use serde::{Deserialize, Serialize};

/// For a new queue.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueOptions {
    /// The most messages that it holds, those under a lease included; `None`: the host's limit.
    pub capacity: Option<u32>,
    /// How often a message is delivered under a lease before it is rejected; `None`: the host's default.
    pub max_attempts: Option<u32>,
    /// For people.
    pub name: Option<String>,
}

/// For a new pipe.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PipeOptions {
    /// Whether both ends send; else the second sends and the first receives.
    pub duplex: bool,
    /// For people.
    pub name: Option<String>,
}

/// For a new lock.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockOptions {
    /// Whether its owner may acquire it again.
    pub reentrant: bool,
    /// For people.
    pub name: Option<String>,
}

/// Who may release a semaphore's permits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum SemaphoreKind {
    /// Permits are lent: only those who acquired them give them back, and death gives them back too.
    #[default]
    Owned,
    /// A counter: anybody may add to it, and death changes nothing.
    Counting,
}

/// For a new semaphore.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SemaphoreOptions {
    /// How many permits there are at first.
    pub permits: u32,
    /// Who may release them.
    pub kind: SemaphoreKind,
    /// For people.
    pub name: Option<String>,
}

/// For a new barrier.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BarrierOptions {
    /// How many have to arrive; at least one.
    pub parties: u32,
    /// For people.
    pub name: Option<String>,
}

//! Calls on locks, conditions, semaphores, events and barriers (`wit/sync.wit`).

use serde::{Deserialize, Serialize};

use super::Timeout;

/// How a lock came to its new owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Acquired {
    /// The last owner released it.
    Clean,
    /// The last owner ended while it held it: what the lock guards may be half done.
    Abandoned,
}

/// What a guest asks of a lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum LockCall {
    /// Own it; waits for that.
    Acquire {
        /// How long to wait.
        timeout: Timeout,
    },
    /// Give it to the next one.
    Release,
}

/// What a guest asks of a condition. It is kept with its lock, and answered as the lock is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ConditionCall {
    /// Release the lock, wait to be notified, own the lock again.
    Wait {
        /// How long to wait to be notified; owning the lock again may take longer.
        timeout: Timeout,
    },
    /// Let the first `count` of those who wait go on.
    Notify {
        /// How many; `None`: all.
        count: Option<u32>,
    },
}

/// A lock's answer, and a condition's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum LockReply {
    /// To acquire.
    Acquired(Acquired),
    /// To release.
    Released,
    /// To a condition's wait; the caller owns the lock.
    Woken {
        /// Whether somebody notified; else the time was over.
        notified: bool,
        /// How the lock came back.
        acquired: Acquired,
    },
    /// To notify: how many were let go on.
    Notified(u32),
}

/// What a guest asks of a semaphore.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum SemaphoreCall {
    /// Take permits, all at once; waits for them.
    Acquire {
        /// How many; not 0.
        permits: u32,
        /// How long to wait.
        timeout: Timeout,
    },
    /// Give permits.
    Release {
        /// How many; not 0.
        permits: u32,
    },
    /// How many could be taken now.
    Available,
}

/// A semaphore's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SemaphoreReply {
    /// It is done: acquire, release.
    Done,
    /// To available.
    Available(u32),
}

/// What a guest asks of an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum EventCall {
    /// Set it; all who wait go on.
    Set,
    /// Unset it.
    Clear,
    /// Whether it is set.
    IsSet,
    /// Wait until it is set.
    Wait {
        /// How long to wait.
        timeout: Timeout,
    },
}

/// An event's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum EventReply {
    /// It is done: set, clear, wait.
    Done,
    /// To is-set.
    IsSet(bool),
}

/// What a guest asks of a barrier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum BarrierCall {
    /// Arrive; waits until all have.
    Wait {
        /// How long to wait.
        timeout: Timeout,
    },
    /// Break it for those who wait, and make it whole for those who come.
    Reset,
}

/// A barrier's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum BarrierReply {
    /// To wait: all have arrived; 0 for the one who arrived first.
    Arrived(u32),
    /// To reset.
    Done,
}

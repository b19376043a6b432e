//! Locks, semaphores, events, conditions and barriers.
//!
//! They are lent to other tasks as arguments, by reference. The host knows who holds what: what a task holds when it ends, however it
//! ends, goes to the next one who waits for it. Each has a constructor `named`, with a name for people that is shown where somebody
//! waits on it.

mod barrier;
mod condition;
mod event;
mod lock;
mod semaphore;

pub use barrier::Barrier;
pub use condition::Condition;
pub use event::Event;
pub use lock::{Lock, LockGuard, RLock};
pub use semaphore::{Permits, Semaphore};

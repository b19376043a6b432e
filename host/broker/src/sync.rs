//! Locks, conditions, semaphores, events and barriers.
//!
//! The failure that this prevents: a lock that nobody can ever acquire because the process that held it was killed. Every lock and every permit
//! has an owner, an attempt, and its death is an event here like any other: what it held goes to the next in line, who is told
//! that it was abandoned; a barrier that it waited at is broken for all.
//!
//! Whoever came first is served first, everywhere. Nobody is woken to try again: what a call waits for is handed to it, so there is no race to lose.
//!
//! A condition is kept inside its lock ([`Lock::condition_call`]), because one call on it takes part in both lines.

mod barrier;
mod condition;
mod event;
mod lock;
mod semaphore;

pub use barrier::Barrier;
pub use event::Event;
pub use lock::Lock;
pub use semaphore::Semaphore;

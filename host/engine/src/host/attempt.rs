//! Which attempt runs, and which handles are its own.
//!
//! The supervisor forgets all handles of an attempt when its outcome arrives. So a handle tells that it is dropped only while its own
//! attempt runs: taking an instance apart after its task must not send a thousand frames that nobody needs, and with
//! [`Isolation::Reuse`](taskcell_wire::Isolation) what a task left in a global means nothing to the next one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use taskcell_wire::CallError;
use taskcell_wire::call::{Call, HandleId, Tell};

use super::Fault;
use crate::port::{Answer, Port, PortError};
use crate::state::{Stop, StopReason};

/// The attempts of one guest, one after the other, and the way to the broker. Only the thread that runs the guest writes here.
pub(crate) struct Attempts {
    port: Arc<dyn Port>,
    stop: Arc<dyn Stop>,
    /// Goes up when one begins and when it ends, so it is odd while one runs.
    number: AtomicU64,
    /// Whether the guest looks after its own cancellation: it asked whether it is to stop, or was told so in a call.
    is_polite: AtomicBool,
}

impl std::fmt::Debug for Attempts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Attempts").field("number", &self.number).field("is_polite", &self.is_polite).finish_non_exhaustive()
    }
}

impl Attempts {
    pub(crate) fn new(port: Arc<dyn Port>, stop: Arc<dyn Stop>) -> Self {
        Self { port, stop, number: AtomicU64::new(0), is_polite: AtomicBool::new(false) }
    }

    /// An attempt runs from now on.
    pub(crate) fn begin(&self) {
        self.number.store(self.number() | 1, Ordering::Relaxed);
        self.is_polite.store(false, Ordering::Relaxed);
    }

    /// No attempt runs any more. Doing it again does nothing.
    pub(crate) fn end(&self) {
        let number = self.number();
        self.number.store(number.wrapping_add(number & 1), Ordering::Relaxed);
    }

    /// The number of the attempt that runs; of none, if it is even.
    pub(crate) fn number(&self) -> u64 {
        self.number.load(Ordering::Relaxed)
    }

    /// Whether the guest is to be stopped now. One that looks after its own cancellation ends by itself, or is killed after its grace
    /// by those who asked; one whose time is over has no such choice.
    pub(crate) fn has_to_stop(&self) -> Option<StopReason> {
        match self.stop.reason() {
            Some(StopReason::Cancelled) if self.is_polite.load(Ordering::Relaxed) => None,
            reason => reason,
        }
    }

    /// Whether the guest is to stop. One that asks will ask again, and must not be stopped in between.
    pub(super) fn is_cancelled(&self) -> bool {
        self.is_polite.store(true, Ordering::Relaxed);
        self.stop.is_asked()
    }

    /// Makes a call. Only a task can: a start function that runs before any task is told so and may go on.
    pub(crate) fn call(&self, call: &Call<'_>, answer: &mut dyn FnMut(Answer<'_>)) -> Result<(), PortError> {
        if self.number() & 1 == 0 {
            answer(Err(CallError::Other("no task runs yet, and only a task can make calls".into())));
            return Ok(());
        }
        self.port.call(call, &mut |answered| {
            if matches!(answered, Err(CallError::Cancelled)) {
                self.is_polite.store(true, Ordering::Relaxed);
            }
            answer(answered);
        })
    }

    /// Tells something, if a task runs.
    pub(super) fn tell(&self, tell: &Tell<'_>) {
        if self.number() & 1 == 1 {
            self.port.tell(tell);
        }
    }
}

/// A handle of the broker's, which is given back when nothing here refers to it any more.
#[derive(Debug)]
pub(crate) struct Held {
    id: HandleId,
    /// The number of its attempt.
    attempt: u64,
    /// Whether it went away with an invocation, and is somebody else's.
    is_given: AtomicBool,
    attempts: Arc<Attempts>,
}

impl Held {
    /// A handle that the running attempt was given.
    pub(super) fn new(id: HandleId, attempts: &Arc<Attempts>) -> Self {
        Self { id, attempt: attempts.number(), is_given: AtomicBool::new(false), attempts: Arc::clone(attempts) }
    }

    /// Its number, for a call.
    ///
    /// # Errors
    /// It is another attempt's, or was given away: nobody knows it any more.
    pub(super) fn id(&self) -> Result<HandleId, Fault> {
        if self.is_gone() {
            return Err(
                CallError::Invalid("the handle was given away, or is from an earlier task of this instance".into()).into()
            );
        }
        Ok(self.id)
    }

    /// Whether the broker knows it no longer by this number.
    pub(super) fn is_gone(&self) -> bool {
        self.attempt != self.attempts.number() || self.is_given.load(Ordering::Relaxed)
    }

    /// It went away with an invocation.
    pub(super) fn give(&self) {
        self.is_given.store(true, Ordering::Relaxed);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if !self.is_gone() {
            self.attempts.tell(&Tell::Drop(self.id));
        }
    }
}

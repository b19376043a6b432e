//! The way from a guest's call to the broker, as the engine sees it.
//!
//! A guest that calls a primitive stands still until the call is answered, and so does the thread that runs it: there is one task
//! at a time, and nothing else for that thread to do. What stands behind this is the worker's socket, which the engine knows nothing of.

use taskcell_wire::CallError;
use taskcell_wire::call::{Call, Reply, Tell};

use crate::state::StopReason;

/// What a call ended with, as it is lent to the one who made it.
pub type Answer<'a> = Result<Reply<'a>, CallError>;

/// Why a call has no answer at all. The guest does not go on then.
#[derive(Debug, thiserror::Error)]
pub enum PortError {
    /// The task is to stop.
    #[error("the task was stopped in a call")]
    Stopped(StopReason),
    /// There is nobody to ask: the supervisor is gone, or what it sent was not understood.
    #[error("{0}")]
    Gone(String),
}

/// Where a guest's calls go.
pub trait Port: Send + Sync {
    /// Makes a call and waits for its answer, which is lent to `answer`.
    ///
    /// A call that is longer than a message may be is answered with [`CallError::Quota`] and goes nowhere.
    ///
    /// # Errors
    /// [`PortError`]; `answer` was not called then.
    fn call(&self, call: &Call<'_>, answer: &mut dyn FnMut(Answer<'_>)) -> Result<(), PortError>;

    /// Tells something that has no answer. It leaves with the next call or the task's outcome, or soon.
    fn tell(&self, tell: &Tell<'_>);
}

/// For a guest that makes no calls, and for tests: nobody is there.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoPort;

impl Port for NoPort {
    fn call(&self, _: &Call<'_>, _: &mut dyn FnMut(Answer<'_>)) -> Result<(), PortError> {
        Err(PortError::Gone("nobody answers calls here".into()))
    }

    fn tell(&self, _: &Tell<'_>) {}
}

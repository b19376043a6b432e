//! Errors, values and outcomes between the wire's words and WIT's: the same cases under the same names, one to one.

use taskcell_wire::CallError;
use taskcell_wire::call::{Ended, TaskState, TaskValue};

use super::interfaces::types::{Error, Host, Outcome, State, Value};
use super::{Fault, View};

impl Host for View<'_> {
    fn convert_error(&mut self, fault: Fault) -> wasmtime::Result<Error> {
        let error = match fault {
            Fault::Answered(error) => error,
            Fault::Trap(error) => return Err(error),
        };
        Ok(match error {
            CallError::TimedOut => Error::TimedOut,
            CallError::Closed => Error::Closed,
            CallError::Cancelled => Error::Cancelled,
            CallError::Denied => Error::Denied,
            CallError::Lapsed => Error::Lapsed,
            CallError::Broken => Error::Broken,
            CallError::Quota(text) => Error::Quota(text),
            CallError::Deadlock(text) => Error::Deadlock(text),
            CallError::Invalid(text) => Error::Invalid(text),
            CallError::NotFound(text) => Error::NotFound(text),
            CallError::Other(text) => Error::Other(text),
        })
    }
}

/// A guest's value, as it travels.
pub(super) fn value_to_wire(value: &Value) -> TaskValue<'_> {
    match value {
        Value::None => TaskValue::None,
        Value::Json(text) => TaskValue::Json(text.as_bytes().into()),
        Value::Bytes(bytes) => TaskValue::Bytes(bytes.as_slice().into()),
    }
}

/// How many bytes it holds.
pub(super) fn value_len(value: &Value) -> usize {
    match value {
        Value::None => 0,
        Value::Json(text) => text.len(),
        Value::Bytes(bytes) => bytes.len(),
    }
}

/// `None` for JSON that is no text.
fn value(value: TaskValue<'_>) -> Option<Value> {
    Some(match value {
        TaskValue::None => Value::None,
        TaskValue::Json(json) => Value::Json(std::str::from_utf8(&json).ok()?.to_owned()),
        TaskValue::Bytes(bytes) => Value::Bytes(bytes.to_vec()),
    })
}

/// How a task ended; `None` if its value is none.
pub(super) fn outcome(ended: Ended<'_>) -> Option<Outcome> {
    Some(match ended {
        Ended::Ok(of) => Outcome::Ok(value(of)?),
        Ended::Failed(of) => Outcome::Failed(value(of)?),
        Ended::Trapped(text) => Outcome::Trapped(text),
        Ended::TimedOut => Outcome::TimedOut,
        Ended::OverLimit(text) => Outcome::OverLimit(text),
        Ended::Cancelled => Outcome::Cancelled,
        Ended::Lost(text) => Outcome::Lost(text),
    })
}

pub(super) fn state(state: TaskState) -> State {
    match state {
        TaskState::Ready => State::Ready,
        TaskState::Running => State::Running,
        TaskState::Waiting(on) => State::Waiting(on),
        TaskState::Ended => State::Ended,
    }
}

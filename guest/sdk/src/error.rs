//! Why a call failed, and how a task did.

use crate::bindings::taskcell::host::types;
use crate::value::{FromValue, Value};

/// The library's [`Result`](std::result::Result).
pub type Result<T = (), E = Error> = std::result::Result<T, E>;

/// Why a call has no other answer. Unless a function says otherwise, a call that fails has changed nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The timeout passed before the call could be answered.
    #[error("the time was over before the call could be answered")]
    TimedOut,
    /// The object was closed, by a call or because the one at its other end is gone, and what it held was taken.
    #[error("closed")]
    Closed,
    /// This task was asked to stop while the call waited.
    #[error("this task was asked to stop")]
    Cancelled,
    /// The handle does not carry the right to do this, or it was given away.
    #[error("the handle does not allow this")]
    Denied,
    /// The lease of this delivery ended before this answer to it. Somebody else may have the message by now.
    #[error("the lease is over")]
    Lapsed,
    /// Another party of the barrier ended, was cancelled or gave up.
    #[error("the barrier is broken")]
    Broken,
    /// A limit of the host was reached.
    #[error("a limit was reached: {0}")]
    Quota(String),
    /// The wait could not end: every task that could end it waits itself.
    #[error("the wait can't end: {0}")]
    Deadlock(String),
    /// The call makes no sense as it was made.
    #[error("{0}")]
    Invalid(String),
    /// There is no task or module of this name.
    #[error("{0}")]
    NotFound(String),
    /// A value could not be written as JSON, or what came is not the JSON of the type that was asked for.
    #[error("{0}")]
    Conversion(String),
    /// A task that this one waited for did not return a result.
    #[error(transparent)]
    Task(Box<TaskError>),
    /// Anything that has no case of its own.
    #[error("{0}")]
    Other(String),
}

/// Why there is no result of a task.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TaskError {
    /// It returned the error case of its result. [`TaskError::failure`] reads the value.
    #[error("the task failed: {0}")]
    Failed(Value),
    /// The guest trapped; a panic is a trap.
    #[error("the task trapped: {0}")]
    Trapped(String),
    /// It was over its own time limit.
    #[error("the task was over its time limit")]
    TimedOut,
    /// It was over another limit: memory, fuel, the length of its result.
    #[error("the task was over a limit: {0}")]
    OverLimit(String),
    /// It was asked to stop, or was never started because its pool was shut down.
    #[error("the task was cancelled")]
    Cancelled,
    /// Its worker process ended under it in each of its attempts.
    #[error("the task's worker process ended: {0}")]
    Lost(String),
    /// The call that waited for it failed, or its result is not of the type that was asked for.
    #[error(transparent)]
    Call(Error),
}

impl TaskError {
    /// The value with which the task failed, as a `T`; `None` if it ended in another way, or the value is no `T`.
    pub fn failure<T: FromValue>(&self) -> Option<T> {
        match self {
            Self::Failed(value) => T::from_value(value.clone()).ok(),
            _ => None,
        }
    }
}

impl From<TaskError> for Error {
    fn from(error: TaskError) -> Self {
        match error {
            TaskError::Call(error) => error,
            other => Self::Task(Box::new(other)),
        }
    }
}

impl From<Error> for TaskError {
    fn from(error: Error) -> Self {
        match error {
            Error::Task(error) => *error,
            other => Self::Call(other),
        }
    }
}

impl From<types::Error> for Error {
    fn from(error: types::Error) -> Self {
        match error {
            types::Error::TimedOut => Self::TimedOut,
            types::Error::Closed => Self::Closed,
            types::Error::Cancelled => Self::Cancelled,
            types::Error::Denied => Self::Denied,
            types::Error::Lapsed => Self::Lapsed,
            types::Error::Broken => Self::Broken,
            types::Error::Quota(text) => Self::Quota(text),
            types::Error::Deadlock(text) => Self::Deadlock(text),
            types::Error::Invalid(text) => Self::Invalid(text),
            types::Error::NotFound(text) => Self::NotFound(text),
            types::Error::Other(text) => Self::Other(text),
        }
    }
}

impl From<types::Error> for TaskError {
    fn from(error: types::Error) -> Self {
        Self::Call(error.into())
    }
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Self::Conversion(error.to_string())
    }
}

/// The result of a task that ended.
pub(crate) fn result_of<T: FromValue>(outcome: types::Outcome) -> Result<T, TaskError> {
    match outcome {
        types::Outcome::Ok(value) => Ok(T::from_value(value.into())?),
        types::Outcome::Failed(value) => Err(TaskError::Failed(value.into())),
        types::Outcome::Trapped(text) => Err(TaskError::Trapped(text)),
        types::Outcome::TimedOut => Err(TaskError::TimedOut),
        types::Outcome::OverLimit(text) => Err(TaskError::OverLimit(text)),
        types::Outcome::Cancelled => Err(TaskError::Cancelled),
        types::Outcome::Lost(text) => Err(TaskError::Lost(text)),
    }
}

/// What a call with a timeout of zero says, when it would have to wait, is `None`.
pub(crate) fn tried<T>(answer: Result<T, types::Error>) -> Result<Option<T>> {
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(types::Error::TimedOut) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_has_the_type_that_was_asked_for() {
        assert_eq!(result_of::<u32>(types::Outcome::Ok(types::Value::Json("7".to_owned()))), Ok(7));
        assert_eq!(result_of::<()>(types::Outcome::Ok(types::Value::None)), Ok(()));
        let wrong = result_of::<u32>(types::Outcome::Ok(types::Value::Json("\"x\"".to_owned())));
        assert!(matches!(wrong, Err(TaskError::Call(Error::Conversion(_)))), "{wrong:?}");
    }

    #[test]
    fn a_failure_keeps_its_value() {
        let outcome = types::Outcome::Failed(types::Value::Json(r#""no such file""#.to_owned()));
        let Err(error) = result_of::<u32>(outcome) else { panic!("it failed") };
        assert_eq!(error.failure(), Some("no such file".to_owned()));
        assert_eq!(error.failure::<u32>(), None);
        assert_eq!(error.to_string(), r#"the task failed: "no such file""#);
        assert_eq!(TaskError::TimedOut.failure::<String>(), None);
    }

    #[test]
    fn errors_go_from_one_kind_to_the_other_and_back() {
        assert_eq!(Error::from(TaskError::from(Error::Closed)), Error::Closed);
        let lost = TaskError::Lost("signal 9".to_owned());
        assert_eq!(TaskError::from(Error::from(lost.clone())), lost);
        assert_eq!(Error::from(lost).to_string(), "the task's worker process ended: signal 9");
    }

    #[test]
    fn trying_is_no_failure() {
        assert_eq!(tried(Ok(1)), Ok(Some(1)));
        assert_eq!(tried::<u8>(Err(types::Error::TimedOut)), Ok(None));
        assert_eq!(tried::<u8>(Err(types::Error::Closed)), Err(Error::Closed));
    }
}

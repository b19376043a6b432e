//! One task's result, later.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use taskcell_wire::JobId;

use crate::delivery::Block;
use crate::error::TaskError;
use crate::lead::{Request, Shared};
use crate::sink::Sink;
use crate::written::Written;

/// How the task ended: a block of it alone, or why there is none.
type Ended = Result<Block, TaskError>;

/// Turns a result's bytes into what the caller asked for.
pub(crate) type Decode<T> = fn(&[u8]) -> Result<T, TaskError>;

pub(crate) fn from_json<T: DeserializeOwned>(json: &[u8]) -> Result<T, TaskError> {
    serde_json::from_slice(json).map_err(|error| TaskError::Decode { text: error.to_string() })
}

pub(crate) fn bytes(bytes: &[u8]) -> Result<Vec<u8>, TaskError> {
    Ok(bytes.to_vec())
}

/// The result of a submitted task. Dropping it cancels the task.
#[derive(Debug)]
pub struct Future<T> {
    shared: Arc<Shared>,
    job: JobId,
    sink: Sink,
    decode: Decode<T>,
    ended: Option<Ended>,
    what: PhantomData<fn() -> T>,
}

impl<T> Future<T> {
    pub(crate) fn new(shared: Arc<Shared>, job: JobId, sink: Sink, decode: Decode<T>) -> Self {
        Self { shared, job, sink, decode, ended: None, what: PhantomData }
    }

    /// Waits for the end of the task, and gives its result.
    ///
    /// # Errors
    /// [`TaskError`]: how the task ended instead, or [`TaskError::Decode`].
    pub fn result(mut self) -> Result<T, TaskError> {
        match self.wait(None) {
            Some(result) => result,
            // Without a bound the wait ends with the task or the pool.
            None => Err(TaskError::Stopped { text: "the pool is gone".into() }),
        }
    }

    /// Like [`result`](Self::result), but waits at most `timeout`; `None` if the task has not ended by then. Zero looks
    /// without waiting.
    pub fn wait(&mut self, timeout: Option<Duration>) -> Option<Result<T, TaskError>> {
        if self.ended.is_none() {
            let deadline = timeout.map(|timeout| Instant::now() + timeout);
            let sink = &self.sink;
            self.ended = self.shared.wait(deadline, |_| take(sink));
        }
        match self.ended.as_ref()? {
            Err(error) => Some(Err(error.clone())),
            Ok(block) => {
                let mut result = None;
                block.each(|end| result = Some(end.result.and_then(self.decode)));
                result
            }
        }
    }

    /// What the command that ended wrote; nothing the second time.
    pub(crate) fn take_written(&mut self) -> Written {
        let block = self.ended.as_mut().and_then(|ended| ended.as_mut().ok());
        block.and_then(Block::take_written).unwrap_or_default()
    }

    /// Whether the task has ended.
    pub fn is_done(&mut self) -> bool {
        if self.ended.is_none() {
            self.ended = take(&self.sink);
        }
        self.ended.is_some()
    }

    /// Cancels the task: one that waits never runs, one that runs is stopped. The end then is [`TaskError::Cancelled`], unless the
    /// task was faster.
    pub fn cancel(&self) {
        self.shared.request(Request::Cancel(self.job));
    }
}

fn take(sink: &Sink) -> Option<Ended> {
    sink.pop().transpose()
}

impl<T> Drop for Future<T> {
    fn drop(&mut self) {
        self.shared.request(Request::Close(self.job));
    }
}

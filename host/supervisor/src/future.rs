//! One task's result, later.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use taskcell_wire::JobId;

use crate::error::TaskError;
use crate::lead::{Request, Shared};
use crate::sink::Sink;
use crate::written::Written;

/// How the task ended, and what it wrote if it was a command.
#[derive(Debug)]
struct Ended {
    result: Result<Vec<u8>, TaskError>,
    written: Written,
}

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
        let ended = self.ended.as_ref()?;
        Some(ended.result.as_ref().map_err(Clone::clone).and_then(|bytes| (self.decode)(bytes)))
    }

    /// What the command that ended wrote; nothing the second time.
    pub(crate) fn take_written(&mut self) -> Written {
        self.ended.as_mut().map(|ended| std::mem::take(&mut ended.written)).unwrap_or_default()
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
    match sink.pop() {
        Err(error) => Some(Ended { result: Err(error), written: Written::default() }),
        Ok(None) => None,
        Ok(Some(block)) => {
            let mut ended = None;
            block.each(|end| {
                let written = end.written.cloned().unwrap_or_default();
                ended = Some(Ended { result: end.result.map(<[u8]>::to_vec), written });
            });
            ended
        }
    }
}

impl<T> Drop for Future<T> {
    fn drop(&mut self) {
        self.shared.request(Request::Close(self.job));
    }
}

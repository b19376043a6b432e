//! Tasks that were submitted.

use std::marker::PhantomData;
use std::time::Duration;

use crate::bindings::nanoseconds;
use crate::bindings::taskcell::host::pool as raw;
use crate::error::{Result, TaskError, result_of};
use crate::task::State;
use crate::value::FromValue;
use crate::waiting::{Waitable, wait_any};

/// A task that was submitted to a pool. Dropping it does not cancel the task; its result is dropped.
#[derive(Debug)]
#[must_use = "the result of the task is dropped with its future"]
pub struct Future<T> {
    raw: raw::TaskFuture,
    result: PhantomData<fn() -> T>,
}

impl<T> Future<T> {
    /// The host's number for the task, never used again.
    pub fn id(&self) -> u64 {
        self.raw.id()
    }

    /// What the task is doing now.
    pub fn state(&self) -> State {
        self.raw.state().into()
    }

    /// Whether it has ended.
    pub fn is_done(&self) -> bool {
        self.state() == State::Ended
    }

    /// Cancels the task, also if it runs. True if it had not ended. Does not wait.
    pub fn cancel(&self) -> bool {
        self.raw.cancel()
    }

    /// Ready when it has ended.
    pub fn ready(&self) -> Waitable {
        self.raw.ready().into()
    }
}

impl<T: FromValue> Future<T> {
    /// Waits until the task has ended, after its last attempt, and gives its result. Any number of times.
    ///
    /// # Errors
    /// As [`Process::join`](crate::Process::join).
    pub fn result(&self) -> Result<T, TaskError> {
        result_of(self.raw.result(None)?)
    }

    /// The same, for so long.
    ///
    /// # Errors
    /// As [`Process::join_timeout`](crate::Process::join_timeout).
    pub fn result_timeout(&self, timeout: Duration) -> Result<T, TaskError> {
        result_of(self.raw.result(Some(nanoseconds(timeout)))?)
    }
}

impl<T> From<raw::TaskFuture> for Future<T> {
    fn from(raw: raw::TaskFuture) -> Self {
        Self { raw, result: PhantomData }
    }
}

/// The futures in the order in which their tasks end; at most 1024 at once.
///
/// ```no_run
/// # fn main() -> taskcell_guest::Result {
/// # use taskcell_guest::{Pool, pool::as_completed};
/// # let pool = Pool::new()?;
/// let futures = [pool.submit::<u64>("fib", (30,))?, pool.submit("fib", (20,))?];
/// for future in as_completed(futures) {
///     println!("{}", future?.result()?);
/// }
/// # Ok(())
/// # }
/// ```
pub fn as_completed<T>(futures: impl IntoIterator<Item = Future<T>>) -> AsCompleted<T> {
    let waiting = futures.into_iter().map(|future| (future.ready(), future)).collect();
    AsCompleted { waiting, ended: Vec::new() }
}

/// See [`as_completed`].
#[derive(Debug)]
pub struct AsCompleted<T> {
    waiting: Vec<(Waitable, Future<T>)>,
    /// Those that ended and were not given, the next one last.
    ended: Vec<Future<T>>,
}

impl<T> Iterator for AsCompleted<T> {
    type Item = Result<Future<T>>;

    fn next(&mut self) -> Option<Result<Future<T>>> {
        if self.ended.is_empty() && !self.waiting.is_empty() {
            match wait_any(self.waiting.iter().map(|(ready, _)| ready)) {
                // From the last, so that the places of the others stay as they are.
                Ok(places) => self.ended = places.into_iter().rev().map(|place| self.waiting.remove(place).1).collect(),
                Err(error) => {
                    self.waiting.clear();
                    return Some(Err(error));
                }
            }
        }
        self.ended.pop().map(Ok)
    }
}

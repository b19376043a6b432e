//! Streams of calls, as iterators.

use std::marker::PhantomData;

use super::feed::{Feed, Stream};
use crate::bindings::taskcell::host::{pool as raw, types};
use crate::error::{Error, Result, TaskError, result_of};
use crate::value::{FromValue, ToValue};

/// The results of a task that is called for each value of an iterator; see [`Pool::imap`](super::Pool::imap) and
/// [`Pool::imap_unordered`](super::Pool::imap_unordered).
///
/// A task that fails is an item, and the others go on. After [`TaskError::Call`], which is no task's failure, there are no more. Dropping
/// it cancels what has not ended.
#[derive(Debug)]
#[must_use = "tasks start when results are asked for"]
pub struct Imap<'a, T, I> {
    feed: Feed<raw::Mapping, I>,
    /// A mapping ends with its pool.
    pool: PhantomData<&'a super::Pool>,
    results: PhantomData<fn() -> T>,
}

impl<T, I> Imap<'_, T, I> {
    pub(super) fn new(mapping: raw::Mapping, values: I) -> Self {
        Self { feed: Feed::new(mapping, values), pool: PhantomData, results: PhantomData }
    }
}

impl<'a, T: FromValue + 'a, I: Iterator<Item: ToValue> + 'a> Imap<'a, T, I> {
    /// The results with the places of their values among all values, from 0.
    pub fn indexed(mut self) -> impl Iterator<Item = (u64, Result<T, TaskError>)> + use<'a, T, I> {
        let mut last = 0;
        std::iter::from_fn(move || {
            Some(match self.feed.next()? {
                Ok(mapped) => {
                    last = mapped.index;
                    (mapped.index, result_of(mapped.outcome))
                }
                Err(error) => (last, Err(error.into())),
            })
        })
    }
}

impl<T: FromValue, I: Iterator<Item: ToValue>> Iterator for Imap<'_, T, I> {
    type Item = Result<T, TaskError>;

    fn next(&mut self) -> Option<Result<T, TaskError>> {
        let mapped = self.feed.next()?.map_err(TaskError::from);
        Some(mapped.and_then(|mapped| result_of(mapped.outcome)))
    }
}

impl Stream for raw::Mapping {
    fn push(&mut self, values: &[types::Value], timeout: Option<u64>) -> Result<usize> {
        // More than there are can't have been added.
        Ok(usize::try_from(raw::Mapping::push(self, values, timeout)?).map_or(values.len(), |count| count.min(values.len())))
    }

    fn finish(&mut self) {
        raw::Mapping::finish(self);
    }

    fn next(&mut self, limit: u32) -> Result<Vec<raw::Mapped>, Error> {
        Ok(raw::Mapping::next(self, limit, None)?)
    }
}

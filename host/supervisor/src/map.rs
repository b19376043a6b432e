//! `map` for programs: values in, values out, through serde.

use std::collections::VecDeque;

use serde::Serialize;
use taskcell_wire::ItemWriter;

use crate::error::TaskError;
use crate::future::Decode;
use crate::mapping::{Mapping, Next, Source, Supply};

/// A [`Source`] over an iterator of values.
#[derive(Debug)]
pub(crate) struct Values<I> {
    values: I,
    json: Vec<u8>,
    /// The longest input in bytes.
    most: usize,
}

impl<I> Values<I> {
    pub(crate) fn new(values: I, most: usize) -> Self {
        Self { values, json: Vec::new(), most }
    }
}

impl<I: Iterator<Item: Serialize>> Source for Values<I> {
    fn supply(&mut self, items: &mut ItemWriter, tasks: u32, bytes: usize) -> Supply {
        while items.count() < tasks && items.bytes().len() < bytes {
            let Some(value) = self.values.next() else { return Supply::End };
            self.json.clear();
            if let Err(error) = serde_json::to_writer(&mut self.json, &value) {
                return Supply::Bad(format!("it can't be written as JSON: {error}"));
            }
            if self.json.len() > self.most {
                return Supply::Bad(format!("it is longer than {} bytes", self.most));
            }
            items.push(&self.json);
        }
        Supply::More
    }
}

/// Results of a map, in the order of the inputs (or as they come): each the value, or how its task ended instead.
///
/// Lazy: inputs are taken from the given iterator as workers can use them. Dropping it cancels what has not ended.
#[derive(Debug)]
pub struct Map<I, T> {
    mapping: Mapping<Values<I>>,
    decode: Decode<T>,
    ready: VecDeque<Result<T, TaskError>>,
    done: bool,
}

impl<I, T> Map<I, T> {
    pub(crate) fn new(mapping: Mapping<Values<I>>, decode: Decode<T>) -> Self {
        Self { mapping, decode, ready: VecDeque::new(), done: false }
    }
}

impl<I: Iterator<Item: Serialize>, T> Iterator for Map<I, T> {
    type Item = Result<T, TaskError>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.ready.is_empty() && !self.done {
            match self.mapping.next(None) {
                Next::Block(block) => block.each(|end| self.ready.push_back(end.result.and_then(self.decode))),
                Next::End => self.done = true,
                Next::Timeout => {}
                Next::Stopped(text) => {
                    self.done = true;
                    self.ready.push_back(Err(TaskError::Stopped { text }));
                }
            }
        }
        self.ready.pop_front()
    }
}

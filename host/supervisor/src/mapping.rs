//! One function over many inputs, in blocks: what `map` is made of.
//!
//! Inputs are pulled from a [`Source`] when workers can use them, never before, and results are held back until they are taken. So
//! memory is bounded by a window, however many inputs there are and however slow the reader is.

use std::sync::Arc;
use std::time::{Duration, Instant};

use taskcell_broker::{Chunk, Reorder};
use taskcell_wire::limits::{CHUNK_BYTES, CHUNK_TASKS};
use taskcell_wire::{ItemWriter, JobId, TaskIndex};

use crate::delivery::Block;
use crate::dispatcher::Dispatcher;
use crate::error::TaskError;
use crate::lead::{Request, Shared};
use crate::sink::Sink;

/// Results that wait to be taken, and tasks under way, together: the most tasks and the most bytes of results.
const WINDOW_TASKS: u64 = 1 << 20;
const WINDOW_BYTES: usize = 64 << 20;
/// Chunks under way beside those that workers have.
const WINDOW_CHUNKS: usize = 4096;

/// What a [`Source`] says after it was asked for inputs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Supply {
    /// There may be more at once.
    More,
    /// There is nothing now; the source rings a [`Bell`] when there is.
    Later,
    /// After those that were added comes one that can't be used, and why: its task ends as [`TaskError::Invalid`] without running.
    Bad(String),
    /// There will be no more.
    End,
}

/// Where a mapping's inputs come from.
pub trait Source {
    /// Adds at most `tasks` inputs to `items`; fewer when about `bytes` bytes are reached. Should not wait for long: results are
    /// not handed on meanwhile.
    fn supply(&mut self, items: &mut ItemWriter, tasks: u32, bytes: usize) -> Supply;
}

/// Wakes a mapping whose source had nothing.
#[derive(Debug, Clone)]
pub struct Bell(Arc<Shared>);

impl Bell {
    pub(crate) fn of(shared: &Arc<Shared>) -> Self {
        Self(Arc::clone(shared))
    }

    /// There are inputs, or there will be no more.
    pub fn ring(&self) {
        self.0.ring();
    }
}

/// How tasks of a mapping are grouped and ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MappingOptions {
    /// Results in the order of their inputs.
    pub ordered: bool,
    /// How many tasks a worker takes at once; `None`: one. None of them runs elsewhere once the first has begun, so a number over 1 is for those
    /// that should share what one worker has. How many travel together is another matter, and follows from their run time.
    pub chunk: Option<u32>,
}

/// A function over many inputs, under way.
#[derive(Debug)]
pub struct Mapping<S> {
    shared: Arc<Shared>,
    job: JobId,
    sink: Sink,
    task: TaskIndex,
    source: S,
    options: MappingOptions,
    order: Reorder<Block>,
    supply: Supply,
    submitted: u64,
    /// Tasks that ended badly, whether taken or not.
    failures: u64,
    /// Tasks whose ends were taken.
    taken: u64,
    waiting_bytes: usize,
}

/// What a wait for a block gave.
#[derive(Debug)]
pub enum Next {
    /// The next block.
    Block(Block),
    /// Every task's end was taken.
    End,
    /// Nothing within the time.
    Timeout,
    /// The pool stopped; why.
    Stopped(String),
}

impl<S: Source> Mapping<S> {
    pub(crate) fn new(shared: Arc<Shared>, job: JobId, sink: Sink, task: TaskIndex, source: S, options: MappingOptions) -> Self {
        Self {
            shared,
            job,
            sink,
            task,
            source,
            options,
            order: Reorder::default(),
            supply: Supply::More,
            submitted: 0,
            failures: 0,
            taken: 0,
            waiting_bytes: 0,
        }
    }

    /// What the source rings when it has inputs again.
    #[must_use]
    pub fn bell(&self) -> Bell {
        Bell(Arc::clone(&self.shared))
    }

    /// The source.
    pub fn source(&mut self) -> &mut S {
        &mut self.source
    }

    /// How many inputs were submitted so far.
    #[must_use]
    pub fn submitted(&self) -> u64 {
        self.submitted
    }

    /// How many tasks ended badly so far, those included whose ends wait for an earlier one's. Cancelled ones do not count.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.failures
    }

    /// The next block of ends, in order if asked for; waits for it, feeding the workers meanwhile.
    pub fn next(&mut self, timeout: Option<Duration>) -> Next {
        let deadline = timeout.map(|timeout| Instant::now() + timeout);
        let shared = Arc::clone(&self.shared);
        shared.wait(deadline, |dispatcher| self.step(dispatcher)).unwrap_or(Next::Timeout)
    }

    /// Cancels what has not ended; the ends that are still to come are [`TaskError::Cancelled`]. Takes no more inputs.
    pub fn cancel(&mut self) {
        self.supply = Supply::End;
        self.shared.request(Request::Cancel(self.job));
    }

    /// Takes no more inputs; what was submitted goes on.
    pub fn finish(&mut self) {
        self.supply = Supply::End;
    }

    /// Takes no more inputs and starts nothing more; what runs goes on. Tasks that were not started end as
    /// [`TaskError::Cancelled`].
    pub fn drain(&mut self) {
        self.supply = Supply::End;
        self.shared.request(Request::Drain(self.job));
    }

    fn step(&mut self, dispatcher: &mut Dispatcher) -> Option<Next> {
        let stopped = loop {
            match self.sink.pop() {
                Ok(Some(block)) => self.take_in(block),
                Ok(None) => break None,
                Err(error) => break Some(error),
            }
        };
        self.feed(dispatcher);
        let block = if self.options.ordered { self.order.pop() } else { self.order.pop_any() };
        if let Some(block) = block {
            self.waiting_bytes = self.waiting_bytes.saturating_sub(block.bytes());
            self.taken += u64::from(block.count);
            return Some(Next::Block(block));
        }
        match stopped {
            Some(TaskError::Stopped { text }) => Some(Next::Stopped(text)),
            Some(other) => Some(Next::Stopped(other.to_string())),
            None if self.supply == Supply::End && self.taken >= self.submitted => Some(Next::End),
            None => None,
        }
    }

    fn take_in(&mut self, block: Block) {
        self.failures += u64::from(block.failures);
        self.waiting_bytes += block.bytes();
        self.order.push(block.first, block.count, block);
    }

    /// Gives the dispatcher chunks while it wants them, the source has inputs and the window is open.
    fn feed(&mut self, dispatcher: &mut Dispatcher) {
        if self.supply == Supply::Later {
            self.supply = Supply::More;
        }
        while self.supply == Supply::More && dispatcher.wants_more() && self.is_open() {
            let tasks = dispatcher.chunk_tasks(self.task).max(self.options.chunk.unwrap_or(1));
            let mut items = ItemWriter::default();
            self.supply = self.source.supply(&mut items, tasks.clamp(1, CHUNK_TASKS), CHUNK_BYTES);
            let (items, count) = items.into_parts();
            if count > 0 {
                let first = self.submitted;
                self.submitted += u64::from(count);
                dispatcher.submit(Chunk {
                    job: self.job,
                    first,
                    count,
                    items: items.into(),
                    history: Vec::new(),
                    start_by: None,
                });
            }
            if let Supply::Bad(why) = &mut self.supply {
                let text = std::mem::take(why);
                self.supply = Supply::More;
                self.take_in(Block::untried(self.submitted, 1, TaskError::Invalid { text }));
                self.submitted += 1;
            }
        }
        dispatcher.flush();
    }

    fn is_open(&self) -> bool {
        self.submitted - self.taken < WINDOW_TASKS && self.waiting_bytes < WINDOW_BYTES && self.order.waiting() < WINDOW_CHUNKS
    }
}

impl<S> Drop for Mapping<S> {
    fn drop(&mut self) {
        self.shared.request(Request::Close(self.job));
    }
}

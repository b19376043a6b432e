//! Where a job's ends go: a place that the dispatcher fills and the one who waits empties.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::delivery::Block;
use crate::error::TaskError;

/// Blocks that came and were not taken, and why no more will come.
#[derive(Debug, Default)]
struct State {
    blocks: VecDeque<Block>,
    bytes: usize,
    failed: Option<String>,
}

/// Shared by the dispatcher and one consumer.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sink(Arc<Mutex<State>>);

impl Sink {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that holds the lock can panic halfway through a change.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn push(&self, block: Block) {
        let mut state = self.lock();
        state.bytes += block.bytes();
        state.blocks.push_back(block);
    }

    /// No more blocks will come.
    pub(crate) fn fail(&self, why: &str) {
        self.lock().failed.get_or_insert_with(|| why.to_owned());
    }

    /// The oldest block, or why there is none and never will be.
    pub(crate) fn pop(&self) -> Result<Option<Block>, TaskError> {
        let mut state = self.lock();
        match state.blocks.pop_front() {
            Some(block) => {
                state.bytes = state.bytes.saturating_sub(block.bytes());
                Ok(Some(block))
            }
            None => match &state.failed {
                Some(why) => Err(TaskError::Stopped { text: why.clone() }),
                None => Ok(None),
            },
        }
    }
}

//! What the dispatcher hands to those who wait.

use std::sync::Arc;

use taskcell_broker::Attempt;
use taskcell_wire::{Outcome, OutcomeReader, Stream};

use crate::error::TaskError;

/// The end of consecutive tasks of a job.
#[derive(Debug, Clone)]
pub struct Block {
    /// The first task's place in the job.
    pub first: u64,
    /// How many tasks.
    pub count: u32,
    ended: Ended,
}

#[derive(Debug, Clone)]
enum Ended {
    /// Their outcomes as the worker wrote them, checked; `attempts` of each.
    Outcomes { bytes: Vec<u8>, attempts: u32 },
    /// All ended in the same way, without outcomes.
    Alike { error: Arc<TaskError>, attempts: u32 },
}

/// How one task ended.
#[derive(Debug)]
pub struct TaskEnd<'a> {
    /// The task's place in its job.
    pub index: u64,
    /// The result's bytes, or the error.
    pub result: Result<&'a [u8], TaskError>,
    /// How many attempts it took.
    pub attempts: u32,
    /// The run time of the last attempt in nanoseconds; 0 if it was not measured.
    pub nanoseconds: u64,
}

impl Block {
    pub(crate) fn outcomes(first: u64, count: u32, bytes: Vec<u8>, attempts: u32) -> Self {
        Self { first, count, ended: Ended::Outcomes { bytes, attempts } }
    }

    pub(crate) fn alike(first: u64, count: u32, error: TaskError, attempts: u32) -> Self {
        Self { first, count, ended: Ended::Alike { error: Arc::new(error), attempts } }
    }

    pub(crate) fn lost(index: u64, history: &[Attempt]) -> Self {
        let attempts = u32::try_from(history.len()).unwrap_or(u32::MAX);
        Self::alike(index, 1, TaskError::lost(history), attempts)
    }

    /// The bytes that the block holds, about.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match &self.ended {
            Ended::Outcomes { bytes, .. } => bytes.len(),
            Ended::Alike { .. } => 0,
        }
    }

    /// Each task's end, in order.
    pub fn each(&self, mut each: impl FnMut(TaskEnd<'_>)) {
        match &self.ended {
            Ended::Outcomes { bytes, attempts } => {
                for (index, outcome) in (self.first..).zip(OutcomeReader::new(bytes)) {
                    // Checked when it arrived.
                    let (nanoseconds, outcome) = outcome.unwrap_or((0, Outcome::Cancelled));
                    each(TaskEnd { index, result: TaskError::of(&outcome), attempts: *attempts, nanoseconds });
                }
            }
            Ended::Alike { error, attempts } => {
                for index in (self.first..).take(self.count as usize) {
                    each(TaskEnd { index, result: Err((**error).clone()), attempts: *attempts, nanoseconds: 0 });
                }
            }
        }
    }
}

/// Something a guest printed.
#[derive(Debug)]
pub struct Printed<'a> {
    /// The task's place in its job.
    pub index: u64,
    /// Where it printed.
    pub stream: Stream,
    /// What; any bytes, cut anywhere.
    pub bytes: &'a [u8],
}

/// Told of everything that guests print, in the dispatcher's thread: it should be quick.
pub(crate) type OnPrinted = Box<dyn FnMut(Printed<'_>) + Send>;

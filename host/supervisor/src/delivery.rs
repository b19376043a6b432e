//! What the dispatcher hands to those who wait.

use std::sync::Arc;

use taskcell_broker::{Attempt, Finished};
use taskcell_wire::call::{Level, SharedBytes, TaskId};
use taskcell_wire::{Outcome, OutcomeReader, Stream};

use crate::error::TaskError;
use crate::written::Written;

/// The end of consecutive tasks of a job.
#[derive(Debug, Clone)]
pub struct Block {
    /// The first task's place in the job.
    pub first: u64,
    /// How many tasks.
    pub count: u32,
    /// How many of them ended badly; those that were cancelled are not among them.
    pub failures: u32,
    ended: Ended,
    /// Every attempt that failed, of each of the tasks; empty unless there is one task.
    failed: Vec<Attempt>,
    /// Attempts of each task.
    attempts: u32,
    /// What a command wrote, if there is one task and it was one.
    written: Option<Box<Written>>,
}

#[derive(Debug, Clone)]
enum Ended {
    /// Their outcomes as the worker wrote them, checked.
    Outcomes(SharedBytes),
    /// All ended in the same way, without outcomes.
    Alike(Arc<TaskError>),
}

/// How one task ended.
#[derive(Debug)]
pub struct TaskEnd<'a> {
    /// The task's place in its job.
    pub index: u64,
    /// The result's bytes, or the error.
    pub result: Result<&'a [u8], TaskError>,
    /// How many attempts it took; 0 if it was never tried.
    pub attempts: u32,
    /// The attempts that failed, in order. The last one of a task that failed for good is among them only if it has no outcome of its
    /// own: its worker died, or it had to be killed.
    pub failed: &'a [Attempt],
    /// The run time of the last attempt in nanoseconds; 0 if it was not measured.
    pub nanoseconds: u64,
    /// What it wrote, if it was a command that ran.
    pub written: Option<&'a Written>,
}

impl Block {
    /// Tasks that told their outcomes.
    pub(crate) fn outcomes(finished: Finished) -> Self {
        let Finished { job: _, first, count, failures, outcomes, history } = finished;
        let attempts = count_of(&history).saturating_add(1);
        Self { first, count, failures, ended: Ended::Outcomes(outcomes), failed: history, attempts, written: None }
    }

    /// Tasks that were never tried.
    pub(crate) fn untried(first: u64, count: u32, error: TaskError) -> Self {
        let failures = if error == TaskError::Cancelled { 0 } else { count };
        Self { first, count, failures, ended: Ended::Alike(Arc::new(error)), failed: Vec::new(), attempts: 0, written: None }
    }

    /// A task that never told an outcome.
    pub(crate) fn lost(index: u64, history: Vec<Attempt>) -> Self {
        let error = Arc::new(TaskError::lost(&history));
        let attempts = count_of(&history);
        Self { first: index, count: 1, failures: 1, ended: Ended::Alike(error), attempts, failed: history, written: None }
    }

    /// The same, of one command, which wrote this.
    pub(crate) fn with(self, written: Written) -> Self {
        Self { written: Some(Box::new(written)), ..self }
    }

    /// What a command wrote, if it was not taken yet.
    pub(crate) fn take_written(&mut self) -> Option<Written> {
        self.written.take().map(|written| *written)
    }

    /// The bytes that the block holds, about.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let outcomes = match &self.ended {
            Ended::Outcomes(bytes) => bytes.len(),
            Ended::Alike(_) => 0,
        };
        self.written.as_ref().map_or(0, |written| written.bytes()).saturating_add(outcomes)
    }

    /// Each task's end, in order.
    pub fn each(&self, mut each: impl FnMut(TaskEnd<'_>)) {
        let (attempts, failed, written) = (self.attempts, self.failed.as_slice(), self.written.as_deref());
        match &self.ended {
            Ended::Outcomes(bytes) => {
                for (index, outcome) in (self.first..).zip(OutcomeReader::new(bytes)) {
                    // Checked when it arrived.
                    let (nanoseconds, outcome) = outcome.unwrap_or((0, Outcome::Cancelled));
                    each(TaskEnd { index, result: TaskError::of(&outcome), attempts, failed, nanoseconds, written });
                }
            }
            Ended::Alike(error) => {
                for index in (self.first..).take(self.count as usize) {
                    each(TaskEnd { index, result: Err((**error).clone()), attempts, failed, nanoseconds: 0, written });
                }
            }
        }
    }
}

fn count_of(history: &[Attempt]) -> u32 {
    u32::try_from(history.len()).unwrap_or(u32::MAX)
}

/// Something a guest printed.
#[derive(Debug)]
pub struct Printed<'a> {
    /// The task's place in its job.
    pub index: u64,
    /// The task's number, if it was started by another task.
    pub task: Option<TaskId>,
    /// Where it printed.
    pub stream: Stream,
    /// What; any bytes, cut anywhere.
    pub bytes: &'a [u8],
}

/// Told of everything that guests print, in the dispatcher's thread: it should be quick.
pub(crate) type OnPrinted = Box<dyn FnMut(Printed<'_>) + Send>;

/// A line of a task's own log.
#[derive(Debug)]
pub struct Logged<'a> {
    /// Which task.
    pub task: TaskId,
    /// How much it matters.
    pub level: Level,
    /// The line, as hostile as the guest.
    pub text: &'a str,
}

/// Told of every line that guests log, in the dispatcher's thread: it should be quick.
pub(crate) type OnLogged = Box<dyn FnMut(Logged<'_>) + Send>;

/// Told of every deadlock that nobody is answered for, for people, in the dispatcher's thread.
pub(crate) type OnDeadlocked = Box<dyn FnMut(&str) + Send>;

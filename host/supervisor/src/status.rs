//! What tasks are doing, for people who look.

use std::time::Duration;

use taskcell_broker::{Now, TaskView};
use taskcell_wire::TaskId;
use taskcell_wire::call::TaskState;

/// A task that has not ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskStatus {
    /// Its number, never used again in this job.
    pub id: TaskId,
    /// Its name, or its export's. Chosen by a guest: print it with care.
    pub name: String,
    /// The task that started it; `None` if the command line or an embedding program did.
    pub parent: Option<TaskId>,
    /// The module that it is of; empty for the first component.
    pub module: String,
    /// What it is doing, and what it waits on.
    pub state: TaskState,
    /// The process that runs it.
    pub pid: Option<u32>,
    /// How long it has waited for a worker, or how long ago it was given to one.
    pub since: Duration,
    /// Which attempt this is, from 1.
    pub attempt: u32,
    /// How far it is, if it told.
    pub progress: Option<TaskProgress>,
}

/// How far a task is, in its own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskProgress {
    /// So much is done.
    pub done: u64,
    /// Of so much.
    pub total: Option<u64>,
    /// For people; as hostile as the guest.
    pub note: String,
}

impl TaskStatus {
    pub(crate) fn of(view: TaskView, now: Now) -> Self {
        let progress =
            view.progress.map(|progress| TaskProgress { done: progress.done, total: progress.total, note: progress.note });
        Self {
            id: view.id,
            name: view.name,
            parent: view.parent,
            module: view.module,
            state: view.state,
            pid: view.pid,
            since: Duration::from_nanos(now.since(view.since).0),
            attempt: view.attempt,
            progress,
        }
    }
}

//! What guests print: kept until a line or a task ends, then shown or put into the task's record.
//!
//! The bytes are hostile: they are never written to a terminal as they are, and what is kept of one task is capped here too, since a
//! worker that was taken over could send without end.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use taskcell::{Printed, Stream};

use crate::args::GuestOutput;
use crate::output;
use crate::progress::Progress;

/// What one task printed and was not shown yet.
#[derive(Debug, Default)]
pub(crate) struct Captured {
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
}

impl Captured {
    fn of(&mut self, stream: Stream) -> &mut Vec<u8> {
        match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        }
    }
}

/// Shared by the dispatcher, which fills it, and the command, which empties it.
#[derive(Debug, Clone)]
pub(crate) struct Captures {
    tasks: Arc<Mutex<BTreeMap<u64, Captured>>>,
    mode: GuestOutput,
    /// Bytes kept of one stream of one task.
    most: usize,
    progress: Progress,
}

impl Captures {
    pub(crate) fn new(mode: GuestOutput, most: u64, progress: Progress) -> Self {
        // The worker's own mark for "cut here" comes on top of its limit.
        let most = usize::try_from(most).unwrap_or(usize::MAX).saturating_add(256);
        Self { tasks: Arc::default(), mode, most, progress }
    }

    /// Takes what a task printed.
    pub(crate) fn take(&self, printed: &Printed<'_>) {
        // What a task of a task prints belongs to no record, and nobody tells when it ends.
        if let Some(task) = printed.task {
            return self.show(&format!("task started {}", task.0), printed.bytes);
        }
        let mut tasks = self.lock();
        let captured = tasks.entry(printed.index).or_default().of(printed.stream);
        let room = self.most.saturating_sub(captured.len());
        captured.extend(printed.bytes.iter().take(room));
        if self.mode == GuestOutput::Inherit
            && let Some(end) = captured.iter().rposition(|byte| *byte == b'\n')
        {
            let lines: Vec<u8> = captured.drain(..=end).collect();
            drop(tasks);
            self.show(&format!("task {}", printed.index), &lines);
        }
    }

    /// The task ended: shows the rest of what it printed, or gives it for the record.
    pub(crate) fn ended(&self, index: u64) -> Option<Captured> {
        let captured = self.lock().remove(&index)?;
        match self.mode {
            GuestOutput::Record => Some(captured),
            GuestOutput::Drop => None,
            GuestOutput::Inherit => {
                self.show(&format!("task {index}"), &captured.stdout);
                self.show(&format!("task {index}"), &captured.stderr);
                None
            }
        }
    }

    fn show(&self, who: &str, text: &[u8]) {
        if text.is_empty() {
            return;
        }
        self.progress.aside(|| {
            for line in String::from_utf8_lossy(text).lines() {
                output::note(&format!("[{who}] {line}"));
            }
        });
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Captured>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

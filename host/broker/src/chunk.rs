//! Tasks that travel together.
//!
//! A chunk is consecutive tasks of one job. Chunking is a matter of transport: it is decided here, undone here when a worker
//! dies in the middle of one, and never seen in an error. A task that failed in a way that is tried again travels alone.

use taskcell_wire::call::SharedBytes;
use taskcell_wire::{ItemReader, JobId};

use crate::time::{Duration, Now};

/// Why an attempt ended without a result of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// The worker process ended under it; how, in the supervisor's words.
    Death(String),
    /// It ran longer than allowed.
    Timeout,
    /// The guest trapped or ran into a limit.
    Trap,
    /// The task returned an error.
    Error,
}

/// One attempt that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The worker's process id, 0 if unknown.
    pub pid: u32,
    /// Why.
    pub cause: Cause,
    /// How long it ran, as far as known.
    pub ran: Duration,
}

/// Consecutive tasks of one job, with their inputs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// Whose tasks.
    pub job: JobId,
    /// The first task's place in the job.
    pub first: u64,
    /// How many.
    pub count: u32,
    /// Their inputs, as [`ItemWriter`](taskcell_wire::ItemWriter) writes them.
    pub items: SharedBytes,
    /// Attempts of the (only) task that failed before; empty for a chunk that was not tried yet.
    pub history: Vec<Attempt>,
    /// When it has to be with a worker, if it waits for its first attempt and may not do so for ever. Set by the pool.
    pub start_by: Option<Now>,
}

impl Chunk {
    /// The tasks `from..to` of this chunk, as a chunk of its own without history; `None` if there is none.
    #[must_use]
    pub fn part(&self, from: u32, to: u32) -> Option<Self> {
        let to = to.min(self.count);
        if from >= to {
            return None;
        }
        let mut reader = ItemReader::new(&self.items);
        let mut end_of = |count: u32| {
            (0..count).for_each(|_| {
                reader.next();
            });
            self.items.len() - reader.rest().len()
        };
        let (start, end) = (end_of(from), end_of(to - from));
        let first = self.first.saturating_add(u64::from(from));
        let items = self.items.slice(start..end);
        Some(Self { job: self.job, first, count: to - from, items, history: Vec::new(), start_by: self.start_by })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use taskcell_wire::ItemWriter;

    use super::*;

    fn chunk(inputs: &[&[u8]]) -> Chunk {
        let mut items = ItemWriter::default();
        inputs.iter().for_each(|input| items.push(input));
        let (items, count) = items.into_parts();
        Chunk { job: JobId(1), first: 10, count, items: items.into(), history: Vec::new(), start_by: None }
    }

    #[test]
    fn a_part_keeps_places_and_inputs() {
        let whole = chunk(&[b"a", b"bb", b"ccc", b"dddd"]);
        let part = whole.part(1, 3).unwrap();
        assert_eq!((part.first, part.count), (11, 2));
        assert_eq!(part, Chunk { first: 11, ..chunk(&[b"bb", b"ccc"]) });
    }

    #[test]
    fn an_empty_part_is_none() {
        let whole = chunk(&[b"a"]);
        assert_eq!(whole.part(1, 9), None);
        assert_eq!(whole.part(0, 0), None);
    }
}

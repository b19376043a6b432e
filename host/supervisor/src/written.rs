//! What a command writes, from its worker to the end of its task.
//!
//! It comes piece by piece before the outcome, so that a command that traps, runs over its time or takes its worker with it has still said
//! what it said. A worker runs one task at a time and an honest one sends each outcome of a command before the next one prints: so of
//! each worker one task's output is held here, capped by the limits, whatever a worker that was taken over sends.

use taskcell_broker::Violation;
use taskcell_wire::{ChunkId, JobId, Limits, Stream};

/// What a worker adds to say that it cut, in bytes.
pub(crate) const PRINT_MARK: u64 = 256;

/// What a command wrote, in its last attempt. Any bytes, as hostile as the guest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Written {
    /// To its standard output; at most [`Limits::result_bytes`]. All of it if the command ended by itself.
    pub stdout: Vec<u8>,
    /// To its standard error; at most [`Limits::log_bytes`], the rest is cut with a mark.
    pub stderr: Vec<u8>,
}

impl Written {
    pub(crate) fn bytes(&self) -> usize {
        self.stdout.len().saturating_add(self.stderr.len())
    }
}

/// What one worker's running command wrote so far.
#[derive(Debug)]
pub(crate) struct Capture {
    chunk: ChunkId,
    task: u32,
    /// The same task's job and its place there.
    whose: (JobId, u64),
    written: Written,
}

impl Capture {
    /// Adds what the worker sent for a task; what came for another one before is of no use any more.
    pub(crate) fn take_in(
        capture: &mut Option<Self>,
        (chunk, task): (ChunkId, u32),
        whose: (JobId, u64),
        stream: Stream,
        bytes: &[u8],
        limits: &Limits,
    ) -> Result<(), Violation> {
        let current = match capture.take().filter(|capture| (capture.chunk, capture.task) == (chunk, task)) {
            Some(current) => capture.insert(current),
            None => capture.insert(Self { chunk, task, whose, written: Written::default() }),
        };
        let (so_far, most) = match stream {
            Stream::Stdout => (&mut current.written.stdout, limits.result_bytes),
            Stream::Stderr => (&mut current.written.stderr, limits.log_bytes.saturating_add(PRINT_MARK)),
        };
        if (so_far.len() as u64).saturating_add(bytes.len() as u64) > most {
            return Err(Violation::OverLimit);
        }
        so_far.extend_from_slice(bytes);
        Ok(())
    }

    /// What the task wrote, at its end.
    pub(crate) fn end(capture: &mut Option<Self>, chunk: ChunkId, task: u32) -> Written {
        let ended = capture.take().filter(|capture| (capture.chunk, capture.task) == (chunk, task));
        ended.map(|capture| capture.written).unwrap_or_default()
    }

    /// Whose it was and what, now that its worker is gone.
    pub(crate) fn left(self) -> ((JobId, u64), Written) {
        (self.whose, self.written)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use super::*;

    fn limits() -> Limits {
        Limits { result_bytes: 8, log_bytes: 4, ..Limits::default() }
    }

    fn take(capture: &mut Option<Capture>, task: u32, stream: Stream, bytes: &[u8]) -> Result<(), Violation> {
        Capture::take_in(capture, (ChunkId(1), task), (JobId(7), u64::from(task)), stream, bytes, &limits())
    }

    #[test]
    fn pieces_are_put_together_by_stream() {
        let mut capture = None;
        for (stream, bytes) in [(Stream::Stdout, b"ab"), (Stream::Stderr, b"no"), (Stream::Stdout, b"cd")] {
            take(&mut capture, 3, stream, bytes).unwrap();
        }
        let written = Capture::end(&mut capture, ChunkId(1), 3);
        assert_eq!((written.stdout.as_slice(), written.stderr.as_slice()), (&b"abcd"[..], &b"no"[..]));
        assert!(capture.is_none());
    }

    #[test]
    fn what_a_worker_leaves_has_an_owner() {
        let mut capture = None;
        take(&mut capture, 3, Stream::Stderr, b"no").unwrap();
        let (whose, written) = capture.unwrap().left();
        assert_eq!((whose, written.stderr.as_slice()), ((JobId(7), 3), &b"no"[..]));
    }

    #[test]
    fn only_one_task_is_held() {
        let mut capture = None;
        take(&mut capture, 3, Stream::Stdout, b"12345678").unwrap();
        take(&mut capture, 4, Stream::Stdout, b"x").unwrap();
        assert_eq!(Capture::end(&mut capture, ChunkId(1), 3), Written::default(), "a worker that mixes tasks loses the first");
        take(&mut capture, 4, Stream::Stdout, b"y").unwrap();
        assert_eq!(Capture::end(&mut capture, ChunkId(2), 4), Written::default(), "the chunk counts");
    }

    #[test]
    fn more_than_the_limits_is_a_violation() {
        let mut capture = None;
        take(&mut capture, 0, Stream::Stdout, b"12345678").unwrap();
        assert_eq!(take(&mut capture, 0, Stream::Stdout, b"9"), Err(Violation::OverLimit));
        let mut capture = None;
        take(&mut capture, 0, Stream::Stderr, &[b'x'; 260]).unwrap();
        assert_eq!(take(&mut capture, 0, Stream::Stderr, b"9"), Err(Violation::OverLimit));
    }
}

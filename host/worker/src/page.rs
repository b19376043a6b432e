//! What the shared page's words mean.
//!
//! A worker that runs a guest neither reads nor writes its socket, so three things stand in memory that both sides see: what the worker
//! runs (so that its death is charged to one task), that it runs at all, and what it should stop. All are hints. The supervisor clamps what it reads
//! to what it gave out; a worker that ignores a stop is killed after a grace.

use std::sync::atomic::Ordering;

use taskcell_sandbox::SharedMemory;
use taskcell_wire::{ChunkId, limits};

/// Written by the worker: the running task.
const RUNNING: usize = 0;
/// Written by the worker: grows while a task runs and the process does.
const BEAT: usize = 1;
/// Written by the supervisor: the chunk to stop. Eight words on, so that the sides do not share a cache line.
const STOP: usize = 8;

/// Bits for the place in the chunk; a chunk has at most 4096 tasks.
const PLACE_BITS: u32 = 13;
const _: () = assert!(limits::CHUNK_TASKS < 1 << PLACE_BITS, "a place fits its bits");

/// The worker's side: the task at `place` of `chunk` begins.
pub fn begin(page: &SharedMemory, chunk: ChunkId, place: u32) {
    let word = (chunk.0.wrapping_add(1) << PLACE_BITS) | u64::from(place & ((1 << PLACE_BITS) - 1));
    page.word(RUNNING).store(word, Ordering::Relaxed);
}

/// The worker's side: no task runs.
pub fn rest(page: &SharedMemory) {
    page.word(RUNNING).store(0, Ordering::Relaxed);
}

/// The worker's side: a task runs, and so does this process.
pub fn beat(page: &SharedMemory) {
    page.word(BEAT).fetch_add(1, Ordering::Relaxed);
}

/// The supervisor's side: a number that changes as long as the worker's process runs a task, some times a second. It stands still in one that
/// was stopped.
#[must_use]
pub fn beats(page: &SharedMemory) -> u64 {
    page.word(BEAT).load(Ordering::Relaxed)
}

/// The supervisor's side: what the worker says it runs.
#[must_use]
pub fn running(page: &SharedMemory) -> Option<(ChunkId, u32)> {
    let word = page.word(RUNNING).load(Ordering::Relaxed);
    let chunk = (word >> PLACE_BITS).checked_sub(1)?;
    let place = u32::try_from(word & ((1 << PLACE_BITS) - 1)).unwrap_or(0);
    Some((ChunkId(chunk), place))
}

/// The supervisor's side: stop what runs of `chunk`.
pub fn ask_to_stop(page: &SharedMemory, chunk: ChunkId) {
    page.word(STOP).store(chunk.0.wrapping_add(1), Ordering::Relaxed);
}

/// The worker's side: whether `chunk` is to stop.
#[must_use]
pub fn should_stop(page: &SharedMemory, chunk: ChunkId) -> bool {
    page.word(STOP).load(Ordering::Relaxed) == chunk.0.wrapping_add(1)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use super::*;

    #[test]
    fn what_runs_is_read_back() {
        let (page, _fd) = SharedMemory::create().unwrap();
        assert_eq!(running(&page), None);
        for (chunk, place) in [(0, 0), (0, 4095), (1 << 40, 17)] {
            begin(&page, ChunkId(chunk), place);
            assert_eq!(running(&page), Some((ChunkId(chunk), place)));
        }
        rest(&page);
        assert_eq!(running(&page), None);
    }

    #[test]
    fn a_stop_is_for_one_chunk() {
        let (page, _fd) = SharedMemory::create().unwrap();
        assert!(!should_stop(&page, ChunkId(0)));
        ask_to_stop(&page, ChunkId(0));
        assert!(should_stop(&page, ChunkId(0)));
        assert!(!should_stop(&page, ChunkId(1)));
    }
}

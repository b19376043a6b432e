//! What the shared page's words mean.
//!
//! A worker that runs a guest neither reads nor writes its socket, so four things stand in memory that both sides see: what the worker
//! runs (so that its death is charged to one task), that it runs at all, what it should stop, and how much it has begun of a chunk that was lent to it. The
//! first three are hints. The last one is written by both, and exact as long as the worker is honest: each task is claimed by the worker or taken back by the
//! supervisor, never both. The supervisor clamps what it reads
//! to what it gave out; a worker that ignores a stop is killed after a grace.

use std::sync::atomic::Ordering;

use taskcell_sandbox::SharedMemory;
use taskcell_wire::{ChunkId, limits};

use crate::words::{BEAT, LENT, RUNNING, STOP};

/// Bits for the place in the chunk; a chunk has at most 4096 tasks.
const PLACE_BITS: u32 = 13;
const _: () = assert!(limits::CHUNK_TASKS < 1 << PLACE_BITS, "a place fits its bits");

/// No place: no task of the chunk may be claimed any more.
const CLOSED: u32 = (1 << PLACE_BITS) - 1;
const _: () = assert!(limits::CHUNK_TASKS < CLOSED, "no count of claims is the mark");

/// A chunk and a place there as one word, never 0.
fn word(chunk: ChunkId, place: u32) -> u64 {
    (chunk.0.wrapping_add(1) << PLACE_BITS) | u64::from(place & CLOSED)
}

/// The worker's side: the task at `place` of `chunk` begins.
pub fn begin(page: &SharedMemory, chunk: ChunkId, place: u32) {
    page.word(RUNNING).store(word(chunk, place), Ordering::Relaxed);
}

/// The supervisor's side, before it sends `chunk`: its first task is the worker's, and it has to claim the others. A worker has one such chunk at a time.
pub fn lend(page: &SharedMemory, chunk: ChunkId) {
    page.word(LENT).store(word(chunk, 1), Ordering::Release);
}

/// The worker's side: whether the tasks of `chunk` have to be claimed.
#[must_use]
pub fn is_lent(page: &SharedMemory, chunk: ChunkId) -> bool {
    page.word(LENT).load(Ordering::Acquire) >> PLACE_BITS == word(chunk, 0) >> PLACE_BITS
}

/// The worker's side, for each task but the first, in order: whether it may begin with the one at `place`. If not, it may not begin with
/// those behind either.
#[must_use]
pub fn claim(page: &SharedMemory, chunk: ChunkId, place: u32) -> bool {
    let (before, after) = (word(chunk, place), word(chunk, place.saturating_add(1)));
    page.word(LENT).compare_exchange(before, after, Ordering::AcqRel, Ordering::Acquire).is_ok()
}

/// The supervisor's side: no more of `chunk` may be claimed. Gives how many tasks the worker has begun; all, if it says something else than
/// an honest one can.
pub fn take_back(page: &SharedMemory, chunk: ChunkId) -> u32 {
    let former = page.word(LENT).swap(word(chunk, CLOSED), Ordering::AcqRel);
    if former >> PLACE_BITS != word(chunk, 0) >> PLACE_BITS {
        return u32::MAX;
    }
    u32::try_from(former & u64::from(CLOSED)).unwrap_or(u32::MAX)
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
    fn a_lent_task_is_claimed_or_taken_back_and_never_both() {
        let (page, _fd) = SharedMemory::create().unwrap();
        assert!(!is_lent(&page, ChunkId(0)));
        lend(&page, ChunkId(7));
        assert!(is_lent(&page, ChunkId(7)) && !is_lent(&page, ChunkId(8)));
        assert!(claim(&page, ChunkId(7), 1) && claim(&page, ChunkId(7), 2));
        assert!(!claim(&page, ChunkId(8), 3), "another chunk's");
        assert_eq!(take_back(&page, ChunkId(7)), 3);
        assert!(is_lent(&page, ChunkId(7)), "one that comes to it late must find it closed");
        assert!(!claim(&page, ChunkId(7), 3));
        lend(&page, ChunkId(9));
        assert!(!claim(&page, ChunkId(7), 3), "the next one is lent already");
        assert_eq!(take_back(&page, ChunkId(9)), 1);
        page.word(LENT).store(u64::MAX, Ordering::Relaxed);
        assert_eq!(take_back(&page, ChunkId(9)), u32::MAX, "a worker that writes what it likes");
    }

    #[test]
    fn claims_and_taking_back_meet_in_one_order() {
        // Whoever comes first, what was claimed and what was taken back are the whole chunk.
        let (page, _fd) = SharedMemory::create().unwrap();
        for round in 0..2000 {
            let chunk = ChunkId(round);
            lend(&page, chunk);
            let (claimed, begun) = std::thread::scope(|scope| {
                let worker = scope.spawn(|| 1 + (1..4000).take_while(|place| claim(&page, chunk, *place)).count());
                for _ in 0..round % 64 {
                    std::hint::spin_loop();
                }
                let begun = take_back(&page, chunk);
                (worker.join().unwrap(), begun)
            });
            assert_eq!(claimed, begun as usize, "round {round}");
        }
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

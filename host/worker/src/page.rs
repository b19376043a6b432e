//! What the shared page's words mean.
//!
//! A worker that runs a guest neither reads nor writes its socket, so four things stand in memory that both sides see: what the worker
//! runs (so that its death is charged to one task), that it runs at all, what it should stop, and how far it has got with what was sent to it. The
//! first three are hints. The last one is written by both, and exact as long as the worker is honest: each task is claimed by the worker or taken back by the
//! supervisor, never both. It is one number, the turn of the task that is claimed next; no turn comes twice, so a number that is ahead of a task means that this
//! one was taken back. The supervisor clamps what it reads to what it gave out; a worker that ignores a stop is killed after a grace.

use std::sync::atomic::Ordering;

use taskcell_sandbox::SharedMemory;
use taskcell_wire::{ChunkId, Run, Turn, limits};

use crate::words::{BEAT, CLAIMED, RUNNING, STOP};

/// Bits for the place in the chunk; a chunk has at most 4096 tasks.
const PLACE_BITS: u32 = 13;
const _: () = assert!(limits::CHUNK_TASKS < 1 << PLACE_BITS, "a place fits its bits");

/// A chunk and a place there as one word, never 0.
fn word(chunk: ChunkId, place: u32) -> u64 {
    (chunk.0.wrapping_add(1) << PLACE_BITS) | u64::from(place & ((1 << PLACE_BITS) - 1))
}

/// The worker's side: the task at `place` of `chunk` begins.
pub fn begin(page: &SharedMemory, chunk: ChunkId, place: u32) {
    page.word(RUNNING).store(word(chunk, place), Ordering::Relaxed);
}

/// The supervisor's side, before it sends tasks to a worker that has none: the first `count` of them, from `turn` on, are claimed for it.
pub fn give(page: &SharedMemory, turn: Turn, count: u32) {
    page.word(CLAIMED).store(after(turn, count), Ordering::Release);
}

/// The worker's side of a chunk: its tasks are claimed in order.
#[derive(Debug, Clone, Copy)]
pub struct Claims {
    /// The turn that is claimed next.
    next: u64,
    /// The turn behind the last task.
    end: u64,
    /// How many are claimed at once.
    together: u32,
    /// How many are claimed and not begun.
    own: u32,
}

impl Claims {
    /// Of the tasks of `run`.
    #[must_use]
    pub fn of(run: &Run<'_>) -> Self {
        let (turn, together) = (run.turn, run.together.max(1));
        let own = if run.claimed { together.min(run.count) } else { 0 };
        Self { next: after(turn, own), end: after(turn, run.count), together, own }
    }

    /// Before the next task begins: whether it is this worker's. If not, it was taken back, and so were those behind it.
    #[inline]
    #[must_use]
    pub fn has_next(&mut self, page: &SharedMemory) -> bool {
        if self.own == 0 {
            let then = self.end.min(self.next.saturating_add(u64::from(self.together)));
            let claimed = page.word(CLAIMED).compare_exchange(self.next, then, Ordering::AcqRel, Ordering::Acquire);
            if claimed.is_err() {
                return false;
            }
            self.own = u32::try_from(then - self.next).unwrap_or(u32::MAX);
            self.next = then;
        }
        self.own = self.own.saturating_sub(1);
        true
    }
}

/// The supervisor's side: no more may be claimed of what has a turn before `until`, at which a chunk begins or will. Gives the turn that would have been
/// claimed next, if the worker is honest, and else anything.
pub fn take_back(page: &SharedMemory, until: Turn) -> Turn {
    // It only grows: the worker may have had all of that and more when this was decided.
    Turn(page.word(CLAIMED).fetch_max(until.0, Ordering::AcqRel))
}

fn after(turn: Turn, count: u32) -> u64 {
    turn.0.saturating_add(u64::from(count))
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

    fn claims(turn: u64, count: u32, together: u32, claimed: bool) -> Claims {
        let encoding = taskcell_wire::Encoding::Json;
        let (chunk, task, turn) = (ChunkId(0), taskcell_wire::TaskIndex(0), Turn(turn));
        let (input, output, timeout, timed, items) = (encoding, encoding, None, false, &[][..]);
        Claims::of(&Run { chunk, task, input, output, timeout, timed, turn, together, claimed, count, items })
    }

    #[test]
    fn a_task_is_claimed_or_taken_back_and_never_both() {
        let (page, _fd) = SharedMemory::create().unwrap();
        give(&page, Turn(0), 1);
        let (mut first, mut second) = (claims(0, 3, 1, true), claims(3, 6, 1, false));
        assert!(!second.has_next(&page), "out of order");
        assert!((0..3).all(|_| first.has_next(&page)) && (0..2).all(|_| second.has_next(&page)));
        assert!(!claims(3, 6, 1, false).has_next(&page), "once");
        assert_eq!(take_back(&page, Turn(9)), Turn(5));
        assert!(!second.has_next(&page), "one that comes to it late must find it closed");
        let mut third = claims(9, 5, 3, false);
        assert!((0..3).all(|_| third.has_next(&page)), "what is sent after that is the worker's");
        assert_eq!(take_back(&page, Turn(14)), Turn(12), "three were claimed at once");
        assert!(!third.has_next(&page));
        give(&page, Turn(14), 3);
        assert_eq!(take_back(&page, Turn(14)), Turn(17), "more than was asked for was given already");
        let mut fourth = claims(14, 4, 3, true);
        assert!((0..4).all(|_| fourth.has_next(&page)), "and is not taken back with it");
        assert_eq!(take_back(&page, Turn(18)), Turn(18), "not more than there are");
    }

    #[test]
    fn claims_and_taking_back_meet_in_one_order() {
        // Whoever comes first, what was claimed and what was taken back are all that there is.
        let (page, _fd) = SharedMemory::create().unwrap();
        for round in 0..2000u64 {
            let (first, until) = (round * 4000, Turn((round + 1) * 4000));
            let (claimed, next) = std::thread::scope(|scope| {
                let mut claims = claims(first, 4000, 1, false);
                let page = &page;
                let worker = scope.spawn(move || first + (0..4000).take_while(|_| claims.has_next(page)).count() as u64);
                for _ in 0..round % 64 {
                    std::hint::spin_loop();
                }
                let next = take_back(page, until);
                (worker.join().unwrap(), next)
            });
            assert_eq!(Turn(claimed), next, "round {round}");
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

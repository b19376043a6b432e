//! What was lent to the running task, in shared memory: messages that it posts to room that was lent, and how many it took of those that were.
//!
//! The failure that this prevents: a short message that costs a question and an answer. What a task posts has to outlive its worker, and what it
//! takes has to be known when its worker is gone, so both stand here and not in the worker. Each is one compare-and-swap, which fails
//! once the loan is over: the supervisor that takes it back then knows what came before.
//!
//! Posts are frames, one behind the other, in a place of their own. There is no ring: when the place is full the task makes a call, and while
//! it waits for the answer the supervisor has read all, and the place is empty again ([`restart`]).
//!
//! Invariants, and who keeps them:
//! 1. What is posted comes after all that the worker sent before, and before all that it sends later. A task posts only if nothing waits to be
//!    sent or read (`outbox.rs`); the supervisor reads what was posted before anything else of that worker.
//! 2. Nobody sleeps on what is posted: a supervisor that goes to sleep says so and looks once more, and who posts looks then whether it has said so,
//!    and rings once ([`rings`]).
//! 3. The other side may write anything at any time. Lengths are clamped, and what lies here is copied before it is looked at.

use std::sync::atomic::Ordering;

use taskcell_sandbox::SharedMemory;

use crate::mailbox::{Writer, area};
use crate::words::{CALL_BYTES, LISTENING, POST_BYTES, POSTED, RUNG, TAKEN};

/// The lowest bit of [`POSTED`] and [`TAKEN`]: the loan is over. The others are the words that posts take, and how many messages were taken.
const OVER: u64 = 1;
/// Words for posts.
const SPACE: usize = CALL_BYTES - POST_BYTES;

/// The worker's side: posts a frame of `length` bytes that `write` writes, behind `at` words of others. How many words there are then; `None` if it can't
/// be posted.
#[must_use]
pub fn post(memory: &SharedMemory, at: usize, length: usize, write: impl FnOnce(&mut Writer<'_>) -> bool) -> Option<usize> {
    let end = at.checked_add(length.div_ceil(size_of::<u64>())).filter(|end| *end <= SPACE)?;
    if !area::lay(memory, POST_BYTES + at, length.next_multiple_of(size_of::<u64>()), write) {
        return None;
    }
    let (before, after) = ((at as u64) << 1, (end as u64) << 1);
    memory.word(POSTED).compare_exchange(before, after, Ordering::SeqCst, Ordering::Relaxed).is_ok().then_some(end)
}

/// The worker's side, after [`post`]: whether the supervisor sleeps, and nobody has rung yet.
#[must_use]
pub fn rings(memory: &SharedMemory) -> bool {
    memory.word(LISTENING).load(Ordering::SeqCst) == 0 && memory.word(RUNG).swap(1, Ordering::SeqCst) == 0
}

/// The worker's side: takes the next of the messages that were lent, after `taken` others. False if the loan is over.
#[must_use]
pub fn take(memory: &SharedMemory, taken: u64) -> bool {
    memory.word(TAKEN).compare_exchange(taken << 1, (taken + 1) << 1, Ordering::SeqCst, Ordering::Relaxed).is_ok()
}

/// The supervisor's side: room is lent with the answer to come.
pub fn lend_room(memory: &SharedMemory) {
    memory.word(POSTED).store(0, Ordering::SeqCst);
}

/// The supervisor's side: messages are lent with the answer to come.
pub fn lend_messages(memory: &SharedMemory) {
    memory.word(TAKEN).store(0, Ordering::SeqCst);
}

/// The supervisor's side, at a call: all that was posted was read, and what comes next begins at the front.
pub fn restart(memory: &SharedMemory) {
    let over = memory.word(POSTED).load(Ordering::SeqCst) & OVER;
    memory.word(POSTED).store(over, Ordering::SeqCst);
}

/// The supervisor's side: nothing is posted or taken any more.
pub fn end(memory: &SharedMemory) {
    memory.word(POSTED).fetch_or(OVER, Ordering::SeqCst);
    memory.word(TAKEN).fetch_or(OVER, Ordering::SeqCst);
}

/// The supervisor's side: how many words of posts there are.
#[must_use]
pub fn posted(memory: &SharedMemory) -> usize {
    usize::try_from(memory.word(POSTED).load(Ordering::SeqCst) >> 1).unwrap_or(usize::MAX).min(SPACE)
}

/// The supervisor's side: how many of the messages that were lent were taken.
#[must_use]
pub fn taken(memory: &SharedMemory) -> u64 {
    memory.word(TAKEN).load(Ordering::SeqCst) >> 1
}

/// The supervisor's side, when it was rung and before it looks: whoever posts or takes after that rings again. Only then, so that a ring is
/// on its way for as long as [`RUNG`] says so.
pub fn looked(memory: &SharedMemory) {
    memory.word(RUNG).store(0, Ordering::SeqCst);
}

/// The supervisor's side: what was posted behind `seen` words, and how many words there are now.
#[must_use]
pub fn read_posts<'a>(memory: &SharedMemory, seen: usize, space: &'a mut Vec<u8>) -> (usize, Posts<'a>) {
    let end = posted(memory);
    let length = end.saturating_sub(seen).saturating_mul(size_of::<u64>());
    (end, Posts(area::read(memory, POST_BYTES + seen, length, space)))
}

/// Frames, each from a whole word on.
#[derive(Debug)]
pub struct Posts<'a>(&'a [u8]);

impl<'a> Iterator for Posts<'a> {
    type Item = Result<&'a [u8], taskcell_wire::WireError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let frame = taskcell_wire::codec::first_frame(self.0);
        let rest = frame.as_ref().map_or(0, |(_, rest)| rest.len());
        let end = (self.0.len() - rest).next_multiple_of(size_of::<u64>());
        self.0 = self.0.get(end..).unwrap_or(&[]);
        Some(frame.map(|(message, _)| message))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use taskcell_wire::FromWorker;
    use taskcell_wire::call::{HandleId, Tell};

    use super::*;
    use crate::mailbox;

    fn shared() -> (SharedMemory, SharedMemory) {
        let (ours, fd) = SharedMemory::create().unwrap();
        (ours, SharedMemory::map(fd).unwrap())
    }

    /// Posts a telling with this number.
    fn post_one(memory: &SharedMemory, at: usize, number: u64) -> Option<usize> {
        let mut frame = Vec::new();
        taskcell_wire::encode(&FromWorker::Tell(Tell::Drop(HandleId(number))), 64, &mut frame).unwrap();
        post(memory, at, frame.len(), |writer| {
            writer.write(&frame);
            true
        })
    }

    fn numbers(posts: Posts<'_>) -> Vec<u64> {
        let message = |frame: Result<_, _>| taskcell_wire::codec::decode::<FromWorker<'_>>(frame.unwrap()).unwrap();
        posts
            .map(|frame| {
                let FromWorker::Tell(Tell::Drop(handle)) = message(frame) else { panic!("another message") };
                handle.0
            })
            .collect()
    }

    #[test]
    fn posts_arrive_in_order_until_the_place_is_full_and_again_after_a_call() {
        let (ours, theirs) = shared();
        lend_room(&ours);
        for round in 0..3 {
            let (mut at, mut seen, mut space, mut posted) = (0, 0, Vec::new(), 0);
            while let Some(end) = post_one(&theirs, at, round + 300 * posted) {
                at = end;
                posted += 1;
                if posted % 7 == 0 {
                    let (end, posts) = read_posts(&ours, seen, &mut space);
                    assert_eq!(numbers(posts), (posted - 7..posted).map(|at| round + 300 * at).collect::<Vec<_>>());
                    seen = end;
                }
            }
            assert!(posted > 1000, "{posted}");
            assert_eq!(mailbox::take_call(&ours), None, "a call has a place of its own");
            restart(&ours);
            assert_eq!(super::posted(&ours), 0);
        }
    }

    #[test]
    fn what_is_over_takes_nothing_more_and_what_came_before_is_known() {
        let (ours, theirs) = shared();
        lend_room(&ours);
        lend_messages(&ours);
        let at = post_one(&theirs, 0, 1).unwrap();
        assert!(take(&theirs, 0) && take(&theirs, 1));
        end(&ours);
        assert_eq!(post_one(&theirs, at, 2), None);
        assert!(!take(&theirs, 2));
        assert_eq!(taken(&ours), 2);
        assert_eq!(numbers(read_posts(&ours, 0, &mut Vec::new()).1), [1]);
        restart(&ours);
        assert_eq!(post_one(&theirs, 0, 3), None, "a call alone lends nothing");
        lend_room(&ours);
        assert!(post_one(&theirs, 0, 4).is_some());
    }

    #[test]
    fn one_who_sleeps_is_rung_once_until_it_has_looked() {
        let (ours, theirs) = shared();
        assert!(rings(&theirs) && !rings(&theirs));
        looked(&ours);
        assert!(rings(&theirs));
        mailbox::listen(&ours);
        looked(&ours);
        assert!(!rings(&theirs), "it looks by itself");
    }

    #[test]
    fn whatever_stands_there_is_read_within_bounds() {
        let (ours, theirs) = shared();
        for word in [u64::MAX, 2, 3, (SPACE as u64) << 1, (SPACE as u64 + 1) << 1, 1 << 63] {
            theirs.word(POSTED).store(word, Ordering::SeqCst);
            let mut space = Vec::new();
            let (end, posts) = read_posts(&ours, 0, &mut space);
            assert!(end <= SPACE && posts.count() <= SPACE);
            // The supervisor has seen more than there is now.
            assert_eq!(read_posts(&ours, SPACE, &mut space).1.count(), 0);
        }
    }
}

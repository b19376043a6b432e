//! A task that takes messages from a queue until that is closed, and does counted work for each: the same work in four ways, of which some
//! bear being done twice and some count how often they were.

use taskcell_wire::call::{
    Call, CallError, HandleId, LeaseId, LockCall, LockReply, MapCall, MapReply, QueueCall, QueueReply, Reply, SemaphoreCall,
    Swap, Tell,
};

use super::guest::{End, MS, Step};
use crate::random::Random;

/// By message: the key under which its work is noted, once however often it is done.
pub(crate) const DONE: [&str; 12] = [
    "done-00", "done-01", "done-02", "done-03", "done-04", "done-05", "done-06", "done-07", "done-08", "done-09", "done-10",
    "done-11",
];
/// Counted by increments, by read and write under a lock, and by compare and swap.
pub(crate) const SUM: &str = "sum";
pub(crate) const PLAIN: &str = "plain";
pub(crate) const SWAPPED: &str = "swapped";

/// What it is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    Receive,
    Note,
    Sum,
    Acquire,
    Read,
    Write(u64),
    Release,
    Look,
    Swap(Option<u64>, u64),
    Permit,
    Return,
    Answer,
    Over,
}

#[derive(Debug)]
pub(crate) struct Consumer {
    queue: HandleId,
    map: HandleId,
    lock: HandleId,
    semaphore: HandleId,
    at: At,
    lease: LeaseId,
    message: usize,
    told: bool,
    failed: bool,
}

/// A count in a map, as text; what `increment` reads and writes.
pub(crate) fn count(value: &[u8]) -> u64 {
    std::str::from_utf8(value).ok().and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("no count: {value:?}"))
}

pub(crate) fn text(count: u64) -> taskcell_wire::call::Bytes<'static> {
    count.to_string().into_bytes().into()
}

impl Consumer {
    pub(crate) fn new(handles: &[HandleId]) -> Self {
        let &[queue, map, lock, semaphore] = handles else { panic!("a consumer is given {handles:?}") };
        let (at, lease) = (At::Receive, LeaseId(0));
        Self { queue, map, lock, semaphore, at, lease, message: 0, told: false, failed: false }
    }

    pub(crate) fn was_told(&self) -> bool {
        self.told
    }

    pub(crate) fn step(&mut self, random: &mut Random) -> Step {
        if self.failed {
            return Step::End(End::Failed);
        }
        // Longest where it holds the lock and has read and not written, and where it holds a permit.
        let pause = if matches!(self.at, At::Write(_) | At::Return) { 2 } else { 12 };
        if random.once_in(pause) && self.at != At::Over {
            return match random.below(3) {
                0 => Step::Tell(Tell::Progress { done: 1, total: None, note: "so far" }),
                1 => Step::Work(random.below(3) * MS),
                _ => Step::Work(1000),
            };
        }
        let timeout = random.once_in(3).then(|| random.below(10) * MS);
        let key = DONE[self.message];
        Step::Call(match self.at {
            At::Receive => Call::Queue(self.queue, QueueCall::Receive { lease: (1 + random.below(40)) * MS, timeout }),
            At::Note => Call::Map(self.map, MapCall::SetDefault { key, value: text(1) }),
            At::Sum => Call::Map(self.map, MapCall::Increment { key: SUM, by: 1 }),
            At::Acquire => Call::Lock(self.lock, LockCall::Acquire { timeout }),
            At::Read => Call::Map(self.map, MapCall::Get { key: PLAIN }),
            At::Write(seen) => Call::Map(self.map, MapCall::Set { key: PLAIN, value: text(seen + 1), expires_in: None }),
            At::Release => Call::Lock(self.lock, LockCall::Release),
            At::Look => Call::Map(self.map, MapCall::Get { key: SWAPPED }),
            At::Swap(version, seen) => {
                Call::Map(self.map, MapCall::CompareAndSwap { key: SWAPPED, version, value: text(seen + 1), expires_in: None })
            }
            At::Permit => Call::Semaphore(self.semaphore, SemaphoreCall::Acquire { permits: 1, timeout }),
            At::Return => Call::Semaphore(self.semaphore, SemaphoreCall::Release { permits: 1 }),
            At::Answer => Call::Queue(
                self.queue,
                match random.below(20) {
                    0 => QueueCall::Reject { lease: self.lease },
                    1..=2 => QueueCall::Nack { lease: self.lease, delay: random.below(3) * MS },
                    3 => QueueCall::Extend { lease: self.lease, by: 5 * MS },
                    _ => QueueCall::Ack { lease: self.lease },
                },
            ),
            At::Over => return Step::End(if self.told { End::Cancelled } else { End::Ok(b"null".to_vec()) }),
        })
    }

    pub(crate) fn answered(&mut self, answer: Result<Reply<'_>, CallError>) {
        let reply = match answer {
            Ok(reply) => reply,
            Err(error) => return self.refused(&error),
        };
        self.at = match (self.at, reply) {
            (At::Receive, Reply::Queue(QueueReply::Delivery { lease, message, .. })) => {
                (self.lease, self.message) = (lease, usize::from(message[0]));
                At::Note
            }
            (At::Note, Reply::Map(_)) => At::Sum,
            (At::Sum, Reply::Map(_)) => At::Acquire,
            (At::Acquire, Reply::Lock(LockReply::Acquired(_))) => At::Read,
            (At::Read, Reply::Map(MapReply::Entry(entry))) => At::Write(entry.map_or(0, |entry| count(&entry.value))),
            (At::Write(_), Reply::Map(_)) => At::Release,
            (At::Release, Reply::Lock(LockReply::Released)) => At::Look,
            (At::Look, Reply::Map(MapReply::Entry(entry))) => {
                At::Swap(entry.as_ref().map(|entry| entry.version), entry.map_or(0, |entry| count(&entry.value)))
            }
            (At::Swap(..), Reply::Map(MapReply::Swap(Swap::Stale(_)))) => At::Look,
            (At::Swap(..), Reply::Map(MapReply::Swap(Swap::Swapped(_)))) => At::Permit,
            (At::Permit, Reply::Semaphore(_)) => At::Return,
            (At::Return, Reply::Semaphore(_)) => At::Answer,
            (At::Answer, Reply::Queue(QueueReply::Done)) => At::Receive,
            (at, reply) => panic!("{at:?} is answered {reply:?}"),
        };
    }

    fn refused(&mut self, error: &CallError) {
        self.at = match (self.at, error) {
            (At::Receive, CallError::Closed) => At::Over,
            (_, CallError::Cancelled) => {
                self.told = true;
                At::Over
            }
            // Somebody else has the message by now.
            (At::Answer, CallError::Lapsed) => At::Receive,
            (At::Receive | At::Acquire | At::Permit, CallError::TimedOut) => self.at,
            // Its own root waits for it, or all wait: it gives its place up.
            (_, CallError::Deadlock(_)) => {
                self.failed = true;
                At::Over
            }
            (at, error) => panic!("{at:?} is refused: {error}"),
        };
    }
}

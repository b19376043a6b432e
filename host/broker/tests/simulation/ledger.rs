//! What must be true of all answers together, held against a sequential model: one queue, one map, one lock, one semaphore.
//!
//! The ledger stands at the broker's door. It sees every call when it is taken and every answer when it is given, in the broker's own order, and who
//! is over when. So it knows what each answer has to be, whatever is lost on the way to the workers.

use std::collections::BTreeMap;

use taskcell_broker::Now;
use taskcell_wire::WorkerId;
use taskcell_wire::call::{
    Acquired, Call, CallError, CallId, Create, LeaseId, LockCall, LockReply, MapCall, MapReply, QueueCall, QueueReply, Reply,
    SemaphoreCall, Swap,
};

use super::consumer::count;

/// How often a message is delivered if its queue was made without a word about that.
const ATTEMPTS: u32 = 16;

/// What a call that was not answered asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Asked {
    Queue { capacity: u64, attempts: u32 },
    Semaphore(u32),
    Put(usize),
    Get,
    Receive(u64),
    Ack(LeaseId),
    Nack(LeaseId, u64),
    Extend(LeaseId, u64),
    Reject(LeaseId),
    TakeRejected,
    Join,
    Read(String),
    Write(String, u64),
    Default(String, u64),
    Add(String),
    Swap(String, Option<u64>, u64),
    Acquire,
    Release,
    Permit,
    Return,
    Other,
}

/// Where a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Nowhere,
    Waiting,
    /// With an attempt, until then at most.
    Leased(WorkerId, LeaseId, Now),
    /// Given back, to come again then.
    Delayed(Now),
    Done,
    /// Given up, and not told yet.
    Aside,
    Told,
}

#[derive(Debug, Clone, Copy)]
struct Message {
    place: Place,
    /// Its putter was told that it is in.
    held: bool,
    attempts: u32,
}

/// What all calls so far come to.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    open: BTreeMap<(WorkerId, CallId), Asked>,
    capacity: u64,
    attempts: u32,
    messages: Vec<Message>,
    /// The last message that was delivered for the first time.
    newest: Option<usize>,
    map: BTreeMap<String, (u64, u64)>,
    owner: Option<WorkerId>,
    abandoned: bool,
    permits: u32,
    held: Vec<WorkerId>,
    /// What was seen: answers, leases that were given on, locks that were abandoned.
    pub(crate) answers: u64,
    pub(crate) redelivered: u64,
    pub(crate) left_locks: u64,
    pub(crate) deadlocks: u64,
    pub(crate) told: u64,
}

fn asked(call: &Call<'_>) -> Asked {
    match call {
        Call::Create(Create::Queue(options)) => Asked::Queue {
            capacity: options.capacity.map_or(u64::MAX, u64::from),
            attempts: options.max_attempts.unwrap_or(ATTEMPTS),
        },
        Call::Create(Create::Semaphore(options)) => Asked::Semaphore(options.permits),
        Call::Queue(_, QueueCall::Put { message, .. }) => Asked::Put(usize::from(message[0])),
        Call::Queue(_, QueueCall::Get { .. }) => Asked::Get,
        Call::Queue(_, QueueCall::Receive { lease, .. }) => Asked::Receive(*lease),
        Call::Queue(_, QueueCall::Ack { lease }) => Asked::Ack(*lease),
        Call::Queue(_, QueueCall::Nack { lease, delay }) => Asked::Nack(*lease, *delay),
        Call::Queue(_, QueueCall::Extend { lease, by }) => Asked::Extend(*lease, *by),
        Call::Queue(_, QueueCall::Reject { lease }) => Asked::Reject(*lease),
        Call::Queue(_, QueueCall::TakeRejected { .. }) => Asked::TakeRejected,
        Call::Queue(_, QueueCall::Join { .. }) => Asked::Join,
        Call::Map(_, MapCall::Get { key }) => Asked::Read((*key).into()),
        Call::Map(_, MapCall::Set { key, value, .. }) => Asked::Write((*key).into(), count(value)),
        Call::Map(_, MapCall::SetDefault { key, value }) => Asked::Default((*key).into(), count(value)),
        Call::Map(_, MapCall::Increment { key, .. }) => Asked::Add((*key).into()),
        Call::Map(_, MapCall::CompareAndSwap { key, version, value, .. }) => Asked::Swap((*key).into(), *version, count(value)),
        Call::Lock(_, LockCall::Acquire { .. }) => Asked::Acquire,
        Call::Lock(_, LockCall::Release) => Asked::Release,
        Call::Semaphore(_, SemaphoreCall::Acquire { .. }) => Asked::Permit,
        Call::Semaphore(_, SemaphoreCall::Release { .. }) => Asked::Return,
        Call::Create(_)
        | Call::RestrictQueue(..)
        | Call::RestrictMap(..)
        | Call::Queue(..)
        | Call::Pipe(..)
        | Call::Map(..)
        | Call::Condition(..)
        | Call::Semaphore(..)
        | Call::Event(..)
        | Call::Barrier(..)
        | Call::Process(..)
        | Call::Pool(..)
        | Call::Future(..)
        | Call::Mapping(..)
        | Call::WaitAny { .. }
        | Call::Identity
        | Call::Input(_) => Asked::Other,
    }
}

impl Ledger {
    /// A call was taken; its answer may come at once or later.
    pub(crate) fn asked(&mut self, worker: WorkerId, call: CallId, body: &Call<'_>) {
        let asked = asked(body);
        if let Asked::Put(number) = asked {
            self.message(number).place = Place::Waiting;
        }
        let before = self.open.insert((worker, call), asked);
        assert_eq!(before, None, "{worker} {call} is made twice");
    }

    /// Who has the lock, or a permit.
    pub(crate) fn holder(&self) -> Option<WorkerId> {
        self.owner.or_else(|| self.held.first().copied())
    }

    /// Whether a call of the worker waits for its answer.
    pub(crate) fn waits(&self, worker: WorkerId) -> bool {
        self.open.range((worker, CallId(0))..=(worker, CallId(u64::MAX))).next().is_some()
    }

    /// An attempt is over: what it had is everybody's, and nothing is answered to it any more.
    pub(crate) fn over(&mut self, worker: WorkerId) {
        self.hang_up(worker);
        for message in &mut self.messages {
            if matches!(message.place, Place::Leased(holder, _, _) if holder == worker) {
                message.place = Place::Waiting;
            }
        }
        if self.owner == Some(worker) {
            self.owner = None;
            self.abandoned = true;
            self.left_locks += 1;
        }
        self.held.retain(|holder| *holder != worker);
    }

    /// A worker is to be killed: its call is not answered any more.
    pub(crate) fn hang_up(&mut self, worker: WorkerId) {
        let gone: Vec<_> = self.open.range((worker, CallId(0))..=(worker, CallId(u64::MAX))).map(|(key, _)| *key).collect();
        for key in gone {
            if let Some(Asked::Put(number)) = self.open.remove(&key) {
                self.message(number).place = Place::Nowhere;
            }
        }
    }

    /// An answer is given.
    pub(crate) fn answered(&mut self, now: Now, worker: WorkerId, call: CallId, answer: &Result<Reply<'_>, CallError>) {
        let asked = self.open.remove(&(worker, call));
        let asked =
            asked.unwrap_or_else(|| panic!("{worker} {call} is answered {answer:?}, and was answered before or never made"));
        self.answers += 1;
        match answer {
            Ok(reply) => self.went_well(now, worker, asked, reply),
            Err(error) => {
                self.deadlocks += u64::from(matches!(error, CallError::Deadlock(_)));
                if let Asked::Put(number) = asked {
                    self.message(number).place = Place::Nowhere;
                }
            }
        }
    }

    fn went_well(&mut self, now: Now, worker: WorkerId, asked: Asked, reply: &Reply<'_>) {
        match (asked, reply) {
            (Asked::Queue { capacity, attempts }, Reply::Handle(_)) => {
                // Tasks of values make queues for themselves; the one with messages is made before all others.
                if self.attempts == 0 {
                    (self.capacity, self.attempts) = (capacity, attempts);
                }
            }
            (Asked::Semaphore(permits), Reply::Handle(_)) => self.permits = permits,
            (Asked::Put(number), Reply::Queue(QueueReply::Done)) => self.message(number).held = true,
            (Asked::Get, Reply::Queue(QueueReply::Message(message))) => {
                let number = usize::from(message[0]);
                self.delivered(now, number);
                self.message(number).place = Place::Done;
            }
            (Asked::Receive(length), Reply::Queue(QueueReply::Delivery { lease, attempt, message })) => {
                let number = usize::from(message[0]);
                self.delivered(now, number);
                let message = self.message(number);
                assert_eq!(message.attempts, *attempt, "attempts at message {number}");
                message.place = Place::Leased(worker, *lease, now.plus(taskcell_broker::Duration(length)));
            }
            (Asked::Ack(lease), Reply::Queue(QueueReply::Done)) => self.leased(worker, lease).place = Place::Done,
            (Asked::Nack(lease, delay), Reply::Queue(QueueReply::Done)) => {
                let until = now.plus(taskcell_broker::Duration(delay));
                self.leased(worker, lease).place = if delay == 0 { Place::Waiting } else { Place::Delayed(until) };
            }
            (Asked::Reject(lease), Reply::Queue(QueueReply::Done)) => self.leased(worker, lease).place = Place::Aside,
            (Asked::Extend(lease, by), Reply::Queue(QueueReply::Done)) => {
                self.leased(worker, lease).place = Place::Leased(worker, lease, now.plus(taskcell_broker::Duration(by)));
            }
            (Asked::TakeRejected, Reply::Queue(QueueReply::Rejected(rejected))) => {
                for rejected in rejected {
                    let most = self.attempts;
                    let message = self.message(usize::from(rejected.message[0]));
                    let back = matches!(message.place, Place::Delayed(_)) || is_free(message, now);
                    let given_up = message.place == Place::Aside || (back && message.attempts >= most);
                    assert!(given_up, "{rejected:?} is told as given up: {message:?}");
                    assert_eq!(message.attempts, rejected.attempts);
                    message.place = Place::Told;
                    self.told += 1;
                }
            }
            (Asked::Join, Reply::Queue(QueueReply::Done)) => {
                for (number, message) in self.messages.iter().enumerate() {
                    let settled = match message.place {
                        Place::Done | Place::Aside | Place::Told | Place::Nowhere => true,
                        // One that was tried as often as may be is put aside, whatever was asked for it.
                        Place::Waiting | Place::Delayed(_) => message.attempts >= self.attempts,
                        Place::Leased(..) => is_free(message, now) && message.attempts >= self.attempts,
                    };
                    assert!(settled, "joined before message {number} was acknowledged: {message:?}");
                }
            }
            (Asked::Read(key), Reply::Map(MapReply::Entry(entry))) => {
                let found = entry.as_ref().map(|entry| (count(&entry.value), entry.version));
                let known = self.map.get(&key).copied();
                assert_eq!(found.map(|found| found.0), known.map(|known| known.0), "{key}");
                if let Some((value, version)) = found {
                    let before = self.map.insert(key, (value, version));
                    assert!(before.is_some_and(|before| before.1 == 0 || before.1 == version), "the version of {before:?}");
                }
            }
            (Asked::Write(key, value), Reply::Map(_)) => {
                self.map.insert(key, (value, 0));
            }
            (Asked::Default(key, value), Reply::Map(_)) => {
                self.map.entry(key).or_insert((value, 0));
            }
            (Asked::Add(key), Reply::Map(MapReply::Sum(sum))) => {
                let (value, _) = self.map.get(&key).copied().unwrap_or_default();
                assert_eq!(i64::try_from(value + 1).ok(), Some(*sum), "{key}");
                self.map.insert(key, (value + 1, 0));
            }
            (Asked::Swap(key, version, value), Reply::Map(MapReply::Swap(swap))) => {
                let known = self.map.get(&key).copied();
                match swap {
                    Swap::Swapped(new) => {
                        // A version of 0 is one that nobody has seen; a swap by it can't be told from a stale one here.
                        let fits = known.is_none_or(|(_, known)| known == 0 || Some(known) == version);
                        assert!(fits && known.is_some() == version.is_some(), "{key} was swapped by {version:?}: {known:?}");
                        assert_eq!(value, known.map_or(0, |known| known.0) + 1, "a change of {key} is lost");
                        self.map.insert(key, (value, *new));
                    }
                    Swap::Stale(_) => assert!(known.map(|known| known.1) != version, "{key} is not stale: {known:?}"),
                }
            }
            (Asked::Acquire, Reply::Lock(LockReply::Acquired(how))) => {
                assert_eq!(self.owner, None, "{worker} gets a lock that another has");
                let abandoned = std::mem::take(&mut self.abandoned);
                assert_eq!(*how == Acquired::Abandoned, abandoned, "whether its last owner died");
                self.owner = Some(worker);
            }
            (Asked::Release, Reply::Lock(LockReply::Released)) => assert_eq!(self.owner.take(), Some(worker)),
            (Asked::Permit, Reply::Semaphore(_)) => {
                self.held.push(worker);
                assert!(self.held.len() <= self.permits as usize, "{} of {} permits are out", self.held.len(), self.permits);
            }
            (Asked::Return, Reply::Semaphore(_)) => {
                let at = self.held.iter().position(|holder| *holder == worker);
                self.held.remove(at.unwrap_or_else(|| panic!("{worker} has no permit")));
            }
            (Asked::Other, _) => {}
            (asked, reply) => panic!("{asked:?} is answered {reply:?}"),
        }
    }

    fn message(&mut self, number: usize) -> &mut Message {
        if self.messages.len() <= number {
            self.messages.resize(number + 1, Message { place: Place::Nowhere, held: false, attempts: 0 });
        }
        &mut self.messages[number]
    }

    /// A message leaves the queue.
    fn delivered(&mut self, now: Now, number: usize) {
        let newest = self.newest;
        let message = self.message(number);
        assert!(is_free(message, now), "message {number} is delivered, and is {message:?} at {now:?}");
        message.attempts += 1;
        if message.attempts == 1 {
            assert!(newest.is_none_or(|newest| newest < number), "message {number} is first delivered after {newest:?}");
            self.newest = Some(number);
        } else {
            self.redelivered += 1;
        }
    }

    fn leased(&mut self, worker: WorkerId, lease: LeaseId) -> &mut Message {
        let is =
            |message: &&mut Message| matches!(message.place, Place::Leased(holder, id, _) if (holder, id) == (worker, lease));
        self.messages.iter_mut().find(is).unwrap_or_else(|| panic!("{worker} has no {lease}, and is told that it has"))
    }

    /// All that an event brought has been seen: bounds are kept.
    pub(crate) fn settled(&self) {
        let inside = |message: &&Message| message.held && !matches!(message.place, Place::Done | Place::Aside | Place::Told);
        let held = self.messages.iter().filter(inside).filter(|message| message.attempts < self.attempts).count() as u64;
        assert!(held <= self.capacity.max(1) || self.attempts == 0, "{held} messages in a queue for {}", self.capacity);
        let is_there = |message: &Message| message.place == Place::Waiting && message.held && message.attempts < self.attempts;
        if let Some(number) = self.messages.iter().position(is_there) {
            let waits = self.open.iter().find(|(_, asked)| matches!(asked, Asked::Receive(_)));
            assert_eq!(waits, None, "waits beside message {number}, which nobody has");
        }
    }

    /// The program ended well: every message was acknowledged, or told as given up, and nobody has anything.
    pub(crate) fn balance(&self) {
        for (number, message) in self.messages.iter().enumerate() {
            assert!(matches!(message.place, Place::Done | Place::Told), "message {number} came to nothing: {message:?}");
        }
        assert_eq!((self.owner, self.held.len()), (None, 0));
        assert!(self.open.is_empty(), "{:?} were never answered", self.open);
        for key in super::consumer::DONE {
            assert!(self.map.get(key).is_none_or(|(value, _)| *value == 1), "{key}: {:?}", self.map);
        }
    }
}

/// Whether nobody has it: it waits, or its lease is over.
fn is_free(message: &Message, now: Now) -> bool {
    match message.place {
        Place::Waiting => true,
        Place::Leased(_, _, until) | Place::Delayed(until) => until <= now,
        Place::Nowhere | Place::Done | Place::Aside | Place::Told => false,
    }
}

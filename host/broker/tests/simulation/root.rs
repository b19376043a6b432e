//! The program itself: it makes what its tasks share, gives them work, waits for their ends, and counts what came of it.
//!
//! It does two parts, of which the seed may have it leave out one: consumers in a pool that share a queue, a map, a lock and a semaphore;
//! and a process at the other end of a pipe, beside values that are mapped over the same pool. It ends well only if every sum is right.

use std::collections::{BTreeSet, VecDeque};

use taskcell_wire::call::{
    Argument, Batch, Call, CallError, Create, Ended, FutureCall, HandleId, Invocation, LockCall, LockOptions, LockReply, MapCall,
    MapReply, MappingCall, PipeCall, PipeOptions, PipeReply, PoolCall, PoolReply, PoolSettings, ProcessCall, ProcessOptions,
    ProcessReply, QueueCall, QueueOptions, QueueReply, Reply, SemaphoreCall, SemaphoreKind, SemaphoreOptions, SemaphoreReply,
};

use super::consumer::{DONE, PLAIN, SUM, SWAPPED, count};
use super::guest::{End, Kind, MS, Step, answer, json};
use super::sender::NUMBERS;
use crate::random::Random;

/// What it does, in order; some of it more than once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Do {
    Pool,
    Queue,
    Map,
    Lock,
    Semaphore,
    Consumer,
    Put(u8),
    /// A message that nobody takes any more, so that one can be put.
    MakeRoom,
    Join,
    TakeSelf,
    Close,
    Await(HandleId),
    TakeRejected,
    Acquire,
    Release,
    Permits,
    Counts,
    Sum,
    Plain,
    Swapped,
    Keys,
    Pipe,
    Sender,
    Receive,
    JoinSender,
    MapValues,
    Imap,
    Push,
    Next,
}

/// What came of it, by its own count.
#[derive(Debug, Default)]
pub(crate) struct Root {
    seed: u64,
    begun: bool,
    todo: VecDeque<Do>,
    at: Option<Do>,
    pool: Option<HandleId>,
    queue: Option<HandleId>,
    map: Option<HandleId>,
    lock: Option<HandleId>,
    semaphore: Option<HandleId>,
    sending: Option<HandleId>,
    receiving: Option<HandleId>,
    sender: Option<HandleId>,
    mapping: Option<HandleId>,
    permits: u32,
    messages: u8,
    received: u8,
    values: Vec<u64>,
    pushed: usize,
    next: u64,
    /// Messages that it took itself or found put aside.
    own: BTreeSet<usize>,
}

impl Root {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, ..Self::default() }
    }

    /// Draws the parts.
    fn begin(&mut self) {
        let random = &mut Random::new(self.seed);
        self.begun = true;
        self.permits = random.between(1, 2);
        self.messages = u8::try_from(random.between(1, 12)).unwrap_or(1);
        let consumers = random.between(1, 3);
        let (queue, pipe) = match random.below(3) {
            0 => (true, false),
            1 => (false, true),
            _ => (true, true),
        };
        let todo = &mut self.todo;
        todo.push_back(Do::Pool);
        if queue {
            todo.extend([Do::Queue, Do::Map, Do::Lock, Do::Semaphore]);
            todo.extend((0..consumers).map(|_| Do::Consumer));
            todo.extend((0..self.messages).map(Do::Put));
            todo.extend([Do::Join, Do::Close]);
        }
        if pipe {
            todo.extend([Do::Pipe, Do::Sender, Do::Receive, Do::JoinSender]);
            todo.push_back(if random.once_in(2) { Do::MapValues } else { Do::Imap });
            let kind = |random: &mut Random| match random.below(10) {
                0 => Kind::Slow,
                1 => Kind::Waits,
                2 => Kind::Fails,
                3 => Kind::Traps,
                4 => Kind::Shaky,
                _ => Kind::Quick,
            };
            self.values = (0..random.between(1, 10)).map(|_| kind(random).value(random)).collect();
        }
    }

    pub(crate) fn step(&mut self, random: &mut Random) -> Step {
        if !self.begun {
            self.begin();
        }
        if random.once_in(16) {
            return Step::Work(random.below(5) * MS);
        }
        let Some(at) = self.todo.pop_front() else { return Step::End(End::Ok(b"null".to_vec())) };
        self.at = Some(at);
        Step::Call(self.call(at, random))
    }

    fn call(&mut self, at: Do, random: &mut Random) -> Call<'static> {
        let some = |handle: Option<HandleId>| handle.unwrap_or_else(|| panic!("{at:?} without a handle"));
        let timeout = random.once_in(3).then(|| random.below(20) * MS);
        match at {
            Do::Pool => Call::Create(Create::Pool(PoolSettings {
                workers: Some(random.between(1, 3)),
                retries: random.between(0, 6),
                timeout: random.once_in(4).then_some(500 * MS),
                max_tasks_per_worker: random.once_in(4).then_some(2),
                ..PoolSettings::default()
            })),
            Do::Queue => {
                let capacity = random.once_in(2).then(|| random.between(1, 4));
                let max_attempts = random.once_in(3).then(|| random.between(1, 3));
                Call::Create(Create::Queue(QueueOptions { capacity, max_attempts, ..QueueOptions::default() }))
            }
            Do::Map => Call::Create(Create::Map(None)),
            Do::Lock => Call::Create(Create::Lock(LockOptions::default())),
            Do::Semaphore => {
                let (permits, kind) = (self.permits, SemaphoreKind::Owned);
                Call::Create(Create::Semaphore(SemaphoreOptions { permits, kind, ..SemaphoreOptions::default() }))
            }
            Do::Consumer => {
                let shared = [self.queue, self.map, self.lock, self.semaphore];
                let arguments = Batch(shared.into_iter().map(|handle| Argument::Handle(some(handle))).collect());
                Call::Pool(some(self.pool), PoolCall::Submit(Invocation { task: "consume", arguments }))
            }
            Do::Put(number) => {
                let message = vec![number].into();
                Call::Queue(some(self.queue), QueueCall::Put { message, timeout })
            }
            Do::MakeRoom | Do::TakeSelf => Call::Queue(some(self.queue), QueueCall::Get { timeout: Some(50 * MS) }),
            Do::Join => Call::Queue(some(self.queue), QueueCall::Join { timeout }),
            Do::Close => Call::Queue(some(self.queue), QueueCall::Close),
            Do::Await(future) => Call::Future(future, FutureCall::Result { timeout }),
            Do::TakeRejected => Call::Queue(some(self.queue), QueueCall::TakeRejected { limit: 100 }),
            Do::Acquire => Call::Lock(some(self.lock), LockCall::Acquire { timeout: None }),
            Do::Release => Call::Lock(some(self.lock), LockCall::Release),
            Do::Permits => Call::Semaphore(some(self.semaphore), SemaphoreCall::Available),
            Do::Counts => Call::Queue(some(self.queue), QueueCall::Counts),
            Do::Sum => Call::Map(some(self.map), MapCall::Get { key: SUM }),
            Do::Plain => Call::Map(some(self.map), MapCall::Get { key: PLAIN }),
            Do::Swapped => Call::Map(some(self.map), MapCall::Get { key: SWAPPED }),
            Do::Keys => Call::Map(some(self.map), MapCall::Keys { prefix: "done-", cursor: None, limit: 100 }),
            Do::Pipe => Call::Create(Create::Pipe(PipeOptions::default())),
            Do::Sender => {
                let arguments = Batch(vec![Argument::Handle(some(self.sending))]);
                let task = Invocation { task: "send", arguments };
                Call::Create(Create::Process { task, options: ProcessOptions::default() })
            }
            Do::Receive => Call::Pipe(some(self.receiving), PipeCall::Recv { timeout }),
            Do::JoinSender => Call::Process(some(self.sender), ProcessCall::Join { timeout }),
            Do::MapValues => {
                let values = Batch(self.values.iter().map(|value| json(*value)).collect());
                Call::Pool(some(self.pool), PoolCall::Map { task: "value", values })
            }
            Do::Imap => {
                let (ordered, window) = (true, random.between(0, 3));
                Call::Pool(some(self.pool), PoolCall::Imap { task: "value", ordered, window })
            }
            Do::Push => {
                let rest = self.values.get(self.pushed..).unwrap_or(&[]);
                let values = Batch(rest.iter().map(|value| json(*value)).collect());
                Call::Mapping(some(self.mapping), MappingCall::Push { values, timeout: Some(0) })
            }
            Do::Next => Call::Mapping(some(self.mapping), MappingCall::Next { limit: random.between(1, 4), timeout }),
        }
    }

    /// Puts these before all others, in their order.
    fn first(&mut self, steps: &[Do]) {
        steps.iter().rev().for_each(|step| self.todo.push_front(*step));
    }

    pub(crate) fn answered(&mut self, answered: Result<Reply<'_>, CallError>) {
        let at = self.at.take().unwrap_or_else(|| panic!("the root asked nothing"));
        match answered {
            Ok(reply) => self.reply(at, reply),
            Err(error) => self.refused(at, &error),
        }
    }

    fn refused(&mut self, at: Do, error: &CallError) {
        match (at, error) {
            // Nobody is left to take messages: it takes them itself, and tries again.
            (Do::Put(_), CallError::Deadlock(_)) => self.first(&[Do::MakeRoom, at]),
            (Do::Join, CallError::Deadlock(_)) => self.first(&[Do::TakeSelf, at]),
            // The pool has no room before those that are in it have messages.
            (Do::Consumer, CallError::Deadlock(_)) => {}
            // What it takes may be leased, or delayed, and come later.
            (Do::MakeRoom | Do::TakeSelf, CallError::TimedOut) => {}
            (Do::TakeSelf, CallError::Closed) => {}
            (Do::Push, CallError::TimedOut) => self.todo.push_front(Do::Next),
            (_, CallError::TimedOut) => self.todo.push_front(at),
            (Do::Receive, CallError::Closed) => {}
            // The pool gave up: too many of its workers died in a row.
            (Do::Consumer | Do::MapValues | Do::Imap, CallError::Closed) => {}
            (Do::Push, CallError::Closed) => {
                self.values.truncate(self.pushed);
                if self.next < self.values.len() as u64 {
                    self.todo.push_front(Do::Next);
                }
            }
            (at, error) => panic!("the root is refused {at:?}: {error}"),
        }
    }

    fn reply(&mut self, at: Do, reply: Reply<'_>) {
        match (at, reply) {
            (Do::Pool, Reply::Handle(handle)) => self.pool = Some(handle),
            (Do::Queue, Reply::Handle(handle)) => self.queue = Some(handle),
            (Do::Map, Reply::Handle(handle)) => self.map = Some(handle),
            (Do::Lock, Reply::Handle(handle)) => self.lock = Some(handle),
            (Do::Semaphore, Reply::Handle(handle)) => self.semaphore = Some(handle),
            (Do::Imap, Reply::Handle(handle)) => {
                self.mapping = Some(handle);
                self.todo.push_front(Do::Push);
            }
            (Do::Pipe, Reply::Ends(first, second)) => (self.receiving, self.sending) = (Some(first), Some(second)),
            (Do::Sender, Reply::Started(process, _)) => self.sender = Some(process),
            (Do::Consumer, Reply::Started(future, _)) => {
                let close = self.todo.iter().position(|step| *step == Do::Close).map_or(self.todo.len(), |at| at + 1);
                self.todo.insert(close, Do::Await(future));
            }
            (Do::Put(_) | Do::Join, Reply::Queue(QueueReply::Done)) | (Do::Release, Reply::Lock(LockReply::Released)) => {}
            (Do::MakeRoom | Do::TakeSelf, Reply::Queue(QueueReply::Message(message))) => {
                assert!(self.own.insert(usize::from(message[0])), "message {message:?} twice");
            }
            (Do::Close, Reply::Queue(QueueReply::Done)) => {
                let awaits = self.todo.iter().take_while(|step| matches!(step, Do::Await(_))).count();
                let count = [Do::TakeRejected, Do::Acquire, Do::Release, Do::Permits, Do::Counts];
                let sums = [Do::Sum, Do::Plain, Do::Swapped, Do::Keys];
                for (at, step) in count.into_iter().chain(sums).enumerate() {
                    self.todo.insert(awaits + at, step);
                }
            }
            (Do::Await(_), Reply::Pool(PoolReply::Ended(ended))) => {
                assert!(!matches!(ended, Ended::Trapped(_) | Ended::OverLimit(_)), "a consumer ended with {ended:?}");
            }
            (Do::TakeRejected, Reply::Queue(QueueReply::Rejected(rejected))) => {
                for rejected in rejected {
                    assert!(self.own.insert(usize::from(rejected.message[0])), "{rejected:?} is told twice");
                }
            }
            (Do::Acquire, Reply::Lock(LockReply::Acquired(_))) => {}
            (Do::Permits, Reply::Semaphore(SemaphoreReply::Available(permits))) => {
                assert_eq!(permits, self.permits, "permits are with the dead");
            }
            (Do::Counts, Reply::Queue(QueueReply::Counts(counts))) => {
                let left = (counts.waiting, counts.leased, counts.delayed, counts.rejected, counts.dropped);
                assert_eq!(left, (0, 0, 0, 0, 0), "{counts:?}");
            }
            (Do::Sum | Do::Plain | Do::Swapped, Reply::Map(MapReply::Entry(entry))) => {
                // What they should be is the ledger's to say: it saw every change.
                let _ = entry.map(|entry| count(&entry.value));
            }
            (Do::Keys, Reply::Map(MapReply::Keys { keys, next: None })) => {
                let missing = (0..usize::from(self.messages))
                    .filter(|at| !self.own.contains(at) && !keys.iter().any(|key| key == DONE[*at]));
                let missing: Vec<usize> = missing.collect();
                assert!(missing.is_empty(), "messages {missing:?} were acknowledged and not worked on: {keys:?}");
            }
            (Do::Receive, Reply::Pipe(PipeReply::Message(message))) => {
                self.received += 1;
                assert_eq!(*message, [self.received], "out of order");
                self.todo.push_front(Do::Receive);
            }
            (Do::JoinSender, Reply::Process(ProcessReply::Ended(ended))) => {
                if matches!(ended, Ended::Ok(_)) {
                    assert_eq!(self.received, NUMBERS, "the sender ended well");
                }
            }
            (Do::MapValues, Reply::Pool(PoolReply::Outcomes(outcomes))) => {
                assert_eq!(outcomes.len(), self.values.len());
                self.values.iter().zip(&outcomes).for_each(|(value, ended)| check(*value, ended));
            }
            (Do::Push, Reply::Pool(PoolReply::Pushed(pushed))) => {
                self.pushed += pushed as usize;
                self.todo.push_front(if self.pushed < self.values.len() { Do::Push } else { Do::Next });
            }
            (Do::Next, Reply::Pool(PoolReply::Mapped(mapped))) => {
                for mapped in mapped {
                    assert_eq!(mapped.index, self.next, "out of order");
                    check(self.values[usize::try_from(self.next).unwrap_or(0)], &mapped.ended);
                    self.next += 1;
                }
                if self.next < self.values.len() as u64 {
                    self.todo.push_front(if self.pushed < self.values.len() { Do::Push } else { Do::Next });
                }
            }
            (at, reply) => panic!("{at:?} is answered {reply:?}"),
        }
    }
}

/// How the task of a value may end when workers die under it.
fn check(value: u64, ended: &Ended<'_>) {
    let kind = Kind::of(value);
    let fits = match ended {
        Ended::Ok(result) => {
            let right = answer(value);
            let result = match result {
                taskcell_wire::call::TaskValue::Json(json) => json.to_vec(),
                taskcell_wire::call::TaskValue::None | taskcell_wire::call::TaskValue::Bytes(_) => Vec::new(),
            };
            result == right && matches!(kind, Kind::Quick | Kind::Slow | Kind::Waits | Kind::Flaky | Kind::Shaky)
        }
        Ended::Failed(_) => matches!(kind, Kind::Fails | Kind::Flaky),
        Ended::Trapped(_) => kind == Kind::Traps,
        Ended::OverLimit(_) => kind == Kind::TooMuch,
        // Any worker may die, and any may stand still until its task's time is over.
        Ended::TimedOut | Ended::Lost(_) => true,
        Ended::Cancelled => false,
    };
    assert!(fits, "{kind:?} {value} ended with {ended:?}");
}

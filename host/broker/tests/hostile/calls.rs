//! Calls of every interface, out of bytes: on handles that the caller has, and on numbers that it guesses.

use taskcell_wire::WorkerId;
use taskcell_wire::call::{
    Argument, BarrierCall, BarrierOptions, Batch, Call, ConditionCall, Create, EventCall, FutureCall, HandleId, Interest,
    Invocation, LeaseId, LockCall, LockOptions, MapCall, MapChange, MapRights, MappingCall, PipeCall, PipeOptions, PoolCall,
    PoolSettings, ProcessCall, ProcessOptions, QueueCall, QueueOptions, QueueRights, SemaphoreCall, SemaphoreKind,
    SemaphoreOptions, TaskValue,
};

use super::{Hostile, Kind, Known};

/// What a call was made with, to hold its answer against.
#[derive(Debug, Clone, Default)]
pub(super) struct Asked {
    /// What it is on, as its caller knows it.
    pub(super) on: Option<Known>,
    /// A number that is not its caller's, of the object it is on.
    pub(super) stranger: bool,
    /// The same for another number in it.
    pub(super) strangers: bool,
    /// Places of numbers that are not its caller's among what it waits for.
    pub(super) guessed: Vec<u32>,
    /// What handles that it brings are of.
    pub(super) makes: Option<Known>,
    /// Handles that it lends, in order.
    pub(super) lends: Vec<Known>,
    /// Ends of pipes that it gives away.
    pub(super) gives: Vec<HandleId>,
}

/// Names of tasks, some of which there are.
const TASKS: [&str; 12] = [
    "run",
    "add",
    "echo",
    "fib",
    "quiet",
    "square",
    "other/echo",
    "math#square",
    "with-queue",
    "with-connection",
    "with-shared-map",
    "nobody",
];

impl Hostile<'_> {
    /// A handle of the caller's, or a number that may be anybody's. Sets `stranger` if it is not the caller's.
    fn handle(&mut self, id: WorkerId, stranger: &mut bool) -> (HandleId, Option<Known>) {
        let guest = self.guests.get(&id);
        let own: Vec<HandleId> = guest.map_or_else(Vec::new, |guest| guest.handles.keys().copied().collect());
        let number = if self.script.once_in(6) { None } else { self.script.pick(&own) };
        let number = number.unwrap_or_else(|| HandleId(self.script.number()));
        let guest = self.guests.get(&id);
        let known = guest.and_then(|guest| guest.handles.get(&number).copied());
        let lost = guest.is_some_and(|guest| guest.doubtful.contains(&number));
        *stranger |= known.is_none() && !lost;
        (number, known)
    }

    /// Something that the caller asks.
    pub(super) fn a_call(&mut self, id: WorkerId) -> (Call<'static>, Asked) {
        let mut asked = Asked::default();
        let call = match self.script.below(12) {
            0..=2 => Call::Create(self.a_create(id, &mut asked)),
            3 => Call::Identity,
            4 if self.script.once_in(2) => Call::Input(self.script.below(3)),
            4 => {
                let count = self.script.below(4);
                let mut on = Vec::new();
                for place in 0..count {
                    let mut stranger = false;
                    let (handle, _) = self.handle(id, &mut stranger);
                    asked.guessed.extend(stranger.then_some(place));
                    on.push((handle, if self.script.once_in(3) { Interest::Out } else { Interest::In }));
                }
                Call::WaitAny { on: Batch(on), timeout: self.script.timeout() }
            }
            _ => {
                let (handle, known) = self.handle(id, &mut asked.stranger);
                asked.on = known;
                // Now and then a call that a handle of this kind does not have.
                let kind = known.map(|known| known.kind).filter(|_| !self.script.once_in(16));
                let kind = kind.or_else(|| self.script.pick(&Kind::ALL)).unwrap_or(Kind::Queue);
                self.on_handle(id, handle, kind, &mut asked)
            }
        };
        (call, asked)
    }

    fn new_object(&mut self, kind: Kind) -> Option<Known> {
        self.objects += 1;
        Some(Known { kind, object: self.objects })
    }

    fn a_create(&mut self, id: WorkerId, asked: &mut Asked) -> Create<'static> {
        let name = self.script.once_in(8).then(|| "\u{1b}]0;name\u{7}".repeat(20));
        let (kind, create) = match self.script.below(14) {
            0 | 1 => {
                let capacity = self.script.once_in(2).then(|| self.script.below(4));
                let max_attempts = self.script.once_in(2).then(|| self.script.below(3));
                (Kind::Queue, Create::Queue(QueueOptions { capacity, max_attempts, name }))
            }
            2 => (Kind::End, Create::Pipe(PipeOptions { duplex: self.script.once_in(2), name })),
            3 => (Kind::Map, Create::Map(name)),
            4 => (Kind::Lock, Create::Lock(LockOptions { reentrant: self.script.once_in(2), name })),
            5 => {
                let kind = if self.script.once_in(2) { SemaphoreKind::Owned } else { SemaphoreKind::Counting };
                (Kind::Semaphore, Create::Semaphore(SemaphoreOptions { permits: self.script.below(3), kind, name }))
            }
            6 => (Kind::Event, Create::Event(name)),
            7 => {
                let (lock, _) = self.handle(id, &mut asked.strangers);
                (Kind::Condition, Create::Condition { lock, name })
            }
            8 => (Kind::Barrier, Create::Barrier(BarrierOptions { parties: self.script.below(4), name })),
            9..=11 => {
                let task = self.an_invocation(id, asked);
                let options = ProcessOptions {
                    name,
                    timeout: self.script.timeout(),
                    memory_bytes: self.script.once_in(4).then(|| self.script.number()),
                    detached: self.script.once_in(6),
                };
                (Kind::Process, Create::Process { task, options })
            }
            12.. => {
                let settings = PoolSettings {
                    workers: Some(self.script.below(4)),
                    timeout: self.script.timeout(),
                    retries: self.script.below(3),
                    max_tasks_per_worker: self.script.once_in(4).then(|| self.script.below(3)),
                    name,
                    ..PoolSettings::default()
                };
                (Kind::Pool, Create::Pool(settings))
            }
        };
        asked.makes = self.new_object(kind);
        create
    }

    /// Notes what it lends and what it gives away.
    fn an_invocation(&mut self, id: WorkerId, asked: &mut Asked) -> Invocation<'static> {
        let mut task = self.script.pick(&TASKS).unwrap_or("run");
        let mut arguments = Vec::new();
        for _ in 0..self.script.below(3) {
            if self.script.once_in(3) {
                arguments.push(Argument::Value(self.a_value()));
                continue;
            }
            let (handle, known) = self.handle(id, &mut asked.strangers);
            arguments.push(Argument::Handle(handle));
            if let Some(known) = known {
                asked.lends.push(known);
                if known.kind == Kind::End {
                    asked.gives.push(handle);
                }
                // Most of the time for a task that takes it.
                task = known.kind.task().filter(|_| !self.script.once_in(8)).unwrap_or(task);
            }
        }
        Invocation { task, arguments: Batch(arguments) }
    }

    fn a_value(&mut self) -> TaskValue<'static> {
        let text = ["1", "\"x\"", "[1,2]", "bad"][self.script.below(4) as usize];
        match self.script.below(3) {
            0 => TaskValue::None,
            1 => crate::host::json(text),
            _ => TaskValue::Bytes(text.as_bytes().into()),
        }
    }

    /// A payload that says which object it was put into.
    fn a_body(&mut self, on: Option<Known>) -> taskcell_wire::call::SharedBytes {
        let filler = [0, 10, 100, 400][self.script.below(4) as usize];
        format!("#{}:{}", on.map_or(0, |known| known.object), "x".repeat(filler)).into_bytes().into()
    }

    fn on_handle(&mut self, id: WorkerId, handle: HandleId, kind: Kind, asked: &mut Asked) -> Call<'static> {
        let on = asked.on;
        match kind {
            Kind::Queue if self.script.once_in(8) => {
                asked.makes = on;
                Call::RestrictQueue(handle, QueueRights { get: self.script.once_in(2), put: self.script.once_in(2) })
            }
            Kind::Queue => Call::Queue(handle, self.a_queue_call(on)),
            Kind::End => Call::Pipe(handle, self.a_pipe_call(on)),
            Kind::Map if self.script.once_in(8) => {
                asked.makes = on;
                let rights = MapRights { read: self.script.once_in(2), write: self.script.once_in(2) };
                Call::RestrictMap(handle, rights, ["", "k", "key/"][self.script.below(3) as usize])
            }
            Kind::Map => Call::Map(handle, self.a_map_call(on)),
            Kind::Lock => {
                let release = self.script.once_in(3);
                Call::Lock(handle, if release { LockCall::Release } else { LockCall::Acquire { timeout: self.script.timeout() } })
            }
            Kind::Condition => {
                let notify = self.script.once_in(2);
                let count = self.script.once_in(2).then(|| self.script.below(3));
                let wait = ConditionCall::Wait { timeout: self.script.timeout() };
                Call::Condition(handle, if notify { ConditionCall::Notify { count } } else { wait })
            }
            Kind::Semaphore => {
                let permits = u32::try_from(self.script.number()).unwrap_or(u32::MAX);
                let call = match self.script.below(3) {
                    0 => SemaphoreCall::Acquire { permits: permits % 4, timeout: self.script.timeout() },
                    1 => SemaphoreCall::Release { permits },
                    _ => SemaphoreCall::Available,
                };
                Call::Semaphore(handle, call)
            }
            Kind::Event => {
                let call = match self.script.below(4) {
                    0 => EventCall::Set,
                    1 => EventCall::Clear,
                    2 => EventCall::IsSet,
                    _ => EventCall::Wait { timeout: self.script.timeout() },
                };
                Call::Event(handle, call)
            }
            Kind::Barrier => {
                let reset = self.script.once_in(4);
                Call::Barrier(
                    handle,
                    if reset { BarrierCall::Reset } else { BarrierCall::Wait { timeout: self.script.timeout() } },
                )
            }
            Kind::Process => {
                let call = match self.script.below(6) {
                    0 => ProcessCall::Pid,
                    1 => ProcessCall::State,
                    2 => ProcessCall::Terminate { grace: self.script.number() },
                    3 => ProcessCall::Kill,
                    _ => ProcessCall::Join { timeout: self.script.timeout() },
                };
                Call::Process(handle, call)
            }
            Kind::Pool => Call::Pool(handle, self.a_pool_call(id, asked)),
            Kind::Future => {
                let call = match self.script.below(4) {
                    0 => FutureCall::State,
                    1 => FutureCall::Cancel,
                    _ => FutureCall::Result { timeout: self.script.timeout() },
                };
                Call::Future(handle, call)
            }
            Kind::Mapping => Call::Mapping(handle, self.a_mapping_call()),
        }
    }

    fn a_queue_call(&mut self, on: Option<Known>) -> QueueCall<'static> {
        let timeout = self.script.timeout();
        match self.script.below(16) {
            0..=3 => QueueCall::Put { message: self.a_body(on).into(), timeout },
            4 => {
                let count = self.script.below(5);
                QueueCall::PutMany { messages: Batch((0..count).map(|_| self.a_body(on).into()).collect()), timeout }
            }
            5 | 6 => QueueCall::Get { timeout },
            7 => QueueCall::GetMany { limit: self.script.below(4), timeout },
            8 | 9 => QueueCall::Receive { lease: self.script.number().wrapping_mul(1_000_000) % (1 << 40), timeout },
            10 => QueueCall::Ack { lease: LeaseId(self.script.number()) },
            11 => QueueCall::Nack { lease: LeaseId(self.script.number()), delay: self.script.number() },
            12 => QueueCall::Extend { lease: LeaseId(self.script.number()), by: self.script.number() },
            13 => QueueCall::Reject { lease: LeaseId(self.script.number()) },
            14 if self.script.once_in(3) => QueueCall::Close,
            14 => QueueCall::TakeRejected { limit: self.script.below(3) },
            _ if self.script.once_in(3) => QueueCall::Join { timeout },
            _ => QueueCall::Counts,
        }
    }

    fn a_pipe_call(&mut self, on: Option<Known>) -> PipeCall<'static> {
        let timeout = self.script.timeout();
        match self.script.below(8) {
            0..=2 => PipeCall::Send { message: self.a_body(on).into(), timeout },
            3..=5 => PipeCall::Recv { timeout },
            6 => PipeCall::Poll { timeout },
            _ => PipeCall::Close,
        }
    }

    fn a_map_call(&mut self, on: Option<Known>) -> MapCall<'static> {
        const KEYS: [&str; 6] = ["", "a", "k", "k2", "key/x", "number"];
        let mut key = || self.script.pick(&KEYS).unwrap_or("a");
        let (key, other) = (key(), key());
        let value = self.a_body(on).into();
        let version = self.script.once_in(2).then(|| self.script.number());
        let expires_in = self.script.once_in(3).then(|| self.script.number());
        match self.script.below(16) {
            0 => MapCall::Get { key },
            1 => MapCall::GetMany { keys: Batch(vec![key, other]) },
            2 | 3 => MapCall::Set { key, value, expires_in },
            4 => MapCall::SetMany { entries: Batch(vec![(key, value), (other, self.a_body(on).into())]) },
            5 => MapCall::SetDefault { key, value },
            6 => MapCall::Remove { key },
            7 => MapCall::Pop { key },
            8 => MapCall::Contains { key },
            9 if self.script.once_in(4) => MapCall::Clear,
            9 => MapCall::Len,
            10 => MapCall::Keys { prefix: key, cursor: Some(other), limit: self.script.below(3) },
            11 => MapCall::Items { prefix: "", cursor: None, limit: self.script.below(3) },
            12 => MapCall::CompareAndSwap { key, version, value, expires_in },
            13 => MapCall::Increment { key: "number", by: i64::from_ne_bytes(self.script.number().to_ne_bytes()) },
            14 => {
                let changes = vec![MapChange::Check(other, version), MapChange::Set(key, value), MapChange::Remove(other)];
                MapCall::UpdateMany { changes: Batch(changes) }
            }
            _ => MapCall::Watch { key, since: version, timeout: self.script.timeout() },
        }
    }

    fn a_pool_call(&mut self, id: WorkerId, asked: &mut Asked) -> PoolCall<'static> {
        match self.script.below(12) {
            0..=4 => {
                let task = self.an_invocation(id, asked);
                asked.makes = self.new_object(Kind::Future);
                PoolCall::Submit(task)
            }
            5 => {
                let task = self.script.pick(&TASKS).unwrap_or("fib");
                let values = (0..self.script.below(5)).map(|_| self.a_value()).collect();
                PoolCall::Map { task, values: Batch(values) }
            }
            6 | 7 => {
                asked.makes = self.new_object(Kind::Mapping);
                let (ordered, window) = (self.script.once_in(2), self.script.below(4));
                PoolCall::Imap { task: self.script.pick(&TASKS).unwrap_or("fib"), ordered, window }
            }
            8 => PoolCall::Drain { timeout: self.script.timeout() },
            9 => PoolCall::Shutdown { cancel_pending: self.script.once_in(2) },
            10 => PoolCall::Kill,
            _ => {
                asked.makes = self.new_object(Kind::Future);
                PoolCall::Submit(Invocation { task: "fib", arguments: Batch(vec![Argument::Value(crate::host::json("1"))]) })
            }
        }
    }

    fn a_mapping_call(&mut self) -> MappingCall<'static> {
        let timeout = self.script.timeout();
        match self.script.below(5) {
            0 | 1 => {
                let values = (0..self.script.below(4)).map(|_| self.a_value()).collect();
                MappingCall::Push { values: Batch(values), timeout }
            }
            2 => MappingCall::Finish,
            _ => MappingCall::Next { limit: self.script.below(3), timeout },
        }
    }
}

//! What tasks do with what they have.

use taskcell_wire::WorkerId;
use taskcell_wire::call::{
    BarrierCall, BarrierOptions, Batch, Call, CallId, ConditionCall, Create, EventCall, FutureCall, HandleId, Interest, LockCall,
    LockOptions, MapCall, MapRights, MappingCall, PipeCall, PipeOptions, PoolSettings, ProcessCall, QueueCall, QueueOptions,
    QueueRights, SemaphoreKind, SemaphoreOptions, Timeout,
};

use super::{Hope, Kind, Program};
use crate::history::timeout;

impl Program {
    /// One thing that a task does.
    pub(super) fn act(&mut self, id: WorkerId) {
        match self.random.below(16) {
            0..=2 => self.make(id),
            3 => self.spawn(id),
            4..=5 => self.map_something(id),
            6 => self.drop_one(id),
            7 => self.guess(id),
            8 => self.tells(id),
            9 => self.wait_any(id),
            10 if self.random.once_in(2) => self.made_call(id, Call::Identity, Hope::Nothing),
            11 if self.random.once_in(4) => self.ask_input(id),
            _ => self.use_one(id),
        }
    }

    /// A pool's or a mapping's next step, if there is one.
    fn map_something(&mut self, id: WorkerId) {
        let all = self.of_kind(id, |kind| matches!(kind, Kind::Pool | Kind::Mapping));
        match self.random.pick(&all) {
            Some(handle) => self.use_handle(id, handle),
            None => self.make(id),
        }
    }

    fn ask_input(&mut self, id: WorkerId) {
        let is_root = self.host.broker.spec(id).is_some_and(|spec| spec.program);
        let hope = if is_root { Hope::Nothing } else { Hope::Refused };
        self.made_call(id, Call::Input(3), hope);
    }

    pub(super) fn timeout(&mut self) -> Timeout {
        timeout(&mut self.random)
    }

    /// Makes a call, and notes what it hopes for. Now and then again and again: that is what loans are made for.
    pub(super) fn made_call(&mut self, id: WorkerId, call: Call<'_>, hope: Hope) {
        let streams = matches!(
            call,
            Call::Queue(_, QueueCall::Put { .. } | QueueCall::Get { .. })
                | Call::Pipe(_, PipeCall::Send { .. } | PipeCall::Recv { .. })
        );
        let times = if streams && self.random.once_in(4) { 12 } else { 1 };
        for _ in 0..times {
            let can = self.host.workers.get(&id).is_some_and(|worker| !worker.killed && worker.open.is_empty());
            if !can || !self.guests.contains_key(&id) {
                return;
            }
            self.made_one_call(id, call.clone(), hope.clone());
        }
    }

    fn made_one_call(&mut self, id: WorkerId, call: Call<'_>, hope: Hope) {
        self.log.push(format!("{id} {call:?}"));
        self.trace.tell(|| format!("{id} {}: {call:?}", self.guests[&id].task));
        let guest = self.guests.get_mut(&id).unwrap_or_else(|| panic!("{id} runs nothing"));
        guest.hope = Some(hope);
        self.counts.calls += 1;
        match self.host.use_loan(id, &call) {
            Some(answer) => {
                self.counts.lent += 1;
                self.host.answers.push((id, CallId(u64::MAX), answer));
            }
            None => {
                self.host.raw_call(id, call).unwrap_or_else(|violation| panic!("{id}: {violation}"));
            }
        }
        if self.host.workers.get(&id).is_some_and(|worker| !worker.open.is_empty()) {
            self.counts.parked += 1;
        }
        self.take_answers();
    }

    fn make(&mut self, id: WorkerId) {
        self.next += 1;
        let number = self.next;
        let (create, hope) = match self.random.below(12) {
            0..=1 => {
                let capacity = self.random.once_in(2).then_some(2);
                (Create::Queue(QueueOptions { capacity, max_attempts: None, name: None }), Hope::Handle(Kind::Queue(number)))
            }
            2 => (Create::Pipe(PipeOptions { duplex: self.random.once_in(2), name: None }), Hope::Ends(number)),
            3 => (Create::Map(None), Hope::Handle(Kind::Map(number, true))),
            4 => (Create::Lock(LockOptions { reentrant: self.random.once_in(3), name: None }), Hope::Handle(Kind::Lock)),
            5 => {
                let kind = if self.random.once_in(2) { SemaphoreKind::Owned } else { SemaphoreKind::Counting };
                (Create::Semaphore(SemaphoreOptions { permits: 2, kind, name: None }), Hope::Handle(Kind::Semaphore))
            }
            6 => (Create::Event(None), Hope::Handle(Kind::Event)),
            7 => {
                let locks = self.of_kind(id, |kind| kind == Kind::Lock);
                let Some(lock) = self.random.pick(&locks) else { return };
                (Create::Condition { lock, name: None }, Hope::Handle(Kind::Condition))
            }
            8 => (Create::Barrier(BarrierOptions { parties: 2, name: None }), Hope::Handle(Kind::Barrier)),
            9.. => {
                let settings = PoolSettings {
                    workers: Some(self.random.between(1, 2)),
                    retries: self.random.between(0, 1),
                    timeout: self.random.once_in(4).then_some(5_000_000),
                    max_tasks_per_worker: self.random.once_in(4).then_some(2),
                    ..PoolSettings::default()
                };
                (Create::Pool(settings), Hope::Handle(Kind::Pool))
            }
        };
        let is_map = matches!(hope, Hope::Handle(Kind::Map(..)));
        self.made_call(id, Call::Create(create), hope);
        let maps = self.of_kind(id, |kind| kind == Kind::Map(number, true));
        if is_map && let Some(map) = maps.first() {
            let value = number.to_string();
            let set = MapCall::Set { key: "number", value: value.as_bytes().into(), expires_in: None };
            self.made_call(id, Call::Map(*map, set), Hope::Nothing);
        }
    }

    pub(super) fn of_kind(&self, id: WorkerId, is: impl Fn(Kind) -> bool) -> Vec<HandleId> {
        let Some(guest) = self.guests.get(&id) else { return Vec::new() };
        guest.handles.iter().filter(|(_, kind)| is(**kind)).map(|(handle, _)| *handle).collect()
    }

    fn drop_one(&mut self, id: WorkerId) {
        let all = self.of_kind(id, |_| true);
        let Some(handle) = self.random.pick(&all) else { return };
        self.tell(|| format!("{id} drops {handle}"));
        self.host.drop(id, handle);
        if let Some(guest) = self.guests.get_mut(&id) {
            guest.handles.remove(&handle);
        }
    }

    fn wait_any(&mut self, id: WorkerId) {
        let waitable = |kind| {
            matches!(kind, Kind::Queue(_) | Kind::End(_) | Kind::Event | Kind::Process(_) | Kind::Future(_) | Kind::Mapping)
        };
        let all = self.of_kind(id, waitable);
        let on: Vec<(HandleId, Interest)> = (0..3).filter_map(|_| Some((self.random.pick(&all)?, Interest::In))).collect();
        if !on.is_empty() {
            let timeout = self.timeout();
            self.made_call(id, Call::WaitAny { on: Batch(on), timeout }, Hope::Nothing);
        }
    }

    fn use_one(&mut self, id: WorkerId) {
        let all = self.of_kind(id, |_| true);
        if let Some(handle) = self.random.pick(&all) {
            self.use_handle(id, handle);
        }
    }

    fn use_handle(&mut self, id: WorkerId, handle: HandleId) {
        let kind = self.guests[&id].handles[&handle];
        match kind {
            Kind::Queue(number) => self.use_queue(id, handle, number),
            Kind::End(number) => self.use_end(id, handle, number),
            Kind::Map(number, whole) => self.use_map(id, handle, number, whole),
            Kind::Lock => {
                let timeout = self.timeout();
                let call = if self.random.once_in(3) { LockCall::Release } else { LockCall::Acquire { timeout } };
                self.made_call(id, Call::Lock(handle, call), Hope::Nothing);
            }
            Kind::Condition => {
                let timeout = self.timeout();
                let notify = self.random.once_in(2);
                let call = if notify { ConditionCall::Notify { count: None } } else { ConditionCall::Wait { timeout } };
                self.made_call(id, Call::Condition(handle, call), Hope::Nothing);
            }
            Kind::Semaphore => {
                use taskcell_wire::call::SemaphoreCall;
                let timeout = self.timeout();
                let release = self.random.once_in(3);
                let call =
                    if release { SemaphoreCall::Release { permits: 1 } } else { SemaphoreCall::Acquire { permits: 1, timeout } };
                self.made_call(id, Call::Semaphore(handle, call), Hope::Nothing);
            }
            Kind::Event => {
                let timeout = self.timeout();
                let call = match self.random.below(3) {
                    0 => EventCall::Set,
                    1 => EventCall::Clear,
                    _ => EventCall::Wait { timeout },
                };
                self.made_call(id, Call::Event(handle, call), Hope::Nothing);
            }
            Kind::Barrier => {
                let timeout = self.timeout();
                let call = if self.random.once_in(5) { BarrierCall::Reset } else { BarrierCall::Wait { timeout } };
                self.made_call(id, Call::Barrier(handle, call), Hope::Nothing);
            }
            Kind::Process(task) => {
                let timeout = self.timeout();
                let (call, hope) = match self.random.below(6) {
                    0 => (ProcessCall::State, Hope::Nothing),
                    1 => (ProcessCall::Pid, Hope::Nothing),
                    2 => (ProcessCall::Kill, Hope::Nothing),
                    3 => (ProcessCall::Terminate { grace: self.random.below(20) * 1_000_000 }, Hope::Nothing),
                    _ => (ProcessCall::Join { timeout }, Hope::End(task)),
                };
                self.made_call(id, Call::Process(handle, call), hope);
            }
            Kind::Future(task) => {
                let timeout = self.timeout();
                let (call, hope) = match self.random.below(5) {
                    0 => (FutureCall::State, Hope::Nothing),
                    1 => (FutureCall::Cancel, Hope::Nothing),
                    _ => (FutureCall::Result { timeout }, Hope::End(task)),
                };
                self.made_call(id, Call::Future(handle, call), hope);
            }
            Kind::Pool => self.use_pool(id, handle),
            Kind::Mapping => {
                let timeout = self.timeout();
                let (call, hope) = match self.random.below(5) {
                    0 => (MappingCall::Finish, Hope::Nothing),
                    1..=2 => {
                        let values = self.values();
                        let values = values.iter().map(|text| crate::host::json(text)).collect();
                        (MappingCall::Push { values: Batch(values), timeout }, Hope::Nothing)
                    }
                    _ => (MappingCall::Next { limit: self.random.between(1, 3), timeout }, Hope::Mapped),
                };
                self.made_call(id, Call::Mapping(handle, call), hope);
            }
        }
    }

    fn use_queue(&mut self, id: WorkerId, handle: HandleId, number: u64) {
        let timeout = self.timeout();
        let body = format!("{number}:{}", "x".repeat(self.random.below(300) as usize));
        let message = body.as_bytes().into();
        let (call, hope) = match self.random.below(12) {
            0..=3 => (QueueCall::Put { message, timeout }, Hope::Nothing),
            4..=6 => (QueueCall::Get { timeout }, Hope::Message(number)),
            7 => (QueueCall::GetMany { limit: 2, timeout }, Hope::Message(number)),
            8 => (QueueCall::Receive { lease: 3_000_000, timeout }, Hope::Message(number)),
            9 => (QueueCall::Join { timeout }, Hope::Nothing),
            10 => {
                let rights = QueueRights { get: self.random.once_in(2), put: self.random.once_in(2) };
                return self.made_call(id, Call::RestrictQueue(handle, rights), Hope::Handle(Kind::Queue(number)));
            }
            _ => {
                let close = self.random.once_in(3);
                (if close { QueueCall::Close } else { QueueCall::Counts }, Hope::Nothing)
            }
        };
        self.made_call(id, Call::Queue(handle, call), hope);
    }

    fn use_end(&mut self, id: WorkerId, handle: HandleId, number: u64) {
        let timeout = self.timeout();
        let body = format!("{number}:m");
        let (call, hope) = match self.random.below(8) {
            0..=2 => (PipeCall::Send { message: body.as_bytes().into(), timeout }, Hope::Nothing),
            3..=5 => (PipeCall::Recv { timeout }, Hope::Message(number)),
            6 => (PipeCall::Poll { timeout }, Hope::Nothing),
            _ => (PipeCall::Close, Hope::Nothing),
        };
        self.made_call(id, Call::Pipe(handle, call), hope);
    }

    fn use_map(&mut self, id: WorkerId, handle: HandleId, number: u64, whole: bool) {
        let timeout = self.timeout();
        let (call, hope) = match self.random.below(6) {
            0..=1 if whole => (MapCall::Get { key: "number" }, Hope::Number(number)),
            2 => (MapCall::Watch { key: "k", since: None, timeout }, Hope::Nothing),
            3 => (MapCall::Set { key: "k", value: b"v".into(), expires_in: timeout }, Hope::Nothing),
            4 => {
                let rights = MapRights { read: true, write: self.random.once_in(2) };
                let call = Call::RestrictMap(handle, rights, "k");
                return self.made_call(id, call, Hope::Handle(Kind::Map(number, false)));
            }
            _ => (MapCall::Remove { key: "k" }, Hope::Nothing),
        };
        self.made_call(id, Call::Map(handle, call), hope);
    }
}

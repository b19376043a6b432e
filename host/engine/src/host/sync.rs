//! `taskcell:host/sync`.

use taskcell_wire::call::{self, BarrierCall, BarrierOptions, BarrierReply, Call, ConditionCall, Create, EventCall, EventReply};
use taskcell_wire::call::{
    Interest, LockCall, LockOptions, LockReply, Reply, SemaphoreCall, SemaphoreOptions, SemaphoreReply, Timeout,
};
use wasmtime::component::Resource;

use super::interfaces::sync::{
    Acquired, Host, HostBarrier, HostCondition, HostEvent, HostLock, HostSemaphore, SemaphoreKind, Woken,
};
use super::view::{certain, handles, match_one, short};
use super::waiting::Waitable;
use super::{Fault, View};

handles! {
    /// `sync.lock`
    Lock
    /// `sync.semaphore`
    Semaphore
    /// `sync.event`
    Event
    /// `sync.condition`
    Condition
    /// `sync.barrier`
    Barrier
}

fn acquired(how: call::Acquired) -> Acquired {
    match how {
        call::Acquired::Clean => Acquired::Clean,
        call::Acquired::Abandoned => Acquired::Abandoned,
    }
}

impl View<'_> {
    /// A lock's answer, or a condition's.
    fn ask_lock<R>(&self, call: &Call<'_>, read: impl FnOnce(LockReply) -> Option<R>) -> Result<R, Fault> {
        self.ask(call, |reply| read(match_one!(reply, Reply::Lock(reply) => reply)?))
    }

    fn ask_semaphore<R>(
        &self,
        semaphore: &Resource<Semaphore>,
        call: SemaphoreCall,
        read: impl FnOnce(SemaphoreReply) -> Option<R>,
    ) -> Result<R, Fault> {
        let call = Call::Semaphore(self.handle_id(semaphore)?, call);
        self.ask(&call, |reply| read(match_one!(reply, Reply::Semaphore(reply) => reply)?))
    }

    fn ask_event<R>(
        &self,
        event: &Resource<Event>,
        call: EventCall,
        read: impl FnOnce(EventReply) -> Option<R>,
    ) -> Result<R, Fault> {
        let call = Call::Event(self.handle_id(event)?, call);
        self.ask(&call, |reply| read(match_one!(reply, Reply::Event(reply) => reply)?))
    }

    fn event_done(&self, event: &Resource<Event>, call: EventCall) -> Result<(), Fault> {
        self.ask_event(event, call, |reply| match_one!(reply, EventReply::Done => ()))
    }

    fn ask_barrier<R>(
        &self,
        barrier: &Resource<Barrier>,
        call: BarrierCall,
        read: impl FnOnce(BarrierReply) -> Option<R>,
    ) -> Result<R, Fault> {
        let call = Call::Barrier(self.handle_id(barrier)?, call);
        self.ask(&call, |reply| read(match_one!(reply, Reply::Barrier(reply) => reply)?))
    }

    fn notify_some(&self, condition: &Resource<Condition>, count: Option<u32>) -> Result<u32, Fault> {
        let call = Call::Condition(self.handle_id(condition)?, ConditionCall::Notify { count });
        self.ask_lock(&call, |reply| match_one!(reply, LockReply::Notified(count) => count))
    }
}

impl Host for View<'_> {}

impl HostLock for View<'_> {
    fn create(&mut self, reentrant: bool, name: Option<String>) -> Result<Resource<Lock>, Fault> {
        self.create_new(Create::Lock(LockOptions { reentrant, name: short(name) }), Lock)
    }

    fn acquire(&mut self, lock: Resource<Lock>, timeout: Timeout) -> Result<Acquired, Fault> {
        let call = Call::Lock(self.handle_id(&lock)?, LockCall::Acquire { timeout });
        self.ask_lock(&call, |reply| match_one!(reply, LockReply::Acquired(how) => acquired(how)))
    }

    fn release(&mut self, lock: Resource<Lock>) -> Result<(), Fault> {
        let call = Call::Lock(self.handle_id(&lock)?, LockCall::Release);
        self.ask_lock(&call, |reply| match_one!(reply, LockReply::Released => ()))
    }

    fn drop(&mut self, lock: Resource<Lock>) -> wasmtime::Result<()> {
        self.forget(lock)
    }
}

impl HostSemaphore for View<'_> {
    fn create(&mut self, permits: u32, kind: SemaphoreKind, name: Option<String>) -> Result<Resource<Semaphore>, Fault> {
        let kind = match kind {
            SemaphoreKind::Owned => call::SemaphoreKind::Owned,
            SemaphoreKind::Counting => call::SemaphoreKind::Counting,
        };
        self.create_new(Create::Semaphore(SemaphoreOptions { permits, kind, name: short(name) }), Semaphore)
    }

    fn acquire(&mut self, semaphore: Resource<Semaphore>, permits: u32, timeout: Timeout) -> Result<(), Fault> {
        let call = SemaphoreCall::Acquire { permits, timeout };
        self.ask_semaphore(&semaphore, call, |reply| match_one!(reply, SemaphoreReply::Done => ()))
    }

    fn release(&mut self, semaphore: Resource<Semaphore>, permits: u32) -> Result<(), Fault> {
        self.ask_semaphore(&semaphore, SemaphoreCall::Release { permits }, |reply| match_one!(reply, SemaphoreReply::Done => ()))
    }

    fn available(&mut self, semaphore: Resource<Semaphore>) -> wasmtime::Result<u32> {
        let available = self.ask_semaphore(
            &semaphore,
            SemaphoreCall::Available,
            |reply| match_one!(reply, SemaphoreReply::Available(permits) => permits),
        );
        certain("semaphore.available", available)
    }

    fn drop(&mut self, semaphore: Resource<Semaphore>) -> wasmtime::Result<()> {
        self.forget(semaphore)
    }
}

impl HostEvent for View<'_> {
    fn create(&mut self, name: Option<String>) -> Result<Resource<Event>, Fault> {
        self.create_new(Create::Event(short(name)), Event)
    }

    fn set(&mut self, event: Resource<Event>) -> wasmtime::Result<()> {
        certain("event.set", self.event_done(&event, EventCall::Set))
    }

    fn clear(&mut self, event: Resource<Event>) -> wasmtime::Result<()> {
        certain("event.clear", self.event_done(&event, EventCall::Clear))
    }

    fn is_set(&mut self, event: Resource<Event>) -> wasmtime::Result<bool> {
        let set = self.ask_event(&event, EventCall::IsSet, |reply| match_one!(reply, EventReply::IsSet(set) => set));
        certain("event.is-set", set)
    }

    fn wait(&mut self, event: Resource<Event>, timeout: Timeout) -> Result<(), Fault> {
        self.event_done(&event, EventCall::Wait { timeout })
    }

    fn ready(&mut self, event: Resource<Event>) -> wasmtime::Result<Resource<Waitable>> {
        self.waitable(&event, Interest::In)
    }

    fn drop(&mut self, event: Resource<Event>) -> wasmtime::Result<()> {
        self.forget(event)
    }
}

impl HostCondition for View<'_> {
    fn create(&mut self, lock: Resource<Lock>, name: Option<String>) -> Result<Resource<Condition>, Fault> {
        let lock = self.handle_id(&lock)?;
        self.create_new(Create::Condition { lock, name: short(name) }, Condition)
    }

    fn wait(&mut self, condition: Resource<Condition>, timeout: Timeout) -> Result<Woken, Fault> {
        let call = Call::Condition(self.handle_id(&condition)?, ConditionCall::Wait { timeout });
        self.ask_lock(&call, |reply| {
            match_one!(reply, LockReply::Woken { notified, acquired: how } => Woken { notified, acquired: acquired(how) })
        })
    }

    fn notify(&mut self, condition: Resource<Condition>, count: u32) -> Result<u32, Fault> {
        self.notify_some(&condition, Some(count))
    }

    fn notify_all(&mut self, condition: Resource<Condition>) -> Result<u32, Fault> {
        self.notify_some(&condition, None)
    }

    fn drop(&mut self, condition: Resource<Condition>) -> wasmtime::Result<()> {
        self.forget(condition)
    }
}

impl HostBarrier for View<'_> {
    fn create(&mut self, parties: u32, name: Option<String>) -> Result<Resource<Barrier>, Fault> {
        self.create_new(Create::Barrier(BarrierOptions { parties, name: short(name) }), Barrier)
    }

    fn wait(&mut self, barrier: Resource<Barrier>, timeout: Timeout) -> Result<u32, Fault> {
        self.ask_barrier(
            &barrier,
            BarrierCall::Wait { timeout },
            |reply| match_one!(reply, BarrierReply::Arrived(place) => place),
        )
    }

    fn reset(&mut self, barrier: Resource<Barrier>) -> wasmtime::Result<()> {
        let reset = self.ask_barrier(&barrier, BarrierCall::Reset, |reply| match_one!(reply, BarrierReply::Done => ()));
        certain("barrier.reset", reset)
    }

    fn drop(&mut self, barrier: Resource<Barrier>) -> wasmtime::Result<()> {
        self.forget(barrier)
    }
}

//! Calls on the shared objects: whose handle it is, what it allows, whether there is room, and then the object's own answer.

use taskcell_wire::call::{
    BarrierCall, Call, CallError, ConditionCall, EventCall, HandleId, LockCall, MapCall, MapChange, ObjectId, PipeCall,
    QueueCall, SemaphoreCall,
};

use super::calls::{Answered, Caller, Site};
use super::handles::Grant;
use super::objects::Body;
use super::{Answers, Broker};
use crate::quotas::{ENTRY_BYTES, ITEM_BYTES};

/// What is answered on an object that is not what its handle says; it can't be.
fn gone() -> Answered {
    CallError::Closed.into()
}

impl Broker {
    /// Makes a call on an object: answered, or parked there.
    fn on(&mut self, caller: &Caller, object: ObjectId, act: impl FnOnce(&mut Body, &mut Answers)) -> Answered {
        match self.step(object, Some(caller.call), act) {
            Some(answer) => Answered::Now(answer),
            None if self.objects.contains_key(&object) => Answered::Later(Site::Object(object), None),
            None => gone(),
        }
    }

    /// Whether so many more bytes may be kept.
    pub(super) fn check_bytes(&self, more: u64) -> Result<(), CallError> {
        let most = self.options.limits.bytes;
        if more > 0 && self.bytes.saturating_add(self.promised).saturating_add(more) > most {
            return Err(CallError::Quota(format!("{most} bytes in all queues, pipes, maps and tasks of this job")));
        }
        Ok(())
    }

    pub(super) fn queue_call(&mut self, caller: &Caller, handle: HandleId, call: QueueCall<'_>) -> Answered {
        let (object, rights) = match self.queue_of(caller.worker, handle) {
            Ok(found) => found,
            Err(error) => return error.into(),
        };
        if !rights.include(call.needs()) {
            return CallError::Denied.into();
        }
        if let Err(error) = self.check_bytes(queue_bytes(&call)) {
            return error.into();
        }
        let (now, id, holder) = (self.now, caller.call, caller.holder);
        self.on(caller, object, |body, out| {
            if let Body::Queue(queue) = body {
                queue.call(now, id, holder, call, &mut out.queue);
            }
        })
    }

    pub(super) fn pipe_call(&mut self, caller: &Caller, handle: HandleId, call: PipeCall<'_>) -> Answered {
        let (object, end) = match self.end_of(caller.worker, handle) {
            Ok(found) => found,
            Err(error) => return error.into(),
        };
        if let Err(error) = self.check_bytes(pipe_bytes(&call)) {
            return error.into();
        }
        let (now, id, holder) = (self.now, caller.call, caller.holder);
        self.on(caller, object, |body, out| {
            if let Body::Pipe(pipe) = body {
                pipe.call(now, id, holder, end, call, &mut out.pipe);
            }
        })
    }

    pub(super) fn map_call(&mut self, caller: &Caller, handle: HandleId, call: MapCall<'_>) -> Answered {
        let (object, view) = match self.map_of(caller.worker, handle) {
            Ok(found) => found,
            Err(error) => return error.into(),
        };
        if let Err(error) = self.check_bytes(map_bytes(&call)) {
            return error.into();
        }
        let (now, id, holder) = (self.now, caller.call, caller.holder);
        self.on(caller, object, |body, out| {
            if let Body::Map(map) = body {
                map.call(now, id, holder, &view, call, &mut out.map);
            }
        })
    }

    pub(super) fn lock_call(&mut self, caller: &Caller, handle: HandleId, call: LockCall) -> Answered {
        let object = match self.object_of(caller.worker, handle, &Grant::Lock) {
            Ok(object) => object,
            Err(error) => return error.into(),
        };
        let (now, id, holder) = (self.now, caller.call, caller.holder);
        self.on(caller, object, |body, out| {
            if let Body::Lock(lock) = body {
                lock.call(now, id, holder, call, &mut out.lock);
            }
        })
    }

    pub(super) fn condition_call(&mut self, caller: &Caller, handle: HandleId, call: ConditionCall) -> Answered {
        let condition = match self.object_of(caller.worker, handle, &Grant::Condition) {
            Ok(object) => object,
            Err(error) => return error.into(),
        };
        let Some(Body::Condition(lock)) = self.objects.get(&condition).map(|object| &object.body) else { return gone() };
        let (now, id, holder) = (self.now, caller.call, caller.holder);
        self.on(caller, *lock, |body, out| {
            if let Body::Lock(lock) = body {
                lock.condition_call(now, id, holder, condition, call, &mut out.lock);
            }
        })
    }

    pub(super) fn semaphore_call(&mut self, caller: &Caller, handle: HandleId, call: SemaphoreCall) -> Answered {
        let object = match self.object_of(caller.worker, handle, &Grant::Semaphore) {
            Ok(object) => object,
            Err(error) => return error.into(),
        };
        let (now, id, holder) = (self.now, caller.call, caller.holder);
        self.on(caller, object, |body, out| {
            if let Body::Semaphore(semaphore) = body {
                semaphore.call(now, id, holder, call, &mut out.semaphore);
            }
        })
    }

    pub(super) fn event_call(&mut self, caller: &Caller, handle: HandleId, call: EventCall) -> Answered {
        let object = match self.object_of(caller.worker, handle, &Grant::Event) {
            Ok(object) => object,
            Err(error) => return error.into(),
        };
        let (now, id, holder) = (self.now, caller.call, caller.holder);
        self.on(caller, object, |body, out| {
            if let Body::Event(event) = body {
                event.call(now, id, holder, call, &mut out.event);
            }
        })
    }

    pub(super) fn barrier_call(&mut self, caller: &Caller, handle: HandleId, call: BarrierCall) -> Answered {
        let object = match self.object_of(caller.worker, handle, &Grant::Barrier) {
            Ok(object) => object,
            Err(error) => return error.into(),
        };
        let (now, id, holder) = (self.now, caller.call, caller.holder);
        self.on(caller, object, |body, out| {
            if let Body::Barrier(barrier) = body {
                barrier.call(now, id, holder, call, &mut out.barrier);
            }
        })
    }
}

/// What a call may add to a queue, in bytes.
fn queue_bytes(call: &QueueCall<'_>) -> u64 {
    match call {
        QueueCall::Put { message, .. } => ITEM_BYTES.saturating_add(message.len() as u64),
        QueueCall::PutMany { messages, .. } => {
            messages.0.iter().map(|message| ITEM_BYTES.saturating_add(message.len() as u64)).sum()
        }
        QueueCall::Get { .. }
        | QueueCall::GetMany { .. }
        | QueueCall::Receive { .. }
        | QueueCall::Ack { .. }
        | QueueCall::Nack { .. }
        | QueueCall::Extend { .. }
        | QueueCall::Reject { .. }
        | QueueCall::Counts
        | QueueCall::Close
        | QueueCall::Join { .. }
        | QueueCall::TakeRejected { .. } => 0,
    }
}

fn pipe_bytes(call: &PipeCall<'_>) -> u64 {
    match call {
        PipeCall::Send { message, .. } => ITEM_BYTES.saturating_add(message.len() as u64),
        PipeCall::Recv { .. } | PipeCall::Poll { .. } | PipeCall::Close => 0,
    }
}

/// What a call may add to an object, in bytes.
pub(super) fn call_bytes(call: &Call<'_>) -> u64 {
    if let Call::Queue(_, call) = call {
        queue_bytes(call)
    } else if let Call::Pipe(_, call) = call {
        pipe_bytes(call)
    } else if let Call::Map(_, call) = call {
        map_bytes(call)
    } else {
        0
    }
}

/// What a call may add to a map, in bytes. What it replaces is not taken off: near the cap, a little less fits.
fn map_bytes(call: &MapCall<'_>) -> u64 {
    let sum = |key: &str, value: &[u8]| ENTRY_BYTES.saturating_add(key.len() as u64).saturating_add(value.len() as u64);
    match call {
        MapCall::Set { key, value, .. } | MapCall::SetDefault { key, value } | MapCall::CompareAndSwap { key, value, .. } => {
            sum(key, value)
        }
        // The longest number has 20 digits, its sign included.
        MapCall::Increment { key, .. } => sum(key, &[0; 20]),
        MapCall::SetMany { entries } => entries.0.iter().map(|(key, value)| sum(key, value)).sum(),
        MapCall::UpdateMany { changes } => {
            let set = |change: &MapChange<'_>| match change {
                MapChange::Set(key, value) => sum(key, value),
                MapChange::Remove(_) | MapChange::Check(..) => 0,
            };
            changes.0.iter().map(set).sum()
        }
        MapCall::Get { .. }
        | MapCall::GetMany { .. }
        | MapCall::Contains { .. }
        | MapCall::Remove { .. }
        | MapCall::Pop { .. }
        | MapCall::Len
        | MapCall::Clear
        | MapCall::Keys { .. }
        | MapCall::Items { .. }
        | MapCall::Watch { .. } => 0,
    }
}

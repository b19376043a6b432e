//! Handles: the only way from a task to an object.
//!
//! The failures that this prevents: a task that reaches an object it was never given, by guessing a number; a handle that outlives its
//! attempt and acts for the next one; a right that is wider on a copy.
//!
//! A handle's number counts up on its worker's connection and means something for one attempt. Every other number is answered with
//! `closed`, whether or not it is somebody's, so that asking tells nothing.

use std::sync::Arc;

use taskcell_wire::WorkerId;
use taskcell_wire::call::{CallError, End, HandleId, HandleKind, MapRights, ObjectId, QueueRights, Reply};

use super::{Answer, Broker, Caller};
use crate::quotas::KEY_BYTES;
use crate::shared_map::MapView;

/// What a handle is of, and what it allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Grant {
    Queue(QueueRights),
    Connection(End),
    Map(Arc<MapView>),
    Lock,
    Semaphore,
    Event,
    Condition,
    Barrier,
    Process,
    Pool,
    Future,
    Mapping,
}

impl Grant {
    /// What it is as an argument; `None` if it can't be one.
    pub(super) fn kind(&self) -> Option<HandleKind> {
        match self {
            Self::Queue(_) => Some(HandleKind::Queue),
            Self::Connection(_) => Some(HandleKind::Connection),
            Self::Map(_) => Some(HandleKind::SharedMap),
            Self::Lock => Some(HandleKind::Lock),
            Self::Semaphore => Some(HandleKind::Semaphore),
            Self::Event => Some(HandleKind::Event),
            Self::Condition => Some(HandleKind::Condition),
            Self::Barrier => Some(HandleKind::Barrier),
            Self::Process | Self::Pool | Self::Future | Self::Mapping => None,
        }
    }

    /// What it is of, in one word.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Process => "process",
            Self::Pool => "pool",
            Self::Future => "future",
            Self::Mapping => "mapping",
            Self::Queue(_)
            | Self::Connection(_)
            | Self::Map(_)
            | Self::Lock
            | Self::Semaphore
            | Self::Event
            | Self::Condition
            | Self::Barrier => self.kind().map_or("handle", HandleKind::name),
        }
    }
}

/// One handle.
#[derive(Debug, Clone)]
pub(super) struct Handle {
    pub(super) object: ObjectId,
    pub(super) grant: Grant,
}

/// What is said of a handle that is of something else than the call.
fn other_kind(found: &Grant, wanted: &str) -> CallError {
    CallError::Invalid(format!("this handle is of a {}, not of a {wanted}", found.word()))
}

impl Broker {
    /// The caller's handle.
    pub(super) fn handle(&self, worker: WorkerId, id: HandleId) -> Result<&Handle, CallError> {
        let running = self.workers.get(&worker).and_then(|state| state.running.as_ref());
        running.and_then(|running| running.handles.get(&id)).ok_or(CallError::Closed)
    }

    /// The object of a handle that has to have this grant.
    pub(super) fn object_of(&self, worker: WorkerId, id: HandleId, grant: &Grant) -> Result<ObjectId, CallError> {
        let handle = self.handle(worker, id)?;
        if handle.grant == *grant { Ok(handle.object) } else { Err(other_kind(&handle.grant, grant.word())) }
    }

    pub(super) fn queue_of(&self, worker: WorkerId, id: HandleId) -> Result<(ObjectId, QueueRights), CallError> {
        let handle = self.handle(worker, id)?;
        if let Grant::Queue(rights) = handle.grant {
            Ok((handle.object, rights))
        } else {
            Err(other_kind(&handle.grant, "queue"))
        }
    }

    pub(super) fn end_of(&self, worker: WorkerId, id: HandleId) -> Result<(ObjectId, End), CallError> {
        let handle = self.handle(worker, id)?;
        if let Grant::Connection(end) = handle.grant {
            Ok((handle.object, end))
        } else {
            Err(other_kind(&handle.grant, "connection"))
        }
    }

    pub(super) fn map_of(&self, worker: WorkerId, id: HandleId) -> Result<(ObjectId, Arc<MapView>), CallError> {
        let handle = self.handle(worker, id)?;
        if let Grant::Map(view) = &handle.grant {
            Ok((handle.object, Arc::clone(view)))
        } else {
            Err(other_kind(&handle.grant, "shared-map"))
        }
    }

    /// Whether a task may have so many more handles.
    pub(super) fn check_handles(&self, worker: WorkerId, more: usize) -> Result<(), CallError> {
        let has = self.workers.get(&worker).and_then(|state| state.running.as_ref()).map_or(0, |running| running.handles.len());
        let most = self.options.limits.handles;
        if has.saturating_add(more) > most as usize {
            return Err(CallError::Quota(format!("{most} handles of one task")));
        }
        Ok(())
    }

    /// Gives the attempt that a worker runs a handle. Whether it may have one more was checked.
    pub(super) fn grant(&mut self, worker: WorkerId, object: ObjectId, grant: Grant) -> Option<HandleId> {
        let state = self.workers.get_mut(&worker)?;
        let running = state.running.as_mut()?;
        let id = HandleId(state.next_handle);
        state.next_handle += 1;
        running.handles.insert(id, Handle { object, grant });
        *running.objects.entry(object).or_default() += 1;
        self.use_object(object);
        Some(id)
    }

    /// Takes a handle from the attempt that has it; its use of the object goes to the caller. The object is told nothing.
    pub(super) fn take_handle(&mut self, worker: WorkerId, id: HandleId) -> Option<Handle> {
        self.end_loans(worker, |lent| lent.handle == id);
        let running = self.workers.get_mut(&worker)?.running.as_mut()?;
        let handle = running.handles.remove(&id)?;
        if let Some(count) = running.objects.get_mut(&handle.object) {
            *count -= 1;
            if *count == 0 {
                running.objects.remove(&handle.object);
            }
        }
        Some(handle)
    }

    /// An attempt has no more use for a handle. With its last handle of an object it gives back what it holds there: nobody else
    /// could.
    pub(super) fn drop_handle(&mut self, worker: WorkerId, id: HandleId) {
        let Some(handle) = self.take_handle(worker, id) else { return };
        let running = self.workers.get(&worker).and_then(|state| state.running.as_ref());
        if let Some(running) = running
            && !running.objects.contains_key(&handle.object)
        {
            let holder = running.holder;
            self.let_go_of(handle.object, holder);
        }
        self.release(handle.object, &handle.grant);
    }

    pub(super) fn restrict_queue(&mut self, caller: &Caller, id: HandleId, rights: QueueRights) -> Answer {
        let (object, has) = self.queue_of(caller.worker, id)?;
        self.check_handles(caller.worker, 1)?;
        self.grant(caller.worker, object, Grant::Queue(has.and(rights))).map(Reply::Handle).ok_or(CallError::Closed)
    }

    pub(super) fn restrict_map(&mut self, caller: &Caller, id: HandleId, rights: MapRights, prefix: &str) -> Answer {
        let (object, has) = self.map_of(caller.worker, id)?;
        // No key is longer, and what is kept for each handle must not be.
        if prefix.len() > KEY_BYTES {
            return Err(CallError::Quota(format!("{KEY_BYTES} bytes of a key")));
        }
        let view = has.restrict(rights, prefix)?;
        self.check_handles(caller.worker, 1)?;
        self.grant(caller.worker, object, Grant::Map(Arc::new(view))).map(Reply::Handle).ok_or(CallError::Closed)
    }
}

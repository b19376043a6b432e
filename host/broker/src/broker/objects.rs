//! Shared objects in one table, whatever they are.
//!
//! The failures that this prevents: an object that nobody can reach and that is never freed; a moment that passes because the object that
//! wanted it is not asked; memory that is full of what many small objects hold.
//!
//! An object counts its handles, those included that are on their way as arguments, and ends with the last. Its next moment and its bytes
//! are looked at after each step on it, and only then, so that no step costs more for there being many objects.

use taskcell_wire::call::{CallId, Holder, ObjectId};

use super::guest_pool::GuestPool;
use super::handles::Grant;
use super::mapping::Mapping;
use super::process::{Future, Process};
use super::{Answers, Broker, due::Due};
use crate::object::Label;
use crate::time::Now;
use crate::waiting::{Side, Source};
use crate::{Barrier, Event, Lock, Pipe, Queue, Semaphore, SharedMap};

/// An object with what the table keeps of it.
#[derive(Debug)]
pub(super) struct Object {
    /// Handles, arguments on their way, and other objects that need this one.
    pub(super) uses: u32,
    /// When it is in the book of moments.
    tick: Option<Now>,
    /// What it counts for of all bytes.
    bytes: u64,
    pub(super) body: Body,
}

/// What an object is.
#[derive(Debug)]
pub(super) enum Body {
    Queue(Box<Queue>),
    Pipe(Box<Pipe>),
    Map(Box<SharedMap>),
    Lock(Box<Lock>),
    Semaphore(Box<Semaphore>),
    Event(Box<Event>),
    Barrier(Box<Barrier>),
    /// It lives in its lock.
    Condition(ObjectId),
    Process(Box<Process>),
    Pool(Box<GuestPool>),
    Future(Box<Future>),
    Mapping(Box<Mapping>),
}

impl Body {
    /// An attempt has nothing to do with it any more.
    fn holder_gone(&mut self, now: Now, holder: Holder, out: &mut Answers) {
        match self {
            Self::Queue(queue) => queue.holder_gone(now, holder, &mut out.queue),
            Self::Pipe(pipe) => pipe.holder_gone(now, holder, &mut out.pipe),
            Self::Map(map) => map.holder_gone(now, holder, &mut out.map),
            Self::Lock(lock) => lock.holder_gone(now, holder, &mut out.lock),
            Self::Semaphore(semaphore) => semaphore.holder_gone(now, holder, &mut out.semaphore),
            Self::Event(event) => event.holder_gone(now, holder, &mut out.event),
            Self::Barrier(barrier) => barrier.holder_gone(now, holder, &mut out.barrier),
            Self::Condition(_) | Self::Process(_) | Self::Pool(_) | Self::Future(_) | Self::Mapping(_) => {}
        }
    }

    /// Withdraws a call that waits here.
    pub(super) fn cancel(&mut self, now: Now, call: CallId, out: &mut Answers) {
        match self {
            Self::Queue(queue) => queue.cancel(now, call, &mut out.queue),
            Self::Pipe(pipe) => pipe.cancel(now, call, &mut out.pipe),
            Self::Map(map) => map.cancel(now, call, &mut out.map),
            Self::Lock(lock) => lock.cancel(now, call, &mut out.lock),
            Self::Semaphore(semaphore) => semaphore.cancel(now, call, &mut out.semaphore),
            Self::Event(event) => event.cancel(now, call, &mut out.event),
            Self::Barrier(barrier) => barrier.cancel(now, call, &mut out.barrier),
            Self::Condition(_) | Self::Process(_) | Self::Pool(_) | Self::Future(_) | Self::Mapping(_) => {}
        }
    }

    fn tick(&mut self, now: Now, out: &mut Answers) {
        match self {
            Self::Queue(queue) => queue.tick(now, &mut out.queue),
            Self::Pipe(pipe) => pipe.tick(now, &mut out.pipe),
            Self::Map(map) => map.tick(now, &mut out.map),
            Self::Lock(lock) => lock.tick(now, &mut out.lock),
            Self::Semaphore(semaphore) => semaphore.tick(now, &mut out.semaphore),
            Self::Event(event) => event.tick(now, &mut out.event),
            Self::Barrier(barrier) => barrier.tick(now, &mut out.barrier),
            Self::Condition(_) | Self::Process(_) | Self::Pool(_) | Self::Future(_) | Self::Mapping(_) => {}
        }
    }

    fn next_tick(&self) -> Option<Now> {
        match self {
            Self::Queue(queue) => queue.next_tick(),
            Self::Pipe(pipe) => pipe.next_tick(),
            Self::Map(map) => map.next_tick(),
            Self::Lock(lock) => lock.next_tick(),
            Self::Semaphore(semaphore) => semaphore.next_tick(),
            Self::Event(event) => event.next_tick(),
            Self::Barrier(barrier) => barrier.next_tick(),
            Self::Condition(_) | Self::Process(_) | Self::Pool(_) | Self::Future(_) | Self::Mapping(_) => None,
        }
    }

    /// What it counts for of all bytes.
    fn bytes(&self) -> u64 {
        match self {
            Self::Queue(queue) => queue.footprint(),
            Self::Pipe(pipe) => pipe.footprint(),
            Self::Map(map) => map.footprint(),
            Self::Process(process) => process.end.ended_bytes(),
            Self::Future(future) => future.ended_bytes(),
            Self::Mapping(mapping) => mapping.bytes(),
            Self::Lock(_) | Self::Semaphore(_) | Self::Event(_) | Self::Barrier(_) | Self::Condition(_) | Self::Pool(_) => 0,
        }
    }

    /// What a call that waits here waits for, for people.
    pub(super) fn describe_wait(&self, call: CallId) -> Option<String> {
        match self {
            Self::Queue(queue) => queue.describe_wait(call),
            Self::Pipe(pipe) => pipe.describe_wait(call),
            Self::Map(map) => map.describe_wait(call),
            Self::Lock(lock) => lock.describe_wait(call),
            Self::Semaphore(semaphore) => semaphore.describe_wait(call),
            Self::Event(event) => event.describe_wait(call),
            Self::Barrier(barrier) => barrier.describe_wait(call),
            Self::Condition(_) | Self::Process(_) | Self::Pool(_) | Self::Future(_) | Self::Mapping(_) => None,
        }
    }

    /// The end that somebody may wait for: a process's or a future's.
    pub(super) fn end(&self) -> Option<&Future> {
        match self {
            Self::Process(process) => Some(&process.end),
            Self::Future(future) => Some(future),
            Self::Queue(_)
            | Self::Pipe(_)
            | Self::Map(_)
            | Self::Lock(_)
            | Self::Semaphore(_)
            | Self::Event(_)
            | Self::Barrier(_)
            | Self::Condition(_)
            | Self::Pool(_)
            | Self::Mapping(_) => None,
        }
    }

    /// The same, to be changed.
    pub(super) fn end_mut(&mut self) -> Option<&mut Future> {
        if let Self::Process(process) = self {
            return Some(&mut process.end);
        }
        if let Self::Future(future) = self { Some(future) } else { None }
    }

    /// Where the one call is noted that waits for tasks here, if this is what tasks are waited for at.
    pub(super) fn waiter_mut(&mut self) -> Option<&mut Option<CallId>> {
        match self {
            Self::Mapping(mapping) => Some(&mut mapping.waiter),
            Self::Pool(pool) => Some(&mut pool.waiter),
            Self::Process(_)
            | Self::Future(_)
            | Self::Queue(_)
            | Self::Pipe(_)
            | Self::Map(_)
            | Self::Lock(_)
            | Self::Semaphore(_)
            | Self::Event(_)
            | Self::Barrier(_)
            | Self::Condition(_) => self.end_mut().map(|end| &mut end.waiter),
        }
    }

    /// How it is named where somebody waits on it.
    pub(super) fn label(&self) -> Option<&Label> {
        match self {
            Self::Queue(queue) => Some(queue.label()),
            Self::Pipe(pipe) => Some(pipe.label()),
            Self::Map(map) => Some(map.label()),
            Self::Lock(lock) => Some(lock.label()),
            Self::Semaphore(semaphore) => Some(semaphore.label()),
            Self::Event(event) => Some(event.label()),
            Self::Barrier(barrier) => Some(barrier.label()),
            Self::Process(process) => Some(process.end.label()),
            Self::Pool(pool) => Some(pool.label()),
            Self::Future(future) => Some(future.label()),
            Self::Mapping(mapping) => Some(mapping.label()),
            Self::Condition(_) => None,
        }
    }

    /// Whether the call that a side of it stands for would be answered at once.
    pub(super) fn is_ready(&self, side: Side) -> bool {
        match (self, side) {
            (_, Side::Always) => true,
            (Self::Queue(queue), Side::Get) => queue.get_ready(),
            (Self::Queue(queue), Side::Put) => queue.put_ready(),
            (Self::Pipe(pipe), Side::Receive(end)) => pipe.recv_ready(end),
            (Self::Event(event), Side::Set) => event.is_set(),
            (Self::Process(process), Side::Ended) => process.end.has_ended(),
            (Self::Future(future), Side::Ended) => future.has_ended(),
            (Self::Mapping(mapping), Side::Next) => mapping.is_ready(),
            (
                Self::Queue(_)
                | Self::Pipe(_)
                | Self::Map(_)
                | Self::Lock(_)
                | Self::Semaphore(_)
                | Self::Event(_)
                | Self::Barrier(_)
                | Self::Condition(_)
                | Self::Process(_)
                | Self::Pool(_)
                | Self::Future(_)
                | Self::Mapping(_),
                Side::Get | Side::Put | Side::Receive(_) | Side::Set | Side::Ended | Side::Next,
            ) => false,
        }
    }
}

impl Broker {
    /// Adds an object that nobody uses yet.
    pub(super) fn add_object(&mut self, id: ObjectId, body: Body) {
        self.objects.insert(id, Object { uses: 0, tick: None, bytes: 0, body });
    }

    /// Does something to an object, and all that follows from it; gives the answer to `own`, the others go to those who wait.
    pub(super) fn step(
        &mut self,
        id: ObjectId,
        own: Option<CallId>,
        act: impl FnOnce(&mut Body, &mut Answers),
    ) -> Option<super::Answer> {
        let object = self.objects.get_mut(&id)?;
        act(&mut object.body, &mut self.answers);
        self.looked_at(id);
        let mine = self.deliver(own);
        self.tell_watchers(id);
        mine
    }

    /// Keeps the table's notes of an object that something was done to.
    pub(super) fn looked_at(&mut self, id: ObjectId) {
        let Some(object) = self.objects.get_mut(&id) else { return };
        let bytes = object.body.bytes();
        self.bytes = self.bytes.saturating_sub(object.bytes).saturating_add(bytes);
        object.bytes = bytes;
        let tick = object.body.next_tick();
        if tick != object.tick {
            self.due.change(Due::Object(id), object.tick, tick);
            object.tick = tick;
        }
    }

    /// Tells those who wait for one of several things, this object among them.
    pub(super) fn tell_watchers(&mut self, id: ObjectId) {
        if !self.waiting.is_watched(id) {
            return;
        }
        let objects = &self.objects;
        let is_ready = |source: Source| objects.get(&source.0).is_none_or(|object| object.body.is_ready(source.1));
        self.waiting.changed(id, is_ready, &mut self.answers.any);
        self.waiting_changed();
        self.deliver(None);
    }

    /// A moment that an object waited for has come.
    pub(super) fn tick_object(&mut self, id: ObjectId) {
        let now = self.now;
        self.step(id, None, |body, out| body.tick(now, out));
    }

    /// An attempt has no handle of this object any more: what it held through it is given on.
    pub(super) fn let_go_of(&mut self, id: ObjectId, holder: Holder) {
        let now = self.now;
        self.recover_from(id);
        self.step(id, None, |body, out| body.holder_gone(now, holder, out));
    }

    /// One more use of an object.
    pub(super) fn use_object(&mut self, id: ObjectId) {
        if let Some(object) = self.objects.get_mut(&id) {
            object.uses = object.uses.saturating_add(1);
        }
    }

    /// One use less; the last one ends the object.
    pub(super) fn release_object(&mut self, id: ObjectId) {
        let Some(object) = self.objects.get_mut(&id) else { return };
        object.uses = object.uses.saturating_sub(1);
        if object.uses > 0 {
            return;
        }
        let Some(object) = self.objects.remove(&id) else { return };
        self.bytes = self.bytes.saturating_sub(object.bytes);
        self.due.change(Due::Object(id), object.tick, None);
        match object.body {
            Body::Condition(lock) => {
                self.step(lock, None, |body, out| {
                    if let Body::Lock(lock) = body {
                        lock.remove_condition(id, &mut out.lock);
                    }
                });
                self.release_object(lock);
            }
            Body::Process(process) => self.forget_watcher(process.end.task()),
            Body::Future(future) => self.forget_watcher(future.task()),
            Body::Mapping(mapping) => self.mapping_dropped(&mapping),
            Body::Pool(pool) => self.guest_pool_dropped(&pool),
            Body::Queue(_)
            | Body::Pipe(_)
            | Body::Map(_)
            | Body::Lock(_)
            | Body::Semaphore(_)
            | Body::Event(_)
            | Body::Barrier(_) => {}
        }
    }

    /// A handle or an argument with this grant is gone for good.
    pub(super) fn release(&mut self, id: ObjectId, grant: &Grant) {
        if let Grant::Connection(end) = grant {
            let end = *end;
            self.recover_from(id);
            self.step(id, None, |body, out| {
                if let Body::Pipe(pipe) = body {
                    pipe.close(end, &mut out.pipe);
                }
            });
        }
        self.release_object(id);
    }
}

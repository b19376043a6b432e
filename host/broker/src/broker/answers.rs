//! From the answers of the primitives, each in its own words, to answers that travel.

use taskcell_wire::call::{
    BarrierReply, CallError, CallId, EventReply, LockReply, MapReply, PipeReply, QueueReply, Reply, SemaphoreReply,
};

use crate::object::{Completion, Completions};

/// The one answer to a call.
pub(super) type Answer = Result<Reply<'static>, CallError>;

/// Answers that the objects gave in one step. It is kept from step to step for its memory.
#[derive(Debug, Default)]
pub(super) struct Answers {
    pub(super) queue: Completions<QueueReply<'static>>,
    pub(super) pipe: Completions<PipeReply<'static>>,
    pub(super) map: Completions<MapReply<'static>>,
    pub(super) lock: Completions<LockReply>,
    pub(super) semaphore: Completions<SemaphoreReply>,
    pub(super) event: Completions<EventReply>,
    pub(super) barrier: Completions<BarrierReply>,
    pub(super) any: Completions<Vec<u32>>,
}

impl Answers {
    /// Hands all of them out.
    pub(super) fn drain(&mut self, mut each: impl FnMut(CallId, Answer)) {
        // A step is on one kind of object, so all but one of these are empty.
        drain(&mut self.queue, Reply::Queue, &mut each);
        drain(&mut self.pipe, Reply::Pipe, &mut each);
        drain(&mut self.map, Reply::Map, &mut each);
        drain(&mut self.lock, Reply::Lock, &mut each);
        drain(&mut self.semaphore, Reply::Semaphore, &mut each);
        drain(&mut self.event, Reply::Event, &mut each);
        drain(&mut self.barrier, Reply::Barrier, &mut each);
        drain(&mut self.any, Reply::Places, &mut each);
    }
}

fn drain<R>(from: &mut Completions<R>, reply: impl Fn(R) -> Reply<'static>, each: &mut impl FnMut(CallId, Answer)) {
    for Completion { call, result } in from.drain(..) {
        each(call, result.map(&reply));
    }
}

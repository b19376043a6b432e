//! Waiting for the first of several things, through the handles of the one who waits.

use taskcell_wire::call::{CallError, HandleId, Interest, ObjectId, Timeout};

use super::Broker;
use super::calls::{Answered, Caller, Site};
use super::handles::Grant;
use crate::waiting::{SOURCES, Side, Source};

/// Stands for what the caller has no handle of.
const NOTHING: Source = (ObjectId(u64::MAX), Side::Always);

impl Broker {
    pub(super) fn wait_any(&mut self, caller: &Caller, on: &[(HandleId, Interest)], timeout: Timeout) -> Answered {
        if on.len() > SOURCES {
            return CallError::Quota(format!("{SOURCES} things to wait for")).into();
        }
        let sources: Result<Vec<Source>, CallError> =
            on.iter().map(|(handle, interest)| self.source(caller, *handle, *interest)).collect();
        let sources = match sources {
            Ok(sources) => sources,
            Err(error) => return error.into(),
        };
        let tasks = sources.iter().any(|(_, side)| matches!(side, Side::Ended | Side::Next));
        let (now, objects) = (self.now, &self.objects);
        let is_ready = |source: Source| objects.get(&source.0).is_none_or(|object| object.body.is_ready(source.1));
        let out = &mut self.answers.any;
        self.waiting.call(now, caller.call, caller.holder, sources, timeout, is_ready, out);
        self.waiting_changed();
        match self.deliver(Some(caller.call)) {
            Some(answer) => answer.into(),
            None => Answered::Later(Site::Any { tasks }, None),
        }
    }

    /// What a handle's side stands for. A handle that is gone is ready: the call would be answered at once.
    fn source(&self, caller: &Caller, handle: HandleId, interest: Interest) -> Result<Source, CallError> {
        let Ok(handle) = self.handle(caller.worker, handle) else { return Ok(NOTHING) };
        let side = match (&handle.grant, interest) {
            (Grant::Queue(rights), Interest::In) if rights.get => Side::Get,
            (Grant::Queue(rights), Interest::Out) if rights.put => Side::Put,
            (Grant::Queue(_), Interest::In | Interest::Out) => Side::Always,
            (Grant::Connection(end), Interest::In) if self.receives(handle.object, *end) => Side::Receive(*end),
            (Grant::Connection(_), Interest::In) => Side::Always,
            (Grant::Event, Interest::In) => Side::Set,
            (Grant::Process | Grant::Future, Interest::In) => Side::Ended,
            (Grant::Mapping, Interest::In) => Side::Next,
            (
                Grant::Connection(_)
                | Grant::Map(_)
                | Grant::Lock
                | Grant::Semaphore
                | Grant::Event
                | Grant::Condition
                | Grant::Barrier
                | Grant::Process
                | Grant::Pool
                | Grant::Future
                | Grant::Mapping,
                Interest::In | Interest::Out,
            ) => return Err(CallError::Invalid(format!("a {} can't be waited for in this way", handle.grant.word()))),
        };
        Ok((handle.object, side))
    }

    fn receives(&self, pipe: ObjectId, end: taskcell_wire::call::End) -> bool {
        match self.objects.get(&pipe).map(|object| &object.body) {
            Some(super::objects::Body::Pipe(pipe)) => pipe.receives(end),
            Some(
                super::objects::Body::Queue(_)
                | super::objects::Body::Map(_)
                | super::objects::Body::Lock(_)
                | super::objects::Body::Semaphore(_)
                | super::objects::Body::Event(_)
                | super::objects::Body::Barrier(_)
                | super::objects::Body::Condition(_)
                | super::objects::Body::Process(_)
                | super::objects::Body::Pool(_)
                | super::objects::Body::Future(_)
                | super::objects::Body::Mapping(_),
            )
            | None => false,
        }
    }
}

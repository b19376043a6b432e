//! Mappings: values go in as there is room, outcomes come out.
//!
//! The failures that this prevents: a source of a million values that is read into memory because the tasks are slow; outcomes that pile up
//! because their reader is; a caller that waits for an outcome of a value that nobody will ever push.
//!
//! At most `window` values are under way, outcomes that were not taken included. A mapping belongs to one task, which makes one call at a time: while
//! it waits nobody can push or take. So a push that finds no room, or a take that finds nothing under way, would wait for ever, and is
//! told so at once.

use std::collections::{BTreeMap, BTreeSet};

use taskcell_wire::call::{
    CallError, CallId, Ended, HandleId, Mapped, MappingCall, ObjectId, PoolReply, Reply, TaskValue, Timeout,
};
use taskcell_wire::{Encoding, JobId, TaskIndex};

use super::calls::{Answered, Site};
use super::feed::Feed;
use super::handles::Grant;
use super::objects::Body;
use super::{Answer, Broker, Caller, JobKind, ModuleId, PoolId};
use crate::object::Label;
use crate::waiters::deadline;

/// The widest window.
const WINDOW: u32 = 1_000_000;

/// What a handle of a mapping is of.
#[derive(Debug)]
pub(super) struct Mapping {
    label: Label,
    pool: ObjectId,
    inner: PoolId,
    module: ModuleId,
    task: TaskIndex,
    ordered: bool,
    window: u64,
    /// Values come as JSON texts or as arguments, and a job has one of the two.
    json: Option<JobId>,
    arguments: Option<JobId>,
    pushed: u64,
    taken: u64,
    /// Values whose tasks did not end, by their places.
    running: BTreeSet<u64>,
    /// Outcomes that were not taken: by place if they are to come in order, else by when they came.
    ended: BTreeMap<u64, (u64, Ended<'static>)>,
    arrived: u64,
    bytes: u64,
    finished: bool,
    pub(super) waiter: Option<CallId>,
}

impl Mapping {
    pub(super) fn label(&self) -> &Label {
        &self.label
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether an outcome is due.
    fn is_due(&self) -> bool {
        self.ended.first_key_value().is_some_and(|(key, _)| !self.ordered || *key == self.taken)
    }

    /// Whether a take would be answered at once.
    pub(super) fn is_ready(&self) -> bool {
        self.is_due() || self.running.is_empty()
    }

    /// A task ended. Those of a pool that gave up were all told so, and its workers die after that.
    fn end(&mut self, index: u64, ended: Ended<'static>) {
        if !self.running.remove(&index) {
            return;
        }
        self.bytes = self.bytes.saturating_add(ended.len() as u64);
        let key = if self.ordered { index } else { self.arrived };
        self.arrived += 1;
        self.ended.insert(key, (index, ended));
    }

    /// What is due, at most so many and so many bytes.
    fn take(&mut self, limit: u32, most: u64) -> Vec<Mapped<'static>> {
        let mut due = Vec::new();
        let mut bytes = 0u64;
        while due.len() < limit as usize
            && self.is_due()
            && let Some(first) = self.ended.first_entry()
        {
            let length = first.get().1.len() as u64;
            if !due.is_empty() && bytes.saturating_add(length) > most {
                break;
            }
            let (index, ended) = first.remove();
            bytes = bytes.saturating_add(length);
            self.bytes = self.bytes.saturating_sub(length);
            self.taken += 1;
            due.push(Mapped { index, ended });
        }
        due
    }
}

impl Broker {
    fn mapping_mut(&mut self, id: ObjectId) -> Option<&mut Mapping> {
        let body = self.objects.get_mut(&id).map(|object| &mut object.body)?;
        if let Body::Mapping(mapping) = body { Some(mapping) } else { None }
    }

    pub(super) fn imap(&mut self, caller: &Caller, pool: ObjectId, task: &str, ordered: bool, window: u32) -> Answer {
        if window > WINDOW {
            return Err(CallError::Quota(format!("{WINDOW} values under way")));
        }
        let (module, task) = self.resolve(caller, task)?;
        self.check_handles(caller.worker, 1)?;
        self.check_objects(1)?;
        let inner = self.inner_pool(pool, module)?;
        let workers = self.guest_pool(pool).map_or(1, super::guest_pool::GuestPool::workers);
        let window = if window == 0 { workers.saturating_mul(4) } else { window };
        let id = ObjectId(self.next.object());
        let name = self.signature(module, task).map(|signature| signature.name.clone());
        let mapping = Mapping {
            label: Label::new("mapping", id, name.as_deref()),
            pool,
            inner,
            module,
            task,
            ordered,
            window: u64::from(window),
            json: None,
            arguments: None,
            pushed: 0,
            taken: 0,
            running: BTreeSet::new(),
            ended: BTreeMap::new(),
            arrived: 0,
            bytes: 0,
            finished: false,
            waiter: None,
        };
        self.add_object(id, Body::Mapping(Box::new(mapping)));
        self.grant(caller.worker, id, Grant::Mapping).map(Reply::Handle).ok_or(CallError::Closed)
    }

    pub(super) fn mapping_call(&mut self, caller: &Caller, handle: HandleId, call: MappingCall<'_>) -> Answered {
        let id = match self.object_of(caller.worker, handle, &Grant::Mapping) {
            Ok(object) => object,
            Err(error) => return error.into(),
        };
        match call {
            MappingCall::Push { values, timeout } => self.push(caller, id, &values.0, timeout).into(),
            MappingCall::Finish => {
                let jobs = self.mapping_mut(id).map(|mapping| {
                    mapping.finished = true;
                    [mapping.json, mapping.arguments]
                });
                jobs.into_iter().flatten().flatten().for_each(|job| self.end_job_if_over(job));
                Ok(Reply::Pool(PoolReply::Done)).into()
            }
            MappingCall::Next { limit, timeout } => self.next_outcomes(caller, id, limit, timeout),
        }
    }

    fn push(&mut self, caller: &Caller, id: ObjectId, values: &[TaskValue<'_>], timeout: Timeout) -> Answer {
        let mapping = self.mapping_mut(id).ok_or(CallError::Closed)?;
        let (pool, inner, module, task) = (mapping.pool, mapping.inner, mapping.module, mapping.task);
        let (finished, under_way) = (mapping.finished, mapping.pushed - mapping.taken);
        let room = mapping.window.saturating_sub(under_way);
        // The pool may have been shut down, and even be gone, while the mapping lives.
        if finished || self.inner_pool(pool, module)? != inner {
            return Err(CallError::Closed);
        }
        if values.is_empty() {
            return Ok(Reply::Pool(PoolReply::Pushed(0)));
        }
        if room == 0 && timeout == Some(0) {
            return Err(CallError::TimedOut);
        }
        if room == 0 {
            let label = self.mapping_mut(id).map_or_else(String::new, |mapping| mapping.label.to_string());
            let why = format!("push into {label}, whose window is full; only this task can take its outcomes");
            return Err(CallError::Deadlock(why));
        }
        let fitting = values.get(..usize::try_from(room).unwrap_or(usize::MAX)).unwrap_or(values);
        let (encoding, items, checked) = self.items(module, task, fitting);
        self.check_bytes(items.bytes().len() as u64)?;
        let (items, count) = items.into_parts();
        if count > 0 {
            self.add_to_mapping(caller, id, encoding, items, count);
        }
        checked?;
        Ok(Reply::Pool(PoolReply::Pushed(count)))
    }

    fn add_to_mapping(&mut self, caller: &Caller, id: ObjectId, encoding: Encoding, items: Vec<u8>, count: u32) {
        let Some(mapping) = self.mapping_mut(id) else { return };
        let (pool, inner, task) = (mapping.pool, mapping.inner, (mapping.module, mapping.task));
        let first = mapping.pushed;
        mapping.pushed += u64::from(count);
        mapping.running.extend(first..mapping.pushed);
        let is_json = encoding == Encoding::Json;
        let known = if is_json { mapping.json } else { mapping.arguments };
        let job = known.unwrap_or_else(|| self.open_values_job(caller, inner, task, encoding, JobKind::Mapping(id), pool));
        if let Some(mapping) = self.mapping_mut(id) {
            let slot = if is_json { &mut mapping.json } else { &mut mapping.arguments };
            *slot = Some(job);
        }
        self.add_values(inner, job, Feed::new(items, count, first), count);
    }

    fn next_outcomes(&mut self, caller: &Caller, id: ObjectId, limit: u32, timeout: Timeout) -> Answered {
        if limit == 0 {
            return CallError::Invalid("a limit of 0 can't take anything".into()).into();
        }
        let (now, most) = (self.now, self.options.quotas.reply_bytes);
        let Some(mapping) = self.mapping_mut(id) else { return CallError::Closed.into() };
        let due = mapping.take(limit, most);
        if !due.is_empty() || (mapping.finished && mapping.running.is_empty()) {
            self.looked_at(id);
            return Ok(Reply::Pool(PoolReply::Mapped(due))).into();
        }
        if timeout == Some(0) {
            return CallError::TimedOut.into();
        }
        if mapping.running.is_empty() {
            let why = format!("next of {}, where nothing is under way; only this task can push", mapping.label);
            return CallError::Deadlock(why).into();
        }
        mapping.waiter = Some(caller.call);
        Answered::Later(Site::Next(id, limit), deadline(now, timeout))
    }

    /// A task of a mapping ended.
    pub(super) fn mapping_ended(&mut self, id: ObjectId, index: u64, ended: Ended<'static>) {
        let (ended, most) = (self.fitting(ended), self.options.quotas.reply_bytes);
        let Some(mapping) = self.mapping_mut(id) else { return };
        mapping.end(index, ended);
        let waiter = if mapping.is_due() { mapping.waiter.take() } else { None };
        if let Some(call) = waiter {
            let limit = match self.calls.get(&call).map(|parked| &parked.site) {
                Some(Site::Next(_, limit)) => *limit,
                Some(
                    Site::Object(_)
                    | Site::Any { .. }
                    | Site::Ended(_)
                    | Site::Map(_)
                    | Site::Submit(..)
                    | Site::Drain(_)
                    | Site::Input,
                )
                | None => 1,
            };
            let due = self.mapping_mut(id).map_or_else(Vec::new, |mapping| mapping.take(limit, most));
            self.answer(call, Ok(Reply::Pool(PoolReply::Mapped(due))));
        }
        self.looked_at(id);
        self.tell_watchers(id);
    }

    /// Whether values may still be pushed.
    pub(super) fn takes_more(&self, id: ObjectId) -> bool {
        let object = self.objects.get(&id);
        object.is_some_and(|object| matches!(&object.body, Body::Mapping(mapping) if !mapping.finished))
    }

    /// Places of a job's tasks that did not end; all those of its mapping.
    pub(super) fn unended_of_mapping(&mut self, id: ObjectId) -> Vec<u64> {
        self.mapping_mut(id).map_or_else(Vec::new, |mapping| mapping.running.iter().copied().collect())
    }

    /// The last handle of a mapping is gone: what has not ended is cancelled.
    pub(super) fn mapping_dropped(&mut self, mapping: &Mapping) {
        [mapping.json, mapping.arguments].into_iter().flatten().for_each(|job| self.abandon_job(job));
    }
}

//! Maps: one task over many values, and all outcomes at once.
//!
//! The failure that this prevents: a map that holds all outcomes in memory before anybody sees that they are too many.

use taskcell_wire::call::invocation::write_arguments;
use taskcell_wire::call::{CallError, CallId, CheckedArgument, Ended, ObjectId, PoolReply, Reply, RunArgument, TaskValue};
use taskcell_wire::{Encoding, ItemWriter, JobId, TaskIndex};

use super::calls::{Answered, Site};
use super::feed::Feed;
use super::guest_pool::GuestPool;
use super::{Broker, Caller, JobKind, JobState, ModuleId, PoolId};
use crate::options::JobOptions;

/// A map that a call waits for.
#[derive(Debug)]
pub(super) struct MapRun {
    call: CallId,
    ended: Vec<Option<Ended<'static>>>,
    /// What they count for of all bytes.
    bytes: u64,
}

impl Broker {
    /// One value for each run of a task, as items: JSON texts if all are, arguments otherwise. The first that does not fit is told by
    /// its place from `first`, with those before it.
    pub(super) fn items(
        &self,
        module: ModuleId,
        task: TaskIndex,
        values: &[TaskValue<'_>],
    ) -> (Encoding, ItemWriter, Result<(), CallError>) {
        let is_json = values.iter().all(|value| matches!(value, TaskValue::Json(_)));
        let encoding = if is_json { Encoding::Json } else { Encoding::Arguments };
        let mut items = ItemWriter::default();
        for (place, value) in values.iter().enumerate() {
            if let Err(error) = self.check_value(module, task, value) {
                let named = match error {
                    CallError::Invalid(why) => CallError::Invalid(format!("value {place}: {why}")),
                    other @ (CallError::TimedOut
                    | CallError::Closed
                    | CallError::Cancelled
                    | CallError::Denied
                    | CallError::Lapsed
                    | CallError::Broken
                    | CallError::Quota(_)
                    | CallError::Deadlock(_)
                    | CallError::NotFound(_)
                    | CallError::Other(_)) => other,
                };
                return (encoding, items, Err(named));
            }
            match (encoding, value) {
                (Encoding::Json, TaskValue::Json(json)) => items.push(json),
                (Encoding::Json | Encoding::Bytes | Encoding::Arguments | Encoding::Command, value) => {
                    items.push(&write_arguments(vec![RunArgument::Value(value.clone())]));
                }
            }
        }
        (encoding, items, Ok(()))
    }

    fn check_value(&self, module: ModuleId, task: TaskIndex, value: &TaskValue<'_>) -> Result<(), CallError> {
        let found = self.options.modules.get(usize::from(module.0)).zip(self.signature(module, task));
        let (its, signature) = found.ok_or_else(|| CallError::NotFound("the task".into()))?;
        match value {
            TaskValue::Json(json) => {
                (self.options.check_input)(&its.interface.types, signature, json).map_err(CallError::Invalid)
            }
            TaskValue::None | TaskValue::Bytes(_) => self.check_arguments(module, task, &[CheckedArgument::Value(value)]),
        }
    }

    pub(super) fn map(&mut self, caller: &Caller, id: ObjectId, task: &str, values: &[TaskValue<'_>]) -> Answered {
        match self.start_map(caller, id, task, values) {
            Ok(Some(job)) => Answered::Later(Site::Map(job), None),
            Ok(None) => Ok(Reply::Pool(PoolReply::Outcomes(Vec::new()))).into(),
            Err(error) => error.into(),
        }
    }

    fn start_map(
        &mut self,
        caller: &Caller,
        id: ObjectId,
        task: &str,
        values: &[TaskValue<'_>],
    ) -> Result<Option<JobId>, CallError> {
        let (module, task) = self.resolve(caller, task)?;
        let (encoding, items, checked) = self.items(module, task, values);
        checked?;
        self.check_bytes(items.bytes().len() as u64)?;
        let inner = self.inner_pool(id, module)?;
        if values.is_empty() {
            return Ok(None);
        }
        let job = self.open_values_job(caller, inner, (module, task), encoding, JobKind::Map, id);
        let (items, count) = items.into_parts();
        let run = MapRun { call: caller.call, ended: vec![None; count as usize], bytes: 0 };
        self.maps.insert(job, run);
        self.add_values(inner, job, Feed::new(items, count, 0), count);
        Ok(Some(job))
    }

    /// Opens a job for values.
    pub(super) fn open_values_job(
        &mut self,
        caller: &Caller,
        inner: PoolId,
        (module, task): (ModuleId, TaskIndex),
        encoding: Encoding,
        kind: JobKind,
        pool: ObjectId,
    ) -> JobId {
        let job = self.next.job();
        let timeout = self.guest_pool(pool).and_then(GuestPool::timeout);
        let options = JobOptions { input: encoding, ..self.job_options(module, task, timeout) };
        let is_silent = self.signature(module, task).is_some_and(|signature| signature.result.is_none());
        let depth = self.tasks.get(&caller.task).map_or(0, |task| task.depth).saturating_add(1);
        let state = JobState { pool: inner, kind, left: 0, is_silent, parent: Some(caller.task), depth };
        self.open_guest_job(job, state, options);
        job
    }

    /// Adds values to their job.
    pub(super) fn add_values(&mut self, inner: PoolId, job: JobId, feed: Feed, count: u32) {
        if let Some(state) = self.jobs.get_mut(&job) {
            state.left = state.left.saturating_add(u64::from(count));
        }
        if let Some(state) = self.pools.get_mut(&inner) {
            state.open = state.open.saturating_add(u64::from(count));
        }
        self.add_feed(inner, job, feed);
    }

    /// A task of a map ended. The last one answers the call; one too many bytes of outcomes does too.
    pub(super) fn map_ended(&mut self, job: JobId, index: u64, ended: Ended<'static>) {
        let most = self.options.quotas.reply_bytes;
        let left = self.jobs.get(&job).map_or(0, |job| job.left);
        let ended = self.fitting(ended);
        let Some(run) = self.maps.get_mut(&job) else { return };
        self.bytes = self.bytes.saturating_add(ended.len() as u64);
        run.bytes = run.bytes.saturating_add(ended.len() as u64);
        if let Some(place) = usize::try_from(index).ok().and_then(|index| run.ended.get_mut(index)) {
            *place = Some(ended);
        }
        let call = run.call;
        if run.bytes > most {
            self.give_up(call, CallError::Quota(format!("{most} bytes of outcomes of a map; imap has no such limit")));
        } else if left == 0
            && let Some(run) = self.maps.remove(&job)
        {
            self.bytes = self.bytes.saturating_sub(run.bytes);
            let ended = run.ended.into_iter().map(|ended| ended.unwrap_or(Ended::Cancelled)).collect();
            self.answer(call, Ok(Reply::Pool(PoolReply::Outcomes(ended))));
        }
    }

    /// The call that waited for a map waits no more: its tasks are cancelled.
    pub(super) fn abandon_map(&mut self, job: JobId) {
        if let Some(run) = self.maps.remove(&job) {
            self.bytes = self.bytes.saturating_sub(run.bytes);
        }
        self.abandon_job(job);
    }

    /// Nobody asks for the outcomes of a job any more: its tasks are cancelled.
    pub(super) fn abandon_job(&mut self, job: JobId) {
        let Some(state) = self.jobs.get_mut(&job) else { return };
        state.kind = JobKind::Forgotten;
        let pool = state.pool;
        self.cancel_feeds(pool, Some(job));
        if let Some(state) = self.pools.get_mut(&pool) {
            state.pool.cancel_job(self.now, job);
            self.dirty.insert(pool);
        }
        self.end_job_if_over(job);
    }

    /// Places of a job's tasks that did not end.
    pub(super) fn unended(&mut self, job: JobId, kind: JobKind) -> Vec<u64> {
        match kind {
            JobKind::Api | JobKind::Forgotten => Vec::new(),
            JobKind::Single => vec![0],
            JobKind::Map => self.maps.get(&job).map_or_else(Vec::new, |run| {
                (0..).zip(&run.ended).filter(|(_, ended)| ended.is_none()).map(|(index, _)| index).collect()
            }),
            JobKind::Mapping(mapping) => self.unended_of_mapping(mapping),
        }
    }
}

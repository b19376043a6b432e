//! From a task's name and its arguments, as a guest gives them, to what can be started.
//!
//! The failures that this prevents: a task that fails in its worker because of what its caller did wrong, and could have been told; an end of
//! a pipe that stays open because the task that it was meant for never came to be.
//!
//! Handles are lent: the argument is one more use of the object, so that it lives until the task ends, whatever its caller
//! does. An end of a pipe is taken from the caller before anything else, and is closed if the task can't be started.

use std::borrow::Cow;

use taskcell_wire::call::invocation::write_arguments;
use taskcell_wire::call::{Argument, CallError, CheckedArgument, HandleKind, Invocation, ObjectId, RunArgument, TaskValue};
use taskcell_wire::{Encoding, ItemWriter, JobId, Signature, TaskIndex, TypeDef, WorkerId};

use super::handles::Grant;
use super::objects::Body;
use super::{Broker, Caller, ModuleId, Work};
use crate::chunk::Chunk;
use crate::options::JobOptions;
use crate::time::Duration;

/// One argument of a task that did not start yet.
#[derive(Debug)]
pub(super) enum Given {
    Value(TaskValue<'static>),
    Handle(ObjectId, Grant),
}

/// A task that can be started: its name was found, and its arguments fit.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) module: ModuleId,
    pub(super) task: TaskIndex,
    pub(super) arguments: Vec<Given>,
    /// What they count for of all bytes.
    pub(super) bytes: u64,
}

impl Default for Prepared {
    fn default() -> Self {
        Self { module: ModuleId(0), task: TaskIndex(0), arguments: Vec::new(), bytes: 0 }
    }
}

impl Prepared {
    fn has_handles(&self) -> bool {
        self.arguments.iter().any(|given| matches!(given, Given::Handle(..)))
    }

    /// Whether an end of a pipe goes with it.
    fn moves_ends(&self) -> bool {
        self.arguments.iter().any(|given| matches!(given, Given::Handle(_, Grant::Connection(_))))
    }
}

impl Broker {
    /// The signature of an export.
    pub(super) fn signature(&self, module: ModuleId, task: TaskIndex) -> Option<&Signature> {
        self.options.modules.get(usize::from(module.0))?.interface.tasks.get(usize::from(task.0))
    }

    /// Finds the task and takes the arguments. If this fails, ends of pipes are closed.
    pub(super) fn prepare(&mut self, caller: &Caller, invocation: Invocation<'_>) -> Result<Prepared, CallError> {
        let mut prepared = Prepared::default();
        let taken = self.take_arguments(caller, invocation.arguments.0, &mut prepared);
        let checked = taken.and_then(|()| self.check(caller, invocation.task, &mut prepared));
        match checked {
            Ok(()) => {
                self.bytes = self.bytes.saturating_add(prepared.bytes);
                Ok(prepared)
            }
            Err(error) => {
                prepared.bytes = 0;
                self.drop_prepared(prepared);
                Err(error)
            }
        }
    }

    /// Takes all, also behind one that can't be taken: an end must not be left with somebody who gave it away.
    fn take_arguments(
        &mut self,
        caller: &Caller,
        arguments: Vec<Argument<'_>>,
        prepared: &mut Prepared,
    ) -> Result<(), CallError> {
        let mut first = Ok(());
        for argument in arguments {
            match argument {
                Argument::Value(value) => {
                    prepared.bytes = prepared.bytes.saturating_add(value.len() as u64);
                    prepared.arguments.push(Given::Value(value.into_shared()));
                }
                Argument::Handle(id) => match self.take_argument(caller, id) {
                    Ok(given) => prepared.arguments.push(given),
                    Err(error) => first = first.and(Err(error)),
                },
            }
        }
        first
    }

    fn take_argument(&mut self, caller: &Caller, id: taskcell_wire::call::HandleId) -> Result<Given, CallError> {
        let handle = self.handle(caller.worker, id)?;
        let (object, grant) = (handle.object, handle.grant.clone());
        match grant {
            Grant::Connection(end) => {
                self.take_handle(caller.worker, id);
                let now = self.now;
                self.step(object, None, |body, out| {
                    if let Body::Pipe(pipe) = body {
                        pipe.give(now, end, None, &mut out.pipe);
                    }
                });
            }
            Grant::Queue(_)
            | Grant::Map(_)
            | Grant::Lock
            | Grant::Semaphore
            | Grant::Event
            | Grant::Condition
            | Grant::Barrier => self.use_object(object),
            Grant::Process | Grant::Pool | Grant::Future | Grant::Mapping => {
                return Err(CallError::Invalid(format!("a {} can't be an argument", grant.word())));
            }
        }
        Ok(Given::Handle(object, grant))
    }

    fn check(&self, caller: &Caller, name: &str, prepared: &mut Prepared) -> Result<(), CallError> {
        let (module, task) = self.resolve(caller, name)?;
        (prepared.module, prepared.task) = (module, task);
        let handles = prepared.arguments.iter().filter(|given| matches!(given, Given::Handle(..))).count();
        let most = self.options.limits.handles;
        if handles > most as usize {
            return Err(CallError::Quota(format!("{most} handles of one task")));
        }
        self.check_bytes(prepared.bytes)?;
        let checked: Vec<CheckedArgument<'_>> = prepared
            .arguments
            .iter()
            .map(|given| match given {
                Given::Value(value) => CheckedArgument::Value(value),
                // What is no argument was refused when it was taken.
                Given::Handle(_, grant) => CheckedArgument::Handle(grant.kind().unwrap_or(HandleKind::Queue)),
            })
            .collect();
        self.check_arguments(module, task, &checked)
    }

    /// Whether arguments fit the parameters of an export.
    pub(super) fn check_arguments(
        &self,
        module: ModuleId,
        task: TaskIndex,
        arguments: &[CheckedArgument<'_>],
    ) -> Result<(), CallError> {
        let found = self.options.modules.get(usize::from(module.0)).zip(self.signature(module, task));
        let (module, signature) = found.ok_or_else(|| CallError::NotFound("the task".into()))?;
        (self.options.check_arguments)(&module.interface.types, signature, arguments).map_err(CallError::Invalid)
    }

    /// A task that will not be started: ends of pipes that it carries are closed.
    pub(super) fn drop_prepared(&mut self, prepared: Prepared) {
        self.bytes = self.bytes.saturating_sub(prepared.bytes);
        for given in prepared.arguments {
            if let Given::Handle(object, grant) = given {
                self.release(object, &grant);
            }
        }
    }

    /// Gives the attempt that a worker is about to run the handles that its task was started with.
    pub(super) fn grant_arguments(&mut self, worker: WorkerId, job: JobId, index: u64) {
        let Some(id) = self.places.get(&(job, index)).copied() else { return };
        let Some(task) = self.tasks.get_mut(&id).filter(|task| !task.arguments.is_empty()) else { return };
        task.granted = true;
        let handles: Vec<(ObjectId, Grant)> = task
            .arguments
            .iter()
            .filter_map(|given| match given {
                Given::Handle(object, grant) => Some((*object, grant.clone())),
                Given::Value(_) => None,
            })
            .collect();
        let Ok(running) = self.attempt(worker) else { return };
        let holder = running.holder;
        let now = self.now;
        for (object, grant) in handles {
            if let Grant::Connection(end) = grant {
                self.step(object, None, |body, out| {
                    if let Body::Pipe(pipe) = body {
                        pipe.give(now, end, Some(holder), &mut out.pipe);
                    }
                });
            }
            let given = self.grant(worker, object, grant);
            let running = self.workers.get_mut(&worker).and_then(|state| state.running.as_mut());
            if let (Some(running), Some(given)) = (running, given) {
                running.given.push(given);
            }
        }
    }

    /// What is sent to a worker for a chunk.
    #[must_use]
    pub fn work(&self, worker: WorkerId, chunk: taskcell_wire::ChunkId) -> Option<Work<'_>> {
        let state = self.workers.get(&worker)?;
        let pool = &self.pools.get(&state.pool)?.pool;
        let ((flight, options), (turn, claimed)) = (pool.flight(worker, chunk)?, pool.turn(worker, chunk)?);
        let items = if options.alone { Cow::Owned(self.arguments_of(worker, flight)?) } else { Cow::Borrowed(&*flight.items) };
        Some(Work { job: flight.job, options, first: flight.first, count: flight.count, items, turn, claimed })
    }

    fn arguments_of(&self, worker: WorkerId, chunk: &Chunk) -> Option<Vec<u8>> {
        let task = self.tasks.get(self.places.get(&(chunk.job, chunk.first))?)?;
        let mut handles = self.workers.get(&worker)?.running.as_ref()?.given.iter();
        let mut arguments = Vec::with_capacity(task.arguments.len());
        for given in &task.arguments {
            arguments.push(match given {
                Given::Value(value) => RunArgument::Value(value.clone()),
                Given::Handle(_, grant) => RunArgument::Handle(grant.kind()?, *handles.next()?),
            });
        }
        let mut items = ItemWriter::default();
        items.push(&write_arguments(arguments));
        Some(items.into_parts().0)
    }

    /// The options of a job of this task, and how its result is written: bytes stay bytes.
    pub(super) fn job_options(&self, module: ModuleId, task: TaskIndex, timeout: Option<u64>) -> JobOptions {
        let types = self.options.modules.get(usize::from(module.0)).map(|module| &module.interface.types);
        let result = self.signature(module, task).and_then(|signature| signature.result);
        let def = |id| types.and_then(|types| types.get(id));
        let is_bytes = match result.and_then(def) {
            Some(TypeDef::List(element)) => def(*element) == Some(&TypeDef::U8),
            _ => false,
        };
        let output = if is_bytes { Encoding::Bytes } else { Encoding::Json };
        JobOptions { timeout: timeout.map(Duration), output, ..JobOptions::new(task) }
    }

    /// The options and the only chunk of a job that runs one prepared task; what it was given, if that has handles.
    pub(super) fn single(&self, job: JobId, prepared: &mut Prepared, timeout: Option<u64>) -> (JobOptions, Chunk, Vec<Given>) {
        let options = JobOptions {
            input: Encoding::Arguments,
            once: prepared.moves_ends(),
            alone: prepared.has_handles(),
            ..self.job_options(prepared.module, prepared.task, timeout)
        };
        let arguments = std::mem::take(&mut prepared.arguments);
        let mut items = ItemWriter::default();
        let kept = if options.alone {
            items.push(&[]);
            arguments
        } else {
            let values = arguments.into_iter().filter_map(|given| match given {
                Given::Value(value) => Some(RunArgument::Value(value)),
                Given::Handle(..) => None,
            });
            items.push(&write_arguments(values.collect()));
            Vec::new()
        };
        let (items, count) = items.into_parts();
        (options, Chunk { job, first: 0, count, items: items.into(), history: Vec::new(), start_by: None }, kept)
    }
}

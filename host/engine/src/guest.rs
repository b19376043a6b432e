//! A loaded component, and one task at a time.
//!
//! ```text
//! load ──> warm_up ──> run ──> run ──> ...
//! ```
//!
//! With [`Isolation::Fresh`] every run makes an instance and drops it: nothing of a task is left for the next. With
//! [`Isolation::Reuse`] one instance serves until a task traps or is stopped; what it left behind is then unknown, and it is
//! dropped too.
//!
//! A guest can't make `run` fail: whatever happens in it is an [`Outcome`].

use std::fs::File;
use std::sync::Arc;

use taskcell_wire::{
    Encoding, Grants, Interface, Isolation, Limit, Limits, Outcome, Signature, TaskIndex, TrapKind, TypeDef, TypeId,
};
use wasmtime::component::{Component, ComponentExportIndex, Func, Instance, InstancePre, Linker, Val};
use wasmtime::{Engine, Store, UpdateDeadline};

use crate::error::{EngineError, one_line};
use crate::print::PrintSink;
use crate::state::{State, Stop, StopReason};
use crate::trap::{Failure, Stopped, classify};
use crate::values::{self, ValueErrorKind};
use crate::{config, interface, link, load, threads};

/// What a guest is loaded with.
#[derive(Clone)]
pub struct GuestOptions {
    /// What came with the code.
    pub interface: Interface,
    /// What the guest may use.
    pub limits: Limits,
    /// What the guest may see.
    pub grants: Grants,
    /// Fresh instances or one.
    pub isolation: Isolation,
    /// Who may stop a task.
    pub stop: Arc<dyn Stop>,
    /// Where it prints.
    pub sink: Arc<dyn PrintSink>,
}

impl std::fmt::Debug for GuestOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GuestOptions").field("limits", &self.limits).field("isolation", &self.isolation).finish_non_exhaustive()
    }
}

/// Moves a guest's epoch on; belongs to the thread that watches while the guest runs.
#[derive(Clone)]
pub struct Ticker(Engine);

impl Ticker {
    /// One tick: the running guest asks [`Stop`] at its next loop or call.
    pub fn tick(&self) {
        self.0.increment_epoch();
    }
}

impl std::fmt::Debug for Ticker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Ticker")
    }
}

/// A component ready to run tasks.
pub struct Guest {
    pre: InstancePre<State>,
    exports: Vec<Option<ComponentExportIndex>>,
    options: GuestOptions,
    live: Option<Live>,
    arguments: Vec<Val>,
    /// Holds what the last outcome borrows.
    text: Vec<u8>,
    runtime: Option<tokio::runtime::Runtime>,
}

/// One instance.
struct Live {
    store: Store<State>,
    instance: Instance,
    funcs: Vec<Option<Func>>,
}

impl std::fmt::Debug for Guest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Guest").field("options", &self.options).finish_non_exhaustive()
    }
}

/// What a finished call left in the guest's buffers.
enum Ended {
    Ok,
    Failed,
    Failure(Failure),
    Invalid,
}

impl Guest {
    /// Loads compiled code from a sealed memory file and resolves its imports and exports. No code of the guest runs.
    ///
    /// # Errors
    /// [`EngineError::Load`], [`EngineError::Link`], or [`EngineError::Mismatch`] if the description is not this code's.
    pub fn load(code: &File, options: GuestOptions) -> Result<Self, EngineError> {
        let concurrent = options.interface.is_concurrent;
        let engine = config::running(&options.limits, concurrent)?;
        let component = load::load(&engine, code)?;
        let mut linker = Linker::new(&engine);
        link::add_provided(&mut linker)?;
        if interface::describe(&component, &linker, concurrent)? != options.interface {
            return Err(EngineError::Mismatch);
        }
        let pre = linker.instantiate_pre(&component).map_err(|error| EngineError::Link(one_line(&error)))?;
        let exports = options.interface.tasks.iter().map(|task| export_index(&component, &task.name)).collect();
        let runtime = if concurrent {
            let built = tokio::runtime::Builder::new_current_thread().build();
            Some(built.map_err(|error| EngineError::Configure(error.to_string()))?)
        } else {
            None
        };
        Ok(Self { pre, exports, options, live: None, arguments: Vec::new(), text: Vec::new(), runtime })
    }

    /// A handle to this guest's epoch.
    #[must_use]
    pub fn ticker(&self) -> Ticker {
        Ticker(self.pre.engine().clone())
    }

    /// Starts the threads that serve WASI's timers and files, if it uses them, and waits until all of them run; before the process
    /// gives up the right to make threads, and from the thread that will run the guest.
    ///
    /// # Errors
    /// [`EngineError::Configure`] if they can't be started.
    pub fn start_threads(&self) -> Result<(), EngineError> {
        let waits = self.options.interface.imports.iter().any(|import| import.name.starts_with("wasi:io/"));
        if waits { threads::start() } else { Ok(()) }
    }

    /// Makes one instance, so that signal handlers, stacks, images and allocator arenas are in place, and keeps it if instances
    /// are used again. Runs the guest's start functions.
    ///
    /// # Errors
    /// [`EngineError::Instantiate`] with the trap or the limit.
    pub fn warm_up(&mut self) -> Result<(), EngineError> {
        let mut live = match self.instantiate() {
            Ok(live) => live,
            Err(Failure::Stopped(_)) => return Err(EngineError::Instantiate("its start function was stopped".into())),
            Err(Failure::Limit(limit, text)) => return Err(EngineError::Instantiate(format!("{} limit: {text}", limit.name()))),
            Err(Failure::Trapped(_, text)) => return Err(EngineError::Instantiate(text)),
            Err(Failure::Exited(code)) => return Err(EngineError::Instantiate(format!("its start function exited with {code}"))),
        };
        for (index, func) in live.funcs.iter_mut().enumerate() {
            *func = self.exports.get(index).and_then(Option::as_ref).and_then(|at| live.instance.get_func(&mut live.store, at));
        }
        if self.options.isolation == Isolation::Reuse {
            self.live = Some(live);
        }
        Ok(())
    }

    /// Runs one task on one input. The outcome borrows this guest's buffers.
    pub fn run(&mut self, task: TaskIndex, input: Encoding, output: Encoding, item: &[u8]) -> Outcome<'_> {
        match self.attempt(usize::from(task.0), input, output, item) {
            Ended::Ok => Outcome::Ok(&self.text),
            Ended::Failed => Outcome::Failed(&self.text),
            Ended::Invalid => Outcome::Invalid { text: std::str::from_utf8(&self.text).unwrap_or("") },
            Ended::Failure(failure) => self.failed(failure),
        }
    }

    fn failed(&mut self, failure: Failure) -> Outcome<'_> {
        self.text.clear();
        match failure {
            Failure::Stopped(StopReason::TimedOut) => Outcome::TimedOut,
            Failure::Stopped(StopReason::Cancelled) => Outcome::Cancelled,
            Failure::Exited(code) => {
                self.text.extend_from_slice(format!("\"exit code {code}\"").as_bytes());
                if code == 0 { self.exited_well() } else { Outcome::Failed(&self.text) }
            }
            Failure::Limit(limit, text) => {
                self.text = text.into_bytes();
                Outcome::OverLimit { limit, text: std::str::from_utf8(&self.text).unwrap_or("") }
            }
            Failure::Trapped(kind, text) => {
                self.text = text.into_bytes();
                Outcome::Trapped { kind, text: std::str::from_utf8(&self.text).unwrap_or("") }
            }
        }
    }

    fn exited_well(&mut self) -> Outcome<'_> {
        self.text.clear();
        self.text.extend_from_slice(b"null");
        Outcome::Ok(&self.text)
    }

    fn attempt(&mut self, task: usize, input: Encoding, output: Encoding, item: &[u8]) -> Ended {
        self.text.clear();
        let interface = &self.options.interface;
        let Some(signature) = interface.tasks.get(task) else {
            self.text.extend_from_slice(b"no such task");
            return Ended::Invalid;
        };
        if let Err(text) = arguments(interface, signature, input, item, &mut self.arguments) {
            self.text = text.into_bytes();
            return Ended::Invalid;
        }
        let mut live = match self.live.take() {
            Some(live) => live,
            None => match self.instantiate() {
                Ok(live) => live,
                Err(failure) => return Ended::Failure(failure),
            },
        };
        let called = self.call(&mut live, task);
        let ended = match called {
            Ok(value) => self.encode(task, output, value.as_ref()),
            Err(error) => {
                let failure = classify(&error, &mut live.store.data_mut().limiter);
                // What a stopped or trapped instance left behind is unknown.
                return Ended::Failure(failure);
            }
        };
        if self.options.isolation == Isolation::Reuse {
            self.live = Some(live);
        }
        ended
    }

    fn instantiate(&self) -> Result<Live, Failure> {
        let limits = &self.options.limits;
        let state = State::new(limits, &self.options.grants, &self.options.sink);
        let mut store = Store::new(self.pre.engine(), state);
        store.limiter(|state| &mut state.limiter);
        store.set_hostcall_fuel(usize::try_from(limits.host_call_bytes).unwrap_or(usize::MAX));
        if let Some(fuel) = limits.fuel {
            // Fails only on an engine that does not count; this one does if the limit is set.
            let _ = store.set_fuel(fuel);
        }
        let stop = Arc::clone(&self.options.stop);
        store.epoch_deadline_callback(move |_| match stop.reason() {
            Some(reason) => Err(Stopped(reason).into()),
            None => Ok(UpdateDeadline::Continue(1)),
        });
        store.set_epoch_deadline(1);
        let instance = match &self.runtime {
            None => self.pre.instantiate(&mut store),
            Some(runtime) => runtime.block_on(self.pre.instantiate_async(&mut store)),
        };
        match instance {
            Ok(instance) => Ok(Live { store, instance, funcs: vec![None; self.exports.len()] }),
            Err(error) => Err(classify(&error, &mut store.data_mut().limiter)),
        }
    }

    /// Calls the export with the arguments that wait, and gives its result.
    fn call(&self, live: &mut Live, task: usize) -> wasmtime::Result<Option<Val>> {
        let func = match live.funcs.get(task).copied().flatten() {
            Some(func) => func,
            None => {
                let at = self.exports.get(task).and_then(Option::as_ref);
                let func = at.and_then(|at| live.instance.get_func(&mut live.store, at));
                let func = func.ok_or_else(|| wasmtime::format_err!("the export is not a function"))?;
                if let Some(slot) = live.funcs.get_mut(task) {
                    *slot = Some(func);
                }
                func
            }
        };
        if let Some(fuel) = self.options.limits.fuel {
            live.store.set_fuel(fuel)?;
        }
        let has_result = self.options.interface.tasks.get(task).is_some_and(|task| task.result.is_some());
        let mut results = [Val::Bool(false)];
        let results = if has_result { &mut results[..] } else { &mut [] };
        match &self.runtime {
            None => func.call(&mut live.store, &self.arguments, results)?,
            Some(runtime) => runtime.block_on(func.call_async(&mut live.store, &self.arguments, results))?,
        }
        Ok(results.first_mut().map(|value| std::mem::replace(value, Val::Bool(false))))
    }

    /// Writes a result; the error case of an outermost `result` is the task's failure.
    fn encode(&mut self, task: usize, output: Encoding, value: Option<&Val>) -> Ended {
        let interface = &self.options.interface;
        let Some(ty) = interface.tasks.get(task).and_then(|task| task.result) else {
            self.text.extend_from_slice(b"null");
            return Ended::Ok;
        };
        let (ty, value, ended) = match (interface.types.get(ty), value) {
            (Some(TypeDef::Result { ok, .. }), Some(Val::Result(Ok(value)))) => (*ok, value.as_deref(), Ended::Ok),
            (Some(TypeDef::Result { error, .. }), Some(Val::Result(Err(value)))) => (*error, value.as_deref(), Ended::Failed),
            (_, value) => (Some(ty), value, Ended::Ok),
        };
        let (Some(ty), Some(value)) = (ty, value) else {
            self.text.extend_from_slice(b"null");
            return ended;
        };
        let output = if matches!(ended, Ended::Failed) { Encoding::Json } else { output };
        let limit = self.options.limits.result_bytes;
        match write(interface, ty, output, value, limit, &mut self.text) {
            Ok(()) => ended,
            Err(failure) => Ended::Failure(failure),
        }
    }
}

fn write(interface: &Interface, ty: TypeId, output: Encoding, value: &Val, limit: u64, out: &mut Vec<u8>) -> Result<(), Failure> {
    let too_long = || Failure::Limit(Limit::Result, format!("the result is longer than {limit} bytes"));
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    if output == Encoding::Bytes {
        match value {
            Val::String(text) => out.extend_from_slice(text.as_bytes()),
            Val::List(items) if interface.types.get(ty).is_some_and(|ty| is_bytes(interface, ty)) => {
                out.extend(items.iter().map(|item| if let Val::U8(byte) = item { *byte } else { 0 }));
            }
            #[expect(clippy::wildcard_enum_match_arm, reason = "everything that has no bytes of its own")]
            _ => return write(interface, ty, Encoding::Json, value, limit, out),
        }
        return if out.len() > most { Err(too_long()) } else { Ok(()) };
    }
    values::value_to_json(&interface.types, ty, value, most, out).map_err(|error| match error.kind {
        ValueErrorKind::TooLong => too_long(),
        ValueErrorKind::Syntax
        | ValueErrorKind::Type
        | ValueErrorKind::Range
        | ValueErrorKind::TooDeep
        | ValueErrorKind::NotUtf8 => Failure::Trapped(TrapKind::Abi, error.to_string()),
    })
}

fn is_bytes(interface: &Interface, ty: &TypeDef) -> bool {
    matches!(ty, TypeDef::List(element) if interface.types.get(*element) == Some(&TypeDef::U8))
}

fn arguments(interface: &Interface, task: &Signature, input: Encoding, item: &[u8], out: &mut Vec<Val>) -> Result<(), String> {
    out.clear();
    match input {
        Encoding::Json => values::arguments_from_json(&interface.types, task, item, out).map_err(|error| error.to_string()),
        Encoding::Bytes => {
            let [(_, ty)] = task.params.as_slice() else {
                return Err("bytes can only be given to a task of one parameter".into());
            };
            match interface.types.get(*ty) {
                Some(TypeDef::String) => match std::str::from_utf8(item) {
                    Ok(text) => out.push(Val::String(text.to_owned())),
                    Err(error) => return Err(format!("expected UTF-8 text, found another byte at {}", error.valid_up_to())),
                },
                Some(ty) if is_bytes(interface, ty) => out.push(Val::List(item.iter().map(|byte| Val::U8(*byte)).collect())),
                Some(_) | None => return Err("bytes can only be given to a parameter of type list<u8> or string".into()),
            }
            Ok(())
        }
    }
}

fn export_index(component: &Component, name: &str) -> Option<ComponentExportIndex> {
    match name.rsplit_once('#') {
        None => component.get_export_index(None, name),
        Some((instance, function)) => {
            let instance = component.get_export_index(None, instance)?;
            component.get_export_index(Some(&instance), function)
        }
    }
}

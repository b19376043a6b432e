//! A loaded component, and one task at a time.
//!
//! ```text
//! Machine, Code::load ──> Guest::new ──> warm_up ──> run ──> run ──> ...
//! ```
//!
//! With [`Isolation::Fresh`] every run makes an instance and drops it: nothing of a task is left for the next. With
//! [`Isolation::Reuse`] one instance serves until a task traps or is stopped; what it left behind is then unknown, and it is
//! dropped too. A command has an instance of its own always: a program is not made to be started twice.
//!
//! A guest can't make `run` fail: whatever happens in it is an [`Outcome`].

use std::sync::Arc;

use taskcell_sandbox::Confined;
use taskcell_wire::{Encoding, Grants, Interface, Isolation, Limits, Outcome, Stream, TaskIndex, TrapKind, TypeDef};
use wasmtime::component::{Component, ComponentExportIndex, InstancePre};
use wasmtime::{Engine, Store, UpdateDeadline};

use crate::abi::{self, Arguments};
use crate::block::block_on;
use crate::call::{self, Entry, Input, Live};
use crate::error::{EngineError, one_line};
use crate::host::Attempts;
use crate::load::{self, CodeFile};
use crate::port::{NoPort, Port};
use crate::print::PrintSink;
use crate::state::{Command, Given, State, Stop, StopReason};
use crate::trap::{Failure, Stopped, classify};
use crate::value::Value;
use crate::{config, interface, link, threads};

/// Handles of resources that components define for themselves and give each other: each takes about 30 bytes of the host's.
const GUESTS_OWN_HANDLES: usize = 100_000;

/// What code is loaded with.
#[derive(Debug, Clone)]
pub struct CodeOptions {
    /// What came with the code.
    pub interface: Interface,
    /// What the guest may use.
    pub limits: Limits,
    /// What the guest may see.
    pub grants: Grants,
    /// Fresh instances or one.
    pub isolation: Isolation,
    /// The CPUs that this job may use, for `task.cpu-count`.
    pub cpus: u32,
}

/// What a guest is connected to.
#[derive(Clone)]
pub struct Connections {
    /// Who may stop a task.
    pub stop: Arc<dyn Stop>,
    /// Where it prints.
    pub sink: Arc<dyn PrintSink>,
    /// Where its calls go.
    pub port: Arc<dyn Port>,
}

impl std::fmt::Debug for Connections {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Connections")
    }
}

/// The engine of a process that runs guests. Made before the walls, since it opens `/proc/self/pagemap`.
#[derive(Clone)]
pub struct Machine(Engine);

impl std::fmt::Debug for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Machine")
    }
}

impl Machine {
    /// Makes the engine. `is_concurrent` is that of the component's [`Interface`].
    ///
    /// # Errors
    /// [`EngineError::Configure`] if there is none on this machine.
    pub fn new(limits: &Limits, is_concurrent: bool) -> Result<Self, EngineError> {
        config::running(limits, is_concurrent).map(Self)
    }
}

/// Loaded code of a component, which belongs to no worker yet: a zygote's workers are forked with it.
pub struct Code {
    pre: InstancePre<State>,
    entries: Arc<[Entry]>,
    options: CodeOptions,
}

impl std::fmt::Debug for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Code").field("options", &self.options).finish_non_exhaustive()
    }
}

impl Code {
    /// Loads compiled code and resolves its imports and exports. No code of the guest runs.
    ///
    /// # Errors
    /// [`EngineError::Load`], [`EngineError::Link`], or [`EngineError::Mismatch`] if the description is not this code's.
    pub fn load(confined: &Confined, machine: &Machine, code: &CodeFile<'_>, options: CodeOptions) -> Result<Self, EngineError> {
        let Interface { is_concurrent, has_start, .. } = options.interface;
        let component = load::load(confined, &machine.0, code)?;
        let linker = link::provide(&component)?;
        if interface::describe(&component, &linker, is_concurrent, has_start)? != options.interface {
            return Err(EngineError::Mismatch);
        }
        let pre = linker.instantiate_pre(&component).map_err(|error| EngineError::Link(one_line(&error)))?;
        let handles = options.interface.types.handles();
        let entry = |task| Entry::new(task, is_concurrent, &handles, export_index(&component, &task.name));
        let entries = options.interface.tasks.iter().map(entry).collect();
        Ok(Self { pre, entries, options })
    }

    /// Makes an instance and drops it, so that stacks, images and the allocator's slots are in place in every
    /// process that is forked from this one. Nothing for a component with start functions: they are code of
    /// the guest, which waits for the last walls. Whether an instance was made.
    ///
    /// # Errors
    /// [`EngineError::Instantiate`] with the limit.
    pub fn prepare_instance(&self) -> Result<bool, EngineError> {
        if self.options.interface.has_start || self.options.interface.is_concurrent {
            return Ok(false);
        }
        let connections = Connections { stop: Arc::new(Nothing), sink: Arc::new(Nothing), port: Arc::new(NoPort) };
        self.connected(&connections).instantiate(None).map(|_| true).map_err(not_made)
    }

    fn connected(&self, connections: &Connections) -> Loaded {
        let attempts = Arc::new(Attempts::new(Arc::clone(&connections.port), Arc::clone(&connections.stop)));
        let given = Arc::new(Given {
            limits: self.options.limits.clone(),
            grants: self.options.grants.clone(),
            sink: Arc::clone(&connections.sink),
            attempts: Arc::clone(&attempts),
            cpus: self.options.cpus,
        });
        let (pre, entries, options) = (self.pre.clone(), Arc::clone(&self.entries), self.options.clone());
        Loaded { pre, entries, options, attempts, given }
    }
}

/// Nobody stops an instance without code, and it prints nothing.
struct Nothing;

impl Stop for Nothing {
    fn reason(&self) -> Option<StopReason> {
        None
    }
}

impl PrintSink for Nothing {
    fn printed(&self, _: Stream, _: &[u8]) {}
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
    loaded: Loaded,
    /// Stays where it is while a task runs: it is too large to be moved in and out for each.
    live: Option<Live>,
    /// Between two runs only the room, to be used again.
    arguments: Vec<Value>,
    /// Holds what the last outcome borrows.
    text: Vec<u8>,
}

impl std::fmt::Debug for Guest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Guest").field("options", &self.loaded.options).finish_non_exhaustive()
    }
}

/// What is the same for every task: what instances are made of and called by.
struct Loaded {
    pre: InstancePre<State>,
    /// By task.
    entries: Arc<[Entry]>,
    options: CodeOptions,
    attempts: Arc<Attempts>,
    given: Arc<Given>,
}

/// What a finished call left in the guest's buffers. The failure is boxed, so that the way without one moves two words.
enum Ended {
    Ok,
    Failed,
    Failure(Box<Failure>),
    Invalid,
}

impl Guest {
    /// Connects loaded code to its worker.
    #[must_use]
    pub fn new(code: &Code, connections: &Connections) -> Self {
        Self { loaded: code.connected(connections), live: None, arguments: Vec::new(), text: Vec::new() }
    }

    /// A handle to this guest's epoch.
    #[must_use]
    pub fn ticker(&self) -> Ticker {
        Ticker(self.loaded.pre.engine().clone())
    }

    /// Starts the threads that serve WASI's timers and files, if it uses them, and waits until all of them run; before the process
    /// gives up the right to make threads, and from the thread that will run the guest.
    ///
    /// # Errors
    /// [`EngineError::Configure`] if they can't be started.
    pub fn start_threads(&self) -> Result<(), EngineError> {
        let waits = self.loaded.options.interface.imports.iter().any(|import| import.name.starts_with("wasi:io/"));
        if waits { threads::start() } else { Ok(()) }
    }

    /// Makes one instance, so that signal handlers, stacks, images and allocator arenas are in place, and keeps it if instances
    /// are used again. Runs the guest's start functions; those that make calls are told that no task runs yet.
    ///
    /// # Errors
    /// [`EngineError::Instantiate`] with the trap or the limit.
    pub fn warm_up(&mut self) -> Result<(), EngineError> {
        let mut live = self.loaded.instantiate(None).map_err(not_made)?;
        if self.loaded.options.isolation == Isolation::Reuse {
            live.look_up(&self.loaded.entries);
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
            Ended::Failure(failure) => self.failed(*failure, output),
        }
    }

    fn failed(&mut self, failure: Failure, output: Encoding) -> Outcome<'_> {
        self.text.clear();
        match failure {
            Failure::Stopped(StopReason::TimedOut) => Outcome::TimedOut,
            Failure::Stopped(StopReason::Cancelled) => Outcome::Cancelled,
            Failure::Exited(0) => {
                nothing(output, &mut self.text);
                Outcome::Ok(&self.text)
            }
            Failure::Exited(code) => Outcome::Exited(code),
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

    fn attempt(&mut self, task: usize, input: Encoding, output: Encoding, item: &[u8]) -> Ended {
        self.text.clear();
        // Before there is an instance: an input that does not fit costs none.
        let mut read = self.loaded.read(task, input, item, &mut self.arguments);
        let ended = match &mut read {
            Ok(input) => self.attempt_with(task, input, output),
            Err(text) => {
                self.text.extend_from_slice(text.as_bytes());
                Ended::Invalid
            }
        };
        self.arguments.clear();
        ended
    }

    fn attempt_with(&mut self, task: usize, input: &mut Input<'_>, output: Encoding) -> Ended {
        let Self { loaded, live: kept, arguments, text } = self;
        loaded.attempts.begin();
        let command = match input {
            Input::Command(command) => Some(std::mem::take(command)),
            Input::Values | Input::Handles(_) | Input::Bytes(_) | Input::Text(_) => None,
        };
        let serves_again = loaded.options.isolation == Isolation::Reuse && command.is_none();
        if command.is_some() {
            *kept = None;
        }
        let live = match &mut *kept {
            Some(live) => live,
            none => match loaded.instantiate(command) {
                Ok(live) => none.insert(live),
                Err(failure) => return Ended::Failure(Box::new(failure)),
            },
        };
        let called = loaded.call(task, live, input, arguments);
        let is_sound = called.is_ok();
        let ended = match called {
            Ok(()) => abi::with_result(|value| loaded.encode(task, output, value, text)),
            Err(failure) => Ended::Failure(failure),
        };
        // First of all, so that nothing is told of the handles that go with the instance.
        loaded.attempts.end();
        // What a stopped or trapped instance left behind is unknown.
        if serves_again && is_sound {
            if let Input::Handles(given) = input {
                live.take_back(given, arguments);
            }
        } else {
            *kept = None;
        }
        ended
    }
}

impl Loaded {
    fn read<'a>(&self, task: usize, input: Encoding, item: &'a [u8], values: &mut Vec<Value>) -> Result<Input<'a>, String> {
        let interface = &self.options.interface;
        let (Some(signature), Some(entry)) = (interface.tasks.get(task), self.entries.get(task)) else {
            return Err("no such task".into());
        };
        if entry.gives_handle {
            return Err("its result has a resource, a stream or a future in it, which can't be given as a value".into());
        }
        call::read(interface, signature, input, item, values)
    }

    fn call(&self, task: usize, live: &mut Live, input: &Input<'_>, values: &mut [Value]) -> Result<(), Box<Failure>> {
        let arguments = match input {
            Input::Values => Arguments::Values(values),
            Input::Handles(given) => {
                live.put(given, values, &self.attempts)?;
                Arguments::Values(values)
            }
            Input::Bytes(bytes) => Arguments::Bytes(bytes),
            Input::Text(text) => Arguments::Text(text),
            Input::Command(_) => Arguments::Values(&[]),
        };
        let Some(entry) = self.entries.get(task) else {
            return Err(Box::new(Failure::Trapped(TrapKind::Other, "no such task".into())));
        };
        live.call(task, entry, &self.options.limits, &arguments).map_err(|error| {
            // What came before it failed is nobody's.
            abi::with_result(|_| ());
            Box::new(classify(&error, &mut live.store.data_mut().limiter))
        })
    }

    fn instantiate(&self, command: Option<Command>) -> Result<Live, Failure> {
        let limits = &self.options.limits;
        let state = State::new(&self.given, command);
        let mut store = Store::new(self.pre.engine(), state);
        store.limiter(|state| &mut state.limiter);
        store.set_hostcall_fuel(usize::try_from(limits.host_call_bytes).unwrap_or(usize::MAX));
        // Each of the host's may be lent as well, which counts once more.
        let handles = usize::try_from(limits.handles).unwrap_or(usize::MAX);
        store.set_max_component_handles(handles.saturating_mul(2).saturating_add(GUESTS_OWN_HANDLES));
        if let Some(fuel) = limits.fuel {
            // Fails only on an engine that does not count; this one does if the limit is set.
            let _ = store.set_fuel(fuel);
        }
        store.epoch_deadline_callback(|store| match store.data().host.attempts.has_to_stop() {
            Some(reason) => Err(Stopped(reason).into()),
            None => Ok(UpdateDeadline::Continue(1)),
        });
        store.set_epoch_deadline(1);
        let instance = if self.options.interface.is_concurrent {
            block_on(self.pre.instantiate_async(&mut store))
        } else {
            self.pre.instantiate(&mut store)
        };
        match instance {
            Ok(instance) => {
                let kept = if self.options.isolation == Isolation::Reuse { self.entries.len() } else { 0 };
                Ok(Live::new(store, instance, kept))
            }
            Err(error) => {
                // Its handles go with it.
                self.attempts.end();
                Err(classify(&error, &mut store.data_mut().limiter))
            }
        }
    }

    /// Writes a result; the error case of an outermost `result` is the task's failure.
    fn encode(&self, task: usize, output: Encoding, value: &mut Option<Value>, text: &mut Vec<u8>) -> Ended {
        let interface = &self.options.interface;
        let signature = interface.tasks.get(task);
        let Some(ty) = signature.and_then(|task| task.result) else {
            nothing(output, text);
            return Ended::Ok;
        };
        let (ty, value, ended) = match (interface.types.get(ty), value) {
            (Some(TypeDef::Result { ok, .. }), Some(Value::Result(Ok(value)))) => (*ok, value.as_deref_mut(), Ended::Ok),
            (Some(TypeDef::Result { error, .. }), Some(Value::Result(Err(value)))) => {
                if signature.is_some_and(|task| call::is_run(&task.name)) {
                    return Ended::Failure(Box::new(Failure::Exited(1)));
                }
                (*error, value.as_deref_mut(), Ended::Failed)
            }
            (_, value) => (Some(ty), value.as_mut(), Ended::Ok),
        };
        let (Some(ty), Some(value)) = (ty, value) else {
            nothing(output, text);
            return ended;
        };
        let output = if matches!(ended, Ended::Failed) { Encoding::Json } else { output };
        match call::write(interface, ty, output, value, self.options.limits.result_bytes, text) {
            Ok(()) => ended,
            Err(failure) => Ended::Failure(failure),
        }
    }
}

/// Writes that there is no result; what a command wrote is its result, and is gone already.
fn nothing(output: Encoding, text: &mut Vec<u8>) {
    if output != Encoding::Command {
        text.extend_from_slice(b"null");
    }
}

/// Why an instance could not be made before there was a task.
fn not_made(failure: Failure) -> EngineError {
    EngineError::Instantiate(match failure {
        Failure::Stopped(_) => "its start function was stopped".into(),
        Failure::Limit(limit, text) => format!("{} limit: {text}", limit.name()),
        Failure::Trapped(_, text) => text,
        Failure::Exited(code) => format!("its start function exited with {code}"),
    })
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

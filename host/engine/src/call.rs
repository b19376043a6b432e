//! One call of one export: the bytes of an input become arguments, the result becomes bytes.
//!
//! Every call is a typed one, see [`crate::abi`]. A guest without `async func`s is called without a future: that is several
//! times as fast.

use std::sync::{Arc, OnceLock};

use taskcell_wire::call::{Batch, RunArgument};
use taskcell_wire::{CommandInput, Encoding, Interface, Limit, Limits, Signature, TrapKind, TypeDef, TypeId, codec};
use wasmtime::Store;
use wasmtime::component::{ComponentExportIndex, Func, Instance, TypedFunc};

use crate::abi::{self, Arguments, Returned};
use crate::block::block_on;
use crate::host::{Attempts, Given};
use crate::state::{Command, State};
use crate::trap::Failure;
use crate::value::Value;
use crate::values::{self, ValueErrorKind};

/// One instance.
pub(crate) struct Live {
    pub(crate) store: Store<State>,
    instance: Instance,
    /// What was looked up already, by task; without room in an instance that serves once.
    callees: Vec<Option<Callee>>,
}

/// An export of one instance.
#[derive(Clone, Copy)]
enum Callee {
    Plain(TypedFunc<&'static Arguments<'static>, Returned<1>>),
    Concurrent(Func, ConcurrentCall),
}

/// Calls a function with as many slots for its result as it takes.
type ConcurrentCall = fn(&mut Store<State>, &Func, &Arguments<'_>) -> wasmtime::Result<()>;

/// How one task is called; lives as long as the guest, not as an instance.
#[derive(Default)]
pub(crate) struct Entry {
    pub(crate) export: Option<ComponentExportIndex>,
    is_async: bool,
    /// Whether the component has any `async func`, and so is called in another way.
    is_concurrent: bool,
    /// Its result has a resource, a stream or a future in it, which nobody could take.
    pub(crate) gives_handle: bool,
    concurrent: OnceLock<ConcurrentCall>,
}

impl Entry {
    pub(crate) fn new(task: &Signature, is_concurrent: bool, handles: &[bool], export: Option<ComponentExportIndex>) -> Self {
        let gives_handle = task.result.and_then(|ty| handles.get(ty.0 as usize).copied()).unwrap_or(false);
        Self { export, is_async: task.is_async, is_concurrent, gives_handle, concurrent: OnceLock::new() }
    }

    fn callee(&self, live: &mut Live) -> wasmtime::Result<Callee> {
        let func = self.export.as_ref().and_then(|at| live.instance.get_func(&mut live.store, at));
        let func = func.ok_or_else(|| wasmtime::format_err!("the export is not a function"))?;
        if !self.is_concurrent {
            return func.typed(&live.store).map(Callee::Plain);
        }
        if let Some(call) = self.concurrent.get() {
            return Ok(Callee::Concurrent(func, *call));
        }
        let call = if self.is_async { async_call(&func, &live.store)? } else { concurrent_call::<1> };
        Ok(Callee::Concurrent(func, *self.concurrent.get_or_init(|| call)))
    }
}

fn concurrent_call<const RESULTS: usize>(
    store: &mut Store<State>,
    func: &Func,
    arguments: &Arguments<'_>,
) -> wasmtime::Result<()> {
    let func = func.typed::<&Arguments<'_>, Returned<RESULTS>>(&*store)?;
    block_on(func.call_async(store, arguments)).map(drop)
}

/// The result of an `async func` takes a slot for each flat value, up to 16. The engine knows how many and says so by what it lets
/// pass; one slot is the rest, a single value or an address.
fn async_call(func: &Func, store: &Store<State>) -> wasmtime::Result<ConcurrentCall> {
    macro_rules! first_that_fits {
        ($($results:literal)*) => {
            $(if func.typed::<&Arguments<'_>, Returned<$results>>(store).is_ok() {
                return Ok(concurrent_call::<$results>);
            })*
        };
    }
    first_that_fits!(0 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16);
    func.typed::<&Arguments<'_>, Returned<1>>(store).map(|_| concurrent_call::<1> as ConcurrentCall)
}

impl Live {
    /// An instance that keeps what it looks up of so many tasks.
    pub(crate) fn new(store: Store<State>, instance: Instance, tasks: usize) -> Self {
        Self { store, instance, callees: vec![None; tasks] }
    }

    /// Looks all exports up.
    pub(crate) fn look_up(&mut self, entries: &[Entry]) {
        self.callees = entries.iter().map(|entry| entry.callee(self).ok()).collect();
    }

    /// Puts the handles among the arguments into this instance's table.
    pub(crate) fn put(&mut self, given: &[Given], values: &mut [Value], attempts: &Arc<Attempts>) -> Result<(), Box<Failure>> {
        for one in given {
            let put = one.put(self.store.data_mut().table(), attempts);
            let place = put.map_err(|too_many| Box::new(Failure::Limit(Limit::Handles, too_many.to_string())))?;
            if let Some(value) = values.get_mut(one.place) {
                *value = Value::Handle(one.kind, place);
            }
        }
        Ok(())
    }

    /// Takes those out again that the task had for the length of its call, when it has ended.
    pub(crate) fn take_back(&mut self, given: &[Given], values: &[Value]) {
        for one in given {
            if let Some(Value::Handle(_, place)) = values.get(one.place) {
                one.take_back(self.store.data_mut().table(), *place);
            }
        }
    }

    /// Calls the export of a task. Its result is where [`abi::with_result`] finds it.
    pub(crate) fn call(
        &mut self,
        task: usize,
        entry: &Entry,
        limits: &Limits,
        arguments: &Arguments<'_>,
    ) -> wasmtime::Result<()> {
        let callee = match self.callees.get(task).copied().flatten() {
            Some(callee) => callee,
            None => {
                let callee = entry.callee(self)?;
                if let Some(slot) = self.callees.get_mut(task) {
                    *slot = Some(callee);
                }
                callee
            }
        };
        if let Some(fuel) = limits.fuel {
            self.store.set_fuel(fuel)?;
        }
        abi::limit_result(limits.result_bytes);
        match callee {
            Callee::Plain(func) => func.call(&mut self.store, arguments).map(drop),
            Callee::Concurrent(func, call) => call(&mut self.store, &func, arguments),
        }
    }
}

/// An input that was read, before there is an instance.
pub(crate) enum Input<'a> {
    /// The values stand beside this.
    Values,
    /// The same, and some of them are handles, which get their place once there is a table for them.
    Handles(Vec<Given>),
    /// The one parameter, a `list<u8>`.
    Bytes(&'a [u8]),
    /// The one parameter, a `string`.
    Text(&'a str),
    /// No parameter: arguments and standard input of the instance that is to be made.
    Command(Command),
}

/// Reads an input as a task's arguments; `values` holds those that are no plain bytes.
pub(crate) fn read<'a>(
    interface: &Interface,
    task: &Signature,
    input: Encoding,
    item: &'a [u8],
    values: &mut Vec<Value>,
) -> Result<Input<'a>, String> {
    let types = &interface.types;
    match input {
        Encoding::Json => match values::arguments_from_json(types, task, item, values) {
            Ok(()) => Ok(Input::Values),
            Err(error) => Err(error.to_string()),
        },
        Encoding::Bytes => {
            let [(_, ty)] = task.params.as_slice() else {
                return Err("bytes can only be given to a task of one parameter".into());
            };
            match types.get(*ty) {
                Some(TypeDef::String) => match std::str::from_utf8(item) {
                    Ok(text) => Ok(Input::Text(text)),
                    Err(error) => Err(format!("expected UTF-8 text, found another byte at {}", error.valid_up_to())),
                },
                Some(TypeDef::List(element)) if types.get(*element) == Some(&TypeDef::U8) => Ok(Input::Bytes(item)),
                Some(_) | None => Err("bytes can only be given to a parameter of type list<u8> or string".into()),
            }
        }
        Encoding::Arguments => {
            let arguments = codec::decode::<Batch<RunArgument<'_>>>(item).map_err(|error| format!("failed to {error}"))?;
            values::pushed_arguments(types, task, &arguments.0, values).map(Input::Handles)
        }
        Encoding::Command => {
            if !is_run(&task.name) || !task.params.is_empty() {
                return Err("only the export that runs a program can be given a command's arguments".into());
            }
            let command = codec::decode::<CommandInput<'_>>(item).map_err(|error| format!("failed to {error}"))?;
            let args = command.args.into_iter().map(str::to_owned).collect();
            Ok(Input::Command(Command { args, stdin: bytes::Bytes::copy_from_slice(command.stdin) }))
        }
    }
}

/// Whether it is what runs a program, whose error case is exit code 1.
pub(crate) fn is_run(name: &str) -> bool {
    name.starts_with("wasi:cli/run@0.2.") && name.ends_with("#run")
}

/// Writes a value of a type; bytes and text that are asked for as such are taken, not copied.
pub(crate) fn write(
    interface: &Interface,
    ty: TypeId,
    output: Encoding,
    value: &mut Value,
    limit: u64,
    out: &mut Vec<u8>,
) -> Result<(), Box<Failure>> {
    let too_long = || Box::new(Failure::Limit(Limit::Result, abi::TooLong(limit).to_string()));
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    let value = match (output, value) {
        (Encoding::Bytes, Value::Bytes(bytes)) => {
            *out = std::mem::take(bytes);
            return if out.len() > most { Err(too_long()) } else { Ok(()) };
        }
        (Encoding::Bytes, Value::String(text)) => {
            *out = std::mem::take(text).into_bytes();
            return if out.len() > most { Err(too_long()) } else { Ok(()) };
        }
        // Everything else has no bytes of its own.
        (Encoding::Bytes | Encoding::Json | Encoding::Arguments | Encoding::Command, value) => value,
    };
    values::value_to_json(&interface.types, ty, value, most, out).map_err(|error| match error.kind {
        ValueErrorKind::TooLong => too_long(),
        ValueErrorKind::Syntax
        | ValueErrorKind::Type
        | ValueErrorKind::Range
        | ValueErrorKind::TooDeep
        | ValueErrorKind::NotUtf8 => Box::new(Failure::Trapped(TrapKind::Abi, error.to_string())),
    })
}

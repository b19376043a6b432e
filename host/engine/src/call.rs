//! One call of one export: the bytes of an input become arguments, the result becomes bytes.
//!
//! Every call is a typed one, see [`crate::abi`]. A guest without `async func`s is called without a runtime: that is several
//! times as fast.

use std::sync::OnceLock;

use taskcell_wire::{Encoding, Interface, Limit, Limits, Signature, TrapKind, TypeDef, TypeId};
use tokio::runtime::Runtime;
use wasmtime::Store;
use wasmtime::component::{ComponentExportIndex, Func, Instance, TypedFunc};

use crate::abi::{self, Arguments, Returned};
use crate::state::State;
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
    Plain(TypedFunc<Arguments<'static>, Returned<1>>),
    Concurrent(Func, ConcurrentCall),
}

/// Calls a function with as many slots for its result as it takes.
type ConcurrentCall = fn(&Runtime, &mut Store<State>, &Func, Arguments<'_>) -> wasmtime::Result<Option<Value>>;

/// How one task is called; lives as long as the guest, not as an instance.
#[derive(Default)]
pub(crate) struct Entry {
    pub(crate) export: Option<ComponentExportIndex>,
    is_async: bool,
    /// Its result has a resource, a stream or a future in it, which nobody could take.
    pub(crate) gives_handle: bool,
    concurrent: OnceLock<ConcurrentCall>,
}

impl Entry {
    pub(crate) fn new(task: &Signature, handles: &[bool], export: Option<ComponentExportIndex>) -> Self {
        let gives_handle = task.result.and_then(|ty| handles.get(ty.0 as usize).copied()).unwrap_or(false);
        Self { export, is_async: task.is_async, gives_handle, concurrent: OnceLock::new() }
    }

    fn callee(&self, live: &mut Live, runtime: Option<&Runtime>) -> wasmtime::Result<Callee> {
        let func = self.export.as_ref().and_then(|at| live.instance.get_func(&mut live.store, at));
        let func = func.ok_or_else(|| wasmtime::format_err!("the export is not a function"))?;
        if runtime.is_none() {
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
    runtime: &Runtime,
    store: &mut Store<State>,
    func: &Func,
    arguments: Arguments<'_>,
) -> wasmtime::Result<Option<Value>> {
    let func = func.typed::<Arguments<'_>, Returned<RESULTS>>(&*store)?;
    runtime.block_on(func.call_async(store, arguments)).map(|returned| returned.0)
}

/// The result of an `async func` takes a slot for each flat value, up to 16. The engine knows how many and says so by what it lets
/// pass; one slot is the rest, a single value or an address.
fn async_call(func: &Func, store: &Store<State>) -> wasmtime::Result<ConcurrentCall> {
    macro_rules! first_that_fits {
        ($($results:literal)*) => {
            $(if func.typed::<Arguments<'_>, Returned<$results>>(store).is_ok() {
                return Ok(concurrent_call::<$results>);
            })*
        };
    }
    first_that_fits!(0 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16);
    func.typed::<Arguments<'_>, Returned<1>>(store).map(|_| concurrent_call::<1> as ConcurrentCall)
}

impl Live {
    /// An instance that keeps what it looks up of so many tasks.
    pub(crate) fn new(store: Store<State>, instance: Instance, tasks: usize) -> Self {
        Self { store, instance, callees: vec![None; tasks] }
    }

    /// Looks all exports up.
    pub(crate) fn look_up(&mut self, entries: &[Entry], runtime: Option<&Runtime>) {
        self.callees = entries.iter().map(|entry| entry.callee(self, runtime).ok()).collect();
    }

    /// Calls the export of a task.
    pub(crate) fn call(
        &mut self,
        task: usize,
        entry: &Entry,
        runtime: Option<&Runtime>,
        limits: &Limits,
        arguments: Arguments<'_>,
    ) -> wasmtime::Result<Option<Value>> {
        let callee = match self.callees.get(task).copied().flatten() {
            Some(callee) => callee,
            None => {
                let callee = entry.callee(self, runtime)?;
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
        match (callee, runtime) {
            (Callee::Plain(func), _) => func.call(&mut self.store, arguments).map(|returned| returned.0),
            (Callee::Concurrent(func, call), Some(runtime)) => call(runtime, &mut self.store, &func, arguments),
            (Callee::Concurrent(..), None) => Err(wasmtime::format_err!("an async function needs a runtime")),
        }
    }
}

/// Reads an input as a task's arguments; `values` holds those that are read from JSON.
pub(crate) fn arguments<'a>(
    interface: &Interface,
    task: &Signature,
    input: Encoding,
    item: &'a [u8],
    values: &'a mut Vec<Value>,
) -> Result<Arguments<'a>, String> {
    match input {
        Encoding::Json => {
            let read = values::arguments_from_json(&interface.types, task, item, values);
            read.map(|()| Arguments::Values(values)).map_err(|error| error.to_string())
        }
        Encoding::Bytes => {
            let [(_, ty)] = task.params.as_slice() else {
                return Err("bytes can only be given to a task of one parameter".into());
            };
            match interface.types.get(*ty) {
                Some(TypeDef::String) => match std::str::from_utf8(item) {
                    Ok(text) => Ok(Arguments::Text(text)),
                    Err(error) => Err(format!("expected UTF-8 text, found another byte at {}", error.valid_up_to())),
                },
                Some(TypeDef::List(element)) if interface.types.get(*element) == Some(&TypeDef::U8) => Ok(Arguments::Bytes(item)),
                Some(_) | None => Err("bytes can only be given to a parameter of type list<u8> or string".into()),
            }
        }
    }
}

/// Writes a value of a type; bytes and text that are asked for as such are moved, not copied.
pub(crate) fn write(
    interface: &Interface,
    ty: TypeId,
    output: Encoding,
    value: Value,
    limit: u64,
    out: &mut Vec<u8>,
) -> Result<(), Failure> {
    let too_long = || Failure::Limit(Limit::Result, abi::TooLong(limit).to_string());
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    let value = match (output, value) {
        (Encoding::Bytes, Value::Bytes(bytes)) => {
            *out = bytes;
            return if out.len() > most { Err(too_long()) } else { Ok(()) };
        }
        (Encoding::Bytes, Value::String(text)) => {
            *out = text.into_bytes();
            return if out.len() > most { Err(too_long()) } else { Ok(()) };
        }
        // Everything else has no bytes of its own.
        (Encoding::Bytes | Encoding::Json, value) => value,
    };
    values::value_to_json(&interface.types, ty, &value, most, out).map_err(|error| match error.kind {
        ValueErrorKind::TooLong => too_long(),
        ValueErrorKind::Syntax
        | ValueErrorKind::Type
        | ValueErrorKind::Range
        | ValueErrorKind::TooDeep
        | ValueErrorKind::NotUtf8 => Failure::Trapped(TrapKind::Abi, error.to_string()),
    })
}

//! `taskcell:host`, as guests import it: each function becomes a [`Call`](taskcell_wire::call::Call) through the
//! [`Port`](crate::Port), and its answer is converted.
//!
//! There is no state of the primitives here, not even a cache: it is all the broker's, so that a worker that dies takes nothing with
//! it. What stands here is what WIT's types cost: a table of handles ([`attempt`] says when one is given back), the building of
//! invocations, and the words for errors. A file is named as its interface in `wit/`, which says what each function means.
//!
//! Answers come from the supervisor, and are believed; but one of the wrong kind must not take the worker down with a panic,
//! so it is a trap like a supervisor that went away.
//!
//! A function that can't fail by its type, but whose call did, traps with the reason: `event.set` that silently did nothing would let
//! others wait for ever. Where `wit/` says that doing a thing again does nothing, it does nothing.

#![expect(unreachable_pub, reason = "types that the bindings name have to be public there; nobody reaches the bindings")]

mod attempt;
mod bindings;
mod convert;
mod handles;
mod in_place;
mod invocation;
mod pipe;
mod pool;
mod process;
mod queue;
mod shared_map;
mod sync;
mod task;
mod view;
mod waiting;

use std::sync::Arc;

use bindings::taskcell::host as interfaces;
use taskcell_wire::call::Identity;
use taskcell_wire::{CallError, HOST_PACKAGE, Limits};
use wasmtime::component::Linker;

use crate::error::{EngineError, one_line};
use crate::state::State;

pub(crate) use attempt::Attempts;
pub(crate) use handles::{Given, TooManyHandles, kind_of, resource_type};
pub(crate) use view::View;

/// What an instance has beside its handles.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) attempts: Arc<Attempts>,
    /// The CPUs that this job may use.
    cpus: u32,
    /// What the task was told of itself, with the number of its attempt.
    identity: Option<(u64, Identity)>,
    /// Bytes that invocations and deliveries keep.
    kept: usize,
    /// The most that they may keep together.
    most_kept: usize,
    /// The most that one invocation may keep: it has to travel as one message.
    most_in_message: usize,
}

impl Host {
    pub(crate) fn new(limits: &Limits, attempts: &Arc<Attempts>, cpus: u32) -> Self {
        let size = |bytes| usize::try_from(bytes).unwrap_or(usize::MAX);
        Self {
            attempts: Arc::clone(attempts),
            cpus,
            identity: None,
            kept: 0,
            most_kept: size(limits.host_call_bytes),
            most_in_message: size(limits.message_bytes),
        }
    }
}

/// Why a function that may fail did: with one of WIT's errors, or so that the guest can't go on.
#[derive(Debug)]
pub enum Fault {
    /// The guest is told.
    Answered(CallError),
    /// The guest stops here.
    Trap(wasmtime::Error),
}

impl From<CallError> for Fault {
    fn from(error: CallError) -> Self {
        Self::Answered(error)
    }
}

impl From<wasmtime::Error> for Fault {
    fn from(error: wasmtime::Error) -> Self {
        Self::Trap(error)
    }
}

impl From<wasmtime::component::ResourceTableError> for Fault {
    /// A handle that a guest has is in the table; what else can happen is a fault of the host's, and ends this guest only.
    fn from(error: wasmtime::component::ResourceTableError) -> Self {
        Self::Trap(error.into())
    }
}

/// The versions of [`HOST_PACKAGE`] that are compatible with the one that is provided.
const VERSIONS: &str = "0.1.";

type AddToLinker = fn(&mut Linker<State>) -> wasmtime::Result<()>;

macro_rules! interface {
    ($name:literal, $module:ident $(, $($more:tt)*)?) => {
        ($name, |linker| {
            interfaces::$module::add_to_linker::<_, view::Views>(linker, State::host)?;
            $($($more)*(linker)?;)?
            Ok(())
        })
    };
}

/// Each interface, and what links it.
const INTERFACES: [(&str, AddToLinker); 9] = [
    interface!("types", types),
    interface!("waiting", waiting),
    interface!("queue", queue, in_place::queue),
    interface!("pipe", pipe, in_place::pipe),
    interface!("shared-map", shared_map),
    interface!("sync", sync),
    interface!("process", process),
    interface!("pool", pool),
    interface!("task", task),
];

/// The interface of ours that an import names, if it does. A later patch of the same version counts: whether its functions are all
/// there is found when a worker links it.
fn find(import: &str) -> Option<AddToLinker> {
    let (name, version) = import.strip_prefix(HOST_PACKAGE)?.split_once('@')?;
    let (_, add) = INTERFACES.iter().find(|(interface, _)| *interface == name)?;
    version.starts_with(VERSIONS).then_some(*add)
}

/// Whether an import of this name is among what [`add_to_linker`] links.
pub(crate) fn is_provided(import: &str) -> bool {
    find(import).is_some()
}

/// Adds those of our interfaces that are imported.
pub(crate) fn add_to_linker<'i>(linker: &mut Linker<State>, imports: impl Iterator<Item = &'i str>) -> Result<(), EngineError> {
    for add in imports.filter_map(find) {
        add(linker).map_err(|error| EngineError::Link(one_line(&error)))?;
    }
    Ok(())
}

//! An engine's error after a call, as an outcome.

use taskcell_wire::{Limit, TrapKind};
use wasmtime::{Trap, WasmBacktrace};

use crate::abi::{Broken, TooLong};
use crate::error::{one_line, truncate};
use crate::host::TooManyHandles;
use crate::limiter::Limiter;
use crate::state::StopReason;

/// How a call failed; texts are owned here and borrowed by the outcome.
#[derive(Debug)]
pub(crate) enum Failure {
    Stopped(StopReason),
    Limit(Limit, String),
    Trapped(TrapKind, String),
    Exited(i32),
}

/// Carried through the engine by the epoch callback.
#[derive(Debug, thiserror::Error)]
#[error("stopped")]
pub(crate) struct Stopped(pub(crate) StopReason);

/// Carried through the engine by a host function: a call has no answer, and nobody is there to give one.
#[derive(Debug, thiserror::Error)]
#[error("a call to the host was not answered: {0}")]
pub(crate) struct Gone(pub(crate) String);

/// Tells what `error` was: a stop first, then an exit, then a limit, then a trap.
pub(crate) fn classify(error: &wasmtime::Error, limiter: &mut Limiter) -> Failure {
    if let Some(Stopped(reason)) = error.downcast_ref::<Stopped>() {
        return Failure::Stopped(*reason);
    }
    if let Some(exit) = error.downcast_ref::<wasmtime_wasi::I32Exit>() {
        return Failure::Exited(exit.0);
    }
    if let Some(broken) = error.downcast_ref::<Broken>() {
        return Failure::Trapped(TrapKind::Abi, truncate(broken.to_string()));
    }
    if let Some(too_long) = error.downcast_ref::<TooLong>() {
        return Failure::Limit(Limit::Result, too_long.to_string());
    }
    if let Some(too_many) = error.downcast_ref::<TooManyHandles>() {
        return Failure::Limit(Limit::Handles, too_many.to_string());
    }
    if let Some((limit, text)) = limiter.denied.take() {
        return Failure::Limit(limit, text);
    }
    let mut text = one_line(error);
    let trap = error.downcast_ref::<Trap>().copied();
    if let Some(limit) = limit_of(trap, &text) {
        return Failure::Limit(limit, text);
    }
    if let Some(trace) = error.downcast_ref::<WasmBacktrace>() {
        let frames: Vec<String> = trace.frames().iter().take(8).map(frame).collect();
        if !frames.is_empty() {
            text = truncate(format!("{text} (in {})", frames.join(" < ")));
        }
    }
    Failure::Trapped(trap.map_or_else(|| kind_of_text(&text), kind), text)
}

fn frame(frame: &wasmtime::FrameInfo) -> String {
    match frame.func_name() {
        Some(name) => name.to_owned(),
        None => format!("function {}", frame.func_index()),
    }
}

fn limit_of(trap: Option<Trap>, text: &str) -> Option<Limit> {
    match trap {
        Some(Trap::StackOverflow) => return Some(Limit::Stack),
        Some(Trap::OutOfFuel) => return Some(Limit::Fuel),
        Some(_) | None => {}
    }
    // The engine has no types for these; its words are checked by a test for each.
    [
        ("resource limit exceeded: memory", Limit::Memory),
        ("resource limit exceeded: table", Limit::Table),
        ("resource limit exceeded", Limit::Instances),
        ("maximum concurrent", Limit::Instances),
        ("too much data", Limit::HostCall),
        ("hostcall", Limit::HostCall),
        ("resource table has no free keys", Limit::Handles),
        ("store handle limit exceeded", Limit::Handles),
        ("memory minimum size", Limit::Memory),
        ("requested len", Limit::Random),
    ]
    .into_iter()
    .find(|(words, _)| text.contains(words))
    .map(|(_, limit)| limit)
}

fn kind(trap: Trap) -> TrapKind {
    #[expect(clippy::wildcard_enum_match_arm, reason = "the enum is non-exhaustive and foreign")]
    match trap {
        Trap::UnreachableCodeReached => TrapKind::Unreachable,
        Trap::MemoryOutOfBounds | Trap::HeapMisaligned | Trap::ArrayOutOfBounds => TrapKind::MemoryOutOfBounds,
        Trap::TableOutOfBounds | Trap::IndirectCallToNull | Trap::BadSignature => TrapKind::Table,
        Trap::IntegerOverflow | Trap::IntegerDivisionByZero | Trap::BadConversionToInteger => TrapKind::Arithmetic,
        Trap::CannotEnterComponent | Trap::CannotLeaveComponent | Trap::CannotBlockSyncTask | Trap::InvalidChar => TrapKind::Abi,
        _ => TrapKind::Other,
    }
}

/// Broken rules of the component model are plain errors of the engine, not traps.
fn kind_of_text(text: &str) -> TrapKind {
    let abi = [
        "out of bounds",
        "not aligned",
        "utf-8",
        "utf8",
        "invalid",
        "discriminant",
        "handle",
        "surrogate",
        "borrow",
        "beyond end of memory",
    ];
    let lower = text.to_lowercase();
    if abi.iter().any(|word| lower.contains(word)) { TrapKind::Abi } else { TrapKind::Other }
}

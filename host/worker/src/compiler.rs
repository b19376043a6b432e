//! The compile child: one component in, machine code out, or code in and its description out; then the end.
//!
//! Compiling is hostile work too: decoders and a compiler meet bytes that were made to break them. So it happens in a process of its
//! own that has no files, no network and capped time and memory, and whose output is executed only in workers.

use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;

use taskcell_engine::{CodeFile, EngineError, compile};
use taskcell_sandbox::{ConfineError, MappedBytes, Policy, Role, Strictness, Unconfined, take_inherited};
use taskcell_wire::{
    FrameBuffer, FromCompiler, Limits, PROTOCOL_VERSION, Refusal, RefusalKind, ToCompiler, WireError, codec, encode, limits,
};

use crate::error::WorkerError;

/// A compile child's whole life.
///
/// # Errors
/// [`WorkerError`] by step, told to the supervisor as a refusal where the socket still works.
pub fn compiler() -> Result<(), WorkerError> {
    let mut inherited = take_inherited(crate::INHERITED)?.into_iter();
    let (Some(socket), Some(component), Some(code)) = (inherited.next(), inherited.next(), inherited.next()) else {
        return Err(WorkerError::OutOfTurn);
    };
    let answer = match read_question(&socket)? {
        ToCompiler::Compile { version, limits, strict, concurrency } => {
            check_version(version)?;
            compile_confined(&component, code, &limits, strict, concurrency)
        }
        ToCompiler::Describe { version, limits, strict, is_concurrent, has_start } => {
            check_version(version)?;
            describe_confined(&code, &limits, strict, is_concurrent, has_start)
        }
    };
    let mut frame = Vec::new();
    encode(&answer.unwrap_or_else(|error| FromCompiler::Refused(refusal(error))), limits::INTERFACE_FRAME, &mut frame)?;
    File::from(socket).write_all(&frame).map_err(WorkerError::Code)
}

fn policy(strict: bool) -> Policy {
    Policy::new(Role::Compiler, if strict { Strictness::Required } else { Strictness::BestEffort })
}

fn compile_confined(
    component: &OwnedFd,
    code: OwnedFd,
    limits: &Limits,
    strict: bool,
    concurrency: bool,
) -> Result<FromCompiler, WorkerError> {
    let policy = policy(strict);
    let confined = Unconfined.confine(&policy)?;
    compile::warm_up(limits)?;
    // Mapped before, read after: to look at its seals takes a call that goes.
    let bytes = MappedBytes::map(component)?;
    confined.seal(&policy)?;
    let compiled = compile(&bytes, limits, concurrency)?;
    File::from(code).write_all(&compiled.bytes).map_err(WorkerError::Code)?;
    Ok(FromCompiler::Compiled { is_concurrent: compiled.is_concurrent, has_start: compiled.has_start })
}

fn describe_confined(
    code: &OwnedFd,
    limits: &Limits,
    strict: bool,
    is_concurrent: bool,
    has_start: bool,
) -> Result<FromCompiler, WorkerError> {
    let policy = policy(strict);
    let mut confined = Unconfined.confine(&policy)?;
    let bytes = MappedBytes::map(code)?;
    let opened = confined.open_by_name(code, |confined, path| {
        compile::open(confined, &CodeFile { path, bytes: &bytes }, limits, is_concurrent, has_start)
    })??;
    confined.seal(&policy)?;
    Ok(FromCompiler::Described(opened.describe()?))
}

fn check_version(theirs: u16) -> Result<(), WorkerError> {
    if theirs == PROTOCOL_VERSION { Ok(()) } else { Err(WireError::Version { theirs, ours: PROTOCOL_VERSION }.into()) }
}

fn refusal(error: WorkerError) -> Refusal {
    if let WorkerError::Engine(EngineError::Refused(refusal)) = error {
        return refusal;
    }
    let confinement = matches!(error, WorkerError::Confine(ConfineError::LayerMissing { .. }));
    let kind = if confinement { RefusalKind::Sandbox } else { RefusalKind::Unsupported };
    Refusal { kind, text: format!("failed to {error}") }
}

fn read_question(socket: &OwnedFd) -> Result<ToCompiler, WorkerError> {
    let mut buffer = FrameBuffer::new(limits::BOOT_FRAME);
    loop {
        if let Some(frame) = buffer.next_frame()? {
            return Ok(codec::decode(frame)?);
        }
        match rustix::io::read(socket, buffer.space()) {
            Ok(0) => return Err(WorkerError::Gone),
            Ok(count) => buffer.filled(count),
            Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

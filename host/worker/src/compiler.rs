//! The compile child: one component in, machine code out, then the end.
//!
//! Compiling is hostile work too: decoders and a compiler meet bytes that were made to break them. So it happens in a process of its
//! own that has no files, no network and capped time and memory, and whose output is executed only in workers.

use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;

use taskcell_engine::{EngineError, compile};
use taskcell_sandbox::{ConfineError, MappedBytes, Policy, Role, Strictness, Unconfined, take_inherited};
use taskcell_wire::{
    Compiled, FrameBuffer, FromCompiler, Limits, PROTOCOL_VERSION, Refusal, RefusalKind, ToCompiler, WireError, codec, encode,
    limits,
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
    let (limits, strict) = read_question(&socket)?;
    let answer = match answer(&component, code, &limits, strict) {
        Ok(compiled) => FromCompiler::Compiled(compiled),
        Err(error) => FromCompiler::Refused(refusal(error)),
    };
    let mut frame = Vec::new();
    encode(&answer, limits::INTERFACE_FRAME, &mut frame)?;
    File::from(socket).write_all(&frame).map_err(WorkerError::Code)
}

fn answer(component: &OwnedFd, code: OwnedFd, limits: &Limits, strict: bool) -> Result<Compiled, WorkerError> {
    let strictness = if strict { Strictness::Required } else { Strictness::BestEffort };
    let policy = Policy::new(Role::Compiler, strictness);
    let locked = Unconfined.lock_files(&policy)?;
    compile::warm_up(limits)?;
    let confined = locked.lock_syscalls(&policy)?;
    let bytes = MappedBytes::map(component)?;
    let compiled = compile(&bytes, limits)?;
    File::from(code).write_all(&compiled.bytes).map_err(WorkerError::Code)?;
    drop(confined);
    Ok(Compiled { interface: compiled.interface })
}

fn refusal(error: WorkerError) -> Refusal {
    match error {
        WorkerError::Engine(EngineError::Refused(refusal)) => refusal,
        WorkerError::Confine(ConfineError::LayerMissing { .. }) => {
            Refusal { kind: RefusalKind::Sandbox, text: format!("failed to {error}") }
        }
        other => Refusal { kind: RefusalKind::Unsupported, text: format!("failed to {other}") },
    }
}

fn read_question(socket: &OwnedFd) -> Result<(Limits, bool), WorkerError> {
    let mut buffer = FrameBuffer::new(limits::BOOT_FRAME);
    loop {
        if let Some(frame) = buffer.next_frame()? {
            let ToCompiler::Compile { version, limits, strict } = codec::decode(frame)?;
            if version != PROTOCOL_VERSION {
                return Err(WireError::Version { theirs: version, ours: PROTOCOL_VERSION }.into());
            }
            return Ok((limits, strict));
        }
        match rustix::io::read(socket, buffer.space()) {
            Ok(0) => return Err(WorkerError::Gone),
            Ok(count) => buffer.filled(count),
            Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

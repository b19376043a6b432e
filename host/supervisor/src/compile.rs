//! Running a compile child.

use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use taskcell_sandbox::{Child, MappedBytes, Role, SpawnOptions, Stderr, Strictness, Termination};
use taskcell_wire::limits::{INTERFACE_FRAME, MIB};
use taskcell_wire::{FrameBuffer, FromCompiler, PROTOCOL_VERSION, ToCompiler, codec, encode};

use crate::cache::{Entry, Settings};
use crate::error::Error;

/// Processor time of one compile, in seconds. The largest component seen, a Python interpreter of 18 MB, takes 30.
const CPU_SECONDS: u64 = 240;
/// Wall time of one compile, in seconds.
const WALL_SECONDS: u64 = 480;
/// Address space of one compile, in bytes.
const MEMORY_BYTES: u64 = 6 * 1024 * MIB;
/// How long the code of one component may be, in bytes.
const CODE_BYTES: u64 = 1024 * MIB;
/// How often progress is told.
const LOOK: Duration = Duration::from_millis(100);

/// Compiles `component` in a confined child and has the code described by another. `progress` is called now
/// and then.
pub(crate) fn compile(
    name: &str,
    component: &[u8],
    settings: &Settings,
    strictness: Strictness,
    progress: &mut dyn FnMut(),
) -> Result<Entry, Error> {
    let Settings { limits, concurrency } = settings;
    let memory = |error: taskcell_sandbox::MemfdError| Error::System(std::io::Error::other(error));
    let input = taskcell_sandbox::sealed_memfd("taskcell-component", component).map_err(memory)?;
    let code = taskcell_sandbox::writable_memfd("taskcell-code").map_err(memory)?;
    let strict = strictness == Strictness::Required;
    let version = PROTOCOL_VERSION;
    let mut ask = |question: &ToCompiler, code: OwnedFd| ask(name, question, &input, code, strictness, progress);

    let question = ToCompiler::Compile { version, limits: limits.clone(), strict, concurrency: *concurrency };
    let (is_concurrent, has_start) = match ask(&question, code.try_clone().map_err(Error::System)?)? {
        FromCompiler::Compiled { is_concurrent, has_start } => (is_concurrent, has_start),
        FromCompiler::Refused(refusal) => return Err(Error::Refused { name: name.to_owned(), refusal }),
        FromCompiler::Described(_) => return Err(out_of_turn(name)),
    };
    // From here on nobody can change the code, the child that wrote it included.
    taskcell_sandbox::seal(&code).map_err(memory)?;
    let question = ToCompiler::Describe { version, limits: limits.clone(), strict, is_concurrent, has_start };
    let interface = match ask(&question, code.try_clone().map_err(Error::System)?)? {
        FromCompiler::Described(interface) => interface,
        FromCompiler::Refused(refusal) => return Err(Error::Refused { name: name.to_owned(), refusal }),
        FromCompiler::Compiled { .. } => return Err(out_of_turn(name)),
    };
    interface.check()?;
    let code = MappedBytes::map(code.as_fd()).map_err(memory)?.to_vec();
    Ok(Entry { interface, code })
}

fn out_of_turn(name: &str) -> Error {
    Error::Compile { name: name.to_owned(), why: "the compile child answered another question".into() }
}

/// Starts a child, asks it one question and takes its answer.
fn ask(
    name: &str,
    question: &ToCompiler,
    component: &OwnedFd,
    code: OwnedFd,
    strictness: Strictness,
    progress: &mut dyn FnMut(),
) -> Result<FromCompiler, Error> {
    let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    let component = component.try_clone().map_err(Error::System)?;
    let mut options = SpawnOptions::new(Role::Compiler, strictness, vec![theirs, component, code]);
    options.stderr = Stderr::Null;
    options.limits.memory_bytes = Some(MEMORY_BYTES);
    options.limits.cpu_seconds = Some(CPU_SECONDS);
    options.limits.file_bytes = Some(CODE_BYTES);
    let mut child = taskcell_sandbox::spawn(options)?;
    let mut frame = Vec::new();
    encode(question, INTERFACE_FRAME, &mut frame)?;
    // A question is far shorter than a socket's buffer, so this does not wait; a failure shows as the end of the answer.
    let _ = rustix::io::write(&ours, &frame);
    let failed = |why: String| Error::Compile { name: name.to_owned(), why };
    receive(&ours, progress).map_err(|silence| match silence {
        Silence::TimeUp => failed(format!("it takes longer than {WALL_SECONDS} s")),
        Silence::Ended => ending(name, &mut child),
        Silence::Broken(error) => failed(format!("the compile child broke the protocol: {error}")),
    })
}

enum Silence {
    TimeUp,
    Ended,
    Broken(taskcell_wire::WireError),
}

fn receive(socket: &OwnedFd, progress: &mut dyn FnMut()) -> Result<FromCompiler, Silence> {
    let began = Instant::now();
    let mut buffer = FrameBuffer::new(INTERFACE_FRAME);
    loop {
        match buffer.next_frame() {
            Ok(Some(frame)) => return codec::decode(frame).map_err(Silence::Broken),
            Ok(None) => {}
            Err(error) => return Err(Silence::Broken(error)),
        }
        let passed = began.elapsed();
        if passed.as_secs() >= WALL_SECONDS {
            return Err(Silence::TimeUp);
        }
        progress();
        let wait = Timespec { tv_sec: 0, tv_nsec: LOOK.as_nanos().try_into().unwrap_or(0) };
        let mut fds = [PollFd::new(socket, PollFlags::IN)];
        match poll(&mut fds, Some(&wait)) {
            Ok(0) | Err(_) => continue,
            Ok(_) => {}
        }
        match rustix::io::read(socket, buffer.space()) {
            Ok(0) => return Err(Silence::Ended),
            Ok(count) => buffer.filled(count),
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => return Err(Silence::Ended),
        }
    }
}

/// Why a child that gave no answer ended.
fn ending(name: &str, child: &mut Child) -> Error {
    // It closes its socket when it ends; one that did so before is ended.
    let pidfd = child.pidfd();
    let wait = Timespec { tv_sec: 1, tv_nsec: 0 };
    let _ = poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], Some(&wait));
    let _ = child.kill();
    let name = name.to_owned();
    match child.wait() {
        Ok(end) if end.is_out_of_cpu_time() => {
            Error::Compile { name, why: format!("it takes more than {CPU_SECONDS} s of processor time") }
        }
        Ok(end) if end.is_sandbox_violation() => {
            let why = "the compiler was killed for a forbidden system call (sandbox-violation)".into();
            Error::Compile { name, why }
        }
        Ok(end) if end.is_kill() => {
            let why = "the compiler was killed by signal 9; by somebody, or by the kernel for want of memory".into();
            Error::CompilerLost { name, why }
        }
        Ok(Termination::Signalled { signal: 6, .. }) => {
            let most = MEMORY_BYTES / MIB;
            Error::Compile { name, why: format!("the compiler gave up, most likely for want of memory (the most is {most} MiB)") }
        }
        Ok(Termination::Signalled { signal, .. }) => {
            Error::Compile { name, why: format!("the compiler was ended by signal {signal}") }
        }
        Ok(Termination::Exited(code)) => {
            Error::Compile { name, why: format!("the compiler exited with code {code} and no answer") }
        }
        Err(error) => Error::CompilerLost { name, why: format!("the compile child is lost: {error}") },
    }
}

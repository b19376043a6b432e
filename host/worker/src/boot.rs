//! From the first instruction to ready. The order of the steps is the sandbox's (`taskcell_sandbox`), and this file keeps it.
//!
//! An executed worker does all of it. A zygote does the first half, up to loaded code, and each worker
//! that it forks the second.

use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;

use taskcell_engine::{Code, CodeFile, CodeOptions, Connections, EngineError, Guest, Machine};
use taskcell_sandbox::{
    Applied, Confined, Directory, LayerState, MappedBytes, PageMap, Policy, Role, SharedMemory, Strictness, Unconfined,
    WorkerUid, ZygoteSocket, take_inherited,
};
use taskcell_wire::{
    Boot, FrameBuffer, FromWorker, Isolation, LayerReport, PROTOCOL_VERSION, Ready, ToWorker, WireError, codec, encode, limits,
};

use crate::caller::Caller;
use crate::error::WorkerError;
use crate::inbox::{Inbox, Wait};
use crate::outbox::Outbox;
use crate::run_loop::RunLoop;
use crate::stop::{TaskStop, now};
use crate::watch::Watch;

/// How long a component may take to make its first instance, in nanoseconds: its start functions are the guest's code.
const WARM_UP_NS: u64 = 20_000_000_000;
/// Memory in bytes that a worker has beside its guests': tables, stacks of threads, the engine's own.
const OWN_MEMORY_BYTES: u64 = 256 << 20;
/// Frames that a worker holds at most at a time: one that it reads, one that it writes, and a copy.
const FRAMES: u64 = 4;

/// Loaded code, in a confined process.
struct Loaded {
    code: Code,
    confined: Confined,
    policy: Policy,
    page_map: Option<PageMap>,
    /// Whether an instance was made already.
    prepared: bool,
    log_bytes: u64,
    cap: u64,
    isolation: Isolation,
    send_printed: bool,
    calls: bool,
}

/// An executed worker's whole life.
///
/// # Errors
/// [`WorkerError`] by step; what happens before ready is reported to the supervisor.
pub fn worker() -> Result<(), WorkerError> {
    let mut inherited = take_inherited(crate::INHERITED)?.into_iter();
    let (Some(socket), Some(code), Some(page)) = (inherited.next(), inherited.next(), inherited.next()) else {
        return Err(WorkerError::OutOfTurn);
    };
    let directories = inherited.collect();
    taskcell_sandbox::keep_freed_memory();
    let inbox = Inbox::new(socket.try_clone().map_err(WorkerError::Duplicate)?, FrameBuffer::new(limits::INTERFACE_FRAME));
    let loaded = read_boot(&inbox).and_then(|boot| load(boot, &code, directories, Role::Worker));
    drop(code);
    match loaded {
        Ok(loaded) => run(loaded, socket, inbox, page),
        Err(error) => {
            Outbox::new(socket, limits::BOOT_FRAME, 0, false).send(&failed(&error, &mut String::new()))?;
            Err(error)
        }
    }
}

/// A zygote's whole life, and that of each worker that it forks.
///
/// # Errors
/// [`WorkerError`] by step; what happens before ready is reported to the supervisor.
pub fn zygote() -> Result<(), WorkerError> {
    let mut inherited = take_inherited(crate::INHERITED)?.into_iter();
    let (Some(orders), Some(code), Some(boot)) = (inherited.next(), inherited.next(), inherited.next()) else {
        return Err(WorkerError::OutOfTurn);
    };
    let directories = inherited.collect();
    let orders = ZygoteSocket::new(orders);
    taskcell_sandbox::keep_freed_memory();
    let loaded = inherited_boot(&boot).and_then(|boot| load(boot, &code, directories, Role::Zygote)).and_then(|mut loaded| {
        loaded.prepared = loaded.code.prepare_instance()?;
        Ok(loaded)
    });
    drop((code, boot));
    let loaded = match loaded {
        Ok(loaded) => loaded,
        Err(error) => {
            let mut frame = Vec::new();
            encode(&failed(&error, &mut String::new()), limits::BOOT_FRAME, &mut frame)?;
            orders.fail(&frame);
            return Err(error);
        }
    };
    let Loaded { confined, page_map, .. } = loaded;
    let Some(forked) = orders.serve(confined) else { return Ok(()) };
    // From here on this process is a worker.
    let (confined, descriptors) = forked.settle(page_map)?;
    let mut descriptors = descriptors.into_iter();
    let (Some(socket), Some(page)) = (descriptors.next(), descriptors.next()) else { return Err(WorkerError::OutOfTurn) };
    let inbox = Inbox::new(socket.try_clone().map_err(WorkerError::Duplicate)?, FrameBuffer::new(loaded.cap));
    run(Loaded { confined, ..loaded }, socket, inbox, page)
}

/// The message that says why a worker can't get ready.
fn failed<'a>(error: &WorkerError, text: &'a mut String) -> FromWorker<'a> {
    *text = error.to_string();
    text.truncate(text.floor_char_boundary(limits::EXPLANATION_BYTES));
    FromWorker::Failed { kind: error.boot_failure(), text }
}

fn checked(message: ToWorker<'_>) -> Result<Box<Boot>, WorkerError> {
    match message {
        ToWorker::Boot(boot) if boot.version == PROTOCOL_VERSION => Ok(boot),
        ToWorker::Boot(boot) => Err(WireError::Version { theirs: boot.version, ours: PROTOCOL_VERSION }.into()),
        ToWorker::Run(_)
        | ToWorker::Reply(..)
        | ToWorker::Lend(..)
        | ToWorker::Laid(..)
        | ToWorker::LaidRun(_)
        | ToWorker::Shutdown => Err(WorkerError::OutOfTurn),
    }
}

fn read_boot(inbox: &Inbox) -> Result<Box<Boot>, WorkerError> {
    let mut arrived = inbox.lock();
    loop {
        if let Some(frame) = arrived.next_frame()? {
            return checked(codec::decode(frame)?);
        }
        match inbox.read(&mut arrived, None)? {
            Wait::Bytes => {}
            Wait::End | Wait::Deadline => return Err(WorkerError::Gone),
        }
    }
}

/// A zygote's boot message lies in a memory file: its socket carries orders.
fn inherited_boot(file: &OwnedFd) -> Result<Box<Boot>, WorkerError> {
    let bytes = MappedBytes::map(file)?;
    let (frame, _) = codec::first_frame(&bytes)?;
    checked(codec::decode(frame)?)
}

/// Takes the walls, and loads the code behind them.
fn load(boot: Box<Boot>, code: &OwnedFd, directories: Vec<OwnedFd>, role: Role) -> Result<Loaded, WorkerError> {
    let Boot { interface, limits, mut grants, isolation, strict, restrict_speculation, send_printed, cpus, .. } = *boot;
    let strictness = if strict { Strictness::Required } else { Strictness::BestEffort };
    let mut policy = Policy::new(role, strictness);
    policy.restrict_speculation = restrict_speculation;
    if directories.len() != grants.dirs.len() {
        return Err(WorkerError::OutOfTurn);
    }
    for (descriptor, dir) in directories.into_iter().zip(&grants.dirs) {
        policy.directories.push(Directory { descriptor, path: dir.host.clone(), writable: dir.writable });
        // The files are the user's; a uid that nobody else has could not open them.
        policy.uid = WorkerUid::Keep;
    }
    let cap = limits.frame_bytes();
    let guests = limits.memory_bytes.saturating_mul(2);
    policy.memory_bytes = Some(guests.saturating_add(OWN_MEMORY_BYTES).saturating_add(cap.saturating_mul(FRAMES)));
    let (calls, log_bytes) = (interface.makes_calls() || grants.stdin, limits.log_bytes);
    // Opens /proc/self/pagemap, and reads no byte of the component.
    let machine = Machine::new(&limits, interface.is_concurrent).map_err(with_address_space)?;
    let page_map = PageMap::find();
    let bytes = MappedBytes::map(code)?;

    // The first reading of the clock, and of the processor's number, looks for the kernel's page of code, with a call that goes.
    let _ = now();
    let _ = rustix::thread::sched_getcpu();

    let mut confined = Unconfined.confine(&policy)?;
    for (dir, path) in grants.dirs.iter_mut().zip(confined.directories()) {
        dir.host.clone_from(path);
    }
    let options = CodeOptions { interface, limits, grants, isolation, cpus };
    let code = confined.open_by_name(code.as_fd(), |confined, path| {
        Code::load(confined, &machine, &CodeFile { path, bytes: &bytes }, options)
    })??;
    Ok(Loaded { code, confined, policy, page_map, prepared: false, log_bytes, cap, isolation, send_printed, calls })
}

/// Seals this process, makes the first instance, and serves.
fn run(loaded: Loaded, socket: OwnedFd, inbox: Inbox, page: OwnedFd) -> Result<(), WorkerError> {
    let outbox = Arc::new(Outbox::new(socket, loaded.cap, loaded.log_bytes, false));
    match get_ready(loaded, &outbox, inbox, page) {
        Ok(mut run_loop) => run_loop.serve(),
        Err(error) => {
            outbox.send(&failed(&error, &mut String::new()))?;
            Err(error)
        }
    }
}

fn get_ready(loaded: Loaded, outbox: &Arc<Outbox>, inbox: Inbox, page: OwnedFd) -> Result<RunLoop, WorkerError> {
    let Loaded { code, confined, policy, prepared, cap, isolation, send_printed, calls, .. } = loaded;
    let page = Arc::new(SharedMemory::map(page)?);
    inbox.lock().set_cap(cap);
    let inbox = Arc::new(inbox);
    let stop = Arc::new(TaskStop::new(Arc::clone(&page)));
    let caller = Arc::new(Caller::new(Arc::clone(outbox), Arc::clone(&inbox), Arc::clone(&stop), Arc::clone(&page)));
    let (port, sink) = (Arc::clone(&caller) as _, Arc::clone(outbox) as _);
    let mut guest = Guest::new(&code, &Connections { stop: Arc::clone(&stop) as _, sink, port });
    guest.start_threads()?;
    let watch = Watch::start(guest.ticker(), Arc::clone(outbox), Arc::clone(&page))?;
    let sealed = confined.seal(&policy)?;
    if !prepared || isolation == Isolation::Reuse {
        stop.set_deadline(Some(now().saturating_add(WARM_UP_NS)));
        watch.busy();
        guest.warm_up()?;
        watch.idle();
        stop.set_deadline(None);
    }
    outbox.send(&FromWorker::Ready(Ready { version: PROTOCOL_VERSION, layers: report(sealed.layers()) }))?;
    // What the component printed while its first instance was made belongs to no task.
    outbox.print(send_printed);
    caller.start(Arc::clone(&watch));
    Ok(RunLoop { guest, calls, inbox, outbox: Arc::clone(outbox), stop, watch, page, space: Vec::new() })
}

/// An engine that could not be made under a limit on address space names it: it is the likely cause, and one that nobody suspects.
fn with_address_space(error: EngineError) -> WorkerError {
    let limit = rustix::process::getrlimit(rustix::process::Resource::As).current;
    match (error, limit) {
        (EngineError::Configure(why), Some(limit)) => {
            let why = format!("{why}; the limit on address space (ulimit -v) is {} MiB and has to go", limit / limits::MIB);
            EngineError::Configure(why).into()
        }
        (error, _) => error.into(),
    }
}

fn report(layers: &[Applied]) -> Vec<LayerReport> {
    let one = |applied: &Applied| {
        let (active, detail) = match &applied.state {
            LayerState::Active(detail) => (true, detail.clone()),
            LayerState::Missing(why) => (false, why.clone()),
        };
        LayerReport { name: applied.layer.to_string(), active, detail }
    };
    layers.iter().map(one).collect()
}

//! From the first instruction to ready. The order of the steps is the sandbox's (`taskcell_sandbox`), and this file keeps it.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use taskcell_engine::{EngineError, Guest, GuestOptions};
use taskcell_sandbox::{Applied, LayerState, Policy, Role, SharedMemory, Strictness, Unconfined, WorkerUid, take_inherited};
use taskcell_wire::{
    Boot, FrameBuffer, FromWorker, Grants, LayerReport, PROTOCOL_VERSION, Ready, ToWorker, WireError, codec, limits,
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

/// A worker's whole life.
///
/// # Errors
/// [`WorkerError`] by step; what happens before ready was told to the supervisor.
pub fn worker() -> Result<(), WorkerError> {
    let mut inherited = take_inherited(crate::INHERITED)?.into_iter();
    let (Some(socket), Some(code), Some(page)) = (inherited.next(), inherited.next(), inherited.next()) else {
        return Err(WorkerError::OutOfTurn);
    };
    let page = Arc::new(SharedMemory::map(page)?);
    taskcell_sandbox::keep_freed_memory();
    // Until Boot says more, only a failure can be sent.
    let mut outbox = Arc::new(Outbox::new(socket, limits::BOOT_FRAME, 0, false));
    let socket = outbox.socket().try_clone().map_err(WorkerError::Duplicate)?;
    let inbox = Arc::new(Inbox::new(socket, FrameBuffer::new(limits::INTERFACE_FRAME)));
    let ready = read_boot(&inbox).and_then(|boot| {
        let cap = boot.limits.frame_bytes();
        let socket = outbox.socket().try_clone().map_err(WorkerError::Duplicate)?;
        outbox = Arc::new(Outbox::new(socket, cap, boot.limits.log_bytes, false));
        inbox.lock().set_cap(cap);
        get_ready(boot, code, &outbox, inbox, page)
    });
    match ready {
        Ok(mut run_loop) => run_loop.serve(),
        Err(error) => {
            let mut text = error.to_string();
            text.truncate(text.floor_char_boundary(limits::EXPLANATION_BYTES));
            outbox.send(&FromWorker::Failed { kind: error.boot_failure(), text: &text })?;
            Err(error)
        }
    }
}

fn read_boot(inbox: &Inbox) -> Result<Box<Boot>, WorkerError> {
    let mut arrived = inbox.lock();
    loop {
        if let Some(frame) = arrived.next_frame()? {
            return match codec::decode::<ToWorker<'_>>(frame)? {
                ToWorker::Boot(boot) if boot.version == PROTOCOL_VERSION => Ok(boot),
                ToWorker::Boot(boot) => Err(WireError::Version { theirs: boot.version, ours: PROTOCOL_VERSION }.into()),
                ToWorker::Run(_)
                | ToWorker::Reply(..)
                | ToWorker::Lend(..)
                | ToWorker::Laid(..)
                | ToWorker::LaidRun(_)
                | ToWorker::Shutdown => Err(WorkerError::OutOfTurn),
            };
        }
        match inbox.read(&mut arrived, None)? {
            Wait::Bytes => {}
            Wait::End | Wait::Deadline => return Err(WorkerError::Gone),
        }
    }
}

fn get_ready(
    boot: Box<Boot>,
    code: OwnedFd,
    outbox: &Arc<Outbox>,
    inbox: Arc<Inbox>,
    page: Arc<SharedMemory>,
) -> Result<RunLoop, WorkerError> {
    let stop = Arc::new(TaskStop::new(Arc::clone(&page)));
    let strictness = if boot.strict { Strictness::Required } else { Strictness::BestEffort };
    let policy = policy(strictness, &boot.grants)?;
    let send_printed = boot.send_printed;
    let calls = boot.interface.makes_calls() || boot.grants.stdin;
    let caller = Arc::new(Caller::new(Arc::clone(outbox), Arc::clone(&inbox), Arc::clone(&stop), Arc::clone(&page)));
    let options = GuestOptions {
        interface: boot.interface,
        limits: boot.limits,
        grants: boot.grants,
        isolation: boot.isolation,
        stop: Arc::clone(&stop) as _,
        sink: Arc::clone(outbox) as _,
        port: Arc::clone(&caller) as _,
        cpus: boot.cpus,
    };
    // Maps the code, which needs /proc; nothing of the guest runs yet.
    let mut guest = Guest::load(&File::from(code), options).map_err(with_address_space)?;
    let locked = Unconfined.lock_files(&policy)?;
    guest.start_threads()?;
    let watch = Watch::start(guest.ticker(), Arc::clone(outbox), Arc::clone(&page))?;
    // The first reading of the clock, and of the processor's number, looks for the kernel's page of code, with a call that goes.
    let _ = now();
    let _ = rustix::thread::sched_getcpu();
    let confined = locked.lock_syscalls(&policy)?;
    stop.set_deadline(Some(now().saturating_add(WARM_UP_NS)));
    watch.busy();
    guest.warm_up()?;
    watch.idle();
    stop.set_deadline(None);
    outbox.send(&FromWorker::Ready(Ready { version: PROTOCOL_VERSION, layers: report(confined.layers()) }))?;
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

/// No file at all, or what was granted and nothing else.
fn policy(strictness: Strictness, grants: &Grants) -> Result<Policy, WorkerError> {
    let mut policy = Policy::new(Role::Worker, strictness);
    for dir in &grants.dirs {
        std::fs::read_dir(&dir.host).map_err(|source| WorkerError::Grant { path: dir.host.clone(), source })?;
        let list = if dir.writable { &mut policy.writable } else { &mut policy.readable };
        list.push(dir.host.clone());
        // The files are the user's; a uid that nobody else has could not open them.
        policy.uid = WorkerUid::Keep;
    }
    Ok(policy)
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

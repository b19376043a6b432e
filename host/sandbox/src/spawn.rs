//! The supervisor's side: starting a confined child.
//!
//! The child is this very program, executed by a descriptor that was opened through `/proc/self/exe`: the same inode even
//! if the file was replaced or deleted since, and nothing that PATH or an environment variable could point elsewhere.
//!
//! All children are started by one thread that never ends. The kernel sends the parent-death signal when the *thread*
//! that made the child ends, not the process: a child made by a pool thread would be killed at that thread's next nap.
#![allow(unsafe_code, reason = "calls clone")]

mod child;

use std::ffi::{CString, c_int};
use std::fs::{File, OpenOptions};
use std::os::fd::{AsRawFd as _, OwnedFd, RawFd};
use std::os::unix::fs::OpenOptionsExt as _;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::{io, ptr, thread};

use crate::clone;
use crate::inherited::FIRST;
use crate::layer::Strictness;
use crate::limits::Limits;
use crate::policy::Role;
use crate::process::Child;
use child::{Bounds, Places, Plan, Step};

/// Where a child's standard error goes. Its standard input and output are always `/dev/null`: nothing of a guest's ever
/// goes there.
#[derive(Debug, Default)]
pub enum Stderr {
    /// To the supervisor's. The message of a panic is worth having.
    #[default]
    Inherit,
    /// To `/dev/null`.
    Null,
    /// To this descriptor. Best a pipe: a confined worker may not write to files, so one would stay empty.
    To(OwnedFd),
}

/// How to start a child.
#[derive(Debug)]
pub struct SpawnOptions {
    /// What the child is for.
    pub role: Role,
    /// Whether a limit that cannot be set is an error.
    pub strictness: Strictness,
    /// Descriptors that become 3, 4, 5, ... in the child, in this order; at most 64.
    pub inherited: Vec<OwnedFd>,
    /// Where its standard error goes.
    pub stderr: Stderr,
    /// Caps in force before its first instruction.
    pub limits: Limits,
    /// Gives the child a process-id namespace of its own, where the machine lets us; only root can have it. Off by default:
    /// the child is process 1 in there, for which the kernel ignores `abort`, so a crash looks like another one.
    pub pid_namespace: bool,
}

impl SpawnOptions {
    /// A child with one inherited descriptor after another, standard error inherited, default limits.
    #[must_use]
    pub fn new(role: Role, strictness: Strictness, inherited: Vec<OwnedFd>) -> Self {
        Self { role, strictness, inherited, stderr: Stderr::default(), limits: Limits::default(), pid_namespace: false }
    }
}

/// Why a child could not be started. Each text fits "failed to ...".
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// The thread that starts children could not be started.
    #[error("start the thread that starts workers: {0}")]
    StartThread(io::Error),
    /// That thread has ended, which it never does.
    #[error("reach the thread that starts workers")]
    ThreadGone,
    /// The running program could not be opened; `/proc` may not be mounted.
    #[error("open the running program at /proc/self/exe: {0}")]
    OpenProgram(io::Error),
    /// `/dev/null` could not be opened.
    #[error("open /dev/null: {0}")]
    OpenNull(io::Error),
    /// More descriptors than a child can be given.
    #[error("hand on {0} descriptors: at most 64 are possible")]
    TooManyDescriptors(usize),
    /// The process could not be made; "resource temporarily unavailable" means a limit on processes.
    #[error("create a worker process: {0}")]
    Clone(io::Error),
    /// The child could not start a session.
    #[error("start a session for a worker process: {0}")]
    Session(io::Error),
    /// The child could not put its descriptors in place.
    #[error("place the descriptors of a worker process: {0}")]
    Descriptors(io::Error),
    /// The child could not set a resource limit.
    #[error("limit the resources of a worker process: {0}")]
    Limits(io::Error),
    /// The child could not ask to be killed with its supervisor.
    #[error("tie a worker process to its supervisor: {0}")]
    ParentDeathSignal(io::Error),
    /// The supervisor was gone before the child was tied to it.
    #[error("tie a worker process to its supervisor: the supervisor is gone")]
    SupervisorGone,
    /// The child could not execute the program.
    #[error("execute the running program as a worker: {0}")]
    Execute(io::Error),
    /// The zygote has ended, or takes no more orders.
    #[error("get a worker process from its zygote: {0}")]
    ZygoteLost(io::Error),
    /// What the zygote sent is no answer: it is compromised, and is to be ended.
    #[error("get a worker process from its zygote: what it sent is no answer")]
    ZygoteLied,
    /// A forked worker is gone before it was released.
    #[error("release a forked worker process: {0}")]
    Release(io::Error),
}

/// The most descriptors that a child is given.
pub(crate) const MOST_INHERITED: usize = 64;

struct Request {
    options: SpawnOptions,
    reply: SyncSender<Result<Child, SpawnError>>,
}

static SPAWNER: Mutex<Option<Sender<Request>>> = Mutex::new(None);

/// Starts a child and returns when it has executed the program.
///
/// # Errors
///
/// [`SpawnError`], by step. No process is left behind.
pub fn spawn(options: SpawnOptions) -> Result<Child, SpawnError> {
    if options.inherited.len() > MOST_INHERITED {
        return Err(SpawnError::TooManyDescriptors(options.inherited.len()));
    }
    let (reply, result) = sync_channel(1);
    spawner()?.send(Request { options, reply }).map_err(|_| SpawnError::ThreadGone)?;
    result.recv().map_err(|_| SpawnError::ThreadGone)?
}

/// Whether children can be started at all: that the thread for it runs, and that the running program and `/dev/null` can be opened.
///
/// # Errors
///
/// [`SpawnError`]: what is missing.
pub fn check_spawn() -> Result<(), SpawnError> {
    spawner().map(drop)
}

/// The way to the thread that starts children; starts it at the first call.
fn spawner() -> Result<Sender<Request>, SpawnError> {
    let mut spawner = SPAWNER.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(sender) = &*spawner {
        return Ok(sender.clone());
    }
    let factory = Factory::open()?;
    let (sender, requests) = channel();
    thread::Builder::new()
        .name("taskcell-spawn".into())
        .spawn(move || factory.serve(&requests))
        .map_err(SpawnError::StartThread)?;
    *spawner = Some(sender.clone());
    Ok(sender)
}

/// What every child starts from.
struct Factory {
    program: File,
    null: File,
}

impl Factory {
    fn open() -> Result<Self, SpawnError> {
        let mut path_only = OpenOptions::new();
        path_only.read(true).custom_flags(libc::O_PATH);
        Ok(Self {
            program: path_only.open("/proc/self/exe").map_err(SpawnError::OpenProgram)?,
            null: OpenOptions::new().read(true).write(true).open("/dev/null").map_err(SpawnError::OpenNull)?,
        })
    }

    /// Never ends: [`SPAWNER`] holds a sender for good.
    fn serve(&self, requests: &Receiver<Request>) {
        for Request { options, reply } in requests {
            // The asker may be gone; then the child is dropped, which kills it.
            let _ = reply.send(self.start(options));
        }
    }

    #[expect(clippy::needless_pass_by_value, reason = "the inherited descriptors must stay open until the child has them")]
    fn start(&self, options: SpawnOptions) -> Result<Child, SpawnError> {
        let null = self.null.as_raw_fd();
        let stderr = match &options.stderr {
            Stderr::Inherit => usable_stderr().unwrap_or(null),
            Stderr::Null => null,
            Stderr::To(fd) => fd.as_raw_fd(),
        };
        let mut sources: Vec<RawFd> = vec![null, null, stderr];
        sources.extend(options.inherited.iter().map(|fd| fd.as_raw_fd()));
        debug_assert_eq!(sources.len() - options.inherited.len(), FIRST as usize);
        sources.push(self.program.as_raw_fd());

        let name = c_string(options.role.process_name());
        let word = c_string(options.role.argv());
        let backtrace = c_string("RUST_BACKTRACE=0");
        let mut plan = Plan {
            places: Places::new(sources),
            bounds: Bounds {
                limits: options.limits.settings(),
                limits_must_hold: options.strictness == Strictness::Required,
                // In a process-id namespace of its own, a child sees no parent.
                parent: if options.pid_namespace { None } else { Some(rustix::process::getpid()) },
            },
            argv: [name.as_ptr(), word.as_ptr(), ptr::null()],
            envp: [backtrace.as_ptr(), ptr::null()],
            failure: None,
        };
        let (pid, pidfd) = match launch(&mut plan, libc::CLONE_NEWPID * c_int::from(options.pid_namespace)) {
            Err(error) if options.pid_namespace && error.raw_os_error() == Some(libc::EPERM) => {
                plan.bounds.parent = Some(rustix::process::getpid());
                launch(&mut plan, 0)
            }
            launched => launched,
        }
        .map_err(SpawnError::Clone)?;
        let child = Child::new(pid, pidfd);
        match plan.failure {
            None => Ok(child),
            Some((step, error)) => Err(failure(step, io::Error::from_raw_os_error(error))),
        }
    }
}

/// Runs the plan in a new process. A step that failed there is in `plan.failure` afterwards.
fn launch(plan: &mut Plan, flags: c_int) -> io::Result<(u32, OwnedFd)> {
    // SAFETY: `child::run` keeps the rules of `clone::start` (its module says how). It gets the only pointer to the plan:
    // this thread is suspended until the child has executed or ended, and then uses the plan again.
    unsafe { clone::start(flags | libc::CLONE_VM, child::run, ptr::from_mut(plan).cast()) }
}

/// The supervisor's standard error, unless it was started with it closed.
fn usable_stderr() -> Option<RawFd> {
    rustix::io::fcntl_getfd(io::stderr()).ok().map(|_| libc::STDERR_FILENO)
}

fn c_string(text: &str) -> CString {
    CString::new(text).unwrap_or_default()
}

fn failure(step: Step, error: io::Error) -> SpawnError {
    match step {
        Step::Session => SpawnError::Session(error),
        Step::Descriptors => SpawnError::Descriptors(error),
        Step::Limits => SpawnError::Limits(error),
        Step::ParentDeathSignal => SpawnError::ParentDeathSignal(error),
        Step::ParentCheck => SpawnError::SupervisorGone,
        Step::Execute => SpawnError::Execute(error),
    }
}

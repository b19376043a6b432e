//! A process that makes workers by forking itself.
//!
//! Half of what an executed worker takes to start is the same every time: the dynamic loader, and page faults for some 38,000 relocations, which
//! also give each worker half a MiB of its own. A forker is this program, executed once and waiting in its main with one thread; it forks a
//! worker when it is asked to, and the worker shares those pages. It never sees a byte that is not the supervisor's, and a worker that it made
//! starts as an executed one does: the same descriptors, limits and parent, no environment, unconfined until it confines itself.
//!
//! The kernel makes the worker the supervisor's own child, so it is waited for, killed and tied to it as any other.
//!
//! A job of one worker needs no forker. The road not taken: executing the first of several workers too, while the forker starts. Two workers are then
//! ready no sooner, and 32 later, since a third process starts beside them.
//!
//! Invariants: a worker is made once or not at all for one set of descriptors: if the forker is lost after it was asked, the caller hears of that
//! and must begin anew. Whatever the forker can't do, it is no worse than without it: then a worker is executed.
//!
//! The price: workers of one forker have their code, stack and canaries at the same addresses. So a forker belongs to one job, and no two jobs share
//! these. The road not taken is one for the whole program, which would outlive all its jobs; another is to link the program at fixed
//! addresses, which are then known to everybody.

mod message;
mod process;

use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

use crate::layer::Strictness;
use crate::limits::Limits;
use crate::policy::Role;
use crate::process::Child;
use crate::spawn::{MOST_INHERITED, SpawnError, SpawnOptions, Stderr, Words, failure, spawn, spawn_as, usable_stderr};
use message::{Made, Order};

pub use process::fork_on_request;
pub(crate) use process::was_forked;

/// As long as a worker's words: a forked worker takes their place.
const WORDS: Words = ("taskcell-forker", "taskcell:forker");
/// Far more than it takes on a busy machine. One that is silent longer was stopped, and would stop the supervisor too.
const PATIENCE: Timespec = Timespec { tv_sec: 5, tv_nsec: 0 };
/// After so many forkers that were of no use, workers are executed.
const MOST_FAILURES: u32 = 3;

/// Starts workers, by a forker where that can be. Dropping it ends the forker, not the workers.
#[derive(Debug, Default)]
pub struct Forker {
    /// The next worker is executed: it may be the only one, and a forker takes as long to start; or the last forker was lost.
    executes_next: bool,
    running: Option<Running>,
    failures: u32,
}

#[derive(Debug)]
struct Running {
    /// Killed and reaped when it is dropped.
    _child: Child,
    socket: OwnedFd,
}

impl Forker {
    /// For a job that may have one worker only: the first is executed, and the forker starts with the second.
    #[must_use]
    pub fn after_the_first() -> Self {
        Self { executes_next: true, ..Self::default() }
    }

    /// Starts the forker if there is none, unless the next worker is executed. Does not wait for it: what is asked of it lies ready when it is.
    pub fn start(&mut self) {
        if !self.executes_next {
            self.start_now();
        }
    }

    fn start_now(&mut self) {
        if self.running.is_none() && self.failures < MOST_FAILURES {
            match Running::start() {
                Ok(running) => self.running = Some(running),
                Err(_) => self.failures += 1,
            }
        }
    }

    /// Starts a child as [`spawn()`](crate::spawn()) does; a worker by the forker, if it can be had.
    ///
    /// # Errors
    ///
    /// [`SpawnError`]. After [`SpawnError::ForkerLost`] the descriptors that were handed on may be a worker's already: it ends when their other ends are
    /// closed.
    pub fn spawn(&mut self, options: SpawnOptions) -> Result<Child, SpawnError> {
        if options.inherited.len() > MOST_INHERITED {
            return Err(SpawnError::TooManyDescriptors(options.inherited.len()));
        }
        // In a process-id namespace of its own it could not be a child of the forker's parent.
        if options.role != Role::Worker || options.pid_namespace {
            return spawn(options);
        }
        if std::mem::take(&mut self.executes_next) {
            return spawn(options);
        }
        self.start_now();
        let Some(running) = &self.running else { return spawn(options) };
        match running.ask(&options) {
            Asked::Made(made) => {
                self.failures = 0;
                made
            }
            Asked::Refused => {
                self.give_up();
                spawn(options)
            }
            Asked::Silent => {
                self.give_up();
                // A worker can say why it can't start where a forker can't.
                self.executes_next = true;
                Err(SpawnError::ForkerLost)
            }
        }
    }

    /// Ends the forker. The next worker starts another one.
    pub fn stop(&mut self) {
        self.running = None;
    }

    fn give_up(&mut self) {
        self.running = None;
        self.failures += 1;
    }
}

/// What came of an order.
enum Asked {
    Made(Result<Child, SpawnError>),
    /// It never got the order, or can't fork.
    Refused,
    /// It got the order and did not answer.
    Silent,
}

impl Running {
    fn start() -> Result<Self, SpawnError> {
        let (socket, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
            .map_err(|errno| SpawnError::Descriptors(errno.into()))?;
        let options = SpawnOptions {
            stderr: Stderr::Null,
            // It has what the supervisor has: a worker's limits are set in the worker.
            limits: Limits { open_files: None, ..Limits::default() },
            ..SpawnOptions::new(Role::Worker, Strictness::BestEffort, vec![theirs])
        };
        Ok(Self { _child: spawn_as(options, WORDS)?, socket })
    }

    fn ask(&self, options: &SpawnOptions) -> Asked {
        let terminal = std::io::stderr();
        let stderr = match &options.stderr {
            Stderr::Null => None,
            Stderr::To(fd) => Some(fd.as_fd()),
            Stderr::Inherit => usable_stderr().map(|_| terminal.as_fd()),
        };
        let order =
            Order { strict: options.strictness == Strictness::Required, own_stderr: stderr.is_some(), limits: options.limits };
        let handed: Vec<BorrowedFd<'_>> = stderr.into_iter().chain(options.inherited.iter().map(OwnedFd::as_fd)).collect();
        if message::send(self.socket.as_fd(), &order.to_bytes(), &handed).is_err() {
            return Asked::Refused;
        }
        let mut answers = [PollFd::new(&self.socket, PollFlags::IN)];
        match rustix::io::retry_on_intr(|| poll(&mut answers, Some(&PATIENCE))) {
            Ok(ready) if ready > 0 => {}
            Ok(_) | Err(_) => return Asked::Silent,
        }
        let Some((bytes, handed)) = message::receive(self.socket.as_fd(), Made::BYTES) else { return Asked::Silent };
        match Made::from_bytes(&bytes) {
            Some(Made::Worker(pid)) => match handed.into_iter().next() {
                Some(pidfd) => Asked::Made(Ok(Child::new(pid, pidfd))),
                None => Asked::Silent,
            },
            Some(Made::Failed(pid, step, error)) => {
                // It is our child all the same: dropped, it is reaped.
                drop(handed.into_iter().next().map(|pidfd| Child::new(pid, pidfd)));
                Asked::Made(Err(failure(step, std::io::Error::from_raw_os_error(error))))
            }
            Some(Made::Nothing(error)) if error == libc::EAGAIN || error == libc::ENOMEM => {
                Asked::Made(Err(SpawnError::Clone(std::io::Error::from_raw_os_error(error))))
            }
            Some(Made::Nothing(_)) => Asked::Refused,
            None => Asked::Silent,
        }
    }
}

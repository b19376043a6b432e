//! The supervisor's side of a zygote: a confined process that has loaded one component and forks workers.
//!
//! Half of what an executed worker takes to start is the same every time: the dynamic loader, page faults
//! for some 38,000 relocations, the walls, the engine, the code, the first instance. A zygote does all
//! that once. It takes the walls before it reads a byte of the component, so it holds no privilege, and a
//! worker that it forks only takes what is its own: a uid, a socket, shared memory, the page map, the last
//! filter.
//!
//! ```text
//! supervisor                      zygote                          worker
//!   | -- order, descriptors ------> |                               |
//!   |                               | -- fork ---------------------> |
//!   | <-- process descriptor ------ |                               | waits
//!   | -- uid, page map, over the worker's own socket -------------> | takes them, seals itself
//! ```
//!
//! The kernel makes the worker the supervisor's own child, so it is waited for, killed and tied to it as
//! any other. As root each worker is forked into a user namespace of its own, in which the supervisor maps
//! one uid that no other process has: so the zygote needs no privilege for that.
//!
//! Invariants: nothing that a zygote says is believed but what the kernel confirms. It may be an attacker's
//! as soon as it has loaded code, so a process descriptor counts only if its process is a child of this
//! one, and the worker is verified from outside before it gets work. No call here waits for a zygote.
//!
//! The price: workers of one zygote have their code, stack and canaries at the same addresses. So a zygote
//! belongs to one component of one job, and `exec` instead of `fork` is an option.

pub(crate) mod message;
mod serve;

use std::fs;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};

use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

use crate::credentials;
use crate::policy::Role;
use crate::process::Child;
use crate::spawn::{MOST_INHERITED, SpawnError, SpawnOptions, spawn};
use message::{Answer, Go};

pub use serve::{Forked, PageMap, ServeError, ZygoteSocket};

/// A process that forks workers. Dropping it ends it, and not its workers.
#[derive(Debug)]
pub struct Zygote {
    /// Killed and reaped when it is dropped.
    child: Child,
    socket: OwnedFd,
    /// As root: what the workers' uids are made with.
    nonce: Option<u32>,
}

/// What a zygote answered.
#[derive(Debug)]
pub enum ZygoteAnswer {
    /// A worker was forked. It waits for [`Zygote::release`].
    Forked(Child),
    /// No worker could be forked: out of processes or memory.
    Refused(std::io::Error),
    /// It can't get ready, and says why in its own words. It ends.
    Failed(Vec<u8>),
}

impl Zygote {
    /// Starts one. `options.inherited` is what it needs beside its socket. Does not wait for it: orders lie
    /// ready when it is. `own_uids`: as root, each worker gets a uid of its own.
    ///
    /// # Errors
    ///
    /// [`SpawnError`], by step.
    pub fn start(mut options: SpawnOptions, own_uids: bool) -> Result<Self, SpawnError> {
        let (socket, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
            .map_err(|errno| SpawnError::Descriptors(errno.into()))?;
        options.role = Role::Zygote;
        options.pid_namespace = false;
        options.inherited.insert(0, theirs);
        let nonce = (own_uids && rustix::process::geteuid().is_root()).then(credentials::nonce);
        Ok(Self { child: spawn(options)?, socket, nonce })
    }

    /// Its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.pid()
    }

    /// Becomes readable when an answer waits, and when it has ended.
    #[must_use]
    pub fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Orders a worker that has these descriptors, the first of which is its socket. Answers come in the
    /// order of the orders.
    ///
    /// # Errors
    ///
    /// [`SpawnError::TooManyDescriptors`]; [`SpawnError::ZygoteLost`] if it has ended, or so many orders wait
    /// that no more can.
    pub fn order(&self, descriptors: &[OwnedFd]) -> Result<(), SpawnError> {
        if descriptors.len() > MOST_INHERITED {
            return Err(SpawnError::TooManyDescriptors(descriptors.len()));
        }
        let handed: Vec<_> = descriptors.iter().map(OwnedFd::as_fd).collect();
        let order = [u8::from(self.nonce.is_some())];
        message::send(self.socket.as_fd(), &order, &handed).map_err(|errno| SpawnError::ZygoteLost(errno.into()))
    }

    /// The next answer; `None` if none waits.
    ///
    /// # Errors
    ///
    /// [`SpawnError::ZygoteLost`] if it has ended; [`SpawnError::ZygoteLied`] if what it sent is no answer.
    pub fn answer(&self) -> Result<Option<ZygoteAnswer>, SpawnError> {
        let packet = match message::receive(self.socket.as_fd(), true) {
            Ok(packet) => packet,
            Err(Errno::AGAIN) => return Ok(None),
            Err(errno) => return Err(SpawnError::ZygoteLost(errno.into())),
        };
        let (bytes, descriptors) = packet;
        match Answer::from_bytes(&bytes) {
            Some(Answer::Forked) => {
                let pidfd = descriptors.into_iter().next().ok_or(SpawnError::ZygoteLied)?;
                let pid = own_child(&pidfd).ok_or(SpawnError::ZygoteLied)?;
                Ok(Some(ZygoteAnswer::Forked(Child::new(pid, pidfd))))
            }
            Some(Answer::Refused(error)) => Ok(Some(ZygoteAnswer::Refused(std::io::Error::from_raw_os_error(error)))),
            Some(Answer::Failed(text)) => Ok(Some(ZygoteAnswer::Failed(text.to_vec()))),
            None if bytes.is_empty() => Err(SpawnError::ZygoteLost(Errno::PIPE.into())),
            None => Err(SpawnError::ZygoteLied),
        }
    }

    /// Gives a forked worker what only its supervisor can give it: a uid in its user namespace, and its own
    /// page map. It goes on then.
    ///
    /// # Errors
    ///
    /// [`SpawnError::Release`] if the worker is gone.
    pub fn release(&self, worker: &Child, socket: impl AsFd) -> Result<(), SpawnError> {
        let pid = worker.pid();
        let uid = self.nonce.map(|nonce| credentials::own_id(pid, nonce)).filter(|uid| map_one(pid, *uid));
        // Where it can't be opened, the worker looks for written pages in the slow way.
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let page_map = openat(CWD, format!("/proc/{pid}/pagemap"), flags, Mode::empty()).ok();
        let handed: Vec<_> = page_map.iter().map(OwnedFd::as_fd).collect();
        message::send(socket.as_fd(), &Go { uid }.to_bytes(), &handed).map_err(|errno| SpawnError::Release(errno.into()))
    }

    /// Ends it, if it has not ended.
    pub fn kill(&self) {
        // Only a process that is gone already can't be killed.
        let _ = self.child.kill();
    }
}

/// Maps one id in the user namespace of a worker, to itself. Whether it was: a zygote may have been refused
/// namespaces, and its workers then share its uid.
fn map_one(pid: u32, id: u32) -> bool {
    let write = |file: &str| fs::write(format!("/proc/{pid}/{file}"), format!("{id} {id} 1")).is_ok();
    write("gid_map") && write("uid_map")
}

/// The process of a descriptor, if it is a child of this one that nobody has reaped.
fn own_child(pidfd: &OwnedFd) -> Option<u32> {
    // The kernel's word, not the sender's: the descriptor may be anything.
    let info = fs::read_to_string(format!("/proc/self/fdinfo/{}", pidfd.as_raw_fd())).ok()?;
    let pid = info.lines().find_map(|line| line.strip_prefix("Pid:"))?.trim().parse::<u32>().ok()?;
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let parent = status.lines().find_map(|line| line.strip_prefix("PPid:"))?.trim().parse::<u32>().ok()?;
    (parent == std::process::id()).then_some(pid)
}

//! The descriptors that the supervisor put in place: 3, 4, 5 and on.
//!
//! The one place where a number becomes an owned descriptor. It happens once per process and only in a process that
//! [`spawn`](crate::spawn()) made, so no two owners can exist for one number.
#![allow(unsafe_code, reason = "turns the numbers agreed with the supervisor into owned descriptors")]

use std::io;
use std::os::fd::{FromRawFd as _, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::fds::close_all_but;
use crate::policy::Role;

/// The number of the first inherited descriptor; 0, 1 and 2 are standard input, output and error.
pub(crate) const FIRST: RawFd = 3;

/// More than any child is given; keeps a wrong count from becoming a long loop.
const MAX: usize = 64;

/// Why the inherited descriptors could not be taken. Each text fits "failed to ...".
#[derive(Debug, thiserror::Error)]
pub enum InheritError {
    /// This process was not started by [`spawn`](crate::spawn()).
    #[error("take inherited descriptors: this process was not started as a worker or a compiler")]
    NotSpawned,
    /// They were taken before.
    #[error("take inherited descriptors: they were taken before")]
    AlreadyTaken,
    /// More than [`spawn`](crate::spawn()) ever hands on.
    #[error("take {0} inherited descriptors: at most {MAX} are ever handed on")]
    TooMany(usize),
    /// One is not open.
    #[error("take inherited descriptor {number}: {error}")]
    NotOpen {
        /// Its number.
        number: RawFd,
        /// What the system said.
        error: io::Error,
    },
    /// The others could not be closed.
    #[error("close descriptors that were not inherited: {0}")]
    CloseOthers(io::Error),
}

static TAKEN: AtomicBool = AtomicBool::new(false);

/// Takes the descriptors that [`SpawnOptions::inherited`](crate::SpawnOptions) listed, in that order, and closes all
/// others but the standard three. Each is set close-on-exec. There are at least `count`; more follow
/// without a gap where more were listed.
///
/// Call it first in the child's main, before anything opens a descriptor of its own: such a one would be
/// closed, or taken for one of these.
///
/// # Errors
///
/// [`InheritError`]: not a child of ours, called twice, or fewer descriptors were handed on than `count`.
pub fn take_inherited(count: usize) -> Result<Vec<OwnedFd>, InheritError> {
    if Role::of_this_process().is_none() {
        return Err(InheritError::NotSpawned);
    }
    if count > MAX {
        return Err(InheritError::TooMany(count));
    }
    if TAKEN.swap(true, Ordering::SeqCst) {
        return Err(InheritError::AlreadyTaken);
    }
    let most = FIRST + RawFd::try_from(MAX).unwrap_or(RawFd::MAX - FIRST);
    // SAFETY: F_GETFD takes a plain number and touches no memory; on a number that is not open it fails.
    let is_open = |number: &RawFd| unsafe { libc::fcntl(*number, libc::F_GETFD) } != -1;
    let open = (FIRST..most).take_while(is_open).count();
    let numbers: Vec<RawFd> = (FIRST..).take(count.max(open)).collect();
    for &number in &numbers {
        // SAFETY: F_SETFD takes a plain number and touches no memory; on a number that is not open it fails.
        if unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) } == -1 {
            return Err(InheritError::NotOpen { number, error: io::Error::last_os_error() });
        }
    }
    let keep: Vec<RawFd> = (0..FIRST).chain(numbers.iter().copied()).collect();
    // SAFETY: this is a child made by `spawn`, which left nothing else open; what the process's own start-up may have
    // opened is given up by this function's contract (called first in main).
    unsafe { close_all_but(&keep) }.map_err(InheritError::CloseOthers)?;
    Ok(numbers
        .into_iter()
        .map(|number| {
            // SAFETY: open (checked above), put there by `spawn` for this process to own, and taken once (TAKEN).
            unsafe { OwnedFd::from_raw_fd(number) }
        })
        .collect())
}

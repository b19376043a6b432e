//! The supervisor's look from outside.
//!
//! A child reports its layers itself, and a child that was taken over during its start would report whatever helps it.
//! So before the first task the supervisor asks the kernel instead: every thread must have the filter, no thread a
//! capability. One thread without the filter would be enough to undo all of it, hence the look at each.

use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::{fs, io};

use rustix::process::geteuid;

use crate::credentials::is_own_id;
use crate::layer::Strictness;
use crate::policy::{Policy, Role, WorkerUid};
use crate::seccomp::Filters;

/// Why a process does not count as confined. Each text fits "failed to ...".
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// `/proc` did not tell.
    #[error("read {path}: {error}", path = path.display())]
    Read {
        /// What was read.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The process has no thread, so it is gone.
    #[error("find a thread of process {0}")]
    NoThreads(u32),
    /// The kernel's report lacks a line we need.
    #[error("find the line {field} for thread {thread}")]
    NoField {
        /// Thread id.
        thread: u32,
        /// The line's name in `/proc/PID/task/TID/status`.
        field: &'static str,
    },
    /// It runs under a uid that other processes have too.
    #[error("see thread {thread} under a uid of its own: it has {uid}")]
    Shared {
        /// Thread id.
        thread: u32,
        /// Its uid.
        uid: u32,
    },
    /// Processes of its user can read its memory.
    #[error("see the memory of thread {thread} closed to other processes of its user")]
    Dumpable {
        /// Thread id.
        thread: u32,
    },
    /// A thread is not confined as it must be.
    #[error("see thread {thread} confined: {field} is {found}, not {wanted}")]
    Unconfined {
        /// Thread id.
        thread: u32,
        /// The line's name in `/proc/PID/task/TID/status`.
        field: &'static str,
        /// What it says.
        found: u64,
        /// What it has to say.
        wanted: u64,
    },
}

/// The line's name, its number base, and what it must say.
const FIELDS: [(&str, u32, u64); 6] =
    [("Seccomp", 10, 2), ("NoNewPrivs", 10, 1), ("CapEff", 16, 0), ("CapPrm", 16, 0), ("CapInh", 16, 0), ("CapAmb", 16, 0)];

/// Checks from outside that every thread of the worker `pid` has its last filter, can't gain privileges, has no
/// capability, and runs under the user that `uid` says; and that its memory is closed to processes of that
/// user.
///
/// The caller must be the parent and not have reaped the child yet, or `pid` may mean another process by now.
///
/// # Errors
///
/// [`VerifyError`]: the first thread found wanting, or `/proc` could not be read.
pub fn verify(pid: u32, uid: WorkerUid) -> Result<(), VerifyError> {
    let tasks = PathBuf::from(format!("/proc/{pid}/task"));
    let entries = fs::read_dir(&tasks).map_err(|error| VerifyError::Read { path: tasks.clone(), error })?;
    let expected = Expected { own_uid: uid == WorkerUid::OwnIfRoot && geteuid().is_root(), filters: most_filters() };
    let mut threads = 0_usize;
    for entry in entries {
        let entry = entry.map_err(|error| VerifyError::Read { path: tasks.clone(), error })?;
        let Some(thread) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let path = entry.path().join("status");
        match fs::read_to_string(&path).and_then(|status| Ok((status, fs::metadata(&path)?.uid()))) {
            Ok((status, owner)) => check_thread(thread, &status, owner, &expected)?,
            // Ended between the listing and the look.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => continue,
            Err(error) => return Err(VerifyError::Read { path, error }),
        }
        threads += 1;
    }
    if threads == 0 { Err(VerifyError::NoThreads(pid)) } else { Ok(()) }
}

/// What must be so for every thread.
struct Expected {
    own_uid: bool,
    filters: u64,
}

/// As many filters as a worker has at the end: a process that stopped after the first ones has fewer.
fn most_filters() -> u64 {
    static COUNT: OnceLock<u64> = OnceLock::new();
    *COUNT.get_or_init(|| {
        let policy = Policy::new(Role::Worker, Strictness::Required);
        let count = |filters: Result<Filters, _>| filters.map_or(1, |filters| filters.count());
        count(Filters::compile(policy.boot_rules(), 1)) + count(Filters::compile(policy.rules(), 1))
    })
}

fn check_thread(thread: u32, status: &str, owner: u32, expected: &Expected) -> Result<(), VerifyError> {
    let line = |field: &'static str| {
        let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        line.ok_or(VerifyError::NoField { thread, field })
    };
    for (field, base, wanted) in FIELDS {
        let found = u64::from_str_radix(line(field)?.trim(), base).map_err(|_| VerifyError::NoField { thread, field })?;
        if found != wanted {
            return Err(VerifyError::Unconfined { thread, field, found, wanted });
        }
    }
    let field = "Seccomp_filters";
    // Linux before 5.9 doesn't count them.
    if let Ok(count) = line(field) {
        let found: u64 = count.trim().parse().map_err(|_| VerifyError::NoField { thread, field })?;
        if found < expected.filters {
            return Err(VerifyError::Unconfined { thread, field, found, wanted: expected.filters });
        }
    }
    check_uids(thread, line("Uid")?, owner, expected)
}

/// Real, effective, saved and file system uid, which are one. The files of a process whose memory is closed
/// belong to root.
fn check_uids(thread: u32, line: &str, owner: u32, expected: &Expected) -> Result<(), VerifyError> {
    let field = "Uid";
    let uids: Vec<u32> = line.split_ascii_whitespace().filter_map(|uid| uid.parse().ok()).collect();
    let [uid, others @ ..] = uids.as_slice() else { return Err(VerifyError::NoField { thread, field }) };
    let uid = *uid;
    if let Some(other) = others.iter().find(|other| **other != uid) {
        return Err(VerifyError::Unconfined { thread, field, found: u64::from(*other), wanted: u64::from(uid) });
    }
    if expected.own_uid && !is_own_id(uid) {
        return Err(VerifyError::Shared { thread, uid });
    }
    if uid != 0 && owner == uid {
        return Err(VerifyError::Dumpable { thread });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFINED: &str = "Uid:\t4026531841\t4026531841\t4026531841\t4026531841\nCapInh:\t0000000000000000\n\
                            CapPrm:\t0000000000000000\nCapEff:\t0000000000000000\nCapAmb:\t0000000000000000\n\
                            NoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t5\n";
    const ROOTS: Expected = Expected { own_uid: true, filters: 5 };

    #[test]
    fn a_confined_thread_passes() {
        check_thread(1, CONFINED, 0, &ROOTS).expect("all lines are as they must be");
        let users = CONFINED.replace("4026531841", "1000");
        check_thread(1, &users, 0, &Expected { own_uid: false, filters: 5 }).expect("a user's worker has the user's uid");
        check_thread(1, &CONFINED.replace("Seccomp_filters:\t5\n", ""), 0, &ROOTS).expect("an old kernel has no such line");
    }

    #[test]
    fn each_line_matters() {
        for (from, to) in [
            ("Seccomp:\t2", "Seccomp:\t0"),
            ("NoNewPrivs:\t1", "NoNewPrivs:\t0"),
            ("CapEff:\t0", "CapEff:\t2"),
            ("CapAmb:\t0", "CapAmb:\t2"),
            ("Seccomp:", "Gone:"),
            ("Seccomp_filters:\t5", "Seccomp_filters:\t4"),
            ("Uid:\t4026531841", "Uid:\t0"),
            ("4026531841\nCapInh", "0\nCapInh"),
            ("Uid:\t4026531841\t4026531841\t4026531841\t4026531841", "Uid:\t0\t0\t0\t0"),
            ("Uid:\t4026531841\t4026531841\t4026531841\t4026531841", "Uid:\t65534\t65534\t65534\t65534"),
        ] {
            let changed = CONFINED.replacen(from, to, 1);
            assert_ne!(changed, CONFINED, "{to}");
            assert!(check_thread(1, &changed, 0, &ROOTS).is_err(), "{to}");
        }
        assert!(check_thread(1, CONFINED, 4_026_531_841, &ROOTS).is_err(), "its memory is open to its user");
    }
}

//! The supervisor's look from outside.
//!
//! A child reports its layers itself, and a child that was taken over during its start would report whatever helps it.
//! So before the first task the supervisor asks the kernel instead: every thread must have the filter, no thread a
//! capability. One thread without the filter would be enough to undo all of it, hence the look at each.

use std::path::PathBuf;
use std::{fs, io};

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
const FIELDS: [(&str, u32, u64); 5] =
    [("Seccomp", 10, 2), ("NoNewPrivs", 10, 1), ("CapEff", 16, 0), ("CapPrm", 16, 0), ("CapInh", 16, 0)];

/// Checks from outside that every thread of process `pid` has a seccomp filter, cannot gain privileges, and has no
/// capability.
///
/// The caller must be the parent and not have reaped the child yet, or `pid` may mean another process by now.
///
/// # Errors
///
/// [`VerifyError`]: the first thread found wanting, or `/proc` could not be read.
pub fn verify(pid: u32) -> Result<(), VerifyError> {
    let tasks = PathBuf::from(format!("/proc/{pid}/task"));
    let entries = fs::read_dir(&tasks).map_err(|error| VerifyError::Read { path: tasks.clone(), error })?;
    let mut threads = 0_usize;
    for entry in entries {
        let entry = entry.map_err(|error| VerifyError::Read { path: tasks.clone(), error })?;
        let Some(thread) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let path = entry.path().join("status");
        match fs::read_to_string(&path) {
            Ok(status) => check_thread(thread, &status)?,
            // Ended between the listing and the look.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => continue,
            Err(error) => return Err(VerifyError::Read { path, error }),
        }
        threads += 1;
    }
    if threads == 0 { Err(VerifyError::NoThreads(pid)) } else { Ok(()) }
}

fn check_thread(thread: u32, status: &str) -> Result<(), VerifyError> {
    for (field, base, wanted) in FIELDS {
        let found = status
            .lines()
            .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))
            .and_then(|value| u64::from_str_radix(value.trim(), base).ok())
            .ok_or(VerifyError::NoField { thread, field })?;
        if found != wanted {
            return Err(VerifyError::Unconfined { thread, field, found, wanted });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFINED: &str = "CapInh:\t0000000000000000\nCapPrm:\t0000000000000000\nCapEff:\t0000000000000000\n\
                            NoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t2\n";

    #[test]
    fn a_confined_thread_passes() {
        check_thread(1, CONFINED).expect("all lines are as they must be");
    }

    #[test]
    fn each_line_matters() {
        for (from, to) in [
            ("Seccomp:\t2", "Seccomp:\t0"),
            ("NoNewPrivs:\t1", "NoNewPrivs:\t0"),
            ("CapEff:\t0", "CapEff:\t2"),
            ("Seccomp:", "Gone:"),
        ] {
            assert!(check_thread(1, &CONFINED.replace(from, to)).is_err(), "{to}");
        }
    }
}

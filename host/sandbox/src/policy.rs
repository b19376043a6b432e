//! What a child may still do once it is confined, as data.
//!
//! The tables are in [`table`]: a line per system call, each with the code path that needs it. `doctor --policy` prints the
//! same tables that the filter is made from, so what users read is what the kernel enforces.

mod table;

use std::path::PathBuf;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use crate::layer::Strictness;
use crate::namespaces::Namespaces;

/// What a child process is for. Each role has its own table of system calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Role {
    /// Runs guests.
    Worker,
    /// Compiles one component, then ends.
    Compiler,
}

impl Role {
    /// The one argument of such a child. Odd, so that no user's argument is taken for it.
    #[must_use]
    pub const fn argv(self) -> &'static str {
        match self {
            Self::Worker => "taskcell:worker",
            Self::Compiler => "taskcell:compiler",
        }
    }

    /// The name that the child shows in process lists.
    #[must_use]
    pub const fn process_name(self) -> &'static str {
        match self {
            Self::Worker => "taskcell-worker",
            Self::Compiler => "taskcell-compile",
        }
    }

    /// The role in which [`spawn`](crate::spawn()) started this process, or `None` for a process that somebody else
    /// started. A user who types the word gets a process that finds no socket and ends.
    #[must_use]
    pub fn of_this_process() -> Option<Self> {
        if crate::forker::was_forked() {
            return Some(Self::Worker);
        }
        let mut arguments = std::env::args_os().skip(1);
        let word = arguments.next()?;
        if arguments.next().is_some() {
            return None;
        }
        [Self::Worker, Self::Compiler].into_iter().find(|role| word == role.argv())
    }
}

/// Under which user a child runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum WorkerUid {
    /// When the supervisor is root: a uid of its own, which nothing else on the machine has. Else the supervisor's.
    #[default]
    OwnIfRoot,
    /// The supervisor's, even if that is root, but without any capability. For granted directories that only root may read.
    Keep,
}

/// How a child confines itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Selects the table of system calls.
    pub role: Role,
    /// Whether a missing required layer is an error.
    pub strictness: Strictness,
    /// Directories (or files) that may be read. None by default. A path that does not exist is an error.
    pub readable: Vec<PathBuf>,
    /// Directories (or files) that may be read and changed. None by default. A path that does not exist is an error.
    pub writable: Vec<PathBuf>,
    /// Which namespaces to try.
    pub namespaces: Namespaces,
    /// Under which user to run.
    pub uid: WorkerUid,
    /// Largest file in bytes that a worker with a writable directory may make; workers without one may write none.
    pub file_bytes: u64,
}

impl Policy {
    /// The closed policy: no directories, all namespaces that are on by default.
    #[must_use]
    pub fn new(role: Role, strictness: Strictness) -> Self {
        Self {
            role,
            strictness,
            readable: Vec::new(),
            writable: Vec::new(),
            namespaces: Namespaces::default(),
            uid: WorkerUid::default(),
            file_bytes: 1 << 30,
        }
    }

    /// Whether any part of the file tree stays reachable.
    #[must_use]
    pub const fn grants_directories(&self) -> bool {
        !self.readable.is_empty() || !self.writable.is_empty()
    }

    /// The lines that apply: the role's, and those for granted directories where there are any. Where two lines name one
    /// call, a line that allows it goes before one that refuses it.
    pub(crate) fn rules(&self) -> impl Iterator<Item = &'static Rule> + Clone {
        let directories = if self.grants_directories() { table::DIRECTORIES } else { &[] };
        policy_table(self.role).iter().chain(directories)
    }
}

/// One line of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// The system call's name.
    pub name: &'static str,
    /// Its number on this processor.
    pub number: i64,
    /// What happens when it is made.
    pub answer: Answer,
    /// Which code path needs it, or why it is refused gently.
    pub reason: &'static str,
}

/// What happens when a listed call is made. A call that is not listed kills the process with SIGSYS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It is carried out.
    Allow,
    /// It is carried out if all checks of at least one group hold, and kills the process otherwise.
    AllowIf(&'static [&'static [Check]]),
    /// It is not carried out; the caller sees this error number.
    Refuse(i32),
}

/// A condition on one argument, of which the lower 32 bits are looked at: the calls in the tables ignore the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Check {
    /// Which argument, from 0.
    pub argument: u8,
    /// Only these bits are compared.
    pub mask: u32,
    /// What they must be equal to.
    pub equals: Operand,
}

/// What an argument is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operand {
    /// This number.
    Number(u32),
    /// The process's own id, known when the filter is made.
    OwnPid,
}

static WORKER: LazyLock<Vec<Rule>> = LazyLock::new(|| [table::COMMON, table::WORKER].concat());
static COMPILER: LazyLock<Vec<Rule>> = LazyLock::new(|| [table::COMMON, table::COMPILER].concat());

/// The system calls of a role. Every call that is not in it kills the process.
#[must_use]
pub fn policy_table(role: Role) -> &'static [Rule] {
    match role {
        Role::Worker => &WORKER,
        Role::Compiler => &COMPILER,
    }
}

/// The system calls that come on top when directories are granted.
#[must_use]
pub const fn directory_table() -> &'static [Rule] {
    table::DIRECTORIES
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_line_has_a_reason_and_its_own_call() {
        for role in [Role::Worker, Role::Compiler] {
            let mut numbers = BTreeSet::new();
            for rule in policy_table(role) {
                assert!(rule.reason.len() > 10, "{}", rule.name);
                assert!(numbers.insert(rule.number), "{} is listed twice for {role:?}", rule.name);
            }
        }
    }

    #[test]
    fn the_dangerous_calls_are_nowhere() {
        let never = [
            libc::SYS_execve,
            libc::SYS_execveat,
            libc::SYS_socket,
            libc::SYS_connect,
            libc::SYS_ptrace,
            libc::SYS_unshare,
            libc::SYS_setns,
            libc::SYS_mount,
            libc::SYS_bpf,
            libc::SYS_io_uring_setup,
            libc::SYS_keyctl,
            libc::SYS_kill,
            libc::SYS_process_vm_writev,
            libc::SYS_pidfd_getfd,
            libc::SYS_seccomp,
            libc::SYS_userfaultfd,
        ];
        for rule in policy_table(Role::Worker).iter().chain(policy_table(Role::Compiler)).chain(directory_table()) {
            assert!(!never.contains(&rule.number), "{}", rule.name);
        }
    }
}

//! What a child may still do once it is confined, as data.
//!
//! The tables are in [`table`]: a line per system call, each with the code path that needs it. `doctor --policy` prints the
//! same tables that the filter is made from, so what users read is what the kernel enforces.

mod table;

use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use crate::layer::{Layer, Strictness};
use crate::namespaces::Namespaces;

/// What a child process is for. Each role has its own table of system calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Role {
    /// Runs guests.
    Worker,
    /// Loads the code of a component once and forks workers.
    Zygote,
    /// Compiles one component, then ends.
    Compiler,
}

impl Role {
    /// The one argument of such a child. Odd, so that no user's argument is taken for it.
    #[must_use]
    pub const fn argv(self) -> &'static str {
        match self {
            Self::Worker => "taskcell:worker",
            Self::Zygote => "taskcell:zygote",
            Self::Compiler => "taskcell:compiler",
        }
    }

    /// The name that the child shows in process lists.
    #[must_use]
    pub const fn process_name(self) -> &'static str {
        match self {
            Self::Worker => "taskcell-worker",
            Self::Zygote => "taskcell-zygote",
            Self::Compiler => "taskcell-compile",
        }
    }

    /// The role in which [`spawn`](crate::spawn()) started this process, or `None` for a process that somebody else
    /// started. A user who types the word gets a process that finds no socket and ends.
    #[must_use]
    pub fn of_this_process() -> Option<Self> {
        let mut arguments = std::env::args_os().skip(1);
        let word = arguments.next()?;
        if arguments.next().is_some() {
            return None;
        }
        [Self::Worker, Self::Zygote, Self::Compiler].into_iter().find(|role| word == role.argv())
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

/// A directory that stays reachable. The descriptor is the authority: it was opened once, by the
/// supervisor. The path only finds the same directory again in the child's own mount namespace, and is
/// refused if it leads to another one by then.
#[derive(Debug)]
pub struct Directory {
    /// Opened with `O_PATH`.
    pub descriptor: OwnedFd,
    /// Where it was when it was opened: absolute, without symbolic links.
    pub path: PathBuf,
    /// Whether what is in it may be changed.
    pub writable: bool,
}

/// How a child confines itself.
#[derive(Debug)]
pub struct Policy {
    /// Selects the table of system calls.
    pub role: Role,
    /// Whether a missing required layer is an error.
    pub strictness: Strictness,
    /// Directories that stay reachable. None by default.
    pub directories: Vec<Directory>,
    /// Which namespaces to try.
    pub namespaces: Namespaces,
    /// Under which user to run.
    pub uid: WorkerUid,
    /// Whether to switch off speculation past indirect branches and stores. It costs a few percent of compute
    /// where the processor needs it.
    pub restrict_speculation: bool,
    /// Largest file in bytes that a worker with a writable directory may make; workers without one may write none.
    pub file_bytes: u64,
    /// Memory in bytes that a worker may take beside what it has when it confines itself
    /// (`RLIMIT_DATA`). `None`: no limit.
    pub memory_bytes: Option<u64>,
}

impl Policy {
    /// The closed policy: no directories, all namespaces that are on by default.
    #[must_use]
    pub fn new(role: Role, strictness: Strictness) -> Self {
        Self {
            role,
            strictness,
            directories: Vec::new(),
            namespaces: Namespaces::default(),
            uid: WorkerUid::default(),
            restrict_speculation: false,
            file_bytes: 1 << 30,
            memory_bytes: None,
        }
    }

    /// Whether any part of the file tree stays reachable.
    #[must_use]
    pub const fn grants_directories(&self) -> bool {
        !self.directories.is_empty()
    }

    /// Whether any part of the file tree can be changed.
    pub(crate) fn writes(&self) -> bool {
        self.directories.iter().any(|directory| directory.writable)
    }

    /// Whether a missing layer is an error under [`Strictness::Required`].
    pub(crate) fn requires(&self, layer: Layer, root: bool) -> bool {
        // A root process without capabilities still owns the machine's files.
        layer.required() || (layer == Layer::Uid && root && self.uid == WorkerUid::OwnIfRoot)
    }

    /// The lines of the last filter: the role's, and those for granted directories where there are
    /// any. Of two lines for one call the later counts, and one that allows before one that refuses.
    pub(crate) fn rules(&self) -> impl Iterator<Item = &'static Rule> + Clone {
        let directories = if self.grants_directories() { table::DIRECTORIES } else { &[] };
        policy_table(self.role).iter().chain(directories)
    }

    /// The lines of the first filter.
    pub(crate) fn boot_rules(&self) -> impl Iterator<Item = &'static Rule> + Clone {
        self.rules().chain(boot_table(self.role))
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
static BOOT_ZYGOTE: LazyLock<Vec<Rule>> = LazyLock::new(|| [table::BOOT, table::ZYGOTE].concat());
static COMPILER: LazyLock<Vec<Rule>> = LazyLock::new(|| [table::COMMON, table::COMPILER].concat());

/// The system calls of a role. Every call that is not in it kills the process.
#[must_use]
pub fn policy_table(role: Role) -> &'static [Rule] {
    match role {
        Role::Worker | Role::Zygote => &WORKER,
        Role::Compiler => &COMPILER,
    }
}

/// The system calls that come on top while a child loads code, under its first filter.
#[must_use]
pub fn boot_table(role: Role) -> &'static [Rule] {
    match role {
        Role::Zygote => &BOOT_ZYGOTE,
        Role::Worker | Role::Compiler => table::BOOT,
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
        let tables = [policy_table(Role::Worker), policy_table(Role::Compiler), directory_table(), boot_table(Role::Zygote)];
        for rule in tables.into_iter().flatten() {
            assert!(!never.contains(&rule.number) || rule.number == libc::SYS_seccomp, "{}", rule.name);
        }
        for rule in [policy_table(Role::Worker), policy_table(Role::Compiler), directory_table()].into_iter().flatten() {
            assert_ne!(rule.number, libc::SYS_seccomp);
        }
    }
}

//! What a broker is told once, at its beginning.

use taskcell_wire::call::CheckedArgument;
use taskcell_wire::limits::MIB;
use taskcell_wire::{Interface, Isolation, Signature, TypeTable};

use crate::quotas::Quotas;
use crate::time::Duration;

/// A module's place in [`BrokerOptions::modules`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModuleId(pub u16);

/// A component whose exports tasks may be started of.
#[derive(Debug, Clone)]
pub struct Module {
    /// What comes before the `/` in a task's name; empty for the first.
    pub name: String,
    /// Its exports and types.
    pub interface: Interface,
}

/// Whether arguments fit a task's parameters. The engine knows; it is not linked here.
///
/// # Errors
/// For people: the first argument that does not fit.
pub type CheckArguments = fn(&TypeTable, &Signature, &[CheckedArgument<'_>]) -> Result<(), String>;

/// Whether one JSON text fits all parameters together, as an input of `map` does: the value for a single one, an array for several.
///
/// # Errors
/// For people: where it does not fit.
pub type CheckInput = fn(&TypeTable, &Signature, &[u8]) -> Result<(), String>;

/// What all tasks of a broker may have together, and one task of what has no cap of its own. [`Quotas`] has those per object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HostLimits {
    /// Workers, of all pools and processes. 256: what a person's machine bears at 10 MB each.
    pub processes: u32,
    /// Pools that tasks made. 64.
    pub pools: u32,
    /// Handles of one attempt. 1024.
    pub handles: u32,
    /// Objects in all. 65 536.
    pub objects: u32,
    /// Bytes of all messages, entries, inputs that wait and outcomes that nobody took. 1 GiB.
    pub bytes: u64,
    /// How deep tasks may start tasks. 16.
    pub depth: u32,
    /// Tasks of one pool that wait for a worker; who submits more waits. 16 384.
    pub waiting_tasks: u32,
    /// Bytes that one attempt may write to the log. 1 MiB.
    pub log_bytes: u64,
}

impl Default for HostLimits {
    fn default() -> Self {
        Self {
            processes: 256,
            pools: 64,
            handles: 1024,
            objects: 65_536,
            bytes: 1024 * MIB,
            depth: 16,
            waiting_tasks: 16_384,
            log_bytes: MIB,
        }
    }
}

/// What becomes of a deadlock that was found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OnDeadlock {
    /// One of the calls is answered with [`CallError::Deadlock`](taskcell_wire::call::CallError::Deadlock), so that the others can go on.
    #[default]
    Fail,
    /// It is told, once, and all go on waiting: somebody who watches decides.
    Warn,
}

/// What a broker is made with.
#[derive(Debug, Clone)]
pub struct BrokerOptions {
    /// The first is the program's or the pool's own.
    pub modules: Vec<Module>,
    /// See there.
    pub check_arguments: CheckArguments,
    /// See there.
    pub check_input: CheckInput,
    /// The workers of a pool that does not say how many.
    pub cpus: u32,
    /// Caps on all together.
    pub limits: HostLimits,
    /// Caps per object.
    pub quotas: Quotas,
    /// How long a task may go on after it was told to stop, before its worker is killed.
    pub grace: Duration,
    /// All tasks descend from one, so if each of them waits for another then nobody outside can help: that is searched for.
    pub is_program: bool,
    /// What becomes of a deadlock.
    pub on_deadlock: OnDeadlock,
    /// Whether workers understand [`Effect::Lend`](crate::Effect::Lend), and whoever drives the broker looks after what is lent.
    pub loans: bool,
}

/// What a worker is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkerSpec {
    /// What it runs.
    pub module: ModuleId,
    /// Fresh instances or one.
    pub isolation: Isolation,
    /// Linear memory of an instance, in bytes, if that is less than everybody's.
    pub memory_bytes: Option<u64>,
    /// Whether it is the program itself, which may read the standard input.
    pub program: bool,
}

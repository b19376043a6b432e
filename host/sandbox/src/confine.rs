//! Inside the child: locking up, in two steps that the types keep in order.
//!
//! [`Unconfined`] -> [`FilesLocked`] -> [`Confined`]. Each step consumes the value before it, so a later one can't be
//! forgotten, done twice or done early, and a function that must run confined can ask for a `&Confined`.

use std::io;
use std::path::PathBuf;

use rustix::process::{DumpableBehavior, Resource, Signal};

use crate::files::FilesError;
use crate::layer::{Applied, Layer, Strictness};
use crate::policy::{Policy, Role};
use crate::seccomp::Filters;
use crate::{credentials, files, limits, namespaces};

/// Why a process could not be confined as asked. It must end then. Each text fits "failed to ...".
#[derive(Debug, thiserror::Error)]
pub enum ConfineError {
    /// `/proc` did not tell how many threads there are.
    #[error("count this process's threads: {0}")]
    CountThreads(io::Error),
    /// Landlock would bind one thread and miss the others.
    #[error("lock files: the process already has {0} threads, and may have one only")]
    Threads(usize),
    /// A granted path can't be opened or restricted to.
    #[error("grant a directory: {0}")]
    Grant(String),
    /// The supervisor died while the child locked itself up.
    #[error("find the supervisor alive while locking up")]
    SupervisorGone,
    /// Capabilities could not be given up.
    #[error("give up all capabilities: {0}")]
    Capabilities(io::Error),
    /// A required layer is missing.
    #[error("put the required layer {layer} in force: {why}")]
    LayerMissing {
        /// Which one.
        layer: Layer,
        /// Why.
        why: String,
    },
}

/// A process that is not confined yet. There is one per process: make it first in the child's main.
#[derive(Debug, Default)]
pub struct Unconfined;

/// A process that reaches no file, no other process and no privilege, but may still make most system calls.
#[derive(Debug)]
pub struct FilesLocked {
    layers: Vec<Applied>,
}

/// A process that is confined.
#[derive(Debug)]
pub struct Confined {
    layers: Vec<Applied>,
}

impl Unconfined {
    /// Enters namespaces, gives up user and capabilities, and locks the file tree.
    ///
    /// Call it while the process has one thread and before it reads any byte that is not the supervisor's. What has to be
    /// read from files (processor counts, `/proc/self/pagemap`) must have been opened before: afterwards the process may
    /// not even open its own `/proc/self`.
    ///
    /// # Errors
    ///
    /// [`ConfineError`]; the process is partly confined then, and must end.
    pub fn lock_files(self, policy: &Policy) -> Result<FilesLocked, ConfineError> {
        let parent = rustix::process::getppid();
        let root = rustix::process::geteuid().is_root();
        let mut layers = Vec::with_capacity(Layer::ALL.len());
        require_one_thread(policy.strictness)?;
        volunteer_for_the_oom_killer();

        // Privileged steps first, then the privileges go.
        namespaces::enter(policy.namespaces, root, policy.grants_directories(), &mut layers);
        credentials::leave_root(root, policy.uid, &mut layers);
        credentials::drop_capabilities().map_err(|errno| ConfineError::Capabilities(errno.into()))?;

        // The kernel resets these two when credentials change.
        layers.push(outcome(
            Layer::NotDumpable,
            rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable),
            "memory closed to other processes",
        ));
        layers.push(outcome(
            Layer::ParentDeathSignal,
            rustix::process::set_parent_process_death_signal(Some(Signal::KILL)),
            "SIGKILL",
        ));
        // Between the change of credentials and the line above, the supervisor's death went unnoticed.
        if rustix::process::getppid() != parent {
            return Err(ConfineError::SupervisorGone);
        }

        layers.push(outcome(Layer::NoNewPrivs, rustix::thread::set_no_new_privs(true), "for good"));
        layers.push(match files::restrict(&policy.readable, &policy.writable) {
            Ok(Ok(detail)) => Applied::active(Layer::Landlock, &detail),
            Ok(Err(why)) => Applied::missing(Layer::Landlock, &why),
            Err(error @ FilesError::Open { .. }) => return Err(ConfineError::Grant(error.to_string())),
            Err(error @ FilesError::Ruleset(_)) => Applied::missing(Layer::Landlock, &error.to_string()),
        });
        check(&layers, policy.strictness)?;
        Ok(FilesLocked { layers })
    }
}

impl FilesLocked {
    /// Takes away all system calls but those of the role's table, from all threads.
    ///
    /// Call it after warm-up. A worker must have started all its threads; a compiler may start more. From here on no file
    /// can be written (unless a directory is granted, and by a compiler), memfds included.
    ///
    /// # Errors
    ///
    /// [`ConfineError::LayerMissing`]; the process must end.
    pub fn lock_syscalls(self, policy: &Policy) -> Result<Confined, ConfineError> {
        let Self { mut layers } = self;
        layers.push(outcome(Layer::Rlimits, last_limits(policy), "core files, descriptors, file size, processes"));
        let installed = Filters::compile(policy.rules(), std::process::id())
            .map_err(seccompiler::Error::from)
            .and_then(|filters| filters.install().map(|()| filters.instructions()));
        layers.push(match installed {
            Ok(instructions) => {
                let calls = policy.rules().count();
                Applied::active(Layer::Seccomp, &format!("{calls} calls listed, {instructions} instructions"))
            }
            Err(error) => Applied::missing(Layer::Seccomp, &error.to_string()),
        });
        check(&layers, policy.strictness)?;
        layers.sort_by_key(|applied| Layer::ALL.iter().position(|&layer| layer == applied.layer));
        Ok(Confined { layers })
    }

    /// What became of each layer so far.
    #[must_use]
    pub fn layers(&self) -> &[Applied] {
        &self.layers
    }
}

impl Confined {
    /// What became of each layer.
    #[must_use]
    pub fn layers(&self) -> &[Applied] {
        &self.layers
    }
}

fn require_one_thread(strictness: Strictness) -> Result<(), ConfineError> {
    match (std::fs::read_dir(PathBuf::from("/proc/self/task")), strictness) {
        (Ok(entries), _) => match entries.count() {
            1 => Ok(()),
            threads => Err(ConfineError::Threads(threads)),
        },
        (Err(error), Strictness::Required) => Err(ConfineError::CountThreads(error)),
        (Err(_), Strictness::BestEffort) => Ok(()),
    }
}

/// When memory runs out, a worker goes before its supervisor: its task can be tried again. Not a layer, and no loss where
/// it can't be had.
fn volunteer_for_the_oom_killer() {
    let _ = std::fs::write("/proc/self/oom_score_adj", "500");
}

/// The limits that warm-up would have hit.
fn last_limits(policy: &Policy) -> rustix::io::Result<()> {
    match policy.role {
        Role::Worker => {
            let file_bytes = if policy.writable.is_empty() { 0 } else { policy.file_bytes };
            limits::lower(Resource::Fsize, file_bytes)?;
            limits::lower(Resource::Nproc, 0)?;
        }
        // It writes its result to a memfd under the limit it was started with, and starts threads, which count as processes.
        Role::Compiler => {}
    }
    limits::lower(Resource::Core, 0)
}

fn outcome(layer: Layer, outcome: rustix::io::Result<()>, detail: &str) -> Applied {
    match outcome {
        Ok(()) => Applied::active(layer, detail),
        Err(errno) => Applied::missing(layer, &format!("the kernel refused it: {errno}")),
    }
}

fn check(layers: &[Applied], strictness: Strictness) -> Result<(), ConfineError> {
    use crate::layer::LayerState;
    let missing = layers.iter().find_map(|applied| match &applied.state {
        LayerState::Missing(why) if applied.layer.required() => Some((applied.layer, why.clone())),
        LayerState::Missing(_) | LayerState::Active(_) => None,
    });
    match (missing, strictness) {
        (Some((layer, why)), Strictness::Required) => Err(ConfineError::LayerMissing { layer, why }),
        (Some(_), Strictness::BestEffort) | (None, _) => Ok(()),
    }
}

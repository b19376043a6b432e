//! Inside the child: taking the walls, in two steps that the types keep in order.
//!
//! [`Unconfined`] -> [`Confined`] -> [`Sealed`]. Each step consumes the value before it, so a later one
//! can't be forgotten, done twice or done early.
//!
//! * [`Confined`]: own uid, no capability, `no_new_privs`, namespaces, Landlock, and a first filter that
//!   leaves what loading code needs. A function that parses, maps or relocates bytes that a compile child
//!   wrote asks for a `&Confined`: that child may be an attacker's.
//! * [`Sealed`]: the last filter and limits. A function that runs a guest comes after it.
//!
//! Rejected: mapping the code first, while `/proc` is there. The engine hands tables of the artifact to
//! the unwinder and panics on some broken ones, which is native code of an attacker in a process that is
//! still root.

use std::io;
use std::os::fd::{AsFd, AsRawFd as _, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::process::{DumpableBehavior, Pid, Resource, Signal};

use crate::layer::{Applied, Layer, LayerState, Strictness};
use crate::limits::Sizes;
use crate::policy::{Policy, Role};
use crate::seccomp::Filters;
use crate::speculation;
use crate::tree::TreeError;
use crate::{credentials, files, limits, namespaces};

/// Why a process could not be confined as asked. It must end then. Each text fits "failed to ...".
#[derive(Debug, thiserror::Error)]
pub enum ConfineError {
    /// `/proc` has no count of threads.
    #[error("count this process's threads: {0}")]
    CountThreads(io::Error),
    /// Landlock would bind one thread and miss the others.
    #[error("lock files: the process already has {0} threads, and may have one only")]
    Threads(usize),
    /// A granted directory is no longer where it was opened.
    #[error("{0}")]
    Grant(String),
    /// The supervisor died while the child confined itself.
    #[error("find the supervisor alive while taking the walls")]
    SupervisorGone,
    /// Capabilities could not be given up.
    #[error("give up all capabilities: {0}")]
    Capabilities(io::Error),
    /// The uid that the supervisor chose can't be taken.
    #[error("take a uid of its own: {0}")]
    Uid(io::Error),
    /// The own descriptors can't be named.
    #[error("open /proc/self/fd: {0}")]
    Descriptors(io::Error),
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

/// A process that reaches no file, no other process and no privilege, under its first filter.
#[derive(Debug)]
pub struct Confined {
    layers: Vec<Applied>,
    root: bool,
    /// `/proc/self/fd`, until code was opened by it.
    descriptors: Option<OwnedFd>,
    directories: Vec<PathBuf>,
    sizes: Sizes,
}

/// A process that is confined for good.
#[derive(Debug)]
pub struct Sealed {
    layers: Vec<Applied>,
}

impl Unconfined {
    /// Enters namespaces, gives up user and capabilities, locks the file tree, and installs the first
    /// filter.
    ///
    /// Call it while the process has one thread and before it reads any byte that is not the supervisor's. What has to be
    /// read from files (processor counts, `/proc/self/pagemap`) must have been opened before: afterwards the process may
    /// not even open its own `/proc/self`.
    ///
    /// # Errors
    ///
    /// [`ConfineError`]; the process is partly confined then, and must end.
    pub fn confine(self, policy: &Policy) -> Result<Confined, ConfineError> {
        let parent = rustix::process::getppid();
        let root = rustix::process::geteuid().is_root();
        let mut layers = Vec::with_capacity(Layer::ALL.len());
        require_one_thread(policy.strictness)?;
        volunteer_for_the_oom_killer();
        let sizes = Sizes::of_this_process();
        let descriptors = openat(CWD, "/proc/self/fd", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
            .map_err(|errno| ConfineError::Descriptors(errno.into()))?;

        // Privileged steps first, then the privileges go.
        let paths =
            namespaces::enter(policy, root, &mut layers).map_err(|error: TreeError| ConfineError::Grant(error.to_string()))?;
        credentials::leave_root(root, policy.uid, &mut layers);
        credentials::drop_capabilities().map_err(|errno| ConfineError::Capabilities(errno.into()))?;
        // A zygote binds its processes to a number, where that counts its own and not all of a user's.
        if policy.role == Role::Zygote && layers.iter().any(is_own_count) {
            let _ = limits::lower(Resource::Nproc, limits::ZYGOTE_PROCESSES);
        }

        // The kernel resets these two when credentials change. The supervisor of an ordinary user opens
        // the page map of a forked worker, which is then still dumpable.
        let behavior =
            if policy.role == Role::Zygote && !root { DumpableBehavior::Dumpable } else { DumpableBehavior::NotDumpable };
        layers.push(match (rustix::process::set_dumpable_behavior(behavior), behavior) {
            (Ok(()), DumpableBehavior::NotDumpable) => Applied::active(Layer::NotDumpable, NOT_DUMPABLE),
            (Ok(()), _) => Applied::missing(Layer::NotDumpable, "set by each worker"),
            (Err(errno), _) => Applied::missing(Layer::NotDumpable, &refused(errno)),
        });
        layers.push(tie_to(parent)?);

        layers.push(outcome(Layer::NoNewPrivs, rustix::thread::set_no_new_privs(true), "for good"));
        layers.push(match files::restrict(&policy.directories) {
            Ok(Ok(detail)) => Applied::active(Layer::Landlock, &detail),
            Ok(Err(why)) => Applied::missing(Layer::Landlock, &why),
            Err(error) => Applied::missing(Layer::Landlock, &error.to_string()),
        });
        layers.push(if policy.restrict_speculation {
            speculation::restrict()
        } else {
            Applied::missing(Layer::Speculation, "not asked for")
        });
        layers.push(install(Filters::compile(policy.boot_rules(), std::process::id()), policy.boot_rules().count()));
        check(&layers, policy, root, |layer| layer != Layer::NotDumpable)?;
        let directories = paths.unwrap_or_else(|| {
            let by_number = |directory: &crate::policy::Directory| format!("/proc/self/fd/{}", directory.descriptor.as_raw_fd());
            policy.directories.iter().map(|directory| by_number(directory).into()).collect()
        });
        Ok(Confined { layers, root, descriptors: Some(descriptors), directories, sizes })
    }
}

const NOT_DUMPABLE: &str = "memory closed to other processes";

impl Confined {
    /// Opens a descriptor of this process by a name, as libraries want that know paths only: `open` gets
    /// a path that leads to it during the call. Works once; after it no name leads anywhere.
    ///
    /// # Errors
    ///
    /// [`ConfineError::Descriptors`] if the process can't go there or back, or did before.
    pub fn open_by_name<T>(&mut self, descriptor: impl AsFd, open: impl FnOnce(&Self, &Path) -> T) -> Result<T, ConfineError> {
        let failed = |errno: rustix::io::Errno| ConfineError::Descriptors(errno.into());
        let names = self.descriptors.take().ok_or_else(|| failed(rustix::io::Errno::NOENT))?;
        rustix::process::fchdir(&names).map_err(failed)?;
        let name = descriptor.as_fd().as_raw_fd().to_string();
        let opened = open(self, Path::new(&name));
        rustix::process::chdir("/").map_err(failed)?;
        Ok(opened)
    }

    /// A process that is not confined at all, for tests and benches that load code which they compiled
    /// themselves.
    #[cfg(feature = "unconfined")]
    #[must_use]
    pub fn pretended() -> Self {
        let sizes = Sizes { data: None, address_space: None };
        Self { layers: Vec::new(), root: false, descriptors: None, directories: Vec::new(), sizes }
    }

    /// The paths of the granted directories in this process's file tree, in the policy's order.
    #[must_use]
    pub fn directories(&self) -> &[PathBuf] {
        &self.directories
    }

    /// What a worker that was just forked takes anew: its uid, and what the kernel reset.
    ///
    /// # Errors
    ///
    /// [`ConfineError`]; the process must end.
    pub(crate) fn settle_forked(&mut self, own_uid: Option<u32>, parent: Option<Pid>) -> Result<(), ConfineError> {
        if let Some(uid) = own_uid {
            credentials::take_ids(uid).map_err(|errno| ConfineError::Uid(errno.into()))?;
            self.replace(Applied::active(Layer::Uid, &format!("{uid}, no groups")));
        }
        credentials::drop_capabilities().map_err(|errno| ConfineError::Capabilities(errno.into()))?;
        let outcome =
            outcome(Layer::NotDumpable, rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable), NOT_DUMPABLE);
        self.replace(outcome);
        let tied = tie_to(parent)?;
        self.replace(tied);
        Ok(())
    }

    fn replace(&mut self, applied: Applied) {
        self.layers.retain(|other| other.layer != applied.layer);
        self.layers.push(applied);
    }

    /// Takes away all system calls but those of the role's table, from all threads.
    ///
    /// Call it after warm-up, when all threads run. From here on no file can be written (unless a
    /// directory is granted, and by a compiler), memfds included.
    ///
    /// # Errors
    ///
    /// [`ConfineError::LayerMissing`]; the process must end.
    pub fn seal(self, policy: &Policy) -> Result<Sealed, ConfineError> {
        let Self { mut layers, root, sizes, .. } = self;
        layers.push(outcome(
            Layer::Rlimits,
            last_limits(policy, &sizes),
            "memory, core files, descriptors, file size, processes",
        ));
        layers.retain(|applied| applied.layer != Layer::Seccomp);
        layers.push(install(Filters::compile(policy.rules(), std::process::id()), policy.rules().count()));
        check(&layers, policy, root, |_| true)?;
        layers.sort_by_key(|applied| Layer::ALL.iter().position(|&layer| layer == applied.layer));
        Ok(Sealed { layers })
    }

    /// What became of each layer so far.
    #[must_use]
    pub fn layers(&self) -> &[Applied] {
        &self.layers
    }
}

impl Sealed {
    /// What became of each layer.
    #[must_use]
    pub fn layers(&self) -> &[Applied] {
        &self.layers
    }
}

/// Ties this process to its parent's life.
fn tie_to(parent: Option<Pid>) -> Result<Applied, ConfineError> {
    let tied = outcome(Layer::ParentDeathSignal, rustix::process::set_parent_process_death_signal(Some(Signal::KILL)), "SIGKILL");
    // If the parent died before the line above, no signal comes.
    if rustix::process::getppid() == parent { Ok(tied) } else { Err(ConfineError::SupervisorGone) }
}

fn install(filters: Result<Filters, seccompiler::BackendError>, calls: usize) -> Applied {
    let installed =
        filters.map_err(seccompiler::Error::from).and_then(|filters| filters.install().map(|()| filters.instructions()));
    match installed {
        Ok(instructions) => Applied::active(Layer::Seccomp, &format!("{calls} calls listed, {instructions} instructions")),
        Err(error) => Applied::missing(Layer::Seccomp, &error.to_string()),
    }
}

/// Whether the kernel counts this process's uid, or its user namespace, apart from the rest of the machine.
fn is_own_count(applied: &Applied) -> bool {
    applied.is_active() && matches!(applied.layer, Layer::Uid | Layer::UserNamespace)
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
fn last_limits(policy: &Policy, sizes: &Sizes) -> rustix::io::Result<()> {
    match policy.role {
        Role::Worker | Role::Zygote => {
            limits::lower(Resource::Fsize, if policy.writes() { policy.file_bytes } else { 0 })?;
            if let (Some(memory), Some(data)) = (policy.memory_bytes, sizes.data) {
                limits::lower(Resource::Data, data.saturating_add(memory))?;
            }
            if let Some(space) = sizes.address_space {
                limits::lower(Resource::As, space.saturating_add(limits::SPARE_ADDRESS_SPACE))?;
            }
        }
        // It writes its result to a memfd under the limit it was started with.
        Role::Compiler => {}
    }
    for resource in [Resource::Nproc, Resource::Core, Resource::Memlock, Resource::Msgqueue, Resource::Nice, Resource::Rtprio] {
        limits::lower(resource, 0)?;
    }
    Ok(())
}

fn outcome(layer: Layer, outcome: rustix::io::Result<()>, detail: &str) -> Applied {
    match outcome {
        Ok(()) => Applied::active(layer, detail),
        Err(errno) => Applied::missing(layer, &refused(errno)),
    }
}

fn refused(errno: rustix::io::Errno) -> String {
    format!("the kernel refused it: {errno}")
}

fn check(layers: &[Applied], policy: &Policy, root: bool, counts: impl Fn(Layer) -> bool) -> Result<(), ConfineError> {
    let missing = layers.iter().find_map(|applied| match &applied.state {
        LayerState::Missing(why) if policy.requires(applied.layer, root) && counts(applied.layer) => {
            Some((applied.layer, why.clone()))
        }
        LayerState::Missing(_) | LayerState::Active(_) => None,
    });
    match (missing, policy.strictness) {
        (Some((layer, why)), Strictness::Required) => Err(ConfineError::LayerMissing { layer, why }),
        (Some(_), Strictness::BestEffort) | (None, _) => Ok(()),
    }
}

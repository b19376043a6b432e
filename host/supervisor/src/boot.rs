//! What workers are told first.
//!
//! Workers of the first component may see what the user granted it; workers of other components see nothing, though they were started by a
//! task that does: what a program is trusted with, the modules that it uses are not.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use taskcell_broker::{ModuleId, WorkerSpec};
use taskcell_sandbox::{Strictness, WorkerUid};
use taskcell_wire::{Boot, Grants, Limits, PROTOCOL_VERSION, ToWorker, encode, limits};

use crate::component::Component;
use crate::directories;
use crate::error::Error;
use crate::pool::cpu_count;

/// Kinds of workers whose boot message is kept.
const PLANS: usize = 32;

/// All that a worker is started with.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) component: Component,
    /// The boot message, encoded once.
    pub(crate) frame: Arc<[u8]>,
    pub(crate) limits: Limits,
    /// What its guest may reach, in the order of the grants.
    pub(crate) directories: Arc<[OwnedFd]>,
    /// Tells it from the job's other plans.
    pub(crate) number: u64,
}

impl Plan {
    pub(crate) fn code(&self) -> &OwnedFd {
        self.component.code()
    }
}

/// The plans of all kinds of workers.
#[derive(Debug)]
pub(crate) struct Boots {
    modules: Vec<(String, Component)>,
    grants: Grants,
    directories: Arc<[OwnedFd]>,
    strictness: Strictness,
    restrict_speculation: bool,
    send_printed: bool,
    next: u64,
    /// The latest first.
    plans: Vec<(WorkerSpec, Plan)>,
}

impl Boots {
    /// Opens the granted directories.
    ///
    /// # Errors
    /// [`Error::Directory`].
    pub(crate) fn new(
        modules: Vec<(String, Component)>,
        mut grants: Grants,
        strictness: Strictness,
        restrict_speculation: bool,
        send_printed: bool,
    ) -> Result<Self, Error> {
        let directories = directories::open(&mut grants.dirs)?;
        Ok(Self { modules, grants, directories, strictness, restrict_speculation, send_printed, next: 0, plans: Vec::new() })
    }

    /// The plan of workers like this; made when the first of them is started.
    ///
    /// # Errors
    /// [`Error::Wire`] if the component's description is too long to be sent.
    pub(crate) fn of(&mut self, spec: &WorkerSpec) -> Result<Plan, Error> {
        if let Some((_, plan)) = self.plans.iter().find(|(known, _)| known == spec) {
            return Ok(plan.clone());
        }
        let plan = self.plan(spec)?;
        // A guest may ask for any number of kinds.
        self.plans.truncate(PLANS - 1);
        self.plans.insert(0, (*spec, plan.clone()));
        Ok(plan)
    }

    fn plan(&mut self, spec: &WorkerSpec) -> Result<Plan, Error> {
        let ModuleId(module) = spec.module;
        let (_, component) = self.modules.get(usize::from(module)).ok_or_else(|| Error::Stopped("no such module".into()))?;
        let mut limits = component.limits().clone();
        limits.memory_bytes = spec.memory_bytes.map_or(limits.memory_bytes, |bytes| bytes.min(limits.memory_bytes));
        let mut grants = if module == 0 { self.grants.clone() } else { Grants::default() };
        if spec.program {
            // What a program prints is what the command prints.
            limits.log_bytes = u64::MAX;
        } else {
            grants.args = Vec::new();
            grants.stdin = false;
        }
        let directories = if grants.dirs.is_empty() { Arc::default() } else { Arc::clone(&self.directories) };
        let boot = ToWorker::Boot(Box::new(Boot {
            version: PROTOCOL_VERSION,
            interface: component.interface().clone(),
            limits: limits.clone(),
            grants,
            isolation: spec.isolation,
            strict: self.strictness == Strictness::Required,
            restrict_speculation: self.restrict_speculation,
            send_printed: self.send_printed,
            cpus: cpu_count().get(),
        }));
        let mut frame = Vec::new();
        encode(&boot, limits::INTERFACE_FRAME, &mut frame)?;
        let number = self.next;
        self.next += 1;
        Ok(Plan { component: component.clone(), frame: frame.into(), limits, directories, number })
    }
}

impl Boots {
    /// Under which user a worker has to run.
    pub(crate) fn uid(&self, spec: Option<&WorkerSpec>) -> WorkerUid {
        let granted = spec.is_some_and(|spec| spec.module == ModuleId(0)) && !self.directories.is_empty();
        if granted { WorkerUid::Keep } else { WorkerUid::OwnIfRoot }
    }
}

/// Whether modules may be started under these names.
///
/// # Errors
/// [`Error::ModuleName`], or [`Error::MissingImport`] of one of them.
pub(crate) fn check_modules(modules: &[(String, Component)]) -> Result<(), Error> {
    for (at, (name, component)) in modules.iter().enumerate() {
        component.check_imports()?;
        let plain =
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
        let why = if !plain {
            "it may have letters, digits, - _ and . only"
        } else if modules.iter().take(at).any(|(other, _)| other == name) {
            "another module has it"
        } else {
            continue;
        };
        return Err(Error::ModuleName { name: name.clone(), why });
    }
    Ok(())
}

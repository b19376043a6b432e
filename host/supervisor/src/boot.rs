//! What workers are told first.
//!
//! Workers of the first component may see what the user granted it; workers of other components see nothing, though they were started by a
//! task that does: what a program is trusted with, the modules that it uses are not.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use taskcell_broker::{ModuleId, WorkerSpec};
use taskcell_sandbox::Strictness;
use taskcell_wire::{Boot, Grants, Limits, PROTOCOL_VERSION, ToWorker, encode, limits};

use crate::component::Component;
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
    /// Whether its guest may open files.
    pub(crate) opens_files: bool,
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
    strictness: Strictness,
    send_printed: bool,
    /// The latest first.
    plans: Vec<(WorkerSpec, Plan)>,
}

impl Boots {
    pub(crate) fn new(modules: Vec<(String, Component)>, grants: Grants, strictness: Strictness, send_printed: bool) -> Self {
        Self { modules, grants, strictness, send_printed, plans: Vec::new() }
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

    fn plan(&self, spec: &WorkerSpec) -> Result<Plan, Error> {
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
        let opens_files = !grants.dirs.is_empty();
        let boot = ToWorker::Boot(Box::new(Boot {
            version: PROTOCOL_VERSION,
            interface: component.interface().clone(),
            limits: limits.clone(),
            grants,
            isolation: spec.isolation,
            strict: self.strictness == Strictness::Required,
            send_printed: self.send_printed,
            cpus: cpu_count().get(),
        }));
        let mut frame = Vec::new();
        encode(&boot, limits::INTERFACE_FRAME, &mut frame)?;
        Ok(Plan { component: component.clone(), frame: frame.into(), limits, opens_files })
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

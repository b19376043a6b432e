//! From accepted bytes to machine code, and from code to a description of it. Runs in compile children.

use std::sync::OnceLock;

use taskcell_sandbox::Confined;
use taskcell_wire::{Interface, Limits, RefusalKind};
use wasmparser::{Validator, WasmFeatures};
use wasmtime::component::Component;

use crate::error::{EngineError, one_line};
use crate::load::{self, CodeFile};
use crate::{accept, config, interface, link};

/// Machine code.
#[derive(Debug)]
pub struct Code {
    /// What a worker of the same version and settings loads.
    pub bytes: Vec<u8>,
    /// Whether it needs support for `async func`.
    pub is_concurrent: bool,
    /// Whether making an instance runs code of the guest.
    pub has_start: bool,
}

/// Compiles what a user named: a component or a core module that can become one, binary or text. Makes nothing executable.
///
/// `concurrency`: whether components with `async func` are accepted. The engine's support for them is young and has had faults
/// of memory, so the author of a component can't switch it on.
///
/// # Errors
/// [`EngineError::Refused`] with the reason; [`EngineError::Configure`] if there is no engine on this machine.
pub fn compile(bytes: &[u8], limits: &Limits, concurrency: bool) -> Result<Code, EngineError> {
    let binary = accept::accept(bytes)?;
    let has_start = accept::has_start(&binary);
    // Without support for `async func` if the component does without, since that support makes every call dearer.
    let plain = config::compiling(limits, false, threads())?;
    let first = match plain.precompile_component(&binary) {
        Ok(bytes) => return Ok(Code { bytes, is_concurrent: false, has_start }),
        Err(error) => error,
    };
    if !concurrency && needs_concurrency(&binary) {
        return Err(EngineError::refuse(RefusalKind::Unsupported, NEEDS_ASYNC));
    }
    if concurrency && let Ok(bytes) = config::compiling(limits, true, threads())?.precompile_component(&binary) {
        return Ok(Code { bytes, is_concurrent: true, has_start });
    }
    Err(EngineError::refuse(RefusalKind::Malformed, format!("broken or unsupported: {}", one_line(&first))))
}

const NEEDS_ASYNC: &str = "it has `async func` of the component model, which the engine supports only since recently; \
                           --async (ComponentOptions::concurrency) accepts it";

/// Whether a component is sound with async features of the component model and broken without.
fn needs_concurrency(binary: &[u8]) -> bool {
    let with = WasmFeatures::default() | WasmFeatures::CM_ASYNC;
    let without = WasmFeatures::default() - WasmFeatures::CM_ASYNC;
    let is_sound = |features| Validator::new_with_features(features).validate_all(binary).is_ok();
    is_sound(with) && !is_sound(without)
}

/// Whether this process has threads to compile with; starts them at the first call. Without them it compiles alone: the compiler's own
/// way to start them is a panic where the machine has no more.
fn threads() -> bool {
    static STARTED: OnceLock<bool> = OnceLock::new();
    *STARTED.get_or_init(|| {
        let built = rayon::ThreadPoolBuilder::new().build_global().is_ok();
        if built {
            // Each makes system calls of its own before its first job, which may be refused later.
            rayon::broadcast(|_| ());
        }
        built
    })
}

/// Compiles something small and known, so that the threads that compile exist before the process confines itself.
///
/// # Errors
/// [`EngineError::Configure`] if there is no engine on this machine.
pub fn warm_up(limits: &Limits) -> Result<(), EngineError> {
    compile(b"(component (core module (func)))", limits, false).map(drop)
}

/// Code that was loaded, to be described.
pub struct Opened {
    component: Component,
    is_concurrent: bool,
    has_start: bool,
}

impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Opened")
    }
}

/// Loads code in a compile child, to describe it. `is_concurrent` and `has_start` are those of [`Code`].
///
/// # Errors
/// [`EngineError::Load`] if it is no code of this engine.
pub fn open(
    confined: &Confined,
    code: &CodeFile<'_>,
    limits: &Limits,
    is_concurrent: bool,
    has_start: bool,
) -> Result<Opened, EngineError> {
    let engine = config::compiling(limits, is_concurrent, false)?;
    Ok(Opened { component: load::load(confined, &engine, code)?, is_concurrent, has_start })
}

impl Opened {
    /// What the code exports and needs.
    ///
    /// # Errors
    /// [`EngineError::Describe`] if its types are too many or too deep; [`EngineError::Link`].
    pub fn describe(&self) -> Result<Interface, EngineError> {
        let linker = link::provide(&self.component)?;
        interface::describe(&self.component, &linker, self.is_concurrent, self.has_start)
    }
}

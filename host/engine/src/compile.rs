//! From accepted bytes to machine code and a description of it. Runs in the compile child.

use taskcell_wire::{Interface, Limits, RefusalKind};
use wasmtime::component::{Component, Linker};

use crate::error::{EngineError, one_line};
use crate::state::State;
use crate::{accept, config, interface, link};

/// Machine code, and what it exports and needs.
#[derive(Debug)]
pub struct Code {
    /// What a worker of the same version and settings loads.
    pub bytes: Vec<u8>,
    /// Exports, imports, types.
    pub interface: Interface,
}

/// Compiles what a user named: a component or a core module that can become one, binary or text.
///
/// # Errors
/// [`EngineError::Refused`] with the reason; [`EngineError::Configure`] if there is no engine on this machine.
pub fn compile(bytes: &[u8], limits: &Limits) -> Result<Code, EngineError> {
    let binary = accept::accept(bytes)?;
    let (component, concurrent) = build(&binary, limits)?;
    let mut linker: Linker<State> = Linker::new(component.engine());
    link::add_provided(&mut linker)?;
    let interface = interface::describe(&component, &linker, concurrent)?;
    let bytes = component
        .serialize()
        .map_err(|error| EngineError::refuse(RefusalKind::Unsupported, format!("can't be compiled: {}", one_line(&error))))?;
    Ok(Code { bytes, interface })
}

/// Without support for `async func` if the component does without, since that support makes every call dearer.
fn build(binary: &[u8], limits: &Limits) -> Result<(Component, bool), EngineError> {
    let plain = config::compiling(limits, false)?;
    match Component::from_binary(&plain, binary) {
        Ok(component) => Ok((component, false)),
        Err(first) => {
            let concurrent = config::compiling(limits, true)?;
            match Component::from_binary(&concurrent, binary) {
                Ok(component) => Ok((component, true)),
                Err(_) => Err(EngineError::refuse(RefusalKind::Malformed, format!("broken or unsupported: {}", one_line(&first)))),
            }
        }
    }
}

/// Compiles something small and known, so that the threads that compile exist before the process confines itself.
///
/// # Errors
/// [`EngineError::Configure`] if there is no engine on this machine.
pub fn warm_up(limits: &Limits) -> Result<(), EngineError> {
    compile(b"(component (core module (func)))", limits).map(drop)
}

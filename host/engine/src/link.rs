//! What this host provides to guests: WASI 0.2, empty (no files, no network, no environment beyond what was granted), and its own
//! package (see [`host`]).

use wasmtime::component::{Component, Linker};

use crate::error::{EngineError, one_line};
use crate::host;
use crate::state::State;

/// Packages of WASI 0.2 that [`provide`] links.
const WASI: [&str; 6] = ["wasi:cli/", "wasi:clocks/", "wasi:filesystem/", "wasi:io/", "wasi:random/", "wasi:sockets/"];

/// Whether an import of this name is among what [`provide`] links. A minor version that is newer than the host's counts as
/// provided here; whether its functions are all there is found when a worker links it.
pub(crate) fn is_provided(name: &str) -> bool {
    host::is_provided(name) || WASI.iter().any(|package| name.starts_with(package)) && name.contains("@0.2.")
}

/// A linker with everything that this component may import. The one who describes it and the one who runs it both use this, so that
/// its resources are the same in both descriptions.
pub(crate) fn provide(component: &Component) -> Result<Linker<State>, EngineError> {
    let engine = component.engine();
    let mut linker = Linker::new(engine);
    let ty = component.component_type();
    // Adding what nobody imports would take a worker as long as loading its code does.
    if ty.imports(engine).any(|(name, _)| name.starts_with("wasi:")) {
        wasmtime_wasi::p2::add_to_linker_sync(&mut linker).map_err(|error| EngineError::Link(one_line(&error)))?;
    }
    host::add_to_linker(&mut linker, ty.imports(engine).map(|(name, _)| name))?;
    Ok(linker)
}

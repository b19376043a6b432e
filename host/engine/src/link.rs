//! What this host provides to guests: WASI 0.2, empty (no files, no network, no environment beyond what was granted).

use wasmtime::component::Linker;

use crate::error::{EngineError, one_line};
use crate::state::State;

/// Packages of WASI 0.2 that [`add_provided`] links.
const WASI: [&str; 6] = ["wasi:cli/", "wasi:clocks/", "wasi:filesystem/", "wasi:io/", "wasi:random/", "wasi:sockets/"];

/// Whether an import of this name is among what [`add_provided`] links. A minor version that is newer than the host's counts as
/// provided here; whether its functions are all there is found when a worker links it.
pub(crate) fn is_provided(name: &str) -> bool {
    WASI.iter().any(|package| name.starts_with(package)) && name.contains("@0.2.")
}

/// Adds everything that a guest may import.
pub(crate) fn add_provided(linker: &mut Linker<State>) -> Result<(), EngineError> {
    wasmtime_wasi::p2::add_to_linker_sync(linker).map_err(|error| EngineError::Link(one_line(&error)))
}

//! Where guests for tests are.

use std::path::{Path, PathBuf};

/// The repository's folder.
///
/// # Panics
/// If the package lies nowhere.
#[must_use]
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests' package lies in the repository")
}

/// A component in text form, `tests/guests/NAME.wat`.
///
/// # Panics
/// If there is none.
#[must_use]
pub fn wat(name: &str) -> PathBuf {
    let path = repository().join("tests/guests").join(format!("{name}.wat"));
    assert!(path.is_file(), "no guest {}", path.display());
    path
}

/// A guest that `guest/build` built from Rust, by the name of its example.
///
/// # Panics
/// If it is not built.
#[must_use]
pub fn built(name: &str) -> PathBuf {
    let cache = std::env::var_os("TASKCELL_CACHE").map_or_else(|| repository().join(".cache"), PathBuf::from);
    let path = cache.join("guests").join(format!("{name}.wasm"));
    assert!(path.is_file(), "{} is not built: run tests/run, or guest/build alone", path.display());
    path
}

/// A guest that is built or fetched by a script which not every machine can run: `None` with a line that says so, so that who reads the
/// tests' output sees what was not tested.
///
/// # Panics
/// If there is none and `TASKCELL_GUESTS=all` is in the environment.
#[must_use]
#[allow(clippy::print_stderr, reason = "who reads the tests' output has to see what was not tested")]
pub fn if_built(name: &str, script: &str) -> Option<PathBuf> {
    let cache = std::env::var_os("TASKCELL_CACHE").map_or_else(|| repository().join(".cache"), PathBuf::from);
    let path = cache.join("guests").join(format!("{name}.wasm"));
    if path.is_file() {
        return Some(path);
    }
    let all = std::env::var_os("TASKCELL_GUESTS").is_some_and(|which| which == "all");
    assert!(!all, "{} is not there: run {script}", path.display());
    eprintln!("skipped: {name} is not there ({script})");
    None
}

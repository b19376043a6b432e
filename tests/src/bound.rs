//! Waiting for a condition: often enough to be fast, long enough never to fail for a slow machine.

use std::time::{Duration, Instant};

/// How long anything may take before it counts as hanging.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// Between two looks.
const LOOK: Duration = Duration::from_millis(5);

/// Waits until `look` gives something.
///
/// # Panics
/// If it takes longer than [`PATIENCE`]; `what` is what was waited for.
pub fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "waited {PATIENCE:?} in vain for {what}");
        std::thread::sleep(LOOK);
    }
}

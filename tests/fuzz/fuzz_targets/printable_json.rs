//! A result from a worker that was taken over: what is let through can neither end a line nor move a cursor.
#![no_main]

use libfuzzer_sys::fuzz_target;
use taskcell_engine::values::is_printable_json;

fuzz_target!(|bytes: &[u8]| {
    if !is_printable_json(bytes) {
        return;
    }
    let text = std::str::from_utf8(bytes).unwrap();
    assert!(!text.chars().any(|c| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')), "{text:?}");
    if let Err(error) = serde_json::from_str::<serde_json::Value>(text) {
        // Building a value has a limit that skipping one has not, and numbers that no float holds.
        let why = error.to_string();
        assert!(why.contains("recursion limit") || why.contains("number out of range"), "{text:?}: {why}");
    }
});

//! A description from a compile child that was taken over: what passes the check must be harmless to walk and to print.
#![no_main]

use libfuzzer_sys::fuzz_target;
use taskcell_engine::values::{find_task, json_schema, signature_text, type_text};
use taskcell_wire::{Interface, TypeId, codec};

fuzz_target!(|bytes: &[u8]| {
    let Ok(interface) = codec::decode::<Interface>(bytes) else { return };
    if interface.check().is_err() {
        return;
    }
    assert!(interface.types.depth() <= 200);
    for at in 0..interface.types.len().min(100) {
        let ty = TypeId(u32::try_from(at).unwrap());
        assert_plain(&type_text(&interface.types, ty));
        let _ = json_schema(&interface.types, ty);
    }
    for task in interface.tasks.iter().take(100) {
        assert_plain(&signature_text(&interface.types, task));
        // The first of that name, unless several interfaces have it.
        let _ = find_task(&interface, &task.name);
    }
});

/// Such texts go to a terminal.
fn assert_plain(text: &str) {
    assert!(!text.chars().any(char::is_control), "{text:?}");
}

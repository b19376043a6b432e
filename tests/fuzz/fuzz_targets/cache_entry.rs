//! An entry of the cache, digest aside: what is decoded is a sound description, with its code behind it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use taskcell_wire::entry;

/// So that mutations get past the digest.
fn agreeable(_: &[&[u8]]) -> [u8; 32] {
    [0; 32]
}

fuzz_target!(|bytes: &[u8]| {
    let mut whole = vec![0; 32];
    whole.extend_from_slice(bytes);
    let Some((interface, code)) = entry::decode(&whole, agreeable) else { return };
    assert!(code <= whole.len());
    assert_eq!(interface.check(), Ok(()));
    let head = entry::head(&interface, &whole[code..], agreeable).unwrap();
    let (again, at) = entry::decode(&[&head, &whole[code..]].concat(), agreeable).unwrap();
    assert_eq!((again, at), (interface, head.len()));
});

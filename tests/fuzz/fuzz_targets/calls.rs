//! Calls of hostile guests on everything that is shared. The driver is that of `host/broker/tests/hostile_calls.rs`, which plays it by
//! seed with any compiler: it says what must hold.
#![no_main]
#![allow(clippy::cast_possible_truncation, reason = "the numbers of a history are small")]

#[path = "../../../host/broker/tests/host/mod.rs"]
mod host;
#[path = "../../../host/broker/tests/hostile/mod.rs"]
#[allow(dead_code, reason = "how often what happened is counted for the stable twin")]
mod hostile;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| hostile::Hostile::new(bytes).play());

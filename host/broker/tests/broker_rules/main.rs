//! The broker's rules, one by one: what a call is answered, what an end brings, what can be reached.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

#[path = "../host/mod.rs"]
mod host;

mod circles;
mod handles;
mod late;
mod limits;
mod loans;
mod pools;
mod processes;
mod rights;
mod speed;
mod standstill;
mod waits;

//! The pool's rules, one by one. What they give together under random histories is `model.rs`.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod bench;
mod deaths;
mod expiry;
mod order;
mod shortage;
mod speed;
mod staff;
mod stopping;
mod taking_back;

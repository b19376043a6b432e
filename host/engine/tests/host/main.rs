//! `taskcell:host` as a guest sees it: every function with its arguments and answers, the life of handles, and guests that go too far.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod arguments;
mod concurrent;
mod errors;
mod guest;
mod handles;
mod limits;
mod pipe;
mod pool;
mod process;
mod programs;
mod queue;
mod shared_map;
mod stage;
mod start;
mod sync;
mod task;
mod tasks;
mod waiting;

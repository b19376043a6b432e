//! Random histories of a pool, played against a model that follows every single task.

mod naive;
mod random;
mod schedule;

pub(crate) use schedule::{Counts, play};

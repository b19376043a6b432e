//! Memory, tables and instances of one guest, and what it was denied.
//!
//! A guest whose `memory.grow` is denied mostly aborts, which looks like any other trap. The limiter remembers the denial, so that the
//! outcome can name the limit instead.

use taskcell_wire::{Limit, Limits};
use wasmtime::ResourceLimiter;

/// Counts what one instance holds.
#[derive(Debug)]
pub(crate) struct Limiter {
    memory_left: usize,
    memory_limit: u64,
    table_elements: usize,
    instances: usize,
    /// The last denial: which limit, and what was wanted.
    pub(crate) denied: Option<(Limit, String)>,
}

impl Limiter {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            memory_left: usize::try_from(limits.memory_bytes).unwrap_or(usize::MAX),
            memory_limit: limits.memory_bytes,
            table_elements: usize::try_from(limits.table_elements).unwrap_or(usize::MAX),
            instances: usize::try_from(limits.instances).unwrap_or(usize::MAX),
            denied: None,
        }
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        let more = desired.saturating_sub(current);
        if more > self.memory_left {
            self.denied = Some((Limit::Memory, format!("wanted {more} bytes more, the limit is {} bytes", self.memory_limit)));
            return Ok(false);
        }
        self.memory_left -= more;
        Ok(true)
    }

    fn table_growing(&mut self, _current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        if desired > self.table_elements {
            let text = format!("wanted {desired} elements, the limit is {}", self.table_elements);
            self.denied = Some((Limit::Table, text));
            return Ok(false);
        }
        Ok(true)
    }

    fn instances(&self) -> usize {
        self.instances
    }

    fn tables(&self) -> usize {
        self.instances
    }

    fn memories(&self) -> usize {
        self.instances
    }
}

//! The only `wasmtime::Config`s, one for the compile child and one for workers.
//!
//! Whatever changes machine code must be equal in both, or a worker refuses the code: [`code_settings`] sets that and nothing
//! else does. What only concerns running (the pooling allocator, resident pages) is the worker's own.

use std::hash::{Hash, Hasher};

use taskcell_wire::Limits;
use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig};

use crate::error::{EngineError, one_line};

/// Resident bytes that a slot keeps between two instances where the kernel can tell which pages were written (PAGEMAP_SCAN).
/// A fault costs about 2 us here and a copied page 0.2 us, so this is the size of a large task's dirty memory, not of the image.
const KEEP_WITH_SCAN: usize = 16 << 20;
/// The same where it can't, and everything kept is zeroed every time: a small task's stack and heap.
const KEEP_BLIND: usize = 64 << 10;

fn code_settings(limits: &Limits, concurrent: bool) -> Config {
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        .consume_fuel(limits.fuel.is_some())
        .max_wasm_stack(usize::try_from(limits.stack_bytes).unwrap_or(usize::MAX))
        .concurrency_support(concurrent)
        .wasm_component_model_async(concurrent)
        .wasm_memory64(false)
        .wasm_relaxed_simd(false)
        .native_unwind_info(false)
        .generate_address_map(false)
        .cranelift_opt_level(OptLevel::Speed);
    if concurrent {
        // An async call runs on a stack of its own, which must hold the guest's and leave room for the host's functions.
        let host = 1 << 20;
        config.async_stack_size(usize::try_from(limits.stack_bytes).unwrap_or(usize::MAX).saturating_add(host));
    }
    config
}

/// The compile child's engine: no pool, whose reservations would not fit under the child's cap on address space.
pub(crate) fn compiling(limits: &Limits, concurrent: bool, threads: bool) -> Result<Engine, EngineError> {
    let mut config = code_settings(limits, concurrent);
    config.allocation_strategy(InstanceAllocationStrategy::OnDemand).parallel_compilation(threads);
    Engine::new(&config).map_err(|error| EngineError::Configure(one_line(&error)))
}

/// A worker's engine: a pool with room for one guest, so that a fresh instance is a copy-on-write mapping put back in place.
/// Kernels before 6.7 have no PAGEMAP_SCAN, and the engine says so by failing; then without.
pub(crate) fn running(limits: &Limits, concurrent: bool) -> Result<Engine, EngineError> {
    pooling(limits, concurrent, true).or_else(|_| pooling(limits, concurrent, false))
}

fn pooling(limits: &Limits, concurrent: bool, scan: bool) -> Result<Engine, EngineError> {
    let keep = if scan { KEEP_WITH_SCAN } else { KEEP_BLIND };
    let memory = usize::try_from(limits.memory_bytes).unwrap_or(usize::MAX);
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(4)
        .total_core_instances(limits.instances)
        .total_memories(limits.instances)
        .total_tables(limits.instances)
        .total_stacks(4)
        .max_memory_size(memory)
        .max_memories_per_module(8)
        .max_tables_per_module(16)
        .max_core_instances_per_component(limits.instances)
        .max_memories_per_component(limits.instances)
        .max_tables_per_component(limits.instances)
        .max_component_instance_size(8 << 20)
        .max_core_instance_size(8 << 20)
        .table_elements(usize::try_from(limits.table_elements).unwrap_or(usize::MAX))
        .linear_memory_keep_resident(keep)
        .table_keep_resident(KEEP_BLIND)
        .max_unused_warm_slots(limits.instances)
        .pagemap_scan(if scan { Enabled::Yes } else { Enabled::No });
    let mut config = code_settings(limits, concurrent);
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    Engine::new(&config).map_err(|error| EngineError::Configure(one_line(&error)))
}

/// What compiled code depends on beside the component: the engine's version and every setting that changes code. A key of the
/// cache, never parsed.
#[must_use]
pub fn fingerprint(limits: &Limits) -> String {
    format!(
        "{:?} fuel={} stack={} v4",
        // The engine's own hash of its version, target and settings, under one fixed hasher.
        compiling(limits, false, false).map(|engine| hash(&engine)),
        limits.fuel.is_some(),
        limits.stack_bytes
    )
}

fn hash(engine: &Engine) -> u64 {
    let mut hasher = std::hash::DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    hasher.finish()
}

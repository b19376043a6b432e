//! What `wit/` says, as Rust: a trait for each interface and a type for each record, made when this is compiled.
#![allow(
    missing_docs,
    missing_debug_implementations,
    unreachable_pub,
    clippy::wildcard_enum_match_arm,
    reason = "generated; what each thing is, stands in wit/"
)]

wasmtime::component::bindgen!({
    path: "../../wit",
    world: "imports",
    imports: { default: trappable },
    trappable_error_type: { "taskcell:host/types.error" => super::Fault },
    with: {
        "taskcell:host/waiting.waitable": super::waiting::Waitable,
        "taskcell:host/queue.queue": super::queue::Queue,
        "taskcell:host/queue.delivery": super::queue::Delivery,
        "taskcell:host/pipe.connection": super::pipe::Connection,
        "taskcell:host/shared-map.shared-map": super::shared_map::SharedMap,
        "taskcell:host/sync.lock": super::sync::Lock,
        "taskcell:host/sync.semaphore": super::sync::Semaphore,
        "taskcell:host/sync.event": super::sync::Event,
        "taskcell:host/sync.condition": super::sync::Condition,
        "taskcell:host/sync.barrier": super::sync::Barrier,
        "taskcell:host/process.invocation": super::invocation::Invocation,
        "taskcell:host/process.process": super::process::Process,
        "taskcell:host/pool.pool": super::pool::Pool,
        "taskcell:host/pool.task-future": super::pool::TaskFuture,
        "taskcell:host/pool.mapping": super::pool::Mapping,
    },
});

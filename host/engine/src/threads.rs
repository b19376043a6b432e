//! The threads behind WASI's timers and files, all started before the process gives up the right to make threads.
//!
//! wasmtime-wasi uses the tokio runtime of the thread that calls it, or else one of its own, whose pool for blocking reads makes threads
//! when it needs them: under a system-call filter that is the end of the worker. So this makes a runtime whose threads all exist
//! from the start and never leave, and makes it the calling thread's for good.

use std::sync::mpsc::sync_channel;
use std::time::Duration;

use tokio::runtime::Builder;

use crate::error::EngineError;

/// Long enough to be for ever, short enough not to overflow a clock.
const FOR_EVER: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// Starts one thread for timers and one for reads and writes that wait, and returns when both run.
pub(crate) fn start() -> Result<(), EngineError> {
    let configure = |error: std::io::Error| EngineError::Configure(error.to_string());
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .max_blocking_threads(1)
        .thread_keep_alive(FOR_EVER)
        .enable_time()
        .enable_io()
        .build()
        .map_err(configure)?;
    // Each tells from its own thread that it runs. A failure to hear it means that the thread is gone, which ends the worker later.
    let (timers, timers_run) = sync_channel(1);
    drop(runtime.spawn(async move { timers.send(()) }));
    let (files, files_run) = sync_channel(1);
    drop(runtime.spawn_blocking(move || files.send(())));
    let _ = timers_run.recv();
    let _ = files_run.recv();
    // For the rest of the process: the guard would undo it when dropped.
    std::mem::forget(Box::leak(Box::new(runtime)).enter());
    Ok(())
}

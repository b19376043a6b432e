//! What belongs to one instance on the host's side, and who may stop it.

use std::sync::Arc;

use taskcell_wire::{Grants, Limits, Stream};
use wasmtime::component::ResourceTable;
use wasmtime_wasi::{FsPerms, WasiCtx, WasiCtxView, WasiView};

use crate::limiter::Limiter;
use crate::print::{PrintSink, Printer};

/// Why a running guest has to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopReason {
    /// Its time is over.
    TimedOut,
    /// Somebody asked.
    Cancelled,
}

/// Asked at every epoch tick while a guest runs. Behind it stand a clock and a page of shared memory, which the engine knows
/// nothing of.
pub trait Stop: Send + Sync {
    /// `Some` once the running task has to stop.
    fn reason(&self) -> Option<StopReason>;
}

/// The data of a store.
pub(crate) struct State {
    pub(crate) limiter: Limiter,
    table: ResourceTable,
    wasi: WasiCtx,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").field("limiter", &self.limiter).finish_non_exhaustive()
    }
}

impl State {
    pub(crate) fn new(limits: &Limits, grants: &Grants, sink: &Arc<dyn PrintSink>) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(usize::try_from(limits.handles).unwrap_or(usize::MAX));
        let mut wasi = WasiCtx::builder();
        wasi.stdout(Printer::new(Stream::Stdout, sink))
            .stderr(Printer::new(Stream::Stderr, sink))
            .envs(&grants.env)
            .allow_tcp(false)
            .allow_udp(false)
            .allow_ip_name_lookup(false)
            // The worker may start no thread once it is confined, and has nothing else to do meanwhile.
            .allow_blocking_current_thread(true)
            .max_random_size(limits.random_bytes);
        for dir in &grants.dirs {
            let perms = if dir.writable { FsPerms::ReadWrite } else { FsPerms::ReadOnly };
            // Opened once already when the worker started; what fails now (no descriptors left) the guest sees as no directory.
            let _ = wasi.preopened_dir(&dir.host, &dir.guest, perms);
        }
        Self { limiter: Limiter::new(limits), table, wasi: wasi.build() }
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

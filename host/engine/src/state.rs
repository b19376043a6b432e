//! What belongs to one instance on the host's side, and who may stop it.

use std::sync::Arc;

use taskcell_wire::{Grants, Limits, Stream};
use wasmtime::component::ResourceTable;
use wasmtime_wasi::p2::pipe::MemoryInputPipe;
use wasmtime_wasi::{FsPerms, WasiCtx, WasiCtxView, WasiView};

use crate::host::{Attempts, Host, View};
use crate::input::Input;
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
    /// `Some` once the running task has to stop. Of both reasons it is [`StopReason::TimedOut`] that counts: a guest that knows that it
    /// was asked to stop may go on for a while, one whose time is over may not.
    fn reason(&self) -> Option<StopReason>;

    /// Whether somebody asked the running task to stop, for whatever reason: what `task.cancelled` tells it. A guest may ask in
    /// a loop, so this makes no call.
    fn is_asked(&self) -> bool {
        self.reason().is_some()
    }
}

/// What every instance of a guest is made with.
pub(crate) struct Given {
    pub(crate) limits: Limits,
    pub(crate) grants: Grants,
    pub(crate) sink: Arc<dyn PrintSink>,
    pub(crate) attempts: Arc<Attempts>,
    pub(crate) cpus: u32,
}

/// What a task that is a command is given, and an instance that runs one is made with.
#[derive(Default)]
pub(crate) struct Command {
    /// The program's name first.
    pub(crate) args: Vec<String>,
    pub(crate) stdin: bytes::Bytes,
}

/// The data of a store.
pub(crate) struct State {
    pub(crate) limiter: Limiter,
    pub(crate) host: Host,
    table: ResourceTable,
    /// Made when it is asked for: a third of what a fresh instance costs, for guests that never do.
    wasi: Option<WasiCtx>,
    given: Arc<Given>,
    command: Option<Command>,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").field("limiter", &self.limiter).finish_non_exhaustive()
    }
}

impl State {
    pub(crate) fn new(given: &Arc<Given>, command: Option<Command>) -> Self {
        let limits = &given.limits;
        let mut table = ResourceTable::new();
        table.set_max_capacity(usize::try_from(limits.handles).unwrap_or(usize::MAX));
        let host = Host::new(limits, &given.attempts, given.cpus);
        Self { limiter: Limiter::new(limits), host, table, wasi: None, given: Arc::clone(given), command }
    }

    fn wasi(given: &Given, command: Option<&Command>) -> WasiCtx {
        let mut wasi = WasiCtx::builder();
        let stdout = Printer::new(Stream::Stdout, &given.sink);
        // What a command writes there is its result.
        wasi.stdout(if command.is_some() { stdout.limited(given.limits.result_bytes) } else { stdout })
            .stderr(Printer::new(Stream::Stderr, &given.sink))
            .envs(&given.grants.env)
            .args(command.map_or(&given.grants.args, |command| &command.args))
            .allow_tcp(false)
            .allow_udp(false)
            .allow_ip_name_lookup(false)
            // The worker may start no thread once it is confined, and has nothing else to do meanwhile.
            .allow_blocking_current_thread(true)
            .max_random_size(given.limits.random_bytes);
        if let Some(command) = command {
            wasi.stdin(MemoryInputPipe::new(command.stdin.clone()));
        } else if given.grants.stdin {
            wasi.stdin(Input::new(&given.attempts));
        }
        for dir in &given.grants.dirs {
            let perms = if dir.writable { FsPerms::ReadWrite } else { FsPerms::ReadOnly };
            // Opened once already when the worker started; what fails now (no descriptors left) the guest sees as no directory.
            let _ = wasi.preopened_dir(&dir.host, &dir.guest, perms);
        }
        wasi.build()
    }

    /// What the functions of `taskcell:host` work with.
    pub(crate) fn host(&mut self) -> View<'_> {
        View::new(&mut self.host, &mut self.table)
    }

    /// The handles that the guest holds.
    pub(crate) fn table(&mut self) -> &mut ResourceTable {
        &mut self.table
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let ctx = self.wasi.get_or_insert_with(|| Self::wasi(&self.given, self.command.as_ref()));
        WasiCtxView { ctx, table: &mut self.table }
    }
}

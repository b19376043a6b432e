//! SIGINT, SIGTERM and SIGHUP: the first asks to end well, the second ends at once.
//!
//! Before there are tasks the first one ends at once too: nothing is there that could end well. What was ignored when this process started stays
//! ignored, as `nohup` wants it of SIGHUP, and shells of SIGINT for jobs in the background. SIGQUIT keeps its default, the end at once.

use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{Arc, OnceLock};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::iterator::Signals;
use taskcell::Bell;

use crate::error::CliError;
use crate::exit::Exit;

/// The first signal that came, if one did.
#[derive(Debug, Clone, Default)]
pub(crate) struct Interrupt(Arc<Seen>);

#[derive(Debug, Default)]
struct Seen {
    signal: AtomicI32,
    bell: OnceLock<Bell>,
}

impl Interrupt {
    /// Listens from now on.
    pub(crate) fn listen() -> Result<Self, CliError> {
        let interrupt = Self::default();
        let ignored = ignored();
        let heard = [SIGINT, SIGTERM, SIGHUP].into_iter().filter(|signal| ignored & (1 << (signal - 1)) == 0);
        let mut signals = Signals::new(heard).map_err(CliError::Signals)?;
        let seen = Arc::clone(&interrupt.0);
        let run = move || {
            for signal in signals.forever() {
                let first = seen.signal.swap(signal, Ordering::SeqCst) == 0;
                match seen.bell.get() {
                    Some(bell) if first => bell.ring(),
                    // The second, or nothing to wait for. Workers go with this process.
                    Some(_) | None => end(exit_of(signal)),
                }
            }
        };
        std::thread::Builder::new().name("signals".into()).spawn(run).map_err(CliError::Thread)?;
        Ok(interrupt)
    }

    /// There are tasks now; the bell wakes whoever waits for them.
    pub(crate) fn tasks(&self, bell: Bell) {
        let _ = self.0.bell.set(bell);
    }

    /// How to exit for the signal that came.
    pub(crate) fn exit(&self) -> Option<Exit> {
        match self.0.signal.load(Ordering::SeqCst) {
            0 => None,
            signal => Some(exit_of(signal)),
        }
    }
}

/// Makes a write past the limit on file sizes (`ulimit -f`) an error like any other; by default it is a death without a word.
pub(crate) fn survive_file_size() {
    // Without it, things are as they are by default.
    let _ = signal_hook::flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false)));
}

/// The signals that this process ignores, a bit each from 1 on.
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

fn exit_of(signal: i32) -> Exit {
    match signal {
        SIGTERM => Exit::Terminated,
        SIGHUP => Exit::HungUp,
        _ => Exit::Interrupted,
    }
}

#[expect(clippy::exit, reason = "the user asked twice, or before anything began")]
fn end(exit: Exit) -> ! {
    std::process::exit(i32::from(exit.code()))
}

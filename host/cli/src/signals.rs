//! SIGINT and SIGTERM: the first asks to end well, the second ends at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use taskcell::Bell;

use crate::exit::Exit;

/// The first signal that came, if one did.
#[derive(Debug, Clone, Default)]
pub(crate) struct Interrupt(Arc<AtomicI32>);

impl Interrupt {
    /// Listens from now on. The bell wakes whoever waits for results.
    pub(crate) fn listen(bell: Bell) -> std::io::Result<Self> {
        let interrupt = Self::default();
        let mut signals = Signals::new([SIGINT, SIGTERM])?;
        let seen = interrupt.clone();
        let run = move || {
            for signal in signals.forever() {
                if seen.0.swap(signal, Ordering::SeqCst) != 0 {
                    // The second: nothing is worth waiting for. Workers go with this process.
                    end(exit_of(signal));
                }
                bell.ring();
            }
        };
        std::thread::Builder::new().name("signals".into()).spawn(run)?;
        Ok(interrupt)
    }

    /// How to exit for the signal that came.
    pub(crate) fn exit(&self) -> Option<Exit> {
        match self.0.load(Ordering::SeqCst) {
            0 => None,
            signal => Some(exit_of(signal)),
        }
    }
}

fn exit_of(signal: i32) -> Exit {
    if signal == SIGTERM { Exit::Terminated } else { Exit::Interrupted }
}

#[expect(clippy::exit, reason = "the user asked twice")]
fn end(exit: Exit) -> ! {
    std::process::exit(i32::from(exit.code()))
}

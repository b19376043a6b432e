//! The standard input of a program.
//!
//! The program's worker has no descriptor of it: a terminal that a hijacked worker holds is the user's keyboard and more. It asks, and a
//! thread of its own reads, because a read of a terminal can take for ever and the dispatcher must not.

use std::io::Read;
use std::sync::Weak;

use crossbeam_channel::{Receiver, Sender};
use taskcell_wire::{CallId, WorkerId};

use crate::lead::{Request, Shared};

/// The most that one read takes, in bytes.
const PIECE: u32 = 64 * 1024;

#[derive(Debug)]
struct Want {
    worker: WorkerId,
    call: CallId,
    limit: u32,
}

/// Where calls for input go.
#[derive(Debug)]
pub(crate) struct Wants(Sender<Want>);

/// What reads them.
#[derive(Debug)]
pub(crate) struct Reading(Receiver<Want>);

/// The two ends. A program has one call under way at a time; what is more came from a worker that broke the protocol.
pub(crate) fn input() -> (Wants, Reading) {
    let (wants, reading) = crossbeam_channel::bounded(1);
    (Wants(wants), Reading(reading))
}

impl Wants {
    /// Asks for bytes; they come as [`Request::Input`].
    pub(crate) fn ask(&self, worker: WorkerId, call: CallId, limit: u32) {
        // Full only if a former program's read still waits, and then nobody is left to answer.
        let _ = self.0.try_send(Want { worker, call, limit });
    }
}

impl Reading {
    /// Reads until nobody asks any more. A read that waits for ever keeps its thread, and nothing else.
    pub(crate) fn start(self, mut source: Box<dyn Read + Send>, shared: Weak<Shared>) -> std::io::Result<()> {
        let run = move || {
            let mut piece = vec![0; PIECE as usize];
            for want in self.0 {
                let room = usize::try_from(want.limit.clamp(1, PIECE)).unwrap_or(1);
                let count = loop {
                    match source.read(piece.get_mut(..room).unwrap_or(&mut [])) {
                        Ok(count) => break count,
                        Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                        // What can't be read is at its end.
                        Err(_) => break 0,
                    }
                };
                let Some(shared) = shared.upgrade() else { return };
                let bytes = piece.get(..count).unwrap_or_default().to_vec();
                shared.request(Request::Input(want.worker, want.call, bytes));
            }
        };
        std::thread::Builder::new().name("taskcell-input".into()).spawn(run).map(drop)
    }
}

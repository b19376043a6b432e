//! A program's output, passed on.
//!
//! Bytes go through a thread and a short channel, so that a reader that is slow holds back the program and not the memory. The
//! dispatcher waits with it once the channel is full: a program that nobody reads stands still, as it would in a pipe.
//!
//! What goes to a terminal has its control characters made visible, for the tasks that print may be anybody's; what goes to a file or a
//! pipe is passed on as it is.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crossbeam_channel::{Sender, bounded};
use taskcell::Stream;

use crate::output::pass_on;

/// Pieces that wait for the reader.
const PIECES: usize = 64;

type Piece = (Stream, Vec<u8>);

/// The way out.
#[derive(Debug, Clone)]
pub(crate) struct Pass(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    pieces: Mutex<Option<Sender<Piece>>>,
    thread: Mutex<Option<std::thread::JoinHandle<io::Result<()>>>>,
    broken: Arc<AtomicBool>,
}

impl Pass {
    /// Starts the thread.
    pub(crate) fn start() -> io::Result<Self> {
        let (pieces, waiting) = bounded::<Piece>(PIECES);
        let broken = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&broken);
        let run = move || {
            let written = waiting.iter().try_for_each(|(stream, bytes)| match stream {
                Stream::Stdout => pass_on(&mut io::stdout(), &bytes),
                Stream::Stderr => pass_on(&mut io::stderr(), &bytes),
            });
            flag.store(written.is_err(), Ordering::SeqCst);
            written
        };
        let thread = std::thread::Builder::new().name("output".into()).spawn(run)?;
        let inner = Inner { pieces: Mutex::new(Some(pieces)), thread: Mutex::new(Some(thread)), broken };
        Ok(Self(Arc::new(inner)))
    }

    /// Something was printed.
    pub(crate) fn printed(&self, stream: Stream, bytes: &[u8]) {
        let pieces = self.0.pieces.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pieces) = pieces.as_ref() {
            // The thread is gone only after an error, which `finish` tells.
            let _ = pieces.send((stream, bytes.to_vec()));
        }
    }

    /// Whether the reader is gone or the disk is full.
    pub(crate) fn is_broken(&self) -> bool {
        self.0.broken.load(Ordering::SeqCst)
    }

    /// Waits until everything is written.
    pub(crate) fn finish(&self) -> io::Result<()> {
        drop(self.0.pieces.lock().unwrap_or_else(PoisonError::into_inner).take());
        let thread = self.0.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        match thread.map(std::thread::JoinHandle::join) {
            Some(Ok(written)) => written,
            Some(Err(_)) => Err(io::Error::other("the thread that writes output panicked")),
            None => Ok(()),
        }
    }
}

//! The only printing in the project, but for what a program prints ([`crate::pass`]).
//!
//! Results go through a thread and a short channel: a reader that is slow, or stopped, then holds back the map (the channel
//! fills, results wait, inputs wait) but never the dispatcher, which goes on noticing deaths and deadlines.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crossbeam_channel::{Sender, bounded};
pub(crate) use taskcell::visible;
use taskcell::visible_json;

use crate::error::CliError;
use crate::pass::Way;
use crate::progress::Progress;

/// Text that waits for the reader, in pieces of about [`PIECE`] bytes.
const PIECES: usize = 16;
/// When collected results are handed on, in bytes.
const PIECE: usize = 64 * 1024;

/// One line to stderr: an error. Control characters in it are made visible, since parts of it may be a guest's.
pub(crate) fn complain(text: &str) {
    let line = format!("error: {}\n", visible(text));
    // Without a stderr there is nobody to tell.
    let _ = io::stderr().lock().write_all(line.as_bytes());
}

/// One line to stderr that is no error.
pub(crate) fn note(text: &str) {
    let line = format!("{}\n", visible(text));
    let _ = io::stderr().lock().write_all(line.as_bytes());
}

/// Text to stdout, at once.
pub(crate) fn print(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

/// JSON to stdout, at once, on a line of its own. Hidden characters in it are escaped, and its values are the same.
pub(crate) fn print_json(json: &str) -> io::Result<()> {
    print(&format!("{}\n", visible_json(json)))
}

/// Results on their way to stdout.
#[derive(Debug)]
pub(crate) struct Results {
    collected: Vec<u8>,
    pieces: Option<Sender<Vec<u8>>>,
    thread: Option<std::thread::JoinHandle<io::Result<()>>>,
    /// The thread ended early.
    broken: Arc<AtomicBool>,
}

impl Results {
    /// Starts the thread. Progress that is shown is taken away while a piece is written. Results are lines of JSON or, with `programs`,
    /// what programs wrote.
    pub(crate) fn start(progress: Progress, programs: bool) -> Result<Self, CliError> {
        let (pieces, waiting) = bounded::<Vec<u8>>(PIECES);
        let broken = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&broken);
        let run = move || {
            // Flushed piece by piece, so what is written is always whole lines, or all that some tasks wrote.
            let (mut stdout, mut way) = (io::stdout(), Way::to(io::stdout()));
            let mut write = |piece: Vec<u8>| match programs {
                true => way.pass(&piece).and_then(|()| way.end()),
                false => stdout.write_all(&piece).and_then(|()| stdout.flush()),
            };
            let written = waiting.iter().try_for_each(|piece| progress.aside(|| write(piece)));
            flag.store(written.is_err(), Ordering::SeqCst);
            written
        };
        let thread = std::thread::Builder::new().name("results".into()).spawn(run).map_err(CliError::Thread)?;
        Ok(Self { collected: Vec::new(), pieces: Some(pieces), thread: Some(thread), broken })
    }

    /// Where to add text.
    pub(crate) fn text(&mut self) -> &mut Vec<u8> {
        &mut self.collected
    }

    /// Hands on what was collected, if it is much.
    pub(crate) fn pass(&mut self) {
        if self.collected.len() >= PIECE {
            self.flush();
        }
    }

    /// Hands on what was collected; waits while the reader is behind.
    pub(crate) fn flush(&mut self) {
        if self.collected.is_empty() {
            return;
        }
        let piece = std::mem::take(&mut self.collected);
        if let Some(pieces) = &self.pieces {
            // The thread is gone only after an error, which `finish` tells.
            let _ = pieces.send(piece);
        }
    }

    /// Whether the reader is gone or the disk is full, so that more results are of no use.
    pub(crate) fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Relaxed)
    }

    /// Waits until everything is written.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        self.flush();
        self.pieces = None;
        match self.thread.take().map(std::thread::JoinHandle::join) {
            Some(Ok(written)) => written,
            Some(Err(_)) => Err(io::Error::other("the thread that writes results panicked")),
            None => Ok(()),
        }
    }
}

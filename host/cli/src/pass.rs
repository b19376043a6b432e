//! A program's output, passed on.
//!
//! Bytes go through a thread and a short channel, so that a reader that is slow holds back the program and not the memory. The
//! dispatcher waits with it once the channel is full: a program that nobody reads stands still, as it would in a pipe.
//!
//! What goes to a terminal has its control characters made visible, for the tasks that print may be anybody's; what goes to a file or a
//! pipe is passed on as it is.

use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crossbeam_channel::{Sender, bounded};
use taskcell::Stream;

use crate::output::visible;

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
            let (mut out, mut err) = (Way::to(io::stdout()), Way::to(io::stderr()));
            let written = waiting.iter().try_for_each(|(stream, bytes)| match stream {
                Stream::Stdout => out.pass(&bytes),
                Stream::Stderr => err.pass(&bytes),
            });
            let written = written.and_then(|()| out.end()).and_then(|()| err.end());
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

/// One stream's way out of what programs write.
pub(crate) struct Way<W> {
    to: W,
    is_terminal: bool,
    /// The beginning of a character whose end has not come yet: pieces are cut anywhere.
    begun: Vec<u8>,
}

impl<W: Write + IsTerminal> Way<W> {
    /// As it is, but to a terminal with control characters made visible.
    pub(crate) fn to(to: W) -> Self {
        Self { is_terminal: to.is_terminal(), to, begun: Vec::new() }
    }
}

impl<W: Write> Way<W> {
    /// The next bytes.
    pub(crate) fn pass(&mut self, bytes: &[u8]) -> io::Result<()> {
        if !self.is_terminal {
            self.to.write_all(bytes)?;
            return self.to.flush();
        }
        let mut bytes = [&std::mem::take(&mut self.begun), bytes].concat();
        self.begun = bytes.split_off(whole(&bytes));
        self.show(&bytes)
    }

    /// There are no more: what was begun has no end.
    pub(crate) fn end(&mut self) -> io::Result<()> {
        let begun = std::mem::take(&mut self.begun);
        if begun.is_empty() { Ok(()) } else { self.show(&begun) }
    }

    fn show(&mut self, bytes: &[u8]) -> io::Result<()> {
        let text = String::from_utf8_lossy(bytes);
        // Line by line, because a line end is no control character to be shown.
        for (at, line) in text.split('\n').enumerate() {
            if at > 0 {
                self.to.write_all(b"\n")?;
            }
            self.to.write_all(visible(line.strip_suffix('\r').unwrap_or(line)).as_bytes())?;
        }
        self.to.flush()
    }
}

/// How many bytes there are before a character at the end that is not whole.
fn whole(bytes: &[u8]) -> usize {
    let begins = |at: usize| std::str::from_utf8(bytes.get(at..).unwrap_or(&[])).is_err_and(|error| error.error_len().is_none());
    let ends = bytes.len().saturating_sub(3)..bytes.len();
    // The earliest: of three bytes of a character of four, the later two are no beginning.
    ends.into_iter().find(|at| bytes.get(*at).is_some_and(|byte| *byte >= 0xc0) && begins(*at)).unwrap_or(bytes.len())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use super::*;

    fn shown(pieces: &[&[u8]]) -> String {
        let mut way = Way { to: Vec::new(), is_terminal: true, begun: Vec::new() };
        pieces.iter().for_each(|piece| way.pass(piece).unwrap());
        way.end().unwrap();
        String::from_utf8(way.to).unwrap()
    }

    #[test]
    fn characters_that_are_cut_are_shown_whole() {
        let text = "a\u{e9}\u{20ac}\u{1f600}b\n";
        for cut in 0..text.len() {
            let (one, other) = text.as_bytes().split_at(cut);
            assert_eq!(shown(&[one, other]), text, "cut at {cut}");
        }
        let bytes: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
        assert_eq!(shown(&bytes), text);
    }

    #[test]
    fn what_is_no_text_is_shown_once() {
        assert_eq!(shown(&[b"\xff\xfe", b"a\xe2\x82"]), "\u{fffd}\u{fffd}a\u{fffd}");
        assert_eq!(shown(&[b"\xe2", b"x"]), "\u{fffd}x", "a beginning without its end");
        assert_eq!(shown(&[b"\x1b[31m\xc3", b"\xa9"]), "\\u{1b}[31m\u{e9}");
    }
}

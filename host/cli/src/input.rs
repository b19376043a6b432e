//! Where a map's inputs come from: arguments, lines of a file or of standard input, or files.
//!
//! Reading waits, and whoever feeds workers must not; so a thread reads ahead, a few batches at most, and the mapping takes what is
//! there. Lines are cut, not parsed: parsing hostile text is the workers' business. Only of a program's the arguments are put together here.

use std::collections::VecDeque;
use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use crossbeam_channel::{Receiver, Sender, TryRecvError, bounded};
use taskcell::{Bell, ItemWriter, Source, Supply};

use crate::error::CliError;
use crate::template::Template;

/// Batches read ahead.
const AHEAD: usize = 4;
/// One read, in bytes.
const BLOCK: usize = 256 * 1024;

/// Inputs that were read together.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    bytes: Vec<u8>,
    inputs: VecDeque<Input>,
}

#[derive(Debug)]
enum Input {
    /// A part of the batch's bytes.
    Here(Range<usize>),
    /// It could not be taken, and why; it becomes a task that fails, so that it keeps its place.
    Bad(String),
}

/// What a mapping takes its inputs from.
#[derive(Debug)]
pub(crate) struct Inputs {
    batches: Receiver<Batch>,
    batch: Batch,
    hungry: Arc<AtomicBool>,
    bell: Arc<OnceLock<Bell>>,
}

/// What a thread is to read.
#[derive(Debug)]
pub(crate) enum Reading {
    /// These texts.
    Texts(Vec<String>),
    /// Lines of standard input.
    Stdin,
    /// Lines of this file, which was opened before.
    Lines(File),
    /// The content of each file.
    Files(Vec<PathBuf>),
}

impl Inputs {
    /// Starts to read, a few batches ahead. An input longer than `most` bytes is bad.
    pub(crate) fn start(reading: Reading, most: u64, template: Option<Template>) -> Result<Self, CliError> {
        let (sender, batches) = bounded(AHEAD);
        let (hungry, bell) = (Arc::<AtomicBool>::default(), Arc::<OnceLock<Bell>>::default());
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let reader = Reader { sender, hungry: Arc::clone(&hungry), bell: Arc::clone(&bell), most, template };
        std::thread::Builder::new().name("inputs".into()).spawn(move || reader.run(reading)).map_err(CliError::Thread)?;
        Ok(Self { batches, batch: Batch::default(), hungry, bell })
    }

    /// What to ring when there are inputs again. Nobody is hungry before the mapping that has this bell is.
    pub(crate) fn ring(&self, bell: Bell) {
        let _ = self.bell.set(bell);
    }
}

impl Source for Inputs {
    fn supply(&mut self, items: &mut ItemWriter, tasks: u32, bytes: usize) -> Supply {
        while items.count() < tasks && items.bytes().len() < bytes {
            match self.batch.inputs.pop_front() {
                Some(Input::Here(range)) => items.push(self.batch.bytes.get(range).unwrap_or(&[])),
                Some(Input::Bad(why)) => return Supply::Bad(why),
                None => match self.next_batch() {
                    Ok(batch) => self.batch = batch,
                    Err(TryRecvError::Empty) => return Supply::Later,
                    Err(TryRecvError::Disconnected) => return Supply::End,
                },
            }
        }
        Supply::More
    }
}

impl Inputs {
    fn next_batch(&self) -> Result<Batch, TryRecvError> {
        if let Ok(batch) = self.batches.try_recv() {
            return Ok(batch);
        }
        // First the flag, then another look: a batch that came in between would ring no bell.
        self.hungry.store(true, Ordering::SeqCst);
        self.batches.try_recv()
    }
}

struct Reader {
    sender: Sender<Batch>,
    hungry: Arc<AtomicBool>,
    bell: Arc<OnceLock<Bell>>,
    most: usize,
    /// How inputs become a program's.
    template: Option<Template>,
}

impl Drop for Reader {
    fn drop(&mut self) {
        // The mapping has to see the end, and sees it only when the channel is closed.
        let (closed, _) = bounded(0);
        self.sender = closed;
        self.ring();
    }
}

impl Reader {
    fn run(self, reading: Reading) {
        match reading {
            Reading::Texts(texts) => {
                let mut batch = Batch::default();
                for text in texts {
                    batch.push(text.as_bytes(), self.most);
                }
                self.send(self.shaped(batch));
            }
            Reading::Stdin => self.lines(std::io::stdin().lock()),
            Reading::Lines(file) => self.lines(file),
            Reading::Files(paths) => {
                for path in paths {
                    let mut batch = Batch::default();
                    let item = read_file(&path, self.most).and_then(|bytes| match &self.template {
                        Some(template) => template.item(path.as_os_str().as_encoded_bytes(), Some(bytes)),
                        None => Ok(bytes),
                    });
                    match item {
                        Ok(item) => batch.push(&item, self.most),
                        Err(why) => batch.inputs.push_back(Input::Bad(why)),
                    }
                    if !self.send(batch) {
                        return;
                    }
                }
            }
        }
    }

    /// The texts as what they are to be given as.
    fn shaped(&self, batch: Batch) -> Batch {
        let Some(template) = &self.template else { return batch };
        let mut shaped = Batch::default();
        for input in batch.inputs {
            let item = match input {
                Input::Here(range) => template.item(batch.bytes.get(range).unwrap_or(&[]), None),
                Input::Bad(why) => Err(why),
            };
            match item {
                Ok(item) => shaped.push(&item, self.most),
                Err(why) => shaped.inputs.push_back(Input::Bad(why)),
            }
        }
        shaped
    }

    /// Whether there is still somebody to read for.
    fn send(&self, batch: Batch) -> bool {
        if batch.inputs.is_empty() {
            return true;
        }
        let sent = self.sender.send(batch).is_ok();
        if self.hungry.swap(false, Ordering::SeqCst) {
            self.ring();
        }
        sent
    }

    fn ring(&self) {
        if let Some(bell) = self.bell.get() {
            bell.ring();
        }
    }

    fn lines(&self, mut from: impl Read) {
        let mut lines = Lines::new(self.most);
        let mut block = vec![0; BLOCK];
        loop {
            match from.read(&mut block) {
                Ok(0) => break,
                Ok(count) => {
                    if !self.send(self.shaped(lines.cut(block.get(..count).unwrap_or(&[])))) {
                        return;
                    }
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => {
                    let mut batch = self.shaped(lines.end());
                    batch.inputs.push_back(Input::Bad(format!("failed to read more input: {error}")));
                    self.send(batch);
                    return;
                }
            }
        }
        self.send(self.shaped(lines.end()));
    }
}

impl Batch {
    fn push(&mut self, input: &[u8], most: usize) {
        if input.len() > most {
            self.inputs.push_back(Input::Bad(too_long(most)));
            return;
        }
        let start = self.bytes.len();
        self.bytes.extend_from_slice(input);
        self.inputs.push_back(Input::Here(start..self.bytes.len()));
    }
}

fn too_long(most: usize) -> String {
    format!("it is longer than {most} bytes (--max-message)")
}

/// Cuts blocks into lines, a line that goes on in the next block included; keeps at most `most` bytes of one.
#[derive(Debug)]
struct Lines {
    carried: Vec<u8>,
    /// The line under way is too long; its bytes are dropped up to its end.
    dropping: bool,
    most: usize,
}

impl Lines {
    fn new(most: usize) -> Self {
        Self { carried: Vec::new(), dropping: false, most }
    }

    fn cut(&mut self, block: &[u8]) -> Batch {
        let mut batch = Batch { bytes: Vec::with_capacity(block.len()), inputs: VecDeque::new() };
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', block) {
            let piece = block.get(start..end).unwrap_or(&[]);
            start = end + 1;
            self.line(piece, &mut batch);
        }
        let rest = block.get(start..).unwrap_or(&[]);
        if self.dropping || self.carried.len() + rest.len() > self.most {
            self.dropping = true;
            self.carried = Vec::new();
        } else {
            self.carried.extend_from_slice(rest);
        }
        batch
    }

    fn line(&mut self, piece: &[u8], batch: &mut Batch) {
        if std::mem::take(&mut self.dropping) {
            batch.inputs.push_back(Input::Bad(too_long(self.most)));
        } else if self.carried.is_empty() {
            batch.push(without_return(piece), self.most);
        } else {
            self.carried.extend_from_slice(piece);
            let line = std::mem::take(&mut self.carried);
            batch.push(without_return(&line), self.most);
        }
    }

    /// The last line, if it had no end.
    fn end(&mut self) -> Batch {
        let mut batch = Batch::default();
        if self.dropping || !self.carried.is_empty() {
            self.line(&[], &mut batch);
        }
        batch
    }
}

/// Lines may end as on Windows.
fn without_return(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

fn read_file(path: &Path, most: usize) -> Result<Vec<u8>, String> {
    let why = |error: std::io::Error| format!("failed to read it: {error}");
    let file = File::open(path).map_err(why)?;
    if file.metadata().map_err(why)?.is_dir() {
        return Err("it is a directory".into());
    }
    let mut bytes = Vec::new();
    file.take(most as u64 + 1).read_to_end(&mut bytes).map_err(why)?;
    if bytes.len() > most { Err(too_long(most)) } else { Ok(bytes) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(blocks: &[&[u8]], most: usize) -> Vec<Result<String, String>> {
        let mut lines = Lines::new(most);
        let mut all = Vec::new();
        let mut take = |batch: Batch| {
            for input in batch.inputs {
                all.push(match input {
                    Input::Here(range) => Ok(String::from_utf8_lossy(&batch.bytes[range]).into_owned()),
                    Input::Bad(why) => Err(why),
                });
            }
        };
        blocks.iter().for_each(|block| take(lines.cut(block)));
        take(lines.end());
        all
    }

    fn ok(lines: &[&str]) -> Vec<Result<String, String>> {
        lines.iter().map(|line| Ok((*line).to_owned())).collect()
    }

    #[test]
    fn lines_are_whole_wherever_blocks_end() {
        assert_eq!(cut(&[b"1\n2\n3\n"], 9), ok(&["1", "2", "3"]));
        assert_eq!(cut(&[b"1\n2", b"2\n", b"3"], 9), ok(&["1", "22", "3"]));
        assert_eq!(cut(&[b"1\r\n", b"2\r", b"\n"], 9), ok(&["1", "2"]));
        assert_eq!(cut(&[b"\n\n"], 9), ok(&["", ""]));
        assert_eq!(cut(&[b""], 9), ok(&[]));
    }

    #[test]
    fn a_long_line_keeps_its_place_and_nothing_else() {
        let lines = cut(&[b"1\n1234", b"5678", b"9012\n3\n"], 6);
        assert_eq!(lines.len(), 3);
        assert_eq!((lines[0].as_deref(), lines[2].as_deref()), (Ok("1"), Ok("3")));
        assert!(lines[1].is_err());
        assert!(cut(&[b"1234567"], 6)[0].is_err());
        assert!(cut(&[b"1234567\n"], 6)[0].is_err());
    }
}

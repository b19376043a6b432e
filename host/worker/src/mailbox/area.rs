//! Bytes in words of shared memory, written piece by piece and read in one copy.
//!
//! The other side may change any word at any time, so no reference to what lies there is ever handed out. Pieces come from an encoder, which so
//! needs no memory of its own for a long message.

use std::sync::atomic::Ordering;

use taskcell_sandbox::SharedMemory;

const WORD: usize = size_of::<u64>();

/// Writes bytes one behind the other, up to a number of them; what is more is dropped.
#[derive(Debug)]
pub struct Writer<'a> {
    memory: &'a SharedMemory,
    /// The word that is filled next.
    at: usize,
    end: usize,
    /// Bytes that do not fill a word yet, the lowest first, and how many.
    rest: u64,
    count: usize,
}

impl<'a> Writer<'a> {
    /// From the word `at` on, `most` bytes.
    pub(super) fn new(memory: &'a SharedMemory, at: usize, most: usize) -> Self {
        Self { memory, at, end: at + most / WORD, rest: 0, count: 0 }
    }

    /// Writes a piece.
    pub fn write(&mut self, bytes: &[u8]) {
        if self.count == 0 {
            return self.write_aligned(bytes);
        }
        // First what completes the word.
        let (first, rest) = bytes.split_at(bytes.len().min(WORD - self.count));
        first.iter().for_each(|byte| self.push(*byte));
        if self.count == 0 {
            self.write_aligned(rest);
        }
    }

    /// Writes what is left of the last word.
    pub(super) fn finish(&mut self) {
        if self.count > 0 {
            self.store(self.rest);
            (self.rest, self.count) = (0, 0);
        }
    }

    fn write_aligned(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<WORD>();
        let places = self.at..self.end.min(self.at + words.len());
        self.at = places.end;
        for (place, word) in places.zip(words) {
            self.memory.word(place).store(u64::from_le_bytes(*word), Ordering::Relaxed);
        }
        rest.iter().for_each(|byte| self.push(*byte));
    }

    fn push(&mut self, byte: u8) {
        self.rest |= u64::from(byte) << (8 * self.count);
        self.count += 1;
        if self.count == WORD {
            self.store(self.rest);
            (self.rest, self.count) = (0, 0);
        }
    }

    fn store(&mut self, word: u64) {
        if self.at < self.end {
            self.memory.word(self.at).store(word, Ordering::Relaxed);
            self.at += 1;
        }
    }
}

/// Writes from the word `at` on, at most so many bytes; whether all was written.
pub(crate) fn lay(memory: &SharedMemory, at: usize, most: usize, write: impl FnOnce(&mut Writer<'_>) -> bool) -> bool {
    let mut writer = Writer::new(memory, at, most);
    let written = write(&mut writer);
    writer.finish();
    written
}

/// The bytes that lie there, in a copy. `space` only grows: clearing it would cost as much as copying.
pub(crate) fn read<'a>(memory: &SharedMemory, at: usize, length: usize, space: &'a mut Vec<u8>) -> &'a [u8] {
    let whole = length.next_multiple_of(WORD);
    if space.len() < whole {
        space.resize(whole, 0);
    }
    let (words, _) = space.as_chunks_mut();
    for (place, word) in (at..at + whole / WORD).zip(words) {
        *word = memory.word(place).load(Ordering::Relaxed).to_le_bytes();
    }
    space.get(..length).unwrap_or(&[])
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use super::*;

    #[test]
    fn pieces_of_any_length_come_together() {
        let (memory, _fd) = SharedMemory::create().unwrap();
        let bytes: Vec<u8> = (0..=u8::MAX).cycle().take(12_293).collect();
        for piece in [1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 1000, bytes.len()] {
            for length in [1, 7, 8, 9, 4096, 4097, bytes.len()] {
                let mut writer = Writer::new(&memory, 512, bytes.len() + WORD);
                // A short piece first, as a header is.
                let (head, body) = bytes[..length].split_at(3.min(length));
                [head].into_iter().chain(body.chunks(piece)).for_each(|piece| writer.write(piece));
                writer.finish();
                assert!(read(&memory, 512, length, &mut Vec::new()) == &bytes[..length], "{piece} {length}");
            }
        }
    }

    #[test]
    fn nothing_is_written_behind_the_end() {
        let (memory, _fd) = SharedMemory::create().unwrap();
        for shift in 0..WORD {
            let mut writer = Writer::new(&memory, 0, 64);
            writer.write(&[1; WORD][..shift]);
            writer.write(&[1; 200]);
            writer.finish();
            assert_eq!(memory.word(7).load(Ordering::Relaxed), u64::from_le_bytes([1; WORD]));
            assert_eq!(memory.word(8).load(Ordering::Relaxed), 0, "{shift}");
        }
    }
}

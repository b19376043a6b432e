//! Bytes on their way in one direction: a socket that holds so many, takes a part of what it is given, and gives a part of what it has.

use std::cell::RefCell;

use taskcell_wire::FrameBuffer;

use crate::random::Random;

/// One direction of a socket pair.
#[derive(Debug)]
pub(crate) struct Stream {
    bytes: Vec<u8>,
    /// Bytes of it that were read.
    read: usize,
    capacity: usize,
}

impl Stream {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { bytes: Vec::new(), read: 0, capacity }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.read == self.bytes.len()
    }

    pub(crate) fn has_room(&self) -> bool {
        self.bytes.len() - self.read < self.capacity
    }

    /// Takes the beginning of `from`, cut where chance has it; how many bytes.
    pub(crate) fn write(&mut self, from: &[u8], random: &mut Random) -> usize {
        let room = self.capacity.saturating_sub(self.bytes.len() - self.read).min(from.len());
        let count = part(room, random);
        self.bytes.extend_from_slice(&from[..count]);
        count
    }

    /// Gives some bytes to a reader, cut where chance has it; how many.
    pub(crate) fn read(&mut self, into: &mut FrameBuffer, random: &mut Random) -> usize {
        let count = part(self.bytes.len() - self.read, random);
        if count == 0 {
            return 0;
        }
        let space = into.space();
        let count = count.min(space.len());
        space[..count].copy_from_slice(&self.bytes[self.read..self.read + count]);
        into.filled(count);
        self.read += count;
        if self.is_empty() {
            self.bytes.clear();
            self.read = 0;
        }
        count
    }
}

/// All of it half of the time, or any part that is not nothing.
fn part(all: usize, random: &mut Random) -> usize {
    if all <= 1 || random.once_in(2) {
        return all;
    }
    1 + usize::try_from(random.below(all as u64)).unwrap_or(0)
}

thread_local! {
    /// A buffer takes 256 KiB from its first byte on, which a hundred thousand schedules with ten workers each must not pay for every time.
    static BUFFERS: RefCell<Vec<FrameBuffer>> = const { RefCell::new(Vec::new()) };
}

/// An empty buffer for frames of at most `cap` bytes.
pub(crate) fn buffer(cap: u64) -> FrameBuffer {
    let mut buffer = BUFFERS.with_borrow_mut(Vec::pop).unwrap_or_else(|| FrameBuffer::new(cap));
    buffer.set_cap(cap);
    buffer
}

/// Takes one back. One that holds half a frame is of no more use.
pub(crate) fn give_back(buffer: FrameBuffer) {
    if !buffer.is_partial() {
        BUFFERS.with_borrow_mut(|buffers| buffers.push(buffer));
    }
}

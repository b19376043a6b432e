//! Memory for long messages, used again.
//!
//! The failure that this prevents: each message of a MiB that the broker keeps, and each input or result as long, is given memory by the kernel page by page, and gives it back when it is
//! taken out; that costs more than copying it. A few buffers wait here for the next one instead, for as long as the dispatcher lives.
//!
//! A message gets a buffer of its own length or a little more, and no other: the broker counts a message's bytes against its limits, and nobody would count
//! the rest of a long buffer that a short message keeps.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use taskcell_wire::ItemWriter;
use taskcell_wire::call::SharedBytes;
use taskcell_worker::mailbox::LONG_BYTES;

/// How many wait.
const WAITING: usize = 4;
/// A message may have a buffer that is longer by this part of it: 1/8.
const SLACK: usize = 8;
/// The longest prefix of an input's length.
const ITEM_OVERHEAD: usize = 10;
/// Buffers are whole words, which is how shared memory is read.
const WORD: usize = size_of::<u64>();

/// Buffers that wait to be used.
#[derive(Debug, Default, Clone)]
pub(crate) struct Buffers(Arc<Waiting>);

#[derive(Debug, Default)]
struct Waiting(Mutex<VecDeque<Vec<u8>>>);

/// A buffer that comes back when nobody has its bytes any more.
struct Lent {
    bytes: Vec<u8>,
    length: usize,
    home: Arc<Waiting>,
}

impl Waiting {
    fn lock(&self) -> MutexGuard<'_, VecDeque<Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Buffers {
    /// One for a message of `length` bytes, with any bytes in it.
    fn take(&self, length: usize) -> Vec<u8> {
        let whole = length.next_multiple_of(WORD);
        let fits = whole..=whole.saturating_add(length / SLACK);
        let mut waiting = self.0.lock();
        let found = waiting.iter().position(|bytes| fits.contains(&bytes.len()));
        found.and_then(|at| waiting.remove(at)).unwrap_or_else(|| vec![0; whole])
    }

    /// A message of at most `most` bytes, for keeping: `write` writes it, and says how long it is.
    pub(crate) fn fill(&self, most: usize, write: impl FnOnce(&mut Vec<u8>) -> usize) -> SharedBytes {
        let mut bytes = self.take(most);
        let length = write(&mut bytes);
        self.keep(bytes, length)
    }

    /// One input, as inputs travel.
    pub(crate) fn one_item(&self, item: &[u8]) -> SharedBytes {
        if item.len() < LONG_BYTES {
            let mut items = ItemWriter::default();
            items.push(item);
            return items.into_parts().0.into();
        }
        self.fill(item.len().saturating_add(ITEM_OVERHEAD), |bytes| {
            let whole = bytes.len();
            let mut items = ItemWriter::within(std::mem::take(bytes));
            items.push(item);
            *bytes = items.into_parts().0;
            let length = bytes.len();
            bytes.resize(whole, 0);
            length
        })
    }

    /// The first `length` bytes of a buffer that was taken, for keeping.
    fn keep(&self, bytes: Vec<u8>, length: usize) -> SharedBytes {
        SharedBytes::from_owner(Lent { length: length.min(bytes.len()), bytes, home: Arc::clone(&self.0) })
    }
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or(&[])
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let mut waiting = self.home.lock();
        // The oldest gives way: the next message is most likely as long as this one.
        waiting.truncate(WAITING - 1);
        waiting.push_front(std::mem::take(&mut self.bytes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_comes_back_when_its_last_part_is_gone() {
        let buffers = Buffers::default();
        let mut bytes = buffers.take(24);
        assert_eq!(bytes, [0; 24]);
        bytes.fill(7);
        let kept = buffers.keep(bytes, 23);
        let part = kept.slice(1..);
        drop(kept);
        assert_eq!(buffers.take(24), [0; 24], "a part of the other is in use");
        assert_eq!(*part, [7; 22]);
        drop(part);
        assert_eq!(buffers.take(24), [7; 24]);
    }

    #[test]
    fn a_message_keeps_no_memory_that_is_not_counted() {
        let buffers = Buffers::default();
        for (long, short, again) in
            [(1 << 20, 16 << 10, false), (1 << 20, (1 << 20) - 100, true), (1 << 20, 1_000_000, true), (1000, 1010, false)]
        {
            let mut bytes = buffers.take(long);
            bytes.fill(7);
            drop(buffers.keep(bytes, long));
            let next = buffers.take(short);
            assert_eq!(next.first() == Some(&7), again, "{long} then {short}");
            assert!(next.len() >= short && next.capacity() <= short + short / SLACK + WORD, "{short}: {}", next.capacity());
        }
    }

    #[test]
    fn an_input_takes_a_buffer_that_a_result_had() {
        let buffers = Buffers::default();
        let item = vec![9; 100_000];
        for _ in 0..3 {
            let items = buffers.one_item(&item);
            let read: Vec<_> = taskcell_wire::ItemReader::new(&items).map(Result::unwrap).collect();
            assert_eq!(read, [&item[..]]);
            let at = items.as_ptr();
            drop(items);
            let results = buffers.take(item.len());
            assert_eq!(results.as_ptr(), at);
            drop(buffers.keep(results, item.len()));
        }
    }

    #[test]
    fn the_latest_few_wait() {
        let buffers = Buffers::default();
        for number in 1..=10u8 {
            let mut bytes = buffers.take(1000 * usize::from(number));
            bytes.fill(number);
            drop(buffers.keep(bytes, 8));
        }
        let waiting: Vec<u8> = buffers.0.lock().iter().filter_map(|bytes| bytes.first().copied()).collect();
        assert_eq!(waiting, [10, 9, 8, 7]);
    }
}

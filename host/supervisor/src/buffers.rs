//! Memory for long messages, used again.
//!
//! The failure that this prevents: each message of a MiB that the broker keeps is given memory by the kernel page by page, and gives it back when it is
//! taken out; that costs more than copying it. A few buffers wait here for the next one instead, for as long as the dispatcher lives.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use taskcell_wire::call::SharedBytes;

/// How many wait.
const WAITING: usize = 4;
/// The largest that waits, in bytes.
const LARGEST: usize = 4 << 20;

/// Buffers that wait to be used.
#[derive(Debug, Default)]
pub(crate) struct Buffers(Arc<Waiting>);

#[derive(Debug, Default)]
struct Waiting(Mutex<Vec<Vec<u8>>>);

/// A buffer that comes back when nobody has its bytes any more.
struct Lent {
    bytes: Vec<u8>,
    length: usize,
    home: Arc<Waiting>,
}

impl Waiting {
    fn lock(&self) -> MutexGuard<'_, Vec<Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Buffers {
    /// One with any bytes in it, or an empty one.
    pub(crate) fn take(&self) -> Vec<u8> {
        self.0.lock().pop().unwrap_or_default()
    }

    /// The first `length` bytes of a buffer that was taken, for keeping.
    pub(crate) fn keep(&self, bytes: Vec<u8>, length: usize) -> SharedBytes {
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
        if waiting.len() < WAITING && self.bytes.len() <= LARGEST {
            waiting.push(std::mem::take(&mut self.bytes));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_comes_back_when_its_last_part_is_gone() {
        let buffers = Buffers::default();
        assert!(buffers.take().is_empty());
        let kept = buffers.keep(vec![1, 2, 3, 4], 3);
        let part = kept.slice(1..);
        drop(kept);
        assert!(buffers.take().is_empty(), "a part of it is in use");
        assert_eq!(*part, [2, 3]);
        drop(part);
        assert_eq!(buffers.take(), [1, 2, 3, 4]);
    }

    #[test]
    fn few_wait_and_none_that_is_huge() {
        let buffers = Buffers::default();
        let kept: Vec<SharedBytes> = (0..10).map(|_| buffers.keep(vec![0; 10], 10)).collect();
        drop(kept);
        drop(buffers.keep(vec![0; LARGEST + 1], 1));
        let waiting = std::iter::repeat_with(|| buffers.take()).take_while(|bytes| !bytes.is_empty());
        assert_eq!(waiting.count(), WAITING);
    }
}

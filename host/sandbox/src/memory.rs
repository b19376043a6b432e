//! Memory that the supervisor and one worker share.
//!
//! It carries counters and flags that are read far more often than a message could be sent, and small messages that would take
//! longer to be woken up for than to be handled. Both sides see it only as atomic words: the peer may be hostile and change
//! any word at any moment, so a reference or a struct over it would be unsound, and each value is a claim to be checked by
//! whoever loads it. The size is sealed, because a peer that could shrink the memfd could kill us with SIGBUS. Pages that
//! nobody touches take no memory.
#![allow(unsafe_code, reason = "maps memory that another process writes to")]

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::ptr::NonNull;
use std::sync::atomic::AtomicU64;

use rustix::fs::{SealFlags, fcntl_add_seals, fcntl_get_seals, fstat, ftruncate};
use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap, munmap};
use rustix::process::{Resource, getrlimit};

use crate::memfd::create;

/// Its size in bytes.
const BYTES: usize = 4 << 20;
/// The same for a supervisor whose address space is limited.
const FEWER_BYTES: usize = 1 << 20;
/// The largest page that a machine we run on may have.
const PAGE_BYTES: usize = 64 * 1024;
const _: () = assert!(BYTES.is_power_of_two() && FEWER_BYTES.is_power_of_two(), "a word's index is masked");

/// What keeps the size fixed. Contents stay writable: that is the purpose.
const FIXED_SIZE: SealFlags = SealFlags::GROW.union(SealFlags::SHRINK);

/// Why memory could not be shared. Each text fits "failed to ...".
#[derive(Debug, thiserror::Error)]
pub enum SharedMemoryError {
    /// The memfd could not be made.
    #[error("create shared memory: {0}")]
    Create(io::Error),
    /// It could not be given its size.
    #[error("size shared memory: {0}")]
    Resize(io::Error),
    /// Its size could not be fixed.
    #[error("seal the size of shared memory: {0}")]
    Seal(io::Error),
    /// It is not a memfd.
    #[error("read the seals of shared memory: {0}")]
    Seals(io::Error),
    /// The peer could shrink it under us.
    #[error("map shared memory: its size is not sealed")]
    NotSealed,
    /// Its size could not be read.
    #[error("read the size of shared memory: {0}")]
    Size(io::Error),
    /// It is not what we share.
    #[error("map shared memory: it has {0} bytes, which is no size of ours")]
    WrongSize(i64),
    /// It could not be mapped.
    #[error("map shared memory: {0}")]
    Map(io::Error),
}

/// Words shared with another process, all 0 at first: 4 MiB, or 1 MiB under a limit on address space.
#[derive(Debug)]
pub struct SharedMemory {
    start: NonNull<AtomicU64>,
    /// A power of two.
    bytes: usize,
}

// SAFETY: the memory is reached through atomics only, which any thread may use at any time.
unsafe impl Send for SharedMemory {}
// SAFETY: as for Send.
unsafe impl Sync for SharedMemory {}

impl SharedMemory {
    /// How many words there are, a power of two. Eight neighbours share a cache line, so words that different sides write to belong at
    /// least eight apart.
    #[must_use]
    #[inline]
    pub const fn words(&self) -> usize {
        self.bytes / size_of::<AtomicU64>()
    }

    /// Makes such memory, and the descriptor by which one other process can map it.
    ///
    /// # Errors
    ///
    /// [`SharedMemoryError`], by step.
    pub fn create() -> Result<(Self, OwnedFd), SharedMemoryError> {
        let fd = create("taskcell-shared").map_err(SharedMemoryError::Create)?;
        // Many workers' would use up what is left to the supervisor itself.
        let limited = getrlimit(Resource::As).current.is_some();
        let bytes = if limited { FEWER_BYTES } else { BYTES };
        ftruncate(&fd, bytes as u64).map_err(|errno| SharedMemoryError::Resize(errno.into()))?;
        fcntl_add_seals(&fd, FIXED_SIZE | SealFlags::SEAL).map_err(|errno| SharedMemoryError::Seal(errno.into()))?;
        let memory = Self::map_checked(&fd)?;
        Ok((memory, fd))
    }

    /// Maps memory that another process made. The descriptor is closed.
    ///
    /// # Errors
    ///
    /// [`SharedMemoryError`]: not a memfd, of another size, of a size that can change, or not mappable.
    #[expect(clippy::needless_pass_by_value, reason = "the mapping outlives the descriptor, which nobody needs afterwards")]
    pub fn map(fd: OwnedFd) -> Result<Self, SharedMemoryError> {
        Self::map_checked(&fd)
    }

    fn map_checked(fd: &OwnedFd) -> Result<Self, SharedMemoryError> {
        let seals = fcntl_get_seals(fd).map_err(|errno| SharedMemoryError::Seals(errno.into()))?;
        if !seals.contains(FIXED_SIZE) {
            return Err(SharedMemoryError::NotSealed);
        }
        let size = fstat(fd).map_err(|errno| SharedMemoryError::Size(errno.into()))?.st_size;
        let bytes = [BYTES, FEWER_BYTES].into_iter().find(|bytes| usize::try_from(size) == Ok(*bytes));
        let bytes = bytes.ok_or(SharedMemoryError::WrongSize(size))?;
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a fresh mapping at an address of the kernel's choice disturbs no other memory.
        let start = unsafe { mmap(std::ptr::null_mut(), bytes, protection, MapFlags::SHARED, fd.as_fd(), 0) }
            .map_err(|errno| SharedMemoryError::Map(errno.into()))?;
        let start = NonNull::new(start.cast()).ok_or_else(|| SharedMemoryError::Map(io::ErrorKind::InvalidData.into()))?;
        Ok(Self { start, bytes })
    }

    /// The word at `index`, modulo [`SharedMemory::words`]. Its value is whatever the peer last stored: check it.
    #[must_use]
    #[inline]
    pub fn word(&self, index: usize) -> &AtomicU64 {
        // SAFETY: the masked index lies within the mapping. The mapping is aligned to a page, readable and writable, lives as
        // long as `self`, and its backing cannot shrink (sealed, checked in `map_checked`). All access by us is atomic; what
        // the peer stores by other means is, to this process, some value of the word.
        unsafe { self.start.add(index & (self.words() - 1)).as_ref() }
    }

    /// Gives the memory of all words from `index` on back, rounded up to whole pages; they are 0 again. A kernel that can't leaves them.
    pub fn release(&self, index: usize) {
        let from = index.min(self.words()).saturating_mul(size_of::<AtomicU64>()).next_multiple_of(PAGE_BYTES).min(self.bytes);
        // SAFETY: the range lies within the mapping and starts at a page. Words turn to 0 as if the peer had stored that; nobody has a
        // reference but to an atomic.
        let _ = unsafe { madvise(self.start.as_ptr().cast::<u8>().add(from).cast(), self.bytes - from, Advice::LinuxRemove) };
    }
}

impl Drop for SharedMemory {
    fn drop(&mut self) {
        // SAFETY: exactly what was mapped, and every reference to a word borrowed `self`. Failure would leave it mapped.
        let _ = unsafe { munmap(self.start.as_ptr().cast(), self.bytes) };
    }
}

//! One page of memory that the supervisor and one worker share.
//!
//! It carries counters and flags that are read far more often than a message could be sent. Both sides see it only as
//! atomic words: the peer may be hostile and change any word at any moment, so a reference or a struct over it would be
//! unsound, and each value is a claim to be checked by whoever loads it. The size is sealed, because a peer that could
//! shrink the memfd could kill us with SIGBUS.
#![allow(unsafe_code, reason = "maps memory that another process writes to")]

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::ptr::NonNull;
use std::sync::atomic::AtomicU64;

use rustix::fs::{SealFlags, fcntl_add_seals, fcntl_get_seals, fstat, ftruncate};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

use crate::memfd::create;

const BYTES: usize = 4096;
const BYTES_ON_DISK: u64 = 4096;
const SLOTS: usize = BYTES / size_of::<AtomicU64>();
const _: () = assert!(SLOTS.is_power_of_two(), "a slot's index is masked");

/// What keeps the size fixed. Contents stay writable: that is the page's purpose.
const FIXED_SIZE: SealFlags = SealFlags::GROW.union(SealFlags::SHRINK);

/// Why a page could not be shared. Each text fits "failed to ...".
#[derive(Debug, thiserror::Error)]
pub enum SharedPageError {
    /// The memfd could not be made.
    #[error("create a shared page: {0}")]
    Create(io::Error),
    /// It could not be given its size.
    #[error("size a shared page: {0}")]
    Resize(io::Error),
    /// Its size could not be fixed.
    #[error("seal the size of a shared page: {0}")]
    Seal(io::Error),
    /// It is not a memfd.
    #[error("read the seals of a shared page: {0}")]
    Seals(io::Error),
    /// The peer could shrink it under us.
    #[error("map a shared page: its size is not sealed")]
    NotSealed,
    /// Its size could not be read.
    #[error("read the size of a shared page: {0}")]
    Size(io::Error),
    /// It is not a page.
    #[error("map a shared page: it has {0} bytes instead of {BYTES}")]
    WrongSize(i64),
    /// It could not be mapped.
    #[error("map a shared page: {0}")]
    Map(io::Error),
}

/// 512 words shared with another process, all 0 at first.
#[derive(Debug)]
pub struct SharedPage {
    start: NonNull<AtomicU64>,
}

// SAFETY: the page is reached through atomics only, which any thread may use at any time.
unsafe impl Send for SharedPage {}
// SAFETY: as for Send.
unsafe impl Sync for SharedPage {}

impl SharedPage {
    /// How many words there are. Eight neighbours share a cache line, so words that different sides write to belong at
    /// least eight apart.
    pub const SLOTS: usize = SLOTS;

    /// Makes a page, and the descriptor by which one other process can map it.
    ///
    /// # Errors
    ///
    /// [`SharedPageError`], by step.
    pub fn create() -> Result<(Self, OwnedFd), SharedPageError> {
        let fd = create("taskcell-page").map_err(SharedPageError::Create)?;
        ftruncate(&fd, BYTES_ON_DISK).map_err(|errno| SharedPageError::Resize(errno.into()))?;
        fcntl_add_seals(&fd, FIXED_SIZE | SealFlags::SEAL).map_err(|errno| SharedPageError::Seal(errno.into()))?;
        let page = Self::map_checked(&fd)?;
        Ok((page, fd))
    }

    /// Maps a page that another process made. The descriptor is closed.
    ///
    /// # Errors
    ///
    /// [`SharedPageError`]: not a memfd, of another size, of a size that can change, or not mappable.
    #[expect(clippy::needless_pass_by_value, reason = "the mapping outlives the descriptor, which nobody needs afterwards")]
    pub fn map(fd: OwnedFd) -> Result<Self, SharedPageError> {
        Self::map_checked(&fd)
    }

    fn map_checked(fd: &OwnedFd) -> Result<Self, SharedPageError> {
        let seals = fcntl_get_seals(fd).map_err(|errno| SharedPageError::Seals(errno.into()))?;
        if !seals.contains(FIXED_SIZE) {
            return Err(SharedPageError::NotSealed);
        }
        let size = fstat(fd).map_err(|errno| SharedPageError::Size(errno.into()))?.st_size;
        if usize::try_from(size) != Ok(BYTES) {
            return Err(SharedPageError::WrongSize(size));
        }
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a fresh mapping at an address of the kernel's choice disturbs no other memory.
        let start = unsafe { mmap(std::ptr::null_mut(), BYTES, protection, MapFlags::SHARED, fd.as_fd(), 0) }
            .map_err(|errno| SharedPageError::Map(errno.into()))?;
        let start = NonNull::new(start.cast()).ok_or_else(|| SharedPageError::Map(io::ErrorKind::InvalidData.into()))?;
        Ok(Self { start })
    }

    /// The word at `index`, modulo [`SharedPage::SLOTS`]. Its value is whatever the peer last stored: check it.
    #[must_use]
    pub fn slot(&self, index: usize) -> &AtomicU64 {
        // SAFETY: the masked index lies within the page. The mapping is aligned to a page, readable and writable, lives as
        // long as `self`, and its backing cannot shrink (sealed, checked in `map_checked`). All access by us is atomic; what
        // the peer stores by other means is, to this process, some value of the word.
        unsafe { self.start.add(index & (SLOTS - 1)).as_ref() }
    }
}

impl Drop for SharedPage {
    fn drop(&mut self) {
        // SAFETY: exactly what was mapped, and every reference to a word borrowed `self`. Failure would leave it mapped.
        let _ = unsafe { munmap(self.start.as_ptr().cast(), BYTES) };
    }
}

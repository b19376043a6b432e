//! Bytes handed to another process in memory that has no name.
//!
//! A named file could be found, replaced or left behind; a memfd is gone with its last holder. Sealing it makes a promise
//! that the kernel keeps: nobody, its maker included, can change or shrink it again. That is what makes it sound to map
//! such bytes as a plain slice while an untrusted process holds the same memfd.
#![allow(unsafe_code, reason = "maps a sealed memfd as a slice")]

use std::fs::File;
use std::io::{self, Write as _};
use std::ops::Deref;
use std::os::fd::{AsFd, OwnedFd};
use std::ptr::NonNull;
use std::slice;

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, fcntl_get_seals, fstat, memfd_create};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

/// Why a memfd could not be made, sealed or mapped. Each text fits "failed to ...".
#[derive(Debug, thiserror::Error)]
pub enum MemfdError {
    /// It could not be made.
    #[error("create a memfd: {0}")]
    Create(io::Error),
    /// It could not be filled.
    #[error("write {bytes} bytes to a memfd: {error}")]
    Write {
        /// How many.
        bytes: usize,
        /// What the system said.
        error: io::Error,
    },
    /// It could not be sealed; "device or resource busy" means that somebody still maps it for writing.
    #[error("seal a memfd: {0}")]
    Seal(io::Error),
    /// It is not a memfd.
    #[error("read the seals of a memfd: {0}")]
    Seals(io::Error),
    /// Somebody could still change or shrink it.
    #[error("map a memfd: it is not sealed")]
    NotSealed,
    /// Its size could not be read.
    #[error("read the size of a memfd: {0}")]
    Size(io::Error),
    /// It does not fit this machine's memory.
    #[error("map a memfd of {0} bytes: too large for this machine")]
    TooLarge(i64),
    /// It could not be mapped.
    #[error("map a memfd: {0}")]
    Map(io::Error),
}

/// What makes contents final.
const FINAL: SealFlags = SealFlags::WRITE.union(SealFlags::GROW).union(SealFlags::SHRINK).union(SealFlags::SEAL);

/// Makes a memfd that holds `bytes` and can never change. `name` shows up in `/proc` only.
///
/// # Errors
///
/// [`MemfdError::Create`], [`MemfdError::Write`] or [`MemfdError::Seal`].
pub fn sealed_memfd(name: &str, bytes: &[u8]) -> Result<OwnedFd, MemfdError> {
    let mut file = File::from(writable_memfd(name)?);
    file.write_all(bytes).map_err(|error| MemfdError::Write { bytes: bytes.len(), error })?;
    let fd = OwnedFd::from(file);
    seal(&fd)?;
    Ok(fd)
}

/// Makes an empty memfd that can be written, and sealed later with [`seal`]. `name` shows up in `/proc` only.
///
/// # Errors
///
/// [`MemfdError::Create`].
pub fn writable_memfd(name: &str) -> Result<OwnedFd, MemfdError> {
    create(name).map_err(MemfdError::Create)
}

pub(crate) fn create(name: &str) -> io::Result<OwnedFd> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    match memfd_create(name, flags | MemfdFlags::NOEXEC_SEAL) {
        // Before Linux 6.3 nobody could say that a memfd will never be executed.
        Err(rustix::io::Errno::INVAL) => Ok(memfd_create(name, flags)?),
        made => Ok(made?),
    }
}

/// Makes the contents of a memfd final: no write, no growing, no shrinking, no lifting of seals.
///
/// # Errors
///
/// [`MemfdError::Seal`].
pub fn seal(fd: impl AsFd) -> Result<(), MemfdError> {
    fcntl_add_seals(fd, FINAL).map_err(|errno| MemfdError::Seal(errno.into()))
}

/// The contents of a sealed memfd, mapped for reading.
#[derive(Debug)]
pub struct MappedBytes {
    /// `None` when there is nothing to map: the kernel has no empty mappings.
    mapping: Option<(NonNull<u8>, usize)>,
}

// SAFETY: the memory is mapped for reading only and sealed against every writer, so threads can share it like `&[u8]`.
unsafe impl Send for MappedBytes {}
// SAFETY: as for Send.
unsafe impl Sync for MappedBytes {}

impl MappedBytes {
    /// Maps a memfd, after a check that it is sealed. The descriptor may be closed afterwards.
    ///
    /// # Errors
    ///
    /// [`MemfdError`]: not a memfd, not sealed, or not mappable.
    pub fn map(fd: impl AsFd) -> Result<Self, MemfdError> {
        let fd = fd.as_fd();
        let seals = fcntl_get_seals(fd).map_err(|errno| MemfdError::Seals(errno.into()))?;
        if !seals.contains(SealFlags::WRITE | SealFlags::SHRINK) {
            return Err(MemfdError::NotSealed);
        }
        let size = fstat(fd).map_err(|errno| MemfdError::Size(errno.into()))?.st_size;
        let length =
            usize::try_from(size).ok().filter(|&length| isize::try_from(length).is_ok()).ok_or(MemfdError::TooLarge(size))?;
        if length == 0 {
            return Ok(Self { mapping: None });
        }
        // SAFETY: a fresh mapping at an address of the kernel's choice disturbs no other memory.
        let start = unsafe { mmap(std::ptr::null_mut(), length, ProtFlags::READ, MapFlags::PRIVATE, fd, 0) }
            .map_err(|errno| MemfdError::Map(errno.into()))?;
        let start = NonNull::new(start.cast()).ok_or_else(|| MemfdError::Map(io::ErrorKind::InvalidData.into()))?;
        Ok(Self { mapping: Some((start, length)) })
    }
}

impl Deref for MappedBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.mapping.map_or(&[], |(start, length)| {
            // SAFETY: `start` is `length` readable bytes, mapped until `self` is dropped. The seals WRITE and SHRINK were
            // there when it was mapped and seals can't be lifted, so the bytes neither change nor vanish. The length
            // is at most isize::MAX (checked in `map`).
            unsafe { slice::from_raw_parts(start.as_ptr(), length) }
        })
    }
}

impl Drop for MappedBytes {
    fn drop(&mut self) {
        if let Some((start, length)) = self.mapping {
            // SAFETY: exactly what `map` mapped, and every slice of it borrowed `self`. Failure would leave it mapped.
            let _ = unsafe { munmap(start.as_ptr().cast(), length) };
        }
    }
}

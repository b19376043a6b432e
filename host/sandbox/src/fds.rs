//! Closing what nobody listed.
//!
//! A descriptor that slips into a child by accident is a capability that no later layer takes back: Landlock and seccomp
//! judge how a descriptor comes to be, not what is done with one that is already open.
#![allow(unsafe_code, reason = "closing descriptors by number cannot be expressed with owned descriptors")]

use std::io;
use std::os::fd::RawFd;

/// Closes every descriptor of this process but those in `keep`.
///
/// # Safety
///
/// Nothing in the process may own, or later use, a descriptor that is not in `keep`: owners would close or use a number
/// that may meanwhile stand for something else.
pub(crate) unsafe fn close_all_but(keep: &[RawFd]) -> io::Result<()> {
    let mut kept: Vec<u32> = keep.iter().filter_map(|&fd| u32::try_from(fd).ok()).collect();
    kept.sort_unstable();
    kept.dedup();
    let mut first = 0;
    for fd in kept {
        if first < fd {
            // SAFETY: the caller promises that nobody owns a descriptor in this gap between kept ones.
            unsafe { close_range(first, fd - 1) }?;
        }
        first = fd + 1;
    }
    // SAFETY: as above, for all that lies behind the last kept one.
    unsafe { close_range(first, u32::MAX) }
}

/// Closes the descriptors `first..=last`.
///
/// # Safety
///
/// As [`close_all_but`], for this range.
unsafe fn close_range(first: u32, last: u32) -> io::Result<()> {
    // SAFETY: takes plain numbers and touches no memory of ours; that no owner of a number in the range exists is the
    // caller's promise.
    match unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

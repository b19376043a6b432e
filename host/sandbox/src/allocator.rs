//! How soon the C library's allocator gives memory back to the kernel.
//!
//! The failure that this prevents: each message of a MiB takes 256 page faults at each place where it is copied to, since the memory that the one before it
//! freed was given back at once. Only for a worker: the supervisor's process is its embedder's.
#![allow(unsafe_code, reason = "the allocator's settings have no safe wrapper")]

/// From now on, memory that this process freed stays with it, up to 64 MiB, for the next who needs it. For a worker: long messages come one after the
/// other, and memory that is given back is taken again page by page.
pub fn keep_freed_memory() {
    /// The most that the allocator comes to by itself when it sees large blocks come and go (`mallopt(3)`).
    #[cfg(target_env = "gnu")]
    const LARGE: libc::c_int = 32 << 20;
    // SAFETY: sets two numbers of the C library's own, which it reads under its own lock.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::mallopt(libc::M_TRIM_THRESHOLD, 2 * LARGE);
        libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE);
    }
}

/// Gives back what [`keep_freed_memory`] kept, as far as that goes.
pub fn give_back_memory() {
    // SAFETY: the C library looks at its own lists, under its own locks.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::malloc_trim(0)
    };
}

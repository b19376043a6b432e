//! A new process by `clone`, with a descriptor for it from the first moment on.
//!
//! Not `fork`: copying the page tables of a large supervisor takes milliseconds, and a process id alone may mean another
//! process by the time it is used. Not the standard library's `Command`: it can neither return the descriptor nor execute
//! the running program by descriptor, and it runs our steps in a full copy of the supervisor.
#![allow(unsafe_code, reason = "clone has no safe wrapper: the child runs in its parent's memory")]

use std::ffi::{c_int, c_void};
use std::mem::MaybeUninit;
use std::os::fd::{FromRawFd as _, OwnedFd};
use std::{io, ptr};

/// Enough for a few frames that hold no arrays, in a debug build too.
const STACK_WORDS: usize = 32 * 1024;

/// One machine word pair: the stack's top must be aligned to 16 bytes.
type Word = u128;

/// Starts a process that calls `entry(argument)` and waits until it has executed a program or ended.
///
/// # Safety
///
/// `entry` must be sound to run with `argument` in a process that has one thread: no allocation, no lock, no panic, no
/// return to Rust code above it, because other threads of the parent may have held any lock when they were left behind.
/// With `CLONE_VM` in `flags` it also runs in the parent's memory, while the calling thread (and no other) is suspended.
pub(crate) unsafe fn start(
    flags: c_int,
    entry: extern "C" fn(*mut c_void) -> c_int,
    argument: *mut c_void,
) -> io::Result<(u32, OwnedFd)> {
    let mut stack: Vec<MaybeUninit<Word>> = Vec::with_capacity(STACK_WORDS);
    let top = stack.spare_capacity_mut().as_mut_ptr_range().end;
    let mut pidfd: c_int = -1;
    let flags = flags | libc::CLONE_VFORK | libc::CLONE_PIDFD | libc::SIGCHLD;
    let restore = block_signals()?;
    // SAFETY: `top` ends a block of at least STACK_WORDS words aligned to 16 bytes, which lives until after the call, and
    // CLONE_VFORK makes the call return only when the child no longer uses it. `pidfd` is where CLONE_PIDFD stores a number.
    // Signals are blocked, so no handler of the parent runs in the child. The rest is the caller's promise.
    let pid = unsafe {
        libc::clone(entry, top.cast(), flags, argument, &raw mut pidfd, ptr::null_mut::<c_void>(), ptr::null_mut::<c_int>())
    };
    let error = io::Error::last_os_error();
    restore_signals(&restore);
    drop(stack);
    let Ok(pid) = u32::try_from(pid) else { return Err(error) };
    // SAFETY: the kernel has just made this descriptor for us (clone succeeded), and nobody else knows of it.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    Ok((pid, pidfd))
}

/// The flags of [`fork_for_parent`], without `CLONE_NEWUSER`.
pub(crate) const FORK_FLAGS: c_int =
    libc::CLONE_PARENT | libc::CLONE_PIDFD | libc::CLONE_CHILD_SETTID | libc::CLONE_CHILD_CLEARTID;

/// Makes a copy of this process, as `fork` does, whose parent is this process's own parent; in a user
/// namespace of its own if asked. In the copy it gives `None`.
///
/// # Safety
///
/// This process must have one thread, and no handler of its own that a signal could start in the copy before it is ready for that. Whatever
/// must exist once (a descriptor that is answered, a child that is waited for) belongs to one of the two from here on.
pub(crate) unsafe fn fork_for_parent(user_namespace: bool) -> io::Result<Option<(u32, OwnedFd)>> {
    let thread_id = own_thread_id()?;
    let mut pidfd: c_int = -1;
    let flags = FORK_FLAGS | if user_namespace { libc::CLONE_NEWUSER } else { 0 };
    // SAFETY: without CLONE_VM and with no stack given, the copy goes on here on its own copy of this stack. The C library's thread id, which its
    // `fork` would set, is where `own_thread_id` found it. The caller has one thread, so no lock is held by a thread that is not in the copy.
    // Of the last two arguments one architecture takes the one and one the other for where the thread id belongs; what the other means is
    // not asked for by the flags.
    let pid = unsafe { libc::syscall(libc::SYS_clone, flags, ptr::null_mut::<c_void>(), &raw mut pidfd, thread_id, thread_id) };
    match u32::try_from(pid) {
        Err(_) => Err(io::Error::last_os_error()),
        Ok(0) => Ok(None),
        // SAFETY: the kernel has just made this descriptor for us (clone succeeded), and nobody else knows of it.
        Ok(pid) => Ok(Some((pid, unsafe { OwnedFd::from_raw_fd(pidfd) }))),
    }
}

/// Where the C library keeps this thread's id: the place that it told the kernel to clear when the thread ends. A copy without its own id there
/// would send the signal of its `abort` to another process's number.
fn own_thread_id() -> io::Result<*mut c_int> {
    /// `linux/prctl.h`; not in `libc` for this target.
    const PR_GET_TID_ADDRESS: c_int = 40;
    let mut place: *mut c_int = ptr::null_mut();
    // SAFETY: the kernel writes one pointer to `place`.
    if unsafe { libc::prctl(PR_GET_TID_ADDRESS, &raw mut place) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: what a running thread registered for the kernel to write to is mapped, aligned and lives as long as the thread.
    let kept = if place.is_null() { -1 } else { unsafe { place.read() } };
    if kept == rustix::thread::gettid().as_raw_nonzero().get() { Ok(place) } else { Err(io::ErrorKind::Unsupported.into()) }
}

/// Blocks all signals for the calling thread and returns the mask that was in force.
fn block_signals() -> io::Result<libc::sigset_t> {
    let mut all = MaybeUninit::uninit();
    let mut old = MaybeUninit::uninit();
    // SAFETY: sigfillset initialises the set it is given; pthread_sigmask reads that one and fills the other.
    let error = unsafe {
        libc::sigfillset(all.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), old.as_mut_ptr())
    };
    if error != 0 {
        return Err(io::Error::from_raw_os_error(error));
    }
    // SAFETY: filled by the successful call above.
    Ok(unsafe { old.assume_init() })
}

fn restore_signals(mask: &libc::sigset_t) {
    // SAFETY: the mask came from the kernel; with a valid mask and command the call can't fail.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, mask, ptr::null_mut()) };
}

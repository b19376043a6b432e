//! The forker's own side: one thread that waits for orders, and what it forks.
#![allow(unsafe_code, reason = "forks, and gives the copy its own arguments")]

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::mem::ManuallyDrop;
use std::os::fd::{AsFd as _, AsRawFd as _, FromRawFd as _, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, getppid};

use super::WORDS;
use super::message::{self, Made, Order};
use crate::clone;
use crate::inherited;
use crate::policy::Role;
use crate::spawn::Words;
use crate::spawn::child::{Bounds, Places, Step, settle};

static FORKED: AtomicBool = AtomicBool::new(false);

/// Whether a forker made this process.
pub(crate) fn was_forked() -> bool {
    FORKED.load(Ordering::Relaxed)
}

/// Plays the forker's part, if this process was started for it, until its supervisor is gone. Gives `true` then: the process is to end. In every
/// other process it gives `false`: one that is no forker, and a worker that was just forked, which goes on as if it had been executed.
///
/// Call it first in `main`: it needs a process with one thread.
#[must_use]
pub fn fork_on_request() -> bool {
    let mut arguments = std::env::args_os().skip(1);
    if !(arguments.next().is_some_and(|word| word == WORDS.1) && arguments.next().is_none()) {
        return false;
    }
    // One who typed the word himself gave none, or none of the kind.
    let Some(socket) = inherited::take(1).ok().and_then(|taken| taken.into_iter().next()) else { return true };
    // In a copy, other descriptors have its number, so it is never closed.
    let socket = ManuallyDrop::new(socket);
    if let Ok(name) = std::ffi::CString::new(WORDS.0) {
        let _ = rustix::thread::set_name(&name);
    }
    let arguments = ArgumentsInMemory::find();
    let parent = getppid();
    while has_one_thread()
        && let Some((bytes, handed)) = message::receive(socket.as_fd(), Order::BYTES)
        && let Some(order) = Order::from_bytes(&bytes)
    {
        match fork(&order, handed, parent, arguments.as_ref()) {
            Fork::Copy => {
                FORKED.store(true, Ordering::Relaxed);
                inherited::start_anew();
                return false;
            }
            Fork::Original(made, pidfd) => {
                let handed: Vec<_> = pidfd.iter().map(OwnedFd::as_fd).collect();
                if message::send(socket.as_fd(), &made.to_bytes(), &handed).is_err() {
                    return true;
                }
            }
        }
    }
    true
}

enum Fork {
    Copy,
    Original(Made, Option<OwnedFd>),
}

fn fork(order: &Order, handed: Vec<OwnedFd>, parent: Option<Pid>, arguments: Option<&ArgumentsInMemory>) -> Fork {
    // The copy tells by a pipe how far it came. If it dies on the way, the pipe says so.
    let (reader, writer) = match pipe_with(PipeFlags::CLOEXEC) {
        Ok((reader, writer)) => (File::from(reader), File::from(writer)),
        Err(errno) => return Fork::Original(Made::Nothing(errno.raw_os_error()), None),
    };
    let limits = order.limits.settings();
    // SAFETY: one thread, looked at just before, and no handler for signals but the standard library's for faults. The copy uses none of the
    // descriptors that it has in common with this process but those that `become_worker` puts in place, and owns these.
    match unsafe { clone::fork_for_parent() } {
        Err(error) => Fork::Original(Made::Nothing(error.raw_os_error().unwrap_or(libc::ENOSYS)), None),
        Ok(None) => {
            let sources = sources(order, &handed, writer.as_raw_fd());
            // Their numbers are given to others from here on.
            let _ = ManuallyDrop::new((handed, reader, writer));
            if let Some(arguments) = arguments {
                arguments.become_a_workers();
            }
            become_worker(sources, &Bounds { limits, limits_must_hold: order.strict, parent });
            Fork::Copy
        }
        Ok(Some((pid, pidfd))) => {
            drop((handed, writer));
            let mut told = [0; Made::BYTES];
            let read = (&reader).read_exact(&mut told);
            let told = read.ok().and_then(|()| Made::from_bytes(&told));
            let made = told.unwrap_or(Made::Failed(pid, Step::Tell, libc::EPIPE));
            Fork::Original(made, Some(pidfd))
        }
    }
}

/// Where a worker's descriptors are in its forker: 0 is `/dev/null`.
fn sources(order: &Order, handed: &[OwnedFd], status: RawFd) -> Vec<RawFd> {
    let mut handed = handed.iter().map(|fd| fd.as_raw_fd());
    let stderr = if order.own_stderr { handed.next() } else { None };
    let mut sources = vec![0, 0, stderr.unwrap_or(0)];
    sources.extend(handed);
    sources.push(status);
    sources
}

/// Does in a copy what is done before `exec` elsewhere, and tells how that went.
fn become_worker(sources: Vec<RawFd>, bounds: &Bounds) {
    let mut places = Places::new(sources);
    let settled = settle(&mut places, bounds);
    let pid = std::process::id();
    let told = match settled {
        Ok(_) => Made::Worker(pid),
        Err((step, error)) => Made::Failed(pid, step, error),
    };
    // SAFETY: the pipe's end, wherever `settle` moved it by now; nobody else owns it.
    let mut status = unsafe { File::from_raw_fd(places.last()) };
    // The forker reads it, or is gone and the supervisor with it.
    let _ = status.write_all(&told.to_bytes());
    if settled.is_err() {
        // SAFETY: ends this process without running exit handlers, which belong to the forker.
        unsafe { libc::_exit(127) }
    }
}

/// A thread that something in the program started before its main would not be in the copy, and what it holds would be held for ever.
fn has_one_thread() -> bool {
    std::fs::read_dir("/proc/self/task").is_ok_and(|threads| threads.count() == 1)
}

/// Where the kernel keeps what it shows as this process's arguments.
struct ArgumentsInMemory {
    start: usize,
    length: usize,
}

impl ArgumentsInMemory {
    /// Fields 48 and 49 of `/proc/PID/stat` (proc(5)).
    fn find() -> Option<Self> {
        let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
        let (_, fields) = stat.rsplit_once(')')?;
        let mut fields = fields.split_ascii_whitespace().skip(45).map(|field| field.parse::<usize>().ok());
        let (start, end) = (fields.next()??, fields.next()??);
        let words = in_memory(WORDS);
        let found = Self { start, length: end.checked_sub(start)? };
        (start != 0 && found.length == words.len() && found.bytes() == words).then_some(found)
    }

    fn bytes(&self) -> &[u8] {
        // SAFETY: the kernel laid the arguments there when it started this process, in memory of its stack that stays mapped for its whole life. This
        // process has one thread, which does not change them meanwhile.
        unsafe { std::slice::from_raw_parts(std::ptr::with_exposed_provenance(self.start), self.length) }
    }

    /// Only for those who list processes.
    fn become_a_workers(&self) {
        let words = in_memory((Role::Worker.process_name(), Role::Worker.argv()));
        if words.len() != self.length {
            return;
        }
        let place: *mut u8 = std::ptr::with_exposed_provenance_mut(self.start);
        // SAFETY: as in `bytes`; the memory is writable, as long as what is written, and nobody holds a reference to it: the standard library copies
        // arguments when it is asked for them.
        unsafe { std::ptr::copy_nonoverlapping(words.as_ptr(), place, words.len()) };
    }
}

/// Arguments as they lie there.
fn in_memory((name, word): Words) -> Vec<u8> {
    format!("{name}\0{word}\0").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workers_words_fit_in_the_place_of_a_forkers() {
        assert_eq!((WORDS.0.len(), WORDS.1.len()), (Role::Worker.process_name().len(), Role::Worker.argv().len()));
    }
}

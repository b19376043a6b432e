//! The zygote's own side: one thread that waits for orders, and what a forked worker does first.
#![allow(unsafe_code, reason = "forks, and puts a page map in the place of another")]

use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd, RawFd};

use rustix::process::{Pid, getppid};

use super::message::{self, Answer, Go};
use crate::clone;
use crate::confine::{ConfineError, Confined};
use crate::policy::Role;

/// Why a forked worker can't go on. Each text fits "failed to ...".
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The order had no socket.
    #[error("take the socket of a forked worker: the order had none")]
    NoSocket,
    /// The supervisor is gone, or sent something else.
    #[error("hear from the supervisor after being forked")]
    NotReleased,
    /// The page map could not be replaced.
    #[error("put the page map of a forked worker in its place: {0}")]
    PageMap(std::io::Error),
    /// A layer of the sandbox.
    #[error("{0}")]
    Confine(#[from] ConfineError),
}

/// The zygote's socket.
#[derive(Debug)]
pub struct ZygoteSocket {
    socket: OwnedFd,
    parent: Option<Pid>,
    arguments: Option<ArgumentsInMemory>,
}

/// A worker that was just forked.
#[derive(Debug)]
pub struct Forked {
    /// What it was given, its socket first.
    pub descriptors: Vec<OwnedFd>,
    confined: Confined,
    parent: Option<Pid>,
}

/// The descriptor of `/proc/self/pagemap` that an engine opened for itself. In a forked process it still
/// shows the pages of the zygote.
#[derive(Debug, Clone, Copy)]
pub struct PageMap(RawFd);

impl PageMap {
    /// Finds it among the open descriptors; `None` if there is none. Needs `/proc`.
    #[must_use]
    pub fn find() -> Option<Self> {
        let open = std::fs::read_dir("/proc/self/fd").ok()?.filter_map(Result::ok);
        let is_page_map = |entry: &std::fs::DirEntry| {
            std::fs::read_link(entry.path()).is_ok_and(|target| target.ends_with("pagemap") && target.starts_with("/proc"))
        };
        open.filter(is_page_map).find_map(|entry| entry.file_name().to_str()?.parse().ok()).map(Self)
    }

    /// Puts another file in its place.
    fn replace(self, by: RawFd) -> Result<(), ServeError> {
        // SAFETY: takes plain numbers. The number's owner is the engine, which keeps it open for the whole life of the
        // process and replaces the file behind it by the same call when it notices a fork.
        if unsafe { libc::dup3(by, self.0, libc::O_CLOEXEC) } == -1 {
            return Err(ServeError::PageMap(std::io::Error::last_os_error()));
        }
        Ok(())
    }
}

impl ZygoteSocket {
    /// Takes over the first inherited descriptor. Needs `/proc`.
    #[must_use]
    pub fn new(socket: OwnedFd) -> Self {
        Self { socket, parent: getppid(), arguments: ArgumentsInMemory::find() }
    }

    /// Reports that this process can't get ready.
    pub fn fail(&self, text: &[u8]) {
        // The supervisor may be gone.
        let _ = message::send(self.socket.as_fd(), &Answer::Failed(text).to_bytes(), &[]);
    }

    /// Forks workers on request until the supervisor is gone, and gives `None` then. In each worker it gives
    /// that worker. The caller's process must have one thread.
    #[must_use]
    pub fn serve(self, confined: Confined) -> Option<Forked> {
        loop {
            let (order, descriptors) = message::receive(self.socket.as_fd(), false).ok()?;
            let [own_namespace] = order[..] else { return None };
            // SAFETY: the caller's promise. The copy closes this socket, and uses no other descriptor that the two have in
            // common but through the engine, which opened them for reading.
            let forked = unsafe { clone::fork_for_parent(own_namespace != 0) }.or_else(|error| match own_namespace {
                0 => Err(error),
                // Where user namespaces are refused, workers share the zygote's uid.
                // SAFETY: as above.
                _ => unsafe { clone::fork_for_parent(false) },
            });
            match forked {
                Ok(None) => {
                    if let Some(arguments) = &self.arguments {
                        arguments.become_a_workers();
                    }
                    let Self { socket, parent, .. } = self;
                    drop(socket);
                    return Some(Forked { descriptors, confined, parent });
                }
                Ok(Some((_, pidfd))) => {
                    drop(descriptors);
                    message::send(self.socket.as_fd(), &Answer::Forked.to_bytes(), &[pidfd.as_fd()]).ok()?;
                }
                Err(error) => {
                    let error = error.raw_os_error().unwrap_or(libc::ENOSYS);
                    message::send(self.socket.as_fd(), &Answer::Refused(error).to_bytes(), &[]).ok()?;
                }
            }
        }
    }
}

impl Forked {
    /// Waits for the supervisor's release, and takes what is this worker's own.
    ///
    /// # Errors
    ///
    /// [`ServeError`]; the process must end.
    pub fn settle(self, page_map: Option<PageMap>) -> Result<(Confined, Vec<OwnedFd>), ServeError> {
        let Self { descriptors, mut confined, parent } = self;
        let socket = descriptors.first().ok_or(ServeError::NoSocket)?;
        // As long as a release, so that nothing behind it is taken too.
        let length = Go { uid: None }.to_bytes().len();
        let (bytes, handed) = message::receive_at_most(socket.as_fd(), length, false).map_err(|_| ServeError::NotReleased)?;
        let go = Go::from_bytes(&bytes).ok_or(ServeError::NotReleased)?;
        if let Some(page_map) = page_map {
            // Standard input is `/dev/null`, which can't be scanned: the engine then takes the slow way.
            page_map.replace(handed.first().map_or(0, |own| own.as_raw_fd()))?;
        }
        confined.settle_forked(go.uid, parent)?;
        if let Ok(name) = std::ffi::CString::new(Role::Worker.process_name()) {
            // Only for lists of processes.
            let _ = rustix::thread::set_name(&name);
        }
        Ok((confined, descriptors))
    }
}

/// Where the kernel keeps what it shows as this process's arguments.
#[derive(Debug)]
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
        let words = in_memory(Role::Zygote);
        let found = Self { start, length: end.checked_sub(start)? };
        (start != 0 && found.length == words.len() && found.bytes() == words).then_some(found)
    }

    fn bytes(&self) -> &[u8] {
        // SAFETY: the kernel put the arguments there when it started this process, in memory of its stack that stays
        // mapped for its whole life. This process has one thread, which does not change them meanwhile.
        unsafe { std::slice::from_raw_parts(std::ptr::with_exposed_provenance(self.start), self.length) }
    }

    /// Only for lists of processes.
    fn become_a_workers(&self) {
        let words = in_memory(Role::Worker);
        if words.len() != self.length {
            return;
        }
        let place: *mut u8 = std::ptr::with_exposed_provenance_mut(self.start);
        // SAFETY: as in `bytes`; the memory is writable, as long as what is written, and nobody holds a reference to it:
        // the standard library copies arguments when it is asked for them.
        unsafe { std::ptr::copy_nonoverlapping(words.as_ptr(), place, words.len()) };
    }
}

/// A role's arguments as they lie there.
fn in_memory(role: Role) -> Vec<u8> {
    format!("{}\0{}\0", role.process_name(), role.argv()).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workers_arguments_fit_in_the_place_of_a_zygotes() {
        assert_eq!(in_memory(Role::Worker).len(), in_memory(Role::Zygote).len());
    }
}

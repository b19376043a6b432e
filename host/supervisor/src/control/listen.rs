//! The host's side: answers with what its tasks are doing.

use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::Weak;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use taskcell_wire::call::TaskState;

use super::{HostStatus, TaskLine, VERSION, directory};
use crate::dispatcher::{Dispatcher, wake_fd};
use crate::lead::Shared;
use crate::status::TaskStatus;

/// Until the next try to hear a peer.
const PAUSE: Duration = Duration::from_millis(100);
/// How long a peer may take to read its answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// A host that can be seen. Dropping it takes the socket away.
#[derive(Debug)]
pub(crate) struct Listing {
    path: PathBuf,
    wake: OwnedFd,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Listing {
    /// Makes the socket; `None` if there is no place for one. Not to be seen is no reason not to run.
    pub(crate) fn start(title: &str, shared: Weak<Shared>) -> Option<Self> {
        let path = directory()?.join(format!("{}-{}.sock", std::process::id(), serial()));
        // Between binding and listening a connection is refused, and `hosts` removes what refuses: so the
        // socket gets its name when it listens. Only a former process of this number could have left either.
        let unfinished = path.with_extension("new");
        let _ = std::fs::remove_file(&unfinished);
        let listener = UnixListener::bind(&unfinished).ok()?;
        std::fs::rename(&unfinished, &path).ok()?;
        let wake = wake_fd().ok()?;
        let ended = wake.try_clone().ok()?;
        let (title, began) = (title.to_owned(), Instant::now());
        let run = move || serve(&listener, &ended, &shared, &title, began);
        let thread = std::thread::Builder::new().name("taskcell-control".into()).spawn(run);
        match thread {
            Ok(thread) => Some(Self { path, wake, thread: Some(thread) }),
            Err(_) => {
                let _ = std::fs::remove_file(&path);
                None
            }
        }
    }
}

impl Drop for Listing {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
        let _ = rustix::io::write(&self.wake, &1u64.to_ne_bytes());
        if let Some(thread) = self.thread.take() {
            // Its panic was printed when it happened.
            let _ = thread.join();
        }
    }
}

/// Tells hosts of one process apart.
fn serial() -> u64 {
    static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
}

fn serve(listener: &UnixListener, ended: &OwnedFd, shared: &Weak<Shared>, title: &str, began: Instant) {
    loop {
        let mut fds = [PollFd::new(listener, PollFlags::IN), PollFd::new(ended, PollFlags::IN)];
        let polled = poll(&mut fds, None);
        let [socket, wake] = fds.map(|fd| fd.revents());
        if !wake.is_empty() {
            return;
        }
        if polled.is_err() || !socket.contains(PollFlags::IN) {
            continue;
        }
        let Ok((peer, _)) = listener.accept() else {
            // Out of descriptors, most likely: the peer still waits, so without a pause this would be a hot loop.
            std::thread::sleep(PAUSE);
            continue;
        };
        let Some(shared) = shared.upgrade() else { return };
        if is_ours(&peer) {
            let tasks = shared.visit(Dispatcher::tasks);
            drop(shared);
            answer(&peer, title, began, tasks);
        }
    }
}

/// Whether the peer is a process of this user. The directory's mode says so already; this holds if somebody changes that.
fn is_ours(peer: &UnixStream) -> bool {
    rustix::net::sockopt::socket_peercred(peer).is_ok_and(|who| who.uid == rustix::process::getuid())
}

fn answer(mut peer: &UnixStream, title: &str, began: Instant, tasks: Vec<TaskStatus>) {
    let status = HostStatus {
        version: VERSION,
        pid: std::process::id(),
        title: title.to_owned(),
        running_ms: milliseconds(began.elapsed()),
        tasks: tasks.into_iter().map(line).collect(),
    };
    let Ok(json) = serde_json::to_vec(&status) else { return };
    // A peer that does not read is left alone.
    if peer.set_write_timeout(Some(PATIENCE)).is_ok() {
        let _ = peer.write_all(&json);
    }
}

fn line(task: TaskStatus) -> TaskLine {
    let state = task.state.name().to_owned();
    let waiting_on = match task.state {
        TaskState::Waiting(on) => Some(on),
        TaskState::Ready | TaskState::Running | TaskState::Ended => None,
    };
    TaskLine {
        id: task.id.0,
        parent: task.parent.map(|parent| parent.0),
        name: task.name,
        module: task.module,
        state,
        waiting_on,
        pid: task.pid,
        since_ms: milliseconds(task.since),
        attempt: task.attempt,
        progress: task.progress.map(|progress| (progress.done, progress.total)),
        cpu_ms: None,
        memory_bytes: None,
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

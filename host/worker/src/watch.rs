//! The thread that looks up while the guest does not.
//!
//! A guest in a loop answers to nothing. This thread moves the engine's epoch on, so that the guest asks
//! [`TaskStop`](crate::stop::TaskStop) a few hundred times a second; it sends results that wait behind a slow task; it shows the
//! supervisor that the process runs; and it ends the process when the supervisor closed the socket. While nothing runs it sleeps
//! longer, and after a while for good, until the main thread wakes it: an idle worker uses no CPU.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use taskcell_engine::Ticker;
use taskcell_sandbox::SharedMemory;

use crate::error::WorkerError;
use crate::outbox::Outbox;
use crate::page;

/// Between two looks while a task runs. Bounds how late a deadline is noticed.
const BUSY: Timespec = Timespec { tv_sec: 0, tv_nsec: 5_000_000 };
/// Between two looks just after.
const IDLE: Timespec = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };
/// So many idle looks, then sleep for good.
const IDLE_LOOKS: u32 = 50;

/// What the main thread tells the watch thread.
#[derive(Debug)]
pub struct Watch {
    busy: AtomicBool,
    asleep: AtomicBool,
    wake: OwnedFd,
}

impl Watch {
    /// Starts the thread.
    ///
    /// # Errors
    /// [`WorkerError::Watch`] or [`WorkerError::Thread`].
    pub fn start(ticker: Ticker, outbox: Arc<Outbox>, page: Arc<SharedMemory>) -> Result<Arc<Self>, WorkerError> {
        let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).map_err(WorkerError::Watch)?;
        let watch = Arc::new(Self { busy: AtomicBool::new(false), asleep: AtomicBool::new(false), wake });
        let shared = Arc::clone(&watch);
        let (running, started) = std::sync::mpsc::sync_channel(1);
        // A new thread makes system calls of its own before its first line; the caller may be about to give those up.
        let run = move || {
            drop(running);
            shared.run(&ticker, &outbox, &page);
        };
        std::thread::Builder::new().name("watch".into()).stack_size(256 * 1024).spawn(run).map_err(WorkerError::Thread)?;
        let _: Result<(), _> = started.recv();
        Ok(watch)
    }

    /// Tasks run from now on.
    pub fn busy(&self) {
        // Both threads write their own flag and then read the other's, so at least one sees the other.
        self.busy.store(true, Ordering::SeqCst);
        if self.asleep.load(Ordering::SeqCst) {
            let _ = rustix::io::write(&self.wake, &1u64.to_ne_bytes());
        }
    }

    /// Nothing runs.
    pub fn idle(&self) {
        self.busy.store(false, Ordering::Relaxed);
    }

    fn run(&self, ticker: &Ticker, outbox: &Outbox, page: &SharedMemory) {
        let mut looks = 0;
        loop {
            let busy = self.busy.load(Ordering::SeqCst);
            looks = if busy { 0 } else { looks + 1 };
            let sleep = looks > IDLE_LOOKS;
            self.asleep.store(sleep, Ordering::SeqCst);
            if sleep && self.busy.load(Ordering::SeqCst) {
                continue;
            }
            let wait = if sleep { None } else { Some(if busy { BUSY } else { IDLE }) };
            // Hang-up is always reported; nothing else of the socket concerns this thread.
            let mut fds = [PollFd::new(outbox.socket(), PollFlags::RDHUP), PollFd::new(&self.wake, PollFlags::IN)];
            let polled = poll(&mut fds, wait.as_ref());
            let [socket, wake] = fds.map(|fd| fd.revents());
            if polled.is_ok() && socket.intersects(PollFlags::HUP | PollFlags::RDHUP | PollFlags::ERR) {
                end();
            }
            if wake.contains(PollFlags::IN) {
                let mut count = [0; 8];
                let _ = rustix::io::read(&self.wake, &mut count);
            }
            if self.busy.load(Ordering::Relaxed) {
                ticker.tick();
                page::beat(page);
                if outbox.flush().is_err() {
                    end();
                }
            }
        }
    }
}

/// The supervisor is gone and with it everybody who could use a result.
#[expect(clippy::exit, reason = "the main thread may be in a guest's endless loop")]
fn end() -> ! {
    std::process::exit(0)
}

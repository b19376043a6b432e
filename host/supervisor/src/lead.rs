//! Who leads the dispatcher: a caller that waits, or else a thread of ours.
//!
//! A hop between threads costs about 10 us here, as much as a short task with its way there and back. So a caller that waits for a
//! result takes the dispatcher and turns it itself until its result is there; no other thread is involved. While nobody waits,
//! the background thread turns it, so that work goes on.
//!
//! Rules, and what they prevent:
//! 1. At most one thread leads; it holds the dispatcher's lock while it waits for readiness.
//! 2. Whoever else needs the dispatcher counts itself a visitor and rings the eventfd. The leader's turn ends, it gives up the
//!    lock until no visitor is left, and goes on. (Else a visitor would wait as long as the longest task.)
//! 3. After every turn the leader tells the followers, callers that wait while another leads; each visits and looks for its result.
//!    (Else a follower would sleep on a result that is there.)
//! 4. A leading caller that has its result stops leading at once. The background thread takes over when nobody has led for a
//!    millisecond, not at once: most callers come back sooner, and two threads would then fight for the lead.
//! 5. While the background thread leads, submitters do not wait for it: their requests go through a bounded channel.

use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender};
use taskcell_broker::{Chunk, JobOptions};
use taskcell_wire::{CallId, JobId, WorkerId};

use crate::buffers::Buffers;
use crate::dispatcher::{Dispatcher, DispatcherOptions, wake_fd};
use crate::error::Error;
use crate::sink::Sink;

/// Requests that wait for a leader.
const REQUESTS: usize = 1024;
/// How long the lead may be free before the background thread takes it.
const FREE: Duration = Duration::from_millis(1);
/// How often the background thread looks while a caller leads.
const LOOK: Duration = Duration::from_millis(5);
/// How long a follower sleeps at most, in case it is to become the leader.
const FOLLOW: Duration = Duration::from_millis(50);

/// What a thread that does not lead asks of the one that does.
pub(crate) enum Request {
    Open(JobId, JobOptions, Sink),
    Submit(Chunk),
    Cancel(JobId),
    Drain(JobId),
    Close(JobId),
    Input(WorkerId, CallId, Vec<u8>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Leader {
    Nobody,
    Caller,
    Background,
}

#[derive(Debug)]
struct Lead {
    leader: Leader,
    /// When a caller last gave up the lead.
    freed: Instant,
    closing: bool,
}

/// A dispatcher and those who want it.
#[derive(Debug)]
pub(crate) struct Shared {
    dispatcher: Mutex<Dispatcher>,
    lead: Mutex<Lead>,
    /// Rung when followers should look, and when the pool closes.
    news: Condvar,
    followers: AtomicU32,
    visitors: AtomicU32,
    /// A caller wants the lead that the background thread has.
    wanted: AtomicBool,
    /// The dispatcher's.
    pub(crate) buffers: Buffers,
    requests: Sender<Request>,
    inbox: Receiver<Request>,
    wake: OwnedFd,
}

impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Open(..) => "Open",
            Self::Submit(_) => "Submit",
            Self::Cancel(_) => "Cancel",
            Self::Drain(_) => "Drain",
            Self::Close(_) => "Close",
            Self::Input(..) => "Input",
        })
    }
}

impl Shared {
    /// Starts the background thread, and then the workers, which are not to take the last thread that the machine has.
    pub(crate) fn start(options: DispatcherOptions) -> Result<(Arc<Self>, JoinHandle<()>), Error> {
        let wake = wake_fd()?;
        let (spec, pool) = (options.spec, options.pool);
        let shared = Arc::new(Self::new(Dispatcher::new(options, &wake)?, wake));
        let background = Arc::clone(&shared);
        let run = move || background.run();
        let thread = std::thread::Builder::new().name("taskcell-dispatch".into()).spawn(run).map_err(Error::Thread)?;
        shared.visit(|dispatcher| dispatcher.begin(spec, pool));
        Ok((shared, thread))
    }

    fn new(dispatcher: Dispatcher, wake: OwnedFd) -> Self {
        let (requests, inbox) = crossbeam_channel::bounded(REQUESTS);
        Self {
            buffers: dispatcher.buffers.clone(),
            dispatcher: Mutex::new(dispatcher),
            lead: Mutex::new(Lead { leader: Leader::Nobody, freed: Instant::now(), closing: false }),
            news: Condvar::new(),
            followers: AtomicU32::new(0),
            visitors: AtomicU32::new(0),
            wanted: AtomicBool::new(false),
            requests,
            inbox,
            wake,
        }
    }

    /// Ends the leader's wait.
    pub(crate) fn ring(&self) {
        // Fails only if the counter is full, and then it rings anyhow.
        let _ = rustix::io::write(&self.wake, &1u64.to_ne_bytes());
    }

    /// Hands a request to the dispatcher, at once if nobody leads.
    pub(crate) fn request(&self, request: Request) {
        if let Ok(mut dispatcher) = self.dispatcher.try_lock() {
            self.drain(&mut dispatcher);
            apply(&mut dispatcher, request);
            drop(dispatcher);
            lock(&self.lead).freed = Instant::now();
            return;
        }
        // A full channel is emptied by the leader that this wakes.
        if let Err(crossbeam_channel::TrySendError::Full(request)) = self.requests.try_send(request) {
            self.ring();
            let _ = self.requests.send(request);
        }
        self.ring();
    }

    /// Turns the dispatcher until `done` gives something or `deadline` has passed.
    pub(crate) fn wait<T>(&self, deadline: Option<Instant>, mut done: impl FnMut(&mut Dispatcher) -> Option<T>) -> Option<T> {
        loop {
            if self.claim() {
                let result = self.lead(deadline, &mut done);
                let mut lead = lock(&self.lead);
                lead.leader = Leader::Nobody;
                lead.freed = Instant::now();
                drop(lead);
                self.tell_followers();
                return result;
            }
            if let Some(result) = self.visit(&mut done) {
                return Some(result);
            }
            if passed(deadline) {
                return None;
            }
            self.follow(deadline);
        }
    }

    /// Uses the dispatcher once, between two turns of the leader.
    pub(crate) fn visit<T>(&self, visit: impl FnOnce(&mut Dispatcher) -> T) -> T {
        self.visitors.fetch_add(1, Ordering::SeqCst);
        self.ring();
        let mut dispatcher = lock(&self.dispatcher);
        self.visitors.fetch_sub(1, Ordering::SeqCst);
        self.drain(&mut dispatcher);
        visit(&mut dispatcher)
    }

    /// The background thread's life.
    pub(crate) fn run(&self) {
        loop {
            let mut lead = lock(&self.lead);
            if lead.closing {
                return;
            }
            let wait = match lead.leader {
                Leader::Caller => LOOK,
                Leader::Nobody | Leader::Background if lead.freed.elapsed() < FREE => FREE,
                Leader::Nobody | Leader::Background => {
                    lead.leader = Leader::Background;
                    drop(lead);
                    self.lead_background();
                    continue;
                }
            };
            // Rung or not, it looks again.
            drop(self.news.wait_timeout(lead, wait));
        }
    }

    /// No more turns; ends the background thread and everybody's waiting.
    pub(crate) fn close(&self, why: &str) {
        lock(&self.lead).closing = true;
        self.wanted.store(true, Ordering::SeqCst);
        self.visit(|dispatcher| dispatcher.shut_down(why));
        self.news.notify_all();
    }

    fn claim(&self) -> bool {
        let mut lead = lock(&self.lead);
        match lead.leader {
            Leader::Caller => return false,
            Leader::Background => {
                self.wanted.store(true, Ordering::SeqCst);
                self.ring();
            }
            Leader::Nobody => {}
        }
        lead.leader = Leader::Caller;
        true
    }

    fn lead<T>(&self, deadline: Option<Instant>, done: &mut impl FnMut(&mut Dispatcher) -> Option<T>) -> Option<T> {
        let mut dispatcher = lock(&self.dispatcher);
        loop {
            self.drain(&mut dispatcher);
            if let Some(result) = done(&mut dispatcher) {
                return Some(result);
            }
            if passed(deadline) {
                return None;
            }
            if dispatcher.turn(deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()))) {
                self.clear_wake();
            }
            self.tell_followers();
            dispatcher = self.let_in(dispatcher);
        }
    }

    fn lead_background(&self) {
        let mut dispatcher = lock(&self.dispatcher);
        while !self.wanted.load(Ordering::SeqCst) {
            self.drain(&mut dispatcher);
            if dispatcher.turn(None) {
                self.clear_wake();
            }
            self.tell_followers();
            dispatcher = self.let_in(dispatcher);
        }
        drop(dispatcher);
        let mut lead = lock(&self.lead);
        self.wanted.store(lead.closing, Ordering::SeqCst);
        // The caller that wanted the lead has noted itself already.
        if lead.leader == Leader::Background {
            lead.leader = Leader::Nobody;
        }
    }

    /// Gives up the lock until no visitor is left.
    fn let_in<'a>(&'a self, dispatcher: MutexGuard<'a, Dispatcher>) -> MutexGuard<'a, Dispatcher> {
        if self.visitors.load(Ordering::SeqCst) == 0 {
            return dispatcher;
        }
        drop(dispatcher);
        while self.visitors.load(Ordering::SeqCst) > 0 {
            std::thread::yield_now();
        }
        lock(&self.dispatcher)
    }

    fn drain(&self, dispatcher: &mut Dispatcher) {
        while let Ok(request) = self.inbox.try_recv() {
            apply(dispatcher, request);
        }
    }

    fn clear_wake(&self) {
        let mut count = [0; 8];
        let _ = rustix::io::read(&self.wake, &mut count);
    }

    fn follow(&self, deadline: Option<Instant>) {
        let lead = lock(&self.lead);
        let left = deadline.map_or(FOLLOW, |deadline| deadline.saturating_duration_since(Instant::now()).min(FOLLOW));
        if lead.leader == Leader::Caller {
            self.followers.fetch_add(1, Ordering::SeqCst);
            drop(self.news.wait_timeout(lead, left));
            self.followers.fetch_sub(1, Ordering::SeqCst);
        }
    }

    fn tell_followers(&self) {
        if self.followers.load(Ordering::SeqCst) > 0 {
            self.news.notify_all();
        }
    }
}

fn apply(dispatcher: &mut Dispatcher, request: Request) {
    match request {
        Request::Open(job, options, sink) => dispatcher.open(job, options, sink),
        Request::Submit(chunk) => {
            dispatcher.submit(chunk);
            dispatcher.flush();
        }
        Request::Cancel(job) => dispatcher.cancel(job),
        Request::Drain(job) => dispatcher.drain(job),
        Request::Close(job) => dispatcher.close(job),
        Request::Input(worker, call, bytes) => dispatcher.input(worker, call, &bytes),
    }
}

fn passed(deadline: Option<Instant>) -> bool {
    deadline.is_some_and(|deadline| Instant::now() >= deadline)
}

/// A thread that panicked while it held the lock left sound state: the dispatcher changes it in whole steps.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

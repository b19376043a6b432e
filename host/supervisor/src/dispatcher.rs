//! The one owner of a pool's state and of its workers' sockets.
//!
//! A turn waits for readiness, reads frames, tells the broker, carries out its effects, and writes. No thread hop lies between a
//! worker's bytes and the broker. Whoever holds the dispatcher's lock leads it ([`crate::lead`]).
//!
//! All that a worker sends is checked here before anything believes it: frames by their caps, outcomes by decoding each, results
//! by being one line of JSON. A worker that fails a check is killed, and that costs the task it ran.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::event::{EventfdFlags, Timespec, eventfd};
use taskcell_broker::{self as broker, Chunk, Effect, KillReason, Now};
use taskcell_sandbox::Strictness;
use taskcell_wire::from_worker::BootFailure;
use taskcell_wire::{ChunkId, Encoding, JobId, Run, TaskIndex, ToWorker, WorkerId, encode};
use taskcell_worker::page;

use crate::component::Component;
use crate::delivery::{Block, OnPrinted};
use crate::error::{Error, TaskError};
use crate::inbound::{self, Retried};
use crate::link::{BootFrame, Link, Received};
use crate::sink::Sink;

/// The epoll data of the eventfd; worker ids count up from 0 and never get here.
const WAKE: u64 = u64::MAX;
/// Reads of one worker before the others have their turn.
const READS: usize = 4;
/// Sockets that one wait reports; the rest wait for the next turn.
const EVENTS: usize = 32;

/// What the tasks of a job have in common.
#[derive(Debug, Clone, Copy)]
pub(crate) struct JobOptions {
    pub(crate) task: TaskIndex,
    pub(crate) input: Encoding,
    pub(crate) output: Encoding,
    pub(crate) timeout: Option<Duration>,
    pub(crate) timed: bool,
}

/// Why a pool stopped.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    /// What a worker that could not get ready failed at; `None` for any other reason.
    pub(crate) boot: Option<BootFailure>,
    pub(crate) text: String,
}

pub(crate) struct Job {
    pub(crate) options: JobOptions,
    sink: Sink,
}

/// What a dispatcher is made with.
pub(crate) struct DispatcherOptions {
    pub(crate) component: Component,
    pub(crate) boot: BootFrame,
    pub(crate) strictness: Strictness,
    pub(crate) pool: broker::PoolOptions,
    pub(crate) retried: Retried,
    pub(crate) printed: Option<OnPrinted>,
}

pub(crate) struct Dispatcher {
    pub(crate) options: DispatcherOptions,
    pub(crate) broker: broker::Pool,
    effects: Vec<Effect>,
    links: BTreeMap<WorkerId, Link>,
    pub(crate) jobs: BTreeMap<JobId, Job>,
    epoll: OwnedFd,
    began: Instant,
    failure: Option<Failure>,
    /// What the first worker that could not get ready failed at.
    pub(crate) boot_failure: Option<BootFailure>,
    pub(crate) frame_cap: u64,
}

impl std::fmt::Debug for Dispatcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dispatcher").field("links", &self.links.len()).field("jobs", &self.jobs.len()).finish_non_exhaustive()
    }
}

/// Makes the eventfd by which other threads end a dispatcher's wait.
pub(crate) fn wake_fd() -> Result<OwnedFd, Error> {
    Ok(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?)
}

/// The next job's number in this process.
pub(crate) fn next_job() -> JobId {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    JobId(NEXT.fetch_add(1, Ordering::Relaxed))
}

impl Dispatcher {
    /// Asks for the workers; they get ready while the caller goes on.
    pub(crate) fn start(options: DispatcherOptions, wake: &OwnedFd) -> Result<Self, Error> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        epoll::add(&epoll, wake, EventData::new_u64(WAKE), EventFlags::IN)?;
        let frame_cap = options.component.limits().frame_bytes();
        let mut dispatcher = Self {
            broker: broker::Pool::new(options.pool),
            options,
            effects: Vec::new(),
            links: BTreeMap::new(),
            jobs: BTreeMap::new(),
            epoll,
            began: Instant::now(),
            failure: None,
            boot_failure: None,
            frame_cap,
        };
        dispatcher.broker.start(dispatcher.now());
        dispatcher.carry_out();
        match &dispatcher.failure {
            // Not one worker could be started, and retrying would not help.
            Some(failure) if dispatcher.links.is_empty() => Err(Error::Stopped(failure.text.clone())),
            Some(_) | None => Ok(dispatcher),
        }
    }

    pub(crate) fn now(&self) -> Now {
        Now(u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }

    /// Process ids of the workers that are ready.
    pub(crate) fn ready_pids(&self) -> Vec<u32> {
        self.links.values().filter(|link| link.ready).map(Link::pid).collect()
    }

    /// Why the pool stopped, if it did.
    pub(crate) fn failure(&self) -> Option<&Failure> {
        self.failure.as_ref()
    }

    pub(crate) fn open(&mut self, job: JobId, options: JobOptions, sink: Sink) {
        let timeout = options.timeout.map(|timeout| broker::Duration(u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX)));
        self.broker.open_job(job, broker::JobOptions { task: options.task, timeout });
        // A pool that stopped before takes no inputs, so this is all that its consumer ever hears.
        if let Some(failure) = &self.failure {
            sink.fail(&failure.text);
        }
        self.jobs.insert(job, Job { options, sink });
    }

    pub(crate) fn submit(&mut self, chunk: Chunk) {
        if let Some(failure) = &self.failure {
            let error = TaskError::Stopped { text: failure.text.clone() };
            let block = Block::untried(chunk.first, chunk.count, error);
            self.deliver(chunk.job, block);
            return;
        }
        self.broker.submit(self.now(), chunk);
        self.perform();
    }

    /// Sends what was submitted; many submissions leave in one write per worker.
    pub(crate) fn flush(&mut self) {
        self.carry_out();
    }

    pub(crate) fn cancel(&mut self, job: JobId) {
        self.broker.cancel_job(self.now(), job);
        self.carry_out();
    }

    /// Nothing more of the job starts; what runs goes on.
    pub(crate) fn drain(&mut self, job: JobId) {
        self.broker.drain_job(job);
        self.carry_out();
    }

    /// Nobody waits for the job any more.
    pub(crate) fn close(&mut self, job: JobId) {
        self.jobs.remove(&job);
        self.broker.close_job(self.now(), job);
        self.carry_out();
    }

    pub(crate) fn wants_more(&self) -> bool {
        self.broker.wants_more()
    }

    pub(crate) fn chunk_tasks(&self, task: TaskIndex) -> u32 {
        self.broker.chunk_tasks(task)
    }

    /// Waits until something happens, at most `wait`, and handles it. Whether the eventfd rang.
    pub(crate) fn turn(&mut self, wait: Option<Duration>) -> bool {
        let due = self.broker.next_tick().map(|at| Duration::from_nanos(at.since(self.now()).0));
        let wait = [wait, due].into_iter().flatten().min().map(timespec);
        let mut events = [epoll::Event { flags: EventFlags::empty(), data: EventData::new_u64(0) }; EVENTS];
        // An interrupted wait is a turn in which nothing happened.
        let count = epoll::wait(&self.epoll, &mut events[..], wait.as_ref()).unwrap_or(0);
        let mut rang = false;
        for event in events.iter().take(count) {
            match event.data.u64() {
                WAKE => rang = true,
                id => self.socket_ready(WorkerId(id), event.flags),
            }
        }
        if self.broker.next_tick().is_some_and(|at| at <= self.now()) {
            self.broker.tick(self.now());
        }
        self.carry_out();
        rang
    }

    fn socket_ready(&mut self, id: WorkerId, flags: EventFlags) {
        let Some(mut link) = self.links.remove(&id) else { return };
        if flags.contains(EventFlags::OUT) {
            link.send();
            if !link.is_full() {
                watch(&self.epoll, &link, id, false, false);
            }
        }
        let mut ended = false;
        if flags.intersects(EventFlags::IN | EventFlags::HUP | EventFlags::RDHUP | EventFlags::ERR) {
            for _ in 0..READS {
                let received = link.receive();
                match received {
                    Received::Nothing => break,
                    Received::End => {
                        ended = true;
                        break;
                    }
                    Received::Bytes | Received::Last => {}
                }
                if let Err(violation) = inbound::frames(self, id, &mut link) {
                    link.kill(format!("because {violation}"));
                    self.broker.violated(id, violation);
                    ended = true;
                    break;
                }
                if received == Received::Last {
                    break;
                }
            }
        }
        if ended {
            // Gone, or about to be: its process is reaped here.
            let _ = epoll::delete(&self.epoll, link.socket());
            let (pid, running) = (link.pid(), page::running(&link.page));
            let death = link.end();
            self.broker.worker_gone(self.now(), id, pid, death, running);
        } else {
            self.links.insert(id, link);
        }
        self.carry_out();
    }

    pub(crate) fn deliver(&mut self, job: JobId, block: Block) {
        if let Some(job) = self.jobs.get(&job) {
            job.sink.push(block);
        }
    }

    /// Carries out the broker's effects, up to the writes.
    fn perform(&mut self) {
        loop {
            let mut effects = std::mem::take(&mut self.effects);
            self.broker.take_effects(&mut effects);
            if effects.is_empty() {
                self.effects = effects;
                return;
            }
            for effect in effects.drain(..) {
                self.effect(effect);
            }
            self.effects = effects;
        }
    }

    /// Carries out the broker's effects, and writes what waits for each worker.
    fn carry_out(&mut self) {
        self.perform();
        // A full socket tells when it has room again; until then trying is of no use.
        for (id, link) in self.links.iter_mut().filter(|(_, link)| link.has_out() && !link.is_full()) {
            link.send();
            if link.is_full() {
                watch(&self.epoll, link, *id, true, false);
            }
        }
    }

    fn effect(&mut self, effect: Effect) {
        match effect {
            Effect::Spawn(id) => self.spawn(id),
            Effect::Send(worker, chunk) => self.send(worker, chunk),
            Effect::Stop(worker, chunk) => {
                if let Some(link) = self.links.get(&worker) {
                    page::ask_to_stop(&link.page, chunk);
                }
            }
            Effect::Retire(worker) => {
                if let Some(link) = self.links.get_mut(&worker) {
                    // A frame of one byte is never over the cap.
                    let _ = encode(&ToWorker::Shutdown, self.frame_cap, link.out());
                }
            }
            Effect::Kill(worker, reason) => {
                if reason == KillReason::NotReady {
                    // The same code and the same machine: another one would hang alike.
                    self.boot_failure.get_or_insert(BootFailure::Guest);
                    self.broker.fail("a worker was not ready in time; do the component's start functions end?".into());
                }
                if let Some(link) = self.links.get_mut(&worker) {
                    link.kill(reason_text(&reason));
                }
            }
            Effect::Lost { job, index, history } => self.deliver(job, Block::lost(index, history)),
            Effect::Cancelled { job, first, count } => {
                self.deliver(job, Block::untried(first, count, TaskError::Cancelled));
            }
            Effect::Failed(why) => self.fail(&why),
        }
    }

    fn spawn(&mut self, id: WorkerId) {
        let spawned = Link::spawn(self.options.component.code(), &self.options.boot, self.options.strictness);
        match spawned {
            Ok(link) => {
                watch(&self.epoll, &link, id, false, true);
                self.links.insert(id, link);
            }
            // Out of processes or descriptors: as good as a worker that died at once, with its pauses and its end.
            Err(error) => self.broker.worker_gone(self.now(), id, 0, format!("could not be started: failed to {error}"), None),
        }
    }

    fn send(&mut self, worker: WorkerId, chunk: ChunkId) {
        let Some((flight, _)) = self.broker.flight(worker, chunk) else { return };
        let (Some(job), Some(link)) = (self.jobs.get(&flight.job), self.links.get_mut(&worker)) else { return };
        let options = job.options;
        let run = Run {
            chunk,
            task: options.task,
            input: options.input,
            output: options.output,
            timeout: options.timeout.map(|timeout| u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX)),
            timed: options.timed,
            count: flight.count,
            items: &flight.items,
        };
        if let Err(error) = encode(&ToWorker::Run(run), self.frame_cap, link.out()) {
            // Inputs are capped when they are submitted, below a frame's cap.
            link.kill(format!("because its work could not be sent: {error}"));
        }
    }

    fn fail(&mut self, why: &str) {
        self.failure = Some(Failure { boot: self.boot_failure, text: why.to_owned() });
        for job in self.jobs.values() {
            job.sink.fail(why);
        }
        for link in self.links.values_mut() {
            link.kill("because the pool stopped".into());
        }
    }

    /// Ends the pool: every task that waits or runs ends with it.
    pub(crate) fn shut_down(&mut self, why: &str) {
        self.broker.fail(why.to_owned());
        self.carry_out();
        self.links.clear();
    }
}

/// Has epoll tell of a worker's socket; `new` if it does not yet.
fn watch(epoll: &OwnedFd, link: &Link, id: WorkerId, writable: bool, new: bool) {
    let flags = if writable { EventFlags::IN | EventFlags::OUT } else { EventFlags::IN };
    let data = EventData::new_u64(id.0);
    let socket = link.socket();
    // These fail for want of kernel memory only; the worker then looks stuck and its task runs into its time.
    let _ = if new { epoll::add(epoll, socket, data, flags) } else { epoll::modify(epoll, socket, data, flags) };
}

fn reason_text(reason: &KillReason) -> String {
    match reason {
        KillReason::Timeout => "because its task ran over its time and did not stop".into(),
        KillReason::Cancelled => "because its task was cancelled and did not stop".into(),
        KillReason::NotReady => "because it was not ready in time".into(),
        KillReason::Violation(violation) => format!("because {violation}"),
    }
}

fn timespec(duration: Duration) -> Timespec {
    Timespec { tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX), tv_nsec: i64::from(duration.subsec_nanos()) }
}

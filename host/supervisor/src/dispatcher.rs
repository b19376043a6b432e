//! The one owner of a job's state, the broker, and of its workers' sockets.
//!
//! A turn waits for readiness, reads frames, tells the broker, carries out its effects, and writes. No thread hop lies between a
//! worker's bytes and the broker. Whoever holds the dispatcher's lock leads it ([`crate::lead`]).
//!
//! All that a worker sends is checked before anything believes it: frames by their caps, outcomes by decoding each, results by being one line
//! of JSON. A worker that fails a check is killed, and that costs the task it ran.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::event::{EventfdFlags, eventfd};
use taskcell_broker::{self as broker, Broker, Chunk, Effect, Now, PoolId};
use taskcell_engine::values;
use taskcell_sandbox::Strictness;
use taskcell_wire::call::{CallId, SharedBytes};
use taskcell_wire::from_worker::BootFailure;
use taskcell_wire::{Grants, JobId, TaskIndex, WorkerId};
use taskcell_worker::look::Backoff;

use crate::audit::{Audit, OnViolation};
use crate::boot::Boots;
use crate::buffers::Buffers;
use crate::cgroup::{Cgroup, CgroupOptions};
use crate::clock::Clock;
use crate::component::Component;
use crate::delivery::{Block, OnDeadlocked, OnLogged, OnPrinted};
use crate::effects::check_input;
use crate::error::{Error, TaskError};
use crate::input::Wants;
use crate::job_limits::JobLimits;
use crate::link::Link;
use crate::listener::Listener;
use crate::pulse::Looks;
use crate::reaper::Reaper;
use crate::sink::Sink;
use crate::status::TaskStatus;
use crate::written::Written;
use crate::zygotes::{WorkerStart, Zygotes};

/// The epoll data of the eventfd; worker ids count up from 0 and never get here.
pub(crate) const WAKE: u64 = u64::MAX;

/// Why a pool stopped.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    /// What a worker that could not get ready failed at; `None` for any other reason.
    pub(crate) boot: Option<BootFailure>,
    pub(crate) text: String,
}

/// What a dispatcher is made with.
pub(crate) struct DispatcherOptions {
    /// The component that the first pool runs, and those that its tasks may start tasks of, by name.
    pub(crate) modules: Vec<(String, Component)>,
    /// What tasks of the first component may see.
    pub(crate) grants: Grants,
    pub(crate) strictness: Strictness,
    /// How workers are started.
    pub(crate) start: WorkerStart,
    /// Whether workers switch off speculation of the processor.
    pub(crate) restrict_speculation: bool,
    pub(crate) job_limits: JobLimits,
    /// The first pool.
    pub(crate) spec: broker::WorkerSpec,
    pub(crate) pool: broker::PoolOptions,
    pub(crate) printed: Option<OnPrinted>,
    pub(crate) logged: Option<OnLogged>,
    pub(crate) deadlocked: Option<OnDeadlocked>,
    pub(crate) violated: Option<OnViolation>,
    /// The control group of all workers.
    pub(crate) cgroup: Option<CgroupOptions>,
    /// Where the program's calls for its input go.
    pub(crate) input: Option<Wants>,
}

pub(crate) struct Dispatcher {
    pub(crate) broker: Broker,
    /// The pool that the API's jobs run in.
    pub(crate) pool: PoolId,
    pub(crate) boots: Boots,
    pub(crate) strictness: Strictness,
    pub(crate) printed: Option<OnPrinted>,
    pub(crate) logged: Option<OnLogged>,
    pub(crate) deadlocked: Option<OnDeadlocked>,
    /// Where violations are recorded.
    pub(crate) audit: Option<Audit>,
    /// The control group of all workers, removed after their end.
    pub(crate) cgroup: Option<Cgroup>,
    input: Option<Wants>,
    /// Input that came for a program's call that had ended: the next call's.
    unread: Vec<u8>,
    pub(crate) effects: Vec<Effect>,
    /// Makes the workers.
    pub(crate) zygotes: Zygotes,
    pub(crate) links: BTreeMap<WorkerId, Link>,
    /// Workers whose connection ended and whose process was not reaped yet.
    pub(crate) reaper: Reaper,
    pub(crate) sinks: BTreeMap<JobId, Sink>,
    pub(crate) epoll: OwnedFd,
    /// What the command wrote whose worker is just gone.
    pub(crate) last_written: Option<((JobId, u64), Written)>,
    pub(crate) clock: Clock,
    pub(crate) looks: Looks,
    /// When results are looked for before the dispatcher sleeps.
    pub(crate) backoff: Backoff,
    /// Whose calls are looked for in shared memory.
    pub(crate) listener: Listener,
    /// Space for a call from there, and for long ones that are kept.
    pub(crate) laid: Vec<u8>,
    /// Space for posts, which are also read while a call is handled.
    pub(crate) posts: Vec<u8>,
    pub(crate) buffers: Buffers,
    pub(crate) failure: Option<Failure>,
    /// What the first worker that could not get ready failed at.
    pub(crate) boot_failure: Option<BootFailure>,
}

impl std::fmt::Debug for Dispatcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dispatcher").field("links", &self.links.len()).field("jobs", &self.sinks.len()).finish_non_exhaustive()
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
    /// One without workers yet.
    pub(crate) fn new(options: DispatcherOptions, wake: &OwnedFd) -> Result<Self, Error> {
        let processes = options.job_limits.processes.max(options.pool.workers);
        let cgroup = options.cgroup.as_ref().map(|group| Cgroup::create(group, processes)).transpose()?;
        let zygotes = Zygotes::new(options.start, options.strictness, options.pool.workers == 1);
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        epoll::add(&epoll, wake, EventData::new_u64(WAKE), EventFlags::IN)?;
        let interfaces = options
            .modules
            .iter()
            .map(|(name, component)| broker::Module { name: name.clone(), interface: component.interface().clone() });
        let limits = options.modules.first().map(|(_, component)| component.limits().clone()).unwrap_or_default();
        let broker = Broker::new(broker::BrokerOptions {
            modules: interfaces.collect(),
            check_arguments: values::check_arguments,
            check_input,
            cpus: crate::pool::cpu_count().get(),
            limits: options.job_limits.together(&limits),
            quotas: options.job_limits.per_object(&limits),
            grace: options.pool.grace,
            is_program: options.spec.program,
            on_deadlock: if options.deadlocked.is_some() { broker::OnDeadlock::Warn } else { broker::OnDeadlock::Fail },
            loans: true,
        });
        let audit = options.violated.map(|violated| Audit::new(violated, &options.modules));
        Ok(Self {
            broker,
            pool: PoolId(0),
            boots: Boots::new(
                options.modules,
                options.grants,
                options.strictness,
                options.restrict_speculation,
                options.printed.is_some(),
            )?,
            strictness: options.strictness,
            printed: options.printed,
            logged: options.logged,
            deadlocked: options.deadlocked,
            audit,
            cgroup,
            input: options.input,
            unread: Vec::new(),
            effects: Vec::new(),
            zygotes,
            links: BTreeMap::new(),
            reaper: Reaper::default(),
            sinks: BTreeMap::new(),
            epoll,
            last_written: None,
            clock: Clock::new(),
            looks: Looks::new(),
            backoff: Backoff::default(),
            listener: Listener::new(crate::pool::cpu_count().get()),
            laid: Vec::new(),
            posts: Vec::new(),
            buffers: Buffers::default(),
            failure: None,
            boot_failure: None,
        })
    }

    /// Asks for the workers; they get ready while the caller goes on.
    pub(crate) fn begin(&mut self, spec: broker::WorkerSpec, pool: broker::PoolOptions) {
        self.pool = self.broker.add_pool(self.now(), spec, pool);
        self.carry_out();
    }

    pub(crate) fn now(&self) -> Now {
        self.clock.now()
    }

    /// What every task that has not ended is doing.
    pub(crate) fn tasks(&mut self) -> Vec<TaskStatus> {
        let now = self.now();
        self.broker.tasks().into_iter().map(|view| TaskStatus::of(view, now)).collect()
    }

    /// Process ids of the workers that are ready.
    pub(crate) fn ready_pids(&self) -> Vec<u32> {
        self.links.values().filter(|link| link.ready).map(Link::pid).collect()
    }

    /// Why the pool stopped, if it did.
    pub(crate) fn failure(&self) -> Option<&Failure> {
        self.failure.as_ref()
    }

    pub(crate) fn open(&mut self, job: JobId, options: broker::JobOptions, sink: Sink) {
        self.broker.open_job(self.pool, job, options);
        // A pool that stopped before takes no inputs, so this is all that its consumer ever hears.
        if let Some(failure) = &self.failure {
            sink.fail(&failure.text);
        }
        self.sinks.insert(job, sink);
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
        self.broker.drain_job(self.now(), job);
        self.carry_out();
    }

    /// Nobody waits for the job any more.
    pub(crate) fn close(&mut self, job: JobId) {
        self.sinks.remove(&job);
        self.broker.close_job(self.now(), job);
        self.carry_out();
    }

    /// Bytes that the program asked for.
    pub(crate) fn input(&mut self, worker: WorkerId, call: CallId, bytes: &[u8]) {
        self.give(worker, call, bytes);
        self.carry_out();
    }

    /// The answer is an effect like any other, for whoever carries effects out at the moment.
    fn give(&mut self, worker: WorkerId, call: CallId, bytes: &[u8]) {
        if !self.broker.input(self.now(), worker, call, SharedBytes::copy_from_slice(bytes)) {
            self.unread.extend_from_slice(bytes);
        }
    }

    /// The program asks for bytes: those that came before, or else they are read.
    pub(crate) fn read_input(&mut self, worker: WorkerId, call: CallId, limit: u32) {
        if !self.unread.is_empty() {
            let rest = self.unread.split_off(self.unread.len().min(usize::try_from(limit).unwrap_or(usize::MAX)));
            let bytes = std::mem::replace(&mut self.unread, rest);
            return self.give(worker, call, &bytes);
        }
        match &self.input {
            Some(wants) => wants.ask(worker, call, limit),
            None => self.give(worker, call, &[]),
        }
    }

    pub(crate) fn wants_more(&self) -> bool {
        self.broker.wants_more(self.pool)
    }

    pub(crate) fn chunk_tasks(&self, task: TaskIndex) -> u32 {
        self.broker.chunk_tasks(self.pool, task)
    }

    /// Ends the pool: every task that waits or runs ends with it.
    pub(crate) fn shut_down(&mut self, why: &str) {
        self.broker.fail(self.now(), None, why.to_owned());
        self.carry_out();
        self.reaper.shut_down(std::mem::take(&mut self.links).into_values().filter_map(Link::into_child));
        self.zygotes.stop();
        self.cgroup = None;
    }
}

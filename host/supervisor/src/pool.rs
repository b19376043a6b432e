//! The pool as programs see it.

use std::num::NonZeroU32;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use taskcell_broker::{self as broker, JobOptions, ModuleId, RetryBudget};
use taskcell_sandbox::Strictness;
use taskcell_wire::{DirGrant, Encoding, Grants, Isolation, TaskIndex};

use crate::audit::{OnViolation, Violation};
use crate::boot::check_modules;
use crate::cgroup::CgroupOptions;
use crate::component::Component;
use crate::delivery::{OnPrinted, Printed};
use crate::dispatcher::{Dispatcher, DispatcherOptions};
use crate::error::Error;
use crate::future::{Future, bytes, from_json};
use crate::host::Host;
use crate::job_limits::JobLimits;
use crate::map::{Map, Values};
use crate::mapping::{Mapping, MappingOptions, Source};
use crate::status::TaskStatus;
use crate::zygotes::WorkerStart;

/// How long a task may go on after it was told to stop, before its worker is killed. A guest that computes stops within a tick of
/// the epoch (5 to 20 ms); one that waits in a host call does not, and its worker is replaced in a few milliseconds.
pub(crate) const GRACE: Duration = Duration::from_millis(250);

/// Makes a [`Pool`]. Closed by default: one worker per CPU, a fresh instance for every task, the sandbox required, no
/// environment, no retries, no time limit, what guests print dropped.
pub struct PoolBuilder {
    component: Component,
    modules: Vec<(String, Component)>,
    workers: Option<NonZeroU32>,
    isolation: Isolation,
    strictness: Strictness,
    start: WorkerStart,
    restrict_speculation: bool,
    job_limits: JobLimits,
    timeout: Option<Duration>,
    queue_timeout: Option<Duration>,
    budget: RetryBudget,
    grants: Grants,
    printed: Option<OnPrinted>,
    violated: Option<OnViolation>,
    cgroup: Option<CgroupOptions>,
    grace: Duration,
    title: Option<String>,
}

impl std::fmt::Debug for PoolBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PoolBuilder").field("component", &self.component).field("workers", &self.workers).finish_non_exhaustive()
    }
}

impl PoolBuilder {
    /// How many worker processes; by default as many as this process may use CPUs ([`cpu_count`]).
    #[must_use]
    pub fn workers(mut self, workers: NonZeroU32) -> Self {
        self.workers = Some(workers);
        self
    }

    /// Another component, whose exports tasks may start as `name/export`. It gets no environment and no directories.
    #[must_use]
    pub fn module(mut self, name: &str, component: &Component) -> Self {
        self.modules.push((name.to_owned(), component.clone()));
        self
    }

    /// A fresh instance for every task (the default), or one instance per worker.
    #[must_use]
    pub fn isolation(mut self, isolation: Isolation) -> Self {
        self.isolation = isolation;
        self
    }

    /// Whether to refuse to run when a required layer of the sandbox is missing (the default).
    #[must_use]
    pub fn strictness(mut self, strictness: Strictness) -> Self {
        self.strictness = strictness;
        self
    }

    /// Whether workers switch off the processor's speculation past indirect branches and stores, where the
    /// kernel leaves that to a process. Off by default: it costs a few percent of compute.
    #[must_use]
    pub fn restrict_speculation(mut self, restrict: bool) -> Self {
        self.restrict_speculation = restrict;
        self
    }

    /// How workers are started: forked by default, with one address layout for all workers of the pool.
    #[must_use]
    pub fn worker_start(mut self, start: WorkerStart) -> Self {
        self.start = start;
        self
    }

    /// What its tasks may have together. What each may have alone is
    /// [`ComponentOptions::limits`](crate::ComponentOptions::limits).
    #[must_use]
    pub fn job_limits(mut self, limits: JobLimits) -> Self {
        self.job_limits = limits;
        self
    }

    /// The run time of one attempt of a task; time in a queue does not count. None by default.
    #[must_use]
    pub fn timeout(mut self, timeout: Option<Duration>) -> Self {
        self.timeout = timeout;
        self
    }

    /// How long a task may wait for its first attempt, from its submission (in a map, from when its input was taken). One that waits longer never runs
    /// and ends with [`TaskError::Expired`](crate::TaskError::Expired). No limit by default. What a worker was
    /// given and has not begun within 2 ms is taken back, so a slow task holds up nobody beyond that.
    #[must_use]
    pub fn queue_timeout(mut self, timeout: Option<Duration>) -> Self {
        self.queue_timeout = timeout;
        self
    }

    /// How often a task is tried again, by cause. Never by default.
    #[must_use]
    pub fn retries(mut self, budget: RetryBudget) -> Self {
        self.budget = budget;
        self
    }

    /// Environment variables for the guest. None by default; the host's are never passed on.
    #[must_use]
    pub fn env(mut self, env: Vec<(String, String)>) -> Self {
        self.grants.env = env;
        self
    }

    /// Directories for the guest, through WASI; Landlock allows the workers these and nothing else. None by default.
    #[must_use]
    pub fn dirs(mut self, dirs: Vec<DirGrant>) -> Self {
        self.grants.dirs = dirs;
        self
    }

    /// How long a task that was told to stop may go on before its worker is killed. A quarter of a second by
    /// default.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Lets `taskcell ps` and [`hosts`](crate::hosts) show what this one's tasks are doing, under this title. Makes a socket in
    /// `$XDG_RUNTIME_DIR`, for this user alone; without that variable nothing happens. Not by default.
    #[must_use]
    pub fn listed(mut self, title: &str) -> Self {
        self.title = Some(title.to_owned());
        self
    }

    /// Called with all that guests print, in the thread that turns the dispatcher. Without it, what they print is dropped.
    #[must_use]
    pub fn on_printed(mut self, printed: impl FnMut(Printed<'_>) + Send + 'static) -> Self {
        self.printed = Some(Box::new(printed));
        self
    }

    /// Puts all workers into a control group of their own, in a delegated directory of cgroup v2, which bounds their memory, threads
    /// and processor time together. None by default.
    #[must_use]
    pub fn cgroup(mut self, cgroup: Option<CgroupOptions>) -> Self {
        self.cgroup = cgroup;
        self
    }

    /// Called with every [`Violation`]: a worker that made a forbidden system call, broke the protocol, crashed or had to be killed. In
    /// the thread that turns the dispatcher. None by default.
    #[must_use]
    pub fn on_violation(mut self, violated: impl FnMut(&Violation) + Send + 'static) -> Self {
        self.violated = Some(Box::new(violated));
        self
    }

    /// Starts the workers; they get ready while the caller goes on.
    ///
    /// # Errors
    /// [`Error::MissingImport`]; [`Error::ModuleName`]; [`Error::Cgroup`]; [`Error::System`] or [`Error::Thread`] if the machine has no room for a pool. If
    /// it has none for workers, that is told by [`wait_ready`](Pool::wait_ready) and by the tasks' ends.
    pub fn build(mut self) -> Result<Pool, Error> {
        self.component.check_imports()?;
        check_modules(&self.modules)?;
        self.modules.insert(0, (String::new(), self.component.clone()));
        let workers = self.workers.unwrap_or_else(cpu_count);
        let options = DispatcherOptions {
            modules: self.modules,
            grants: self.grants,
            strictness: self.strictness,
            start: self.start,
            restrict_speculation: self.restrict_speculation,
            job_limits: self.job_limits,
            spec: broker::WorkerSpec { module: ModuleId(0), isolation: self.isolation, memory_bytes: None, program: false },
            pool: broker::PoolOptions {
                budget: self.budget,
                grace: duration(self.grace),
                ..broker::PoolOptions::new(workers.get())
            },
            printed: self.printed,
            violated: self.violated,
            cgroup: self.cgroup.map(|group| group.for_workers(workers, self.component.limits().memory_bytes)),
            logged: None,
            deadlocked: None,
            input: None,
        };
        let host = Host::start(options, self.title.as_deref())?;
        Ok(Pool { host, component: self.component, timeout: self.timeout, queue_timeout: self.queue_timeout })
    }
}

/// Worker processes for one component.
///
/// Dropping it kills its workers; tasks that have not ended end as [`TaskError::Stopped`](crate::TaskError::Stopped).
#[derive(Debug)]
pub struct Pool {
    host: Host,
    component: Component,
    timeout: Option<Duration>,
    queue_timeout: Option<Duration>,
}

/// How the tasks of a mapping run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunOptions {
    /// How inputs are written.
    pub input: Encoding,
    /// How results are to be written.
    pub output: Encoding,
    /// Whether to measure each task's run time.
    pub timed: bool,
}

impl Pool {
    /// Begins a pool for a component.
    #[must_use]
    pub fn builder(component: &Component) -> PoolBuilder {
        PoolBuilder {
            component: component.clone(),
            modules: Vec::new(),
            workers: None,
            isolation: Isolation::default(),
            strictness: Strictness::Required,
            start: WorkerStart::default(),
            restrict_speculation: false,
            job_limits: JobLimits::default(),
            timeout: None,
            queue_timeout: None,
            budget: RetryBudget::default(),
            grants: Grants::default(),
            printed: None,
            violated: None,
            cgroup: None,
            grace: GRACE,
            title: None,
        }
    }

    /// The component that it runs.
    #[must_use]
    pub fn component(&self) -> &Component {
        &self.component
    }

    /// What every task that has not ended is doing.
    #[must_use]
    pub fn tasks(&self) -> Vec<TaskStatus> {
        self.host.shared.visit(Dispatcher::tasks)
    }

    /// Process ids of the workers that are ready now.
    #[must_use]
    pub fn worker_pids(&self) -> Vec<u32> {
        self.host.shared.visit(|dispatcher| dispatcher.ready_pids())
    }

    /// Waits until so many workers are ready.
    ///
    /// # Errors
    /// [`Error::Boot`] or [`Error::Stopped`] if they can't get ready, or not within `timeout`.
    pub fn wait_ready(&self, workers: usize, timeout: Duration) -> Result<(), Error> {
        let deadline = std::time::Instant::now() + timeout;
        let ready = self.host.shared.wait(Some(deadline), |dispatcher| {
            if let Some(failure) = dispatcher.failure() {
                let text = failure.text.clone();
                return Some(Err(match failure.boot {
                    Some(kind) => Error::Boot { kind, text },
                    None => Error::Stopped(text),
                }));
            }
            (dispatcher.ready_pids().len() >= workers).then_some(Ok(()))
        });
        ready.unwrap_or_else(|| Err(Error::Stopped(format!("the workers were not ready within {timeout:?}"))))
    }

    /// Submits one task with one input: the value of its parameter, a tuple or array of its parameters, or `()` if it has none.
    ///
    /// # Errors
    /// [`Error::NoSuchTask`], [`Error::NotRunnable`], or [`Error::Input`] if the input can't be written as JSON or is too long.
    pub fn submit<T: DeserializeOwned>(&self, task: &str, input: &impl Serialize) -> Result<Future<T>, Error> {
        let json = serde_json::to_vec(input).map_err(|error| Error::Input { task: task.to_owned(), why: error.to_string() })?;
        self.submit_encoded(task, &json, Encoding::Json, Encoding::Json, from_json)
    }

    /// Submits one task whose only parameter is a `list<u8>` or a `string`; gives the bytes of its result, which is JSON unless it
    /// is one of the two too. No byte is looked at on the way.
    ///
    /// # Errors
    /// As [`submit`](Self::submit).
    pub fn submit_bytes(&self, task: &str, input: &[u8]) -> Result<Future<Vec<u8>>, Error> {
        self.submit_encoded(task, input, Encoding::Bytes, Encoding::Bytes, bytes)
    }

    fn submit_encoded<T>(
        &self,
        name: &str,
        item: &[u8],
        input: Encoding,
        output: Encoding,
        decode: fn(&[u8]) -> Result<T, crate::TaskError>,
    ) -> Result<Future<T>, Error> {
        let task = self.runnable(name)?;
        let most = self.component.limits().message_bytes;
        if item.len() as u64 > most {
            let why = format!("it has {} bytes, the most is {most}", item.len());
            return Err(Error::Input { task: name.to_owned(), why });
        }
        Ok(self.submit_item(task, item, input, output, decode))
    }

    /// One task with an input that was checked.
    pub(crate) fn submit_item<T>(
        &self,
        task: TaskIndex,
        item: &[u8],
        input: Encoding,
        output: Encoding,
        decode: fn(&[u8]) -> Result<T, crate::TaskError>,
    ) -> Future<T> {
        let options = JobOptions { input, output, ..self.job_options(task) };
        self.host.submit(options, item, decode)
    }

    /// Runs a task once for each input, lazily, and gives the results in the order of the inputs.
    ///
    /// # Errors
    /// [`Error::NoSuchTask`] or [`Error::NotRunnable`]. What goes wrong with one input is an item of the result.
    pub fn map<I, T>(&self, task: &str, inputs: I) -> Result<Map<I::IntoIter, T>, Error>
    where
        I: IntoIterator<Item: Serialize>,
        T: DeserializeOwned,
    {
        self.map_values(task, inputs, true)
    }

    /// Like [`map`](Self::map), with results as they come.
    ///
    /// # Errors
    /// As [`map`](Self::map).
    pub fn map_unordered<I, T>(&self, task: &str, inputs: I) -> Result<Map<I::IntoIter, T>, Error>
    where
        I: IntoIterator<Item: Serialize>,
        T: DeserializeOwned,
    {
        self.map_values(task, inputs, false)
    }

    fn map_values<I, T>(&self, task: &str, inputs: I, ordered: bool) -> Result<Map<I::IntoIter, T>, Error>
    where
        I: IntoIterator<Item: Serialize>,
        T: DeserializeOwned,
    {
        let most = usize::try_from(self.component.limits().message_bytes).unwrap_or(usize::MAX);
        let source = Values::new(inputs.into_iter(), most);
        let run = RunOptions { input: Encoding::Json, output: Encoding::Json, timed: false };
        let mapping = self.mapping(self.runnable(task)?, source, run, MappingOptions { ordered, chunk: None });
        Ok(Map::new(mapping, from_json))
    }

    /// The lower level under [`map`](Self::map): encoded inputs from a [`Source`], encoded results in blocks. No allocation per
    /// task.
    #[must_use]
    pub fn mapping<S: Source>(&self, task: TaskIndex, source: S, run: RunOptions, options: MappingOptions) -> Mapping<S> {
        let together = options.chunk.unwrap_or(1);
        let job_options =
            JobOptions { input: run.input, output: run.output, timed: run.timed, together, ..self.job_options(task) };
        let (job, sink) = self.host.open(job_options);
        Mapping::new(Arc::clone(&self.host.shared), job, sink, task, source, options)
    }

    fn job_options(&self, task: TaskIndex) -> JobOptions {
        let (timeout, queue_timeout) = (self.timeout.map(duration), self.queue_timeout.map(duration));
        JobOptions { timeout, queue_timeout, ..JobOptions::new(task) }
    }

    fn runnable(&self, name: &str) -> Result<TaskIndex, Error> {
        let task = self.component.task(name)?;
        self.component.check_runnable(task)?;
        Ok(task)
    }
}

/// The CPUs that this process may use: its affinity and its cgroup's quota when this is first asked, at least 1.
#[must_use]
pub fn cpu_count() -> NonZeroU32 {
    // Read out of several files.
    static COUNT: OnceLock<NonZeroU32> = OnceLock::new();
    *COUNT.get_or_init(|| {
        let count = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
        NonZeroU32::new(u32::try_from(count).unwrap_or(u32::MAX)).unwrap_or(NonZeroU32::MIN)
    })
}

pub(crate) fn duration(duration: Duration) -> broker::Duration {
    broker::Duration(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX))
}

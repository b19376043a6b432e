//! A program: a component that exports `wasi:cli/run` and starts tasks, its own exports and those of other components.
//!
//! It is a job with one task in a pool of one worker, confined like any other. What makes it more is what it may start: processes and
//! pools, all of them the same dispatcher's. So the program's end is the end of everything, and nothing of it outlives its host.

use std::io::Read;
use std::sync::Arc;
use std::time::{Duration, Instant};

use taskcell_broker::{self as broker, JobOptions, ModuleId};
use taskcell_sandbox::Strictness;
use taskcell_wire::{DirGrant, Grants, Isolation};

use crate::audit::{OnViolation, Violation};
use crate::boot::check_modules;
use crate::cgroup::CgroupOptions;
use crate::component::Component;
use crate::delivery::{Logged, OnDeadlocked, OnLogged, OnPrinted, Printed};
use crate::dispatcher::{Dispatcher, DispatcherOptions};
use crate::error::{Error, TaskError};
use crate::future::Future;
use crate::host::Host;
use crate::input::input;
use crate::job_limits::JobLimits;
use crate::mapping::Bell;
use crate::pool::{GRACE, duration};
use crate::status::TaskStatus;
use crate::zygotes::WorkerStart;

/// Makes a [`Program`]. Closed by default: no arguments, no input, no environment, no directories, no other modules; what it
/// prints is dropped.
pub struct ProgramBuilder {
    component: Component,
    modules: Vec<(String, Component)>,
    grants: Grants,
    strictness: Strictness,
    start: WorkerStart,
    restrict_speculation: bool,
    job_limits: JobLimits,
    timeout: Option<Duration>,
    grace: Duration,
    title: Option<String>,
    stdin: Option<Box<dyn Read + Send>>,
    printed: Option<OnPrinted>,
    violated: Option<OnViolation>,
    cgroup: Option<CgroupOptions>,
    logged: Option<OnLogged>,
    deadlocked: Option<OnDeadlocked>,
}

impl std::fmt::Debug for ProgramBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ProgramBuilder").field("component", &self.component).finish_non_exhaustive()
    }
}

impl ProgramBuilder {
    /// Another component, whose exports the program may start as `name/export`. It gets no environment and no directories.
    #[must_use]
    pub fn module(mut self, name: &str, component: &Component) -> Self {
        self.modules.push((name.to_owned(), component.clone()));
        self
    }

    /// The program's arguments, after its name.
    #[must_use]
    pub fn args(mut self, args: impl IntoIterator<Item = String>) -> Self {
        self.grants.args.truncate(1);
        self.grants.args.extend(args);
        self
    }

    /// Environment variables for the program and the tasks of its own component.
    #[must_use]
    pub fn env(mut self, env: Vec<(String, String)>) -> Self {
        self.grants.env = env;
        self
    }

    /// Directories for the program and the tasks of its own component.
    #[must_use]
    pub fn dirs(mut self, dirs: Vec<DirGrant>) -> Self {
        self.grants.dirs = dirs;
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

    /// How workers are started: forked by default, with one address layout for all workers of a component.
    #[must_use]
    pub fn worker_start(mut self, start: WorkerStart) -> Self {
        self.start = start;
        self
    }

    /// What the program and its tasks may have together. What each may have alone is
    /// [`ComponentOptions::limits`](crate::ComponentOptions::limits).
    #[must_use]
    pub fn job_limits(mut self, limits: JobLimits) -> Self {
        self.job_limits = limits;
        self
    }

    /// How long the program may run. No limit by default.
    #[must_use]
    pub fn timeout(mut self, timeout: Option<Duration>) -> Self {
        self.timeout = timeout;
        self
    }

    /// How long a task that was told to stop may go on before its worker is killed.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// What the program reads as its standard input; none by default. A thread reads it when the program asks.
    #[must_use]
    pub fn stdin(mut self, stdin: impl Read + Send + 'static) -> Self {
        self.stdin = Some(Box::new(stdin));
        self
    }

    /// Lets `taskcell ps` and [`hosts`](crate::hosts) show what this one's tasks are doing, under this title. Makes a socket in
    /// `$XDG_RUNTIME_DIR`, for this user alone; without that variable nothing happens. Not by default.
    #[must_use]
    pub fn listed(mut self, title: &str) -> Self {
        self.title = Some(title.to_owned());
        self
    }

    /// Called with all that the program and its tasks print, in the thread that turns the dispatcher.
    #[must_use]
    pub fn on_printed(mut self, printed: impl FnMut(Printed<'_>) + Send + 'static) -> Self {
        self.printed = Some(Box::new(printed));
        self
    }

    /// Called with every line that the program and its tasks log, in the same thread.
    #[must_use]
    pub fn on_logged(mut self, logged: impl FnMut(Logged<'_>) + Send + 'static) -> Self {
        self.logged = Some(Box::new(logged));
        self
    }

    /// Called with every deadlock of the program's tasks, in the same thread: who waits for what. They then go on waiting, and whoever is
    /// called may do something about it. Without this, one of them is answered with an error that says the same.
    #[must_use]
    pub fn on_deadlock(mut self, deadlocked: impl FnMut(&str) + Send + 'static) -> Self {
        self.deadlocked = Some(Box::new(deadlocked));
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

    /// Starts the program.
    ///
    /// # Errors
    /// [`Error::NotAProgram`] if it exports no `wasi:cli/run`; [`Error::ModuleName`]; [`Error::Cgroup`]; [`Error::MissingImport`] of any of the
    /// components; [`Error::System`] or [`Error::Spawn`] if the machine has no room for it.
    pub fn build(mut self) -> Result<Program, Error> {
        let task = self.component.command()?;
        self.component.check_imports()?;
        check_modules(&self.modules)?;
        self.modules.insert(0, (String::new(), self.component.clone()));
        let (wants, reading) = input();
        self.grants.stdin = self.stdin.is_some();
        let options = DispatcherOptions {
            modules: self.modules,
            grants: self.grants,
            strictness: self.strictness,
            start: self.start,
            restrict_speculation: self.restrict_speculation,
            job_limits: self.job_limits,
            spec: broker::WorkerSpec { module: ModuleId(0), isolation: Isolation::Fresh, memory_bytes: None, program: true },
            pool: broker::PoolOptions { grace: duration(self.grace), ..broker::PoolOptions::new(1) },
            printed: self.printed,
            violated: self.violated,
            cgroup: self.cgroup,
            logged: self.logged,
            deadlocked: self.deadlocked,
            input: Some(wants),
        };
        let host = Host::start(options, self.title.as_deref())?;
        if let Some(stdin) = self.stdin {
            reading.start(stdin, Arc::downgrade(&host.shared)).map_err(Error::Thread)?;
        }
        let options = JobOptions { timeout: self.timeout.map(duration), ..JobOptions::new(task) };
        let end = host.submit(options, b"null", |_| Ok(()));
        Ok(Program { end, host })
    }
}

/// A program that runs. Dropping it kills it and everything that it started.
#[derive(Debug)]
pub struct Program {
    end: Future<()>,
    host: Host,
}

impl Program {
    /// Begins a program.
    #[must_use]
    pub fn builder(component: &Component) -> ProgramBuilder {
        let args = vec![component.program().to_owned()];
        ProgramBuilder {
            component: component.clone(),
            modules: Vec::new(),
            grants: Grants { args, ..Grants::default() },
            strictness: Strictness::Required,
            start: WorkerStart::default(),
            restrict_speculation: false,
            job_limits: JobLimits::default(),
            timeout: None,
            grace: GRACE,
            title: None,
            stdin: None,
            printed: None,
            violated: None,
            cgroup: None,
            logged: None,
            deadlocked: None,
        }
    }

    /// Waits for the end of the program and of the processes that it detached; `None` if that takes longer than `timeout`.
    ///
    /// `Ok` if it ended with exit code 0; [`TaskError::Exited`] tells another one.
    pub fn wait(&mut self, timeout: Option<Duration>) -> Option<Result<(), TaskError>> {
        let deadline = timeout.map(|timeout| Instant::now() + timeout);
        let end = &mut self.end;
        self.host.shared.wait(deadline, |dispatcher| {
            // A pool that gave up starts nothing more, so what was detached ends with it.
            (end.is_done() && (dispatcher.failure().is_some() || dispatcher.broker.is_idle())).then_some(())
        })?;
        self.end.wait(Some(Duration::ZERO))
    }

    /// Why its worker could not get ready, if that is how it ended.
    #[must_use]
    pub fn boot_failure(&self) -> Option<Error> {
        self.host.shared.visit(|dispatcher| {
            let failure = dispatcher.failure()?;
            failure.boot.map(|kind| Error::Boot { kind, text: failure.text.clone() })
        })
    }

    /// What every task of it that has not ended is doing.
    #[must_use]
    pub fn tasks(&self) -> Vec<TaskStatus> {
        self.host.shared.visit(Dispatcher::tasks)
    }

    /// Asks the program to stop; it is killed if it has not ended after its grace.
    pub fn terminate(&self) {
        self.end.cancel();
    }

    /// Wakes the one who waits.
    #[must_use]
    pub fn bell(&self) -> Bell {
        Bell::of(&self.host.shared)
    }
}

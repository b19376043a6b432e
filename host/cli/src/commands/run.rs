//! `taskcell run PROGRAM [-- ARGS]`.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use taskcell::{Program, TaskError};

use crate::args::RunArgs;
use crate::commands::{environment, open_audit, open_modules, open_to_run};
use crate::error::CliError;
use crate::exit::Exit;
use crate::output;
use crate::pass::Pass;
use crate::progress::Progress;
use crate::signals::Interrupt;

/// Run a program: a component that exports wasi:cli/run and may start tasks, its own and those of other components
///
/// Its standard input, output and error are this command's, and so are those of the tasks that it starts, but for the input. It ends with
/// the program's exit code. Output that goes to a terminal has control characters made visible; output that goes elsewhere is passed on
/// byte by byte.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  taskcell run job.wasm -- --fast input.txt\n  \
                        taskcell run job.wasm --module score=score.wasm   # the program starts score/EXPORT")]
pub(crate) struct Run {
    /// The program
    program: PathBuf,

    /// Lines that tasks log are shown from this level on
    #[arg(long, value_enum, default_value_t = LogLevel::Info)]
    log: LogLevel,

    /// What becomes of tasks that wait for each other: one is told, as an error of its call, or they are named here and go on waiting
    #[arg(long, value_enum, value_name = "WHAT", default_value_t = OnDeadlock::Fail)]
    on_deadlock: OnDeadlock,

    #[command(flatten)]
    run: RunArgs,

    /// The program's arguments
    #[arg(last = true, value_name = "ARGS")]
    args: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum OnDeadlock {
    Fail,
    Warn,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
enum LogLevel {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
    Off,
}

impl LogLevel {
    fn shows(self, level: taskcell::Level) -> bool {
        let level = match level {
            taskcell::Level::Trace => Self::Trace,
            taskcell::Level::Debug => Self::Debug,
            taskcell::Level::Info => Self::Info,
            taskcell::Level::Warn => Self::Warn,
            taskcell::Level::Error => Self::Error,
        };
        level >= self
    }
}

impl Run {
    pub(crate) fn execute(self) -> Result<Exit, CliError> {
        let progress = Progress::new(self.run.quiet);
        let component = open_to_run(&self.program, &self.run, &progress)?;
        let mut builder = Program::builder(&component)
            .args(self.args)
            .env(environment(&self.run))
            .dirs(self.run.dir.clone())
            .strictness(self.run.sandbox.into())
            .worker_start(self.run.worker_start.into())
            .restrict_speculation(self.run.restrict_speculation)
            .timeout(self.run.limits.timeout)
            .grace(self.run.limits.grace)
            .job_limits(self.run.limits.job_limits())
            .cgroup(self.run.cgroup())
            .listed(&format!("run {}", component.name()))
            .stdin(io::stdin());
        if let Some(mut audit) = open_audit(&self.run)? {
            builder = builder.on_violation(move |violation| audit.record(violation));
        }
        for (name, module) in open_modules(&self.run, &progress)? {
            builder = builder.module(&name, &module);
        }
        let pass = Pass::start().map_err(CliError::Thread)?;
        let (printing, from) = (pass.clone(), self.log);
        let builder =
            builder.on_printed(move |printed| printing.printed(printed.stream, printed.bytes)).on_logged(move |logged| {
                if from.shows(logged.level) {
                    output::note(&format!("[task {}] {}: {}", logged.task.0, logged.level.name(), logged.text));
                }
            });
        let builder = match self.on_deadlock {
            OnDeadlock::Fail => builder,
            OnDeadlock::Warn => builder.on_deadlock(|waits| output::note(&format!("deadlock: {waits}"))),
        };
        let interrupt = Interrupt::listen()?;
        let program = builder.build()?;
        interrupt.tasks(program.bell());
        let ended = follow(program, &interrupt, &pass);
        let written = pass.finish();
        match ended? {
            (_, Some(exit)) => Ok(exit),
            (Ok(()), None) => match written {
                Ok(()) => Ok(Exit::Ok),
                Err(error) => Err(CliError::Output(error)),
            },
            (Err(TaskError::Exited { code }), None) => Ok(Exit::Program(u8::try_from(code & 0xff).unwrap_or(1))),
            (Err(error), None) => {
                output::complain(&error.to_string());
                Ok(Exit::TaskFailed)
            }
        }
    }
}

/// How the program ended, and how to exit if somebody interrupted it.
type Followed = (Result<(), TaskError>, Option<Exit>);

fn follow(mut program: Program, interrupt: &Interrupt, pass: &Pass) -> Result<Followed, CliError> {
    let mut asked = false;
    let ended = loop {
        if let Some(ended) = program.wait(Some(Duration::from_millis(200))) {
            break ended;
        }
        // Nobody reads any more, or somebody asked: either way the program is told once, and killed after its grace.
        if !asked && (interrupt.exit().is_some() || pass.is_broken()) {
            asked = true;
            program.terminate();
        }
    };
    if let Some(error) = program.boot_failure() {
        return Err(error.into());
    }
    let exit = interrupt.exit().or_else(|| pass.is_broken().then_some(Exit::ReaderGone));
    Ok((ended, exit))
}

//! `taskcell call COMPONENT 'fib(30)'`.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use taskcell::{Encoding, ItemWriter, MappingOptions, Next, Pool, RunOptions, Source, Supply, TaskError, TypeDef};
use taskcell_engine::values;

use crate::args::{GuestOutput, RunArgs};
use crate::commands::{environment, open_audit, open_modules, open_to_run};
use crate::error::CliError;
use crate::exit::Exit;
use crate::guest_output::Captures;
use crate::output;
use crate::progress::Progress;
use crate::signals::Interrupt;

/// Run one task, written as a call: 'fib(30)'
#[derive(Debug, Args)]
#[command(
    after_help = "The call and its result are in WAVE, WebAssembly's notation for values, as `wasmtime run --invoke` takes it:\n  \
                        taskcell call fib.wat 'fib(30)'\n  taskcell call shop.wasm 'price({name: \"tea\", count: 3}, some(5))'"
)]
pub(crate) struct Call {
    /// The component
    component: PathBuf,

    /// The call: a function's name and its arguments in WAVE
    call: String,

    /// Give the result as JSON, not as WAVE
    #[arg(long)]
    json: bool,

    /// What the guest prints: to stderr line by line, or nowhere
    #[arg(long, value_enum, default_value_t = GuestOutput::Inherit)]
    guest_output: GuestOutput,

    #[command(flatten)]
    run: RunArgs,
}

/// One input.
#[derive(Debug)]
struct One(Option<Vec<u8>>);

impl Source for One {
    fn supply(&mut self, items: &mut ItemWriter, _tasks: u32, _bytes: usize) -> Supply {
        if let Some(item) = self.0.take() {
            items.push(&item);
        }
        Supply::End
    }
}

impl Call {
    pub(crate) fn execute(self) -> Result<Exit, CliError> {
        let progress = Progress::new(self.run.quiet);
        let component = open_to_run(&self.component, &self.run, &progress)?;
        let interface = component.interface();
        let (task, json) = match values::call_from_wave(interface, &self.call) {
            Ok(call) => call,
            Err(values::CallError::UnknownTask { name, .. }) => {
                // The library's error offers similar names.
                component.task(&name)?;
                return Err(CliError::Call(format!("no task {name}")));
            }
            Err(error) => return Err(CliError::Call(error.to_string())),
        };
        component.check_runnable(task)?;

        let captures = Captures::new(self.guest_output, self.run.limits.max_log, progress.clone());
        let mut builder = Pool::builder(&component)
            .workers(NonZeroU32::MIN)
            .isolation(self.run.isolation.into())
            .strictness(self.run.sandbox.into())
            .worker_start(self.run.worker_start.into())
            .restrict_speculation(self.run.restrict_speculation)
            .timeout(self.run.limits.timeout)
            .grace(self.run.limits.grace)
            .job_limits(self.run.limits.job_limits())
            .cgroup(self.run.cgroup())
            .listed(&format!("call {}", component.name()))
            .env(environment(&self.run))
            .dirs(self.run.dir.clone());
        if let Some(mut audit) = open_audit(&self.run)? {
            builder = builder.on_violation(move |violation| audit.record(violation));
        }
        for (name, module) in open_modules(&self.run, &progress)? {
            builder = builder.module(&name, &module);
        }
        if self.guest_output != GuestOutput::Drop {
            let captures = captures.clone();
            builder = builder.on_printed(move |printed| captures.take(&printed));
        }
        let interrupt = Interrupt::listen()?;
        let pool = builder.build()?;
        pool.wait_ready(1, Duration::from_secs(60))?;

        let run = RunOptions { input: Encoding::Json, output: Encoding::Json, timed: false };
        let mut mapping = pool.mapping(task, One(Some(json)), run, MappingOptions { ordered: true, chunk: None });
        interrupt.tasks(mapping.bell());
        let mut ended = Err(TaskError::Cancelled);
        loop {
            match mapping.next(Some(Duration::from_millis(200))) {
                Next::Block(block) => block.each(|end| ended = end.result.map(<[u8]>::to_vec)),
                Next::End => break,
                Next::Stopped(text) => {
                    ended = Err(TaskError::Stopped { text });
                    break;
                }
                Next::Timeout => {}
            }
            if interrupt.exit().is_some() {
                mapping.cancel();
            }
        }
        captures.ended(0);
        match ended {
            Ok(json) => {
                let text = if self.json { String::from_utf8_lossy(&json).into_owned() } else { wave(&component, task, &json)? };
                output::print(&format!("{text}\n")).map_err(CliError::Output)?;
                Ok(Exit::Ok)
            }
            Err(error) => {
                output::complain(&error.to_string());
                Ok(interrupt.exit().unwrap_or(Exit::TaskFailed))
            }
        }
    }
}

/// A result as `wasmtime run --invoke` prints it.
fn wave(component: &taskcell::Component, task: taskcell::TaskIndex, json: &[u8]) -> Result<String, CliError> {
    let types = &component.interface().types;
    let Some(ty) = component.signature(task).and_then(|signature| signature.result) else { return Ok("()".to_owned()) };
    let told =
        |ty| values::json_to_wave(types, ty, json).map_err(|error| CliError::Output(std::io::Error::other(error.to_string())));
    match types.get(ty) {
        // The outermost `result` was taken off: its error is the task's failure.
        Some(TypeDef::Result { ok: None, .. }) => Ok("ok".to_owned()),
        Some(TypeDef::Result { ok: Some(ty), .. }) => Ok(format!("ok({})", told(*ty)?)),
        Some(_) | None => told(ty),
    }
}

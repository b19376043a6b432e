//! `taskcell map COMPONENT EXPORT [INPUT...]`, and `taskcell map --command PROGRAM [INPUT...] [-- ARG...]`.

use std::fs::File;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use taskcell::{
    Component, Encoding, Mapping, MappingOptions, Next, Pool, RetryBudget, RunOptions, Stream, TaskEnd, TaskError, TaskIndex,
    TypeDef,
};

use crate::args::{CommandArgs, GuestOutput, Halt, InputArgs, IsolationArg, MapArgs, RetryOn, RunArgs};
use crate::commands::{environment, open_audit, open_modules, open_to_run};
use crate::error::CliError;
use crate::exit::Exit;
use crate::guest_output::Captures;
use crate::input::{Inputs, Reading};
use crate::output::{self, Results};
use crate::places::Places;
use crate::progress::Progress;
use crate::record;
use crate::signals::Interrupt;
use crate::template::Template;

/// Run a task once for every input, over worker processes
///
/// Inputs are JSON texts: arguments, or lines of a file or of standard input. A function of one parameter takes the value as it is,
/// one of several parameters an array of values, one of none null. Each result is one line of JSON, in the order of the inputs. Errors
/// go to stderr.
///
/// With --command the task is a whole program, run with its own arguments and standard input for every input. What it writes to standard
/// output is the result, passed on as it is, --max-result bytes at most; what it writes to standard error goes to stderr, marked; an exit
/// code other than 0 is a failed task. Output that goes to a terminal has control characters made visible.
#[derive(Debug, Args)]
#[command(
    override_usage = "taskcell map [OPTIONS] <COMPONENT> <EXPORT> [INPUT]...\n       \
                      taskcell map --command [OPTIONS] <PROGRAM> [INPUT]... [-- ARG...]",
    after_help = "Examples:\n  taskcell map fib.wasm fib 25 26 27\n  \
                  ls *.svg | taskcell map --command resvg.wasm --dir . -- {} {}.png\n  \
                  taskcell map --command python.wasm --records --files *.csv -- -c 'print(len(input()))'"
)]
pub(crate) struct Map {
    /// The component
    component: PathBuf,

    /// The exported function: NAME, or INTERFACE#NAME
    #[arg(required_unless_present = "command", allow_negative_numbers = true)]
    export: Option<String>,

    #[command(flatten)]
    inputs: InputArgs,

    #[command(flatten)]
    command: CommandArgs,

    #[command(flatten)]
    map: MapArgs,

    #[command(flatten)]
    run: RunArgs,
}

impl Map {
    pub(crate) fn execute(mut self) -> Result<Exit, CliError> {
        self.sort_out()?;
        let progress = Progress::new(self.run.quiet);
        let component = open_to_run(&self.component, &self.run, &progress)?;
        let task = match &self.export {
            Some(export) => component.task(export).map_err(|error| with_command(error, &component))?,
            None => component.command()?,
        };
        component.check_runnable(task)?;
        let template = self.template(&component);
        let (input, output) = match &template {
            Some(_) => (Encoding::Command, Encoding::Command),
            None if self.inputs.files => (bytes_parameter(&component, task)?, Encoding::Json),
            None => (Encoding::Json, Encoding::Json),
        };
        let run = RunOptions { input, output, timed: self.map.records };
        let (reading, places, total) = self.reading(&component, task, template.as_ref())?;
        component.check_imports()?;

        let printing = self.map.guest_output.unwrap_or(if self.map.records { GuestOutput::Record } else { GuestOutput::Inherit });
        let captures = Captures::new(printing, self.run.limits.max_log, progress.clone());
        let modules = open_modules(&self.run, &progress)?;
        // What this process needs for itself it takes before its workers take what is left: threads, descriptors.
        let interrupt = Interrupt::listen()?;
        let commands = template.is_some();
        let inputs = Inputs::start(reading, component.limits().message_bytes, template)?;
        let results = Results::start(progress.clone(), commands && !self.map.records)?;
        let pool = self.pool(&component, &modules, total, &captures, printing)?;
        pool.wait_ready(1, Duration::from_secs(60))?;

        let options = MappingOptions { ordered: !self.map.unordered, chunk: self.map.chunk };
        let mut mapping = pool.mapping(task, inputs, run, options);
        let bell = mapping.bell();
        mapping.source().ring(bell.clone());
        interrupt.tasks(bell);
        progress.tasks(total);
        let deadline = self.map.deadline.map(|deadline| Instant::now() + deadline);
        let view =
            View { progress, captures, places, records: self.map.records, commands, printing, halt: self.map.halt, deadline };
        follow(mapping, results, &interrupt, &view)
    }

    /// With --command there is no EXPORT, and what the parser took for one is the first input.
    fn sort_out(&mut self) -> Result<(), CliError> {
        if self.command.command
            && let Some(input) = self.export.take()
        {
            self.inputs.inputs.insert(0, input);
        }
        let usage = |text: String| Err(CliError::Usage(text));
        if self.inputs.files && self.inputs.inputs.is_empty() {
            return usage("failed to use --files: it needs paths, as INPUT".to_owned());
        }
        if self.inputs.input.is_some() && !self.inputs.inputs.is_empty() {
            return usage("failed to use --input: there are inputs on the command line too".to_owned());
        }
        if self.command.command && self.run.isolation == IsolationArg::Reuse {
            return usage("failed to use --isolation reuse with --command: a program starts anew for every input".to_owned());
        }
        Ok(())
    }

    /// How inputs become a program's, if it is one that is run.
    fn template(&self, component: &Component) -> Option<Template> {
        let CommandArgs { command, stdin, json_inputs, args } = &self.command;
        command.then(|| Template::new(component, args.clone(), *stdin, *json_inputs))
    }

    /// What to read, what to call the inputs, and how many there are, if that is known. Checks what can be checked before any
    /// worker starts.
    fn reading(
        &self,
        component: &Component,
        task: TaskIndex,
        template: Option<&Template>,
    ) -> Result<(Reading, Places, Option<u64>), CliError> {
        let inputs = &self.inputs.inputs;
        let total = Some(inputs.len() as u64);
        if self.inputs.files {
            let paths = inputs.iter().map(PathBuf::from).collect();
            return Ok((Reading::Files(paths), Places::Files(inputs.clone()), total));
        }
        if !inputs.is_empty() {
            for (at, text) in inputs.iter().enumerate() {
                let place = format!("argument {}", at + 1);
                match template {
                    Some(template) => {
                        template.item(text.as_bytes(), None).map(drop).map_err(|why| CliError::Input { place, why })?
                    }
                    None => component.check_input(task, text.as_bytes()).map_err(|error| {
                        let taskcell::Error::Input { why, .. } = error else { return CliError::Host(error) };
                        CliError::Input { place, why }
                    })?,
                }
            }
            return Ok((Reading::Texts(inputs.clone()), Places::Arguments, total));
        }
        match &self.inputs.input {
            Some(path) if path.as_os_str() != "-" => {
                let failed = |source| CliError::Host(taskcell::Error::Read { path: path.clone(), source });
                let file = File::open(path).map_err(failed)?;
                if file.metadata().map_err(failed)?.is_dir() {
                    return Err(CliError::Host(taskcell::Error::NotAFile { path: path.clone(), what: "a directory" }));
                }
                Ok((Reading::Lines(file), Places::Lines(Some(path.display().to_string())), None))
            }
            Some(_) | None => Ok((Reading::Stdin, Places::Lines(None), None)),
        }
    }

    fn pool(
        &self,
        component: &Component,
        modules: &[(String, Component)],
        total: Option<u64>,
        captures: &Captures,
        printing: GuestOutput,
    ) -> Result<Pool, CliError> {
        let wanted = self.map.jobs.unwrap_or_else(taskcell::cpu_count);
        // More workers than tasks would only be started.
        let most = total.and_then(|total| u32::try_from(total.max(1)).ok()).and_then(std::num::NonZeroU32::new);
        let budget = |cause| if self.map.retry_on.contains(&cause) { self.map.retries } else { 0 };
        let budget = RetryBudget {
            deaths: budget(RetryOn::Death),
            timeouts: budget(RetryOn::Timeout),
            traps: budget(RetryOn::Trap),
            errors: budget(RetryOn::Error),
        };
        let mut builder = Pool::builder(component)
            .workers(most.map_or(wanted, |most| most.min(wanted)))
            .isolation(self.run.isolation.into())
            .strictness(self.run.sandbox.into())
            .worker_start(self.run.worker_start.into())
            .restrict_speculation(self.run.restrict_speculation)
            .timeout(self.run.limits.timeout)
            .queue_timeout(self.map.queue_timeout)
            .grace(self.run.limits.grace)
            .job_limits(self.run.limits.job_limits())
            .cgroup(self.run.cgroup())
            .retries(budget)
            .listed(&format!("map {} {}", component.name(), self.export.as_deref().unwrap_or("--command")))
            .env(environment(&self.run))
            .dirs(self.run.dir.clone());
        if let Some(mut audit) = open_audit(&self.run)? {
            builder = builder.on_violation(move |violation| audit.record(violation));
        }
        for (name, module) in modules {
            builder = builder.module(name, module);
        }
        if printing != GuestOutput::Drop {
            let (captures, commands, record) = (captures.clone(), self.command.command, printing == GuestOutput::Record);
            builder = builder.on_printed(move |printed| {
                // What a command writes comes with its end; only its standard error is shown before, line by line.
                let comes_later = commands && printed.task.is_none() && (record || printed.stream == Stream::Stdout);
                if !comes_later {
                    captures.take(&printed);
                }
            });
        }
        Ok(builder.build()?)
    }
}

/// How to show results.
#[derive(Debug)]
struct View {
    progress: Progress,
    captures: Captures,
    places: Places,
    records: bool,
    /// The tasks are programs.
    commands: bool,
    printing: GuestOutput,
    halt: Halt,
    deadline: Option<Instant>,
}

/// What became of the tasks so far.
#[derive(Debug, Default)]
struct Tally {
    ended: u64,
    failed: u64,
    /// Failed because the input does not fit.
    invalid: u64,
    /// Not run, because we were told to end.
    skipped: u64,
}

/// Takes results until the last, or until there is a reason to end.
fn follow(mut mapping: Mapping<Inputs>, mut results: Results, interrupt: &Interrupt, view: &View) -> Result<Exit, CliError> {
    let mut tally = Tally::default();
    let mut ending = false;
    let mut late = false;
    let mut stopped = None;
    loop {
        // What is there is collected; only when there is nothing does the reader get what was collected.
        let mut next = mapping.next(Some(Duration::ZERO));
        if matches!(next, Next::Timeout) {
            results.flush();
            next = mapping.next(Some(Duration::from_millis(100)));
        }
        match next {
            Next::Block(block) => {
                block.each(|end| view.show(&end, ending, &mut tally, &mut results));
                results.pass();
            }
            Next::Timeout => {}
            Next::End => break,
            Next::Stopped(text) => {
                stopped = Some(text);
                break;
            }
        }
        view.progress.ended(tally.ended, tally.failed);
        if !ending && interrupt.exit().is_some() {
            ending = true;
            mapping.drain();
        }
        if !ending && mapping.failures() > 0 && view.halt != Halt::Never {
            ending = true;
            if view.halt == Halt::Now { mapping.cancel() } else { mapping.drain() }
        }
        if !late && view.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            (late, ending) = (true, true);
            mapping.cancel();
        }
        if results.is_broken() {
            break;
        }
    }
    view.progress.clear();
    match results.finish() {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => return Ok(Exit::ReaderGone),
        Err(error) => return Err(CliError::Output(error)),
        Ok(()) => {}
    }
    if let Some(text) = stopped {
        return Err(CliError::Host(taskcell::Error::Stopped(text)));
    }
    if ending {
        let not_run = tally.skipped;
        let why = if late { "the deadline passed" } else { "ended early" };
        output::note(&format!("{why}: {} tasks ended, {not_run} others were stopped or did not run", tally.ended));
    }
    Ok(match interrupt.exit() {
        Some(exit) => exit,
        None if tally.invalid > 0 => Exit::Usage,
        None if tally.failed > 0 || late => Exit::TaskFailed,
        None => Exit::Ok,
    })
}

impl View {
    /// Shows one task's end.
    fn show(&self, end: &TaskEnd<'_>, ending: bool, tally: &mut Tally, results: &mut Results) {
        let index = end.index;
        if ending && matches!(end.result, Err(TaskError::Cancelled)) {
            tally.skipped += 1;
            return;
        }
        tally.ended += 1;
        let captured = self.captures.ended(index);
        if let Err(error) = &end.result {
            tally.failed += 1;
            tally.invalid += u64::from(matches!(error, TaskError::Invalid { .. }));
        }
        if self.records && self.commands {
            record::write_command(end, self.places.file(index), self.printing == GuestOutput::Record, results.text());
            return;
        }
        if self.records {
            record::write(end, self.places.file(index), captured.as_ref(), results.text());
            return;
        }
        if let Some(written) = end.written {
            results.text().extend_from_slice(&written.stdout);
        }
        match &end.result {
            Ok(_) if self.commands => {}
            Ok(json) => {
                results.text().extend_from_slice(json);
                results.text().push(b'\n');
            }
            Err(error) => {
                let place = self.places.name(index);
                self.progress.aside(|| output::complain(&format!("{place}: {error}")));
            }
        }
    }
}

/// Who names no task of a program may mean the program.
fn with_command(error: taskcell::Error, component: &Component) -> CliError {
    if matches!(error, taskcell::Error::NoSuchTask { .. }) && component.command().is_ok() {
        return CliError::Usage(format!("failed to {error}; to run the program itself for every input, use --command"));
    }
    error.into()
}

/// `--files` needs a parameter that takes a file's content.
fn bytes_parameter(component: &Component, task: TaskIndex) -> Result<Encoding, CliError> {
    let types = &component.interface().types;
    let takes = component.signature(task).is_some_and(|signature| match signature.params.as_slice() {
        [(_, ty)] => match types.get(*ty) {
            Some(TypeDef::String) => true,
            Some(TypeDef::List(element)) => types.get(*element) == Some(&TypeDef::U8),
            Some(_) | None => false,
        },
        _ => false,
    });
    if takes {
        return Ok(Encoding::Bytes);
    }
    let signature = component.signature(task).map(|signature| taskcell_engine::values::signature_text(types, signature));
    let signature = signature.unwrap_or_default();
    Err(CliError::Usage(format!("failed to use --files: {signature} has no single parameter of type list<u8> or string")))
}

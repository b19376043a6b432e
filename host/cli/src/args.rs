//! The command line as data. Parsing never acts.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use taskcell::{CgroupOptions, DirGrant, Isolation, JobLimits, Limits, Strictness, WorkerStart};

use crate::commands::{call, compile, doctor, inspect, map, new, ps, run};
use crate::error::CliError;
use crate::exit::Exit;
use crate::units;

/// Run tasks of WebAssembly components in sandboxed worker processes.
///
/// A task is one call of one exported function. Components may be written in any language; core modules that carry component types
/// or are WASI p1 programs are taken too. Each worker is a process that can reach no file, no network and no other process.
#[derive(Debug, Parser)]
#[command(
    name = "taskcell",
    version,
    max_term_width = 100,
    after_help = "Exit codes: 0 all went well; 1 a task failed; 2 the command line or an input is wrong; 3 the component can't be \
                  run here; 4 a layer of the sandbox is missing; 129, 130 and 143 interrupted; 141 the reader of the output is gone."
)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Map(map::Map),
    Call(call::Call),
    Run(run::Run),
    Ps(ps::Ps),
    Inspect(inspect::Inspect),
    Compile(compile::Compile),
    Doctor(doctor::Doctor),
    New(new::New),
}

impl Command {
    pub(crate) fn execute(self) -> Result<Exit, CliError> {
        match self {
            Self::Map(map) => map.execute(),
            Self::Call(call) => call.execute(),
            Self::Run(run) => run.execute(),
            Self::Ps(ps) => ps.execute(),
            Self::Inspect(inspect) => inspect.execute(),
            Self::Compile(compile) => compile.execute(),
            Self::Doctor(doctor) => doctor.execute(),
            Self::New(new) => new.execute(),
        }
    }
}

/// What tasks may use. Each has a default, and a task that reaches one ends with an error that names it.
#[derive(Debug, ClapArgs)]
#[command(next_help_heading = "Limits")]
pub(crate) struct LimitArgs {
    /// Memory of one guest instance [k, M, G]
    #[arg(long, value_name = "SIZE", value_parser = units::bytes, default_value = "256M")]
    pub(crate) memory: u64,

    /// Run time of one attempt of a task [ms, s, m, h]; time in line does not count [default: none]
    #[arg(long, value_name = "TIME", value_parser = units::duration)]
    pub(crate) timeout: Option<Duration>,

    /// How long a task that was told to stop may go on before its worker is killed
    #[arg(long, value_name = "TIME", value_parser = units::duration, default_value = "250ms")]
    pub(crate) grace: Duration,

    /// Units of fuel for one task: a limit that does not depend on the machine, at twice the price [default: none]
    #[arg(long, value_name = "UNITS")]
    pub(crate) fuel: Option<u64>,

    /// Wasm stack of one guest instance
    #[arg(long, value_name = "SIZE", value_parser = units::bytes, default_value = "512k")]
    pub(crate) stack: u64,

    /// Longest input, in bytes of its text, and longest message
    #[arg(long, value_name = "SIZE", value_parser = units::bytes, default_value = "16M")]
    pub(crate) max_message: u64,

    /// Longest result, in bytes of its text
    #[arg(long, value_name = "SIZE", value_parser = units::bytes, default_value = "16M")]
    pub(crate) max_result: u64,

    /// What one task may print, and what it may log; the rest is cut, with a mark
    #[arg(long, value_name = "SIZE", value_parser = units::bytes, default_value = "1M")]
    pub(crate) max_log: u64,

    /// Elements of one table of a guest
    #[arg(long, value_name = "N", default_value_t = 1_000_000, hide_short_help = true)]
    pub(crate) max_table: u64,

    /// Core instances, memories and tables of one guest instance, each
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=1000), hide_short_help = true)]
    pub(crate) max_instances: u32,

    /// Handles that a guest may hold
    #[arg(long, value_name = "N", default_value_t = 1024, hide_short_help = true)]
    pub(crate) max_handles: u32,

    /// Bytes that a guest may hand to the host in one call
    #[arg(long, value_name = "SIZE", value_parser = units::bytes, default_value = "64M", hide_short_help = true)]
    pub(crate) max_host_call: u64,

    /// Random bytes that a guest may ask for in one call
    #[arg(long, value_name = "SIZE", value_parser = units::bytes, default_value = "64k", hide_short_help = true)]
    pub(crate) max_random: u64,

    /// Worker processes of the whole job, those that tasks start included
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..=65_536), hide_short_help = true)]
    pub(crate) max_processes: u32,

    /// How deep tasks may start tasks
    #[arg(long, value_name = "N", default_value_t = 16, hide_short_help = true)]
    pub(crate) max_depth: u32,

    /// Pools that tasks made, at a time
    #[arg(long, value_name = "N", default_value_t = 64, hide_short_help = true)]
    pub(crate) max_pools: u32,

    /// Queues, pipes, maps, locks and the like of the whole job
    #[arg(long, value_name = "N", default_value_t = 65_536, hide_short_help = true)]
    pub(crate) max_objects: u32,

    /// Bytes in all queues, pipes, maps and waiting tasks of the whole job
    #[arg(long, value_name = "SIZE", value_parser = units::bytes, default_value = "1G", hide_short_help = true)]
    pub(crate) max_shared: u64,

    /// Messages of one queue
    #[arg(long, value_name = "N", default_value_t = 1_000_000, hide_short_help = true)]
    pub(crate) max_queue_items: u32,

    /// Bytes of messages of one queue
    #[arg(long, value_name = "SIZE", value_parser = units::bytes, default_value = "256M", hide_short_help = true)]
    pub(crate) max_queue_bytes: u64,

    /// Keys of one map
    #[arg(long, value_name = "N", default_value_t = 1_000_000, hide_short_help = true)]
    pub(crate) max_map_keys: u32,

    /// Bytes of keys and values of one map
    #[arg(long, value_name = "SIZE", value_parser = units::bytes, default_value = "256M", hide_short_help = true)]
    pub(crate) max_map_bytes: u64,
}

impl LimitArgs {
    /// What one task may use.
    pub(crate) fn limits(&self) -> Limits {
        Limits {
            memory_bytes: self.memory,
            fuel: self.fuel,
            stack_bytes: self.stack,
            message_bytes: self.max_message,
            result_bytes: self.max_result,
            log_bytes: self.max_log,
            table_elements: self.max_table,
            instances: self.max_instances,
            handles: self.max_handles,
            host_call_bytes: self.max_host_call,
            random_bytes: self.max_random,
        }
    }

    /// What all tasks may use together.
    pub(crate) fn job_limits(&self) -> JobLimits {
        JobLimits {
            processes: self.max_processes,
            depth: self.max_depth,
            pools: self.max_pools,
            objects: self.max_objects,
            shared_bytes: self.max_shared,
            queue_items: self.max_queue_items,
            queue_bytes: self.max_queue_bytes,
            map_keys: self.max_map_keys,
            map_bytes: self.max_map_bytes,
        }
    }
}

/// Options of every command that runs tasks.
#[derive(Debug, ClapArgs)]
#[command(next_help_heading = "Sandbox")]
pub(crate) struct RunArgs {
    /// Environment variable for the guest, which sees no other; NAME alone: with the value that it has here; may be repeated
    #[arg(long, value_name = "NAME[=VALUE]", value_parser = units::variable)]
    pub(crate) env: Vec<(String, String)>,

    /// File of variables for the guest, a NAME=VALUE on each line, # for comments; --env goes before it; may be repeated
    #[arg(long, value_name = "FILE", value_parser = units::variables)]
    pub(crate) env_file: Vec<units::Variables>,

    /// Directory for the guest, under its own name or another; :ro for reading only; may be repeated [default: none]
    #[arg(long, value_name = "HOST[::GUEST][:ro]", value_parser = units::dir)]
    pub(crate) dir: Vec<DirGrant>,

    /// Another component, whose exports tasks may start as NAME/EXPORT; it gets no directories and no environment; may be repeated
    #[arg(long, value_name = "NAME=PATH", value_parser = units::module)]
    pub(crate) module: Vec<(String, PathBuf)>,

    /// What to do when a required layer of the sandbox is missing: refuse, or go on with what there is
    #[arg(long, value_enum, default_value_t = Sandbox::Required)]
    pub(crate) sandbox: Sandbox,

    /// Fork workers from a process that has loaded the component, or execute each anew (slower; each then has addresses of its own)
    #[arg(long, value_enum, default_value_t = WorkerStartArg::Fork)]
    pub(crate) worker_start: WorkerStartArg,

    /// Switch off the processor's speculation past branches and stores, where that can be done for a process; costs some speed
    #[arg(long)]
    pub(crate) restrict_speculation: bool,

    /// Append a line of JSON to this file for every worker that breaks a rule of the sandbox or of the protocol, crashes, or is killed
    #[arg(long, value_name = "FILE")]
    pub(crate) audit: Option<PathBuf>,

    /// Put all workers into a control group of their own in this directory of cgroup v2, which has to be delegated to this user
    #[arg(long, value_name = "DIR")]
    pub(crate) cgroup: Option<PathBuf>,

    /// Memory of all workers of the control group together [default: that of the workers of `map` and `call`, and none for `run`]
    #[arg(long, value_name = "SIZE", value_parser = units::bytes, requires = "cgroup", hide_short_help = true)]
    pub(crate) cgroup_memory: Option<u64>,

    /// CPUs of all workers of the control group together [default: no limit]
    #[arg(long, value_name = "N", requires = "cgroup", hide_short_help = true)]
    pub(crate) cgroup_cpus: Option<NonZeroU32>,

    /// A fresh instance for every task, or one per worker (faster; a task then sees what a former one left)
    #[arg(long, value_enum, default_value_t = IsolationArg::Fresh)]
    pub(crate) isolation: IsolationArg,

    /// Accept components with `async func`; the engine's support for them is young and has had faults of memory
    #[arg(long = "async")]
    pub(crate) concurrency: bool,

    /// Compile anew and keep nothing
    #[arg(long, help_heading = None::<&str>)]
    pub(crate) no_cache: bool,

    /// No progress on the terminal
    #[arg(long, short, help_heading = None::<&str>)]
    pub(crate) quiet: bool,

    // Last: its heading holds for all that follows.
    #[command(flatten)]
    pub(crate) limits: LimitArgs,
}

impl RunArgs {
    /// The control group of the workers, if one is wanted.
    pub(crate) fn cgroup(&self) -> Option<CgroupOptions> {
        let parent = self.cgroup.clone()?;
        Some(CgroupOptions { parent, memory_bytes: self.cgroup_memory, cpus: self.cgroup_cpus })
    }
}

/// How to group and end many tasks.
#[derive(Debug, ClapArgs)]
#[command(next_help_heading = "Running many tasks")]
pub(crate) struct MapArgs {
    /// Worker processes, or a share of the CPUs like 50% [default: one per CPU that this process may use]
    #[arg(long, short, value_name = "N|N%", value_parser = units::jobs)]
    pub(crate) jobs: Option<NonZeroU32>,

    /// Results as they come, not in the order of the inputs
    #[arg(long)]
    pub(crate) unordered: bool,

    /// Tasks that a worker takes at once [default: 1]; until it takes them, any other worker may
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub(crate) chunk: Option<u32>,

    /// One JSON object for every input: index, ok (of a program, code) or error, attempts, ms, what it printed
    #[arg(long)]
    pub(crate) records: bool,

    /// Further attempts for a task that failed for one of the causes of --retry-on, each cause counted by itself
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) retries: u32,

    /// Which failures are tried again
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [RetryOn::Death, RetryOn::Timeout])]
    pub(crate) retry_on: Vec<RetryOn>,

    /// How long a task may wait for a worker once its input was read; one that waits longer never runs [default: none]
    #[arg(long, value_name = "TIME", value_parser = units::duration)]
    pub(crate) queue_timeout: Option<Duration>,

    /// Time for the whole job; what has not ended by then is stopped [default: none]
    #[arg(long, value_name = "TIME", value_parser = units::duration)]
    pub(crate) deadline: Option<Duration>,

    /// After a task failed: go on, start nothing more, or stop what runs too
    #[arg(long, value_enum, default_value_t = Halt::Never)]
    pub(crate) halt: Halt,

    /// What guests print: to stderr line by line, nowhere, or into the record [default: record with --records, else inherit]
    #[arg(long, value_enum)]
    pub(crate) guest_output: Option<GuestOutput>,
}

/// Where inputs come from.
#[derive(Debug, ClapArgs)]
pub(crate) struct InputArgs {
    /// Inputs, each a JSON text (with --files: paths; with --command: plain texts) [default: lines of standard input]
    #[arg(value_name = "INPUT", allow_negative_numbers = true)]
    pub(crate) inputs: Vec<String>,

    /// Read inputs from a file, one per line; - is standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["inputs", "files"])]
    pub(crate) input: Option<PathBuf>,

    /// The inputs are paths: each file's bytes or text is the task's one parameter, or with --command the program's standard input
    #[arg(long)]
    pub(crate) files: bool,
}

/// Programs as tasks.
#[derive(Debug, ClapArgs)]
#[command(next_help_heading = "Running a program for every input")]
pub(crate) struct CommandArgs {
    /// The component is a program (a WASI command) that is run for every input; there is no EXPORT, and inputs are plain texts
    #[arg(long)]
    pub(crate) command: bool,

    /// The input goes to the program's standard input, with a line end
    #[arg(long, requires = "command")]
    pub(crate) stdin: bool,

    /// Each input is JSON: a text, or an array of texts, which are arguments each
    #[arg(long, requires = "command", conflicts_with = "files")]
    pub(crate) json_inputs: bool,

    /// Arguments of the program; {} is the input (with --files its path), which else is the last argument unless it goes to standard input
    #[arg(last = true, value_name = "ARG", requires = "command")]
    pub(crate) args: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Sandbox {
    Required,
    BestEffort,
}

impl From<Sandbox> for Strictness {
    fn from(sandbox: Sandbox) -> Self {
        match sandbox {
            Sandbox::Required => Self::Required,
            Sandbox::BestEffort => Self::BestEffort,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum WorkerStartArg {
    Fork,
    Exec,
}

impl From<WorkerStartArg> for WorkerStart {
    fn from(start: WorkerStartArg) -> Self {
        match start {
            WorkerStartArg::Fork => Self::Fork,
            WorkerStartArg::Exec => Self::Exec,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum IsolationArg {
    Fresh,
    Reuse,
}

impl From<IsolationArg> for Isolation {
    fn from(isolation: IsolationArg) -> Self {
        match isolation {
            IsolationArg::Fresh => Self::Fresh,
            IsolationArg::Reuse => Self::Reuse,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum RetryOn {
    /// The worker process died
    Death,
    /// The task ran over its time
    Timeout,
    /// The guest trapped or ran into a limit
    Trap,
    /// The task returned an error
    Error,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Halt {
    /// Go on
    Never,
    /// Start nothing more
    Soon,
    /// Stop what runs too
    Now,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum GuestOutput {
    /// To stderr, line by line, with the task's number
    Inherit,
    /// Nowhere
    Drop,
    /// Into the task's record
    Record,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Parser)]
    struct OfLimits {
        #[command(flatten)]
        limits: LimitArgs,
    }

    #[test]
    fn the_defaults_are_the_librarys() {
        let of = OfLimits::parse_from(["limits"]).limits;
        assert_eq!((of.limits(), of.job_limits()), (Limits::default(), JobLimits::default()));
    }

    #[test]
    fn the_command_line_is_sound() {
        use clap::CommandFactory;
        Args::command().debug_assert();
    }
}

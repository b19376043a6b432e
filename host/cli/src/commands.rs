//! The subcommands, a file each: the options as data, and what is done with them.

pub(crate) mod call;
pub(crate) mod compile;
pub(crate) mod doctor;
pub(crate) mod inspect;
pub(crate) mod map;
pub(crate) mod new;
pub(crate) mod ps;
pub(crate) mod run;

use std::path::Path;
use std::time::Duration;

use taskcell::{Component, ComponentOptions};

use crate::args::RunArgs;
use crate::audit::Audit;
use crate::error::CliError;
use crate::progress::Progress;

/// Reads and compiles a component, with progress.
fn open(path: &Path, options: ComponentOptions<'_>, progress: &Progress) -> Result<Component, CliError> {
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    let mut told = |passed: Duration| progress.compiling(&name, passed);
    let component = Component::open_with(path, ComponentOptions { progress: Some(&mut told), ..options });
    progress.clear();
    Ok(component?)
}

/// The same, with the options of a command that runs tasks.
fn open_to_run(path: &Path, run: &RunArgs, progress: &Progress) -> Result<Component, CliError> {
    let options = ComponentOptions {
        limits: run.limits.limits(),
        strictness: run.sandbox.into(),
        cache: !run.no_cache,
        concurrency: run.concurrency,
        progress: None,
    };
    open(path, options, progress)
}

/// The audit file of `--audit`, which is opened before anything is started.
fn open_audit(run: &RunArgs) -> Result<Option<Audit>, CliError> {
    run.audit.as_deref().map(Audit::open).transpose()
}

/// The components of `--module`, by name.
fn open_modules(run: &RunArgs, progress: &Progress) -> Result<Vec<(String, Component)>, CliError> {
    run.module.iter().map(|(name, path)| Ok((name.clone(), open_to_run(path, run, progress)?))).collect()
}

/// The guest's environment: each name once, with the value that was given last, those of files first.
fn environment(run: &RunArgs) -> Vec<(String, String)> {
    let given = run.env_file.iter().flat_map(|file| &file.0).chain(&run.env);
    let mut variables: Vec<(String, String)> = Vec::new();
    for (name, value) in given {
        variables.retain(|(other, _)| other != name);
        variables.push((name.clone(), value.clone()));
    }
    variables
}

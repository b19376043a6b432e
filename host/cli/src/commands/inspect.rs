//! `taskcell inspect COMPONENT`: what it exports, what it needs, whether it runs here.

use std::fmt::Write;
use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use taskcell::{Component, ComponentOptions, TaskIndex};
use taskcell_engine::values;

use crate::commands::open;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output;
use crate::progress::Progress;

/// Show a component's tasks with their signatures, its imports, and whether it runs here
#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// The component
    component: PathBuf,

    /// One JSON object, with a JSON Schema for each parameter and result
    #[arg(long)]
    json: bool,

    /// Accept components with `async func`; the engine's support for them is young and has had faults of memory
    #[arg(long = "async")]
    concurrency: bool,

    /// No progress on the terminal
    #[arg(long, short)]
    quiet: bool,
}

impl Inspect {
    pub(crate) fn execute(self) -> Result<Exit, CliError> {
        let progress = Progress::new(self.quiet);
        let component =
            open(&self.component, ComponentOptions { concurrency: self.concurrency, ..ComponentOptions::default() }, &progress)?;
        let printed = if self.json { output::print_json(&json_text(&component)) } else { output::print(&text(&component)) };
        printed.map_err(CliError::Output)?;
        Ok(Exit::Ok)
    }
}

/// Every task's place, and why it can't be run, if it can't.
fn tasks(component: &Component) -> impl Iterator<Item = (&taskcell::Signature, Option<String>)> {
    component.interface().tasks.iter().enumerate().map(|(at, signature)| {
        let task = TaskIndex(u16::try_from(at).unwrap_or(u16::MAX));
        (signature, component.check_runnable(task).err().map(|error| format!("failed to {error}")))
    })
}

fn text(component: &Component) -> String {
    let interface = component.interface();
    let mut out = String::new();
    // Writing to a String does not fail.
    let mut line = |text: &str| {
        let _ = writeln!(out, "{}", output::visible(text));
    };
    line("tasks:");
    for (signature, problem) in tasks(component) {
        line(&format!("  {}", values::signature_text(&interface.types, signature)));
        if let Some(problem) = problem {
            line(&format!("    {problem}"));
        }
    }
    if interface.tasks.is_empty() {
        line("  none");
    }
    line("imports:");
    for import in &interface.imports {
        let note = if import.provided { "" } else { "  (nobody provides it)" };
        line(&format!("  {}{note}", import.name));
    }
    if interface.imports.is_empty() {
        line("  none");
    }
    match component.check_imports() {
        Ok(()) => line("runs here: yes"),
        Err(error) => line(&format!("runs here: no; failed to {error}")),
    }
    out
}

fn json_text(component: &Component) -> String {
    let interface = component.interface();
    let types = &interface.types;
    let typed =
        |name: &str, ty| json!({"name": name, "type": values::type_text(types, ty), "schema": values::json_schema(types, ty)});
    let tasks: Vec<_> = tasks(component)
        .map(|(signature, problem)| {
            json!({
                "name": signature.name,
                "signature": values::signature_text(types, signature),
                "params": signature.params.iter().map(|(name, ty)| typed(name, *ty)).collect::<Vec<_>>(),
                "result": signature.result.map(|ty| json!({"type": values::type_text(types, ty), "schema": values::json_schema(types, ty)})),
                "async": signature.is_async,
                "problem": problem,
            })
        })
        .collect();
    let imports: Vec<_> =
        interface.imports.iter().map(|import| json!({"name": import.name, "provided": import.provided})).collect();
    let problem = component.check_imports().err().map(|error| format!("failed to {error}"));
    let all = json!({
        "tasks": tasks,
        "imports": imports,
        "command": interface.is_command,
        "runs": problem.is_none(),
        "problem": problem,
    });
    all.to_string()
}

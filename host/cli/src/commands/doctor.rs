//! `taskcell doctor`: which layers of the sandbox this machine has.

use std::fmt::Write;

use clap::Args;
use serde_json::json;
use taskcell_sandbox::{Answer, Applied, LayerState, Role, Rule, boot_table, directory_table, policy_table, survey};

use crate::error::CliError;
use crate::exit::Exit;
use crate::output;

/// Show the layers of the sandbox: required or optional, present or not, and why
#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// One JSON object
    #[arg(long)]
    json: bool,

    /// Show the system calls that workers and compile children may make, each with its reason
    #[arg(long)]
    policy: bool,
}

impl Doctor {
    pub(crate) fn execute(self) -> Result<Exit, CliError> {
        if self.policy {
            output::print(&policy(self.json)).map_err(CliError::Output)?;
            return Ok(Exit::Ok);
        }
        let layers = survey();
        let missing = layers.iter().any(|applied| applied.layer.required() && !applied.is_active());
        let started = taskcell_sandbox::check_spawn();
        let verdict = match &started {
            Err(error) => Err(format!("failed to {error}")),
            Ok(()) if missing => Err("a required layer is missing (--sandbox best-effort runs them without it)".to_owned()),
            Ok(()) => Ok(()),
        };
        let text = if self.json { layers_json(&layers, &verdict) } else { layers_text(&layers, &verdict) };
        output::print(&text).map_err(CliError::Output)?;
        Ok(match started {
            Err(_) => Exit::TaskFailed,
            Ok(()) if missing => Exit::Sandbox,
            Ok(()) => Exit::Ok,
        })
    }
}

fn state(applied: &Applied) -> (&'static str, &str) {
    match &applied.state {
        LayerState::Active(detail) => ("present", detail),
        LayerState::Missing(why) => ("missing", why),
    }
}

fn need(applied: &Applied) -> &'static str {
    if applied.layer.required() { "required" } else { "optional" }
}

fn layers_text(layers: &[Applied], verdict: &Result<(), String>) -> String {
    let mut out = String::new();
    for applied in layers {
        let (state, detail) = state(applied);
        let layer = applied.layer.to_string();
        let _ = writeln!(out, "{layer:<22} {:<9} {state:<8} {}", need(applied), output::visible(detail));
    }
    let _ = match verdict {
        Ok(()) => writeln!(out, "tasks can run: every required layer is present"),
        Err(why) => writeln!(out, "tasks can't run: {}", output::visible(why)),
    };
    out
}

fn layers_json(layers: &[Applied], verdict: &Result<(), String>) -> String {
    let layers: Vec<_> = layers
        .iter()
        .map(|applied| {
            let (state, detail) = state(applied);
            json!({"layer": applied.layer.to_string(), "required": applied.layer.required(), "present": state == "present", "detail": detail})
        })
        .collect();
    format!("{}\n", json!({"layers": layers, "tasks_can_run": verdict.is_ok(), "why_not": verdict.as_ref().err()}))
}

fn policy(as_json: bool) -> String {
    let tables = [
        ("worker", policy_table(Role::Worker)),
        ("compile child", policy_table(Role::Compiler)),
        ("worker with granted directories", directory_table()),
        ("worker and compile child, besides, while they load code behind the first filter", boot_table(Role::Worker)),
        ("zygote, besides", boot_table(Role::Zygote)),
    ];
    let answer = |rule: &Rule| match rule.answer {
        Answer::Allow => "allowed".to_owned(),
        Answer::AllowIf(_) => "allowed with checked arguments".to_owned(),
        Answer::Refuse(error) => format!("refused with error {error}"),
    };
    if as_json {
        let tables: Vec<_> = tables
            .iter()
            .map(|(who, rules)| {
                let rules: Vec<_> =
                    rules.iter().map(|rule| json!({"call": rule.name, "answer": answer(rule), "reason": rule.reason})).collect();
                json!({"process": who, "calls": rules})
            })
            .collect();
        return format!("{}\n", json!({"tables": tables, "other_calls": "kill the process"}));
    }
    let mut out = String::new();
    for (who, rules) in tables {
        let _ = writeln!(out, "{who}:");
        for rule in rules {
            let _ = writeln!(out, "  {:<18} {}: {}", rule.name, answer(rule), rule.reason);
        }
    }
    out.push_str("every other call kills the process\n");
    out
}

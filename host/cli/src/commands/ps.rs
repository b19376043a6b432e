//! `taskcell ps`: what the tasks of every running host of this user are doing.

use std::collections::BTreeMap;
use std::fmt::Write;

use clap::Args;
use taskcell::{HostStatus, TaskLine, TaskState, hosts};

use crate::error::CliError;
use crate::exit::Exit;
use crate::output;

/// Show the tasks of every running taskcell of this user: state, what they wait on, CPU time, memory
///
/// A host that runs is found by its socket in $XDG_RUNTIME_DIR; one that was started without that variable is not seen.
#[derive(Debug, Args)]
pub(crate) struct Ps {
    /// One JSON array of hosts
    #[arg(long)]
    json: bool,
}

impl Ps {
    pub(crate) fn execute(self) -> Result<Exit, CliError> {
        let hosts = hosts();
        let printed = if self.json {
            let json = serde_json::to_string(&hosts).map_err(|error| CliError::Output(std::io::Error::other(error)))?;
            output::print_json(&json)
        } else {
            output::print(&table(&hosts))
        };
        printed.map_err(CliError::Output)?;
        Ok(Exit::Ok)
    }
}

const HEADER: [&str; 8] = ["HOST", "TASK", "PID", "STATE", "FOR", "CPU", "MEMORY", "NAME"];

fn table(hosts: &[HostStatus]) -> String {
    let mut rows: Vec<[String; 8]> = vec![HEADER.map(str::to_owned)];
    for host in hosts {
        let running = duration(host.running_ms);
        let title = output::visible(&host.title).into_owned();
        rows.push([
            host.pid.to_string(),
            "-".into(),
            host.pid.to_string(),
            "host".into(),
            running,
            "-".into(),
            "-".into(),
            title,
        ]);
        rows.extend(tree(&host.tasks).into_iter().map(|(depth, task)| row(host, depth, task)));
    }
    let widths: Vec<usize> =
        (0..HEADER.len()).map(|at| rows.iter().map(|row| row[at].chars().count()).max().unwrap_or(0)).collect();
    let mut out = String::new();
    for row in rows {
        let mut line = String::new();
        for (at, (cell, width)) in row.iter().zip(&widths).enumerate() {
            // Numbers to the right, words to the left.
            let _ = if matches!(at, 3 | 7) { write!(line, "{cell:<width$}  ") } else { write!(line, "{cell:>width$}  ") };
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

fn row(host: &HostStatus, depth: usize, task: &TaskLine) -> [String; 8] {
    let module = if task.module.is_empty() { String::new() } else { format!("{}/", output::visible(&task.module)) };
    let mut name = format!("{}{module}{}", "  ".repeat(depth + 1), output::visible(&task.name));
    if let Some(on) = &task.waiting_on {
        let _ = write!(name, "  [on {}]", output::visible(on));
    }
    match task.progress {
        Some((done, Some(total))) => drop(write!(name, "  {done}/{total}")),
        Some((done, None)) => drop(write!(name, "  {done}")),
        None => {}
    }
    if task.attempt > 1 {
        let _ = write!(name, "  attempt {}", task.attempt);
    }
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    [
        host.pid.to_string(),
        task.id.to_string(),
        or_dash(task.pid.map(|pid| pid.to_string())),
        state(&task.state).to_owned(),
        duration(task.since_ms),
        or_dash(task.cpu_ms.map(duration)),
        or_dash(task.memory_bytes.map(size)),
        name,
    ]
}

/// The word of a state, if it is one: the document may be anybody's of this user.
fn state(told: &str) -> &'static str {
    TaskState::NAMES.into_iter().find(|name| *name == told).unwrap_or("unknown")
}

/// Tasks in the order of who started whom, each with how deep it stands. One whose parent has ended stands at the top.
fn tree(tasks: &[TaskLine]) -> Vec<(usize, &TaskLine)> {
    let known: BTreeMap<u64, &TaskLine> = tasks.iter().map(|task| (task.id, task)).collect();
    let mut children: BTreeMap<Option<u64>, Vec<&TaskLine>> = BTreeMap::new();
    for task in known.values() {
        // A parent is older than its child, so there is no way round in a circle.
        let parent = task.parent.filter(|parent| known.contains_key(parent) && *parent < task.id);
        children.entry(parent).or_default().push(task);
    }
    let mut out = Vec::with_capacity(tasks.len());
    let mut open: Vec<(usize, &TaskLine)> =
        children.remove(&None).unwrap_or_default().into_iter().rev().map(|task| (0, task)).collect();
    while let Some((depth, task)) = open.pop() {
        out.push((depth, task));
        let below = children.remove(&Some(task.id)).unwrap_or_default();
        open.extend(below.into_iter().rev().map(|child| (depth + 1, child)));
    }
    out
}

fn duration(ms: u64) -> String {
    match ms {
        0..10_000 => format!("{}.{:02}s", ms / 1000, ms % 1000 / 10),
        10_000..600_000 => format!("{}s", ms / 1000),
        600_000..36_000_000 => format!("{}m", ms / 60_000),
        _ => format!("{}h", ms / 3_600_000),
    }
}

fn size(bytes: u64) -> String {
    let mib = 1 << 20;
    if bytes < 10 * mib { format!("{}.{}M", bytes / mib, bytes % mib * 10 / mib) } else { format!("{}M", bytes / mib) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(id: u64, parent: Option<u64>) -> TaskLine {
        TaskLine {
            id,
            parent,
            name: format!("t{id}\u{1b}"),
            module: String::new(),
            state: "waiting".into(),
            waiting_on: Some("queue 3 \"results\": get".into()),
            pid: Some(42),
            since_ms: 12_345,
            attempt: 1,
            progress: None,
            cpu_ms: Some(20),
            memory_bytes: Some(3 << 20),
        }
    }

    #[test]
    fn children_stand_below_their_parents_and_orphans_at_the_top() {
        let tasks = [task(3, Some(1)), task(1, None), task(4, Some(3)), task(2, None), task(9, Some(7))];
        let order: Vec<(usize, u64)> = tree(&tasks).into_iter().map(|(depth, task)| (depth, task.id)).collect();
        assert_eq!(order, [(0, 1), (1, 3), (2, 4), (0, 2), (0, 9)]);
    }

    #[test]
    fn no_cell_of_a_forged_document_can_write_to_the_terminal() {
        let bad = "\u{1b}]0;pwn\u{7}\n\u{202e}\u{200f}\u{61c}\u{feff}";
        let mut forged = task(1, None);
        (forged.name, forged.module, forged.state) = (bad.into(), bad.into(), bad.into());
        forged.waiting_on = Some(bad.into());
        let host = HostStatus { version: 1, pid: 7, title: bad.into(), running_ms: 1, tasks: vec![forged, task(2, None)] };
        let text = table(&[host]);
        assert_eq!(text.lines().count(), 4, "{text}");
        assert!(!text.replace('\n', "").chars().any(taskcell::is_hidden), "{text:?}");
        assert!(text.contains("unknown") && text.contains("waiting"), "{text}");
    }

    #[test]
    fn a_guests_name_can_not_write_to_the_terminal() {
        let host = HostStatus { version: 1, pid: 7, title: "run".into(), running_ms: 1, tasks: vec![task(1, None)] };
        let text = table(&[host]);
        assert!(!text.contains('\u{1b}'), "{text}");
        assert!(text.contains("[on queue 3 \"results\": get]"), "{text}");
    }
}

//! The audit: a record for every worker that ran into a wall, or broke the rules of one.
//!
//! A record is made where the supervisor notices: the protocol where a message is refused, a forbidden system call where the process
//! is reaped. Every text in it is the supervisor's own, but for the names of a component's exports; as JSON all of them are escaped.

pub(crate) mod kernel_log;
pub(crate) mod syscalls;

use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;
use taskcell_broker::{ModuleId, RunningTask};
use taskcell_sandbox::Termination;
use taskcell_wire::WorkerId;

use crate::component::Component;
use crate::dispatcher::Dispatcher;
use crate::link::Link;
use crate::reaper::Gone;
use kernel_log::KernelLog;
use taskcell_worker::page;

/// What kind of a violation it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ViolationKind {
    /// A worker made a system call that its filter forbids; the kernel killed it.
    Syscall,
    /// A worker broke the protocol: a message, a result or an answer that no worker may send.
    Protocol,
    /// A worker said that it is ready, and the kernel says that it is not confined.
    NotConfined,
    /// A worker with a task to run showed no sign of life for five seconds.
    Stalled,
    /// A worker did not stop at its time limit and grace, or was not ready in time. A guest that waits in a host call ends so too.
    Overdue,
    /// A worker ended by a signal like a segmentation fault, or exited with a code: a fault, or an attempt.
    Crash,
    /// A worker was killed by a signal 9 that is not the supervisor's: the kernel for want of memory, or somebody.
    Killed,
}

impl ViolationKind {
    /// The wall that it met.
    const fn wall(self) -> &'static str {
        match self {
            Self::Syscall => "seccomp",
            Self::Protocol => "protocol",
            Self::NotConfined => "verify",
            Self::Stalled | Self::Overdue => "deadline",
            Self::Crash | Self::Killed => "process",
        }
    }
}

/// One violation, for the audit.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Violation {
    /// When the supervisor noticed.
    pub time: SystemTime,
    /// What kind.
    pub kind: ViolationKind,
    /// What was broken, for people: "it sent bytes that are no message".
    pub rule: String,
    /// The number of the system call, if the kernel's log has it.
    pub syscall: Option<i64>,
    /// The signal that ended the process, if one did.
    pub signal: Option<i32>,
    /// The worker's number in its host.
    pub worker: u64,
    /// Its process id.
    pub pid: u32,
    /// The task that it ran, if it ran one.
    pub task: Option<ViolationTask>,
    /// The name of its component.
    pub component: String,
    /// The digest of its component ([`Component::digest`]).
    pub digest: String,
}

/// The task that a worker ran. Which of its tasks that is, the worker says itself.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ViolationTask {
    /// Its job in this process, and its place there; `None` for a task that a task started.
    pub place: Option<(u64, u64)>,
    /// Its number, if it has one.
    pub number: Option<u64>,
    /// The exported function.
    pub function: String,
}

#[derive(Serialize)]
struct Line<'a> {
    time: String,
    kind: ViolationKind,
    wall: &'static str,
    rule: &'a str,
    syscall: Option<i64>,
    syscall_name: Option<&'static str>,
    signal: Option<i32>,
    worker: u64,
    pid: u32,
    job: Option<u64>,
    index: Option<u64>,
    task: Option<u64>,
    function: Option<&'a str>,
    component: &'a str,
    digest: &'a str,
}

impl Violation {
    /// The name of the system call, if its number is known and has one.
    #[must_use]
    pub fn syscall_name(&self) -> Option<&'static str> {
        self.syscall.and_then(syscalls::name)
    }

    /// One line of JSON without the line's end, as `--audit` writes it.
    #[must_use]
    pub fn to_json(&self) -> String {
        let task = self.task.as_ref();
        let place = task.and_then(|task| task.place);
        let line = Line {
            time: rfc_3339(self.time),
            kind: self.kind,
            wall: self.kind.wall(),
            rule: &self.rule,
            syscall: self.syscall,
            syscall_name: self.syscall_name(),
            signal: self.signal,
            worker: self.worker,
            pid: self.pid,
            job: place.map(|(job, _)| job),
            index: place.map(|(_, index)| index),
            task: task.and_then(|task| task.number),
            function: task.map(|task| task.function.as_str()),
            component: &self.component,
            digest: &self.digest,
        };
        // Neither a map with keys that are no texts nor a writer that fails is in it.
        serde_json::to_string(&line).unwrap_or_default()
    }
}

/// Called with every violation, in the dispatcher's thread: it should be quick.
pub(crate) type OnViolation = Box<dyn FnMut(&Violation) + Send>;

/// Where violations go.
pub(crate) struct Audit {
    on_violation: OnViolation,
    /// Name and digest of each component.
    components: Vec<(String, String)>,
    log: Option<KernelLog>,
}

/// What a worker ran, kept from its connection's end to its process's.
#[derive(Debug, Clone)]
pub(crate) struct Suspect {
    module: ModuleId,
    task: Option<RunningTask>,
}

impl Audit {
    pub(crate) fn new(on_violation: OnViolation, modules: &[(String, Component)]) -> Self {
        let of = |(_, component): &(String, Component)| (component.name().to_owned(), component.digest());
        Self { on_violation, components: modules.iter().map(of).collect(), log: KernelLog::open() }
    }

    fn record(&mut self, id: WorkerId, pid: u32, suspect: Suspect, kind: ViolationKind, rule: String, signal: Option<i32>) {
        let syscall = match kind {
            ViolationKind::Syscall => self.log.as_ref().and_then(|log| log.call_of(pid)),
            ViolationKind::Protocol
            | ViolationKind::NotConfined
            | ViolationKind::Stalled
            | ViolationKind::Overdue
            | ViolationKind::Crash
            | ViolationKind::Killed => None,
        };
        let Suspect { module: ModuleId(module), task } = suspect;
        let (component, digest) = self.components.get(usize::from(module)).cloned().unwrap_or_default();
        let task = task.map(|task| ViolationTask { place: task.place, number: task.number, function: task.function });
        let time = SystemTime::now();
        let worker = id.0;
        (self.on_violation)(&Violation { time, kind, rule, syscall, signal, worker, pid, task, component, digest });
    }
}

impl Dispatcher {
    /// What a worker runs, if there is an audit.
    pub(crate) fn suspect(&self, id: WorkerId, link: &Link) -> Option<Suspect> {
        self.audit.as_ref()?;
        let module = self.broker.spec(id).map_or(ModuleId(0), |spec| spec.module);
        Some(Suspect { module, task: self.broker.running_task(id, page::running(&link.memory)) })
    }

    /// Records a violation of a worker that still has its connection.
    pub(crate) fn audit(&mut self, id: WorkerId, link: &Link, kind: ViolationKind, rule: &str) {
        if let Some(suspect) = self.suspect(id, link)
            && let Some(audit) = &mut self.audit
        {
            audit.record(id, link.pid(), suspect, kind, rule.to_owned(), None);
        }
    }

    /// The same of one that was just killed.
    pub(crate) fn audit_killed(&mut self, id: WorkerId, kind: ViolationKind, rule: &str) {
        if let Some(link) = self.links.remove(&id) {
            self.audit(id, &link, kind, rule);
            self.links.insert(id, link);
        }
    }

    /// Records the end of a process, if that was a violation by itself. What the supervisor killed was recorded before.
    pub(crate) fn audit_end(&mut self, id: WorkerId, gone: &Gone) {
        let (Some(audit), Some(suspect)) = (&mut self.audit, gone.suspect.clone()) else { return };
        let (kind, rule, signal) = match gone.termination {
            Some(Termination::Signalled { signal, .. }) if gone.termination.is_some_and(Termination::is_sandbox_violation) => {
                (ViolationKind::Syscall, "it made a system call that its filter forbids".to_owned(), Some(signal))
            }
            _ if gone.went_on => (ViolationKind::Protocol, "it closed its socket and went on".to_owned(), None),
            _ if gone.was_killed => return,
            Some(Termination::Signalled { signal, .. }) if gone.termination.is_some_and(Termination::is_kill) => {
                (ViolationKind::Killed, "it was killed by signal 9, and not by the supervisor".to_owned(), Some(signal))
            }
            Some(Termination::Signalled { signal, .. }) => {
                (ViolationKind::Crash, format!("it was ended by signal {signal}"), Some(signal))
            }
            Some(Termination::Exited(code)) if code != 0 && !gone.gave_up => {
                (ViolationKind::Crash, format!("it exited with code {code}"), None)
            }
            Some(Termination::Exited(_)) | None => return,
        };
        audit.record(id, gone.pid, suspect, kind, rule, signal);
    }
}

/// The time as RFC 3339 has it, in UTC, to the millisecond.
fn rfc_3339(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (seconds, milliseconds) = (since.as_secs(), since.subsec_millis());
    let (days, of_day) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = date(days);
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milliseconds:03}Z")
}

/// Year, month and day of a day since 1970-01-01: eras of 400 years that begin with March, so that a leap day is a year's last.
fn date(days: u64) -> (u64, u64, u64) {
    let days = days.saturating_add(719_468);
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn times_are_dates() {
        for (milliseconds, expected) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_709_251_199_999, "2024-02-29T23:59:59.999Z"),
            (4_102_444_800_001, "2100-01-01T00:00:00.001Z"),
        ] {
            assert_eq!(rfc_3339(UNIX_EPOCH + Duration::from_millis(milliseconds)), expected);
        }
    }

    #[test]
    fn a_record_is_one_line_whatever_names_are_in_it() {
        let violation = Violation {
            time: UNIX_EPOCH,
            kind: ViolationKind::Syscall,
            rule: "it made a system call that its filter forbids".into(),
            syscall: Some(59),
            signal: Some(31),
            worker: 3,
            pid: 12,
            task: Some(ViolationTask { place: Some((1, 2)), number: None, function: "a\n\u{1b}[31m\"b".into() }),
            component: "x.wasm".into(),
            digest: "ab".into(),
        };
        let expected = concat!(
            r#"{"time":"1970-01-01T00:00:00.000Z","kind":"syscall","wall":"seccomp","rule":"it made a system call that its filter forbids","#,
            r#""syscall":59,"syscall_name":"execve","signal":31,"worker":3,"pid":12,"job":1,"index":2,"task":null,"#,
            r#""function":"a\n\u001b[31m\"b","component":"x.wasm","digest":"ab"}"#
        );
        if cfg!(target_arch = "x86_64") {
            assert_eq!(violation.to_json(), expected);
        }
    }
}

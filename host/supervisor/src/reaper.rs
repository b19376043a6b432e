//! Workers whose connection has ended, until their processes are reaped.
//!
//! ```text
//!   connected ──socket ends, or a violation──> ending ──after 200 ms──> killed ──after 5 s──> given up
//!                                                 └──────────────┬─────────┴───────────────────┘
//!                                                 pidfd is readable: reaped, forgotten
//! ```
//!
//! The dispatcher never blocks for a process: the pidfd of an ending worker is in its epoll set, and
//! the process is reaped when that is readable. The event data is the worker's id, as it was for its
//! socket: a worker is connected or ending, never both.
//!
//! Invariants: every worker that was started is reported to the broker once as gone, and every process
//! is reaped, at the latest when the dispatcher shuts down. A process that cannot be reaped (the kernel
//! holds it in an uninterruptible wait, or a tracer holds it) costs its own place for 5 s: SIGKILL is
//! pending then, so it executes no instruction of its own any more, and what it held can be given on.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use taskcell_broker::{Duration as BrokerDuration, Now};
use taskcell_sandbox::{Child, ProcessError, Termination};
use taskcell_wire::{ChunkId, JobId, WorkerId};

use crate::audit::Suspect;
use crate::written::Written;

/// How long a process may take from the end of its socket to its own end, before it is killed.
const ENDING: BrokerDuration = BrokerDuration::from_millis(200);
/// How long a killed process may take to end, before the broker is informed without its end.
const UNREAPED: BrokerDuration = BrokerDuration::from_millis(5_000);
/// How long a shutdown waits for all killed processes together.
const SHUTDOWN: Duration = Duration::from_secs(10);

/// A worker without a connection.
#[derive(Debug)]
pub(crate) struct Ending {
    pub(crate) child: Child,
    /// The task that it ran, in its own words.
    pub(crate) running: Option<(ChunkId, u32)>,
    /// What the command that it ran wrote.
    pub(crate) written: Option<((JobId, u64), Written)>,
    /// Why it was killed, for people.
    pub(crate) killed: Option<String>,
    /// The text of its failure to start.
    pub(crate) last_words: Option<String>,
    /// It could not start for want of something that may come.
    pub(crate) wanting: bool,
    /// What it ran, for the audit.
    pub(crate) suspect: Option<Suspect>,
}

/// The end of a worker, for the broker.
#[derive(Debug)]
pub(crate) struct Gone {
    pub(crate) pid: u32,
    /// "(process 12) was killed ...", for people.
    pub(crate) death: String,
    pub(crate) running: Option<(ChunkId, u32)>,
    pub(crate) written: Option<((JobId, u64), Written)>,
    pub(crate) wanting: bool,
    /// How the process ended, if that is known.
    pub(crate) termination: Option<Termination>,
    /// Whether the supervisor killed it; `went_on`: since it went on without its socket.
    pub(crate) was_killed: bool,
    pub(crate) went_on: bool,
    /// Whether it said why it could not start.
    pub(crate) gave_up: bool,
    /// What it ran, for the audit.
    pub(crate) suspect: Option<Suspect>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// It ends by itself, or is killed then.
    Ending { until: Now },
    /// It was sent SIGKILL.
    Killed { until: Now },
    /// The broker was informed of its end.
    GivenUp,
}

#[derive(Debug)]
struct Entry {
    phase: Phase,
    went_on: bool,
    ending: Ending,
}

/// Whatever is to be done about a worker.
#[derive(Debug)]
pub(crate) enum Reaped {
    /// It has not ended, or its end was reported before.
    Nothing,
    /// It is gone, for the broker.
    Gone(Box<Gone>),
}

/// All workers without a connection.
#[derive(Debug, Default)]
pub(crate) struct Reaper {
    entries: BTreeMap<WorkerId, Entry>,
}

impl Reaper {
    /// Takes a worker whose socket is closed, and registers its pidfd. One that was killed is only waited for.
    pub(crate) fn insert(&mut self, epoll: &OwnedFd, now: Now, id: WorkerId, ending: Ending) {
        // This fails for want of kernel memory only; the process is then reaped at its deadline.
        let _ = epoll::add(epoll, ending.child.pidfd(), EventData::new_u64(id.0), EventFlags::IN);
        let phase = if ending.killed.is_some() {
            Phase::Killed { until: now.plus(UNREAPED) }
        } else {
            Phase::Ending { until: now.plus(ENDING) }
        };
        self.entries.insert(id, Entry { phase, went_on: false, ending });
    }

    pub(crate) fn contains(&self, id: WorkerId) -> bool {
        self.entries.contains_key(&id)
    }

    /// When [`due`](Self::due) has something to give.
    pub(crate) fn next_due(&self) -> Option<Now> {
        self.entries.values().filter_map(|entry| entry.phase.until()).min()
    }

    /// Workers whose deadline has passed.
    pub(crate) fn due(&self, now: Now) -> Vec<WorkerId> {
        let is_due = |entry: &Entry| entry.phase.until().is_some_and(|until| until <= now);
        self.entries.iter().filter(|(_, entry)| is_due(entry)).map(|(id, _)| *id).collect()
    }

    /// Kills a worker now, if it is here.
    pub(crate) fn kill(&mut self, now: Now, id: WorkerId, why: impl FnOnce() -> String) {
        if let Some(entry) = self.entries.get_mut(&id)
            && let Phase::Ending { .. } = entry.phase
        {
            entry.kill(now, why());
        }
    }

    /// Reaps a worker if its process has ended, and does what its deadline demands if that has passed.
    pub(crate) fn reap(&mut self, epoll: &OwnedFd, now: Now, id: WorkerId) -> Reaped {
        let Some(entry) = self.entries.get_mut(&id) else { return Reaped::Nothing };
        let ended = match entry.ending.child.try_wait() {
            Ok(Some(termination)) => Some(Ok(termination)),
            Ok(None) => None,
            Err(error) => Some(Err(error)),
        };
        match (ended, entry.phase) {
            (Some(ended), phase) => {
                let Some(Entry { ending, went_on, .. }) = self.entries.remove(&id) else { return Reaped::Nothing };
                let _ = epoll::delete(epoll, ending.child.pidfd());
                match phase {
                    Phase::GivenUp => Reaped::Nothing,
                    Phase::Ending { .. } | Phase::Killed { .. } => Reaped::Gone(Box::new(Gone { went_on, ..ending.gone(ended) })),
                }
            }
            (None, Phase::Ending { until }) if until <= now => {
                entry.kill(now, "because it closed its socket and went on".into());
                entry.went_on = true;
                Reaped::Nothing
            }
            (None, Phase::Killed { until }) if until <= now => {
                entry.phase = Phase::GivenUp;
                Reaped::Gone(Box::new(Gone { went_on: entry.went_on, ..entry.ending.given_up() }))
            }
            (None, Phase::Ending { .. } | Phase::Killed { .. } | Phase::GivenUp) => Reaped::Nothing,
        }
    }

    /// Kills all that are left, and `others` with them, and reaps them. Blocks until all have ended, at most
    /// [`SHUTDOWN`]; what then is left is waited for by a thread of its own.
    pub(crate) fn shut_down(&mut self, others: impl Iterator<Item = Child>) {
        let here = std::mem::take(&mut self.entries).into_values().map(|entry| entry.ending.child);
        let mut children: Vec<Child> = here.chain(others).collect();
        for child in &children {
            // Only a process that is gone already can't be killed.
            let _ = child.kill();
        }
        let until = Instant::now() + SHUTDOWN;
        children.retain_mut(|child| {
            await_end(child.pidfd(), until);
            matches!(child.try_wait(), Ok(None))
        });
        if !children.is_empty() {
            // Without a thread, dropping them waits here.
            let _ = std::thread::Builder::new().name("taskcell-reaper".into()).spawn(move || drop(children));
        }
    }
}

impl Phase {
    fn until(self) -> Option<Now> {
        match self {
            Self::Ending { until } | Self::Killed { until } => Some(until),
            Self::GivenUp => None,
        }
    }
}

impl Entry {
    fn kill(&mut self, now: Now, why: String) {
        let _ = self.ending.child.kill();
        self.ending.killed.get_or_insert(why);
        self.phase = Phase::Killed { until: now.plus(UNREAPED) };
    }
}

impl Ending {
    fn gone(self, ended: Result<Termination, ProcessError>) -> Gone {
        let pid = self.child.pid();
        let (termination, was_killed) = (ended.as_ref().ok().copied(), self.killed.is_some());
        let gave_up = self.last_words.is_some();
        let death = match (self.killed, self.last_words, ended) {
            (_, _, Err(error)) => format!("(process {pid}) was lost: {error}"),
            (Some(why), _, Ok(_)) => format!("(process {pid}) was killed {why}"),
            (None, Some(words), Ok(_)) => format!("(process {pid}) gave up: failed to {words}"),
            (None, None, Ok(ended)) => format!("(process {pid}) {}", manner(ended)),
        };
        let Self { running, written, wanting, suspect, .. } = self;
        Gone { pid, death, running, written, wanting, termination, was_killed, went_on: false, gave_up, suspect }
    }

    /// The same of one that can't be reaped; only its process stays here.
    fn given_up(&mut self) -> Gone {
        let pid = self.child.pid();
        let why = self.killed.take().unwrap_or_default();
        let death = format!("(process {pid}) was killed {why}, and its process has not ended within 5 s");
        let (running, written) = (self.running.take(), self.written.take());
        let (wanting, suspect) = (self.wanting, self.suspect.take());
        let (termination, gave_up) = (None, self.last_words.is_some());
        Gone { pid, death, running, written, wanting, termination, was_killed: true, went_on: false, gave_up, suspect }
    }
}

impl Gone {
    /// The end of a worker that never had a process.
    pub(crate) fn without_process(
        death: String,
        running: Option<(ChunkId, u32)>,
        written: Option<((JobId, u64), Written)>,
        wanting: bool,
        suspect: Option<Suspect>,
    ) -> Self {
        let (termination, was_killed, went_on, gave_up) = (None, false, false, true);
        Self { pid: 0, death, running, written, wanting, termination, was_killed, went_on, gave_up, suspect }
    }
}

/// Waits for the end of a process, until a moment at most.
fn await_end(pidfd: BorrowedFd<'_>, until: Instant) {
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let wait = Timespec { tv_sec: left.as_secs().try_into().unwrap_or(0), tv_nsec: left.subsec_nanos().into() };
        match poll(&mut [PollFd::new(&pidfd.as_fd(), PollFlags::IN)], Some(&wait)) {
            Err(rustix::io::Errno::INTR) => {}
            Ok(_) | Err(_) => return,
        }
    }
}

/// How a process ended that was not killed by the supervisor, for people.
fn manner(termination: Termination) -> String {
    match termination {
        Termination::Exited(code) => format!("exited with code {code}"),
        end if end.is_sandbox_violation() => "was killed for a system call that its sandbox forbids (sandbox-violation)".into(),
        end if end.is_kill() => "was killed by signal 9; by somebody, or by the kernel for want of memory".into(),
        Termination::Signalled { signal, .. } => format!("was ended by signal {signal}{}", signal_name(signal)),
    }
}

fn signal_name(signal: i32) -> &'static str {
    match signal {
        4 => " (illegal instruction)",
        6 => " (abort)",
        7 => " (bus error)",
        8 => " (arithmetic)",
        11 => " (segmentation fault)",
        15 => " (terminate)",
        _ => "",
    }
}

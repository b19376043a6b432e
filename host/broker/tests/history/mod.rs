//! What the random histories of the primitives have in common.
//!
//! `BROKER_SEED=n` plays one seed and tells it step by step; `BROKER_SCHEDULES=n` plays so many seeds, for long runs.
#![expect(clippy::disallowed_methods, reason = "what to play is read from the environment; the primitives read nothing")]
#![allow(dead_code, reason = "each test that includes this uses a part of it")]

use std::collections::BTreeSet;

use taskcell_broker::Completions;
use taskcell_wire::call::{CallError, CallId};

#[path = "../play/random.rs"]
mod random;

pub(crate) use random::Random;

/// One millisecond in nanoseconds: the step of these histories' clocks, and the shortest lease.
pub(crate) const MS: u64 = 1_000_000;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

/// Tells how to see it again, if the seed's history fails.
struct Replay(&'static str, u64);

impl Drop for Replay {
    #[expect(clippy::print_stderr, reason = "this is what a person needs to go on")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            let Self(test, seed) = self;
            eprintln!("\nseed {seed} failed; to see it step by step:");
            eprintln!("    BROKER_SEED={seed} cargo test --release -p taskcell-broker --test {test} -- --nocapture\n");
        }
    }
}

/// Plays the history of each seed, or of the one that was asked for.
pub(crate) fn play_all(test: &'static str, seeds: u64, play: impl Fn(u64, Trace)) {
    if let Some(seed) = number("BROKER_SEED") {
        let _replay = Replay(test, seed);
        play(seed, Trace(true));
        return;
    }
    for seed in 0..number("BROKER_SCHEDULES").unwrap_or(seeds) {
        let _replay = Replay(test, seed);
        play(seed, Trace(false));
    }
}

/// Whether to tell what happens.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Trace(bool);

impl Trace {
    #[expect(clippy::print_stdout, reason = "asked for")]
    pub(crate) fn tell(self, what: impl FnOnce() -> String) {
        if self.0 {
            println!("{}", what());
        }
    }
}

/// Answers by call, with the words of errors left out: they are for people.
pub(crate) type Answers<R> = Vec<(CallId, Result<R, CallError>)>;

/// Calls that were made and not answered.
#[derive(Debug, Default)]
pub(crate) struct Open {
    next: u64,
    open: BTreeSet<CallId>,
}

impl Open {
    pub(crate) fn call(&mut self) -> CallId {
        let id = CallId(self.next);
        self.next += 1;
        self.open.insert(id);
        id
    }

    /// A call that waits, if any does.
    pub(crate) fn pick(&self, random: &mut Random) -> Option<CallId> {
        random.pick(&self.open.iter().copied().collect::<Vec<_>>())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Takes the answers that came; no call may be answered that was not open.
    pub(crate) fn take<R>(&mut self, out: &mut Completions<R>) -> Answers<R> {
        let mut answers: Answers<R> = out.drain(..).map(|completion| (completion.call, plain(completion.result))).collect();
        for (call, _) in &answers {
            assert!(self.open.remove(call), "{call} was answered twice, or never made");
        }
        answers.sort_by_key(|(call, _)| *call);
        answers
    }
}

/// The same answer without an error's words.
pub(crate) fn plain<R>(result: Result<R, CallError>) -> Result<R, CallError> {
    result.map_err(|error| match error {
        CallError::Quota(_) => CallError::Quota(String::new()),
        CallError::Invalid(_) => CallError::Invalid(String::new()),
        CallError::Deadlock(_) => CallError::Deadlock(String::new()),
        CallError::NotFound(_) => CallError::NotFound(String::new()),
        CallError::Other(_) => CallError::Other(String::new()),
        same @ (CallError::TimedOut
        | CallError::Closed
        | CallError::Cancelled
        | CallError::Denied
        | CallError::Lapsed
        | CallError::Broken) => same,
    })
}

/// A timeout: often none, sometimes no waiting at all.
pub(crate) fn timeout(random: &mut Random) -> Option<u64> {
    match random.below(4) {
        0 => None,
        1 => Some(0),
        _ => Some(random.below(12) * MS),
    }
}

/// Attempts that run, of which some end and others begin.
#[derive(Debug)]
pub(crate) struct Holders {
    alive: Vec<u64>,
    next: u64,
}

impl Holders {
    pub(crate) fn new(count: u64) -> Self {
        Self { alive: (1..=count).collect(), next: count + 1 }
    }

    pub(crate) fn pick(&self, random: &mut Random) -> u64 {
        random.pick(&self.alive).unwrap_or(0)
    }

    pub(crate) fn all(&self) -> Vec<u64> {
        self.alive.clone()
    }

    /// One ends, and another begins in its place.
    pub(crate) fn replace(&mut self, random: &mut Random) -> (u64, u64) {
        let at = usize::try_from(random.below(self.alive.len() as u64)).unwrap_or(0);
        let new = self.next;
        self.next += 1;
        (std::mem::replace(&mut self.alive[at], new), new)
    }
}

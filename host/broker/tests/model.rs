//! The pool under random histories, against a naive model (`play/naive.rs`).
//!
//! Every event is followed by a check of all that it brought, and every history ends with a stretch in which everybody does his
//! part; by its end every task must have ended, once.
//!
//! `BROKER_SEED=n` plays one seed and tells it event by event; `BROKER_SCHEDULES=n` plays so many seeds, for long runs.
#![expect(clippy::disallowed_methods, reason = "what to play is read from the environment; the pool reads nothing")]

mod play;

use play::{Counts, play};

const SCHEDULES: u64 = 100_000;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

/// Tells how to see it again, if the seed's history fails.
struct Replay(u64);

impl Drop for Replay {
    #[expect(clippy::print_stderr, reason = "this is what a person needs to go on")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("\nseed {0} failed; to see it event by event:", self.0);
            eprintln!("    BROKER_SEED={} cargo test --release -p taskcell-broker --test model every_task\n", self.0);
        }
    }
}

#[test]
fn every_task_ends_exactly_once_whatever_happens() {
    let mut counts = Counts::default();
    if let Some(seed) = number("BROKER_SEED") {
        let _replay = Replay(seed);
        play(seed, true, &mut counts);
        return;
    }
    let schedules = number("BROKER_SCHEDULES").unwrap_or(SCHEDULES);
    for seed in 0..schedules {
        let _replay = Replay(seed);
        play(seed, false, &mut counts);
    }
    if schedules >= 1000 {
        assert_covered(&counts);
    }
}

/// What a history never reaches, it does not test.
fn assert_covered(counts: &Counts) {
    let counted = [
        ("results", counts.results),
        ("attempts tried again", counts.again),
        ("last attempts", counts.last),
        ("lost tasks", counts.lost),
        ("cancellations", counts.cancelled),
        ("tasks that waited too long", counts.expired),
        ("tasks with a limit on waiting that began", counts.in_time),
        ("tasks that were lent and taken back", counts.taken_back),
        ("deaths", counts.deaths),
        ("deaths that a task paid for", counts.charged),
        ("deaths that a task behind the front paid for", counts.charged_behind),
        ("workers killed for a timeout", counts.timeouts),
        ("workers killed for a cancellation", counts.cancel_kills),
        ("workers killed because they were not ready", counts.not_ready),
        ("foreign chunks", counts.foreign),
        ("results out of order", counts.out_of_order),
        ("words out of turn", counts.out_of_turn),
        ("late results", counts.late),
        ("failed pools", counts.failures),
        ("workers let go", counts.retired),
    ];
    for (what, count) in counted {
        assert!(count >= 20, "only {count} {what} in {} events: {counts:?}", counts.events);
    }
}

#[test]
fn the_same_history_brings_the_same_effects() {
    for seed in 1_000_000..1_000_200 {
        let _replay = Replay(seed);
        let [first, second] = [0, 1].map(|_| play(seed, false, &mut Counts::default()));
        assert_eq!(first, second);
    }
}

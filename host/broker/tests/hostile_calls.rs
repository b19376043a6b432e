//! Workers that were taken over, played by seed: the stable twin of the fuzz target `calls`, with the same driver (`hostile/`).
//!
//! `BROKER_SEED=n` plays one seed; `BROKER_SCHEDULES=n` plays so many.

#[path = "history/mod.rs"]
mod history;
#[path = "host/mod.rs"]
mod host;
mod hostile;

use std::cell::RefCell;

use history::{Random, play_all};
use hostile::{Counts, Hostile};

const SEEDS: u64 = 4_000;

/// What a history never reaches, it does not test.
const COVERED: [&str; 27] = [
    "attempts",
    "attempts tried again",
    "answers of maps",
    "broken barriers",
    "calls",
    "cancelled",
    "closed",
    "counts of queues",
    "deadlocks",
    "deaths",
    "denied",
    "ends that were told",
    "guesses that told nothing",
    "handles",
    "invalid calls",
    "lapsed leases",
    "messages",
    "names that are none",
    "other answers",
    "outcomes of maps",
    "quotas",
    "results",
    "tasks that were started",
    "tells",
    "timed out",
    "violations",
    "waits for several",
];

#[test]
fn whatever_a_taken_over_worker_says_nothing_is_shared_and_nothing_is_left() {
    let counts = RefCell::new(Counts::default());
    play_all("hostile_calls", SEEDS, |seed, trace| {
        let mut random = Random::new(seed);
        let length = random.between(100, 3000);
        let bytes: Vec<u8> = (0..length).map(|_| random.next().to_le_bytes()[0]).collect();
        let mut hostile = Hostile::new(&bytes);
        trace.tell(|| {
            hostile.aloud = true;
            format!("{length} bytes")
        });
        hostile.play();
        counts.borrow_mut().merge(&hostile.counts);
    });
    let counts = counts.into_inner();
    // One seed alone, or a few, need not reach all.
    if counts.of("attempts") > SEEDS {
        for what in COVERED {
            assert!(counts.of(what) >= 20, "only {} {what}: {counts:?}", counts.of(what));
        }
    }
}

//! Whole hosts at random, deterministically: the broker between simulated callers and simulated workers, which are reached by nothing but bytes.
//!
//! What is new over `model.rs` and `broker_model.rs`, which tell the broker events as they please: here an event is what is left of a frame that
//! was cut anywhere, waited anywhere, and was overtaken by whatever else there is. Workers die with half a frame sent, stand still for seconds, lie,
//! and answer for attempts that are over; they can't be started, sockets are a few bytes long, the clock jumps, readers are slow and callers leave.
//!
//! Checked at each step: a task ends once, and is never begun again or by two workers at the same time; what callers read is in
//! order, and is the one right answer, or an end that its task may have; no attempt beyond its budget, no death that costs two tasks; every answer to a
//! call is what a sequential model of the queue, the map, the lock and the semaphore says, once. Then nothing goes wrong any more,
//! and within bounded time everything ends, every message has been acknowledged or told as given up, and nothing is left of anything.
//!
//! The road not taken is to run the supervisor itself against this: it is tied to processes, and links the engine. What could be shared lives in
//! the broker (`broker/results.rs`); `supervisor.rs` says what is a copy.
//!
//! `SIM_SEED=n` plays one schedule and tells it; `SIM_SCHEDULES=n` plays so many.
#![expect(clippy::disallowed_methods, reason = "what to play is read from the environment; the broker reads nothing")]

mod consumer;
mod counts;
mod guest;
#[path = "../host/mod.rs"]
mod host;
mod jobs;
mod ledger;
#[path = "../play/random.rs"]
mod random;
mod root;
mod sender;
mod stream;
mod supervisor;
mod worker;
mod world;

use counts::Counts;
use world::{Tale, World};

/// The longest frame in either direction, in bytes.
const CAP: u64 = 64 * 1024;
const SCHEDULES: u64 = 100_000;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

/// Tells how to see it again, if the seed's schedule fails.
struct Replay(u64);

impl Drop for Replay {
    #[expect(clippy::print_stderr, reason = "this is what a person needs to go on")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("\nseed {0} failed; to see it step by step:", self.0);
            eprintln!(
                "    SIM_SEED={} cargo test --release -p taskcell-broker --test simulation whatever -- --nocapture\n",
                self.0
            );
        }
    }
}

#[test]
#[expect(clippy::print_stdout, reason = "asked for")]
fn whatever_happens_to_workers_and_bytes_every_promise_is_kept() {
    if let Some(seed) = number("SIM_SEED") {
        let _replay = Replay(seed);
        let mut world = World::new(seed, Tale::Told);
        println!("{:?}", world.play());
        return;
    }
    let schedules = number("SIM_SCHEDULES").unwrap_or(SCHEDULES);
    let mut counts = Counts::default();
    for seed in 0..schedules {
        let _replay = Replay(seed);
        counts.add(&World::new(seed, Tale::Untold).play());
    }
    println!("{schedules} schedules: {counts:?}");
    if schedules >= 20_000 {
        counts.assert_covered();
    }
}

#[test]
fn the_same_seed_plays_the_same_schedule() {
    for seed in 1_000_000..1_000_200 {
        let _replay = Replay(seed);
        let play = || {
            let mut world = World::new(seed, Tale::Kept);
            world.play();
            world.log
        };
        assert_eq!(play(), play(), "seed {seed}");
    }
}

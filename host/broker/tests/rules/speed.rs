//! What the line of a pool costs. As a test it only plays; to measure:
//! `BROKER_SPEED=1 cargo test --release -p taskcell-broker --test rules speed -- --nocapture --test-threads=1`.
//!
//! It counts the time that this thread had a CPU, so that other work on the machine matters little.
#![expect(clippy::disallowed_methods, reason = "a measurement reads a clock; the pool does not")]
#![expect(clippy::print_stdout, reason = "it is what this is for")]

use taskcell_broker::{JobOptions, PoolEffect};
use taskcell_wire::{JobId, TaskIndex};

use super::bench::*;

/// How many tasks wait, and how often each thing is done.
fn much() -> u64 {
    if std::env::var_os("BROKER_SPEED").is_some() { 100_000 } else { 1_000 }
}

/// A moment in the life of this thread on a CPU, in nanoseconds.
fn cpu_time() -> u64 {
    // Not every kernel tells; then nothing is measured.
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split(' ').next().and_then(|time| time.parse().ok()).unwrap_or(0)
}

/// Nanoseconds for each of `count`, told.
fn tell(what: &str, began: u64, count: u64) {
    println!("{what:<48} {:>6} ns", (cpu_time() - began) / count);
}

#[test]
fn a_line_costs_little_however_long() {
    let much = much();
    for workers in [2, 64] {
        let mut bench = Bench::new(workers, budget(0, 0), None);
        let jobs = 10..10 + much;
        let began = cpu_time();
        for job in jobs.clone() {
            bench.pool.open_job(JobId(job), JobOptions::new(TaskIndex(0)));
            bench.submit(JobId(job), 0, 1);
        }
        tell(&format!("{workers} workers: a task that gets in line"), began, much);
        assert_eq!((bench.look().len(), bench.pool.waiting() as u64), (workers as usize, much - u64::from(workers)));

        // From the back, which is the farthest.
        let closed = much / 4;
        let began = cpu_time();
        for job in jobs.clone().rev().take(closed as usize) {
            bench.pool.close_job(bench.now, JobId(job));
        }
        tell(&format!("{workers} workers: one of {much} is closed"), began, closed);
        assert_eq!(cancelled(&bench.look()).len() as u64, closed);

        // Each end lets the next one begin.
        let ends = much / 2;
        let began = cpu_time();
        let mut ended = 0;
        let mut effects: Vec<PoolEffect> = Vec::new();
        let worker = bench.pool.busy().last().unwrap();
        let mut place = bench.pool.running(worker).unwrap();
        while ended < ends {
            bench.pool.finished(bench.now, worker, place.chunk, 0, 1, 3_000_000).unwrap();
            bench.pool.take_effects(&mut effects);
            assert!(matches!(effects[..], [PoolEffect::Send(to, _)] if to == worker), "{effects:?}");
            effects.clear();
            place = bench.pool.running(worker).unwrap();
            ended += 1;
        }
        tell(&format!("{workers} workers: a task ends, the next begins"), began, ends);
    }
}

/// As a map does it: a few chunks wait, and each end is followed by another chunk.
#[test]
fn a_chunk_costs_little() {
    let chunks = 10 * much();
    for workers in [2, 64] {
        let mut bench = Bench::new(workers, budget(0, 0), None);
        let (mut effects, mut submitted, mut ended) = (Vec::new(), 0, 0);
        let began = cpu_time();
        while ended < chunks {
            while submitted < chunks && bench.pool.wants_more() {
                bench.submit(JOB, submitted, 1);
                submitted += 1;
            }
            bench.pool.take_effects(&mut effects);
            for effect in effects.drain(..) {
                let PoolEffect::Send(worker, chunk) = effect else { panic!("expected Send, got {effect:?}") };
                bench.pool.finished(bench.now, worker, chunk, 0, 1, 1000).unwrap();
                ended += 1;
            }
        }
        tell(&format!("{workers} workers: a chunk of a map, there and back"), began, chunks);
    }
}

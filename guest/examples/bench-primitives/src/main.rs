//! What the primitives cost, between processes: `taskcell run bench-primitives.wasm -- WORKLOAD full|quick` does the workloads of one kind
//! once and prints one JSON object a line: `{"name": ..., "value": ..., "unit": ...}`.
//!
//! `tests/bench/run --primitives` runs it beside `tests/bench/peers/primitives.py`, which does the same with Python's; `--scaling` runs the workloads
//! that grow ([`grow`]).

mod grow;
mod lock;
mod map;
mod pipe;
mod pool;
mod process;
mod queue;

use std::time::{Duration, Instant};

use taskcell_guest::{Barrier, Error, Process, Result};

/// Sizes of messages in bytes, and how many are sent to measure a rate.
const SIZES: [(u32, u32); 3] = [(64, 100_000), (4096, 40_000), (1 << 20, 300)];
/// Messages in one call, for those who send many at a time.
const BATCH: u32 = 64;

/// How much is done.
#[derive(Debug, Clone, Copy)]
struct Effort {
    quick: bool,
}

impl Effort {
    /// How often to do what is done `full` times otherwise.
    fn times(self, full: u32) -> u32 {
        if self.quick { (full / 10).max(1) } else { full }
    }
}

fn main() -> Result {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [workload, effort, rest @ ..] = args.as_slice() else {
        return Err(Error::Invalid("expected WORKLOAD full|quick [N]".to_owned()));
    };
    let effort = Effort { quick: effort == "quick" };
    let count = || match rest {
        [count] => count.parse().map_err(|error| Error::Invalid(format!("{count} is no number: {error}"))),
        _ => Err(Error::Invalid("expected a number behind full|quick".to_owned())),
    };
    match workload.as_str() {
        "queue" => queue::run(effort),
        "pipe" => pipe::run(effort),
        "shared-map" => map::run(effort),
        "lock" => lock::run(effort),
        "process" => process::run(effort),
        "pool" => pool::run(effort),
        "queue-grows" => grow::queue(effort, count()?),
        "map-grows" => grow::map(effort, count()?),
        other => Err(Error::Invalid(format!("there is no workload {other}"))),
    }
}

/// Prints one figure.
fn tell(name: &str, unit: &str, value: f64) {
    println!(r#"{{"name": "{name}", "value": {value}, "unit": "{unit}"}}"#);
}

/// Prints how many a second.
fn tell_rate(name: &str, unit: &str, count: u32, took: Duration) {
    tell(name, unit, f64::from(count) / took.as_secs_f64());
}

/// Lets processes that wait at a barrier begin, and gives the time until all have ended.
fn together(start: &Barrier, processes: &[Process]) -> Result<Duration> {
    start.wait()?;
    let began = Instant::now();
    for process in processes {
        process.join::<()>()?;
    }
    Ok(began.elapsed())
}

/// Does something often, after a tenth of that to get warm, and prints the middle and the slow end of the times.
fn tell_times(name: &str, times: u32, mut work: impl FnMut() -> Result) -> Result {
    for _ in 0..times / 10 {
        work()?;
    }
    let mut found = Vec::new();
    for _ in 0..times {
        let began = Instant::now();
        work()?;
        found.push(began.elapsed());
    }
    found.sort();
    for (share, suffix) in [(50, "p50"), (99, "p99")] {
        if let Some(time) = found.get(found.len() * share / 100) {
            tell(&format!("{name}/{suffix}"), "us", time.as_secs_f64() * 1e6);
        }
    }
    Ok(())
}

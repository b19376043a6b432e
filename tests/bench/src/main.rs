//! Taskcell's part in `tests/bench/run`, through the public library, with all that a user gets: both walls of the sandbox, typed
//! values in and out, errors, limits.

mod map;
mod memory;
mod scale;
mod single;
mod startup;
mod sweep;
mod work;

use std::num::NonZeroU32;
use std::time::Duration;

use taskcell::{Component, Encoding, Isolation, Pool, RunOptions};
use taskcell_bench::{Fallible, Setup};

/// JSON in, JSON out, as the command line does it.
const JSON: RunOptions = RunOptions { input: Encoding::Json, output: Encoding::Json, timed: false };
/// Bytes in, bytes out.
const BYTES: RunOptions = RunOptions { input: Encoding::Bytes, output: Encoding::Bytes, timed: false };
/// Both kinds of instances, with their names in a workload's name.
const ISOLATIONS: [(Isolation, &str); 2] = [(Isolation::Reuse, "reuse"), (Isolation::Fresh, "fresh")];

fn main() -> Fallible<()> {
    taskcell::init();
    let setup = Setup::from_args()?;
    match setup.group.as_str() {
        "startup" => startup::run(&setup),
        "spawn" => startup::spawn_rate(&setup),
        "task" => single::trivial(&setup),
        "bytes" => single::bytes(&setup),
        "map" => map::run(&setup),
        "fib" => work::fib(&setup),
        "words" => work::words(&setup),
        "memory" => memory::run(&setup),
        "payload" => sweep::payload(&setup),
        "workers" => sweep::workers(&setup),
        "scale-tasks" => scale::tasks(&setup),
        "scale-waiting" => scale::waiting(&setup),
        other => Err(format!("there is no group {other}").into()),
    }
}

/// A component of the folder.
fn component(setup: &Setup, name: &str) -> Fallible<Component> {
    Ok(Component::open(setup.file(name))?)
}

/// A pool whose workers are all ready.
fn pool(component: &Component, isolation: Isolation, workers: usize) -> Fallible<Pool> {
    let count = NonZeroU32::new(u32::try_from(workers)?).ok_or("a pool of no workers")?;
    let pool = Pool::builder(component).workers(count).isolation(isolation).build()?;
    pool.wait_ready(workers, Duration::from_secs(60))?;
    Ok(pool)
}

//! Throughput against one quantity: the points of the plots.

use std::time::Instant;

use taskcell_bench::{Fallible, Setup, WORKERS, per_second, tell};

use crate::map::{Again, drain};
use crate::{BYTES, ISOLATIONS, JSON};

/// Tasks a second by the size of what goes in and comes back.
pub(crate) fn payload(setup: &Setup) -> Fallible<()> {
    let component = crate::component(setup, "bytes.wat")?;
    for (isolation, name) in ISOLATIONS {
        let pool = crate::pool(&component, isolation, WORKERS)?;
        for size in setup.rest.iter().map(|size| size.parse::<usize>()) {
            let size = size?;
            let payload = vec![7; size];
            // As many as take a good part of a second, by a guess at what a task and a byte cost.
            let times = setup.times(1_000_000_000 / (2000 + 4 * size as u64)).max(20);
            let began = Instant::now();
            drain(&pool, "same", Again::new(&payload, times), BYTES, None, times)?;
            tell(&format!("payload/{size}/{name}"), "tasks/s", per_second(times, began));
        }
    }
    Ok(())
}

/// Tasks a second by the number of workers.
pub(crate) fn workers(setup: &Setup) -> Fallible<()> {
    let component = crate::component(setup, "numbers.wat")?;
    for workers in setup.rest.iter().map(|workers| workers.parse::<usize>()) {
        let workers = workers?;
        for (isolation, name) in ISOLATIONS {
            let pool = crate::pool(&component, isolation, workers)?;
            for (n, times, work) in [("1", 500_000, "trivial"), ("20", 10_000, "fib-20")] {
                let times = setup.times(times);
                let began = Instant::now();
                drain(&pool, "fib", Again::new(n.as_bytes(), times), JSON, None, times)?;
                tell(&format!("workers/{workers}/{work}/{name}"), "tasks/s", per_second(times, began));
            }
        }
    }
    Ok(())
}

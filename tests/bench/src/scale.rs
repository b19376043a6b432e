//! Time and memory of one size of a job; each size in a process of its own, so that its peak is its own.

use std::time::Instant;

use taskcell::{Future, Isolation};
use taskcell_bench::{Fallible, Setup, number, tell};

use crate::JSON;
use crate::map::{Again, drain};
use crate::memory::all;

/// `TASKS WORKERS fresh|reuse`: a map of trivial tasks.
pub(crate) fn tasks(setup: &Setup) -> Fallible<()> {
    let [tasks, workers, isolation] = setup.rest.as_slice() else { return Err("expected TASKS WORKERS fresh|reuse".into()) };
    let (tasks, workers) = (tasks.parse()?, workers.parse()?);
    let isolation = if isolation == "fresh" { Isolation::Fresh } else { Isolation::Reuse };
    let component = crate::component(setup, "numbers.wat")?;
    let began = Instant::now();
    let pool = crate::pool(&component, isolation, workers)?;
    tell("ready", "s", began.elapsed().as_secs_f64());
    let began = Instant::now();
    drain(&pool, "fib", Again::new(b"1", tasks), JSON, None, tasks)?;
    tell("time", "s", began.elapsed().as_secs_f64());
    tell("workers", "MiB", all("Pss:")?);
    tell("supervisor", "MiB", peak()?);
    Ok(())
}

/// `TASKS`: so many futures that nobody has waited for yet, then all of them.
pub(crate) fn waiting(setup: &Setup) -> Fallible<()> {
    let [tasks] = setup.rest.as_slice() else { return Err("expected TASKS".into()) };
    let tasks: u64 = tasks.parse()?;
    let component = crate::component(setup, "numbers.wat")?;
    let pool = crate::pool(&component, Isolation::Reuse, taskcell_bench::WORKERS)?;
    let began = Instant::now();
    let futures = (0..tasks).map(|_| pool.submit::<u64>("fib", &1)).collect::<Result<Vec<Future<u64>>, _>>()?;
    tell("submit", "s", began.elapsed().as_secs_f64());
    let mut sum = 0;
    for future in futures {
        sum += future.result()?;
    }
    tell("time", "s", began.elapsed().as_secs_f64());
    tell("supervisor", "MiB", peak()?);
    if sum == tasks { Ok(()) } else { Err(format!("{} of {tasks} tasks gave 1", number(sum)).into()) }
}

/// The most memory that this process ever had, in MiB.
fn peak() -> Fallible<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
    let kib: f64 = line.split_whitespace().next().ok_or("no number")?.parse()?;
    Ok(kib / 1024.0)
}

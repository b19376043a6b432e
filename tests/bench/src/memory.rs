//! What an idle worker takes.

use taskcell::Isolation;
use taskcell_bench::{Fallible, Setup, number, tell};

use crate::JSON;
use crate::map::{Again, drain};

/// Proportional and private memory of each worker, after each ran something, in pools of some sizes.
pub(crate) fn run(setup: &Setup) -> Fallible<()> {
    let component = crate::component(setup, "numbers.wat")?;
    for workers in [1, 8, 64] {
        let pool = crate::pool(&component, Isolation::Fresh, workers)?;
        let tasks = 16 * workers as u64;
        drain(&pool, "fib", Again::new(b"1", tasks), JSON, Some(1), tasks)?;
        let pids = pool.worker_pids();
        for (field, name) in [("Pss:", "pss"), ("Private_Dirty:", "dirty")] {
            let kib: f64 = pids.iter().map(|pid| kib(*pid, field)).sum::<Option<f64>>().unwrap_or(f64::NAN);
            tell(&format!("memory/{workers}/{name}"), "MiB", kib / 1024.0 / number(pids.len() as u64));
        }
    }
    Ok(())
}

/// A field of what the kernel tells of a process's memory; `None` if it tells us nothing (a worker with a user id of its own, and
/// we are not root).
pub(crate) fn kib(pid: u32, field: &str) -> Option<f64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let line = text.lines().find(|line| line.starts_with(field))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

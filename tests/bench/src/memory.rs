//! What an idle worker takes, with its share of the process that forks them.

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
        let ready = number(pool.worker_pids().len() as u64);
        for (field, name) in [("Pss:", "pss"), ("Private_Dirty:", "dirty")] {
            tell(&format!("memory/{workers}/{name}"), "MiB", all(field)? / ready);
        }
    }
    Ok(())
}

/// What all child processes have in a field of what the kernel tells of memory, in MiB; `NaN` if it tells us nothing (workers with a user id of
/// their own, and we are not root).
pub(crate) fn all(field: &str) -> Fallible<f64> {
    let own = std::process::id();
    let mut sum = Some(0.0);
    for entry in std::fs::read_dir("/proc")? {
        let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        if parent(pid) == Some(own) {
            sum = sum.zip(kib(pid, field)).map(|(sum, kib)| sum + kib);
        }
    }
    Ok(sum.unwrap_or(f64::NAN) / 1024.0)
}

/// The parent of a process that is there.
fn parent(pid: u32) -> Option<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_whitespace().nth(1)?.parse().ok()
}

fn kib(pid: u32, field: &str) -> Option<f64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let line = text.lines().find(|line| line.starts_with(field))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

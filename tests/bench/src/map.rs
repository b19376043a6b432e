//! Maps of tasks that do next to nothing, and what they cost each side in CPU time.

use std::time::Instant;

use rustix::time::{ClockId, clock_gettime};
use taskcell::{ItemWriter, MappingOptions, Next, Pool, RunOptions, Source, Supply};
use taskcell_bench::{Fallible, Setup, WORKERS, number, per_second, tell};

use crate::{ISOLATIONS, JSON};

pub(crate) fn run(setup: &Setup) -> Fallible<()> {
    let component = crate::component(setup, "numbers.wat")?;
    let many = setup.times(1_000_000);
    for (isolation, name) in ISOLATIONS {
        let pool = crate::pool(&component, isolation, WORKERS)?;
        for (chunk, how) in [(None, "auto"), (Some(1), "chunk-1")] {
            let (began, cpu) = (Instant::now(), Cpu::now(&pool));
            drain(&pool, "fib", Again::new(b"1", many), JSON, chunk, many)?;
            tell(&format!("map/{name}/{how}"), "tasks/s", per_second(many, began));
            cpu.tell(&pool, many, &format!("{name}/{how}"));
        }
        let began = Instant::now();
        let mut sum = 0;
        for result in pool.map::<_, u64>("fib", (0..many).map(|_| 1u32))? {
            sum += result?;
        }
        if sum != many {
            return Err(format!("the results sum up to {sum}").into());
        }
        tell(&format!("map/{name}/typed"), "tasks/s", per_second(many, began));
    }
    Ok(())
}

/// The same input again and again.
pub(crate) struct Again<'a> {
    item: &'a [u8],
    left: u64,
}

impl<'a> Again<'a> {
    pub(crate) fn new(item: &'a [u8], times: u64) -> Self {
        Self { item, left: times }
    }
}

impl Source for Again<'_> {
    fn supply(&mut self, items: &mut ItemWriter, tasks: u32, bytes: usize) -> Supply {
        while self.left > 0 && items.count() < tasks && items.bytes().len() < bytes {
            items.push(self.item);
            self.left -= 1;
        }
        if self.left == 0 { Supply::End } else { Supply::More }
    }
}

/// Runs a mapping to its end; every task has to end well.
pub(crate) fn drain(
    pool: &Pool,
    task: &str,
    source: impl Source,
    run: RunOptions,
    chunk: Option<u32>,
    tasks: u64,
) -> Fallible<()> {
    let index = pool.component().task(task)?;
    let mut mapping = pool.mapping(index, source, run, MappingOptions { ordered: true, chunk });
    let (mut ended, mut failed) = (0u64, 0u64);
    loop {
        match mapping.next(None) {
            Next::Block(block) => block.each(|end| {
                ended += 1;
                failed += u64::from(end.result.is_err());
            }),
            Next::End if (ended, failed) == (tasks, 0) => return Ok(()),
            Next::End => return Err(format!("{ended} of {tasks} tasks ended, {failed} of them badly").into()),
            Next::Timeout => {}
            Next::Stopped(text) => return Err(text.into()),
        }
    }
}

/// CPU time of both sides.
struct Cpu {
    supervisor: f64,
    workers: f64,
}

impl Cpu {
    fn now(pool: &Pool) -> Self {
        let own = clock_gettime(ClockId::ProcessCPUTime);
        #[expect(clippy::cast_precision_loss, reason = "figures for people")]
        let supervisor = own.tv_sec as f64 * 1e9 + own.tv_nsec as f64;
        Self { supervisor, workers: pool.worker_pids().into_iter().map(on_cpu).sum() }
    }

    /// What came on top, for each task.
    fn tell(&self, pool: &Pool, tasks: u64, name: &str) {
        let after = Self::now(pool);
        tell(&format!("cpu/supervisor/{name}"), "ns/task", (after.supervisor - self.supervisor) / number(tasks));
        tell(&format!("cpu/workers/{name}"), "ns/task", (after.workers - self.workers) / number(tasks));
    }
}

/// Nanoseconds that the threads of a process were on a CPU.
fn on_cpu(pid: u32) -> f64 {
    let Ok(threads) = std::fs::read_dir(format!("/proc/{pid}/task")) else { return f64::NAN };
    let of_thread = |entry: std::fs::DirEntry| {
        let text = std::fs::read_to_string(entry.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<f64>().ok()
    };
    threads.flatten().filter_map(of_thread).sum()
}

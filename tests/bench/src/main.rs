//! Taskcell's half of `tests/bench/run`: each workload, as often as asked, one JSON line each on stdout.
//!
//! `taskcell-bench COMPONENT TASK ROUNDS`, where TASK takes a small integer and gives one. Measured through the public library, with all
//! that a user gets: both sandbox walls, JSON in and out, errors, limits.
#![expect(clippy::print_stdout, reason = "its output is its purpose")]

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use taskcell::{Component, Encoding, Isolation, ItemWriter, MappingOptions, Next, Pool, RunOptions, Source, Supply};

type Fallible<T> = Result<T, Box<dyn std::error::Error>>;

const MAP_TASKS: u64 = 1_000_000;
const SINGLE_TASKS: usize = 5_000;

fn main() -> Fallible<()> {
    taskcell::init();
    let mut args = std::env::args().skip(1);
    let (Some(component), Some(task), Some(rounds)) = (args.next(), args.next(), args.next()) else {
        return Err("usage: taskcell-bench COMPONENT TASK ROUNDS".into());
    };
    let component = Component::open(component)?;
    for _ in 0..rounds.parse::<u32>()? {
        startup(&component, &task)?;
        for isolation in [Isolation::Reuse, Isolation::Fresh] {
            let pool = pool(&component, isolation)?;
            single(&pool, &task, isolation)?;
            map(&pool, &task, isolation, None, MAP_TASKS)?;
            map(&pool, &task, isolation, Some(1), MAP_TASKS / 4)?;
            typed_map(&pool, &task, isolation)?;
        }
    }
    Ok(())
}

fn pool(component: &Component, isolation: Isolation) -> Fallible<Pool> {
    let workers = NonZeroU32::MIN.saturating_add(1);
    let pool = Pool::builder(component).workers(workers).isolation(isolation).build()?;
    pool.wait_ready(2, Duration::from_secs(30))?;
    Ok(pool)
}

fn name(isolation: Isolation) -> &'static str {
    match isolation {
        Isolation::Fresh => "fresh",
        Isolation::Reuse => "reuse",
    }
}

fn tell(workload: &str, unit: &str, value: f64) {
    println!("{}", serde_json::json!({"who": "taskcell", "workload": workload, "unit": unit, "value": value}));
}

fn per_second(count: u64, since: Instant) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    let count = count as f64;
    count / since.elapsed().as_secs_f64()
}

/// A pool of two workers with compiled code at hand: until the first result.
fn startup(component: &Component, task: &str) -> Fallible<()> {
    let began = Instant::now();
    let pool = Pool::builder(component).workers(NonZeroU32::MIN.saturating_add(1)).build()?;
    pool.submit::<u64>(task, &1)?.result()?;
    tell("startup of a pool of 2 to first result", "ms", began.elapsed().as_secs_f64() * 1e3);
    Ok(())
}

/// One task after the other: submit, wait.
fn single(pool: &Pool, task: &str, isolation: Isolation) -> Fallible<()> {
    let mut times = Vec::with_capacity(SINGLE_TASKS);
    for _ in 0..SINGLE_TASKS {
        let began = Instant::now();
        pool.submit::<u64>(task, &1)?.result()?;
        times.push(began.elapsed());
    }
    times.sort();
    for (share, name_of_share) in [(50, "p50"), (99, "p99")] {
        if let Some(time) = times.get(SINGLE_TASKS * share / 100) {
            tell(&format!("single task, {}, {name_of_share}", name(isolation)), "us", time.as_secs_f64() * 1e6);
        }
    }
    Ok(())
}

/// The same small input again and again.
struct Ones {
    left: u64,
}

impl Source for Ones {
    fn supply(&mut self, items: &mut ItemWriter, tasks: u32, _bytes: usize) -> Supply {
        let now = u64::from(tasks).min(self.left);
        for _ in 0..now {
            items.push(b"1");
        }
        self.left -= now;
        if self.left == 0 { Supply::End } else { Supply::More }
    }
}

/// Encoded inputs and results, in order.
fn map(pool: &Pool, task: &str, isolation: Isolation, chunk: Option<u32>, tasks: u64) -> Fallible<()> {
    let index = pool.component().task(task)?;
    let run = RunOptions { input: Encoding::Json, output: Encoding::Json, timed: false };
    let began = Instant::now();
    let mut mapping = pool.mapping(index, Ones { left: tasks }, run, MappingOptions { ordered: true, chunk });
    let (mut ended, mut failed) = (0u64, 0u64);
    loop {
        match mapping.next(None) {
            Next::Block(block) => block.each(|end| {
                ended += 1;
                failed += u64::from(end.result.is_err());
            }),
            Next::End => break,
            Next::Timeout => {}
            Next::Stopped(text) => return Err(text.into()),
        }
    }
    if (ended, failed) != (tasks, 0) {
        return Err(format!("{ended} of {tasks} tasks ended, {failed} of them badly").into());
    }
    let how = if chunk.is_some() { "chunk 1" } else { "automatic chunks" };
    tell(&format!("map of trivial tasks, {}, {how}", name(isolation)), "tasks/s", per_second(tasks, began));
    Ok(())
}

/// Values in, values out, through serde.
fn typed_map(pool: &Pool, task: &str, isolation: Isolation) -> Fallible<()> {
    let began = Instant::now();
    let mut sum = 0u64;
    for result in pool.map::<_, u64>(task, (0..MAP_TASKS).map(|_| 1u32))? {
        sum += result?;
    }
    if sum != MAP_TASKS {
        return Err(format!("the results sum up to {sum}").into());
    }
    tell(&format!("Pool::map of trivial tasks, {}, typed values", name(isolation)), "tasks/s", per_second(MAP_TASKS, began));
    Ok(())
}

//! A storm of deaths over a long map: every answer is right, there is one for each input, in order, whatever dies when.
//!
//! The victims are drawn by a seed (`CHAOS_SEED`), which each storm prints; how long a storm lasts is set by `CHAOS_TASKS`. What the
//! seed can't repeat is the moment at which the operating system lets a victim die.
#![expect(clippy::print_stdout, reason = "tells the seed by which a storm is repeated")]

mod storm;

use std::io::BufRead;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use taskcell_tests::guest::repository;
use taskcell_tests::{Running, taskcell};

use storm::{Dice, Health, number, send};

/// Tasks of a storm's map, unless `CHAOS_TASKS` says otherwise.
const TASKS: u64 = 100_000;
fn fibonacci(n: usize) -> u64 {
    (0..n).fold((0u64, 1u64), |(a, b), _| (b, a + b)).0
}

/// What a storm does to a map.
struct Storm<'a> {
    name: &'a str,
    /// Strikes in a second; none if 0.
    rate: u64,
    options: &'a [&'a str],
    /// Whether results are read slowly.
    slow: bool,
    /// Whether those that fork workers are killed too.
    zygotes: bool,
}

/// Reads all lines. A slow reader leaves the pipe full most of the time, and still takes a few hundred thousand lines a minute.
fn read(output: impl BufRead, slow: bool) -> Vec<String> {
    let mut lines = Vec::new();
    for line in output.lines().map_while(Result::ok) {
        lines.push(line);
        if slow && lines.len() % 500 == 0 {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    lines
}

impl Storm<'_> {
    /// Maps over many inputs while `strike` does something to a worker. Gives how often it struck, and how long it took.
    fn rage(&self, mut strike: impl FnMut(i32, &mut Dice)) -> (u64, Duration) {
        let Self { name, rate, options, slow, zygotes: _ } = *self;
        let seed = number("CHAOS_SEED", 7);
        let tasks = number("CHAOS_TASKS", TASKS);
        println!("{name}: CHAOS_SEED={seed} CHAOS_TASKS={tasks}, {rate} a second");
        let mut dice = Dice(seed);
        // Up to some 50 us of work each, so that a storm lasts for seconds.
        let inputs: Vec<usize> = (0..tasks).map(|_| dice.roll(24)).collect();
        let lines: String = inputs.iter().map(|n| format!("{n}\n")).collect();
        let fib = repository().join("guest/examples/fib.wat");
        // Compiled before, so that a storm meets workers only.
        assert_eq!(taskcell!().arg("compile").arg(&fib).run().code, Some(0));
        let began = Instant::now();
        let map = taskcell!().map(fib, "fib").args(["-j", "2", "--retries", "1000"]).args(options);
        let mut running = map.stdin(lines).start();
        let output = running.take_stdout();
        let reader = std::thread::spawn(move || read(output, slow));
        let mut health = Health::default();
        let strikes = self.strike_until_end(&mut running, &mut health, &mut dice, &mut strike);
        let took = began.elapsed();
        let ended = running.end().well();
        assert_eq!(ended.stderr, "", "{name}");
        let results = reader.join().expect("the reader ends with the output");
        assert_eq!(results.len(), inputs.len(), "{name}: one result for each input");
        for (index, (result, input)) in results.iter().zip(&inputs).enumerate() {
            assert_eq!(result.parse().ok(), Some(fibonacci(*input)), "{name}: result {index}, of fib({input})");
        }
        println!("{name}: {strikes} strikes in {took:?}");
        health.assert_flat(name);
        (strikes, took)
    }

    /// A storm passes after a number of strikes and a time: on a busy machine no worker gets ready between two deaths, and it would last for ever.
    fn strike_until_end(
        &self,
        running: &mut Running,
        health: &mut Health,
        dice: &mut Dice,
        strike: &mut impl FnMut(i32, &mut Dice),
    ) -> u64 {
        let tasks = number("CHAOS_TASKS", TASKS);
        let (most, until) = (tasks / 100, Instant::now() + Duration::from_secs(tasks / 5000));
        let mut strikes = 0;
        let mut looked = Instant::now();
        while !running.has_ended() {
            std::thread::sleep(Duration::from_micros(1_000_000 / self.rate.max(10)));
            // It has what it needs once it has workers; before that it only grows.
            if looked.elapsed() > Duration::from_millis(100) && running.workers().len() == 2 {
                health.look(running.pid());
                looked = Instant::now();
            }
            if self.rate == 0 || strikes >= most || Instant::now() >= until {
                continue;
            }
            let workers = running.workers();
            if let Some(worker) = workers.get(dice.roll(workers.len())) {
                strike(worker.pid, dice);
                strikes += 1;
            }
            // What makes workers is a process like they are.
            if self.zygotes && dice.roll(4) == 0 {
                running.zygotes().iter().for_each(|zygote| send(zygote.pid, Signal::KILL));
            }
        }
        strikes
    }
}

#[test]
fn killed_workers_cost_no_answer() {
    let (_, quiet) = Storm { name: "calm", rate: 0, options: &[], slow: false, zygotes: false }.rage(|_, _| ());
    for rate in [20, 50, 200] {
        let storm = Storm { name: "kills", rate, options: &[], slow: false, zygotes: rate == 50 };
        let (strikes, took) = storm.rage(|pid, _| send(pid, Signal::KILL));
        assert!(strikes > 0, "the storm at {rate} a second hit nobody; raise CHAOS_TASKS");
        println!("{rate} kills a second take {:.1} times the quiet time", took.as_secs_f64() / quiet.as_secs_f64());
    }
}

#[test]
fn killed_workers_cost_no_answer_to_a_slow_reader() {
    let storm = Storm { name: "kills and a slow reader", rate: 50, options: &[], slow: true, zygotes: false };
    let (strikes, _) = storm.rage(|pid, _| send(pid, Signal::KILL));
    assert!(strikes > 0, "the storm hit nobody; raise CHAOS_TASKS");
}

#[test]
fn stopped_workers_cost_no_answer() {
    let mut stopped = Vec::new();
    let storm =
        Storm { name: "stops", rate: 20, options: &["--timeout", "300ms", "--grace", "100ms"], slow: false, zygotes: false };
    let (strikes, _) = storm.rage(|pid, dice| {
        // Some go on again; those that do not are killed for their time.
        send(pid, Signal::STOP);
        stopped.push(pid);
        if dice.roll(2) == 0 {
            stopped.drain(..).for_each(|pid| send(pid, Signal::CONT));
        }
    });
    assert!(strikes > 0, "the storm hit nobody; raise CHAOS_TASKS");
}

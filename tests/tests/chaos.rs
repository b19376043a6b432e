//! A storm of deaths over a long map: every answer is right, there is one for each input, in order, whatever dies when.
//!
//! The victims are drawn by a seed (`CHAOS_SEED`), which each storm prints; how long a storm lasts is set by `CHAOS_TASKS`. What the
//! seed can't repeat is the moment at which the operating system lets a victim die.
#![expect(clippy::print_stdout, reason = "tells the seed by which a storm is repeated")]

use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use taskcell_tests::guest::repository;
use taskcell_tests::taskcell;

/// A linear congruential generator (Knuth's constants for 64 bits); enough to draw victims and inputs.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or(0) % sides.max(1)
    }
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn fibonacci(n: usize) -> u64 {
    (0..n).fold((0u64, 1u64), |(a, b), _| (b, a + b)).0
}

/// A worker may have met its end since it was seen; then there is nothing to do.
fn send(pid: i32, signal: Signal) {
    if let Some(pid) = Pid::from_raw(pid) {
        let _ = kill_process(pid, signal);
    }
}

/// Maps over many inputs while `strike` does something to a worker, `rate` times a second; gives how often it struck.
fn storm(name: &str, rate: u64, options: &[&str], mut strike: impl FnMut(i32, &mut Dice)) -> u64 {
    let seed = number("CHAOS_SEED", 7);
    let tasks = number("CHAOS_TASKS", 100_000);
    println!("{name}: CHAOS_SEED={seed} CHAOS_TASKS={tasks}, {rate} a second");
    let mut dice = Dice(seed);
    // Up to some 50 us of work each, so that a storm lasts for seconds.
    let inputs: Vec<usize> = (0..tasks).map(|_| dice.roll(24)).collect();
    let lines: String = inputs.iter().map(|n| format!("{n}\n")).collect();
    let fib = repository().join("guest/examples/fib.wat");
    let mut running = taskcell!().map(fib, "fib").args(["-j", "2", "--retries", "1000"]).args(options).stdin(lines).start();
    let output = running.take_stdout();
    let reader = std::thread::spawn(move || std::io::BufRead::lines(output).map_while(Result::ok).collect::<Vec<String>>());
    let mut strikes = 0;
    while !running.has_ended() {
        std::thread::sleep(Duration::from_micros(1_000_000 / rate));
        let workers = running.workers();
        if let Some(worker) = workers.get(dice.roll(workers.len())) {
            strike(worker.pid, &mut dice);
            strikes += 1;
        }
    }
    let ended = running.end().well();
    assert_eq!(ended.stderr, "", "{name}");
    let results = reader.join().expect("the reader ends with the output");
    assert_eq!(results.len(), inputs.len(), "{name}: one result for each input");
    for (index, (result, input)) in results.iter().zip(&inputs).enumerate() {
        assert_eq!(result.parse().ok(), Some(fibonacci(*input)), "{name}: result {index}, of fib({input})");
    }
    println!("{name}: {strikes} strikes");
    strikes
}

#[test]
fn killed_workers_cost_no_answer() {
    for rate in [20, 50, 200] {
        let strikes = storm("kills", rate, &[], |pid, _| send(pid, Signal::KILL));
        assert!(strikes > 0, "the storm at {rate} a second hit nobody; raise CHAOS_TASKS");
    }
}

#[test]
fn stopped_workers_cost_no_answer() {
    let mut stopped = Vec::new();
    let strikes = storm("stops", 20, &["--timeout", "300ms", "--grace", "100ms"], |pid, dice| {
        // Some go on again; those that do not are killed for their time.
        send(pid, Signal::STOP);
        stopped.push(pid);
        if dice.roll(2) == 0 {
            stopped.drain(..).for_each(|pid| send(pid, Signal::CONT));
        }
    });
    assert!(strikes > 0, "the storm hit nobody; raise CHAOS_TASKS");
}

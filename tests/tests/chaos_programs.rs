//! A storm of deaths over programs whose tasks share queues, maps, locks and pipes: nothing is lost, and nothing is counted twice.
//!
//! The program (`guest/examples/programs`, `storm`) counts what is left at the end; only its children are victims. They are drawn by a seed
//! (`CHAOS_SEED`), which each storm prints; `CHAOS_ITEMS` says how much there is to do.
#![expect(clippy::print_stdout, reason = "tells the seed by which a storm is repeated")]

mod storm;

use std::time::{Duration, Instant};

use rustix::process::Signal;
use taskcell_tests::{built, taskcell};

use storm::{Dice, Health, number, send};

/// Items of a storm, unless `CHAOS_ITEMS` says otherwise. Each takes some two milliseconds.
const ITEMS: u64 = 1_000;

/// What a storm does, and how often in a second; nothing if 0.
struct Storm {
    name: &'static str,
    rate: u64,
    strike: fn(i32, &mut Vec<i32>, &mut Dice),
}

const CALM: Storm = Storm { name: "calm", rate: 0, strike: |_, _, _| () };
const KILLS: fn(i32, &mut Vec<i32>, &mut Dice) = |pid, _, _| send(pid, Signal::KILL);
/// Stops a child, and lets those that were stopped before go on at every second strike: none stands still for so long that it is taken for dead.
const STOPS: fn(i32, &mut Vec<i32>, &mut Dice) = |pid, stopped, dice| {
    send(pid, Signal::STOP);
    stopped.push(pid);
    if dice.roll(2) == 0 {
        stopped.drain(..).for_each(|pid| send(pid, Signal::CONT));
    }
};

/// Runs a case of the program under a storm. Gives the lines that it printed at its end, how often it struck, and how long it took.
fn rage(case: &str, storm: &Storm) -> (Vec<String>, u64, Duration) {
    let (seed, items) = (number("CHAOS_SEED", 7), number("CHAOS_ITEMS", ITEMS));
    println!("{case}, {}: CHAOS_SEED={seed} CHAOS_ITEMS={items}, {} a second", storm.name, storm.rate);
    let (go, told) = std::sync::mpsc::channel::<()>();
    let run = taskcell!().arg("run").arg(built("storm")).args(["--", case, &items.to_string()]);
    let mut running = run
        .stdin_from(move |stdin| {
            let _ = told.recv();
            stdin.write_all(b"go\n")
        })
        .start();
    assert_eq!(running.line().as_deref(), Some("ready"));
    let own = running.workers();
    assert_eq!(own.len(), 1, "the program itself, and nothing that it started: {own:?}");
    let own = own[0].pid;
    drop(go);
    let (mut dice, mut health, mut stopped) = (Dice(seed), Health::default(), Vec::new());
    let (most, until) = (items / 5, Instant::now() + Duration::from_secs(items / 50));
    let (began, mut strikes, mut looked) = (Instant::now(), 0, Instant::now());
    while !running.has_ended() {
        std::thread::sleep(Duration::from_micros(1_000_000 / storm.rate.max(10)));
        let victims: Vec<i32> = running.workers().iter().map(|worker| worker.pid).filter(|pid| *pid != own).collect();
        if looked.elapsed() > Duration::from_millis(100) && !victims.is_empty() {
            health.look(running.pid());
            looked = Instant::now();
        }
        if storm.rate == 0 || strikes >= most || Instant::now() >= until {
            stopped.drain(..).for_each(|pid| send(pid, Signal::CONT));
            continue;
        }
        if let Some(pid) = victims.get(dice.roll(victims.len())) {
            (storm.strike)(*pid, &mut stopped, &mut dice);
            strikes += 1;
        }
    }
    let took = began.elapsed();
    let ended = running.end().well();
    println!("{case}, {}: {strikes} strikes in {took:?}: {:?}", storm.name, ended.lines());
    health.assert_flat(&format!("{case}, {}", storm.name));
    assert_eq!(ended.stderr, "", "{case}");
    (ended.lines().iter().skip(1).map(|line| (*line).to_owned()).collect(), strikes, took)
}

/// The number behind a word of a line.
fn after(lines: &[String], word: &str) -> u64 {
    let words: Vec<&str> = lines.iter().flat_map(|line| line.split(' ')).collect();
    let at = words.iter().position(|found| *found == word);
    let number = at.and_then(|at| words.get(at + 1)).and_then(|number| number.parse().ok());
    number.unwrap_or_else(|| panic!("no number behind {word:?} in {lines:?}"))
}

fn weather() -> [Storm; 3] {
    [
        Storm { name: "kills", rate: 20, strike: KILLS },
        Storm { name: "kills", rate: 50, strike: KILLS },
        Storm { name: "stops", rate: 20, strike: STOPS },
    ]
}

/// Has `check` look at what a case printed, the number of strikes, and whether those were kills.
fn under_all_weathers(case: &str, check: impl Fn(&[String], u64, bool)) {
    let items = number("CHAOS_ITEMS", ITEMS);
    let (lines, _, quiet) = rage(case, &CALM);
    check(&lines, 0, false);
    for storm in weather() {
        let (lines, strikes, took) = rage(case, &storm);
        assert!(strikes > 0, "the storm hit nobody; raise CHAOS_ITEMS from {items}");
        check(&lines, strikes, storm.name == "kills");
        println!(
            "{case}: {} {} a second take {:.1} times the quiet time",
            storm.rate,
            storm.name,
            took.as_secs_f64() / quiet.as_secs_f64()
        );
    }
}

#[test]
fn every_item_of_a_queue_is_acknowledged_once_though_its_consumers_die() {
    let items = number("CHAOS_ITEMS", ITEMS);
    under_all_weathers("queue", |lines, strikes, kills| {
        assert_eq!((after(lines, "seen"), after(lines, "left")), (items, 0), "{lines:?}");
        let (deaths, again) = (after(lines, "deaths"), after(lines, "again"));
        // One item is in each consumer's hands, and is done again only if it dies between its note and its word.
        assert!(again <= deaths && deaths <= strikes, "{again} items twice with {deaths} deaths and {strikes} strikes");
        assert!(!kills || deaths > 0, "{strikes} kills, and nobody died");
    });
}

#[test]
fn a_counter_is_exact_though_its_tasks_die_and_are_tried_again() {
    let items = number("CHAOS_ITEMS", ITEMS);
    under_all_weathers("map", |lines, _, _| {
        assert_eq!((after(lines, "total"), after(lines, "keys")), (items, items), "{lines:?}");
    });
}

#[test]
fn no_lock_is_held_by_the_dead_and_each_such_death_is_told() {
    let items = number("CHAOS_ITEMS", ITEMS);
    under_all_weathers("lock", |lines, strikes, kills| {
        assert_eq!((after(lines, "total"), after(lines, "done")), (items, items), "{lines:?}");
        let mended = after(lines, "mended");
        assert!(mended <= strikes && (kills || mended == 0), "{mended} times somebody died with the lock in {strikes} strikes");
    });
}

#[test]
fn a_pipe_whose_other_end_dies_ends_and_loses_nothing_that_was_answered() {
    let items = number("CHAOS_ITEMS", ITEMS);
    under_all_weathers("pipe", |lines, strikes, kills| {
        assert_eq!(after(lines, "answered"), items, "{lines:?}");
        let ends = after(lines, "ends");
        assert!(ends <= strikes && (!kills || ends > 0), "{ends} ends, {strikes} strikes");
    });
}

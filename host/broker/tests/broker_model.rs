//! Whole programs at random against the broker: tasks that make objects, lend them, wait, start others and end; workers that start late, die,
//! and speak when they should not; clocks that jump; callers who cancel.
//!
//! What must hold: a call is answered once, or its attempt is over; no answer comes to an attempt that is over; what comes out of a
//! handle is what was put into the object that was lent; a handle's number is never used again on its worker; children die with their
//! parents; a task ends once, as its worker said or by a death; and when all have done their part nothing is left of anything.
//! In a program nobody waits for ever: what stands still is told.
//!
//! `BROKER_SEED=n` plays one seed and tells it step by step; `BROKER_SCHEDULES=n` plays so many seeds.
#![expect(clippy::cast_possible_truncation, reason = "the numbers of a history are small")]

#[path = "history/mod.rs"]
mod history;
#[path = "host/mod.rs"]
mod host;
mod program;

use std::cell::RefCell;

use history::{Trace, play_all};
use program::{Counts, Program};

const SEEDS: u64 = 20_000;

#[test]
fn nothing_is_lost_and_nothing_is_left() {
    let counts = RefCell::new(Counts::default());
    play_all("broker_model", SEEDS, |seed, trace| {
        let mut program = Program::new(seed, trace);
        program.play();
        program.end();
        counts.borrow_mut().add(&program.counts);
    });
    counts.borrow().assert_covered();
}

#[test]
fn the_same_program_brings_the_same_effects() {
    for seed in 1_000_000..1_000_100 {
        let play = || {
            let mut program = Program::new(seed, Trace::default());
            program.play();
            program.end();
            program.log
        };
        assert_eq!(play(), play(), "seed {seed}");
    }
}

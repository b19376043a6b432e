//! What storms have in common: victims that are drawn by a seed, and the health of the supervisor whose workers they are.
#![allow(dead_code, reason = "each test that includes this uses a part of it")]
#![expect(clippy::print_stdout, reason = "tells what was seen")]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use taskcell_tests::process::{Process, children, resident};

/// What a supervisor may have more than it had at its calmest, while a storm goes on.
const MORE_MEMORY: u64 = 256 << 20;
const MORE_DESCRIPTORS: u64 = 16;
const MORE_THREADS: u64 = 4;
/// A dead worker that nobody took note of for so long is a zombie for good.
const UNREAPED: Duration = Duration::from_secs(20);

/// A linear congruential generator (Knuth's constants for 64 bits); enough to draw victims and inputs.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or(0) % sides.max(1)
    }
}

/// How a supervisor does while its workers die.
#[derive(Debug, Default)]
pub(crate) struct Health {
    /// Smallest and largest: resident bytes, open descriptors, threads.
    seen: BTreeMap<&'static str, (u64, u64)>,
    /// Dead children that are not reaped, and since when.
    dead: BTreeMap<i32, Instant>,
}

impl Health {
    pub(crate) fn look(&mut self, pid: i32) {
        let entries = |folder: &str| std::fs::read_dir(format!("/proc/{pid}/{folder}")).map(|folder| folder.count() as u64).ok();
        for (what, now) in [("memory", resident(pid)), ("descriptors", entries("fd")), ("threads", entries("task"))] {
            // A process that has just ended has none of all this.
            let Some(now) = now.filter(|now| *now > 0) else { continue };
            let (least, most) = self.seen.entry(what).or_insert((now, now));
            (*least, *most) = ((*least).min(now), (*most).max(now));
        }
        let now = Instant::now();
        let dead: Vec<Process> = children(pid).into_iter().filter(|child| child.state == 'Z').collect();
        self.dead.retain(|pid, _| dead.iter().any(|child| child.pid == *pid));
        for child in dead {
            let since = *self.dead.entry(child.pid).or_insert(now);
            assert!(since.elapsed() < UNREAPED, "{child:?} has been dead for {:?}", since.elapsed());
        }
    }

    pub(crate) fn assert_flat(&self, name: &str) {
        println!("{name}: {:?}", self.seen);
        for (what, more) in [("memory", MORE_MEMORY), ("descriptors", MORE_DESCRIPTORS), ("threads", MORE_THREADS)] {
            let Some((least, most)) = self.seen.get(what) else { continue };
            assert!(most - least <= more, "{name}: {what} went from {least} to {most}");
        }
    }
}

/// A number from the environment.
pub(crate) fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// A worker may have met its end since it was seen; then there is nothing to do.
pub(crate) fn send(pid: i32, signal: Signal) {
    if let Some(pid) = Pid::from_raw(pid) {
        let _ = kill_process(pid, signal);
    }
}

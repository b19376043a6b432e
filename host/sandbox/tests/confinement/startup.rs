//! How long a child takes to be confined. Printed, never judged: machines differ.

use std::time::Duration;

use taskcell_sandbox::{Namespaces, Unconfined};

use crate::Case;
use crate::acts::Stage;
use crate::child::Puppet;

pub(crate) const CASES: &[Case] = &[("startup_is_measured", startup_is_measured)];

/// Microseconds of the clock that all processes share.
pub(crate) fn now() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    Duration::try_from(time).unwrap().as_micros().try_into().unwrap()
}

pub(crate) fn act(stage: &mut Stage, namespaces: &str, started: u64) {
    let Stage { policy, .. } = stage;
    policy.namespaces = match namespaces {
        "all" => Namespaces::default(),
        "all-but-net" => Namespaces { net: false, ..Namespaces::default() },
        _ => Namespaces::NONE,
    };
    let before = now();
    let confined = Unconfined.confine(policy).unwrap();
    let between = now();
    confined.seal(policy).unwrap();
    let after = now();
    stage.say(&format!("{started} {} {}", between - before, after - between));
}

fn startup_is_measured() {
    for namespaces in ["all", "all-but-net", "no"] {
        let mut steps: [Vec<u64>; 5] = Default::default();
        for _ in 0..50 {
            let before = now();
            let mut child = Puppet::worker(&format!("startup {namespaces}"));
            let spawned = now();
            let line = child.hear().unwrap();
            let told: Vec<u64> = line.split(' ').map(|number| number.parse().unwrap()).collect();
            let &[started, files, syscalls] = told.as_slice() else { panic!("three numbers, not {line}") };
            let ending = now();
            child.child.kill().unwrap();
            child.child.wait().unwrap();
            for (step, took) in steps.iter_mut().zip([spawned - before, started - before, files, syscalls, now() - ending]) {
                step.push(took);
            }
        }
        let [spawned, started, files, syscalls, ended] = steps.map(|mut step| {
            step.sort_unstable();
            step[step.len() / 2]
        });
        println!(
            "  {namespaces} namespaces, median of 50, us: spawn returns {spawned}, main reached {started}, \
             confine {files}, seal {syscalls}, killed and reaped {ended}"
        );
    }
}

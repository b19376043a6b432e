//! What a child does when it cannot be confined: it says which layer is missing and why, and ends.
//!
//! A machine without Landlock or seccomp is played by a filter that answers as such a kernel would.

use std::collections::BTreeMap;

use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, TargetArch, apply_filter};
use taskcell_sandbox::{Applied, ConfineError, Directory, Layer, LayerState, Strictness, Unconfined, take_inherited};

use crate::Case;
use crate::acts::Stage;
use crate::child::Puppet;

pub(crate) const CASES: &[Case] = &[
    ("without_landlock_a_child_refuses", || {
        refuses("landlock", "put the required layer landlock in force: the kernel has no Landlock")
    }),
    ("without_seccomp_a_child_refuses", || {
        refuses(
            "seccomp",
            "put the required layer seccomp in force: Error calling `seccomp`: Function not implemented (os error 38)",
        );
    }),
    ("best_effort_goes_on_and_tells", best_effort_goes_on_and_tells),
    ("a_second_thread_is_refused", || refuses("thread", "lock files: the process already has 2 threads, and may have one only")),
    ("a_directory_that_was_moved_is_refused", a_directory_that_was_moved_is_refused),
    ("only_a_child_takes_descriptors_and_once", only_a_child_takes_descriptors_and_once),
];

fn deny(call: i64) {
    let arch = TargetArch::try_from(std::env::consts::ARCH).unwrap();
    let rules = BTreeMap::from([(call, Vec::new())]);
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, SeccompAction::Errno(38), arch).unwrap();
    apply_filter(&BpfProgram::try_from(filter).unwrap()).unwrap();
}

pub(crate) fn act(stage: &mut Stage, what: &str) {
    let (what, strictness) = what.split_once(' ').unwrap_or((what, ""));
    if strictness == "best-effort" {
        stage.policy.strictness = Strictness::BestEffort;
    }
    match what {
        "landlock" => deny(libc::SYS_landlock_create_ruleset),
        "seccomp" => deny(libc::SYS_seccomp),
        "thread" => {
            std::thread::spawn(std::thread::park);
        }
        "directory" | "replaced" => {
            let path = if what == "directory" { "/does/not/exist" } else { "/proc" };
            let descriptor = std::fs::File::open("/").unwrap().into();
            stage.policy.directories.push(Directory { descriptor, path: path.into(), writable: false });
        }
        unknown => panic!("no such refusal: {unknown}"),
    }
    let confined = Unconfined.confine(&stage.policy).and_then(|confined| confined.seal(&stage.policy));
    let outcome = match confined {
        Ok(confined) => missing(confined.layers()).join(" "),
        Err(error @ ConfineError::LayerMissing { .. }) => error.to_string(),
        Err(error) => error.to_string(),
    };
    stage.say(&outcome);
}

fn missing(layers: &[Applied]) -> Vec<&'static str> {
    layers
        .iter()
        .filter(|applied| applied.layer.required() && matches!(applied.state, LayerState::Missing(_)))
        .map(|applied| applied.layer.name())
        .collect()
}

fn refuses(what: &str, why: &str) {
    Puppet::worker(&format!("refuse {what}")).expect(why);
}

fn best_effort_goes_on_and_tells() {
    for layer in [Layer::Landlock, Layer::Seccomp] {
        Puppet::worker(&format!("refuse {layer} best-effort")).expect(layer.name());
    }
}

fn a_directory_that_was_moved_is_refused() {
    for (what, why) in [
        ("directory", "find the granted directory /does/not/exist where it was: it is gone"),
        ("replaced", "find the granted directory /proc where it was: another one is in its place"),
    ] {
        Puppet::worker(&format!("refuse {what}")).expect(why);
    }
}

fn only_a_child_takes_descriptors_and_once() {
    assert!(take_inherited(0).is_err());
    Puppet::worker("take-again").expect("take inherited descriptors: they were taken before");
}

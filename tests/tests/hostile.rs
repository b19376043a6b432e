//! Guests that mean harm, in `guests/hostile`, each named for what it does.
//!
//! Each gets ordinary inputs before and after the attack: the attack ends with a typed error in bounded time and memory, and the
//! ordinary ones have their results.

use std::fs;

use serde_json::{Value, json};
use taskcell_tests::process::resident;
use taskcell_tests::{Taskcell, taskcell, wat};

/// What the supervisor may use while a guest attacks, in bytes.
const MOST: u64 = 200 << 20;

fn hostile(name: &str) -> std::path::PathBuf {
    wat(&format!("hostile/{name}"))
}

/// A guest whose `attack` attacks for 0, how that ends (the error's kind, and words of its message), and what any other input gives.
const ATTACKS: &[(&str, &str, &str, Result<&str, ()>)] = &[
    ("infinite-loop", "timed-out", "over its time", Err(())),
    ("memory-bomb", "over-limit", "memory limit", Err(())),
    ("memory-bomb-that-goes-on", "timed-out", "over its time", Err(())),
    ("table-bomb", "over-limit", "table limit", Err(())),
    ("stack-overflow", "over-limit", "stack limit", Err(())),
    ("trap", "trapped", "unreachable", Err(())),
    ("out-of-bounds", "trapped", "out of bounds", Err(())),
    ("wrong-indirect-call", "trapped", "uninitialized element", Err(())),
    ("division", "trapped", "divide by zero", Err(())),
    ("huge-text", "over-limit", "limit", Ok("\"fine\"")),
    ("huge-bytes", "over-limit", "limit", Ok("\"ZmluZQ==\"")),
    ("many-lists", "over-limit", "limit", Ok("[]")),
    ("bad-pointer", "trapped", "out of bounds", Ok("\"fine\"")),
    ("bad-length", "trapped", "out of bounds", Ok("\"fine\"")),
    ("bad-result-pointer", "trapped", "out of bounds", Ok("\"fine\"")),
    ("unaligned-result", "trapped", "aligned", Ok("\"fine\"")),
    ("invalid-utf-8", "trapped", "utf-8", Ok("\"fine\"")),
    ("invalid-case", "trapped", "discriminant", Ok("\"green\"")),
    ("invalid-char", "trapped", "char", Ok("\"a\"")),
];

/// Runs to the end, watching the supervisor's memory.
fn run(taskcell: Taskcell, what: &str) -> taskcell_tests::Ended {
    let mut most = 0;
    let ended = taskcell.start().end_watched(|pid| most = most.max(resident(pid).unwrap_or(0)));
    assert!(most < MOST, "{what}: the supervisor used {} MiB", most >> 20);
    ended
}

fn records(ended: &taskcell_tests::Ended) -> Vec<Value> {
    ended.lines().into_iter().map(|line| serde_json::from_str(line).expect("a record is one line of JSON")).collect()
}

#[test]
fn an_attack_ends_with_a_typed_error_and_the_pool_goes_on() {
    for (name, kind, says, ordinary) in ATTACKS {
        for isolation in ["fresh", "reuse"] {
            let options = ["map", "--records", "--timeout", "1s", "-j", "2", "--isolation", isolation];
            let ended = run(taskcell!().args(options).arg(hostile(name)).arg("attack").args(["1", "0", "3", "0", "5"]), name);
            assert_eq!((ended.code, ended.stderr.as_str()), (Some(1), ""), "{name}: {ended:#?}");
            let records = records(&ended);
            assert_eq!(records.len(), 5, "{name}");
            for (input, record) in [1, 0, 3, 0, 5].into_iter().zip(&records) {
                if input == 0 {
                    assert_eq!(record["error"]["kind"], *kind, "{name}: {record}");
                    let message = record["error"]["message"].as_str().unwrap_or_default();
                    assert!(message.to_lowercase().contains(says), "{name}: {message}");
                } else {
                    let expected = ordinary.map_or(json!(input), |text| serde_json::from_str(text).expect("JSON"));
                    assert_eq!(record["ok"], expected, "{name}: {record}");
                }
            }
        }
    }
}

#[test]
fn room_for_an_input_is_checked_and_making_it_is_bounded() {
    for (name, says) in [("bad-realloc", "memory"), ("endless-realloc", "over its time")] {
        let inputs = ["\"a\"", "\"a long input, ten characters or more\"", "\"b\""];
        let ended = run(taskcell!().args(["map", "--timeout", "1s"]).arg(hostile(name)).arg("attack").args(inputs), name);
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), "1\n1\n"), "{name}: {ended:#?}");
        assert!(ended.complaints().len() == 1 && ended.stderr.contains(says), "{name}: {ended:#?}");
    }
}

#[test]
fn a_guest_that_cannot_begin_is_refused() {
    for (name, says) in [
        ("trap-in-start", "unreachable"),
        ("memory-bomb-in-start", "memory"),
        ("huge-memory", "memory"),
        ("huge-table", "table"),
        ("many-instances", "instances"),
    ] {
        let ended = run(taskcell!().map(hostile(name), "attack").args(["1", "2"]), name);
        assert!(ended.one_error(3).contains(says), "{name}: {ended:#?}");
    }
}

#[test]
fn a_guest_that_never_begins_is_given_up() {
    let name = "infinite-loop-in-start";
    let ended = run(taskcell!().map(hostile(name), "attack").args(["1", "2"]), name);
    assert!(ended.one_error(3).contains("start function"), "{ended:#?}");
}

#[test]
fn a_flood_of_prints_is_cut_and_harms_nobody() {
    let name = "print-flood";
    for options in [&["--records"][..], &["--guest-output", "inherit"], &["--guest-output", "drop"]] {
        let ended = run(taskcell!().arg("map").args(options).arg(hostile(name)).args(["run", "null", "null"]), name);
        assert_eq!((ended.code, ended.lines().len()), (Some(0), 2), "{}", ended.stderr.get(..500).unwrap_or(&ended.stderr));
        let printed = ended.stdout.len() + ended.stderr.len();
        assert!(printed < 3 << 20, "{printed} bytes were let through");
        if options != ["--guest-output", "drop"] {
            let told = [ended.stdout.as_str(), ended.stderr.as_str()].concat();
            assert_eq!(told.matches("cut here").count(), 2, "each task's mark, once");
        }
    }
}

#[test]
fn printing_without_end_is_stopped_in_time() {
    let name = "print-without-end";
    let ended = run(taskcell!().args(["map", "--records", "--timeout", "1s"]).arg(hostile(name)).args(["run", "null"]), name);
    let records = records(&ended);
    assert_eq!((ended.code, &records[0]["error"]["kind"]), (Some(1), &json!("timed-out")));
    assert!(records[0]["stderr"].as_str().is_some_and(|text| text.starts_with("again\nagain\n") && text.len() < 2 << 20));
}

#[test]
fn a_storm_of_traps_wears_nothing_out() {
    const COUNT: usize = 20_000;
    let ended = run(taskcell!().arg("map").arg(hostile("trap")).arg("attack").stdin("0\n7\n".repeat(COUNT / 2)), "trap");
    assert_eq!((ended.code, ended.lines().len(), ended.complaints().len()), (Some(1), COUNT / 2, COUNT / 2));
    assert!(ended.lines().iter().all(|line| *line == "7"));
}

#[test]
fn a_probe_is_answered_while_an_attack_runs() {
    let inputs: Vec<String> = (0..40).map(|n: u32| if n == 0 { "0".into() } else { n.to_string() }).collect();
    let options = ["map", "-j", "2", "--unordered", "--chunk", "1"];
    for name in ["infinite-loop", "memory-bomb-that-goes-on"] {
        let mut running = taskcell!().args(options).arg(hostile(name)).arg("attack").args(&inputs).start();
        for _ in 0..inputs.len() / 2 {
            assert!(running.line().is_some(), "{name} keeps no other task waiting");
        }
        drop(running);
    }
}

#[test]
fn every_hostile_guest_ends_as_well_when_it_is_only_looked_at() {
    for entry in fs::read_dir(taskcell_tests::repository().join("tests/guests/hostile")).expect("the guests are there") {
        let path = entry.expect("it can be listed").path();
        let ended = taskcell!().arg("inspect").arg(&path).run();
        assert!(matches!(ended.code, Some(0 | 3)), "{}: {ended:#?}", path.display());
    }
}

//! A former task leaves marks wherever a task can leave something; a later one, in the same worker process, looks for them in every
//! channel that it has. It finds nothing. Where the same mark may be found (`--isolation reuse`, what was granted, the program itself), it
//! is: so a test that finds nothing looked in the right place.

use std::collections::BTreeSet;
use std::fs;

use serde_json::{Value, json};
use taskcell_tests::{Taskcell, built, taskcell, until, wat};

/// Runs one task after the other on one worker.
fn map(options: &[&str]) -> Taskcell {
    taskcell!().args(["map", "-j", "1", "--records"]).args(options)
}

fn records(ended: &taskcell_tests::Ended) -> Vec<Value> {
    ended.lines().into_iter().map(|line| serde_json::from_str(line).expect("a record is one line of JSON")).collect()
}

/// What the tasks of `memory.wat` found or marked; `None` for one that trapped.
fn found(isolation: &str, inputs: &[&str]) -> Vec<Option<u64>> {
    let ended = map(&["--isolation", isolation]).arg(wat("canary/memory")).arg("act").args(inputs).run();
    let records = records(&ended);
    assert_eq!(records.len(), inputs.len(), "{ended:#?}");
    records.iter().map(|record| record["ok"].as_u64()).collect()
}

/// All that `memory.wat` can find.
const EVERYWHERE: Option<u64> = Some(1 | 2 | 4 | 8 | 16);

#[test]
fn memory_globals_and_tables_of_a_former_task_are_gone() {
    let inputs: Vec<&str> = ["0", "1", "0", "2", "0"].into_iter().cycle().take(50).collect();
    for (at, (input, found)) in inputs.iter().zip(found("fresh", &inputs)).enumerate() {
        let expected = match *input {
            "0" => Some(0),
            "1" => Some(1),
            _ => None,
        };
        assert_eq!(found, expected, "task {at} of {input}");
    }
}

#[test]
fn an_instance_that_is_used_again_shows_what_it_is_documented_to_show() {
    assert_eq!(found("reuse", &["0", "1", "0", "0"]), [Some(0), Some(1), EVERYWHERE, EVERYWHERE]);
    // One that trapped is not used again.
    assert_eq!(found("reuse", &["1", "2", "0"]), [Some(1), None, Some(0)]);
}

/// The letters that `wasi.wat` prints, of its last task.
fn letters(run: Taskcell, tasks: usize) -> String {
    let ended = run.run().well();
    let records = records(&ended);
    assert_eq!(records.len(), tasks, "{ended:#?}");
    records.last().and_then(|record| record["stdout"].as_str()).unwrap_or_default().to_owned()
}

#[test]
fn a_task_has_no_environment_arguments_input_or_descriptors() {
    let run = || map(&[]).arg(wat("canary/wasi")).env("CANARY", "canary").stdin("canary\n");
    assert_eq!(letters(run().args(["run", "null", "null"]), 2), "");
    // What is granted is found, and nothing around it.
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("canary"), "canary").expect("a file");
    let dir = folder.path().display().to_string();
    let granted = letters(map(&["--env", "CANARY=1", "--dir", &dir]).arg(wat("canary/wasi")).args(["run", "null"]), 1);
    // The directory, the file in it, and the descriptor of that file.
    assert_eq!(granted, "efdcf");
    // Each task has descriptors of its own: the second finds the file that the first left open no more than the first did.
    let again = letters(map(&["--dir", &dir]).arg(wat("canary/wasi")).args(["run", "null", "null"]), 2);
    assert_eq!(again, "fdcf");
    let program = taskcell!().arg("run").arg(wat("canary/wasi")).args(["--", "canary"]).stdin("canary\n").run().well();
    assert_eq!(program.stdout, "ai");
}

#[test]
fn tasks_of_a_program_see_neither_it_nor_each_other() {
    let run = |options: &[&str]| {
        let run = taskcell!().arg("run").args(options).arg(built("canaries")).args(["--", "canary"]);
        run.env("CANARY", "canary").stdin("first\nthe rest\n").run().well()
    };
    let ended = run(&[]);
    let lines = ended.lines();
    for number in 1..=5 {
        let at = lines.iter().position(|line| *line == format!("canary {number}"));
        let at = at.unwrap_or_else(|| panic!("{number} was not planted: {ended:#?}"));
        assert_eq!(lines[at + 1], format!("after {number}: []"));
    }
    assert_eq!(lines[lines.len() - 2..], ["a process: []", "the program: \"first\" \"the rest\" [\"canary\"]"]);
    // What is granted to the program's component is its tasks' too, and they look there.
    let granted = run(&["--env", "CANARY=1"]);
    assert!(granted.stdout.contains("a process: [\"variable CANARY\"]"), "{granted:#?}");
}

#[test]
fn a_program_that_is_used_again_keeps_its_statics() {
    let run = |isolation| map(&["--isolation", isolation]).arg(built("canaries"));
    for (isolation, expected) in [("fresh", json!([])), ("reuse", json!(["memory"]))] {
        let both = run(isolation).args(["look", "null", "null"]).run().well();
        assert!(records(&both).iter().all(|record| record["ok"] == json!([])), "nothing was planted: {both:#?}");
        // One task plants and the next looks: both are calls of one export, so that one map can make them.
        let inputs = ["1", "2"];
        let planted = run(isolation).arg("plant-and-look").args(inputs).run().well();
        assert_eq!(records(&planted)[1]["ok"], expected, "{isolation}: {planted:#?}");
    }
}

#[test]
fn what_a_task_printed_in_part_is_not_the_next_ones() {
    for isolation in ["fresh", "reuse"] {
        let inputs: Vec<String> = (1..=50).map(|n| n.to_string()).collect();
        let ended = map(&["--isolation", isolation]).arg(built("canaries")).arg("plant").args(&inputs).run().well();
        for (input, record) in inputs.iter().zip(records(&ended)) {
            assert_eq!(record["stdout"], json!(format!("canary {input}")), "{isolation}: {record}");
        }
    }
}

#[test]
fn every_task_has_a_seed_of_its_own() {
    let inputs: Vec<String> = (0..200).map(|n| n.to_string()).collect();
    let ended = map(&[]).arg(built("canaries")).arg("seed").args(&inputs).run().well();
    let seeds: BTreeSet<u64> = records(&ended).iter().filter_map(|record| record["ok"].as_u64()).collect();
    assert_eq!(seeds.len(), inputs.len(), "two tasks had the same seed");
}

#[test]
fn a_number_that_is_no_handle_of_the_task_traps() {
    // Even numbers use it, odd ones drop it.
    let inputs: Vec<String> = (0..100).map(|n| n.to_string()).collect();
    let ended = map(&[]).arg(wat("hostile/guess-a-handle")).arg("attack").args(&inputs).run();
    let records = records(&ended);
    assert_eq!(records.len(), inputs.len(), "{ended:#?}");
    for record in records {
        let message = record["error"]["message"].as_str().unwrap_or_default();
        assert!(record["error"]["kind"] == "trapped" && message.contains("handle"), "{record}");
    }
}

/// What a process has open, but for null, its socket and memory files.
fn open_files(pid: i32) -> Vec<String> {
    let folder = fs::read_dir(format!("/proc/{pid}/fd")).expect("its descriptors can be seen");
    let links = folder.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    let links = links.map(|link| link.display().to_string());
    let plain = |link: &String| link == "/dev/null" || link.starts_with("socket:") || link.starts_with("/memfd:");
    links.filter(|link| !plain(link)).collect()
}

#[test]
fn a_worker_has_no_descriptor_and_no_environment_of_its_parent() {
    let folder = tempfile::tempdir().expect("a folder");
    let canary = folder.path().join("canary");
    fs::write(&canary, "canary").expect("a file");
    let script = format!("exec 7<'{}'; exec \"$@\"", canary.display());
    let attack = ["map", "-j", "1", "--timeout", "120s"];
    let run = taskcell!().args(attack).arg(wat("hostile/infinite-loop")).args(["attack", "0"]).env("CANARY", "canary");
    let running = run.after(&script).start();
    // While its guest runs.
    let worker = until("a worker that computes", || running.busy_workers(5).first().map(|worker| worker.pid));
    let has_canary = |pid| open_files(pid).iter().any(|link| link.ends_with("/canary"));
    assert!(has_canary(running.pid()), "the supervisor inherited it: {:?}", open_files(running.pid()));
    let open = open_files(worker);
    // Its own table of pages tells it which of them it has written.
    let own = |link: &String| link.starts_with("anon_inode:") || *link == format!("/proc/{worker}/pagemap");
    assert!(open.iter().all(own), "{open:?}");
    let environ = |pid: i32| fs::read(format!("/proc/{pid}/environ")).expect("its environment can be seen");
    let holds = |bytes: &[u8]| bytes.windows(6).any(|six| six == b"canary");
    assert!(holds(&environ(running.pid())), "the supervisor has it");
    // What its own runtime is told, so that a panic opens no files.
    assert_eq!(String::from_utf8_lossy(&environ(worker)), "RUST_BACKTRACE=0\0");
    drop(running);
}

//! Every limit of `host/SECURITY.md`'s table, by its flag: lowered, it is met and named; as it is by default, the same guest does not meet it,
//! or meets the default's own value. The table names these tests.

use serde_json::Value;
use taskcell_tests::{Taskcell, built, repository, taskcell, wat};

fn map(flag: &[&str], guest: &str, task: &str, input: &str) -> Taskcell {
    taskcell!().args(["map", "--records", "-j", "1"]).args(flag).arg(wat(guest)).args([task, input])
}

/// The one record of a run.
fn record(run: Taskcell) -> Value {
    let ended = run.run();
    let lines = ended.lines();
    assert_eq!((lines.len(), ended.stderr.as_str()), (1, ""), "{ended:#?}");
    serde_json::from_str(lines[0]).expect("a record is one line of JSON")
}

/// The kind of a failure, and its message.
fn failure(run: Taskcell) -> (String, String) {
    let record = record(run);
    let text = |key: &str| record["error"][key].as_str().unwrap_or_else(|| panic!("no {key}: {record}")).to_owned();
    (text("kind"), text("message"))
}

/// Limits of one task: the flag, the guest that meets it then, and words that name it, and its value where that is told.
const OF_A_TASK: [([&str; 2], [&str; 3], [&str; 2]); 8] = [
    (["--memory", "3M"], ["numbers", "grow", "5"], ["memory limit", "3145728"]),
    (["--max-table", "1000"], ["hostile/table-bomb", "attack", "0"], ["table limit", "1000"]),
    (["--stack", "64k"], ["hostile/stack-overflow", "attack", "0"], ["stack limit", "stack"]),
    (["--fuel", "1000"], ["hostile/infinite-loop", "attack", "0"], ["fuel limit", "fuel"]),
    (["--max-host-call", "3"], ["print", "run", "null"], ["host-call limit", "too much data"]),
    (["--max-result", "3"], ["hostile/huge-text", "attack", "1"], ["result limit", "3 bytes"]),
    (["--max-random", "99"], ["random", "run", "null"], ["random limit", "99"]),
    (["--memory", "1G"], ["numbers", "grow", "20000"], ["memory limit", "1073741824"]),
];

#[test]
fn limits_of_a_task_are_met_where_they_are_set() {
    for (flag, [guest, task, input], words) in OF_A_TASK {
        let (kind, message) = failure(map(&flag, guest, task, input));
        assert_eq!(kind, "over-limit", "{flag:?}: {message}");
        assert!(words.iter().all(|word| message.contains(word)), "{flag:?}: {message}");
    }
}

#[test]
fn the_same_guests_do_not_meet_the_defaults() {
    for [guest, task, input] in
        [["numbers", "grow", "5"], ["hostile/huge-text", "attack", "1"], ["random", "run", "null"], ["print", "run", "null"]]
    {
        let record = record(map(&[], guest, task, input));
        assert!(record.get("error").is_none(), "{guest}: {record}");
    }
}

#[test]
fn run_time_has_the_limit_that_is_set() {
    let (kind, message) = failure(map(&["--timeout", "50ms"], "hostile/infinite-loop", "attack", "0"));
    assert_eq!((kind.as_str(), message.contains("over its time")), ("timed-out", true), "{message}");
}

#[test]
fn an_input_is_as_long_as_it_may_be() {
    let ended = taskcell!()
        .args(["map", "--max-message", "10"])
        .arg(wat("text"))
        .args(["same-text", "\"12345678\"", "\"123456789\""])
        .run();
    assert!(ended.stderr.contains("10 bytes") || ended.stderr.contains("limit"), "{ended:#?}");
    assert_ne!(ended.code, Some(0));
}

#[test]
fn a_component_of_more_instances_than_there_may_be_is_refused() {
    let run = |flag: &[&str]| taskcell!().args(["map", "-j", "1"]).args(flag).arg(wat("numbers")).args(["echo", "7"]).run();
    assert_eq!(run(&["--max-instances", "1"]).well().stdout, "7\n");
    let many = taskcell!().args(["map", "--max-instances", "10"]).arg(wat("hostile/many-instances")).args(["attack", "1"]).run();
    assert!(many.one_error(3).contains("instances"), "{many:#?}");
}

#[test]
fn what_a_task_prints_is_as_long_as_it_may_be() {
    let printed = |flag: &[&str]| record(map(flag, "print", "run", "null"))["stdout"].as_str().unwrap_or_default().to_owned();
    assert!(printed(&["--max-log", "12"]).contains("the limit is 12 bytes"));
    assert!(!printed(&[]).contains("limit"));
}

/// Limits of what tasks share: the flag, what `greedy` takes, how much it gets, and the words of the quota.
const OF_A_JOB: [(&str, &str, &str, u64, &str); 12] = [
    ("--max-processes", "5", "processes", 4, "5 worker processes"),
    ("--max-depth", "3", "depth", 3, "3 tasks that started each other"),
    ("--max-pools", "2", "pools", 2, "2 pools"),
    ("--max-handles", "20", "handles", 20, "another handle, the limit is 20"),
    ("--max-objects", "10", "handles", 10, "10 queues, pipes, maps"),
    ("--max-shared", "3M", "bytes", 2, "3145728 bytes in all"),
    // Ten thousand empty messages at a time, 64 bytes each with their bookkeeping.
    ("--max-shared", "5M", "messages", 8, "5242880 bytes in all"),
    ("--max-message", "1000", "a-long-message", 0, "1000 bytes of a message"),
    ("--max-queue-items", "5000", "messages", 0, "5000 messages in this queue"),
    ("--max-queue-bytes", "512k", "bytes", 0, "524288 bytes in a queue"),
    ("--max-map-keys", "100", "keys", 0, "100 keys of a map"),
    ("--max-map-bytes", "512k", "values", 0, "524288 bytes of a map"),
];

#[test]
fn limits_of_a_job_are_met_where_they_are_set() {
    for (flag, value, what, most, words) in OF_A_JOB {
        let ended = taskcell!().args(["run", flag, value]).arg(built("greedy")).args(["--", what]).run().well();
        let told = ended.stdout.strip_prefix(what).and_then(|rest| rest.trim_start().split_once(": "));
        let (count, why) = told.unwrap_or_else(|| panic!("{flag}: {ended:#?}"));
        assert_eq!(count.parse(), Ok(most), "{flag}: {why}");
        assert!(why.contains(words), "{flag}: {why}");
    }
}

#[test]
fn a_limit_that_is_no_number_is_refused() {
    for flag in ["--max-processes", "--max-instances"] {
        for value in ["0", "many", "99999999999"] {
            let ended = taskcell!().args(["map", flag, value]).arg(wat("numbers")).args(["echo", "7"]).run();
            assert!(ended.code == Some(2) && ended.stderr.contains(flag), "{flag} {value}: {ended:#?}");
        }
    }
}

/// The cells of each row of the table, without their marks.
fn table() -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(repository().join("host/SECURITY.md")).expect("the page is there");
    let rows = text.lines().skip_while(|line| !line.starts_with("| limit | default | flag |")).skip(2);
    let rows = rows.take_while(|line| line.starts_with('|'));
    let cell = |cell: &str| cell.trim().trim_matches('`').to_owned();
    rows.map(|row| row.trim_matches('|').split('|').map(cell).collect()).collect()
}

/// Every option under "Limits" of a command's help.
fn flags(command: &str) -> Vec<String> {
    let help = taskcell!().args([command, "--help"]).run().well();
    let lines = help.stdout.lines().skip_while(|line| *line != "Limits:").skip(1);
    let lines = lines.take_while(|line| line.is_empty() || line.starts_with(' '));
    lines.filter_map(|line| Some(line.trim().strip_prefix("--")?.split(' ').next()?.to_owned())).collect()
}

#[test]
fn the_table_has_every_flag_of_every_command_and_tests_that_exist() {
    let (table, own) = (table(), include_str!("limits.rs"));
    assert!(table.len() > 20, "{table:?}");
    for command in ["map", "call", "run"] {
        let flags = flags(command);
        for row in &table {
            assert!(flags.contains(&row[2].trim_start_matches("--").to_owned()), "{command} has no {}", row[2]);
        }
        // How long a task may go on once it was told to stop is no limit of its own.
        for flag in flags.iter().filter(|flag| *flag != "grace") {
            assert!(table.iter().any(|row| row[2] == format!("--{flag}")), "the table has no --{flag}");
        }
    }
    for row in &table {
        let test = &row[5];
        let is_here = own.contains(&format!("fn {test}()"));
        assert!(is_here || repository().join(test).is_file(), "{}: no test {test}", row[0]);
    }
}

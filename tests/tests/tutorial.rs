//! The programs of `guest/examples/programs`: what each prints, and in which order.

use taskcell_tests::{Ended, built, taskcell};

fn run(program: &str) -> Ended {
    let ended = taskcell!().arg("run").arg(built(program)).run();
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{ended:#?}");
    ended
}

#[test]
fn a_process_has_a_number_and_is_joined() {
    let ended = run("process");
    let lines = ended.lines();
    let [first, second] = lines.as_slice() else { panic!("{ended:#?}") };
    let pid = first.strip_prefix("Process ID: ").and_then(|pid| pid.parse::<u32>().ok());
    assert!(pid.is_some_and(|pid| pid > 1), "{first}");
    assert_eq!(*second, "Main process completed");
}

#[test]
fn an_executor_gives_results_in_the_order_of_the_items() {
    let ended = run("executor");
    let expected: Vec<String> = (1..=5).map(|item| format!("Task {item} completed")).collect();
    assert_eq!(ended.lines(), expected);
}

#[test]
fn imap_keeps_the_order_and_imap_unordered_does_not() {
    let ended = run("imap");
    let ordered = [1, 5, 3].map(|seconds| format!("Completed task after {seconds} seconds"));
    let as_they_end = [1, 3, 5].map(|seconds| format!("Task finished in {seconds} seconds"));
    assert_eq!(ended.lines(), [ordered, as_they_end].concat());
}

#[test]
fn a_queue_joins_a_producer_and_a_consumer() {
    assert_eq!(run("queue").lines(), ["Received: Data item"]);
}

#[test]
fn five_processes_write_one_map() {
    assert_eq!(run("shared-map").lines(), ["Shared data: {'key_0': 0, 'key_1': 1, 'key_2': 2, 'key_3': 3, 'key_4': 4}"]);
}

#[test]
fn a_pipe_joins_a_sender_and_a_receiver() {
    assert_eq!(run("pipe").lines(), ["Received: Message from sender"]);
}

#[test]
fn states_change_as_processes_wait_and_go_on() {
    let expected = [
        "first: running",
        "first: waiting (queue 1 \"tickets\": get)",
        "second: ready",
        "second: running",
        "second: waiting (queue 1 \"tickets\": get)",
        "first: ended",
        "second: ended",
        "tickets: 1, 2",
    ];
    assert_eq!(run("states").lines(), expected);
}

#[test]
fn locks_barriers_semaphores_and_conditions_keep_their_promises() {
    let expected = [
        "Lock: 4 processes counted to 100",
        "Barrier: each went on when [4, 4, 4, 4] had arrived",
        "Semaphore: at most 2 at once",
        "Condition: the results add up to 10",
    ];
    assert_eq!(run("sync").lines(), expected);
}

#[test]
fn words_of_files_are_counted_over_a_pool() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = "The cat, the dog and the bird.\n".repeat(50_000);
    std::fs::write(folder.path().join("text"), &text).expect("a file");
    let grant = format!("{}::/data:ro", folder.path().display());
    let ended = taskcell!().args(["run", "--dir", &grant]).arg(built("count-files")).args(["--", "/data/text"]).run();
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{ended:#?}");
    let lines = ended.lines();
    assert_eq!(lines.first().map(|line| line.trim()), Some("350000 words, 5 different"), "{ended:#?}");
    assert_eq!(lines.get(1).map(|line| line.trim()), Some("150000 the"));
    let from_stdin = taskcell!().arg("run").arg(built("count-files")).stdin(text).run();
    assert_eq!(from_stdin.stdout, ended.stdout);
}

#[test]
fn a_directory_is_for_the_program_and_for_nobody_without_it() {
    let ended = taskcell!().arg("run").arg(built("count-files")).args(["--", "/etc/hostname"]).run();
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""), "{ended:#?}");
    assert!(ended.stderr.contains("/etc/hostname"), "{ended:#?}");
}

/// `guest/examples/programs/src/bin/primitives` has a line for each promise of the interfaces: timeouts, deaths, limits and errors
/// among them.
#[test]
fn every_promise_of_the_interfaces_is_kept() {
    let ended = taskcell!().arg("run").arg(built("primitives")).run();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    let lines = ended.lines();
    assert!(lines.len() >= 63, "{} promises: {ended:#?}", lines.len());
    let broken: Vec<&&str> = lines.iter().filter(|line| !line.starts_with("ok: ")).collect();
    assert!(broken.is_empty(), "{broken:#?}");
}

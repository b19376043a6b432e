//! Processes that stand still: stopped by a signal, with or without a continuation.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};
use taskcell_tests::process::Process;
use taskcell_tests::running::send;
use taskcell_tests::{Ended, Running, taskcell, until, wat};

/// Half a second of processor time: no other part of a worker's life takes that, so it is at a long task.
const BUSY: u64 = 50;
/// Takes some seconds.
const LONG: u64 = 8_000_000_000;
/// Longer than a worker may stand still.
const TOO_LONG: Duration = Duration::from_secs(8);

/// A map over long tasks and short ones.
fn start(options: &[&str], inputs: &[u64]) -> Running {
    let lines: String = inputs.iter().map(|n| format!("{n}\n")).collect();
    taskcell!().args(["map", "--records", "-j", "2"]).args(options).arg(wat("numbers")).arg("burn").stdin(lines).start()
}

fn busy(running: &Running, count: usize) -> Vec<Process> {
    until("busy workers", || Some(running.busy_workers(BUSY)).filter(|busy| busy.len() == count))
}

fn stop(pid: i32) {
    send(pid, Signal::STOP);
    until("a stopped process", || Process::read(pid).filter(|process| process.state == 'T'));
}

fn records(ended: &Ended) -> Vec<Value> {
    ended.lines().into_iter().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// Every task ended well in its first attempt.
fn assert_cost_nothing(ended: &Ended, inputs: &[u64]) {
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{ended:#?}");
    for (record, input) in records(ended).iter().zip(inputs) {
        assert_eq!((&record["ok"], &record["attempts"]), (&json!(input), &json!(1)), "{record}");
    }
    assert_eq!(ended.lines().len(), inputs.len());
}

#[test]
fn a_worker_that_is_stopped_for_good_costs_its_task() {
    let inputs: Vec<u64> = [LONG, 1, 2, 3].into_iter().chain(4..50).collect();
    let running = start(&[], &inputs);
    stop(busy(&running, 1)[0].pid);
    let ended = running.end();
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(1), ""), "{ended:#?}");
    let records = records(&ended);
    assert_eq!(records[0]["error"]["kind"], "lost", "{}", records[0]);
    assert!(records[0]["error"]["message"].as_str().is_some_and(|text| text.contains("stood still")), "{}", records[0]);
    for (record, input) in records.iter().zip(&inputs).skip(1) {
        assert_eq!(record["ok"], json!(input), "{record}");
    }
    assert_eq!(records.len(), inputs.len());
}

#[test]
fn a_task_of_a_stopped_worker_can_be_tried_again() {
    let inputs = [LONG, 1, 2, 3];
    let running = start(&["--retries", "1"], &inputs);
    stop(busy(&running, 1)[0].pid);
    let ended = running.end().well();
    let attempts: Vec<Value> = records(&ended).iter().map(|record| record["attempts"].clone()).collect();
    assert_eq!(attempts, [2, 1, 1, 1], "{ended:#?}");
}

#[test]
fn a_worker_that_is_stopped_for_a_moment_costs_nothing() {
    let inputs = [LONG, LONG + 1, 1, 2, 3];
    let running = start(&[], &inputs);
    for worker in busy(&running, 2) {
        stop(worker.pid);
        std::thread::sleep(Duration::from_secs(2));
        send(worker.pid, Signal::CONT);
    }
    assert_cost_nothing(&running.end(), &inputs);
}

#[test]
fn an_idle_worker_that_is_stopped_costs_nothing() {
    let (line, lines) = std::sync::mpsc::channel::<&str>();
    let write = move |stdin: &mut dyn std::io::Write| {
        lines.iter().try_for_each(|line| stdin.write_all(line.as_bytes()).and_then(|()| stdin.flush()))
    };
    let mut running = taskcell!().args(["map", "-j", "2"]).arg(wat("numbers")).arg("echo").stdin_from(write).start();
    line.send("1\n").expect("the writer lives");
    assert_eq!(running.line().as_deref(), Some("1"));
    let workers = until("two workers", || Some(running.workers()).filter(|workers| workers.len() == 2));
    workers.iter().for_each(|worker| stop(worker.pid));
    std::thread::sleep(TOO_LONG);
    assert_eq!(running.workers().len(), 2, "nobody asked anything of them");
    workers.iter().for_each(|worker| send(worker.pid, Signal::CONT));
    line.send("2\n").expect("the writer lives");
    assert_eq!(running.line().as_deref(), Some("2"));
    drop(line);
    assert_eq!(running.end().well().stdout, "1\n2\n");
}

/// As a terminal does with Ctrl-Z: workers are in sessions of their own, so it stops the supervisor only. A container that is frozen stops all.
#[test]
fn a_job_that_is_stopped_and_continued_loses_nothing() {
    let inputs = [LONG, LONG + 1, 1, 2, 3];
    for all in [false, true] {
        let running = start(&[], &inputs);
        let workers = busy(&running, 2);
        stop(running.pid());
        if all {
            workers.iter().for_each(|worker| stop(worker.pid));
        }
        std::thread::sleep(TOO_LONG);
        // The supervisor first: it sees workers that have not moved, and must not conclude anything.
        running.signal(Signal::CONT);
        std::thread::sleep(Duration::from_secs(1));
        if all {
            workers.iter().for_each(|worker| send(worker.pid, Signal::CONT));
        }
        assert_cost_nothing(&running.end(), &inputs);
    }
}

/// Results that were there in time are not too late because the one who takes them was stopped.
#[test]
fn a_job_that_is_stopped_and_continued_breaks_no_time_limit() {
    let inputs: Vec<u64> = (0..60).map(|n| 100_000_000 + n).collect();
    let running = start(&["--timeout", "2s", "--grace", "500ms"], &inputs);
    until("two workers", || (running.workers().len() == 2).then_some(()));
    for _ in 0..2 {
        std::thread::sleep(Duration::from_millis(200));
        stop(running.pid());
        std::thread::sleep(Duration::from_secs(4));
        running.signal(Signal::CONT);
    }
    assert_cost_nothing(&running.end(), &inputs);
}

//! What dies, and what that costs: a worker one task, a supervisor everything that was its own and nothing else.

use std::io::Write;

use rustix::process::Signal;
use serde_json::{Value, json};
use taskcell_tests::running::send;
use taskcell_tests::{Running, taskcell, until, wat};

/// Half a second of processor time: no other part of a worker's life takes that, so it is at a long task.
const BUSY: u64 = 50;
/// Takes some seconds.
const LONG: u64 = 8_000_000_000;

/// Kills a busy worker, once each, until `count` were killed or the run has ended.
fn kill_busy(running: &mut Running, count: usize) -> Vec<i32> {
    let mut killed: Vec<i32> = Vec::new();
    until("the workers to be busy, or the end", || {
        for worker in running.busy_workers(BUSY) {
            if killed.len() < count && !killed.contains(&worker.pid) {
                send(worker.pid, Signal::KILL);
                killed.push(worker.pid);
            }
        }
        (killed.len() == count || running.has_ended()).then_some(())
    });
    killed
}

#[test]
fn a_killed_worker_costs_the_task_that_it_ran_and_no_other() {
    for chunk in ["1", "50"] {
        let mut inputs: Vec<u64> = (1..=300).collect();
        // These two never end.
        inputs[30] = 0;
        inputs[170] = 0;
        let lines: String = inputs.iter().map(|n| format!("{n}\n")).collect();
        let options = ["map", "--records", "-j", "2", "--chunk", chunk];
        let mut running = taskcell!().args(options).arg(wat("numbers")).arg("spin").stdin(lines).start();
        assert_eq!(kill_busy(&mut running, 2).len(), 2);
        let ended = running.end();
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(1), ""), "{ended:#?}");
        let records: Vec<Value> = ended.lines().into_iter().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        assert_eq!(records.len(), inputs.len());
        for (index, (input, record)) in inputs.iter().zip(&records).enumerate() {
            assert_eq!(record["index"], json!(index), "in order");
            if *input == 0 {
                assert_eq!(record["error"]["kind"], "lost", "{record}");
                assert!(record["error"]["message"].as_str().is_some_and(|text| text.contains("signal 9")), "the cause: {record}");
            } else {
                assert_eq!(record["ok"], json!(input), "{record}");
            }
        }
    }
}

#[test]
fn a_killed_worker_costs_nothing_when_its_task_may_be_tried_again() {
    let inputs: Vec<u64> = [LONG, 1, 2, 3, LONG + 1].into_iter().chain(4..100).collect();
    let lines: String = inputs.iter().map(|n| format!("{n}\n")).collect();
    let options = ["map", "--records", "-j", "2", "--retries", "3"];
    let mut running = taskcell!().args(options).arg(wat("numbers")).arg("burn").stdin(lines).start();
    assert_eq!(kill_busy(&mut running, 1).len(), 1);
    let ended = running.end().well();
    let records: Vec<Value> = ended.lines().into_iter().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let results: Vec<&Value> = records.iter().map(|record| &record["ok"]).collect();
    assert_eq!(json!(results), json!(inputs));
    let attempts: u64 = records.iter().filter_map(|record| record["attempts"].as_u64()).sum();
    assert_eq!(attempts, inputs.len() as u64 + 1, "one task was tried twice, all others once");
}

#[test]
fn retries_have_an_end() {
    let options = ["map", "--records", "-j", "1", "--retries", "2"];
    let mut running = taskcell!().args(options).arg(wat("numbers")).arg("spin").args(["0", "1"]).start();
    assert_eq!(kill_busy(&mut running, 3).len(), 3);
    let ended = running.end();
    assert_eq!(ended.code, Some(1), "{ended:#?}");
    let first: Value = serde_json::from_str(ended.lines()[0]).expect("JSON");
    assert_eq!((&first["error"]["kind"], &first["attempts"]), (&json!("lost"), &json!(3)), "{ended:#?}");
}

#[test]
fn an_idle_worker_that_dies_costs_nothing() {
    let (send_line, lines) = std::sync::mpsc::channel::<&str>();
    let write = move |stdin: &mut dyn Write| {
        lines.iter().try_for_each(|line| stdin.write_all(line.as_bytes()).and_then(|()| stdin.flush()))
    };
    let mut running = taskcell!().args(["map", "-j", "2"]).arg(wat("numbers")).arg("echo").stdin_from(write).start();
    for result in ["1", "2", "3"] {
        send_line.send(["1\n", "2\n", "3\n"][result.parse::<usize>().expect("a digit") - 1]).expect("the writer lives");
        assert_eq!(running.line().as_deref(), Some(result));
        let before = until("two workers", || Some(running.workers()).filter(|workers| workers.len() == 2));
        for worker in &before {
            send(worker.pid, Signal::KILL);
        }
        until("the workers to be replaced", || {
            let now = running.workers();
            (now.len() == 2 && now.iter().all(|worker| before.iter().all(|old| old.pid != worker.pid))).then_some(())
        });
    }
    drop(send_line);
    assert_eq!(running.end().well().stdout, "1\n2\n3\n");
}

#[test]
fn the_first_signal_ends_the_run_well() {
    for (signal, code) in [(Signal::TERM, 143), (Signal::INT, 130)] {
        let endless = |stdin: &mut dyn Write| (0u64..).try_for_each(|n| writeln!(stdin, "{n}"));
        let mut running = taskcell!().map(wat("numbers"), "echo").stdin_from(endless).start();
        for n in 0..1000 {
            assert_eq!(running.line(), Some(n.to_string()));
        }
        running.signal(signal);
        let ended = running.end();
        assert_eq!(ended.code, Some(code), "{}", ended.stderr);
        assert!(ended.stdout.ends_with('\n'), "whole lines");
        for (n, line) in ended.lines().into_iter().enumerate() {
            assert_eq!(line, n.to_string(), "no gap and nothing twice");
        }
        assert!(ended.stderr.contains("ended early"), "{}", ended.stderr);
    }
}

#[test]
fn a_signal_lets_what_runs_end() {
    let inputs = format!("{LONG}\n{LONG}\n").repeat(50);
    let running = taskcell!().args(["map", "-j", "2"]).arg(wat("numbers")).arg("burn").stdin(inputs).start();
    until("both workers to be busy", || (running.busy_workers(BUSY).len() == 2).then_some(()));
    running.signal(Signal::TERM);
    let ended = running.end();
    assert_eq!(ended.code, Some(143), "{ended:#?}");
    let long = LONG.to_string();
    assert_eq!(ended.lines(), [long.as_str(); 2], "what ran was brought to its end: {}", ended.stderr);
}

#[test]
fn the_second_signal_ends_it_at_once() {
    for (signal, code) in [(Signal::TERM, 143), (Signal::INT, 130)] {
        let mut running = taskcell!().args(["map", "-j", "2"]).arg(wat("numbers")).arg("spin").args(["0", "0", "1"]).start();
        until("both workers to be busy", || (running.busy_workers(BUSY).len() == 2).then_some(()));
        running.signal(signal);
        // Signals of one kind that come together count once.
        std::thread::sleep(std::time::Duration::from_millis(300));
        assert!(!running.has_ended(), "the first lets what runs go on");
        running.signal(signal);
        let ended = running.end();
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(code), ""), "{ended:#?}");
    }
}

#[test]
fn a_signal_while_a_call_runs_cancels_it() {
    let running = taskcell!().call(wat("numbers"), "spin(0)").start();
    until("the worker to be busy", || (running.busy_workers(BUSY).len() == 1).then_some(()));
    running.signal(Signal::INT);
    let ended = running.end();
    assert_eq!(ended.one_error(130), "the task was cancelled");
}

/// That no worker is left is checked where a run ends: here only the death is arranged.
#[test]
fn nothing_survives_a_killed_supervisor() {
    for stopped in [false, true] {
        let running = taskcell!().args(["map", "-j", "3"]).arg(wat("numbers")).arg("spin").args(["0", "0", "0", "0"]).start();
        let workers = until("the workers to be busy", || Some(running.busy_workers(BUSY)).filter(|busy| busy.len() == 3));
        if stopped {
            send(workers[0].pid, Signal::STOP);
            until("a stopped worker", || {
                running.workers().iter().any(|worker| worker.pid == workers[0].pid && worker.state == 'T').then_some(())
            });
        }
        running.signal(Signal::KILL);
        let ended = running.end();
        assert_eq!(ended.signal, Some(9), "{ended:#?}");
    }
}

#[test]
fn nothing_survives_a_supervisor_that_is_killed_while_it_compiles() {
    // Killed at several moments, since no one moment can be seen from outside.
    for wait in [0, 2, 5, 10, 20, 40, 80, 160] {
        let running = taskcell!().args(["map", "--no-cache"]).arg(taskcell_tests::built("types")).args(["echo-u32", "1"]).start();
        std::thread::sleep(std::time::Duration::from_millis(wait));
        running.signal(Signal::KILL);
        drop(running.end());
    }
}

#[test]
fn a_stopped_worker_is_replaced_when_its_task_is_over_its_time() {
    let options = ["map", "-j", "1", "--timeout", "5s"];
    let running = taskcell!().args(options).arg(wat("numbers")).arg("spin").args(["0", "7"]).start();
    // Less than elsewhere: it has to get so much processor time before its own time is over.
    let busy = until("the worker to be busy", || running.busy_workers(BUSY / 5).into_iter().next());
    send(busy.pid, Signal::STOP);
    let ended = running.end();
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), "7\n"), "{ended:#?}");
    assert_eq!(ended.complaints().len(), 1, "{ended:#?}");
}

//! Being told to end, and being ended: whole lines, the right exit code, nothing left. (`death.rs` has the plain cases.)
#![expect(clippy::print_stdout, reason = "tells how long nothing took to be left")]

use std::io::{BufRead, Read, Write};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use taskcell_tests::process::Process;
use taskcell_tests::running::send;
use taskcell_tests::{Running, built, taskcell, until, wat};

/// Half a second of processor time: no other part of a worker's life takes that, so it is at a long task.
const BUSY: u64 = 50;
/// Takes some seconds.
const LONG: &str = "8000000000";

/// A map whose two workers are at tasks that never end.
fn spinning() -> (Running, Vec<Process>) {
    let running =
        taskcell!().args(["map", "-j", "2"]).arg(wat("numbers")).arg("spin").args(["0", "0", "0"]).after("ulimit -c 0").start();
    let workers = until("both workers to be busy", || Some(running.busy_workers(BUSY)).filter(|busy| busy.len() == 2));
    (running, workers)
}

fn stop(pid: i32) {
    send(pid, Signal::STOP);
    until("a stopped process", || Process::read(pid).filter(|process| process.state == 'T'));
}

/// Kills the supervisor, and tells how long it took until none of its processes was left.
fn kill(what: &str, mut running: Running, pids: &[i32]) {
    running.signal(Signal::KILL);
    until("the supervisor's end", || running.has_ended().then_some(()));
    let began = Instant::now();
    until("the end of its processes", || {
        pids.iter().all(|pid| Process::read(*pid).is_none_or(|process| process.state == 'Z')).then_some(())
    });
    println!("{what}: nothing was left after {:?}", began.elapsed());
    // Whatever else there may be is looked for here.
    assert_eq!(running.end().signal, Some(9));
}

#[test]
fn a_killed_supervisor_takes_stopped_workers_with_it() {
    let (running, workers) = spinning();
    let pids: Vec<i32> = workers.iter().map(|worker| worker.pid).collect();
    pids.iter().for_each(|pid| stop(*pid));
    kill("stopped workers", running, &pids);
}

#[test]
fn a_killed_supervisor_takes_the_compile_child_with_it() {
    for stopped in [false, true] {
        // A large guest, so that the child is there for a while.
        let running = taskcell!().args(["map", "--no-cache"]).arg(built("types")).args(["echo-u32", "1"]).start();
        let child =
            until("a compile child", || running.workers().into_iter().find(|child| child.name.starts_with("taskcell-compil")));
        if stopped {
            stop(child.pid);
        }
        kill(if stopped { "a stopped compile child" } else { "a compile child" }, running, &[child.pid]);
    }
}

#[test]
fn a_killed_supervisor_that_was_stopped_takes_its_workers_with_it() {
    let (running, workers) = spinning();
    stop(running.pid());
    kill("a stopped supervisor", running, &workers.iter().map(|worker| worker.pid).collect::<Vec<_>>());
}

#[test]
fn a_terminal_that_hangs_up_lets_what_runs_end() {
    let inputs = format!("{LONG}\n").repeat(50);
    let running = taskcell!().args(["map", "-j", "2"]).arg(wat("numbers")).arg("burn").stdin(inputs).start();
    until("both workers to be busy", || (running.busy_workers(BUSY).len() == 2).then_some(()));
    running.signal(Signal::HUP);
    let ended = running.end();
    assert_eq!((ended.code, ended.lines()), (Some(129), vec![LONG; 2]), "{ended:#?}");
    assert!(ended.stderr.contains("ended early"), "{ended:#?}");
}

#[test]
fn what_was_ignored_from_the_start_stays_ignored() {
    for (name, signal) in [("HUP", Signal::HUP), ("INT", Signal::INT)] {
        let run = taskcell!().args(["map", "-j", "1"]).arg(wat("numbers")).arg("burn").args([LONG, "1"]);
        let running = run.under(["env", &format!("--ignore-signal={name}")]).start();
        until("the worker to be busy", || (running.busy_workers(BUSY).len() == 1).then_some(()));
        running.signal(signal);
        running.signal(signal);
        assert_eq!(running.end().well().lines(), [LONG, "1"], "{name}");
    }
}

#[test]
fn the_quit_signal_ends_all_at_once() {
    let (running, _) = spinning();
    running.signal(Signal::QUIT);
    let ended = running.end();
    assert_eq!((ended.signal, ended.stdout.as_str()), (Some(3), ""), "{ended:#?}");
}

#[test]
fn a_signal_before_there_are_tasks_ends_all_at_once() {
    let endless =
        || taskcell!().args(["map", "-j", "1"]).arg(wat("hostile/infinite-loop-in-start")).args(["attack", "1"]).start();
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 129)] {
        // The worker is busy with its start function, and no task was given out.
        let running = endless();
        until("a busy worker", || (!running.busy_workers(BUSY / 5).is_empty()).then_some(()));
        running.signal(signal);
        let ended = running.end();
        assert_eq!((ended.code, ended.stdout.as_str(), ended.stderr.as_str()), (Some(code), "", ""), "{ended:#?}");
    }
    let compiling = taskcell!().args(["map", "--no-cache"]).arg(built("types")).args(["echo-u32", "1"]).start();
    until("a compile child", || (!compiling.workers().is_empty()).then_some(()));
    compiling.signal(Signal::TERM);
    let ended = compiling.end();
    assert_eq!((ended.signal, ended.stdout.as_str(), ended.stderr.as_str()), (Some(15), "", ""), "{ended:#?}");
}

/// The results that are there go out in whole lines, however late the reader takes them; the tasks after them do not run.
#[test]
fn a_slow_reader_gets_whole_lines_of_a_run_that_was_told_to_end() {
    let endless = |stdin: &mut dyn Write| (0u64..).try_for_each(|n| writeln!(stdin, "{n}"));
    let mut running = taskcell!().map(wat("numbers"), "echo").stdin_from(endless).start();
    let mut stdout = running.take_stdout();
    let mut first = String::new();
    stdout.read_line(&mut first).expect("a line");
    // The pipe is full, and so is what is kept for it.
    std::thread::sleep(Duration::from_millis(500));
    running.signal(Signal::TERM);
    std::thread::sleep(Duration::from_millis(500));
    assert!(!running.has_ended(), "it waits for the reader");
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).expect("text");
    let ended = running.end();
    assert_eq!(ended.code, Some(143), "{}", ended.stderr);
    assert!(rest.ends_with('\n'), "whole lines");
    for (n, line) in (0u64..).zip(std::iter::once(first.trim_end()).chain(rest.lines())) {
        assert_eq!(line, n.to_string(), "no gap and nothing twice");
    }
}

#[test]
fn the_second_signal_ends_a_run_whose_reader_does_not_read() {
    let endless = |stdin: &mut dyn Write| (0u64..).try_for_each(|n| writeln!(stdin, "{n}"));
    let mut running = taskcell!().map(wat("numbers"), "echo").stdin_from(endless).start();
    let stdout = running.take_stdout();
    std::thread::sleep(Duration::from_millis(500));
    running.signal(Signal::INT);
    std::thread::sleep(Duration::from_millis(300));
    running.signal(Signal::INT);
    until("the end", || running.has_ended().then_some(()));
    assert_eq!(running.end().code, Some(130));
    drop(stdout);
}

#[test]
fn a_job_over_its_deadline_is_stopped() {
    let options = ["map", "-j", "2", "--deadline", "2s"];
    let ended = taskcell!().args(options).arg(wat("numbers")).arg("spin").args(["1", "2", "0", "0", "0"]).run();
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), "1\n2\n"), "{ended:#?}");
    assert!(ended.complaints().last().is_some_and(|last| last.starts_with("the deadline passed")), "{ended:#?}");
}

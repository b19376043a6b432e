//! What a task knows of itself and tells; and how it stops.

use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use taskcell_engine::StopReason;
use taskcell_wire::call::{
    Call, CallError, EventCall, HandleId, HandleKind, Identity, Level, Reply, RunArgument, TaskId, TaskValue, Tell,
};
use taskcell_wire::{Grants, Isolation};

use crate::stage::{Comes, Stage, bytes, handle, json};
use crate::tasks::compiled;

fn identity(id: u64, attempt: u32, parent: Option<TaskId>) -> (Call<'static>, Comes) {
    (Call::Identity, Reply::Identity(Identity { id: TaskId(id), attempt, name: "n".into(), parent }).into())
}

#[test]
fn who_it_is_is_asked_once_an_attempt() {
    for isolation in [Isolation::Fresh, Isolation::Reuse] {
        let mut stage = compiled().stage_with(isolation, Grants::default(), |_| {});
        let expected = r#"{"id":5,"attempt":2,"name":"n","parent":4}"#;
        stage.check("task-self", &[], &[identity(5, 2, Some(TaskId(4)))], expected);
        stage.check("task-self", &[], &[identity(6, 1, None)], r#"{"id":6,"attempt":1,"name":"n","parent":null}"#);
        stage.check("self-twice", &[], &[identity(7, 1, None)], "14");
    }
}

#[test]
fn what_it_tells_is_cut() {
    let mut stage = compiled().stage();
    stage.check("task-cpu-count", &[], &[], "3");
    let (ended, log) = stage.run("task-progress", &[json("1"), json("2"), bytes(b"half")], &[]);
    let told = Tell::Progress { done: 1, total: Some(2), note: "half" };
    assert_eq!((ended.as_str(), log), ("null", vec![format!("{told:?}")]));
    // Two bytes each, from an odd place on: the border is one byte before.
    let long = format!("x{}", "é".repeat(200)).leak();
    let (_, log) = stage.run("task-progress", &[json("1"), json("null"), bytes(long.as_bytes())], &[]);
    assert_eq!(log, [format!("{:?}", Tell::Progress { done: 1, total: None, note: &long[..255] })]);
    for (word, level) in [
        ("\"trace\"", Level::Trace),
        ("\"debug\"", Level::Debug),
        ("\"info\"", Level::Info),
        ("\"warn\"", Level::Warn),
        ("\"error\"", Level::Error),
    ] {
        let (_, log) = stage.run("task-log", &[json(word), bytes(b"a\nb\x1b[31m")], &[]);
        assert_eq!(log, [format!("{:?}", Tell::Log { level, text: "a\nb\u{1b}[31m" })]);
    }
    let long = "y".repeat(5000).leak();
    let (_, log) = stage.run("task-log", &[json("\"info\""), bytes(long.as_bytes())], &[]);
    assert_eq!(log, [format!("{:?}", Tell::Log { level: Level::Info, text: &long[..4096] })]);
}

/// Runs a task while the epoch moves on, and asks it to stop with this after a while.
fn run_and_stop(stage: &mut Stage, task: &str, arguments: &[RunArgument<'static>], script: &[Comes], how: u32) -> String {
    let (ticker, stop) = (stage.guest.ticker(), std::sync::Arc::clone(&stage.stop));
    let done = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let watch = thread::spawn({
        let done = std::sync::Arc::clone(&done);
        move || {
            thread::sleep(Duration::from_millis(20));
            stop.0.store(how, Ordering::Relaxed);
            while !done.load(Ordering::Relaxed) {
                ticker.tick();
                thread::sleep(Duration::from_millis(1));
            }
        }
    });
    let (ended, _) = stage.run(task, arguments, script);
    done.store(true, Ordering::Relaxed);
    watch.join().unwrap();
    stage.stop.0.store(0, Ordering::Relaxed);
    ended
}

#[test]
fn a_task_that_asks_ends_in_its_own_way_within_its_time() {
    let mut stage = compiled().stage();
    assert_eq!(run_and_stop(&mut stage, "until-cancelled", &[], &[], 1), "true");
    assert_eq!(run_and_stop(&mut stage, "for-ever", &[], &[], 1), "cancelled");
    assert_eq!(run_and_stop(&mut stage, "for-ever", &[], &[], 2), "timed out");
    // That the last one knew of it is forgotten.
    assert_eq!(run_and_stop(&mut stage, "for-ever", &[], &[], 1), "cancelled");
    stage.check("task-cancelled", &[], &[], "false");
}

#[test]
fn a_task_that_was_told_in_a_call_goes_on_until_its_time_is_over() {
    let mut stage = compiled().stage();
    let event = [handle(HandleKind::Event, 3)];
    let cancelled = [Comes::from(CallError::Cancelled)];
    let began = std::time::Instant::now();
    let (ticker, stop) = (stage.guest.ticker(), std::sync::Arc::clone(&stage.stop));
    stop.0.store(1, Ordering::Relaxed);
    let watch = thread::spawn(move || {
        for _ in 0..30 {
            thread::sleep(Duration::from_millis(2));
            ticker.tick();
        }
        stop.0.store(2, Ordering::Relaxed);
        ticker.tick();
    });
    let (ended, _) = stage.run("wait-and-go-on", &event, &cancelled);
    watch.join().unwrap();
    assert_eq!(ended, "timed out");
    assert!(began.elapsed() >= Duration::from_millis(60), "it was stopped before its time");
    // One that was answered otherwise knows of nothing.
    stage.stop.0.store(0, Ordering::Relaxed);
    assert_eq!(run_and_stop(&mut stage, "wait-and-go-on", &event, &[CallError::Closed.into()], 1), "cancelled");
}

#[test]
fn a_call_may_be_where_it_stops() {
    let mut stage = compiled().stage();
    let ask = || Call::Event(HandleId(3), EventCall::Wait { timeout: None });
    let event = [handle(HandleKind::Event, 3), json("null")];
    stage.check("event-wait", &event, &[(ask(), Comes::Stopped(StopReason::TimedOut))], "timed out");
    stage.check("event-wait", &event, &[(ask(), Comes::Stopped(StopReason::Cancelled))], "cancelled");
    let (ended, _) = stage.run("event-wait", &event, &[Comes::Gone]);
    assert!(ended.starts_with("trapped other: ") && ended.contains("the script says so"), "{ended}");
    let (ended, _) = stage.run("event-wait", &event, &[Comes::Nothing]);
    assert!(ended.starts_with("trapped other: ") && ended.contains("no answer"), "{ended}");
    // And so for functions that can't fail.
    let (ended, _) = stage.run("event-set", &event[..1], &[Comes::Stopped(StopReason::TimedOut)]);
    assert_eq!(ended, "timed out");
    let none = RunArgument::Value(TaskValue::None);
    stage.check("nothing", &[none], &[], "null");
}

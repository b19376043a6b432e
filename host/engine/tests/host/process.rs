//! Processes and invocations.

use taskcell_wire::call::{
    Argument, Batch, Call, Create, Ended, HandleId, HandleKind, Invocation, ProcessCall, ProcessOptions, ProcessReply, Reply,
    TaskId, TaskState, TaskValue,
};

use crate::stage::{Comes, handle, json};
use crate::tasks::compiled;

fn spawn(arguments: Vec<Argument<'static>>, options: ProcessOptions) -> (Call<'static>, Comes) {
    let task = Invocation { task: "task!", arguments: Batch(arguments) };
    (Call::Create(Create::Process { task, options }), Reply::Started(HandleId(8), TaskId(77)).into())
}

#[test]
fn each_function_asks_what_it_says() {
    let mut stage = compiled().stage();
    let spawned = || spawn(vec![], ProcessOptions::default());
    let options = ProcessOptions { name: Some("p".into()), timeout: Some(1), memory_bytes: Some(2), detached: true };
    let given = json(r#"{"name":"p","timeout":1,"memory-bytes":2,"detached":true}"#);
    stage.check("process-spawn", &[given], &[spawn(vec![], options)], "1");
    // These two know by themselves.
    stage.check("process-id", &[], &[spawned()], "77");
    stage.check("process-name", &[], &[spawned()], "\"task!\"");
    stage.check("process-ended", &[], &[spawned()], "2");
    let ask = |call, reply| [spawned(), (Call::Process(HandleId(8), call), Comes::from(Reply::Process(reply)))];
    stage.check("process-pid", &[], &ask(ProcessCall::Pid, ProcessReply::Pid(Some(123))), "123");
    stage.check("process-pid", &[], &ask(ProcessCall::Pid, ProcessReply::Pid(None)), "null");
    for (state, expected) in [
        (TaskState::Ready, r#"{"ready":null}"#),
        (TaskState::Running, r#"{"running":null}"#),
        (TaskState::Waiting("queue 3: get".into()), r#"{"waiting":"queue 3: get"}"#),
        (TaskState::Ended, r#"{"ended":null}"#),
    ] {
        stage.check("process-state", &[], &ask(ProcessCall::State, ProcessReply::State(state)), expected);
    }
    stage.check("process-terminate", &[json("9")], &ask(ProcessCall::Terminate { grace: 9 }, ProcessReply::Done), "null");
    stage.check("process-kill", &[], &ask(ProcessCall::Kill, ProcessReply::Done), "null");
}

#[test]
fn every_end_is_told() {
    let mut stage = compiled().stage();
    for (ended, expected) in [
        (Ended::Ok(TaskValue::None), r#"{"ok":{"none":null}}"#),
        (Ended::Ok(TaskValue::Json(b"[1]".into())), r#"{"ok":{"json":"[1]"}}"#),
        (Ended::Ok(TaskValue::Bytes(b"hi".into())), r#"{"ok":{"bytes":"aGk="}}"#),
        (Ended::Failed(TaskValue::Json(b"\"no\"".into())), r#"{"failed":{"json":"\"no\""}}"#),
        (Ended::Trapped("unreachable".into()), r#"{"trapped":"unreachable"}"#),
        (Ended::TimedOut, r#"{"timed-out":null}"#),
        (Ended::OverLimit("memory".into()), r#"{"over-limit":"memory"}"#),
        (Ended::Cancelled, r#"{"cancelled":null}"#),
        (Ended::Lost("killed".into()), r#"{"lost":"killed"}"#),
    ] {
        let join = Call::Process(HandleId(8), ProcessCall::Join { timeout: Some(4) });
        let joined = (join, Comes::from(Reply::Process(ProcessReply::Ended(ended))));
        stage.check("process-join", &[json("4")], &[spawn(vec![], ProcessOptions::default()), joined], expected);
    }
    // A value that says that it is JSON, and is no text, is none.
    let broken = Reply::Process(ProcessReply::Ended(Ended::Ok(TaskValue::Json(b"\xff".into()))));
    let (ended, _) = stage.run("process-join", &[json("4")], &[spawn(vec![], ProcessOptions::default()).1, broken.into()]);
    assert!(ended.starts_with("trapped other") && ended.contains("another kind"), "{ended}");
}

#[test]
fn arguments_go_in_the_order_in_which_they_were_pushed() {
    let mut stage = compiled().stage();
    let given: Vec<_> = HandleKind::ALL.into_iter().zip(20..).map(|(kind, id)| handle(kind, id)).collect();
    let lent = |id| Argument::Handle(HandleId(id));
    let arguments = vec![
        Argument::Value(TaskValue::Json(b"task".into())),
        lent(20),
        lent(21),
        lent(22),
        lent(23),
        Argument::Value(TaskValue::Bytes(b"ask!".into())),
        lent(24),
        lent(25),
        lent(26),
        lent(27),
        Argument::Value(TaskValue::None),
    ];
    let (call, comes) = spawn(arguments, ProcessOptions::default());
    let (ended, log) = stage.run("spawn-with-all", &given, &[comes]);
    // The queue was dropped when it was pushed already; the invocation kept it until it was used.
    assert_eq!((ended.as_str(), log), ("9", vec![format!("{call:?}"), "Drop(HandleId(20))".to_owned()]));
}

#[test]
fn an_invocation_that_is_not_used_closes_the_ends_that_it_carries() {
    let mut stage = compiled().stage();
    let given = [handle(HandleKind::Connection, 3), handle(HandleKind::Queue, 4)];
    let (ended, log) = stage.run("drop-invocation", &given, &[]);
    assert_eq!((ended.as_str(), log), ("null", vec!["Drop(HandleId(3))".to_owned()]));
}

#[test]
fn an_end_that_was_given_away_is_gone() {
    let mut stage = compiled().stage();
    let (ended, log) = stage.run("use-moved-end", &[handle(HandleKind::Connection, 3)], &[]);
    assert!(ended.starts_with("trapped abi: ") && ended.contains("handle"), "{ended}");
    assert_eq!(log, Vec::<String>::new());
}

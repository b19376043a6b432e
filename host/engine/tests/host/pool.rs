//! Pools, futures and mappings.

use taskcell_wire::Isolation;
use taskcell_wire::call::{
    Argument, Batch, Call, CallError, Create, Ended, FutureCall, HandleId, HandleKind, Interest, Invocation, Mapped, MappingCall,
    PoolCall, PoolReply, PoolSettings, Reply, TaskId, TaskState, TaskValue,
};

use crate::stage::{Comes, handle, json};
use crate::tasks::compiled;

type Asked = (Call<'static>, Comes);

fn pool() -> Asked {
    (Call::Create(Create::Pool(PoolSettings::default())), Reply::Handle(HandleId(8)).into())
}

fn submit(arguments: Vec<Argument<'static>>) -> Asked {
    let task = Invocation { task: "task!", arguments: Batch(arguments) };
    (Call::Pool(HandleId(8), PoolCall::Submit(task)), Reply::Started(HandleId(9), TaskId(77)).into())
}

fn imap() -> Asked {
    let imap = PoolCall::Imap { task: "task!", ordered: true, window: 7 };
    (Call::Pool(HandleId(8), imap), Reply::Handle(HandleId(9)).into())
}

fn reply(reply: PoolReply<'static>) -> Comes {
    Reply::Pool(reply).into()
}

fn values() -> Batch<TaskValue<'static>> {
    Batch(vec![TaskValue::None, TaskValue::Json(b"1".into()), TaskValue::Bytes(b"hi".into())])
}

const VALUES: &str = r#"[{"none":null},{"json":"1"},{"bytes":"aGk="}]"#;

#[test]
fn pools_ask_what_they_say() {
    let mut stage = compiled().stage();
    let settings = PoolSettings {
        workers: Some(1),
        isolation: Isolation::Reuse,
        timeout: Some(2),
        retries: 3,
        memory_bytes: Some(4),
        max_tasks_per_worker: Some(5),
        name: Some("p".into()),
    };
    let create = (Call::Create(Create::Pool(settings)), Reply::Handle(HandleId(8)).into());
    let given =
        r#"{"workers":1,"isolation":"reuse","timeout":2,"retries":3,"memory-bytes":4,"max-tasks-per-worker":5,"name":"p"}"#;
    stage.check("pool-create", &[json(given)], &[create], "1");
    let ask = |call, comes| [pool(), (Call::Pool(HandleId(8), call), comes)];
    let map = || PoolCall::Map { task: "t", values: values() };
    let outcomes = vec![Ended::Ok(TaskValue::Json(b"2".into())), Ended::TimedOut, Ended::Cancelled];
    let expected = r#"[{"ok":{"json":"2"}},{"timed-out":null},{"cancelled":null}]"#;
    stage.check("pool-map", &[json("\"t\""), json(VALUES)], &ask(map(), reply(PoolReply::Outcomes(outcomes))), expected);
    // Outcomes of another number of values are none.
    let (ended, _) = stage.run("pool-map", &[json("\"t\""), json(VALUES)], &[pool().1, reply(PoolReply::Outcomes(vec![]))]);
    assert!(ended.contains("another kind"), "{ended}");
    stage.check("pool-imap", &[json("\"task!\""), json("true"), json("7")], &[pool(), imap()], "2");
    stage.check("pool-drain", &[json("3")], &ask(PoolCall::Drain { timeout: Some(3) }, reply(PoolReply::Done)), "null");
    let shutdown = || PoolCall::Shutdown { cancel_pending: true };
    stage.check("pool-shutdown", &[json("true")], &ask(shutdown(), reply(PoolReply::Done)), "null");
    stage.check("pool-shutdown", &[json("true")], &ask(shutdown(), CallError::Closed.into()), "null");
    stage.check("pool-kill", &[], &ask(PoolCall::Kill, reply(PoolReply::Done)), "null");
}

#[test]
fn futures_ask_what_they_say() {
    let mut stage = compiled().stage();
    let ask = |call, comes| [pool(), submit(vec![]), (Call::Future(HandleId(9), call), comes)];
    stage.check("future-id", &[], &[pool(), submit(vec![])], "77");
    stage.check("future-ready", &[], &[pool(), submit(vec![])], "3");
    let state = reply(PoolReply::State(TaskState::Running));
    stage.check("future-state", &[], &ask(FutureCall::State, state), r#"{"running":null}"#);
    let ended = reply(PoolReply::Ended(Ended::Failed(TaskValue::None)));
    let result = ask(FutureCall::Result { timeout: None }, ended);
    stage.check("future-result", &[json("null")], &result, r#"{"failed":{"none":null}}"#);
    stage.check("future-cancel", &[], &ask(FutureCall::Cancel, reply(PoolReply::Cancelled(true))), "true");
}

#[test]
fn mappings_ask_what_they_say() {
    let mut stage = compiled().stage();
    let ask = |call, comes| [pool(), imap(), (Call::Mapping(HandleId(9), call), comes)];
    let push = || MappingCall::Push { values: values(), timeout: Some(0) };
    stage.check("mapping-push", &[json(VALUES), json("0")], &ask(push(), reply(PoolReply::Pushed(2))), "2");
    // More than were given are not added.
    let (ended, _) = stage.run("mapping-push", &[json(VALUES), json("0")], &[pool().1, imap().1, reply(PoolReply::Pushed(4))]);
    assert!(ended.contains("another kind"), "{ended}");
    stage.check("mapping-finish", &[], &ask(MappingCall::Finish, reply(PoolReply::Done)), "null");
    stage.check("mapping-finish", &[], &ask(MappingCall::Finish, CallError::Closed.into()), "null");
    stage.check("mapping-ready", &[], &[pool(), imap()], "3");
    let due = vec![Mapped { index: 5, ended: Ended::Ok(TaskValue::None) }, Mapped { index: 6, ended: Ended::Lost("x".into()) }];
    let next = ask(MappingCall::Next { limit: 2, timeout: None }, reply(PoolReply::Mapped(due)));
    let expected = r#"[{"index":5,"outcome":{"ok":{"none":null}}},{"index":6,"outcome":{"lost":"x"}}]"#;
    stage.check("mapping-next", &[json("2"), json("null")], &next, expected);
}

#[test]
fn an_end_that_went_with_a_task_is_ready_at_once_and_never_dropped() {
    let mut stage = compiled().stage();
    let given = [handle(HandleKind::Connection, 3), handle(HandleKind::Event, 4)];
    let moved = || submit(vec![Argument::Handle(HandleId(3))]);
    let on = Batch(vec![(HandleId(4), Interest::In)]);
    // Not asked to wait, because the first is ready already.
    let wait = || Call::WaitAny { on: on.clone(), timeout: Some(0) };
    stage.check("give-end", &given, &[pool(), moved(), (wait(), CallError::TimedOut.into())], "[0]");
    stage.check("give-end", &given, &[pool(), moved(), (wait(), Reply::Places(vec![0]).into())], "[0,1]");
}

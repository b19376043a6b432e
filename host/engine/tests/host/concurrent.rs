//! Guests with an `async func`: the engine calls everything of theirs in another way, and the host's functions are the same.

use taskcell_wire::call::{
    Call, CallError, EventCall, EventReply, HandleId, HandleKind, QueueCall, QueueReply, Reply, RunArgument, TaskValue,
};
use taskcell_wire::{Grants, Isolation, Limits};

use crate::guest::{Does, Task, component};
use crate::stage::{Comes, Compiled, bytes, handle, json};
use crate::tasks::concurrent;

#[test]
fn a_plain_function_may_be_called_beside_an_async_one() {
    assert!(concurrent().interface.is_concurrent);
    for isolation in [Isolation::Fresh, Isolation::Reuse] {
        let mut stage = concurrent().stage_with(isolation, Grants::default(), |_| {});
        let queue = || handle(HandleKind::Queue, 3);
        let get = (
            Call::Queue(HandleId(3), QueueCall::Get { timeout: Some(5) }),
            Comes::from(Reply::Queue(QueueReply::Message(b"hi".into()))),
        );
        stage.check("queue-get", &[queue(), json("5")], &[get], "\"aGk=\"");
        let put = QueueCall::Put { message: b"m".into(), timeout: None };
        let put = (Call::Queue(HandleId(3), put), Comes::from(CallError::Closed));
        stage.check("queue-put", &[queue(), bytes(b"m"), json("null")], &[put], r#"failed {"closed":null}"#);
        let set = || Call::Event(HandleId(4), EventCall::Set);
        let event = || [handle(HandleKind::Event, 4)];
        stage.check("event-set", &event(), &[(set(), Reply::Event(EventReply::Done).into())], "null");
        let (ended, _) = stage.run("event-set", &event(), &[CallError::Denied.into()]);
        assert!(ended.contains("event.set can't fail"), "{ended}");
        let (ended, log) = stage.run("queue-drop", &[queue()], &[]);
        assert_eq!((ended.as_str(), log), ("null", vec!["Drop(HandleId(3))".to_owned()]));
        let (ended, _) = stage.run("keep-borrowed", &[queue()], &[]);
        assert!(ended.contains("borrow"), "{ended}");
        let (ended, log) = stage.run("fill-table", &event(), &[]);
        assert!(ended.starts_with("over handles: ") && log.is_empty(), "{ended}");
        stage.check("later", &[RunArgument::Value(TaskValue::None)], &[], "null");
    }
}

#[test]
fn an_async_function_may_call_too() {
    let compiled = Compiled::new(
        &component(
            "use taskcell:host/sync@0.1.0.{event};",
            &[],
            Some(("(e: event)", "(param i32)", "(call $sync/event.set (local.get 0))")),
        ),
        Limits::default(),
    );
    let mut stage = compiled.stage();
    let set = (Call::Event(HandleId(4), EventCall::Set), Reply::Event(EventReply::Done).into());
    stage.check("later", &[handle(HandleKind::Event, 4)], &[set], "null");
}

#[test]
fn a_guest_may_sleep() {
    let sleep = "(call $poll/pollable.block (call $monotonic-clock/subscribe-duration (i64.const 1000000)))";
    let task = Task { name: "sleep", wit: "func()", does: Does::Wat(sleep) };
    let uses = "import wasi:clocks/monotonic-clock@0.2.0; import wasi:io/poll@0.2.0;";
    for is_concurrent in [false, true] {
        let later = is_concurrent.then_some(("()", "", sleep));
        let mut stage = Compiled::new(&component(uses, &[task], later), Limits::default()).stage();
        for name in ["sleep", "later"].iter().take(if is_concurrent { 2 } else { 1 }) {
            let began = std::time::Instant::now();
            stage.check(name, &[], &[], "null");
            assert!(began.elapsed() >= std::time::Duration::from_millis(1));
        }
    }
}

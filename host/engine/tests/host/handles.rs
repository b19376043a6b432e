//! Handles as parameters, and how long they live.

use taskcell_wire::call::{Call, CallError, HandleId, HandleKind, QueueCall, QueueCounts, QueueReply, Reply};
use taskcell_wire::{Grants, Isolation, TypeDef};

use crate::stage::{Comes, bytes, handle, json};
use crate::tasks::compiled;

fn queue(id: u64) -> taskcell_wire::call::RunArgument<'static> {
    handle(HandleKind::Queue, id)
}

fn counts(id: u64, waiting: u32) -> (Call<'static>, Comes) {
    let counts = QueueCounts { waiting, ..QueueCounts::default() };
    (Call::Queue(HandleId(id), QueueCall::Counts), Reply::Queue(QueueReply::Counts(counts)).into())
}

#[test]
fn a_parameter_says_of_what_it_is_a_handle() {
    let interface = &compiled().interface;
    let types = |task: &str| {
        let signature = interface.tasks.iter().find(|signature| signature.name == task).unwrap();
        signature.params.iter().map(|(_, ty)| interface.types.get(*ty).unwrap().clone()).collect::<Vec<_>>()
    };
    let own: Vec<TypeDef> = types("spawn-with-all");
    assert_eq!(own, HandleKind::ALL.map(|kind| TypeDef::Handle(kind.own())));
    assert_eq!(types("borrow-queue"), [TypeDef::Handle("borrow<queue>".into())]);
    assert!(interface.imports.iter().all(|import| import.provided), "{:?}", interface.imports);
    assert!(interface.imports.len() >= 8);
}

#[test]
fn a_task_may_have_a_handle_for_the_length_of_its_call() {
    for isolation in [Isolation::Fresh, Isolation::Reuse] {
        let mut stage = compiled().stage_with(isolation, Grants::default(), |limits| limits.handles = 4);
        // More often than there is room in the table: it is taken out each time, and nobody is told.
        for id in 0..9 {
            stage.check("borrow-queue", &[queue(id)], &[counts(id, 7)], "7");
        }
        let (ended, log) = stage.run("keep-borrowed", &[queue(3)], &[]);
        assert!(ended.starts_with("trapped abi: ") && ended.contains("borrow"), "{ended}");
        assert_eq!(log, Vec::<String>::new());
    }
}

#[test]
fn handles_may_stand_between_many_parameters() {
    let mut stage = compiled().stage();
    let arguments = [
        json("1"),
        queue(5),
        json("[1,2,3,4,5,6,7,8]"),
        bytes("é".as_bytes()),
        handle(HandleKind::Connection, 6),
        bytes(b"there and back"),
        json("7"),
        json("8"),
    ];
    let (ended, log) = stage.run("many-parameters", &arguments, &[]);
    assert_eq!((ended.as_str(), log), ("\"dGhlcmUgYW5kIGJhY2s=\"", vec!["Drop(HandleId(5))".to_owned()]));
}

#[test]
fn nothing_is_told_of_handles_that_go_with_their_instance() {
    let mut stage = compiled().stage();
    stage.check("keep-queue", &[queue(5)], &[], "1");
    let (ended, log) = stage.run("spawn-with-all", &HandleKind::ALL.map(|kind| handle(kind, 3)), &[CallError::Closed.into()]);
    // Apart from the one that it dropped itself.
    assert_eq!((ended.as_str(), log.len(), log[1].as_str()), (r#"failed {"closed":null}"#, 2, "Drop(HandleId(3))"));
    // A trap is no drop either.
    let (ended, log) = stage.run("use-moved-end", &[handle(HandleKind::Connection, 3)], &[]);
    assert!(ended.starts_with("trapped"), "{ended}");
    assert_eq!(log, Vec::<String>::new());
}

#[test]
fn what_a_task_left_in_its_instance_is_of_no_use_to_the_next() {
    let mut stage = compiled().stage_with(Isolation::Reuse, Grants::default(), |_| {});
    stage.check("keep-queue", &[queue(5)], &[], "1");
    // The number may well be another task's by now; nobody is asked.
    let (ended, log) = stage.run("use-kept", &[], &[]);
    assert!(ended.starts_with(r#"failed {"invalid":"the handle was given away, or is from an earlier task"#), "{ended}");
    assert_eq!(log, Vec::<String>::new());
    stage.check("ready-of-kept", &[], &[], "true");
    stage.check("drop-kept", &[], &[], "null");
    stage.check("keep-queue", &[queue(6)], &[], "1");
    let (ended, log) = stage.run("len-of-kept", &[], &[]);
    assert!(ended.contains("queue.len can't fail") && ended.contains("earlier task"), "{ended}");
    assert_eq!(log, Vec::<String>::new());
    // The instance went with that; a new one has nothing there.
    let (ended, _) = stage.run("use-kept", &[], &[]);
    assert!(ended.starts_with("trapped abi: "), "{ended}");
}

#[test]
fn the_same_task_may_use_what_it_keeps() {
    let mut stage = compiled().stage();
    let get = (
        Call::Queue(HandleId(5), QueueCall::Get { timeout: None }),
        Comes::from(Reply::Queue(QueueReply::Message(b"hi".into()))),
    );
    stage.check("queue-get", &[queue(5), json("null")], &[get], "\"aGk=\"");
}

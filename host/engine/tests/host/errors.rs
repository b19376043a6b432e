//! Every error, every wrong answer, and what functions do that can't fail by their type.

use taskcell_wire::TypeDef;
use taskcell_wire::call::{CallError, HandleId, HandleKind, LeaseId, QueueReply, Reply, RunArgument, TaskId, TaskValue};

use crate::stage::{Comes, handle, json};
use crate::tasks::{FUNCTIONS, compiled};
use crate::{guest, tasks};

fn errors() -> [(CallError, &'static str); 11] {
    let why = || "why é".to_owned();
    [
        (CallError::TimedOut, r#"{"timed-out":null}"#),
        (CallError::Closed, r#"{"closed":null}"#),
        (CallError::Cancelled, r#"{"cancelled":null}"#),
        (CallError::Denied, r#"{"denied":null}"#),
        (CallError::Lapsed, r#"{"lapsed":null}"#),
        (CallError::Broken, r#"{"broken":null}"#),
        (CallError::Quota(why()), r#"{"quota":"why é"}"#),
        (CallError::Deadlock(why()), r#"{"deadlock":"why é"}"#),
        (CallError::Invalid(why()), r#"{"invalid":"why é"}"#),
        (CallError::NotFound(why()), r#"{"not-found":"why é"}"#),
        (CallError::Other(why()), r#"{"other":"why é"}"#),
    ]
}

/// Something for each parameter of a task.
fn arguments(task: &str) -> Vec<RunArgument<'static>> {
    let interface = &compiled().interface;
    let signature = interface.tasks.iter().find(|signature| signature.name == task).unwrap();
    #[expect(clippy::wildcard_enum_match_arm, reason = "all others are numbers")]
    let one = |ty| match interface.types.get(ty).unwrap() {
        TypeDef::Handle(text) => {
            let kind = HandleKind::ALL.into_iter().find(|kind| kind.own() == *text || kind.borrow() == *text);
            handle(kind.unwrap_or_else(|| panic!("{task}: {text}")), 3)
        }
        TypeDef::Bool => json("true"),
        TypeDef::String => json("\"x\""),
        TypeDef::Option(_) => json("null"),
        TypeDef::List(_) | TypeDef::Flags(_) => json("[]"),
        TypeDef::Enum(names) => json(format!("\"{}\"", names[0]).leak()),
        TypeDef::Record(_) if task.starts_with("pool") => json(r#"{"isolation":"fresh","retries":0}"#),
        TypeDef::Record(_) if task.starts_with("process") => json(r#"{"detached":false}"#),
        TypeDef::Record(_) if task.starts_with("pipe") => json(r#"{"duplex":false}"#),
        TypeDef::Record(_) => json("{}"),
        _ => json("1"),
    };
    signature.params.iter().map(|(_, ty)| one(*ty)).collect()
}

/// What is answered before the last call of a task that has to make something first.
fn before(task: &str) -> Vec<Comes> {
    let handle = || Reply::Handle(HandleId(8)).into();
    let started = || Reply::Started(HandleId(9), TaskId(1)).into();
    match task.split('-').next().unwrap() {
        "delivery" => vec![Reply::Queue(QueueReply::Delivery { lease: LeaseId(1), attempt: 1, message: b"".into() }).into()],
        "process" if task != "process-spawn" => vec![started()],
        "pool" if task != "pool-create" => vec![handle()],
        "future" => vec![handle(), started()],
        "mapping" => vec![handle(), handle()],
        _ => Vec::new(),
    }
}

/// Whether a function makes a call of its own.
fn calls(task: &str) -> bool {
    let local = ["message", "attempt", "id", "name", "drop", "ended", "progress", "log", "count", "cancelled"];
    let last = task.rsplit('-').next().unwrap();
    let waitable = last == "ready" && task != "waitable-ready";
    (!local.contains(&last) || ["delivery-drop", "future-cancelled"].contains(&task)) && !waitable
}

#[test]
fn every_function_has_a_task() {
    let text = tasks::all().iter().map(|task| format!("{} ", task.does.text())).collect::<String>();
    let missing: Vec<String> = guest::imports().into_iter().filter(|id| !text.contains(&format!("{id} "))).collect();
    assert_eq!(missing, Vec::<String>::new());
}

#[test]
fn each_error_of_each_function_is_told() {
    let mut stage = compiled().stage();
    for task in FUNCTIONS.iter().filter(|task| task.wit.ends_with("error>")) {
        for (error, expected) in errors() {
            let script = [before(task.name), vec![error.into()]].concat();
            let count = script.len();
            let (ended, log) = stage.run(task.name, &arguments(task.name), &script);
            assert_eq!(ended, format!("failed {expected}"), "{}", task.name);
            assert_eq!(log.len(), count, "{}: {log:?}", task.name);
        }
    }
}

#[test]
fn a_function_that_cannot_fail_ends_the_task_with_the_reason() {
    let mut stage = compiled().stage();
    for task in FUNCTIONS.iter().filter(|task| !task.wit.ends_with("error>") && calls(task.name)) {
        let script = [before(task.name), vec![CallError::Denied.into()]].concat();
        let (ended, _) = stage.run(task.name, &arguments(task.name), &script);
        match task.name {
            "delivery-drop" => assert_eq!(ended, "null"),
            "waitable-ready" => assert_eq!(ended, "true"),
            name => assert!(ended.starts_with("trapped other: ") && ended.contains("answered: denied"), "{name}: {ended}"),
        }
    }
}

#[test]
fn an_answer_of_another_kind_ends_the_task() {
    let mut stage = compiled().stage();
    for task in FUNCTIONS.iter().filter(|task| calls(task.name)) {
        for wrong in [Reply::Input(b"".into()), Reply::Process(taskcell_wire::call::ProcessReply::Done)] {
            let done = matches!(wrong, Reply::Process(_)) && ["process-terminate", "process-kill"].contains(&task.name);
            if done || task.name == "delivery-drop" {
                continue;
            }
            let script = [before(task.name), vec![wrong.into()]].concat();
            let (ended, _) = stage.run(task.name, &arguments(task.name), &script);
            assert!(ended.starts_with("trapped other: ") && ended.contains("another kind"), "{}: {ended}", task.name);
        }
    }
}

#[test]
fn a_drop_is_told_once() {
    let mut stage = compiled().stage();
    for task in FUNCTIONS.iter().filter(|task| task.name.ends_with("-drop") && task.name != "delivery-drop") {
        let script = before(task.name);
        let made = script.len();
        let (ended, log) = stage.run(task.name, &arguments(task.name), &script);
        let id = match script.last() {
            None => 3,
            Some(Comes::Answer(Ok(Reply::Handle(id) | Reply::Started(id, _)))) => id.0,
            other => panic!("{other:?}"),
        };
        assert_eq!((ended.as_str(), &log[made..]), ("null", &[format!("Drop(HandleId({id}))")][..]), "{}", task.name);
    }
    let none = RunArgument::Value(TaskValue::None);
    assert_eq!(stage.run("nothing", &[none], &[]), ("null".to_owned(), Vec::new()));
}

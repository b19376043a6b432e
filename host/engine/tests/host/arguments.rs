//! Arguments that are pushed one by one: what fits, what does not, and that both who check say the same.

use taskcell_engine::values::{CheckedArgument, check_argument, check_arguments};
use taskcell_wire::call::{HandleKind, RunArgument, TaskValue};
use taskcell_wire::{Encoding, TaskIndex};

use crate::stage::{bytes, ended, handle, json};
use crate::tasks::compiled;

fn none() -> RunArgument<'static> {
    RunArgument::Value(TaskValue::None)
}

#[test]
fn what_does_not_fit_is_told_before_anything_runs() {
    let mut stage = compiled().stage();
    let interface = &compiled().interface;
    let event = || handle(HandleKind::Event, 1);
    let queue = || handle(HandleKind::Queue, 1);
    for (task, arguments, expected) in [
        ("plain", vec![], "plain takes 3 arguments, found 0"),
        ("plain", vec![json("1"), bytes(b""), bytes(b""), json("1")], "plain takes 3 arguments, found 4"),
        ("only-bytes", vec![json("1"), json("1")], "only-bytes takes 1 argument, found 2"),
        ("nothing", vec![json("1")], "nothing takes 0 arguments, found 1"),
        ("nothing", vec![none(), none()], "nothing takes 0 arguments, found 2"),
        ("plain", vec![json("\"a\""), bytes(b""), bytes(b"")], r#"parameter "a" of plain: expected u32, found "a""#),
        (
            "plain",
            vec![json("4294967296"), bytes(b""), bytes(b"")],
            r#"parameter "a" of plain: expected u32, found 4294967296 (0 to 4294967295)"#,
        ),
        (
            "plain",
            vec![json("1 2"), bytes(b""), bytes(b"")],
            r#"parameter "a" of plain: at column 3: expected one JSON value, found "2" (trailing characters)"#,
        ),
        (
            "plain",
            vec![json("1"), bytes(b""), bytes(b"a\xff")],
            r#"parameter "c" of plain: expected UTF-8 text, found another byte at 1"#,
        ),
        ("plain", vec![bytes(b"1"), bytes(b""), bytes(b"")], r#"parameter "a" of plain: expected u32, found 1 bytes"#),
        ("plain", vec![none(), bytes(b""), bytes(b"")], r#"parameter "a" of plain: expected u32, found nothing"#),
        (
            "plain",
            vec![json("1"), json("[1,256]"), bytes(b"")],
            r#"parameter "b" of plain: at [1]: expected u8, found 256 (0 to 255)"#,
        ),
        ("plain", vec![json("1"), event(), bytes(b"")], r#"parameter "b" of plain: expected list<u8>, found a handle (event)"#),
        ("borrow-queue", vec![event()], r#"parameter "q" of borrow-queue: expected borrow<queue>, found a handle (event)"#),
        (
            "queue-len",
            vec![handle(HandleKind::SharedMap, 1)],
            r#"parameter "q" of queue-len: expected own<queue>, found a handle (shared-map)"#,
        ),
        (
            "queue-len",
            vec![json("1")],
            r#"parameter "q" of queue-len: expected own<queue>, found 1 (a handle can't be given as JSON)"#,
        ),
        ("queue-len", vec![bytes(b"1")], r#"parameter "q" of queue-len: expected own<queue>, found 1 bytes"#),
        ("deep", vec![queue()], r#"parameter "q" of deep: expected option<borrow<queue>>, found a handle (queue)"#),
        (
            "other-handle",
            vec![queue(), queue()],
            r#"parameter "t" of other-handle: expected list<own<queue>>, found a handle (queue)"#,
        ),
        (
            "wait-any",
            vec![queue(), queue(), json("1")],
            r#"parameter "e" of wait-any: expected own<event>, found a handle (queue)"#,
        ),
    ] {
        let signature = interface.tasks.iter().find(|signature| signature.name == task).unwrap();
        let checked: Vec<CheckedArgument<'_>> = arguments.iter().map(as_checked).collect();
        assert_eq!(check_arguments(&interface.types, signature, &checked), Err(expected.to_owned()), "{task}");
        let (ended, log) = stage.run(task, &arguments, &[]);
        assert_eq!((ended, log.len()), (format!("invalid: {expected}"), 0), "{task}");
    }
}

fn as_checked<'a>(argument: &'a RunArgument<'static>) -> CheckedArgument<'a> {
    match argument {
        RunArgument::Value(value) => CheckedArgument::Value(value),
        RunArgument::Handle(kind, _) => CheckedArgument::Handle(*kind),
    }
}

#[test]
fn what_fits_is_let_through() {
    let mut stage = compiled().stage();
    let interface = &compiled().interface;
    for (task, arguments, expected) in [
        ("plain", vec![json("7"), bytes(b"\xff"), bytes("é".as_bytes())], "7"),
        ("plain", vec![json(" 7 "), json("\"/w==\""), json("\"\\u00e9\"")], "7"),
        ("only-bytes", vec![bytes(b"abc")], "3"),
        ("only-bytes", vec![json("[1,2]")], "2"),
        ("nothing", vec![], "null"),
        // How a task without parameters is mapped.
        ("nothing", vec![none()], "null"),
        ("deep", vec![json("null")], "0"),
    ] {
        let signature = interface.tasks.iter().find(|signature| signature.name == task).unwrap();
        let checked: Vec<CheckedArgument<'_>> = arguments.iter().map(as_checked).collect();
        assert_eq!(check_arguments(&interface.types, signature, &checked), Ok(()), "{task}");
        assert_eq!(stage.run(task, &arguments, &[]), (expected.to_owned(), vec![]), "{task}");
    }
}

#[test]
fn one_argument_is_checked_at_its_place() {
    let interface = &compiled().interface;
    let signature = |name: &str| interface.tasks.iter().find(|signature| signature.name == name).unwrap();
    let check = |task, place, value: &TaskValue<'_>| {
        check_argument(&interface.types, signature(task), place, &CheckedArgument::Value(value))
    };
    assert_eq!(check("plain", 0, &TaskValue::Json(b"1".into())), Ok(()));
    assert_eq!(check("plain", 2, &TaskValue::Bytes(b"x".into())), Ok(()));
    assert_eq!(check("plain", 3, &TaskValue::None), Err("plain takes 3 arguments, found 4".into()));
    assert_eq!(check("nothing", 0, &TaskValue::None), Ok(()));
    assert_eq!(check("nothing", 0, &TaskValue::Json(b"1".into())), Err("nothing takes 0 arguments, found 1".into()));
    assert!(check("nothing", 1, &TaskValue::None).is_err());
}

#[test]
fn what_is_no_list_of_arguments_is_refused() {
    let mut stage = compiled().stage();
    for broken in [&b""[..], &[1], &[1, 9], &[0, 0], &[0xff; 20]] {
        let text = ended(&stage.guest.run(TaskIndex(0), Encoding::Arguments, Encoding::Json, broken));
        assert!(text.starts_with("invalid: failed to decode a message"), "{text}");
    }
}

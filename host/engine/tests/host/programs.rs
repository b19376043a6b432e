//! Programs: arguments, standard input, exit codes.

use taskcell_engine::StopReason;
use taskcell_wire::call::{Call, CallError, Reply};
use taskcell_wire::{CommandInput, Encoding, Grants, Isolation, Limits, TaskIndex};

use crate::stage::{Comes, Compiled, Stage, ended};

/// A module of WASI's first preview, which prints its arguments and then copies so many bytes at a time from its input to its output. At
/// the end of the input it reads once more. It prints the number of an error, from `A` on, and ends with the digit that is its argument.
const PROGRAM: &str = r#"(module
    (import "wasi_snapshot_preview1" "args_sizes_get" (func $sizes (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "args_get" (func $args (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
    (memory (export "memory") 1)
    (func $print (param $at i32) (param $length i32)
        (i32.store (i32.const 0) (local.get $at)) (i32.store (i32.const 4) (local.get $length))
        (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))))
    (func $get (result i32)
        (i32.store (i32.const 16) (i32.const 4096)) (i32.store (i32.const 20) (i32.const 4))
        (call $read (i32.const 0) (i32.const 16) (i32.const 1) (i32.const 24)))
    (func (export "_start") (local $error i32)
        (drop (call $sizes (i32.const 32) (i32.const 36)))
        (drop (call $args (i32.const 1024) (i32.const 2048)))
        (call $print (i32.const 2048) (i32.load (i32.const 36)))
        (block $done (loop $next
            (local.set $error (call $get))
            (br_if $done (local.get $error))
            (br_if $done (i32.eqz (i32.load (i32.const 24))))
            (call $print (i32.const 4096) (i32.load (i32.const 24)))
            (br $next)))
        (if (i32.eqz (local.get $error)) (then (local.set $error (call $get))))
        (if (local.get $error) (then
            (i32.store8 (i32.const 4096) (i32.add (local.get $error) (i32.const 65)))
            (call $print (i32.const 4096) (i32.const 1))))
        (if (i32.gt_u (i32.load (i32.const 32)) (i32.const 1))
            (then (call $exit (i32.sub (i32.load8_u (i32.load (i32.const 1028))) (i32.const 48)))))))"#;

fn stage(args: &[&str], stdin: bool) -> Stage {
    let grants = Grants { args: args.iter().map(|&arg| arg.to_owned()).collect(), stdin, ..Grants::default() };
    Compiled::new(PROGRAM.as_bytes(), Limits::default()).stage_with(Isolation::Fresh, grants, |_| {})
}

fn input(bytes: &'static [u8]) -> Comes {
    Reply::Input(bytes.into()).into()
}

/// Runs a program: how it ended, what it printed and how often it asked for input.
fn run(stage: &mut Stage, script: &[Comes]) -> (String, String, usize) {
    stage.port.play(script);
    let ended = ended(&stage.guest.run(TaskIndex(0), Encoding::Json, Encoding::Json, b"null"));
    let asked = std::mem::take(&mut *stage.port.log.lock().unwrap());
    assert!(asked.iter().all(|call| *call == format!("{:?}", Call::Input(65536))), "{asked:?}");
    let printed = std::mem::take(&mut *stage.sink.0.lock().unwrap());
    (ended, String::from_utf8(printed).unwrap(), asked.len())
}

#[test]
fn a_program_has_its_arguments_and_its_input() {
    let mut stage = stage(&["name"], true);
    let script = [input(b"hello, "), input(b"world"), input(b"")];
    // It asks no more once it was told of the end.
    assert_eq!(run(&mut stage, &script), ("null".into(), "name\0hello, world".into(), 3));
    assert_eq!(run(&mut stage, &[input(b"")]), ("null".into(), "name\0".into(), 1));
}

#[test]
fn without_the_right_there_is_no_input() {
    assert_eq!(run(&mut stage(&[], false), &[]), ("null".into(), String::new(), 0));
}

#[test]
fn what_came_is_shared_and_asked_for_once() {
    let text: &'static [u8] = vec![b'x'; 10_000].leak();
    let (ended, printed, asked) = run(&mut stage(&[], true), &[input(text), input(b"")]);
    assert_eq!((ended.as_str(), printed.len(), asked), ("null", 10_000, 2));
}

#[test]
fn input_may_fail() {
    let mut stage = stage(&[], true);
    // 29: an error of input and output.
    let error = char::from(b'A' + 29);
    assert_eq!(run(&mut stage, &[input(b"ab"), CallError::Closed.into()]), ("null".into(), format!("ab{error}"), 2));
    assert_eq!(run(&mut stage, &[Comes::Stopped(StopReason::TimedOut)]).0, "timed out");
    let (ended, _, _) = run(&mut stage, &[Comes::Gone]);
    assert!(ended.starts_with("trapped other: ") && ended.contains("the script says so"), "{ended}");
    let (ended, _, _) = run(&mut stage, &[Reply::Places(vec![]).into()]);
    assert!(ended.starts_with("trapped other: ") && ended.contains("another kind"), "{ended}");
}

/// Runs it as a command: how it ended and what it printed.
fn command(stage: &mut Stage, args: &[&str], stdin: &[u8]) -> (String, String) {
    let item = CommandInput { args: args.to_vec(), stdin }.item();
    let ended = ended(&stage.guest.run(TaskIndex(0), Encoding::Command, Encoding::Command, &item));
    assert!(stage.port.log.lock().unwrap().is_empty(), "a command asks nobody for its input");
    (ended, String::from_utf8(std::mem::take(&mut *stage.sink.0.lock().unwrap())).unwrap())
}

#[test]
fn a_command_has_its_own_arguments_and_input() {
    for isolation in [Isolation::Fresh, Isolation::Reuse] {
        // What the worker was started with is for programs that are no tasks.
        let grants = Grants { args: vec!["other".into()], stdin: true, ..Grants::default() };
        let mut stage = Compiled::new(PROGRAM.as_bytes(), Limits::default()).stage_with(isolation, grants, |_| {});
        for _ in 0..2 {
            assert_eq!(
                command(&mut stage, &["one"], b"hello"),
                (String::new(), "one\0hello".into()),
                "no result but what it printed"
            );
            assert_eq!(command(&mut stage, &["two", "3 "], b""), ("exited 3".into(), "two\x003 \0".into()));
        }
    }
}

#[test]
fn a_command_that_prints_too_much_ends() {
    let limits = Limits { result_bytes: 10, ..Limits::default() };
    let mut stage = Compiled::new(PROGRAM.as_bytes(), limits).stage_with(Isolation::Fresh, Grants::default(), |_| {});
    assert_eq!(command(&mut stage, &["name"], b"hello").1, "name\0hello", "as much as it may");
    let (ended, printed) = command(&mut stage, &["name"], b"hello!!");
    assert!(ended.starts_with("over result: "), "{ended}");
    assert!(printed.starts_with("name\0") && printed.len() <= 10, "{printed}");
    assert_eq!(command(&mut stage, &["name"], b"again").1, "name\0again", "each has its own limit");
}

#[test]
fn a_commands_input_fits_programs_only() {
    let mut stage = stage(&[], false);
    let broken = ended(&stage.guest.run(TaskIndex(0), Encoding::Command, Encoding::Command, &[200, 1]));
    assert!(broken.starts_with("invalid"), "{broken}");
    let function = r#"(component
        (core module $m (func (export "go")))
        (core instance $i (instantiate $m))
        (func (export "go") (canon lift (core func $i "go"))))"#;
    let mut stage = Compiled::new(function.as_bytes(), Limits::default()).stage();
    let (refused, _) = command(&mut stage, &["name"], b"");
    assert!(refused.starts_with("invalid") && refused.contains("only the export that runs a program"), "{refused}");
}

#[test]
fn an_exit_code_is_told() {
    // The lowest 8 bits, as on POSIX: `/` is one below 0.
    for (code, expected) in [("0", "null"), ("1", "exited 1"), ("7", "exited 7"), ("/", "exited 255")] {
        assert_eq!(run(&mut stage(&["name", code], false), &[]).0, expected);
    }
    let component = |code: u32| {
        format!(
            r#"(component
                (import "wasi:cli/exit@0.2.0" (instance $exit (export "exit-with-code" (func (param "status-code" u8)))))
                (core func $exit (canon lower (func $exit "exit-with-code")))
                (core module $m (import "" "exit" (func $exit (param i32)))
                    (func (export "run") (result i32) (call $exit (i32.const {code})) unreachable))
                (core instance $i (instantiate $m (with "" (instance (export "exit" (func $exit))))))
                (func (export "go") (result (result)) (canon lift (core func $i "run"))))"#
        )
    };
    for (code, expected) in [(0, "null"), (3, "exited 3"), (255, "exited 255")] {
        let component = Compiled::new(component(code).as_bytes(), Limits::default());
        assert_eq!(run(&mut component.stage(), &[]).0, expected);
    }
}

#[test]
fn the_error_case_of_run_is_exit_code_1() {
    let component = |result: u32, name: &str| {
        format!(
            r#"(component
                (core module $m (func (export "run") (result i32) (i32.const {result})))
                (core instance $i (instantiate $m))
                (func $run (result (result)) (canon lift (core func $i "run")))
                (instance $run (export "run" (func $run)))
                (export "{name}" (instance $run)))"#
        )
    };
    for isolation in [Isolation::Fresh, Isolation::Reuse] {
        for (result, name, expected) in [
            (0, "wasi:cli/run@0.2.0", "null"),
            (1, "wasi:cli/run@0.2.0", "exited 1"),
            (1, "wasi:cli/run@0.2.6", "exited 1"),
            (1, "test:other/run@0.2.0", "failed null"),
        ] {
            let component = Compiled::new(component(result, name).as_bytes(), Limits::default());
            let mut stage = component.stage_with(isolation, Grants::default(), |_| {});
            for _ in 0..2 {
                assert_eq!(run(&mut stage, &[]).0, expected, "{name}");
            }
        }
    }
}

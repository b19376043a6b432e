//! What happens before a task runs: imports are found, instances are made and run their start functions.

use taskcell_wire::call::{Call, Create, HandleId, Reply};
use taskcell_wire::{Grants, Isolation, Limits};

use crate::guest::{Does, Task, component};
use crate::stage::Compiled;

/// A guest that does this while it is made, and gives the first byte that was left at 512.
fn compiled(does: &'static str) -> Compiled {
    let wat = format!(r#"(i32.load8_u (i32.const 512))) (func (export "_initialize") {does}) (func"#);
    let task = Task { name: "left", wit: "func() -> u32", does: Does::Wat(wat.leak()) };
    Compiled::new(&component("", &[task], None), Limits::default())
}

#[test]
fn a_call_before_any_task_is_refused_and_may_be_survived() {
    let make = "(i32.store8 (i32.const 512) (i32.const 9)) (call $sync/event.create (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 512))";
    let compiled = compiled(make);
    // The instance was made before the task, and its call went nowhere.
    let mut stage = compiled.stage_with(Isolation::Reuse, Grants::default(), |_| {});
    stage.check("left", &[], &[], "1");
    // The task has an instance of its own, which is made while the task runs.
    let mut stage = compiled.stage();
    stage.check("left", &[], &[(Call::Create(Create::Event(None)), Reply::Handle(HandleId(7)).into())], "0");
    let dropped = "(call $sync/event.create (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 512)) unreachable";
    let error = self::compiled(dropped).try_stage(Isolation::Fresh, Grants::default(), |_| {}).map(drop).unwrap_err();
    assert!(error.to_string().contains("unreachable"), "{error}");
}

#[test]
fn a_function_that_cannot_fail_cannot_be_called_before_any_task() {
    let error = compiled("(call $task/self (i32.const 512))").try_stage(Isolation::Fresh, Grants::default(), |_| {}).map(drop);
    let text = error.unwrap_err().to_string();
    assert!(text.contains("task.self can't fail, and was answered: no task runs yet"), "{text}");
    // What asks nobody can be.
    let mut stage = compiled(
        "(i32.store8 (i32.const 512) (call $task/cpu-count)) (drop (call $task/cancelled))
        (call $task/log (i32.const 2) (i32.const 1024) (i32.const 5))",
    )
    .stage_with(Isolation::Reuse, Grants::default(), |_| {});
    assert_eq!(stage.run("left", &[], &[]), ("3".into(), vec![]));
}

#[test]
fn versions_that_are_compatible_are_provided() {
    let component = |import: &str| {
        format!(
            r#"(component
                (import "{import}" (instance $task (export "cpu-count" (func (result u32)))))
                (core func $count (canon lower (func $task "cpu-count")))
                (core module $m (import "" "count" (func $count (result i32)))
                    (func (export "count") (result i32) (call $count)))
                (core instance $i (instantiate $m (with "" (instance (export "count" (func $count))))))
                (func (export "count") (result u32) (canon lift (core func $i "count"))))"#
        )
    };
    for (import, is_provided) in [
        ("taskcell:host/task@0.1.0", true),
        ("taskcell:host/task@0.1.7", true),
        ("taskcell:host/task@0.2.0", false),
        ("taskcell:host/task@1.0.0", false),
        ("taskcell:host/task", false),
        ("taskcell:host/tasks@0.1.0", false),
        ("taskcell:hosts/task@0.1.0", false),
    ] {
        let compiled = Compiled::new(component(import).as_bytes(), Limits::default());
        assert_eq!(compiled.interface.imports[0].provided, is_provided, "{import}");
        let stage = compiled.try_stage(Isolation::Fresh, Grants::default(), |_| {});
        match stage {
            Ok(mut stage) => {
                assert!(is_provided, "{import}");
                stage.check("count", &[], &[], "3");
            }
            Err(error) => assert!(!is_provided, "{import}: {error}"),
        }
    }
}

#[test]
fn an_import_of_types_alone_is_told_from_one_of_functions() {
    let component = br#"(component
        (import "taskcell:host/queue@0.1.0" (instance (export "queue" (type (sub resource)))))
        (import "taskcell:host/task@0.1.0" (instance (export "cpu-count" (func (result u32)))))
        (import "wasi:cli/environment@0.2.0" (instance)))"#;
    let compiled = Compiled::new(component, Limits::default());
    let functions: Vec<bool> = compiled.interface.imports.iter().map(|import| import.functions).collect();
    assert_eq!(functions, [false, true, false]);
}

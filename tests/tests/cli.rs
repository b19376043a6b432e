//! What the command says: its help, its errors, its exit codes, word for word.
//!
//! After a wanted change: `INSTA_UPDATE=always cargo test --release -p taskcell-tests --test cli`, then read the difference.

use serde_json::Value;
use taskcell_tests::{repository, taskcell, wat};

/// A run as it looks to its user, without what differs from machine to machine.
fn told(args: &[&str]) -> String {
    let guests = repository().join("tests/guests");
    let place = |arg: &&str| if arg.ends_with(".wat") { guests.join(arg).into_os_string() } else { arg.into() };
    let ended = taskcell!().args(args.iter().map(place)).run();
    let plain = |text: &str| {
        let text = text.replace(&guests.display().to_string(), "").replace("taskcell-under-test", "taskcell");
        let text = text.replace(env!("CARGO_PKG_VERSION"), "VERSION").replace(" /", " ");
        text.lines().map(|line| format!("{}\n", line.trim_end())).collect::<String>()
    };
    let code = ended.code.map_or_else(|| "none".to_owned(), |code| code.to_string());
    let mut out = format!("$ taskcell {}\nexit code: {code}\n", args.join(" "));
    for (name, text) in [("stdout", &ended.stdout), ("stderr", &ended.stderr)] {
        if !text.is_empty() {
            out.push_str(&format!("--- {name}\n{}", plain(text)));
        }
    }
    out
}

fn told_of_all(commands: &[&[&str]]) -> String {
    commands.iter().map(|args| told(args)).collect::<Vec<_>>().join("\n")
}

#[test]
fn help() {
    let told = told_of_all(&[&["--help"], &["-h"], &["--version"]]);
    insta::assert_snapshot!(told);
}

#[test]
fn help_of_map() {
    let told = told(&["map", "--help"]);
    insta::assert_snapshot!(told);
}

#[test]
fn help_of_call() {
    let told = told(&["call", "--help"]);
    insta::assert_snapshot!(told);
}

#[test]
fn help_of_the_other_commands() {
    let told = told_of_all(&[
        &["run", "--help"],
        &["ps", "--help"],
        &["new", "--help"],
        &["inspect", "--help"],
        &["compile", "--help"],
        &["doctor", "--help"],
    ]);
    insta::assert_snapshot!(told);
}

#[test]
fn wrong_command_lines() {
    let told = told_of_all(&[
        &["bogus"],
        &["map"],
        &["map", "numbers.wat"],
        &["map", "--jobs", "0", "numbers.wat", "echo", "1"],
        &["map", "--jobs", "many", "numbers.wat", "echo", "1"],
        &["map", "--timeout", "soon", "numbers.wat", "echo", "1"],
        &["map", "--memory", "0", "numbers.wat", "echo", "1"],
        &["map", "--chunk", "5000", "numbers.wat", "echo", "1"],
        &["map", "--halt", "later", "numbers.wat", "echo", "1"],
        &["map", "--env", "NAME", "numbers.wat", "echo", "1"],
        &["map", "--files", "numbers.wat", "echo"],
        &["map", "--input", "a", "numbers.wat", "echo", "1"],
        &["map", "--no-such-option", "numbers.wat", "echo"],
        &["call", "numbers.wat"],
    ]);
    insta::assert_snapshot!(told);
}

#[test]
fn errors() {
    let told = told_of_all(&[
        &["map", "missing.wat", "echo", "1"],
        &["map", "unknown-import.wat", "echo", "1"],
        &["map", "numbers.wat", "ecko", "1"],
        &["map", "numbers.wat", "echo", "x"],
        &["map", "numbers.wat", "echo", "1", "4294967296"],
        &["map", "numbers.wat", "add", "[1]"],
        &["map", "--files", "numbers.wat", "echo", "x"],
        &["map", "numbers.wat", "trap", "1", "0"],
        &["map", "numbers.wat", "divide", "0"],
        &["map", "numbers.wat", "recurse", "0"],
        &["map", "--timeout", "100ms", "numbers.wat", "spin", "0"],
        &["map", "--memory", "1M", "numbers.wat", "grow", "5"],
        &["map", "--fuel", "1000", "numbers.wat", "burn", "1000000"],
        &["map", "hostile/trap-in-start.wat", "attack", "1"],
        &["map", "hostile/huge-memory.wat", "attack", "1"],
        &["map", "hostile/many-lists.wat", "attack", "0"],
        &["map", "exit-3.wat", "run", "null"],
        &["call", "numbers.wat", "echo(1"],
        &["call", "numbers.wat", "echo(true)"],
        &["call", "numbers.wat", "ecko(1)"],
        &["call", "numbers.wat", "trap(0)"],
    ]);
    insta::assert_snapshot!(told);
}

#[test]
fn what_goes_well() {
    let told = told_of_all(&[
        &["map", "numbers.wat", "echo", "1", "2"],
        &["call", "numbers.wat", "add(1, 2)"],
        &["call", "--json", "numbers.wat", "add(1, 2)"],
        &["inspect", "numbers.wat"],
        &["inspect", "text.wat"],
        &["inspect", "unknown-import.wat"],
    ]);
    insta::assert_snapshot!(told);
}

#[test]
fn inspect_writes_json_with_signatures_and_schemas() {
    let ended = taskcell!().args(["inspect", "--json"]).arg(wat("numbers")).run().well();
    assert_eq!(ended.lines().len(), 1);
    let told: Value = serde_json::from_str(&ended.stdout).expect("JSON");
    assert_eq!((&told["runs"], &told["command"]), (&Value::Bool(true), &Value::Bool(false)));
    let tasks = told["tasks"].as_array().expect("tasks");
    let add = tasks.iter().find(|task| task["name"] == "add").expect("the task is there");
    assert_eq!(add["signature"], "add: func(a: u32, b: u32) -> u32");
    assert_eq!(add["params"][1]["name"], "b");
    assert_eq!(add["params"][1]["schema"]["maximum"], 4_294_967_295u64);
    let told = taskcell!().args(["inspect", "--json"]).arg(wat("unknown-import")).run().well();
    let told: Value = serde_json::from_str(&told.stdout).expect("JSON");
    assert_eq!((&told["runs"], &told["imports"][0]["provided"]), (&Value::Bool(false), &Value::Bool(false)));
    let told = taskcell!().args(["inspect", "--json"]).arg(wat("print")).run().well();
    assert_eq!(serde_json::from_str::<Value>(&told.stdout).expect("JSON")["command"], true);
}

#[test]
fn doctor_tells_every_layer_of_this_machine() {
    let text = taskcell!().arg("doctor").run();
    assert!(matches!(text.code, Some(0 | 4)), "{text:#?}");
    for layer in ["landlock", "seccomp", "rlimits", "no-new-privs", "parent-death-signal"] {
        assert!(text.lines().iter().any(|line| line.starts_with(layer)), "{layer} in {text:#?}");
    }
    let json = taskcell!().args(["doctor", "--json"]).run();
    let told: Value = serde_json::from_str(&json.stdout).expect("JSON");
    assert_eq!(told["tasks_can_run"], Value::Bool(json.code == Some(0)));
    assert_eq!(told["layers"].as_array().map_or(0, Vec::len) + 1, text.lines().len());
    let policy = taskcell!().args(["doctor", "--policy"]).run().well();
    assert!(policy.stdout.contains("every other call kills the process"));
    let policy = taskcell!().args(["doctor", "--policy", "--json"]).run().well();
    let _: Value = serde_json::from_str(&policy.stdout).expect("JSON");
}

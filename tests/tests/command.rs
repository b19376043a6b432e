//! `taskcell map --command`: a program for every input.

use serde_json::{Value, json};
use taskcell_tests::{Ended, Taskcell, taskcell, wat};

/// `taskcell map OPTIONS --command PROGRAM`; inputs and the program's arguments are still to come.
fn command(program: &str, options: &[&str]) -> Taskcell {
    taskcell!().arg("map").args(options).arg("--command").arg(wat(program))
}

fn records(ended: &Ended) -> Vec<Value> {
    ended.lines().into_iter().map(|line| serde_json::from_str(line).expect("a record is one JSON object")).collect()
}

/// What `print-args` says: each argument with a zero byte behind it, its name first.
fn said(args: &[&str]) -> String {
    std::iter::once("print-args.wat").chain(args.iter().copied()).map(|arg| format!("{arg}\0")).collect()
}

#[test]
fn an_input_is_the_last_argument() {
    let ended = command("print-args", &[]).args(["one", "two words", "", "\u{e9}"]).run().well();
    let expected = [said(&["one"]), said(&["two words"]), said(&[""]), said(&["\u{e9}"])].concat();
    assert_eq!(ended.stdout, expected);
    let ended = command("print-args", &[]).args(["-5", "--", "-n", "x"]).run().well();
    assert_eq!(ended.stdout, said(&["-n", "x", "-5"]));
}

#[test]
fn braces_are_the_input() {
    let ended = command("print-args", &[]).args(["a", "b c", "--", "--in={}", "-v", "{}.{}"]).run().well();
    assert_eq!(ended.stdout, [said(&["--in=a", "-v", "a.a"]), said(&["--in=b c", "-v", "b c.b c"])].concat());
    // What is put in is not looked at again.
    let ended = command("print-args", &[]).args(["{}", "--", "<{}>"]).run().well();
    assert_eq!(ended.stdout, said(&["<{}>"]));
}

#[test]
fn lines_are_inputs_in_their_order() {
    let lines: String = (0..5000).map(|n| format!("{n}\n")).collect();
    let expected: String = (0..5000).map(|n| said(&[&n.to_string()])).collect();
    let ended = command("print-args", &[]).stdin(lines.as_str()).run().well();
    assert!(ended.stdout == expected, "{} bytes for {}", ended.stdout.len(), expected.len());
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), lines).expect("a file");
    let path = file.path().display().to_string();
    let ended = command("print-args", &["-j", "3", "--chunk", "7", "--input", &path]).run().well();
    assert!(ended.stdout == expected, "{} bytes for {}", ended.stdout.len(), expected.len());
}

#[test]
fn json_inputs_are_texts_or_lists_of_arguments() {
    let ended =
        command("print-args", &["--json-inputs"]).args(["[\"a\",\"b c\"]", "\"x\\ny\"", "[]", "--", "{}", "end"]).run().well();
    assert_eq!(ended.stdout, [said(&["a", "b c", "end"]), said(&["x\ny", "end"]), said(&["end"])].concat());
    let ended = command("print-args", &["--json-inputs"]).args(["[\"a\",\"b\"]", "--", "{}.txt"]).run();
    assert_eq!(ended.one_error(2), "failed to use argument 1: 2 texts can't stand inside of one argument, \"{}.txt\"");
    let ended = command("print-args", &["--json-inputs"]).stdin("[1]\n\"a\"\n").run();
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), said(&["a"]).as_str()));
    assert!(ended.stderr.starts_with("error: line 1: the input does not fit: expected an array of texts"), "{}", ended.stderr);
}

#[test]
fn standard_input_is_the_input_or_the_file() {
    let ended = command("cat", &["--stdin"]).args(["one", "", "two"]).run().well();
    assert_eq!(ended.stdout, "one\n\ntwo\n");
    let ended = command("print-args", &["--stdin"]).args(["one", "--", "-n"]).run().well();
    assert_eq!(ended.stdout, said(&["-n"]), "what goes to standard input is no argument");
    let ended = command("print-args", &["--stdin"]).args(["one", "--", "{}"]).run().well();
    assert_eq!(ended.stdout, said(&["one"]), "unless it is asked for");

    let folder = tempfile::tempdir().expect("a folder");
    let (long, short) = (folder.path().join("long"), folder.path().join("short"));
    let bytes: String = (0..100_000).map(|n| format!("line {n}\n")).collect();
    std::fs::write(&long, &bytes).expect("a file");
    std::fs::write(&short, "no end of line").expect("a file");
    let ended = command("cat", &["--files"]).arg(&long).arg(&short).run().well();
    assert!(ended.stdout == format!("{bytes}no end of line"), "{} bytes", ended.stdout.len());
    let ended = command("print-args", &["--files"]).arg(&short).args(["--", "{}"]).run().well();
    assert_eq!(ended.stdout, said(&[&short.display().to_string()]));
}

#[test]
fn output_is_passed_on_as_it_is_and_complaints_are_marked() {
    let ended = command("print", &["-j", "1"]).args(["a", "b"]).run();
    assert_eq!(ended.code, Some(0));
    assert_eq!(ended.stdout, "to stdout\n\u{1b}[31mred\nlastto stdout\n\u{1b}[31mred\nlast");
    let mut complaints = ended.complaints();
    complaints.sort_unstable();
    assert_eq!(complaints, ["[task 0] to stderr", "[task 1] to stderr"]);
    let ended = command("print", &["--guest-output", "drop"]).arg("a").run().well();
    assert_eq!(ended.stdout, "to stdout\n\u{1b}[31mred\nlast");
}

#[test]
fn a_terminal_gets_nothing_unescaped() {
    // `script` gives it a terminal as its standard output.
    let program = wat("print").display().to_string();
    let ended = taskcell!()
        .under(["bash", "-c", "words=$(printf '%q ' \"$@\"); exec script -qefc \"$words\" /dev/null", "bash"])
        .args(["map", "-q", "--guest-output", "drop", "--command", program.as_str(), "a"])
        .run();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert!(ended.stdout.contains("to stdout") && ended.stdout.contains("\\u{1b}[31mred"), "{ended:#?}");
    assert!(!ended.stdout.contains("\u{1b}[31m"), "{ended:#?}");
}

#[test]
fn an_exit_code_is_a_failed_task_with_its_output() {
    let ended = command("exit-3", &[]).args(["a", "b"]).run();
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""), "{ended:#?}");
    let told = |n: u32| format!("error: argument {n}: the program ended with exit code 3");
    assert_eq!(ended.complaints(), [told(1), told(2)]);
    let ended = command("exit-3", &["--records", "--retries", "2", "--retry-on", "error"]).arg("a").run();
    assert_eq!(ended.code, Some(1));
    let mut record = records(&ended).remove(0);
    assert_eq!(record["failed_attempts"].as_array().map(Vec::len), Some(2), "{record}");
    let object = record.as_object_mut().expect("a record is an object");
    object.remove("ms");
    object.remove("failed_attempts");
    let expected = json!({"index": 0, "error": {"kind": "exited", "message": "the program ended with exit code 3"}, "code": 3,
        "attempts": 3, "stdout": "", "stderr": ""});
    assert_eq!(record, expected);
}

#[test]
fn a_record_has_both_streams_and_the_code() {
    let ended = command("print", &["--records"]).arg("a").run().well();
    let mut record = records(&ended).remove(0);
    assert!(record["ms"].as_f64().is_some_and(|ms| ms > 0.0), "{record}");
    record.as_object_mut().expect("a record is an object").remove("ms");
    let expected =
        json!({"index": 0, "code": 0, "attempts": 1, "stdout": "to stdout\n\u{1b}[31mred\nlast", "stderr": "to stderr\n"});
    assert_eq!(record, expected);
    assert!(!ended.stdout.contains('\u{1b}'), "a record is printable as it is");

    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("bytes");
    std::fs::write(&path, [0u8, 255, 10]).expect("a file");
    let ended = command("cat", &["--records", "--files"]).arg(&path).run().well();
    let record = records(&ended).remove(0);
    assert_eq!((&record["stdout_base64"], &record["stdout"]), (&json!("AP8K"), &Value::Null), "{record}");
    assert_eq!(record["input"], json!(path.display().to_string()));

    let ended = command("print", &["--records", "--guest-output", "inherit"]).arg("a").run();
    assert_eq!(ended.complaints(), ["[task 0] to stderr"]);
    assert_eq!(
        (&records(&ended)[0]["stdout"], &records(&ended)[0]["stderr"]),
        (&json!("to stdout\n\u{1b}[31mred\nlast"), &Value::Null)
    );
}

#[test]
fn what_was_written_before_a_bad_end_is_not_lost() {
    let ended = command("print-and-trap", &[]).arg("a").run();
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), "before\n"), "{ended:#?}");
    assert_eq!(ended.complaints()[0], "[task 0] the reason");
    assert!(ended.complaints()[1].starts_with("error: argument 1: the guest trapped"), "{ended:#?}");

    // It sits in a call of the host's, so its worker has to be killed.
    let ended = command("print-and-wait", &["--timeout", "500ms", "--records"]).arg("a").run();
    let record = records(&ended).remove(0);
    assert_eq!((&record["error"]["kind"], &record["code"]), (&json!("timed-out"), &Value::Null), "{record}");
    assert_eq!(record["stdout"], json!("before\n"), "{record}");
}

#[test]
fn a_retried_command_has_the_output_of_its_last_attempt() {
    let ended = command("print-and-trap", &["--retries", "2", "--retry-on", "trap", "--guest-output", "drop"]).arg("a").run();
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), "before\n"), "{ended:#?}");
}

#[test]
fn output_has_its_limits() {
    let ended = command("print-forever", &["--max-result", "100k", "--records"]).args(["a", "b"]).run();
    for record in records(&ended) {
        assert_eq!(record["error"]["kind"], json!("over-limit"), "{}", record["error"]);
        assert_eq!(record["error"]["message"], "the task ran into its result limit: the result is longer than 102400 bytes");
        let length = record["stdout"].as_str().map(str::len);
        assert!(length.is_some_and(|length| length > 90_000 && length <= 102_400), "{length:?}");
    }
    let ended = command("print", &["--max-log", "5", "--records"]).arg("a").run();
    assert_eq!(records(&ended)[0]["stderr"], json!("to st\n[cut here: the limit is 5 bytes a task]\n"));
    assert_eq!(records(&ended)[0]["stdout"], json!("to stdout\n\u{1b}[31mred\nlast"), "a result is not cut");
}

#[test]
fn limits_hold_as_for_functions() {
    let ended = command("spin", &["--timeout", "300ms", "--records"]).arg("a").run();
    assert_eq!(records(&ended)[0]["error"]["kind"], json!("timed-out"));
    let ended = command("spin", &["--fuel", "100000", "--records"]).arg("a").run();
    assert_eq!(records(&ended)[0]["error"]["kind"], json!("over-limit"));
    let ended = command("print-env", &["--env", "A=b"]).arg("a").run().well();
    assert_eq!(ended.stdout, "A=b\0");
    let ended = command("spin", &["--deadline", "300ms"]).arg("a").run();
    assert_eq!(ended.code, Some(1), "{ended:#?}");
}

#[test]
fn inputs_that_can_not_be_arguments_are_told() {
    let ended = command("print-args", &[]).stdin(&b"a\nb\0c\n\xff\nd\n"[..]).run();
    assert_eq!((ended.code, ended.stdout), (Some(2), [said(&["a"]), said(&["d"])].concat()));
    let expected = [
        "error: line 2: the input does not fit: argument 1 has a NUL byte in it, which arguments can't hold",
        "error: line 3: the input does not fit: expected UTF-8 text, found another byte at 0",
    ];
    let complaints: Vec<&str> = ended.stderr.lines().collect();
    assert_eq!(complaints, expected);
    // On standard input any bytes will do.
    let ended = command("cat", &["--stdin", "--records"]).stdin(&b"b\0c\n\xff\n"[..]).run().well();
    assert_eq!((&records(&ended)[0]["stdout"], &records(&ended)[1]["stdout_base64"]), (&json!("b\0c\n"), &json!("/wo=")));
    let ended = command("cat", &["--stdin", "--max-message", "100"]).stdin(format!("{}\nx\n", "y".repeat(100))).run();
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), "x\n"), "{ended:#?}");
}

#[test]
fn command_lines_that_make_no_sense_are_told() {
    let ended = command("print-args", &["--isolation", "reuse"]).arg("a").run();
    assert_eq!(ended.one_error(2), "failed to use --isolation reuse with --command: a program starts anew for every input");
    let ended = taskcell!().args(["map", "--command"]).arg(wat("numbers")).arg("1").run();
    assert!(ended.one_error(2).contains("it is no program, it does not export wasi:cli/run"), "{ended:#?}");
    let ended = command("print-args", &["--input", "/dev/null"]).arg("a").run();
    assert_eq!(ended.one_error(2), "failed to use --input: there are inputs on the command line too");
    let ended = command("print-args", &["--files"]).run();
    assert_eq!(ended.one_error(2), "failed to use --files: it needs paths, as INPUT");
    let ended = taskcell!().map(wat("print-args"), "input").run();
    assert!(ended.one_error(2).ends_with("to run the program itself for every input, use --command"), "{ended:#?}");
    for wrong in [&["--stdin"][..], &["--json-inputs"], &["--", "x"]] {
        let ended = taskcell!().map(wat("numbers"), "echo").args(wrong).run();
        assert_eq!(ended.code, Some(2), "without --command: {wrong:?}");
    }
}

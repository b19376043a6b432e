//! `taskcell map`: inputs from everywhere, results in order, failures in their places, bounded memory.

use std::fs;
use std::io::{BufRead, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use taskcell_tests::process::resident;
use taskcell_tests::{Ended, Taskcell, taskcell, until, wat};

/// A map of `task` of the guest of numbers, with options.
fn numbers(options: &[&str], task: &str) -> Taskcell {
    taskcell!().arg("map").args(options).arg(wat("numbers")).arg(task)
}

fn records(ended: &Ended) -> Vec<Value> {
    ended.lines().into_iter().map(|line| serde_json::from_str(line).expect("a record is one JSON object")).collect()
}

/// The record of an index.
fn record(records: &[Value], index: u64) -> &Value {
    records.iter().find(|record| record["index"] == json!(index)).expect("every input has a record")
}

fn sorted(ended: &Ended) -> Vec<u64> {
    let mut found: Vec<u64> = ended.lines().into_iter().map(|line| line.parse().expect("a number")).collect();
    found.sort_unstable();
    found
}

#[test]
fn the_first_command_of_the_readme_works() {
    let fib = taskcell_tests::repository().join("guest/examples/fib.wat");
    let ended = taskcell!().map(fib, "fib").args(["25", "26", "27", "28", "29", "30"]).run().well();
    assert_eq!(ended.lines(), ["75025", "121393", "196418", "317811", "514229", "832040"]);
}

#[test]
fn results_are_in_the_order_of_the_inputs() {
    // The first take longest, so without ordering they would come last.
    let inputs: Vec<String> = (0..200u64).map(|n| ((200 - n) * 100_000).to_string()).collect();
    for options in [&["-j", "2"][..], &["-j", "4", "--chunk", "1"], &["-j", "3", "--chunk", "7"], &["-j", "1"]] {
        let ended = numbers(options, "burn").args(&inputs).run().well();
        assert_eq!(ended.lines(), inputs, "{options:?}");
    }
}

#[test]
fn unordered_gives_the_same_results_as_they_come() {
    let inputs: String = (0..5000u64).map(|n| format!("{n}\n")).collect();
    let ended = numbers(&["--unordered", "-j", "3", "--chunk", "10"], "echo").stdin(inputs).run().well();
    assert_eq!(sorted(&ended), (0..5000).collect::<Vec<u64>>());
    // A slow one does not hold back a fast one that came later.
    let mut running = numbers(&["--unordered", "-j", "2", "--chunk", "1"], "spin").args(["0", "5"]).start();
    assert_eq!(running.line().as_deref(), Some("5"));
    running.signal(rustix::process::Signal::INT);
    running.signal(rustix::process::Signal::TERM);
    let _ = running.end();
}

#[test]
fn inputs_come_from_arguments_a_file_or_stdin() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("inputs");
    // With and without an end of the last line, with ends as on Windows.
    for text in ["1\n2\n3\n", "1\n2\n3", "1\r\n2\r\n3\r\n"] {
        fs::write(&file, text).expect("a file is written");
        let path = file.to_str().expect("a path in UTF-8");
        assert_eq!(numbers(&["--input", path], "echo").run().well().stdout, "1\n2\n3\n");
        assert_eq!(numbers(&[], "echo").stdin(text).run().well().stdout, "1\n2\n3\n");
        assert_eq!(numbers(&["--input", "-"], "echo").stdin(text).run().well().stdout, "1\n2\n3\n");
    }
    assert_eq!(numbers(&[], "echo").args(["1", " 2 ", "3"]).stdin("4\n").run().well().stdout, "1\n2\n3\n");
}

#[test]
fn options_may_follow_inputs() {
    let ended = numbers(&[], "echo").args(["1", "2", "--jobs", "1"]).run().well();
    assert_eq!(ended.stdout, "1\n2\n");
    let ended = taskcell!().map(taskcell_tests::built("types"), "echo-s32").args(["-5", "7"]).run().well();
    assert_eq!(ended.stdout, "-5\n7\n", "a negative number is an input");
}

#[test]
fn a_result_comes_out_while_stdin_stays_open() {
    let (send, lines) = std::sync::mpsc::channel::<&str>();
    let write = move |stdin: &mut dyn Write| {
        lines.iter().try_for_each(|line| stdin.write_all(line.as_bytes()).and_then(|()| stdin.flush()))
    };
    let mut running = numbers(&[], "echo").stdin_from(write).start();
    for (line, result) in [("1\n", "1"), ("2\n3\n", "2"), ("4\n", "3")] {
        send.send(line).expect("the writer lives");
        assert_eq!(running.line().as_deref(), Some(result));
    }
    drop(send);
    let ended = running.end().well();
    assert_eq!(ended.lines(), ["1", "2", "3", "4"]);
}

#[test]
fn parameters_are_one_value_an_array_or_nothing() {
    assert_eq!(numbers(&[], "add").args(["[1,2]", "[ 40 , 2 ]"]).run().well().stdout, "3\n42\n");
    assert_eq!(numbers(&[], "answer").args(["null", "[]"]).run().well().stdout, "42\n42\n");
    assert_eq!(numbers(&[], "answer").stdin("null\nnull\n").run().well().stdout, "42\n42\n");
}

#[test]
fn files_are_given_as_bytes_or_as_text() {
    let folder = tempfile::tempdir().expect("a folder");
    let (bytes, text) = (folder.path().join("bytes"), folder.path().join("text"));
    fs::write(&bytes, [0xff, 0, b'\n', b'a']).expect("a file is written");
    fs::write(&text, "grün\n").expect("a file is written");
    let files = |options: &[&str], task: &str| {
        taskcell!().args(["map", "--files"]).args(options).arg(wat("text")).arg(task).arg(&bytes).arg(&text).run()
    };
    assert_eq!(files(&[], "count-bytes").well().stdout, "4\n6\n");
    assert_eq!(files(&[], "same-bytes").well().stdout, "\"/wAKYQ==\"\n\"Z3LDvG4K\"\n");
    let ended = files(&[], "same-text");
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), "\"grün\\n\"\n"), "{ended:#?}");
    assert!(ended.stderr.contains("bytes: ") && ended.stderr.contains("UTF-8"), "{ended:#?}");
    let ended = files(&["--records"], "count-bytes").well();
    let records = records(&ended);
    assert_eq!(records[1]["input"], json!(text.to_str()), "a record names its file");
    assert_eq!(records[1]["ok"], json!(6));
}

#[test]
fn invisible_characters_are_escaped_in_results_and_records_and_values_stay() {
    let hidden = "\u{61c}\u{200b}\u{200f}\u{202e}\u{2060}\u{2066}\u{feff}\u{85}";
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join(format!("a{hidden}b"));
    std::fs::write(&file, hidden).expect("a file");
    let same =
        |options: &[&str]| taskcell!().args(["map", "--files"]).args(options).arg(wat("text")).arg("same-text").arg(&file).run();
    let printed = [
        same(&[]).well().stdout,
        same(&["--records"]).well().stdout,
        taskcell!().call(wat("text"), &format!("same-text(\"{hidden}\")")).run().well().stdout,
    ];
    for text in &printed {
        assert!(!text.trim_end_matches('\n').chars().any(::taskcell::is_hidden), "{text:?}");
    }
    assert_eq!(serde_json::from_str::<String>(&printed[0]).expect("JSON"), hidden);
    let record: serde_json::Value = serde_json::from_str(&printed[1]).expect("JSON");
    assert_eq!((record["ok"].as_str(), record["input"].as_str()), (Some(hidden), file.to_str()));
    assert!(printed[2].contains(r"\u{202e}"), "{}", printed[2]);
}

#[test]
fn word_count_counts_real_files() {
    let folder = tempfile::tempdir().expect("a folder");
    let inputs: Vec<_> = (1..=20usize)
        .map(|n| {
            let path = folder.path().join(format!("{n}.txt"));
            fs::write(&path, "the quick brown fox\n".repeat(n)).expect("a file is written");
            path
        })
        .collect();
    let guest = taskcell_tests::built("word-count");
    let ended = taskcell!().args(["map", "--files"]).arg(guest).arg("count-words").args(&inputs).run().well();
    for (n, line) in (1..=20u64).zip(ended.lines()) {
        let counts: Value = serde_json::from_str(line).expect("JSON");
        assert_eq!((&counts["words"], &counts["lines"]), (&json!(4 * n), &json!(n)), "{line}");
    }
}

#[test]
fn every_number_of_jobs_and_every_chunk_gives_the_same() {
    let inputs: String = (0..1000u64).map(|n| format!("{n}\n")).collect();
    for jobs in ["1", "2", "7", "50%", "300%"] {
        for chunk in ["1", "3", "4096"] {
            let ended = numbers(&["--jobs", jobs, "--chunk", chunk], "echo").stdin(inputs.clone()).run().well();
            assert_eq!(ended.stdout, inputs, "-j {jobs} --chunk {chunk}");
        }
    }
}

#[test]
fn every_input_has_a_record() {
    let ended = numbers(&["--records"], "trap").args(["1", "0", "3"]).run();
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(1), ""), "{ended:#?}");
    let records = records(&ended);
    assert_eq!(records.len(), 3);
    for (index, record) in (0u64..).zip(&records) {
        assert_eq!((&record["index"], &record["attempts"]), (&json!(index), &json!(1)), "{record}");
        assert!(record["ms"].as_f64().is_some_and(|ms| ms > 0.0), "{record}");
    }
    assert_eq!((&records[0]["ok"], &records[2]["ok"]), (&json!(1), &json!(3)));
    assert!(records[0].get("error").is_none() && records[1].get("ok").is_none());
    assert_eq!(records[1]["error"]["kind"], "trapped");
    assert!(records[1]["error"]["message"].as_str().is_some_and(|text| text.contains("unreachable")));
}

#[test]
fn a_failed_task_keeps_its_place_and_costs_no_other() {
    for (task, options, says) in [
        ("trap", &[][..], "unreachable"),
        ("divide", &[], "divide by zero"),
        ("recurse", &[], "stack limit"),
        ("spin", &["--timeout", "200ms"], "ran over its time"),
    ] {
        for isolation in ["fresh", "reuse"] {
            let ended = numbers(&[options, &["--isolation", isolation]].concat(), task).args(["10", "0", "20"]).run();
            let expected: &[&str] = if task == "divide" { &["100", "50"] } else { &["10", "20"] };
            assert_eq!((ended.code, ended.lines()), (Some(1), expected.to_vec()), "{task}: {ended:#?}");
            assert_eq!(ended.complaints().len(), 1, "{task}: {ended:#?}");
            assert!(ended.stderr.starts_with("error: argument 2: ") && ended.stderr.contains(says), "{task}: {ended:#?}");
        }
    }
}

#[test]
fn limits_are_named_when_a_task_runs_into_them() {
    let ended = numbers(&["--memory", "3M", "--records"], "grow").args(["1", "5", "2"]).run();
    let found = records(&ended);
    assert_eq!((&found[0]["ok"], &found[2]["ok"]), (&json!(1), &json!(2)));
    assert_eq!(found[1]["error"]["kind"], "over-limit");
    assert!(found[1]["error"]["message"].as_str().is_some_and(|text| text.contains("memory limit") && text.contains("3145728")));

    let ended = numbers(&["--fuel", "100000", "--records"], "burn").args(["10", "1000000000", "20"]).run();
    let found = records(&ended);
    assert_eq!((&found[0]["ok"], &found[2]["ok"]), (&json!(10), &json!(20)));
    assert!(found[1]["error"]["message"].as_str().is_some_and(|text| text.contains("fuel limit")), "{ended:#?}");

    let ended = taskcell!()
        .args(["map", "--max-result", "10"])
        .arg(wat("text"))
        .arg("same-text")
        .args(["\"short\"", "\"very much longer\""])
        .run();
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), "\"short\"\n"), "{ended:#?}");
    assert!(ended.stderr.contains("result limit"), "{ended:#?}");

    let ended = numbers(&["--stack", "64k"], "recurse").args(["0"]).run();
    assert!(ended.one_error(1).contains("stack limit"), "{ended:#?}");
}

#[test]
fn halt_soon_starts_nothing_more() {
    let inputs: String = (0..20_000u64).map(|n| if n == 2 { "0\n".to_owned() } else { format!("{}\n", 1_000_000 + n) }).collect();
    let ended = numbers(&["--halt", "soon", "-j", "1", "--chunk", "1"], "trap").stdin(inputs).run();
    assert_eq!(ended.code, Some(1), "{ended:#?}");
    assert!(ended.lines().len() < 20_000, "nothing more was started");
    assert!(ended.lines().starts_with(&["1000000", "1000001", "1000003"]), "what ran was shown");
    assert!(ended.stderr.contains("line 3: ") && ended.stderr.contains("ended early"), "{}", ended.stderr);
}

#[test]
fn halt_now_stops_what_runs() {
    // The first never ends by itself.
    let ended = numbers(&["--halt", "now", "-j", "2", "--chunk", "1", "--unordered"], "spin-or-trap").args(["0", "1"]).run();
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""), "{ended:#?}");
    assert!(ended.stderr.contains("argument 2: the guest trapped"), "{ended:#?}");
}

#[test]
fn halt_now_does_not_wait_for_what_stands_before_the_failure() {
    let ended = numbers(&["--halt", "now", "-j", "2", "--chunk", "1"], "spin-or-trap").args(["0", "1"]).run();
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""), "{ended:#?}");
    assert!(ended.stderr.contains("argument 2: the guest trapped"), "{ended:#?}");
}

#[test]
fn a_timeout_is_retried_as_often_as_asked() {
    let ended = numbers(&["--records", "--timeout", "100ms", "--retries", "2"], "spin").args(["0", "7"]).run();
    let found = records(&ended);
    assert_eq!(ended.code, Some(1), "{ended:#?}");
    assert_eq!((&found[0]["error"]["kind"], &found[0]["attempts"]), (&json!("timed-out"), &json!(3)));
    assert_eq!((&found[1]["ok"], &found[1]["attempts"]), (&json!(7), &json!(1)));
    // A trap is the task's own doing.
    let ended = numbers(&["--records", "--retries", "5"], "trap").args(["0"]).run();
    assert_eq!(records(&ended)[0]["attempts"], json!(1));
}

#[test]
fn a_task_that_waits_longer_than_it_may_never_runs() {
    // The first holds the only worker for longer than the others may wait; with two in line, each of them is read meanwhile.
    let options = ["--records", "-j", "1", "--timeout", "2s", "--queue-timeout", "300ms"];
    let ended = numbers(&options, "spin").args(["0", "7", "8"]).run();
    let found = records(&ended);
    assert_eq!(ended.code, Some(1), "{ended:#?}");
    assert_eq!(found[0]["error"]["kind"], json!("timed-out"));
    for late in &found[1..] {
        assert_eq!((&late["error"]["kind"], &late["attempts"]), (&json!("expired"), &json!(0)), "{ended:#?}");
    }
    let told = numbers(&options[1..], "spin").args(["0", "7"]).run();
    assert!(told.stderr.contains("argument 2: the task waited for a worker for longer than its queue timeout"), "{told:#?}");
    // Who need not wait does not expire, however long it runs, and however often it is tried.
    let options = ["--records", "-j", "1", "--timeout", "500ms", "--retries", "1", "--queue-timeout", "300ms"];
    let found = records(&numbers(&options, "spin").args(["0"]).run());
    assert_eq!((&found[0]["error"]["kind"], &found[0]["attempts"]), (&json!("timed-out"), &json!(2)));
}

#[test]
fn short_tasks_behind_one_that_turns_out_slow_expire_in_time() {
    // By then it is known that tasks are short, so they travel together, and nobody but the slow one's worker is there.
    const SLOW: usize = 3000;
    let mut inputs = vec!["7"; SLOW + 100];
    inputs[SLOW] = "0";
    let options = ["--records", "-j", "1", "--timeout", "4s", "--queue-timeout", "1s"];
    let ended = numbers(&options, "spin").args(&inputs).run();
    let found = records(&ended);
    assert_eq!((ended.code, found.len()), (Some(1), inputs.len()));
    assert_eq!(found[0]["ok"], json!(7));
    assert_eq!(found[SLOW]["error"]["kind"], json!("timed-out"));
    let next = &found[SLOW + 1];
    assert_eq!((&next["error"]["kind"], &next["attempts"]), (&json!("expired"), &json!(0)));
}

#[test]
fn a_fresh_instance_forgets_and_a_used_one_remembers() {
    let inputs = ["null"; 50];
    let fresh = numbers(&["-j", "1"], "count").args(inputs).run().well();
    assert_eq!(fresh.lines(), ["1"; 50]);
    let used = numbers(&["-j", "1", "--isolation", "reuse"], "count").args(inputs).run().well();
    assert_eq!(sorted(&used), (1..=50).collect::<Vec<u64>>());
}

#[test]
fn what_guests_print_goes_to_stderr_with_the_number_of_the_task() {
    let print = |options: &[&str]| taskcell!().arg("map").args(options).arg(wat("print")).arg("run").args(["null", "null"]).run();
    let ended = print(&[]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), "null\nnull\n"), "{ended:#?}");
    for task in 0..2 {
        for line in ["to stdout", "\\u{1b}[31mred", "last", "to stderr"] {
            let line = format!("[task {task}] {line}");
            assert!(ended.complaints().contains(&line.as_str()), "{line} in {ended:#?}");
        }
    }
    assert_eq!(ended.complaints().len(), 8, "{ended:#?}");

    let ended = print(&["--guest-output", "drop"]).well();
    assert_eq!(ended.stdout, "null\nnull\n");

    for options in [&["--records"][..], &["--records", "--guest-output", "record"]] {
        let ended = print(options).well();
        for record in records(&ended) {
            assert_eq!(record["stdout"], json!("to stdout\n\u{1b}[31mred\nlast"));
            assert_eq!(record["stderr"], json!("to stderr\n"));
        }
        assert!(!ended.stdout.contains('\u{1b}'), "an escape is never written as it is");
    }
    let ended = print(&["--records", "--guest-output", "drop"]).well();
    assert!(records(&ended).iter().all(|record| record.get("stdout").is_none()), "{ended:#?}");
}

#[test]
fn what_a_guest_prints_is_cut_at_the_limit() {
    let ended = taskcell!().args(["map", "--records", "--max-log", "12"]).arg(wat("print")).args(["run", "null"]).run().well();
    let found = records(&ended);
    let printed = found[0]["stdout"].as_str().unwrap_or_default();
    assert!(printed.starts_with("to stdout\n") && printed.contains("the limit is 12 bytes"), "{found:?}");
}

#[test]
fn a_program_sees_the_environment_it_is_given_and_no_other() {
    let run = |options: &[&str]| {
        let ended = taskcell!().args(["map", "--records"]).args(options).arg(wat("print-env")).args(["run", "null"]).run().well();
        let found = record(&records(&ended), 0).clone();
        found.get("stdout").and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    assert_eq!(run(&[]), "");
    assert_eq!(run(&["--env", "A=B", "--env", "C=D=E"]), "A=B\0C=D=E\0");
}

#[test]
fn a_program_that_exits_with_a_code_failed() {
    let ended = taskcell!().map(wat("exit-3"), "run").args(["null"]).run();
    assert!(ended.one_error(1).contains("the program ended with exit code 3"), "{ended:#?}");
}

#[test]
fn a_million_lines_give_a_million_results_in_order() {
    const COUNT: u64 = 1_000_000;
    let write = |stdin: &mut dyn Write| {
        let mut stdin = std::io::BufWriter::new(stdin);
        (0..COUNT).try_for_each(|n| writeln!(stdin, "{n}")).and_then(|()| stdin.flush())
    };
    let mut running = numbers(&[], "echo").stdin_from(write).start();
    let mut expected = 0u64;
    for line in running.take_stdout().lines() {
        assert_eq!(line.expect("text").parse(), Ok(expected));
        expected += 1;
    }
    assert_eq!(expected, COUNT);
    let _ = running.end().well();
}

#[test]
fn a_slow_reader_slows_the_whole_and_memory_stays_bounded() {
    const COUNT: u64 = 3_000_000;
    const MOST: u64 = 200 << 20;
    let fed = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&fed);
    let write = move |stdin: &mut dyn Write| {
        let mut stdin = std::io::BufWriter::new(stdin);
        for n in 0..COUNT {
            writeln!(stdin, "{}", 1_000_000_000 + n)?;
            counter.store(n + 1, Ordering::Relaxed);
        }
        stdin.flush()
    };
    let mut running = numbers(&["--chunk", "1000"], "echo").stdin_from(write).start();
    let mut most = 0;
    let mut sample = |running: &taskcell_tests::Running| most = most.max(resident(running.pid()).unwrap_or(0));
    // Nobody reads. What it takes in comes to a stop, long before the end.
    let mut last = (0, 0);
    until("a standstill", || {
        std::thread::sleep(Duration::from_millis(100));
        sample(&running);
        let now = fed.load(Ordering::Relaxed);
        last = if now == last.0 && now > 0 { (now, last.1 + 1) } else { (now, 0) };
        (last.1 >= 20).then_some(())
    });
    assert!(last.0 < COUNT, "it took all {COUNT} inputs though nobody read a result");
    let mut count = 0;
    for line in running.take_stdout().lines() {
        assert_eq!(line.expect("text").parse(), Ok(1_000_000_000 + count));
        count += 1;
        if count % 100_000 == 0 {
            sample(&running);
        }
    }
    assert_eq!(count, COUNT);
    let _ = running.end().well();
    assert!(most > 0 && most < MOST, "the supervisor used {} MiB", most >> 20);
}

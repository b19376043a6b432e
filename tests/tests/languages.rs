//! The same tasks in Rust, C, JavaScript and Python: the same results for the same inputs, the same kinds of failure, and programs whose
//! tasks work together across languages.
//!
//! The guests come from `guest/build`, `guest/c/build`, `guest/js/build` and `guest/python/build`. A language that was not built is
//! skipped, with a line that says so; with `TASKCELL_GUESTS=all` in the environment that is a failure.

#![allow(clippy::print_stderr, reason = "who reads the tests' output has to see what was not tested")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use serde_json::{Value, json};
use taskcell_tests::{Ended, Taskcell, built, repository, taskcell};

/// What guests' files begin with, and the script that builds them. Rust's is first: the others are measured by it.
const LANGUAGES: [(&str, &str); 4] =
    [("", "guest/build"), ("c-", "guest/c/build"), ("js-", "guest/js/build"), ("python-", "guest/python/build")];

/// An example in each language that was built, compiled once for all tests.
fn guests(example: &str) -> Vec<PathBuf> {
    let mut found = vec![built(example)];
    found.extend(others(example));
    found
}

/// The same without Rust.
fn others(example: &str) -> Vec<PathBuf> {
    static COMPILED: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());
    let cache = std::env::var_os("TASKCELL_CACHE").map_or_else(|| repository().join(".cache"), PathBuf::from);
    let mut found = Vec::new();
    for (prefix, script) in &LANGUAGES[1..] {
        let guest = cache.join("guests").join(format!("{prefix}{example}.wasm"));
        if guest.is_file() {
            found.push(guest);
        } else {
            let all = std::env::var_os("TASKCELL_GUESTS").is_some_and(|which| which == "all");
            assert!(!all, "{} is not built: run {script}", guest.display());
            eprintln!("skipped: {prefix}{example} is not built ({script})");
        }
    }
    // Whoever comes second waits for the first instead of compiling the same once more.
    let mut compiled = COMPILED.lock().expect("no test panics while it compiles");
    for guest in &found {
        if compiled.insert(guest.clone()) {
            assert_eq!(taskcell!().args(["compile", "-q"]).arg(guest).run().code, Some(0), "{}", guest.display());
        }
    }
    found
}

fn map(options: &[&str], guest: &PathBuf, task: &str) -> Taskcell {
    taskcell!().arg("map").args(options).arg(guest).arg(task)
}

fn records(ended: &Ended) -> Vec<Value> {
    ended.lines().into_iter().map(|line| serde_json::from_str(line).expect("a record is one JSON object")).collect()
}

/// A row of the table that all languages share.
struct Row {
    task: String,
    input: String,
    result: String,
}

fn table() -> Vec<Row> {
    let path = repository().join("guest/examples/types/table.tsv");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let rows = text.split_terminator('\n').filter(|line| !line.starts_with('#')).map(|line| {
        let cells: Vec<&str> = line.split('\t').collect();
        let (task, input, result) = match cells[..] {
            [task, input] => (task, input, input),
            [task, input, result] => (task, input, result),
            _ => panic!("no row: {line:?}"),
        };
        Row { task: task.to_owned(), input: input.to_owned(), result: result.to_owned() }
    });
    rows.collect()
}

/// The names of the tasks of a guest.
fn tasks(guest: &Path) -> BTreeSet<String> {
    let told = taskcell!().args(["inspect", "--json"]).arg(guest).run().well();
    let told: Value = serde_json::from_str(&told.stdout).expect("inspect writes JSON");
    let tasks = told["tasks"].as_array().expect("there are tasks");
    tasks.iter().map(|task| task["name"].as_str().expect("a task has a name").to_owned()).collect()
}

#[test]
fn every_language_has_the_same_results() {
    let table = table();
    for guest in guests("types") {
        // One run for all inputs of a task.
        for rows in table.chunk_by(|a, b| a.task == b.task) {
            let inputs: Vec<&str> = rows.iter().map(|row| row.input.as_str()).collect();
            let ended = map(&[], &guest, &rows[0].task).stdin(inputs.join("\n")).run().well();
            let results: Vec<&str> = rows.iter().map(|row| row.result.as_str()).collect();
            assert_eq!(ended.lines(), results, "{} of {}", rows[0].task, guest.display());
        }
    }
    for guest in guests("fib") {
        let ended = map(&[], &guest, "fib").args(["0", "1", "2", "20"]).run().well();
        assert_eq!(ended.lines(), ["0", "1", "1", "6765"], "{}", guest.display());
        let ended = map(&[], &guest, "sum").args(["[]", "[4294967295,4294967295,1]"]).run().well();
        assert_eq!(ended.lines(), ["0", "8589934591"], "{}", guest.display());
        let ended = map(&[], &guest, "greet").args(["\"Zoë 😀\""]).run().well();
        assert_eq!(ended.lines(), ["\"Hello, Zoë 😀!\""], "{}", guest.display());
    }
}

#[test]
fn the_table_has_every_task_and_every_type_at_its_ends() {
    let table = table();
    let tried: BTreeSet<String> = table.iter().map(|row| row.task.clone()).collect();
    let all = tasks(&built("types"));
    // What it does has no result to compare.
    let traps = BTreeSet::from(["panics".to_owned()]);
    assert_eq!(tried, &all - &traps);
    for guest in others("types") {
        // Tool chains may add exports of their own.
        assert!(tasks(&guest).is_superset(&all), "{}", guest.display());
    }

    let has = |task: &str, values: &[&str]| {
        let inputs: BTreeSet<&str> = table.iter().filter(|row| row.task == task).map(|row| row.input.as_str()).collect();
        for value in values {
            assert!(inputs.contains(value), "{task} is not tried with {value}");
        }
    };
    has("echo-bool", &["false", "true"]);
    for bits in [8u32, 16, 32, 64] {
        let (unsigned, signed) = (u64::MAX >> (64 - bits), i64::MIN >> (64 - bits));
        // Both ends, and where the sign changes when one is taken for the other.
        has(&format!("echo-u{bits}"), &["0", &unsigned.to_string(), &(unsigned / 2 + 1).to_string()]);
        has(&format!("echo-s{bits}"), &[&signed.to_string(), "-1", "0", &(-(signed + 1)).to_string()]);
    }
    for (task, most, least) in [("echo-f32", "3.4028235e+38", "1e-45"), ("echo-f64", "1.7976931348623157e+308", "5e-324")] {
        has(task, &["0.0", "-0.0", "\"nan\"", "\"inf\"", "\"-inf\"", most, least]);
    }
    // The ends of Unicode, and those of the hole in it.
    has("echo-char", &["\"\\u0000\"", "\"\u{d7ff}\"", "\"\u{e000}\"", "\"\u{10ffff}\""]);
    has("echo-option-option", &["null", "{\"some\":null}", "{\"some\":0}"]);
    for task in ["echo-result", "echo-result-ok", "echo-result-error", "echo-result-empty"] {
        let cases = ["{\"ok\":", "{\"error\":"];
        assert!(cases.iter().all(|case| table.iter().any(|row| row.task == task && row.input.starts_with(case))), "{task}");
    }
}

#[test]
fn a_megabyte_of_bytes_comes_back() {
    let place = tempfile::tempdir().expect("a folder");
    let bytes: Vec<u8> = (0..1_000_003u32).map(|n| u8::try_from(n.wrapping_mul(2_654_435_761) >> 24).unwrap_or(0)).collect();
    let path = place.path().join("bytes");
    std::fs::write(&path, bytes).expect("a file");
    let mut results = BTreeSet::new();
    for guest in guests("fib") {
        let ended = map(&["--files"], &guest, "echo").arg(&path).run().well();
        assert_eq!(ended.stdout.len(), 1_333_340 + 3, "{}", guest.display());
        results.insert(ended.stdout);
    }
    assert_eq!(results.len(), 1, "all languages give the same bytes");
}

#[test]
fn every_language_counts_the_same_words() {
    let texts = [
        r#""""#,
        r#"" \n\t""#,
        r#""The cat; the \"Cat\", THE end. -- !\nlast line""#,
        r#""Äpfel äpfel ÄPFEL\u000bÜber über 12 12 Ω ω""#,
        r#""\ufeffone two\r\nthree\u00a0four""#,
        r#""g f e d c b a a""#,
    ];
    let counts = |guest: &PathBuf| map(&["--records"], guest, "count-text").args(texts).run();
    let told = |ended: &Ended| -> Vec<Value> {
        let records = records(ended);
        records.into_iter().map(|record| json!([record["ok"], record["error"]["value"], record["error"]["kind"]])).collect()
    };
    let guests = guests("word-count");
    let first = told(&counts(&guests[0]));
    assert_eq!(first[0], json!([null, "the text has no words", "failed"]));
    assert_eq!(first[2][0]["top"][0], json!(["the", 3]));
    assert_eq!(first[3][0]["top"][0], json!(["äpfel", 3]));
    for guest in &guests {
        assert_eq!(told(&counts(guest)), first, "{}", guest.display());
        // Bytes that are no text.
        let ended = map(&[], guest, "count-words").arg("\"//4gYf9iIIAgw6TEIOSfpSA=\"").run().well();
        let told: Value = serde_json::from_str(&ended.stdout).expect("a result is JSON");
        assert_eq!((&told["words"], &told["bytes"]), (&json!(5), &json!(17)), "{}", guest.display());
        assert_eq!(told["longest"], json!("a\u{fffd}b"), "{}", guest.display());
    }
}

#[test]
fn failures_are_of_the_same_kind_and_cost_one_task() {
    for guest in guests("types") {
        let ended = map(&["--records"], &guest, "fallible").args(["2", "3", "4294967295", "4"]).run();
        assert_eq!(ended.code, Some(1), "{ended:#?}");
        let told = records(&ended);
        let errors: Vec<_> =
            told.iter().map(|record| (&record["ok"], &record["error"]["kind"], &record["error"]["value"])).collect();
        let none = &Value::Null;
        let expected = [
            (&json!(2), none, none),
            (none, &json!("failed"), &json!("3 is odd")),
            (none, &json!("failed"), &json!("4294967295 is odd")),
            (&json!(4), none, none),
        ];
        assert_eq!(errors, expected, "{}", guest.display());

        // Errors that carry nothing.
        for (task, result) in [("half", json!(2)), ("even", Value::Null)] {
            let told = records(&map(&["--records"], &guest, task).args(["3", "4"]).run());
            assert_eq!(
                (&told[0]["error"]["kind"], &told[0]["error"]["value"]),
                (&json!("failed"), none),
                "{task} of {}",
                guest.display()
            );
            assert_eq!(told[1].get("ok"), Some(&result), "{task} of {}", guest.display());
        }

        let told = records(&map(&["--records"], &guest, "work-on").args(["\"monday\"", "\"sunday\""]).run());
        assert_eq!(told[0].get("ok"), Some(none), "{}", guest.display());
        assert_eq!(told[1]["error"]["value"], json!({"day": "sunday", "reason": "a day of rest"}), "{}", guest.display());

        // A crash, in each way that a language has for it.
        let told = records(&map(&["--records"], &guest, "panics").args(["\"oh nö\"", "\"oh nö\""]).run());
        for record in &told {
            assert_eq!(record["error"]["kind"], "trapped", "{}: {record}", guest.display());
            // Rust's has nowhere to print it; the other languages say what they have to say.
            let printed = record["stderr"].as_str().is_some_and(|text| text.contains("oh nö"));
            assert_eq!(printed, guest != built("types"), "{}: {record}", guest.display());
        }

        let long = ["[\"abcdefgh\",2000000]", "[\"ab\",2]"];
        let told = records(&map(&["--records", "--max-result", "1M"], &guest, "repeat").args(long).run());
        assert_eq!((&told[0]["error"]["kind"], &told[1]["ok"]), (&json!("over-limit"), &json!("abab")), "{}", guest.display());
        let large = ["[\"ab\",100000000]", "[\"ab\",2]"];
        let told = records(&map(&["--records", "--memory", "64M"], &guest, "repeat").args(large).run());
        assert_eq!((&told[0]["error"]["kind"], &told[1]["ok"]), (&json!("over-limit"), &json!("abab")), "{}", guest.display());
    }
    for guest in guests("fib") {
        let told = records(&map(&["--records", "--timeout", "1s"], &guest, "fib").args(["1", "50", "2"]).run());
        assert_eq!(told[1]["error"]["kind"], "timed-out", "{}: {told:#?}", guest.display());
        assert_eq!((&told[0]["ok"], &told[2]["ok"]), (&json!(1), &json!(1)), "{}", guest.display());
    }
}

#[test]
fn an_instance_can_be_used_again_in_every_language() {
    for guest in guests("types") {
        let inputs: Vec<String> = (0..200).map(|n| format!("[{n},\"ä\"]")).collect();
        let ended = map(&["--isolation", "reuse", "-j", "1"], &guest, "two-params").stdin(inputs.join("\n")).run().well();
        assert_eq!(ended.lines(), (0..200).map(|n| format!("\"{n} ä\"")).collect::<Vec<_>>(), "{}", guest.display());
        // Errors leave an instance whole; after a trap there is another.
        let ended = map(&["--isolation", "reuse", "-j", "1"], &guest, "fallible").args(["1", "2", "3", "4"]).run();
        assert_eq!(ended.lines(), ["2", "4"], "{}", guest.display());
    }
}

#[test]
fn a_program_in_every_language_says_the_same() {
    for guest in guests("pipeline") {
        let ended = taskcell!().args(["run", "-q"]).arg(&guest).run().well();
        let expected = ["produced: 100", "consumed: 100 and 100", "sum of squares: 338350", "pool: 1 4 9 16 25"];
        assert_eq!(ended.lines(), expected, "{}", guest.display());
    }
}

#[test]
fn one_program_uses_tasks_in_several_languages() {
    let guests = guests("pipeline");
    let ends_with = |name: &str| guests.iter().find(|guest| guest.ends_with(name));
    // The program is Python's: it takes the names of the consumers as arguments.
    let Some(python) = ends_with("python-pipeline.wasm") else { return };
    let mut run = taskcell!().args(["run", "-q"]);
    let mut consumers = vec!["consume"];
    for (name, file, task) in [
        ("c", "c-pipeline.wasm", "c/consume"),
        ("js", "js-pipeline.wasm", "js/consume"),
        ("rust", "guests/pipeline.wasm", "rust/consume"),
    ] {
        if let Some(guest) = ends_with(file) {
            run = run.arg("--module").arg(format!("{name}={}", guest.display()));
            consumers.push(task);
        }
    }
    let ended = run.arg(python).arg("--").args(&consumers).run().well();
    assert_eq!(ended.lines()[1..3], ["consumed: 100 and 100", "sum of squares: 338350"], "{consumers:?}: {ended:#?}");
}

#[test]
fn stages_in_several_languages_pass_on_what_they_make() {
    let guests = guests("pipeline");
    let ends_with = |name: &str| guests.iter().find(|guest| guest.ends_with(name));
    let (Some(python), Some(js)) = (ends_with("python-pipeline.wasm"), ends_with("js-pipeline.wasm")) else { return };
    let rust = built("pipeline");
    let modules = [format!("rust={}", rust.display()), format!("js={}", js.display())];
    let modules = modules.iter().flat_map(|module| ["--module", module]);
    let ended = taskcell!().args(["run", "-q"]).args(modules).arg(python).args(["--", "rust/consume>js/consume"]).run().well();
    // Python makes the numbers from 1 to 100, Rust squares them, JavaScript squares that.
    let sum: u64 = (1..=100u64).map(|n| n.pow(4)).sum();
    assert_eq!(ended.lines(), ["rust/consume: 100", "js/consume: 100", &format!("sum: {sum} done: 200")], "{ended:#?}");
}

#[test]
fn all_of_each_sdk_works() {
    for guest in others("check") {
        // Some of its tasks trap, on purpose, and say so.
        let ended = taskcell!().args(["run", "-q"]).arg(&guest).run();
        let well =
            ended.code == Some(0) && ended.lines().len() >= 4 && ended.lines().iter().all(|line| line.starts_with("works: "));
        assert!(well, "{}: {ended:#?}", guest.display());
    }
}

#[test]
fn examples_in_several_languages_have_the_same_types() {
    let text = |path: &str| std::fs::read_to_string(repository().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    for language in ["c", "js"] {
        assert_eq!(text(&format!("guest/{language}/examples/pipeline.wit")), text("guest/python/examples/pipeline.wit"));
    }
    assert_eq!(text("guest/js/tests/check.wit"), text("guest/python/tests/check.wit"));
}

#[test]
fn the_tutorials_programs_say_in_every_language_what_they_say_in_rust() {
    let seconds = |text: &str, order: [u32; 3]| order.map(|n| format!("{text} {n} seconds"));
    let imap = [seconds("Completed task after", [1, 5, 3]), seconds("Task finished in", [1, 3, 5])].concat();
    let mut expected: BTreeMap<&str, Vec<String>> = BTreeMap::from([
        ("executor", (1..=5).map(|item| format!("Task {item} completed")).collect()),
        ("imap", imap),
        ("queue", vec!["Received: Data item".into()]),
        ("shared-map", vec!["Shared data: {'key_0': 0, 'key_1': 1, 'key_2': 2, 'key_3': 3, 'key_4': 4}".into()]),
        ("pipe", vec!["Received: Message from sender".into()]),
    ]);
    let queue = "queue N \"tickets\": get";
    let states =
        ["first: running", "first: waiting (Q)", "second: ready", "second: running", "second: waiting (Q)", "first: ended"];
    let states = states.iter().map(|line| line.replace('Q', queue)).chain(["second: ended".into(), "tickets: 1 2".into()]);
    expected.insert("states", states.collect());
    for guest in others("tutorial") {
        let ended = taskcell!().args(["run", "-q"]).arg(&guest).run().well();
        let mut found: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        let mut program = "";
        for line in ended.lines() {
            match line.strip_prefix("-- ") {
                Some(name) => program = name,
                // The numbers of things differ with what was made before.
                None => found.entry(program).or_default().push(without_number(line, "queue ")),
            }
        }
        if let Some(lines) = found.remove("process") {
            let pid = lines[0].strip_prefix("Process ID: ").and_then(|pid| pid.parse::<u32>().ok());
            assert!(pid.is_some_and(|pid| pid > 1) && lines[1..] == ["Main process completed"], "{}: {lines:?}", guest.display());
        }
        let least = if guest.ends_with("c-tutorial.wasm") { 4 } else { 6 };
        assert!(found.len() >= least, "{}: {found:?}", guest.display());
        for (program, lines) in found {
            assert_eq!(Some(&lines), expected.get(program), "{program} of {}", guest.display());
        }
    }
}

/// A line with an N instead of the number behind a word.
fn without_number(line: &str, word: &str) -> String {
    let Some((before, behind)) = line.split_once(word) else { return line.to_owned() };
    format!("{before}{word}N{}", behind.trim_start_matches(|digit: char| digit.is_ascii_digit()))
}

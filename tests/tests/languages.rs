//! The same tasks in Rust, C, JavaScript and Python: the same results for the same inputs, the same kinds of failure, and programs whose
//! tasks work together across languages.
//!
//! The guests come from `guest/build`, `guest/c/build`, `guest/js/build` and `guest/python/build`. A language that was not built is
//! skipped, with a line that says so; with `TASKCELL_GUESTS=all` in the environment that is a failure.

#![allow(clippy::print_stderr, reason = "who reads the tests' output has to see what was not tested")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
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

const ZOE: &str = r#"{"full-name":"Zoë Ω😀","age":255,"home-address":{"street":"","house-number":65535,"post-code":null},"nick-names":["é","","%s {0} ${x}"]}"#;
const ANN: &str = r#"{"full-name":"Ann","age":0,"home-address":{"street":"S","house-number":0,"post-code":"1"},"nick-names":[]}"#;

/// Values that come back as they are.
fn echoed() -> Vec<(&'static str, Vec<String>)> {
    let fixed: &[(&str, &[&str])] = &[
        ("echo-bool", &["true", "false"]),
        ("echo-u8", &["0", "127", "128", "255"]),
        ("echo-u16", &["0", "32768", "65535"]),
        ("echo-u32", &["0", "2147483647", "2147483648", "4294967295"]),
        ("echo-u64", &["0", "9007199254740993", "9223372036854775808", "18446744073709551615"]),
        ("echo-s8", &["-128", "-1", "127"]),
        ("echo-s16", &["-32768", "-1", "32767"]),
        ("echo-s32", &["-2147483648", "-1", "2147483647"]),
        ("echo-s64", &["-9223372036854775808", "-9007199254740993", "-1", "9223372036854775807"]),
        ("echo-f32", &["0.1", "-0.0", "3.4028235e+38", "1e-45", "\"nan\"", "\"inf\"", "\"-inf\""]),
        ("echo-f64", &["0.1", "-0.0", "1.7976931348623157e+308", "5e-324", "\"nan\"", "\"inf\"", "\"-inf\""]),
        ("echo-char", &["\"a\"", "\"ü\"", "\"😀\"", "\"\\u0000\"", "\"\u{e000}\"", "\"\u{ffff}\""]),
        ("echo-string", &["\"\"", "\"grün 😀\"", "\"a\\u0000b\"", "\"\u{feff}x\"", "\"\\\"\\\\\\n\""]),
        ("echo-bytes", &["\"\"", "\"AP+A\""]),
        ("echo-list-u32", &["[]", "[0,2147483648,4294967295]"]),
        ("echo-list-f64", &["[]", "[0.5,\"nan\",\"-inf\"]"]),
        ("echo-list-bool", &["[]", "[true,false,true]"]),
        ("echo-list-char", &["[]", "[\"a\",\"😀\"]"]),
        ("echo-list-string", &["[]", "[\"\",\"ä\"]"]),
        ("echo-list-list", &["[]", "[[],[1],[-32768,32767]]"]),
        ("echo-list-bytes", &["[]", "[\"\",\"AP+A\"]"]),
        ("echo-tuple", &["[255,\"ü\",0.5]"]),
        ("echo-enum", &["\"monday\"", "\"sunday\""]),
        ("echo-flags", &["[]", "[\"write\"]", "[\"read\",\"write\",\"run-programs\"]"]),
        ("echo-many-flags", &["[]", "[\"b0\",\"b31\"]", "[\"b7\",\"b8\",\"b15\",\"b16\"]"]),
        ("echo-option", &["null", "0", "4294967295"]),
        ("echo-option-option", &["null", "{\"some\":null}", "{\"some\":0}"]),
        ("echo-result", &["{\"ok\":1}", "{\"error\":\"nö\"}"]),
        ("echo-result-ok", &["{\"ok\":1}", "{\"error\":null}"]),
        ("echo-result-error", &["{\"ok\":null}", "{\"error\":\"no\"}"]),
        ("echo-result-empty", &["{\"ok\":null}", "{\"error\":null}"]),
    ];
    let mut all: Vec<(&str, Vec<String>)> =
        fixed.iter().map(|(task, values)| (*task, values.iter().map(|value| (*value).to_owned()).collect())).collect();
    all.push(("echo-record", vec![ZOE.to_owned(), ANN.to_owned()]));
    all.push(("echo-list-person", vec!["[]".to_owned(), format!("[{ZOE},{ANN}]")]));
    all.push(("echo-option-record", vec!["null".to_owned(), ZOE.to_owned()]));
    let variants = ["{\"none\":null}", "{\"at-least\":18446744073709551615}", "{\"named\":\"ñ\"}", "{\"one-of\":[]}"];
    let more = ["{\"one-of\":[1,4294967295]}", "{\"within\":[-2147483648,1]}", "{\"sized\":{\"width\":1.5,\"height\":\"inf\"}}"];
    let mut variants: Vec<String> = variants.iter().chain(&more).map(|value| (*value).to_owned()).collect();
    variants.push(format!("{{\"older-than\":{ZOE}}}"));
    all.push(("echo-variant", variants));
    let empty = "{\"filters\":[],\"rota\":[],\"rights\":[],\"answers\":[],\"grid\":[[],\"x\",false]}".to_owned();
    let full = format!(
        "{{\"filters\":[{{\"all\":null}},{{\"at-least\":1}},{{\"older-than\":{ANN}}}],\"rota\":[[\"monday\",null],[\"sunday\",{ZOE}]],\
         \"rights\":[\"write\"],\"answers\":[{{\"ok\":null}},{{\"ok\":18446744073709551615}},{{\"error\":\"é\"}}],\
         \"grid\":[[[0.5,\"nan\"],[]],\"😀\",true]}}"
    );
    all.push(("echo-nested", vec![empty, full]));
    all
}

#[test]
fn every_value_comes_back_from_every_language() {
    for guest in guests("types") {
        for (task, values) in echoed() {
            let ended = map(&[], &guest, task).stdin(values.join("\n")).run().well();
            // A result as the whole answer would tell how the task ended: it comes back in a tuple.
            let wrapped = |value: &String| if task.starts_with("echo-result") { format!("[{value}]") } else { value.clone() };
            assert_eq!(ended.lines(), values.iter().map(wrapped).collect::<Vec<_>>(), "{task} of {}", guest.display());
        }
    }
}

#[test]
fn every_echo_is_tried() {
    let told = taskcell!().args(["inspect", "--json"]).arg(built("types")).run().well();
    let told: Value = serde_json::from_str(&told.stdout).expect("inspect writes JSON");
    let tried: BTreeSet<&str> = echoed().into_iter().map(|(task, _)| task).collect();
    for task in told["tasks"].as_array().expect("there are tasks") {
        let name = task["name"].as_str().expect("a task has a name");
        assert!(!name.starts_with("echo-") || tried.contains(name), "no value is tried with {name}");
    }
}

#[test]
fn every_language_computes_the_same() {
    for guest in guests("types") {
        for (task, inputs, results) in [
            ("two-params", &["[4294967295,\"ü\"]"][..], &["\"4294967295 ü\""][..]),
            ("many-params", &["[255,65535,4294967295,1,-128,-32768,-2147483648,-9,1,2,3,4,5,6,7,8,\"fööur\"]"], &["2147516576"]),
            ("no-params", &["null"], &["42"]),
            ("no-result", &["7"], &["null"]),
            ("nothing", &["null"], &["null"]),
            ("greet-many", &["[[\"Zoë\",\"\"]]", "[[]]"], &["[\"Hello, Zoë!\",\"Hello, !\"]", "[]"]),
            ("repeat", &["[\"äb\",3]", "[\"\",5]", "[\"x\",0]"], &["\"äbäbäb\"", "\"\"", "\"\""]),
            (
                "example:types/shapes#area",
                &["{\"circle\":1.5}", "{\"rectangle\":{\"width\":2,\"height\":\"inf\"}}", "\"empty\""],
                &["7.0685834705770345", "\"inf\"", "0.0"],
            ),
            (
                "example:types/shapes#scale",
                &["[{\"circle\":1.5},2]", "[{\"rectangle\":{\"width\":2,\"height\":3}},\"nan\"]", "[\"empty\",0]"],
                &["{\"circle\":3.0}", "{\"rectangle\":{\"width\":\"nan\",\"height\":\"nan\"}}", "{\"empty\":null}"],
            ),
        ] {
            let inputs: Vec<&str> = inputs.iter().map(|input| unwrapped(task, input)).collect();
            let ended = map(&[], &guest, task).stdin(inputs.join("\n")).run().well();
            assert_eq!(ended.lines(), results, "{task} of {}", guest.display());
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

/// A single parameter that is a list stands for itself.
fn unwrapped<'a>(task: &str, input: &'a str) -> &'a str {
    if task != "greet-many" {
        return input;
    }
    input.strip_prefix('[').and_then(|input| input.strip_suffix(']')).unwrap_or(input)
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

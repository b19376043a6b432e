//! Every kind of value there and back, through the command line, the worker and a guest built from Rust.

use std::collections::BTreeSet;

use taskcell_tests::{built, repository, taskcell};

/// Runs `task` on the inputs and gives its results.
fn map(task: &str, inputs: &[&str]) -> Vec<String> {
    let ended = taskcell!().map(built("types"), task).stdin(inputs.join("\n")).run().well();
    ended.lines().into_iter().map(str::to_owned).collect()
}

/// Inputs that come back as they are, character for character.
const SAME: &[(&str, &[&str])] = &[
    ("echo-bool", &["true", "false"]),
    ("echo-u8", &["0", "255"]),
    ("echo-u16", &["0", "65535"]),
    ("echo-u32", &["0", "4294967295"]),
    ("echo-u64", &["0", "9007199254740993", "18446744073709551615"]),
    ("echo-s8", &["-128", "127"]),
    ("echo-s16", &["-32768", "32767"]),
    ("echo-s32", &["-2147483648", "2147483647"]),
    ("echo-s64", &["-9223372036854775808", "-9007199254740993", "9223372036854775807"]),
    ("echo-f32", &["0.1", "-1.5", "3.4028235e+38", "1e-45", "\"nan\"", "\"inf\"", "\"-inf\""]),
    ("echo-f64", &["0.1", "-1.5", "1.7976931348623157e+308", "5e-324", "\"nan\"", "\"inf\"", "\"-inf\""]),
    ("echo-char", &["\"a\"", "\"ü\"", "\"😀\"", "\"\\\"\"", "\"\\n\"", "\"\\u0000\""]),
    ("echo-string", &["\"\"", "\"grün\"", "\"a\\nb\\t\\\"c\\\\\"", "\"😀\""]),
    ("echo-bytes", &["\"\"", "\"AP+A\""]),
    ("echo-list-u32", &["[]", "[1,2,4294967295]"]),
    ("echo-list-f64", &["[]", "[0.5,\"nan\",-1.25]"]),
    ("echo-list-bool", &["[true,false,true]"]),
    ("echo-list-char", &["[\"a\",\"😀\"]"]),
    ("echo-list-string", &["[]", "[\"\",\"a\"]"]),
    ("echo-list-list", &["[]", "[[],[1],[-2,3]]"]),
    ("echo-list-bytes", &["[\"\",\"AP+A\"]"]),
    (
        "echo-list-person",
        &[
            "[]",
            "[{\"full-name\":\"A B\",\"age\":7,\"home-address\":{\"street\":\"S\",\"house-number\":1,\"post-code\":null},\"nick-names\":[\"x\"]}]",
        ],
    ),
    ("echo-tuple", &["[1,\"a\",0.5]"]),
    (
        "echo-record",
        &[
            "{\"full-name\":\"A B\",\"age\":255,\"home-address\":{\"street\":\"S\",\"house-number\":65535,\"post-code\":\"1\"},\"nick-names\":[]}",
        ],
    ),
    (
        "echo-variant",
        &[
            "{\"none\":null}",
            "{\"at-least\":18446744073709551615}",
            "{\"named\":\"n\"}",
            "{\"one-of\":[1,2]}",
            "{\"within\":[-1,1]}",
            "{\"sized\":{\"width\":1.5,\"height\":2.5}}",
        ],
    ),
    ("echo-enum", &["\"monday\"", "\"sunday\""]),
    ("echo-flags", &["[]", "[\"read\"]", "[\"read\",\"write\",\"run-programs\"]"]),
    ("echo-many-flags", &["[]", "[\"b0\",\"b31\"]"]),
    ("echo-option", &["null", "0", "4294967295"]),
    ("echo-option-option", &["null", "{\"some\":null}", "{\"some\":7}"]),
    (
        "echo-option-record",
        &[
            "null",
            "{\"full-name\":\"A\",\"age\":1,\"home-address\":{\"street\":\"\",\"house-number\":0,\"post-code\":null},\"nick-names\":[]}",
        ],
    ),
    ("echo-result", &["[{\"ok\":1}]", "[{\"error\":\"no\"}]"]),
    ("echo-result-ok", &["[{\"ok\":1}]", "[{\"error\":null}]"]),
    ("echo-result-error", &["[{\"ok\":null}]", "[{\"error\":\"no\"}]"]),
    ("echo-result-empty", &["[{\"ok\":null}]", "[{\"error\":null}]"]),
    (
        "echo-nested",
        &[
            "{\"filters\":[{\"all\":null},{\"at-least\":1}],\"rota\":[[\"monday\",null]],\"rights\":[\"write\"],\"answers\":[{\"ok\":null},{\"ok\":5},{\"error\":\"e\"}],\"grid\":[[[0.5],[]],\"x\",true]}",
        ],
    ),
    ("greet-many", &[]),
];

#[test]
fn every_value_comes_back_as_it_went() {
    for (task, values) in SAME {
        // A result as a task's whole answer would tell how it ended, so that one stands in a tuple: only the input loses it.
        let bare = |value: &&str| value.strip_prefix('[').and_then(|value| value.strip_suffix(']')).unwrap_or(value).to_owned();
        let inputs: Vec<String> = match task.starts_with("echo-result") {
            true => values.iter().map(bare).collect(),
            false => values.iter().map(|&value| value.to_owned()).collect(),
        };
        let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
        assert_eq!(map(task, &inputs), *values, "{task}");
    }
}

#[test]
fn every_echo_of_the_guest_is_tried() {
    let told = taskcell!().args(["inspect", "--json"]).arg(built("types")).run().well();
    let told: serde_json::Value = serde_json::from_str(&told.stdout).expect("inspect writes JSON");
    // Those of the table are tried in every language (`languages.rs`), this one among them.
    let table = std::fs::read_to_string(repository().join("guest/examples/types/table.tsv")).expect("the table");
    let rows = table.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split('\t').next());
    let tried: BTreeSet<&str> = SAME.iter().map(|(task, _)| *task).chain(rows).collect();
    for task in told["tasks"].as_array().expect("there are tasks") {
        let name = task["name"].as_str().expect("a task has a name");
        assert!(!name.starts_with("echo-") || tried.contains(name), "no value is tried with {name}");
    }
}

#[test]
fn other_ways_to_write_a_value_are_taken_too() {
    assert_eq!(map("echo-bytes", &["[0,255,128]"]), ["\"AP+A\""]);
    assert_eq!(map("echo-string", &["\"\\u0041\\ud83d\\ude00\""]), ["\"A😀\""]);
    assert_eq!(map("echo-f64", &["1", "1e2", "-0.0"])[..2], ["1.0", "100.0"].map(str::to_owned)[..]);
    assert_eq!(map("echo-tuple", &[" [ 1 , \"a\" , 2 ] "]), ["[1,\"a\",2.0]"]);
    assert_eq!(map("echo-variant", &["\"none\""]), ["{\"none\":null}"]);
    assert_eq!(map("echo-flags", &["[\"write\",\"read\"]"]), ["[\"read\",\"write\"]"]);
    let reordered = "{\"nick-names\":[],\"age\":1,\"home-address\":{\"post-code\":null,\"house-number\":0,\"street\":\"\"},\"full-name\":\"A\"}";
    assert!(map("echo-record", &[reordered])[0].starts_with("{\"full-name\":\"A\",\"age\":1,"));
}

#[test]
fn several_parameters_are_an_array_and_none_is_null() {
    assert_eq!(map("two-params", &["[7,\"x\"]"]), ["\"7 x\""]);
    assert_eq!(map("many-params", &["[1,1,1,1,-1,-1,-1,-1,1,1,1,1,1,1,1,1,\"four\"]"]), ["12"]);
    assert_eq!(map("no-params", &["null", "[]"]), ["42", "42"]);
    assert_eq!(map("no-result", &["1"]), ["null"]);
    assert_eq!(map("nothing", &["null"]), ["null"]);
    assert_eq!(map("greet-many", &["[\"A\",\"B\"]"]), ["[\"Hello, A!\",\"Hello, B!\"]"]);
    assert_eq!(map("repeat", &["[\"ab\",3]"]), ["\"ababab\""]);
}

#[test]
fn the_error_of_a_result_fails_the_task() {
    let ended = taskcell!().map(built("types"), "fallible").args(["2", "3", "4"]).run();
    assert_eq!((ended.code, ended.lines()), (Some(1), vec!["2", "4"]), "{ended:#?}");
    assert_eq!(ended.stderr, "error: argument 2: the task returned an error: \"3 is odd\"\n");

    let ended =
        taskcell!().args(["map", "--records"]).arg(built("types")).arg("work-on").args(["\"monday\"", "\"sunday\""]).run();
    let records: Vec<serde_json::Value> =
        ended.lines().into_iter().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(records[0]["ok"], serde_json::Value::Null);
    assert_eq!(records[1]["error"]["kind"], "failed");
    assert_eq!(records[1]["error"]["value"]["reason"], "a day of rest");
}

#[test]
fn a_panic_of_the_guest_is_a_trap() {
    let ended = taskcell!().map(built("types"), "panics").args(["\"oh\"", "\"no\""]).run();
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""), "{ended:#?}");
    assert_eq!(ended.complaints().len(), 2, "{ended:#?}");
}

#[test]
fn an_interface_names_its_functions_and_a_short_name_is_enough() {
    let shape = "{\"rectangle\":{\"width\":2.0,\"height\":3.0}}";
    assert_eq!(map("example:types/shapes#area", &[shape, "\"empty\""]), ["6.0", "0.0"]);
    assert_eq!(map("area", &[shape]), ["6.0"]);
    let input = format!("[{shape},2.0]");
    assert_eq!(map("example:types/shapes#scale", &[&input]), ["{\"rectangle\":{\"width\":4.0,\"height\":6.0}}"]);
}

#[test]
fn a_call_takes_and_gives_wave() {
    for (call, result) in [
        ("echo-u64(18446744073709551615)", "18446744073709551615"),
        ("echo-s64(-9223372036854775808)", "-9223372036854775808"),
        ("echo-f64(nan)", "nan"),
        ("echo-f64(-inf)", "-inf"),
        ("echo-char('ü')", "'ü'"),
        ("echo-string(\"a\\nb\")", "\"a\\nb\""),
        ("echo-list-u32([1, 2])", "[1, 2]"),
        ("echo-tuple((1, \"a\", 0.5))", "(1, \"a\", 0.5)"),
        ("echo-enum(friday)", "friday"),
        ("echo-flags({read, write})", "{read, write}"),
        ("echo-option(some(1))", "some(1)"),
        ("echo-option(none)", "none"),
        ("echo-option-option(some(none))", "some(none)"),
        ("echo-variant(at-least(3))", "at-least(3)"),
        ("two-params(1, \"b\")", "\"1 b\""),
        ("no-params()", "42"),
        ("nothing()", "()"),
        ("fallible(2)", "ok(2)"),
    ] {
        assert_eq!(taskcell!().call(built("types"), call).run().well().stdout, format!("{result}\n"), "{call}");
    }
    let ended = taskcell!().call(built("types"), "fallible(3)").run();
    assert_eq!(ended.one_error(1), "the task returned an error: \"3 is odd\"");
    let json = taskcell!().args(["call", "--json"]).arg(built("types")).arg("echo-option-option(some(none))").run().well();
    assert_eq!(json.stdout, "{\"some\":null}\n");
}

//! Values through real guests: there and back as JSON and as bytes, and guests that hand over what is no value.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::fd::AsRawFd as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use taskcell_engine::compile::{compile, open};
use taskcell_engine::{Code, CodeFile, CodeOptions, Connections, Guest, Machine, NoPort, PrintSink, Stop, StopReason};
use taskcell_sandbox::Confined;
use taskcell_wire::{Encoding, Grants, Isolation, Limit, Limits, Outcome, Stream, TaskIndex, TrapKind};

struct Never;

impl Stop for Never {
    fn reason(&self) -> Option<StopReason> {
        None
    }
}

struct Quiet;

impl PrintSink for Quiet {
    fn printed(&self, _: Stream, _: &[u8]) {}
}

/// A file without a name.
fn file(bytes: &[u8]) -> File {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let name = format!("taskcell-abi-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    let path = std::env::temp_dir().join(name);
    let mut file = OpenOptions::new().read(true).write(true).create_new(true).open(&path).unwrap();
    std::fs::remove_file(path).unwrap();
    file.write_all(bytes).unwrap();
    file
}

fn guest_within(wat: &str, isolation: Isolation, limits: Limits) -> Guest {
    let code = compile(wat.as_bytes(), &limits, true).unwrap_or_else(|error| panic!("{error}\n{wat}"));
    let file = file(&code.bytes);
    let path = std::path::PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
    let (confined, file) = (Confined::pretended(), CodeFile { path: &path, bytes: &code.bytes });
    let interface = open(&confined, &file, &limits, code.is_concurrent, code.has_start).unwrap().describe().unwrap();
    let machine = Machine::new(&limits, code.is_concurrent).unwrap();
    let options = CodeOptions { interface, limits, grants: Grants::default(), isolation, cpus: 1 };
    let code = Code::load(&confined, &machine, &file, options).unwrap();
    let connections = Connections { stop: Arc::new(Never), sink: Arc::new(Quiet), port: Arc::new(NoPort) };
    let mut guest = Guest::new(&code, &connections);
    guest.warm_up().unwrap();
    guest
}

fn guest(wat: &str) -> Guest {
    guest_within(wat, Isolation::Reuse, Limits::default())
}

/// What came of a call, owned and as text.
#[derive(Debug, PartialEq)]
enum Ended {
    Ok(String),
    Failed(String),
    Trapped(TrapKind, String),
    OverLimit(Limit),
    Invalid(String),
}

fn run(guest: &mut Guest, task: u16, input: Encoding, output: Encoding, item: &[u8]) -> Ended {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match guest.run(TaskIndex(task), input, output, item) {
        Outcome::Ok(bytes) => Ended::Ok(text(bytes)),
        Outcome::Failed(bytes) => Ended::Failed(text(bytes)),
        Outcome::Trapped { kind, text } => Ended::Trapped(kind, text.to_owned()),
        Outcome::OverLimit { limit, .. } => Ended::OverLimit(limit),
        Outcome::Invalid { text } => Ended::Invalid(text.to_owned()),
        Outcome::TimedOut | Outcome::Cancelled | Outcome::Exited(_) => panic!("nobody stops it, and it is no program"),
    }
}

fn json(guest: &mut Guest, task: u16, item: &str) -> Ended {
    run(guest, task, Encoding::Json, Encoding::Json, item.as_bytes())
}

fn same(text: &str) -> Ended {
    Ended::Ok(text.to_owned())
}

/// A memory that only fills up.
const MEMORY: &str = r#"
    (memory (export "memory") 64)
    (global $top (mut i32) (i32.const 1024))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (local $at i32)
        (local.set $at (i32.and (i32.add (global.get $top) (i32.const 7)) (i32.const -8)))
        (global.set $top (i32.add (local.get $at) (local.get 3)))
        (local.get $at))"#;

/// A component around a core module with this memory, whose functions are exported with the types that are given.
fn component(types: &str, code: &str, exports: &[(&str, &str)]) -> String {
    let exports = exports.iter().map(|(name, ty)| {
        format!("(func (export \"{name}\") {ty} (canon lift (core func $i \"{name}\") (memory $memory) (realloc (core func $realloc))))")
    });
    format!(
        r#"(component {types} (core module $m {MEMORY} {code})
            (core instance $i (instantiate $m))
            (alias core export $i "memory" (core memory $memory))
            (alias core export $i "realloc" (core func $realloc))
            {})"#,
        exports.collect::<String>()
    )
}

/// Gives back what it is passed: as lists, which lie in memory, and in flat values through an `async func`, which may return
/// several.
struct Echo {
    /// Declarations of types that have names.
    types: &'static str,
    ty: &'static str,
    flat: &'static str,
    values: &'static [&'static str],
}

const ECHOES: &[Echo] = &[
    Echo { types: "", ty: "bool", flat: "i32", values: &["true", "false"] },
    Echo { types: "", ty: "u8", flat: "i32", values: &["0", "255"] },
    Echo { types: "", ty: "s8", flat: "i32", values: &["-128", "127"] },
    Echo { types: "", ty: "s16", flat: "i32", values: &["-32768"] },
    Echo { types: "", ty: "u64", flat: "i64", values: &["18446744073709551615"] },
    Echo { types: "", ty: "s64", flat: "i64", values: &["-9223372036854775808"] },
    Echo { types: "", ty: "f32", flat: "f32", values: &["1.5", "-0.0", "\"nan\"", "\"inf\""] },
    Echo { types: "", ty: "f64", flat: "f64", values: &["0.1", "\"-inf\""] },
    Echo { types: "", ty: "char", flat: "i32", values: &["\"é\"", "\"😀\""] },
    Echo { types: "", ty: "string", flat: "i32 i32", values: &["\"\"", "\"naïve 😀\""] },
    Echo { types: "", ty: "(list u8)", flat: "i32 i32", values: &["\"\"", "\"aGVsbG8=\""] },
    Echo { types: "", ty: "(list (list u8))", flat: "i32 i32", values: &["[]", "[\"\",\"aGk=\"]"] },
    Echo { types: "", ty: "(list s16)", flat: "i32 i32", values: &["[]", "[-1,32767]"] },
    Echo { types: "", ty: "(list u64)", flat: "i32 i32", values: &["[18446744073709551615,0]"] },
    Echo { types: "", ty: "(list f32)", flat: "i32 i32", values: &["[0.5,\"nan\"]"] },
    Echo { types: "", ty: "(list bool)", flat: "i32 i32", values: &["[true,false]"] },
    Echo { types: "", ty: "(list (list string))", flat: "i32 i32", values: &["[[\"a\"],[],[\"b\",\"c\"]]"] },
    Echo { types: "", ty: "(tuple u8 string f64)", flat: "i32 i32 i32 f64", values: &["[1,\"a\",2.5]"] },
    Echo { types: "", ty: "(option (option u32))", flat: "i32 i32 i32", values: &["null", "{\"some\":null}", "{\"some\":7}"] },
    Echo { types: "", ty: "(option string)", flat: "i32 i32 i32", values: &["null", "\"a\""] },
    Echo {
        types: r#"(type $r' (record (field "name" string) (field "parts" (list (tuple u8 (list u32)))) (field "raw" (list u8)) (field "n" s64)))
            (export $r "r" (type $r'))"#,
        ty: "$r",
        flat: "i32 i32 i32 i32 i32 i32 i64",
        values: &[r#"{"name":"x","parts":[[1,[2,3]],[4,[]]],"raw":"AAEC","n":-5}"#],
    },
    Echo {
        // i32, f32, i64 and f64 share a slot.
        types: r#"(type $v' (variant (case "a" u8) (case "b" f32) (case "c" s64) (case "d" f64) (case "e" string) (case "f")))
            (export $v "v" (type $v'))"#,
        ty: "$v",
        flat: "i32 i64 i32",
        values: &[r#"{"a":255}"#, r#"{"b":1.5}"#, r#"{"c":-1}"#, r#"{"d":0.1}"#, r#"{"e":"text"}"#, r#"{"f":null}"#],
    },
    Echo {
        types: r#"(type $v' (variant (case "a" s32) (case "b" f32))) (export $v "v" (type $v'))"#,
        ty: "$v",
        flat: "i32 i32",
        values: &[r#"{"a":-1}"#, r#"{"b":-1.5}"#],
    },
    Echo {
        types: r#"(type $e' (enum "red" "green")) (export $e "e" (type $e'))"#,
        ty: "$e",
        flat: "i32",
        values: &["\"red\"", "\"green\""],
    },
    Echo {
        types: r#"(type $f' (flags "a" "b" "c" "d" "e" "f" "g" "h" "i")) (export $f "f" (type $f'))"#,
        ty: "$f",
        flat: "i32",
        values: &["[]", r#"["a","i"]"#],
    },
    Echo {
        types: "",
        ty: "(tuple (result u32 (error string)))",
        flat: "i32 i32 i32",
        values: &[r#"[{"ok":1}]"#, r#"[{"error":"e"}]"#],
    },
    Echo { types: "", ty: "(tuple (result))", flat: "i32", values: &[r#"[{"ok":null}]"#, r#"[{"error":null}]"#] },
    Echo {
        types: "",
        ty: "(tuple u8 u16 u32 u64 s8 s16 s32 s64 f32 f64 char bool u8 u16 u32 u64)",
        flat: "i32 i32 i32 i64 i32 i32 i32 i64 f32 f64 i32 i32 i32 i32 i32 i64",
        values: &[r#"[1,2,3,4,-5,-6,-7,-8,9.5,10.5,"k",true,13,14,15,16]"#],
    },
    Echo {
        // Seventeen: passed by address.
        types: "",
        ty: "(tuple u8 u16 u32 u64 s8 s16 s32 s64 f32 f64 char bool u8 u16 u32 string)",
        flat: "i32",
        values: &[r#"[1,2,3,4,-5,-6,-7,-8,9.5,10.5,"k",true,13,14,15,"sixteen"]"#],
    },
];

#[test]
fn lists_come_back_as_they_went() {
    for Echo { types, ty, values, .. } in ECHOES {
        let code = r#"(func (export "echo") (param i32 i32) (result i32)
            (i32.store (i32.const 16) (local.get 0)) (i32.store (i32.const 20) (local.get 1)) (i32.const 16))"#;
        // Inside a tuple, so that a list of bytes is one among others.
        let signature = format!(r#"(param "x" (list (tuple {ty}))) (result (list (tuple {ty})))"#);
        let wat = component(types, code, &[("echo", &signature)]);
        for isolation in [Isolation::Reuse, Isolation::Fresh] {
            let mut guest = guest_within(&wat, isolation, Limits::default());
            let all = format!("[{}]", values.iter().map(|value| format!("[{value}]")).collect::<Vec<_>>().join(","));
            assert_eq!(json(&mut guest, 0, &all), same(&all), "{ty}");
            assert_eq!(json(&mut guest, 0, "[]"), same("[]"), "{ty}");
        }
    }
}

#[test]
fn async_results_come_back_in_as_many_slots_as_they_take() {
    for Echo { types, ty, flat, values } in ECHOES {
        let gets: String = (0..flat.split(' ').count()).map(|at| format!("(local.get {at})")).collect();
        let wat = format!(
            r#"(component {types}
                (core module $libc {MEMORY})
                (core instance $libc (instantiate $libc))
                (alias core export $libc "memory" (core memory $memory))
                (alias core export $libc "realloc" (core func $realloc))
                (core func $return (canon task.return (result {ty}) (memory $memory)))
                (core module $m
                    (import "" "return" (func $return (param {flat})))
                    (func (export "echo") (param {flat}) (result i32) (call $return {gets}) (i32.const 0))
                    (func (export "callback") (param i32 i32 i32) (result i32) (unreachable)))
                (core instance $i (instantiate $m (with "" (instance (export "return" (func $return))))))
                (func (export "echo") async (param "x" {ty}) (result {ty})
                    (canon lift (core func $i "echo") async (callback (core func $i "callback"))
                        (memory $memory) (realloc (core func $realloc)))))"#
        );
        let mut guest = guest(&wat);
        for value in *values {
            assert_eq!(json(&mut guest, 0, value), same(value), "{ty}");
        }
    }
}

#[test]
fn an_async_function_may_give_nothing() {
    let wat = r#"(component
        (core func $return (canon task.return))
        (core module $m
            (import "" "return" (func $return))
            (func (export "go") (param i32) (result i32) (call $return) (i32.const 0))
            (func (export "callback") (param i32 i32 i32) (result i32) (unreachable)))
        (core instance $i (instantiate $m (with "" (instance (export "return" (func $return))))))
        (func (export "go") async (param "x" u32)
            (canon lift (core func $i "go") async (callback (core func $i "callback")))))"#;
    for isolation in [Isolation::Reuse, Isolation::Fresh] {
        let mut guest = guest_within(wat, isolation, Limits::default());
        assert_eq!(json(&mut guest, 0, "7"), same("null"));
        assert_eq!(json(&mut guest, 0, "8"), same("null"));
    }
    // Only such a function may return in that way: the number of slots depends on it.
    assert!(compile(wat.replace(r#""go") async"#, r#""go")"#).as_bytes(), &Limits::default(), true).is_err());
    // Nobody but the operator switches that part of the engine on.
    let refused = compile(wat.as_bytes(), &Limits::default(), false).map(drop).unwrap_err().to_string();
    assert!(refused.contains("--async"), "{refused}");
    let broken = compile(b"(component (import \"x\" (func async (type 7))))", &Limits::default(), false).map(drop);
    assert!(!broken.unwrap_err().to_string().contains("--async"), "it is broken in any case");
}

#[test]
fn not_all_functions_of_an_async_component_are() {
    let wat = component(
        "",
        r#"(func (export "sync") (param i32 i32) (result i32)
                (i32.store (i32.const 16) (local.get 0)) (i32.store (i32.const 20) (local.get 1)) (i32.const 16))
            (func (export "async-by-type") (param i32 i32) (result i32)
                (i32.store (i32.const 16) (local.get 0)) (i32.store (i32.const 20) (local.get 1)) (i32.const 16))
            (func (export "nothing") (param i32 i32))
            (func (export "one") (param i32 i32) (result i32) (local.get 1))"#,
        &[
            ("sync", r#"(param "x" (list u16)) (result (list u16))"#),
            ("async-by-type", r#"async (param "x" (list u16)) (result (list u16))"#),
            ("nothing", r#"async (param "x" (list u16))"#),
            ("one", r#"async (param "x" (list u16)) (result u32)"#),
        ],
    );
    for isolation in [Isolation::Reuse, Isolation::Fresh] {
        let mut guest = guest_within(&wat, isolation, Limits::default());
        for task in [0, 1, 0, 1] {
            assert_eq!(json(&mut guest, task, "[1,2]"), same("[1,2]"));
        }
        assert_eq!(json(&mut guest, 2, "[1,2]"), same("null"));
        assert_eq!(json(&mut guest, 3, "[1,2]"), same("2"));
    }
}

#[test]
fn many_parameters_go_through_memory() {
    let params: String = (0..17).map(|n| format!(r#"(param "p{n}" u{})"#, [8, 16, 32, 64][n % 4])).collect();
    let types: String = (0..17).map(|n| format!("u{} ", [8, 16, 32, 64][n % 4])).collect();
    let signature = format!(r#"{params} (param "rest" (list string)) (result (tuple {types} (list string)))"#);
    let code = r#"(func (export "many") (param i32) (result i32) (local.get 0))"#;
    let mut guest = guest(&component("", code, &[("many", &signature)]));
    let all = r#"[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,["a","","c"]]"#;
    assert_eq!(json(&mut guest, 0, all), same(all));
    assert!(matches!(json(&mut guest, 0, "[1]"), Ended::Invalid(_)));
}

#[test]
fn nothing_in_and_nothing_out() {
    let code =
        r#"(func (export "nothing")) (func (export "takes") (param i32)) (func (export "gives") (result i32) (i32.const 42))"#;
    let exports = [("nothing", ""), ("takes", r#"(param "n" u32)"#), ("gives", "(result u32)")];
    let mut guest = guest(&component("", code, &exports));
    assert_eq!(json(&mut guest, 0, "null"), same("null"));
    assert_eq!(json(&mut guest, 1, "7"), same("null"));
    assert_eq!(json(&mut guest, 2, "[]"), same("42"));
    assert_eq!(run(&mut guest, 2, Encoding::Json, Encoding::Bytes, b"null"), same("42"));
}

/// Reads the bytes that it is given as a value, or gives a flat value or an address of the caller's choice.
fn hostile(ty: &str, types: &str) -> Guest {
    let code = r#"(func (export "give") (param i32 i32) (result i32) (local.get 0))
        (func (export "point") (param i32) (result i32) (local.get 0))"#;
    let result = format!("(result {ty})");
    let exports = [("give", format!(r#"(param "x" (list u8)) {result}"#)), ("point", format!(r#"(param "at" u32) {result}"#))];
    guest(&component(types, code, &exports.each_ref().map(|(name, ty)| (*name, ty.as_str()))))
}

fn refused(ended: Ended, words: &str) {
    let Ended::Trapped(TrapKind::Abi, text) = ended else { panic!("{ended:?}, not {words}") };
    assert!(text.contains(words), "{text}, not {words}");
}

#[test]
fn what_is_no_value_is_a_trap() {
    let variant = r#"(type $v' (variant (case "a" u64) (case "b" (list char)))) (export $v "v" (type $v'))"#;
    let names = r#"(type $e' (enum "a" "b" "c")) (export $e "e" (type $e'))"#;
    let huge = u32::MAX;
    for (types, ty, words, expected) in [
        ("", "(list u32)", &[1024, huge][..], "out of bounds"),
        ("", "(list u32)", &[4_194_304, 1], "out of bounds"),
        ("", "(list u32)", &[huge, huge], "out of bounds"),
        ("", "(list u32)", &[1026, 1], "not aligned"),
        ("", "(list u64)", &[1028, 0], "not aligned"),
        ("", "(list (tuple u64 u8))", &[1024, 1 << 29], "out of bounds"),
        ("", "(list u8)", &[4_194_304, 1], "out of bounds"),
        ("", "(list bool)", &[1, huge], "out of bounds"),
        ("", "string", &[1024, huge], "out of bounds"),
        ("", "string", &[huge, 1], "out of bounds"),
        ("", "string", &[1032, 2, 0x80ff], "utf-8"),
        ("", "(list char)", &[1032, 1, 0xd800], "invalid character"),
        ("", "(tuple char u8)", &[0x11_0000, 0], "invalid character"),
        ("", "(option u64)", &[2, 0, 0, 0], "discriminant"),
        ("", "(tuple (result u32 (error string)))", &[2, 0, 0], "discriminant"),
        ("", "(tuple (result u32 (error string)))", &[1, huge, 9], "out of bounds"),
        (variant, "$v", &[2, 0, 0, 0], "discriminant"),
        (variant, "$v", &[1, 0, 1026, 5], "not aligned"),
        (names, "(tuple $e u64)", &[3, 0, 0, 0], "discriminant"),
        (names, "(list $e)", &[1032, 3, 0x0903_0100], "discriminant"),
        ("", "(list (list u16))", &[1032, 1, huge - 1, 1], "out of bounds"),
    ] {
        let bytes: Vec<u8> = words.iter().flat_map(|word: &u32| word.to_le_bytes()).collect();
        let mut guest = hostile(ty, types);
        refused(run(&mut guest, 0, Encoding::Bytes, Encoding::Json, &bytes), expected);
        // And the address of the result itself; the instance is a new one each time.
        refused(json(&mut guest, 1, "4194303"), "");
        refused(json(&mut guest, 1, "4294967288"), "out of bounds");
        refused(json(&mut guest, 1, "1025"), "not aligned");
    }
}

#[test]
fn flat_values_are_checked_too() {
    let names = r#"(type $e' (enum "a" "b" "c")) (export $e "e" (type $e'))"#;
    let mut chars = hostile("char", "");
    assert_eq!(json(&mut chars, 1, "233"), same("\"é\""));
    for code in [0xd800, 0xdfff, 0x11_0000, u32::MAX] {
        refused(json(&mut chars, 1, &code.to_string()), "invalid character");
    }
    let mut enums = hostile("$e", names);
    assert_eq!(json(&mut enums, 1, "2"), same("\"c\""));
    refused(json(&mut enums, 1, "3"), "discriminant");
    refused(json(&mut enums, 1, "4294967295"), "discriminant");
    // Bits beyond a type are cut off and any number but zero is true, by the rules.
    assert_eq!(json(&mut hostile("u8", ""), 1, "513"), same("1"));
    assert_eq!(json(&mut hostile("s16", ""), 1, "65535"), same("-1"));
    assert_eq!(json(&mut hostile("bool", ""), 1, "256"), same("true"));
    let flags = r#"(type $f' (flags "a" "b" "c")) (export $f "f" (type $f'))"#;
    assert_eq!(json(&mut hostile("$f", flags), 1, "4294967292"), same(r#"["c"]"#));
}

#[test]
fn a_bad_allocator_is_a_trap() {
    let wat = |result: &str| {
        format!(
            r#"(component (core module $m (memory (export "memory") 1)
                (func (export "realloc") (param i32 i32 i32 i32) (result i32) {result})
                (func (export "f") (param i32 i32)))
                (core instance $i (instantiate $m))
                (alias core export $i "memory" (core memory $memory))
                (alias core export $i "realloc" (core func $realloc))
                (func (export "f") (param "x" (list u32))
                    (canon lift (core func $i "f") (memory $memory) (realloc (core func $realloc)))))"#
        )
    };
    refused(json(&mut guest(&wat("(i32.const 65534)")), 0, "[1]"), "not aligned");
    refused(json(&mut guest(&wat("(i32.const 65536)")), 0, "[1]"), "beyond end of memory");
    let ended = json(&mut guest(&wat("(unreachable)")), 0, "[1]");
    assert!(matches!(ended, Ended::Trapped(TrapKind::Unreachable, _)), "{ended:?}");
}

#[test]
fn bytes_and_text_go_straight() {
    let echo = |name: &str| {
        format!(
            r#"(func (export "{name}") (param i32 i32) (result i32)
                (i32.store (i32.const 16) (local.get 0)) (i32.store (i32.const 20) (local.get 1)) (i32.const 16))"#
        )
    };
    let either = r#"(func (export "either") (param i32 i32) (result i32)
        (i32.store (i32.const 16) (i32.eqz (local.get 1)))
        (i32.store (i32.const 20) (local.get 0)) (i32.store (i32.const 24) (local.get 1)) (i32.const 16))"#;
    let code = [echo("bytes"), echo("text"), either.to_owned()].concat();
    let exports = [
        ("bytes", r#"(param "x" (list u8)) (result (list u8))"#),
        ("text", r#"(param "x" string) (result string)"#),
        ("either", r#"(param "x" (list u8)) (result (result (list u8) (error string)))"#),
    ];
    let wat = component("", &code, &exports);
    let (bytes, text) = (Encoding::Bytes, Encoding::Json);
    for isolation in [Isolation::Reuse, Isolation::Fresh] {
        let mut guest = guest_within(&wat, isolation, Limits::default());
        assert_eq!(run(&mut guest, 0, bytes, bytes, b"hello"), same("hello"));
        assert_eq!(run(&mut guest, 0, bytes, text, b"hello"), same("\"aGVsbG8=\""));
        assert_eq!(run(&mut guest, 0, text, bytes, b"[104,105]"), same("hi"));
        assert_eq!(run(&mut guest, 0, bytes, bytes, b""), same(""));
        let large: Vec<u8> = (0..1 << 20).map(|n: u32| n.to_le_bytes()[n as usize % 3]).collect();
        assert_eq!(guest.run(TaskIndex(0), bytes, bytes, &large), Outcome::Ok(&large));
        assert_eq!(run(&mut guest, 1, bytes, bytes, "né".as_bytes()), same("né"));
        assert_eq!(run(&mut guest, 1, text, bytes, "\"n\\u00e9\"".as_bytes()), same("né"));
        assert!(matches!(run(&mut guest, 1, bytes, bytes, b"\xff"), Ended::Invalid(_)));
        assert_eq!(run(&mut guest, 2, bytes, bytes, b"hello"), same("hello"));
        assert_eq!(run(&mut guest, 2, bytes, bytes, b""), Ended::Failed("\"\"".into()));
    }
}

#[test]
fn a_result_has_its_limit_whatever_it_is_made_of() {
    // The same megabyte as many times as there is room for pairs of its address and length.
    let code = r#"(func (export "fill") (param $n i32) (result i32) (local $at i32)
            (local.set $at (i32.const 1048576))
            (block $done (loop $next
                (br_if $done (i32.ge_u (local.get $at) (i32.const 2097152)))
                (i32.store (local.get $at) (i32.const 2097152))
                (i32.store (i32.add (local.get $at) (i32.const 4)) (i32.const 1048576))
                (local.set $at (i32.add (local.get $at) (i32.const 8)))
                (br $next)))
            (i32.store (i32.const 16) (i32.const 1048576)) (i32.store (i32.const 20) (local.get $n)) (i32.const 16))
        (func (export "zeros") (param $n i32) (result i32)
            (i32.store (i32.const 16) (i32.const 2097152)) (i32.store (i32.const 20) (local.get $n)) (i32.const 16))"#;
    let limits = |result, host_call| Limits { result_bytes: result, host_call_bytes: host_call, ..Limits::default() };
    for (export, element, many) in [
        ("fill", "(list u8)", 100_000),
        ("fill", "string", 100_000),
        ("zeros", "u8", 2_000_000),
        ("zeros", "u64", 200_000),
        ("zeros", "bool", 2_000_000),
        ("zeros", "(tuple u8 (list u8))", 150_000),
    ] {
        let signature = format!(r#"(param "n" u32) (result (list {element}))"#);
        let wat = component("", code, &[(export, &signature)]);
        let mut small = guest_within(&wat, Isolation::Reuse, limits(1 << 18, 1 << 40));
        let many = many.to_string();
        assert_eq!(json(&mut small, 0, &many), Ended::OverLimit(Limit::Result), "{element}");
        assert!(matches!(json(&mut small, 0, "0"), Ended::Ok(_)), "{element}");
        let mut small = guest_within(&wat, Isolation::Reuse, limits(1 << 40, 1 << 18));
        assert_eq!(json(&mut small, 0, &many), Ended::OverLimit(Limit::HostCall), "{element}");
        assert!(matches!(json(&mut small, 0, "0"), Ended::Ok(_)), "{element}");
    }
    // To the byte, in either encoding.
    let wat = component("", code, &[("zeros", r#"(param "n" u32) (result (list u8))"#)]);
    for (output, most, length) in [(Encoding::Bytes, 3000, 3000), (Encoding::Json, 4002, 3000)] {
        let ended = |limit| {
            let mut guest = guest_within(&wat, Isolation::Reuse, limits(limit, 1 << 20));
            run(&mut guest, 0, Encoding::Json, output, length.to_string().as_bytes())
        };
        assert!(matches!(ended(most), Ended::Ok(_)));
        assert_eq!(ended(most - 1), Ended::OverLimit(Limit::Result));
    }
}

#[test]
fn a_handle_is_no_result() {
    let types = r#"(type $r (resource (rep i32))) (export $e "res" (type $r))"#;
    let code = r#"(func (export "make") (result i32) (unreachable)) (func (export "maybe") (result i32) (unreachable))"#;
    let exports = [("make", "(result (own $e))"), ("maybe", "(result (list (option (own $e))))")];
    let mut guest = guest(&component(types, code, &exports));
    for task in [0, 1] {
        let Ended::Invalid(text) = json(&mut guest, task, "null") else { panic!("called") };
        assert!(text.contains("resource"), "{text}");
    }
}

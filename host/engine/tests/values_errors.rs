//! Every way of being wrong has its sentence, and every type its JSON: the tables of `VALUES.md` as tests.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::time::{Duration, Instant};

use taskcell_engine::value::{Number, Numbers, Value};
use taskcell_engine::values::{
    ValueErrorKind as Kind, arguments_from_json, bytes_from_json, check_json, json_schema, string_from_json, string_to_json,
    value_from_json, value_to_json,
};
use taskcell_wire::{Signature, TypeDef, TypeId, TypeTable};

/// A table with a type of each sort, under the names that the tests use.
struct Types {
    table: TypeTable,
    named: Vec<(&'static str, TypeId)>,
}

impl Types {
    fn new() -> Self {
        let mut types = Self { table: TypeTable::default(), named: Vec::new() };
        for (name, def) in [
            ("bool", TypeDef::Bool),
            ("u8", TypeDef::U8),
            ("u16", TypeDef::U16),
            ("u32", TypeDef::U32),
            ("u64", TypeDef::U64),
            ("s8", TypeDef::S8),
            ("s16", TypeDef::S16),
            ("s32", TypeDef::S32),
            ("s64", TypeDef::S64),
            ("f32", TypeDef::F32),
            ("f64", TypeDef::F64),
            ("char", TypeDef::Char),
            ("string", TypeDef::String),
            ("enum", TypeDef::Enum(vec!["red".into(), "green".into(), "blue".into()])),
            ("flags", TypeDef::Flags(vec!["read".into(), "write".into(), "execute".into()])),
            ("handle", TypeDef::Handle("stream<u8>".into())),
        ] {
            types.add(name, def);
        }
        let (u8, u32, string, f64) = (types.id("u8"), types.id("u32"), types.id("string"), types.id("f64"));
        types.add("bytes", TypeDef::List(u8));
        types.add("list", TypeDef::List(u32));
        types.add("option", TypeDef::Option(u32));
        types.add("option2", TypeDef::Option(types.id("option")));
        types.add("option3", TypeDef::Option(types.id("option2")));
        types.add("pair", TypeDef::Tuple(vec![u32, string]));
        types.add("empty", TypeDef::Tuple(vec![]));
        types.add("fixed", TypeDef::FixedList(u8, 3));
        let fields = vec![("name".into(), string), ("size".into(), u8), ("note".into(), types.id("option"))];
        types.add("record", TypeDef::Record(fields));
        types.add("records", TypeDef::List(types.id("record")));
        types.add("shape", TypeDef::Variant(vec![("none".into(), None), ("circle".into(), Some(f64))]));
        types.add("result", TypeDef::Result { ok: Some(u32), error: Some(string) });
        types.add("result-unit", TypeDef::Result { ok: None, error: None });
        types.add("map", TypeDef::Map(string, types.id("record")));
        types.add("pairs", TypeDef::Map(u32, string));
        let mut deep = u8;
        for _ in 0..150 {
            deep = types.table.add(TypeDef::List(deep)).unwrap();
        }
        types.named.push(("deep", deep));
        types
    }

    fn add(&mut self, name: &'static str, def: TypeDef) {
        let id = self.table.add(def).unwrap();
        self.named.push((name, id));
    }

    fn id(&self, name: &str) -> TypeId {
        self.named.iter().find(|(known, _)| *known == name).unwrap().1
    }

    fn signature(&self, params: &[&str]) -> Signature {
        let params = params.iter().map(|name| ((*name).to_owned(), self.id(name))).collect();
        Signature { name: "task".into(), params, result: None, is_async: false }
    }
}

#[test]
fn each_error_says_what_and_where() {
    let types = Types::new();
    let mut wrong = Vec::new();
    for (ty, json, kind, text) in [
        ("bool", "1", Kind::Type, "expected bool, found 1"),
        ("bool", r#""true""#, Kind::Type, r#"expected bool, found "true""#),
        ("u8", "256", Kind::Range, "expected u8, found 256 (0 to 255)"),
        ("u8", "-1", Kind::Range, "expected u8, found -1 (0 to 255)"),
        ("u8", "3.0", Kind::Type, "expected u8, found 3.0 (an integer)"),
        ("u8", "1e2", Kind::Type, "expected u8, found 1e2 (an integer)"),
        ("u8", "null", Kind::Type, "expected u8, found null"),
        ("u8", "[[[[[[", Kind::Type, "expected u8, found an array"),
        ("u8", r#"{"a":1}"#, Kind::Type, "expected u8, found an object"),
        ("u8", "true", Kind::Type, "expected u8, found true"),
        ("u32", "-0", Kind::Type, "expected u32, found -0 (an integer)"),
        ("u64", "18446744073709551616", Kind::Range, "expected u64, found 18446744073709551616 (0 to 18446744073709551615)"),
        (
            "s64",
            "9223372036854775808",
            Kind::Range,
            "expected s64, found 9223372036854775808 (-9223372036854775808 to 9223372036854775807)",
        ),
        ("s8", "-129", Kind::Range, "expected s8, found -129 (-128 to 127)"),
        ("f64", "1e400", Kind::Range, "expected a number, found 1e400 (-1.7976931348623157e308 to 1.7976931348623157e308)"),
        ("f32", "1e39", Kind::Range, "expected f32, found 1e39 (-3.4028235e38 to 3.4028235e38)"),
        ("f64", r#""NaN""#, Kind::Type, r#"expected f64, found "NaN" (a number, "nan", "inf" or "-inf")"#),
        ("char", r#""ab""#, Kind::Type, r#"expected char, found "ab" (as a string of one character)"#),
        ("char", r#""""#, Kind::Type, r#"expected char, found "" (as a string of one character)"#),
        ("string", "5", Kind::Type, "expected string, found 5"),
        ("string", r#""\ud800""#, Kind::Syntax, r#"at column 8: expected valid JSON, found "\"" (unexpected end of hex escape)"#),
        ("string", "\"a\nb\"", Kind::Syntax, r#"at column 3: expected valid JSON, found "\nb\"" (control character"#),
        ("bytes", r#""YQ""#, Kind::Type, r#"expected base64 (standard alphabet, padded), found "YQ" (Invalid padding)"#),
        ("bytes", "[1,2,999]", Kind::Range, "at [2]: expected u8, found 999 (0 to 255)"),
        (
            "list",
            "[1,2",
            Kind::Syntax,
            "at [2], column 5: expected more JSON, found the end of the text (EOF while parsing a list)",
        ),
        ("list", "[1,]", Kind::Syntax, r#"at [1], column 4: expected valid JSON, found "]" (trailing comma)"#),
        ("list", "", Kind::Syntax, "at column 1: expected more JSON, found the end of the text (EOF while parsing a value)"),
        ("list", "[1] 2", Kind::Syntax, r#"at column 5: expected one JSON value, found "2" (trailing characters)"#),
        ("list", "[1,x]", Kind::Syntax, r#"at [1], column 4: expected valid JSON, found "x]" (expected value)"#),
        ("pair", "[1]", Kind::Type, "expected an array of 2, found 1"),
        ("pair", r#"[1,"a",3]"#, Kind::Type, "expected an array of 2, found more"),
        ("pair", "[1,2]", Kind::Type, "at [1]: expected string, found 2"),
        ("pair", "5", Kind::Type, "expected tuple<u32, string>, found 5 (as an array)"),
        ("fixed", "[1,2]", Kind::Type, "expected an array of 3, found 2"),
        ("enum", r#""pink""#, Kind::Type, r#"expected one of red, green, blue, found "pink""#),
        ("flags", r#"["read","fly"]"#, Kind::Type, r#"at [1]: expected one of read, write, execute, found "fly""#),
        ("flags", r#"["read","read"]"#, Kind::Type, r#"at [1]: expected each flag once, found "read" again"#),
        ("flags", r#"[1]"#, Kind::Type, "at [0]: expected string, found 1"),
        ("flags", r#""read""#, Kind::Type, r#"expected flags { read, write, execute }, found "read" (as an array of names)"#),
        ("record", r#"{"name":"a"}"#, Kind::Type, r#"expected the field "size", found none"#),
        ("record", r#"{"nam":"a"}"#, Kind::Type, r#"expected one of the fields name, size, note, found "nam""#),
        ("record", r#"{"name":"a","name":"b"}"#, Kind::Type, r#"expected each field once, found "name" again"#),
        (
            "record",
            r#"["a",1]"#,
            Kind::Type,
            "expected record { name: string, size: u8, note: option<u32> }, found an array (as an object)",
        ),
        (
            "records",
            r#"[{"name":"a","size":1},{"name":"b","size":300}]"#,
            Kind::Range,
            "at [1].size: expected u8, found 300 (0 to 255)",
        ),
        ("shape", r#"{"square":1}"#, Kind::Type, r#"expected one of none, circle, found "square""#),
        ("shape", r#"{"circle":"x"}"#, Kind::Type, r#"at .circle: expected f64, found "x" (a number, "nan", "inf" or "-inf")"#),
        ("shape", r#"{"none":1}"#, Kind::Type, "at .none: expected null, found 1"),
        ("shape", r#""circle""#, Kind::Type, r#"expected {"circle": value} with a f64, found only "circle""#),
        ("shape", r#"{}"#, Kind::Type, r#"expected variant { none, circle(f64) }, found an empty object (as {"case": value})"#),
        (
            "shape",
            r#"{"none":null,"circle":1}"#,
            Kind::Type,
            r#"expected variant { none, circle(f64) }, found more than one member (as {"case": value})"#,
        ),
        ("result", "5", Kind::Type, r#"expected result<u32, string>, found 5 (as {"ok": value} or {"error": value})"#),
        ("result", r#"{"err":"x"}"#, Kind::Type, r#"expected one of ok, error, found "err""#),
        ("option", r#""x""#, Kind::Type, r#"expected u32, found "x""#),
        ("option2", "5", Kind::Type, r#"expected option<option<u32>>, found 5 (as null or {"some": value})"#),
        ("option3", r#"{"some":{"some":"x"}}"#, Kind::Type, r#"at .some.some: expected u32, found "x""#),
        ("map", r#"{"a\u001b":{"name":"x","size":-1}}"#, Kind::Range, r#"at ["a\u{1b}"].size: expected u8, found -1 (0 to 255)"#),
        ("map", r#"{"a":{"name":"x","size":1},"a":{}}"#, Kind::Type, r#"expected each key once, found "a" again"#),
        ("pairs", r#"{"1":"a"}"#, Kind::Type, "expected map<u32, string>, found an object (as an array of pairs)"),
        ("pairs", r#"[[1,"a"],[2]]"#, Kind::Type, "at [1]: expected an array of 2, found 1"),
        ("handle", "1", Kind::Type, "expected stream<u8>, found 1 (a handle can't be given as JSON)"),
        ("handle", "null", Kind::Type, "expected stream<u8>, found null (a handle can't be given as JSON)"),
    ] {
        let error = value_from_json(&types.table, types.id(ty), json.as_bytes()).unwrap_err();
        if !error.to_string().starts_with(text) || error.kind != kind {
            wrong.push(format!("{ty} {json:?}: {:?}\n  {error}\n  {text}", error.kind));
        }
        assert_eq!(check_json(&types.table, &types.signature(&[ty]), json.as_bytes()), Err(error), "{ty} {json:?}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn each_type_reads_and_writes_like_this() {
    let types = Types::new();
    // What is given, and what is written if that is not the same.
    for (ty, json, written) in [
        ("bool", "true", ""),
        ("u8", "255", ""),
        ("u16", "65535", ""),
        ("u32", "4294967295", ""),
        ("u64", "18446744073709551615", ""),
        ("s8", "-128", ""),
        ("s16", "-32768", ""),
        ("s32", "-2147483648", ""),
        ("s64", "-9223372036854775808", ""),
        ("s64", "9223372036854775807", ""),
        ("u32", " 7\n", "7"),
        ("f64", "0.1", ""),
        ("f64", "-0.0", ""),
        ("f64", "-0", "-0.0"),
        ("f64", "3", "3.0"),
        ("f64", "18446744073709551615", "1.8446744073709552e+19"),
        ("f64", r#""nan""#, ""),
        ("f64", r#""-inf""#, ""),
        ("f64", "5e-324", ""),
        ("f32", "0.1", ""),
        ("f32", "0.10000000149011612", "0.1"),
        ("f32", "3.4028235e38", "3.4028235e+38"),
        ("f32", r#""inf""#, ""),
        ("f32", "16777217", "16777216.0"),
        // The only f32 whose shortest decimal is not enough.
        ("f32", "7.038530691851209e-26", ""),
        ("char", r#""é""#, ""),
        ("char", r#""\ud83d\ude00""#, r#""😀""#),
        ("string", r#""a\"b\\c\u0000\u001b""#, ""),
        ("string", r#""a\/b""#, r#""a/b""#),
        ("bytes", r#""aGk=""#, ""),
        ("bytes", "[104,105]", r#""aGk=""#),
        ("bytes", "[]", r#""""#),
        ("list", "[]", ""),
        ("list", "[1,2]", ""),
        ("option", "null", ""),
        ("option", "5", ""),
        ("option2", "null", ""),
        ("option2", r#"{"some":null}"#, ""),
        ("option2", r#"{"some":5}"#, ""),
        ("option3", r#"{"some":{"some":null}}"#, ""),
        ("pair", r#"[1,"a"]"#, ""),
        ("empty", "[]", ""),
        ("fixed", "[1,2,3]", ""),
        ("record", r#"{"size":1,"name":"a"}"#, r#"{"name":"a","size":1,"note":null}"#),
        ("shape", r#""none""#, r#"{"none":null}"#),
        ("shape", r#"{"none":null}"#, ""),
        ("shape", r#"{"circle":1.5}"#, ""),
        ("enum", r#""green""#, ""),
        ("flags", r#"["execute","read"]"#, r#"["read","execute"]"#),
        ("flags", "[]", ""),
        ("result", r#"{"ok":1}"#, ""),
        ("result", r#"{"error":"bad"}"#, ""),
        ("result-unit", r#"{"ok":null}"#, ""),
        ("map", r#"{"k":{"name":"a","size":1}}"#, r#"{"k":{"name":"a","size":1,"note":null}}"#),
        ("map", "{}", ""),
        ("pairs", r#"[[1,"a"],[2,"b"]]"#, ""),
    ] {
        let value = value_from_json(&types.table, types.id(ty), json.as_bytes()).unwrap();
        let mut out = Vec::new();
        value_to_json(&types.table, types.id(ty), &value, 1000, &mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), if written.is_empty() { json } else { written }, "{ty} {json}");
    }
}

#[test]
fn arguments_by_number_of_parameters() {
    let types = Types::new();
    let read = |params: &[&str], json: &str| {
        let mut out = vec![Value::Bool(true)];
        let read = arguments_from_json(&types.table, &types.signature(params), json.as_bytes(), &mut out);
        let checked = check_json(&types.table, &types.signature(params), json.as_bytes());
        assert_eq!(read, checked);
        read.map(|()| out).map_err(|error| error.to_string())
    };
    assert_eq!(read(&[], "null").unwrap(), []);
    assert_eq!(read(&[], " [ ] ").unwrap(), []);
    assert_eq!(read(&["u8"], "7").unwrap(), [Value::U8(7)]);
    assert_eq!(read(&["u8", "bool"], "[7,true]").unwrap(), [Value::U8(7), Value::Bool(true)]);
    assert_eq!(read(&[], "[1]").unwrap_err(), "expected no arguments (null or []), found more");
    assert_eq!(read(&[], "7").unwrap_err(), "expected no arguments (null or []), found 7");
    assert_eq!(read(&["u8", "bool"], "7").unwrap_err(), "expected an array of 2 arguments, found 7");
    assert_eq!(read(&["u8", "bool"], "[7]").unwrap_err(), "expected an array of 2 arguments, found 1");
    assert_eq!(read(&["u8", "bool"], "[7,1]").unwrap_err(), "at [1]: expected bool, found 1");
    assert_eq!(read(&["u8", "bool"], "[7,true,1]").unwrap_err(), "expected an array of 2 arguments, found more");
}

#[test]
fn hostile_text_is_refused_at_once() {
    let types = Types::new();
    let started = Instant::now();
    let deep = "[".repeat(100_000);
    for (name, id) in &types.named {
        let error = value_from_json(&types.table, *id, deep.as_bytes()).unwrap_err();
        assert!(matches!(error.kind, Kind::Type | Kind::TooDeep), "{name}: {error}");
    }
    let error = value_from_json(&types.table, types.id("deep"), deep.as_bytes()).unwrap_err();
    assert_eq!((error.kind, error.expected.as_str()), (Kind::TooDeep, "at most 127 levels"));
    assert!(error.path.len() < 250, "{error}");
    // An element too many is skipped, and that must not recurse either.
    let surplus = format!("[1,\"a\",{deep}");
    assert!(value_from_json(&types.table, types.id("pair"), surplus.as_bytes()).is_err());

    let error = value_from_json(&types.table, types.id("list"), b"[1,\xff]").unwrap_err();
    assert_eq!(
        (error.kind, error.to_string().as_str()),
        (Kind::NotUtf8, "at [1], column 4: expected UTF-8, found the byte 0xff")
    );
    let error = string_from_json(b"\"\xff\"").unwrap_err();
    assert_eq!((error.kind, error.to_string().as_str()), (Kind::NotUtf8, "at column 2: expected UTF-8, found the byte 0xff"));
    let error = bytes_from_json(b"{}").unwrap_err();
    assert_eq!(error.to_string(), "expected list<u8> as base64 or an array, found an object");
    let error = string_from_json("\"".repeat(3).as_bytes()).unwrap_err();
    assert_eq!(error.kind, Kind::Syntax);

    let long = format!("\"{}\"", "x".repeat(1_000_000));
    let error = value_from_json(&types.table, types.id("u8"), long.as_bytes()).unwrap_err().to_string();
    assert_eq!(error, format!("expected u8, found \"{}…\"", "x".repeat(40)));
    // Far beyond what it takes; this is about seconds and hours.
    assert!(started.elapsed() < Duration::from_secs(20));
}

#[test]
fn a_short_text_can_not_ask_for_much_memory() {
    let mut table = TypeTable::default();
    let byte = table.add(TypeDef::U8).unwrap();
    let maybe = table.add(TypeDef::Option(byte)).unwrap();
    let wide = table.add(TypeDef::Record((0..1000).map(|n| (format!("f{n}"), maybe)).collect())).unwrap();
    let list = table.add(TypeDef::List(wide)).unwrap();
    let sig = Signature { name: "task".into(), params: vec![("x".into(), list)], result: None, is_async: false };
    let text = format!("[{}{{}}]", "{},".repeat(20_000));
    let error = check_json(&table, &sig, text.as_bytes()).unwrap_err();
    assert_eq!((error.kind, error.expected.as_str()), (Kind::TooLong, "at most 16777216 parts"));
    // A length that is only claimed reserves nothing.
    let huge = table.add(TypeDef::FixedList(byte, u32::MAX)).unwrap();
    assert_eq!(value_from_json(&table, huge, b"[1,2]").unwrap_err().to_string(), "expected an array of 4294967295, found 2");
}

#[test]
fn what_can_not_be_written_says_why() {
    let types = Types::new();
    let write = |ty: &str, value: &Value, limit: usize| {
        let mut out = Vec::new();
        value_to_json(&types.table, types.id(ty), value, limit, &mut out).map(|()| out).map_err(|error| error.to_string())
    };
    let record = Value::Record(vec![Value::String("a".into()), Value::U16(1), Value::Option(None)]);
    assert_eq!(write("records", &Value::List(vec![record]), 100).unwrap_err(), "at [0].size: expected u8, found a u16");
    assert_eq!(write("u8", &Value::Bool(true), 100).unwrap_err(), "expected u8, found a bool");
    assert_eq!(write("enum", &Value::Enum(3), 100).unwrap_err(), "expected enum { red, green, blue }, found another enum");
    assert_eq!(write("string", &Value::String("abc".into()), 4).unwrap_err(), "expected at most 4 bytes of JSON, found more");
    assert!(string_to_json("abc", 5, &mut Vec::new()).is_ok());

    // Numbers of another type, and bits that stand for no flag.
    let numbers = Value::Numbers(Numbers::from_bytes(Number::S16, vec![1, 2]));
    assert!(write("list", &numbers, 100).unwrap_err().ends_with("found a list of numbers"));
    assert!(write("flags", &Value::Flags(vec![1 << 31]), 100).unwrap_err().ends_with("found other flags"));
    assert!(write("flags", &Value::Flags(vec![]), 100).unwrap_err().ends_with("found other flags"));

    let mut deep = Value::List(vec![]);
    for _ in 0..148 {
        deep = Value::List(vec![deep]);
    }
    assert_eq!(write("deep", &deep, 1000).unwrap_err(), "expected at most 127 levels, found more");

    // A guest's map may hold a key twice; the last one counts.
    let entry = |size| Value::Record(vec![Value::String("n".into()), Value::U8(size), Value::Option(None)]);
    let twice = Value::Map(vec![(Value::String("k".into()), entry(1)), (Value::String("k".into()), entry(2))]);
    assert_eq!(write("map", &twice, 100).unwrap(), br#"{"k":{"name":"n","size":2,"note":null}}"#);
}

#[test]
fn as_deep_as_can_be_read_is_as_deep_as_is_written() {
    let mut table = TypeTable::default();
    let mut ty = table.add(TypeDef::String).unwrap();
    for levels in 1..140 {
        ty = table.add(TypeDef::List(ty)).unwrap();
        let value = (0..levels).fold(Value::String("x".into()), |inner, _| Value::List(vec![inner]));
        let mut out = Vec::new();
        let written = value_to_json(&table, ty, &value, 1000, &mut out).is_ok();
        let json = format!("{}\"x\"{}", "[".repeat(levels), "]".repeat(levels));
        let read = value_from_json(&table, ty, json.as_bytes()).is_ok();
        assert_eq!((written, read), (levels <= 127, levels <= 127), "{levels}");
    }
}

#[test]
fn a_type_of_another_table_has_no_values() {
    let types = TypeTable::default();
    let error = value_from_json(&types, TypeId(7), b"1").unwrap_err();
    assert_eq!(error.to_string(), "expected unknown, found 1 (a handle can't be given as JSON)");
    assert!(value_to_json(&types, TypeId(7), &Value::U8(1), 100, &mut Vec::new()).is_err());
    assert!(json_schema(&types, TypeId(7)).is_object());
}

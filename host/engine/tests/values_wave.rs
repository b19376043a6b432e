//! WAVE against `wasm-wave` itself, with types that the engine read from a component; and what is said of calls that are wrong.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use proptest::prelude::Rng as _;
use proptest::test_runner::{RngAlgorithm, TestRng};
use taskcell_engine::value::{Number, Numbers, Value};
use taskcell_engine::values::{
    CallError, arguments_from_json, call_from_wave, describe, find_task, json_to_wave, signature_text, value_to_json,
};
use taskcell_wire::{Interface, Signature, TaskIndex, TypeDef, TypeId, TypeTable};
use wasm_wave::untyped::UntypedFuncCall;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, Type, Val};
use wasmtime::{Config, Engine};

/// Functions with every sort of type; imports, since those need no code.
const WORLD: &str = r#"(component
    (import "w" (instance
        (type $bytes (list u8))
        (type $r' (record (field "name" string) (field "size" u8) (field "note" (option u32))))
        (export "r" (type $r (eq $r')))
        (type $v' (variant (case "nothing") (case "circle" f64) (case "some" string)))
        (export "v" (type $v (eq $v')))
        (type $e' (enum "red" "green" "none"))
        (export "e" (type $e (eq $e')))
        (type $f' (flags "execute" "read" "write"))
        (export "f" (type $f (eq $f')))
        (export "res" (type $res (sub resource)))
        (export "numbers" (func (param "a" u8) (param "b" s64) (param "c" u64) (param "d" s8)))
        (export "more-numbers" (func (param "a" u16) (param "b" s16) (param "c" u32) (param "d" s32)))
        (export "floats" (func (param "a" f32) (param "b" f64)))
        (export "texts" (func (param "a" string) (param "b" char) (param "c" bool)))
        (export "lists" (func (param "a" $bytes) (param "b" (list (list string)))))
        (export "records" (func (param "a" $r) (param "b" (list $r))))
        (export "choices" (func (param "a" $v) (param "b" $e) (param "c" $f)))
        (export "options" (func (param "a" (option u32)) (param "b" (option (option $v))) (param "c" (option bool))))
        (export "results" (func (param "a" (result u32 (error string))) (param "b" (result)) (param "c" (result (error $e)))))
        (export "pairs" (func (param "a" (tuple u32 string)) (result (result $r (error $v)))))
        (export "one" (func (param "n" u32) (result u64)))
        (export "none" (func))
        (export "handles" (func (param "a" (own $res)) (param "b" (borrow $res))))
        (export "waits" (func async (param "a" (stream u8)) (param "b" (future string)) (param "c" (stream))))
        (export "maps" (func (param "a" (map string u32)) (param "b" (map u32 (list u8)))))
        (export "fixed" (func (param "a" (list u8 3))))
    ))
)"#;

/// The functions' types, and the same as our table.
fn world() -> (Vec<(String, Vec<Type>)>, Interface) {
    let mut config = Config::new();
    config.wasm_component_model_map(true).wasm_component_model_fixed_length_lists(true).wasm_component_model_async(true);
    config.wasm_component_model_more_async_builtins(true);
    let engine = Engine::new(&config).unwrap();
    let component = Component::new(&engine, wat::parse_str(WORLD).unwrap()).unwrap();
    let ComponentItem::ComponentInstance(instance) = component.component_type().get_import(&engine, "w").unwrap().ty else {
        panic!("not an instance");
    };
    let (mut types, mut functions, mut tasks) = (TypeTable::default(), Vec::new(), Vec::new());
    for (name, item) in instance.exports(&engine) {
        let ComponentItem::ComponentFunc(func) = item.ty else { continue };
        let params = func.params().map(|(name, ty)| (name.to_owned(), describe(&mut types, &ty).unwrap())).collect();
        let result = func.results().next().map(|ty| describe(&mut types, &ty).unwrap());
        tasks.push(Signature { name: name.to_owned(), params, result, is_async: func.async_() });
        functions.push((name.to_owned(), func.params().map(|(_, ty)| ty).collect()));
    }
    (functions, Interface { types, tasks, ..Interface::default() })
}

#[test]
fn the_engines_types_read_like_wit() {
    let (_, interface) = world();
    interface.check().unwrap();
    let mut texts: Vec<String> = interface.tasks.iter().map(|sig| signature_text(&interface.types, sig)).collect();
    texts.sort();
    let record = "record { name: string, size: u8, note: option<u32> }";
    let variant = "variant { nothing, circle(f64), some(string) }";
    let expected = [
        format!("choices: func(a: {variant}, b: enum {{ red, green, none }}, c: flags {{ execute, read, write }})"),
        "fixed: func(a: list<u8, 3>)".into(),
        "floats: func(a: f32, b: f64)".into(),
        "handles: func(a: own<resource>, b: borrow<resource>)".into(),
        "lists: func(a: list<u8>, b: list<list<string>>)".into(),
        "maps: func(a: map<string, u32>, b: map<u32, list<u8>>)".into(),
        "more-numbers: func(a: u16, b: s16, c: u32, d: s32)".into(),
        "none: func()".into(),
        "numbers: func(a: u8, b: s64, c: u64, d: s8)".into(),
        "one: func(n: u32) -> u64".into(),
        format!("options: func(a: option<u32>, b: option<option<{variant}>>, c: option<bool>)"),
        format!("pairs: func(a: tuple<u32, string>) -> result<{record}, {variant}>"),
        format!("records: func(a: {record}, b: list<{record}>)"),
        "results: func(a: result<u32, string>, b: result, c: result<_, enum { red, green, none }>)".into(),
        "texts: func(a: string, b: char, c: bool)".into(),
        "waits: async func(a: stream<u8>, b: future<string>, c: stream)".into(),
    ];
    assert_eq!(texts, expected);
}

/// Calls of every function, right and wrong.
const CALLS: [&str; 59] = [
    "numbers(0, -1, 18446744073709551615, -128)",
    "numbers(255, 9223372036854775807, 0, 127)",
    "numbers(256, 0, 0, 0)",
    "numbers(1, 1, 1)",
    "numbers(1, 1, 1, 1, 1)",
    "numbers(1.0, 1, 1, 1)",
    "more-numbers(65535, -32768, 4294967295, -2147483648)",
    "floats(1, 2)",
    "floats(0.1, 1e300)",
    "floats(nan, -inf)",
    "floats(7.038531e-26, -0)",
    "floats(16777217, 5e-324)",
    r#"texts("a\"b\\c\u{1b}\n", 'x', true)"#,
    r#"texts("", '\u{1F44B}', false)"#,
    r#"texts("it's", '\'', false)"#,
    "texts(\"\"\"\n  two\n  lines\n  \"\"\", '☃', true)",
    "texts(\"\"\"wrong\"\"\", '☃', true)",
    r#"texts("a", 'bc', true)"#,
    r#"texts("\x", 'b', true)"#,
    "lists([], [])",
    r#"lists([1, 2, 255,], [["a"], [], ["b", "c"]])"#,
    r#"lists([1, 2, 256], [])"#,
    r#"lists("abc", [])"#,
    r#"records({name: "a", size: 1}, [])"#,
    r#"records({size: 1, name: "a", note: some(5)}, [{name: "b", size: 2, note: 7}])"#,
    r#"records({size: 1, %name: "a", note: none}, [])"#,
    r#"records({size: 1}, [])"#,
    r#"records({size: 1, name: "a", size: 2}, [])"#,
    "choices(nothing, red, {read})",
    "choices(circle(1.5), %none, {execute, read})",
    r#"choices(%some("x"), green, {})"#,
    "choices(circle, red, {})",
    "choices(nothing(1), red, {})",
    "choices(square, red, {})",
    "choices(nothing, pink, {})",
    "choices(nothing, red, {fly})",
    "choices(nothing, red, {read, read})",
    "choices(nothing, red, {:})",
    "options(some(1), some(none), none)",
    "options(1, some(some(nothing)), true)",
    "options(none, none)",
    "options(none)",
    "options(none, some(circle(2)), some(false))",
    "options(none, circle(2), some(false))",
    r#"results(ok(1), ok, err(red))"#,
    r#"results(5, err, ok)"#,
    r#"results(err("bad"), ok(1), ok)"#,
    r#"results("bad", ok, ok)"#,
    r#"results(err, ok, ok)"#,
    r#"pairs((1, "a"))"#,
    r#"pairs((1, "a", 2))"#,
    r#"pairs((1))"#,
    "one(30)",
    " one ( 30 ) // comment",
    "one(30) 5",
    "one(true)",
    "none()",
    "none( )",
    "none(1)",
];

fn ours(interface: &Interface, call: &str) -> Result<Vec<Value>, String> {
    let (task, json) = call_from_wave(interface, call).map_err(|error| error.to_string())?;
    let mut out = Vec::new();
    let sig = &interface.tasks[usize::from(task.0)];
    // What comes from a call must read as it is.
    arguments_from_json(&interface.types, sig, &json, &mut out).unwrap();
    Ok(out)
}

/// A value of the engine's as ours.
fn value(types: &TypeTable, ty: TypeId, val: &Val) -> Value {
    let boxed = |ty: &Option<TypeId>, val: &Option<Box<Val>>| {
        assert_eq!(ty.is_some(), val.is_some());
        ty.zip(val.as_ref()).map(|(ty, val)| Box::new(value(types, ty, val)))
    };
    let place = |found: Option<usize>| u32::try_from(found.unwrap()).unwrap();
    match (types.get(ty).unwrap(), val) {
        (TypeDef::Bool, Val::Bool(b)) => Value::Bool(*b),
        (TypeDef::U8, Val::U8(n)) => Value::U8(*n),
        (TypeDef::U16, Val::U16(n)) => Value::U16(*n),
        (TypeDef::U32, Val::U32(n)) => Value::U32(*n),
        (TypeDef::U64, Val::U64(n)) => Value::U64(*n),
        (TypeDef::S8, Val::S8(n)) => Value::S8(*n),
        (TypeDef::S16, Val::S16(n)) => Value::S16(*n),
        (TypeDef::S32, Val::S32(n)) => Value::S32(*n),
        (TypeDef::S64, Val::S64(n)) => Value::S64(*n),
        (TypeDef::F32, Val::Float32(f)) => Value::F32(*f),
        (TypeDef::F64, Val::Float64(f)) => Value::F64(*f),
        (TypeDef::Char, Val::Char(c)) => Value::Char(*c),
        (TypeDef::String, Val::String(text)) => Value::String(text.clone()),
        (TypeDef::List(element), Val::List(vals)) => {
            let values = vals.iter().map(|val| value(types, *element, val));
            match (types.get(*element).unwrap(), Number::of(types.get(*element).unwrap())) {
                (TypeDef::U8, _) => {
                    Value::Bytes(values.map(|value| if let Value::U8(byte) = value { byte } else { panic!("no byte") }).collect())
                }
                (_, Some(number)) => {
                    let mut numbers = Numbers::new(number);
                    values.for_each(|value| assert!(numbers.push(&value)));
                    Value::Numbers(numbers)
                }
                (_, None) => Value::List(values.collect()),
            }
        }
        (TypeDef::Tuple(parts), Val::Tuple(vals)) => {
            Value::Tuple(parts.iter().zip(vals).map(|(ty, val)| value(types, *ty, val)).collect())
        }
        (TypeDef::Record(fields), Val::Record(vals)) => {
            assert!(fields.iter().map(|(name, _)| name).eq(vals.iter().map(|(name, _)| name)));
            Value::Record(fields.iter().zip(vals).map(|((_, ty), (_, val))| value(types, *ty, val)).collect())
        }
        (TypeDef::Variant(cases), Val::Variant(name, payload)) => {
            let case = cases.iter().position(|(known, _)| known == name);
            Value::Variant(place(case), boxed(&cases[case.unwrap()].1, payload))
        }
        (TypeDef::Enum(names), Val::Enum(name)) => Value::Enum(place(names.iter().position(|known| known == name))),
        (TypeDef::Option(_), Val::Option(None)) => Value::Option(None),
        (TypeDef::Option(some), Val::Option(val)) => Value::Option(boxed(&Some(*some), val)),
        (TypeDef::Result { ok, error }, Val::Result(val)) => {
            Value::Result(val.as_ref().map(|val| boxed(ok, val)).map_err(|val| boxed(error, val)))
        }
        (TypeDef::Flags(names), Val::Flags(set)) => {
            assert!(names.len() <= 32);
            Value::Flags(vec![(0..).zip(names).filter(|(_, name)| set.contains(name)).map(|(bit, _)| 1_u32 << bit).sum()])
        }
        (def, val) => panic!("{val:?} is no {def:?}"),
    }
}

/// The arguments of a call as `wasm-wave` reads them.
fn values(interface: &Interface, call: &str, vals: &[Val]) -> Vec<Value> {
    let task = find_task(interface, call.trim_start().split('(').next().unwrap().trim()).unwrap();
    let params = &interface.tasks[usize::from(task.0)].params;
    assert_eq!(params.len(), vals.len());
    params.iter().zip(vals).map(|((_, ty), val)| value(&interface.types, *ty, val)).collect()
}

fn theirs(functions: &[(String, Vec<Type>)], call: &str) -> Result<Vec<Val>, String> {
    let call = UntypedFuncCall::parse(call).map_err(|error| error.to_string())?;
    let (_, types) = functions.iter().find(|(name, _)| name == call.name()).ok_or("no such function")?;
    call.to_wasm_params(types).map_err(|error| error.to_string())
}

#[test]
fn calls_mean_what_they_mean_to_wasm_wave() {
    let (functions, interface) = world();
    for call in CALLS {
        // wasm-wave takes blanks between name and arguments, but not before the name.
        match (ours(&interface, call), theirs(&functions, call.trim_start())) {
            (Ok(ours), Ok(theirs)) => assert_eq!(ours, values(&interface, call, &theirs), "{call}"),
            (Err(_), Err(_)) => {}
            (ours, theirs) => panic!("{call}\n ours {ours:?}\n theirs {theirs:?}"),
        }
    }
}

#[test]
fn damaged_calls_neither_panic_nor_differ() {
    let (functions, interface) = world();
    let mut dice = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let mut below = |n: usize| usize::try_from(dice.next_u64() % u64::try_from(n.max(1)).unwrap()).unwrap();
    let scraps = [
        "(", ")", "[", "]", "{", "}", ",", ":", "\"", "'", "%", "some(", "ok(", "1", "-", ".5", "none", "\\", "é", " ", "//",
        "e9",
    ];
    for round in 0..200_000 {
        let mut call: Vec<char> = CALLS[below(CALLS.len())].trim_start().chars().collect();
        for _ in 0..=below(2) {
            let at = below(call.len() + 1);
            let to = (at + below(4)).min(call.len());
            call.splice(at..to, scraps[below(scraps.len())].chars());
        }
        let call: String = call.into_iter().collect();
        let (ours, theirs) = (ours(&interface, &call), theirs(&functions, call.trim_start()));
        match (&ours, &theirs) {
            (Ok(ours), Ok(theirs)) => assert_eq!(ours, &values(&interface, &call, theirs), "{call} in round {round}"),
            (Err(error), Err(_)) => assert!(!error.chars().any(char::is_control), "{error:?}"),
            // Ours also takes flags with `%`, options left out one and all, and a negative zero of an unsigned type.
            (Ok(_), Err(_)) => {
                assert!(call.contains('%') || call.contains("options(") || call.contains("-0"), "{call}: {theirs:?}")
            }
            // wasm-wave drops fields that the record doesn't have; a misspelt optional field must not get lost.
            (Err(error), Ok(_)) if error.contains("one of the fields") => {}
            (Err(_), Ok(_)) => panic!("{call} in round {round}: {ours:?} but {theirs:?}"),
        }
    }
}

#[test]
fn results_print_as_wasm_wave_prints_them() {
    let (functions, interface) = world();
    for call in CALLS {
        let Ok(vals) = theirs(&functions, call.trim_start()) else { continue };
        let task = find_task(&interface, call.trim_start().split('(').next().unwrap().trim()).unwrap();
        for (val, (_, ty)) in vals.iter().zip(&interface.tasks[usize::from(task.0)].params) {
            let mut json = Vec::new();
            value_to_json(&interface.types, *ty, &value(&interface.types, *ty, val), 10_000, &mut json).unwrap();
            assert_eq!(json_to_wave(&interface.types, *ty, &json).unwrap(), wasm_wave::to_string(val).unwrap());
        }
    }
}

#[test]
fn maps_and_fixed_lists_go_beyond_wave() {
    let (_, interface) = world();
    let json = |call: &str| call_from_wave(&interface, call).map(|(_, json)| String::from_utf8(json).unwrap());
    assert_eq!(json(r#"maps([("a", 1), ("b", 2)], [(1, [2])])"#).unwrap(), r#"[{"a":1,"b":2},[[1,[2]]]]"#);
    assert_eq!(json("fixed([1, 2, 3])").unwrap(), "[1,2,3]");
    let maps = &interface.tasks[usize::from(find_task(&interface, "maps").unwrap().0)];
    let wave = |at: usize, json: &str| json_to_wave(&interface.types, maps.params[at].1, json.as_bytes()).unwrap();
    assert_eq!(wave(0, r#"{"a":1}"#), r#"[("a", 1)]"#);
    assert_eq!(wave(1, r#"[[1,"AgM="]]"#), "[(1, [2, 3])]");
    let error = json(r#"maps([("a", 1), ("a", 2)], [])"#).unwrap_err().to_string();
    assert_eq!(error, r#"at column 18: `a`: expected each key once, found "a" again"#);
}

#[test]
fn a_wrong_call_says_where() {
    let (_, interface) = world();
    let mut wrong = Vec::new();
    for (call, text) in [
        ("one", "at column 4: expected `(`, as in `name(argument, ...)`"),
        ("one(", "at column 5: unexpected end of input"),
        ("one(30", "at column 7: unexpected end of input"),
        ("one(30))", r#"at column 8: trailing characters after value: ")""#),
        ("none() 5", r#"at column 8: trailing characters after value: "5""#),
        ("one()", "at column 5: `one` takes 1 argument, found 0"),
        ("one(1, 2)", "at column 8: `one` takes 1 argument, found 2"),
        ("numbers(1, 2)", "at column 13: `numbers` takes 4 arguments, found 2"),
        ("none(1)", "at column 6: `none` takes 0 arguments, found 1"),
        ("one(-1)", "at column 5: `n`: expected u32, found -1 (0 to 4294967295)"),
        ("one(1.5)", "at column 5: `n`: expected u32, found 1.5 (an integer)"),
        ("one(\"é\u{1b}\")", r#"at column 5: `n`: expected u32, found \"é\u{1b}\""#),
        (r#"records({name: "é", size: 300}, [])"#, "at column 27: `a`: expected u8, found 300 (0 to 255)"),
        (r#"records({name: "a"}, [])"#, r#"at column 9: `a`: expected the field "size", found none"#),
        (
            r#"records({name: "a", size: 1, x: 2}, [])"#,
            r#"at column 33: `a`: expected one of the fields name, size, note, found "x""#,
        ),
        ("choices(nothing, pink, {})", r#"at column 18: `b`: expected one of red, green, none, found "pink""#),
        (
            "texts(\"\\u{ffffff}\", 'a', true)",
            r#"at column 7: `a`: expected string, found \"\\u{ffffff}\" (invalid character escape)"#,
        ),
        ("lists(())", r#"at column 7: empty tuple: "()""#),
        ("handles(1, 2)", "at column 9: `a`: expected own<resource>, found 1 (a handle can't be given in WAVE)"),
        ("two(1)", r#"no task is named "two""#),
        ("(1)", r#"no task is named """#),
    ] {
        let error = call_from_wave(&interface, call).unwrap_err().to_string();
        if error != text {
            wrong.push(format!("{call}\n  {error}\n  {text}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let CallError::UnknownTask { known, .. } = call_from_wave(&interface, "two(1)").unwrap_err() else { panic!("another error") };
    assert_eq!(known.len(), interface.tasks.len());
    let deep = format!("one({}", "[".repeat(100_000));
    assert_eq!(call_from_wave(&interface, &deep).unwrap_err().to_string(), "at column 103: value nesting too deep: \"[\"");
}

#[test]
fn a_task_has_several_names() {
    let mut interface = Interface::default();
    let byte = interface.types.add(TypeDef::U8).unwrap();
    for name in ["fib", "a:b/math@1.2.0#fib", "a:b/math@1.2.0#gcd", "c:d/math#gcd", "plain#only", "a:b/x@0.1.0#only-x"] {
        let params = vec![("n".into(), byte)];
        interface.tasks.push(Signature { name: name.into(), params, result: None, is_async: false });
    }
    let find = |name: &str| find_task(&interface, name);
    for (name, index) in [
        ("fib", 0),
        ("a:b/math@1.2.0#fib", 1),
        ("a:b/math.fib@1.2.0", 1),
        ("a:b/math.fib", 1),
        ("a:b/math#fib", 1),
        ("math.fib", 1),
        ("a:b/math.gcd", 2),
        ("c:d/math.gcd", 3),
        ("plain#only", 4),
        ("plain.only", 4),
        ("only", 4),
        ("only-x", 5),
        ("x#only-x", 5),
    ] {
        assert_eq!(find(name), Ok(TaskIndex(index)), "{name}");
        let (task, json) = call_from_wave(&interface, &format!("{name}(7)")).unwrap();
        assert_eq!((task, json.as_slice()), (TaskIndex(index), &b"7"[..]));
    }
    for name in ["", "on", "a:b/math", "a:b/math.fib@1.3.0", "b/math.fib", "fib.fib", "a:b/math@1.2.0#", "#fib", "@", ".", "…"]
    {
        assert!(matches!(find(name), Err(CallError::UnknownTask { .. })), "{name}");
    }
    let error = find("gcd").unwrap_err();
    assert_eq!(error.to_string(), r#""gcd" could be any of a:b/math@1.2.0#gcd, c:d/math#gcd"#);
    assert!(matches!(find("math.gcd"), Err(CallError::Ambiguous { .. })));
}

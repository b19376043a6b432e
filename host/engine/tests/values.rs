//! Random types and values: what is written reads back, damaged text never panics, and what is wrong is told with its place.
//!
//! A failing case prints its seed: `VALUES_SEED=<seed> VALUES_CASES=1 cargo test --test values` runs it again.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
#![expect(clippy::wildcard_enum_match_arm, reason = "the rest of the types have nothing to choose")]
#![expect(clippy::print_stderr, reason = "a failing case tells its seed")]

use proptest::prelude::Rng as _;
use proptest::test_runner::{RngAlgorithm, TestRng};
use taskcell_engine::value::{Number, Numbers, Value};
use taskcell_engine::values::{
    ValueErrorKind, arguments_from_json, bytes_from_json, check_json, is_printable_json, json_schema, json_to_wave,
    string_from_json, type_text, value_from_json, value_to_json,
};
use taskcell_wire::{Signature, TypeDef, TypeId, TypeTable};

const LIMIT: usize = 16 * 1024 * 1024;

/// Numbers from a seed.
struct Dice(TestRng);

impl Dice {
    fn new(seed: u64) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        Self(TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
    }

    fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// From 0 to below `n`.
    fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.bits() % u64::try_from(n.max(1)).unwrap()).unwrap()
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

/// Runs a test on many seeds, and tells the one that fails.
fn for_each_seed(cases: u64, test: impl Fn(&mut Dice) + std::panic::RefUnwindSafe) {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let first = number("VALUES_SEED").unwrap_or(1);
    for seed in first..first + number("VALUES_CASES").unwrap_or(cases) {
        if let Err(panic) = std::panic::catch_unwind(|| test(&mut Dice::new(seed))) {
            eprintln!("failed with VALUES_SEED={seed}");
            std::panic::resume_unwind(panic);
        }
    }
}

const SCALARS: [TypeDef; 13] = [
    TypeDef::Bool,
    TypeDef::U8,
    TypeDef::U16,
    TypeDef::U32,
    TypeDef::U64,
    TypeDef::S8,
    TypeDef::S16,
    TypeDef::S32,
    TypeDef::S64,
    TypeDef::F32,
    TypeDef::F64,
    TypeDef::Char,
    TypeDef::String,
];

fn names(dice: &mut Dice) -> Vec<String> {
    let stems = ["a", "some", "ok", "error", "nan", "x-y", "null", "lines", "true", "b2"];
    (0..=dice.below(5)).map(|at| format!("{}-{at}", dice.pick(&stems))).collect()
}

fn random_type(dice: &mut Dice, types: &mut TypeTable, depth: u32) -> TypeId {
    let def = if depth == 0 || dice.one_in(4) {
        dice.pick(&SCALARS).clone()
    } else {
        let part = |dice: &mut Dice, types: &mut TypeTable| random_type(dice, types, depth - 1);
        match dice.below(12) {
            0 | 1 => TypeDef::List(part(dice, types)),
            2 => TypeDef::FixedList(part(dice, types), u32::try_from(dice.below(4)).unwrap()),
            3 => TypeDef::Record(names(dice).into_iter().map(|name| (name, part(dice, types))).collect()),
            4 => TypeDef::Tuple((0..dice.below(4)).map(|_| part(dice, types)).collect()),
            5 => TypeDef::Variant(
                names(dice).into_iter().map(|name| (name, (!dice.one_in(3)).then(|| part(dice, types)))).collect(),
            ),
            6 => TypeDef::Enum(names(dice)),
            7 | 8 => TypeDef::Option(part(dice, types)),
            9 => TypeDef::Result {
                ok: (!dice.one_in(3)).then(|| part(dice, types)),
                error: (!dice.one_in(3)).then(|| part(dice, types)),
            },
            10 => TypeDef::Flags(names(dice)),
            _ => {
                let keys = [TypeDef::String, TypeDef::String, TypeDef::U32, TypeDef::Char, TypeDef::Bool];
                let key = types.add(dice.pick(&keys).clone()).unwrap();
                TypeDef::Map(key, part(dice, types))
            }
        }
    };
    types.add(def).unwrap()
}

fn random_char(dice: &mut Dice) -> char {
    let edges = [
        '\0', '\n', '"', '\\', '\u{7f}', '\u{85}', '\u{9b}', '\u{a0}', '\u{2028}', '\u{2029}', '\u{d7ff}', '\u{ffff}', '😀', 'é',
    ];
    match dice.below(4) {
        0 => *dice.pick(&edges),
        1 => char::from_u32(u32::try_from(dice.below(0x11_0000)).unwrap()).unwrap_or('\u{e000}'),
        _ => char::from(b' ' + u8::try_from(dice.below(95)).unwrap()),
    }
}

fn random_string(dice: &mut Dice) -> String {
    (0..dice.below(12)).map(|_| random_char(dice)).collect()
}

/// An integer's bits with the ends of every range among them.
fn random_bits(dice: &mut Dice) -> u64 {
    let edges = [0, 1, 127, 128, 255, 256, 32767, 65535, 1 << 31, u64::MAX, 1 << 63, (1 << 63) - 1, 999_999_999_999_999_999];
    match dice.below(3) {
        0 => *dice.pick(&edges),
        1 => dice.bits() >> dice.below(64),
        _ => dice.bits(),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "random bits stay random")]
fn random_value(dice: &mut Dice, types: &TypeTable, ty: TypeId) -> Value {
    let floats =
        [0.0, -0.0, 1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MIN_POSITIVE, 5e-324, f64::MAX, 0.1, 1e16, 1e21];
    let boxed = |dice: &mut Dice, part: &Option<TypeId>| part.map(|part| Box::new(random_value(dice, types, part)));
    match types.get(ty).unwrap() {
        TypeDef::Bool => Value::Bool(dice.one_in(2)),
        TypeDef::U8 => Value::U8(random_bits(dice) as u8),
        TypeDef::U16 => Value::U16(random_bits(dice) as u16),
        TypeDef::U32 => Value::U32(random_bits(dice) as u32),
        TypeDef::U64 => Value::U64(random_bits(dice)),
        TypeDef::S8 => Value::S8(random_bits(dice) as i8),
        TypeDef::S16 => Value::S16(random_bits(dice) as i16),
        TypeDef::S32 => Value::S32(random_bits(dice) as i32),
        TypeDef::S64 => Value::S64(random_bits(dice).cast_signed()),
        TypeDef::F32 if dice.one_in(3) => Value::F32(*dice.pick(&floats) as f32),
        TypeDef::F32 => Value::F32(f32::from_bits(dice.bits() as u32)),
        TypeDef::F64 if dice.one_in(3) => Value::F64(*dice.pick(&floats)),
        TypeDef::F64 => Value::F64(f64::from_bits(dice.bits())),
        TypeDef::Char => Value::Char(random_char(dice)),
        TypeDef::String => Value::String(random_string(dice)),
        TypeDef::List(element) => {
            let element = (types.get(*element).unwrap(), *element);
            let length = dice.below(5);
            let mut values = (0..length).map(|_| random_value(dice, types, element.1));
            match (element.0, Number::of(element.0)) {
                (TypeDef::U8, _) => {
                    Value::Bytes(values.map(|value| if let Value::U8(byte) = value { byte } else { unreachable!() }).collect())
                }
                (_, Some(number)) => {
                    let mut numbers = Numbers::new(number);
                    assert!(values.all(|value| numbers.push(&value)));
                    Value::Numbers(numbers)
                }
                (_, None) => Value::List(values.collect()),
            }
        }
        TypeDef::FixedList(element, length) => {
            Value::FixedList((0..*length).map(|_| random_value(dice, types, *element)).collect())
        }
        TypeDef::Record(fields) => Value::Record(fields.iter().map(|(_, ty)| random_value(dice, types, *ty)).collect()),
        TypeDef::Tuple(parts) => Value::Tuple(parts.iter().map(|part| random_value(dice, types, *part)).collect()),
        TypeDef::Variant(cases) => {
            let case = dice.below(cases.len());
            Value::Variant(u32::try_from(case).unwrap(), boxed(dice, &cases[case].1))
        }
        TypeDef::Enum(names) => Value::Enum(u32::try_from(dice.below(names.len())).unwrap()),
        TypeDef::Option(_) if dice.one_in(2) => Value::Option(None),
        TypeDef::Option(some) => Value::Option(boxed(dice, &Some(*some))),
        TypeDef::Result { ok, .. } if dice.one_in(2) => Value::Result(Ok(boxed(dice, ok))),
        TypeDef::Result { error, .. } => Value::Result(Err(boxed(dice, error))),
        TypeDef::Flags(names) => {
            Value::Flags(names.chunks(32).map(|names| dice.bits() as u32 & (u32::MAX >> (32 - names.len()))).collect())
        }
        TypeDef::Map(key, value) => {
            let mut pairs: Vec<(Value, Value)> = Vec::new();
            for _ in 0..dice.below(4) {
                let key = random_value(dice, types, *key);
                if pairs.iter().all(|(known, _)| *known != key) {
                    pairs.push((key, random_value(dice, types, *value)));
                }
            }
            Value::Map(pairs)
        }
        TypeDef::Handle(_) => unreachable!("no random type is a handle"),
    }
}

fn written(types: &TypeTable, ty: TypeId, value: &Value) -> Vec<u8> {
    let mut json = Vec::new();
    value_to_json(types, ty, value, LIMIT, &mut json).unwrap();
    json
}

fn one_parameter(ty: TypeId) -> Signature {
    Signature { name: "task".into(), params: vec![("value".into(), ty)], result: None, is_async: false }
}

#[test]
fn what_is_written_reads_back() {
    for_each_seed(20_000, |dice| {
        let mut types = TypeTable::default();
        let ty = random_type(dice, &mut types, 5);
        let value = random_value(dice, &types, ty);
        let json = written(&types, ty, &value);
        let told = || format!("{} as {}", String::from_utf8_lossy(&json), type_text(&types, ty));

        // `Value` counts all NaN as equal and tells zeros apart.
        assert_eq!(value_from_json(&types, ty, &json).unwrap(), value, "{}", told());
        let mut arguments = Vec::new();
        arguments_from_json(&types, &one_parameter(ty), &json, &mut arguments).unwrap();
        assert_eq!(arguments, [value], "{}", told());
        check_json(&types, &one_parameter(ty), &json).unwrap();
        assert!(is_printable_json(&json), "{}", told());
        let tree: serde_json::Value = serde_json::from_slice(&json).unwrap();

        // Another writer, other spacing and other escapes mean the same.
        let pretty = serde_json::to_string_pretty(&tree).unwrap();
        let again = written(&types, ty, &value_from_json(&types, ty, pretty.as_bytes()).unwrap());
        // As trees, since that writer sorts the keys of maps.
        assert_eq!(serde_json::from_slice::<serde_json::Value>(&again).unwrap(), tree, "{}", told());

        let wave = json_to_wave(&types, ty, &json);
        assert!(wave.is_ok(), "{}", told());
        assert!(json_schema(&types, ty).is_object());
    });
}

#[test]
fn several_arguments_are_an_array() {
    for_each_seed(2_000, |dice| {
        let mut types = TypeTable::default();
        let tys: Vec<TypeId> = (0..2 + dice.below(3)).map(|_| random_type(dice, &mut types, 3)).collect();
        let sig = Signature { params: tys.iter().map(|ty| ("p".into(), *ty)).collect(), ..one_parameter(tys[0]) };
        let values: Vec<Value> = tys.iter().map(|ty| random_value(dice, &types, *ty)).collect();
        let texts: Vec<Vec<u8>> = tys.iter().zip(&values).map(|(ty, value)| written(&types, *ty, value)).collect();
        let json = [b"[".to_vec(), texts.join(&b", "[..]), b"]".to_vec()].concat();
        let mut arguments = vec![Value::Bool(true)];
        arguments_from_json(&types, &sig, &json, &mut arguments).unwrap();
        assert_eq!(arguments, values);
        check_json(&types, &sig, &json).unwrap();
    });
}

/// JSON with something changed, or nearly JSON.
fn damaged(dice: &mut Dice, json: &[u8]) -> Vec<u8> {
    let mut json = json.to_vec();
    let scraps: [&[u8]; 16] = [
        b"null", b"[", b"]", b"{", b"}", b"\"", b",", b":", b"-", b"300", b"1e400", b"1.5", b"\\ud800", b"\xff", b"\x1b", b"true",
    ];
    for _ in 0..=dice.below(3) {
        let at = dice.below(json.len() + 1);
        let to = (at + dice.below(6)).min(json.len());
        match dice.below(4) {
            0 => drop(json.drain(at..to)),
            1 => drop(json.splice(at..to, dice.pick(&scraps).to_vec())),
            2 => drop(json.splice(at..at, dice.pick(&scraps).to_vec())),
            _ => json.truncate(at),
        }
    }
    json
}

#[test]
fn damaged_text_gives_an_error_and_no_panic() {
    for_each_seed(40_000, |dice| {
        let mut types = TypeTable::default();
        let ty = random_type(dice, &mut types, 5);
        let value = random_value(dice, &types, ty);
        let json = damaged(dice, &written(&types, ty, &value));
        let told = || format!("{} as {}", String::from_utf8_lossy(&json), type_text(&types, ty));

        let read = value_from_json(&types, ty, &json);
        let checked = check_json(&types, &one_parameter(ty), &json);
        assert_eq!(read.as_ref().err(), checked.as_ref().err(), "{}", told());
        match read {
            // The damage did no harm: then it is a value like any other.
            Ok(value) => assert_eq!(value_from_json(&types, ty, &written(&types, ty, &value)).unwrap(), value, "{}", told()),
            Err(error) => {
                let line = error.to_string();
                assert!(!line.chars().any(char::is_control) && line.len() < 1200, "{line:?}");
                assert!(!error.expected.is_empty() && !error.found.is_empty(), "{line}, {}", told());
                assert!(error.at.is_some_and(|at| at <= json.len()), "{error:?}, {}", told());
                let is_json = serde_json::from_slice::<serde_json::Value>(&json).is_ok();
                let by_text = matches!(error.kind, ValueErrorKind::Syntax | ValueErrorKind::NotUtf8);
                assert!(!is_json || !by_text, "{line}, {}", told());
            }
        }
        let _either_way = (bytes_from_json(&json), string_from_json(&json), is_printable_json(&json));
        if is_printable_json(&json) {
            assert!(serde_json::from_slice::<serde::de::IgnoredAny>(&json).is_ok());
            assert!(!std::str::from_utf8(&json).unwrap().chars().any(char::is_control), "{}", told());
        }
    });
}

#[test]
fn an_error_inside_has_its_path() {
    for_each_seed(10_000, |dice| {
        let mut types = TypeTable::default();
        let ty = random_type(dice, &mut types, 5);
        let value = random_value(dice, &types, ty);
        let tree: serde_json::Value = serde_json::from_slice(&written(&types, ty, &value)).unwrap();
        // Walk somewhere inside and put a thing there that no type takes.
        let (mut pointer, mut steps, mut wrong) = (String::new(), Vec::new(), tree);
        while !dice.one_in(5) {
            let step = match wrong.pointer(&pointer).unwrap() {
                serde_json::Value::Array(parts) if !parts.is_empty() => {
                    let at = dice.below(parts.len());
                    steps.push(format!("[{at}]"));
                    at.to_string()
                }
                serde_json::Value::Object(parts) if !parts.is_empty() => {
                    let key = parts.keys().nth(dice.below(parts.len())).unwrap();
                    steps.push(key.clone());
                    key.replace('~', "~0").replace('/', "~1")
                }
                _ => break,
            };
            pointer = format!("{pointer}/{step}");
        }
        *wrong.pointer_mut(&pointer).unwrap() = serde_json::json!({ "?": [0] });
        if let Err(error) = value_from_json(&types, ty, wrong.to_string().as_bytes()) {
            let first = steps.first().map_or("", String::as_str);
            // Names and indexes are in the path as they are, keys of maps are escaped.
            let plain = first.bytes().all(|b| b.is_ascii_alphanumeric() || b"-[]".contains(&b));
            let fits = !plain || error.path.contains(first);
            assert!(fits, "{error} in {wrong} as {}, expected {steps:?}", type_text(&types, ty));
        }
    });
}

#[test]
fn short_integers_read_like_all_others() {
    // With a blank before it, a number doesn't take the quick way.
    let mut types = TypeTable::default();
    let tys: Vec<TypeId> = SCALARS.iter().map(|def| types.add(def.clone()).unwrap()).collect();
    for_each_seed(50_000, |dice| {
        let mut text: Vec<u8> = random_bits(dice).cast_signed().to_string().into_bytes();
        if dice.one_in(3) {
            let at = dice.below(text.len());
            text[at] = *dice.pick(b"0-+.eE/:9 ");
        }
        let slow = [b" ", text.as_slice()].concat();
        for ty in &tys {
            let (quick, slow) = (value_from_json(&types, *ty, &text), value_from_json(&types, *ty, &slow));
            match (quick, slow) {
                (Ok(quick), Ok(slow)) => assert_eq!(quick, slow, "{}", String::from_utf8_lossy(&text)),
                (Err(quick), Err(slow)) => assert_eq!(quick.kind, slow.kind, "{}", String::from_utf8_lossy(&text)),
                (quick, slow) => panic!("{quick:?} but {slow:?} for {}", String::from_utf8_lossy(&text)),
            }
        }
    });
}

#[test]
fn a_line_keeps_its_limit() {
    for_each_seed(3_000, |dice| {
        let mut types = TypeTable::default();
        let ty = random_type(dice, &mut types, 4);
        let value = random_value(dice, &types, ty);
        let json = written(&types, ty, &value);
        let mut out = b"before ".to_vec();
        value_to_json(&types, ty, &value, json.len(), &mut out).unwrap();
        assert_eq!(out, [b"before ", json.as_slice()].concat());
        let mut out = b"before ".to_vec();
        let error = value_to_json(&types, ty, &value, dice.below(json.len()), &mut out).unwrap_err();
        assert_eq!((error.kind, out.as_slice()), (ValueErrorKind::TooLong, &b"before "[..]));
    });
}

#[test]
fn the_wrong_value_for_a_type_is_refused() {
    for_each_seed(5_000, |dice| {
        let mut types = TypeTable::default();
        let (ty, other) = (random_type(dice, &mut types, 3), random_type(dice, &mut types, 3));
        let value = random_value(dice, &types, other);
        let mut out = Vec::new();
        if value_to_json(&types, ty, &value, LIMIT, &mut out).is_ok() {
            assert_eq!(value_from_json(&types, ty, &out).unwrap(), value);
        }
    });
}

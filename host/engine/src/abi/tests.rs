//! Random types and values, next to wasmtime's own dynamic values on the same component: the same flat values and the same bytes in
//! the guest's memory on the way in, the same value or an error as well on the way out, whatever the memory holds.
//!
//! A failing case prints its seed: `ABI_SEED=<seed> ABI_CASES=1 cargo test abi` runs it again.
#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "a test may stop at the first surprise, and says where")]
#![expect(
    clippy::cast_possible_truncation,
    clippy::wildcard_enum_match_arm,
    reason = "random bits stay random, other types have none"
)]

mod handles;

use std::fmt::Write as _;

use proptest::prelude::Rng as _;
use proptest::test_runner::{RngAlgorithm, TestRng};
use taskcell_wire::{TypeDef, TypeId, TypeTable};
use wasmtime::component::{Component, Func, Instance, Linker, Val};
use wasmtime::{Config, Engine, Store};

use super::{Arguments, Returned, with_result};
use crate::value::{Number, Numbers, Value};
use crate::values::wave_value;

struct Dice(TestRng);

impl Dice {
    fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    fn below(&mut self, n: usize) -> usize {
        (self.bits() % n.max(1) as u64) as usize
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
}

const PLAIN: [TypeDef; 13] = [
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

fn random_type(dice: &mut Dice, types: &mut TypeTable, depth: u32) -> TypeId {
    let names = |dice: &mut Dice, most| (0..=dice.below(most)).map(|at| format!("n{at}")).collect::<Vec<_>>();
    let def = if depth == 0 || dice.one_in(5) {
        PLAIN[dice.below(PLAIN.len())].clone()
    } else {
        let part = |dice: &mut Dice, types: &mut TypeTable| random_type(dice, types, depth - 1);
        match dice.below(12) {
            0 | 1 => TypeDef::List(part(dice, types)),
            2 => TypeDef::FixedList(part(dice, types), 1 + dice.below(4) as u32),
            3 => TypeDef::Record(names(dice, 6).into_iter().map(|name| (name, part(dice, types))).collect()),
            4 => TypeDef::Tuple((0..=dice.below(4)).map(|_| part(dice, types)).collect()),
            5 | 6 => TypeDef::Variant(
                names(dice, 5).into_iter().map(|name| (name, (!dice.one_in(4)).then(|| part(dice, types)))).collect(),
            ),
            7 => {
                let most = if dice.one_in(4) { 600 } else { 4 };
                TypeDef::Enum(names(dice, most))
            }
            8 => TypeDef::Option(part(dice, types)),
            9 => TypeDef::Result {
                ok: (!dice.one_in(3)).then(|| part(dice, types)),
                error: (!dice.one_in(3)).then(|| part(dice, types)),
            },
            10 => TypeDef::Flags(names(dice, 32)),
            _ => {
                let key = types.add([TypeDef::String, TypeDef::U32, TypeDef::Char][dice.below(3)].clone()).unwrap();
                TypeDef::Map(key, part(dice, types))
            }
        }
    };
    types.add(def).unwrap()
}

fn random_value(dice: &mut Dice, types: &TypeTable, ty: TypeId) -> Value {
    let boxed = |dice: &mut Dice, ty: &Option<TypeId>| ty.map(|ty| Box::new(random_value(dice, types, ty)));
    let several = |dice: &mut Dice, tys: &mut dyn Iterator<Item = TypeId>| tys.map(|ty| random_value(dice, types, ty)).collect();
    let bits = dice.bits() >> dice.below(64);
    match types.get(ty).unwrap() {
        TypeDef::Bool => Value::Bool(bits % 2 == 1),
        TypeDef::U8 => Value::U8(bits as u8),
        TypeDef::U16 => Value::U16(bits as u16),
        TypeDef::U32 => Value::U32(bits as u32),
        TypeDef::U64 => Value::U64(bits),
        TypeDef::S8 => Value::S8(bits as i8),
        TypeDef::S16 => Value::S16(bits as i16),
        TypeDef::S32 => Value::S32(bits as i32),
        TypeDef::S64 => Value::S64(bits.cast_signed()),
        // Without NaN: their bits may change on the way, and the bytes of memory are compared.
        TypeDef::F32 => Value::F32(bits as i32 as f32),
        TypeDef::F64 => Value::F64(bits.cast_signed() as f64 / 3.0),
        TypeDef::Char => Value::Char(char::from_u32(bits as u32 % 0x11_0000).unwrap_or('é')),
        TypeDef::String => Value::String((0..dice.below(9)).map(|_| ['a', 'é', '€', '😀'][dice.below(4)]).collect()),
        TypeDef::List(element) => {
            let values: Vec<Value> = several(dice, &mut std::iter::repeat_n(*element, bits as usize % 5));
            match (types.get(*element).unwrap(), Number::of(types.get(*element).unwrap())) {
                (TypeDef::U8, _) => Value::Bytes(values.iter().map(|v| if let Value::U8(b) = v { *b } else { 0 }).collect()),
                (_, Some(number)) => {
                    let mut numbers = Numbers::new(number);
                    assert!(values.iter().all(|value| numbers.push(value)));
                    Value::Numbers(numbers)
                }
                (_, None) => Value::List(values),
            }
        }
        TypeDef::FixedList(element, length) => {
            Value::FixedList(several(dice, &mut std::iter::repeat_n(*element, *length as usize)))
        }
        TypeDef::Record(fields) => Value::Record(several(dice, &mut fields.iter().map(|(_, ty)| *ty))),
        TypeDef::Tuple(parts) => Value::Tuple(several(dice, &mut parts.iter().copied())),
        TypeDef::Variant(cases) => {
            let case = dice.below(cases.len());
            Value::Variant(case as u32, boxed(dice, &cases[case].1))
        }
        TypeDef::Enum(names) => Value::Enum(dice.below(names.len()) as u32),
        TypeDef::Option(_) if dice.one_in(2) => Value::Option(None),
        TypeDef::Option(some) => Value::Option(boxed(dice, &Some(*some))),
        TypeDef::Result { ok, .. } if dice.one_in(2) => Value::Result(Ok(boxed(dice, ok))),
        TypeDef::Result { error, .. } => Value::Result(Err(boxed(dice, error))),
        TypeDef::Flags(names) => Value::Flags(vec![bits as u32 & (u32::MAX >> (32 - names.len()))]),
        TypeDef::Map(key, value) => {
            Value::Map((0..dice.below(4)).map(|_| (random_value(dice, types, *key), random_value(dice, types, *value))).collect())
        }
        TypeDef::Handle(_) => unreachable!("no random type is a handle"),
    }
}

/// The types of a table as WAT, and the word for each.
fn declare(types: &TypeTable) -> (String, Vec<String>) {
    let (mut out, mut words) = (String::new(), Vec::<String>::new());
    for at in 0..types.len() {
        let word = |ty: &TypeId| words[ty.0 as usize].clone();
        let join = |tys: &[TypeId]| tys.iter().map(word).collect::<Vec<_>>().join(" ");
        let payload = |ty: &Option<TypeId>| ty.iter().map(word).collect::<String>();
        let quoted = |names: &[String]| names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(" ");
        let (def, named) = match types.get(TypeId(at as u32)).unwrap() {
            TypeDef::List(element) => (format!("list {}", word(element)), false),
            TypeDef::FixedList(element, length) => (format!("list {} {length}", word(element)), false),
            TypeDef::Map(key, value) => (format!("map {} {}", word(key), word(value)), false),
            TypeDef::Tuple(parts) => (format!("tuple {}", join(parts)), false),
            TypeDef::Option(some) => (format!("option {}", word(some)), false),
            TypeDef::Result { ok, error } => {
                let error = error.iter().map(|ty| format!("(error {})", word(ty))).collect::<String>();
                (format!("result {} {error}", payload(ok)), false)
            }
            TypeDef::Record(fields) => {
                let fields = fields.iter().map(|(name, ty)| format!("(field \"{name}\" {})", word(ty)));
                (format!("record {}", fields.collect::<String>()), true)
            }
            TypeDef::Variant(cases) => {
                let cases = cases.iter().map(|(name, ty)| format!("(case \"{name}\" {})", payload(ty)));
                (format!("variant {}", cases.collect::<String>()), true)
            }
            TypeDef::Enum(names) => (format!("enum {}", quoted(names)), true),
            TypeDef::Flags(names) => (format!("flags {}", quoted(names)), true),
            plain => {
                words.push(format!("{plain:?}").to_lowercase());
                continue;
            }
        };
        writeln!(out, "(type $t{at} ({def}))").unwrap();
        if named {
            writeln!(out, "(export $e{at} \"e{at}\" (type $t{at}))").unwrap();
        }
        words.push(format!("${}{at}", if named { 'e' } else { 't' }));
    }
    (out, words)
}

/// The flat types of a type by the rules of the canonical ABI, a third time.
fn flatten(types: &TypeTable, ty: TypeId) -> Vec<&'static str> {
    let cases = |payloads: &mut dyn Iterator<Item = Option<TypeId>>| {
        let mut joined: Vec<&'static str> = Vec::new();
        for flat in payloads.flatten().map(|ty| flatten(types, ty)) {
            for (at, ty) in flat.into_iter().enumerate() {
                match joined.get_mut(at) {
                    None => joined.push(ty),
                    Some(known) if *known == ty => {}
                    Some(known) => {
                        let narrow = ["i32", "f32"].contains(known) && ["i32", "f32"].contains(&ty);
                        *known = if narrow { "i32" } else { "i64" };
                    }
                }
            }
        }
        [vec!["i32"], joined].concat()
    };
    match types.get(ty).unwrap() {
        TypeDef::U64 | TypeDef::S64 => vec!["i64"],
        TypeDef::F32 => vec!["f32"],
        TypeDef::F64 => vec!["f64"],
        TypeDef::String | TypeDef::List(_) | TypeDef::Map(..) => vec!["i32", "i32"],
        TypeDef::FixedList(element, length) => flatten(types, *element).repeat(*length as usize),
        TypeDef::Record(fields) => fields.iter().flat_map(|(_, ty)| flatten(types, *ty)).collect(),
        TypeDef::Tuple(parts) => parts.iter().flat_map(|ty| flatten(types, *ty)).collect(),
        TypeDef::Variant(all) => cases(&mut all.iter().map(|(_, ty)| *ty)),
        TypeDef::Option(some) => cases(&mut [None, Some(*some)].into_iter()),
        TypeDef::Result { ok, error } => cases(&mut [*ok, *error].into_iter()),
        _ => vec!["i32"],
    }
}

/// Three functions of a type:
/// - `probe` gives back the flat values it was passed as they are, and all that was put into its memory;
/// - `give` takes bytes as the memory of a value and gives that value back;
/// - `echo` gives a list of values back as it lies in memory.
fn component(types: &TypeTable, ty: TypeId, encoding: &str) -> String {
    let (declared, words) = declare(types);
    let word = &words[ty.0 as usize];
    let flat = flatten(types, ty);
    let params = if flat.len() > 16 { vec!["i32"] } else { flat.clone() };
    let mut stores = String::new();
    for (at, ty) in params.iter().enumerate() {
        writeln!(stores, "({ty}.store (i32.const {}) (local.get {at}))", 64 + 8 * at).unwrap();
    }
    let (result, give) = match flat.as_slice() {
        [one] => {
            // As wide as it lies in memory.
            let load = match types.get(ty).unwrap() {
                TypeDef::Bool | TypeDef::U8 | TypeDef::S8 => "i32.load8_u",
                TypeDef::U16 | TypeDef::S16 => "i32.load16_u",
                _ => &format!("{one}.load"),
            };
            (*one, format!("({load} (local.get 0))"))
        }
        _ => ("i32", "(local.get 0)".to_owned()),
    };
    let options = format!("(memory $memory) (realloc (core func $realloc)) string-encoding={encoding}");
    format!(
        r#"(component {declared}
            (core module $m
                (memory (export "memory") 1)
                (global $top (mut i32) (i32.const 1024))
                (func (export "realloc") (param i32 i32 i32 i32) (result i32) (local $at i32)
                    (if (i32.and (i32.ne (local.get 0) (i32.const 0)) (i32.le_u (local.get 3) (local.get 1)))
                        (then (return (local.get 0))))
                    (local.set $at (i32.and (i32.add (global.get $top) (i32.sub (local.get 2) (i32.const 1)))
                        (i32.sub (i32.const 0) (local.get 2))))
                    (global.set $top (i32.add (local.get $at) (local.get 3)))
                    (memory.copy (local.get $at) (local.get 0) (local.get 1))
                    (local.get $at))
                (func (export "probe") (param {}) (result i32)
                    {stores}
                    (i32.store (i32.const 16) (i32.const 64)) (i32.store (i32.const 20) (i32.const {}))
                    (i32.store (i32.const 24) (i32.const 1024))
                    (i32.store (i32.const 28) (i32.sub (global.get $top) (i32.const 1024)))
                    (i32.const 16))
                (func (export "give") (param i32 i32) (result {result}) {give})
                (func (export "echo") (param i32 i32) (result i32)
                    (i32.store (i32.const 16) (local.get 0)) (i32.store (i32.const 20) (local.get 1)) (i32.const 16)))
            (core instance $i (instantiate $m))
            (alias core export $i "memory" (core memory $memory))
            (alias core export $i "realloc" (core func $realloc))
            (func (export "probe") (param "x" {word}) (result (tuple (list u64) (list u8)))
                (canon lift (core func $i "probe") {options}))
            (func (export "give") (param "bytes" (list u8)) (result {word}) (canon lift (core func $i "give") {options}))
            (func (export "echo") (param "x" (list {word})) (result (list {word})) (canon lift (core func $i "echo") {options})))"#,
        params.join(" "),
        params.len(),
    )
}

struct Loaded {
    engine: Engine,
    component: Component,
}

impl Loaded {
    /// A function of a fresh instance, so that its memory is as it is for any other.
    fn function(&self, name: &str) -> (Store<()>, Func) {
        let mut store = Store::new(&self.engine, ());
        let instance: Instance = Linker::new(&self.engine).instantiate(&mut store, &self.component).unwrap();
        let func = instance.get_func(&mut store, name).unwrap();
        (store, func)
    }

    fn ours(&self, name: &str, argument: &Value) -> wasmtime::Result<Value> {
        let (mut store, func) = self.function(name);
        let func = func.typed::<&Arguments<'_>, Returned<1>>(&store).unwrap();
        func.call(&mut store, &Arguments::Values(std::slice::from_ref(argument)))?;
        Ok(with_result(Option::take).unwrap())
    }

    fn theirs(&self, name: &str, argument: &Val) -> wasmtime::Result<Val> {
        let (mut store, func) = self.function(name);
        let mut results = [Val::Bool(false)];
        func.call(&mut store, std::slice::from_ref(argument), &mut results)?;
        let [result] = results;
        Ok(result)
    }
}

/// Memory of a guest that wants to be read in a wrong way, and at times is right.
fn memory(dice: &mut Dice) -> Vec<u8> {
    let mut bytes = Vec::new();
    while bytes.len() < 200 {
        let word = match dice.below(10) {
            0..=2 => 0,
            3 => 1,
            4 => dice.below(9) as u32,
            5 => 1024 + dice.below(300) as u32,
            6 => 1024 + 8 * dice.below(30) as u32,
            7 => [u32::MAX, 0xd800, 0x11_0000, 1 << 31, 65_536, 65_535][dice.below(6)],
            8 => u32::from_le_bytes(*b"text"),
            _ => dice.bits() as u32,
        };
        bytes.extend_from_slice(&word.to_le_bytes());
    }
    bytes
}

fn compare(dice: &mut Dice, engine: &Engine) {
    let mut types = TypeTable::default();
    let ty = random_type(dice, &mut types, 4);
    let encoding = ["utf8", "utf16", "latin1+utf16"][dice.below(3)];
    let text = component(&types, ty, encoding);
    // Some are beyond a limit of the validator: nested options take too many parts.
    let Ok(component) = Component::new(engine, wat::parse_str(&text).unwrap()) else { return };
    let loaded = Loaded { engine: engine.clone(), component };
    let u8 = types.add(TypeDef::U8).unwrap();
    let u64 = types.add(TypeDef::U64).unwrap();
    let (bytes, slots) = (types.add(TypeDef::List(u8)).unwrap(), types.add(TypeDef::List(u64)).unwrap());
    let probed = types.add(TypeDef::Tuple(vec![slots, bytes])).unwrap();
    let list = types.add(TypeDef::List(ty)).unwrap();
    let val = |ty, value: &Value| wave_value::of(&types, ty, value);

    for _ in 0..4 {
        let value = random_value(dice, &types, ty);
        let ours = loaded.ours("probe", &value).unwrap();
        // Text in another encoding may be allocated in other steps, and so lies elsewhere.
        if encoding == "utf8" {
            assert_eq!(val(probed, &ours), loaded.theirs("probe", &val(ty, &value)).unwrap(), "{value:?}\n{text}");
        }
        let value = random_value(dice, &types, list);
        assert_eq!(loaded.ours("echo", &value).unwrap(), value, "{text}");
    }
    for _ in 0..12 {
        let memory = Value::Bytes(memory(dice));
        match (loaded.ours("give", &memory), loaded.theirs("give", &val(bytes, &memory))) {
            (Ok(ours), Ok(theirs)) => assert_eq!(val(ty, &ours), theirs, "{memory:?}\n{text}"),
            (Err(_), Err(_)) => {}
            (ours, theirs) => panic!("{ours:?}\n{theirs:?}\n{memory:?}\n{text}"),
        }
        let (mut store, func) = loaded.function("give");
        let func = func.typed::<&Arguments<'_>, Returned<1>>(&store).unwrap();
        let Value::Bytes(raw) = &memory else { continue };
        let straight = func.call(&mut store, &Arguments::Bytes(raw)).ok().and_then(|_| with_result(Option::take));
        assert_eq!(straight, loaded.ours("give", &memory).ok());
    }
}

#[test]
fn as_with_wasmtimes_own_values() {
    let mut config = Config::new();
    config.wasm_component_model_map(true).wasm_component_model_fixed_length_lists(true).concurrency_support(false);
    let engine = Engine::new(&config).unwrap();
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let first = number("ABI_SEED").unwrap_or(1);
    for seed in first..first + number("ABI_CASES").unwrap_or(150) {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        let mut dice = Dice(TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
        if let Err(panic) = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| compare(&mut dice, &engine))) {
            eprintln!("failed with ABI_SEED={seed}");
            std::panic::resume_unwind(panic);
        }
    }
}

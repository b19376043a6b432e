//! A JSON text against a small table of types: the supervisor checks what a worker reads, so both must say the same.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use taskcell_engine::values::{arguments_from_json, check_json};
use taskcell_wire::{Signature, TypeDef, TypeId, TypeTable};

/// A type whose parts are picked among the earlier ones.
#[derive(Debug, Arbitrary)]
enum Shape {
    Plain(u8),
    List(u8),
    FixedList(u8, u8),
    Record(Vec<u8>),
    Tuple(Vec<u8>),
    Variant(Vec<Option<u8>>),
    Enum(u8),
    Option(u8),
    Result(Option<u8>, Option<u8>),
    Flags(u8),
    Map(u8, u8),
}

#[derive(Debug, Arbitrary)]
struct Input<'a> {
    shapes: Vec<Shape>,
    params: Vec<u8>,
    json: &'a [u8],
}

fuzz_target!(|input: Input<'_>| {
    let types = table(&input.shapes);
    let params = input.params.iter().take(4).enumerate().map(|(at, part)| (format!("p{at}"), pick(&types, *part))).collect();
    let signature = Signature { name: "f".into(), params, result: None, is_async: false };
    let mut arguments = Vec::new();
    let read = arguments_from_json(&types, &signature, input.json, &mut arguments);
    let checked = check_json(&types, &signature, input.json);
    assert_eq!(read.is_ok(), checked.is_ok(), "read: {read:?}, checked: {checked:?}");
    if read.is_ok() {
        assert_eq!(arguments.len(), signature.params.len());
    }
});

fn table(shapes: &[Shape]) -> TypeTable {
    let mut types = TypeTable::default();
    types.add(TypeDef::U8).unwrap();
    for shape in shapes.iter().take(20) {
        let part = |at: &u8| pick(&types, *at);
        let names = |count: u8| (0..=count % 40).map(|at| format!("n{at}")).collect();
        let def = match shape {
            Shape::Plain(kind) => plain(*kind),
            Shape::List(of) => TypeDef::List(part(of)),
            Shape::FixedList(of, count) => TypeDef::FixedList(part(of), u32::from(*count)),
            Shape::Record(parts) => {
                TypeDef::Record(parts.iter().take(6).enumerate().map(|(at, of)| (format!("f{at}"), part(of))).collect())
            }
            Shape::Tuple(parts) => TypeDef::Tuple(parts.iter().take(6).map(part).collect()),
            Shape::Variant(cases) => TypeDef::Variant(
                cases.iter().take(6).enumerate().map(|(at, of)| (format!("c{at}"), of.as_ref().map(part))).collect(),
            ),
            Shape::Enum(count) => TypeDef::Enum(names(*count)),
            Shape::Option(of) => TypeDef::Option(part(of)),
            Shape::Result(ok, error) => TypeDef::Result { ok: ok.as_ref().map(part), error: error.as_ref().map(part) },
            Shape::Flags(count) => TypeDef::Flags(names(*count)),
            Shape::Map(key, value) => TypeDef::Map(part(key), part(value)),
        };
        types.add(def).unwrap();
    }
    types.check().unwrap();
    types
}

fn pick(types: &TypeTable, at: u8) -> TypeId {
    TypeId(u32::try_from(usize::from(at) % types.len()).unwrap())
}

fn plain(kind: u8) -> TypeDef {
    let kinds = [
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
        TypeDef::Handle("own<thing>".into()),
    ];
    kinds[usize::from(kind) % kinds.len()].clone()
}

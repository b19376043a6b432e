//! JSON to typed values and back, and the check that every result passes before it is believed.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use taskcell_engine::values;
use taskcell_wire::{Signature, TypeDef, TypeId, TypeTable};

/// A name, a type and a text of it.
struct Case {
    name: &'static str,
    types: TypeTable,
    /// The last type of the table.
    ty: TypeId,
    json: Vec<u8>,
}

fn case(name: &'static str, defs: Vec<TypeDef>, json: String) -> Case {
    let mut types = TypeTable::default();
    let last = defs.into_iter().map(|def| types.add(def).expect("its parts came before")).last();
    Case { name, types, ty: last.expect("there is a type"), json: json.into_bytes() }
}

fn cases() -> Vec<Case> {
    let list = |element: &str, count: usize| format!("[{}]", vec![element; count].join(","));
    let record = vec![
        TypeDef::String,
        TypeDef::U32,
        TypeDef::F64,
        TypeDef::Record(vec![("name".into(), TypeId(0)), ("count".into(), TypeId(1)), ("price".into(), TypeId(2))]),
    ];
    let mut records = record.clone();
    records.push(TypeDef::List(TypeId(3)));
    let tea = r#"{"name":"Darjeeling, first flush","count":3,"price":12.5}"#;
    vec![
        case("u64", vec![TypeDef::U64], "1234567890".into()),
        case("string of 64 B", vec![TypeDef::String], format!("\"{}\"", "x".repeat(64))),
        case("string of 64 KiB", vec![TypeDef::String], format!("\"{}\"", "x".repeat(65_536))),
        case("list<u8> of 64 KiB, base64", vec![TypeDef::U8, TypeDef::List(TypeId(0))], format!("\"{}\"", "AAAA".repeat(21_845))),
        case("list<f64> of 1000", vec![TypeDef::F64, TypeDef::List(TypeId(0))], list("1234.5678", 1000)),
        case("record", record, tea.into()),
        case("list of 1000 records", records, list(tea, 1000)),
    ]
}

fn from_json(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("JSON to values");
    for Case { name, types, ty, json } in cases() {
        let task = Signature { name: "task".into(), params: vec![("one".into(), ty)], result: None, is_async: false };
        let mut out = Vec::new();
        group.throughput(Throughput::Bytes(json.len() as u64));
        group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
            bencher.iter(|| values::arguments_from_json(&types, &task, black_box(&json), &mut out).expect("it is of the type"));
        });
    }
    group.finish();
}

fn to_json(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("values to JSON");
    for Case { name, types, ty, json } in cases() {
        let value = values::value_from_json(&types, ty, &json).expect("it is of the type");
        let mut out = Vec::new();
        group.throughput(Throughput::Bytes(json.len() as u64));
        group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
            bencher.iter(|| {
                out.clear();
                values::value_to_json(&types, ty, black_box(&value), usize::MAX, &mut out).expect("there is no limit");
            });
        });
    }
    group.finish();
}

fn printable(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("check that a result is one line of JSON");
    for Case { name, json, .. } in cases() {
        group.throughput(Throughput::Bytes(json.len() as u64));
        group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
            bencher.iter(|| values::is_printable_json(black_box(&json)));
        });
    }
    group.finish();
}

criterion_group!(benches, from_json, to_json, printable);
criterion_main!(benches);

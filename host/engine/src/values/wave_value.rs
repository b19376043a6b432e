//! Values as the engine's own, which `wasm-wave` can write: with every name, and an element for each byte. For the eyes of people,
//! so never for much.

use taskcell_wire::{TypeDef, TypeId, TypeTable};
use wasmtime::component::Val;

use super::lookup;
use crate::value::Value;

/// A value of a type as WAVE knows it, which has no maps: they become what the component model says they are, lists of pairs.
pub(super) fn without_maps(types: &TypeTable, ty: TypeId, value: &Value) -> Val {
    let mut val = of(types, ty, value);
    maps_to_lists(&mut val);
    val
}

/// Replaces maps by lists of pairs everywhere inside a value.
#[expect(clippy::wildcard_enum_match_arm, reason = "foreign, and all others have no parts")]
fn maps_to_lists(val: &mut Val) {
    match val {
        Val::Map(pairs) => {
            let pairs = std::mem::take(pairs).into_iter().map(|(mut key, mut val)| {
                maps_to_lists(&mut key);
                maps_to_lists(&mut val);
                Val::Tuple(vec![key, val])
            });
            *val = Val::List(pairs.collect());
        }
        Val::List(vals) | Val::FixedLengthList(vals) | Val::Tuple(vals) => vals.iter_mut().for_each(maps_to_lists),
        Val::Record(fields) => fields.iter_mut().for_each(|(_, val)| maps_to_lists(val)),
        Val::Variant(_, Some(val)) | Val::Option(Some(val)) => maps_to_lists(val),
        Val::Result(Ok(Some(val)) | Err(Some(val))) => maps_to_lists(val),
        _ => {}
    }
}

/// A value of a type as one of the engine's. What is not of the type is left out.
pub(crate) fn of(types: &TypeTable, ty: TypeId, value: &Value) -> Val {
    let def = lookup(types, ty);
    let boxed = |ty: Option<TypeId>, value: &Option<Box<Value>>| match (ty, value) {
        (Some(ty), Some(value)) => Some(Box::new(of(types, ty, value))),
        (Some(_) | None, _) => None,
    };
    let named = |names: &mut dyn Iterator<Item = &String>, at: u32| names.nth(at as usize).cloned().unwrap_or_default();
    match value {
        Value::Bool(b) => Val::Bool(*b),
        Value::U8(n) => Val::U8(*n),
        Value::U16(n) => Val::U16(*n),
        Value::U32(n) => Val::U32(*n),
        Value::U64(n) => Val::U64(*n),
        Value::S8(n) => Val::S8(*n),
        Value::S16(n) => Val::S16(*n),
        Value::S32(n) => Val::S32(*n),
        Value::S64(n) => Val::S64(*n),
        Value::F32(f) => Val::Float32(*f),
        Value::F64(f) => Val::Float64(*f),
        Value::Char(c) => Val::Char(*c),
        Value::String(text) => Val::String(text.clone()),
        Value::Bytes(bytes) => Val::List(bytes.iter().copied().map(Val::U8).collect()),
        // A number needs no type beside it.
        Value::Numbers(numbers) => Val::List(numbers.iter().map(|value| of(types, ty, &value)).collect()),
        Value::List(values) => Val::List(each(types, &mut parts(def), values)),
        Value::FixedList(values) => Val::FixedLengthList(each(types, &mut parts(def), values)),
        Value::Tuple(values) => Val::Tuple(each(types, &mut parts(def), values)),
        Value::Map(pairs) => {
            let TypeDef::Map(key_type, value_type) = def else { return Val::Map(Vec::new()) };
            let pair = |(key, value): &(Value, Value)| (of(types, *key_type, key), of(types, *value_type, value));
            Val::Map(pairs.iter().map(pair).collect())
        }
        Value::Record(values) => {
            let TypeDef::Record(fields) = def else { return Val::Record(Vec::new()) };
            let field = |((name, ty), value): (&(String, TypeId), _)| (name.clone(), of(types, *ty, value));
            Val::Record(fields.iter().zip(values).map(field).collect())
        }
        Value::Variant(case, payload) => {
            let TypeDef::Variant(cases) = def else { return Val::Variant(String::new(), None) };
            let ty = cases.get(*case as usize).and_then(|(_, ty)| *ty);
            Val::Variant(named(&mut cases.iter().map(|(name, _)| name), *case), boxed(ty, payload))
        }
        Value::Enum(case) => {
            let TypeDef::Enum(names) = def else { return Val::Enum(String::new()) };
            Val::Enum(named(&mut names.iter(), *case))
        }
        Value::Option(payload) => {
            let TypeDef::Option(some) = def else { return Val::Option(None) };
            Val::Option(boxed(Some(*some), payload))
        }
        Value::Result(payload) => {
            let TypeDef::Result { ok, error } = def else { return Val::Result(Ok(None)) };
            Val::Result(payload.as_ref().map(|value| boxed(*ok, value)).map_err(|value| boxed(*error, value)))
        }
        Value::Flags(words) => {
            let TypeDef::Flags(names) = def else { return Val::Flags(Vec::new()) };
            let bits = words.iter().flat_map(|word| (0..32).map(move |bit| word >> bit & 1 == 1));
            Val::Flags(names.iter().zip(bits).filter(|(_, set)| *set).map(|(name, _)| name.clone()).collect())
        }
        // Only ever an argument, which nobody writes in WAVE.
        Value::Handle(..) => Val::Option(None),
    }
}

fn each(types: &TypeTable, tys: &mut dyn Iterator<Item = TypeId>, values: &[Value]) -> Vec<Val> {
    tys.zip(values).map(|(ty, value)| of(types, ty, value)).collect()
}

/// The types of the elements of what has elements.
fn parts(def: &TypeDef) -> Box<dyn Iterator<Item = TypeId> + '_> {
    #[expect(clippy::wildcard_enum_match_arm, reason = "all others have none")]
    match def {
        TypeDef::List(element) => Box::new(std::iter::repeat(*element)),
        TypeDef::FixedList(element, length) => Box::new(std::iter::repeat_n(*element, *length as usize)),
        TypeDef::Tuple(parts) => Box::new(parts.iter().copied()),
        _ => Box::new(std::iter::empty()),
    }
}

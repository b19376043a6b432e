//! The engine's types become entries of a type table.
//!
//! Runs in the compile child, where the component is at hand; everything later works from the table alone. `wasmtime` refuses
//! types that nest deeper than 100 levels or have more than a million parts, so plain recursion over them is bounded.

use taskcell_wire::call::HandleKind;
use taskcell_wire::{TypeDef, TypeId, TypeTable, WireError};
use wasmtime::component::Type;

use super::type_text;
use crate::host::kind_of;

/// Adds a type of the engine, with all its parts, to the table.
///
/// What can't be given as a value (resources, streams, futures, error contexts) becomes a [`TypeDef::Handle`]. A handle that one
/// task can give to another has the text of its [`HandleKind`].
///
/// # Errors
/// [`WireError::BadTypes`] if the table is full.
pub fn describe(table: &mut TypeTable, ty: &Type) -> Result<TypeId, WireError> {
    let def = match ty {
        Type::Bool => TypeDef::Bool,
        Type::S8 => TypeDef::S8,
        Type::U8 => TypeDef::U8,
        Type::S16 => TypeDef::S16,
        Type::U16 => TypeDef::U16,
        Type::S32 => TypeDef::S32,
        Type::U32 => TypeDef::U32,
        Type::S64 => TypeDef::S64,
        Type::U64 => TypeDef::U64,
        Type::Float32 => TypeDef::F32,
        Type::Float64 => TypeDef::F64,
        Type::Char => TypeDef::Char,
        Type::String => TypeDef::String,
        Type::List(list) => TypeDef::List(describe(table, &list.ty())?),
        Type::FixedLengthList(list) => TypeDef::FixedList(describe(table, &list.ty())?, list.len()),
        Type::Map(map) => {
            let key = describe(table, &map.key())?;
            TypeDef::Map(key, describe(table, &map.value())?)
        }
        Type::Record(record) => {
            let fields = record.fields().map(|field| Ok((field.name.to_owned(), describe(table, &field.ty)?)));
            TypeDef::Record(fields.collect::<Result<_, WireError>>()?)
        }
        Type::Tuple(tuple) => TypeDef::Tuple(tuple.types().map(|part| describe(table, &part)).collect::<Result<_, _>>()?),
        Type::Variant(variant) => {
            let cases = variant.cases().map(|case| Ok((case.name.to_owned(), described(table, case.ty)?)));
            TypeDef::Variant(cases.collect::<Result<_, WireError>>()?)
        }
        Type::Enum(names) => TypeDef::Enum(names.names().map(str::to_owned).collect()),
        Type::Option(option) => TypeDef::Option(describe(table, &option.ty())?),
        Type::Result(result) => {
            let ok = described(table, result.ok())?;
            TypeDef::Result { ok, error: described(table, result.err())? }
        }
        Type::Flags(flags) => TypeDef::Flags(flags.names().map(str::to_owned).collect()),
        // The engine keeps no names of resources; those that this host provides are known by their type.
        Type::Own(resource) => TypeDef::Handle(kind_of(*resource).map_or_else(|| "own<resource>".into(), HandleKind::own)),
        Type::Borrow(resource) => {
            TypeDef::Handle(kind_of(*resource).map_or_else(|| "borrow<resource>".into(), HandleKind::borrow))
        }
        Type::Future(future) => TypeDef::Handle(carrying("future", future.ty())?),
        Type::Stream(stream) => TypeDef::Handle(carrying("stream", stream.ty())?),
        Type::ErrorContext => TypeDef::Handle("error-context".into()),
    };
    table.add(def)
}

fn described(table: &mut TypeTable, ty: Option<Type>) -> Result<Option<TypeId>, WireError> {
    ty.map(|ty| describe(table, &ty)).transpose()
}

/// `stream<u8>`, or `stream` if it carries nothing. What it carries is no part of any value, so it stays out of the table.
fn carrying(word: &str, payload: Option<Type>) -> Result<String, WireError> {
    let mut aside = TypeTable::default();
    let payload = described(&mut aside, payload)?;
    Ok(payload.map_or_else(|| word.to_owned(), |payload| format!("{word}<{}>", type_text(&aside, payload))))
}

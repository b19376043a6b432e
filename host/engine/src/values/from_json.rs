//! JSON text becomes values: the ways in.

use serde::de::DeserializeSeed as _;
use taskcell_wire::{Signature, TypeDef, TypeId, TypeTable};

use super::error::{ValueError, ValueErrorKind};
use super::lookup;
use super::reading::Reading;
use super::seed::{Seed, integer};
use crate::value::Value;

/// Reads the arguments of one task from one JSON text into `out`, whose former content is dropped.
///
/// A function of one parameter takes the text as that parameter; one of several takes an array with an element for each; one
/// without any takes `null` or `[]`.
///
/// # Errors
/// What is wrong with the text and where; `out` is empty then.
pub fn arguments_from_json(types: &TypeTable, sig: &Signature, json: &[u8], out: &mut Vec<Value>) -> Result<(), ValueError> {
    out.clear();
    if let [(_, ty)] = sig.params.as_slice() {
        // Pushed where it is made: moving what was just written costs more than reading the number.
        if plain_integer(lookup(types, *ty), json, |value| out.push(value)).is_none() {
            out.push(read_value(types, *ty, json)?);
        }
    } else if let Value::Tuple(values) = several::<true>(types, sig, json)? {
        *out = values;
    }
    Ok(())
}

/// Reads one value of a type from one JSON text.
///
/// # Errors
/// What is wrong with the text and where.
pub fn value_from_json(types: &TypeTable, ty: TypeId, json: &[u8]) -> Result<Value, ValueError> {
    match plain_integer(lookup(types, ty), json, |value| value) {
        Some(value) => Ok(value),
        None => read_value(types, ty, json),
    }
}

fn read_value(types: &TypeTable, ty: TypeId, json: &[u8]) -> Result<Value, ValueError> {
    read(types, json, |reading, text| Seed::<true>::new(reading, ty).deserialize(text))
}

/// Finds what [`arguments_from_json`] would find wrong, without building values.
///
/// # Errors
/// What is wrong with the text and where.
pub fn check_json(types: &TypeTable, sig: &Signature, json: &[u8]) -> Result<(), ValueError> {
    let [(_, ty)] = sig.params.as_slice() else {
        return several::<false>(types, sig, json).map(drop);
    };
    check_value(types, *ty, json)
}

/// Finds what [`value_from_json`] would find wrong, without building the value.
pub(super) fn check_value(types: &TypeTable, ty: TypeId, json: &[u8]) -> Result<(), ValueError> {
    match plain_integer(lookup(types, ty), json, drop) {
        Some(()) => Ok(()),
        None => read(types, json, |reading, text| Seed::<false>::new(reading, ty).deserialize(text)).map(drop),
    }
}

/// The arguments of a function of no parameter or of several, as a tuple.
fn several<const BUILD: bool>(types: &TypeTable, sig: &Signature, json: &[u8]) -> Result<Value, ValueError> {
    if sig.params.is_empty() && json.trim_ascii() == b"null" {
        return Ok(Value::Tuple(Vec::new()));
    }
    let tuple = TypeDef::Tuple(sig.params.iter().map(|(_, ty)| *ty).collect());
    let read = read(types, json, |reading, text| Seed::<BUILD> { reading, def: &tuple }.deserialize(text));
    read.map_err(|mut error| {
        // Wrong as a whole: what was meant is no tuple to the user.
        if error.path.is_empty() && error.kind == ValueErrorKind::Type {
            error.expected = match sig.params.len() {
                0 => "no arguments (null or [])".into(),
                n => format!("an array of {n} arguments"),
            };
            error.note.clear();
        }
        error
    })
}

/// Reads a text as a whole.
pub(super) fn read<'t, 'j, T>(
    types: &'t TypeTable,
    json: &'j [u8],
    value: impl FnOnce(&Reading<'t>, &mut Text<'j>) -> serde_json::Result<T>,
) -> Result<T, ValueError> {
    let reading = Reading::new(types);
    let mut text = serde_json::Deserializer::from_slice(json);
    let result = value(&reading, &mut text).and_then(|value| text.end().map(|()| value));
    result.map_err(|error| reading.error(json, &error))
}

/// JSON in memory, as serde_json reads it.
pub(super) type Text<'j> = serde_json::Deserializer<serde_json::de::SliceRead<'j>>;

/// A short integer without anything around it is what most tasks get; it goes to `put`. `None` for all else, right or wrong.
#[inline]
fn plain_integer<R>(def: &TypeDef, json: &[u8], put: impl FnOnce(Value) -> R) -> Option<R> {
    let (negative, digits) = match json {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    // 18 digits fit into any 64 bits. JSON knows no leading zeros, and `-0` is a float's.
    let zero_first = digits.first() == Some(&b'0') && (digits.len() > 1 || negative);
    if digits.is_empty() || digits.len() > 18 || zero_first {
        return None;
    }
    let mut value: i64 = 0;
    for byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value * 10 + i64::from(digit);
    }
    integer(def, i128::from(if negative { -value } else { value }), put)
}

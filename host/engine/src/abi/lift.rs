//! Values out of a guest: from flat values, or loaded from its memory.
//!
//! All of it is hostile: addresses, lengths, numbers of cases, characters. Addresses are bounds-checked against the memory as it
//! is after the call; nothing of the guest runs while it is read. Two things bound what a small guest can make the host hold: the
//! fuel that the engine counts for data that is handed over (`host_call_bytes`), charged with what the host will hold and
//! before it is reserved, and the limit of the result itself.

use wasmtime::ValRaw;
use wasmtime::component::__internal::wasmtime_environ::component::TypeMap;
use wasmtime::component::__internal::{CanonicalAbiInfo, InterfaceType, LiftContext};
use wasmtime::component::Lift as _;

use super::lower::{mask, number};
use super::{Broken, SLOTS, spend};
use crate::value::{Numbers, Value, flag_words};

type Lifted<T = Value> = wasmtime::Result<T>;

/// Lifts a result from the slots that the function left: itself, or its address. Puts it into `out`.
pub(super) fn result_in_slots(
    cx: &mut LiftContext<'_>,
    ty: InterfaceType,
    slots: &[ValRaw],
    out: &mut Option<Value>,
) -> Lifted<()> {
    *out = None;
    let types = cx.types;
    let InterfaceType::Tuple(results) = ty else { return Err(broken("a result is no list of types")) };
    let results = &types[results];
    let Some(only) = results.types.first() else { return Ok(()) };
    if let Some(slot) = slots.first()
        && let Some(lifted) = scalar(*only, *slot, |value| *out = Some(value))
    {
        return lifted;
    }
    match results.abi.flat_count(SLOTS) {
        Some(count) if count <= slots.len() => {
            *out = Some(flat(cx, *only, &mut slots.iter())?);
            Ok(())
        }
        Some(_) | None => {
            let address = slots.first().map(ValRaw::get_u32).ok_or_else(no_slot)?;
            result_at(cx, ty, address as usize, out)
        }
    }
}

/// Lifts a result that lies at an address of the guest's choice. Puts it into `out`.
pub(super) fn result_at(cx: &mut LiftContext<'_>, ty: InterfaceType, address: usize, out: &mut Option<Value>) -> Lifted<()> {
    *out = None;
    let types = cx.types;
    let InterfaceType::Tuple(results) = ty else { return Err(broken("a result is no list of types")) };
    let results = &types[results];
    let Some(ty) = results.types.first() else { return Ok(()) };
    if !address.is_multiple_of(results.abi.align32 as usize) {
        return Err(broken("the result's address is not aligned"));
    }
    let memory = cx.memory();
    let bytes = address.checked_add(results.abi.size32 as usize).and_then(|end| memory.get(address..end));
    let bytes = bytes.ok_or_else(|| broken("the result's address is out of bounds of the memory"))?;
    *out = Some(load(cx, *ty, bytes)?);
    Ok(())
}

#[cold]
fn broken(what: impl Into<String>) -> wasmtime::Error {
    Broken(what.into()).into()
}

#[cold]
fn no_slot() -> wasmtime::Error {
    broken("a result has fewer flat values than its type")
}

#[cold]
fn handle() -> wasmtime::Error {
    broken("a handle can't be part of a result")
}

fn next(slots: &mut std::slice::Iter<'_, ValRaw>) -> Lifted<ValRaw> {
    slots.next().copied().ok_or_else(no_slot)
}

/// Lifts a type that is one flat value, and gives it to `put` where it is made; `None` for other types. The canonical ABI lets a guest
/// leave anything in the bits that the type does not hold.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "what the type doesn't hold is cut off, by the rules")]
#[expect(clippy::wildcard_enum_match_arm, reason = "all others are not one flat value, or have parts")]
fn scalar<R>(ty: InterfaceType, slot: ValRaw, put: impl FnOnce(Value) -> R) -> Option<Lifted<R>> {
    Some(Ok(match ty {
        InterfaceType::Bool => put(Value::Bool(slot.get_u32() != 0)),
        InterfaceType::U8 => put(Value::U8(slot.get_u32() as u8)),
        InterfaceType::U16 => put(Value::U16(slot.get_u32() as u16)),
        InterfaceType::U32 => put(Value::U32(slot.get_u32())),
        InterfaceType::U64 => put(Value::U64(slot.get_u64())),
        InterfaceType::S8 => put(Value::S8((slot.get_u32() as u8).cast_signed())),
        InterfaceType::S16 => put(Value::S16((slot.get_u32() as u16).cast_signed())),
        InterfaceType::S32 => put(Value::S32(slot.get_i32())),
        InterfaceType::S64 => put(Value::S64(slot.get_i64())),
        InterfaceType::Float32 => put(Value::F32(f32::from_bits(slot.get_f32()))),
        InterfaceType::Float64 => put(Value::F64(f64::from_bits(slot.get_f64()))),
        InterfaceType::Char => match character(slot.get_u32()) {
            Ok(character) => put(Value::Char(character)),
            Err(error) => return Some(Err(error)),
        },
        _ => return None,
    }))
}

fn flat(cx: &mut LiftContext<'_>, ty: InterfaceType, slots: &mut std::slice::Iter<'_, ValRaw>) -> Lifted {
    let types = cx.types;
    if let Some(slot) = slots.as_slice().first()
        && let Some(lifted) = scalar(ty, *slot, |value| value)
    {
        let _ = slots.next();
        return lifted;
    }
    Ok(match ty {
        InterfaceType::Bool
        | InterfaceType::U8
        | InterfaceType::U16
        | InterfaceType::U32
        | InterfaceType::U64
        | InterfaceType::S8
        | InterfaceType::S16
        | InterfaceType::S32
        | InterfaceType::S64
        | InterfaceType::Float32
        | InterfaceType::Float64
        | InterfaceType::Char => return Err(no_slot()),
        InterfaceType::String => {
            let pair = [next(slots)?, next(slots)?];
            check_text(cx, pair[0].get_u32(), pair[1].get_u32())?;
            Value::String(String::linear_lift_from_flat(cx, ty, &pair)?)
        }
        InterfaceType::List(at) => {
            let (address, length) = (next(slots)?.get_u32(), next(slots)?.get_u32());
            list(cx, types[at].element, address, length)?
        }
        InterfaceType::Map(at) => {
            let (address, length) = (next(slots)?.get_u32(), next(slots)?.get_u32());
            map(cx, &types[at], address, length)?
        }
        InterfaceType::Record(record) => {
            let fields = &types[record].fields;
            Value::Record(flats(cx, fields.iter().map(|field| field.ty), slots)?)
        }
        InterfaceType::Tuple(tuple) => Value::Tuple(flats(cx, types[tuple].types.iter().copied(), slots)?),
        InterfaceType::FixedLengthList(of) => {
            Value::FixedList(flats(cx, std::iter::repeat_n(types[of].element, types[of].size as usize), slots)?)
        }
        InterfaceType::Flags(flags) => {
            let flags = types[flags].names.len();
            let words = (0..flag_words(flags)).map(|at| Ok(next(slots)?.get_u32() & mask(flags, at)));
            Value::Flags(words.collect::<Lifted<_>>()?)
        }
        InterfaceType::Variant(_) | InterfaceType::Enum(_) | InterfaceType::Option(_) | InterfaceType::Result(_) => {
            let all = types.canonical_abi(&ty).flat_count(SLOTS).ok_or_else(no_slot)?;
            let rest = slots.as_slice().len().checked_sub(all).ok_or_else(no_slot)?;
            let number = next(slots)?.get_u32();
            let payload = match payload_type(cx, ty, number)? {
                Some(ty) => {
                    cx.consume_fuel(size_of::<Value>())?;
                    Some(Box::new(flat(cx, ty, slots)?))
                }
                None => None,
            };
            // Past the slots that only other cases use.
            let unused = slots.as_slice().len().checked_sub(rest).ok_or_else(no_slot)?;
            *slots = slots.as_slice().get(unused..).ok_or_else(no_slot)?.iter();
            case(ty, number, payload)
        }
        InterfaceType::Own(_)
        | InterfaceType::Borrow(_)
        | InterfaceType::Future(_)
        | InterfaceType::Stream(_)
        | InterfaceType::ErrorContext(_) => return Err(handle()),
    })
}

fn flats(
    cx: &mut LiftContext<'_>,
    tys: impl ExactSizeIterator<Item = InterfaceType>,
    slots: &mut std::slice::Iter<'_, ValRaw>,
) -> Lifted<Vec<Value>> {
    cx.consume_fuel_array(tys.len(), size_of::<Value>())?;
    let mut values = Vec::with_capacity(tys.len());
    for ty in tys {
        values.push(flat(cx, ty, slots)?);
    }
    Ok(values)
}

/// The bytes of a number, which are there by the size of its type.
fn array<const N: usize>(bytes: &[u8]) -> Lifted<[u8; N]> {
    bytes.first_chunk().copied().ok_or_else(|| broken("a value is out of bounds of its place"))
}

/// Loads a value from the bytes of its place in memory.
fn load(cx: &mut LiftContext<'_>, ty: InterfaceType, bytes: &[u8]) -> Lifted {
    let types = cx.types;
    Ok(match ty {
        InterfaceType::Bool => Value::Bool(array::<1>(bytes)? != [0]),
        InterfaceType::U8 => Value::U8(u8::from_le_bytes(array(bytes)?)),
        InterfaceType::U16 => Value::U16(u16::from_le_bytes(array(bytes)?)),
        InterfaceType::U32 => Value::U32(u32::from_le_bytes(array(bytes)?)),
        InterfaceType::U64 => Value::U64(u64::from_le_bytes(array(bytes)?)),
        InterfaceType::S8 => Value::S8(i8::from_le_bytes(array(bytes)?)),
        InterfaceType::S16 => Value::S16(i16::from_le_bytes(array(bytes)?)),
        InterfaceType::S32 => Value::S32(i32::from_le_bytes(array(bytes)?)),
        InterfaceType::S64 => Value::S64(i64::from_le_bytes(array(bytes)?)),
        InterfaceType::Float32 => Value::F32(f32::from_le_bytes(array(bytes)?)),
        InterfaceType::Float64 => Value::F64(f64::from_le_bytes(array(bytes)?)),
        InterfaceType::Char => Value::Char(character(u32::from_le_bytes(array(bytes)?))?),
        InterfaceType::String => {
            let (address, length) = pair(bytes)?;
            check_text(cx, address, length)?;
            Value::String(String::linear_lift_from_flat(cx, ty, &[ValRaw::u32(address), ValRaw::u32(length)])?)
        }
        InterfaceType::List(at) => {
            let (address, length) = pair(bytes)?;
            list(cx, types[at].element, address, length)?
        }
        InterfaceType::Map(at) => {
            let (address, length) = pair(bytes)?;
            map(cx, &types[at], address, length)?
        }
        InterfaceType::Record(record) => Value::Record(loads(cx, types[record].fields.iter().map(|field| field.ty), bytes)?),
        InterfaceType::Tuple(tuple) => Value::Tuple(loads(cx, types[tuple].types.iter().copied(), bytes)?),
        InterfaceType::FixedLengthList(of) => {
            Value::FixedList(loads(cx, std::iter::repeat_n(types[of].element, types[of].size as usize), bytes)?)
        }
        InterfaceType::Flags(flags) => {
            let flags = types[flags].names.len();
            let mut words = vec![0; flag_words(flags)];
            // Up to 16 flags take one or two bytes, more take whole words.
            for (at, (word, bytes)) in words.iter_mut().zip(bytes.chunks(4)).enumerate() {
                let mut wide = [0; 4];
                wide.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
                *word = u32::from_le_bytes(wide) & mask(flags, at);
            }
            Value::Flags(words)
        }
        InterfaceType::Variant(variant) => {
            let info = &types[variant].info;
            variant_at(cx, ty, info.size.byte_size(), info.payload_offset32, bytes)?
        }
        InterfaceType::Enum(names) => {
            let info = &types[names].info;
            variant_at(cx, ty, info.size.byte_size(), info.payload_offset32, bytes)?
        }
        InterfaceType::Option(option) => {
            let info = &types[option].info;
            variant_at(cx, ty, info.size.byte_size(), info.payload_offset32, bytes)?
        }
        InterfaceType::Result(result) => {
            let info = &types[result].info;
            variant_at(cx, ty, info.size.byte_size(), info.payload_offset32, bytes)?
        }
        InterfaceType::Own(_)
        | InterfaceType::Borrow(_)
        | InterfaceType::Future(_)
        | InterfaceType::Stream(_)
        | InterfaceType::ErrorContext(_) => return Err(handle()),
    })
}

fn loads(cx: &mut LiftContext<'_>, tys: impl ExactSizeIterator<Item = InterfaceType>, bytes: &[u8]) -> Lifted<Vec<Value>> {
    cx.consume_fuel_array(tys.len(), size_of::<Value>())?;
    let types = cx.types;
    let mut values = Vec::with_capacity(tys.len());
    let mut end: u32 = 0;
    for ty in tys {
        let abi = types.canonical_abi(&ty);
        let start = abi.next_field32(&mut end) as usize;
        values.push(load(cx, ty, part(bytes, start, abi.size32)?)?);
    }
    Ok(values)
}

/// A part of a place, which is there by the size of its type.
fn part(bytes: &[u8], start: usize, size: u32) -> Lifted<&[u8]> {
    let part = start.checked_add(size as usize).and_then(|end| bytes.get(start..end));
    part.ok_or_else(|| broken("a value is out of bounds of its place"))
}

fn pair(bytes: &[u8]) -> Lifted<(u32, u32)> {
    let [a, b, c, d, e, f, g, h] = array(bytes)?;
    Ok((u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h])))
}

fn character(code: u32) -> Lifted<char> {
    char::from_u32(code).ok_or_else(|| broken(format!("invalid character 0x{code:x}")))
}

/// The rest is wasmtime's: alignment, the encoding and its validity, and fuel.
fn check_text(cx: &LiftContext<'_>, address: u32, length: u32) -> Lifted<()> {
    // In bytes of UTF-8 or in units of which each gives a byte at least; the highest bit may tell the encoding.
    let least = (length & (u32::MAX >> 1)) as usize;
    if (address as usize).checked_add(least).is_none_or(|end| end > cx.memory().len()) {
        return Err(broken("a string is out of bounds of the memory"));
    }
    spend(least)
}

/// The elements of a list, or the entries of a map, as they lie in memory.
fn elements<'a>(cx: &LiftContext<'a>, abi: &CanonicalAbiInfo, address: u32, length: u32) -> Lifted<&'a [u8]> {
    let (start, memory) = (address as usize, cx.memory());
    let size = (length as usize).checked_mul(abi.size32 as usize);
    let bytes = size.and_then(|size| start.checked_add(size)).and_then(|end| memory.get(start..end));
    let bytes = bytes.ok_or_else(|| broken("a list is out of bounds of the memory"))?;
    if start.is_multiple_of(abi.align32 as usize) { Ok(bytes) } else { Err(broken("a list's address is not aligned")) }
}

fn list(cx: &mut LiftContext<'_>, element: InterfaceType, address: u32, length: u32) -> Lifted {
    let types = cx.types;
    let abi = types.canonical_abi(&element);
    let bytes = elements(cx, abi, address, length)?;
    let length = length as usize;
    if element == InterfaceType::U8 {
        spend(length)?;
        cx.consume_fuel(length)?;
        return Ok(Value::Bytes(bytes.to_vec()));
    }
    // Each takes a character at least, and a comma or a bracket.
    spend(length.saturating_mul(2))?;
    if let Some(number) = number(element) {
        cx.consume_fuel(bytes.len())?;
        return Ok(Value::Numbers(Numbers::from_bytes(number, bytes.to_vec())));
    }
    cx.consume_fuel_array(length, size_of::<Value>())?;
    let mut values = Vec::with_capacity(length);
    for index in 0..length {
        values.push(load(cx, element, part(bytes, index * abi.size32 as usize, abi.size32)?)?);
    }
    Ok(Value::List(values))
}

fn map(cx: &mut LiftContext<'_>, map: &TypeMap, address: u32, length: u32) -> Lifted {
    let types = cx.types;
    let bytes = elements(cx, &map.entry_abi, address, length)?;
    let (length, size) = (length as usize, map.entry_abi.size32);
    // No part of the result's limit: of entries with the same key only the last is written.
    cx.consume_fuel_array(length, size_of::<(Value, Value)>())?;
    let mut pairs = Vec::with_capacity(length);
    for index in 0..length {
        let entry = part(bytes, index * size as usize, size)?;
        let key = load(cx, map.key, part(entry, 0, types.canonical_abi(&map.key).size32)?)?;
        let value = part(entry, map.value_offset32 as usize, types.canonical_abi(&map.value).size32)?;
        pairs.push((key, load(cx, map.value, value)?));
    }
    Ok(Value::Map(pairs))
}

/// The type of what the case of a number carries.
fn payload_type(cx: &LiftContext<'_>, ty: InterfaceType, number: u32) -> Lifted<Option<InterfaceType>> {
    let types = cx.types;
    let at = number as usize;
    #[expect(clippy::wildcard_enum_match_arm, reason = "called for the types that have cases")]
    let case = match ty {
        InterfaceType::Variant(variant) => types[variant].cases.get_index(at).map(|(_, ty)| *ty),
        InterfaceType::Enum(names) => (at < types[names].names.len()).then_some(None),
        InterfaceType::Option(option) => [None, Some(types[option].ty)].get(at).copied(),
        InterfaceType::Result(result) => [types[result].ok, types[result].err].get(at).copied(),
        _ => None,
    };
    case.ok_or_else(|| broken(format!("the discriminant {number} is out of range")))
}

fn case(ty: InterfaceType, number: u32, payload: Option<Box<Value>>) -> Value {
    #[expect(clippy::wildcard_enum_match_arm, reason = "called for the types that have cases")]
    match ty {
        InterfaceType::Enum(_) => Value::Enum(number),
        InterfaceType::Option(_) => Value::Option(payload),
        InterfaceType::Result(_) if number == 0 => Value::Result(Ok(payload)),
        InterfaceType::Result(_) => Value::Result(Err(payload)),
        _ => Value::Variant(number, payload),
    }
}

fn variant_at(cx: &mut LiftContext<'_>, ty: InterfaceType, number_bytes: u32, offset: u32, bytes: &[u8]) -> Lifted {
    let mut number = [0; 4];
    number.iter_mut().zip(part(bytes, 0, number_bytes)?).for_each(|(to, from)| *to = *from);
    let number = u32::from_le_bytes(number);
    let payload = match payload_type(cx, ty, number)? {
        Some(ty) => {
            cx.consume_fuel(size_of::<Value>())?;
            let size = cx.types.canonical_abi(&ty).size32;
            Some(Box::new(load(cx, ty, part(bytes, offset as usize, size)?)?))
        }
        None => None,
    };
    Ok(case(ty, number, payload))
}

//! Values into a guest: as flat values, or stored in its memory.
//!
//! The guest's allocator is guest code: it may trap, grow the memory, or give a block that overlaps another. So no
//! slice of memory is held over a call of it, and each write looks its place up again.

use taskcell_wire::call::HandleKind;
use wasmtime::ValRaw;
use wasmtime::component::__internal::{ComponentTypes, InterfaceType, LowerContext};

use super::{Arguments, Broken, SLOTS, lower_text};
use crate::host::resource_type;
use crate::value::{Number, Numbers, Value};

type Lowered<T = ()> = wasmtime::Result<T>;

/// The slots of a call's parameters, filled from the front.
struct Slots<'s> {
    slots: &'s mut [ValRaw; SLOTS],
    next: usize,
}

impl Slots<'_> {
    fn push(&mut self, raw: ValRaw) -> Lowered {
        match self.slots.get_mut(self.next) {
            Some(slot) => *slot = raw,
            None => return Err(broken("more flat values than slots")),
        }
        self.next += 1;
        Ok(())
    }

    fn push_pair(&mut self, (address, length): (usize, usize)) -> Lowered {
        self.push(ValRaw::u64(address as u64))?;
        self.push(ValRaw::u64(length as u64))
    }
}

#[cold]
fn broken(what: &str) -> wasmtime::Error {
    Broken(what.to_owned()).into()
}

#[cold]
fn unlike() -> wasmtime::Error {
    broken("an argument is not of its parameter's type")
}

/// Lowers all arguments of a function whose parameters are of the types of `ty` into slots that hold zeros.
pub(super) fn arguments<T>(
    cx: &mut LowerContext<'_, T>,
    ty: InterfaceType,
    arguments: Arguments<'_>,
    slots: &mut [ValRaw; SLOTS],
) -> Lowered {
    let types = cx.types;
    let InterfaceType::Tuple(params) = ty else { return Err(unlike()) };
    let params = &types[params];
    let mut slots = Slots { slots, next: 0 };
    match (arguments, &*params.types) {
        (Arguments::Values(values), tys) if values.len() != tys.len() => return Err(unlike()),
        (Arguments::Values(values), tys) if params.abi.flat_count(SLOTS).is_some() => {
            for (ty, value) in tys.iter().zip(values) {
                flat(cx, *ty, value, &mut slots)?;
            }
        }
        (Arguments::Values(values), tys) => {
            // More than are passed one by one: stored as a tuple, whose address is passed.
            let address = allocate(cx, params.abi.align32, params.abi.size32 as usize)?;
            fields(cx, tys.iter().copied(), values, address)?;
            slots.push(ValRaw::u64(address as u64))?;
        }
        (Arguments::Bytes(bytes), [InterfaceType::List(list)]) if types[*list].element == InterfaceType::U8 => {
            let address = block(cx, bytes, 1)?;
            slots.push_pair((address, bytes.len()))?;
        }
        (Arguments::Text(text), [InterfaceType::String]) => {
            let [address, length] = lower_text(cx, text)?;
            slots.push(address)?;
            slots.push(length)?;
        }
        (Arguments::Bytes(_) | Arguments::Text(_), _) => return Err(unlike()),
    }
    Ok(())
}

fn flat<T>(cx: &mut LowerContext<'_, T>, ty: InterfaceType, value: &Value, slots: &mut Slots<'_>) -> Lowered {
    let types = cx.types;
    match (ty, value) {
        (InterfaceType::Bool, Value::Bool(b)) => slots.push(ValRaw::u32((*b).into())),
        (InterfaceType::U8, Value::U8(n)) => slots.push(ValRaw::u32((*n).into())),
        (InterfaceType::U16, Value::U16(n)) => slots.push(ValRaw::u32((*n).into())),
        (InterfaceType::U32, Value::U32(n)) => slots.push(ValRaw::u32(*n)),
        (InterfaceType::U64, Value::U64(n)) => slots.push(ValRaw::u64(*n)),
        (InterfaceType::S8, Value::S8(n)) => slots.push(ValRaw::i32((*n).into())),
        (InterfaceType::S16, Value::S16(n)) => slots.push(ValRaw::i32((*n).into())),
        (InterfaceType::S32, Value::S32(n)) => slots.push(ValRaw::i32(*n)),
        (InterfaceType::S64, Value::S64(n)) => slots.push(ValRaw::i64(*n)),
        (InterfaceType::Float32, Value::F32(f)) => slots.push(ValRaw::f32(f.to_bits())),
        (InterfaceType::Float64, Value::F64(f)) => slots.push(ValRaw::f64(f.to_bits())),
        (InterfaceType::Char, Value::Char(c)) => slots.push(ValRaw::u32((*c).into())),
        (InterfaceType::String, Value::String(text)) => {
            let [address, length] = lower_text(cx, text)?;
            slots.push(address)?;
            slots.push(length)
        }
        (InterfaceType::List(_) | InterfaceType::Map(_), _) => {
            let pair = list(cx, ty, value)?;
            slots.push_pair(pair)
        }
        (InterfaceType::Record(record), Value::Record(values)) => {
            let fields = &types[record].fields;
            flats(cx, fields.iter().map(|field| field.ty), values, slots)
        }
        (InterfaceType::Tuple(tuple), Value::Tuple(values)) => flats(cx, types[tuple].types.iter().copied(), values, slots),
        (InterfaceType::FixedLengthList(of), Value::FixedList(values)) => {
            flats(cx, std::iter::repeat_n(types[of].element, types[of].size as usize), values, slots)
        }
        (InterfaceType::Flags(flags), Value::Flags(words)) => {
            for word in flag_words(types[flags].names.len(), words)? {
                slots.push(ValRaw::u32(word))?;
            }
            Ok(())
        }
        (InterfaceType::Own(_) | InterfaceType::Borrow(_), Value::Handle(kind, place)) => {
            let index = handle(cx, ty, *kind, *place)?;
            slots.push(ValRaw::u32(index))
        }
        _ => {
            let case = case(types, ty, value)?;
            let all = types.canonical_abi(&ty).flat_count(SLOTS).ok_or_else(unlike)?;
            let end = slots.next + all;
            slots.push(ValRaw::u32(case.number))?;
            if let Some((ty, value)) = case.payload {
                flat(cx, ty, value, slots)?;
            }
            // What this case doesn't use of the slots that all cases share is zero already.
            if slots.next > end {
                return Err(unlike());
            }
            slots.next = end;
            Ok(())
        }
    }
}

fn flats<T>(
    cx: &mut LowerContext<'_, T>,
    tys: impl ExactSizeIterator<Item = InterfaceType>,
    values: &[Value],
    slots: &mut Slots<'_>,
) -> Lowered {
    if tys.len() != values.len() {
        return Err(unlike());
    }
    tys.zip(values).try_for_each(|(ty, value)| flat(cx, ty, value, slots))
}

/// Stores a value at an address.
fn store<T>(cx: &mut LowerContext<'_, T>, ty: InterfaceType, value: &Value, at: usize) -> Lowered {
    let types = cx.types;
    match (ty, value) {
        (InterfaceType::Bool, Value::Bool(b)) => put(cx, at, &[(*b).into()]),
        (InterfaceType::U8, Value::U8(n)) => put(cx, at, &[*n]),
        (InterfaceType::U16, Value::U16(n)) => put(cx, at, &n.to_le_bytes()),
        (InterfaceType::U32, Value::U32(n)) => put(cx, at, &n.to_le_bytes()),
        (InterfaceType::U64, Value::U64(n)) => put(cx, at, &n.to_le_bytes()),
        (InterfaceType::S8, Value::S8(n)) => put(cx, at, &n.to_le_bytes()),
        (InterfaceType::S16, Value::S16(n)) => put(cx, at, &n.to_le_bytes()),
        (InterfaceType::S32, Value::S32(n)) => put(cx, at, &n.to_le_bytes()),
        (InterfaceType::S64, Value::S64(n)) => put(cx, at, &n.to_le_bytes()),
        (InterfaceType::Float32, Value::F32(f)) => put(cx, at, &f.to_bits().to_le_bytes()),
        (InterfaceType::Float64, Value::F64(f)) => put(cx, at, &f.to_bits().to_le_bytes()),
        (InterfaceType::Char, Value::Char(c)) => put(cx, at, &u32::from(*c).to_le_bytes()),
        (InterfaceType::String, Value::String(text)) => {
            let [address, length] = lower_text(cx, text)?;
            put_pair(cx, at, address.get_u32(), length.get_u32())
        }
        (InterfaceType::List(_) | InterfaceType::Map(_), _) => {
            let (address, length) = list(cx, ty, value)?;
            put_pair(cx, at, u32::try_from(address)?, u32::try_from(length)?)
        }
        (InterfaceType::Record(record), Value::Record(values)) => {
            fields(cx, types[record].fields.iter().map(|field| field.ty), values, at)
        }
        (InterfaceType::Tuple(tuple), Value::Tuple(values)) => fields(cx, types[tuple].types.iter().copied(), values, at),
        (InterfaceType::FixedLengthList(of), Value::FixedList(values)) => {
            fields(cx, std::iter::repeat_n(types[of].element, types[of].size as usize), values, at)
        }
        (InterfaceType::Flags(flags), Value::Flags(words)) => {
            let flags = &types[flags];
            let bytes: Vec<u8> = flag_words(flags.names.len(), words)?.flat_map(u32::to_le_bytes).collect();
            // Up to 16 flags take one or two bytes, more take whole words.
            put(cx, at, bytes.get(..flags.abi.size32 as usize).ok_or_else(unlike)?)
        }
        (InterfaceType::Own(_) | InterfaceType::Borrow(_), Value::Handle(kind, place)) => {
            let index = handle(cx, ty, *kind, *place)?;
            put(cx, at, &index.to_le_bytes())
        }
        _ => {
            let case = case(types, ty, value)?;
            let number = case.number.to_le_bytes();
            put(cx, at, number.get(..case.number_bytes).ok_or_else(unlike)?)?;
            match case.payload {
                Some((ty, value)) => store(cx, ty, value, at + case.payload_offset),
                None => Ok(()),
            }
        }
    }
}

/// Gives the guest a handle of a resource of ours: its own, or one that it has to drop before it returns. What is given is a place in the
/// instance's table that was filled for this call, so nobody else's.
fn handle<T>(cx: &mut LowerContext<'_, T>, ty: InterfaceType, kind: HandleKind, place: u32) -> Lowered<u32> {
    let (InterfaceType::Own(at) | InterfaceType::Borrow(at)) = ty else { return Err(unlike()) };
    if cx.resource_type(at) != resource_type(kind) {
        return Err(unlike());
    }
    if matches!(ty, InterfaceType::Own(_)) {
        cx.guest_resource_lower_own(at, place)
    } else {
        cx.guest_resource_lower_borrow(at, place)
    }
}

/// Stores values side by side, each at its alignment.
fn fields<T>(
    cx: &mut LowerContext<'_, T>,
    tys: impl ExactSizeIterator<Item = InterfaceType>,
    values: &[Value],
    at: usize,
) -> Lowered {
    if tys.len() != values.len() {
        return Err(unlike());
    }
    let mut next: u32 = 0;
    tys.zip(values).try_for_each(|(ty, value)| {
        let place = cx.types.canonical_abi(&ty).next_field32(&mut next);
        store(cx, ty, value, at + place as usize)
    })
}

/// Stores a list in a block of its own: its address and its length.
fn list<T>(cx: &mut LowerContext<'_, T>, ty: InterfaceType, value: &Value) -> Lowered<(usize, usize)> {
    let types = cx.types;
    match (ty, value) {
        (InterfaceType::List(list), Value::Bytes(bytes)) if types[list].element == InterfaceType::U8 => {
            Ok((block(cx, bytes, 1)?, bytes.len()))
        }
        (InterfaceType::List(list), Value::Numbers(numbers)) if number(types[list].element) == Some(numbers.number()) => {
            let width = u32::try_from(numbers.number().width())?;
            Ok((block(cx, Numbers::as_bytes(numbers), width)?, numbers.len()))
        }
        (InterfaceType::List(list), Value::List(values)) => {
            let element = types[list].element;
            let abi = types.canonical_abi(&element);
            let size = abi.size32 as usize;
            let start = allocate(cx, abi.align32, values.len().checked_mul(size).ok_or_else(too_large)?)?;
            let mut at = start;
            for value in values {
                store(cx, element, value, at)?;
                at += size;
            }
            Ok((start, values.len()))
        }
        (InterfaceType::Map(map), Value::Map(pairs)) => {
            let map = &types[map];
            let size = map.entry_abi.size32 as usize;
            let start = allocate(cx, map.entry_abi.align32, pairs.len().checked_mul(size).ok_or_else(too_large)?)?;
            let mut at = start;
            for (key, value) in pairs {
                store(cx, map.key, key, at)?;
                store(cx, map.value, value, at + map.value_offset32 as usize)?;
                at += size;
            }
            Ok((start, pairs.len()))
        }
        _ => Err(unlike()),
    }
}

#[cold]
fn too_large() -> wasmtime::Error {
    broken("a list is too large for the guest's memory")
}

/// What a list of an element of this type is packed as.
pub(super) fn number(element: InterfaceType) -> Option<Number> {
    #[expect(clippy::wildcard_enum_match_arm, reason = "all others are no numbers")]
    Some(match element {
        InterfaceType::U16 => Number::U16,
        InterfaceType::U32 => Number::U32,
        InterfaceType::U64 => Number::U64,
        InterfaceType::S8 => Number::S8,
        InterfaceType::S16 => Number::S16,
        InterfaceType::S32 => Number::S32,
        InterfaceType::S64 => Number::S64,
        InterfaceType::Float32 => Number::F32,
        InterfaceType::Float64 => Number::F64,
        _ => return None,
    })
}

/// Copies bytes into a block of the guest's.
fn block<T>(cx: &mut LowerContext<'_, T>, bytes: &[u8], align: u32) -> Lowered<usize> {
    let address = allocate(cx, align, bytes.len())?;
    put(cx, address, bytes)?;
    Ok(address)
}

fn allocate<T>(cx: &mut LowerContext<'_, T>, align: u32, size: usize) -> Lowered<usize> {
    if u32::try_from(size).is_err() {
        return Err(too_large());
    }
    cx.realloc(0, 0, align, size)
}

fn put<T>(cx: &mut LowerContext<'_, T>, at: usize, bytes: &[u8]) -> Lowered {
    let place = at.checked_add(bytes.len()).and_then(|end| cx.as_slice_mut().get_mut(at..end));
    place.ok_or_else(|| broken("an argument's place is out of bounds of the memory"))?.copy_from_slice(bytes);
    Ok(())
}

fn put_pair<T>(cx: &mut LowerContext<'_, T>, at: usize, address: u32, length: u32) -> Lowered {
    put(cx, at, &address.to_le_bytes())?;
    put(cx, at.saturating_add(4), &length.to_le_bytes())
}

/// The words of so many flags, without bits that stand for no flag.
fn flag_words(flags: usize, words: &[u32]) -> Lowered<impl Iterator<Item = u32>> {
    if words.len() != crate::value::flag_words(flags) {
        return Err(unlike());
    }
    Ok(words.iter().enumerate().map(move |(at, word)| word & mask(flags, at)))
}

/// The bits of the word at `at` that stand for flags.
pub(super) fn mask(flags: usize, at: usize) -> u32 {
    match flags.saturating_sub(at * 32) {
        0 => 0,
        n @ 1..=31 => (1 << n) - 1,
        _ => u32::MAX,
    }
}

/// One case of what has cases.
struct Case<'v> {
    number: u32,
    /// How many bytes the number takes in memory.
    number_bytes: usize,
    payload: Option<(InterfaceType, &'v Value)>,
    payload_offset: usize,
}

fn case<'v>(types: &ComponentTypes, ty: InterfaceType, value: &'v Value) -> Lowered<Case<'v>> {
    let (number, info, ty, value) = match (ty, value) {
        (InterfaceType::Variant(variant), Value::Variant(number, payload)) => {
            let variant = &types[variant];
            let (_, ty) = variant.cases.get_index(*number as usize).ok_or_else(unlike)?;
            (*number, &variant.info, *ty, payload.as_deref())
        }
        (InterfaceType::Enum(names), Value::Enum(number)) if (*number as usize) < types[names].names.len() => {
            (*number, &types[names].info, None, None)
        }
        (InterfaceType::Option(option), Value::Option(value)) => {
            let option = &types[option];
            (value.is_some().into(), &option.info, value.is_some().then_some(option.ty), value.as_deref())
        }
        (InterfaceType::Result(result), Value::Result(Ok(value))) => (0, &types[result].info, types[result].ok, value.as_deref()),
        (InterfaceType::Result(result), Value::Result(Err(value))) => {
            (1, &types[result].info, types[result].err, value.as_deref())
        }
        _ => return Err(unlike()),
    };
    let payload = match (ty, value) {
        (Some(ty), Some(value)) => Some((ty, value)),
        (None, None) => None,
        (Some(_), None) | (None, Some(_)) => return Err(unlike()),
    };
    let number_bytes = info.size.byte_size() as usize;
    Ok(Case { number, number_bytes, payload, payload_offset: info.payload_offset32 as usize })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_ends_with_the_last_flag() {
        assert_eq!((mask(1, 0), mask(31, 0), mask(32, 0), mask(32, 1)), (1, u32::MAX >> 1, u32::MAX, 0));
        assert_eq!((mask(33, 0), mask(33, 1), mask(33, 2)), (u32::MAX, 1, 0));
    }
}

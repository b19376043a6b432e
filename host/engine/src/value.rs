//! A value of a WIT type as the engine holds it between text and a guest's memory.
//!
//! Names of fields, cases and flags are not in here: a value is always read beside its type, which has them, and a list of a
//! million records would hold a million copies of each. A list of numbers is one block of bytes as it lies in linear memory, so
//! that such a list goes in and out of a guest as one copy; the road not taken, `wasmtime::component::Val`, takes 40 bytes and
//! about 100 ns for each of its elements.

use taskcell_wire::TypeDef;
use taskcell_wire::call::HandleKind;

/// A value. Cases, fields and flags are in the order of their type.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the first variants are WIT's own words")]
pub enum Value {
    Bool(bool),
    U8(u8),
    U16(u16),
    U32(u32),
    U64(u64),
    S8(i8),
    S16(i16),
    S32(i32),
    S64(i64),
    F32(f32),
    F64(f64),
    Char(char),
    String(String),
    /// A `list<u8>`.
    Bytes(Vec<u8>),
    /// A list of other numbers.
    Numbers(Numbers),
    /// A list of anything else.
    List(Vec<Self>),
    FixedList(Vec<Self>),
    Map(Vec<(Self, Self)>),
    Record(Vec<Self>),
    Tuple(Vec<Self>),
    /// The case's number, and what it carries.
    Variant(u32, Option<Box<Self>>),
    Enum(u32),
    Option(Option<Box<Self>>),
    Result(Result<Option<Box<Self>>, Option<Box<Self>>>),
    /// Bits from the lowest of the first word on; as many words as the type needs.
    Flags(Vec<u32>),
    /// A handle that the task is given: what it is of, and its place in the instance's table. Never part of a result.
    Handle(HandleKind, u32),
}

/// The words that hold so many flags.
pub(crate) fn flag_words(flags: usize) -> usize {
    flags.div_ceil(32)
}

/// Equal means of equal meaning: a NaN equals any other, and zeros of unlike sign differ.
impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::U8(a), Self::U8(b)) => a == b,
            (Self::U16(a), Self::U16(b)) => a == b,
            (Self::U32(a), Self::U32(b)) | (Self::Enum(a), Self::Enum(b)) => a == b,
            (Self::U64(a), Self::U64(b)) => a == b,
            (Self::S8(a), Self::S8(b)) => a == b,
            (Self::S16(a), Self::S16(b)) => a == b,
            (Self::S32(a), Self::S32(b)) => a == b,
            (Self::S64(a), Self::S64(b)) => a == b,
            (Self::F32(a), Self::F32(b)) => a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan(),
            (Self::F64(a), Self::F64(b)) => a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan(),
            (Self::Char(a), Self::Char(b)) => a == b,
            (Self::String(a), Self::String(b)) => a == b,
            (Self::Bytes(a), Self::Bytes(b)) => a == b,
            (Self::Numbers(a), Self::Numbers(b)) => a == b,
            (Self::List(a), Self::List(b))
            | (Self::FixedList(a), Self::FixedList(b))
            | (Self::Record(a), Self::Record(b))
            | (Self::Tuple(a), Self::Tuple(b)) => a == b,
            (Self::Map(a), Self::Map(b)) => a == b,
            (Self::Variant(a, of_a), Self::Variant(b, of_b)) => a == b && of_a == of_b,
            (Self::Option(a), Self::Option(b)) => a == b,
            (Self::Result(a), Self::Result(b)) => a == b,
            (Self::Flags(a), Self::Flags(b)) => a == b,
            (Self::Handle(a, at_a), Self::Handle(b, at_b)) => a == b && at_a == at_b,
            _ => false,
        }
    }
}

/// A number's type, `u8` aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "WIT's own words")]
pub enum Number {
    U16,
    U32,
    U64,
    S8,
    S16,
    S32,
    S64,
    F32,
    F64,
}

impl Number {
    /// `None` for what is no number, and for `u8`, whose lists are [`Value::Bytes`].
    #[must_use]
    pub fn of(def: &TypeDef) -> Option<Self> {
        Some(match def {
            TypeDef::U16 => Self::U16,
            TypeDef::U32 => Self::U32,
            TypeDef::U64 => Self::U64,
            TypeDef::S8 => Self::S8,
            TypeDef::S16 => Self::S16,
            TypeDef::S32 => Self::S32,
            TypeDef::S64 => Self::S64,
            TypeDef::F32 => Self::F32,
            TypeDef::F64 => Self::F64,
            TypeDef::Bool
            | TypeDef::U8
            | TypeDef::Char
            | TypeDef::String
            | TypeDef::List(_)
            | TypeDef::FixedList(..)
            | TypeDef::Record(_)
            | TypeDef::Tuple(_)
            | TypeDef::Variant(_)
            | TypeDef::Enum(_)
            | TypeDef::Option(_)
            | TypeDef::Result { .. }
            | TypeDef::Flags(_)
            | TypeDef::Map(..)
            | TypeDef::Handle(_) => return None,
        })
    }

    /// Bytes of one.
    #[must_use]
    pub const fn width(self) -> usize {
        match self {
            Self::S8 => 1,
            Self::U16 | Self::S16 => 2,
            Self::U32 | Self::S32 | Self::F32 => 4,
            Self::U64 | Self::S64 | Self::F64 => 8,
        }
    }
}

/// Numbers of one type side by side, little-endian.
#[derive(Debug, Clone)]
pub struct Numbers {
    number: Number,
    bytes: Vec<u8>,
}

impl Numbers {
    /// None yet.
    #[must_use]
    pub const fn new(number: Number) -> Self {
        Self { number, bytes: Vec::new() }
    }

    /// Numbers as they lie in linear memory; what is left over at the end of the bytes is dropped.
    #[must_use]
    pub fn from_bytes(number: Number, mut bytes: Vec<u8>) -> Self {
        bytes.truncate(bytes.len() - bytes.len() % number.width());
        Self { number, bytes }
    }

    /// Their type.
    #[must_use]
    pub const fn number(&self) -> Number {
        self.number
    }

    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len() / self.number.width()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// As they lie in linear memory.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Adds one; a value of another type is left out, which the return value says.
    pub fn push(&mut self, value: &Value) -> bool {
        match (self.number, value) {
            (Number::U16, Value::U16(n)) => self.bytes.extend_from_slice(&n.to_le_bytes()),
            (Number::U32, Value::U32(n)) => self.bytes.extend_from_slice(&n.to_le_bytes()),
            (Number::U64, Value::U64(n)) => self.bytes.extend_from_slice(&n.to_le_bytes()),
            (Number::S8, Value::S8(n)) => self.bytes.extend_from_slice(&n.to_le_bytes()),
            (Number::S16, Value::S16(n)) => self.bytes.extend_from_slice(&n.to_le_bytes()),
            (Number::S32, Value::S32(n)) => self.bytes.extend_from_slice(&n.to_le_bytes()),
            (Number::S64, Value::S64(n)) => self.bytes.extend_from_slice(&n.to_le_bytes()),
            (Number::F32, Value::F32(n)) => self.bytes.extend_from_slice(&n.to_le_bytes()),
            (Number::F64, Value::F64(n)) => self.bytes.extend_from_slice(&n.to_le_bytes()),
            _ => return false,
        }
        true
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = Value> {
        self.bytes.chunks_exact(self.number.width()).map(|bytes| {
            // Zero-extended, so that one cut serves all widths.
            let mut wide = [0; 8];
            wide.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
            let [a, b, c, d, ..] = wide;
            match self.number {
                Number::U16 => Value::U16(u16::from_le_bytes([a, b])),
                Number::U32 => Value::U32(u32::from_le_bytes([a, b, c, d])),
                Number::U64 => Value::U64(u64::from_le_bytes(wide)),
                Number::S8 => Value::S8(i8::from_le_bytes([a])),
                Number::S16 => Value::S16(i16::from_le_bytes([a, b])),
                Number::S32 => Value::S32(i32::from_le_bytes([a, b, c, d])),
                Number::S64 => Value::S64(i64::from_le_bytes(wide)),
                Number::F32 => Value::F32(f32::from_le_bytes([a, b, c, d])),
                Number::F64 => Value::F64(f64::from_le_bytes(wide)),
            }
        })
    }
}

/// As single values: a NaN equals any other.
impl PartialEq for Numbers {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number && (self.bytes == other.bytes || self.len() == other.len() && self.iter().eq(other.iter()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_element_of_a_list_takes_32_bytes_at_most() {
        assert!(size_of::<Value>() <= 32);
    }

    #[test]
    fn numbers_read_back() {
        for (number, values) in [
            (Number::U16, vec![Value::U16(0), Value::U16(u16::MAX)]),
            (Number::U32, vec![Value::U32(1), Value::U32(u32::MAX)]),
            (Number::U64, vec![Value::U64(2), Value::U64(u64::MAX)]),
            (Number::S8, vec![Value::S8(-1), Value::S8(i8::MAX)]),
            (Number::S16, vec![Value::S16(-1), Value::S16(i16::MIN)]),
            (Number::S32, vec![Value::S32(-1), Value::S32(i32::MIN)]),
            (Number::S64, vec![Value::S64(-1), Value::S64(i64::MIN)]),
            (Number::F32, vec![Value::F32(-0.0), Value::F32(f32::NAN)]),
            (Number::F64, vec![Value::F64(0.1), Value::F64(f64::NEG_INFINITY)]),
        ] {
            let mut numbers = Numbers::new(number);
            assert!(values.iter().all(|value| numbers.push(value)));
            assert!(!numbers.push(&Value::U8(1)) && !numbers.push(&Value::Bool(true)));
            assert_eq!((numbers.len(), numbers.as_bytes().len()), (2, 2 * number.width()));
            assert!(numbers.iter().eq(values));
            let again = Numbers::from_bytes(number, [numbers.as_bytes(), &[7; 7][..number.width() - 1]].concat());
            assert_eq!(again, numbers);
        }
    }

    #[test]
    fn equal_is_what_means_the_same() {
        let floats = |bits: u32| Numbers::from_bytes(Number::F32, bits.to_le_bytes().into());
        assert_eq!(floats(0x7fc0_0000), floats(0x7fc0_0001));
        assert_ne!(floats(0), floats(0x8000_0000));
        assert_eq!(Value::F64(f64::NAN), Value::F64(-f64::NAN));
        assert_ne!(Value::F64(0.0), Value::F64(-0.0));
        assert_ne!(Value::Bytes(vec![1]), Value::List(vec![Value::U8(1)]));
    }
}

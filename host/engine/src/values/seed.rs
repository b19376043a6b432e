//! The seed that reads one value of one type: scalars here, what has parts in `containers`.

#![expect(clippy::wildcard_enum_match_arm, reason = "what a type doesn't take is refused, whatever the type is")]

use std::fmt;

use base64::Engine as _;
use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use taskcell_wire::{TypeDef, TypeId};

use super::bytes::Bytes;
use super::error::{ValueErrorKind, shown};
use super::reading::{Found, Reading, Step};
use super::text::{brief, brief_names};
use super::{INFINITY, NEGATIVE_INFINITY, NOT_A_NUMBER, is_byte, is_option, is_string, lookup};
use crate::value::Value;

/// What stands for a value when a text is only checked.
pub(super) const CHECKED: Value = Value::Bool(true);

/// Reads a value of a type; with `BUILD` false it only checks and gives [`CHECKED`].
#[derive(Clone, Copy)]
pub(super) struct Seed<'r, 't, const BUILD: bool> {
    pub(super) reading: &'r Reading<'t>,
    pub(super) def: &'t TypeDef,
}

impl<'r, 't, const BUILD: bool> Seed<'r, 't, BUILD> {
    pub(super) fn new(reading: &'r Reading<'t>, ty: TypeId) -> Self {
        Self { reading, def: lookup(reading.types, ty) }
    }

    pub(super) fn wrong<E: de::Error>(&self, found: impl Into<String>) -> E {
        self.reading.wrong(self.def, Found::Text(found.into()))
    }
}

impl<'de, const BUILD: bool> DeserializeSeed<'de> for Seed<'_, '_, BUILD> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        match self.def {
            TypeDef::Option(some) if !is_option(lookup(self.reading.types, *some)) => deserializer.deserialize_option(self),
            _ => deserializer.deserialize_any(self),
        }
    }
}

/// Gives an integer of any type to `put`, if it is within the range of its type.
#[inline]
pub(super) fn integer<R>(def: &TypeDef, n: i128, put: impl FnOnce(Value) -> R) -> Option<R> {
    Some(match def {
        TypeDef::U8 => put(Value::U8(u8::try_from(n).ok()?)),
        TypeDef::U16 => put(Value::U16(u16::try_from(n).ok()?)),
        TypeDef::U32 => put(Value::U32(u32::try_from(n).ok()?)),
        TypeDef::U64 => put(Value::U64(u64::try_from(n).ok()?)),
        TypeDef::S8 => put(Value::S8(i8::try_from(n).ok()?)),
        TypeDef::S16 => put(Value::S16(i16::try_from(n).ok()?)),
        TypeDef::S32 => put(Value::S32(i32::try_from(n).ok()?)),
        TypeDef::S64 => put(Value::S64(i64::try_from(n).ok()?)),
        // From i128 there is one rounding, to nearest.
        TypeDef::F32 => put(Value::F32(n as f32)),
        TypeDef::F64 => put(Value::F64(n as f64)),
        _ => return None,
    })
}

/// The least and the greatest of an integer type.
pub(super) fn integer_range(def: &TypeDef) -> Option<(i64, u64)> {
    Some(match def {
        TypeDef::U8 => (0, u8::MAX.into()),
        TypeDef::U16 => (0, u16::MAX.into()),
        TypeDef::U32 => (0, u32::MAX.into()),
        TypeDef::U64 => (0, u64::MAX),
        TypeDef::S8 => (i8::MIN.into(), i8::MAX.unsigned_abs().into()),
        TypeDef::S16 => (i16::MIN.into(), i16::MAX.unsigned_abs().into()),
        TypeDef::S32 => (i32::MIN.into(), i32::MAX.unsigned_abs().into()),
        TypeDef::S64 => (i64::MIN, i64::MAX.unsigned_abs()),
        _ => return None,
    })
}

impl<'t, const BUILD: bool> Seed<'_, 't, BUILD> {
    fn whole<E: de::Error>(self, n: i128, approximate: f64) -> Result<Value, E> {
        integer(self.def, n, |value| value).ok_or_else(|| self.outside(approximate))
    }

    fn outside<E: de::Error>(&self, found: f64) -> E {
        match integer_range(self.def) {
            Some((least, greatest)) => self.out_of(format!("{least} to {greatest}"), found),
            None => self.reading.wrong(self.def, Found::Number(found)),
        }
    }

    fn out_of<E: de::Error>(&self, range: String, found: f64) -> E {
        self.reading.fault(ValueErrorKind::Range, brief(self.reading.types, self.def), Found::Number(found), &range)
    }

    fn fraction<E: de::Error>(self, f: f64) -> Result<Value, E> {
        match self.def {
            TypeDef::F64 => Ok(Value::F64(f)),
            TypeDef::F32 => {
                #[expect(clippy::cast_possible_truncation, reason = "rounding to the nearest f32 is what is meant")]
                let single = f as f32;
                if single.is_finite() {
                    Ok(Value::F32(single))
                } else {
                    Err(self.out_of(format!("{:e} to {:e}", f32::MIN, f32::MAX), f))
                }
            }
            def => Err(match integer_range(def) {
                // serde_json gives integers beyond 64 bits as floats.
                Some((least, greatest)) if !(-9.3e18..=1.8e19).contains(&f) => self.out_of(format!("{least} to {greatest}"), f),
                Some(_) => {
                    self.reading.fault(ValueErrorKind::Type, brief(self.reading.types, def), Found::Number(f), "an integer")
                }
                None => self.reading.wrong(def, Found::Number(f)),
            }),
        }
    }

    fn text<E: de::Error>(self, text: &str) -> Result<Value, E> {
        let reading = self.reading;
        match self.def {
            TypeDef::String => Ok(if BUILD { Value::String(text.to_owned()) } else { CHECKED }),
            TypeDef::Char => {
                let mut chars = text.chars();
                match (chars.next(), chars.next()) {
                    (Some(c), None) => Ok(Value::Char(c)),
                    _ => Err(self.wrong(shown(text))),
                }
            }
            TypeDef::Enum(names) => Ok(Value::Enum(number(named(reading, names.iter().map(String::as_str), text)?))),
            TypeDef::Variant(cases) => {
                let at = named(reading, cases.iter().map(|(name, _)| name.as_str()), text)?;
                match cases.get(at).and_then(|(_, payload)| *payload) {
                    None => Ok(Value::Variant(number(at), None)),
                    Some(payload) => {
                        let payload = brief(reading.types, lookup(reading.types, payload));
                        Err(reading
                            .unlike(format!(r#"{{{}: value}} with a {payload}"#, shown(text)), format!("only {}", shown(text))))
                    }
                }
            }
            TypeDef::F32 | TypeDef::F64 => {
                let special = match text {
                    NOT_A_NUMBER => f32::NAN,
                    INFINITY => f32::INFINITY,
                    NEGATIVE_INFINITY => f32::NEG_INFINITY,
                    _ => return Err(self.wrong(shown(text))),
                };
                Ok(if matches!(self.def, TypeDef::F32) { Value::F32(special) } else { Value::F64(special.into()) })
            }
            TypeDef::List(element) if is_byte(lookup(reading.types, *element)) => {
                // No parts: bytes take less in memory than in the text.
                base64(reading, text).map(Value::Bytes)
            }
            _ => Err(self.wrong(shown(text))),
        }
    }
}

/// A case's number; a type has far fewer cases than would not fit.
fn number(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

/// The place of a name among those of an enum, a variant or flags.
pub(super) fn named<'n, E: de::Error>(
    reading: &Reading,
    names: impl Iterator<Item = &'n str> + Clone,
    name: &str,
) -> Result<usize, E> {
    names
        .clone()
        .position(|known| known == name)
        .ok_or_else(|| reading.unlike(format!("one of {}", brief_names(names)), shown(name)))
}

/// The bytes that a base64 text stands for.
pub(super) fn base64<E: de::Error>(reading: &Reading, text: &str) -> Result<Vec<u8>, E> {
    base64::engine::general_purpose::STANDARD.decode(text).map_err(|why| {
        let why = why.to_string();
        reading.fault(ValueErrorKind::Type, "base64 (standard alphabet, padded)".into(), Found::Text(shown(text)), &why)
    })
}

impl<'de, const BUILD: bool> Visitor<'de> for Seed<'_, '_, BUILD> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&brief(self.reading.types, self.def))
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Value, E> {
        match self.def {
            TypeDef::Bool => Ok(Value::Bool(value)),
            _ => Err(self.wrong(if value { "true" } else { "false" })),
        }
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Value, E> {
        self.whole(value.into(), value as f64)
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Value, E> {
        self.whole(value.into(), value as f64)
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        self.fraction(value)
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Value, E> {
        self.text(value)
    }

    fn visit_unit<E: de::Error>(self) -> Result<Value, E> {
        match self.def {
            TypeDef::Option(_) => Ok(if BUILD { Value::Option(None) } else { CHECKED }),
            _ => Err(self.wrong("null")),
        }
    }

    fn visit_none<E: de::Error>(self) -> Result<Value, E> {
        self.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        let TypeDef::Option(some) = self.def else { return Err(self.wrong("a value")) };
        self.reading.spend(1)?;
        let value = Seed::<BUILD>::new(self.reading, *some).deserialize(deserializer)?;
        Ok(if BUILD { Value::Option(Some(Box::new(value))) } else { CHECKED })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Value, A::Error> {
        match self.def {
            TypeDef::List(element) if is_byte(lookup(self.reading.types, *element)) => {
                Bytes { reading: self.reading }.visit_seq(seq).map(Value::Bytes)
            }
            TypeDef::List(element) => self.list(seq, *element),
            TypeDef::FixedList(element, length) => {
                let length = usize::try_from(*length).unwrap_or(usize::MAX);
                Ok(Value::FixedList(self.exactly(seq, std::iter::repeat_n(*element, length))?))
            }
            TypeDef::Tuple(parts) => Ok(Value::Tuple(self.exactly(seq, parts.iter().copied())?)),
            TypeDef::Flags(names) => self.flags(seq, names),
            TypeDef::Map(key, value) if !is_string(lookup(self.reading.types, *key)) => self.pairs(seq, *key, *value),
            _ => Err(self.wrong("an array")),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Value, A::Error> {
        match self.def {
            TypeDef::Record(fields) => self.record(map, fields),
            TypeDef::Variant(cases) => {
                let (at, payload) = self.case(map, cases.len(), |at| cases.get(at).map(|(n, t)| (n.as_str(), *t)))?;
                Ok(Value::Variant(number(at), payload.map(Box::new)))
            }
            TypeDef::Result { ok, error } => {
                let (at, payload) = self.case(map, 2, |at| if at == 0 { Some(("ok", *ok)) } else { Some(("error", *error)) })?;
                let payload = payload.map(Box::new);
                Ok(Value::Result(if at == 0 { Ok(payload) } else { Err(payload) }))
            }
            TypeDef::Option(some) if is_option(lookup(self.reading.types, *some)) => {
                let (_, payload) = self.case(map, 1, |_| Some(("some", Some(*some))))?;
                Ok(Value::Option(payload.map(Box::new)))
            }
            TypeDef::Map(key, value) if is_string(lookup(self.reading.types, *key)) => self.map(map, *value),
            _ => Err(self.wrong("an object")),
        }
    }
}

/// Adds an element's place to an error that passes.
pub(super) fn at<E>(reading: &Reading, index: usize) -> impl FnOnce(E) -> E {
    move |error| reading.step(Step::Index(index), error)
}

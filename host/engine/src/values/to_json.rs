//! Values become one line of JSON.
//!
//! Written by hand rather than through a serializer because the type steers it, because the line has a limit that must stop the
//! writing and not be found out afterwards, and because more is escaped than JSON asks for: nothing that a guest puts
//! into a string may move a terminal's cursor or end a line.

use std::collections::HashMap;

use taskcell_wire::{TypeDef, TypeId, TypeTable};

use super::bytes::{put_base64, put_string};
use super::error::{ValueError, ValueErrorKind};
use super::reading::{Step, path};
use super::text::brief;
use super::{DEPTH, INFINITY, NEGATIVE_INFINITY, NOT_A_NUMBER, is_byte, is_option, is_string, lookup};
use crate::value::{Number, Numbers, Value, flag_words};

/// Appends a value as one line of JSON, without a newline, of at most `limit` bytes.
///
/// # Errors
/// Too long, too deep, or a value that is not of the type; `out` is as before then.
pub fn value_to_json(types: &TypeTable, ty: TypeId, val: &Value, limit: usize, out: &mut Vec<u8>) -> Result<(), ValueError> {
    let start = out.len();
    let mut line = Line { types, out, end: start.saturating_add(limit), depth: 0 };
    let written = line.value(lookup(types, ty), val);
    let written = written.and_then(|()| if line.out.len() > line.end { Err(Box::new(Fault::TooLong)) } else { Ok(()) });
    written.map_err(|fault| {
        out.truncate(start);
        (*fault).into_error(limit)
    })
}

/// Why a line was not finished. Boxed, so that the way without faults moves one word.
enum Fault {
    TooLong,
    TooDeep,
    /// The type, what the value is instead, and the steps from the inside out.
    Unlike(String, &'static str, Vec<Step>),
}

impl Fault {
    fn into_error(self, limit: usize) -> ValueError {
        let (kind, expected, found, steps) = match self {
            Self::TooLong => return ValueError::too_long(limit),
            Self::TooDeep => (ValueErrorKind::TooDeep, format!("at most {DEPTH} levels"), "more", Vec::new()),
            Self::Unlike(expected, found, steps) => (ValueErrorKind::Type, expected, found, steps),
        };
        ValueError { path: path(&steps), expected, found: found.to_owned(), note: String::new(), at: None, kind }
    }
}

type Written = Result<(), Box<Fault>>;

struct Line<'a> {
    types: &'a TypeTable,
    out: &'a mut Vec<u8>,
    /// How long `out` may become.
    end: usize,
    depth: u32,
}

impl Line<'_> {
    fn value(&mut self, def: &TypeDef, val: &Value) -> Written {
        match (def, val) {
            (TypeDef::Bool, Value::Bool(b)) => self.out.extend_from_slice(if *b { b"true" } else { b"false" }),
            (TypeDef::U8, Value::U8(n)) => self.integer(*n),
            (TypeDef::U16, Value::U16(n)) => self.integer(*n),
            (TypeDef::U32, Value::U32(n)) => self.integer(*n),
            (TypeDef::U64, Value::U64(n)) => self.integer(*n),
            (TypeDef::S8, Value::S8(n)) => self.integer(*n),
            (TypeDef::S16, Value::S16(n)) => self.integer(*n),
            (TypeDef::S32, Value::S32(n)) => self.integer(*n),
            (TypeDef::S64, Value::S64(n)) => self.integer(*n),
            (TypeDef::F32, Value::F32(f)) => put_f32(self.out, *f),
            (TypeDef::F64, Value::F64(f)) => put_f64(self.out, *f),
            (TypeDef::Char, Value::Char(c)) => put_string(self.out, c.encode_utf8(&mut [0; 4])),
            (TypeDef::String, Value::String(text)) => return self.string(text),
            _ => return self.nested(def, val),
        }
        Ok(())
    }

    fn nested(&mut self, def: &TypeDef, val: &Value) -> Written {
        if self.depth >= DEPTH {
            return Err(Box::new(Fault::TooDeep));
        }
        self.depth += 1;
        self.parts(def, val)?;
        self.depth -= 1;
        if self.out.len() > self.end { Err(Box::new(Fault::TooLong)) } else { Ok(()) }
    }

    fn parts(&mut self, def: &TypeDef, val: &Value) -> Written {
        let types = self.types;
        match (def, val) {
            (TypeDef::List(element), Value::Bytes(bytes)) if is_byte(lookup(types, *element)) => self.bytes(bytes),
            (TypeDef::List(element), Value::Numbers(numbers))
                if Number::of(lookup(types, *element)) == Some(numbers.number()) =>
            {
                self.numbers(lookup(types, *element), numbers)
            }
            (TypeDef::List(element), Value::List(values)) if !is_packed(lookup(types, *element)) => {
                let element = lookup(types, *element);
                self.array(values.iter().map(|value| (element, value)))
            }
            (TypeDef::FixedList(element, length), Value::FixedList(values)) if same(*length, values.len()) => {
                let element = lookup(types, *element);
                self.array(values.iter().map(|value| (element, value)))
            }
            (TypeDef::Tuple(parts), Value::Tuple(values)) if parts.len() == values.len() => {
                self.array(parts.iter().map(|part| lookup(types, *part)).zip(values))
            }
            (TypeDef::Record(fields), Value::Record(values)) if fields.len() == values.len() => {
                let mut open = b'{';
                for ((name, ty), value) in fields.iter().zip(values) {
                    self.out.push(open);
                    open = b',';
                    self.member(name, lookup(types, *ty), value)?;
                }
                self.close(open, b"{}", b'}');
                Ok(())
            }
            (TypeDef::Variant(cases), Value::Variant(case, payload)) => match (cases.get(*case as usize), payload) {
                (Some((name, None)), None) => self.case(name, None),
                (Some((name, Some(ty))), Some(value)) => self.case(name, Some((*ty, value))),
                _ => Err(self.unlike(def, val)),
            },
            (TypeDef::Enum(names), Value::Enum(case)) => match names.get(*case as usize) {
                Some(name) => {
                    put_string(self.out, name);
                    Ok(())
                }
                None => Err(self.unlike(def, val)),
            },
            (TypeDef::Option(_), Value::Option(None)) => {
                self.out.extend_from_slice(b"null");
                Ok(())
            }
            (TypeDef::Option(some), Value::Option(Some(value))) => match lookup(types, *some) {
                inner if is_option(inner) => self.case("some", Some((*some, value))),
                inner => self.value(inner, value),
            },
            (TypeDef::Result { ok, .. }, Value::Result(Ok(value))) => match (ok, value) {
                (None, None) => self.case("ok", None),
                (Some(ty), Some(value)) => self.case("ok", Some((*ty, value))),
                _ => Err(self.unlike(def, val)),
            },
            (TypeDef::Result { error, .. }, Value::Result(Err(value))) => match (error, value) {
                (None, None) => self.case("error", None),
                (Some(ty), Some(value)) => self.case("error", Some((*ty, value))),
                _ => Err(self.unlike(def, val)),
            },
            (TypeDef::Flags(names), Value::Flags(words)) if words.len() == flag_words(names.len()) => {
                let is_set = |at: usize| words.get(at / 32).is_some_and(|word| word >> (at % 32) & 1 == 1);
                if (names.len()..words.len() * 32).any(is_set) {
                    return Err(self.unlike(def, val));
                }
                let mut open = b'[';
                for (_, name) in names.iter().enumerate().filter(|(at, _)| is_set(*at)) {
                    self.out.push(open);
                    open = b',';
                    put_string(self.out, name);
                }
                self.close(open, b"[]", b']');
                Ok(())
            }
            (TypeDef::Map(key, value), Value::Map(pairs)) => self.map(lookup(types, *key), lookup(types, *value), pairs),
            _ => Err(self.unlike(def, val)),
        }
    }

    fn array<'v>(&mut self, elements: impl Iterator<Item = (&'v TypeDef, &'v Value)>) -> Written {
        let mut open = b'[';
        for (index, (def, value)) in elements.enumerate() {
            self.out.push(open);
            open = b',';
            self.value(def, value).map_err(|fault| within(fault, || Step::Index(index)))?;
            if self.out.len() > self.end {
                return Err(Box::new(Fault::TooLong));
            }
        }
        self.close(open, b"[]", b']');
        Ok(())
    }

    /// Ends a container; one without members was not even begun.
    fn close(&mut self, open: u8, empty: &[u8], close: u8) {
        if open == b',' { self.out.push(close) } else { self.out.extend_from_slice(empty) }
    }

    fn member(&mut self, name: &str, def: &TypeDef, value: &Value) -> Written {
        put_string(self.out, name);
        self.out.push(b':');
        self.value(def, value).map_err(|fault| within(fault, || Step::Name(name.to_owned())))
    }

    fn case(&mut self, name: &str, payload: Option<(TypeId, &Value)>) -> Written {
        self.out.push(b'{');
        match payload {
            Some((ty, value)) => self.member(name, lookup(self.types, ty), value)?,
            None => {
                put_string(self.out, name);
                self.out.extend_from_slice(b":null");
            }
        }
        self.out.push(b'}');
        Ok(())
    }

    fn map(&mut self, key: &TypeDef, value: &TypeDef, pairs: &[(Value, Value)]) -> Written {
        if !is_string(key) {
            self.out.push(b'[');
            for (index, (k, v)) in pairs.iter().enumerate() {
                if index > 0 {
                    self.out.push(b',');
                }
                self.array([(key, k), (value, v)].into_iter()).map_err(|fault| within(fault, || Step::Index(index)))?;
            }
            self.out.push(b']');
            return Ok(());
        }
        // A guest's map may repeat a key; the last one counts, and an object must not repeat it.
        let mut last = HashMap::with_capacity(pairs.len());
        for (index, (key, _)) in pairs.iter().enumerate() {
            if let Value::String(key) = key {
                last.insert(key.as_str(), index);
            }
        }
        let mut open = b'{';
        for (index, (k, v)) in pairs.iter().enumerate() {
            let Value::String(name) = k else { return Err(self.unlike(key, k)) };
            if last.get(name.as_str()) != Some(&index) {
                continue;
            }
            self.out.push(open);
            open = b',';
            self.string(name)?;
            self.out.push(b':');
            self.value(value, v).map_err(|fault| within(fault, || Step::Key(name.clone())))?;
        }
        self.close(open, b"{}", b'}');
        Ok(())
    }

    fn bytes(&mut self, bytes: &[u8]) -> Written {
        if self.out.len().saturating_add(bytes.len()) > self.end {
            return Err(Box::new(Fault::TooLong));
        }
        put_base64(self.out, bytes);
        Ok(())
    }

    fn numbers(&mut self, element: &TypeDef, numbers: &Numbers) -> Written {
        // A digit and a comma each, or a bracket.
        if self.out.len().saturating_add(numbers.len().saturating_mul(2)) > self.end {
            return Err(Box::new(Fault::TooLong));
        }
        let mut open = b'[';
        for value in numbers.iter() {
            self.out.push(open);
            open = b',';
            self.value(element, &value)?;
            if self.out.len() > self.end {
                return Err(Box::new(Fault::TooLong));
            }
        }
        self.close(open, b"[]", b']');
        Ok(())
    }

    fn string(&mut self, text: &str) -> Written {
        // Escapes only lengthen, so what is over the limit as it stands need not be copied first.
        if self.out.len().saturating_add(text.len()) > self.end {
            return Err(Box::new(Fault::TooLong));
        }
        put_string(self.out, text);
        Ok(())
    }

    fn integer(&mut self, n: impl itoa::Integer) {
        self.out.extend_from_slice(itoa::Buffer::new().format(n).as_bytes());
    }

    fn unlike(&self, def: &TypeDef, val: &Value) -> Box<Fault> {
        Box::new(Fault::Unlike(brief(self.types, def), sort(val), Vec::new()))
    }
}

fn within(mut fault: Box<Fault>, step: impl FnOnce() -> Step) -> Box<Fault> {
    if let Fault::Unlike(_, _, steps) = &mut *fault {
        steps.push(step());
    }
    fault
}

/// Whether a list of such elements is no [`Value::List`].
fn is_packed(element: &TypeDef) -> bool {
    is_byte(element) || Number::of(element).is_some()
}

fn same(length: u32, found: usize) -> bool {
    usize::try_from(length).is_ok_and(|length| length == found)
}

/// An f32 as the shortest decimal that reads back to it.
pub(super) fn put_f32(out: &mut Vec<u8>, f: f32) {
    /// Readers of JSON round a number to f64 first and then to f32. Of all f32 (an exhaustive search), only for this one and its
    /// negative that gives another than itself: 7.038531e-26. It gets the digits of an f64.
    const ROUNDED_TWICE: u32 = 0x15ae_43fd;
    if f.is_finite() && f.abs().to_bits() != ROUNDED_TWICE {
        out.extend_from_slice(zmij::Buffer::new().format_finite(f).as_bytes());
    } else {
        put_f64(out, f.into());
    }
}

/// An f64 as the shortest decimal that reads back to it, or the name of what JSON has no number for.
pub(super) fn put_f64(out: &mut Vec<u8>, f: f64) {
    if f.is_finite() {
        out.extend_from_slice(zmij::Buffer::new().format_finite(f).as_bytes());
        return;
    }
    let name = match f {
        f64::INFINITY => INFINITY,
        f64::NEG_INFINITY => NEGATIVE_INFINITY,
        _ => NOT_A_NUMBER,
    };
    put_string(out, name);
}

/// What a value is, in a word.
fn sort(val: &Value) -> &'static str {
    match val {
        Value::Bool(_) => "a bool",
        Value::S8(_) => "an s8",
        Value::U8(_) => "a u8",
        Value::S16(_) => "an s16",
        Value::U16(_) => "a u16",
        Value::S32(_) => "an s32",
        Value::U32(_) => "a u32",
        Value::S64(_) => "an s64",
        Value::U64(_) => "a u64",
        Value::F32(_) => "an f32",
        Value::F64(_) => "an f64",
        Value::Char(_) => "a char",
        Value::String(_) => "a string",
        Value::Bytes(_) => "bytes",
        Value::Numbers(_) => "a list of numbers",
        Value::List(_) => "a list",
        Value::Map(_) => "a map",
        Value::Record(_) => "another record",
        Value::Tuple(_) => "another tuple",
        Value::Variant(..) => "another variant",
        Value::Enum(_) => "another enum",
        Value::Option(_) => "an option",
        Value::Result(_) => "another result",
        Value::Flags(_) => "other flags",
        Value::FixedList(_) => "another list of fixed length",
        Value::Handle(..) => "a handle",
    }
}

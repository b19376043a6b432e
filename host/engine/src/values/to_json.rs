//! Values become one line of JSON.
//!
//! Written by hand rather than through a serializer because the type steers it, because the line has a limit that must stop the
//! writing and not be found out afterwards, and because more is escaped than JSON asks for: nothing that a guest puts
//! into a string may move a terminal's cursor or end a line.

use std::collections::HashMap;

use taskcell_wire::{TypeDef, TypeId, TypeTable};
use wasmtime::component::Val;

use super::bytes::{put_base64, put_string};
use super::error::{ValueError, ValueErrorKind};
use super::reading::{Step, path};
use super::text::brief;
use super::{DEPTH, INFINITY, NEGATIVE_INFINITY, NOT_A_NUMBER, is_byte, is_option, is_string, lookup};

/// Appends a value as one line of JSON, without a newline, of at most `limit` bytes.
///
/// # Errors
/// Too long, too deep, or a value that is not of the type; `out` is as before then.
pub fn value_to_json(types: &TypeTable, ty: TypeId, val: &Val, limit: usize, out: &mut Vec<u8>) -> Result<(), ValueError> {
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
    fn value(&mut self, def: &TypeDef, val: &Val) -> Written {
        match (def, val) {
            (TypeDef::Bool, Val::Bool(b)) => self.out.extend_from_slice(if *b { b"true" } else { b"false" }),
            (TypeDef::U8, Val::U8(n)) => self.integer(*n),
            (TypeDef::U16, Val::U16(n)) => self.integer(*n),
            (TypeDef::U32, Val::U32(n)) => self.integer(*n),
            (TypeDef::U64, Val::U64(n)) => self.integer(*n),
            (TypeDef::S8, Val::S8(n)) => self.integer(*n),
            (TypeDef::S16, Val::S16(n)) => self.integer(*n),
            (TypeDef::S32, Val::S32(n)) => self.integer(*n),
            (TypeDef::S64, Val::S64(n)) => self.integer(*n),
            (TypeDef::F32, Val::Float32(f)) => put_f32(self.out, *f),
            (TypeDef::F64, Val::Float64(f)) => put_f64(self.out, *f),
            (TypeDef::Char, Val::Char(c)) => put_string(self.out, c.encode_utf8(&mut [0; 4])),
            (TypeDef::String, Val::String(text)) => return self.string(text),
            _ => return self.nested(def, val),
        }
        Ok(())
    }

    fn nested(&mut self, def: &TypeDef, val: &Val) -> Written {
        if self.depth >= DEPTH {
            return Err(Box::new(Fault::TooDeep));
        }
        self.depth += 1;
        self.parts(def, val)?;
        self.depth -= 1;
        if self.out.len() > self.end { Err(Box::new(Fault::TooLong)) } else { Ok(()) }
    }

    fn parts(&mut self, def: &TypeDef, val: &Val) -> Written {
        let types = self.types;
        match (def, val) {
            (TypeDef::List(element), Val::List(values)) if is_byte(lookup(types, *element)) => self.bytes(values),
            (TypeDef::List(element), Val::List(values)) => {
                let element = lookup(types, *element);
                self.array(values.iter().map(|value| (element, value)))
            }
            (TypeDef::FixedList(element, length), Val::FixedLengthList(values)) if same(*length, values.len()) => {
                let element = lookup(types, *element);
                self.array(values.iter().map(|value| (element, value)))
            }
            (TypeDef::Tuple(parts), Val::Tuple(values)) if parts.len() == values.len() => {
                self.array(parts.iter().map(|part| lookup(types, *part)).zip(values))
            }
            (TypeDef::Record(fields), Val::Record(values)) if fields.len() == values.len() => {
                let mut open = b'{';
                for ((name, ty), (actual, value)) in fields.iter().zip(values) {
                    if name != actual {
                        return Err(self.unlike(def, val));
                    }
                    self.out.push(open);
                    open = b',';
                    self.member(name, lookup(types, *ty), value)?;
                }
                self.close(open, b"{}", b'}');
                Ok(())
            }
            (TypeDef::Variant(cases), Val::Variant(case, payload)) => {
                match (cases.iter().find(|(name, _)| name == case), payload) {
                    (Some((name, None)), None) => self.case(name, None),
                    (Some((name, Some(ty))), Some(value)) => self.case(name, Some((*ty, value))),
                    _ => Err(self.unlike(def, val)),
                }
            }
            (TypeDef::Enum(names), Val::Enum(name)) if names.contains(name) => {
                put_string(self.out, name);
                Ok(())
            }
            (TypeDef::Option(_), Val::Option(None)) => {
                self.out.extend_from_slice(b"null");
                Ok(())
            }
            (TypeDef::Option(some), Val::Option(Some(value))) => match lookup(types, *some) {
                inner if is_option(inner) => self.case("some", Some((*some, value))),
                inner => self.value(inner, value),
            },
            (TypeDef::Result { ok, .. }, Val::Result(Ok(value))) => match (ok, value) {
                (None, None) => self.case("ok", None),
                (Some(ty), Some(value)) => self.case("ok", Some((*ty, value))),
                _ => Err(self.unlike(def, val)),
            },
            (TypeDef::Result { error, .. }, Val::Result(Err(value))) => match (error, value) {
                (None, None) => self.case("error", None),
                (Some(ty), Some(value)) => self.case("error", Some((*ty, value))),
                _ => Err(self.unlike(def, val)),
            },
            (TypeDef::Flags(names), Val::Flags(set)) if set.iter().all(|flag| names.contains(flag)) => {
                let mut open = b'[';
                for name in names.iter().filter(|name| set.contains(name)) {
                    self.out.push(open);
                    open = b',';
                    put_string(self.out, name);
                }
                self.close(open, b"[]", b']');
                Ok(())
            }
            (TypeDef::Map(key, value), Val::Map(pairs)) => self.map(lookup(types, *key), lookup(types, *value), pairs),
            _ => Err(self.unlike(def, val)),
        }
    }

    fn array<'v>(&mut self, elements: impl Iterator<Item = (&'v TypeDef, &'v Val)>) -> Written {
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

    fn member(&mut self, name: &str, def: &TypeDef, value: &Val) -> Written {
        put_string(self.out, name);
        self.out.push(b':');
        self.value(def, value).map_err(|fault| within(fault, || Step::Name(name.to_owned())))
    }

    fn case(&mut self, name: &str, payload: Option<(TypeId, &Val)>) -> Written {
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

    fn map(&mut self, key: &TypeDef, value: &TypeDef, pairs: &[(Val, Val)]) -> Written {
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
            if let Val::String(key) = key {
                last.insert(key.as_str(), index);
            }
        }
        let mut open = b'{';
        for (index, (k, v)) in pairs.iter().enumerate() {
            let Val::String(name) = k else { return Err(self.unlike(key, k)) };
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

    fn bytes(&mut self, values: &[Val]) -> Written {
        if self.out.len().saturating_add(values.len()) > self.end {
            return Err(Box::new(Fault::TooLong));
        }
        let mut bytes = Vec::with_capacity(values.len());
        for (index, value) in values.iter().enumerate() {
            let Val::U8(byte) = value else {
                return Err(within(self.unlike(&TypeDef::U8, value), || Step::Index(index)));
            };
            bytes.push(*byte);
        }
        put_base64(self.out, &bytes);
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

    fn unlike(&self, def: &TypeDef, val: &Val) -> Box<Fault> {
        Box::new(Fault::Unlike(brief(self.types, def), sort(val), Vec::new()))
    }
}

fn within(mut fault: Box<Fault>, step: impl FnOnce() -> Step) -> Box<Fault> {
    if let Fault::Unlike(_, _, steps) = &mut *fault {
        steps.push(step());
    }
    fault
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
fn sort(val: &Val) -> &'static str {
    match val {
        Val::Bool(_) => "a bool",
        Val::S8(_) => "an s8",
        Val::U8(_) => "a u8",
        Val::S16(_) => "an s16",
        Val::U16(_) => "a u16",
        Val::S32(_) => "an s32",
        Val::U32(_) => "a u32",
        Val::S64(_) => "an s64",
        Val::U64(_) => "a u64",
        Val::Float32(_) => "an f32",
        Val::Float64(_) => "an f64",
        Val::Char(_) => "a char",
        Val::String(_) => "a string",
        Val::List(_) => "a list",
        Val::Map(_) => "a map",
        Val::Record(_) => "another record",
        Val::Tuple(_) => "another tuple",
        Val::Variant(..) => "another variant",
        Val::Enum(_) => "another enum",
        Val::Option(_) => "an option",
        Val::Result(_) => "another result",
        Val::Flags(_) => "other flags",
        Val::Resource(_) => "a resource",
        Val::Future(_) => "a future",
        Val::Stream(_) => "a stream",
        Val::ErrorContext(_) => "an error context",
        Val::FixedLengthList(_) => "another list of fixed length",
    }
}

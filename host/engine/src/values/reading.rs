//! One reading of one text: what it may use up, and how its errors come to know where they happened.
//!
//! Errors pass through `serde_json::Error`, which holds a text and no path. So the fault is put down here when it is noticed, and
//! on the way out each container adds its step: a reading that succeeds pays nothing for paths.

use std::cell::{Cell, RefCell};

use serde::de;
use taskcell_wire::{TypeDef, TypeTable};

use super::error::{ValueError, ValueErrorKind, cut, shown};
use super::text::brief;
use super::{is_byte, is_string, lookup};

/// Visitor methods that refuse numbers, `true` and `false`; needs a field `reading`.
macro_rules! refuse_scalars {
    ($expected:expr) => {
        fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<Self::Value, E> {
            Err(self.reading.unlike($expected, value.to_string()))
        }

        fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Self::Value, E> {
            Err(self.reading.unlike($expected, value.to_string()))
        }

        fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Self::Value, E> {
            Err(self.reading.unlike($expected, value.to_string()))
        }

        fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Self::Value, E> {
            Err(self.reading.unlike($expected, value.to_string()))
        }
    };
}

/// The visitor method that refuses objects; needs a field `reading`.
macro_rules! refuse_objects {
    ($expected:expr) => {
        fn visit_map<A: serde::de::MapAccess<'de>>(self, _: A) -> Result<Self::Value, A::Error> {
            Err(self.reading.unlike($expected, "an object"))
        }
    };
}

pub(super) use {refuse_objects, refuse_scalars};

/// The most parts (elements, fields, payloads) of one value. Values are built in memory at 50 to 100 bytes a part; `{}` may stand
/// for a record of a thousand optional fields, so bytes of text don't bound it.
const PARTS: u64 = 16 * 1024 * 1024;

/// A step on the way into a value.
pub(super) enum Step {
    /// An element.
    Index(usize),
    /// A field or a case; from the type table.
    Name(String),
    /// A key of a map; from the text.
    Key(String),
}

/// What is there in place of what was expected.
pub(super) enum Found {
    /// As a text for people.
    Text(String),
    /// The number that ends where the error is noticed; as a float in case it can't be found there.
    Number(f64),
}

struct Fault {
    kind: ValueErrorKind,
    expected: String,
    found: Found,
    note: String,
}

/// What the seeds of one reading share.
pub(super) struct Reading<'t> {
    pub(super) types: &'t TypeTable,
    parts: Cell<u64>,
    /// The steps from the inside out.
    steps: RefCell<Vec<Step>>,
    fault: RefCell<Option<Fault>>,
}

impl<'t> Reading<'t> {
    pub(super) fn new(types: &'t TypeTable) -> Self {
        Self { types, parts: Cell::new(PARTS), steps: RefCell::new(Vec::new()), fault: RefCell::new(None) }
    }

    /// Puts a fault down; the first one stays.
    pub(super) fn fault<E: de::Error>(&self, kind: ValueErrorKind, expected: String, found: Found, note: &str) -> E {
        let mut fault = self.fault.borrow_mut();
        if fault.is_none() {
            *fault = Some(Fault { kind, expected, found, note: note.to_owned() });
        }
        E::custom("")
    }

    /// The text has something else than the type asks for.
    pub(super) fn unlike<E: de::Error>(&self, expected: impl Into<String>, found: impl Into<String>) -> E {
        self.fault(ValueErrorKind::Type, expected.into(), Found::Text(found.into()), "")
    }

    /// Something of another sort than the type.
    pub(super) fn wrong<E: de::Error>(&self, def: &TypeDef, found: Found) -> E {
        self.fault(ValueErrorKind::Type, brief(self.types, def), found, note(self.types, def))
    }

    /// Adds the step that led to the error that passes.
    pub(super) fn step<E>(&self, step: Step, error: E) -> E {
        self.steps.borrow_mut().push(step);
        error
    }

    /// Accounts for parts that are about to be built.
    pub(super) fn spend<E: de::Error>(&self, parts: usize) -> Result<(), E> {
        match self.parts.get().checked_sub(parts as u64) {
            Some(rest) => {
                self.parts.set(rest);
                Ok(())
            }
            None => Err(self.fault(ValueErrorKind::TooLong, format!("at most {PARTS} parts"), Found::Text("more".into()), "")),
        }
    }

    /// The error of this reading, once `serde_json` has given up.
    pub(super) fn error(self, json: &[u8], error: &serde_json::Error) -> ValueError {
        let at = offset(json, error);
        let path = path(&self.steps.into_inner());
        if let Some(Fault { kind, expected, found, note }) = self.fault.into_inner() {
            let found = match found {
                Found::Text(text) => text,
                Found::Number(value) => number_before(json, at).unwrap_or_else(|| value.to_string()),
            };
            return ValueError { path, expected, found, note, at, kind };
        }
        if let Err(wrong) = std::str::from_utf8(json) {
            let at = wrong.valid_up_to();
            let found = json.get(at).map_or_else(|| "its end".into(), |byte| format!("the byte 0x{byte:02x}"));
            return ValueError {
                path,
                expected: "UTF-8".into(),
                found,
                note: String::new(),
                at: Some(at),
                kind: ValueErrorKind::NotUtf8,
            };
        }
        let message = error.to_string();
        let message = message.rfind(" at line ").and_then(|end| message.get(..end)).unwrap_or(&message);
        // serde_json points behind the byte that it objects to.
        let wrong_byte = at.map(|at| at.saturating_sub(1));
        // It tells these apart only by their texts; tests pin them.
        let (kind, expected, found) = match message {
            "number out of range" => {
                let found = number_before(json, at).unwrap_or_else(|| "a larger one".into());
                return ValueError {
                    path,
                    expected: "a number".into(),
                    found,
                    note: f64_range(),
                    at,
                    kind: ValueErrorKind::Range,
                };
            }
            "recursion limit exceeded" => (ValueErrorKind::TooDeep, "at most 127 levels", "more".to_owned()),
            _ if error.is_eof() => (ValueErrorKind::Syntax, "more JSON", "the end of the text".into()),
            "trailing characters" => (ValueErrorKind::Syntax, "one JSON value", from(json, wrong_byte)),
            _ => (ValueErrorKind::Syntax, "valid JSON", from(json, wrong_byte)),
        };
        let at = if kind == ValueErrorKind::Syntax && !error.is_eof() { wrong_byte } else { at };
        let note = if kind == ValueErrorKind::Syntax { message.to_owned() } else { String::new() };
        ValueError { path, expected: expected.to_owned(), found, note, at, kind }
    }
}

/// What a type's name alone doesn't say.
fn note(types: &TypeTable, def: &TypeDef) -> &'static str {
    match def {
        TypeDef::Handle(_) => "a handle can't be given as JSON",
        TypeDef::Variant(_) => r#"as {"case": value}"#,
        TypeDef::Result { .. } => r#"as {"ok": value} or {"error": value}"#,
        TypeDef::Flags(_) => "as an array of names",
        TypeDef::Option(_) => r#"as null or {"some": value}"#,
        TypeDef::Map(key, _) if !is_string(lookup(types, *key)) => "as an array of pairs",
        TypeDef::List(element) if is_byte(lookup(types, *element)) => "as base64 or an array",
        TypeDef::List(_) | TypeDef::Tuple(_) | TypeDef::FixedList(..) => "as an array",
        TypeDef::Record(_) | TypeDef::Map(..) => "as an object",
        TypeDef::F32 | TypeDef::F64 => r#"a number, "nan", "inf" or "-inf""#,
        TypeDef::Char => "as a string of one character",
        TypeDef::Bool
        | TypeDef::U8
        | TypeDef::U16
        | TypeDef::U32
        | TypeDef::U64
        | TypeDef::S8
        | TypeDef::S16
        | TypeDef::S32
        | TypeDef::S64
        | TypeDef::String
        | TypeDef::Enum(_) => "",
    }
}

fn f64_range() -> String {
    format!("{:e} to {:e}", f64::MIN, f64::MAX)
}

/// The path inside a value, as short as it can be and never over-long: keys of maps are foreign text.
pub(super) fn path(steps_inside_out: &[Step]) -> String {
    let mut path = String::new();
    for step in steps_inside_out.iter().rev() {
        if path.len() > 200 {
            path.push('…');
            break;
        }
        match step {
            Step::Index(index) => path.push_str(&format!("[{index}]")),
            Step::Name(name) => {
                path.push('.');
                path.push_str(&cut(name, 60));
            }
            Step::Key(key) => path.push_str(&format!("[{}]", shown(key))),
        }
    }
    path
}

/// Where serde_json stood, as an offset: it counts lines, and bytes within a line.
fn offset(json: &[u8], error: &serde_json::Error) -> Option<usize> {
    let earlier = error.line().checked_sub(1)?;
    let mut start = 0;
    for _ in 0..earlier {
        start += json.get(start..)?.iter().position(|b| *b == b'\n')? + 1;
    }
    Some((start + error.column()).min(json.len()))
}

/// The number that ends at the offset, as it is written.
fn number_before(json: &[u8], at: Option<usize>) -> Option<String> {
    let before = json.get(..at?)?;
    let rest = before.iter().rposition(|b| !matches!(b, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E')).map_or(0, |p| p + 1);
    let text = std::str::from_utf8(before.get(rest..)?).ok()?;
    (!text.is_empty()).then(|| cut(text, 40))
}

/// The text from the offset on.
fn from(json: &[u8], at: Option<usize>) -> String {
    let rest = json.get(at.unwrap_or(0)..).unwrap_or_default();
    // A little more than is shown, so that the cut is marked; a character torn by the cut is dropped.
    let rest = rest.get(..200).unwrap_or(rest);
    let text = match std::str::from_utf8(rest) {
        Ok(text) => text,
        Err(torn) => rest.get(..torn.valid_up_to()).and_then(|r| std::str::from_utf8(r).ok()).unwrap_or_default(),
    };
    if text.is_empty() { "the end of the text".into() } else { shown(text) }
}

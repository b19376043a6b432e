//! Values in WAVE: typed against the table on the way in, written as `wasmtime run --invoke` prints them on the way out.
//!
//! WAVE has no maps; they are written as what the component model says they are, lists of pairs.

use std::collections::HashSet;
use std::ops::Range;

use taskcell_wire::{TypeDef, TypeId, TypeTable, visible};
use wasm_wave::ast::{Node, NodeType};
use wasm_wave::parser::{ParserError, ParserErrorKind};

use super::bytes::put_string;
use super::error::{ValueError, ValueErrorKind, cut, shown};
use super::seed::{integer, integer_range};
use super::text::{brief, brief_names};
use super::to_json::{put_f32, put_f64};
use super::{is_option, is_string, lookup, value_from_json, wave_value};

/// Writes a value that is given in JSON as `wasmtime run --invoke` would print it.
///
/// # Errors
/// The text is not a value of the type.
pub fn json_to_wave(types: &TypeTable, ty: TypeId, json: &[u8]) -> Result<String, ValueError> {
    let value = value_from_json(types, ty, json)?;
    let text = wasm_wave::to_string(&wave_value::without_maps(types, ty, &value)).map_err(|why| ValueError {
        path: String::new(),
        expected: "a value that WAVE can write".into(),
        found: why.to_string(),
        note: String::new(),
        at: None,
        kind: ValueErrorKind::Type,
    })?;
    // Names are written as they are; well-formed ones need no escapes, but the table may come from a hijacked process.
    let text = if text.chars().any(char::is_control) { text.replace(char::is_control, "?") } else { text };
    // In strings, where all others are, WAVE has the same escapes.
    Ok(visible(&text).into_owned())
}

/// A part of a call that doesn't fit its type.
pub(super) struct Misfit {
    pub(super) error: ValueError,
    /// Where it is in the call, in bytes.
    pub(super) span: Range<usize>,
}

/// Appends a value of WAVE, typed against the table, as JSON.
pub(super) fn put_node(types: &TypeTable, ty: TypeId, node: &Node, source: &str, out: &mut Vec<u8>) -> Result<(), Box<Misfit>> {
    Writer { types, source }.value(lookup(types, ty), node, out)
}

struct Writer<'a> {
    types: &'a TypeTable,
    source: &'a str,
}

type Written = Result<(), Box<Misfit>>;

impl<'a> Writer<'a> {
    fn value(&self, def: &TypeDef, node: &Node, out: &mut Vec<u8>) -> Written {
        if integer_range(def).is_some() {
            return self.integer(def, node, out);
        }
        match def {
            TypeDef::Bool => {
                let value = node.as_bool().map_err(|_| self.unlike(def, node))?;
                out.extend_from_slice(if value { b"true" } else { b"false" });
            }
            TypeDef::F32 => {
                let value: f32 = node.as_number(self.source).map_err(|_| self.unlike(def, node))?;
                put_f32(out, value);
            }
            TypeDef::F64 => {
                let value: f64 = node.as_number(self.source).map_err(|_| self.unlike(def, node))?;
                put_f64(out, value);
            }
            TypeDef::Char => {
                let value = node.as_char(self.source).map_err(|error| self.misread(def, node, &error))?;
                put_string(out, value.encode_utf8(&mut [0; 4]));
            }
            TypeDef::String => {
                put_string(out, &node.as_str(self.source).map_err(|error| self.misread(def, node, &error))?);
            }
            TypeDef::List(element) => {
                let elements = node.as_list().map_err(|_| self.unlike(def, node))?;
                self.array(elements.map(|node| (lookup(self.types, *element), node)), out)?;
            }
            TypeDef::FixedList(element, length) => {
                let elements = node.as_list().map_err(|_| self.unlike(def, node))?;
                if usize::try_from(*length) != Ok(elements.len()) {
                    return Err(self.fault(ValueErrorKind::Type, format!("{length} elements"), elements.len().to_string(), node));
                }
                self.array(elements.map(|node| (lookup(self.types, *element), node)), out)?;
            }
            TypeDef::Tuple(parts) => {
                let elements = node.as_tuple().map_err(|_| self.unlike(def, node))?;
                if parts.len() != elements.len() {
                    let expected = format!("{} elements", parts.len());
                    return Err(self.fault(ValueErrorKind::Type, expected, elements.len().to_string(), node));
                }
                self.array(parts.iter().map(|part| lookup(self.types, *part)).zip(elements), out)?;
            }
            TypeDef::Record(fields) => self.record(def, fields, node, out)?,
            TypeDef::Variant(cases) => {
                let (name, payload) = node.as_variant(self.source).map_err(|_| self.unlike(def, node))?;
                let Some((_, ty)) = cases.iter().find(|(known, _)| known == name) else {
                    return Err(self.unknown(cases.iter().map(|(known, _)| known.as_str()), name, node));
                };
                self.case(def, name, *ty, payload, node, out)?;
            }
            TypeDef::Enum(names) => {
                let name = node.as_enum(self.source).map_err(|_| self.unlike(def, node))?;
                if !names.iter().any(|known| known == name) {
                    return Err(self.unknown(names.iter().map(String::as_str), name, node));
                }
                put_string(out, name);
            }
            TypeDef::Option(some) => self.option(def, *some, node, out)?,
            TypeDef::Result { ok, error } => match node.as_result() {
                Ok(Ok(payload)) => self.case(def, "ok", *ok, payload, node, out)?,
                Ok(Err(payload)) => self.case(def, "error", *error, payload, node, out)?,
                // As in WAVE, a bare value is an `ok` of it.
                Err(_) if ok.is_some_and(|ok| is_flat(lookup(self.types, ok))) => {
                    self.case(def, "ok", *ok, Some(node), node, out)?;
                }
                Err(_) => return Err(self.unlike(def, node)),
            },
            TypeDef::Flags(names) => {
                let mut open = b'[';
                for flag in node.as_flags(self.source).map_err(|_| self.unlike(def, node))? {
                    let flag = flag.trim_start_matches('%');
                    if !names.iter().any(|known| known == flag) {
                        return Err(self.unknown(names.iter().map(String::as_str), flag, node));
                    }
                    out.push(open);
                    open = b',';
                    put_string(out, flag);
                }
                out.extend_from_slice(if open == b'[' { b"[]" } else { b"]" });
            }
            TypeDef::Map(key, value) => self.map(def, lookup(self.types, *key), lookup(self.types, *value), node, out)?,
            TypeDef::Handle(_) => {
                let mut misfit = self.unlike(def, node);
                misfit.error.note = "a handle can't be given in WAVE".into();
                return Err(misfit);
            }
            // Done above.
            TypeDef::U8
            | TypeDef::U16
            | TypeDef::U32
            | TypeDef::U64
            | TypeDef::S8
            | TypeDef::S16
            | TypeDef::S32
            | TypeDef::S64 => {}
        }
        Ok(())
    }

    fn integer(&self, def: &TypeDef, node: &Node, out: &mut Vec<u8>) -> Written {
        if node.ty() != NodeType::Number {
            return Err(self.unlike(def, node));
        }
        let text = self.text(node);
        if text.bytes().any(|byte| !matches!(byte, b'0'..=b'9' | b'-')) {
            let mut misfit = self.unlike(def, node);
            misfit.error.note = "an integer".into();
            return Err(misfit);
        }
        // Beyond 128 bits it is beyond every type's range too.
        match text.parse::<i128>() {
            Ok(n) if integer(def, n, drop).is_some() => {
                out.extend_from_slice(n.to_string().as_bytes());
                Ok(())
            }
            _ => {
                let mut misfit = self.fault(ValueErrorKind::Range, brief(self.types, def), cut(text, 40), node);
                misfit.error.note =
                    integer_range(def).map(|(least, greatest)| format!("{least} to {greatest}")).unwrap_or_default();
                Err(misfit)
            }
        }
    }

    fn array<'n>(&self, elements: impl Iterator<Item = (&'n TypeDef, &'n Node)>, out: &mut Vec<u8>) -> Written {
        let mut open = b'[';
        for (def, node) in elements {
            out.push(open);
            open = b',';
            self.value(def, node, out)?;
        }
        out.extend_from_slice(if open == b'[' { b"[]" } else { b"]" });
        Ok(())
    }

    fn record(&self, def: &TypeDef, fields: &[(String, TypeId)], node: &Node, out: &mut Vec<u8>) -> Written {
        let mut given: Vec<(&str, &Node)> = node.as_record(self.source).map_err(|_| self.unlike(def, node))?.collect();
        let mut open = b'{';
        for (name, ty) in fields {
            let value = given.iter().position(|(label, _)| label == name).map(|at| given.swap_remove(at).1);
            let field = lookup(self.types, *ty);
            if value.is_none() && !is_option(field) {
                return Err(self.fault(ValueErrorKind::Type, format!("the field {}", shown(name)), "none".into(), node));
            }
            out.push(open);
            open = b',';
            put_string(out, name);
            out.push(b':');
            match value {
                Some(value) => self.value(field, value, out)?,
                None => out.extend_from_slice(b"null"),
            }
        }
        out.extend_from_slice(if open == b'{' { b"{}" } else { b"}" });
        match given.first() {
            None => Ok(()),
            Some((label, value)) => {
                let known = brief_names(fields.iter().map(|(name, _)| name.as_str()));
                Err(self.fault(ValueErrorKind::Type, format!("one of the fields {known}"), shown(label), value))
            }
        }
    }

    fn case(
        &self,
        def: &TypeDef,
        name: &str,
        ty: Option<TypeId>,
        payload: Option<&Node>,
        node: &Node,
        out: &mut Vec<u8>,
    ) -> Written {
        out.push(b'{');
        put_string(out, name);
        out.push(b':');
        match (ty, payload) {
            (None, None) => out.extend_from_slice(b"null"),
            (Some(ty), Some(payload)) => self.value(lookup(self.types, ty), payload, out)?,
            (Some(_), None) | (None, Some(_)) => return Err(self.unlike(def, node)),
        }
        out.push(b'}');
        Ok(())
    }

    fn option(&self, def: &TypeDef, some: TypeId, node: &Node, out: &mut Vec<u8>) -> Written {
        let inner = lookup(self.types, some);
        match node.as_option() {
            Ok(None) => out.extend_from_slice(b"null"),
            Ok(payload @ Some(_)) if is_option(inner) => self.case(def, "some", Some(some), payload, node, out)?,
            Ok(Some(payload)) => self.value(inner, payload, out)?,
            // As in WAVE, a bare value is a `some` of it.
            Err(_) if is_flat(inner) => self.value(inner, node, out)?,
            Err(_) => return Err(self.unlike(def, node)),
        }
        Ok(())
    }

    fn map(&self, def: &TypeDef, key: &TypeDef, value: &TypeDef, node: &Node, out: &mut Vec<u8>) -> Written {
        let object = is_string(key);
        let mut keys = HashSet::new();
        out.push(if object { b'{' } else { b'[' });
        for (index, pair) in node.as_list().map_err(|_| self.unlike(def, node))?.enumerate() {
            let parts: Vec<&Node> = pair.as_tuple().map_err(|_| self.unlike(def, pair))?.collect();
            let [first, second] = parts.as_slice() else { return Err(self.unlike(def, pair)) };
            if index > 0 {
                out.push(b',');
            }
            if !object {
                self.array([(key, *first), (value, *second)].into_iter(), out)?;
                continue;
            }
            self.value(key, first, out)?;
            let name = first.as_str(self.source).map_err(|_| self.unlike(key, first))?;
            if let Some(name) = keys.replace(name) {
                return Err(self.fault(ValueErrorKind::Type, "each key once".into(), format!("{} again", shown(&name)), first));
            }
            out.push(b':');
            self.value(value, second, out)?;
        }
        out.push(if object { b'}' } else { b']' });
        Ok(())
    }

    fn text(&self, node: &Node) -> &'a str {
        self.source.get(node.span()).unwrap_or_default()
    }

    fn unlike(&self, def: &TypeDef, node: &Node) -> Box<Misfit> {
        self.fault(ValueErrorKind::Type, brief(self.types, def), cut(self.text(node), 40), node)
    }

    /// Text of the right sort with something wrong inside, an escape or an indentation.
    fn misread(&self, def: &TypeDef, node: &Node, error: &ParserError) -> Box<Misfit> {
        let mut misfit = self.unlike(def, node);
        if error.kind() != ParserErrorKind::InvalidType {
            misfit.error.kind = ValueErrorKind::Syntax;
            misfit.error.note = error.kind().to_string();
        }
        misfit
    }

    fn unknown<'n>(&self, names: impl Iterator<Item = &'n str>, name: &str, node: &Node) -> Box<Misfit> {
        self.fault(ValueErrorKind::Type, format!("one of {}", brief_names(names)), shown(name), node)
    }

    fn fault(&self, kind: ValueErrorKind, expected: String, found: String, node: &Node) -> Box<Misfit> {
        // The call's column tells where; a path would tell it again.
        let error = ValueError { path: String::new(), expected, found, note: String::new(), at: None, kind };
        Box::new(Misfit { error, span: node.span() })
    }
}

/// What WAVE lets stand for `some` or `ok` of itself.
fn is_flat(def: &TypeDef) -> bool {
    !matches!(def, TypeDef::Option(_) | TypeDef::Result { .. })
}

//! Types and signatures as people write them in WIT.
//!
//! A table shares its parts, so a small one can stand for a text of astronomic length: the writer stops when it has enough.

use taskcell_wire::{Signature, TypeDef, TypeId, TypeTable};

use super::error::cut;
use super::lookup;

/// The longest text of a type or a signature, in bytes; what is longer ends in `…`.
const LONGEST: usize = 4096;

/// A type in WIT's words, e.g. `list<tuple<string, u32>>`; at most about 4 KiB.
#[must_use]
pub fn type_text(types: &TypeTable, ty: TypeId) -> String {
    bounded(LONGEST, |text| text.ty(types, lookup(types, ty)))
}

/// A task in WIT's words, e.g. `count-words: func(text: list<u8>) -> u64`; at most about 4 KiB.
#[must_use]
pub fn signature_text(types: &TypeTable, sig: &Signature) -> String {
    bounded(LONGEST, |text| {
        text.name(&sig.name);
        text.word(if sig.is_async { ": async func(" } else { ": func(" });
        text.separated(&sig.params, |text, (name, ty)| {
            text.name(name);
            text.word(": ");
            text.ty(types, lookup(types, *ty));
        });
        text.word(")");
        if let Some(result) = sig.result {
            text.word(" -> ");
            text.ty(types, lookup(types, result));
        }
    })
}

/// A type in few words, for an error.
pub(super) fn brief(types: &TypeTable, def: &TypeDef) -> String {
    bounded(80, |text| text.ty(types, def))
}

/// Names in few words, for an error.
pub(super) fn brief_names<'n>(names: impl Iterator<Item = &'n str>) -> String {
    bounded(80, |text| {
        for (at, name) in names.take(20).enumerate() {
            text.word(if at == 0 { "" } else { ", " });
            text.name(name);
        }
    })
}

fn bounded(longest: usize, write: impl FnOnce(&mut Text)) -> String {
    let mut text = Text { out: String::new(), longest, full: false };
    write(&mut text);
    text.out
}

/// A text that takes no more once it is full.
struct Text {
    out: String,
    longest: usize,
    full: bool,
}

impl Text {
    fn word(&mut self, word: &str) {
        if self.full {
            return;
        }
        let room = self.longest.saturating_sub(self.out.len());
        if word.len() <= room {
            self.out.push_str(word);
        } else {
            self.out.push_str(word.get(..word.floor_char_boundary(room)).unwrap_or_default());
            self.out.push('…');
            self.full = true;
        }
    }

    /// A name that the component gave: a well-formed one is kebab-case, but the table comes from a process that may be hijacked,
    /// and this text goes to a terminal.
    fn name(&mut self, name: &str) {
        if name.bytes().all(|b| b.is_ascii_graphic() || b == b' ') { self.word(name) } else { self.word(&cut(name, 100)) }
    }

    fn separated<T>(&mut self, parts: &[T], mut each: impl FnMut(&mut Self, &T)) {
        for (at, part) in parts.iter().enumerate() {
            if self.full {
                return;
            }
            if at > 0 {
                self.word(", ");
            }
            each(self, part);
        }
    }

    fn ty(&mut self, types: &TypeTable, def: &TypeDef) {
        if self.full {
            return;
        }
        match def {
            TypeDef::Bool => self.word("bool"),
            TypeDef::U8 => self.word("u8"),
            TypeDef::U16 => self.word("u16"),
            TypeDef::U32 => self.word("u32"),
            TypeDef::U64 => self.word("u64"),
            TypeDef::S8 => self.word("s8"),
            TypeDef::S16 => self.word("s16"),
            TypeDef::S32 => self.word("s32"),
            TypeDef::S64 => self.word("s64"),
            TypeDef::F32 => self.word("f32"),
            TypeDef::F64 => self.word("f64"),
            TypeDef::Char => self.word("char"),
            TypeDef::String => self.word("string"),
            TypeDef::List(element) => self.generic(types, "list<", &[*element], ">"),
            TypeDef::FixedList(element, length) => self.generic(types, "list<", &[*element], &format!(", {length}>")),
            TypeDef::Tuple(parts) => self.generic(types, "tuple<", parts, ">"),
            TypeDef::Option(some) => self.generic(types, "option<", &[*some], ">"),
            TypeDef::Map(key, value) => self.generic(types, "map<", &[*key, *value], ">"),
            TypeDef::Result { ok: None, error: None } => self.word("result"),
            TypeDef::Result { ok: Some(ok), error: None } => self.generic(types, "result<", &[*ok], ">"),
            TypeDef::Result { ok: None, error: Some(error) } => self.generic(types, "result<_, ", &[*error], ">"),
            TypeDef::Result { ok: Some(ok), error: Some(error) } => self.generic(types, "result<", &[*ok, *error], ">"),
            TypeDef::Record(fields) => self.braced("record", fields, |text, (name, ty)| {
                text.name(name);
                text.word(": ");
                text.ty(types, lookup(types, *ty));
            }),
            TypeDef::Variant(cases) => self.braced("variant", cases, |text, (name, payload)| {
                text.name(name);
                if let Some(payload) = payload {
                    text.generic(types, "(", &[*payload], ")");
                }
            }),
            TypeDef::Enum(names) => self.braced("enum", names, |text, name| text.name(name)),
            TypeDef::Flags(names) => self.braced("flags", names, |text, name| text.name(name)),
            TypeDef::Handle(name) => self.name(if name.is_empty() { "unknown" } else { name }),
        }
    }

    fn generic(&mut self, types: &TypeTable, open: &str, parts: &[TypeId], close: &str) {
        self.word(open);
        self.separated(parts, |text, part| text.ty(types, lookup(types, *part)));
        self.word(close);
    }

    fn braced<T>(&mut self, word: &str, parts: &[T], each: impl FnMut(&mut Self, &T)) {
        self.word(word);
        self.word(" { ");
        self.separated(parts, each);
        self.word(" }");
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use super::*;

    #[test]
    fn a_signature_reads_like_wit() {
        let mut types = TypeTable::default();
        let byte = types.add(TypeDef::U8).unwrap();
        let bytes = types.add(TypeDef::List(byte)).unwrap();
        let u64 = types.add(TypeDef::U64).unwrap();
        let counts = types.add(TypeDef::Record(vec![("lines".into(), u64), ("words".into(), u64)])).unwrap();
        let error = types.add(TypeDef::Variant(vec![("empty".into(), None), ("bad".into(), Some(byte))])).unwrap();
        let result = types.add(TypeDef::Result { ok: Some(counts), error: Some(error) }).unwrap();
        let sig =
            Signature { name: "count-words".into(), params: vec![("text".into(), bytes)], result: Some(result), is_async: false };
        assert_eq!(
            signature_text(&types, &sig),
            "count-words: func(text: list<u8>) -> result<record { lines: u64, words: u64 }, variant { empty, bad(u8) }>"
        );
    }

    #[test]
    fn a_type_of_astronomic_length_is_cut() {
        let mut types = TypeTable::default();
        let mut last = types.add(TypeDef::U8).unwrap();
        for _ in 0..99 {
            last = types.add(TypeDef::Tuple(vec![last, last])).unwrap();
        }
        let text = type_text(&types, last);
        assert!(text.len() < LONGEST + 8 && text.ends_with('…'), "{} bytes", text.len());
        assert_eq!(type_text(&types, TypeId(9999)), "unknown");
    }
}

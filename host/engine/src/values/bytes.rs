//! `list<u8>` and `string` in JSON, and the escaping that all strings get.

use std::fmt;

use base64::Engine as _;
use serde::de::{self, DeserializeSeed, Deserializer, SeqAccess, Visitor};
use taskcell_wire::{TypeDef, TypeTable, is_hidden};

use super::error::ValueError;
use super::from_json::read;
use super::reading::{Reading, refuse_objects, refuse_scalars};
use super::seed::{Seed, at, base64};
use crate::value::Value;

/// Reads a `list<u8>`: a base64 string or an array of numbers from 0 to 255.
///
/// # Errors
/// What is wrong with the text and where.
pub fn bytes_from_json(json: &[u8]) -> Result<Vec<u8>, ValueError> {
    read(&TypeTable::default(), json, |reading, text| Bytes { reading }.deserialize(text))
}

/// Reads a `string`.
///
/// # Errors
/// What is wrong with the text and where.
pub fn string_from_json(json: &[u8]) -> Result<String, ValueError> {
    let seed = |reading: &Reading, text: &mut _| Seed::<true> { reading, def: &TypeDef::String }.deserialize(text);
    let value = read(&TypeTable::default(), json, seed)?;
    Ok(if let Value::String(text) = value { text } else { String::new() })
}

/// Appends bytes as a base64 string of at most `limit` bytes, quotes included.
///
/// # Errors
/// Too long; `out` is as before then.
pub fn bytes_to_json(bytes: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<(), ValueError> {
    match base64::encoded_len(bytes.len(), true) {
        Some(length) if length.saturating_add(2) <= limit => {
            put_base64(out, bytes);
            Ok(())
        }
        _ => Err(ValueError::too_long(limit)),
    }
}

/// Appends a text as a JSON string of at most `limit` bytes, quotes included.
///
/// # Errors
/// Too long; `out` is as before then.
pub fn string_to_json(text: &str, limit: usize, out: &mut Vec<u8>) -> Result<(), ValueError> {
    let start = out.len();
    if text.len() < limit {
        put_string(out, text);
        if out.len() - start <= limit {
            return Ok(());
        }
        out.truncate(start);
    }
    Err(ValueError::too_long(limit))
}

/// Appends bytes as a base64 string.
pub(super) fn put_base64(out: &mut Vec<u8>, bytes: &[u8]) {
    let start = out.len() + 1;
    out.push(b'"');
    out.resize(start + bytes.len().div_ceil(3) * 4, b'=');
    if let Some(room) = out.get_mut(start..) {
        // The room is exactly what padded base64 takes, so this can't fail.
        let written = base64::engine::general_purpose::STANDARD.encode_slice(bytes, room);
        debug_assert_eq!(written.ok(), Some(room.len()));
    }
    out.push(b'"');
}

/// Bytes that end a run of text that is copied as it is: what JSON wants escaped, and the first bytes of hidden characters.
static SPECIAL: [bool; 256] = {
    let mut special = [false; 256];
    let mut byte = 0;
    while byte < 0x20 {
        special[byte] = true;
        byte += 1;
    }
    special[b'"' as usize] = true;
    special[b'\\' as usize] = true;
    special[0x7f] = true;
    // U+0080 to U+009F, U+061C, U+200B to U+2069 and U+FEFF; a test looks that none is forgotten.
    special[0xc2] = true;
    special[0xd8] = true;
    special[0xe2] = true;
    special[0xef] = true;
    special
};

/// Appends a text as a JSON string without a raw [hidden](is_hidden) character.
pub(super) fn put_string(out: &mut Vec<u8>, text: &str) {
    out.reserve(text.len() + 2);
    out.push(b'"');
    let mut rest = text;
    while let Some(run) = rest.bytes().position(|byte| SPECIAL[usize::from(byte)]) {
        // A special byte is never inside of a character, so both parts are whole.
        let Some((plain, special)) = rest.split_at_checked(run) else { break };
        out.extend_from_slice(plain.as_bytes());
        let Some(c) = special.chars().next() else { break };
        match c {
            '"' => out.extend_from_slice(br#"\""#),
            '\\' => out.extend_from_slice(br"\\"),
            '\n' => out.extend_from_slice(br"\n"),
            '\r' => out.extend_from_slice(br"\r"),
            '\t' => out.extend_from_slice(br"\t"),
            hidden if is_hidden(hidden) => put_escape(out, hidden.into()),
            shown => out.extend_from_slice(shown.encode_utf8(&mut [0; 4]).as_bytes()),
        }
        rest = special.get(c.len_utf8()..).unwrap_or_default();
    }
    out.extend_from_slice(rest.as_bytes());
    out.push(b'"');
}

/// Appends a character below U+10000 as JSON's escape.
fn put_escape(out: &mut Vec<u8>, code: u32) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.extend_from_slice(br"\u");
    for shift in [12, 8, 4, 0] {
        out.push(DIGITS[(code >> shift) as usize & 15]);
    }
}

/// Reads bytes.
pub(super) struct Bytes<'r, 't> {
    pub(super) reading: &'r Reading<'t>,
}

const EXPECTED: &str = "list<u8> as base64 or an array";

impl<'de> DeserializeSeed<'de> for Bytes<'_, '_> {
    type Value = Vec<u8>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Vec<u8>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Bytes<'_, '_> {
    type Value = Vec<u8>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(EXPECTED)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Vec<u8>, E> {
        base64(self.reading, text)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<u8>, A::Error> {
        let mut bytes = Vec::new();
        let byte = Seed::<true> { reading: self.reading, def: &TypeDef::U8 };
        while let Some(value) = seq.next_element_seed(byte).map_err(at(self.reading, bytes.len()))? {
            if let Value::U8(value) = value {
                bytes.push(value);
            }
        }
        Ok(bytes)
    }

    fn visit_unit<E: de::Error>(self) -> Result<Vec<u8>, E> {
        Err(self.reading.unlike(EXPECTED, "null"))
    }

    refuse_scalars!(EXPECTED);
    refuse_objects!(EXPECTED);
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use super::super::is_printable_json;
    use super::*;

    fn string(text: &str) -> String {
        let mut out = Vec::new();
        string_to_json(text, 1000, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_moves_a_cursor_is_escaped() {
        assert_eq!(string("a\"b\\c\n\r\t\u{8}\u{1b}\u{7f}"), r#""a\"b\\c\n\r\t\u0008\u001b\u007f""#);
        assert_eq!(
            string("\u{80}\u{9f}\u{a0}\u{2028}\u{202a}\u{61c}\u{feff}é€😀"),
            "\"\\u0080\\u009f\u{a0}\\u2028\\u202a\\u061c\\ufeffé€😀\""
        );
    }

    #[test]
    fn every_character_reads_back() {
        for c in (0..=0x10_ffff).filter_map(char::from_u32) {
            let text = c.to_string();
            let json = string(&text);
            assert_eq!(string_from_json(json.as_bytes()).unwrap(), text);
            assert!(!json.chars().any(is_hidden), "{json:?}");
            assert!(
                is_printable_json(json.as_bytes()) && is_hidden(c) != is_printable_json(format!("\"{c}\"").as_bytes())
                    || "\"\\".contains(c)
            );
        }
    }

    #[test]
    fn bytes_are_base64_or_an_array() {
        let mut out = b"x".to_vec();
        bytes_to_json(b"any carnal pleas", 26, &mut out).unwrap();
        assert_eq!(out, br#"x"YW55IGNhcm5hbCBwbGVhcw==""#);
        assert_eq!(bytes_from_json(br#""YW55IGNhcm5hbCBwbGVhcw==""#).unwrap(), b"any carnal pleas");
        assert_eq!(bytes_from_json(b"[0, 255]").unwrap(), [0, 255]);
        assert_eq!(bytes_from_json(b"[1,256]").unwrap_err().to_string(), "at [1]: expected u8, found 256 (0 to 255)");
        assert!(bytes_to_json(b"any carnal pleas", 25, &mut out).is_err());
        assert_eq!(out.len(), 27);
    }

    #[test]
    fn a_limit_counts_what_is_appended() {
        let mut out = vec![b' '; 10];
        assert!(string_to_json("abc", 4, &mut out).is_err());
        assert!(string_to_json("ab\u{1}", 9, &mut out).is_err());
        assert_eq!(out.len(), 10);
        assert!(string_to_json("ab\u{1}", 10, &mut out).is_ok());
    }
}

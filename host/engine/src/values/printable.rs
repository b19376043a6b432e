//! Whether bytes that a worker sent may be printed as a result.
//!
//! A worker may be hijacked, and its results go to a terminal or into a file of records: what is printed must be one JSON value
//! on one line, and nothing in it may move a cursor, end a line or begin another record.

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use taskcell_wire::is_hidden;

/// Whether the bytes are one JSON value in UTF-8 without a raw [hidden](is_hidden) character.
///
/// Every reader of JSON should take what this lets through, so texts are decoded (half a surrogate pair is refused), and so is
/// nesting over 127 levels, which is also as deep as values go.
#[must_use]
pub fn is_printable_json(bytes: &[u8]) -> bool {
    if plain_integer(bytes) {
        return true;
    }
    let mut control = false;
    let mut ascii = true;
    // No early way out, so that the loop is done in vectors.
    for byte in bytes {
        control |= *byte < 0x20 || *byte == 0x7f;
        ascii &= *byte < 0x80;
    }
    !control && (ascii || is_printable_utf8(bytes)) && is_json(bytes)
}

/// Skips a value without escapes or nesting, which is the common case; decodes any other.
fn is_json(bytes: &[u8]) -> bool {
    let nested = bytes.iter().filter(|byte| matches!(byte, b'[' | b'{')).count() > 100;
    if nested || bytes.contains(&b'\\') {
        serde_json::from_slice::<Decoded>(bytes).is_ok()
    } else {
        serde_json::from_slice::<IgnoredAny>(bytes).is_ok()
    }
}

/// Any JSON value, decoded in full and forgotten; serde_json caps the depth.
struct Decoded;

impl<'de> Deserialize<'de> for Decoded {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for Decoded {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self, A::Error> {
        while items.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self, A::Error> {
        while entries.next_entry::<Self, Self>()?.is_some() {}
        Ok(self)
    }
}

fn plain_integer(bytes: &[u8]) -> bool {
    let digits = bytes.strip_prefix(b"-").unwrap_or(bytes);
    let lone_or_nonzero = digits.len() == 1 || digits.first() != Some(&b'0');
    !digits.is_empty() && digits.len() <= 20 && lone_or_nonzero && digits.iter().all(u8::is_ascii_digit)
}

fn is_printable_utf8(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok_and(|text| !text.chars().any(is_hidden))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_value_on_one_line() {
        for good in
            ["0", "-1", "18446744073709551615", "-0", "1.5e-7", "null", r#"{"a":[1,"é€😀\u001b",true]}"#, " 1", "\"\u{a0}\""]
        {
            assert!(is_printable_json(good.as_bytes()), "{good:?}");
        }
        for bad in [
            "",
            "-",
            "01",
            "+1",
            "1 2",
            "1\n",
            "\t1",
            "\"\u{1b}[31m\"",
            "\"\u{7f}\"",
            "\"\u{85}\"",
            "\"\u{9b}31m\"",
            "\"\u{2028}\"",
            "\"\u{202e}\"",
            "\"\u{61c}\"",
            "\"\u{feff}\"",
            "{",
            "nan",
            "[1,]",
            "'a'",
            "1\n{\"index\":2}",
            "\"\\udddd\"",
            "{\"\\ud800\":1}",
        ] {
            assert!(!is_printable_json(bad.as_bytes()), "{bad:?}");
        }
        assert!(!is_printable_json(b"\"\xff\""));
        assert!(!is_printable_json(b"\"\xc2\""));
    }

    #[test]
    fn depth_is_harmless() {
        assert!(!is_printable_json(&vec![b'['; 1_000_000]));
        let closed = [vec![b'['; 1_000_000], vec![b']'; 1_000_000]].concat();
        assert!(!is_printable_json(&closed));
        let levels = |depth: usize| [vec![b'['; depth], vec![b']'; depth]].concat();
        assert!(is_printable_json(&levels(127)));
        assert!(!is_printable_json(&levels(128)));
    }
}

//! Characters that no output of ours contains raw: the one list for terminals, records, results and `ps`.
//!
//! Invariant: text of a guest can't move a cursor, end a line, change the direction of the text around it or hide in it.

use std::borrow::Cow;

/// Whether a character is a control (C0, DEL, C1), a separator of lines, or invisible: marks, joiners and overrides of the
/// direction of text, spaces without width.
///
/// All of them are below U+10000, so JSON writes each as one `\uXXXX`.
#[must_use]
pub const fn is_hidden(c: char) -> bool {
    matches!(
        c,
        '\0'..='\u{1f}'
            | '\u{7f}'..='\u{9f}'
            | '\u{61c}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{2064}'
            | '\u{2066}'..='\u{2069}'
            | '\u{feff}'
    )
}

/// A text with hidden characters but tabs written as Rust writes them (`\u{202e}`, `\n`).
#[must_use]
pub fn visible(text: &str) -> Cow<'_, str> {
    replaced(text, |c| is_hidden(c) && c != '\t', |c, out| out.extend(c.escape_default()))
}

/// JSON with hidden characters in its strings written as `\uXXXX`; its values are the same. White space between values stays.
#[must_use]
pub fn visible_json(json: &str) -> Cow<'_, str> {
    let is_raw = |c: char| is_hidden(c) && !matches!(c, '\t' | '\n' | '\r');
    replaced(json, is_raw, |c, out| out.push_str(&format!("\\u{:04x}", u32::from(c))))
}

fn replaced(text: &str, is_replaced: impl Fn(char) -> bool, replace: impl Fn(char, &mut String)) -> Cow<'_, str> {
    if !text.chars().any(&is_replaced) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_replaced(c) { replace(c, &mut out) } else { out.push(c) }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_hidden_is_written_out_and_all_else_stays() {
        assert_eq!(visible("a\x1b[31mb\nc\u{9b}d\u{202e}e\tf"), "a\\u{1b}[31mb\\nc\\u{9b}d\\u{202e}e\tf");
        assert_eq!(visible("\u{61c}\u{200f}\u{200b}\u{2060}\u{feff}"), "\\u{61c}\\u{200f}\\u{200b}\\u{2060}\\u{feff}");
        assert!(matches!(visible("plain \u{e9}\u{20ac}\u{2010}\u{206a}\u{1f600}"), Cow::Borrowed(_)));
    }

    #[test]
    fn json_keeps_its_values() {
        assert_eq!(visible_json("{\"a\":\"\u{202e}b\u{7f}\"}\n"), "{\"a\":\"\\u202eb\\u007f\"}\n");
        assert_eq!(visible_json("[1, 2]\n"), "[1, 2]\n");
    }
}

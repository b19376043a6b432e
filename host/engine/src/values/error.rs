//! What was wrong with a value or a call, and where: made for a one-line message, and plain enough to be put into a record.

/// The sort of fault, for those who count or translate them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ValueErrorKind {
    /// The text is not JSON.
    Syntax,
    /// It is JSON, but not of the type.
    Type,
    /// It is a number, but not one that the type holds.
    Range,
    /// It nests deeper than anything that can be read back.
    TooDeep,
    /// It has more bytes or parts than allowed.
    TooLong,
    /// The text is not UTF-8.
    NotUtf8,
}

/// Why a text is not a value of a type, or a value can't be written.
///
/// `Display` gives one line without control characters, e.g. `at [3].name: expected u8, found 300 (0 to 255)`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}expected {expected}, found {found}{}", place(path, *at, *kind), aside(note))]
pub struct ValueError {
    /// Where inside the value, e.g. `[3].name`; empty for the value as a whole.
    pub path: String,
    /// What the type asks for.
    pub expected: String,
    /// What is there instead, cut to about 40 characters and escaped.
    pub found: String,
    /// More that helps, e.g. the range of an integer type; often empty.
    pub note: String,
    /// Offset in bytes from the start of the text: of the wrong byte if it is not JSON, else of about the wrong value's end.
    pub at: Option<usize>,
    /// The sort of fault.
    pub kind: ValueErrorKind,
}

impl ValueError {
    /// The text or value is over its limit.
    pub(super) fn too_long(limit: usize) -> Self {
        Self {
            path: String::new(),
            expected: format!("at most {limit} bytes of JSON"),
            found: "more".into(),
            note: String::new(),
            at: None,
            kind: ValueErrorKind::TooLong,
        }
    }
}

fn place(path: &str, at: Option<usize>, kind: ValueErrorKind) -> String {
    // Inside well-formed JSON the path says it better than a column does.
    let column = match (kind, at) {
        (ValueErrorKind::Syntax | ValueErrorKind::NotUtf8, Some(at)) => format!("column {}", at.saturating_add(1)),
        _ => String::new(),
    };
    match (path.is_empty(), column.is_empty()) {
        (true, true) => String::new(),
        (true, false) => format!("at {column}: "),
        (false, true) => format!("at {path}: "),
        (false, false) => format!("at {path}, {column}: "),
    }
}

fn aside(note: &str) -> String {
    if note.is_empty() { String::new() } else { format!(" ({note})") }
}

/// Why a call in WAVE can't be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The text is not of the form `name(arguments)`.
    #[error("at column {column}: {what}")]
    Syntax {
        /// What is wrong.
        what: String,
        /// In characters from 1.
        column: usize,
    },
    /// There is no such task.
    #[error("no task is named {}", shown(name))]
    UnknownTask {
        /// The name that was asked for.
        name: String,
        /// The names of all tasks, to find the nearest among.
        known: Vec<String>,
    },
    /// The name fits several tasks.
    #[error("{} could be any of {}", shown(name), listed(candidates))]
    Ambiguous {
        /// The name that was asked for.
        name: String,
        /// The full names that it fits.
        candidates: Vec<String>,
    },
    /// Too few or too many arguments.
    #[error("at column {column}: `{}` takes {}, found {found}", cut(task, NAME), counted(*expected))]
    Arity {
        /// The task's name.
        task: String,
        /// How many parameters it has.
        expected: usize,
        /// How many arguments there are.
        found: usize,
        /// Where the surplus begins or the missing one should be, in characters from 1.
        column: usize,
    },
    /// An argument is not of its parameter's type.
    #[error("at column {column}: `{}`: {error}", cut(parameter, NAME))]
    Argument {
        /// The parameter's name.
        parameter: String,
        /// What is wrong with the value.
        error: Box<ValueError>,
        /// Where the wrong part begins, in characters from 1.
        column: usize,
    },
}

fn counted(n: usize) -> String {
    if n == 1 { "1 argument".into() } else { format!("{n} arguments") }
}

fn listed(names: &[String]) -> String {
    let names: Vec<String> = names.iter().take(10).map(|name| cut(name, NAME)).collect();
    names.join(", ")
}

/// How much of a name is repeated in an error, in characters.
const NAME: usize = 100;
/// How much of a foreign text is repeated in an error, in characters.
const SHOWN: usize = 40;

/// A foreign text in quotes, escaped for a terminal and cut.
pub(super) fn shown(text: &str) -> String {
    let mut out = String::with_capacity(text.len().min(SHOWN) + 2);
    out.push('"');
    out.push_str(&cut(text, SHOWN));
    out.push('"');
    out
}

/// The first `most` characters of a text, escaped for a terminal, with a mark where something was left out.
pub(super) fn cut(text: &str, most: usize) -> String {
    let mut out = String::new();
    for (count, c) in text.chars().enumerate() {
        if count == most {
            out.push('…');
            break;
        }
        if c == '\'' {
            out.push(c);
        } else {
            // Debug escaping covers quotes, controls, line separators and what reorders text.
            out.extend(c.escape_debug());
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_is_cut_and_escaped() {
        assert_eq!(shown("it's \u{1b}[31m \u{2028}\u{9b}"), "\"it's \\u{1b}[31m \\u{2028}\\u{9b}\"");
        assert_eq!(shown(&"é".repeat(41)), format!("\"{}…\"", "é".repeat(40)));
    }

    #[test]
    fn an_error_is_one_line() {
        let mut error = ValueError {
            path: "[3].name".into(),
            expected: "u8".into(),
            found: "300".into(),
            note: "0 to 255".into(),
            at: Some(7),
            kind: ValueErrorKind::Range,
        };
        assert_eq!(error.to_string(), "at [3].name: expected u8, found 300 (0 to 255)");
        error.kind = ValueErrorKind::Syntax;
        error.note.clear();
        assert_eq!(error.to_string(), "at [3].name, column 8: expected u8, found 300");
    }
}

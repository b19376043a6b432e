//! What every shared object has: answers to calls, and a name for people.

use std::fmt;

use taskcell_wire::call::{CallError, CallId, ObjectId};

use crate::quotas::NAME_CHARS;

/// The one answer to a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completion<R> {
    /// Which call.
    pub call: CallId,
    /// Its answer.
    pub result: Result<R, CallError>,
}

/// Answers, in the order in which they were found. A call's answer may be for it or for any call that it let go on.
pub type Completions<R> = Vec<Completion<R>>;

/// Adds an answer.
pub(crate) fn answer<R>(out: &mut Completions<R>, call: CallId, result: Result<R, CallError>) {
    out.push(Completion { call, result });
}

/// How an object is named where somebody waits on it: `queue 3 "results"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    kind: &'static str,
    id: ObjectId,
    name: Option<String>,
}

impl Label {
    /// A label; a guest chose the name, so it is cut, and what a terminal would obey is written as an escape.
    #[must_use]
    pub fn new(kind: &'static str, id: ObjectId, name: Option<&str>) -> Self {
        let name = name.map(|name| name.chars().take(NAME_CHARS).flat_map(char::escape_debug).collect());
        Self { kind, id, name }
    }

    /// The object's number.
    #[must_use]
    pub fn id(&self) -> ObjectId {
        self.id
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.id.0)?;
        self.name.as_ref().map_or(Ok(()), |name| write!(f, " \"{name}\""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_says_what_which_and_how_it_is_called() {
        assert_eq!(Label::new("queue", ObjectId(3), Some("results")).to_string(), "queue 3 \"results\"");
        assert_eq!(Label::new("lock", ObjectId(4), None).to_string(), "lock 4");
    }

    #[test]
    fn a_name_can_not_write_to_a_terminal_nor_fill_it() {
        let label = Label::new("queue", ObjectId(1), Some("a\"b\u{1b}[2J\n")).to_string();
        assert_eq!(label, "queue 1 \"a\\\"b\\u{1b}[2J\\n\"");
        assert!(Label::new("queue", ObjectId(1), Some(&"x".repeat(10_000))).to_string().len() < 100);
    }
}

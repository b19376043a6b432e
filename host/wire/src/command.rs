//! What a command is given: a program that knows nothing of tasks, run once as a task.
//!
//! Arguments and standard input differ from task to task, so they travel as its input, not with the worker's boot message as those of
//! the one program of `taskcell run` do.

use serde::{Deserialize, Serialize};

/// One command's input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandInput<'a> {
    /// Its arguments, the program's name first; without NUL bytes, which WASI p1 ends them with.
    #[serde(borrow)]
    pub args: Vec<&'a str>,
    /// All that it can read as its standard input.
    #[serde(borrow, serialize_with = "crate::codec::raw")]
    pub stdin: &'a [u8],
}

impl CommandInput<'_> {
    /// As one input in [`Encoding::Command`](crate::Encoding::Command).
    #[must_use]
    pub fn item(&self) -> Vec<u8> {
        // A vector grows as needed, and these types have no part that postcard can't write.
        postcard::to_stdvec(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use super::*;

    #[test]
    fn a_command_comes_back_as_it_went() {
        for input in [
            CommandInput { args: vec!["sort", "-r", "", "\u{e9}"], stdin: b"b\na\n\xff" },
            CommandInput { args: Vec::new(), stdin: b"" },
        ] {
            assert_eq!(crate::codec::decode::<CommandInput<'_>>(&input.item()).unwrap(), input);
        }
    }
}

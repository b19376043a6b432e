//! From an input to a program's arguments and standard input.
//!
//! As with xargs and GNU parallel: `{}` in an argument stands for the input, and an input that stands nowhere comes last. An
//! argument is never split or read by a shell: what is one input stays one argument, with whatever is in it.

use taskcell::{Command, Component};

/// Where the input goes.
const PLACE: &str = "{}";

/// How a program is run for each input.
#[derive(Debug, Clone)]
pub(crate) struct Template {
    component: Component,
    args: Vec<String>,
    /// The input's text goes to standard input, if no file's content does.
    stdin: bool,
    /// Inputs are JSON: a text, or an array of them.
    json: bool,
    has_place: bool,
}

impl Template {
    pub(crate) fn new(component: &Component, args: Vec<String>, stdin: bool, json: bool) -> Self {
        let has_place = args.iter().any(|arg| arg.contains(PLACE));
        Self { component: component.clone(), args, stdin, json, has_place }
    }

    /// The program's task for an input; `content` is the file that it names. The error is for people.
    pub(crate) fn item(&self, input: &[u8], content: Option<Vec<u8>>) -> Result<Vec<u8>, String> {
        let is_read = self.stdin || content.is_some();
        let mut command = Command::new();
        if self.has_place || !is_read {
            command = self.arguments(command, &self.texts(input)?)?;
        } else {
            command = command.args(self.args.iter().cloned());
        }
        if let Some(content) = content {
            command = command.stdin(content);
        } else if self.stdin {
            // A line ends; programs that read lines count on it.
            let mut line = if self.json { self.texts(input)?.join("\n").into_bytes() } else { input.to_vec() };
            line.push(b'\n');
            command = command.stdin(line);
        }
        command.item(&self.component)
    }

    /// The texts that an input consists of.
    fn texts(&self, input: &[u8]) -> Result<Vec<String>, String> {
        if !self.json {
            return match std::str::from_utf8(input) {
                Ok(text) => Ok(vec![text.to_owned()]),
                Err(error) => Err(format!("expected UTF-8 text, found another byte at {}", error.valid_up_to())),
            };
        }
        if input.trim_ascii_start().starts_with(b"[") {
            return serde_json::from_slice(input).map_err(|error| format!("expected an array of texts: {error}"));
        }
        serde_json::from_slice(input)
            .map(|text| vec![text])
            .map_err(|error| format!("expected a text or an array of texts: {error}"))
    }

    fn arguments(&self, mut command: Command, texts: &[String]) -> Result<Command, String> {
        for arg in &self.args {
            if arg == PLACE {
                command = command.args(texts);
            } else if arg.contains(PLACE) {
                let [text] = texts else {
                    return Err(format!("{} texts can't stand inside of one argument, {arg:?}", texts.len()));
                };
                command = command.arg(arg.replace(PLACE, text));
            } else {
                command = command.arg(arg);
            }
        }
        Ok(if self.has_place { command } else { command.args(texts) })
    }
}

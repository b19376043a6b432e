//! `--records`: one JSON object for every input, whatever became of it.

use taskcell::{Attempt, Cause, TaskEnd, TaskError};
use taskcell_engine::values;

use crate::guest_output::Captured;

/// Appends a task's record and a line end.
///
/// `{"index":0,"input":"a.txt","ok":RESULT,"attempts":1,"ms":0.012,"stdout":"..","stderr":".."}`, with `"error":{"kind":..,"message":..}`
/// instead of `ok` if it failed; `input` with `--files` only, what was printed only if there is any; and
/// `"failed_attempts":[{"pid":..,"cause":"death","message":..,"ms":..}]` if there are any.
pub(crate) fn write(end: &TaskEnd<'_>, input: Option<&str>, captured: Option<&Captured>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"index\":");
    out.extend_from_slice(end.index.to_string().as_bytes());
    if let Some(input) = input {
        out.extend_from_slice(b",\"input\":");
        text(input, out);
    }
    match &end.result {
        Ok(json) => {
            out.extend_from_slice(b",\"ok\":");
            out.extend_from_slice(json);
        }
        Err(error) => {
            out.extend_from_slice(b",\"error\":{\"kind\":");
            text(error.kind(), out);
            out.extend_from_slice(b",\"message\":");
            text(&error.to_string(), out);
            if let TaskError::Failed { json } = error {
                out.extend_from_slice(b",\"value\":");
                out.extend_from_slice(json.as_bytes());
            }
            out.push(b'}');
        }
    }
    out.extend_from_slice(b",\"attempts\":");
    out.extend_from_slice(end.attempts.to_string().as_bytes());
    out.extend_from_slice(b",\"ms\":");
    // Thousandths of a millisecond: what the worker's clock can tell.
    let us = end.nanoseconds / 1000;
    out.extend_from_slice(format!("{}.{:03}", us / 1000, us % 1000).as_bytes());
    if !end.failed.is_empty() {
        out.extend_from_slice(b",\"failed_attempts\":[");
        for (at, attempt) in end.failed.iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            failed_attempt(attempt, out);
        }
        out.push(b']');
    }
    if let Some(captured) = captured {
        for (name, bytes) in [("stdout", &captured.stdout), ("stderr", &captured.stderr)] {
            if !bytes.is_empty() {
                out.extend_from_slice(format!(",\"{name}\":").as_bytes());
                text(&String::from_utf8_lossy(bytes), out);
            }
        }
    }
    out.extend_from_slice(b"}\n");
}

fn failed_attempt(attempt: &Attempt, out: &mut Vec<u8>) {
    let (cause, message) = match &attempt.cause {
        Cause::Death(how) => ("death", how.as_str()),
        Cause::Timeout => ("timeout", ""),
        Cause::Trap => ("trap", ""),
        Cause::Error => ("error", ""),
    };
    out.extend_from_slice(format!("{{\"pid\":{},\"cause\":\"{cause}\"", attempt.pid).as_bytes());
    if !message.is_empty() {
        out.extend_from_slice(b",\"message\":");
        text(message, out);
    }
    out.extend_from_slice(format!(",\"ms\":{}}}", attempt.ran.0 / 1_000_000).as_bytes());
}

fn text(text: &str, out: &mut Vec<u8>) {
    // A text is always a JSON string; only a limit could fail, and there is none.
    let _ = values::string_to_json(text, usize::MAX, out);
}

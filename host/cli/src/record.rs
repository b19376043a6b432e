//! `--records`: one JSON object for every input, whatever became of it.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use taskcell::{Attempt, Cause, TaskEnd, TaskError, Written};
use taskcell_engine::values;

use crate::guest_output::Captured;

/// Appends a function's record and a line end.
///
/// `{"index":0,"input":"a.txt","ok":RESULT,"attempts":1,"ms":0.012,"stdout":"..","stderr":".."}`, with `"error":{"kind":..,"message":..}`
/// instead of `ok` if it failed; `input` with `--files` only, what was printed only if there is any; and
/// `"failed_attempts":[{"pid":..,"cause":"death","message":..,"ms":..}]` if there are any.
pub(crate) fn write(end: &TaskEnd<'_>, input: Option<&str>, captured: Option<&Captured>, out: &mut Vec<u8>) {
    begin(end, input, out);
    if let Ok(json) = &end.result {
        out.extend_from_slice(b",\"ok\":");
        out.extend_from_slice(json);
    }
    attempts(end, out);
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

/// Appends a command's record and a line end.
///
/// `{"index":0,"input":"a.txt","code":0,"attempts":1,"ms":0.012,"stdout":"..","stderr":".."}`, with `"error":{"kind":..,"message":..}` before
/// the code if it is not 0, and the code `null` if the command did not end by itself. What is no UTF-8 text stands under
/// `stdout_base64` or `stderr_base64`. Without `stderr` if that goes elsewhere.
pub(crate) fn write_command(end: &TaskEnd<'_>, input: Option<&str>, with_stderr: bool, out: &mut Vec<u8>) {
    begin(end, input, out);
    out.extend_from_slice(b",\"code\":");
    match end.result.as_ref().map_or_else(TaskError::exit_code, |_| Some(0)) {
        Some(code) => out.extend_from_slice(code.to_string().as_bytes()),
        None => out.extend_from_slice(b"null"),
    }
    attempts(end, out);
    // One that never ran wrote nothing.
    let nothing = Written::default();
    let written = end.written.unwrap_or(&nothing);
    stream("stdout", &written.stdout, out);
    if with_stderr {
        stream("stderr", &written.stderr, out);
    }
    out.extend_from_slice(b"}\n");
}

fn stream(name: &str, bytes: &[u8], out: &mut Vec<u8>) {
    match std::str::from_utf8(bytes) {
        Ok(utf8) => {
            out.extend_from_slice(format!(",\"{name}\":").as_bytes());
            text(utf8, out);
        }
        Err(_) => {
            out.extend_from_slice(format!(",\"{name}_base64\":\"{}\"", BASE64.encode(bytes)).as_bytes());
        }
    }
}

fn begin(end: &TaskEnd<'_>, input: Option<&str>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"index\":");
    out.extend_from_slice(end.index.to_string().as_bytes());
    if let Some(input) = input {
        out.extend_from_slice(b",\"input\":");
        text(input, out);
    }
    if let Err(error) = &end.result {
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

fn attempts(end: &TaskEnd<'_>, out: &mut Vec<u8>) {
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

//! A call in WAVE, e.g. `fib(30)` or `wasi:cli/run.run@0.2.0()`, becomes a task and its arguments in JSON.
//!
//! The notation is that of `wasmtime run --invoke`, parsed by the same crate. The arguments are then typed against our own table,
//! since the supervisor has no engine type at hand, and travel as JSON like all others: one form to check and one to read in a
//! worker.

use taskcell_wire::{Interface, Signature, TaskIndex, TypeDef};
use wasm_wave::ast::Node;
use wasm_wave::parser::{Parser, ParserError, ParserErrorKind};
use wasm_wave::untyped::UntypedValue;

use super::error::{CallError, shown};
use super::lookup;
use super::wave_text::{Misfit, put_node};

/// Finds the task of a call, and its arguments as a JSON text as [`arguments_from_json`](super::arguments_from_json) reads it.
///
/// Arguments of option type may be left out at the end, as `wasmtime run --invoke` allows.
///
/// # Errors
/// What is wrong with the call and where; an unknown name comes with all known ones.
pub fn call_from_wave(interface: &Interface, text: &str) -> Result<(TaskIndex, Vec<u8>), CallError> {
    let Some(open) = text.find('(') else {
        return Err(CallError::Syntax {
            what: "expected `(`, as in `name(argument, ...)`".into(),
            column: column(text, text.len()),
        });
    };
    let (name, _) = text.split_at(open);
    let task = find_task(interface, name.trim())?;
    let Some(sig) = interface.tasks.get(usize::from(task.0)) else {
        return Err(CallError::UnknownTask { name: name.trim().to_owned(), known: known(interface) });
    };
    // Blanks in place of the name keep every offset true.
    let source = format!("{}{}", " ".repeat(open), text.get(open..).unwrap_or_default());
    let at = |offset| column(text, offset);
    let parsed = match UntypedValue::parse(&source) {
        Ok(value) => Some(value),
        Err(error) if is_empty_list(&error, open) => {
            let end = error.span().end;
            let rest = source.get(end..).unwrap_or_default();
            // As the parser sees it, so that a comment may follow.
            if let Err(error) = Parser::new(rest).finish() {
                return Err(CallError::Syntax { what: message(&error, rest), column: at(end + error.span().start) });
            }
            None
        }
        Err(error) => return Err(CallError::Syntax { what: message(&error, &source), column: at(error.span().start) }),
    };
    let arguments: Vec<&Node> = match &parsed {
        Some(value) => value.node().as_tuple().map(Iterator::collect).unwrap_or_default(),
        None => Vec::new(),
    };
    let end = parsed.as_ref().map_or(source.len(), |value| value.node().span().end);
    let json = arguments_to_json(interface, sig, &arguments, &source, (&at, end))?;
    Ok((task, json))
}

fn arguments_to_json(
    interface: &Interface,
    sig: &Signature,
    arguments: &[&Node],
    source: &str,
    (at, end): (&dyn Fn(usize) -> usize, usize),
) -> Result<Vec<u8>, CallError> {
    let types = &interface.types;
    let arity = |offset| CallError::Arity {
        task: sig.name.clone(),
        expected: sig.params.len(),
        found: arguments.len(),
        column: at(offset),
    };
    if let Some(surplus) = arguments.get(sig.params.len()) {
        return Err(arity(surplus.span().start));
    }
    let mut json = Vec::new();
    for (index, (name, ty)) in sig.params.iter().enumerate() {
        if index > 0 {
            json.push(b',');
        }
        match (arguments.get(index), lookup(types, *ty)) {
            (Some(node), _) => put_node(types, *ty, node, source, &mut json).map_err(|misfit| {
                let Misfit { error, span } = *misfit;
                CallError::Argument { parameter: name.clone(), error: Box::new(error), column: at(span.start) }
            })?,
            (None, TypeDef::Option(_)) => json.extend_from_slice(b"null"),
            (None, _) => return Err(arity(end.saturating_sub(1))),
        }
    }
    match sig.params.len() {
        0 => json.extend_from_slice(b"null"),
        1 => {}
        _ => {
            json.insert(0, b'[');
            json.push(b']');
        }
    }
    Ok(json)
}

/// Finds a task by its name: `function`, `interface#function` as `inspect` prints it, or
/// `package:name/interface.function@version` as `wasmtime run --invoke` writes it. Package and version may be left out where that
/// leaves one task.
///
/// # Errors
/// None has the name, or several have.
pub fn find_task(interface: &Interface, name: &str) -> Result<TaskIndex, CallError> {
    let exact = interface.tasks.iter().position(|sig| sig.name == name);
    let wanted = Name::parse(name);
    let fitting: Vec<usize> = match exact {
        Some(exact) => vec![exact],
        None => (0..).zip(&interface.tasks).filter(|(_, sig)| wanted.fits(&Name::parse(&sig.name))).map(|(at, _)| at).collect(),
    };
    match fitting.as_slice() {
        [one] => u16::try_from(*one)
            .map(TaskIndex)
            .map_err(|_| CallError::UnknownTask { name: name.to_owned(), known: known(interface) }),
        [] => Err(CallError::UnknownTask { name: name.to_owned(), known: known(interface) }),
        several => {
            let candidates = several.iter().filter_map(|at| interface.tasks.get(*at)).map(|sig| sig.name.clone()).collect();
            Err(CallError::Ambiguous { name: name.to_owned(), candidates })
        }
    }
}

fn known(interface: &Interface) -> Vec<String> {
    interface.tasks.iter().map(|sig| sig.name.clone()).collect()
}

/// The parts of a task's name.
struct Name<'n> {
    /// `package:name/interface` or `interface`.
    instance: Option<&'n str>,
    version: Option<&'n str>,
    function: &'n str,
}

impl<'n> Name<'n> {
    fn parse(name: &'n str) -> Self {
        if let Some((instance, function)) = name.split_once('#') {
            let (instance, version) = split_version(instance);
            return Self { instance: Some(instance), version, function };
        }
        let (path, version) = split_version(name);
        match path.split_once('.') {
            Some((instance, function)) => Self { instance: Some(instance), version, function },
            None => Self { instance: None, version, function: path },
        }
    }

    /// Whether this name, as it was asked for, fits that of a task.
    fn fits(&self, task: &Self) -> bool {
        let instance = match (self.instance, task.instance) {
            (None, _) => true,
            (Some(asked), Some(have)) => asked == have || have.rsplit_once('/').is_some_and(|(_, interface)| interface == asked),
            (Some(_), None) => false,
        };
        instance && self.function == task.function && (self.version.is_none() || self.version == task.version)
    }
}

fn split_version(name: &str) -> (&str, Option<&str>) {
    name.split_once('@').map_or((name, None), |(name, version)| (name, Some(version)))
}

/// wasm-wave knows no empty tuple, and so calls the list of no arguments an error.
fn is_empty_list(error: &ParserError, open: usize) -> bool {
    error.kind() == ParserErrorKind::EmptyTuple && error.span().start == open
}

fn message(error: &ParserError, source: &str) -> String {
    let kind = error.kind();
    let there = source.get(error.span()).unwrap_or_default();
    if there.is_empty() { kind.to_string() } else { format!("{kind}: {}", shown(there)) }
}

/// An offset in bytes as a column in characters from 1.
fn column(text: &str, offset: usize) -> usize {
    text.char_indices().take_while(|(at, _)| *at < offset).count() + 1
}

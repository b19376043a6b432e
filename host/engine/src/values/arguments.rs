//! Arguments that a guest pushed one by one, against the parameters of a task.
//!
//! The supervisor checks them when a task is spawned, so that the one who spawned it is told what does not fit and where; the worker
//! reads them into values by the same rules. A task without parameters takes one `none` as well: that is how such a task is mapped.

use taskcell_wire::call::{HandleKind, RunArgument, TaskValue};
use taskcell_wire::{Signature, TypeDef, TypeId, TypeTable};

use super::error::cut;
use super::from_json::{check_value, value_from_json};
use super::text::brief;
use super::{is_byte, is_string, lookup};
use crate::host::Given;
use crate::value::Value;

pub use taskcell_wire::call::CheckedArgument;

/// Checks all arguments of a task: their number, and each as [`check_argument`] does.
///
/// # Errors
/// What does not fit, in one line.
pub fn check_arguments(types: &TypeTable, signature: &Signature, arguments: &[CheckedArgument<'_>]) -> Result<(), String> {
    if is_nothing(signature, matches!(arguments, [CheckedArgument::Value(TaskValue::None)])) {
        return Ok(());
    }
    check_count(signature, arguments.len())?;
    (0..).zip(arguments).try_for_each(|(place, argument)| check_argument(types, signature, place, argument))
}

/// Checks one argument against the parameter at its place.
///
/// # Errors
/// Which parameter, what it takes and what was found, in one line.
pub fn check_argument(
    types: &TypeTable,
    signature: &Signature,
    place: usize,
    argument: &CheckedArgument<'_>,
) -> Result<(), String> {
    if place == 0 && is_nothing(signature, matches!(argument, CheckedArgument::Value(TaskValue::None))) {
        return Ok(());
    }
    let Some((_, ty)) = signature.params.get(place) else {
        return check_count(signature, place.saturating_add(1));
    };
    let checked = match argument {
        CheckedArgument::Handle(kind) => is_borrowed(types, *ty, *kind).map(drop),
        CheckedArgument::Value(value) => match plain(types, *ty, value) {
            Some(fits) => fits.map(drop),
            None => json(value, |json| check_value(types, *ty, json)).map(drop),
        },
    };
    checked.map_err(|why| wrong(signature, place, &why))
}

/// Reads the arguments of a task into values. Those that are handles are told, and take their place once there is an instance.
pub(crate) fn pushed_arguments(
    types: &TypeTable,
    signature: &Signature,
    arguments: &[RunArgument<'_>],
    out: &mut Vec<Value>,
) -> Result<Vec<Given>, String> {
    out.clear();
    if is_nothing(signature, matches!(arguments, [RunArgument::Value(TaskValue::None)])) {
        return Ok(Vec::new());
    }
    check_count(signature, arguments.len())?;
    let mut given = Vec::new();
    for (place, ((_, ty), argument)) in signature.params.iter().zip(arguments).enumerate() {
        let read = match argument {
            RunArgument::Handle(kind, id) => is_borrowed(types, *ty, *kind).map(|is_borrowed| {
                given.push(Given { place, kind: *kind, id: *id, is_borrowed });
                Value::Handle(*kind, u32::MAX)
            }),
            RunArgument::Value(value) => match plain(types, *ty, value) {
                Some(Ok(Plain::Bytes(bytes))) => Ok(Value::Bytes(bytes.to_vec())),
                Some(Ok(Plain::Text(text))) => Ok(Value::String(text.to_owned())),
                Some(Err(why)) => Err(why),
                None => json(value, |json| value_from_json(types, *ty, json)),
            },
        };
        out.push(read.map_err(|why| wrong(signature, place, &why))?);
    }
    Ok(given)
}

/// Whether a single `none` is as good as no argument.
fn is_nothing(signature: &Signature, is_none: bool) -> bool {
    signature.params.is_empty() && is_none
}

fn check_count(signature: &Signature, found: usize) -> Result<(), String> {
    let wanted = signature.params.len();
    if wanted == found {
        return Ok(());
    }
    let s = if wanted == 1 { "" } else { "s" };
    Err(format!("{} takes {wanted} argument{s}, found {found}", cut(&signature.name, 100)))
}

fn wrong(signature: &Signature, place: usize, why: &str) -> String {
    let name = signature.params.get(place).map_or("", |(name, _)| name);
    format!("parameter \"{}\" of {}: {why}", cut(name, 100), cut(&signature.name, 100))
}

fn unlike(types: &TypeTable, def: &TypeDef, found: &str) -> String {
    format!("expected {}, found {found}", brief(types, def))
}

/// Whether the parameter is a handle of this kind that the task has for the length of the call only.
fn is_borrowed(types: &TypeTable, ty: TypeId, kind: HandleKind) -> Result<bool, String> {
    let def = lookup(types, ty);
    let is = |text: String| matches!(def, TypeDef::Handle(of) if *of == text);
    match (is(kind.own()), is(kind.borrow())) {
        (false, false) => Err(unlike(types, def, &format!("a handle ({})", kind.name()))),
        (_, is_borrowed) => Ok(is_borrowed),
    }
}

/// Bytes that need no reading.
enum Plain<'v> {
    Bytes(&'v [u8]),
    Text(&'v str),
}

/// What is not JSON, if it fits the type.
fn plain<'v>(types: &TypeTable, ty: TypeId, value: &'v TaskValue<'_>) -> Option<Result<Plain<'v>, String>> {
    let def = lookup(types, ty);
    match value {
        TaskValue::Json(_) => None,
        TaskValue::None => Some(Err(unlike(types, def, "nothing"))),
        TaskValue::Bytes(bytes) => Some(if is_string(def) {
            let text = std::str::from_utf8(bytes).map(Plain::Text);
            text.map_err(|error| format!("expected UTF-8 text, found another byte at {}", error.valid_up_to()))
        } else if matches!(def, TypeDef::List(element) if is_byte(lookup(types, *element))) {
            Ok(Plain::Bytes(bytes))
        } else {
            Err(unlike(types, def, &format!("{} bytes", bytes.len())))
        }),
    }
}

fn json<T>(value: &TaskValue<'_>, read: impl FnOnce(&[u8]) -> Result<T, super::ValueError>) -> Result<T, String> {
    match value {
        TaskValue::Json(json) => read(json).map_err(|error| error.to_string()),
        TaskValue::None | TaskValue::Bytes(_) => Err("expected JSON".into()),
    }
}

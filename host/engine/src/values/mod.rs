//! Values by their types: JSON and WAVE on the outside, [`Value`](crate::value::Value) on the inside.
//!
//! Everything is steered by a type of the flat [`TypeTable`] that the compile child made, so the
//! supervisor can check an argument without an engine. Text is read in one pass straight into values: there is no generic JSON
//! tree in between, which would double the memory and lose what the type knows (a foreign value is refused at its first byte, so
//! nothing nests deeper than the type does). What the mapping looks like, type by type, is on one page: `VALUES.md`.
//!
//! | file | what it does |
//! |---|---|
//! | `describe` | the engine's types become table entries |
//! | `from_json`, `seed`, `containers`, `reading` | JSON text becomes values; `reading` makes the errors |
//! | `to_json` | values become one line of JSON |
//! | `arguments` | arguments that are pushed one by one: values and handles |
//! | `bytes` | `list<u8>` and `string`, and how texts are escaped |
//! | `wave`, `wave_text`, `wave_value` | a call like `fib(30)`, and results in the same notation |
//! | `text`, `schema` | a type for people and for programs |
//! | `printable` | whether bytes of a worker may be printed |
//! | `error` | what was wrong, and where |

mod arguments;
mod bytes;
mod containers;
mod describe;
mod error;
mod from_json;
mod printable;
mod reading;
mod schema;
mod seed;
mod text;
mod to_json;
mod wave;
mod wave_text;
pub(crate) mod wave_value;

use taskcell_wire::{TypeDef, TypeId, TypeTable};

pub(crate) use arguments::pushed_arguments;
pub use arguments::{CheckedArgument, check_argument, check_arguments};
pub use bytes::{bytes_from_json, bytes_to_json, string_from_json, string_to_json};
pub use describe::describe;
pub use error::{CallError, ValueError, ValueErrorKind};
pub use from_json::{arguments_from_json, check_json, value_from_json};
pub use printable::is_printable_json;
pub use schema::json_schema;
pub use text::{signature_text, type_text};
pub use to_json::value_to_json;
pub use wave::{call_from_wave, find_task};
pub use wave_text::json_to_wave;

/// Values nest at most this deep in JSON, in either direction: it is what `serde_json` reads, here and at whoever reads our
/// output. The component model itself stops at 100.
const DEPTH: u32 = 127;

/// The type of an id; one that is of another table is a type without values, so that no walk over a table can fail.
fn lookup(types: &TypeTable, id: TypeId) -> &TypeDef {
    static UNKNOWN: TypeDef = TypeDef::Handle(String::new());
    types.get(id).unwrap_or(&UNKNOWN)
}

/// Whether `none` needs telling apart from `some(none)`: only an option is ever `null` in JSON, so only an option directly inside
/// an option is wrapped as `{"some": value}`.
fn is_option(def: &TypeDef) -> bool {
    matches!(def, TypeDef::Option(_))
}

/// Bytes have a form of their own in a list.
fn is_byte(def: &TypeDef) -> bool {
    matches!(def, TypeDef::U8)
}

/// A map of strings is an object.
fn is_string(def: &TypeDef) -> bool {
    matches!(def, TypeDef::String)
}

/// Numbers outside of JSON's reach, and how they are written.
const NOT_A_NUMBER: &str = "nan";
/// Positive infinity.
const INFINITY: &str = "inf";
/// Negative infinity.
const NEGATIVE_INFINITY: &str = "-inf";

//! WIT types and signatures as data.
//!
//! Types arrive from a child process that parsed hostile bytes, so they are a flat table in which a type names only types
//! before it: no cycle, no recursion while decoding, and a depth that is computed, not discovered by overflowing a stack. The road
//! not taken is a `Box`ed tree: postcard would recurse once per level that the sender claims.

use serde::{Deserialize, Serialize};

use crate::error::WireError;
use crate::limits;

/// A type's place in a [`TypeTable`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TypeId(pub u32);

/// A case of a variant: its name and what it carries.
pub type Case = (String, Option<TypeId>);

/// One WIT type; its parts are earlier entries of the same table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the variants are WIT's own words")]
pub enum TypeDef {
    Bool,
    U8,
    U16,
    U32,
    U64,
    S8,
    S16,
    S32,
    S64,
    F32,
    F64,
    Char,
    String,
    List(TypeId),
    /// A list of a fixed number of elements.
    FixedList(TypeId, u32),
    /// Fields in the order of declaration, kebab-case names.
    Record(Vec<(String, TypeId)>),
    Tuple(Vec<TypeId>),
    Variant(Vec<Case>),
    Enum(Vec<String>),
    Option(TypeId),
    Result {
        ok: Option<TypeId>,
        error: Option<TypeId>,
    },
    Flags(Vec<String>),
    /// A map from keys to values (component-model `map`).
    Map(TypeId, TypeId),
    /// Something that can't be given as a value: a resource, a stream, a future. The text is its WIT name.
    Handle(String),
}

/// Types, each made of earlier ones.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TypeTable {
    defs: Vec<TypeDef>,
}

impl TypeTable {
    /// Adds a type whose parts are already in the table, or finds the equal one.
    ///
    /// # Errors
    /// [`WireError::BadTypes`] if a part is not in the table yet or the table is full.
    pub fn add(&mut self, def: TypeDef) -> Result<TypeId, WireError> {
        if let Some(at) = self.defs.iter().position(|d| *d == def) {
            return Ok(id(at));
        }
        if self.defs.len() >= limits::TYPES {
            return Err(WireError::BadTypes("too many types"));
        }
        check_parts(&def, self.defs.len())?;
        self.defs.push(def);
        Ok(id(self.defs.len() - 1))
    }

    /// The type at `id`; `None` if the id is of another table.
    #[must_use]
    pub fn get(&self, id: TypeId) -> Option<&TypeDef> {
        self.defs.get(id.0 as usize)
    }

    /// How many types there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.defs.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.defs.is_empty()
    }

    /// The levels of nesting of the deepest type; a plain number is 1.
    #[must_use]
    pub fn depth(&self) -> u32 {
        let mut depths: Vec<u32> = Vec::with_capacity(self.defs.len());
        for def in &self.defs {
            let mut deepest = 0;
            parts(def, |part| deepest = deepest.max(depths.get(part.0 as usize).copied().unwrap_or(0)));
            depths.push(deepest.saturating_add(1));
        }
        depths.into_iter().max().unwrap_or(0)
    }

    /// For each type, whether there is a handle in it: something that can't be given as a value.
    #[must_use]
    pub fn handles(&self) -> Vec<bool> {
        let mut found: Vec<bool> = Vec::with_capacity(self.defs.len());
        for def in &self.defs {
            let mut holds = matches!(def, TypeDef::Handle(_));
            // Parts come before their whole; one that does not is as bad as a handle.
            parts(def, |part| holds |= found.get(part.0 as usize).copied().unwrap_or(true));
            found.push(holds);
        }
        found
    }

    /// Checks a table that was received: every part earlier than its whole, sizes within the caps.
    ///
    /// # Errors
    /// [`WireError::BadTypes`] naming the broken rule.
    pub fn check(&self) -> Result<(), WireError> {
        if self.defs.len() > limits::TYPES {
            return Err(WireError::BadTypes("too many types"));
        }
        self.defs.iter().enumerate().try_for_each(|(at, def)| check_parts(def, at))?;
        if !self.defs.iter().all(has_plain_names) {
            return Err(WireError::BadTypes("a name is not plain"));
        }
        // wasmtime refuses component types deeper than 100 levels; twice that leaves room and bounds every walk.
        if self.depth() > 200 {
            return Err(WireError::BadTypes("nested too deeply"));
        }
        Ok(())
    }
}

fn id(at: usize) -> TypeId {
    // The table holds at most `limits::TYPES` entries, far below u32::MAX.
    TypeId(u32::try_from(at).unwrap_or(u32::MAX))
}

/// Visits the types that a type is made of and the names that it gives.
fn visit(def: &TypeDef, mut part: impl FnMut(TypeId), mut name: impl FnMut(&str)) {
    match def {
        TypeDef::List(t) | TypeDef::FixedList(t, _) | TypeDef::Option(t) => part(*t),
        TypeDef::Map(k, v) => {
            part(*k);
            part(*v);
        }
        TypeDef::Record(fields) => fields.iter().for_each(|(field, t)| {
            name(field);
            part(*t);
        }),
        TypeDef::Tuple(types) => types.iter().for_each(|t| part(*t)),
        TypeDef::Variant(cases) => cases.iter().for_each(|(case, t)| {
            name(case);
            t.iter().for_each(|t| part(*t));
        }),
        TypeDef::Result { ok, error } => [ok, error].into_iter().flatten().for_each(|t| part(*t)),
        TypeDef::Enum(names) | TypeDef::Flags(names) => names.iter().for_each(|each| name(each)),
        TypeDef::Bool
        | TypeDef::U8
        | TypeDef::U16
        | TypeDef::U32
        | TypeDef::U64
        | TypeDef::S8
        | TypeDef::S16
        | TypeDef::S32
        | TypeDef::S64
        | TypeDef::F32
        | TypeDef::F64
        | TypeDef::Char
        | TypeDef::String
        | TypeDef::Handle(_) => {}
    }
}

fn parts(def: &TypeDef, each: impl FnMut(TypeId)) {
    visit(def, each, |_| {});
}

/// Whether a name is what WIT allows at most: visible ASCII, not endless. Names are printed.
fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.len() <= 1024 && name.bytes().all(|byte| byte.is_ascii_graphic())
}

fn has_plain_names(def: &TypeDef) -> bool {
    // A handle's text describes a type (`borrow<resource>`), so it may have spaces.
    let mut plain = !matches!(def, TypeDef::Handle(text) if !text.split(' ').all(is_plain));
    visit(def, |_| {}, |name| plain &= is_plain(name));
    plain
}

fn check_parts(def: &TypeDef, before: usize) -> Result<(), WireError> {
    let mut sound = true;
    parts(def, |part| sound &= (part.0 as usize) < before);
    if sound { Ok(()) } else { Err(WireError::BadTypes("a type names a later one")) }
}

/// What the names of this host's own interfaces begin with.
pub const HOST_PACKAGE: &str = "taskcell:host/";

/// An exported function that can be run as a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature {
    /// `function` or `package:name/interface@version#function`.
    pub name: String,
    /// Names and types, in order.
    pub params: Vec<(String, TypeId)>,
    /// `None` if it gives nothing back.
    pub result: Option<TypeId>,
    /// Whether its WIT type is `async func`.
    pub is_async: bool,
}

/// Something a component needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Import {
    /// As the component names it, e.g. `wasi:cli/stdout@0.2.6`.
    pub name: String,
    /// Whether this host provides it.
    pub provided: bool,
    /// Whether it has functions: an import can be of types alone.
    pub functions: bool,
}

/// What is known of a component without its code: all that the supervisor needs to check calls and print signatures.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interface {
    /// The types of all tasks.
    pub types: TypeTable,
    /// Exported functions, in the component's order.
    pub tasks: Vec<Signature>,
    /// What it imports, in the component's order.
    pub imports: Vec<Import>,
    /// Whether it exports `wasi:cli/run`.
    pub is_command: bool,
    /// Whether it needs the engine's support for `async func`. That support makes each call dearer, so it is off otherwise.
    pub is_concurrent: bool,
    /// Whether making an instance runs code of the guest: a start function. Without one, an instance can be
    /// made before the last walls are in force.
    pub has_start: bool,
}

impl Interface {
    /// Whether tasks of this component can make calls at all.
    #[must_use]
    pub fn makes_calls(&self) -> bool {
        self.imports.iter().any(|import| import.name.starts_with(HOST_PACKAGE))
    }

    /// Checks a description that was received: type ids within the table, numbers within the caps.
    ///
    /// # Errors
    /// [`WireError::BadTypes`] naming the broken rule.
    pub fn check(&self) -> Result<(), WireError> {
        self.types.check()?;
        if self.tasks.len() > limits::TASKS {
            return Err(WireError::BadTypes("too many tasks"));
        }
        let names = self.tasks.iter().map(|task| &task.name).chain(self.imports.iter().map(|import| &import.name));
        let params = self.tasks.iter().flat_map(|task| task.params.iter().map(|(name, _)| name));
        if !names.chain(params).all(|name| is_plain(name)) {
            return Err(WireError::BadTypes("a name is not plain"));
        }
        let known = |t: &TypeId| (t.0 as usize) < self.types.len();
        let sound = self.tasks.iter().all(|s| s.params.iter().all(|(_, t)| known(t)) && s.result.iter().all(known));
        if sound { Ok(()) } else { Err(WireError::BadTypes("a signature names no type")) }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use super::*;

    #[test]
    fn equal_types_are_one_entry() {
        let mut table = TypeTable::default();
        let a = table.add(TypeDef::U8).unwrap();
        let list = table.add(TypeDef::List(a)).unwrap();
        assert_eq!(table.add(TypeDef::List(a)).unwrap(), list);
        assert_eq!((table.len(), table.depth()), (2, 2));
    }

    #[test]
    fn a_type_may_not_name_itself_or_a_later_one() {
        let table = TypeTable { defs: vec![TypeDef::List(TypeId(0))] };
        assert_eq!(table.check(), Err(WireError::BadTypes("a type names a later one")));
        assert!(TypeTable::default().add(TypeDef::Option(TypeId(7))).is_err());
    }

    #[test]
    fn a_handle_is_found_in_whatever_holds_it() {
        let mut table = TypeTable::default();
        let plain = table.add(TypeDef::U8).unwrap();
        let handle = table.add(TypeDef::Handle("own<queue>".into())).unwrap();
        let list = table.add(TypeDef::List(handle)).unwrap();
        table.add(TypeDef::Record(vec![("a".into(), plain), ("b".into(), list)])).unwrap();
        table.add(TypeDef::Option(plain)).unwrap();
        assert_eq!(table.handles(), [false, true, true, true, false]);
    }

    #[test]
    fn depth_is_capped() {
        let mut table = TypeTable::default();
        let mut last = table.add(TypeDef::Bool).unwrap();
        for _ in 0..300 {
            last = table.add(TypeDef::List(last)).unwrap();
        }
        assert_eq!(table.check(), Err(WireError::BadTypes("nested too deeply")));
    }

    #[test]
    fn names_that_a_terminal_would_obey_are_refused() {
        for name in ["", "a b", "a\u{1b}[2J", "a\nb", "\u{202e}b"] {
            let interface = Interface {
                imports: vec![Import { name: name.into(), provided: true, functions: true }],
                ..Interface::default()
            };
            assert_eq!(interface.check(), Err(WireError::BadTypes("a name is not plain")), "{name:?}");
            let mut types = TypeTable::default();
            types.add(TypeDef::Enum(vec![name.into()])).unwrap();
            assert!(types.check().is_err(), "{name:?}");
        }
    }

    #[test]
    fn a_signature_names_only_known_types() {
        let signature = Signature { name: "f".into(), params: vec![("x".into(), TypeId(3))], result: None, is_async: false };
        let interface = Interface { tasks: vec![signature], ..Interface::default() };
        assert!(interface.check().is_err());
    }
}

//! The JSON Schema of a type, for programs that make inputs or check results.

use serde_json::{Map, Value, json};
use taskcell_wire::{TypeDef, TypeId, TypeTable};

use super::seed::integer_range;
use super::{INFINITY, NEGATIVE_INFINITY, NOT_A_NUMBER, is_byte, is_option, is_string, lookup, type_text};

/// The most parts of one schema. A table shares its parts, a schema in place repeats them, so what is beyond this many is only
/// named.
const PARTS: u32 = 5000;

/// The JSON Schema (2020-12) of a type's JSON, as it is read; what is written is a part of that.
#[must_use]
pub fn json_schema(types: &TypeTable, ty: TypeId) -> Value {
    Schemas { types, left: PARTS }.of(ty)
}

struct Schemas<'t> {
    types: &'t TypeTable,
    left: u32,
}

impl Schemas<'_> {
    fn of(&mut self, ty: TypeId) -> Value {
        let types = self.types;
        let def = lookup(types, ty);
        match self.left.checked_sub(1) {
            Some(left) => self.left = left,
            None => return json!({ "description": type_text(types, ty) }),
        }
        if let Some((least, greatest)) = integer_range(def) {
            return json!({ "type": "integer", "minimum": least, "maximum": greatest });
        }
        match def {
            TypeDef::Bool => json!({ "type": "boolean" }),
            TypeDef::F32 | TypeDef::F64 => json!({ "anyOf": [
                { "type": "number" },
                { "enum": [NOT_A_NUMBER, INFINITY, NEGATIVE_INFINITY] },
            ] }),
            TypeDef::Char => json!({ "type": "string", "minLength": 1, "maxLength": 1 }),
            TypeDef::String => json!({ "type": "string" }),
            TypeDef::List(element) => {
                let array = json!({ "type": "array", "items": self.of(*element) });
                if is_byte(lookup(types, *element)) {
                    json!({ "anyOf": [{ "type": "string", "contentEncoding": "base64" }, array] })
                } else {
                    array
                }
            }
            TypeDef::FixedList(element, length) => {
                json!({ "type": "array", "items": self.of(*element), "minItems": length, "maxItems": length })
            }
            TypeDef::Tuple(parts) => {
                let parts: Vec<Value> = parts.iter().map(|part| self.of(*part)).collect();
                json!({ "type": "array", "minItems": parts.len(), "items": false, "prefixItems": parts })
            }
            TypeDef::Record(fields) => {
                let required = fields.iter().filter(|(_, ty)| !is_option(lookup(types, *ty))).map(|(name, _)| name);
                let required: Vec<&String> = required.collect();
                let properties: Map<String, Value> = fields.iter().map(|(name, ty)| (name.clone(), self.of(*ty))).collect();
                json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
            }
            TypeDef::Variant(cases) => {
                let mut any: Vec<Value> = cases.iter().map(|(name, payload)| self.case(name, *payload)).collect();
                let bare: Vec<&String> = cases.iter().filter(|(_, payload)| payload.is_none()).map(|(name, _)| name).collect();
                if !bare.is_empty() {
                    any.push(json!({ "enum": bare }));
                }
                json!({ "anyOf": any })
            }
            TypeDef::Enum(names) => json!({ "enum": names }),
            TypeDef::Option(some) => {
                let some = if is_option(lookup(types, *some)) { self.case("some", Some(*some)) } else { self.of(*some) };
                json!({ "anyOf": [{ "type": "null" }, some] })
            }
            TypeDef::Result { ok, error } => json!({ "anyOf": [self.case("ok", *ok), self.case("error", *error)] }),
            TypeDef::Flags(names) => json!({ "type": "array", "uniqueItems": true, "items": { "enum": names } }),
            TypeDef::Map(key, value) if is_string(lookup(types, *key)) => {
                json!({ "type": "object", "additionalProperties": self.of(*value) })
            }
            TypeDef::Map(key, value) => {
                let pair = [self.of(*key), self.of(*value)];
                json!({ "type": "array", "items": { "type": "array", "minItems": 2, "items": false, "prefixItems": pair } })
            }
            // `false` as a schema accepts nothing; written like this, it can say why.
            TypeDef::Handle(_) => {
                json!({ "not": {}, "description": format!("{}: can't be given as JSON", type_text(types, ty)) })
            }
            TypeDef::U8
            | TypeDef::U16
            | TypeDef::U32
            | TypeDef::U64
            | TypeDef::S8
            | TypeDef::S16
            | TypeDef::S32
            | TypeDef::S64 => json!({ "type": "integer" }),
        }
    }

    fn case(&mut self, name: &str, payload: Option<TypeId>) -> Value {
        let payload = payload.map_or_else(|| json!({ "type": "null" }), |ty| self.of(ty));
        json!({ "type": "object", "properties": { name: payload }, "required": [name], "additionalProperties": false })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use super::*;

    #[test]
    fn a_record_names_what_it_requires() {
        let mut types = TypeTable::default();
        let byte = types.add(TypeDef::U8).unwrap();
        let maybe = types.add(TypeDef::Option(byte)).unwrap();
        let twice = types.add(TypeDef::Option(maybe)).unwrap();
        let record = types.add(TypeDef::Record(vec![("a".into(), byte), ("b".into(), twice)])).unwrap();
        let byte = json!({ "type": "integer", "minimum": 0, "maximum": 255 });
        let some = json!({ "anyOf": [{ "type": "null" }, byte] });
        let wrapped =
            json!({ "type": "object", "properties": { "some": some }, "required": ["some"], "additionalProperties": false });
        assert_eq!(
            json_schema(&types, record),
            json!({
                "type": "object",
                "properties": { "a": byte, "b": { "anyOf": [{ "type": "null" }, wrapped] } },
                "required": ["a"],
                "additionalProperties": false,
            })
        );
    }

    #[test]
    fn a_type_of_astronomic_size_has_a_small_schema() {
        let mut types = TypeTable::default();
        let mut last = types.add(TypeDef::U8).unwrap();
        for _ in 0..60 {
            last = types.add(TypeDef::Tuple(vec![last, last])).unwrap();
        }
        assert!(json_schema(&types, last).to_string().len() < 2_000_000);
    }
}

//! Reading what has parts: each container adds its step to an error that comes from inside.

use std::collections::HashSet;
use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use taskcell_wire::{TypeDef, TypeId};

use super::error::shown;
use super::lookup;
use super::reading::{Reading, Step, refuse_objects, refuse_scalars};
use super::seed::{Seed, at, named};
use super::text::brief_names;
use crate::value::{Number, Numbers, Value, flag_words};

impl<'t, const BUILD: bool> Seed<'_, 't, BUILD> {
    fn part(&self, ty: TypeId) -> Self {
        Self::new(self.reading, ty)
    }

    pub(super) fn list<'de, A: SeqAccess<'de>>(self, mut seq: A, element: TypeId) -> Result<Value, A::Error> {
        if let Some(number) = Number::of(lookup(self.reading.types, element)) {
            return self.numbers(seq, element, number);
        }
        // Nothing is reserved: how many there will be is the text's claim, and growing is amortised.
        let mut values = Vec::new();
        let mut index = 0;
        while let Some(value) = seq.next_element_seed(self.part(element)).map_err(at(self.reading, index))? {
            self.reading.spend(1)?;
            if BUILD {
                values.push(value);
            }
            index += 1;
        }
        Ok(Value::List(values))
    }

    /// A list of numbers: they count as no parts, since one takes hardly more in memory than in the text.
    fn numbers<'de, A: SeqAccess<'de>>(self, mut seq: A, element: TypeId, number: Number) -> Result<Value, A::Error> {
        let mut numbers = Numbers::new(number);
        let mut index = 0;
        while let Some(value) = seq.next_element_seed(self.part(element)).map_err(at(self.reading, index))? {
            if BUILD {
                numbers.push(&value);
            }
            index += 1;
        }
        Ok(Value::Numbers(numbers))
    }

    /// An array with one element for each of the types.
    pub(super) fn exactly<'de, A: SeqAccess<'de>>(
        self,
        mut seq: A,
        types: impl ExactSizeIterator<Item = TypeId>,
    ) -> Result<Vec<Value>, A::Error> {
        let expected = types.len();
        let mut values = Vec::with_capacity(if BUILD { expected.min(64) } else { 0 });
        for (index, ty) in types.enumerate() {
            let Some(value) = seq.next_element_seed(self.part(ty)).map_err(at(self.reading, index))? else {
                return Err(self.reading.unlike(elements(expected), index.to_string()));
            };
            self.reading.spend(1)?;
            if BUILD {
                values.push(value);
            }
        }
        seq.next_element_seed(Surplus { of: self, length: Some(expected) })?;
        Ok(values)
    }

    pub(super) fn flags<'de, A: SeqAccess<'de>>(self, mut seq: A, names: &[String]) -> Result<Value, A::Error> {
        let mut set = vec![0_u32; flag_words(names.len())];
        let mut index = 0;
        let known = || names.iter().map(String::as_str);
        let text = Seed::<true> { reading: self.reading, def: &TypeDef::String };
        while let Some(Value::String(name)) = seq.next_element_seed(text).map_err(at(self.reading, index))? {
            let flag = named(self.reading, known(), &name).map_err(at(self.reading, index))?;
            let bit = 1 << (flag % 32);
            if let Some(word) = set.get_mut(flag / 32) {
                let before = *word;
                *word |= bit;
                if before == *word {
                    return Err(at(self.reading, index)(
                        self.reading.unlike("each flag once", format!("{} again", shown(&name))),
                    ));
                }
            }
            index += 1;
        }
        Ok(Value::Flags(set))
    }

    /// A map as an array of pairs, for keys that JSON has no objects for.
    pub(super) fn pairs<'de, A: SeqAccess<'de>>(self, mut seq: A, key: TypeId, value: TypeId) -> Result<Value, A::Error> {
        let mut pairs = Vec::new();
        let mut index = 0;
        let pair = TypeDef::Tuple(vec![key, value]);
        loop {
            let seed = Seed::<BUILD> { reading: self.reading, def: &pair };
            match seq.next_element_seed(seed).map_err(at(self.reading, index))? {
                None => break,
                Some(Value::Tuple(pair)) => pairs.extend(<[Value; 2]>::try_from(pair).ok().map(|[key, value]| (key, value))),
                Some(_) => {}
            }
            index += 1;
        }
        Ok(Value::Map(pairs))
    }

    /// A map as an object, for keys that are strings.
    pub(super) fn map<'de, A: MapAccess<'de>>(self, mut map: A, value: TypeId) -> Result<Value, A::Error> {
        let mut seen = HashSet::new();
        let mut pairs = Vec::new();
        while let Some(key) = map.next_key::<String>()? {
            if !seen.insert(key.clone()) {
                return Err(self.reading.unlike("each key once", format!("{} again", shown(&key))));
            }
            self.reading.spend(1)?;
            match map.next_value_seed(self.part(value)) {
                Ok(value) if BUILD => pairs.push((Value::String(key), value)),
                Ok(_) => {}
                Err(error) => return Err(self.reading.step(Step::Key(key), error)),
            }
        }
        Ok(Value::Map(pairs))
    }

    pub(super) fn record<'de, A: MapAccess<'de>>(self, mut map: A, fields: &[(String, TypeId)]) -> Result<Value, A::Error> {
        let reading = self.reading;
        reading.spend(fields.len())?;
        let mut values: Vec<Option<Value>> = Vec::new();
        values.resize_with(fields.len(), || None);
        // Most texts keep the order of declaration, so the search for a name begins behind the former one.
        let mut next = 0;
        while let Some(key) = map.next_key_seed(Name(|name: &str| {
            let (before, after) = fields.split_at(next.min(fields.len()));
            let from_next = after.iter().position(|(known, _)| known == name).map(|at| at + next);
            from_next.or_else(|| before.iter().position(|(known, _)| known == name))
        }))? {
            let field = match key {
                Key::Known(field) => field,
                Key::Unknown(name) => {
                    let known = brief_names(fields.iter().map(|(name, _)| name.as_str()));
                    return Err(reading.unlike(format!("one of the fields {known}"), shown(&name)));
                }
            };
            let (Some((name, ty)), Some(slot)) = (fields.get(field), values.get_mut(field)) else { continue };
            let value = map.next_value_seed(self.part(*ty)).map_err(|e| reading.step(Step::Name(name.clone()), e))?;
            if slot.replace(value).is_some() {
                return Err(reading.unlike("each field once", format!("{} again", shown(name))));
            }
            next = field + 1;
        }
        let mut record = Vec::with_capacity(if BUILD { fields.len() } else { 0 });
        for ((name, ty), value) in fields.iter().zip(values) {
            let value = match (value, lookup(reading.types, *ty)) {
                (Some(value), _) => value,
                (None, TypeDef::Option(_)) => Value::Option(None),
                (None, _) => return Err(reading.unlike(format!("the field {}", shown(name)), "none")),
            };
            if BUILD {
                record.push(value);
            }
        }
        Ok(Value::Record(record))
    }

    /// An object of one member that names a case: the case's number and what it carries.
    pub(super) fn case<'de, 'n, A: MapAccess<'de>>(
        self,
        mut map: A,
        count: usize,
        cases: impl Fn(usize) -> Option<(&'n str, Option<TypeId>)> + Clone,
    ) -> Result<(usize, Option<Value>), A::Error> {
        let reading = self.reading;
        let names = (0..count).filter_map(|at| cases(at).map(|(name, _)| name));
        let look_up = |name: &str| names.clone().position(|known| known == name);
        let at = match map.next_key_seed(Name(look_up))? {
            None => return Err(self.wrong("an empty object")),
            Some(Key::Known(at)) => at,
            Some(Key::Unknown(name)) => named(reading, names.clone(), &name)?,
        };
        let Some((name, payload)) = cases(at) else { return Err(self.wrong("another case")) };
        let step = |error| reading.step(Step::Name(name.to_owned()), error);
        let value = match payload {
            Some(ty) => {
                reading.spend(1)?;
                Some(map.next_value_seed(self.part(ty)).map_err(step)?)
            }
            None => {
                map.next_value_seed(Nothing { reading }).map_err(step)?;
                None
            }
        };
        map.next_key_seed(Surplus { of: self, length: None })?;
        Ok((at, if BUILD { value } else { None }))
    }
}

fn elements(n: usize) -> String {
    format!("an array of {n}")
}

/// What must not be there: refused without a look at it.
struct Surplus<'r, 't, const BUILD: bool> {
    of: Seed<'r, 't, BUILD>,
    /// How many elements there should be; `None` for a case, which has one member.
    length: Option<usize>,
}

impl<'de, const BUILD: bool> DeserializeSeed<'de> for Surplus<'_, '_, BUILD> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, _: D) -> Result<(), D::Error> {
        Err(match self.length {
            Some(length) => self.of.reading.unlike(elements(length), "more"),
            None => self.of.wrong("more than one member"),
        })
    }
}

/// A name in the text: its place among the known ones, or the name itself.
enum Key {
    Known(usize),
    Unknown(String),
}

/// Reads a name, without a copy if it is known.
struct Name<F>(F);

impl<'de, F: Fn(&str) -> Option<usize>> DeserializeSeed<'de> for Name<F> {
    type Value = Key;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Key, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, F: Fn(&str) -> Option<usize>> Visitor<'de> for Name<F> {
    type Value = Key;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<Key, E> {
        Ok((self.0)(name).map_or_else(|| Key::Unknown(name.to_owned()), Key::Known))
    }
}

/// The `null` of a case that carries nothing.
struct Nothing<'r, 't> {
    reading: &'r Reading<'t>,
}

impl<'de> DeserializeSeed<'de> for Nothing<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Nothing<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("null")
    }

    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<(), E> {
        Err(self.reading.unlike("null", shown(text)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<(), A::Error> {
        Err(self.reading.unlike("null", "an array"))
    }

    refuse_scalars!("null");
    refuse_objects!("null");
}

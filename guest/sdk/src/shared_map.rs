//! Maps that tasks share.
//!
//! ```no_run
//! # fn main() -> taskcell_guest::Result {
//! use taskcell_guest::SharedMap;
//!
//! let scores = SharedMap::<String, u32>::new()?;
//! scores.set("anna", &3)?;
//! scores.update("anna", |score| score.unwrap_or(0) + 1)?;
//! assert_eq!(scores.get("anna")?, Some(4));
//! # Ok(())
//! # }
//! ```
//!
//! Each call is one step: no other call comes between its parts. What a task wrote stays when it ends. To change what was read without
//! losing what others wrote meanwhile, use [`update`](SharedMap::update), [`increment`](SharedMap::increment),
//! [`compare_and_swap`](SharedMap::compare_and_swap) or [`update_many`](SharedMap::update_many).

mod changes;
mod key;
mod pages;
mod read;
mod update;
mod write;

use std::borrow::Borrow;
use std::marker::PhantomData;

pub use changes::{Changes, Update};
pub use key::{FromKey, Key};
pub use pages::{Items, Keys};

#[cfg(doc)]
use crate::Error;
use crate::bindings::taskcell::host::shared_map as raw;
use crate::error::Result;
use crate::message::Decode;

/// What a handle of a map allows.
pub use raw::Rights;

/// A handle of a map from `K` to `V`: what implements [`Serialize`](serde::Serialize) and [`Deserialize`](serde::Deserialize), as
/// JSON, or [`Bytes`](crate::Bytes).
///
/// It is lent to other tasks as an argument, `&map`; both have the same map then. The map ends with its last handle. What can stand
/// for a key will do, so that `get("anna")` finds a `String`.
///
/// All functions fail with [`Error::Denied`] if the handle lacks the right, or the key does not begin with its prefix; those that
/// write also with [`Error::Quota`]. But for [`watch`](SharedMap::watch) they are answered at once.
#[derive(Debug)]
pub struct SharedMap<K, V> {
    raw: raw::SharedMap,
    keys: PhantomData<fn(K) -> K>,
    values: PhantomData<fn(V) -> V>,
}

/// A value and its version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry<V> {
    /// The value.
    pub value: V,
    /// The number of the change that set it, higher than those of all earlier changes of the map.
    pub version: u64,
}

/// How a [`compare_and_swap`](SharedMap::compare_and_swap) went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Swap<V> {
    /// The key is set; its version.
    Swapped(u64),
    /// The key was at another version and was left so; what is there.
    Stale(Option<Entry<V>>),
}

impl<K, V> SharedMap<K, V> {
    /// Makes an empty map.
    ///
    /// # Errors
    /// [`Error::Quota`] if this task has too many handles.
    pub fn new() -> Result<Self> {
        Ok(raw::SharedMap::create(None)?.into())
    }

    /// Makes an empty map with a name for people, shown where somebody waits on it.
    ///
    /// # Errors
    /// As [`SharedMap::new`].
    pub fn named(name: &str) -> Result<Self> {
        Ok(raw::SharedMap::create(Some(name))?.into())
    }

    /// How many keys there are.
    ///
    /// # Errors
    /// [`Error::Denied`].
    pub fn len(&self) -> Result<u64> {
        Ok(self.raw.len()?)
    }

    /// Whether there are no keys.
    ///
    /// # Errors
    /// [`Error::Denied`].
    pub fn is_empty(&self) -> Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Removes all keys, and tells how many there were.
    ///
    /// # Errors
    /// [`Error::Denied`].
    pub fn clear(&self) -> Result<u64> {
        Ok(self.raw.clear()?)
    }

    /// Another handle of this map, with the rights that both this handle and `rights` have, and only for the keys that begin with
    /// `prefix`. Keys keep their whole names.
    ///
    /// # Errors
    /// [`Error::Denied`] if `prefix` does not begin with this handle's prefix, [`Error::Quota`] if this task has too many handles.
    pub fn restrict(&self, rights: Rights, prefix: &str) -> Result<Self> {
        Ok(self.raw.restrict(rights, prefix)?.into())
    }

    pub(crate) fn raw(&self) -> &raw::SharedMap {
        &self.raw
    }
}

impl<K: Key, V> SharedMap<K, V> {
    /// Whether a key is there.
    ///
    /// # Errors
    /// [`Error::Denied`].
    pub fn contains<Q: Key + ?Sized>(&self, key: &Q) -> Result<bool>
    where
        K: Borrow<Q>,
    {
        Ok(self.raw.contains(&key.to_key())?)
    }

    /// Removes a key, and tells whether it was there.
    ///
    /// # Errors
    /// [`Error::Denied`].
    pub fn remove<Q: Key + ?Sized>(&self, key: &Q) -> Result<bool>
    where
        K: Borrow<Q>,
    {
        Ok(self.raw.remove(&key.to_key())?)
    }

    /// Adds to an integer, and gives the sum; an absent key counts as 0. Exact, however many tasks do it.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the value is no integer of 64 bits, or the sum would not be one.
    pub fn increment<Q: Key + ?Sized>(&self, key: &Q, by: i64) -> Result<i64>
    where
        K: Borrow<Q>,
    {
        Ok(self.raw.increment(&key.to_key(), by)?)
    }
}

impl<K: FromKey, V> SharedMap<K, V> {
    /// The keys, in the order of their bytes. They are asked for in pages, as the iterator goes on: keys that are there all the time
    /// come exactly once.
    pub fn keys(&self) -> Keys<'_, K> {
        self.keys_with_prefix("")
    }

    /// The keys that begin with `prefix`.
    pub fn keys_with_prefix(&self, prefix: impl Into<String>) -> Keys<'_, K> {
        Keys::new(&self.raw, prefix.into())
    }
}

impl<K: FromKey, V: Decode> SharedMap<K, V> {
    /// The keys with their values, in the order of the keys' bytes; as [`keys`](SharedMap::keys).
    ///
    /// `map.items().collect::<Result<BTreeMap<_, _>>>()?` is a copy of the map.
    pub fn items(&self) -> Items<'_, K, V> {
        self.items_with_prefix("")
    }

    /// The keys that begin with `prefix`, with their values.
    pub fn items_with_prefix(&self, prefix: impl Into<String>) -> Items<'_, K, V> {
        Items::new(&self.raw, prefix.into())
    }
}

impl<K, V> From<raw::SharedMap> for SharedMap<K, V> {
    fn from(raw: raw::SharedMap) -> Self {
        Self { raw, keys: PhantomData, values: PhantomData }
    }
}

impl<V: Decode> Entry<V> {
    fn decode(entry: raw::Entry) -> Result<Self> {
        Ok(Self { value: V::decode(entry.value)?, version: entry.version })
    }
}

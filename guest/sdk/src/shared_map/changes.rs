//! Several changes of a map at one moment.

use std::borrow::Borrow;
use std::marker::PhantomData;

use super::Key;
use crate::bindings::taskcell::host::shared_map as raw;
use crate::error::Result;
use crate::message::Encode;

/// Changes for [`SharedMap::update_many`](super::SharedMap::update_many), in their order.
///
/// ```no_run
/// # fn main() -> taskcell_guest::Result {
/// # use taskcell_guest::shared_map::{Changes, SharedMap, Update};
/// # let accounts = SharedMap::<String, i64>::new()?;
/// let Some(from) = accounts.entry("anna")? else { return Ok(()) };
/// let changes = Changes::new().check("anna", Some(from.version)).set("anna", &(from.value - 5))?.set("tip", &5)?;
/// match accounts.update_many(&changes)? {
///     Update::Applied(_) => println!("done"),
///     Update::Stale(_) => println!("somebody came between"),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Changes<K, V> {
    changes: Vec<raw::Change>,
    entries: PhantomData<fn(K, V)>,
}

/// How an update went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Update {
    /// All of it was done; the map's version after it.
    Applied(u64),
    /// None of it was done; the place among the changes of the first check that did not hold.
    Stale(u32),
}

impl<K: Key, V: Encode> Changes<K, V> {
    /// No changes.
    pub fn new() -> Self {
        Self { changes: Vec::new(), entries: PhantomData }
    }

    /// And set a key.
    ///
    /// # Errors
    /// [`Error::Conversion`](crate::Error::Conversion).
    pub fn set<Q: Key + ?Sized, W: Encode + ?Sized>(mut self, key: &Q, value: &W) -> Result<Self>
    where
        K: Borrow<Q>,
        V: Borrow<W>,
    {
        let (key, value) = (key.to_key().into_owned(), value.encode()?);
        self.changes.push(raw::Change::Set(raw::Assignment { key, value }));
        Ok(self)
    }

    /// And remove a key, if it is there.
    #[must_use]
    pub fn remove<Q: Key + ?Sized>(mut self, key: &Q) -> Self
    where
        K: Borrow<Q>,
    {
        self.changes.push(raw::Change::Remove(key.to_key().into_owned()));
        self
    }

    /// But change nothing unless this key was at this version before; `None`: absent.
    #[must_use]
    pub fn check<Q: Key + ?Sized>(mut self, key: &Q, version: Option<u64>) -> Self
    where
        K: Borrow<Q>,
    {
        self.changes.push(raw::Change::Check(raw::Expectation { key: key.to_key().into_owned(), version }));
        self
    }

    pub(super) fn raw(&self) -> &[raw::Change] {
        &self.changes
    }
}

impl<K: Key, V: Encode> Default for Changes<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

impl From<raw::UpdateResult> for Update {
    fn from(result: raw::UpdateResult) -> Self {
        match result {
            raw::UpdateResult::Applied(version) => Self::Applied(version),
            raw::UpdateResult::Stale(place) => Self::Stale(place),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_stay_in_their_order() {
        let changes = Changes::<String, u8>::new().check("a", None).remove("b").set("a", &1);
        let shown = changes.map(|changes| format!("{:?}", changes.raw())).unwrap_or_default();
        let places = ["Check", "Remove", "Set"].map(|name| shown.find(name));
        assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{shown}");
    }
}

//! Looking at keys, and waiting until they change.

use std::borrow::Borrow;
use std::time::Duration;

use super::{Entry, Key, SharedMap};
#[cfg(doc)]
use crate::Error;
use crate::bindings::nanoseconds;
use crate::error::Result;
use crate::message::Decode;

impl<K: Key, V: Decode> SharedMap<K, V> {
    /// A key's value.
    ///
    /// # Errors
    /// [`Error::Denied`]; [`Error::Conversion`] if what is there is no `V`.
    pub fn get<Q: Key + ?Sized>(&self, key: &Q) -> Result<Option<V>>
    where
        K: Borrow<Q>,
    {
        Ok(self.entry(key)?.map(|entry| entry.value))
    }

    /// A key's value and version.
    ///
    /// # Errors
    /// As [`SharedMap::get`].
    pub fn entry<Q: Key + ?Sized>(&self, key: &Q) -> Result<Option<Entry<V>>>
    where
        K: Borrow<Q>,
    {
        self.raw.get(&key.to_key())?.map(Entry::decode).transpose()
    }

    /// The values of these keys at one moment, in their order.
    ///
    /// # Errors
    /// As [`SharedMap::get`], and [`Error::Quota`] for more than 16384 keys, or more than 16 MiB.
    pub fn get_many<Q: Borrow<K>>(&self, keys: impl IntoIterator<Item = Q>) -> Result<Vec<Option<V>>> {
        let keys: Vec<String> = keys.into_iter().map(|key| key.borrow().to_key().into_owned()).collect();
        let entries = self.raw.get_many(&keys)?.into_iter();
        entries.map(|entry| entry.map(|entry| V::decode(entry.value)).transpose()).collect()
    }

    /// Removes a key, and gives what was there.
    ///
    /// # Errors
    /// As [`SharedMap::get`].
    pub fn pop<Q: Key + ?Sized>(&self, key: &Q) -> Result<Option<V>>
    where
        K: Borrow<Q>,
    {
        self.raw.pop(&key.to_key())?.map(|entry| V::decode(entry.value)).transpose()
    }

    /// Waits until the key is not at the version `since` (`None`: absent), and gives what is there. If that is so already it does not
    /// wait.
    ///
    /// # Errors
    /// As [`SharedMap::get`], and [`Error::Cancelled`], [`Error::Deadlock`].
    pub fn watch<Q: Key + ?Sized>(&self, key: &Q, since: Option<u64>) -> Result<Option<Entry<V>>>
    where
        K: Borrow<Q>,
    {
        self.raw.watch(&key.to_key(), since, None)?.map(Entry::decode).transpose()
    }

    /// The same, for so long.
    ///
    /// # Errors
    /// As [`SharedMap::watch`], and [`Error::TimedOut`].
    pub fn watch_timeout<Q: Key + ?Sized>(&self, key: &Q, since: Option<u64>, timeout: Duration) -> Result<Option<Entry<V>>>
    where
        K: Borrow<Q>,
    {
        self.raw.watch(&key.to_key(), since, Some(nanoseconds(timeout)))?.map(Entry::decode).transpose()
    }
}

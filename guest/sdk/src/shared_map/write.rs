//! Setting keys.

use std::borrow::Borrow;
use std::time::Duration;

use super::{Changes, Key, SharedMap, Update, raw};
#[cfg(doc)]
use crate::Error;
use crate::bindings::nanoseconds;
use crate::error::Result;
use crate::message::Encode;

impl<K: Key, V: Encode> SharedMap<K, V> {
    /// Sets a key, and gives its version. The entry stays, even if it was to vanish.
    ///
    /// # Errors
    /// [`Error::Quota`], [`Error::Conversion`].
    pub fn set<Q: Key + ?Sized, W: Encode + ?Sized>(&self, key: &Q, value: &W) -> Result<u64>
    where
        K: Borrow<Q>,
        V: Borrow<W>,
    {
        Ok(self.raw.set(&key.to_key(), &value.encode()?, None)?)
    }

    /// Sets a key for so long: then the entry vanishes by itself.
    ///
    /// # Errors
    /// As [`SharedMap::set`].
    pub fn set_expiring<Q: Key + ?Sized, W: Encode + ?Sized>(&self, key: &Q, value: &W, expires_in: Duration) -> Result<u64>
    where
        K: Borrow<Q>,
        V: Borrow<W>,
    {
        Ok(self.raw.set(&key.to_key(), &value.encode()?, Some(nanoseconds(expires_in)))?)
    }

    /// Sets all of these keys at one moment, and gives the map's version after it.
    ///
    /// # Errors
    /// As [`SharedMap::set`], also for more than 16384 entries; then none is set.
    pub fn set_many<Q: Borrow<K>, W: Borrow<V>>(&self, entries: impl IntoIterator<Item = (Q, W)>) -> Result<u64> {
        let entries = entries.into_iter().map(|(key, value)| {
            let key = key.borrow().to_key().into_owned();
            Ok(raw::Assignment { key, value: value.borrow().encode()? })
        });
        Ok(self.raw.set_many(&entries.collect::<Result<Vec<_>>>()?)?)
    }

    /// Makes all of these changes at one moment, in their order, or none if a check does not hold.
    ///
    /// # Errors
    /// As [`SharedMap::set_many`].
    pub fn update_many(&self, changes: &Changes<K, V>) -> Result<Update> {
        Ok(self.raw.update_many(changes.raw())?.into())
    }
}

//! Changing what is there without losing what others write.

use std::borrow::Borrow;

use super::{Entry, Key, SharedMap, Swap, raw};
use crate::error::Result;
use crate::message::{Decode, Encode};

impl<K: Key, V: Encode + Decode> SharedMap<K, V> {
    /// Sets a key if it is absent, and gives what is there then.
    ///
    /// # Errors
    /// As [`SharedMap::set`] and [`SharedMap::get`].
    pub fn get_or_set<Q: Key + ?Sized, W: Encode + ?Sized>(&self, key: &Q, value: &W) -> Result<V>
    where
        K: Borrow<Q>,
        V: Borrow<W>,
    {
        V::decode(self.raw.set_default(&key.to_key(), &value.encode()?)?.value)
    }

    /// Sets a key if it is at this version still; `None`: if it is absent.
    ///
    /// # Errors
    /// As [`SharedMap::set`] and [`SharedMap::get`].
    pub fn compare_and_swap<Q: Key + ?Sized, W: Encode + ?Sized>(
        &self,
        key: &Q,
        version: Option<u64>,
        value: &W,
    ) -> Result<Swap<V>>
    where
        K: Borrow<Q>,
        V: Borrow<W>,
    {
        match self.raw.compare_and_swap(&key.to_key(), version, &value.encode()?, None)? {
            raw::SwapResult::Swapped(version) => Ok(Swap::Swapped(version)),
            raw::SwapResult::Stale(entry) => Ok(Swap::Stale(entry.map(Entry::decode).transpose()?)),
        }
    }

    /// Sets a key to what `change` makes of its value, and gives that. If another task comes between, `change` is called again with
    /// what is there then. The entry stays, even if it was to vanish.
    ///
    /// # Errors
    /// As [`SharedMap::compare_and_swap`].
    pub fn update<Q: Key + ?Sized>(&self, key: &Q, change: impl FnMut(Option<V>) -> V) -> Result<V>
    where
        K: Borrow<Q>,
    {
        swap_until_done(self.entry(key)?, change, |version, value| self.compare_and_swap(key, version, value))
    }
}

/// Tries again with what is there until nobody comes between.
fn swap_until_done<V>(
    mut entry: Option<Entry<V>>,
    mut change: impl FnMut(Option<V>) -> V,
    mut swap: impl FnMut(Option<u64>, &V) -> Result<Swap<V>>,
) -> Result<V> {
    loop {
        let version = entry.as_ref().map(|entry| entry.version);
        let value = change(entry.map(|entry| entry.value));
        match swap(version, &value)? {
            Swap::Swapped(_) => return Ok(value),
            Swap::Stale(newer) => entry = newer,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    #[test]
    fn an_update_is_made_of_what_is_there() {
        // Two others come between: one sets the key, one removes it again.
        let mut others = vec![Some(Entry { value: 10, version: 5 }), None];
        let (mut seen, mut versions) = (Vec::new(), Vec::new());
        let result = swap_until_done(
            None,
            |value| {
                seen.push(value);
                value.unwrap_or(0) + 1
            },
            |version, _| {
                versions.push(version);
                Ok(if others.is_empty() { Swap::Swapped(9) } else { Swap::Stale(others.remove(0)) })
            },
        );
        assert_eq!(result, Ok(1));
        assert_eq!(seen, [None, Some(10), None]);
        assert_eq!(versions, [None, Some(5), None]);
    }

    #[test]
    fn an_update_that_fails_is_told() {
        let result = swap_until_done(None::<Entry<u8>>, |_| 1, |_, _| Err(Error::Quota("full".to_owned())));
        assert_eq!(result, Err(Error::Quota("full".to_owned())));
    }
}

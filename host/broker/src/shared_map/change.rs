//! What changes a map. All checks come before the first change, so that a call that fails changed nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use taskcell_wire::call::{Bytes, CallError, MapChange, MapReply, Update};

use super::{Entry, Reply, SharedMap, cost};
use crate::quotas::KEY_BYTES;
use crate::time::Now;

impl SharedMap {
    /// Sets a key; whether it fits was checked. Gives the change's version.
    pub(super) fn set(&mut self, key: &str, value: Bytes<'_>, expires: Option<Now>) -> u64 {
        self.version += 1;
        let entry = Entry { value: value.into_shared(), version: self.version, expires };
        self.bytes += cost(key, &entry.value);
        match self.entries.get_mut(key) {
            Some(there) => {
                let old = std::mem::replace(there, entry);
                self.bytes = self.bytes.saturating_sub(cost(key, &old.value));
                if old.expires.is_some() || expires.is_some() {
                    self.move_end(key, old.expires, expires);
                }
            }
            None => {
                let key: Arc<str> = Arc::from(key);
                if let Some(expires) = expires {
                    self.ends.insert((expires, Arc::clone(&key)));
                }
                self.entries.insert(key, entry);
            }
        }
        self.version
    }

    fn move_end(&mut self, key: &str, from: Option<Now>, to: Option<Now>) {
        let key: Arc<str> = Arc::from(key);
        if let Some(from) = from {
            self.ends.remove(&(from, Arc::clone(&key)));
        }
        if let Some(to) = to {
            self.ends.insert((to, key));
        }
    }

    pub(super) fn remove(&mut self, key: &str) -> Option<Entry> {
        let (key, entry) = self.entries.remove_entry(key)?;
        self.version += 1;
        self.bytes = self.bytes.saturating_sub(cost(&key, &entry.value));
        if let Some(expires) = entry.expires {
            self.ends.remove(&(expires, key));
        }
        Some(entry)
    }

    /// Whether this key can be set to a value of this length.
    pub(super) fn check_fits(&self, key: &str, length: usize) -> Result<(), CallError> {
        self.check_lengths(key, Some(length))?;
        let there = self.entries.get(key).map(|entry| cost(key, &entry.value));
        let keys = self.entries.len() + usize::from(there.is_none());
        let bytes = self.bytes.saturating_sub(there.unwrap_or(0)).saturating_add((key.len() + length) as u64);
        self.check_sums(keys, bytes)
    }

    pub(super) fn check_lengths(&self, key: &str, value: Option<usize>) -> Result<(), CallError> {
        if key.len() > KEY_BYTES {
            return Err(CallError::Quota(format!("{KEY_BYTES} bytes of a key")));
        }
        if value.is_some_and(|length| length as u64 > self.quotas.message_bytes) {
            return Err(CallError::Quota(format!("{} bytes of a value", self.quotas.message_bytes)));
        }
        Ok(())
    }

    /// Less than there is now is always right, even if that is over a cap.
    fn check_sums(&self, keys: usize, bytes: u64) -> Result<(), CallError> {
        if keys > self.quotas.map_keys && keys > self.entries.len() {
            return Err(CallError::Quota(format!("{} keys of a map", self.quotas.map_keys)));
        }
        if bytes > self.quotas.map_bytes && bytes > self.bytes {
            return Err(CallError::Quota(format!("{} bytes of a map", self.quotas.map_bytes)));
        }
        Ok(())
    }

    /// The same for several changes at once, of which those with `None` remove their keys.
    fn check_changes<'a>(&self, changes: impl Iterator<Item = (&'a str, Option<usize>)>) -> Result<(), CallError> {
        // A key may be changed more than once; what counts is how it is left.
        let mut left: BTreeMap<&str, Option<usize>> = BTreeMap::new();
        for (key, length) in changes {
            self.check_lengths(key, length)?;
            left.insert(key, length);
        }
        let (mut keys, mut bytes) = (self.entries.len(), self.bytes);
        for (key, length) in left {
            if let Some(there) = self.entries.get(key) {
                keys = keys.saturating_sub(1);
                bytes = bytes.saturating_sub(cost(key, &there.value));
            }
            if let Some(length) = length {
                keys += 1;
                bytes = bytes.saturating_add(key.len() as u64).saturating_add(length as u64);
            }
        }
        self.check_sums(keys, bytes)
    }

    pub(super) fn set_many(&mut self, entries: Vec<(&str, Bytes<'_>)>) -> Result<Reply, CallError> {
        self.check_changes(entries.iter().map(|(key, value)| (*key, Some(value.len()))))?;
        for (key, value) in entries {
            self.set(key, value, None);
        }
        Ok(MapReply::Version(self.version))
    }

    pub(super) fn update_many(&mut self, changes: Vec<MapChange<'_>>) -> Result<Reply, CallError> {
        let version = |key: &str| self.entries.get(key).map(|entry| entry.version);
        let holds = |change: &MapChange<'_>| match change {
            MapChange::Check(key, expected) => version(key) == *expected,
            MapChange::Set(..) | MapChange::Remove(_) => true,
        };
        if let Some(stale) = changes.iter().position(|change| !holds(change)) {
            return Ok(MapReply::Update(Update::Stale(u32::try_from(stale).unwrap_or(u32::MAX))));
        }
        self.check_changes(changes.iter().filter_map(|change| match change {
            MapChange::Set(key, value) => Some((*key, Some(value.len()))),
            MapChange::Remove(key) => Some((*key, None)),
            MapChange::Check(..) => None,
        }))?;
        for change in changes {
            match change {
                MapChange::Set(key, value) => {
                    self.set(key, value, None);
                }
                MapChange::Remove(key) => {
                    self.remove(key);
                }
                MapChange::Check(..) => {}
            }
        }
        Ok(MapReply::Update(Update::Applied(self.version)))
    }

    /// Adds to a number in decimal. The moment at which the entry vanishes stays as it is.
    pub(super) fn increment(&mut self, key: &str, by: i64) -> Result<Reply, CallError> {
        let there = self.entries.get(key);
        let number = there.map_or(Ok(0), |entry| {
            let text = std::str::from_utf8(&entry.value).ok().and_then(|text| text.parse::<i64>().ok());
            text.ok_or_else(|| CallError::Invalid("increment of a value that is no decimal 64-bit integer".into()))
        })?;
        let sum = number.checked_add(by).ok_or_else(|| CallError::Invalid(format!("{number} + {by} is over 64 bits")))?;
        let expires = there.and_then(|entry| entry.expires);
        let text = sum.to_string();
        self.check_fits(key, text.len())?;
        self.set(key, Bytes::from(text.as_bytes()), expires);
        Ok(MapReply::Sum(sum))
    }
}

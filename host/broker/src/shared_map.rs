//! Maps from strings to bytes.
//!
//! The failure that this prevents: `d[k] += 1` by two processes that both read 5 and both write 6. Every call is one step here, and for what
//! takes more than one call there are versions: each change of a map has a number, higher than all before it, and what was read at one
//! version can be replaced only while it is still at that one.
//!
//! Rules. A call either does all that it says or nothing. An entry whose time is over is gone before anything else happens at that
//! moment. Keys are in the order of their bytes. A page goes on behind a key, not behind a position, so that keys that come and go
//! neither hide others nor show them twice; any string will do for a cursor. A watch compares the state that its caller knows with the state that is, so
//! a change between reading and watching is not missed; states in between may be.
//!
//! The road not taken is a list of past changes for each watcher: it grows with the changes, and a watcher that is slow decides how long.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use taskcell_wire::call::{CallError, CallId, Holder, MapCall, MapEntry, MapReply, MapRights, ObjectId, SharedBytes, Swap};

use crate::object::{Completions, Label, answer};
use crate::quotas::{ENTRY_BYTES, Quotas};
use crate::time::{Duration, Now};
use crate::waiters::{Waiters, earlier};

mod change;
mod page;
#[cfg(test)]
mod tests;

/// What the map answers.
type Reply = MapReply<'static>;
type Out = Completions<Reply>;

#[derive(Debug, Clone)]
struct Entry {
    value: SharedBytes,
    version: u64,
    expires: Option<Now>,
}

impl Entry {
    fn shown(&self) -> MapEntry<'static> {
        MapEntry { value: self.value.clone().into(), version: self.version }
    }
}

/// What a watcher knows.
#[derive(Debug)]
struct Watch {
    key: Arc<str>,
    since: Option<u64>,
}

/// What a handle shows of a map: all of it to the one who made it, less to others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MapView {
    /// What may be done.
    pub rights: MapRights,
    /// Only keys that begin with this exist for the handle; their names are whole all the same.
    pub prefix: String,
}

impl Default for MapView {
    fn default() -> Self {
        Self { rights: MapRights::ALL, prefix: String::new() }
    }
}

impl MapView {
    /// A view of this view: never more than it.
    ///
    /// # Errors
    /// [`CallError::Denied`] if the prefix leads out of this view's.
    pub fn restrict(&self, rights: MapRights, prefix: &str) -> Result<Self, CallError> {
        self.check(prefix)?;
        Ok(Self { rights: self.rights.and(rights), prefix: prefix.to_owned() })
    }

    fn check(&self, key: &str) -> Result<(), CallError> {
        if key.starts_with(&self.prefix) { Ok(()) } else { Err(CallError::Denied) }
    }

    /// Whether the view allows the call, all keys that it names included.
    fn allows(&self, call: &MapCall<'_>) -> Result<(), CallError> {
        if !self.rights.include(call.needs()) {
            return Err(CallError::Denied);
        }
        match call {
            MapCall::GetMany { keys } => keys.0.iter().try_for_each(|key| self.check(key)),
            MapCall::SetMany { entries } => entries.0.iter().try_for_each(|(key, _)| self.check(key)),
            MapCall::UpdateMany { changes } => changes.0.iter().try_for_each(|change| self.check(change.key())),
            MapCall::Get { key }
            | MapCall::Set { key, .. }
            | MapCall::SetDefault { key, .. }
            | MapCall::Remove { key }
            | MapCall::Pop { key }
            | MapCall::Contains { key }
            | MapCall::CompareAndSwap { key, .. }
            | MapCall::Increment { key, .. }
            | MapCall::Watch { key, .. } => self.check(key),
            // These see what there is under the view's prefix.
            MapCall::Len | MapCall::Clear | MapCall::Keys { .. } | MapCall::Items { .. } => Ok(()),
        }
    }
}

/// A map's state.
#[derive(Debug)]
pub struct SharedMap {
    label: Label,
    quotas: Quotas,
    entries: BTreeMap<Arc<str>, Entry>,
    ends: BTreeSet<(Now, Arc<str>)>,
    /// Of keys and values.
    bytes: u64,
    /// The last change's number.
    version: u64,
    watchers: Waiters<Watch>,
}

impl SharedMap {
    /// An empty map.
    #[must_use]
    pub fn new(id: ObjectId, name: Option<&str>, quotas: Quotas) -> Self {
        Self {
            label: Label::new("map", id, name),
            quotas,
            entries: BTreeMap::new(),
            ends: BTreeSet::new(),
            bytes: 0,
            version: 0,
            watchers: Waiters::default(),
        }
    }

    /// What it is called.
    #[must_use]
    pub fn label(&self) -> &Label {
        &self.label
    }

    /// A call through a handle that shows `view`.
    pub fn call(&mut self, now: Now, id: CallId, holder: Holder, view: &MapView, call: MapCall<'_>, out: &mut Out) {
        self.tick(now, out);
        let before = self.version;
        let result = view.allows(&call).and_then(|()| self.answer_to(now, (id, holder), view, call));
        if let Some(result) = result.transpose() {
            answer(out, id, result);
        }
        self.tell_watchers(before, out);
    }

    fn answer_to(
        &mut self,
        now: Now,
        (id, holder): (CallId, Holder),
        view: &MapView,
        call: MapCall<'_>,
    ) -> Result<Option<Reply>, CallError> {
        let reply = match call {
            MapCall::Get { key } => MapReply::Entry(self.entries.get(key).map(Entry::shown)),
            MapCall::GetMany { keys } => self.get_many(&keys.0)?,
            MapCall::Set { key, value, expires_in } => {
                self.check_fits(key, value.len())?;
                MapReply::Version(self.set(key, value, ends(now, expires_in)))
            }
            MapCall::SetMany { entries } => self.set_many(entries.0)?,
            MapCall::SetDefault { key, value } => {
                if !self.entries.contains_key(key) {
                    self.check_fits(key, value.len())?;
                    self.set(key, value, None);
                }
                MapReply::Entry(self.entries.get(key).map(Entry::shown))
            }
            MapCall::Remove { key } => MapReply::Found(self.remove(key).is_some()),
            MapCall::Pop { key } => MapReply::Entry(self.remove(key).as_ref().map(Entry::shown)),
            MapCall::Contains { key } => MapReply::Found(self.entries.contains_key(key)),
            MapCall::Len if view.prefix.is_empty() => MapReply::Len(self.entries.len() as u64),
            MapCall::Len => MapReply::Len(self.after(&view.prefix, None).count() as u64),
            MapCall::Clear => {
                let keys: Vec<_> = self.after(&view.prefix, None).map(|(key, _)| Arc::clone(key)).collect();
                for key in &keys {
                    self.remove(key);
                }
                MapReply::Len(keys.len() as u64)
            }
            MapCall::Keys { prefix, cursor, limit } => self.keys(view, prefix, cursor, limit),
            MapCall::Items { prefix, cursor, limit } => self.items(view, prefix, cursor, limit),
            MapCall::CompareAndSwap { key, version, value, expires_in } => {
                let there = self.entries.get(key);
                if there.map(|entry| entry.version) == version {
                    self.check_fits(key, value.len())?;
                    MapReply::Swap(Swap::Swapped(self.set(key, value, ends(now, expires_in))))
                } else {
                    MapReply::Swap(Swap::Stale(there.map(Entry::shown)))
                }
            }
            MapCall::Increment { key, by } => self.increment(key, by)?,
            MapCall::UpdateMany { changes } => self.update_many(changes.0)?,
            MapCall::Watch { key, since, timeout } => {
                let there = self.entries.get(key);
                if there.map(|entry| entry.version) == since {
                    self.check_lengths(key, None)?;
                    let watch = Watch { key: Arc::from(key), since };
                    self.watchers.park(now, id, holder, timeout, watch, self.quotas.waiters)?;
                    return Ok(None);
                }
                MapReply::Entry(there.map(Entry::shown))
            }
        };
        Ok(Some(reply))
    }

    /// An attempt ended: its calls are answered with [`CallError::Cancelled`]. What it wrote stays.
    pub fn holder_gone(&mut self, now: Now, holder: Holder, out: &mut Out) {
        let gone = self.watchers.take_holder(holder);
        gone.into_iter().for_each(|waiter| answer(out, waiter.call, Err(CallError::Cancelled)));
        self.tick(now, out);
    }

    /// Withdraws a call that waits: it is answered with [`CallError::Cancelled`]. Nothing happens if it does not wait here.
    pub fn cancel(&mut self, now: Now, call: CallId, out: &mut Out) {
        if self.watchers.take_call(call).is_some() {
            answer(out, call, Err(CallError::Cancelled));
        }
        self.tick(now, out);
    }

    /// Removes entries whose time is over, and ends the watches whose time is over.
    pub fn tick(&mut self, now: Now, out: &mut Out) {
        while let Some(at) = self.next_tick().filter(|at| *at <= now) {
            let before = self.version;
            while let Some((_, key)) = self.ends.first().cloned().filter(|(ends, _)| *ends <= at) {
                self.remove(&key);
            }
            self.tell_watchers(before, out);
            self.watchers.expire(at).into_iter().for_each(|waiter| answer(out, waiter.call, Err(CallError::TimedOut)));
        }
    }

    /// When [`tick`](Self::tick) is to be called at the latest.
    #[must_use]
    pub fn next_tick(&self) -> Option<Now> {
        earlier(self.ends.first().map(|(at, _)| *at), self.watchers.next_deadline())
    }

    /// What a call that waits here waits for, for people.
    #[must_use]
    pub fn describe_wait(&self, call: CallId) -> Option<String> {
        let key: String = self.watchers.find(call)?.wants.key.chars().take(64).collect();
        Some(format!("{}: watch {key:?}", self.label))
    }

    /// Bytes of its keys and values.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The same, with what an entry takes beside its key and value.
    #[must_use]
    pub fn footprint(&self) -> u64 {
        self.bytes.saturating_add((self.entries.len() as u64).saturating_mul(ENTRY_BYTES))
    }

    /// The entries whose keys begin with `prefix` and come after `cursor`, in order.
    fn after<'a>(&'a self, prefix: &'a str, cursor: Option<&str>) -> impl Iterator<Item = (&'a Arc<str>, &'a Entry)> {
        // No upper bound: a range whose bounds are in the wrong order panics, and the cursor is anybody's.
        let from = match cursor {
            Some(cursor) if cursor >= prefix => Bound::Excluded(cursor),
            Some(_) | None => Bound::Included(prefix),
        };
        self.entries.range::<str, _>((from, Bound::Unbounded)).take_while(move |(key, _)| key.starts_with(prefix))
    }

    /// Answers the watches whose key is no longer as they know it. `before` is the version up to which they were told.
    fn tell_watchers(&mut self, before: u64, out: &mut Out) {
        if self.version == before || self.watchers.is_empty() {
            return;
        }
        let entries = &self.entries;
        let version = |watch: &Watch| entries.get(&watch.key).map(|entry| entry.version);
        let told = self.watchers.take(|waiter| version(&waiter.wants) != waiter.wants.since);
        for waiter in told {
            let entry = self.entries.get(&waiter.wants.key).map(Entry::shown);
            answer(out, waiter.call, Ok(MapReply::Entry(entry)));
        }
    }
}

fn ends(now: Now, expires_in: Option<u64>) -> Option<Now> {
    expires_in.map(|after| now.plus(Duration(after)))
}

/// What an entry counts for.
fn cost(key: &str, value: &[u8]) -> u64 {
    (key.len() as u64).saturating_add(value.len() as u64)
}

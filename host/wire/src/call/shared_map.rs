//! Calls on a shared map (`wit/shared-map.wit`).

use serde::{Deserialize, Serialize};

use super::{Batch, Bytes, Timeout};

/// One change of an update.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum MapChange<'a> {
    /// Set a key, for good.
    Set(&'a str, #[serde(borrow)] Bytes<'a>),
    /// Remove a key; no matter if it is not there.
    Remove(&'a str),
    /// Change nothing, and let nothing be changed unless the key is at this version (`None`: absent).
    Check(&'a str, Option<u64>),
}

impl<'a> MapChange<'a> {
    /// Which key it is about.
    #[must_use]
    pub fn key(&self) -> &'a str {
        match self {
            Self::Set(key, _) | Self::Remove(key) | Self::Check(key, _) => key,
        }
    }
}

/// What a guest asks of a map.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum MapCall<'a> {
    /// An entry.
    Get {
        /// Its key.
        key: &'a str,
    },
    /// Several entries at one moment.
    GetMany {
        /// Their keys.
        #[serde(borrow)]
        keys: Batch<&'a str>,
    },
    /// Set a key.
    Set {
        /// Which.
        key: &'a str,
        /// To what.
        #[serde(borrow)]
        value: Bytes<'a>,
        /// When it vanishes by itself, in nanoseconds from now.
        expires_in: Option<u64>,
    },
    /// Set several keys at one moment, or none.
    SetMany {
        /// Keys and values.
        #[serde(borrow)]
        entries: Batch<(&'a str, Bytes<'a>)>,
    },
    /// Set a key if it is absent, and tell what is there then.
    SetDefault {
        /// Which.
        key: &'a str,
        /// To what.
        #[serde(borrow)]
        value: Bytes<'a>,
    },
    /// Remove a key, and tell whether it was there.
    Remove {
        /// Which.
        key: &'a str,
    },
    /// Remove a key, and tell what was there.
    Pop {
        /// Which.
        key: &'a str,
    },
    /// Whether a key is there.
    Contains {
        /// Which.
        key: &'a str,
    },
    /// How many keys there are.
    Len,
    /// Remove all.
    Clear,
    /// Keys in order.
    Keys {
        /// Only those that begin with this.
        prefix: &'a str,
        /// Only those after this.
        cursor: Option<&'a str>,
        /// The most keys; 0: as many as a page takes.
        limit: u32,
    },
    /// Entries in the order of their keys.
    Items {
        /// Only those whose keys begin with this.
        prefix: &'a str,
        /// Only those after this key.
        cursor: Option<&'a str>,
        /// The most entries; 0: as many as a page takes.
        limit: u32,
    },
    /// Set a key if it is at this version.
    CompareAndSwap {
        /// Which.
        key: &'a str,
        /// Its version; `None`: it is absent.
        version: Option<u64>,
        /// To what.
        #[serde(borrow)]
        value: Bytes<'a>,
        /// When it vanishes by itself, in nanoseconds from now.
        expires_in: Option<u64>,
    },
    /// Add to a number.
    Increment {
        /// Its key.
        key: &'a str,
        /// What to add.
        by: i64,
    },
    /// Make all of these changes at one moment, or none.
    UpdateMany {
        /// The changes, in order.
        #[serde(borrow)]
        changes: Batch<MapChange<'a>>,
    },
    /// Wait until the key is not at this version.
    Watch {
        /// Which.
        key: &'a str,
        /// The version that the caller knows; `None`: absent.
        since: Option<u64>,
        /// How long to wait.
        timeout: Timeout,
    },
}

impl MapCall<'_> {
    /// The right that the handle must carry for this. What changes the map and also tells what was in it needs both.
    #[must_use]
    pub fn needs(&self) -> MapRights {
        match self {
            Self::Get { .. }
            | Self::GetMany { .. }
            | Self::Contains { .. }
            | Self::Len
            | Self::Keys { .. }
            | Self::Items { .. }
            | Self::Watch { .. } => MapRights { read: true, write: false },
            Self::Set { .. } | Self::SetMany { .. } | Self::Clear => MapRights { read: false, write: true },
            Self::SetDefault { .. }
            | Self::Remove { .. }
            | Self::Pop { .. }
            | Self::CompareAndSwap { .. }
            | Self::Increment { .. }
            | Self::UpdateMany { .. } => MapRights { read: true, write: true },
        }
    }
}

/// What a handle of a map allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MapRights {
    /// Look.
    pub read: bool,
    /// Change.
    pub write: bool,
}

impl MapRights {
    /// What the one who made the map may do.
    pub const ALL: Self = Self { read: true, write: true };

    /// Whether these rights include those.
    #[must_use]
    pub fn include(self, needed: Self) -> bool {
        (self.read || !needed.read) && (self.write || !needed.write)
    }

    /// What both allow.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self { read: self.read && other.read, write: self.write && other.write }
    }
}

/// A value and its version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MapEntry<'a> {
    /// The value.
    #[serde(borrow)]
    pub value: Bytes<'a>,
    /// The map's number for the change that set it: higher than that of every earlier change of the map.
    pub version: u64,
}

/// A key with its entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MapItem<'a> {
    /// The key.
    pub key: String,
    /// What it is set to.
    #[serde(borrow)]
    pub entry: MapEntry<'a>,
}

/// How a compare-and-swap went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Swap<'a> {
    /// The key is set, at this version.
    Swapped(u64),
    /// The key is at another version; this is there.
    Stale(#[serde(borrow)] Option<MapEntry<'a>>),
}

/// How an update went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Update {
    /// All was done; the last change's version.
    Applied(u64),
    /// Nothing was done; the place of the first check that did not hold.
    Stale(u32),
}

/// A map's answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum MapReply<'a> {
    /// To get, pop, set-default and watch: what is there (for pop: was).
    Entry(#[serde(borrow)] Option<MapEntry<'a>>),
    /// To get-many, in the order of the keys.
    Entries(#[serde(borrow)] Vec<Option<MapEntry<'a>>>),
    /// To set and set-many: the version of the (last) change.
    Version(u64),
    /// To remove and contains: whether the key was there.
    Found(bool),
    /// To len, and to clear: how many were removed.
    Len(u64),
    /// To keys.
    Keys {
        /// In order.
        keys: Vec<String>,
        /// Where to go on; `None` at the end.
        next: Option<String>,
    },
    /// To items.
    Items {
        /// In the order of the keys.
        #[serde(borrow)]
        items: Vec<MapItem<'a>>,
        /// Where to go on; `None` at the end.
        next: Option<String>,
    },
    /// To compare-and-swap.
    Swap(#[serde(borrow)] Swap<'a>),
    /// To increment.
    Sum(i64),
    /// To update-many.
    Update(Update),
}

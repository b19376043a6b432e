//! What tells of many entries at once. No answer is longer than a frame takes: a page ends early and says where to go on, and what can't be
//! divided is refused.

use taskcell_wire::call::{CallError, MapItem, MapReply};

use super::{Entry, MapView, Reply, SharedMap, cost};
use crate::quotas::PAGE_ENTRIES;

impl SharedMap {
    pub(super) fn get_many(&self, keys: &[&str]) -> Result<Reply, CallError> {
        let mut bytes = 0u64;
        let mut found = Vec::with_capacity(keys.len());
        for key in keys {
            let entry = self.entries.get(*key);
            bytes = bytes.saturating_add(entry.map_or(0, |entry| entry.value.len() as u64));
            if bytes > self.quotas.reply_bytes && found.iter().any(Option::is_some) {
                return Err(CallError::Quota(format!("{} bytes of an answer", self.quotas.reply_bytes)));
            }
            found.push(entry.map(Entry::shown));
        }
        Ok(MapReply::Entries(found))
    }

    pub(super) fn keys(&self, view: &MapView, prefix: &str, cursor: Option<&str>, limit: u32) -> Reply {
        let mut keys = Vec::new();
        let next = self.page(view, prefix, cursor, limit, |key, _| {
            keys.push(key.to_owned());
            key.len() as u64
        });
        MapReply::Keys { keys, next }
    }

    pub(super) fn items(&self, view: &MapView, prefix: &str, cursor: Option<&str>, limit: u32) -> Reply {
        let mut items = Vec::new();
        let next = self.page(view, prefix, cursor, limit, |key, entry| {
            items.push(MapItem { key: key.to_owned(), entry: entry.shown() });
            cost(key, &entry.value)
        });
        MapReply::Items { items, next }
    }

    /// Shows each entry of a page, of which `show` tells the bytes; gives the last key if there is more.
    fn page(
        &self,
        view: &MapView,
        prefix: &str,
        cursor: Option<&str>,
        limit: u32,
        mut show: impl FnMut(&str, &Entry) -> u64,
    ) -> Option<String> {
        // Both prefixes have to hold: either the longer one begins with the shorter one, or there is no such key.
        let prefix = match (prefix.starts_with(&view.prefix), view.prefix.starts_with(prefix)) {
            (true, _) => prefix,
            (false, true) => &view.prefix,
            (false, false) => return None,
        };
        let limit = if limit == 0 { PAGE_ENTRIES } else { limit.min(PAGE_ENTRIES) };
        let mut entries = self.after(prefix, cursor).peekable();
        let (mut shown, mut bytes) = (0, 0u64);
        while let Some((key, entry)) = entries.next() {
            bytes = bytes.saturating_add(show(key, entry));
            shown += 1;
            let (_, next) = entries.peek()?;
            let with_next = bytes.saturating_add(next.value.len() as u64 + crate::quotas::KEY_BYTES as u64);
            if shown == limit || with_next > self.quotas.reply_bytes {
                return Some(key.to_string());
            }
        }
        None
    }
}

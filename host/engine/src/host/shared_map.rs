//! `taskcell:host/shared-map`.

use taskcell_wire::call::{
    Call, Create, MapCall, MapChange, MapEntry, MapItem, MapReply, MapRights, Reply, Swap, Timeout, Update,
};
use wasmtime::component::Resource;

use super::interfaces::shared_map::{
    Assignment, Change, Entry, Host, HostSharedMap, Item, ItemPage, KeyPage, Rights, SwapResult, UpdateResult,
};
use super::view::{batch, handles, match_one, short};
use super::{Fault, View};

handles! {
    /// `shared-map.shared-map`
    SharedMap
}

impl View<'_> {
    fn ask_map<R>(
        &self,
        map: &Resource<SharedMap>,
        call: MapCall<'_>,
        read: impl FnOnce(MapReply<'_>) -> Option<R>,
    ) -> Result<R, Fault> {
        let call = Call::Map(self.handle_id(map)?, call);
        self.ask(&call, |reply| read(match_one!(reply, Reply::Map(reply) => reply)?))
    }

    fn map_entry(&self, map: &Resource<SharedMap>, call: MapCall<'_>) -> Result<Option<Entry>, Fault> {
        self.ask_map(map, call, |reply| match_one!(reply, MapReply::Entry(there) => there.map(entry)))
    }

    fn map_version(&self, map: &Resource<SharedMap>, call: MapCall<'_>) -> Result<u64, Fault> {
        self.ask_map(map, call, |reply| match_one!(reply, MapReply::Version(version) => version))
    }

    fn map_found(&self, map: &Resource<SharedMap>, call: MapCall<'_>) -> Result<bool, Fault> {
        self.ask_map(map, call, |reply| match_one!(reply, MapReply::Found(found) => found))
    }

    fn map_len(&self, map: &Resource<SharedMap>, call: MapCall<'_>) -> Result<u64, Fault> {
        self.ask_map(map, call, |reply| match_one!(reply, MapReply::Len(len) => len))
    }
}

fn entry(MapEntry { value, version }: MapEntry<'_>) -> Entry {
    Entry { value: value.to_vec(), version }
}

impl Host for View<'_> {}

impl HostSharedMap for View<'_> {
    fn create(&mut self, name: Option<String>) -> Result<Resource<SharedMap>, Fault> {
        self.create_new(Create::Map(short(name)), SharedMap)
    }

    fn get(&mut self, map: Resource<SharedMap>, key: String) -> Result<Option<Entry>, Fault> {
        self.map_entry(&map, MapCall::Get { key: &key })
    }

    fn get_many(&mut self, map: Resource<SharedMap>, keys: Vec<String>) -> Result<Vec<Option<Entry>>, Fault> {
        let wanted = keys.len();
        let keys = batch(keys.iter().map(String::as_str).collect())?;
        self.ask_map(&map, MapCall::GetMany { keys }, |reply| {
            let entries = match_one!(reply, MapReply::Entries(entries) => entries)?;
            // One for each key, or the guest would take one key's entry for another's.
            (entries.len() == wanted).then(|| entries.into_iter().map(|there| there.map(entry)).collect())
        })
    }

    fn set(&mut self, map: Resource<SharedMap>, key: String, value: Vec<u8>, expires_in: Option<u64>) -> Result<u64, Fault> {
        self.map_version(&map, MapCall::Set { key: &key, value: value.as_slice().into(), expires_in })
    }

    fn set_many(&mut self, map: Resource<SharedMap>, entries: Vec<Assignment>) -> Result<u64, Fault> {
        let entries = batch(entries.iter().map(|set| (set.key.as_str(), set.value.as_slice().into())).collect())?;
        self.map_version(&map, MapCall::SetMany { entries })
    }

    fn set_default(&mut self, map: Resource<SharedMap>, key: String, value: Vec<u8>) -> Result<Entry, Fault> {
        let call = MapCall::SetDefault { key: &key, value: value.as_slice().into() };
        self.ask_map(&map, call, |reply| match_one!(reply, MapReply::Entry(Some(there)) => entry(there)))
    }

    fn remove(&mut self, map: Resource<SharedMap>, key: String) -> Result<bool, Fault> {
        self.map_found(&map, MapCall::Remove { key: &key })
    }

    fn pop(&mut self, map: Resource<SharedMap>, key: String) -> Result<Option<Entry>, Fault> {
        self.map_entry(&map, MapCall::Pop { key: &key })
    }

    fn contains(&mut self, map: Resource<SharedMap>, key: String) -> Result<bool, Fault> {
        self.map_found(&map, MapCall::Contains { key: &key })
    }

    fn len(&mut self, map: Resource<SharedMap>) -> Result<u64, Fault> {
        self.map_len(&map, MapCall::Len)
    }

    fn clear(&mut self, map: Resource<SharedMap>) -> Result<u64, Fault> {
        self.map_len(&map, MapCall::Clear)
    }

    fn keys(&mut self, map: Resource<SharedMap>, prefix: String, cursor: Option<String>, limit: u32) -> Result<KeyPage, Fault> {
        let call = MapCall::Keys { prefix: &prefix, cursor: cursor.as_deref(), limit };
        self.ask_map(&map, call, |reply| match_one!(reply, MapReply::Keys { keys, next } => KeyPage { keys, next }))
    }

    fn items(&mut self, map: Resource<SharedMap>, prefix: String, cursor: Option<String>, limit: u32) -> Result<ItemPage, Fault> {
        let call = MapCall::Items { prefix: &prefix, cursor: cursor.as_deref(), limit };
        self.ask_map(&map, call, |reply| {
            let (items, next) = match_one!(reply, MapReply::Items { items, next } => (items, next))?;
            let each = items.into_iter().map(|MapItem { key, entry: there }| Item { key, entry: entry(there) });
            Some(ItemPage { items: each.collect(), next })
        })
    }

    fn compare_and_swap(
        &mut self,
        map: Resource<SharedMap>,
        key: String,
        version: Option<u64>,
        value: Vec<u8>,
        expires_in: Option<u64>,
    ) -> Result<SwapResult, Fault> {
        let call = MapCall::CompareAndSwap { key: &key, version, value: value.as_slice().into(), expires_in };
        self.ask_map(&map, call, |reply| {
            Some(match match_one!(reply, MapReply::Swap(swap) => swap)? {
                Swap::Swapped(version) => SwapResult::Swapped(version),
                Swap::Stale(there) => SwapResult::Stale(there.map(entry)),
            })
        })
    }

    fn increment(&mut self, map: Resource<SharedMap>, key: String, by: i64) -> Result<i64, Fault> {
        self.ask_map(&map, MapCall::Increment { key: &key, by }, |reply| match_one!(reply, MapReply::Sum(sum) => sum))
    }

    fn update_many(&mut self, map: Resource<SharedMap>, changes: Vec<Change>) -> Result<UpdateResult, Fault> {
        let each = changes.iter().map(|change| match change {
            Change::Set(set) => MapChange::Set(&set.key, set.value.as_slice().into()),
            Change::Remove(key) => MapChange::Remove(key),
            Change::Check(expected) => MapChange::Check(&expected.key, expected.version),
        });
        let changes = batch(each.collect())?;
        self.ask_map(&map, MapCall::UpdateMany { changes }, |reply| {
            Some(match match_one!(reply, MapReply::Update(update) => update)? {
                Update::Applied(version) => UpdateResult::Applied(version),
                Update::Stale(place) => UpdateResult::Stale(place),
            })
        })
    }

    fn watch(
        &mut self,
        map: Resource<SharedMap>,
        key: String,
        since: Option<u64>,
        timeout: Timeout,
    ) -> Result<Option<Entry>, Fault> {
        self.map_entry(&map, MapCall::Watch { key: &key, since, timeout })
    }

    fn restrict(&mut self, map: Resource<SharedMap>, rights: Rights, prefix: String) -> Result<Resource<SharedMap>, Fault> {
        let rights = MapRights { read: rights.contains(Rights::READ), write: rights.contains(Rights::WRITE) };
        let call = Call::RestrictMap(self.handle_id(&map)?, rights, &prefix);
        self.make_new(&call, SharedMap)
    }

    fn drop(&mut self, map: Resource<SharedMap>) -> wasmtime::Result<()> {
        self.forget(map)
    }
}

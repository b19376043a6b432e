//! Maps under random histories, against a naive model: a plain ordered map that is searched from end to end for what is due, and a list of those
//! who watch.
//!
//! After each step the answers have to be the model's. Apart from the model: versions only rise, and a counter that only successful increments and
//! swaps change ends as their sum.
#![expect(clippy::cast_possible_truncation, reason = "the numbers of a history are small")]

mod history;

use std::collections::BTreeMap;

use history::{Answers, Holders, MS, Open, Random, Trace, plain, play_all, timeout};
use taskcell_broker::{Completions, MapView, Now, Quotas, SharedMap};
use taskcell_wire::call::{
    Batch, Bytes, CallError, CallId, Holder, MapCall, MapChange, MapEntry, MapItem, MapReply, MapRights, ObjectId, Swap, Update,
};

type Reply = MapReply<'static>;

#[derive(Debug, Clone, PartialEq)]
struct Entry {
    value: Vec<u8>,
    version: u64,
    ends: Option<u64>,
}

#[derive(Debug)]
struct Watch {
    call: CallId,
    holder: u64,
    deadline: Option<u64>,
    key: String,
    since: Option<u64>,
}

#[derive(Debug)]
struct Naive {
    quotas: Quotas,
    entries: BTreeMap<String, Entry>,
    version: u64,
    watches: Vec<Watch>,
    answers: Answers<Reply>,
}

impl Naive {
    fn shown(&self, key: &str) -> Option<MapEntry<'static>> {
        let entry = self.entries.get(key)?;
        Some(MapEntry { value: Bytes::Shared(entry.value.to_vec().into()), version: entry.version })
    }

    fn version_of(&self, key: &str) -> Option<u64> {
        self.entries.get(key).map(|entry| entry.version)
    }

    fn set(&mut self, key: &str, value: &[u8], ends: Option<u64>) -> u64 {
        self.version += 1;
        self.entries.insert(key.into(), Entry { value: value.into(), version: self.version, ends });
        self.version
    }

    fn remove(&mut self, key: &str) -> bool {
        let was = self.entries.remove(key).is_some();
        self.version += u64::from(was);
        was
    }

    fn bytes(&self) -> u64 {
        self.entries.iter().map(|(key, entry)| (key.len() + entry.value.len()) as u64).sum()
    }

    /// Does it, and undoes all of it if the map is over a cap then and grew.
    fn within_quota<T>(&mut self, change: impl FnOnce(&mut Self) -> T) -> Result<T, CallError> {
        let (entries, version, bytes) = (self.entries.clone(), self.version, self.bytes());
        let done = change(self);
        let keys = self.entries.len() > self.quotas.map_keys && self.entries.len() > entries.len();
        if keys || (self.bytes() > self.quotas.map_bytes && self.bytes() > bytes) {
            (self.entries, self.version) = (entries, version);
            return Err(CallError::Quota(String::new()));
        }
        Ok(done)
    }

    fn tell(&mut self) {
        for watch in std::mem::take(&mut self.watches) {
            if self.version_of(&watch.key) == watch.since {
                self.watches.push(watch);
            } else {
                let reply = MapReply::Entry(self.shown(&watch.key));
                self.answers.push((watch.call, Ok(reply)));
            }
        }
    }

    fn next(&self) -> Option<u64> {
        let ends = self.entries.values().filter_map(|entry| entry.ends);
        ends.chain(self.watches.iter().filter_map(|watch| watch.deadline)).min()
    }

    fn tick(&mut self, now: u64) {
        while let Some(at) = self.next().filter(|at| *at <= now) {
            let due: Vec<_> =
                self.entries.iter().filter(|(_, entry)| entry.ends == Some(at)).map(|(key, _)| key.clone()).collect();
            due.iter().for_each(|key| {
                self.remove(key);
            });
            self.tell();
            for watch in std::mem::take(&mut self.watches) {
                if watch.deadline == Some(at) {
                    self.answers.push((watch.call, Err(CallError::TimedOut)));
                } else {
                    self.watches.push(watch);
                }
            }
        }
    }

    fn withdraw(&mut self, now: u64, is_out: impl Fn(&Watch) -> bool) {
        for watch in std::mem::take(&mut self.watches) {
            if is_out(&watch) {
                self.answers.push((watch.call, Err(CallError::Cancelled)));
            } else {
                self.watches.push(watch);
            }
        }
        self.tick(now);
    }

    fn page(&self, view: &MapView, prefix: &str, cursor: Option<&str>, limit: u32) -> (Vec<String>, Option<String>) {
        let shown = |key: &&String| {
            key.starts_with(prefix) && key.starts_with(&view.prefix) && cursor.is_none_or(|cursor| key.as_str() > cursor)
        };
        let all: Vec<String> = self.entries.keys().filter(shown).cloned().collect();
        let limit = if limit == 0 { 1000 } else { limit.min(1000) } as usize;
        let page: Vec<_> = all.iter().take(limit).cloned().collect();
        let next = if page.len() < all.len() { page.last().cloned() } else { None };
        (page, next)
    }

    fn call(&mut self, now: u64, call: CallId, holder: u64, view: &MapView, what: &MapCall<'_>) {
        self.tick(now);
        let denied = |key: &str| !key.starts_with(&view.prefix);
        let keys: Vec<&str> = match what {
            MapCall::Get { key }
            | MapCall::Set { key, .. }
            | MapCall::SetDefault { key, .. }
            | MapCall::Remove { key }
            | MapCall::Pop { key }
            | MapCall::Contains { key }
            | MapCall::CompareAndSwap { key, .. }
            | MapCall::Increment { key, .. }
            | MapCall::Watch { key, .. } => vec![key],
            MapCall::GetMany { keys } => keys.0.clone(),
            MapCall::SetMany { entries } => entries.0.iter().map(|(key, _)| *key).collect(),
            MapCall::UpdateMany { changes } => changes.0.iter().map(MapChange::key).collect(),
            MapCall::Len | MapCall::Clear | MapCall::Keys { .. } | MapCall::Items { .. } => vec![],
        };
        if !view.rights.include(what.needs()) || keys.into_iter().any(denied) {
            self.answers.push((call, Err(CallError::Denied)));
            return;
        }
        if let MapCall::Watch { key, since, timeout } = what
            && self.version_of(key) == *since
            && *timeout != Some(0)
        {
            let deadline = timeout.map(|after| now + after);
            self.watches.push(Watch { call, holder, deadline, key: (*key).into(), since: *since });
            return;
        }
        let result = self.answer_to(now, view, what);
        self.answers.push((call, plain(result)));
        self.tell();
    }

    fn answer_to(&mut self, now: u64, view: &MapView, what: &MapCall<'_>) -> Result<Reply, CallError> {
        let ends = |after: &Option<u64>| after.map(|after| now + after);
        let under = |key: &&String| key.starts_with(&view.prefix);
        Ok(match what {
            MapCall::Get { key } => MapReply::Entry(self.shown(key)),
            MapCall::GetMany { keys } => MapReply::Entries(keys.0.iter().map(|key| self.shown(key)).collect()),
            MapCall::Set { key, value, expires_in } => {
                MapReply::Version(self.within_quota(|map| map.set(key, value, ends(expires_in)))?)
            }
            MapCall::SetMany { entries } => {
                self.within_quota(|map| entries.0.iter().for_each(|(key, value)| drop(map.set(key, value, None).to_string())))?;
                MapReply::Version(self.version)
            }
            MapCall::SetDefault { key, value } => {
                if !self.entries.contains_key(*key) {
                    self.within_quota(|map| map.set(key, value, None))?;
                }
                MapReply::Entry(self.shown(key))
            }
            MapCall::Remove { key } => MapReply::Found(self.remove(key)),
            MapCall::Pop { key } => {
                let was = self.shown(key);
                self.remove(key);
                MapReply::Entry(was)
            }
            MapCall::Contains { key } => MapReply::Found(self.entries.contains_key(*key)),
            MapCall::Len => MapReply::Len(self.entries.keys().filter(under).count() as u64),
            MapCall::Clear => {
                let keys: Vec<_> = self.entries.keys().filter(under).cloned().collect();
                MapReply::Len(keys.iter().filter(|key| self.remove(key)).count() as u64)
            }
            MapCall::Keys { prefix, cursor, limit } => {
                let (keys, next) = self.page(view, prefix, *cursor, *limit);
                MapReply::Keys { keys, next }
            }
            MapCall::Items { prefix, cursor, limit } => {
                let (keys, next) = self.page(view, prefix, *cursor, *limit);
                let item = |key: String| self.shown(&key).map(|entry| MapItem { key, entry });
                MapReply::Items { items: keys.into_iter().filter_map(item).collect(), next }
            }
            MapCall::CompareAndSwap { key, version, value, expires_in } => {
                if self.version_of(key) == *version {
                    MapReply::Swap(Swap::Swapped(self.within_quota(|map| map.set(key, value, ends(expires_in)))?))
                } else {
                    MapReply::Swap(Swap::Stale(self.shown(key)))
                }
            }
            MapCall::Increment { key, by } => {
                let entry = self.entries.get(*key);
                let text = entry.map_or("0".into(), |entry| String::from_utf8_lossy(&entry.value).into_owned());
                let sum = text.parse::<i64>().ok().and_then(|number| number.checked_add(*by));
                let sum = sum.ok_or_else(|| CallError::Invalid(String::new()))?;
                let ends = entry.and_then(|entry| entry.ends);
                self.within_quota(|map| map.set(key, sum.to_string().as_bytes(), ends))?;
                MapReply::Sum(sum)
            }
            MapCall::UpdateMany { changes } => {
                for (at, change) in (0..).zip(&changes.0) {
                    if let MapChange::Check(key, version) = change
                        && self.version_of(key) != *version
                    {
                        return Ok(MapReply::Update(Update::Stale(at)));
                    }
                }
                self.within_quota(|map| {
                    for change in &changes.0 {
                        match change {
                            MapChange::Set(key, value) => {
                                map.set(key, value, None);
                            }
                            MapChange::Remove(key) => {
                                map.remove(key);
                            }
                            MapChange::Check(..) => {}
                        }
                    }
                })?;
                MapReply::Update(Update::Applied(self.version))
            }
            MapCall::Watch { key, since, .. } if self.version_of(key) == *since => return Err(CallError::TimedOut),
            MapCall::Watch { key, .. } => MapReply::Entry(self.shown(key)),
        })
    }
}

const KEYS: [&str; 9] = ["", "a", "a/1", "a/2", "a/3", "b", "c/\u{10ffff}", "n", "\u{10ffff}"];

struct Chosen {
    keys: Vec<&'static str>,
    values: Vec<Vec<u8>>,
    versions: Vec<Option<u64>>,
}

impl Chosen {
    fn new(random: &mut Random, naive: &Naive) -> Self {
        let keys: Vec<_> = (0..3).filter_map(|_| random.pick(&KEYS)).collect();
        let values = (0..3).map(|_| match random.below(4) {
            0 => vec![b'x'; random.below(12) as usize],
            1 => i64::MAX.to_string().into_bytes(),
            _ => random.below(100).to_string().into_bytes(),
        });
        let values = values.collect();
        // Mostly what is there, so that swaps and checks hold often.
        let version = |key: &&str| naive.version_of(key);
        let versions = keys.iter().map(version).collect::<Vec<_>>();
        let versions = versions.into_iter().map(|version| if random.once_in(4) { Some(random.below(9)) } else { version });
        let versions = versions.collect();
        Self { keys, values, versions }
    }
}

fn random_call<'a>(random: &mut Random, chosen: &'a Chosen) -> MapCall<'a> {
    let key = chosen.keys[0];
    let value = || Bytes::from(&chosen.values[0][..]);
    let expires_in = random.once_in(3).then(|| random.below(10) * MS);
    let cursor = random.once_in(2).then(|| chosen.keys[2]);
    let pairs = || chosen.keys.iter().copied().zip(chosen.values.iter().map(|value| Bytes::from(&value[..])));
    let (prefix, limit) = (chosen.keys[1], random.between(0, 3));
    match random.below(22) {
        0 => MapCall::Get { key },
        1 => MapCall::GetMany { keys: Batch(chosen.keys.clone()) },
        2..5 => MapCall::Set { key, value: value(), expires_in },
        5 => MapCall::SetMany { entries: Batch(pairs().collect()) },
        6 => MapCall::SetDefault { key, value: value() },
        7 => MapCall::Remove { key },
        8 => MapCall::Pop { key },
        9 => MapCall::Contains { key },
        10 => MapCall::Len,
        11 if random.once_in(4) => MapCall::Clear,
        11 | 12 => MapCall::Keys { prefix, cursor, limit },
        13 => MapCall::Items { prefix, cursor, limit },
        14 | 15 => MapCall::CompareAndSwap { key, version: chosen.versions[0], value: value(), expires_in },
        16 | 17 => MapCall::Increment { key, by: [1, -1, i64::MAX, i64::MIN][random.below(4) as usize] },
        18 => {
            let sets = pairs().map(|(key, value)| MapChange::Set(key, value));
            let checks = chosen.keys.iter().zip(&chosen.versions).map(|(key, version)| MapChange::Check(key, *version));
            let removes = chosen.keys.iter().map(|key| MapChange::Remove(key));
            let mut changes: Vec<_> = sets.chain(checks).chain(removes).collect();
            changes.retain(|_| random.once_in(3));
            MapCall::UpdateMany { changes: Batch(changes) }
        }
        _ => MapCall::Watch { key, since: chosen.versions[0], timeout: timeout(random) },
    }
}

fn play(seed: u64, trace: Trace) {
    let mut random = Random::new(seed);
    let quotas = Quotas { map_keys: 2 + random.below(7) as usize, map_bytes: 20 + random.below(80), ..Quotas::default() };
    let mut map = SharedMap::new(ObjectId(1), None, quotas);
    let mut naive = Naive { quotas, entries: BTreeMap::new(), version: 0, watches: Vec::new(), answers: Vec::new() };
    let all = MapView::default();
    let narrow = all.restrict(MapRights::ALL, "a/").expect("all is all");
    let reader = all.restrict(MapRights { read: true, write: false }, "").expect("all is all");
    let writer = all.restrict(MapRights { read: false, write: true }, "a").expect("all is all");
    let (mut open, mut holders, mut out) = (Open::default(), Holders::new(3), Completions::new());
    let mut now = 0;
    for _ in 0..random.between(5, 80) {
        if random.once_in(2) {
            now += random.below(4) * MS / 2;
        }
        match random.below(24) {
            0 => {
                let (dead, _) = holders.replace(&mut random);
                trace.tell(|| format!("{now}: attempt {dead} ends"));
                map.holder_gone(Now(now), Holder(dead), &mut out);
                naive.withdraw(now, |watch| watch.holder == dead);
            }
            1 => {
                if let Some(call) = open.pick(&mut random) {
                    trace.tell(|| format!("{now}: {call} is cancelled"));
                    map.cancel(Now(now), call, &mut out);
                    naive.withdraw(now, |watch| watch.call == call);
                }
            }
            2..4 => {
                now = map.next_tick().map_or(now, |at| at.0.max(now));
                trace.tell(|| format!("{now}: tick"));
                map.tick(Now(now), &mut out);
                naive.tick(now);
            }
            _ => {
                let chosen = Chosen::new(&mut random, &naive);
                let what = random_call(&mut random, &chosen);
                let view = match random.below(12) {
                    0 => &narrow,
                    1 => &reader,
                    2 => &writer,
                    _ => &all,
                };
                let (call, holder) = (open.call(), holders.pick(&mut random));
                trace.tell(|| format!("{now}: {call} of attempt {holder}: {what:?}"));
                naive.call(now, call, holder, view, &what);
                map.call(Now(now), call, Holder(holder), view, what, &mut out);
            }
        }
        let answers = open.take(&mut out);
        answers.iter().for_each(|answer| trace.tell(|| format!("    {answer:?}")));
        naive.answers.sort_by_key(|(call, _)| *call);
        assert_eq!(answers, std::mem::take(&mut naive.answers));
        assert_eq!((map.bytes(), open.is_empty()), (naive.bytes(), naive.watches.is_empty()));
        assert!(map.bytes() <= quotas.map_bytes, "over its bound");
        let (told, right) = (map.next_tick().map(|at| at.0), naive.next());
        assert!(right.is_none_or(|right| told.is_some_and(|told| told <= right)), "it sleeps until {told:?}, past {right:?}");
    }
}

#[test]
fn a_map_does_what_a_plain_map_does() {
    play_all("shared_map_model", 10_000, play);
}

/// Many clients read and swap, or increment, the same number, in any order: nothing is lost and nothing counts twice.
#[test]
fn a_counter_is_exact_whoever_changes_it() {
    play_all("shared_map_model", 2_000, |seed, trace| {
        let mut random = Random::new(seed);
        let mut map = SharedMap::new(ObjectId(1), None, Quotas::default());
        let (view, mut out, mut sum, mut version) = (MapView::default(), Completions::new(), 0i64, 0u64);
        // What each client read last and has not tried to replace.
        let mut read: Vec<Option<MapEntry<'static>>> = vec![None; 4];
        for step in 0..100 {
            let at = random.below(4) as usize;
            let by = i64::from(random.between(1, 9));
            let number =
                read[at].as_ref().map_or(0, |entry| String::from_utf8_lossy(&entry.value).parse::<i64>().expect("a number"));
            let text = (number + by).to_string();
            let call = match random.below(3) {
                0 => MapCall::Get { key: "n" },
                1 => MapCall::Increment { key: "n", by },
                _ => MapCall::CompareAndSwap {
                    key: "n",
                    version: read[at].as_ref().map(|entry| entry.version),
                    value: text.as_bytes().into(),
                    expires_in: None,
                },
            };
            trace.tell(|| format!("client {at}: {call:?}"));
            map.call(Now(0), CallId(step), Holder(at as u64), &view, call, &mut out);
            match out.pop().expect("an answer").result {
                Ok(MapReply::Entry(entry)) => read[at] = entry,
                Ok(MapReply::Sum(now)) => {
                    sum += by;
                    assert_eq!(now, sum);
                    version += 1;
                }
                Ok(MapReply::Swap(Swap::Swapped(new))) => {
                    sum += by;
                    version += 1;
                    assert_eq!(new, version, "a swap that others came between");
                }
                Ok(MapReply::Swap(Swap::Stale(entry))) => read[at] = entry,
                other => panic!("{other:?}"),
            }
        }
    });
}

//! A map's rules, one by one. Random histories are in `tests/shared_map_model.rs`.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use taskcell_wire::call::{Batch, MapChange, MapItem, Update};

use super::*;

const ME: Holder = Holder(1);

struct Play {
    map: SharedMap,
    view: MapView,
    now: u64,
    calls: u64,
    out: Out,
}

impl Play {
    fn new() -> Self {
        Self::with(Quotas::default())
    }

    fn with(quotas: Quotas) -> Self {
        let map = SharedMap::new(ObjectId(5), Some("scores"), quotas);
        Self { map, view: MapView::default(), now: 0, calls: 0, out: Vec::new() }
    }

    fn start(&mut self, call: MapCall<'_>) -> CallId {
        let id = CallId(self.calls);
        self.calls += 1;
        self.map.call(Now(self.now), id, ME, &self.view, call, &mut self.out);
        id
    }

    fn answer(&mut self, call: CallId) -> Option<Result<Reply, CallError>> {
        let at = self.out.iter().position(|completion| completion.call == call)?;
        Some(self.out.remove(at).result)
    }

    fn call(&mut self, call: MapCall<'_>) -> Result<Reply, CallError> {
        let id = self.start(call);
        self.answer(id).unwrap()
    }

    fn set(&mut self, key: &str, value: &[u8]) -> u64 {
        match self.call(MapCall::Set { key, value: value.into(), expires_in: None }) {
            Ok(MapReply::Version(version)) => version,
            other => panic!("{other:?}"),
        }
    }

    fn get(&mut self, key: &str) -> Option<(Vec<u8>, u64)> {
        match self.call(MapCall::Get { key }) {
            Ok(MapReply::Entry(entry)) => entry.map(|entry| (entry.value.to_vec(), entry.version)),
            other => panic!("{other:?}"),
        }
    }

    fn keys(&mut self, prefix: &str, cursor: Option<&str>, limit: u32) -> (Vec<String>, Option<String>) {
        match self.call(MapCall::Keys { prefix, cursor, limit }) {
            Ok(MapReply::Keys { keys, next }) => (keys, next),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn every_change_has_a_higher_version() {
    let mut play = Play::new();
    assert_eq!((play.set("a", b"1"), play.set("b", b"2"), play.set("a", b"3")), (1, 2, 3));
    play.call(MapCall::Remove { key: "a" }).unwrap();
    assert_eq!(play.set("a", b"4"), 5, "removal is a change too");
    assert_eq!(play.get("a"), Some((b"4".to_vec(), 5)));
}

#[test]
fn what_is_not_there_is_none_and_no_error() {
    let mut play = Play::new();
    assert_eq!(play.get("a"), None);
    assert_eq!(play.call(MapCall::Remove { key: "a" }), Ok(MapReply::Found(false)));
    assert_eq!(play.call(MapCall::Pop { key: "a" }), Ok(MapReply::Entry(None)));
    assert_eq!(play.set("a", b""), 1, "nothing was changed");
}

#[test]
fn a_swap_needs_the_version_that_is() {
    let mut play = Play::new();
    let swap = |version, value| MapCall::CompareAndSwap { key: "a", version, value, expires_in: None };
    assert_eq!(play.call(swap(None, b"1".into())), Ok(MapReply::Swap(Swap::Swapped(1))));
    let there = MapEntry { value: b"1".into(), version: 1 };
    assert_eq!(play.call(swap(None, b"2".into())), Ok(MapReply::Swap(Swap::Stale(Some(there)))));
    assert_eq!(play.call(swap(Some(1), b"2".into())), Ok(MapReply::Swap(Swap::Swapped(2))));
    play.call(MapCall::Clear).unwrap();
    assert_eq!(play.call(swap(Some(2), b"3".into())), Ok(MapReply::Swap(Swap::Stale(None))));
}

#[test]
fn increments_add_up_and_overflow_changes_nothing() {
    let mut play = Play::new();
    assert_eq!(play.call(MapCall::Increment { key: "n", by: i64::MAX }), Ok(MapReply::Sum(i64::MAX)));
    assert!(matches!(play.call(MapCall::Increment { key: "n", by: 1 }), Err(CallError::Invalid(_))));
    assert_eq!(play.call(MapCall::Increment { key: "n", by: -7 }), Ok(MapReply::Sum(i64::MAX - 7)));
    assert_eq!(play.get("n").unwrap().0, (i64::MAX - 7).to_string().into_bytes());
    for text in [&b"1.5"[..], b"", b" 1", b"\xff", b"9223372036854775808"] {
        play.set("t", text);
        assert!(matches!(play.call(MapCall::Increment { key: "t", by: 1 }), Err(CallError::Invalid(_))), "{text:?}");
        assert_eq!(play.get("t").unwrap().0, text);
    }
}

#[test]
fn an_entry_vanishes_when_its_time_is_over() {
    let mut play = Play::new();
    play.call(MapCall::Set { key: "a", value: b"1".into(), expires_in: Some(10) }).unwrap();
    play.now = 9;
    assert!(play.get("a").is_some());
    play.now = 10;
    assert_eq!(play.get("a"), None);
    assert_eq!(play.map.bytes(), 0);
    assert_eq!(play.map.next_tick(), None);
}

#[test]
fn setting_again_forgets_the_end_and_incrementing_keeps_it() {
    let mut play = Play::new();
    for key in ["a", "b"] {
        play.call(MapCall::Set { key, value: b"1".into(), expires_in: Some(10) }).unwrap();
    }
    play.set("a", b"2");
    play.call(MapCall::Increment { key: "b", by: 1 }).unwrap();
    play.now = 10;
    assert_eq!((play.get("a").is_some(), play.get("b")), (true, None));
}

#[test]
fn a_watch_tells_of_what_differs_from_what_is_known() {
    let mut play = Play::new();
    let version = play.set("a", b"1");
    let known = play.start(MapCall::Watch { key: "a", since: Some(version), timeout: None });
    let absent = play.start(MapCall::Watch { key: "b", since: None, timeout: None });
    assert_eq!((play.answer(known), play.answer(absent)), (None, None));
    let entry = |version| Ok(MapReply::Entry(Some(MapEntry { value: b"1".into(), version })));
    assert_eq!(play.call(MapCall::Watch { key: "a", since: None, timeout: None }), entry(version), "it is there already");
    let version = play.set("b", b"1");
    assert_eq!((play.answer(known), play.answer(absent)), (None, Some(entry(version))));
    play.call(MapCall::Remove { key: "a" }).unwrap();
    assert_eq!(play.answer(known), Some(Ok(MapReply::Entry(None))));
}

#[test]
fn a_watch_has_a_timeout_and_sees_an_end() {
    let mut play = Play::new();
    play.call(MapCall::Set { key: "a", value: b"1".into(), expires_in: Some(10) }).unwrap();
    let short = play.start(MapCall::Watch { key: "a", since: Some(1), timeout: Some(5) });
    let long = play.start(MapCall::Watch { key: "a", since: Some(1), timeout: Some(20) });
    play.map.tick(Now(100), &mut play.out);
    assert_eq!(play.answer(short), Some(Err(CallError::TimedOut)));
    assert_eq!(play.answer(long), Some(Ok(MapReply::Entry(None))));
    assert_eq!(play.call(MapCall::Watch { key: "a", since: None, timeout: Some(0) }), Err(CallError::TimedOut));
}

#[test]
fn an_update_is_all_or_none() {
    let mut play = Play::new();
    play.set("a", b"1");
    play.set("b", b"2");
    let changes = |check| Batch(vec![MapChange::Set("a", b"9".into()), MapChange::Remove("b"), MapChange::Check("b", check)]);
    let stale = play.call(MapCall::UpdateMany { changes: changes(Some(1)) });
    assert_eq!(stale, Ok(MapReply::Update(Update::Stale(2))));
    assert_eq!(play.get("a").unwrap().0, b"1");
    assert_eq!(play.call(MapCall::UpdateMany { changes: changes(Some(2)) }), Ok(MapReply::Update(Update::Applied(4))));
    assert_eq!((play.get("a").unwrap().0, play.get("b")), (b"9".to_vec(), None));
}

#[test]
fn a_full_map_takes_no_more_and_loses_nothing() {
    let mut play = Play::with(Quotas { map_keys: 2, map_bytes: 10, ..Quotas::default() });
    play.set("a", b"1234");
    assert!(matches!(play.call(MapCall::Set { key: "b", value: b"12345".into(), expires_in: None }), Err(CallError::Quota(_))));
    play.set("b", b"1234");
    assert!(matches!(play.call(MapCall::SetDefault { key: "c", value: b"".into() }), Err(CallError::Quota(_))));
    let both = Batch(vec![("a", b"1".into()), ("c", b"2".into())]);
    assert!(matches!(play.call(MapCall::SetMany { entries: both }), Err(CallError::Quota(_))));
    assert_eq!(play.get("a").unwrap().0, b"1234");
    play.set("a", b"1");
    assert_eq!(play.map.bytes(), 7);
    let long = "k".repeat(5000);
    assert!(matches!(play.call(MapCall::Increment { key: &long, by: 1 }), Err(CallError::Quota(_))));
}

#[test]
fn pages_show_each_key_once_whatever_the_cursor() {
    let mut play = Play::new();
    for key in ["a", "p1", "p2", "p3", "q"] {
        play.set(key, b"v");
    }
    assert_eq!(play.keys("p", None, 2), (vec!["p1".into(), "p2".into()], Some("p2".into())));
    play.call(MapCall::Remove { key: "p2" }).unwrap();
    assert_eq!(play.keys("p", Some("p2"), 2), (vec!["p3".into()], None));
    for hostile in ["", "a", "p", "q", "zzz", "\u{10ffff}", "p\0"] {
        let (keys, next) = play.keys("p", Some(hostile), u32::MAX);
        assert!(keys.iter().all(|key| key.starts_with('p') && **key > *hostile) && next.is_none());
    }
    assert_eq!(play.keys("", None, 0).0.len(), 4);
}

#[test]
fn an_answer_is_never_longer_than_a_frame_takes() {
    let mut play = Play::with(Quotas { reply_bytes: 10_000, ..Quotas::default() });
    for n in 0..9 {
        play.set(&format!("k{n}"), &[0; 3000]);
    }
    let mut cursor: Option<String> = None;
    let mut seen: Vec<String> = Vec::new();
    loop {
        let page = play.call(MapCall::Items { prefix: "", cursor: cursor.as_deref(), limit: 0 });
        let Ok(MapReply::Items { items, next }) = page else { panic!() };
        assert!(items.iter().map(|MapItem { entry, .. }| entry.value.len()).sum::<usize>() <= 10_000);
        seen.extend(items.into_iter().map(|item| item.key));
        cursor = next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(seen.len(), 9);
    let keys = ["k0", "k1", "k2", "k3"];
    assert!(matches!(play.call(MapCall::GetMany { keys: Batch(keys.to_vec()) }), Err(CallError::Quota(_))));
    assert!(play.call(MapCall::GetMany { keys: Batch(keys[..3].to_vec()) }).is_ok());
}

#[test]
fn a_view_shows_what_is_under_its_prefix_and_allows_what_it_says() {
    let mut play = Play::new();
    for key in ["mine/a", "mine/b", "other"] {
        play.set(key, b"v");
    }
    play.view = play.view.restrict(MapRights::ALL, "mine/").unwrap();
    assert_eq!(play.call(MapCall::Get { key: "other" }), Err(CallError::Denied));
    assert_eq!(play.call(MapCall::Watch { key: "m", since: None, timeout: None }), Err(CallError::Denied));
    let sneaky = Batch(vec![MapChange::Check("mine/a", Some(1)), MapChange::Remove("other")]);
    assert_eq!(play.call(MapCall::UpdateMany { changes: sneaky }), Err(CallError::Denied));
    assert_eq!(play.call(MapCall::Len), Ok(MapReply::Len(2)));
    assert_eq!(play.keys("", None, 0).0, ["mine/a", "mine/b"]);
    assert_eq!(play.keys("mine/b", None, 0).0, ["mine/b"]);
    assert_eq!(play.keys("oth", Some("a"), 0).0, [""; 0]);
    assert_eq!(play.call(MapCall::Clear), Ok(MapReply::Len(2)));
    play.view = play.view.restrict(MapRights { read: true, write: false }, "mine/").unwrap();
    assert_eq!(play.call(MapCall::Increment { key: "mine/a", by: 1 }), Err(CallError::Denied));
    assert_eq!(play.get("mine/a"), None);
    assert_eq!(play.view.restrict(MapRights::ALL, "mi"), Err(CallError::Denied), "never wider");
    assert!(!play.view.restrict(MapRights::ALL, "mine/x").unwrap().rights.write);
    play.view = MapView::default();
    assert!(play.get("other").is_some());
}

#[test]
fn the_dead_watch_nothing() {
    let mut play = Play::new();
    let watch = play.start(MapCall::Watch { key: "a", since: None, timeout: None });
    assert_eq!(play.map.describe_wait(watch).unwrap(), "map 5 \"scores\": watch \"a\"");
    play.map.holder_gone(Now(0), ME, &mut play.out);
    assert_eq!(play.answer(watch), Some(Err(CallError::Cancelled)));
    play.set("a", b"1");
    assert_eq!(play.answer(watch), None);
}

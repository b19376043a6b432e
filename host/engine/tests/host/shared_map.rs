//! Shared maps.

use taskcell_wire::call::{
    Batch, Call, Create, HandleId, HandleKind, MapCall, MapChange, MapEntry, MapItem, MapReply, MapRights, Reply, Swap, Update,
};

use crate::stage::{Comes, bytes, handle, json};
use crate::tasks::compiled;

fn entry(version: u64) -> MapEntry<'static> {
    MapEntry { value: b"hi".into(), version }
}

fn ask<'a>(call: MapCall<'a>, reply: MapReply<'static>) -> [(Call<'a>, Comes); 1] {
    [(Call::Map(HandleId(3), call), Comes::from(Reply::Map(reply)))]
}

const ENTRY: &str = r#"{"value":"aGk=","version":7}"#;

#[test]
fn each_function_about_one_key_asks_what_it_says() {
    let mut stage = compiled().stage();
    let map = || handle(HandleKind::SharedMap, 3);
    let create = (Call::Create(Create::Map(Some("m".into()))), Reply::Handle(HandleId(8)).into());
    stage.check("map-create", &[json("\"m\"")], &[create], "1");
    let there = || MapReply::Entry(Some(entry(7)));
    stage.check("map-get", &[map(), bytes(b"k")], &ask(MapCall::Get { key: "k" }, there()), ENTRY);
    stage.check("map-get", &[map(), bytes(b"k")], &ask(MapCall::Get { key: "k" }, MapReply::Entry(None)), "null");
    let set = |expires_in| MapCall::Set { key: "k", value: b"v".into(), expires_in };
    stage.check("map-set", &[map(), bytes(b"k"), bytes(b"v"), json("9")], &ask(set(Some(9)), MapReply::Version(7)), "7");
    stage.check("map-set", &[map(), bytes(b"k"), bytes(b"v"), json("null")], &ask(set(None), MapReply::Version(7)), "7");
    let set = MapCall::SetDefault { key: "k", value: b"v".into() };
    stage.check("map-set-default", &[map(), bytes(b"k"), bytes(b"v")], &ask(set, there()), ENTRY);
    for found in [true, false] {
        let found = || MapReply::Found(found);
        let expected = if matches!(found(), MapReply::Found(true)) { "true" } else { "false" };
        stage.check("map-remove", &[map(), bytes(b"k")], &ask(MapCall::Remove { key: "k" }, found()), expected);
        stage.check("map-contains", &[map(), bytes(b"k")], &ask(MapCall::Contains { key: "k" }, found()), expected);
    }
    stage.check("map-pop", &[map(), bytes(b"k")], &ask(MapCall::Pop { key: "k" }, there()), ENTRY);
    let add = MapCall::Increment { key: "k", by: i64::MIN };
    let added = ask(add, MapReply::Sum(-1));
    stage.check("map-increment", &[map(), bytes(b"k"), json("-9223372036854775808")], &added, "-1");
    let watch = MapCall::Watch { key: "k", since: Some(6), timeout: Some(2) };
    stage.check("map-watch", &[map(), bytes(b"k"), json("6"), json("2")], &ask(watch, there()), ENTRY);
    let swap = |version| MapCall::CompareAndSwap { key: "k", version, value: b"v".into(), expires_in: Some(4) };
    for (version, given, reply, expected) in [
        (Some(1), "1", Swap::Swapped(7), r#"{"swapped":7}"#),
        (None, "null", Swap::Stale(Some(entry(7))), r#"{"stale":{"value":"aGk=","version":7}}"#),
        (None, "null", Swap::Stale(None), r#"{"stale":null}"#),
    ] {
        let arguments = [map(), bytes(b"k"), json(given), bytes(b"v"), json("4")];
        stage.check("map-swap", &arguments, &ask(swap(version), MapReply::Swap(reply)), expected);
    }
}

#[test]
fn each_function_about_several_keys_asks_what_it_says() {
    let mut stage = compiled().stage();
    let map = || handle(HandleKind::SharedMap, 3);
    let get = || MapCall::GetMany { keys: Batch(vec!["a", "é"]) };
    let entries = MapReply::Entries(vec![None, Some(entry(7))]);
    stage.check("map-get-many", &[map(), json(r#"["a","é"]"#)], &ask(get(), entries), &format!("[null,{ENTRY}]"));
    // An answer for another number of keys is none.
    let (ended, _) =
        stage.run("map-get-many", &[map(), json(r#"["a","é"]"#)], &[ask(get(), MapReply::Entries(vec![]))[0].1.clone()]);
    assert!(ended.contains("another kind"), "{ended}");
    let set = MapCall::SetMany { entries: Batch(vec![("a", b"1".into()), ("b", b"".into())]) };
    let given = json(r#"[{"key":"a","value":[49]},{"key":"b","value":""}]"#);
    stage.check("map-set-many", &[map(), given], &ask(set, MapReply::Version(7)), "7");
    stage.check("map-len", &[map()], &ask(MapCall::Len, MapReply::Len(7)), "7");
    stage.check("map-clear", &[map()], &ask(MapCall::Clear, MapReply::Len(7)), "7");
    let keys = MapCall::Keys { prefix: "p", cursor: Some("p1"), limit: 5 };
    let page = MapReply::Keys { keys: vec!["p2".into()], next: Some("p2".into()) };
    let expected = r#"{"keys":["p2"],"next":"p2"}"#;
    stage.check("map-keys", &[map(), bytes(b"p"), json("\"p1\""), json("5")], &ask(keys, page), expected);
    let items = MapCall::Items { prefix: "", cursor: None, limit: 0 };
    let page = MapReply::Items { items: vec![MapItem { key: "k".into(), entry: entry(7) }], next: None };
    let expected = format!(r#"{{"items":[{{"key":"k","entry":{ENTRY}}}],"next":null}}"#);
    stage.check("map-items", &[map(), bytes(b""), json("null"), json("0")], &ask(items, page), &expected);
    let changes = || {
        let set = MapChange::Set("a", b"1".into());
        let checks = [MapChange::Check("c", Some(2)), MapChange::Check("d", None)];
        MapCall::UpdateMany { changes: Batch([vec![set, MapChange::Remove("b")], checks.into()].concat()) }
    };
    for (update, expected) in [(Update::Applied(9), r#"{"applied":9}"#), (Update::Stale(2), r#"{"stale":2}"#)] {
        let given =
            json(r#"[{"set":{"key":"a","value":[49]}},{"remove":"b"},{"check":{"key":"c","version":2}},{"check":{"key":"d"}}]"#);
        stage.check("map-update", &[map(), given], &ask(changes(), MapReply::Update(update)), expected);
    }
    let restrict = Call::RestrictMap(HandleId(3), MapRights { read: true, write: false }, "p");
    let restricted = [(restrict, Reply::Handle(HandleId(8)).into())];
    stage.check("map-restrict", &[map(), json(r#"["read"]"#), bytes(b"p")], &restricted, "2");
}

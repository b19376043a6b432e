//! Shared maps: exact changes, versions, pages, prefixes, expiry.

use std::collections::BTreeMap;
use std::thread::sleep;

use taskcell_guest::shared_map::{Changes, Rights, Swap, Update};
use taskcell_guest::{Bytes, Error, Process, Result, SharedMap, task};

use crate::{LONG, Promise, SHORT, WHILE, expect, expect_error};

pub(crate) const PROMISES: &[Promise] = &[
    ("map: what was set is there", entries),
    ("map: increments from many processes are exact", increments),
    ("map: updates from many processes are exact", updates),
    ("map: a swap needs the right version", swaps),
    ("map: changes are made together or not at all", together),
    ("map: pages show every key once", pages),
    ("map: an entry vanishes in time", expiry),
    ("map: watching sees a change", watching),
    ("map: a handle reaches its prefix only", prefixes),
];

fn entries() -> Result {
    let map = SharedMap::<String, Option<u32>>::named("entries")?;
    map.set("a", &Some(1))?;
    map.set("b", &None)?;
    expect("values", (map.get("a")?, map.get("b")?, map.get("c")?), (Some(Some(1)), Some(None), None))?;
    expect("there", (map.contains("a")?, map.contains("c")?, map.len()?), (true, false, 2))?;
    expect("default", (map.get_or_set("a", &Some(9))?, map.get_or_set("c", &Some(3))?), (Some(1), Some(3)))?;
    expect("pop", (map.pop("a")?, map.pop("a")?), (Some(Some(1)), None))?;
    expect("remove", (map.remove("b")?, map.remove("b")?), (true, false))?;
    map.set_many([("x".to_owned(), Some(1)), ("y".to_owned(), Some(2))])?;
    let keys = ["y", "z", "x"].map(str::to_owned);
    expect("many", map.get_many(&keys)?, vec![Some(Some(2)), None, Some(Some(1))])?;
    expect("cleared", (map.clear()?, map.is_empty()?), (3, true))?;
    let numbers = SharedMap::<u16, Bytes>::new()?;
    numbers.set(&7, &Bytes::from(b"\x00\xff"))?;
    expect("bytes", numbers.items().collect::<Result<Vec<_>>>()?, vec![(7, Bytes::from(b"\x00\xff"))])
}

#[task]
fn increment_often(map: SharedMap<String, i64>, times: u32) -> Result {
    (0..times).try_for_each(|_| map.increment("count", 1).map(drop))
}

#[task]
fn update_often(map: SharedMap<String, Vec<u32>>, number: u32, times: u32) -> Result {
    (0..times).try_for_each(|_| {
        let changed = map.update("all", |all| {
            let mut all = all.unwrap_or_default();
            all.push(number);
            all
        });
        changed.map(drop)
    })
}

fn increments() -> Result {
    let map = SharedMap::<String, i64>::new()?;
    let processes = (0..4).map(|_| Process::spawn("increment-often", (&map, 250))).collect::<Result<Vec<_>>>()?;
    for process in processes {
        process.join::<()>()?;
    }
    expect("sum", map.get("count")?, Some(1000))?;
    expect("back", map.increment("count", -1001)?, -1)?;
    map.set("most", &i64::MAX)?;
    expect_error("too much", map.increment("most", 1), &Error::Invalid(String::new()))?;
    let words = SharedMap::<String, String>::new()?;
    words.set("word", "x")?;
    expect_error("no number", words.increment("word", 1), &Error::Invalid(String::new()))
}

fn updates() -> Result {
    let map = SharedMap::<String, Vec<u32>>::new()?;
    let processes = (0..4).map(|number| Process::spawn("update-often", (&map, number, 25))).collect::<Result<Vec<_>>>()?;
    for process in processes {
        process.join::<()>()?;
    }
    let all = map.get("all")?.unwrap_or_default();
    let times = |number| all.iter().filter(|found| **found == number).count();
    expect("times", (0..4).map(times).collect::<Vec<_>>(), vec![25; 4])
}

fn swaps() -> Result {
    let map = SharedMap::<String, u32>::new()?;
    let Swap::Swapped(first) = map.compare_and_swap("a", None, &1)? else { return Err(Error::Other("stale".to_owned())) };
    let stale = map.compare_and_swap("a", None, &2)?;
    expect("stale", stale, Swap::Stale(map.entry("a")?))?;
    let Swap::Swapped(second) = map.compare_and_swap("a", Some(first), &3)? else { return Err(Error::Other("stale".to_owned())) };
    expect("rises", second > first, true)?;
    map.remove("a")?;
    expect("gone", map.compare_and_swap("a", Some(second), &4)?, Swap::Stale(None))
}

fn together() -> Result {
    let map = SharedMap::<String, u32>::new()?;
    let version = map.set("a", &1)?;
    let changes = Changes::new().check("b", None).check("a", Some(version)).remove("a").set("b", &2)?;
    expect("applied", matches!(map.update_many(&changes)?, Update::Applied(_)), true)?;
    expect("moved", (map.get("a")?, map.get("b")?), (None, Some(2)))?;
    expect("stale", map.update_many(&changes)?, Update::Stale(0))
}

fn pages() -> Result {
    let map = SharedMap::<String, u32>::new()?;
    let all: BTreeMap<String, u32> = (0..2500).map(|number| (format!("key-{number:04}"), number)).collect();
    map.set_many(&all)?;
    expect("items", map.items().collect::<Result<BTreeMap<_, _>>>()?, all)?;
    expect("keys", map.keys().count(), 2500)?;
    let some = map.keys_with_prefix("key-012").collect::<Result<Vec<_>>>()?;
    expect("some", (some.len(), some.first().map(String::as_str)), (10, Some("key-0120")))
}

fn expiry() -> Result {
    let map = SharedMap::<String, u32>::new()?;
    map.set_expiring("a", &1, WHILE)?;
    map.set_expiring("b", &1, WHILE)?;
    map.set("b", &2)?;
    expect("there", map.contains("a")?, true)?;
    sleep(WHILE + SHORT);
    expect("gone", (map.get("a")?, map.get("b")?), (None, Some(2)))
}

#[task]
fn set_later(map: SharedMap<String, u32>) -> Result {
    sleep(SHORT);
    map.set("a", &2).map(drop)
}

fn watching() -> Result {
    let map = SharedMap::<String, u32>::new()?;
    expect_error("absent", map.watch_timeout("a", None, SHORT), &Error::TimedOut)?;
    let version = map.set("a", &1)?;
    expect("at once", map.watch("a", None)?.map(|entry| entry.value), Some(1))?;
    let process = Process::spawn("set-later", (&map,))?;
    expect("later", map.watch_timeout("a", Some(version), LONG)?.map(|entry| entry.value), Some(2))?;
    Ok(process.join()?)
}

fn prefixes() -> Result {
    let map = SharedMap::<String, u32>::new()?;
    map.set("other", &1)?;
    let mine = map.restrict(Rights::READ | Rights::WRITE, "mine/")?;
    mine.set("mine/a", &2)?;
    expect_error("get", mine.get("other"), &Error::Denied)?;
    expect_error("wider", mine.restrict(Rights::READ, "").map(drop), &Error::Denied)?;
    expect("keys", mine.keys().collect::<Result<Vec<_>>>()?, vec!["mine/a".to_owned()])?;
    let reader = map.restrict(Rights::READ, "")?;
    expect("get", reader.get("mine/a")?, Some(2))?;
    expect_error("set", reader.set("mine/a", &3), &Error::Denied)
}

//! What a call costs when much is there already: a queue in which messages wait, a map with many keys.
//!
//! `-- queue-grows|map-grows full|quick N`. It says `empty` and `full` and waits for a line of input after each, so that `tests/bench/run --scaling` can
//! look at the supervisor's memory in between.

use std::io::{BufRead, stdin};
use std::time::Instant;

use taskcell_guest::{Bytes, Error, Queue, Result, SharedMap};

use crate::{Effort, tell};

/// Of a message and of a value.
const BYTES: usize = 64;
/// In one call while it is filled.
const BATCH: u32 = 1000;
/// Keys that are asked for, spread over all.
const ASKED: u32 = 1000;
const CALLS: u32 = 100_000;

pub(crate) fn queue(effort: Effort, count: u32) -> Result {
    let (queue, message) = (Queue::<Bytes>::new()?, Bytes(vec![7; BYTES]));
    pause("empty")?;
    let mut left = count;
    while left > 0 {
        let some = left.min(BATCH);
        queue.put_many(&vec![message.clone(); some as usize])?;
        left -= some;
    }
    pause("full")?;
    // Each put makes the message that is taken when all that wait before it are.
    time("pair", effort.times(CALLS), |_| {
        queue.put(&message)?;
        queue.get().map(drop)
    })?;
    let waiting = queue.counts().waiting;
    if waiting == count { Ok(()) } else { Err(Error::Other(format!("{waiting} messages wait instead of {count}"))) }
}

pub(crate) fn map(effort: Effort, count: u32) -> Result {
    let (map, value) = (SharedMap::<String, Bytes>::new()?, Bytes(vec![7; BYTES]));
    pause("empty")?;
    for first in (0..count).step_by(BATCH as usize) {
        let keys: Vec<String> = (first..count.min(first.saturating_add(BATCH))).map(key).collect();
        map.set_many(keys.iter().map(|key| (key, &value)))?;
    }
    pause("full")?;
    let asked: Vec<String> = (0..ASKED).map(|n| key((u64::from(n) * u64::from(count) / u64::from(ASKED)) as u32)).collect();
    let nth = |n: u32| asked[(n % ASKED) as usize].as_str();
    time("get", effort.times(CALLS), |n| match map.get(nth(n))? {
        Some(_) => Ok(()),
        None => Err(Error::Other(format!("there is no {}", nth(n)))),
    })?;
    time("set", effort.times(CALLS), |n| map.set(nth(n), &value).map(drop))
}

fn key(n: u32) -> String {
    format!("key-{n:012}")
}

fn pause(word: &str) -> Result {
    println!("{word}");
    let mut line = String::new();
    stdin().lock().read_line(&mut line).map_err(|error| Error::Other(format!("no input: {error}")))?;
    Ok(())
}

/// Prints what one of many calls takes, after a tenth of them to get warm.
fn time(name: &str, times: u32, mut work: impl FnMut(u32) -> Result) -> Result {
    for n in 0..times / 10 {
        work(n)?;
    }
    let began = Instant::now();
    for n in 0..times {
        work(n)?;
    }
    tell(name, "ns", began.elapsed().as_secs_f64() * 1e9 / f64::from(times));
    Ok(())
}

//! A map of 1000 keys of 16 bytes with values of 64, and one client or four.

use taskcell_guest::{Barrier, Bytes, Error, Process, Result, SharedMap, task};

use crate::{Effort, tell_rate, together};

const KEYS: usize = 1000;

pub(crate) fn run(effort: Effort) -> Result {
    let map = SharedMap::<String, Bytes>::new()?;
    let (keys, value) = (keys(), Bytes(vec![7; 64]));
    map.set_many(keys.iter().map(|key| (key, &value)))?;
    for clients in [1, 4] {
        for (what, task, full) in [("get", "get-keys", 100_000), ("set", "set-keys", 100_000), ("increment", "count-up", 100_000)]
        {
            let each = effort.times(full) / clients;
            let start = Barrier::new(clients + 1)?;
            let spawn = |_| Process::spawn(task, (&map, &start, each));
            let processes = (0..clients).map(spawn).collect::<Result<Vec<_>>>()?;
            let took = together(&start, &processes)?;
            tell_rate(&format!("shared-map/{what}/{clients}"), "calls/s", each * clients, took);
        }
    }
    let sum = map.get("n")?.map_or_else(String::new, |sum| String::from_utf8_lossy(&sum).into_owned());
    let expected = (effort.times(100_000) / 4 * 4 + effort.times(100_000)).to_string();
    if sum != expected {
        return Err(Error::Other(format!("increments were lost: {sum} instead of {expected}")));
    }
    for (what, task) in [("get-many", "get-all"), ("set-many", "set-all")] {
        let (start, rounds) = (Barrier::new(2)?, effort.times(1000));
        let process = Process::spawn(task, (&map, &start, rounds))?;
        let took = together(&start, &[process])?;
        tell_rate(&format!("shared-map/{what}/1"), "keys/s", rounds * KEYS as u32, took);
    }
    Ok(())
}

fn keys() -> Vec<String> {
    (0..KEYS).map(|n| format!("key-{n:012}")).collect()
}

#[task]
fn get_keys(map: SharedMap<String, Bytes>, start: Barrier, count: u32) -> Result {
    let keys = keys();
    start.wait()?;
    for key in keys.iter().cycle().take(count as usize) {
        map.get(key.as_str())?;
    }
    Ok(())
}

#[task]
fn set_keys(map: SharedMap<String, Bytes>, start: Barrier, count: u32) -> Result {
    let (keys, value) = (keys(), Bytes(vec![8; 64]));
    start.wait()?;
    for key in keys.iter().cycle().take(count as usize) {
        map.set(key.as_str(), &value)?;
    }
    Ok(())
}

#[task]
fn count_up(map: SharedMap<String, Bytes>, start: Barrier, count: u32) -> Result {
    start.wait()?;
    for _ in 0..count {
        map.increment("n", 1)?;
    }
    Ok(())
}

#[task]
fn get_all(map: SharedMap<String, Bytes>, start: Barrier, rounds: u32) -> Result {
    let keys = keys();
    start.wait()?;
    for _ in 0..rounds {
        map.get_many(&keys)?;
    }
    Ok(())
}

#[task]
fn set_all(map: SharedMap<String, Bytes>, start: Barrier, rounds: u32) -> Result {
    let (keys, value) = (keys(), Bytes(vec![9; 64]));
    start.wait()?;
    for _ in 0..rounds {
        map.set_many(keys.iter().map(|key| (key, &value)))?;
    }
    Ok(())
}

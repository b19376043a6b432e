//! Takes of one thing until the host refuses, and tells how much it got and what it was told.
//!
//! What it takes is its argument. A host that has a limit for everything outlives all of them, and its other tasks don't notice.

use std::thread::sleep;
use std::time::Duration;

use taskcell_guest::{Bytes, Error, Pool, Process, Queue, Result, SharedMap, pipe, task};

/// More than any limit.
const ALL: u64 = 100_000_000;
const MIB: usize = 1 << 20;

#[task]
fn linger() {
    sleep(Duration::from_secs(600));
}

/// Starts one like itself, and so on; how deep they came.
#[task]
fn descend(depth: u32) -> Result<String> {
    match Process::spawn("descend", (depth + 1,)) {
        Ok(child) => child.join::<String>().map_err(Error::from),
        Err(error) => Ok(format!("{depth}: {error}")),
    }
}

/// Starts two like itself, which live on, and so on.
#[task]
fn multiply() -> Result<String> {
    for _ in 0..2 {
        if let Err(error) = Process::builder("multiply").detached().spawn(()) {
            return Ok(error.to_string());
        }
    }
    sleep(Duration::from_millis(200));
    Ok(String::new())
}

/// How often it went well, and why no more.
fn until_refused(mut take: impl FnMut(u64) -> Result) -> String {
    for count in 0..ALL {
        if let Err(error) = take(count) {
            return format!("{count}: {error}");
        }
    }
    format!("{ALL}: and no end")
}

/// A try that waits for nothing.
fn put(queue: &Queue<Bytes>, message: &Bytes) -> Result {
    if queue.try_put(message)? { Ok(()) } else { Err(Error::TimedOut) }
}

#[taskcell_guest::main]
fn main() -> Result {
    let what = std::env::args().nth(1).unwrap_or_default();
    let told = match what.as_str() {
        "messages" => {
            let queue = Queue::<Bytes>::new()?;
            let many = vec![Bytes(Vec::new()); 10_000];
            until_refused(|_| queue.put_many_timeout(&many, Duration::ZERO))
        }
        "bytes" => {
            let queue = Queue::<Bytes>::new()?;
            let long = Bytes(vec![7; MIB]);
            until_refused(|_| put(&queue, &long))
        }
        "a-long-message" => {
            let queue = Queue::<Bytes>::new()?;
            until_refused(|count| put(&queue, &Bytes(vec![7; MIB << count])))
        }
        "keys" => {
            let map = SharedMap::<String, Bytes>::new()?;
            until_refused(|count| {
                let entries = (0..10_000).map(|n| (format!("{count}-{n}"), Bytes(Vec::new())));
                map.set_many(entries).map(drop)
            })
        }
        "values" => {
            let map = SharedMap::<String, Bytes>::new()?;
            let long = Bytes(vec![7; MIB]);
            until_refused(|count| map.set(&count.to_string(), &long).map(drop))
        }
        "handles" => {
            let mut queues = Vec::new();
            until_refused(|_| Queue::<Bytes>::new().map(|queue| queues.push(queue)))
        }
        "pipes" => {
            let mut pipes = Vec::new();
            until_refused(|_| pipe::<Bytes>().map(|ends| pipes.push(ends)))
        }
        "processes" => {
            let mut processes = Vec::new();
            until_refused(|_| Process::spawn("linger", ()).map(|process| processes.push(process)))
        }
        "pools" => {
            let mut pools = Vec::new();
            until_refused(|_| Pool::with_workers(1).map(|pool| pools.push(pool)))
        }
        "depth" => Process::spawn("descend", (1,))?.join::<String>()?,
        "fork-bomb" => Process::spawn("multiply", ())?.join::<String>()?,
        other => return Err(Error::Invalid(format!("take what? not {other:?}"))),
    };
    println!("{what} {told}");
    Ok(())
}

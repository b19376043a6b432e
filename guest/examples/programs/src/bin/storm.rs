//! Work whose outcome can be counted, for as long as somebody kills the processes that do it: `queue`, `map`, `lock` or `pipe`, and how much.
//!
//! It waits for a line of input before it starts any process, so that whoever brings the storm knows which process is the program's own.
//! What it prints at the end is what is left of all deaths: nothing lost, nothing counted twice.

use std::time::{Duration, Instant};

use taskcell_guest::shared_map::{Changes, Update};
use taskcell_guest::{Connection, Error, Lock, Pool, Process, Queue, Result, SharedMap, TaskError, duplex, task};

const WORKERS: u32 = 3;
/// Longer than any task has an item, shorter than anybody's patience: a consumer's death gives its items back at once.
const LEASE: Duration = Duration::from_secs(600);
/// More deaths than any storm brings.
const RETRIES: u32 = 10_000;

/// Some two milliseconds of work, so that there is somebody to kill.
fn work() -> u32 {
    let began = Instant::now();
    let mut sum = 0u32;
    while began.elapsed() < Duration::from_millis(2) {
        sum = (0..1000).fold(sum, |sum, number| sum.rotate_left(3) ^ number);
    }
    sum
}

/// Takes items until there are none and will be none, notes each one, and only then says that it is done with it.
#[task]
fn consume(items: Queue<u32>, seen: SharedMap<String, u32>) -> Result {
    loop {
        let delivery = match items.receive(LEASE) {
            Ok(delivery) => delivery,
            Err(Error::Closed) => return Ok(()),
            Err(error) => return Err(error),
        };
        work();
        seen.increment(&delivery.message()?.to_string(), 1)?;
        delivery.ack()?;
    }
}

/// Every item is acknowledged once, by whoever lives long enough.
fn queue(count: u32) -> Result {
    let items = Queue::<u32>::builder().capacity(64).max_attempts(RETRIES).create()?;
    let seen = SharedMap::<String, u32>::named("seen")?;
    let spawn = || Process::spawn("consume", (&items, &seen));
    let mut consumers = (0..WORKERS).map(|_| spawn()).collect::<Result<Vec<_>>>()?;
    let mut deaths = 0;
    let mut next = 0;
    loop {
        if next < count {
            if items.put_timeout(&next, Duration::from_millis(50)).is_ok() {
                next += 1;
            }
        } else if items.join_timeout(Duration::from_millis(50)).is_ok() {
            break;
        }
        for consumer in &mut consumers {
            if !consumer.is_alive() {
                deaths += 1;
                *consumer = spawn()?;
            }
        }
    }
    let counts = items.counts();
    items.close()?;
    let noted: u32 = seen.items().map(|item| item.map(|(_, times)| times)).sum::<Result<u32>>()?;
    println!("items {count} seen {} left {}", seen.len()?, counts.waiting + counts.leased + counts.delayed + counts.rejected);
    // One that died after its note and before its word is done again by another.
    println!("again {} deaths {deaths}", noted - count);
    Ok(())
}

/// Counts a task exactly once, however often it is tried: its own key and the total change together or not at all.
#[task]
fn count_once(totals: SharedMap<String, u32>, number: u32) -> Result {
    work();
    let own = number.to_string();
    loop {
        let total = totals.entry("total")?;
        let (version, value) = total.map_or((None, 0), |entry| (Some(entry.version), entry.value));
        let changes = Changes::new().check(&own, None).set(&own, &1)?;
        let changes = changes.check("total", version).set("total", &(value + 1))?;
        match totals.update_many(&changes)? {
            Update::Applied(_) => return Ok(()),
            // A former attempt of this task did it.
            Update::Stale(0) => return Ok(()),
            Update::Stale(_) => {}
        }
    }
}

/// A counter that is exact, though tasks are tried again.
fn map(count: u32) -> Result {
    let totals = SharedMap::<String, u32>::named("totals")?;
    run_all("count-once", count, |number| (&totals, number))?;
    println!("total {} keys {}", totals.get("total")?.unwrap_or(0), totals.len()? - 1);
    Ok(())
}

/// Two steps under a lock. Who finds that the one before died between them mends what it left.
#[task]
fn count_locked(lock: Lock, totals: SharedMap<String, u32>, number: u32) -> Result {
    let guard = lock.acquire()?;
    if guard.is_abandoned() {
        let done = u32::try_from(totals.keys_with_prefix("done ").count()).unwrap_or(u32::MAX);
        totals.set("total", &done)?;
        totals.increment("mended", 1)?;
    }
    let own = format!("done {number}");
    if totals.get(&own)?.is_none() {
        totals.set(&own, &1)?;
        work();
        let total = totals.get("total")?.unwrap_or(0);
        totals.set("total", &(total + 1))?;
    }
    guard.release()
}

/// A lock whose holders are killed: none is lost, and each such death is told to the next holder.
fn lock(count: u32) -> Result {
    let (lock, totals) = (Lock::named("totals")?, SharedMap::<String, u32>::named("totals")?);
    run_all("count-locked", count, |number| (&lock, &totals, number))?;
    let last = lock.acquire_timeout(Duration::from_secs(10))?;
    // The last holder may have died with its work done, and been tried again before this.
    let done = u32::try_from(totals.keys_with_prefix("done ").count()).unwrap_or(u32::MAX);
    println!("total {} done {done} abandoned {}", totals.get("total")?.unwrap_or(0), last.is_abandoned());
    println!("mended {}", totals.get("mended")?.unwrap_or(0));
    last.release()
}

/// Runs a task `count` times, in a pool that tries again.
fn run_all<A: taskcell_guest::argument::Arguments>(task: &str, count: u32, arguments: impl Fn(u32) -> A) -> Result {
    let pool = Pool::builder().workers(WORKERS).retries(RETRIES).create()?;
    let numbers: Vec<u32> = (0..count).collect();
    // A future is a handle, and a task may have 1024.
    for some in numbers.chunks(500) {
        let futures = some.iter().map(|number| pool.submit::<()>(task, arguments(*number))).collect::<Result<Vec<_>>>()?;
        for future in futures {
            future.result()?;
        }
    }
    Ok(())
}

/// Sends back what it gets.
#[task]
fn echo(end: Connection<u32, u32>) -> Result {
    loop {
        match end.recv() {
            Ok(number) => {
                work();
                end.send(&number)?;
            }
            Err(Error::Closed) => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

/// A pipe to a process that is killed: what it had sent arrives, and then the end, never silence.
fn pipe(count: u32) -> Result {
    let (mut answered, mut ends) = (0, 0);
    while answered < count {
        let (ours, theirs) = duplex::<u32, u32>()?;
        let process = Process::spawn("echo", (theirs,))?;
        while answered < count {
            let echoed = ours.send(&answered).and_then(|()| ours.recv_timeout(Duration::from_secs(60)));
            match echoed {
                Ok(number) if number == answered => answered += 1,
                Ok(number) => return Err(Error::Invalid(format!("sent {answered}, got {number}"))),
                Err(Error::Closed) => {
                    ends += 1;
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        ours.close();
        match process.join::<()>() {
            Ok(()) | Err(TaskError::Lost(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    println!("answered {answered}");
    println!("ends {ends}");
    Ok(())
}

#[taskcell_guest::main]
fn main() -> Result {
    let mut args = std::env::args().skip(1);
    let (case, count) = (args.next().unwrap_or_default(), args.next().and_then(|count| count.parse().ok()).unwrap_or(100));
    println!("ready");
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).map_err(|error| Error::Other(error.to_string()))?;
    match case.as_str() {
        "queue" => queue(count),
        "map" => map(count),
        "lock" => lock(count),
        "pipe" => pipe(count),
        other => Err(Error::Invalid(format!("expected queue, map, lock or pipe, found {other:?}"))),
    }
}

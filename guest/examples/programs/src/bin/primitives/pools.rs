//! Pools: order, failures, cancelling, nesting.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::Duration;

use taskcell_guest::pool::{Isolation, as_completed};
use taskcell_guest::{Error, Event, Pool, Result, State, TaskError, task};

use crate::{LONG, Promise, SHORT, WHILE, expect, expect_error};

pub(crate) const PROMISES: &[Promise] = &[
    ("pool: map gives results in the order of the values", mapping),
    ("pool: a failure is told where it is", failures),
    ("pool: imap takes values as there is room", lazy),
    ("pool: imap-unordered gives every result once", unordered),
    ("pool: a value that does not fit ends an imap", unfit),
    ("pool: futures come as they are completed", futures),
    ("pool: a task can be cancelled while it waits and while it runs", cancelling),
    ("pool: a task that is over its time is tried again", retries),
    ("pool: tasks can share an instance", reuse),
    ("pool: pools can be nested", nested),
    ("pool: drain waits, and shutdown takes no more", ending),
];

#[task]
fn square(number: u32) -> Result<u64> {
    if number == 13 { Err(Error::Invalid("unlucky".to_owned())) } else { Ok(u64::from(number) * u64::from(number)) }
}

fn mapping() -> Result {
    let pool = Pool::builder().workers(2).name("squares").create()?;
    expect("none", pool.map::<u64, u32>("square", [])?, Vec::new())?;
    let numbers = (0..1000_u32).filter(|number| *number != 13);
    expect(
        "squares",
        pool.map::<u64, _>("square", numbers.clone())?,
        numbers.map(|number| u64::from(number) * u64::from(number)).collect(),
    )?;
    expect_error("name", pool.map::<u64, _>("sqare", [1]).map_err(Error::from), &Error::NotFound(String::new()))?;
    expect_error("type", pool.map::<u64, _>("square", ["x"]).map_err(Error::from), &Error::Invalid(String::new()))?;
    expect_error("workers", Pool::with_workers(0).map(drop), &Error::Invalid(String::new()))
}

fn failures() -> Result {
    let pool = Pool::with_workers(2)?;
    let failed = pool.map::<u64, _>("square", 10..20).err();
    expect("map", failed.and_then(|error| error.failure()), Some("unlucky".to_owned()))?;
    let each = pool.map_each::<u64, _>("square", 12..15)?;
    expect("each", each.iter().map(Result::is_ok).collect::<Vec<_>>(), vec![true, false, true])?;
    let each: Vec<_> = pool.imap::<u64, _>("square", 12..15)?.collect();
    expect("imap", each.iter().map(Result::is_ok).collect::<Vec<_>>(), vec![true, false, true])
}

fn lazy() -> Result {
    let pool = Pool::with_workers(2)?;
    let mut taken = 0;
    let endless = std::iter::from_fn(|| {
        taken += 1;
        Some(1000 + taken)
    });
    let first = pool.imap::<u64, _>("square", endless)?.take(500).collect::<Result<Vec<_>, TaskError>>()?;
    expect("last", first.last().copied(), Some(1500 * 1500))?;
    expect("taken", taken < 1000, true)
}

fn unordered() -> Result {
    let pool = Pool::with_workers(2)?;
    let results = pool.imap_unordered::<u64, _>("square", 100..1100)?.collect::<Result<BTreeSet<_>, TaskError>>()?;
    expect("all", results, (100..1100).map(|number| number * number).collect())?;
    let indexed = pool.imap_unordered::<u64, _>("square", 100..200)?.indexed();
    let wrong = indexed.filter(|(index, result)| *result != Ok((100 + index).pow(2)));
    expect("wrong", wrong.count(), 0)
}

fn unfit() -> Result {
    let pool = Pool::with_workers(1)?;
    let mut results = pool.imap::<u64, _>("square", [Some(1), None, Some(3)])?;
    expect("end", results.by_ref().last().map(|last| matches!(last, Err(TaskError::Call(Error::Invalid(_))))), Some(true))?;
    expect("stays", results.next(), None)
}

#[task]
fn sleep_for(milliseconds: u32) -> u32 {
    sleep(Duration::from_millis(milliseconds.into()));
    milliseconds
}

fn futures() -> Result {
    let pool = Pool::with_workers(3)?;
    // As wide apart as it takes for workers to start.
    let futures = [600, 1, 300].map(|time| pool.submit::<u32>("sleep-for", (time,)));
    let futures = futures.into_iter().collect::<Result<Vec<_>>>()?;
    let ids: BTreeSet<u64> = futures.iter().map(|future| future.id()).collect();
    expect("ids", ids.len(), 3)?;
    let times = as_completed(futures).map(|future| Ok(future?.result()?)).collect::<Result<Vec<_>>>()?;
    expect("order", times, vec![1, 300, 600])
}

#[task]
fn wait_for(event: Event) -> Result {
    event.wait()
}

fn cancelling() -> Result {
    let (pool, never) = (Pool::with_workers(1)?, Event::new()?);
    let running = pool.submit::<()>("wait-for", (&never,))?;
    let pending = pool.submit::<()>("wait-for", (&never,))?;
    while !matches!(running.state(), State::Waiting(_)) {
        sleep(Duration::from_millis(1));
    }
    expect_error("early", running.result_timeout(SHORT).map_err(Error::from), &Error::TimedOut)?;
    expect("states", (pending.state(), running.is_done()), (State::Ready, false))?;
    expect("cancel", (pending.cancel(), running.cancel()), (true, true))?;
    expect("pending", pending.result_timeout(LONG), Err(TaskError::Cancelled))?;
    expect("running", running.result_timeout(LONG).is_err(), true)?;
    expect("again", (running.cancel(), running.is_done()), (false, true))
}

#[task]
fn slow_at_first() -> u32 {
    let attempt = taskcell_guest::task::current().attempt;
    loop {
        if std::hint::black_box(attempt) == 3 {
            return attempt;
        }
    }
}

fn retries() -> Result {
    let pool = Pool::builder().workers(1).timeout(WHILE).retries(2).create()?;
    expect("third", pool.submit::<u32>("slow-at-first", ())?.result_timeout(LONG)?, 3)?;
    let pool = Pool::builder().workers(1).timeout(WHILE).create()?;
    expect("once", pool.submit::<u32>("slow-at-first", ())?.result_timeout(LONG), Err(TaskError::TimedOut))
}

#[task]
fn count_calls() -> u32 {
    static CALLS: AtomicU32 = AtomicU32::new(0);
    CALLS.fetch_add(1, Ordering::Relaxed) + 1
}

fn reuse() -> Result {
    for (isolation, expected) in [(Isolation::Fresh, vec![1, 1, 1]), (Isolation::Reuse, vec![1, 2, 3])] {
        let pool = Pool::builder().workers(1).isolation(isolation).create()?;
        let calls = (0..3).map(|_| Ok(pool.submit("count-calls", ())?.result()?)).collect::<Result<Vec<u32>>>()?;
        expect("calls", calls, expected)?;
    }
    Ok(())
}

#[task]
fn sum_to(depth: u32) -> Result<u32> {
    if depth == 0 {
        return Ok(0);
    }
    let pool = Pool::with_workers(1)?;
    Ok(pool.submit::<u32>("sum-to", (depth - 1,))?.result()? + depth)
}

fn nested() -> Result {
    let pool = Pool::with_workers(1)?;
    expect("sum", pool.submit::<u32>("sum-to", (3,))?.result_timeout(LONG)?, 6)
}

fn ending() -> Result {
    let pool = Pool::with_workers(2)?;
    let futures = (0..4).map(|_| pool.submit::<u32>("sleep-for", (20,))).collect::<Result<Vec<_>>>()?;
    pool.drain_timeout(LONG)?;
    expect("done", futures.iter().all(|future| future.is_done()), true)?;
    expect_error("no more", pool.submit::<u32>("sleep-for", (1,)).map(drop), &Error::Closed)?;
    let (pool, never) = (Pool::with_workers(1)?, Event::new()?);
    let (first, second) = (pool.submit::<()>("wait-for", (&never,))?, pool.submit::<()>("wait-for", (&never,))?);
    pool.shutdown(true);
    expect("pending", second.result_timeout(LONG), Err(TaskError::Cancelled))?;
    pool.kill();
    expect("killed", first.result_timeout(LONG).is_err(), true)
}

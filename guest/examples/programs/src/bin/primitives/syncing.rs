//! Locks and what is made like them: owners, deaths, times.

use std::thread::sleep;
use std::time::Duration;

use taskcell_guest::{Barrier, Condition, Error, Event, Lock, Process, RLock, Result, Semaphore, State, task};

use crate::{LONG, Promise, SHORT, expect, expect_error};

pub(crate) const PROMISES: &[Promise] = &[
    ("lock: one holds it at a time", exclusive),
    ("lock: the next one is told that its owner died", abandoned),
    ("lock: a reentrant one can be acquired again", reentrant),
    ("semaphore: lent permits come back", lent),
    ("semaphore: a counting one counts", counting),
    ("event: all who wait go on", events),
    ("condition: a wait gives the lock back, and takes it again", conditions),
    ("barrier: a party that gives up breaks it", barriers),
];

#[task]
fn hold(lock: Lock, held: Event, release: Event) -> Result {
    let guard = lock.acquire()?;
    held.set();
    release.wait()?;
    guard.release()
}

fn exclusive() -> Result {
    let (lock, held, release) = (Lock::named("exclusive")?, Event::new()?, Event::new()?);
    let holder = Process::spawn("hold", (&lock, &held, &release))?;
    held.wait_timeout(LONG)?;
    expect("free", lock.try_acquire()?.is_some(), false)?;
    expect_error("held", lock.acquire_timeout(SHORT).map(drop), &Error::TimedOut)?;
    release.set();
    let guard = lock.acquire_timeout(LONG)?;
    expect("abandoned", guard.is_abandoned(), false)?;
    expect_error("again", lock.acquire().map(drop), &Error::Deadlock(String::new()))?;
    expect("again, trying", lock.try_acquire()?.is_none(), true)?;
    drop(guard);
    expect("free", lock.try_acquire()?.is_some(), true)?;
    Ok(holder.join()?)
}

fn abandoned() -> Result {
    let (lock, held, never) = (Lock::new()?, Event::new()?, Event::new()?);
    let holder = Process::spawn("hold", (&lock, &held, &never))?;
    held.wait_timeout(LONG)?;
    holder.kill();
    expect("abandoned", lock.acquire_timeout(LONG)?.is_abandoned(), true)?;
    expect("told once", lock.acquire_timeout(LONG)?.is_abandoned(), false)
}

fn reentrant() -> Result {
    let (lock, held, release) = (RLock::new()?, Event::new()?, Event::new()?);
    let outer = lock.acquire()?;
    let inner = lock.acquire()?;
    release.set();
    let other = Process::spawn("hold", (&lock, &held, &release))?;
    drop(outer);
    expect_error("still held", held.wait_timeout(SHORT), &Error::TimedOut)?;
    drop(inner);
    Ok(other.join()?)
}

#[task]
fn keep_permit(semaphore: Semaphore, held: Event) -> Result {
    let _permit = semaphore.acquire()?;
    held.set();
    Event::new()?.wait_timeout(LONG)
}

fn lent() -> Result {
    let (semaphore, held) = (Semaphore::named(2, "lent")?, Event::new()?);
    let holder = Process::spawn("keep-permit", (&semaphore, &held))?;
    held.wait_timeout(LONG)?;
    let mine = semaphore.acquire()?;
    expect("left", (semaphore.available(), semaphore.try_acquire()?.is_none()), (0, true))?;
    expect_error("late", semaphore.acquire_timeout(SHORT).map(drop), &Error::TimedOut)?;
    expect_error("never", semaphore.acquire_many(3).map(drop), &Error::Invalid(String::new()))?;
    holder.kill();
    drop(semaphore.acquire_timeout(LONG)?);
    drop(mine);
    expect("back", semaphore.available(), 2)?;
    expect_error("not mine", semaphore.release(1), &Error::Invalid(String::new()))
}

fn counting() -> Result {
    let semaphore = Semaphore::counting(0)?;
    expect("none", semaphore.try_acquire()?.is_none(), true)?;
    semaphore.release(3)?;
    let permits = semaphore.acquire_many(2)?;
    expect("number", (permits.number(), semaphore.available()), (2, 1))?;
    permits.forget();
    expect("used up", semaphore.available(), 1)
}

fn events() -> Result {
    let event = Event::named("start")?;
    expect("set", event.is_set(), false)?;
    expect_error("wait", event.wait_timeout(SHORT), &Error::TimedOut)?;
    let ready = event.ready();
    event.set();
    event.wait()?;
    expect("set", (event.is_set(), ready.is_ready()), (true, true))?;
    event.clear();
    expect("cleared", (event.is_set(), ready.is_ready()), (false, false))
}

#[task]
fn notify_later(lock: Lock, condition: Condition) -> Result<u32> {
    sleep(SHORT);
    let _guard = lock.acquire()?;
    condition.notify_all()
}

fn conditions() -> Result {
    let lock = Lock::new()?;
    let condition = Condition::named(&lock, "changed")?;
    expect_error("not held", condition.notify_one(), &Error::Invalid(String::new()))?;
    let (guard, notified) = condition.wait_timeout(lock.acquire()?, SHORT)?;
    expect("notified", notified, false)?;
    let process = Process::spawn("notify-later", (&lock, &condition))?;
    let (guard, notified) = condition.wait_timeout(guard, LONG)?;
    expect("notified", notified, true)?;
    expect("held", lock.try_acquire()?.is_none(), true)?;
    drop(guard);
    expect("waited", process.join()?, 1_u32)?;
    expect("none", lock.acquire().and_then(|_guard| condition.notify(5))?, 0)
}

#[task]
fn arrive(barrier: Barrier) -> Result<u32> {
    barrier.wait()
}

fn barriers() -> Result {
    let barrier = Barrier::named(2, "pair")?;
    let other = Process::spawn("arrive", (&barrier,))?;
    let mine = barrier.wait_timeout(LONG)?;
    expect("numbers", mine + other.join::<u32>()?, 1)?;
    expect_error("alone", barrier.wait_timeout(SHORT), &Error::TimedOut)?;
    expect_error("broken", barrier.wait(), &Error::Broken)?;
    barrier.reset();
    let dies = Process::spawn("arrive", (&barrier,))?;
    while !matches!(dies.state(), State::Waiting(_)) {
        sleep(Duration::from_millis(1));
    }
    dies.kill();
    expect("died", dies.join::<u32>().is_err(), true)?;
    expect_error("broken by a death", barrier.wait_timeout(LONG), &Error::Broken)?;
    expect_error("parties", Barrier::new(0).map(drop), &Error::Invalid(String::new()))
}

//! A lock, a barrier, a semaphore, a condition and an event between processes.
//!
//! Each stage is a few processes that do what goes wrong without the thing that it shows.

use std::thread::sleep;
use std::time::Duration;

use taskcell_guest::argument::Arguments;
use taskcell_guest::{Barrier, Condition, Event, Lock, Process, Queue, Result, Semaphore, SharedMap, task};

const WORKERS: u32 = 4;

/// Reads, thinks, writes: two at once would lose what one of them wrote.
#[task]
fn count(lock: Lock, counters: SharedMap<String, u32>, times: u32) -> Result {
    for _ in 0..times {
        let _guard = lock.acquire()?;
        let total = counters.get("total")?.unwrap_or(0);
        counters.set("total", &(total + 1))?;
    }
    Ok(())
}

/// Arrives late, and goes on with the others; gives how many had arrived then.
#[task]
fn meet(barrier: Barrier, counters: SharedMap<String, u32>, number: u32) -> Result<u32> {
    sleep(Duration::from_millis(10) * number);
    counters.increment("arrived", 1)?;
    barrier.wait()?;
    Ok(counters.get("arrived")?.unwrap_or(0))
}

/// Works while it has a permit, and notes how many do so at once.
#[task]
fn download(permits: Semaphore, counters: SharedMap<String, u32>) -> Result {
    let _permit = permits.acquire()?;
    let active = u32::try_from(counters.increment("active", 1)?).unwrap_or(u32::MAX);
    counters.update("most", |most| most.unwrap_or(0).max(active))?;
    sleep(Duration::from_millis(20));
    counters.increment("active", -1)?;
    Ok(())
}

/// Waits until there are as many results as workers.
#[task]
fn collect(lock: Lock, changed: Condition, results: Queue<u32>) -> Result<u32> {
    let _guard = changed.wait_for(lock.acquire()?, || Ok(results.len() == WORKERS))?;
    Ok(results.get_many(WORKERS)?.into_iter().sum())
}

/// Waits for the start, and tells that there is a result.
#[task]
fn produce(start: Event, lock: Lock, changed: Condition, results: Queue<u32>, number: u32) -> Result {
    start.wait()?;
    let _guard = lock.acquire()?;
    results.put(&number)?;
    changed.notify_one()?;
    Ok(())
}

#[taskcell_guest::main]
fn main() -> Result {
    let counters = SharedMap::<String, u32>::named("counters")?;

    let lock = Lock::named("total")?;
    join(spawn(|_| ("count", (&lock, &counters, 25)))?)?;
    println!("Lock: {WORKERS} processes counted to {}", counters.get("total")?.unwrap_or(0));

    let barrier = Barrier::named(WORKERS, "meeting")?;
    let met = spawn(|number| ("meet", (&barrier, &counters, number)))?;
    let met = met.iter().map(|process| Ok(process.join()?)).collect::<Result<Vec<u32>>>()?;
    println!("Barrier: each went on when {met:?} had arrived");

    let permits = Semaphore::named(2, "downloads")?;
    join(spawn(|_| ("download", (&permits, &counters)))?)?;
    println!("Semaphore: at most {} at once", counters.get("most")?.unwrap_or(0));

    let changed = Condition::named(&lock, "changed")?;
    let (start, results) = (Event::named("start")?, Queue::<u32>::named("results")?);
    let collector = Process::spawn("collect", (&lock, &changed, &results))?;
    let producers = spawn(|number| ("produce", (&start, &lock, &changed, &results, number)))?;
    start.set();
    join(producers)?;
    println!("Condition: the results add up to {}", collector.join::<u32>()?);
    Ok(())
}

/// A process for each worker's number, from 1.
fn spawn<'a, A: Arguments>(mut invocation: impl FnMut(u32) -> (&'a str, A)) -> Result<Vec<Process>> {
    let numbers = 1..=WORKERS;
    numbers
        .map(|number| {
            let (task, arguments) = invocation(number);
            Process::spawn(task, arguments)
        })
        .collect()
}

fn join(processes: Vec<Process>) -> Result {
    for process in processes {
        process.join::<()>()?;
    }
    Ok(())
}

//! One producer, one consumer, a queue between them: messages a second.

use std::time::Duration;

use taskcell_guest::{Barrier, Bytes, Process, Queue, Result, task};

use crate::{BATCH, Effort, SIZES, tell_rate, together};

/// Longer than anything here takes.
const LEASE: Duration = Duration::from_secs(60);

pub(crate) fn run(effort: Effort) -> Result {
    for (size, full) in SIZES {
        let count = effort.times(full);
        let took = between("put-one", "get-one", size, count, 1)?;
        tell_rate(&format!("queue/{size}/one"), "items/s", count, took);
        // As many as fit into one call, 16 MiB, with room to spare.
        let batch = BATCH.min(count / 10).min((8 << 20) / size).max(1);
        let count = count / batch * batch;
        let took = between("put-some", "get-some", size, count, batch)?;
        tell_rate(&format!("queue/{size}/many"), "items/s", count, took);
    }
    let count = effort.times(50_000);
    let took = between("put-one", "get-leased", 64, count, 1)?;
    tell_rate("queue/64/leased", "items/s", count, took);
    Ok(())
}

fn between(producer: &str, consumer: &str, size: u32, count: u32, batch: u32) -> Result<Duration> {
    let (queue, start) = (Queue::<Bytes>::bounded(4096)?, Barrier::new(3)?);
    let processes = [
        Process::spawn(producer, (&queue, &start, size, count, batch))?,
        Process::spawn(consumer, (&queue, &start, size, count, batch))?,
    ];
    together(&start, &processes)
}

#[task]
fn put_one(queue: Queue<Bytes>, start: Barrier, size: u32, count: u32, _batch: u32) -> Result {
    let message = Bytes(vec![7; size as usize]);
    start.wait()?;
    for _ in 0..count {
        queue.put(&message)?;
    }
    Ok(())
}

#[task]
fn get_one(queue: Queue<Bytes>, start: Barrier, _size: u32, count: u32, _batch: u32) -> Result {
    start.wait()?;
    for _ in 0..count {
        queue.get()?;
    }
    Ok(())
}

#[task]
fn put_some(queue: Queue<Bytes>, start: Barrier, size: u32, count: u32, batch: u32) -> Result {
    let messages = vec![Bytes(vec![7; size as usize]); batch as usize];
    start.wait()?;
    for _ in 0..count / batch {
        queue.put_many(&messages)?;
    }
    Ok(())
}

#[task]
fn get_some(queue: Queue<Bytes>, start: Barrier, _size: u32, count: u32, batch: u32) -> Result {
    start.wait()?;
    let mut left = count as usize;
    while left > 0 {
        left = left.saturating_sub(queue.get_many(batch)?.len());
    }
    Ok(())
}

#[task]
fn get_leased(queue: Queue<Bytes>, start: Barrier, _size: u32, count: u32, _batch: u32) -> Result {
    start.wait()?;
    for _ in 0..count {
        queue.receive(LEASE)?.ack()?;
    }
    Ok(())
}

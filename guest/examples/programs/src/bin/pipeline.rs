//! Tasks that work together through queues and a map, and the program that starts them; the same in other languages is
//! `guest/*/examples/pipeline.*`, and any of them takes tasks of the others.

use taskcell_guest::{Error, Pool, Process, Queue, Result, SharedMap, task};

const JOBS: u32 = 100;
const CONSUMERS: usize = 3;

/// Puts the numbers from 1 to `count`, and closes the queue. Waits while it is full: the consumers set the pace.
#[task]
fn produce(jobs: Queue<u64>, count: u32) -> Result<u32> {
    for number in 1..=count {
        jobs.put(&u64::from(number))?;
    }
    jobs.close()?;
    Ok(count)
}

/// Takes numbers until there are no more, and puts their squares. Gives how many.
#[task]
fn consume(jobs: Queue<u64>, results: Queue<u64>, totals: SharedMap<String, u64>) -> Result<u32> {
    let mut count = 0;
    for number in jobs.iter() {
        let number = number?;
        let square = number.checked_mul(number).ok_or_else(|| Error::Invalid(format!("{number} is too large to square")))?;
        results.put(&square)?;
        totals.increment("done", 1)?;
        count += 1;
    }
    Ok(count)
}

#[task]
fn square(number: u32) -> u64 {
    u64::from(number) * u64::from(number)
}

#[taskcell_guest::main]
fn main() -> Result {
    let (jobs, results) = (Queue::<u64>::bounded(8)?, Queue::<u64>::named("results")?);
    let totals = SharedMap::<String, u64>::new()?;
    let producer = Process::spawn("produce", (&jobs, JOBS))?;
    let consumers = (0..CONSUMERS).map(|_| Process::spawn("consume", (&jobs, &results, &totals)));
    let consumers = consumers.collect::<Result<Vec<_>>>()?;
    let mut consumed = 0;
    for consumer in consumers {
        consumed += consumer.join::<u32>()?;
    }
    println!("produced: {}", producer.join::<u32>()?);
    println!("consumed: {consumed} and {}", totals.get("done")?.unwrap_or(0));
    println!("sum of squares: {}", results.get_many(JOBS)?.into_iter().sum::<u64>());
    let squares: Vec<u64> = Pool::with_workers(2)?.map("square", 1..=5u32)?;
    let squares: Vec<String> = squares.iter().map(u64::to_string).collect();
    println!("pool: {}", squares.join(" "));
    Ok(())
}

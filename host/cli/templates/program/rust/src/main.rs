//! The program, and the task that it starts in a process of its own.

use taskcell_guest::{Process, Queue, Result, task};

/// Takes numbers from `jobs` until it is closed, and puts their squares into `results`. Gives how many there were.
#[task]
fn square(jobs: Queue<u64>, results: Queue<u64>) -> Result<u32> {
    let mut done = 0;
    for n in &jobs {
        let n = n?;
        results.put(&(n * n))?;
        done += 1;
    }
    Ok(done)
}

#[taskcell_guest::main]
fn main() -> Result {
    let jobs = Queue::<u64>::bounded(2)?;
    let results = Queue::<u64>::new()?;
    let process = Process::spawn("square", (&jobs, &results))?;
    for n in 1..=5 {
        // Waits while the queue is full.
        jobs.put(&n)?;
    }
    jobs.close()?;
    let done = process.join::<u32>()?;
    let squares = (0..done).map(|_| Ok(results.get()?.to_string())).collect::<Result<Vec<_>>>()?;
    println!("squares: {}", squares.join(" "));
    println!("jobs done: {done}");
    Ok(())
}

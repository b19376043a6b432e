//! Results as they are due: in the order of the values, and in the order in which their tasks end.

use std::thread::sleep;
use std::time::Duration;

use taskcell_guest::task::cpu_count;
use taskcell_guest::{Pool, Result, task};

/// A second of these tasks, so that nobody waits for long.
const SECOND: Duration = Duration::from_millis(100);

#[task]
fn execute_task(duration: u32) -> u32 {
    sleep(SECOND * duration);
    duration
}

#[taskcell_guest::main]
fn main() -> Result {
    // At least two: one alone would end its tasks in the order in which they came.
    let pool = Pool::with_workers(cpu_count().max(2))?;
    for result in pool.imap::<u32, _>("execute-task", [1, 5, 3])? {
        println!("Completed task after {} seconds", result?);
    }
    for result in pool.imap_unordered::<u32, _>("execute-task", [1, 5, 3])? {
        println!("Task finished in {} seconds", result?);
    }
    Ok(())
}

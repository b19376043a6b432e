//! Tasks over a pool of four processes, with the results in the order of the items.

use std::thread::sleep;
use std::time::Duration;

use taskcell_guest::{Pool, Result, task};

#[task]
fn process_task(item: u32) -> String {
    sleep(Duration::from_millis(50) * item);
    format!("Task {item} completed")
}

#[taskcell_guest::main]
fn main() -> Result {
    let executor = Pool::with_workers(4)?;
    let results: Vec<String> = executor.map("process-task", [1, 2, 3, 4, 5])?;
    for result in results {
        println!("{result}");
    }
    Ok(())
}

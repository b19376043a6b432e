//! A process that computes, its number at the operating system, and the wait for its end.

use taskcell_guest::{Process, Result, task};

#[task]
fn compute_fibonacci(n: u32) -> u64 {
    if n <= 2 { 1 } else { compute_fibonacci(n - 1) + compute_fibonacci(n - 2) }
}

#[taskcell_guest::main]
fn main() -> Result {
    // This takes as long as 30 does in Python.
    let worker = Process::spawn("compute-fibonacci", (36,))?;
    if let Some(pid) = worker.started()? {
        println!("Process ID: {pid}");
    }
    worker.join::<u64>()?;
    println!("Main process completed");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fibonacci_starts_at_one() {
        let first: Vec<u64> = (1..10).map(compute_fibonacci).collect();
        assert_eq!(first, [1, 1, 2, 3, 5, 8, 13, 21, 34]);
    }
}

//! What tasks are doing, shown while it changes: ready, running, waiting, ended.
//!
//! The pool has one worker. The first task waits for a ticket, and the second one has to wait until the worker is free.

use std::thread::sleep;
use std::time::Duration;

use taskcell_guest::{Future, Pool, Queue, Result, State, task};

#[task]
fn compute_and_wait(tickets: Queue<u32>) -> Result<u32> {
    let mut sum: u32 = 0;
    for number in 0..100_000_000 {
        sum = std::hint::black_box(sum.wrapping_add(number));
    }
    tickets.get()
}

#[taskcell_guest::main]
fn main() -> Result {
    let tickets = Queue::<u32>::named("tickets")?;
    let pool = Pool::with_workers(1)?;
    let first = pool.submit::<u32>("compute-and-wait", (&tickets,))?;
    let second = pool.submit::<u32>("compute-and-wait", (&tickets,))?;

    show_until(&first, "first", |state| matches!(state, State::Waiting(_)));
    println!("second: {}", second.state());
    tickets.put(&1)?;
    show_until(&second, "second", |state| matches!(state, State::Waiting(_)));
    println!("first: {}", first.state());
    tickets.put(&2)?;
    let (first, last) = (first.result()?, second.result()?);
    println!("second: {}", second.state());
    println!("tickets: {first}, {last}");
    Ok(())
}

/// Shows each state that the task has from the first time that it runs, until one is the `last`.
fn show_until(task: &Future<u32>, name: &str, last: impl Fn(&State) -> bool) {
    let mut shown = State::Ready;
    while !last(&shown) {
        let state = task.state();
        if state == shown {
            sleep(Duration::from_millis(1));
        } else {
            println!("{name}: {state}");
            shown = state;
        }
    }
}

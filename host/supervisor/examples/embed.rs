//! The smallest embedding: one task, then a map, then an error.
//!
//! `cargo run --release -p taskcell --example embed -- guest/examples/fib.wat`
#![expect(clippy::print_stdout, reason = "an example shows its results")]

use std::time::Duration;

use taskcell::{Component, Pool};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    taskcell::init();
    let path = std::env::args().nth(1).ok_or("usage: embed COMPONENT")?;
    let component = Component::open(path)?;
    let pool = Pool::builder(&component).timeout(Some(Duration::from_secs(60))).build()?;

    let future = pool.submit::<u64>("fib", &30)?;
    println!("fib(30) = {}", future.result()?);

    let results: Result<Vec<u64>, _> = pool.map("fib", 0..10)?.collect();
    println!("fib(0..10) = {:?}", results?);

    let wrong = pool.submit::<u64>("fib", &"thirty")?;
    match wrong.result() {
        Ok(value) => println!("fib of a text = {value}"),
        Err(error) => println!("fib of a text: {error}"),
    }
    Ok(())
}

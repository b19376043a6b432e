//! A queue between a producer and a consumer.

use std::thread::sleep;
use std::time::Duration;

use taskcell_guest::{Process, Queue, Result, task};

#[task]
fn data_producer(queue: Queue<String>) -> Result {
    queue.put("Data item")?;
    sleep(Duration::from_millis(100));
    Ok(())
}

#[task]
fn data_consumer(queue: Queue<String>) -> Result {
    sleep(Duration::from_millis(200));
    let item = queue.get()?;
    println!("Received: {item}");
    Ok(())
}

#[taskcell_guest::main]
fn main() -> Result {
    let communication_queue = Queue::<String>::named("communication")?;
    let producer = Process::spawn("data-producer", (&communication_queue,))?;
    let consumer = Process::spawn("data-consumer", (&communication_queue,))?;
    producer.join::<()>()?;
    consumer.join::<()>()?;
    Ok(())
}

//! Queues: bounds, closing, many at once, leases, rights.

use std::time::Duration;

use taskcell_guest::{Bytes, Error, Process, Queue, Result, task, wait_any_timeout};

use crate::{LONG, Promise, SHORT, WHILE, expect, expect_error};

pub(crate) const PROMISES: &[Promise] = &[
    ("queue: first in, first out", order),
    ("queue: a full one blocks, and says so in time", bounds),
    ("queue: a closed one gives what is left, and ends", closing),
    ("queue: many go in and out at once", many),
    ("queue: bytes are as they are", bytes),
    ("queue: what is not acknowledged comes back", leases),
    ("queue: a lease of a task that died comes back", dead_consumer),
    ("queue: a message that is rejected is put aside", rejected),
    ("queue: a handle does what it may", rights),
    ("queue: join waits until all is answered for", join),
    ("queue: wait-any tells what is ready", waiting),
];

fn order() -> Result {
    let queue = Queue::<(u32, String)>::named("order")?;
    for number in 0..100 {
        queue.put(&(number, "x".to_owned()))?;
    }
    expect("length", queue.len(), 100)?;
    for number in 0..100 {
        expect("message", queue.get()?.0, number)?;
    }
    expect("none", queue.try_get()?, None)
}

fn bounds() -> Result {
    let queue = Queue::<u32>::bounded(2)?;
    queue.put_many([1, 2])?;
    expect("room", queue.try_put(&3)?, false)?;
    expect_error("put", queue.put_timeout(&3, SHORT), &Error::TimedOut)?;
    expect("first", queue.get()?, 1)?;
    expect("room", queue.try_put(&3)?, true)?;
    expect_error("too many", queue.put_many([4, 5, 6]), &Error::Quota(String::new()))?;
    expect("rest", queue.get_many(10)?, vec![2, 3])?;
    expect_error("get", queue.get_timeout(SHORT), &Error::TimedOut)?;
    expect_error("capacity", Queue::<u32>::bounded(0).map(drop), &Error::Invalid(String::new()))
}

fn closing() -> Result {
    let queue = Queue::<String>::new()?;
    queue.put("a")?;
    queue.put("b")?;
    queue.close()?;
    queue.close()?;
    expect_error("put", queue.put("c"), &Error::Closed)?;
    expect("all", queue.iter().collect::<Result<Vec<_>>>()?, vec!["a".to_owned(), "b".to_owned()])?;
    expect_error("get", queue.get(), &Error::Closed)
}

fn many() -> Result {
    let queue = Queue::<u32>::new()?;
    let numbers: Vec<u32> = (0..10_000).collect();
    queue.put_many(&numbers)?;
    let mut all = Vec::new();
    while all.len() < numbers.len() {
        all.extend(queue.get_many_timeout(3000, LONG)?);
    }
    expect("numbers", all, numbers)?;
    expect_error("limit", queue.get_many(0), &Error::Invalid(String::new()))
}

fn bytes() -> Result {
    let queue = Queue::<Bytes>::new()?;
    let message = Bytes((0..=u8::MAX).cycle().take(1 << 20).collect());
    queue.put(&message)?;
    expect("same", queue.get()? == message, true)?;
    let json = Queue::<u8>::new()?;
    json.put(&7)?;
    expect("as JSON", json.receive(LONG)?.bytes(), Bytes::from("7"))
}

fn leases() -> Result {
    let queue = Queue::<String>::builder().max_attempts(3).create()?;
    queue.put("job")?;
    let delivery = queue.receive(LONG)?;
    expect("leased", (queue.counts().leased, queue.len()), (1, 0))?;
    expect("message", delivery.message()?, "job".to_owned())?;
    drop(delivery);
    let delivery = queue.receive_timeout(Duration::from_millis(1), LONG)?;
    expect("attempt", delivery.attempt(), 2)?;
    // The lease is over: the message is somebody else's.
    let again = queue.receive_timeout(LONG, LONG)?;
    expect("attempt", again.attempt(), 3)?;
    expect_error("late", delivery.ack(), &Error::Lapsed)?;
    again.extend(LONG)?;
    again.ack()?;
    expect("left", (queue.counts().leased, queue.len()), (0, 0))?;
    queue.put("later")?;
    queue.receive(LONG)?.nack(WHILE)?;
    expect("delayed", queue.counts().delayed, 1)?;
    expect("comes", queue.get_timeout(LONG)?, "later".to_owned())
}

#[task]
fn take_and_die(queue: Queue<String>) {
    if let Ok(delivery) = queue.receive(Duration::from_secs(60)) {
        std::mem::forget(delivery);
        panic!("on purpose");
    }
}

fn dead_consumer() -> Result {
    let queue = Queue::<String>::new()?;
    queue.put("precious")?;
    let dead = Process::spawn("take-and-die", (&queue,))?.join::<()>();
    expect("died", dead.is_err(), true)?;
    let delivery = queue.receive_timeout(LONG, LONG)?;
    expect("again", (delivery.message()?, delivery.attempt()), ("precious".to_owned(), 2))?;
    delivery.ack()
}

fn rejected() -> Result {
    let queue = Queue::<u32>::builder().max_attempts(1).create()?;
    queue.put_many([1, 2])?;
    queue.receive(LONG)?.reject()?;
    queue.receive(LONG)?.nack(Duration::ZERO)?;
    expect("rejected", queue.counts().rejected, 2)?;
    let rejected = queue.take_rejected(10)?;
    let messages = rejected.iter().map(|rejected| Ok((rejected.message()?, rejected.attempts)));
    expect("messages", messages.collect::<Result<Vec<_>>>()?, vec![(1, 1), (2, 1)])?;
    expect("taken", queue.take_rejected(10)?.len(), 0)
}

fn rights() -> Result {
    let queue = Queue::<u32>::new()?;
    let (producer, consumer) = (queue.producer()?, queue.consumer()?);
    producer.put(&1)?;
    expect_error("get", producer.get(), &Error::Denied)?;
    expect_error("put", consumer.put(&2), &Error::Denied)?;
    expect_error("close", consumer.close(), &Error::Denied)?;
    expect("get", consumer.get()?, 1)?;
    let nothing = producer.consumer()?;
    expect_error("neither", nothing.put(&3), &Error::Denied)
}

fn join() -> Result {
    let queue = Queue::<u32>::new()?;
    queue.join()?;
    queue.put(&1)?;
    expect_error("early", queue.join_timeout(SHORT), &Error::TimedOut)?;
    let delivery = queue.receive(LONG)?;
    expect_error("leased", queue.join_timeout(SHORT), &Error::TimedOut)?;
    delivery.ack()?;
    queue.join_timeout(LONG)
}

fn waiting() -> Result {
    let (first, second) = (Queue::<u32>::new()?, Queue::<u32>::bounded(1)?);
    let on = [first.get_ready(), second.get_ready(), second.put_ready()];
    expect("room", wait_any_timeout(&on, LONG)?, vec![2])?;
    second.put(&1)?;
    expect("message", wait_any_timeout(&on, LONG)?, vec![1])?;
    expect("ready", (on[0].is_ready(), on[1].is_ready()), (false, true))?;
    expect_error("none", wait_any_timeout(&on[..1], SHORT), &Error::TimedOut)?;
    expect_error("nothing", wait_any_timeout([], SHORT), &Error::Invalid(String::new()))
}

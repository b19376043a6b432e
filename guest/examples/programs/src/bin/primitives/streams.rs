//! Streams of short messages, for which room and messages are lent: whoever dies in the middle of one, and whoever looks at it from outside, finds
//! what would be there if each call had been answered by itself.

use std::time::Duration;

use taskcell_guest::{Error, Event, Process, Queue, Receiver, Result, Sender, SharedMap, pipe, task};

use crate::{LONG, Promise, SHORT, expect, expect_error};

pub(crate) const PROMISES: &[Promise] = &[
    ("stream: what a killed task had put is there, in order", killed_producer),
    ("stream: what a killed task had not got is there, in order", killed_consumer),
    ("stream: what one could get, another gets", shared),
    ("stream: a full queue is full, and goes on", bounded),
    ("stream: a pipe carries it in order", piped),
    ("stream: nothing is sent to an end that is closed", closed),
];

/// How far a task is, where others can see it.
const DONE: &str = "done";

fn wait_for(progress: &SharedMap<String, u32>, least: u32) -> Result<u32> {
    loop {
        match progress.get(DONE)? {
            Some(done) if done >= least => return Ok(done),
            Some(_) | None => std::thread::sleep(Duration::from_millis(1)),
        }
    }
}

#[task]
fn put_for_ever(queue: Queue<u32>, progress: SharedMap<String, u32>) -> Result {
    for number in 0.. {
        queue.put(&number)?;
        if number % 100 == 99 {
            progress.set(DONE, &(number + 1))?;
        }
    }
    Ok(())
}

fn killed_producer() -> Result {
    let (queue, progress) = (Queue::<u32>::new()?, SharedMap::new()?);
    let producer = Process::spawn("put-for-ever", (&queue, &progress))?;
    wait_for(&progress, 20_000)?;
    producer.kill();
    expect("killed", producer.join::<()>().is_err(), true)?;
    let done = wait_for(&progress, 20_000)?;
    let mut count = 0;
    while let Some(number) = queue.try_get()? {
        expect("the next one", number, count)?;
        count += 1;
    }
    expect("all that was put", count >= done, true)?;
    // It might have gone on for long before it was killed, but not without telling.
    expect("and nothing else", count <= done + 100, true)
}

#[task]
fn get_for_ever(queue: Queue<u32>, progress: SharedMap<String, u32>) -> Result {
    for number in 0.. {
        expect("the next one", queue.get()?, number)?;
        if number % 10 == 9 {
            progress.set(DONE, &(number + 1))?;
        }
    }
    Ok(())
}

fn killed_consumer() -> Result {
    const ALL: u32 = 30_000;
    let (queue, progress) = (Queue::<u32>::new()?, SharedMap::new()?);
    queue.put_many((0..ALL / 2).collect::<Vec<_>>())?;
    queue.put_many((ALL / 2..ALL).collect::<Vec<_>>())?;
    let consumer = Process::spawn("get-for-ever", (&queue, &progress))?;
    wait_for(&progress, 500)?;
    consumer.kill();
    expect("killed", consumer.join::<()>().is_err(), true)?;
    let done = wait_for(&progress, 500)?;
    let mut next = ALL - queue.len();
    // It told every ten messages.
    expect("all that was got is gone, and no more", (done..done + 11).contains(&next), true)?;
    while let Some(number) = queue.try_get()? {
        expect("the next one", number, next)?;
        next += 1;
    }
    expect("to the last", next, ALL)
}

#[task]
fn get_ten(queue: Queue<u32>, has: Event, may: Event) -> Result<u32> {
    for number in 0..10 {
        expect("the next one", queue.get()?, number)?;
    }
    has.set();
    may.wait()?;
    queue.get_timeout(LONG)
}

fn shared() -> Result {
    let (queue, has, may) = (Queue::<u32>::new()?, Event::new()?, Event::new()?);
    queue.put_many((0..200).collect::<Vec<_>>())?;
    let other = Process::spawn("get-ten", (&queue, &has, &may))?;
    has.wait()?;
    expect("length", queue.len(), 190)?;
    for number in 10..200 {
        expect("the next one", queue.try_get()?, Some(number))?;
    }
    expect("none is left", queue.try_get()?, None)?;
    queue.put(&1000)?;
    may.set();
    expect("the other's next one", other.join::<u32>()?, 1000)
}

#[task]
fn put_and_end(queue: Queue<u32>, count: u32) -> Result {
    (0..count).try_for_each(|number| queue.put(&number))
}

fn bounded() -> Result {
    const ALL: u32 = 20_000;
    let queue = Queue::<u32>::bounded(50)?;
    let producer = Process::spawn("put-and-end", (&queue, ALL))?;
    for number in 0..ALL {
        if number % 512 == 0 {
            let length = queue.len();
            expect("no more than its bound", length <= 50, true)?;
        }
        expect("the next one", queue.get_timeout(LONG)?, number)?;
    }
    producer.join::<()>()?;
    let full = Process::spawn("put-and-end", (&queue, 50u32))?;
    full.join::<()>()?;
    expect("full", (queue.len(), queue.try_put(&0)?), (50, false))?;
    expect_error("put", queue.put_timeout(&0, SHORT), &Error::TimedOut)
}

#[task]
fn send_all(to: Sender<u32>, count: u32) -> Result {
    (0..count).try_for_each(|number| to.send(&number))
}

fn piped() -> Result {
    const ALL: u32 = 50_000;
    let (to, from) = pipe::<u32>()?;
    let sender = Process::spawn("send-all", (to, ALL))?;
    for number in 0..ALL {
        expect("the next one", from.recv_timeout(LONG)?, number)?;
    }
    sender.join::<()>()?;
    expect_error("the end", from.recv(), &Error::Closed)
}

#[task]
fn receive_some(from: Receiver<u32>, count: u32) -> Result {
    for number in 0..count {
        expect("the next one", from.recv_timeout(LONG)?, number)?;
    }
    Ok(())
}

fn closed() -> Result {
    let (to, from) = pipe::<u32>()?;
    let receiver = Process::spawn("receive-some", (from, 100u32))?;
    (0..150).try_for_each(|number| match to.send(&number) {
        // It may have got all that it wants.
        Err(Error::Closed) if number >= 100 => Ok(()),
        sent => sent,
    })?;
    receiver.join::<()>()?;
    expect_error("send", to.send(&0), &Error::Closed)
}

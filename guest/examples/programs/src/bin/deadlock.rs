//! Tasks that wait for each other, in the ways in which that happens: `locks`, `pipes`, `queue` or `pool`.
//!
//! A host that finds it answers one of the calls with an error that names who waits for what; this program then says so and ends. One that
//! only warns lets them wait.

use taskcell_guest::{Connection, Error, Event, Lock, Pool, Process, Queue, Result, duplex, task};

/// Takes one lock, waits until the other one has the other, and wants that too.
#[task]
fn hold(first: Lock, second: Lock, mine: Event, theirs: Event) -> Result {
    let _first = first.acquire()?;
    mine.set();
    theirs.wait()?;
    let _second = second.acquire()?;
    Ok(())
}

/// Two locks, taken in different orders.
fn locks() -> Result {
    let (a, b) = (Lock::named("a")?, Lock::named("b")?);
    let (has_a, has_b) = (Event::new()?, Event::new()?);
    let one = Process::spawn("hold", (&a, &b, &has_a, &has_b))?;
    let other = Process::spawn("hold", (&b, &a, &has_b, &has_a))?;
    told(one)?;
    told(other)
}

/// Hears before it speaks.
#[task]
fn listen(end: Connection<String, String>) -> Result {
    let heard = end.recv()?;
    end.send(&heard)
}

/// Two ends of a pipe whose owners both wait for the other to begin.
fn pipes() -> Result {
    let (left, right) = duplex::<String, String>()?;
    let one = Process::spawn("listen", (left,))?;
    let other = Process::spawn("listen", (right,))?;
    told(one)?;
    told(other)
}

/// A full queue that nobody reads.
fn queue() -> Result {
    let queue = Queue::<u32>::bounded(4)?;
    (0..5).try_for_each(|number| queue.put(&number))
}

#[task]
fn wait_for(event: Event) -> Result {
    event.wait()
}

#[task]
fn set(event: Event) {
    event.set();
}

/// A pool of one worker, whose task waits for what one will do that stands behind it. The first is told, and the second has its turn.
fn pool() -> Result {
    let (pool, event) = (Pool::with_workers(1)?, Event::named("behind")?);
    let before = pool.submit::<()>("wait-for", (&event,))?;
    let behind = pool.submit::<()>("set", (&event,))?;
    if let Err(error) = before.result() {
        println!("{error}");
    }
    behind.result()?;
    println!("went on");
    Ok(())
}

/// Passes on what a process was told; an error of its own is its answer, not this program's.
fn told(process: Process) -> Result {
    match process.join::<()>() {
        Ok(()) => println!("went on"),
        Err(error) => println!("{error}"),
    }
    Ok(())
}

#[taskcell_guest::main]
fn main() -> Result {
    let case = std::env::args().nth(1).unwrap_or_default();
    let ended = match case.as_str() {
        "locks" => locks(),
        "pipes" => pipes(),
        "queue" => queue(),
        "pool" => pool(),
        other => Err(Error::Invalid(format!("expected locks, pipes, queue or pool, found {other:?}"))),
    };
    if let Err(Error::Deadlock(waits)) = ended {
        println!("told: {waits}");
        return Ok(());
    }
    ended
}

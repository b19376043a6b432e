//! Two ends of a pipe: there and back, and one way.

use taskcell_guest::{Barrier, Bytes, Connection, Error, Process, Receiver, Result, Sender, duplex, pipe, task};

use crate::{Effort, SIZES, tell_rate, tell_times, together};

pub(crate) fn run(effort: Effort) -> Result {
    for (size, full) in SIZES {
        let message = Bytes(vec![7; size as usize]);
        let (ours, theirs) = duplex::<Bytes, Bytes>()?;
        let process = Process::spawn("echo", (theirs,))?;
        let times = if size > 100_000 { 300 } else { 10_000 };
        tell_times(&format!("pipe/{size}/round-trip"), effort.times(times), || {
            ours.send(&message)?;
            ours.recv().map(drop)
        })?;
        ours.close();
        process.join::<()>()?;

        let (sender, receiver) = pipe::<Bytes>()?;
        let (start, count) = (Barrier::new(3)?, effort.times(full));
        let processes =
            [Process::spawn("emit", (sender, &start, size, count))?, Process::spawn("swallow", (receiver, &start, count))?];
        tell_rate(&format!("pipe/{size}/one-way"), "items/s", count, together(&start, &processes)?);
    }
    Ok(())
}

#[task]
fn echo(end: Connection<Bytes, Bytes>) -> Result {
    loop {
        match end.recv() {
            Ok(message) => end.send(&message)?,
            Err(Error::Closed) => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

#[task]
fn emit(end: Sender<Bytes>, start: Barrier, size: u32, count: u32) -> Result {
    let message = Bytes(vec![7; size as usize]);
    start.wait()?;
    for _ in 0..count {
        end.send(&message)?;
    }
    Ok(())
}

#[task]
fn swallow(end: Receiver<Bytes>, start: Barrier, count: u32) -> Result {
    start.wait()?;
    for _ in 0..count {
        end.recv()?;
    }
    Ok(())
}

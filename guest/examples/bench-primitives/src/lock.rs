//! A lock that one task, or four, acquire and release all the time.

use taskcell_guest::{Barrier, Lock, Process, Result, task};

use crate::{Effort, tell_rate, together};

pub(crate) fn run(effort: Effort) -> Result {
    for clients in [1, 4] {
        let (lock, start) = (Lock::new()?, Barrier::new(clients + 1)?);
        let each = effort.times(100_000) / clients;
        let spawn = |_| Process::spawn("hold", (&lock, &start, each));
        let processes = (0..clients).map(spawn).collect::<Result<Vec<_>>>()?;
        tell_rate(&format!("lock/hand-over/{clients}"), "calls/s", each * clients, together(&start, &processes)?);
    }
    Ok(())
}

#[task]
fn hold(lock: Lock, start: Barrier, count: u32) -> Result {
    start.wait()?;
    for _ in 0..count {
        lock.acquire()?.release()?;
    }
    Ok(())
}

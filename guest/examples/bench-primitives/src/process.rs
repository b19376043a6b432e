//! A process from its start to its result.

use taskcell_guest::{Process, Result, task};

use crate::{Effort, tell_times};

pub(crate) fn run(effort: Effort) -> Result {
    tell_times("process/spawn-to-result", effort.times(200), || {
        Process::spawn("give-back", (1,))?.join::<u64>()?;
        Ok(())
    })
}

/// Next to nothing; for pools, too.
#[task]
fn give_back(number: u64) -> u64 {
    number
}

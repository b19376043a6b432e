//! A pool of two workers that a program has.

use std::time::Instant;

use taskcell_guest::pool::Isolation;
use taskcell_guest::{Pool, Result};

use crate::{Effort, tell_rate, tell_times};

/// The most values that `map` takes at once.
const MOST: u32 = 16_384;

pub(crate) fn run(effort: Effort) -> Result {
    for (isolation, suffix) in [(Isolation::Reuse, ""), (Isolation::Fresh, "/fresh")] {
        let pool = Pool::builder().workers(2).isolation(isolation).create()?;
        tell_times(&format!("pool/submit{suffix}"), effort.times(5000), || {
            pool.submit::<u64>("give-back", (1,))?.result()?;
            Ok(())
        })?;
        let began = Instant::now();
        let rounds = effort.times(10);
        for _ in 0..rounds {
            pool.map::<u64, _>("give-back", vec![1u64; MOST as usize])?;
        }
        tell_rate(&format!("pool/map{suffix}"), "tasks/s", rounds * MOST, began.elapsed());
        let (began, count) = (Instant::now(), effort.times(200_000));
        for result in pool.imap::<u64, _>("give-back", vec![1u64; count as usize])? {
            result?;
        }
        tell_rate(&format!("pool/imap{suffix}"), "tasks/s", count, began.elapsed());
    }
    Ok(())
}

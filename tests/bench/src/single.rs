//! One task after the other: submit, wait for the result.

use taskcell_bench::{Fallible, PAYLOADS, Setup, WORKERS, tell_times, time_each};

use crate::ISOLATIONS;

/// A number in, a number out.
pub(crate) fn trivial(setup: &Setup) -> Fallible<()> {
    let component = crate::component(setup, "numbers.wat")?;
    for (isolation, name) in ISOLATIONS {
        let pool = crate::pool(&component, isolation, WORKERS)?;
        let one = || Ok(pool.submit::<u64>("fib", &1)?.result().map(drop)?);
        time_each(setup.times(1000), one)?;
        tell_times(&format!("task/{name}"), time_each(setup.times(10_000), one)?);
    }
    Ok(())
}

/// Bytes in, the same bytes out.
pub(crate) fn bytes(setup: &Setup) -> Fallible<()> {
    let component = crate::component(setup, "bytes.wat")?;
    for (isolation, name) in ISOLATIONS {
        let pool = crate::pool(&component, isolation, WORKERS)?;
        for size in PAYLOADS {
            let payload = vec![7; size];
            let one = || match pool.submit_bytes("same", &payload)?.result()?.len() == size {
                true => Ok(()),
                false => Err("other bytes came back".into()),
            };
            let times = if size > 100_000 { 400 } else { 4000 };
            time_each(setup.times(times / 10), one)?;
            tell_times(&format!("bytes/{size}/{name}"), time_each(setup.times(times), one)?);
        }
    }
    Ok(())
}

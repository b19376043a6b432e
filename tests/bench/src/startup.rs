//! From nothing to the first result, and how many workers get ready in a second.

use std::num::NonZeroU32;
use std::time::Instant;

use taskcell::{Component, ComponentOptions, Isolation, Pool};
use taskcell_bench::{Fallible, Setup, WORKERS, median_ms, number, tell, time_each};

/// Workers that are started at once to see how many get ready in a second.
const MANY: usize = 32;

/// Until a pool gave its first result: with the component compiled now, with its code in the cache, with the component open.
pub(crate) fn run(setup: &Setup) -> Fallible<()> {
    let path = setup.file("numbers.wat");
    let component = Component::open(&path)?;
    first_result(&component)?;
    let cold = time_each(setup.times(10), || {
        first_result(&Component::open_with(&path, ComponentOptions { cache: false, ..ComponentOptions::default() })?)
    })?;
    tell("startup/cold", "ms", median_ms(cold));
    let warm = time_each(setup.times(20), || first_result(&Component::open(&path)?))?;
    tell("startup/warm", "ms", median_ms(warm));
    let open = time_each(setup.times(20), || first_result(&component))?;
    tell("startup/open", "ms", median_ms(open));
    Ok(())
}

fn first_result(component: &Component) -> Fallible<()> {
    let workers = NonZeroU32::try_from(u32::try_from(WORKERS)?)?;
    let pool = Pool::builder(component).workers(workers).build()?;
    pool.submit::<u64>("fib", &1)?.result()?;
    Ok(())
}

/// Workers that get ready in a second, many being started at once; their end is not part of it.
pub(crate) fn spawn_rate(setup: &Setup) -> Fallible<()> {
    let component = crate::component(setup, "numbers.wat")?;
    for _ in 0..setup.times(3) {
        let began = Instant::now();
        let pool = crate::pool(&component, Isolation::Fresh, MANY)?;
        tell("ready", "workers/s", number(MANY as u64) / began.elapsed().as_secs_f64());
        drop(pool);
    }
    Ok(())
}

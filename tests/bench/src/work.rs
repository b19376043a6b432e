//! Maps of tasks that compute.

use std::time::Instant;

use taskcell::{Encoding, ItemWriter, MappingOptions, Next, RunOptions, Source, Supply};
use taskcell_bench::{Fallible, Setup, WORKERS, number, per_second, tell};

use crate::map::{Again, drain};
use crate::{ISOLATIONS, JSON};

pub(crate) fn fib(setup: &Setup) -> Fallible<()> {
    let component = crate::component(setup, "numbers.wat")?;
    for (isolation, name) in ISOLATIONS {
        let pool = crate::pool(&component, isolation, WORKERS)?;
        for (n, times) in [("20", 40_000), ("25", 4000)] {
            let times = setup.times(times);
            let began = Instant::now();
            drain(&pool, "fib", Again::new(n.as_bytes(), times), JSON, None, times)?;
            tell(&format!("fib-{n}/{name}"), "tasks/s", per_second(times, began));
        }
    }
    Ok(())
}

/// Pieces of a text, each an input.
struct Pieces<'a>(std::slice::Iter<'a, Vec<u8>>);

impl Source for Pieces<'_> {
    fn supply(&mut self, items: &mut ItemWriter, tasks: u32, bytes: usize) -> Supply {
        while items.count() < tasks && items.bytes().len() < bytes {
            let Some(piece) = self.0.next() else { return Supply::End };
            items.push(piece);
        }
        Supply::More
    }
}

/// Counts words; bytes go in as they are, a record comes out as JSON.
pub(crate) fn words(setup: &Setup) -> Fallible<()> {
    let component = crate::component(setup, "words.wasm")?;
    let pieces = setup.pieces()?;
    let bytes: usize = pieces.iter().map(Vec::len).sum();
    let run = RunOptions { input: Encoding::Bytes, output: Encoding::Json, timed: false };
    for (isolation, name) in ISOLATIONS {
        let pool = crate::pool(&component, isolation, WORKERS)?;
        let index = pool.component().task("count-words")?;
        let began = Instant::now();
        let mut mapping = pool.mapping(index, Pieces(pieces.iter()), run, MappingOptions { ordered: true, chunk: None });
        let mut results = Vec::with_capacity(pieces.len());
        loop {
            match mapping.next(None) {
                Next::Block(block) => block.each(|end| results.push(end.result.map(<[u8]>::to_vec))),
                Next::End => break,
                Next::Timeout => {}
                Next::Stopped(text) => return Err(text.into()),
            }
        }
        tell(&format!("words/{name}"), "MB/s", number(bytes as u64) / 1e6 / began.elapsed().as_secs_f64());
        let mut words = 0;
        for result in results {
            let counts: serde_json::Value = serde_json::from_slice(&result?)?;
            words += counts["words"].as_u64().ok_or("a result without words")?;
        }
        tell("words", "check", number(words));
    }
    Ok(())
}

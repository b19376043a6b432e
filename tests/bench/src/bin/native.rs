//! The same work as native code on threads: what the machine can do without any wall.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use taskcell_bench::{Fallible, Setup, WORKERS, number, per_second, tell};

fn main() -> Fallible<()> {
    let setup = Setup::from_args()?;
    match setup.group.as_str() {
        "fib" => fib_of(&setup),
        "words" => words(&setup),
        other => Err(format!("there is no group {other}").into()),
    }
}

/// Calls `work` with each number below `count`, once, on several threads, and adds up what it gives.
fn on_threads(count: usize, work: impl Fn(usize) -> u64 + Sync) -> Fallible<u64> {
    let next = AtomicUsize::new(0);
    let run = || {
        let mut sum = 0u64;
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            if at >= count {
                return sum;
            }
            sum = sum.wrapping_add(work(at));
        }
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..WORKERS).map(|_| scope.spawn(run)).collect();
        let sums = threads.into_iter().map(|thread| thread.join().map_err(|_| "a thread panicked".into()));
        sums.sum::<Fallible<u64>>()
    })
}

fn fib(n: u32) -> u64 {
    if n < 2 { u64::from(n) } else { fib(n - 1).wrapping_add(fib(n - 2)) }
}

fn fib_of(setup: &Setup) -> Fallible<()> {
    for (n, times) in [(20, 40_000), (25, 4000)] {
        let times = setup.times(times);
        let began = Instant::now();
        black_box(on_threads(usize::try_from(times)?, |_| fib(black_box(n)))?);
        tell(&format!("fib-{n}"), "tasks/s", per_second(times, began));
    }
    Ok(())
}

fn words(setup: &Setup) -> Fallible<()> {
    let pieces = setup.pieces()?;
    let bytes: usize = pieces.iter().map(Vec::len).sum();
    let began = Instant::now();
    let words = on_threads(pieces.len(), |at| pieces.get(at).map_or(0, |piece| black_box(count(piece)).words))?;
    tell("words", "MB/s", number(bytes as u64) / 1e6 / began.elapsed().as_secs_f64());
    tell("words", "check", number(words));
    Ok(())
}

/// What the guest tells of a text.
struct Counts {
    words: u64,
    #[expect(dead_code, reason = "made, as the guest makes it, and not looked at")]
    others: (u64, String, Vec<(String, u32)>),
}

/// What `guest/examples/word-count` does, line by line.
fn count(text: &[u8]) -> Counts {
    let mut words = 0;
    let mut longest = (0, String::new());
    let mut frequency = BTreeMap::<String, u32>::new();
    let is_space = |byte: u8| byte.is_ascii_whitespace() || byte == b'\x0b';
    for word in text.split(|byte| is_space(*byte)).filter(|word| !word.is_empty()) {
        words += 1;
        let word = String::from_utf8_lossy(word);
        let bare = word.trim_matches(|character: char| !character.is_alphanumeric());
        if bare.is_empty() {
            continue;
        }
        let characters = bare.chars().count();
        if characters > longest.0 {
            longest = (characters, bare.to_owned());
        }
        *frequency.entry(bare.to_lowercase()).or_default() += 1;
    }
    let mut top: Vec<(String, u32)> = frequency.into_iter().collect();
    top.sort_by_key(|(_, times)| Reverse(*times));
    top.truncate(5);
    let lines = text.iter().filter(|byte| **byte == b'\n').count() as u64;
    Counts { words, others: (lines, longest.1, top) }
}

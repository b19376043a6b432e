//! Results of a few bytes on their way into the outbox, without its lock.
//!
//! Two threads send outcomes: the one that runs tasks, and the watch thread when a task takes its time. So the outbox has a lock, and
//! to take and release it for each task costs more than to write the outcome down. Here one thread only adds, and says by one number how
//! far it came; those who hold the outbox's lock take what is there. The road not taken: results that only the running thread can see
//! until it looks up; one that sleeps in the middle of a task never does.
//!
//! Invariants: only the thread that runs tasks adds and clears. It clears only while it holds the outbox's lock and has taken everything, so
//! nobody reads a word that is written again. Were that broken, results would be garbled; memory is sound in any case.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// The longest result that is short, in bytes.
const SHORT: usize = 63;
/// Most tasks in a frame of which nobody is told: 8 KiB, a quarter of the nearest cache.
const WORDS: usize = 1024;

/// Results of consecutive tasks. Each is a length byte and its bytes, filled up to whole words.
#[derive(Debug)]
pub(crate) struct ShortResults {
    words: Box<[AtomicU64]>,
    /// So many words are written.
    end: AtomicUsize,
}

impl ShortResults {
    /// Without results.
    pub(crate) fn new() -> Self {
        Self { words: (0..WORDS).map(|_| AtomicU64::new(0)).collect(), end: AtomicUsize::new(0) }
    }

    /// Adds a result if it is short and there is room; whether it was added.
    pub(crate) fn add(&self, result: &[u8]) -> bool {
        let at = self.end.load(Ordering::Relaxed);
        let end = at + 1 + result.len() / 8;
        let Some([first, others @ ..]) = self.words.get(at..end) else { return false };
        if result.len() > SHORT {
            return false;
        }
        let (head, rest) = result.split_at(result.len().min(7));
        first.store(word(head) << 8 | result.len() as u64, Ordering::Relaxed);
        for (place, piece) in others.iter().zip(rest.chunks(8)) {
            place.store(word(piece), Ordering::Relaxed);
        }
        self.end.store(end, Ordering::Release);
        true
    }

    /// Gives those from the word `from` on to `each`; how many words there are.
    pub(crate) fn take(&self, from: usize, mut each: impl FnMut(&[u8])) -> usize {
        let end = self.end.load(Ordering::Acquire);
        let mut words = self.words.get(from..end).unwrap_or(&[]).iter().map(|word| word.load(Ordering::Relaxed).to_le_bytes());
        let mut bytes = [0; 1 + SHORT];
        while let Some(first) = words.next() {
            let length = usize::from(first[0]).min(SHORT);
            for (place, word) in bytes.chunks_mut(8).zip(std::iter::once(first).chain(words.by_ref().take(length / 8))) {
                place.copy_from_slice(&word);
            }
            each(bytes.get(1..=length).unwrap_or(&[]));
        }
        end
    }

    /// Begins anew.
    pub(crate) fn clear(&self) {
        self.end.store(0, Ordering::Relaxed);
    }
}

/// At most eight bytes as a word, the first one lowest.
fn word(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(results: &ShortResults, from: usize) -> (Vec<Vec<u8>>, usize) {
        let mut all = Vec::new();
        let end = results.take(from, |result| all.push(result.to_vec()));
        (all, end)
    }

    #[test]
    fn results_of_every_length_come_back_as_they_went() {
        let results = ShortResults::new();
        let all: Vec<Vec<u8>> = (0u8..=63).map(|length| (0..length).map(|at| 0xff - at).collect()).collect();
        assert!(all.iter().all(|result| results.add(result)));
        assert!(!results.add(&[1; 64]));
        let (seen, end) = taken(&results, 0);
        assert_eq!(seen, all);
        assert!(results.add(b"more"));
        assert_eq!(taken(&results, end).0, [b"more"]);
    }

    #[test]
    fn a_result_without_room_is_not_added_in_part() {
        let results = ShortResults::new();
        let added = (0..10_000).take_while(|_| results.add(&[7; 20])).count();
        assert_eq!(added, WORDS / 3);
        assert_eq!(taken(&results, 0).0, vec![vec![7; 20]; added]);
        results.clear();
        assert_eq!(taken(&results, 0), (Vec::new(), 0));
        assert!(results.add(&[7; 20]));
    }

    #[test]
    fn who_takes_while_results_are_added_gets_each_once_and_whole() {
        const ROUNDS: u64 = 200;
        let (results, taker) = (ShortResults::new(), std::sync::Mutex::new((0usize, 0u64)));
        let take = |state: &mut (usize, u64)| {
            let (from, mut next) = *state;
            let end = results.take(from, |result| {
                let length = usize::try_from(next % 40).unwrap_or(0);
                assert_eq!(result, vec![next.to_le_bytes()[0]; length]);
                next += 1;
            });
            *state = (end, next);
        };
        let done = std::sync::atomic::AtomicBool::new(false);
        let count = std::thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    take(&mut taker.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
                }
            });
            let mut added = 0u64;
            for _ in 0..ROUNDS {
                while results.add(&vec![added.to_le_bytes()[0]; usize::try_from(added % 40).unwrap_or(0)]) {
                    added += 1;
                }
                let mut state = taker.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                take(&mut state);
                results.clear();
                state.0 = 0;
            }
            done.store(true, Ordering::Relaxed);
            added
        });
        let (_, seen) = *taker.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        assert_eq!(seen, count);
        assert!(count >= ROUNDS * (WORDS as u64 / 6), "{count} were added");
    }
}

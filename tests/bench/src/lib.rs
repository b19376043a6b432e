//! What the contestants of `tests/bench/run` have in common: how they are asked, and how they answer.
//!
//! A contestant is started as `PROGRAM GROUP FOLDER full|quick [...]`, does the workloads of that group once, and prints one JSON object a
//! line: `{"name": ..., "value": ..., "unit": ...}`. The folder has the guests and the text, which all contestants share.
#![expect(clippy::print_stdout, reason = "its output is its purpose")]

use std::path::PathBuf;
use std::time::{Duration, Instant};

/// What went wrong, for people.
pub type Fallible<T> = Result<T, Box<dyn std::error::Error>>;

/// Workers, threads, processes: the same number for every contestant.
pub const WORKERS: usize = 2;
/// Sizes of payloads for single tasks, in bytes.
pub const PAYLOADS: [usize; 3] = [64, 4096, 1 << 20];

/// What a contestant was asked.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Which workloads.
    pub group: String,
    /// Where guests and texts are.
    pub folder: PathBuf,
    /// Whether to do a tenth.
    pub quick: bool,
    /// What else stood on the command line.
    pub rest: Vec<String>,
}

impl Setup {
    /// Reads the command line.
    ///
    /// # Errors
    /// If it is too short.
    pub fn from_args() -> Fallible<Self> {
        let mut args = std::env::args().skip(1);
        let (Some(group), Some(folder), Some(effort)) = (args.next(), args.next(), args.next()) else {
            return Err("usage: PROGRAM GROUP FOLDER full|quick [...]".into());
        };
        Ok(Self { group, folder: folder.into(), quick: effort == "quick", rest: args.collect() })
    }

    /// A file of the folder.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// How often to do what is done `full` times otherwise.
    #[must_use]
    pub fn times(&self, full: u64) -> u64 {
        if self.quick { (full / 10).max(1) } else { full }
    }

    /// The text of the word count, in pieces that end between words.
    ///
    /// # Errors
    /// If it can't be read.
    pub fn pieces(&self) -> Fallible<Vec<Vec<u8>>> {
        const PIECE: usize = 64 * 1024;
        let text = std::fs::read(self.file("text"))?;
        let most = if self.quick { text.len() / 10 } else { text.len() };
        let mut rest = text.get(..most).unwrap_or(&text);
        let mut pieces = Vec::new();
        while !rest.is_empty() {
            let window = rest.get(..PIECE).unwrap_or(rest);
            let end = if window.len() == rest.len() { None } else { window.iter().rposition(|byte| *byte == b'\n') };
            let (piece, after) = rest.split_at(end.map_or(window.len(), |at| at + 1));
            pieces.push(piece.to_vec());
            rest = after;
        }
        Ok(pieces)
    }
}

/// Prints one figure.
pub fn tell(name: &str, unit: &str, value: f64) {
    println!("{}", serde_json::json!({"name": name, "value": value, "unit": unit}));
}

/// A count as a number to calculate with.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "figures for people")]
pub fn number(count: u64) -> f64 {
    count as f64
}

/// How many a second since then.
#[must_use]
pub fn per_second(count: u64, since: Instant) -> f64 {
    number(count) / since.elapsed().as_secs_f64()
}

/// Prints the middle and the slow end of many times, in microseconds.
pub fn tell_times(name: &str, mut times: Vec<Duration>) {
    times.sort();
    for (share, suffix) in [(50, "p50"), (99, "p99")] {
        if let Some(time) = times.get(times.len() * share / 100) {
            tell(&format!("{name}/{suffix}"), "us", time.as_secs_f64() * 1e6);
        }
    }
}

/// Times something often.
///
/// # Errors
/// Its first failure.
pub fn time_each(times: u64, mut work: impl FnMut() -> Fallible<()>) -> Fallible<Vec<Duration>> {
    (0..times)
        .map(|_| {
            let began = Instant::now();
            work()?;
            Ok(began.elapsed())
        })
        .collect()
}

/// The middle one, in milliseconds.
#[must_use]
pub fn median_ms(mut times: Vec<Duration>) -> f64 {
    times.sort();
    times.get(times.len() / 2).map_or(f64::NAN, |time| time.as_secs_f64() * 1e3)
}

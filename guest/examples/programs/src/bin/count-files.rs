//! Counts the words of files, or of the standard input, in parallel: a job over a pool.
//!
//! The text is cut into pieces at the ends of lines; a task counts the words of a piece; what the tasks found is added up as they end. So
//! a text may be as long as it likes, and only a few pieces of it are in memory at once.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::error::Error;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};

use taskcell_guest::{Bytes, Pool, task};

/// How long a piece is, but for the rest of its last line.
const PIECE: usize = 256 * 1024;

/// How many of the most frequent words are shown.
const TOP: usize = 10;

/// The words of a text, in lower case and without the punctuation around them, and how often they occur.
#[task]
fn count_words(text: Bytes) -> Vec<(String, u64)> {
    let mut frequency = BTreeMap::<String, u64>::new();
    for word in text.split(u8::is_ascii_whitespace) {
        let word = String::from_utf8_lossy(word);
        let bare = word.trim_matches(|character: char| !character.is_alphanumeric());
        if !bare.is_empty() {
            *frequency.entry(bare.to_lowercase()).or_default() += 1;
        }
    }
    frequency.into_iter().collect()
}

#[taskcell_guest::main]
fn main() -> Result<(), Box<dyn Error>> {
    let names: Vec<String> = std::env::args().skip(1).collect();
    let mut text: Box<dyn BufRead> = if names.is_empty() {
        Box::new(io::stdin().lock())
    } else {
        let mut all: Box<dyn Read> = Box::new(io::empty());
        for name in names {
            let file = File::open(&name).map_err(|error| format!("{name}: {error}"))?;
            // Files that don't end with a newline are still apart.
            all = Box::new(all.chain(file).chain(&b"\n"[..]));
        }
        Box::new(BufReader::new(all))
    };

    let mut unreadable = None;
    let pieces = std::iter::from_fn(|| match piece(&mut text) {
        Ok(piece) => piece,
        Err(error) => {
            unreadable = Some(error);
            None
        }
    });
    let pool = Pool::new()?;
    let mut total = BTreeMap::<String, u64>::new();
    let mut number = 0;
    for counts in pool.imap_unordered::<Vec<(String, u64)>, _>("count-words", pieces)? {
        for (word, times) in counts? {
            *total.entry(word).or_default() += times;
        }
        number += 1;
        taskcell_guest::task::progress(number, None, "pieces");
    }
    if let Some(error) = unreadable {
        return Err(error.into());
    }
    print!("{}", show(&total));
    Ok(())
}

/// The next lines, as many as make a piece; `None` at the end.
fn piece(text: &mut dyn BufRead) -> io::Result<Option<Bytes>> {
    let mut piece = Vec::new();
    text.take(PIECE as u64).read_to_end(&mut piece)?;
    if piece.last().is_some_and(|byte| *byte != b'\n') {
        text.read_until(b'\n', &mut piece)?;
    }
    Ok((!piece.is_empty()).then_some(Bytes(piece)))
}

fn show(total: &BTreeMap<String, u64>) -> String {
    let mut top: Vec<(&String, &u64)> = total.iter().collect();
    // Stable: words that are equally frequent stay in alphabetical order.
    top.sort_by_key(|(_, times)| Reverse(**times));
    let all = format!("{:>8} words, {} different\n", total.values().sum::<u64>(), total.len());
    top.iter().take(TOP).fold(all, |text, (word, times)| format!("{text}{times:>8} {word}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_counted_without_case_and_punctuation() {
        let words = count_words("The cat; the \"Cat\" -- THE end.".into());
        assert_eq!(words, [("cat".to_owned(), 2), ("end".to_owned(), 1), ("the".to_owned(), 3)]);
    }

    #[test]
    fn pieces_end_with_lines_and_lose_nothing() {
        let line = "some words, a line of them\n";
        let text = format!("{}no newline at the end", line.repeat(PIECE / line.len() * 3));
        let mut rest = text.as_bytes();
        let mut joined = Vec::new();
        while let Ok(Some(piece)) = piece(&mut rest) {
            assert!(piece.ends_with(b"\n") || rest.is_empty());
            assert!(piece.len() < PIECE + line.len());
            joined.extend_from_slice(&piece);
        }
        assert!(joined == text.as_bytes(), "the pieces make the text");
    }

    #[test]
    fn the_most_frequent_words_are_shown() {
        let total = BTreeMap::from([("a".to_owned(), 1), ("b".to_owned(), 12), ("c".to_owned(), 1)]);
        assert_eq!(show(&total), "      14 words, 3 different\n      12 b\n       1 a\n       1 c\n");
    }
}

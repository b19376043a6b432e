//! Counts lines, words and bytes; `wit/world.wit` describes the tasks.

use std::cmp::Reverse;
use std::collections::BTreeMap;

taskcell_guest::generate!(additional_derives: [PartialEq]);

/// How many of the most frequent words are told.
const TOP: usize = 5;

struct WordCount;

impl Guest for WordCount {
    fn count_words(text: Vec<u8>) -> Counts {
        count(&text)
    }

    fn count_text(text: String) -> Result<Counts, String> {
        let counts = count(text.as_bytes());
        if counts.words == 0 { Err("the text has no words".to_owned()) } else { Ok(counts) }
    }
}

export!(WordCount);

fn count(text: &[u8]) -> Counts {
    let mut words = 0;
    let mut longest = (0, String::new());
    // Ordered, so that the same text gives the same answer on every run.
    let mut frequency = BTreeMap::<String, u32>::new();
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
    // Stable: words that are equally frequent stay in alphabetical order.
    top.sort_by_key(|(_, times)| Reverse(*times));
    top.truncate(TOP);
    Counts {
        lines: text.iter().filter(|byte| **byte == b'\n').count() as u64,
        words,
        bytes: text.len() as u64,
        longest: longest.1,
        top,
    }
}

/// ASCII whitespace as C has it: unlike [`u8::is_ascii_whitespace`], with the vertical tab.
fn is_space(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == b'\x0b'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn top(counts: &Counts) -> Vec<(&str, u32)> {
        counts.top.iter().map(|(word, times)| (word.as_str(), *times)).collect()
    }

    #[test]
    fn counts_as_wc_does() {
        let counts = count(b"one two\n\n  three\tfour\x0bfive\nno newline at the end");
        assert_eq!((counts.lines, counts.words, counts.bytes), (3, 10, 48));
    }

    #[test]
    fn nothing_has_nothing() {
        let counts = count(b"");
        assert_eq!((counts.lines, counts.words, counts.bytes), (0, 0, 0));
        assert_eq!(counts.longest, "");
        assert_eq!(counts.top, []);
    }

    #[test]
    fn case_and_punctuation_make_no_new_word() {
        let counts = count(b"The cat; the \"Cat\", THE end. -- !");
        assert_eq!(counts.words, 8);
        assert_eq!(top(&counts), [("the", 3), ("cat", 2), ("end", 1)]);
    }

    #[test]
    fn equally_frequent_words_come_in_alphabetical_order() {
        let counts = count(b"g f e d c b a a");
        assert_eq!(top(&counts), [("a", 2), ("b", 1), ("c", 1), ("d", 1), ("e", 1)]);
    }

    #[test]
    fn longest_is_measured_in_characters() {
        assert_eq!(count("üüü abcd efgh".as_bytes()).longest, "abcd");
    }

    #[test]
    fn bytes_that_are_not_text_are_counted() {
        let counts = count(b"\xff\xfe a\xffb \x80");
        assert_eq!((counts.words, counts.bytes), (3, 8));
        assert_eq!(counts.longest, "a\u{fffd}b");
    }

    #[test]
    fn a_text_without_words_is_an_error() {
        assert_eq!(WordCount::count_text(" \n\t".to_owned()), Err("the text has no words".to_owned()));
        assert_eq!(WordCount::count_text("one".to_owned()).map(|counts| counts.words), Ok(1));
    }
}

//! Feeding a stream of calls: values go in while there is room, and outcomes come out when they are due.
//!
//! One task does both, so it must not wait for room while nobody takes outcomes: it pushes without waiting, and waits for outcomes only.

use std::collections::VecDeque;

use crate::bindings::AT_ONCE;
use crate::bindings::taskcell::host::{pool as raw, types};
use crate::error::{Error, Result};
use crate::value::ToValue;

/// The most values that are pushed by one call, and the most outcomes that are taken by one.
const VALUES: usize = 64;
const OUTCOMES: u32 = 256;

/// No more values are added to a push that has so many bytes.
const BYTES: usize = 1 << 20;

/// The host's side: [`raw::Mapping`].
pub(super) trait Stream {
    /// Adds the first of these values, and tells how many.
    fn push(&mut self, values: &[types::Value], timeout: Option<u64>) -> Result<usize>;
    /// There are no more values.
    fn finish(&mut self);
    /// Waits for outcomes; none if all were taken.
    fn next(&mut self, limit: u32) -> Result<Vec<raw::Mapped>>;
}

/// A stream and the values that go into it.
#[derive(Debug)]
pub(super) struct Feed<S, I> {
    stream: S,
    /// `None` when there are no more.
    values: Option<I>,
    /// Values that are to be pushed; not all that are offered at once may find room.
    pending: Vec<types::Value>,
    /// Outcomes that were taken and not yet given.
    due: VecDeque<raw::Mapped>,
    /// What went wrong, to be told after what is due.
    failure: Option<Error>,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    New,
    Running,
    Finished,
    Over,
}

impl<S, I> Feed<S, I> {
    pub(super) fn new(stream: S, values: I) -> Self {
        let (pending, due) = (Vec::new(), VecDeque::new());
        Self { stream, values: Some(values), pending, due, failure: None, state: State::New }
    }
}

impl<S: Stream, I: Iterator<Item: ToValue>> Feed<S, I> {
    /// The next outcome. An error is the last that comes.
    pub(super) fn next(&mut self) -> Option<Result<raw::Mapped>> {
        if self.due.is_empty() && self.failure.is_none() && self.state != State::Over {
            self.take();
        }
        if let Some(mapped) = self.due.pop_front() {
            return Some(Ok(mapped));
        }
        self.state = State::Over;
        self.failure.take().map(Err)
    }

    fn take(&mut self) {
        if self.state == State::New {
            self.state = State::Running;
            self.failure = self.fill().err();
        }
        if self.failure.is_none() {
            match self.stream.next(OUTCOMES) {
                Ok(outcomes) => self.due = outcomes.into(),
                Err(error) => self.failure = Some(error),
            }
        }
        // What was taken made room; workers are to have work while the caller handles it.
        if self.failure.is_none() && !self.due.is_empty() {
            self.failure = self.fill().err();
        }
    }

    /// Pushes until there is no room or no value.
    fn fill(&mut self) -> Result {
        while self.state != State::Finished {
            if self.pending.is_empty() {
                self.prepare()?;
            }
            if self.pending.is_empty() {
                self.stream.finish();
                self.state = State::Finished;
                break;
            }
            match self.stream.push(&self.pending, AT_ONCE) {
                Ok(count) => drop(self.pending.drain(..count)),
                Err(Error::TimedOut) => break,
                Err(error) => return Err(error),
            }
            if !self.pending.is_empty() {
                break;
            }
        }
        Ok(())
    }

    fn prepare(&mut self) -> Result {
        let mut bytes = 0;
        while let Some(values) = &mut self.values
            && self.pending.len() < VALUES
            && bytes < BYTES
        {
            match values.next() {
                Some(value) => {
                    let value = value.to_value()?.into();
                    bytes += length(&value);
                    self.pending.push(value);
                }
                None => self.values = None,
            }
        }
        Ok(())
    }
}

fn length(value: &types::Value) -> usize {
    match value {
        types::Value::None => 0,
        types::Value::Json(text) => text.len(),
        types::Value::Bytes(bytes) => bytes.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A host with a window: a value is done as soon as it is pushed, and its outcome is the value.
    struct Host {
        window: usize,
        under_way: VecDeque<raw::Mapped>,
        pushed: u64,
        finished: bool,
        /// Refuses the value with this number.
        refuses: Option<u64>,
        pushes: usize,
    }

    impl Stream for Host {
        fn push(&mut self, values: &[types::Value], timeout: Option<u64>) -> Result<usize> {
            assert_eq!(timeout, Some(0), "waiting here could last for ever");
            assert!(!self.finished && !values.is_empty());
            self.pushes += 1;
            let room = self.window - self.under_way.len();
            if room == 0 {
                return Err(Error::TimedOut);
            }
            let mut count = 0;
            for value in values.iter().take(room) {
                if self.refuses == Some(self.pushed) {
                    return Err(Error::Invalid("no number".to_owned()));
                }
                self.under_way.push_back(raw::Mapped { index: self.pushed, outcome: types::Outcome::Ok(value.clone()) });
                self.pushed += 1;
                count += 1;
            }
            Ok(count)
        }

        fn finish(&mut self) {
            assert!(!self.finished, "once is enough");
            self.finished = true;
        }

        fn next(&mut self, limit: u32) -> Result<Vec<raw::Mapped>> {
            assert!(self.finished || !self.under_way.is_empty(), "a deadlock");
            // One at a time shows most of what can go wrong.
            assert!(limit > 0);
            Ok(self.under_way.pop_front().into_iter().collect())
        }
    }

    fn feed<I: Iterator<Item: ToValue>>(window: usize, values: I) -> Feed<Host, I> {
        let under_way = VecDeque::new();
        Feed::new(Host { window, under_way, pushed: 0, finished: false, refuses: None, pushes: 0 }, values)
    }

    fn indexes<S: Stream, I: Iterator<Item: ToValue>>(feed: &mut Feed<S, I>) -> (Vec<u64>, Option<Error>) {
        let (mut indexes, mut failure) = (Vec::new(), None);
        while let Some(next) = feed.next() {
            assert_eq!(failure, None, "an error is the last");
            match next {
                Ok(mapped) => indexes.push(mapped.index),
                Err(error) => failure = Some(error),
            }
        }
        assert!(feed.next().is_none(), "the end stays the end");
        (indexes, failure)
    }

    #[test]
    fn every_value_has_an_outcome() {
        for window in [1, 3, 64, 1000] {
            for count in [0, 1, 63, 64, 65, 500] {
                let mut feed = feed(window, 0..count);
                assert_eq!(indexes(&mut feed), ((0..count).collect(), None), "{count} through a window of {window}");
                assert!(feed.stream.finished);
            }
        }
    }

    #[test]
    fn values_are_taken_as_there_is_room() {
        let mut taken = 0;
        let mut feed = feed(
            3,
            std::iter::repeat_with(|| {
                taken += 1;
                taken
            }),
        );
        for _ in 0..10 {
            assert!(matches!(feed.next(), Some(Ok(_))));
        }
        let pushed = feed.stream.pushed;
        drop(feed);
        assert_eq!(pushed, 13, "ten were given and three are under way");
        assert!(taken <= VALUES, "{taken} were taken for {pushed}");
    }

    #[test]
    fn many_go_in_by_one_call() {
        let mut feed = feed(1000, 0..640);
        assert!(feed.next().is_some());
        assert_eq!(feed.stream.pushes, 10);
    }

    #[test]
    fn long_values_are_not_gathered() {
        let long = "x".repeat(BYTES);
        let mut feed = feed(1000, std::iter::repeat_n(long.as_str(), 5));
        assert!(feed.next().is_some());
        assert_eq!(feed.stream.pushes, 5);
    }

    #[test]
    fn a_value_that_does_not_fit_is_told_after_what_is_due() {
        let mut feed = feed(2, 0..10_u32);
        feed.stream.refuses = Some(4);
        assert_eq!(indexes(&mut feed), (vec![0, 1, 2], Some(Error::Invalid("no number".to_owned()))));
    }
}

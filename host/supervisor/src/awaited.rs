//! The answer to a worker's call, from the call until its last byte is sent.
//!
//! Invariant: an honest worker reads the answer to a call before it makes the next call, so at most one answer per worker is
//! under way. A worker that calls without reading would otherwise fill the supervisor's memory with answers: 1.4 KB of calls
//! on a map with one value of 3 MiB made 360 MiB of them.

use taskcell_broker::Violation;

/// Where the answer to a worker's last call is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Awaited {
    /// There is none: no call was made, or its answer is wholly sent.
    #[default]
    Nothing,
    /// The broker has the call and has not answered.
    Answer,
    /// The answer is in the buffer of unsent frames and ends at this place.
    Unsent(usize),
}

impl Awaited {
    /// The worker makes a call while `sent` bytes of its unsent frames are gone.
    ///
    /// # Errors
    /// [`Violation::OutOfTurn`] if the answer to its last call is not wholly sent.
    pub(crate) fn called(&mut self, sent: usize) -> Result<(), Violation> {
        match *self {
            Self::Answer => Err(Violation::OutOfTurn),
            Self::Unsent(end) if sent < end => Err(Violation::OutOfTurn),
            Self::Nothing | Self::Unsent(_) => {
                *self = Self::Answer;
                Ok(())
            }
        }
    }

    /// The call was answered. `end`: where the answer ends in the buffer of unsent frames, if it goes over the socket.
    pub(crate) fn answered(&mut self, end: Option<usize>) {
        *self = end.map_or(Self::Nothing, Self::Unsent);
    }

    /// All frames are sent, and their buffer is empty.
    pub(crate) fn all_sent(&mut self) {
        if matches!(self, Self::Unsent(_)) {
            *self = Self::Nothing;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_before_the_last_one_was_answered_is_out_of_turn() {
        let mut awaited = Awaited::default();
        assert_eq!(awaited.called(0), Ok(()));
        assert_eq!(awaited.called(0), Err(Violation::OutOfTurn));
        awaited.answered(None);
        assert_eq!(awaited.called(0), Ok(()), "an answer in shared memory has nothing to send");
    }

    #[test]
    fn a_call_before_the_last_answer_is_wholly_sent_is_out_of_turn() {
        let mut awaited = Awaited::default();
        assert_eq!(awaited.called(0), Ok(()));
        awaited.answered(Some(100));
        assert_eq!(awaited.called(99), Err(Violation::OutOfTurn));
        assert_eq!(awaited.called(100), Ok(()), "frames behind the answer may wait");
    }

    #[test]
    fn an_empty_buffer_ends_an_answer_and_no_call() {
        let mut awaited = Awaited::default();
        assert_eq!(awaited.called(0), Ok(()));
        awaited.all_sent();
        assert_eq!(awaited, Awaited::Answer);
        awaited.answered(Some(100));
        awaited.all_sent();
        assert_eq!(awaited.called(0), Ok(()));
    }
}

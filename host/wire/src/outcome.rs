//! How an attempt ended, as its worker tells it.

use serde::{Deserialize, Serialize};

use crate::error::WireError;

/// What the engine stopped a guest for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum TrapKind {
    /// `unreachable`: a panic or an abort of the guest's own.
    Unreachable,
    /// A load or store outside linear memory.
    MemoryOutOfBounds,
    /// Anything wrong with a table or an indirect call.
    Table,
    /// Integer overflow, division by zero, a float that fits no integer.
    Arithmetic,
    /// The guest broke a rule of the component model: a bad pointer, a bad string, a forbidden call.
    Abi,
    /// Something that the engine knows and this list does not.
    Other,
}

impl TrapKind {
    /// One word for records and messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::MemoryOutOfBounds => "memory-out-of-bounds",
            Self::Table => "table",
            Self::Arithmetic => "arithmetic",
            Self::Abi => "abi",
            Self::Other => "other",
        }
    }
}

/// The limit that an attempt ran into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Limit {
    /// `Limits::memory_bytes`.
    Memory,
    /// `Limits::table_elements`.
    Table,
    /// `Limits::instances`.
    Instances,
    /// `Limits::stack_bytes`.
    Stack,
    /// `Limits::fuel`.
    Fuel,
    /// `Limits::host_call_bytes`.
    HostCall,
    /// `Limits::handles`.
    Handles,
    /// `Limits::message_bytes`.
    Message,
    /// `Limits::result_bytes`.
    Result,
    /// `Limits::random_bytes`.
    Random,
}

impl Limit {
    /// One word for records and messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Table => "table",
            Self::Instances => "instances",
            Self::Stack => "stack",
            Self::Fuel => "fuel",
            Self::HostCall => "host-call",
            Self::Handles => "handles",
            Self::Message => "message",
            Self::Result => "result",
            Self::Random => "random",
        }
    }
}

/// How an attempt ended. Texts are for people, at most [`EXPLANATION_BYTES`](crate::limits::EXPLANATION_BYTES) long, and are
/// as hostile as the guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome<'a> {
    /// The result, in the encoding that the run asked for.
    Ok(#[serde(borrow, serialize_with = "crate::codec::raw")] &'a [u8]),
    /// The task returned the error case of its `result`: the payload as JSON.
    Failed(#[serde(serialize_with = "crate::codec::raw")] &'a [u8]),
    /// A program ended with this exit code, which is not 0.
    Exited(i32),
    /// The guest trapped.
    Trapped {
        /// What class of trap.
        kind: TrapKind,
        /// The engine's words and a short backtrace.
        text: &'a str,
    },
    /// It ran longer than its run allows.
    TimedOut,
    /// It ran into a limit.
    OverLimit {
        /// Which.
        limit: Limit,
        /// What it wanted, and what the limit is.
        text: &'a str,
    },
    /// It was asked to stop, and stopped.
    Cancelled,
    /// The input does not fit the task's parameters; the guest did not run.
    Invalid {
        /// Where, what was expected, what was found.
        text: &'a str,
    },
}

/// Collects outcomes of consecutive tasks into one byte string.
#[derive(Debug, Default)]
pub struct OutcomeWriter {
    bytes: Vec<u8>,
    count: u32,
}

impl OutcomeWriter {
    /// Adds the next task's outcome; `nanoseconds` is its run time, 0 if it was not measured.
    pub fn push(&mut self, nanoseconds: u64, outcome: &Outcome<'_>) {
        // Most are a short result whose time was not measured: the same bytes, without the way through serde.
        if let Outcome::Ok(result) = outcome
            && nanoseconds == 0
            && let Ok(length @ ..0x80) = u8::try_from(result.len())
        {
            self.bytes.extend_from_slice(&[0, 0, length]);
            self.bytes.extend_from_slice(result);
            self.count = self.count.saturating_add(1);
            return;
        }
        let bytes = std::mem::take(&mut self.bytes);
        // Extending a vector does not fail, and these types have no part that postcard can't write.
        self.bytes = postcard::to_extend(&(nanoseconds, outcome), bytes).unwrap_or_default();
        self.count = self.count.saturating_add(1);
    }

    /// How many outcomes there are.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.count
    }

    /// The outcomes as they travel.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Empties it, and keeps its memory unless that is more than `keep` bytes.
    pub fn clear(&mut self, keep: usize) {
        self.bytes.clear();
        self.bytes.shrink_to(keep);
        self.count = 0;
    }
}

/// Reads outcomes back, as slices of what they came in.
#[derive(Debug, Clone, Copy)]
pub struct OutcomeReader<'a> {
    rest: &'a [u8],
}

impl<'a> OutcomeReader<'a> {
    /// Reads the outcomes in `bytes`.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The next outcome, whatever it is.
    fn any(&mut self) -> Result<(u64, Outcome<'a>), WireError> {
        match postcard::take_from_bytes::<(u64, Outcome<'a>)>(self.rest) {
            Ok((item, rest)) => {
                self.rest = rest;
                Ok(item)
            }
            Err(error) => {
                self.rest = &[];
                Err(error.into())
            }
        }
    }
}

impl<'a> Iterator for OutcomeReader<'a> {
    /// Run time in nanoseconds (0: not measured), and the outcome.
    type Item = Result<(u64, Outcome<'a>), WireError>;

    // Into its callers, where a short result stays in registers: given back through memory, it would be waited for.
    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        if let [0, 0, length @ ..0x80, rest @ ..] = self.rest
            && let Some((result, rest)) = rest.split_at_checked(usize::from(*length))
        {
            self.rest = rest;
            return Some(Ok((0, Outcome::Ok(result))));
        }
        Some(self.any())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use super::*;

    #[test]
    fn outcomes_come_back_as_they_went() {
        let outcomes = [
            (0, Outcome::Ok(b"42")),
            (17, Outcome::Failed(b"\"no\"")),
            (18, Outcome::Exited(3)),
            (u64::MAX, Outcome::Trapped { kind: TrapKind::Unreachable, text: "wasm trap" }),
            (1, Outcome::TimedOut),
            (2, Outcome::OverLimit { limit: Limit::Memory, text: "t" }),
            (3, Outcome::Cancelled),
            (4, Outcome::Invalid { text: "at [0]" }),
        ];
        let mut writer = OutcomeWriter::default();
        outcomes.iter().for_each(|(ns, outcome)| writer.push(*ns, outcome));
        assert_eq!(writer.count(), 8);
        let read: Result<Vec<_>, _> = OutcomeReader::new(writer.bytes()).collect();
        assert_eq!(read.unwrap(), outcomes);
    }

    #[test]
    fn garbage_is_an_error_and_the_end() {
        let mut reader = OutcomeReader::new(&[0, 99, 1]);
        assert!(matches!(reader.next(), Some(Err(WireError::Malformed(_)))));
        assert_eq!(reader.next(), None);
    }
}

//! Any bytes as choices.
//!
//! No derived decoder: what stable tests play from a seed and what a fuzzer mutates is then the same string of bytes, and a
//! choice is one byte, so that a changed byte changes one choice.

/// Bytes that choices are made of; each gives 0 once they are used up.
#[derive(Debug)]
pub(crate) struct Script<'a>(&'a [u8]);

impl<'a> Script<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) fn is_over(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    /// A number below `bound`, which is at most 256; 0 if that is 0.
    pub(crate) fn below(&mut self, bound: u32) -> u32 {
        let byte = u32::from(self.byte());
        if bound == 0 { 0 } else { byte % bound }
    }

    pub(crate) fn once_in(&mut self, times: u32) -> bool {
        self.below(times) == 0
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> Option<T> {
        let most = u32::try_from(from.len()).unwrap_or(u32::MAX).min(256);
        from.get(self.below(most) as usize).copied()
    }

    /// Small, or one of those at the edges.
    pub(crate) fn number(&mut self) -> u64 {
        match self.byte() {
            255 => u64::MAX,
            254 => u64::from(u32::MAX),
            253 => 1 << 63,
            small => u64::from(small % 32),
        }
    }

    /// How long to wait: for ever, not at all, or some milliseconds.
    pub(crate) fn timeout(&mut self) -> Option<u64> {
        match self.byte() % 8 {
            0 => None,
            1 => Some(0),
            2 => Some(u64::MAX),
            some => Some(u64::from(some) * 1_000_000),
        }
    }
}

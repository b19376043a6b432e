//! How much is lent to one borrower, and after how many calls of one kind in a row.
//!
//! The failure that this prevents: a stream of short messages, one by one, each with a question and an answer of its own. What is lent is
//! said in [`Loan`](taskcell_wire::call::Loan), how it is taken back in `broker/loans.rs`. Lending is worth it to one who goes on as before,
//! and a cost if it has to be taken back unused. So it takes a few calls in a row, and more of them each time that it was in vain.

use taskcell_wire::call::HandleId;

/// The most messages of one loan: a call of 2.3 us (`host/PERFORMANCE.md`) for so many is 9 ns for each.
pub const LOAN_MESSAGES: u32 = 256;
/// Their bytes. A worker has about as much space for posts (`worker/words.rs`); what does not fit there is an ordinary call.
pub const LOAN_BYTES: u64 = 32 * 1024;
/// The longest message with which, or for which, anything is lent, in bytes. Of these a loan has eight; of longer ones too few to be worth it.
pub const LONGEST: usize = 4096;

/// Calls of one kind on one handle before the first loan.
const FIRST: u32 = 4;
/// The most that are asked for after loans in vain.
const MOST: u32 = 1024;

/// How a task makes calls of one kind.
#[derive(Debug, Clone, Copy)]
pub struct Habit {
    on: Option<HandleId>,
    /// Calls in a row on it.
    row: u32,
    /// So many make a loan.
    needed: u32,
}

impl Default for Habit {
    fn default() -> Self {
        Self { on: None, row: 0, needed: FIRST }
    }
}

impl Habit {
    /// One more call. Whether the next ones are likely to be the same.
    pub fn again(&mut self, handle: HandleId) -> bool {
        if self.on != Some(handle) {
            *self = Self { on: Some(handle), ..Self::default() };
        }
        self.row = self.row.saturating_add(1);
        self.row >= self.needed
    }

    /// The row is over.
    pub fn pause(&mut self) {
        self.row = 0;
    }

    /// What was lent was used.
    pub fn used(&mut self) {
        self.needed = FIRST;
    }

    /// What was lent was taken back.
    pub fn in_vain(&mut self) {
        self.row = 0;
        self.needed = self.needed.saturating_mul(2).min(MOST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loan_takes_a_row_and_each_one_in_vain_a_longer_one() {
        let mut habit = Habit::default();
        let row = |habit: &mut Habit, handle| (1..).find(|_| habit.again(HandleId(handle))).unwrap_or(u32::MAX);
        assert_eq!(row(&mut habit, 1), FIRST);
        assert!(habit.again(HandleId(1)));
        for times in [2, 4, 8] {
            habit.in_vain();
            assert_eq!(row(&mut habit, 1), FIRST * times);
        }
        habit.used();
        habit.in_vain();
        assert_eq!(row(&mut habit, 1), FIRST * 2);
        (0..20).for_each(|_| habit.in_vain());
        assert_eq!(row(&mut habit, 1), MOST);
        assert_eq!(row(&mut habit, 2), FIRST, "another handle is another habit");
    }
}

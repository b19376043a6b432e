//! Results in the order of their inputs, though they come as they come.

use std::collections::BTreeMap;

/// Holds what came early until everything before it came.
#[derive(Debug)]
pub struct Reorder<T> {
    next: u64,
    /// By first place: how many places, and what.
    early: BTreeMap<u64, (u32, T)>,
}

impl<T> Default for Reorder<T> {
    fn default() -> Self {
        Self { next: 0, early: BTreeMap::new() }
    }
}

impl<T> Reorder<T> {
    /// `block` covers the places `first..first + count`.
    pub fn push(&mut self, first: u64, count: u32, block: T) {
        self.early.insert(first, (count, block));
    }

    /// The block that is due, if it came.
    pub fn pop(&mut self) -> Option<T> {
        let entry = self.early.first_entry()?;
        if *entry.key() != self.next {
            return None;
        }
        let (count, block) = entry.remove();
        self.next = self.next.saturating_add(u64::from(count));
        Some(block)
    }

    /// Any block that came, the earliest first.
    pub fn pop_any(&mut self) -> Option<T> {
        self.early.pop_first().map(|(_, (_, block))| block)
    }

    /// How many blocks wait for an earlier one.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.early.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_leave_in_order() {
        let mut order = Reorder::default();
        order.push(3, 2, 'b');
        assert_eq!(order.pop(), None);
        order.push(0, 3, 'a');
        order.push(5, 1, 'c');
        assert_eq!([order.pop(), order.pop(), order.pop(), order.pop()], [Some('a'), Some('b'), Some('c'), None]);
    }
}

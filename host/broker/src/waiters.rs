//! Calls that wait, first come first served.
//!
//! The failures that this prevents: a call that is overtaken for ever by others that came later; a call that is answered twice, once by what it waited
//! for and once by its deadline; a call of a dead attempt that is given something nobody will ever take.
//!
//! A call is in one line at most and leaves it in one way only: it is taken from the front, its time is over, or it is withdrawn
//! (its task was told to stop, its worker ended). Whoever takes it out answers it. A line is short (a task has one call under way, rarely
//! more), so it is a plain queue and withdrawing searches it; a heap of deadlines and an index by holder were the road
//! not taken, because they cost more on every park and wake than a search costs now and then.

use std::collections::VecDeque;

use taskcell_wire::call::{CallError, CallId, Holder, Timeout};

use crate::time::{Duration, Now};

/// A call that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiter<T> {
    /// Which call.
    pub call: CallId,
    /// Whose.
    pub holder: Holder,
    /// When it gives up.
    pub deadline: Option<Now>,
    /// What for.
    pub wants: T,
}

/// A line of calls.
#[derive(Debug, Clone)]
pub struct Waiters<T> {
    line: VecDeque<Waiter<T>>,
    /// No deadline is earlier than this. It may be too early after a call left, and is put right when that moment comes.
    earliest: Option<Now>,
}

impl<T> Default for Waiters<T> {
    fn default() -> Self {
        Self { line: VecDeque::new(), earliest: None }
    }
}

/// When a call that starts now gives up.
#[must_use]
pub fn deadline(now: Now, timeout: Timeout) -> Option<Now> {
    timeout.map(|after| now.plus(Duration(after)))
}

impl<T> Waiters<T> {
    /// Puts a call at the end of the line.
    ///
    /// # Errors
    /// [`CallError::TimedOut`] if it will not wait; [`CallError::Quota`] if `most` calls wait already.
    pub fn park(
        &mut self,
        now: Now,
        call: CallId,
        holder: Holder,
        timeout: Timeout,
        wants: T,
        most: usize,
    ) -> Result<(), CallError> {
        if timeout == Some(0) {
            return Err(CallError::TimedOut);
        }
        if self.line.len() >= most {
            return Err(CallError::Quota(format!("{most} calls that wait on one object")));
        }
        self.push(Waiter { call, holder, deadline: deadline(now, timeout), wants });
        Ok(())
    }

    /// Puts a call at the end of the line, whatever its length: for calls that come from another line.
    pub fn push(&mut self, waiter: Waiter<T>) {
        if let Some(deadline) = waiter.deadline {
            self.earliest = Some(self.earliest.map_or(deadline, |earliest| earliest.min(deadline)));
        }
        self.line.push_back(waiter);
    }

    /// Whether nobody waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.line.is_empty()
    }

    /// How many wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.line.len()
    }

    /// Whose turn it is.
    #[must_use]
    pub fn front(&self) -> Option<&Waiter<T>> {
        self.line.front()
    }

    /// Takes the first call out.
    pub fn pop(&mut self) -> Option<Waiter<T>> {
        let waiter = self.line.pop_front();
        if self.line.is_empty() {
            self.earliest = None;
        }
        waiter
    }

    /// The call, if it waits here.
    #[must_use]
    pub fn find(&self, call: CallId) -> Option<&Waiter<T>> {
        self.line.iter().find(|waiter| waiter.call == call)
    }

    /// All, first come first.
    pub fn iter(&self) -> impl Iterator<Item = &Waiter<T>> {
        self.line.iter()
    }

    /// Takes out the calls of which `is_out` is true, and keeps the order of all.
    pub fn take(&mut self, mut is_out: impl FnMut(&Waiter<T>) -> bool) -> Vec<Waiter<T>> {
        if !self.line.iter().any(&mut is_out) {
            return Vec::new();
        }
        let (out, kept): (Vec<_>, VecDeque<_>) = std::mem::take(&mut self.line)
            .into_iter()
            .map(|waiter| (is_out(&waiter), waiter))
            .fold((Vec::new(), VecDeque::new()), |(mut out, mut kept), (is_out, waiter)| {
                if is_out {
                    out.push(waiter)
                } else {
                    kept.push_back(waiter)
                }
                (out, kept)
            });
        self.line = kept;
        self.earliest = self.line.iter().filter_map(|waiter| waiter.deadline).min();
        out
    }

    /// Takes out the call, if it waits here.
    pub fn take_call(&mut self, call: CallId) -> Option<Waiter<T>> {
        self.take(|waiter| waiter.call == call).pop()
    }

    /// Takes out the calls of a holder.
    pub fn take_holder(&mut self, holder: Holder) -> Vec<Waiter<T>> {
        self.take(|waiter| waiter.holder == holder)
    }

    /// Takes out all.
    pub fn take_all(&mut self) -> impl Iterator<Item = Waiter<T>> + use<T> {
        self.earliest = None;
        std::mem::take(&mut self.line).into_iter()
    }

    /// Takes out the calls whose deadline is not after `now`.
    pub fn expire(&mut self, now: Now) -> Vec<Waiter<T>> {
        if self.earliest.is_none_or(|earliest| earliest > now) {
            return Vec::new();
        }
        let out = self.take(|waiter| waiter.deadline.is_some_and(|deadline| deadline <= now));
        self.earliest = self.line.iter().filter_map(|waiter| waiter.deadline).min();
        out
    }

    /// When [`expire`](Self::expire) has to be called at the latest; it may then find nothing.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Now> {
        self.earliest
    }
}

/// The earlier of two moments, either of which may never come.
#[must_use]
pub fn earlier(one: Option<Now>, other: Option<Now>) -> Option<Now> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, None) => one,
        (None, other) => other,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use super::*;

    fn parked(deadlines: &[Timeout]) -> Waiters<()> {
        let mut line = Waiters::default();
        for (n, timeout) in (0..).zip(deadlines) {
            line.park(Now(0), CallId(n), Holder(n % 2), *timeout, (), 10).unwrap();
        }
        line
    }

    fn calls<T>(waiters: impl IntoIterator<Item = Waiter<T>>) -> Vec<u64> {
        waiters.into_iter().map(|waiter| waiter.call.0).collect()
    }

    #[test]
    fn a_call_that_will_not_wait_does_not() {
        let mut line = Waiters::default();
        assert_eq!(line.park(Now(5), CallId(1), Holder(1), Some(0), (), 10), Err(CallError::TimedOut));
        assert!(line.is_empty());
    }

    #[test]
    fn the_line_has_an_end() {
        let mut line = parked(&[None; 10]);
        assert!(matches!(line.park(Now(0), CallId(99), Holder(1), None, (), 10), Err(CallError::Quota(_))));
    }

    #[test]
    fn first_come_first_served() {
        let mut line = parked(&[None; 4]);
        assert_eq!(line.pop().unwrap().call, CallId(0));
        assert_eq!(calls(line.take_all()), [1, 2, 3]);
    }

    #[test]
    fn a_deadline_takes_those_that_are_due_and_no_other() {
        let mut line = parked(&[Some(10), None, Some(5), Some(7)]);
        assert_eq!(line.next_deadline(), Some(Now(5)));
        assert_eq!(calls(line.expire(Now(4))), []);
        assert_eq!(calls(line.expire(Now(7))), [2, 3]);
        assert_eq!(line.next_deadline(), Some(Now(10)));
        assert_eq!(calls(line.take_all()), [0, 1]);
    }

    #[test]
    fn a_moment_that_came_for_nothing_does_not_come_again() {
        let mut line = parked(&[Some(5), Some(10)]);
        line.pop();
        assert_eq!(calls(line.expire(Now(6))), []);
        assert_eq!(line.next_deadline(), Some(Now(10)));
    }

    #[test]
    fn a_holder_leaves_with_all_its_calls() {
        let mut line = parked(&[None; 5]);
        assert_eq!(calls(line.take_holder(Holder(0))), [0, 2, 4]);
        assert_eq!(calls(line.take_all()), [1, 3]);
    }
}

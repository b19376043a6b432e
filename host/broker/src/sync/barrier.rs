//! Barriers: nobody goes on until all have arrived.
//!
//! The failure that this prevents: parties that wait for ever for one that died. When a party that waits ends, is cancelled or runs out of time, the
//! barrier breaks: all others that wait are told `broken`, and so is everybody who comes, until somebody who knows that all parties are
//! there again resets it. It does not mend by itself: late parties of the broken round would be taken for early ones of the next, and each
//! round from then on would be out of step.
//!
//! A call that will not wait does not arrive, unless it is the last one; so it breaks nothing.

use taskcell_wire::call::{BarrierCall, BarrierOptions, BarrierReply, CallError, CallId, Holder, ObjectId, Timeout};

use crate::object::{Completions, Label, answer};
use crate::quotas::Quotas;
use crate::time::Now;
use crate::waiters::Waiters;

type Out = Completions<BarrierReply>;

/// A barrier's state.
#[derive(Debug)]
pub struct Barrier {
    label: Label,
    parties: usize,
    is_broken: bool,
    waiters: Waiters<()>,
}

impl Barrier {
    /// A barrier at which nobody is.
    ///
    /// # Errors
    /// [`CallError::Invalid`] for no parties; [`CallError::Quota`] for more than may wait.
    pub fn new(id: ObjectId, options: &BarrierOptions, quotas: Quotas) -> Result<Self, CallError> {
        let parties = usize::try_from(options.parties).unwrap_or(usize::MAX);
        if parties == 0 {
            return Err(CallError::Invalid("a barrier of 0 parties".into()));
        }
        if parties > quotas.waiters {
            return Err(CallError::Quota(format!("{} calls that wait on one object", quotas.waiters)));
        }
        let label = Label::new("barrier", id, options.name.as_deref());
        Ok(Self { label, parties, is_broken: false, waiters: Waiters::default() })
    }

    /// What it is called.
    #[must_use]
    pub fn label(&self) -> &Label {
        &self.label
    }

    /// A call.
    pub fn call(&mut self, now: Now, id: CallId, holder: Holder, call: BarrierCall, out: &mut Out) {
        self.tick(now, out);
        let result = match call {
            BarrierCall::Wait { timeout } => self.arrive(now, (id, holder), timeout, out),
            BarrierCall::Reset => {
                self.break_it(out);
                self.is_broken = false;
                Ok(Some(BarrierReply::Done))
            }
        };
        if let Some(result) = result.transpose() {
            answer(out, id, result);
        }
    }

    fn arrive(
        &mut self,
        now: Now,
        (id, holder): (CallId, Holder),
        timeout: Timeout,
        out: &mut Out,
    ) -> Result<Option<BarrierReply>, CallError> {
        if self.is_broken {
            return Err(CallError::Broken);
        }
        if self.waiters.len() + 1 < self.parties {
            return self.waiters.park(now, id, holder, timeout, (), self.parties).map(|()| None);
        }
        let mut number = 0;
        for waiter in self.waiters.take_all() {
            answer(out, waiter.call, Ok(BarrierReply::Arrived(number)));
            number += 1;
        }
        Ok(Some(BarrierReply::Arrived(number)))
    }

    fn break_it(&mut self, out: &mut Out) {
        self.is_broken = true;
        self.waiters.take_all().for_each(|waiter| answer(out, waiter.call, Err(CallError::Broken)));
    }

    /// An attempt ended: its calls are answered with [`CallError::Cancelled`], and if there were any, the barrier breaks.
    pub fn holder_gone(&mut self, now: Now, holder: Holder, out: &mut Out) {
        let gone = self.waiters.take_holder(holder);
        let any = !gone.is_empty();
        gone.into_iter().for_each(|waiter| answer(out, waiter.call, Err(CallError::Cancelled)));
        if any {
            self.break_it(out);
        }
        self.tick(now, out);
    }

    /// Withdraws a call that waits: it is answered with [`CallError::Cancelled`], and the barrier breaks. Nothing happens if it does not
    /// wait here.
    pub fn cancel(&mut self, now: Now, call: CallId, out: &mut Out) {
        if self.waiters.take_call(call).is_some() {
            answer(out, call, Err(CallError::Cancelled));
            self.break_it(out);
        }
        self.tick(now, out);
    }

    /// Ends the calls whose time is over, and breaks the barrier if there are any. The first moment decides: later ones find it broken.
    pub fn tick(&mut self, now: Now, out: &mut Out) {
        while let Some(at) = self.next_tick().filter(|at| *at <= now) {
            let late = self.waiters.expire(at);
            let any = !late.is_empty();
            late.into_iter().for_each(|waiter| answer(out, waiter.call, Err(CallError::TimedOut)));
            if any {
                self.break_it(out);
            }
        }
    }

    /// When [`tick`](Self::tick) is to be called at the latest.
    #[must_use]
    pub fn next_tick(&self) -> Option<Now> {
        self.waiters.next_deadline()
    }

    /// What a call that waits here waits for, for people.
    #[must_use]
    pub fn describe_wait(&self, call: CallId) -> Option<String> {
        self.waiters.find(call).map(|_| format!("{}: wait, {} of {} are there", self.label, self.waiters.len(), self.parties))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use super::*;

    fn barrier(parties: u32) -> Barrier {
        Barrier::new(ObjectId(10), &BarrierOptions { parties, name: None }, Quotas::default()).unwrap()
    }

    fn call(it: &mut Barrier, id: u64, call: BarrierCall) -> Vec<(u64, Result<BarrierReply, CallError>)> {
        let mut out = Vec::new();
        it.call(Now(0), CallId(id), Holder(id), call, &mut out);
        told(out)
    }

    fn told(out: Out) -> Vec<(u64, Result<BarrierReply, CallError>)> {
        out.into_iter().map(|completion| (completion.call.0, completion.result)).collect()
    }

    const WAIT: BarrierCall = BarrierCall::Wait { timeout: None };

    fn arrived(number: u32) -> Result<BarrierReply, CallError> {
        Ok(BarrierReply::Arrived(number))
    }

    #[test]
    fn all_go_on_when_the_last_one_arrives_again_and_again() {
        let mut it = barrier(3);
        for _ in 0..2 {
            assert_eq!(call(&mut it, 1, WAIT), []);
            assert_eq!(call(&mut it, 2, WAIT), []);
            assert_eq!(it.describe_wait(CallId(1)).unwrap(), "barrier 10: wait, 2 of 3 are there");
            assert_eq!(call(&mut it, 3, WAIT), [(1, arrived(0)), (2, arrived(1)), (3, arrived(2))]);
        }
    }

    #[test]
    fn a_death_breaks_it_for_all_until_it_is_reset() {
        let mut it = barrier(3);
        call(&mut it, 1, WAIT);
        call(&mut it, 2, WAIT);
        let mut out = Vec::new();
        it.holder_gone(Now(0), Holder(1), &mut out);
        assert_eq!(told(out), [(1, Err(CallError::Cancelled)), (2, Err(CallError::Broken))]);
        assert_eq!(call(&mut it, 3, WAIT), [(3, Err(CallError::Broken))]);
        call(&mut it, 4, BarrierCall::Reset);
        assert_eq!(call(&mut it, 5, WAIT), []);
    }

    #[test]
    fn one_that_gives_up_breaks_it_and_one_that_never_waited_does_not() {
        let mut it = barrier(2);
        assert_eq!(call(&mut it, 1, BarrierCall::Wait { timeout: Some(0) }), [(1, Err(CallError::TimedOut))]);
        call(&mut it, 2, BarrierCall::Wait { timeout: Some(5) });
        it.holder_gone(Now(0), Holder(1), &mut Vec::new());
        let mut out = Vec::new();
        it.tick(Now(5), &mut out);
        assert_eq!(told(out), [(2, Err(CallError::TimedOut))]);
        assert_eq!(call(&mut it, 3, WAIT), [(3, Err(CallError::Broken))]);
    }

    #[test]
    fn a_reset_tells_those_who_wait() {
        let mut it = barrier(2);
        call(&mut it, 1, WAIT);
        assert_eq!(call(&mut it, 2, BarrierCall::Reset), [(1, Err(CallError::Broken)), (2, Ok(BarrierReply::Done))]);
        call(&mut it, 3, WAIT);
        assert_eq!(call(&mut it, 4, WAIT), [(3, arrived(0)), (4, arrived(1))]);
    }

    #[test]
    fn a_barrier_of_nobody_or_of_too_many_is_not_made() {
        let quotas = Quotas::default();
        for parties in [0, u32::MAX] {
            assert!(Barrier::new(ObjectId(1), &BarrierOptions { parties, name: None }, quotas).is_err());
        }
    }
}

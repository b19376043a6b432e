//! Semaphores.
//!
//! Two things are called so, and a death tells them apart. Permits that are lent (at most four tasks at a time) have owners: whoever did not acquire
//! one can't release it, and the permits of an attempt that ends come back, so that a crash does not make the limit smaller for
//! ever. A counter (one more item is ready) belongs to nobody: anybody adds to it, and a death changes nothing. Which one it is, is said
//! when it is made. The road not taken is one kind with both rules: then a permit that another task released for the dead one would
//! come back twice.
//!
//! Permits are handed out in the order of the calls: one that asks for many is not overtaken by those that ask for few.

use std::collections::BTreeMap;

use taskcell_wire::call::{CallError, CallId, Holder, ObjectId, SemaphoreCall, SemaphoreKind, SemaphoreOptions, SemaphoreReply};

use crate::object::{Completions, Label, answer};
use crate::quotas::Quotas;
use crate::time::Now;
use crate::waiters::Waiters;

type Out = Completions<SemaphoreReply>;

/// A semaphore's state.
#[derive(Debug)]
pub struct Semaphore {
    label: Label,
    quotas: Quotas,
    kind: SemaphoreKind,
    /// What it was made with.
    permits: u32,
    available: u32,
    /// Who holds how many; of lent permits only.
    lent: BTreeMap<Holder, u32>,
    waiters: Waiters<u32>,
}

impl Semaphore {
    /// A semaphore with all its permits.
    #[must_use]
    pub fn new(id: ObjectId, options: &SemaphoreOptions, quotas: Quotas) -> Self {
        Self {
            label: Label::new("semaphore", id, options.name.as_deref()),
            quotas,
            kind: options.kind,
            permits: options.permits,
            available: options.permits,
            lent: BTreeMap::new(),
            waiters: Waiters::default(),
        }
    }

    /// What it is called.
    #[must_use]
    pub fn label(&self) -> &Label {
        &self.label
    }

    /// Who holds permits; for the search for deadlocks.
    pub fn owners(&self) -> impl Iterator<Item = Holder> {
        self.lent.keys().copied()
    }

    /// A call.
    pub fn call(&mut self, now: Now, id: CallId, holder: Holder, call: SemaphoreCall, out: &mut Out) {
        self.tick(now, out);
        let result = match call {
            SemaphoreCall::Acquire { permits: 0, .. } | SemaphoreCall::Release { permits: 0 } => {
                Err(CallError::Invalid("a number of 0 permits".into()))
            }
            SemaphoreCall::Acquire { permits, .. } if self.kind == SemaphoreKind::Owned && permits > self.permits => {
                Err(CallError::Invalid(format!("acquire of {permits} permits; {} has {} in all", self.label, self.permits)))
            }
            SemaphoreCall::Acquire { permits, .. } if self.waiters.is_empty() && permits <= self.available => {
                self.lend(holder, permits);
                Ok(Some(SemaphoreReply::Done))
            }
            SemaphoreCall::Acquire { permits, timeout } => {
                self.waiters.park(now, id, holder, timeout, permits, self.quotas.waiters).map(|()| None)
            }
            SemaphoreCall::Release { permits } => self.release(holder, permits).map(|()| Some(SemaphoreReply::Done)),
            SemaphoreCall::Available => Ok(Some(SemaphoreReply::Available(self.available))),
        };
        if let Some(result) = result.transpose() {
            answer(out, id, result);
        }
        self.settle(out);
    }

    fn lend(&mut self, holder: Holder, permits: u32) {
        self.available = self.available.saturating_sub(permits);
        if self.kind == SemaphoreKind::Owned {
            *self.lent.entry(holder).or_default() += permits;
        }
    }

    fn release(&mut self, holder: Holder, permits: u32) -> Result<(), CallError> {
        if self.kind == SemaphoreKind::Owned {
            let held = self.lent.get(&holder).copied().unwrap_or(0);
            let left = held.checked_sub(permits).ok_or_else(|| {
                CallError::Invalid(format!("release of {permits} permits of {}, of which this task holds {held}", self.label))
            })?;
            if left == 0 {
                self.lent.remove(&holder);
            } else {
                self.lent.insert(holder, left);
            }
        }
        let sum = self.available.checked_add(permits);
        self.available = sum.ok_or_else(|| CallError::Quota(format!("{} permits", u32::MAX)))?;
        Ok(())
    }

    fn settle(&mut self, out: &mut Out) {
        while self.waiters.front().is_some_and(|waiter| waiter.wants <= self.available)
            && let Some(waiter) = self.waiters.pop()
        {
            self.lend(waiter.holder, waiter.wants);
            answer(out, waiter.call, Ok(SemaphoreReply::Done));
        }
    }

    /// An attempt ended: its calls are answered with [`CallError::Cancelled`], permits that were lent to it come back.
    pub fn holder_gone(&mut self, now: Now, holder: Holder, out: &mut Out) {
        let gone = self.waiters.take_holder(holder);
        gone.into_iter().for_each(|waiter| answer(out, waiter.call, Err(CallError::Cancelled)));
        self.tick(now, out);
        self.available = self.available.saturating_add(self.lent.remove(&holder).unwrap_or(0));
        self.settle(out);
    }

    /// Withdraws a call that waits: it is answered with [`CallError::Cancelled`]. Nothing happens if it does not wait here.
    pub fn cancel(&mut self, now: Now, call: CallId, out: &mut Out) {
        if self.waiters.take_call(call).is_some() {
            answer(out, call, Err(CallError::Cancelled));
        }
        self.tick(now, out);
        self.settle(out);
    }

    /// Ends the calls whose time is over.
    pub fn tick(&mut self, now: Now, out: &mut Out) {
        while let Some(at) = self.next_tick().filter(|at| *at <= now) {
            self.waiters.expire(at).into_iter().for_each(|waiter| answer(out, waiter.call, Err(CallError::TimedOut)));
            self.settle(out);
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
        let wants = self.waiters.find(call)?.wants;
        Some(format!("{}: acquire {wants}", self.label))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use super::*;

    const A: Holder = Holder(1);
    const B: Holder = Holder(2);

    fn semaphore(permits: u32, kind: SemaphoreKind) -> Semaphore {
        Semaphore::new(ObjectId(8), &SemaphoreOptions { permits, kind, name: None }, Quotas::default())
    }

    fn call(it: &mut Semaphore, id: u64, holder: Holder, call: SemaphoreCall) -> Vec<(u64, Result<SemaphoreReply, CallError>)> {
        let mut out = Vec::new();
        it.call(Now(0), CallId(id), holder, call, &mut out);
        out.into_iter().map(|completion| (completion.call.0, completion.result)).collect()
    }

    fn acquire(permits: u32) -> SemaphoreCall {
        SemaphoreCall::Acquire { permits, timeout: None }
    }

    const DONE: Result<SemaphoreReply, CallError> = Ok(SemaphoreReply::Done);

    #[test]
    fn one_that_asks_for_many_is_not_overtaken() {
        let mut it = semaphore(3, SemaphoreKind::Owned);
        assert_eq!(call(&mut it, 1, A, acquire(2)), [(1, DONE)]);
        assert_eq!(call(&mut it, 2, B, acquire(3)), []);
        assert_eq!(call(&mut it, 3, B, acquire(1)), [], "one is free, but another came first");
        assert_eq!(call(&mut it, 4, A, SemaphoreCall::Release { permits: 2 }), [(4, DONE), (2, DONE)]);
        assert_eq!(it.describe_wait(CallId(3)).unwrap(), "semaphore 8: acquire 1");
    }

    #[test]
    fn lent_permits_come_back_with_a_death_and_from_their_owner_only() {
        let mut it = semaphore(2, SemaphoreKind::Owned);
        call(&mut it, 1, A, acquire(2));
        assert!(matches!(call(&mut it, 2, B, SemaphoreCall::Release { permits: 1 })[..], [(2, Err(CallError::Invalid(_)))]));
        call(&mut it, 3, B, acquire(1));
        let mut out = Vec::new();
        it.holder_gone(Now(0), A, &mut out);
        assert_eq!((out[0].call, &out[0].result), (CallId(3), &DONE));
        assert_eq!(call(&mut it, 4, B, SemaphoreCall::Available), [(4, Ok(SemaphoreReply::Available(1)))]);
    }

    #[test]
    fn a_counter_is_everybodys() {
        let mut it = semaphore(0, SemaphoreKind::Counting);
        assert_eq!(call(&mut it, 1, A, acquire(1)), []);
        assert_eq!(call(&mut it, 2, B, SemaphoreCall::Release { permits: 1 }), [(2, DONE), (1, DONE)]);
        it.holder_gone(Now(0), A, &mut Vec::new());
        assert_eq!(call(&mut it, 3, B, SemaphoreCall::Available), [(3, Ok(SemaphoreReply::Available(0)))]);
        call(&mut it, 4, B, SemaphoreCall::Release { permits: u32::MAX });
        assert!(matches!(call(&mut it, 5, B, SemaphoreCall::Release { permits: 1 })[..], [(5, Err(CallError::Quota(_)))]));
    }

    #[test]
    fn what_could_never_be_is_told_at_once() {
        let mut it = semaphore(2, SemaphoreKind::Owned);
        for wrong in [acquire(0), acquire(3), SemaphoreCall::Release { permits: 0 }] {
            assert!(matches!(call(&mut it, 1, A, wrong)[..], [(1, Err(CallError::Invalid(_)))]));
        }
    }

    #[test]
    fn one_that_gives_up_makes_way() {
        let mut it = semaphore(2, SemaphoreKind::Owned);
        call(&mut it, 1, A, acquire(1));
        call(&mut it, 2, B, SemaphoreCall::Acquire { permits: 2, timeout: Some(10) });
        call(&mut it, 3, B, acquire(1));
        let mut out = Vec::new();
        it.tick(Now(10), &mut out);
        assert_eq!(
            out.iter().map(|completion| (completion.call.0, completion.result.is_ok())).collect::<Vec<_>>(),
            [(2, false), (3, true)]
        );
    }
}

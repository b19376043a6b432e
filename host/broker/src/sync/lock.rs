//! Locks with an owner.
//!
//! Rules. One attempt owns the lock or none does. A lock that is released is handed to the first in line in the same step. If the owner
//! ends, the next one to own the lock is told `abandoned`, once; whoever comes after that sees a clean lock again, because the one who was told has had the
//! chance to put things right. Only the owner releases. An owner that acquires a lock which is not reentrant would wait for itself: that is
//! told at once as `deadlock`.

use std::collections::BTreeMap;

use taskcell_wire::call::{Acquired, CallError, CallId, Holder, LockCall, LockOptions, LockReply, ObjectId, Timeout};

use super::condition::Condition;
use crate::object::{Completions, Label, answer};
use crate::quotas::Quotas;
use crate::time::Now;
use crate::waiters::{Waiter, Waiters, earlier};

/// What the lock answers.
pub(super) type Out = Completions<LockReply>;

/// Why a call waits for the lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    Acquire,
    /// A condition's wait is over; the lock is to be held as deep as before.
    Return {
        condition: ObjectId,
        depth: u32,
        notified: bool,
    },
}

#[derive(Debug)]
struct Ownership {
    holder: Holder,
    /// How often it was acquired and not released; at least 1.
    depth: u32,
}

/// A lock's state, and that of its conditions.
#[derive(Debug)]
pub struct Lock {
    label: Label,
    pub(super) quotas: Quotas,
    reentrant: bool,
    owner: Option<Ownership>,
    /// The last owner ended while it owned it, and nobody was told yet.
    abandoned: bool,
    waiters: Waiters<Wish>,
    pub(super) conditions: BTreeMap<ObjectId, Condition>,
}

impl Lock {
    /// A lock that nobody owns.
    #[must_use]
    pub fn new(id: ObjectId, options: &LockOptions, quotas: Quotas) -> Self {
        let label = Label::new("lock", id, options.name.as_deref());
        let (waiters, conditions) = (Waiters::default(), BTreeMap::new());
        Self { label, quotas, reentrant: options.reentrant, owner: None, abandoned: false, waiters, conditions }
    }

    /// What it is called.
    #[must_use]
    pub fn label(&self) -> &Label {
        &self.label
    }

    /// Who owns it; for the search for deadlocks.
    #[must_use]
    pub fn owner(&self) -> Option<Holder> {
        self.owner.as_ref().map(|owner| owner.holder)
    }

    /// When a call that waits for the lock itself gives up, if it ever does; `None` if it does not wait for that.
    #[must_use]
    pub fn waits_for_owner(&self, call: CallId) -> Option<Option<Now>> {
        self.waiters.find(call).map(|waiter| waiter.deadline)
    }

    /// A call.
    pub fn call(&mut self, now: Now, id: CallId, holder: Holder, call: LockCall, out: &mut Out) {
        self.tick(now, out);
        let result = match call {
            LockCall::Acquire { timeout } => self.acquire(now, (id, holder), timeout),
            LockCall::Release => self.release(holder).map(Some),
        };
        if let Some(result) = result.transpose() {
            answer(out, id, result);
        }
        self.hand_over(out);
    }

    fn acquire(&mut self, now: Now, (id, holder): (CallId, Holder), timeout: Timeout) -> Result<Option<LockReply>, CallError> {
        match &mut self.owner {
            Some(owner) if owner.holder == holder && self.reentrant => {
                let deeper = owner.depth.checked_add(1);
                owner.depth = deeper.ok_or_else(|| CallError::Quota(format!("{} acquisitions of one lock", u32::MAX)))?;
                Ok(Some(LockReply::Acquired(Acquired::Clean)))
            }
            Some(owner) if owner.holder == holder && timeout != Some(0) => {
                Err(CallError::Deadlock(format!("this task waits for {}, which it holds itself", self.label)))
            }
            // Nobody waits for a lock that nobody owns: it would have been handed over.
            None => Ok(Some(LockReply::Acquired(self.own(holder, 1)))),
            Some(_) => self.waiters.park(now, id, holder, timeout, Wish::Acquire, self.quotas.waiters).map(|()| None),
        }
    }

    fn release(&mut self, holder: Holder) -> Result<LockReply, CallError> {
        match &mut self.owner {
            Some(owner) if owner.holder == holder => {
                owner.depth -= 1;
                if owner.depth == 0 {
                    self.owner = None;
                }
                Ok(LockReply::Released)
            }
            Some(_) | None => Err(CallError::Invalid(format!("release of {}, which this task does not hold", self.label))),
        }
    }

    /// The lock is this holder's from now on.
    fn own(&mut self, holder: Holder, depth: u32) -> Acquired {
        self.owner = Some(Ownership { holder, depth });
        if std::mem::take(&mut self.abandoned) { Acquired::Abandoned } else { Acquired::Clean }
    }

    /// How deep this holder holds it.
    pub(super) fn depth(&self, holder: Holder) -> Option<u32> {
        self.owner.as_ref().filter(|owner| owner.holder == holder).map(|owner| owner.depth)
    }

    /// Lets go of it, however deep it is held.
    pub(super) fn let_go(&mut self) {
        self.owner = None;
    }

    /// Puts a call of a condition into the line for the lock. It has no deadline any more: it ends with the lock.
    pub(super) fn wish(&mut self, call: CallId, holder: Holder, wish: Wish) {
        self.waiters.push(Waiter { call, holder, deadline: None, wants: wish });
    }

    /// If nobody owns it, the first in line does.
    pub(super) fn hand_over(&mut self, out: &mut Out) {
        if self.owner.is_some() {
            return;
        }
        if let Some(Waiter { call, holder, wants, .. }) = self.waiters.pop() {
            let reply = match wants {
                Wish::Acquire => LockReply::Acquired(self.own(holder, 1)),
                Wish::Return { depth, notified, .. } => LockReply::Woken { notified, acquired: self.own(holder, depth) },
            };
            answer(out, call, Ok(reply));
        }
    }

    /// An attempt ended: its calls are answered with [`CallError::Cancelled`]; if it owned the lock, the next one does.
    pub fn holder_gone(&mut self, now: Now, holder: Holder, out: &mut Out) {
        let mut calls: Vec<_> = self.waiters.take_holder(holder).into_iter().map(|waiter| waiter.call).collect();
        for condition in self.conditions.values_mut() {
            calls.extend(condition.take_holder(holder));
        }
        calls.into_iter().for_each(|call| answer(out, call, Err(CallError::Cancelled)));
        self.tick(now, out);
        if self.owner() == Some(holder) {
            self.owner = None;
            self.abandoned = true;
        }
        self.hand_over(out);
    }

    /// Withdraws a call that waits, for the lock or for one of its conditions: it is answered with [`CallError::Cancelled`], and its
    /// caller does not own the lock. Nothing happens if it does not wait here.
    pub fn cancel(&mut self, now: Now, call: CallId, out: &mut Out) {
        let waited = self.waiters.take_call(call).is_some();
        if waited || self.conditions.values_mut().any(|condition| condition.take_call(call)) {
            answer(out, call, Err(CallError::Cancelled));
        }
        self.tick(now, out);
    }

    /// Ends the calls whose time is over; a condition's wait then goes on as a wait for the lock.
    pub fn tick(&mut self, now: Now, out: &mut Out) {
        while let Some(at) = self.next_tick().filter(|at| *at <= now) {
            self.waiters.expire(at).into_iter().for_each(|waiter| answer(out, waiter.call, Err(CallError::TimedOut)));
            self.expire_conditions(at);
            self.hand_over(out);
        }
    }

    /// When [`tick`](Self::tick) is to be called at the latest.
    #[must_use]
    pub fn next_tick(&self) -> Option<Now> {
        let conditions = self.conditions.values().map(Condition::next_deadline);
        conditions.fold(self.waiters.next_deadline(), earlier)
    }

    /// What a call that waits here waits for, for people.
    #[must_use]
    pub fn describe_wait(&self, call: CallId) -> Option<String> {
        if let Some(waiter) = self.waiters.find(call) {
            return match waiter.wants {
                Wish::Acquire => Some(format!("{}: acquire", self.label)),
                Wish::Return { condition, .. } => {
                    let condition = self.conditions.get(&condition).map_or_else(String::new, |c| c.label().to_string());
                    Some(format!("{}: acquire again after {condition}", self.label))
                }
            };
        }
        self.conditions.values().find_map(|condition| condition.describe_wait(call))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use super::*;

    const A: Holder = Holder(1);
    const B: Holder = Holder(2);
    const C: Holder = Holder(3);

    fn lock(reentrant: bool) -> Lock {
        Lock::new(ObjectId(6), &LockOptions { reentrant, name: None }, Quotas::default())
    }

    fn call(lock: &mut Lock, id: u64, holder: Holder, call: LockCall) -> Vec<(u64, Result<LockReply, CallError>)> {
        let mut out = Vec::new();
        lock.call(Now(0), CallId(id), holder, call, &mut out);
        out.into_iter().map(|completion| (completion.call.0, completion.result)).collect()
    }

    const ACQUIRE: LockCall = LockCall::Acquire { timeout: None };
    const CLEAN: Result<LockReply, CallError> = Ok(LockReply::Acquired(Acquired::Clean));
    const RELEASED: Result<LockReply, CallError> = Ok(LockReply::Released);

    #[test]
    fn the_lock_goes_to_the_first_in_line() {
        let mut lock = lock(false);
        assert_eq!(call(&mut lock, 1, A, ACQUIRE), [(1, CLEAN)]);
        assert_eq!(call(&mut lock, 2, B, ACQUIRE), []);
        assert_eq!(call(&mut lock, 3, C, ACQUIRE), []);
        assert_eq!(call(&mut lock, 4, A, LockCall::Release), [(4, RELEASED), (2, CLEAN)]);
        assert_eq!(lock.owner(), Some(B));
    }

    #[test]
    fn only_the_owner_releases() {
        let mut lock = lock(false);
        for holder in [A, B] {
            assert!(matches!(call(&mut lock, 1, holder, LockCall::Release)[..], [(1, Err(CallError::Invalid(_)))]));
            call(&mut lock, 2, A, LockCall::Acquire { timeout: Some(0) });
            if holder == A {
                call(&mut lock, 3, A, LockCall::Release);
            }
        }
        assert_eq!(lock.owner(), Some(A));
    }

    #[test]
    fn the_next_owner_is_told_of_the_last_ones_death_and_nobody_after_it() {
        let mut lock = lock(false);
        call(&mut lock, 1, A, ACQUIRE);
        call(&mut lock, 2, B, ACQUIRE);
        let mut out = Vec::new();
        lock.holder_gone(Now(0), A, &mut out);
        assert_eq!(out.pop().unwrap().result, Ok(LockReply::Acquired(Acquired::Abandoned)));
        call(&mut lock, 3, B, LockCall::Release);
        assert_eq!(call(&mut lock, 4, C, ACQUIRE), [(4, CLEAN)]);
    }

    #[test]
    fn the_dead_own_nothing() {
        let mut lock = lock(false);
        call(&mut lock, 1, A, ACQUIRE);
        call(&mut lock, 2, B, ACQUIRE);
        let mut out = Vec::new();
        lock.holder_gone(Now(0), B, &mut out);
        assert_eq!(out.pop().unwrap().result, Err(CallError::Cancelled));
        call(&mut lock, 3, A, LockCall::Release);
        assert_eq!(lock.owner(), None);
    }

    #[test]
    fn who_waits_for_itself_is_told() {
        let mut lock = lock(false);
        call(&mut lock, 1, A, ACQUIRE);
        assert!(matches!(call(&mut lock, 2, A, ACQUIRE)[..], [(2, Err(CallError::Deadlock(_)))]));
        assert_eq!(call(&mut lock, 3, A, LockCall::Acquire { timeout: Some(0) }), [(3, Err(CallError::TimedOut))]);
    }

    #[test]
    fn a_reentrant_lock_is_released_as_often_as_it_was_acquired() {
        let mut lock = lock(true);
        call(&mut lock, 1, A, ACQUIRE);
        assert_eq!(call(&mut lock, 2, A, ACQUIRE), [(2, CLEAN)]);
        call(&mut lock, 3, B, ACQUIRE);
        assert_eq!(call(&mut lock, 4, A, LockCall::Release), [(4, RELEASED)]);
        assert_eq!(call(&mut lock, 5, A, LockCall::Release), [(5, RELEASED), (3, CLEAN)]);
    }

    #[test]
    fn a_wait_has_an_end_and_says_what_for() {
        let mut lock = lock(false);
        call(&mut lock, 1, A, ACQUIRE);
        call(&mut lock, 2, B, LockCall::Acquire { timeout: Some(10) });
        assert_eq!(lock.describe_wait(CallId(2)).unwrap(), "lock 6: acquire");
        let mut out = Vec::new();
        lock.tick(Now(10), &mut out);
        assert_eq!(out.pop().unwrap().result, Err(CallError::TimedOut));
        assert_eq!(lock.next_tick(), None);
    }
}

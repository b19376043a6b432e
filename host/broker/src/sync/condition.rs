//! Conditions: wait, without the lock, until somebody who has it says that things changed.
//!
//! The failure that this prevents: a notification that is lost between the release of the lock and the beginning of the wait. Both are one step here,
//! and so is going from this line to the lock's.
//!
//! Rules. Waiting and notifying need the lock. A wait that succeeds ends with the lock, held as deep as before, and tells whether it
//! was notified or its time was over; the timeout is for the notification, the lock may take longer. Those who are notified go to the end
//! of the line for the lock, in the order of their waits. A wait that is cancelled ends without the lock.

use taskcell_wire::call::{CallError, CallId, ConditionCall, Holder, LockReply, ObjectId};

use super::lock::{Lock, Out, Wish};
use crate::object::{Label, answer};
use crate::time::Now;
use crate::waiters::Waiters;

/// A condition's line. What waits there is how deep the lock was held.
#[derive(Debug)]
pub(super) struct Condition {
    label: Label,
    waiters: Waiters<u32>,
}

impl Condition {
    pub(super) fn label(&self) -> &Label {
        &self.label
    }

    pub(super) fn take_holder(&mut self, holder: Holder) -> impl Iterator<Item = CallId> + use<> {
        self.waiters.take_holder(holder).into_iter().map(|waiter| waiter.call)
    }

    pub(super) fn take_call(&mut self, call: CallId) -> bool {
        self.waiters.take_call(call).is_some()
    }

    pub(super) fn next_deadline(&self) -> Option<Now> {
        self.waiters.next_deadline()
    }

    pub(super) fn describe_wait(&self, call: CallId) -> Option<String> {
        self.waiters.find(call).map(|_| format!("{}: wait", self.label))
    }
}

impl Lock {
    /// Adds a condition to the lock.
    pub fn add_condition(&mut self, id: ObjectId, name: Option<&str>) {
        let label = Label::new("condition", id, name);
        self.conditions.insert(id, Condition { label, waiters: Waiters::default() });
    }

    /// Removes a condition whose last handle is gone. Calls that wait on it are answered with [`CallError::Closed`], without the lock.
    pub fn remove_condition(&mut self, id: ObjectId, out: &mut Out) {
        if let Some(mut condition) = self.conditions.remove(&id) {
            condition.waiters.take_all().for_each(|waiter| answer(out, waiter.call, Err(CallError::Closed)));
        }
    }

    /// A call on one of the lock's conditions.
    pub fn condition_call(
        &mut self,
        now: Now,
        id: CallId,
        holder: Holder,
        condition: ObjectId,
        call: ConditionCall,
        out: &mut Out,
    ) {
        self.tick(now, out);
        if let Some(result) = self.answer_to(now, (id, holder), condition, &call).transpose() {
            answer(out, id, result);
        }
        self.hand_over(out);
    }

    fn answer_to(
        &mut self,
        now: Now,
        (id, holder): (CallId, Holder),
        condition: ObjectId,
        call: &ConditionCall,
    ) -> Result<Option<LockReply>, CallError> {
        let most = self.quotas.waiters;
        let depth = self.depth(holder);
        let there = self.conditions.get_mut(&condition).ok_or(CallError::Closed)?;
        let not_held = || CallError::Invalid(format!("{} without its lock", there.label));
        let depth = depth.ok_or_else(not_held)?;
        match call {
            // There is no step between release and wait in which a notification could come.
            ConditionCall::Wait { timeout: Some(0) } => {
                self.let_go();
                self.wish(id, holder, Wish::Return { condition, depth, notified: false });
                Ok(None)
            }
            ConditionCall::Wait { timeout } => {
                there.waiters.park(now, id, holder, *timeout, depth, most)?;
                self.let_go();
                Ok(None)
            }
            ConditionCall::Notify { count } => {
                let mut woken = Vec::new();
                while count.is_none_or(|count| woken.len() as u64 != u64::from(count)) {
                    let Some(waiter) = there.waiters.pop() else { break };
                    woken.push(waiter);
                }
                let notified = u32::try_from(woken.len()).unwrap_or(u32::MAX);
                for waiter in woken {
                    self.wish(waiter.call, waiter.holder, Wish::Return { condition, depth: waiter.wants, notified: true });
                }
                Ok(Some(LockReply::Notified(notified)))
            }
        }
    }

    /// Waits whose time is over go on as waits for the lock.
    pub(super) fn expire_conditions(&mut self, at: Now) {
        let mut over = Vec::new();
        for (id, condition) in &mut self.conditions {
            over.extend(condition.waiters.expire(at).into_iter().map(|waiter| (*id, waiter)));
        }
        for (condition, waiter) in over {
            self.wish(waiter.call, waiter.holder, Wish::Return { condition, depth: waiter.wants, notified: false });
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use taskcell_wire::call::{Acquired, LockCall, LockOptions};

    use super::*;
    use crate::quotas::Quotas;

    const A: Holder = Holder(1);
    const B: Holder = Holder(2);
    const C: Holder = Holder(3);
    const IT: ObjectId = ObjectId(7);
    const ACQUIRE: LockCall = LockCall::Acquire { timeout: None };
    const WAIT: ConditionCall = ConditionCall::Wait { timeout: None };

    struct Play(Lock, Out);

    impl Play {
        fn new(reentrant: bool) -> Self {
            let mut lock = Lock::new(ObjectId(6), &LockOptions { reentrant, name: None }, Quotas::default());
            lock.add_condition(IT, Some("not empty"));
            Self(lock, Vec::new())
        }

        fn lock(&mut self, id: u64, holder: Holder, call: LockCall) -> Vec<(u64, Result<LockReply, CallError>)> {
            self.0.call(Now(0), CallId(id), holder, call, &mut self.1);
            self.told()
        }

        fn condition(&mut self, id: u64, holder: Holder, call: ConditionCall) -> Vec<(u64, Result<LockReply, CallError>)> {
            self.0.condition_call(Now(0), CallId(id), holder, IT, call, &mut self.1);
            self.told()
        }

        fn told(&mut self) -> Vec<(u64, Result<LockReply, CallError>)> {
            self.1.drain(..).map(|completion| (completion.call.0, completion.result)).collect()
        }
    }

    fn woken(notified: bool) -> Result<LockReply, CallError> {
        Ok(LockReply::Woken { notified, acquired: Acquired::Clean })
    }

    #[test]
    fn a_wait_lets_the_lock_go_and_ends_with_it() {
        let mut play = Play::new(false);
        play.lock(1, A, ACQUIRE);
        play.lock(2, B, ACQUIRE);
        assert_eq!(play.condition(3, A, WAIT), [(2, Ok(LockReply::Acquired(Acquired::Clean)))]);
        assert_eq!(play.0.describe_wait(CallId(3)).unwrap(), "condition 7 \"not empty\": wait");
        assert_eq!(play.condition(4, B, ConditionCall::Notify { count: Some(1) }), [(4, Ok(LockReply::Notified(1)))]);
        assert_eq!(play.lock(5, B, LockCall::Release), [(5, Ok(LockReply::Released)), (3, woken(true))]);
        assert_eq!(play.0.owner(), Some(A));
    }

    #[test]
    fn those_who_wait_go_on_in_their_order() {
        let mut play = Play::new(false);
        for (id, holder) in [(1, A), (3, B)] {
            play.lock(id, holder, ACQUIRE);
            play.condition(id + 1, holder, WAIT);
        }
        play.lock(5, C, ACQUIRE);
        assert_eq!(play.condition(6, C, ConditionCall::Notify { count: None }), [(6, Ok(LockReply::Notified(2)))]);
        assert_eq!(play.lock(7, C, LockCall::Release)[1], (2, woken(true)));
        assert_eq!(play.lock(8, A, LockCall::Release)[1], (4, woken(true)));
    }

    #[test]
    fn waiting_and_notifying_need_the_lock() {
        let mut play = Play::new(false);
        assert!(matches!(play.condition(1, A, WAIT)[..], [(1, Err(CallError::Invalid(_)))]));
        play.lock(2, B, ACQUIRE);
        assert!(matches!(play.condition(3, A, ConditionCall::Notify { count: None })[..], [(3, Err(CallError::Invalid(_)))]));
    }

    #[test]
    fn a_wait_that_was_not_notified_has_the_lock_too() {
        let mut play = Play::new(false);
        play.lock(1, A, ACQUIRE);
        play.condition(2, A, ConditionCall::Wait { timeout: Some(10) });
        play.lock(3, B, ACQUIRE);
        play.0.tick(Now(10), &mut play.1);
        assert_eq!(play.told(), [], "B has the lock");
        play.0.call(Now(11), CallId(4), B, LockCall::Release, &mut play.1);
        assert_eq!(play.told()[1], (2, woken(false)));
    }

    #[test]
    fn the_depth_of_a_reentrant_lock_comes_back() {
        let mut play = Play::new(true);
        play.lock(1, A, ACQUIRE);
        play.lock(2, A, ACQUIRE);
        assert_eq!(play.condition(3, A, ConditionCall::Wait { timeout: Some(0) }), [(3, woken(false))]);
        play.lock(4, A, LockCall::Release);
        assert_eq!(play.0.owner(), Some(A));
        play.lock(5, A, LockCall::Release);
        assert_eq!(play.0.owner(), None);
    }

    #[test]
    fn the_dead_are_not_notified() {
        let mut play = Play::new(false);
        play.lock(1, A, ACQUIRE);
        play.condition(2, A, WAIT);
        play.0.holder_gone(Now(0), A, &mut play.1);
        assert_eq!(play.told(), [(2, Err(CallError::Cancelled))]);
        play.lock(3, B, ACQUIRE);
        assert_eq!(play.condition(4, B, ConditionCall::Notify { count: None }), [(4, Ok(LockReply::Notified(0)))]);
    }

    #[test]
    fn a_condition_that_is_removed_keeps_nobody_waiting() {
        let mut play = Play::new(false);
        play.lock(1, A, ACQUIRE);
        play.condition(2, A, WAIT);
        play.0.remove_condition(IT, &mut play.1);
        assert_eq!(play.told(), [(2, Err(CallError::Closed))]);
        assert_eq!(play.condition(3, A, WAIT), [(3, Err(CallError::Closed))]);
    }
}

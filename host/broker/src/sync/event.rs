//! Events: a flag to wait for.
//!
//! The failure that this prevents: a flag that is set and cleared between two looks of somebody who waits. All who wait when it is set go on, even if
//! it is cleared in the next step.

use taskcell_wire::call::{CallError, CallId, EventCall, EventReply, Holder, ObjectId};

use crate::object::{Completions, Label, answer};
use crate::quotas::Quotas;
use crate::time::Now;
use crate::waiters::Waiters;

type Out = Completions<EventReply>;

/// An event's state.
#[derive(Debug)]
pub struct Event {
    label: Label,
    quotas: Quotas,
    is_set: bool,
    waiters: Waiters<()>,
}

impl Event {
    /// An event that is not set.
    #[must_use]
    pub fn new(id: ObjectId, name: Option<&str>, quotas: Quotas) -> Self {
        Self { label: Label::new("event", id, name), quotas, is_set: false, waiters: Waiters::default() }
    }

    /// What it is called.
    #[must_use]
    pub fn label(&self) -> &Label {
        &self.label
    }

    /// A call.
    pub fn call(&mut self, now: Now, id: CallId, holder: Holder, call: EventCall, out: &mut Out) {
        self.tick(now, out);
        let result = match call {
            EventCall::Set => {
                self.is_set = true;
                self.waiters.take_all().for_each(|waiter| answer(out, waiter.call, Ok(EventReply::Done)));
                Ok(EventReply::Done)
            }
            EventCall::Clear => {
                self.is_set = false;
                Ok(EventReply::Done)
            }
            EventCall::IsSet => Ok(EventReply::IsSet(self.is_set)),
            EventCall::Wait { .. } if self.is_set => Ok(EventReply::Done),
            EventCall::Wait { timeout } => match self.waiters.park(now, id, holder, timeout, (), self.quotas.waiters) {
                Ok(()) => return,
                Err(error) => Err(error),
            },
        };
        answer(out, id, result);
    }

    /// Whether a wait would be answered at once.
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.is_set
    }

    /// An attempt ended: its calls are answered with [`CallError::Cancelled`]. What it set stays set.
    pub fn holder_gone(&mut self, now: Now, holder: Holder, out: &mut Out) {
        let gone = self.waiters.take_holder(holder);
        gone.into_iter().for_each(|waiter| answer(out, waiter.call, Err(CallError::Cancelled)));
        self.tick(now, out);
    }

    /// Withdraws a call that waits: it is answered with [`CallError::Cancelled`]. Nothing happens if it does not wait here.
    pub fn cancel(&mut self, now: Now, call: CallId, out: &mut Out) {
        if self.waiters.take_call(call).is_some() {
            answer(out, call, Err(CallError::Cancelled));
        }
        self.tick(now, out);
    }

    /// Ends the calls whose time is over.
    pub fn tick(&mut self, now: Now, out: &mut Out) {
        self.waiters.expire(now).into_iter().for_each(|waiter| answer(out, waiter.call, Err(CallError::TimedOut)));
    }

    /// When [`tick`](Self::tick) is to be called at the latest.
    #[must_use]
    pub fn next_tick(&self) -> Option<Now> {
        self.waiters.next_deadline()
    }

    /// What a call that waits here waits for, for people.
    #[must_use]
    pub fn describe_wait(&self, call: CallId) -> Option<String> {
        self.waiters.find(call).map(|_| format!("{}: wait", self.label))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Holder = Holder(1);

    fn call(it: &mut Event, id: u64, call: EventCall) -> Vec<(u64, Result<EventReply, CallError>)> {
        let mut out = Vec::new();
        it.call(Now(0), CallId(id), A, call, &mut out);
        out.into_iter().map(|completion| (completion.call.0, completion.result)).collect()
    }

    const DONE: Result<EventReply, CallError> = Ok(EventReply::Done);

    #[test]
    fn all_who_wait_go_on_and_those_who_come_do_not_wait() {
        let mut it = Event::new(ObjectId(9), None, Quotas::default());
        assert_eq!(call(&mut it, 1, EventCall::Wait { timeout: None }), []);
        assert_eq!(call(&mut it, 2, EventCall::Wait { timeout: None }), []);
        assert_eq!(call(&mut it, 3, EventCall::Set), [(1, DONE), (2, DONE), (3, DONE)]);
        assert_eq!(call(&mut it, 4, EventCall::Wait { timeout: Some(0) }), [(4, DONE)]);
        call(&mut it, 5, EventCall::Clear);
        assert_eq!(call(&mut it, 6, EventCall::IsSet), [(6, Ok(EventReply::IsSet(false)))]);
        assert_eq!(call(&mut it, 7, EventCall::Wait { timeout: Some(0) }), [(7, Err(CallError::TimedOut))]);
    }

    #[test]
    fn a_wait_ends_with_its_time_or_its_task() {
        let mut it = Event::new(ObjectId(9), None, Quotas::default());
        call(&mut it, 1, EventCall::Wait { timeout: Some(5) });
        call(&mut it, 2, EventCall::Wait { timeout: None });
        let mut out = Vec::new();
        it.tick(Now(5), &mut out);
        it.holder_gone(Now(6), A, &mut out);
        let results: Vec<_> = out.into_iter().map(|completion| completion.result).collect();
        assert_eq!(results, [Err(CallError::TimedOut), Err(CallError::Cancelled)]);
    }
}

//! Waiting for the first of several things.
//!
//! The failure that this prevents: a loop that asks each of ten queues in turn whether it has something, for ever. The objects know nothing of
//! this: whoever drives them says which object may have changed, and this asks them again for those who wait for it.
//!
//! Nothing is taken and nothing is kept for anybody: that a thing was ready is true at the moment of the answer and no longer. All who wait for one
//! thing are told, in the order in which they came.

use std::collections::BTreeMap;

use taskcell_wire::call::{CallError, CallId, End, Holder, ObjectId, Timeout};

use crate::object::{Completions, answer};
use crate::quotas::Quotas;
use crate::time::Now;
use crate::waiters::Waiters;

/// The most things that one call waits for.
pub const SOURCES: usize = 1024;

/// Which side of an object, and so which call would not wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// A queue's get.
    Get,
    /// A queue's put.
    Put,
    /// A receive at an end of a pipe.
    Receive(End),
    /// An event's wait.
    Set,
    /// A process's join or a future's result.
    Ended,
    /// A mapping's next.
    Next,
    /// A call that would be refused at once: the handle lacks the right, or is gone.
    Always,
}

/// What a call waits for: an object, and which side of it.
pub type Source = (ObjectId, Side);

/// Places in the list of sources, in rising order.
type Out = Completions<Vec<u32>>;

/// Calls that wait for any of several things.
#[derive(Debug, Default)]
pub struct Waiting {
    waiters: Waiters<Vec<Source>>,
    /// How many sources of those who wait are of this object.
    watched: BTreeMap<ObjectId, usize>,
}

impl Waiting {
    /// A call; `is_ready` tells of each source whether it is. What has ended is ready: the call that it stands for would be answered.
    #[expect(clippy::too_many_arguments, reason = "what every call brings, and what this one is about")]
    pub fn call(
        &mut self,
        now: Now,
        id: CallId,
        holder: Holder,
        sources: Vec<Source>,
        timeout: Timeout,
        is_ready: impl Fn(Source) -> bool,
        out: &mut Out,
    ) {
        self.tick(now, out);
        if sources.is_empty() {
            return answer(out, id, Err(CallError::Invalid("wait-any of nothing would wait for ever".into())));
        }
        if sources.len() > SOURCES {
            return answer(out, id, Err(CallError::Quota(format!("{SOURCES} things to wait for"))));
        }
        let ready = places(&sources, &is_ready);
        if !ready.is_empty() {
            return answer(out, id, Ok(ready));
        }
        let objects: Vec<_> = sources.iter().map(|(object, _)| *object).collect();
        match self.waiters.park(now, id, holder, timeout, sources, Quotas::default().waiters) {
            Ok(()) => objects.into_iter().for_each(|object| *self.watched.entry(object).or_default() += 1),
            Err(error) => answer(out, id, Err(error)),
        }
    }

    /// Whether anybody waits for this object; if not, [`changed`](Self::changed) has nothing to do.
    #[must_use]
    pub fn is_watched(&self, object: ObjectId) -> bool {
        self.watched.contains_key(&object)
    }

    /// Something happened to an object: answers those who waited for it, if it is ready now.
    pub fn changed(&mut self, object: ObjectId, is_ready: impl Fn(Source) -> bool, out: &mut Out) {
        if !self.is_watched(object) {
            return;
        }
        let has = |source: &Source| source.0 == object && is_ready(*source);
        for waiter in self.waiters.take(|waiter| waiter.wants.iter().any(has)) {
            self.forget(&waiter.wants);
            answer(out, waiter.call, Ok(places(&waiter.wants, &is_ready)));
        }
    }

    /// An attempt ended: its calls are answered with [`CallError::Cancelled`].
    pub fn holder_gone(&mut self, now: Now, holder: Holder, out: &mut Out) {
        for waiter in self.waiters.take_holder(holder) {
            self.forget(&waiter.wants);
            answer(out, waiter.call, Err(CallError::Cancelled));
        }
        self.tick(now, out);
    }

    /// Withdraws a call that waits: it is answered with [`CallError::Cancelled`]. Nothing happens if it does not wait here.
    pub fn cancel(&mut self, now: Now, call: CallId, out: &mut Out) {
        if let Some(waiter) = self.waiters.take_call(call) {
            self.forget(&waiter.wants);
            answer(out, call, Err(CallError::Cancelled));
        }
        self.tick(now, out);
    }

    /// Ends the calls whose time is over.
    pub fn tick(&mut self, now: Now, out: &mut Out) {
        for waiter in self.waiters.expire(now) {
            self.forget(&waiter.wants);
            answer(out, waiter.call, Err(CallError::TimedOut));
        }
    }

    /// When [`tick`](Self::tick) is to be called at the latest.
    #[must_use]
    pub fn next_tick(&self) -> Option<Now> {
        self.waiters.next_deadline()
    }

    /// What a call that waits here waits for; the caller knows the objects' labels.
    #[must_use]
    pub fn sources(&self, call: CallId) -> Option<&[Source]> {
        self.waiters.find(call).map(|waiter| &*waiter.wants)
    }

    fn forget(&mut self, sources: &[Source]) {
        for (object, _) in sources {
            if let Some(count) = self.watched.get_mut(object) {
                *count -= 1;
                if *count == 0 {
                    self.watched.remove(object);
                }
            }
        }
    }
}

fn places(sources: &[Source], is_ready: &impl Fn(Source) -> bool) -> Vec<u32> {
    (0..).zip(sources).filter(|(_, source)| is_ready(**source)).map(|(place, _)| place).collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use super::*;

    const A: Source = (ObjectId(1), Side::Get);
    const B: Source = (ObjectId(2), Side::Receive(End::First));

    fn start(waiting: &mut Waiting, id: u64, sources: &[Source], timeout: Timeout, ready: &[Source]) -> Out {
        let mut out = Vec::new();
        let is_ready = |source| ready.contains(&source);
        waiting.call(Now(0), CallId(id), Holder(id), sources.to_vec(), timeout, is_ready, &mut out);
        out
    }

    #[test]
    fn all_that_are_ready_are_told_by_their_places() {
        let mut waiting = Waiting::default();
        assert_eq!(start(&mut waiting, 1, &[A, B, A], None, &[A]).pop().unwrap().result, Ok(vec![0, 2]));
        assert!(!waiting.is_watched(A.0));
    }

    #[test]
    fn those_who_wait_for_an_object_are_told_when_it_is_ready() {
        let mut waiting = Waiting::default();
        assert_eq!(start(&mut waiting, 1, &[A, B], None, &[]), []);
        assert_eq!(start(&mut waiting, 2, &[B], None, &[]), []);
        let mut out = Vec::new();
        waiting.changed(A.0, |_| false, &mut out);
        waiting.changed(ObjectId(9), |_| true, &mut out);
        assert_eq!(out, []);
        waiting.changed(B.0, |source| source == B, &mut out);
        let told: Vec<_> = out.into_iter().map(|completion| (completion.call.0, completion.result)).collect();
        assert_eq!(told, [(1, Ok(vec![1])), (2, Ok(vec![0]))]);
        assert!(!waiting.is_watched(A.0) && !waiting.is_watched(B.0));
    }

    #[test]
    fn a_wait_has_an_end() {
        let mut waiting = Waiting::default();
        assert_eq!(start(&mut waiting, 1, &[A], Some(0), &[]).pop().unwrap().result, Err(CallError::TimedOut));
        start(&mut waiting, 2, &[A], Some(5), &[]);
        start(&mut waiting, 3, &[A], None, &[]);
        let mut out = Vec::new();
        waiting.tick(Now(5), &mut out);
        waiting.holder_gone(Now(5), Holder(3), &mut out);
        let told: Vec<_> = out.into_iter().map(|completion| completion.result).collect();
        assert_eq!(told, [Err(CallError::TimedOut), Err(CallError::Cancelled)]);
        assert!(!waiting.is_watched(A.0));
    }

    #[test]
    fn nothing_and_too_much_are_refused() {
        let mut waiting = Waiting::default();
        assert!(matches!(start(&mut waiting, 1, &[], None, &[]).pop().unwrap().result, Err(CallError::Invalid(_))));
        assert!(matches!(start(&mut waiting, 1, &[A; SOURCES + 1], None, &[]).pop().unwrap().result, Err(CallError::Quota(_))));
    }
}

//! The book of moments: what wants to be called when.
//!
//! The failure that this prevents: a broker that asks ten thousand objects, at each turn, whether their time has come.

use std::collections::BTreeSet;

use taskcell_wire::WorkerId;
use taskcell_wire::call::{CallError, CallId, ObjectId};

use super::{Broker, PoolId};
use crate::effect::{Effect, KillReason};
use crate::time::Now;

/// What a moment is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Due {
    Pool(PoolId),
    Object(ObjectId),
    /// A call that waits for the broker itself gives up.
    Call(CallId),
    /// Calls that wait for one of several things.
    Waiting,
    /// A worker that was let go should have ended.
    Leaving(WorkerId),
}

/// Moments in order.
#[derive(Debug, Default)]
pub(super) struct Book {
    moments: BTreeSet<(Now, Due)>,
}

impl Book {
    /// A moment was moved.
    pub(super) fn change(&mut self, due: Due, from: Option<Now>, to: Option<Now>) {
        if from == to {
            return;
        }
        if let Some(from) = from {
            self.moments.remove(&(from, due));
        }
        if let Some(to) = to {
            self.moments.insert((to, due));
        }
    }

    /// What moments are to come for, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = Due> {
        self.moments.iter().map(|(_, due)| *due)
    }

    pub(super) fn first(&self) -> Option<Now> {
        self.moments.first().map(|(at, _)| *at)
    }
}

impl Broker {
    /// Time passed: whatever is due by now happens.
    pub fn tick(&mut self, now: Now) {
        self.at(now);
        let over: Vec<(Now, Due)> = self.due.moments.iter().take_while(|(at, _)| *at <= self.now).copied().collect();
        for (at, due) in over {
            match due {
                Due::Pool(pool) => {
                    if let Some(state) = self.pools.get_mut(&pool) {
                        state.pool.tick(self.now);
                        self.dirty.insert(pool);
                    }
                }
                Due::Object(object) => self.tick_object(object),
                Due::Call(call) => {
                    self.due.change(due, Some(at), None);
                    self.give_up(call, CallError::TimedOut);
                }
                Due::Waiting => {
                    self.waiting.tick(self.now, &mut self.answers.any);
                    self.waiting_changed();
                    self.deliver(None);
                }
                Due::Leaving(worker) => {
                    self.due.change(due, Some(at), None);
                    if let Some(state) = self.workers.get_mut(&worker) {
                        state.leaving = None;
                        self.effects.push(Effect::Kill(worker, KillReason::Killed));
                    }
                }
            }
        }
        self.settle();
    }

    /// When [`tick`](Self::tick) has something to do; `None`: only after another event.
    #[must_use]
    pub fn next_tick(&self) -> Option<Now> {
        self.due.first()
    }

    /// Notes when the next call that waits for one of several things gives up.
    pub(super) fn waiting_changed(&mut self) {
        let next = self.waiting.next_tick();
        self.due.change(Due::Waiting, self.waiting_tick, next);
        self.waiting_tick = next;
    }

    /// The moment of an event. A clock that goes back stands still here.
    pub(super) fn at(&mut self, now: Now) {
        self.now = self.now.max(now);
    }
}

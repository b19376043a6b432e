//! Waits that could never end.
//!
//! The failure that this prevents: a program that stands still for ever and says nothing.
//!
//! Two searches. When a call begins to wait, those are followed who wait for exactly one task: for a lock its owner, for a join or a
//! result the task. If that leads back to the caller, nobody outside can help, and the call is answered at once. That holds in a
//! pool of the embedding API too, whose caller could otherwise still do something.
//!
//! In a program all tasks descend from one. If every task that lives waits in a call, no worker starts or ends, nothing is due
//! at any moment, and no input is awaited, then nothing will ever happen again: the call that began to wait last is answered, because the
//! one who made it is the one who did not see it coming, and the others may go on once it lets go of what it has.
//!
//! A call with a timeout ends by itself, so it is no part of a deadlock.
//!
//! A broker that only warns ([`OnDeadlock::Warn`]) answers nothing. It tells what it found once: that the call that closed the circle is still
//! the last one says that nothing changed since.

use std::fmt::Write as _;

use taskcell_wire::WorkerId;
use taskcell_wire::call::{CallError, CallId, TaskId};

use super::Broker;
use super::calls::Site;
use super::due::Due;
use super::objects::Body;
use super::options::OnDeadlock;
use crate::effect::Effect;

/// Tasks that are named; the others are counted.
const NAMED: usize = 8;

impl Broker {
    /// The worker whose task alone can end this wait.
    fn waits_for(&self, call: CallId) -> Option<WorkerId> {
        let parked = self.calls.get(&call)?;
        match &parked.site {
            Site::Object(id) => {
                let Body::Lock(lock) = &self.objects.get(id)?.body else { return None };
                let forever = lock.waits_for_owner(call)?.is_none();
                self.holders.get(&lock.owner().filter(|_| forever)?).copied()
            }
            Site::Ended(id) if parked.deadline.is_none() => {
                let task = self.objects.get(id)?.body.end()?.task();
                self.worker_of(self.tasks.get(&task)?)
            }
            Site::Ended(_)
            | Site::Any { .. }
            | Site::Map(_)
            | Site::Submit(..)
            | Site::Drain(_)
            | Site::Next(..)
            | Site::Input => None,
        }
    }

    /// Answers a call that just began to wait, if it waits for itself.
    pub(super) fn search_cycle(&mut self, call: CallId) {
        let Some(start) = self.calls.get(&call).map(|parked| parked.worker) else { return };
        let mut waiting = vec![start];
        let mut at = call;
        // Each step leads to another call, so there are no more of them than calls.
        for _ in 0..self.calls.len() {
            let Some(next) = self.waits_for(at) else { return };
            if next == start {
                let text = self.name_waits(&waiting);
                return self.deadlocked(call, text);
            }
            let running = self.workers.get(&next).and_then(|state| state.running.as_ref());
            let Some(parked) = running.and_then(|running| running.parked) else { return };
            waiting.push(next);
            at = parked;
        }
    }

    /// In a program, answers the call that began to wait last if nothing can happen any more.
    pub(super) fn search_standstill(&mut self) {
        // An attempt has one call at most: if there are more attempts than calls, one of them goes on.
        if !self.options.is_program || self.inputs > 0 || self.owed > 0 || self.holders.len() > self.calls.len() {
            return;
        }
        let Some(last) = self.calls.keys().next_back().copied().filter(|last| self.told != Some(*last)) else { return };
        // The bound on the run time of the program itself ends it, and helps nobody.
        let helps = |due: Due| match due {
            Due::Pool(pool) => self.is_guests(pool),
            Due::Object(_) | Due::Call(_) | Due::Waiting | Due::Leaving(_) => true,
        };
        if self.due.iter().any(helps) || self.pools.values().any(|state| state.pool.is_moving()) {
            return;
        }
        let waiting: Vec<WorkerId> = self.calls.values().map(|parked| parked.worker).collect();
        let mut text = self.name_waits(&waiting);
        let queued: usize = self.pools.values().map(|state| state.pool.waiting()).sum();
        if queued > 0 {
            // Writing to a string does not fail.
            let _ = write!(text, "; {queued} more wait for a worker");
        }
        self.deadlocked(last, text);
        self.settle();
    }

    /// A deadlock was found, of which this call is the one that closed the circle.
    fn deadlocked(&mut self, call: CallId, text: String) {
        match self.options.on_deadlock {
            OnDeadlock::Fail => self.give_up(call, CallError::Deadlock(text)),
            OnDeadlock::Warn => {
                self.told = Some(call);
                self.effects.push(Effect::Deadlocked(text));
            }
        }
    }

    /// `task 3 "a" waits for lock 6: acquire; task 4 "b" waits for ...`
    fn name_waits(&self, workers: &[WorkerId]) -> String {
        let mut text = String::new();
        for worker in workers.iter().take(NAMED) {
            let Some(running) = self.workers.get(worker).and_then(|state| state.running.as_ref()) else { continue };
            let what = running.parked.and_then(|call| self.describe(call)).unwrap_or_else(|| "a call".into());
            let sep = if text.is_empty() { "" } else { "; " };
            let _ = write!(text, "{sep}{} waits for {what}", self.name_task(running.task));
        }
        if workers.len() > NAMED {
            let _ = write!(text, "; and {} more", workers.len() - NAMED);
        }
        text
    }

    fn name_task(&self, id: TaskId) -> String {
        let name = self.tasks.get(&id).map_or("", |task| &task.name);
        crate::object::Label::new("task", taskcell_wire::call::ObjectId(id.0), Some(name)).to_string()
    }

    /// What a call that waits waits for, for people.
    pub(super) fn describe(&self, call: CallId) -> Option<String> {
        let label =
            |id| self.objects.get(id).and_then(|object| object.body.label()).map_or_else(String::new, ToString::to_string);
        let text = match &self.calls.get(&call)?.site {
            Site::Object(id) => self.objects.get(id)?.body.describe_wait(call)?,
            Site::Any { .. } => self.describe_any(call)?,
            Site::Ended(id) => format!("{}: end", label(id)),
            Site::Map(job) => {
                let state = self.jobs.get(job)?;
                let tasks = state.left;
                let task = self.pools.get(&state.pool).and_then(|pool| Some((pool.spec.module, pool.pool.job(*job)?.task)));
                let name = task.and_then(|(module, task)| self.signature(module, task)).map_or("", |signature| &signature.name);
                format!("map of {name:?}: {tasks} tasks")
            }
            Site::Submit(pool, _) => format!("{}: submit", label(pool)),
            Site::Drain(pool) => format!("{}: drain", label(pool)),
            Site::Next(mapping, _) => format!("{}: next", label(mapping)),
            Site::Input => "the standard input".into(),
        };
        Some(text)
    }

    fn describe_any(&self, call: CallId) -> Option<String> {
        let sources = self.waiting.sources(call)?;
        let mut text = String::from("any of ");
        for (at, (id, _)) in sources.iter().take(4).enumerate() {
            let label = self.objects.get(id).and_then(|object| object.body.label());
            let _ = write!(text, "{}{}", if at == 0 { "" } else { ", " }, label.map_or_else(String::new, ToString::to_string));
        }
        if sources.len() > 4 {
            let _ = write!(text, " and {} more", sources.len() - 4);
        }
        Some(text)
    }
}

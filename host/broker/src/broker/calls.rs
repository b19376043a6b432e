//! Calls: from a worker's number to an answer, at once or later.
//!
//! The failures that this prevents: a call that is answered twice, or never, or for somebody else; a call of a dead attempt that takes a message
//! with it.
//!
//! A call that waits stands in the broker's table under a number of the broker's own, and in one other place, which its
//! [`Site`] names. It leaves the table once, and whoever takes it out answers it: what it waited for ([`Broker::answer`]), its
//! time, a request to stop or the search for deadlocks ([`Broker::give_up`]), or nobody because its attempt is over
//! ([`Broker::withdraw`]).

use taskcell_wire::call::{Call, CallError, CallId, Holder, Identity, ObjectId, Reply, SharedBytes, TaskId};
use taskcell_wire::{JobId, WorkerId};

use super::due::Due;
use super::invocation::Prepared;
use super::loans::Kind;
use super::objects::Body;
use super::{Answer, Broker};
use crate::effect::{Effect, Violation};
use crate::time::Now;

/// Who calls.
#[derive(Debug, Clone, Copy)]
pub(super) struct Caller {
    pub(super) worker: WorkerId,
    pub(super) holder: Holder,
    pub(super) task: TaskId,
    /// The broker's number for the call.
    pub(super) call: CallId,
}

/// What came of a call.
#[derive(Debug)]
pub(super) enum Answered {
    Now(Answer),
    /// It waits there; for the broker's own sites, until when.
    Later(Site, Option<Now>),
}

impl From<Answer> for Answered {
    fn from(answer: Answer) -> Self {
        Self::Now(answer)
    }
}

impl From<CallError> for Answered {
    fn from(error: CallError) -> Self {
        Self::Now(Err(error))
    }
}

/// Where a call waits.
#[derive(Debug)]
pub(super) enum Site {
    /// In an object that has lines of its own.
    Object(ObjectId),
    /// For one of several things; whether one of them is a task.
    Any { tasks: bool },
    /// For the end of a process, or of a future's task.
    Ended(ObjectId),
    /// For all tasks of a map.
    Map(JobId),
    /// For room in a pool.
    Submit(ObjectId, Box<Prepared>),
    /// For all tasks of a pool.
    Drain(ObjectId),
    /// For the next outcomes of a mapping, so many at most.
    Next(ObjectId, u32),
    /// For the standard input.
    Input,
}

impl Site {
    /// Whether it waits for tasks, so that one of them may need the place of the one that waits.
    fn lends_place(&self) -> bool {
        match self {
            Self::Ended(_) | Self::Map(_) | Self::Submit(..) | Self::Drain(_) | Self::Next(..) => true,
            Self::Any { tasks } => *tasks,
            Self::Object(_) | Self::Input => false,
        }
    }
}

/// A call that waits.
#[derive(Debug)]
pub(super) struct Parked {
    pub(super) worker: WorkerId,
    /// The worker's number for it.
    pub(super) theirs: CallId,
    pub(super) site: Site,
    /// When it gives up, if the broker itself watches that.
    pub(super) deadline: Option<Now>,
}

impl Broker {
    /// A worker's running task makes a call. Its answer is an [`Effect::Reply`] or an [`Effect::Lend`], now or later, unless its attempt ends
    /// before. What is lent has to be looked after first ([`Broker::borrowers`], [`Broker::in_the_way`]).
    ///
    /// # Errors
    /// [`Violation::OutOfTurn`] if no task runs there, or its last call still waits; [`Violation::NotImported`] if the
    /// component imports no such function.
    pub fn call(&mut self, now: Now, worker: WorkerId, id: CallId, call: Call<'_>) -> Result<(), Violation> {
        self.at(now);
        let running = self.attempt(worker)?;
        if running.parked.is_some() {
            return Err(Violation::OutOfTurn);
        }
        if !running.rights.allow(call.kind()) {
            return Err(Violation::NotImported);
        }
        let (holder, task, stopped) = (running.holder, running.task, running.stopped);
        let caller = Caller { worker, holder, task, call: CallId(self.next.call()) };
        let kind = Kind::of(&call);
        match (self.answer_to(&caller, id, call), kind) {
            (Answered::Now(Ok(reply)), Some((handle, kind))) => self.answer_and_lend(worker, id, reply, handle, kind),
            (Answered::Now(answer), _) => self.effects.push(Effect::Reply(worker, id, answer)),
            (Answered::Later(site, deadline), _) => {
                self.park(&caller, id, site, deadline);
                self.pauses(worker);
                // What stands behind the task that waits is taken back before anything lets it go on.
                self.settle();
                if stopped {
                    self.give_up(caller.call, CallError::Cancelled);
                } else {
                    self.search_cycle(caller.call);
                }
            }
        }
        self.settle();
        Ok(())
    }

    fn answer_to(&mut self, caller: &Caller, theirs: CallId, call: Call<'_>) -> Answered {
        match call {
            Call::Create(create) => self.create(caller, create).into(),
            Call::RestrictQueue(handle, rights) => self.restrict_queue(caller, handle, rights).into(),
            Call::RestrictMap(handle, rights, prefix) => self.restrict_map(caller, handle, rights, prefix).into(),
            Call::Queue(handle, call) => self.queue_call(caller, handle, call),
            Call::Pipe(handle, call) => self.pipe_call(caller, handle, call),
            Call::Map(handle, call) => self.map_call(caller, handle, call),
            Call::Lock(handle, call) => self.lock_call(caller, handle, call),
            Call::Condition(handle, call) => self.condition_call(caller, handle, call),
            Call::Semaphore(handle, call) => self.semaphore_call(caller, handle, call),
            Call::Event(handle, call) => self.event_call(caller, handle, call),
            Call::Barrier(handle, call) => self.barrier_call(caller, handle, call),
            Call::Process(handle, call) => self.process_call(caller, handle, call),
            Call::Pool(handle, call) => self.pool_call(caller, handle, call),
            Call::Future(handle, call) => self.future_call(caller, handle, call),
            Call::Mapping(handle, call) => self.mapping_call(caller, handle, call),
            Call::WaitAny { on, timeout } => self.wait_any(caller, &on.0, timeout),
            Call::Identity => self.identity(caller).into(),
            Call::Input(limit) => self.ask_input(caller, theirs, limit),
        }
    }

    fn identity(&self, caller: &Caller) -> Answer {
        let task = self.tasks.get(&caller.task).ok_or(CallError::Closed)?;
        let (attempt, name) = (task.attempt, task.name.clone());
        Ok(Reply::Identity(Identity { id: caller.task, attempt, name, parent: task.parent }))
    }

    fn ask_input(&mut self, caller: &Caller, theirs: CallId, limit: u32) -> Answered {
        if !self.spec(caller.worker).is_some_and(|spec| spec.program) {
            return CallError::Denied.into();
        }
        if limit == 0 {
            return CallError::Invalid("a read of 0 bytes".into()).into();
        }
        self.effects.push(Effect::ReadInput(caller.worker, theirs, limit));
        Answered::Later(Site::Input, None)
    }

    /// Bytes of the standard input for the call of [`Effect::ReadInput`]; none at its end. False if that call does not wait any more: then
    /// they are the next one's.
    pub fn input(&mut self, now: Now, worker: WorkerId, call: CallId, bytes: SharedBytes) -> bool {
        self.at(now);
        let parked = self.workers.get(&worker).and_then(|state| state.running.as_ref()).and_then(|running| running.parked);
        let waits =
            |parked: &CallId| self.calls.get(parked).is_some_and(|it| it.theirs == call && matches!(it.site, Site::Input));
        let Some(parked) = parked.filter(waits) else { return false };
        self.answer(parked, Ok(Reply::Input(bytes.into())));
        self.settle();
        true
    }

    fn park(&mut self, caller: &Caller, theirs: CallId, site: Site, deadline: Option<Now>) {
        self.due.change(Due::Call(caller.call), None, deadline);
        self.inputs += usize::from(matches!(site, Site::Input));
        let lends = site.lends_place();
        self.calls.insert(caller.call, Parked { worker: caller.worker, theirs, site, deadline });
        let Some(state) = self.workers.get_mut(&caller.worker) else { return };
        if let Some(running) = &mut state.running {
            running.parked = Some(caller.call);
        }
        if let Some(pool) = self.pools.get_mut(&state.pool) {
            pool.away += u32::from(lends);
            pool.pool.waits(caller.worker);
            if lends || pool.pool.has_effects() {
                self.dirty.insert(state.pool);
            }
        }
    }

    /// Takes a call out of the table.
    fn unpark(&mut self, call: CallId) -> Option<Parked> {
        let parked = self.calls.remove(&call)?;
        self.due.change(Due::Call(call), parked.deadline, None);
        self.inputs -= usize::from(matches!(parked.site, Site::Input));
        let Some(state) = self.workers.get_mut(&parked.worker) else { return Some(parked) };
        if let Some(running) = &mut state.running {
            running.parked = None;
        }
        let (now, lends) = (self.now, parked.site.lends_place());
        if let Some(pool) = self.pools.get_mut(&state.pool) {
            pool.away = pool.away.saturating_sub(u32::from(lends));
            pool.pool.goes_on(now, parked.worker);
            if lends || pool.pool.has_effects() {
                self.dirty.insert(state.pool);
            }
        }
        Some(parked)
    }

    /// Answers a call that waits with what it waited for. Nothing happens if it does not wait.
    pub(super) fn answer(&mut self, call: CallId, answer: Answer) {
        if let Some(parked) = self.unpark(call) {
            self.effects.push(Effect::Reply(parked.worker, parked.theirs, answer));
        }
    }

    /// Answers a call that waits with an error, and takes it out of the line that it stands in.
    pub(super) fn give_up(&mut self, call: CallId, error: CallError) {
        if let Some(parked) = self.withdraw(call) {
            self.effects.push(Effect::Reply(parked.worker, parked.theirs, Err(error)));
        }
    }

    /// Takes a call out of the table and out of the line that it stands in, and answers nothing.
    pub(super) fn withdraw(&mut self, call: CallId) -> Option<Parked> {
        let mut parked = self.unpark(call)?;
        let now = self.now;
        match &mut parked.site {
            Site::Object(object) => {
                self.step(*object, Some(call), |body, out| body.cancel(now, call, out));
            }
            Site::Any { .. } => {
                self.waiting.cancel(now, call, &mut self.answers.any);
                self.waiting_changed();
                self.deliver(Some(call));
            }
            Site::Ended(object) | Site::Next(object, _) | Site::Drain(object) => {
                let waiter = self.objects.get_mut(object).and_then(|object| object.body.waiter_mut());
                if let Some(waiter) = waiter {
                    *waiter = None;
                }
            }
            Site::Submit(pool, prepared) => {
                if let Some(Body::Pool(pool)) = self.objects.get_mut(pool).map(|object| &mut object.body) {
                    pool.waiter = None;
                }
                let prepared = std::mem::take(&mut **prepared);
                self.drop_prepared(prepared);
            }
            Site::Map(job) => self.abandon_map(*job),
            Site::Input => {}
        }
        Some(parked)
    }

    /// Hands out the answers that objects gave: `own` is given back, the others go to those who wait.
    pub(super) fn deliver(&mut self, own: Option<CallId>) -> Option<Answer> {
        let mut answers = std::mem::take(&mut self.answers);
        let mut mine = None;
        answers.drain(|call, answer| {
            if own == Some(call) {
                mine = Some(answer);
            } else {
                self.answer(call, answer);
            }
        });
        self.answers = answers;
        mine
    }
}

//! What a worker runs: the attempt that its calls are for, and all that ends with it.
//!
//! The failure that this prevents: a lock that stays with a dead task, and its like. An attempt is made by its first call, or when it is given
//! handles, and ends with the task's outcome or its worker's end, whichever comes first. At that moment its call that waits is withdrawn, what it
//! holds is given on, its handles are forgotten, and what it started is killed, unless it was to live on. Nothing of it
//! is left for the attempt that comes after it on the same worker, or for another attempt of the same task.

use std::collections::{BTreeMap, BTreeSet};

use taskcell_wire::call::{CallId, HandleId, Holder, ObjectId, TaskId};
use taskcell_wire::{CallRights, ChunkId, WorkerId};

use super::handles::Handle;
use super::loans::Loans;
use super::objects::Body;
use super::{Broker, PoolId};
use crate::effect::Violation;
use crate::pool::Place;
use crate::time::Now;

/// A worker, as long as it lives.
#[derive(Debug)]
pub(super) struct WorkerState {
    pub(super) pool: PoolId,
    pub(super) pid: Option<u32>,
    /// It is to be killed: what it says comes too late.
    pub(super) killed: bool,
    /// When it is killed, once it was let go.
    pub(super) leaving: Option<Now>,
    pub(super) next_handle: u64,
    pub(super) running: Option<Running>,
}

impl WorkerState {
    pub(super) fn new(pool: PoolId) -> Self {
        Self { pool, pid: None, killed: false, leaving: None, next_handle: 1, running: None }
    }
}

/// The attempt that a worker's calls are for.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) holder: Holder,
    pub(super) task: TaskId,
    pub(super) chunk: ChunkId,
    pub(super) at: u32,
    /// Calls that it may make.
    pub(super) rights: CallRights,
    /// It was asked to stop: it waits for nothing any more.
    pub(super) stopped: bool,
    /// Its call that waits.
    pub(super) parked: Option<CallId>,
    pub(super) handles: BTreeMap<HandleId, Handle>,
    /// How many of its handles are of each object.
    pub(super) objects: BTreeMap<ObjectId, u32>,
    /// Handles that it was given as arguments, in order.
    pub(super) given: Vec<HandleId>,
    /// What it may do without asking.
    pub(super) loans: Loans,
    /// Processes that end with it.
    pub(super) children: BTreeSet<PoolId>,
    /// What it may still write to the log, in bytes.
    pub(super) log_left: u64,
}

impl Broker {
    /// Whether a worker has a task to run that does not wait in a call: it should show signs of life then.
    #[must_use]
    pub fn is_at_work(&self, worker: WorkerId) -> bool {
        let Some(state) = self.workers.get(&worker) else { return false };
        let waits = state.running.as_ref().is_some_and(|running| running.parked.is_some());
        !waits && self.pools.get(&state.pool).is_some_and(|pool| pool.pool.running(worker).is_some())
    }

    /// The attempt that a worker runs now, made if this is the first that is heard of it.
    pub(super) fn attempt(&mut self, worker: WorkerId) -> Result<&mut Running, Violation> {
        let state = self.workers.get(&worker).filter(|state| !state.killed).ok_or(Violation::OutOfTurn)?;
        if state.running.is_none() {
            let pool = self.pools.get(&state.pool).ok_or(Violation::OutOfTurn)?;
            let place = pool.pool.running(worker).ok_or(Violation::OutOfTurn)?;
            self.begin(worker, place);
        }
        let state = self.workers.get_mut(&worker).ok_or(Violation::OutOfTurn)?;
        state.running.as_mut().ok_or(Violation::OutOfTurn)
    }

    /// A worker begins with a task, as far as the broker has to do with it.
    pub(super) fn begin(&mut self, worker: WorkerId, place: Place) {
        let task = self.number(worker, place);
        let holder = Holder(self.next.holder());
        self.holders.insert(holder, worker);
        let running = Running {
            holder,
            task,
            chunk: place.chunk,
            at: place.at,
            rights: self.rights_of(worker),
            stopped: place.stopped,
            parked: None,
            handles: BTreeMap::new(),
            objects: BTreeMap::new(),
            given: Vec::new(),
            loans: Loans::default(),
            children: BTreeSet::new(),
            log_left: self.options.limits.log_bytes,
        };
        if let Some(state) = self.workers.get_mut(&worker) {
            state.running = Some(running);
        }
    }

    /// The attempt that a worker runs is over.
    pub(super) fn end_attempt(&mut self, worker: WorkerId) {
        let parked = self.workers.get(&worker).and_then(|state| state.running.as_ref()).and_then(|running| running.parked);
        if let Some(call) = parked {
            self.withdraw(call);
        }
        self.end_loans(worker, |_| true);
        let Some(running) = self.workers.get_mut(&worker).and_then(|state| state.running.take()) else { return };
        self.holders.remove(&running.holder);
        running.objects.keys().for_each(|object| self.let_go_of(*object, running.holder));
        // The pools that it made are killed, not shut down: who should wait for their tasks?
        let pools = running.objects.keys().filter(|id| self.objects.get(id).is_some_and(|it| matches!(it.body, Body::Pool(_))));
        let pools: Vec<ObjectId> = pools.copied().collect();
        pools.into_iter().for_each(|pool| self.kill_guest_pool(pool));
        running.handles.into_values().for_each(|handle| self.release(handle.object, &handle.grant));
        running.children.into_iter().for_each(|process| self.kill_process(process));
    }

    /// The same if what a worker runs is one of these tasks.
    pub(super) fn end_attempt_of(&mut self, worker: WorkerId, chunk: ChunkId, from: u32, count: u32) {
        let running = self.workers.get(&worker).and_then(|state| state.running.as_ref());
        if running.is_some_and(|running| running.chunk == chunk && running.at >= from && running.at - from < count) {
            self.end_attempt(worker);
        }
    }

    /// The worker was asked to stop what it runs: its call that waits is answered, and it waits for nothing any more.
    pub(super) fn stopped(&mut self, worker: WorkerId, chunk: ChunkId) {
        let running = self.workers.get_mut(&worker).and_then(|state| state.running.as_mut());
        let Some(running) = running.filter(|running| running.chunk == chunk) else { return };
        running.stopped = true;
        if let Some(call) = running.parked {
            self.give_up(call, taskcell_wire::CallError::Cancelled);
        }
    }
}

//! What a pool has to do, said of single tasks instead of chunks, with no thought for speed.
//!
//! Before an event is told to the pool, the model is told too and writes down what the event must bring: which tasks are lost or
//! cancelled, which workers are killed or told to stop. The effects are then checked off; what is left over or comes
//! unasked is a fault.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use taskcell_broker::{Attempt, Cause, Chunk, Duration, JobOptions, KillReason, Now, Pool, PoolEffect, PoolOptions};
use taskcell_wire::{ChunkId, ItemReader, JobId, Turn, WorkerId};

mod taking_back;

/// How long a worker may have a task that it does not begin with, if the task is in a hurry or somebody idle.
const KEEP: Duration = Duration::from_millis(2);

/// A task's name: its job and its place there.
pub(crate) type Task = (JobId, u64);

/// How a task ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Result,
    Failed,
    Lost,
    Cancelled,
    Expired,
    WithPool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Waiting,
    Delayed(Now),
    At(WorkerId),
    Ended(End),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Open,
    Drained,
    Cancelled,
    Closed,
}

#[derive(Debug)]
struct State {
    place: Place,
    history: Vec<Attempt>,
    submitted: Now,
}

#[derive(Debug)]
pub(crate) struct Flight {
    pub(crate) id: ChunkId,
    pub(crate) tasks: Vec<Task>,
    pub(crate) done: u32,
    since: Now,
    stop: Option<Now>,
    /// When what was not begun of it is taken back, whoever is idle.
    hurried: Option<Now>,
    /// The turns of its tasks.
    turns: Vec<Turn>,
    /// So many of the first were claimed for the worker.
    given: usize,
}

impl Flight {
    pub(crate) fn count(&self) -> u32 {
        u32::try_from(self.tasks.len()).unwrap_or(u32::MAX)
    }

    /// The tasks that have not ended.
    fn rest(&self) -> &[Task] {
        self.tasks.get(self.done as usize..).unwrap_or(&[])
    }
}

#[derive(Debug, Default)]
pub(crate) struct Worker {
    pub(crate) ready: bool,
    pub(crate) retired: bool,
    /// When it was asked for.
    since: Now,
    pub(crate) killed: Option<KillReason>,
    pub(crate) line: VecDeque<Flight>,
    /// Tasks that it was ever sent.
    sent: u64,
    /// So many of them when it was asked for what it had not begun.
    asked: u64,
}

impl Worker {
    /// Its front flight, if it has more than one task and was sent something since it was asked.
    fn behind(&self) -> Option<&Flight> {
        let tasks: usize = self.line.iter().map(|flight| flight.rest().len()).sum();
        let asks = self.killed.is_none() && tasks > 1 && self.asked < self.sent;
        self.line.front().filter(|front| asks && front.stop.is_none())
    }
}

#[derive(Debug)]
struct Job {
    options: JobOptions,
    phase: Phase,
}

/// What the event under way has to bring.
#[derive(Debug, Default, PartialEq)]
struct Expected {
    lost: BTreeMap<Task, Vec<Attempt>>,
    cancelled: BTreeSet<Task>,
    kills: Vec<(WorkerId, KillReason)>,
    stops: Vec<(WorkerId, ChunkId)>,
    failure: bool,
}

#[derive(Debug)]
pub(crate) struct Naive {
    options: PoolOptions,
    jobs: BTreeMap<JobId, Job>,
    tasks: BTreeMap<Task, State>,
    pub(crate) workers: BTreeMap<WorkerId, Worker>,
    next_worker: u64,
    next_chunk: u64,
    barren: u32,
    suspects: BTreeSet<Task>,
    pub(crate) retiring: bool,
    pub(crate) failed: bool,
    expected: Expected,
    waiting: usize,
    delayed: usize,
    unended: usize,
}

/// A task's input, from which it is known again.
pub(crate) fn input(task: Task) -> Vec<u8> {
    format!("{}/{}", task.0.0, task.1).into_bytes()
}

impl Naive {
    pub(crate) fn new(options: PoolOptions) -> Self {
        Self {
            options,
            jobs: BTreeMap::new(),
            tasks: BTreeMap::new(),
            workers: BTreeMap::new(),
            next_worker: 0,
            next_chunk: 0,
            barren: 0,
            suspects: BTreeSet::new(),
            retiring: false,
            failed: false,
            expected: Expected::default(),
            waiting: 0,
            delayed: 0,
            unended: 0,
        }
    }

    pub(crate) fn unended(&self) -> usize {
        self.unended
    }

    pub(crate) fn phase(&self, job: JobId) -> Option<Phase> {
        self.jobs.get(&job).map(|job| job.phase)
    }

    /// Workers for which `wanted` holds.
    pub(crate) fn workers(&self, wanted: impl Fn(&Worker) -> bool) -> Vec<WorkerId> {
        self.workers.iter().filter(|(_, worker)| wanted(worker)).map(|(id, _)| *id).collect()
    }

    pub(crate) fn front(&self, id: WorkerId) -> Option<&Flight> {
        self.workers.get(&id)?.line.front()
    }

    pub(crate) fn history(&self, task: Task) -> &[Attempt] {
        self.tasks.get(&task).map_or(&[], |state| &state.history)
    }

    fn put(&mut self, task: Task, place: Place) {
        let state = self.tasks.get_mut(&task).unwrap_or_else(|| panic!("{task:?} was never submitted"));
        match state.place {
            Place::Waiting => self.waiting -= 1,
            Place::Delayed(_) => self.delayed -= 1,
            Place::At(_) => {}
            Place::Ended(end) => panic!("{task:?} ended twice: {end:?}, then {place:?}"),
        }
        match place {
            Place::Waiting => self.waiting += 1,
            Place::Delayed(_) => self.delayed += 1,
            Place::At(_) => {}
            Place::Ended(_) => self.unended -= 1,
        }
        state.place = place;
    }

    fn waiting_of(&self, wanted: impl Fn(JobId) -> bool) -> Vec<Task> {
        let waits = |state: &State| matches!(state.place, Place::Waiting | Place::Delayed(_));
        self.tasks.iter().filter(|(task, state)| wanted(task.0) && waits(state)).map(|(task, _)| *task).collect()
    }

    // What is told to the pool.

    pub(crate) fn opened(&mut self, job: JobId, options: JobOptions) {
        self.jobs.insert(job, Job { options, phase: Phase::Open });
    }

    pub(crate) fn submitted(&mut self, now: Now, job: JobId, first: u64, count: u32) {
        for task in (first..first + u64::from(count)).map(|index| (job, index)) {
            let before = self.tasks.insert(task, State { place: Place::Waiting, history: Vec::new(), submitted: now });
            assert!(before.is_none(), "{task:?} was submitted twice");
            self.waiting += 1;
            self.unended += 1;
            if self.failed {
                self.put(task, Place::Ended(End::WithPool));
            } else if self.retiring || self.phase(job) != Some(Phase::Open) {
                self.expected.cancelled.insert(task);
            }
        }
    }

    pub(crate) fn cancelled(&mut self, now: Now, job: JobId, phase: Phase) {
        let Some(state) = self.jobs.get_mut(&job) else { return };
        let before = std::mem::replace(&mut state.phase, phase);
        if phase == Phase::Closed {
            self.suspects.retain(|task| task.0 != job);
        }
        if matches!(before, Phase::Cancelled | Phase::Closed) {
            if phase != Phase::Closed
                && let Some(state) = self.jobs.get_mut(&job)
            {
                state.phase = before;
            }
            return;
        }
        self.expected.cancelled.extend(self.waiting_of(|of| of == job));
        if phase == Phase::Drained {
            return;
        }
        for (id, worker) in &mut self.workers {
            for (place, flight) in worker.line.iter_mut().enumerate() {
                if flight.tasks.first().is_some_and(|task| task.0 == job) {
                    flight.stop = Some(now);
                    if place == 0 {
                        self.expected.stops.push((*id, flight.id));
                    }
                }
            }
        }
    }

    pub(crate) fn violated(&mut self, id: WorkerId, reason: KillReason) {
        if self.workers.get(&id).is_some_and(|worker| worker.killed.is_none()) {
            self.expected.kills.push((id, reason));
        }
    }

    /// The front task of the worker ended with an outcome.
    pub(crate) fn advanced(&mut self, now: Now, id: WorkerId, end: Option<End>) {
        self.barren = 0;
        let Some(worker) = self.workers.get_mut(&id) else { return };
        let Some(flight) = worker.line.front_mut() else { return };
        let task = flight.rest().first().copied();
        flight.done += 1;
        flight.since = now;
        if flight.rest().is_empty() {
            worker.line.pop_front();
            if let Some(next) = worker.line.front_mut() {
                next.since = now;
                if next.stop.is_some() {
                    self.expected.stops.push((id, next.id));
                }
            }
        }
        if let (Some(task), Some(end)) = (task, end) {
            self.put(task, Place::Ended(end));
        }
    }

    /// An attempt failed. Whether there is another.
    pub(crate) fn attempt_failed(&mut self, now: Now, task: Task, attempt: Attempt) -> bool {
        let again = self.may_retry(task, &attempt.cause);
        if again {
            self.retry(now, task, attempt);
        }
        again
    }

    fn may_retry(&self, task: Task, cause: &Cause) -> bool {
        let same = |other: &Cause| std::mem::discriminant(other) == std::mem::discriminant(cause);
        let used = self.history(task).iter().filter(|attempt| same(&attempt.cause)).count();
        let budget = match cause {
            Cause::Death(_) => self.options.budget.deaths,
            Cause::Timeout => self.options.budget.timeouts,
            Cause::Trap => self.options.budget.traps,
            Cause::Error => self.options.budget.errors,
        };
        !self.failed && self.phase(task.0) == Some(Phase::Open) && used < budget as usize
    }

    fn retry(&mut self, now: Now, task: Task, attempt: Attempt) {
        let wait = [10, 20, 40, 80, 160, 320, 640, 1280][self.history(task).len().min(7)];
        self.put(task, Place::Delayed(now.plus(Duration::from_millis(wait))));
        if let Some(state) = self.tasks.get_mut(&task) {
            state.history.push(attempt);
        }
    }

    /// A worker ended. Gives the task that pays for it.
    pub(crate) fn gone(
        &mut self,
        now: Now,
        id: WorkerId,
        pid: u32,
        death: &str,
        running: Option<(ChunkId, u32)>,
    ) -> Option<Task> {
        let worker = self.workers.remove(&id)?;
        if worker.retired {
            return None;
        }
        self.barren += 1;
        let cause = match &worker.killed {
            Some(KillReason::Timeout) => Cause::Timeout,
            Some(KillReason::Violation(violation)) => Cause::Death(format!("killed because {violation}")),
            Some(KillReason::Cancelled | KillReason::NotReady | KillReason::Killed | KillReason::Stopped) | None => {
                Cause::Death(death.to_owned())
            }
        };
        let charged = self.charged(&worker, &cause, running);
        let mut paid = None;
        for flight in &worker.line {
            for task in flight.rest() {
                if flight.stop.is_some() {
                    self.expected.cancelled.insert(*task);
                    self.barren = 0;
                } else if charged == Some(*task) {
                    paid = charged;
                    let attempt = Attempt { pid, cause: cause.clone(), ran: now.since(flight.since) };
                    if self.may_retry(*task, &cause) {
                        self.retry(now, *task, attempt);
                    } else {
                        let mut history = self.history(*task).to_vec();
                        history.push(attempt);
                        self.expected.lost.insert(*task, history);
                        self.barren = 0;
                    }
                } else if self.failed {
                    self.put(*task, Place::Ended(End::WithPool));
                } else if self.phase(task.0) == Some(Phase::Open) {
                    self.put(*task, Place::Waiting);
                } else {
                    self.expected.cancelled.insert(*task);
                    self.barren = 0;
                }
            }
        }
        let attempts = 1 + self.options.budget.deaths + self.options.budget.timeouts;
        if self.barren > self.options.workers * attempts + 4 && !self.failed {
            self.failing();
        } else {
            self.ticking(now);
        }
        paid
    }

    fn charged(&mut self, worker: &Worker, cause: &Cause, running: Option<(ChunkId, u32)>) -> Option<Task> {
        let front = worker.line.front()?;
        let said = running.and_then(|(chunk, at)| {
            let flight = worker.line.iter().find(|flight| flight.id == chunk)?;
            Some((flight.id, *flight.tasks.get(at.max(flight.done) as usize)?))
        });
        let first = front.rest().first().copied()?;
        match said {
            Some((flight, task)) if flight == front.id || *cause != Cause::Timeout => Some(task),
            Some(_) | None if *cause == Cause::Timeout => Some(first),
            Some(_) | None => (!self.suspects.insert(first)).then_some(first),
        }
    }

    /// The pool stops with this event.
    pub(crate) fn failing(&mut self) {
        self.failed = true;
        self.expected.failure = true;
        for task in self.waiting_of(|_| true) {
            self.put(task, Place::Ended(End::WithPool));
        }
    }

    /// The pool looks at the clock.
    pub(crate) fn ticking(&mut self, now: Now) {
        if self.failed {
            return;
        }
        let due = |state: &State| matches!(state.place, Place::Delayed(at) if at <= now);
        let due: Vec<Task> = self.tasks.iter().filter(|(_, state)| due(state)).map(|(task, _)| *task).collect();
        due.into_iter().for_each(|task| self.put(task, Place::Waiting));
        let overdue = self.deadlines().into_iter().filter(|(at, _, _)| *at <= now);
        let overdue: Vec<_> = overdue.map(|(_, id, reason)| (id, reason)).collect();
        self.expected.kills.extend(overdue);
    }

    fn deadlines(&self) -> Vec<(Now, WorkerId, KillReason)> {
        let grace = self.options.grace;
        let of = |(id, worker): (&WorkerId, &Worker)| {
            if !worker.ready && worker.killed.is_none() {
                return Some((worker.since.plus(Duration::from_millis(30_000)), *id, KillReason::NotReady));
            }
            let flight = worker.line.front().filter(|_| worker.killed.is_none())?;
            if let Some(stop) = flight.stop {
                return Some((stop.max(flight.since).plus(grace), *id, KillReason::Cancelled));
            }
            let timeout = self.jobs.get(&flight.tasks.first()?.0)?.options.timeout?;
            Some((flight.since.plus(timeout).plus(grace), *id, KillReason::Timeout))
        };
        self.workers.iter().filter_map(of).collect()
    }

    // What the pool answers.

    pub(crate) fn effect(&mut self, now: Now, effect: &PoolEffect, pool: &Pool) {
        match effect {
            PoolEffect::Spawn(id) => {
                assert!(!self.failed, "a failed pool starts {id}");
                assert_eq!(id.0, self.next_worker, "worker ids are used once, in order");
                self.next_worker += 1;
                self.workers.insert(*id, Worker { since: now, ..Worker::default() });
                let live = self.workers.values().filter(|worker| !worker.retired).count();
                assert!(live <= self.options.workers.max(1) as usize, "{live} workers at once");
                assert!(!self.retiring || self.waiting + self.delayed > 0, "a retiring pool without work starts {id}");
            }
            PoolEffect::Send(id, chunk) => {
                let (sent, options) = pool.flight(*id, *chunk).unwrap_or_else(|| panic!("{chunk} can't be lent"));
                let turn = pool.turn(*id, *chunk).unwrap_or_else(|| panic!("{chunk} has no turn"));
                self.sent(now, *id, *chunk, sent, options, turn);
                assert_eq!(
                    pool.history(*id, *chunk).len(),
                    if self.front(*id).map(|f| f.id) == Some(*chunk) { sent.history.len() } else { 0 }
                );
            }
            PoolEffect::TakeBack(id, until) => {
                let worker = self.workers.get(id).unwrap_or_else(|| panic!("{id} is asked, which is not alive"));
                let due = self.taken_back_at(worker, self.somebody_is_idle());
                assert!(
                    due.is_some_and(|at| at <= now),
                    "{id} is asked for its tasks at {now:?}, and may have them until {due:?}"
                );
                let Some(worker) = self.workers.get_mut(id) else { return };
                worker.asked = worker.sent;
                assert_eq!(until.0, worker.sent, "{id} is asked for all that it was sent");
                worker.line.iter_mut().for_each(|flight| flight.hurried = None);
            }
            PoolEffect::Stop(id, chunk) => {
                let at = self.expected.stops.iter().position(|stop| *stop == (*id, *chunk));
                let at = at.unwrap_or_else(|| panic!("{id} is told to stop {chunk}, unasked"));
                self.expected.stops.remove(at);
            }
            PoolEffect::Retire(id) => {
                assert!(self.retiring && self.waiting + self.delayed == 0, "{id} is let go though there is work");
                let worker = self.workers.get_mut(id).unwrap_or_else(|| panic!("{id} is let go and not alive"));
                assert!(worker.ready && worker.killed.is_none() && worker.line.is_empty() && !worker.retired, "{worker:?}");
                worker.retired = true;
            }
            PoolEffect::Kill(id, reason) => {
                let at = self.expected.kills.iter().position(|(kill, why)| kill == id && why == reason);
                let at = at.unwrap_or_else(|| panic!("{id} is killed for {reason:?}, unasked"));
                self.expected.kills.remove(at);
                let worker = self.workers.get_mut(id).unwrap_or_else(|| panic!("{id} is killed and not alive"));
                worker.killed.get_or_insert(reason.clone());
            }
            PoolEffect::Lost { job, index, history } => {
                let expected = self.expected.lost.remove(&(*job, *index));
                assert_eq!(expected.as_ref(), Some(history), "{job}'s {index} is lost with another history, or unasked");
                self.put((*job, *index), Place::Ended(End::Lost));
            }
            PoolEffect::Cancelled { job, first, count } => {
                for index in *first..*first + u64::from(*count) {
                    assert!(self.expected.cancelled.remove(&(*job, index)), "{job}'s {index} is cancelled, unasked");
                    self.put((*job, index), Place::Ended(End::Cancelled));
                }
            }
            PoolEffect::Expired { job, first, count } => {
                let limit = self.jobs.get(job).and_then(|job| job.options.queue_timeout);
                let limit = limit.unwrap_or_else(|| panic!("{job} may wait for ever"));
                for task in (*first..*first + u64::from(*count)).map(|index| (*job, index)) {
                    let state = self.tasks.get(&task).unwrap_or_else(|| panic!("{task:?} was never submitted"));
                    assert!(now.since(state.submitted) >= limit, "{task:?} expires too early");
                    assert_eq!((state.place, state.history.len()), (Place::Waiting, 0), "{task:?} expires though it was begun");
                    self.put(task, Place::Ended(End::Expired));
                }
            }
            PoolEffect::Failed(why) => {
                assert!(std::mem::take(&mut self.expected.failure), "the pool stops, unasked: {why}");
            }
        }
    }

    fn sent(&mut self, now: Now, id: WorkerId, chunk: ChunkId, sent: &Chunk, options: JobOptions, turn: (Turn, bool)) {
        assert!(!self.failed, "a failed pool sends {chunk}");
        assert_eq!(chunk.0, self.next_chunk, "chunk ids are used once, in order");
        self.next_chunk += 1;
        let job = self.jobs.get(&sent.job).unwrap_or_else(|| panic!("{} was never opened", sent.job));
        assert_eq!((job.phase, job.options), (Phase::Open, options), "tasks of {} are sent", sent.job);
        let tasks: Vec<Task> = (sent.first..sent.first + u64::from(sent.count)).map(|index| (sent.job, index)).collect();
        let items: Vec<Vec<u8>> = ItemReader::new(&sent.items).map(|item| item.unwrap_or(&[]).to_vec()).collect();
        let inputs: Vec<Vec<u8>> = tasks.iter().map(|task| input(*task)).collect();
        assert_eq!(items, inputs, "{chunk} carries the inputs of its tasks");
        for task in &tasks {
            let state = self.tasks.get(task).unwrap_or_else(|| panic!("{task:?} was never submitted"));
            assert_eq!(state.place, Place::Waiting, "{task:?} is sent to {id}");
            assert_eq!(state.history, sent.history, "{task:?} travels with its history");
            if let Some(limit) = options.queue_timeout {
                let waited = now.since(state.submitted);
                assert!(waited < limit || !state.history.is_empty(), "{task:?} begins after {waited:?}");
                let by = state.submitted.plus(limit);
                assert!(
                    sent.count == 1 || by > now.plus(KEEP),
                    "{task:?} has to begin by {by:?}, and waits in a chunk at {now:?}"
                );
            }
            self.put(*task, Place::At(id));
        }
        let worker = self.workers.get_mut(&id).unwrap_or_else(|| panic!("{chunk} is sent to {id}, which is not alive"));
        assert!(worker.ready && !worker.retired && worker.killed.is_none(), "{chunk} is sent to {id}: {worker:?}");
        assert!(worker.line.is_empty() || options.queue_timeout.is_none(), "{chunk} waits behind another task at {id}");
        let hurried = options.queue_timeout.filter(|_| sent.count > 1).map(|_| now.plus(KEEP));
        let (turn, claimed) = turn;
        assert_eq!((turn, claimed), (Turn(worker.sent), worker.line.is_empty()), "the turn of {chunk} at {id}");
        worker.sent += u64::from(sent.count);
        let turns = (turn.0..worker.sent).map(Turn).collect();
        let given = if claimed { options.together as usize } else { 0 };
        worker.line.push_back(Flight { id: chunk, tasks, done: 0, since: now, stop: None, hurried, turns, given });
    }

    /// Every effect of an event was seen.
    pub(crate) fn settled(&self, pool: &Pool, ticked: Option<Now>) {
        assert_eq!(self.expected, Expected::default(), "something expected did not come");
        assert_eq!(pool.has_failed(), self.failed, "whether the pool failed");
        if self.failed {
            assert_eq!(pool.next_tick(), None, "a failed pool waits for no time, or its driver spins");
            return;
        }
        for (id, worker) in &self.workers {
            if worker.ready && !worker.retired && worker.killed.is_none() && worker.line.is_empty() {
                assert_eq!(self.waiting, 0, "tasks wait though {id} is idle");
                assert!(!self.retiring || self.delayed > 0, "{id} has nothing more to do and is kept");
            }
        }
        let due = |state: &State| if let Place::Delayed(at) = state.place { Some(at) } else { None };
        let delayed = if self.delayed == 0 { None } else { self.tasks.values().filter_map(due).min() };
        let deadline = self.deadlines().into_iter().map(|(at, _, _)| at).min();
        let begin = |(task, state): (&Task, &State)| {
            let may_expire = state.place == Place::Waiting && state.history.is_empty();
            let limit = if may_expire { self.jobs.get(&task.0)?.options.queue_timeout? } else { return None };
            Some(state.submitted.plus(limit))
        };
        let expiry = if self.waiting == 0 { None } else { self.tasks.iter().filter_map(begin).min() };
        let next = pool.next_tick();
        let back = self.next_taken_back();
        if let Some(at) = [delayed, deadline, expiry, back].into_iter().flatten().min() {
            assert!(next.is_some_and(|next| next <= at), "the next tick is {next:?}, {at:?} is due before");
        }
        let missing = self.workers.len() < self.options.workers.max(1) as usize && !self.retiring;
        assert!(!missing || next.is_some(), "a worker is missing and no tick will start it");
        if let Some(now) = ticked {
            assert!(back.is_none_or(|at| at > now), "a tick at {now:?} left with a worker what it may have until {back:?}");
            assert!(expiry.is_none_or(|at| at > now), "a tick at {now:?} left one waiting that had to begin by {expiry:?}");
            assert!(next.is_none_or(|next| next > now), "a tick at {now:?} left something due: {next:?}");
        }
    }
}

//! Workers that were taken over, against the broker: any bytes are calls of every interface on any handles, answers for any tasks,
//! drops, deaths, cancels and clocks.
//!
//! What must hold at every step: a call is answered at most once, and only to the living worker that waits for it; what breaks the
//! protocol is told as a violation and changes nothing; a number that is not the caller's handle is answered `closed`, whoever's it
//! is, and what comes out of a handle was put into its object; no quota is passed. When all has ended nothing is left of anything.
//!
//! One driver for two: the fuzz target `calls` gives it what libFuzzer thinks of, `hostile_calls.rs` bytes by seed. The honest programs of
//! `broker_model.rs` ask more of the answers; these ask what nobody should.

use std::collections::{BTreeMap, BTreeSet};

use taskcell_broker::{Census, Effect, HostLimits, OnDeadlock, Quotas, Violation};
use taskcell_wire::call::{HandleId, RunArgument, TaskId};
use taskcell_wire::{ChunkId, WorkerId};

use crate::host::{Host, ROOT, options};

mod answers;
mod calls;
mod script;
mod workers;

use calls::Asked;
pub(crate) use script::Script;

/// What a handle is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Queue,
    End,
    Map,
    Lock,
    Semaphore,
    Event,
    Condition,
    Barrier,
    Process,
    Pool,
    Future,
    Mapping,
}

impl Kind {
    const ALL: [Self; 12] = [
        Self::Queue,
        Self::End,
        Self::Map,
        Self::Lock,
        Self::Semaphore,
        Self::Event,
        Self::Condition,
        Self::Barrier,
        Self::Process,
        Self::Pool,
        Self::Future,
        Self::Mapping,
    ];

    /// The task of the driver's component that takes one of these.
    fn task(self) -> Option<&'static str> {
        match self {
            Self::Queue => Some("with-queue"),
            Self::End => Some("with-connection"),
            Self::Map => Some("with-shared-map"),
            Self::Lock => Some("with-lock"),
            Self::Semaphore => Some("with-semaphore"),
            Self::Event => Some("with-event"),
            Self::Condition => Some("with-condition"),
            Self::Barrier => Some("with-barrier"),
            Self::Process | Self::Pool | Self::Future | Self::Mapping => None,
        }
    }
}

/// What is known of a handle: which object it is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Known {
    kind: Kind,
    object: u64,
}

/// An attempt that runs.
#[derive(Debug)]
struct Guest {
    at: (ChunkId, u32),
    task: TaskId,
    handles: BTreeMap<HandleId, Known>,
    /// Ends that it wanted to give away with a call that failed: they may be gone or not.
    doubtful: BTreeSet<HandleId>,
    asked: Option<Asked>,
    /// What it wrote to the log, in bytes.
    logged: usize,
}

/// How often what happened.
#[derive(Debug, Default)]
pub(crate) struct Counts(BTreeMap<&'static str, u64>);

impl Counts {
    fn add(&mut self, what: &'static str) {
        *self.0.entry(what).or_default() += 1;
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        other.0.iter().for_each(|(what, count)| *self.0.entry(what).or_default() += count);
    }

    pub(crate) fn of(&self, what: &str) -> u64 {
        self.0.get(what).copied().unwrap_or(0)
    }
}

const QUEUE_ITEMS: u32 = 6;
const MAP_KEYS: usize = 4;
/// The longest that the broker adds to an outcome, or to a text, for people.
const WORDS: usize = 160;

/// The broker, its workers, and what is known of both.
#[derive(Debug)]
pub(crate) struct Hostile<'a> {
    host: Host,
    script: Script<'a>,
    guests: BTreeMap<WorkerId, Guest>,
    told: BTreeMap<WorkerId, BTreeSet<HandleId>>,
    lent: BTreeMap<TaskId, Vec<Known>>,
    objects: u64,
    limits: HostLimits,
    on_deadlock: OnDeadlock,
    roots: u64,
    root_ends: BTreeMap<u64, u32>,
    given_up: bool,
    pub(crate) counts: Counts,
    /// Prints what is done.
    pub(crate) aloud: bool,
}

impl<'a> Hostile<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        let mut script = Script::new(bytes);
        let mut options = options();
        options.is_program = script.once_in(3);
        options.on_deadlock = if script.once_in(3) { OnDeadlock::Warn } else { OnDeadlock::Fail };
        options.limits = HostLimits {
            processes: 10,
            pools: 3,
            handles: 12,
            objects: 40,
            bytes: 5000,
            depth: 3,
            waiting_tasks: 4,
            log_bytes: 100,
        };
        options.quotas = Quotas {
            message_bytes: 300,
            reply_bytes: 1000,
            waiters: 3,
            parked_bytes: 500,
            queue_items: QUEUE_ITEMS,
            queue_bytes: 1500,
            rejected_items: 2,
            rejected_bytes: 500,
            pipe_items: 3,
            pipe_bytes: 500,
            map_keys: MAP_KEYS,
            map_bytes: 1500,
        };
        let limits = options.limits;
        let roots = if options.is_program { 1 } else { script.below(3) + 1 };
        let on_deadlock = options.on_deadlock;
        let (mut host, _) = Host::with(options, roots);
        host.quick = false;
        Self {
            host,
            script,
            guests: BTreeMap::new(),
            told: BTreeMap::new(),
            lent: BTreeMap::new(),
            objects: 0,
            limits,
            on_deadlock,
            roots: u64::from(roots),
            root_ends: BTreeMap::new(),
            given_up: false,
            counts: Counts::default(),
            aloud: false,
        }
    }

    #[expect(clippy::print_stdout, reason = "asked for, by who looks for a fault")]
    fn say(&self, what: impl FnOnce() -> String) {
        if self.aloud {
            println!("{}", what());
        }
    }

    /// All that the bytes say, and then the end of all.
    pub(crate) fn play(&mut self) {
        self.look();
        while !self.script.is_over() {
            self.step();
            self.look();
        }
        self.end();
    }

    fn step(&mut self) {
        // Where nobody can do anything somebody moves, or one more task comes.
        if !self.script.once_in(8) && !self.guests.keys().any(|id| self.has_turn(*id)) {
            return match self.script.below(4) {
                0..=1 => self.move_worker(),
                2 => self.time(),
                _ => self.one_more(),
            };
        }
        match self.script.below(48) {
            0 if self.script.once_in(3) => self.begin_or_end_worker(),
            1..=5 => self.move_worker(),
            7 if self.script.once_in(4) => self.claim(),
            8..=10 => self.finish(),
            11 => self.tell(),
            12 => self.time(),
            13 if self.script.once_in(4) => self.outside(),
            13 => self.input(),
            _ => self.call(),
        }
    }

    fn a_worker(&mut self) -> Option<WorkerId> {
        let all: Vec<WorkerId> = self.host.workers.keys().copied().collect();
        self.script.pick(&all)
    }

    /// Whether a worker may make a call: its task runs there and does not wait.
    fn has_turn(&self, id: WorkerId) -> bool {
        let free = self.host.workers.get(&id).is_some_and(|worker| worker.open.is_empty() && !worker.killed);
        free && self.guests.contains_key(&id)
    }

    fn call(&mut self) {
        let Some(mut id) = self.a_worker() else { return };
        // Mostly by one whose turn it is.
        if !self.has_turn(id) && !self.script.once_in(64) {
            let free: Vec<WorkerId> = self.guests.keys().copied().filter(|id| self.has_turn(*id)).collect();
            let Some(free) = self.script.pick(&free) else { return };
            id = free;
        }
        let turn = self.has_turn(id);
        let (call, asked) = self.a_call(id);
        if self.script.once_in(8) {
            self.host.next_call = self.script.number() % 8;
        }
        if let Some(guest) = self.guests.get_mut(&id).filter(|_| turn) {
            guest.handles.retain(|handle, _| !asked.gives.contains(handle));
            guest.doubtful.extend(&asked.gives);
            guest.asked = Some(asked);
        }
        self.say(|| format!("{id} {call:?}"));
        let called = self.host.raw_call(id, call);
        assert_eq!(called.is_ok(), turn, "{id}: {called:?}");
        self.judge(id, called.err());
        if turn {
            self.counts.add("calls");
        }
    }

    /// As the dispatcher does it: a violation is the worker's end.
    fn judge(&mut self, id: WorkerId, violation: Option<Violation>) {
        let Some(violation) = violation else { return };
        self.counts.add("violations");
        self.say(|| format!("{id}: {violation}"));
        self.host.broker.violated(self.host.now, id, violation);
        self.host.settle();
        assert!(self.host.workers.get(&id).is_none_or(|worker| worker.killed), "{id} lives on after {violation}");
    }

    fn gone(&mut self, id: WorkerId, running: Option<(ChunkId, u32)>) {
        self.say(|| format!("{id} is gone"));
        self.guests.remove(&id);
        self.host.gone(id, running);
    }

    /// After each step: effects, who runs what, and how much there is.
    fn look(&mut self) {
        self.take_answers();
        for effect in std::mem::take(&mut self.host.other) {
            self.effect(effect);
        }
        self.begin_guests();
        self.check_census();
    }

    fn effect(&mut self, effect: Effect) {
        match effect {
            Effect::Lost { index, .. } => *self.root_ends.entry(index).or_default() += 1,
            Effect::Deadlocked(_) => assert_eq!(self.on_deadlock, OnDeadlock::Warn, "a task is told instead"),
            Effect::Expired { .. } => panic!("none of these is in a hurry"),
            Effect::Cancelled { first, count, .. } => {
                (first..first + u64::from(count)).for_each(|index| *self.root_ends.entry(index).or_default() += 1);
            }
            Effect::PoolFailed(..) => self.given_up = true,
            Effect::Logged { task, text, .. } => {
                if let Some(guest) = self.guests.values_mut().find(|guest| guest.task == task) {
                    guest.logged += text.len();
                    assert!(guest.logged <= 100 + WORDS, "{task} wrote {} bytes to the log", guest.logged);
                }
            }
            // Input comes when the script says so.
            Effect::ReadInput(_, _, limit) => assert!(limit > 0),
            other @ (Effect::Spawn(_)
            | Effect::Send(..)
            | Effect::TakeBack(..)
            | Effect::Stop(..)
            | Effect::Retire(_)
            | Effect::Kill(..)
            | Effect::Lend(..)
            | Effect::Recover(_)
            | Effect::Reply(..)) => panic!("{other:?} was carried out"),
        }
    }

    /// Attempts that began since, with what they were lent and nothing else.
    fn begin_guests(&mut self) {
        for id in self.host.busy() {
            let at = self.host.at(id).unwrap_or_else(|| panic!("{id} runs nothing"));
            if self.guests.get(&id).is_some_and(|guest| guest.at == at) || self.host.workers[&id].killed {
                continue;
            }
            assert!(!self.guests.contains_key(&id), "{id} began another task and the last did not end");
            let task = self.host.broker.running(id).unwrap_or_else(|| panic!("{id} runs nothing"));
            let lent = self.lent.get(&task).cloned().unwrap_or_default();
            let given = self.host.arguments(id).into_iter().filter_map(|argument| match argument {
                RunArgument::Handle(_, handle) => Some(handle),
                RunArgument::Value(_) => None,
            });
            let handles: BTreeMap<HandleId, Known> = given.zip(lent).collect();
            let count = self.host.given(id).len();
            assert_eq!(handles.len(), count, "{task} is given {count} handles");
            let told = self.told.entry(id).or_default();
            assert!(handles.keys().all(|handle| told.insert(*handle)), "a number of {id} is used again");
            self.say(|| format!("{id} begins {task} with {handles:?}"));
            let guest = Guest { at, task, handles, doubtful: BTreeSet::new(), asked: None, logged: 0 };
            self.guests.insert(id, guest);
            self.counts.add("attempts");
        }
    }

    fn check_census(&mut self) {
        let census = self.host.broker.census();
        let known: usize = self.guests.values().map(|guest| guest.handles.len()).sum();
        let doubtful: usize = self.guests.values().map(|guest| guest.doubtful.len()).sum();
        assert!((known..=known + doubtful).contains(&census.handles), "{known} and {doubtful} handles: {census:?}");
        let open: usize = self.host.workers.values().filter(|worker| !worker.killed).map(|worker| worker.open.len()).sum();
        assert_eq!(census.calls, open, "calls that wait");
        let limits = self.limits;
        for guest in self.guests.values() {
            assert!(guest.handles.len() <= limits.handles as usize, "{guest:?}");
        }
        let pools = |guest: &Guest| guest.handles.values().filter(|known| known.kind == Kind::Pool).count();
        assert!(self.guests.values().map(pools).sum::<usize>() <= limits.pools as usize, "too many pools");
        assert!(census.objects <= limits.objects as usize, "{census:?}");
        assert!(census.places <= limits.processes, "{census:?}");
        // An outcome that is too much to keep is replaced by words that say so.
        let words = (census.objects + census.tasks) * WORDS;
        assert!(census.bytes <= limits.bytes + words as u64, "{census:?}");
        let tasks = self.host.broker.tasks();
        let parents: BTreeMap<TaskId, Option<TaskId>> = tasks.iter().map(|view| (view.id, view.parent)).collect();
        for view in &tasks {
            let chain = std::iter::successors(view.parent, |parent| parents.get(parent).copied().flatten());
            assert!(chain.count() <= limits.depth as usize, "{} is too deep", view.id);
        }
    }

    /// Everything is cancelled, every worker dies: then nothing is left.
    fn end(&mut self) {
        self.host.broker.cancel_job(self.host.now, ROOT);
        let pool = self.host.pool;
        self.host.broker.retire(self.host.now, pool);
        self.host.settle();
        for _ in 0..5000 {
            self.look();
            if let Some(id) = self.host.workers.keys().next().copied() {
                self.gone(id, self.host.at(id));
            } else if let Some(next) = self.host.broker.next_tick() {
                self.host.now = next.max(self.host.now);
                self.host.broker.tick(self.host.now);
                self.host.settle();
            } else {
                break;
            }
        }
        self.look();
        self.host.broker.close_job(self.host.now, ROOT);
        assert!(self.host.broker.is_idle(), "{:?}", self.host.broker.tasks());
        for place in 0..self.roots {
            let ends = self.root_ends.get(&place).copied().unwrap_or(0);
            // A pool of the API that gave up takes what waits with it, without a word for each.
            assert!(ends == 1 || (ends == 0 && self.given_up), "the API's task {place} ended {ends} times");
        }
        let census = self.host.broker.census();
        let empty = Census { pools: 1, ..Census::default() };
        assert_eq!(census, empty, "something is left");
    }
}

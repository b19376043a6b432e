//! A random program, and what its tasks know.

use std::collections::{BTreeMap, BTreeSet};

use taskcell_broker::Effect;
use taskcell_wire::call::{Ended, HandleId, HandleKind, RunArgument, TaskId};
use taskcell_wire::{ChunkId, WorkerId};

use crate::history::{Random, Trace};
use crate::host::{Host, ROOT, SPEC, options};

mod act;
mod answers;
mod counts;
mod invoke;
mod world;

pub(crate) use counts::Counts;

/// What a task knows of one of its handles. The number tells which object it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Queue(u64),
    End(u64),
    /// Whether all of it can be seen.
    Map(u64, bool),
    Lock,
    Semaphore,
    Event,
    Condition,
    Barrier,
    Process(TaskId),
    Pool,
    Future(TaskId),
    Mapping,
}

impl Kind {
    fn handle_kind(self) -> Option<HandleKind> {
        match self {
            Self::Queue(_) => Some(HandleKind::Queue),
            Self::End(_) => Some(HandleKind::Connection),
            Self::Map(..) => Some(HandleKind::SharedMap),
            Self::Lock => Some(HandleKind::Lock),
            Self::Semaphore => Some(HandleKind::Semaphore),
            Self::Event => Some(HandleKind::Event),
            Self::Condition => Some(HandleKind::Condition),
            Self::Barrier => Some(HandleKind::Barrier),
            Self::Process(_) | Self::Pool | Self::Future(_) | Self::Mapping => None,
        }
    }
}

/// What a call will bring if it goes well.
#[derive(Debug, Clone)]
pub(crate) enum Hope {
    Nothing,
    Handle(Kind),
    Ends(u64),
    /// A message of this object.
    Message(u64),
    /// The map's own number.
    Number(u64),
    /// A process, with what it was given; whether it ends with this one.
    Process(Vec<Kind>, bool),
    Future(Vec<Kind>),
    End(TaskId),
    /// As many outcomes as values, each value's own.
    Outcomes(Vec<String>),
    Mapped,
    Refused,
}

/// What a running attempt knows.
#[derive(Debug)]
pub(crate) struct Guest {
    at: (ChunkId, u32),
    task: TaskId,
    handles: BTreeMap<HandleId, Kind>,
    children: Vec<TaskId>,
    hope: Option<Hope>,
}

/// A program and its world.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) host: Host,
    random: Random,
    trace: Trace,
    pub(crate) counts: Counts,
    guests: BTreeMap<WorkerId, Guest>,
    /// Numbers of handles that a worker was told so far.
    told: BTreeMap<WorkerId, BTreeSet<HandleId>>,
    /// What tasks that were started were given.
    lent: BTreeMap<TaskId, Vec<Kind>>,
    /// How tasks ended, as their workers said.
    said: BTreeMap<TaskId, String>,
    /// How tasks ended, as those who asked were told.
    heard: BTreeMap<TaskId, Ended<'static>>,
    next: u64,
    roots: u64,
    /// Ends of the API's tasks, by place.
    root_ends: BTreeMap<u64, u32>,
    pub(crate) log: Vec<String>,
    closed_world: bool,
    given_up: bool,
}

impl Program {
    pub(crate) fn new(seed: u64, trace: Trace) -> Self {
        let mut random = Random::new(seed);
        let mut options = options();
        options.is_program = !random.once_in(4);
        options.loans = random.once_in(2);
        options.limits.processes = 12;
        options.limits.pools = 4;
        options.limits.handles = 24;
        options.limits.objects = 120;
        options.limits.depth = 4;
        options.limits.waiting_tasks = 5;
        options.limits.bytes = if options.loans { 200_000 } else { 20_000 };
        options.quotas.reply_bytes = 2000;
        let closed_world = options.is_program;
        let roots = if closed_world { 1 } else { random.between(1, 3) };
        let (mut host, _) = Host::with(options, roots);
        host.quick = false;
        Self {
            host,
            random,
            trace,
            counts: Counts::default(),
            guests: BTreeMap::new(),
            told: BTreeMap::new(),
            lent: BTreeMap::new(),
            said: BTreeMap::new(),
            heard: BTreeMap::new(),
            next: 0,
            roots: u64::from(roots),
            root_ends: BTreeMap::new(),
            log: Vec::new(),
            closed_world,
            given_up: false,
        }
    }

    pub(crate) fn play(&mut self) {
        for _ in 0..self.random.between(20, 400) {
            self.step();
            self.look();
        }
    }

    fn tell(&mut self, what: impl Fn() -> String) {
        self.trace.tell(&what);
        self.log.push(what());
    }

    /// After each step: who runs what, what was answered, and whether both sides know the same.
    fn look(&mut self) {
        self.take_answers();
        self.take_effects();
        self.begin_guests();
        let known: usize = self.guests.values().map(|guest| guest.handles.len()).sum();
        let census = self.host.broker.census();
        assert_eq!(census.handles, known, "handles; {:?}", self.guests);
        assert!(census.places <= 12, "{census:?}");
        let open: usize = self.host.workers.values().filter(|w| !w.killed).map(|w| w.open.len()).sum();
        assert_eq!(census.calls, open, "calls that wait");
    }

    /// Attempts that began since.
    fn begin_guests(&mut self) {
        for id in self.host.busy() {
            let at = self.host.at(id).unwrap_or_else(|| panic!("{id} runs nothing"));
            if self.guests.get(&id).is_some_and(|guest| guest.at == at) || self.host.workers[&id].killed {
                continue;
            }
            assert!(!self.guests.contains_key(&id), "{id} began another task and the last did not end");
            let task = self.host.broker.running(id).unwrap_or_else(|| panic!("{id} runs nothing"));
            let given: Vec<RunArgument<'_>> = self.host.arguments(id);
            let mut handles = BTreeMap::new();
            let lent = self.lent.get(&task).cloned().unwrap_or_default();
            let mut lent = lent.iter();
            for argument in &given {
                if let RunArgument::Handle(kind, handle) = argument {
                    let what = *lent.next().unwrap_or_else(|| panic!("{task} is given more than it was lent"));
                    assert_eq!(what.handle_kind(), Some(*kind), "{task} is given something else");
                    handles.insert(*handle, what);
                }
            }
            assert!(given.is_empty() || lent.next().is_none(), "{task} is given less than it was lent");
            let told = self.told.entry(id).or_default();
            assert!(handles.keys().all(|handle| told.insert(*handle)), "a number of {id} is used again");
            self.counts.begun += 1;
            self.counts.given += handles.len() as u64;
            self.trace.tell(|| format!("{id} begins {task} with {handles:?}"));
            self.guests.insert(id, Guest { at, task, handles, children: Vec::new(), hope: None });
        }
    }

    fn take_effects(&mut self) {
        for effect in std::mem::take(&mut self.host.other) {
            self.log.push(format!("{effect:?}"));
            match effect {
                Effect::Lost { index, .. } => *self.root_ends.entry(index).or_default() += 1,
                Effect::Cancelled { first, count, .. } => {
                    (first..first + u64::from(count)).for_each(|index| *self.root_ends.entry(index).or_default() += 1);
                }
                Effect::ReadInput(id, call, limit) => {
                    assert!(limit > 0);
                    if self.random.once_in(2) {
                        self.host.broker.input(self.host.now, id, call, b"line"[..].into());
                        self.host.settle();
                    }
                }
                Effect::PoolFailed(pool, _) => {
                    assert_eq!(pool, self.host.pool);
                    self.given_up = true;
                }
                Effect::Logged { .. } | Effect::Deadlocked(_) | Effect::Expired { .. } => {}
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
        self.take_answers();
    }

    /// Everybody does his part, until nothing is left to do.
    pub(crate) fn end(&mut self) {
        self.trace.tell(|| "everybody does his part".into());
        for _ in 0..5000 {
            self.look();
            let all: Vec<WorkerId> = self.host.workers.keys().copied().collect();
            let moving = |id: &&WorkerId| {
                let worker = &self.host.workers[id];
                worker.killed || worker.retired || !worker.ready
            };
            if let Some(id) = all.iter().find(moving) {
                self.move_worker(*id);
            } else if let Some(id) = self.free().first().copied() {
                self.finish(id);
            } else if let Some(next) = self.host.broker.next_tick() {
                self.host.now = next;
                self.host.broker.tick(next);
                self.host.settle();
            } else if self.answer_input() {
            } else if self.host.busy().is_empty() {
                break;
            } else {
                assert!(!self.closed_world, "nobody can go on and nobody was told: {:?}", self.host.broker.tasks());
                // Outside, somebody loses his patience: with the job, and then with what was detached from it.
                self.counts.patience += 1;
                self.host.broker.cancel_job(self.host.now, ROOT);
                self.host.settle();
                if let Some(id) = self.host.busy().into_iter().find(|id| self.host.workers[id].stop.is_none()) {
                    let running = self.host.at(id);
                    self.gone(id, running);
                }
            }
        }
        self.look();
        assert!(self.host.broker.is_idle(), "{:?}", self.host.broker.tasks());
        for place in 0..self.roots {
            let ends = self.root_ends.get(&place).copied().unwrap_or(0);
            // A pool of the API that gave up takes what waits with it, without a word for each.
            assert!(ends == 1 || (ends == 0 && self.given_up), "the API's task {place} ended {ends} times");
        }
        let census = self.host.broker.census();
        let left = (census.objects, census.handles, census.attempts, census.calls, census.tasks, census.bytes);
        assert_eq!(left, (0, 0, 0, 0, 0, 0), "{census:?}");
        assert_eq!((census.jobs, census.pools), (1, 1), "{census:?}");
        assert_eq!(census.places as usize, census.workers, "{census:?}");
        self.counts.given_up += u64::from(self.given_up);
        assert!(self.given_up || self.host.broker.spec(all_workers(&self.host)[0]) == Some(&SPEC));
    }

    /// Gives a program that waits for input its end.
    fn answer_input(&mut self) -> bool {
        let waiting: Vec<_> = self.host.workers.iter().filter_map(|(id, worker)| Some((*id, *worker.open.first()?))).collect();
        for (id, call) in waiting {
            if self.host.broker.input(self.host.now, id, call, b""[..].into()) {
                self.host.settle();
                return true;
            }
        }
        false
    }
}

fn all_workers(host: &Host) -> Vec<WorkerId> {
    host.workers.keys().copied().collect()
}

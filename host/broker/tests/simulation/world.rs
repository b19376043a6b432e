//! One schedule: who does what next, what goes wrong, and when it stops going wrong.

use std::collections::BTreeMap;

use taskcell_broker::{
    Broker, BrokerOptions, Duration, HostLimits, JobOptions, Module, ModuleId, Now, PoolOptions, RetryBudget, WorkerSpec,
};
use taskcell_wire::call::HandleKind;
use taskcell_wire::{
    ChunkId, FromWorker, Interface, Isolation, JobId, Outcome, OutcomeWriter, Signature, TypeDef, TypeTable, WorkerId, encode,
};

use super::CAP;
use super::counts::Counts;
use super::guest::{End, MS, ROOT};
use super::jobs::Job;
use super::supervisor::{Block, Sink, Supervisor};
use super::worker::{Did, Life};
use crate::host;
use crate::random::Random;

/// The program's job.
const PROGRAM: JobId = JobId(0);
/// By when all has to be over once nothing goes wrong any more.
const CALM: Duration = Duration::from_millis(600_000);
/// Rounds of everybody's steps until then. The longest seen took a tenth of it.
const ROUNDS: u32 = 200_000;

/// What becomes of the tale of a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tale {
    Untold,
    Kept,
    Told,
}

pub(crate) struct World {
    random: Random,
    tale: Tale,
    /// What happened, in words, if it is to be compared.
    pub(crate) log: Vec<String>,
    supervisor: Supervisor,
    jobs: Vec<Job>,
    is_program: bool,
    /// The program's own worker is spared.
    spares_program: bool,
    /// Tasks that run, by the worker that runs them.
    running: BTreeMap<(JobId, u64), WorkerId>,
    next_look: Now,
}

/// `root(u32)`, `value(u32) -> u32`, `consume(queue, shared-map, lock, semaphore)`, `send(connection)`.
fn interface() -> Interface {
    let mut types = TypeTable::default();
    let mut add = |def| types.add(def).unwrap_or_else(|error| panic!("{error}"));
    let u32 = add(TypeDef::U32);
    let mut handle = |kind: HandleKind| add(TypeDef::Handle(kind.own()));
    let shared = [HandleKind::Queue, HandleKind::SharedMap, HandleKind::Lock, HandleKind::Semaphore].map(&mut handle);
    let end = handle(HandleKind::Connection);
    let task = |name: &str, params: &[taskcell_wire::TypeId], result| Signature {
        name: name.into(),
        params: params.iter().map(|id| ("p".into(), *id)).collect(),
        result,
        is_async: false,
    };
    let tasks = vec![
        task("root", &[u32], None),
        task("value", &[u32], Some(u32)),
        task("consume", &shared, None),
        task("send", &[end], None),
    ];
    let imports = host::imports(&taskcell_wire::CallKind::ALL);
    Interface { types, tasks, imports, ..Interface::default() }
}

thread_local! {
    static INTERFACE: Interface = interface();
}

impl World {
    pub(crate) fn new(seed: u64, tale: Tale) -> Self {
        let mut random = Random::new(seed);
        let is_program = random.once_in(2);
        let options = BrokerOptions {
            modules: vec![Module { name: String::new(), interface: INTERFACE.with(Clone::clone) }],
            is_program,
            loans: false,
            limits: HostLimits { waiting_tasks: random.between(1, 6), ..HostLimits::default() },
            ..host::options()
        };
        let mut supervisor = Supervisor::new(Broker::new(options));
        let workers = if is_program { 1 } else { random.between(1, 3) };
        let budget = RetryBudget {
            deaths: if is_program { 0 } else { random.between(0, 3) },
            timeouts: random.between(0, 1),
            traps: random.between(0, 1),
            errors: random.between(0, 2),
        };
        let budget = if is_program { RetryBudget::default() } else { budget };
        let pool = PoolOptions {
            budget,
            grace: Duration::from_millis(100),
            max_tasks_per_worker: (!is_program && random.once_in(4)).then(|| random.between(1, 8)),
            on_demand: !is_program && random.once_in(4),
            ..PoolOptions::new(workers)
        };
        let spec = WorkerSpec { module: ModuleId(0), isolation: Isolation::Fresh, memory_bytes: None, program: is_program };
        supervisor.most_workers = if is_program { usize::MAX } else { workers as usize };
        supervisor.pool = supervisor.broker.add_pool(Now(0), spec, pool);
        supervisor.carry_out(&mut random);
        let mut jobs = Vec::new();
        if is_program {
            supervisor.broker.open_job(supervisor.pool, PROGRAM, JobOptions::new(ROOT));
            supervisor.sinks.insert(PROGRAM, Sink { ended: vec![false], ..Sink::default() });
            let mut items = taskcell_wire::ItemWriter::default();
            items.push(random.below(1 << 30).to_string().as_bytes());
            let (items, count) = items.into_parts();
            let chunk = taskcell_broker::Chunk {
                job: PROGRAM,
                first: 0,
                count,
                items: items.into(),
                history: Vec::new(),
                start_by: None,
            };
            supervisor.broker.submit(Now(0), chunk);
            supervisor.carry_out(&mut random);
        } else {
            for id in 1..=u64::from(random.between(1, 2)) {
                jobs.push(Job::open(&mut supervisor, JobId(id), &mut random, budget));
            }
        }
        let spares_program = !random.once_in(8);
        Self {
            random,
            tale,
            log: Vec::new(),
            supervisor,
            jobs,
            is_program,
            spares_program,
            running: BTreeMap::new(),
            next_look: Now(1000 * MS),
        }
    }

    #[expect(clippy::print_stdout, reason = "asked for")]
    fn tell(&mut self, what: impl FnOnce() -> String) {
        match self.tale {
            Tale::Untold => {}
            Tale::Kept => self.log.push(what()),
            Tale::Told => println!("{:>14} {}", self.supervisor.now.0, what()),
        }
    }

    /// The whole schedule. Gives what was reached.
    pub(crate) fn play(&mut self) -> Counts {
        let steps = 50 + self.random.below(if self.is_program { 800 } else { 400 });
        for _ in 0..steps {
            self.step();
        }
        self.supervisor.faults = false;
        self.tell(|| "nothing goes wrong any more".into());
        self.end();
        let mut counts = std::mem::take(&mut self.supervisor.counts);
        let ledger = &self.supervisor.ledger;
        (counts.answers, counts.redelivered, counts.left_locks) = (ledger.answers, ledger.redelivered, ledger.left_locks);
        (counts.deadlocks, counts.told) = (ledger.deadlocks, ledger.told);
        counts
    }

    fn worker(&mut self) -> Option<WorkerId> {
        let all: Vec<WorkerId> = self.supervisor.links.keys().copied().collect();
        self.random.pick(&all)
    }

    /// A worker that something may be done to.
    fn victim(&mut self) -> Option<WorkerId> {
        let id = self.worker()?;
        self.may_suffer(id).then_some(id)
    }

    fn may_suffer(&self, id: WorkerId) -> bool {
        !self.spares_program || !self.supervisor.broker.spec(id).is_some_and(|spec| spec.program)
    }

    fn step(&mut self) {
        self.supervisor.counts.steps += 1;
        match self.random.below(100) {
            0..=39 => {
                if let Some(id) = self.worker() {
                    // Several steps at once, or a program would only have begun when nothing goes wrong any more.
                    while self.run(id) && !self.random.once_in(3) {}
                }
            }
            40..=69 => {
                if let Some(id) = self.worker() {
                    self.supervisor.receive(id, &mut self.random);
                }
            }
            70..=77 => {
                if let Some(id) = self.worker() {
                    if let Some(link) = self.supervisor.links.get_mut(&id) {
                        link.send(&mut self.random);
                    }
                    self.reap(id);
                }
            }
            78..=84 => self.time(),
            85..=88 => self.supervisor.tick(&mut self.random),
            89..=95 => self.people(),
            96 => {
                // Now and then the one that dies is the one whose death is felt by most.
                let holder = self.supervisor.ledger.holder().filter(|id| self.may_suffer(*id));
                let felt = holder.filter(|_| !self.random.once_in(4));
                if let Some(id) = felt.or_else(|| self.victim()) {
                    self.die(id);
                }
            }
            97..=98 => self.stop_or_continue(),
            _ => self.lie(),
        }
    }

    /// A worker does its next thing.
    fn run(&mut self, id: WorkerId) -> bool {
        let now = self.supervisor.now;
        let Some(link) = self.supervisor.links.get_mut(&id) else { return false };
        if link.worker.stopped {
            return false;
        }
        match link.step(now, &mut self.random) {
            Did::Nothing => false,
            Did::Something => true,
            Did::Began(chunk, at) => {
                self.began(id, chunk, at);
                true
            }
            Did::Ended(chunk, at, end) => {
                self.ended(id, chunk, at, &end);
                true
            }
        }
    }

    fn began(&mut self, id: WorkerId, chunk: ChunkId, at: u32) {
        self.tell(|| format!("{id} begins with task {at} of {chunk}"));
        let task = self.supervisor.task(id, chunk, at);
        let task = task.unwrap_or_else(|| panic!("{id} runs task {at} of {chunk}, which it was not given"));
        let ended = self.supervisor.sinks.get(&task.0).and_then(|sink| sink.ended.get(usize::try_from(task.1).ok()?));
        assert_ne!(ended, Some(&true), "{id} begins with task {} of {}, which has ended", task.1, task.0);
        if let Some(other) = self.running.insert(task, id).filter(|other| *other != id) {
            let alive = self.supervisor.links.get(&other).is_some_and(|link| link.worker.life != Life::Dead);
            assert!(!alive, "{id} and {other} run task {} of {} at the same time", task.1, task.0);
        }
    }

    fn ended(&mut self, id: WorkerId, chunk: ChunkId, at: u32, end: &End) {
        self.tell(|| format!("{id} ends task {at} of {chunk}: {end:?}"));
        if let Some(task) = self.supervisor.task(id, chunk, at) {
            self.running.remove(&task);
        }
    }

    /// A process that was killed ends.
    fn reap(&mut self, id: WorkerId) {
        if let Some(link) = self.supervisor.links.get_mut(&id).filter(|link| link.killed) {
            link.worker.die();
        }
    }

    fn die(&mut self, id: WorkerId) {
        self.tell(|| format!("{id} dies"));
        if let Some(link) = self.supervisor.links.get_mut(&id) {
            self.supervisor.counts.cut += u64::from(link.worker.is_cut());
            link.worker.die();
        }
    }

    fn stop_or_continue(&mut self) {
        let Some(id) = self.victim() else { return };
        if let Some(link) = self.supervisor.links.get_mut(&id) {
            link.worker.stopped ^= true;
            self.supervisor.counts.stops += u64::from(link.worker.stopped);
        }
        self.tell(|| format!("{id} is stopped or goes on"));
    }

    /// Time passes: a moment, until something is due, or a long while.
    fn time(&mut self) {
        let now = self.supervisor.now;
        let to = match self.random.below(40) {
            0..=19 => now.plus(Duration(self.random.below(200_000))),
            20..=29 => now.plus(Duration(self.random.below(20) * MS)),
            // Not as far as to the moment by which a worker has to be ready, or few would ever be.
            30..=38 => self.next_moment().filter(|at| at.since(now) < Duration(5000 * MS)).unwrap_or(now),
            _ if self.random.once_in(20) => now.plus(Duration(40_000 * MS)),
            _ => now.plus(Duration(self.random.below(2000) * MS)),
        };
        self.pass(to);
    }

    /// When the broker or a worker has something to do of itself.
    fn next_moment(&self) -> Option<Now> {
        let wakes = |link: &super::supervisor::Link| link.worker.wakes_at().filter(|_| !link.worker.stopped);
        let workers = self.supervisor.links.values().filter_map(wakes).filter(|at| *at > self.supervisor.now);
        workers.chain(self.supervisor.broker.next_tick()).min()
    }

    fn pass(&mut self, to: Now) {
        self.supervisor.now = self.supervisor.now.max(to);
        if self.supervisor.now >= self.next_look {
            // However late it is, the next look is a whole pause away.
            self.next_look = self.supervisor.now.plus(Duration(1000 * MS));
            self.supervisor.look();
        }
    }

    /// Callers submit, read, and lose their patience.
    fn people(&mut self) {
        let Self { jobs, supervisor, random, .. } = self;
        let all = jobs.len() as u64;
        let Some(job) = jobs.get_mut(usize::try_from(random.below(all)).unwrap_or(0)) else { return };
        match random.below(60) {
            0..=29 => job.feed(supervisor, random),
            30..=58 => job.read(supervisor),
            _ if !job.closed => {
                let what = job.end(supervisor, random);
                self.tell(|| what);
            }
            _ => {}
        }
    }

    /// A worker in a guest's hands says what an honest one does not.
    fn lie(&mut self) {
        if !self.random.once_in(8) {
            return;
        }
        let Some(id) = self.victim() else { return };
        let other = self.worker().unwrap_or(id);
        let elsewhere = self.supervisor.links.get(&other).and_then(|link| link.line.front()).map(|sent| sent.0);
        let Some(link) = self.supervisor.links.get_mut(&id) else { return };
        if link.worker.life != Life::Up || !link.ready || link.worker.lied {
            return;
        }
        let mut outcomes = OutcomeWriter::default();
        outcomes.push(0, &Outcome::Ok(b"1"));
        let own = link.line.front().map(|sent| (sent.0, sent.3));
        let runs_first = link.worker.running.map(|running| running.0) == own.map(|own| own.0);
        let behind = link.line.get(2).filter(|_| runs_first).map(|sent| sent.0);
        let result = |chunk, first, count, outcomes: &OutcomeWriter| {
            let mut frame = Vec::new();
            let outcomes = outcomes.bytes();
            let message = FromWorker::Results { chunk, first, count, nanoseconds: 0, outcomes };
            encode(&message, CAP, &mut frame).expect("a short message");
            frame
        };
        // Chunks are numbered by pool: one of another pool may have the number of one of its own.
        let elsewhere = elsewhere.filter(|chunk| other != id && link.line.iter().all(|sent| sent.0 != *chunk));
        let frame = match (self.random.below(6), own, link.former, elsewhere) {
            // A result of a former attempt, late; a result for another's task.
            (0..=1, _, Some(former), _) => result(former, 0, 1, &outcomes),
            (0..=2, _, _, Some(elsewhere)) => result(elsewhere, 0, 1, &outcomes),
            // A result of its own, for a task that stands far behind the one that it runs.
            (3, Some((_, done)), _, _) if behind.is_some() => result(behind.unwrap_or(ChunkId(0)), done, 1, &outcomes),
            // More than there is, less than was announced, and what is not to be printed.
            (3, Some((chunk, done)), _, _) => result(chunk, done + 100, 1, &outcomes),
            (4, Some((chunk, done)), _, _) => result(chunk, done, 2, &outcomes),
            (5, Some((chunk, done)), _, _) => {
                let mut outcomes = OutcomeWriter::default();
                outcomes.push(0, &Outcome::Ok(b"\x1b[2J"));
                result(chunk, done, 1, &outcomes)
            }
            (0, ..) => u32::MAX.to_le_bytes().to_vec(),
            (..) => vec![3, 0, 0, 0, 250, 1, 1],
        };
        link.worker.lie(&frame);
        self.supervisor.counts.lies += 1;
        self.tell(|| format!("{id} lies"));
    }

    /// With nothing going wrong any more, everything ends, and nothing is left.
    fn end(&mut self) {
        let until = self.supervisor.now.plus(CALM);
        let mut leaving = false;
        for round in 0.. {
            let in_time = round < ROUNDS && self.supervisor.now < until;
            assert!(in_time, "it does not end: {:?} {:?}", self.supervisor.broker.census(), self.supervisor.broker.tasks());
            let moved = self.round();
            if !leaving && self.is_over() {
                leaving = true;
                self.leave();
            } else if leaving && self.supervisor.links.is_empty() {
                break;
            }
            if !moved {
                let moment = self.next_moment().map_or(self.next_look, |moment| moment.min(self.next_look));
                self.pass(moment);
            }
        }
        let census = self.supervisor.broker.census();
        let left = [census.objects, census.handles, census.attempts, census.calls, census.tasks, census.jobs, census.workers];
        assert_eq!((left, census.bytes, census.pools), ([0; 7], 0, 1), "{census:?}");
    }

    /// Everybody takes a turn, in an order of chance. Whether anything happened.
    fn round(&mut self) -> bool {
        let mut moved = false;
        let mut all: Vec<WorkerId> = self.supervisor.links.keys().copied().collect();
        if self.random.once_in(2) {
            all.reverse();
        }
        for id in all {
            self.reap(id);
            moved |= self.run(id);
            if let Some(link) = self.supervisor.links.get_mut(&id) {
                link.send(&mut self.random);
            }
            moved |= self.supervisor.receive(id, &mut self.random);
            if let Some(link) = self.supervisor.links.get(&id) {
                let heard = link.worker.lied && link.worker.is_at_rest() && link.is_heard() && !link.killed;
                assert!(!heard, "{id} lied, and was believed");
            }
        }
        self.supervisor.tick(&mut self.random);
        let Self { jobs, supervisor, random, .. } = self;
        for job in jobs {
            job.feed(supervisor, random);
            job.read(supervisor);
        }
        moved
    }

    fn is_over(&mut self) -> bool {
        if !self.is_program {
            return self.jobs.iter().all(|job| job.is_over(&self.supervisor));
        }
        let Some(sink) = self.supervisor.sinks.get_mut(&PROGRAM) else { return true };
        let Some(block) = sink.blocks.pop_front() else { return self.supervisor.failed.is_some() };
        match block {
            Block::Outcomes(finished) => {
                let ended = taskcell_wire::OutcomeReader::new(&finished.outcomes).next();
                let well = matches!(ended, Some(Ok((_, Outcome::Ok(_)))));
                assert!(well, "the program ended with {ended:?}");
                self.supervisor.ledger.balance();
                self.supervisor.counts.programs += 1;
            }
            Block::Lost(_, history) => {
                assert!(!self.spares_program || self.supervisor.counts.stood_still > 0, "the program was lost: {history:?}");
                self.supervisor.counts.killed_programs += 1;
            }
            Block::Cancelled(..) => panic!("nobody cancelled the program"),
            Block::Expired(..) => panic!("the program may wait"),
        }
        true
    }

    /// The callers go.
    fn leave(&mut self) {
        let Self { jobs, supervisor, random, .. } = self;
        for job in jobs.iter_mut().filter(|job| !job.closed) {
            job.close(supervisor);
        }
        supervisor.broker.close_job(supervisor.now, PROGRAM);
        supervisor.counts.pools_failed += u64::from(supervisor.failed.is_some());
        supervisor.broker.retire(supervisor.now, supervisor.pool);
        supervisor.carry_out(random);
    }
}

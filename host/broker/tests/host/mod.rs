//! A broker whose workers are the test: it starts what the broker asks for, notes what each worker is sent and answered, and says
//! for the workers what the test wants said.
#![allow(dead_code, reason = "each test that includes this uses a part of it")]

use std::collections::{BTreeMap, VecDeque};

use taskcell_broker::{
    Broker, BrokerOptions, Chunk, Duration, Effect, HostLimits, JobOptions, Module, ModuleId, Now, OnDeadlock, PoolId,
    PoolOptions, Quotas, Violation, WorkerSpec,
};
use taskcell_wire::call::{
    Argument, Batch, Call, CallError, CallId, CheckedArgument, Create, Ended, HandleId, HandleKind, Invocation, ProcessOptions,
    Reply, RunArgument, TaskId, TaskValue, Tell,
};
use taskcell_wire::{
    CallKind, ChunkId, Encoding, Import, Interface, Isolation, ItemReader, ItemWriter, JobId, Signature, TaskIndex, Turn,
    TypeDef, TypeId, TypeTable, WorkerId,
};

mod borrower;
pub(crate) use borrower::Borrower;

/// The answer to a call.
pub(crate) type Answer = Result<Reply<'static>, CallError>;

/// The API's job.
pub(crate) const ROOT: JobId = JobId(1);

/// What a worker was sent and did not answer for.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    pub(crate) chunk: ChunkId,
    pub(crate) job: JobId,
    pub(crate) options: JobOptions,
    pub(crate) first: u64,
    pub(crate) turn: Turn,
    /// Inputs of tasks that were not taken back.
    pub(crate) items: Vec<Vec<u8>>,
    pub(crate) done: u32,
}

/// A worker as the test sees it.
#[derive(Debug, Default)]
pub(crate) struct Worker {
    pub(crate) ready: bool,
    pub(crate) killed: bool,
    pub(crate) retired: bool,
    pub(crate) line: VecDeque<Sent>,
    /// Its calls that were not answered.
    pub(crate) open: Vec<CallId>,
    pub(crate) stop: Option<ChunkId>,
}

/// A broker with its workers.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) broker: Broker,
    pub(crate) now: Now,
    pub(crate) workers: BTreeMap<WorkerId, Worker>,
    pub(crate) answers: Vec<(WorkerId, CallId, Answer)>,
    /// Everything else that was asked for.
    pub(crate) other: Vec<Effect>,
    pub(crate) effects: Vec<Effect>,
    /// What workers were lent, and did with it.
    pub(crate) borrowers: BTreeMap<WorkerId, Borrower>,
    pub(crate) next_call: u64,
    /// Makes workers ready as soon as they are started.
    pub(crate) quick: bool,
    pub(crate) pool: PoolId,
}

/// `run`, `add(u32, u32) -> u32`, `echo(list<u8>) -> list<u8>`, `fib(u32) -> u64`, `quiet()`, and one task for each kind of handle.
pub(crate) fn interface() -> Interface {
    let mut types = TypeTable::default();
    let mut add = |def| types.add(def).unwrap_or_else(|error| panic!("{error}"));
    let (u8, u32, u64) = (add(TypeDef::U8), add(TypeDef::U32), add(TypeDef::U64));
    let bytes = add(TypeDef::List(u8));
    let handles: Vec<TypeId> = HandleKind::ALL.iter().map(|kind| add(TypeDef::Handle(kind.own()))).collect();
    let task = |name: &str, params: &[TypeId], result| Signature {
        name: name.into(),
        params: params.iter().map(|id| ("p".into(), *id)).collect(),
        result,
        is_async: false,
    };
    let mut tasks = vec![
        task("run", &[], None),
        task("add", &[u32, u32], Some(u32)),
        task("echo", &[bytes], Some(bytes)),
        task("fib", &[u32], Some(u64)),
        task("quiet", &[], None),
        task("a:b/math@1.0.0#square", &[u32], Some(u32)),
    ];
    tasks.extend(HandleKind::ALL.iter().zip(&handles).map(|(kind, id)| task(&format!("with-{}", kind.name()), &[*id], None)));
    let queue = HandleKind::Queue as usize;
    let end = HandleKind::Connection as usize;
    tasks.push(task("relay", &[handles[queue], handles[end], u32], Some(u32)));
    let imports = imports(&CallKind::ALL);
    Interface { types, tasks, imports, ..Interface::default() }
}

/// Imports of these interfaces, with functions.
pub(crate) fn imports(kinds: &[CallKind]) -> Vec<Import> {
    let import = |kind: &CallKind| Import { name: format!("{}@0.1.0", kind.interface()), provided: true, functions: true };
    kinds.iter().map(import).collect()
}

/// By the number of arguments and the kinds of handles; a JSON text that is `bad` fits nothing.
fn check_arguments(types: &TypeTable, signature: &Signature, arguments: &[CheckedArgument<'_>]) -> Result<(), String> {
    if arguments.len() != signature.params.len() && !(signature.params.is_empty() && arguments.len() == 1) {
        return Err(format!("{} takes {} arguments, found {}", signature.name, signature.params.len(), arguments.len()));
    }
    for ((_, id), argument) in signature.params.iter().zip(arguments) {
        let fits = match (types.get(*id), argument) {
            (Some(TypeDef::Handle(text)), CheckedArgument::Handle(kind)) => *text == kind.own(),
            (Some(TypeDef::Handle(_)), CheckedArgument::Value(_)) | (_, CheckedArgument::Handle(_)) => false,
            (_, CheckedArgument::Value(TaskValue::Json(json))) => **json != *b"bad",
            (_, CheckedArgument::Value(TaskValue::Bytes(_) | TaskValue::None)) => true,
        };
        if !fits {
            return Err(format!("an argument of {} does not fit", signature.name));
        }
    }
    Ok(())
}

fn check_input(_: &TypeTable, _: &Signature, json: &[u8]) -> Result<(), String> {
    if json == b"bad" { Err("expected better".into()) } else { Ok(()) }
}

pub(crate) fn options() -> BrokerOptions {
    let module = |name: &str| Module { name: name.into(), interface: interface() };
    BrokerOptions {
        modules: vec![module(""), module("other")],
        check_arguments,
        check_input,
        cpus: 2,
        limits: HostLimits::default(),
        quotas: Quotas::default(),
        grace: Duration::from_millis(100),
        is_program: true,
        on_deadlock: OnDeadlock::Fail,
        loans: false,
    }
}

pub(crate) const SPEC: WorkerSpec =
    WorkerSpec { module: ModuleId(0), isolation: Isolation::Fresh, memory_bytes: None, program: true };

pub(crate) fn json(text: &str) -> TaskValue<'static> {
    TaskValue::Json(taskcell_wire::call::SharedBytes::copy_from_slice(text.as_bytes()).into())
}

pub(crate) fn value(text: &str) -> Argument<'static> {
    Argument::Value(json(text))
}

pub(crate) fn invocation<'a>(task: &'a str, arguments: Vec<Argument<'a>>) -> Invocation<'a> {
    Invocation { task, arguments: Batch(arguments) }
}

impl Host {
    /// A program whose root runs on the worker that is given back. Workers get ready at once.
    pub(crate) fn program() -> (Self, WorkerId) {
        Self::with(options(), 1)
    }

    /// A pool of the API with so many workers, each of which runs one task of a job.
    pub(crate) fn with(options: BrokerOptions, workers: u32) -> (Self, WorkerId) {
        let mut broker = Broker::new(options);
        let pool = broker.add_pool(Now(0), SPEC, PoolOptions { grace: Duration::from_millis(100), ..PoolOptions::new(workers) });
        let mut host = Self {
            broker,
            now: Now(0),
            workers: BTreeMap::new(),
            answers: Vec::new(),
            other: Vec::new(),
            effects: Vec::new(),
            borrowers: BTreeMap::new(),
            next_call: 0,
            quick: true,
            pool,
        };
        host.settle();
        host.broker.open_job(pool, ROOT, JobOptions::new(TaskIndex(0)));
        for first in 0..workers {
            host.submit(u64::from(first));
        }
        let root = *host.workers.keys().next().unwrap_or_else(|| panic!("no worker was started"));
        (host, root)
    }

    /// One more task of the API's job.
    pub(crate) fn submit(&mut self, first: u64) {
        let mut items = ItemWriter::default();
        items.push(b"null");
        let (items, count) = items.into_parts();
        self.broker.submit(self.now, Chunk { job: ROOT, first, count, items: items.into(), history: Vec::new(), start_by: None });
        self.settle();
    }

    /// Carries out what the broker wants.
    pub(crate) fn settle(&mut self) {
        loop {
            let mut effects = std::mem::take(&mut self.effects);
            self.broker.take_effects(&mut effects);
            if effects.is_empty() {
                self.effects = effects;
                return;
            }
            effects.drain(..).for_each(|effect| self.effect(effect));
            self.effects = effects;
        }
    }

    fn effect(&mut self, effect: Effect) {
        match effect {
            Effect::Spawn(id) => {
                self.workers.insert(id, Worker::default());
                self.broker.worker_started(self.now, id, 1000 + u32::try_from(self.workers.len()).unwrap_or(0));
                if self.quick {
                    self.ready(id);
                }
            }
            Effect::Send(id, chunk) => {
                let work = self.broker.work(id, chunk).unwrap_or_else(|| panic!("{id} has no {chunk}"));
                let items = ItemReader::new(&work.items).map(|item| item.unwrap_or(&[]).to_vec()).collect::<Vec<_>>();
                assert_eq!(items.len(), work.count as usize);
                let turn = work.turn;
                let sent = Sent { chunk, job: work.job, options: work.options, first: work.first, turn, items, done: 0 };
                self.worker(id).line.push_back(sent);
            }
            Effect::TakeBack(id, until) => {
                let worker = self.worker(id);
                // It has claimed what it runs, which is the first of what it has.
                let mut place = 0;
                worker.line.retain(|sent| {
                    place += 1;
                    sent.turn >= until || place == 1
                });
                let running = worker.line.front_mut().filter(|front| front.turn < until);
                let claimed = running.map_or(until, |front| {
                    front.items.truncate(front.done as usize + 1);
                    Turn(front.turn.0 + u64::from(front.done) + 1)
                });
                self.broker.taken_back(self.now, id, until, claimed);
            }
            Effect::Stop(id, chunk) => self.worker(id).stop = Some(chunk),
            Effect::Retire(id) => {
                self.worker(id).retired = true;
                if self.quick {
                    self.gone(id, None);
                }
            }
            Effect::Kill(id, _) => {
                self.worker(id).killed = true;
                if self.quick {
                    let running = self.at(id);
                    self.gone(id, running);
                }
            }
            Effect::Reply(id, call, answer) => {
                let worker = self.worker(id);
                let at = worker.open.iter().position(|open| *open == call);
                worker.open.remove(at.unwrap_or_else(|| panic!("{call} of {id} is answered and not open")));
                self.answers.push((id, call, answer));
            }
            Effect::Lend(id, call, reply, loan) => {
                let worker = self.worker(id);
                let at = worker.open.iter().position(|open| *open == call);
                worker.open.remove(at.unwrap_or_else(|| panic!("{call} of {id} is answered and not open")));
                self.answers.push((id, call, Ok(reply)));
                self.borrowers.entry(id).or_default().lend(loan);
            }
            Effect::Recover(id) => self.recover(id),
            other @ (Effect::Lost { .. }
            | Effect::Cancelled { .. }
            | Effect::PoolFailed(..)
            | Effect::ReadInput(..)
            | Effect::Expired { .. }
            | Effect::Deadlocked(_)
            | Effect::Logged { .. }) => self.other.push(other),
        }
    }

    pub(crate) fn worker(&mut self, id: WorkerId) -> &mut Worker {
        self.workers.get_mut(&id).unwrap_or_else(|| panic!("{id} is not alive"))
    }

    /// What a worker runs.
    pub(crate) fn at(&self, id: WorkerId) -> Option<(ChunkId, u32)> {
        let front = self.workers.get(&id)?.line.front()?;
        Some((front.chunk, front.done))
    }

    pub(crate) fn ready(&mut self, id: WorkerId) {
        self.worker(id).ready = true;
        self.broker.worker_ready(self.now, id).unwrap_or_else(|violation| panic!("{id}: {violation}"));
        self.settle();
    }

    pub(crate) fn gone(&mut self, id: WorkerId, running: Option<(ChunkId, u32)>) {
        self.told(id);
        self.borrowers.remove(&id);
        self.workers.remove(&id);
        self.broker.worker_gone(self.now, id, 7, "fell over".into(), running);
        self.settle();
    }

    /// The worker dies in what it runs.
    pub(crate) fn die(&mut self, id: WorkerId) {
        let running = self.at(id);
        self.gone(id, running);
    }

    /// Makes a call; its answer if that came at once.
    pub(crate) fn call(&mut self, id: WorkerId, call: Call<'_>) -> Option<Answer> {
        let number = self.raw_call(id, call).unwrap_or_else(|violation| panic!("{id}: {violation}"));
        let at = self.answers.iter().position(|(worker, call, _)| (*worker, *call) == (id, number))?;
        Some(self.answers.remove(at).2)
    }

    pub(crate) fn raw_call(&mut self, id: WorkerId, call: Call<'_>) -> Result<CallId, Violation> {
        let number = CallId(self.next_call);
        self.next_call += 1;
        self.worker(id).open.push(number);
        let called = self.broker.call(self.now, id, number, call);
        if called.is_err() {
            self.worker(id).open.pop();
        }
        self.settle();
        called.map(|()| number)
    }

    /// The answer that came to a worker's call since.
    pub(crate) fn answer(&mut self, id: WorkerId) -> Option<Answer> {
        let at = self.answers.iter().position(|(worker, _, _)| *worker == id)?;
        Some(self.answers.remove(at).2)
    }

    /// Makes a call that gives a handle.
    pub(crate) fn make(&mut self, id: WorkerId, create: Create<'_>) -> HandleId {
        match self.call(id, Call::Create(create)) {
            Some(Ok(Reply::Handle(handle))) => handle,
            other => panic!("{other:?}"),
        }
    }

    /// Starts a process; its handle, its number, and its worker.
    pub(crate) fn spawn(&mut self, id: WorkerId, task: &str, arguments: Vec<Argument<'_>>) -> (HandleId, TaskId, WorkerId) {
        let before: Vec<WorkerId> = self.workers.keys().copied().collect();
        let task = invocation(task, arguments);
        let answer = self.call(id, Call::Create(Create::Process { task, options: ProcessOptions::default() }));
        let new = self.workers.keys().find(|worker| !before.contains(worker)).copied();
        match (answer, new) {
            (Some(Ok(Reply::Started(handle, task))), Some(worker)) => (handle, task, worker),
            other => panic!("{other:?}"),
        }
    }

    /// Handles that the running task of a worker was given.
    pub(crate) fn given(&self, id: WorkerId) -> Vec<HandleId> {
        let arguments = self.arguments(id);
        let handle = |argument: &RunArgument<'_>| match argument {
            RunArgument::Handle(_, handle) => Some(*handle),
            RunArgument::Value(_) => None,
        };
        arguments.iter().filter_map(handle).collect()
    }

    /// What the running task of a worker was given, if it came as arguments.
    pub(crate) fn arguments(&self, id: WorkerId) -> Vec<RunArgument<'_>> {
        let front = self.workers.get(&id).and_then(|worker| worker.line.front());
        let Some(front) = front.filter(|front| front.options.input == Encoding::Arguments) else { return Vec::new() };
        let item = front.items.get(front.done as usize).unwrap_or_else(|| panic!("{id} runs nothing"));
        taskcell_wire::codec::decode::<Batch<RunArgument<'_>>>(item).unwrap_or_else(|error| panic!("{error}")).0
    }

    /// The running task of a worker ends well, with this result.
    pub(crate) fn finish(&mut self, id: WorkerId, result: &str) {
        self.end(id, Ended::Ok(json(result)));
    }

    /// The running task of a worker ends.
    pub(crate) fn end(&mut self, id: WorkerId, ended: Ended<'static>) {
        let (chunk, at) = self.pop(id);
        let finished = self.broker.finished(self.now, id, chunk, at, 1, 1000);
        let (job, index) = finished.unwrap_or_else(|violation| panic!("{id}: {violation}"));
        if self.broker.owns(job) {
            self.broker.ended(self.now, job, index, ended);
        }
        self.settle();
    }

    /// A worker is done with what it runs, as far as the worker knows.
    pub(crate) fn pop(&mut self, id: WorkerId) -> (ChunkId, u32) {
        self.told(id);
        let worker = self.worker(id);
        let front = worker.line.front_mut().unwrap_or_else(|| panic!("{id} runs nothing"));
        let at = (front.chunk, front.done);
        front.done += 1;
        if front.done as usize == front.items.len() {
            worker.line.pop_front();
        }
        worker.open.clear();
        at
    }

    /// All tasks of the chunk that a worker runs end, each with its input.
    pub(crate) fn end_chunk(&mut self, id: WorkerId) {
        self.told(id);
        let worker = self.worker(id);
        worker.open.clear();
        let sent = worker.line.pop_front().unwrap_or_else(|| panic!("{id} runs nothing"));
        let rest = sent.items.get(sent.done as usize..).unwrap_or(&[]);
        let count = u32::try_from(rest.len()).unwrap_or(0);
        let finished = self.broker.finished(self.now, id, sent.chunk, sent.done, count, 1000 * u64::from(count));
        let (job, first) = finished.unwrap_or_else(|violation| panic!("{id}: {violation}"));
        assert!(self.broker.owns(job), "chunks of the API have one task here");
        for (index, item) in (first..).zip(rest) {
            self.broker.ended(self.now, job, index, Ended::Ok(json(&String::from_utf8_lossy(item))));
        }
        self.settle();
    }

    pub(crate) fn drop(&mut self, id: WorkerId, handle: HandleId) {
        self.told(id);
        self.broker.tell(self.now, id, Tell::Drop(handle)).unwrap_or_else(|violation| panic!("{id}: {violation}"));
        self.settle();
    }

    /// Lets time pass.
    pub(crate) fn wait(&mut self, milliseconds: u64) {
        self.now = self.now.plus(Duration::from_millis(milliseconds));
        while self.broker.next_tick().is_some_and(|at| at <= self.now) {
            self.broker.tick(self.now);
            self.settle();
        }
    }

    /// Workers that run something.
    pub(crate) fn busy(&self) -> Vec<WorkerId> {
        self.workers.iter().filter(|(_, worker)| !worker.line.is_empty()).map(|(id, _)| *id).collect()
    }
}

//! The supervisor's side of the simulated sockets: frames become events of the broker, and its effects become frames.
//!
//! What outcomes are worth and what a run looks like on the wire is the broker's own code ([`Broker::results`], `Work::run`). The way from frames
//! to those, and from effects to sockets, follows `host/supervisor/src/{dispatcher,inbound,effects,link}.rs` line by line, and stands here
//! once more because there it is tied to processes and pages. Everything that the broker answers passes the ledger first.

use std::collections::{BTreeMap, VecDeque};

use taskcell_broker::{Attempt, Broker, Effect, Finished, KillReason, Now, PoolId, ResultCheck, Results, Violation};
use taskcell_wire::from_worker::BootFailure;
use taskcell_wire::limits::BOOT_FRAME;
use taskcell_wire::{CallId, ChunkId, FrameBuffer, FromWorker, JobId, ToWorker, Turn, WorkerId, codec, encode};

use super::CAP;
use super::counts::Counts;
use super::ledger::Ledger;
use super::stream::{self, Stream};
use super::worker::{Boot, Life, Worker};
use crate::random::Random;

/// Looks in a row without a sign of life, as in `host/supervisor/src/pulse.rs`.
const STILL: u32 = 5;

/// The end of tasks of the API.
#[derive(Debug)]
pub(crate) enum Block {
    Outcomes(Finished),
    Lost(u64, Vec<Attempt>),
    Cancelled(u64, u32),
    Expired(u64, u32),
}

impl Block {
    pub(crate) fn place(&self) -> (u64, u32) {
        match self {
            Self::Outcomes(finished) => (finished.first, finished.count),
            Self::Lost(index, _) => (*index, 1),
            Self::Cancelled(first, count) | Self::Expired(first, count) => (*first, *count),
        }
    }
}

/// Where the ends of a job's tasks wait for their reader.
#[derive(Debug, Default)]
pub(crate) struct Sink {
    pub(crate) blocks: VecDeque<Block>,
    /// By place: whether it ended.
    pub(crate) ended: Vec<bool>,
}

fn deliver(sinks: &mut BTreeMap<JobId, Sink>, job: JobId, block: Block) {
    let Some(sink) = sinks.get_mut(&job) else { return };
    let (first, count) = block.place();
    for place in first..first + u64::from(count) {
        let place = usize::try_from(place).unwrap_or(usize::MAX);
        let ended = sink.ended.get_mut(place).unwrap_or_else(|| panic!("{job} has no task {place}: {block:?}"));
        assert!(!std::mem::replace(ended, true), "task {place} of {job} ends again: {block:?}");
    }
    sink.blocks.push_back(block);
}

/// One worker and both sides of its socket.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) worker: Worker,
    pub(crate) pid: u32,
    to_worker: Stream,
    to_supervisor: Stream,
    received: FrameBuffer,
    out: Vec<u8>,
    pub(crate) ready: bool,
    /// It was killed, and dies in a moment.
    pub(crate) killed: bool,
    wanting: bool,
    seen: u64,
    still: u32,
    /// Chunks that it was sent and whose tasks have not all ended, with their tasks' job and first place, how many ended and there are, and the first turn.
    pub(crate) line: VecDeque<(ChunkId, JobId, u64, u32, u32, Turn)>,
    /// Chunks that were done with.
    pub(crate) former: Option<ChunkId>,
}

#[derive(Debug)]
pub(crate) struct Supervisor {
    pub(crate) broker: Broker,
    pub(crate) pool: PoolId,
    pub(crate) now: Now,
    pub(crate) links: BTreeMap<WorkerId, Link>,
    pub(crate) sinks: BTreeMap<JobId, Sink>,
    pub(crate) failed: Option<String>,
    pub(crate) ledger: Ledger,
    pub(crate) counts: Counts,
    effects: Vec<Effect>,
    /// Whether spawns and boots may fail.
    pub(crate) faults: bool,
    pids: u32,
    pub(crate) most_workers: usize,
}

fn is_printable_json(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|byte| (0x20..0x7f).contains(byte))
}

impl Supervisor {
    pub(crate) fn new(broker: Broker) -> Self {
        Self {
            broker,
            pool: PoolId(0),
            now: Now(0),
            links: BTreeMap::new(),
            sinks: BTreeMap::new(),
            failed: None,
            ledger: Ledger::default(),
            counts: Counts::default(),
            effects: Vec::new(),
            faults: true,
            pids: 1000,
            most_workers: usize::MAX,
        }
    }

    /// Takes what the broker wants into the line of what is to be done, past the ledger.
    fn observe(&mut self) {
        self.observe_call(None);
    }

    /// The same after a call: what it did was done before it let others go on, though they may be answered first.
    fn observe_call(&mut self, made: Option<(WorkerId, CallId)>) {
        let before = self.effects.len();
        self.broker.take_effects(&mut self.effects);
        let new = &self.effects[before..];
        let is_its = |effect: &&Effect| matches!(effect, Effect::Reply(worker, call, _) if made == Some((*worker, *call)));
        let rest = new.iter().filter(|effect| !is_its(effect));
        for effect in new.iter().filter(is_its).chain(rest) {
            match effect {
                Effect::Reply(worker, call, answer) => self.ledger.answered(self.now, *worker, *call, answer),
                Effect::Kill(worker, _) => self.ledger.hang_up(*worker),
                Effect::Send(worker, _) => {
                    assert!(!self.ledger.waits(*worker), "{worker} is given work while its task waits");
                }
                Effect::Spawn(_)
                | Effect::TakeBack(..)
                | Effect::Lend(..)
                | Effect::Recover(_)
                | Effect::Stop(..)
                | Effect::Retire(_)
                | Effect::Lost { .. }
                | Effect::Cancelled { .. }
                | Effect::Expired { .. }
                | Effect::Deadlocked(_)
                | Effect::PoolFailed(..)
                | Effect::ReadInput(..)
                | Effect::Logged { .. } => {}
            }
        }
    }

    /// Carries out what the broker wants, and writes what the sockets take.
    pub(crate) fn carry_out(&mut self, random: &mut Random) {
        loop {
            self.observe();
            if self.effects.is_empty() {
                break;
            }
            let effects = std::mem::take(&mut self.effects);
            effects.into_iter().for_each(|effect| self.effect(effect, random));
        }
        self.ledger.settled();
        for link in self.links.values_mut() {
            link.send(random);
        }
    }

    fn effect(&mut self, effect: Effect, random: &mut Random) {
        match effect {
            Effect::Spawn(id) => self.spawn(id, random),
            Effect::Send(id, chunk) => self.send(id, chunk),
            Effect::TakeBack(id, until) => {
                let Some(link) = self.links.get_mut(&id) else { return };
                let claimed = link.worker.claimed;
                link.worker.claimed = claimed.max(until);
                let mut taken = 0;
                for sent in link.line.iter_mut().filter(|sent| sent.5 < until) {
                    let begun = u32::try_from(claimed.0.saturating_sub(sent.5.0)).unwrap_or(u32::MAX).max(sent.3).min(sent.4);
                    taken += u64::from(std::mem::replace(&mut sent.4, begun) - begun);
                }
                link.line.retain(|sent| sent.3 < sent.4);
                self.counts.taken_back += taken;
                self.counts.taken_from_one_that_waits += if link.worker.is_in_call() { taken } else { 0 };
                self.broker.taken_back(self.now, id, until, claimed);
                self.observe();
            }
            Effect::Stop(id, chunk) => {
                if let Some(link) = self.links.get_mut(&id) {
                    link.worker.stop = Some(chunk);
                }
            }
            Effect::Retire(id) => {
                self.counts.retired += 1;
                self.tell(id, &ToWorker::Shutdown);
            }
            Effect::Kill(id, reason) => {
                self.counts.killed += 1;
                if reason == KillReason::NotReady {
                    self.broker.fail(self.now, self.broker.pool_of(id), "a worker was not ready in time".into());
                    self.observe();
                }
                if let Some(link) = self.links.get_mut(&id) {
                    link.killed = true;
                }
            }
            Effect::Lost { job, index, history } => self.deliver(job, Block::Lost(index, history)),
            Effect::Cancelled { job, first, count } => self.deliver(job, Block::Cancelled(first, count)),
            Effect::Expired { job, first, count } => self.deliver(job, Block::Expired(first, count)),
            Effect::Deadlocked(waits) => panic!("a call is to be answered instead: {waits}"),
            Effect::PoolFailed(pool, why) => {
                if pool == self.pool {
                    self.failed = Some(why);
                    self.links.values_mut().for_each(|link| link.killed = true);
                }
            }
            Effect::Reply(id, call, answer) => self.tell(id, &ToWorker::Reply(call, answer)),
            Effect::Lend(..) | Effect::Recover(_) => panic!("nothing is lent here"),
            Effect::ReadInput(id, call, _) => panic!("{id} {call} asks for input"),
            Effect::Logged { .. } => {}
        }
    }

    fn deliver(&mut self, job: JobId, block: Block) {
        deliver(&mut self.sinks, job, block);
    }

    fn tell(&mut self, id: WorkerId, message: &ToWorker<'_>) {
        if let Some(link) = self.links.get_mut(&id) {
            encode(message, CAP, &mut link.out).expect("a short message");
        }
    }

    fn spawn(&mut self, id: WorkerId, random: &mut Random) {
        if self.faults && random.once_in(40) {
            self.counts.could_not_start += 1;
            self.broker.could_not_start(self.now, id, "failed to fork");
            return self.observe();
        }
        // A pool of a guest may give up beside others that go on; one of the API's is the end of all.
        let is_guests = self.broker.pool_of(id).is_some_and(|pool| self.broker.is_guests(pool));
        let boot = match random.below(400) {
            0..=3 if self.faults => Boot::Fails(BootFailure::Boot),
            4 if self.faults => Boot::Fails(BootFailure::Guest),
            5..=12 if self.faults => Boot::Dies,
            13..=22 if self.faults && is_guests => Boot::Fails(BootFailure::Guest),
            _ => Boot::Well,
        };
        self.pids += 1;
        self.counts.workers += 1;
        let capacity = |random: &mut Random| if random.once_in(3) { 1 + random.below(40) } else { 1 << 16 };
        let [to_worker, to_supervisor] = [(); 2].map(|()| Stream::new(usize::try_from(capacity(random)).unwrap_or(1)));
        let link = Link {
            worker: Worker::new(id, boot),
            pid: self.pids,
            to_worker,
            to_supervisor,
            received: stream::buffer(BOOT_FRAME),
            out: Vec::new(),
            ready: false,
            killed: false,
            wanting: false,
            seen: 0,
            still: 0,
            line: VecDeque::new(),
            former: None,
        };
        self.broker.worker_started(self.now, id, self.pids);
        self.links.insert(id, link);
        let pool = Some(self.pool);
        let alive = self.links.keys().filter(|id| self.broker.pool_of(**id) == pool).count();
        assert!(alive <= self.most_workers, "{alive} workers in a pool of {}", self.most_workers);
    }

    fn send(&mut self, id: WorkerId, chunk: ChunkId) {
        let (Some(work), Some(link)) = (self.broker.work(id, chunk), self.links.get_mut(&id)) else { return };
        if work.claimed {
            assert!(link.line.is_empty(), "{id} has something, and the first of {chunk} is given to it");
            link.worker.claimed = Turn(work.turn.0 + 1);
        }
        link.line.push_back((chunk, work.job, work.first, 0, work.count, work.turn));
        assert!(link.line.len() <= 64, "{} chunks at {id}", link.line.len());
        encode(&ToWorker::Run(work.run(chunk)), CAP, &mut link.out).expect("a few short items");
    }

    /// The job and the place of a task that a worker was sent.
    pub(crate) fn task(&self, id: WorkerId, chunk: ChunkId, at: u32) -> Option<(JobId, u64)> {
        let sent = self.links.get(&id)?.line.iter().find(|sent| sent.0 == chunk)?;
        Some((sent.1, sent.2 + u64::from(at)))
    }

    /// Reads some bytes of a worker, and handles what is whole. Whether anything was there.
    pub(crate) fn receive(&mut self, id: WorkerId, random: &mut Random) -> bool {
        let Some(mut link) = self.links.remove(&id) else { return false };
        let count = link.to_supervisor.read(&mut link.received, random);
        if count == 0 && link.worker.life != Life::Dead {
            self.links.insert(id, link);
            return false;
        }
        let mut ended = count == 0;
        if !ended && let Err(violation) = self.frames(id, &mut link) {
            assert!(link.worker.lied || link.killed, "{id} is honest, and {violation}");
            self.counts.violations += 1;
            self.broker.violated(self.now, id, violation);
            self.observe();
            ended = true;
        }
        if ended {
            self.gone(id, link, random);
        } else {
            self.links.insert(id, link);
        }
        self.carry_out(random);
        true
    }

    /// Its process is reaped.
    fn gone(&mut self, id: WorkerId, mut link: Link, random: &mut Random) {
        if link.worker.life != Life::Dead {
            link.worker.die();
        }
        stream::give_back(link.received);
        let running = link.worker.running;
        // Other workers are given the tasks that it has not begun before its process is reaped.
        self.broker.worker_ending(self.now, id, link.worker.claimed);
        self.ledger.hang_up(id);
        self.carry_out(random);
        if link.wanting {
            self.broker.could_not_start(self.now, id, "gave up");
        } else {
            self.counts.deaths += 1;
            self.broker.worker_gone(self.now, id, link.pid, "fell over".into(), running);
        }
        self.ledger.over(id);
        self.observe();
    }

    fn frames(&mut self, id: WorkerId, link: &mut Link) -> Result<(), Violation> {
        let mut received = std::mem::replace(&mut link.received, FrameBuffer::new(0));
        let result = loop {
            match received.next_frame() {
                Ok(None) => break Ok(()),
                Err(_) => break Err(Violation::Malformed),
                Ok(Some(frame)) => match codec::decode::<FromWorker<'_>>(frame) {
                    Err(_) => break Err(Violation::Malformed),
                    Ok(message) => {
                        let is_ready = matches!(message, FromWorker::Ready(_));
                        if let Err(violation) = self.message(id, link, message) {
                            break Err(violation);
                        }
                        if is_ready {
                            received.set_cap(CAP);
                        }
                    }
                },
            }
        };
        link.received = received;
        result
    }

    fn message(&mut self, id: WorkerId, link: &mut Link, message: FromWorker<'_>) -> Result<(), Violation> {
        self.counts.messages += 1;
        match message {
            FromWorker::Ready(_) if link.ready => return Err(Violation::OutOfTurn),
            FromWorker::Ready(_) => {
                link.ready = true;
                self.broker.worker_ready(self.now, id)?;
            }
            FromWorker::Failed { .. } if link.ready => return Err(Violation::OutOfTurn),
            FromWorker::Failed { kind: BootFailure::Boot, .. } => link.wanting = true,
            FromWorker::Failed { .. } => {
                self.counts.cannot_begin += 1;
                self.broker.fail(self.now, self.broker.pool_of(id), "a guest that can't begin".into());
            }
            FromWorker::Results { .. } if !link.ready => return Err(Violation::OutOfTurn),
            FromWorker::Results { chunk, first, count, nanoseconds, outcomes } => {
                let results = Results { chunk, first, count, nanoseconds, outcomes: outcomes.into() };
                let check = ResultCheck { pid: link.pid, result_bytes: 100, is_printable_json };
                let sinks = &mut self.sinks;
                self.broker.results(self.now, id, results, &check, &mut |finished| {
                    deliver(sinks, finished.job, Block::Outcomes(finished));
                })?;
                self.ledger.over(id);
                link.count(chunk, count);
            }
            FromWorker::Printed { .. } => return Err(Violation::OutOfTurn),
            FromWorker::Call(call, body) => {
                self.broker.call(self.now, id, call, body.clone())?;
                self.counts.calls += 1;
                self.ledger.asked(id, call, &body);
                self.observe_call(Some((id, call)));
            }
            FromWorker::Tell(tell) => self.broker.tell(self.now, id, tell)?,
            FromWorker::LaidResults(_) | FromWorker::Laid => panic!("{id} shares no memory"),
        }
        self.observe();
        Ok(())
    }

    /// What becomes due at this moment.
    pub(crate) fn tick(&mut self, random: &mut Random) {
        if self.broker.next_tick().is_some_and(|at| at <= self.now) {
            self.broker.tick(self.now);
            self.observe();
            self.carry_out(random);
            let next = self.broker.next_tick();
            assert!(next.is_none_or(|next| next > self.now), "{next:?} is due at {:?}", self.now);
        }
    }

    /// Kills workers that have a task and stand still, as `Dispatcher::look` does once a second.
    pub(crate) fn look(&mut self) {
        for (id, link) in &mut self.links {
            let at_work = link.ready && self.broker.is_at_work(*id);
            link.still = if at_work && link.worker.beats == link.seen { link.still + 1 } else { 0 };
            link.seen = link.worker.beats;
            if link.still >= STILL && !link.killed {
                link.killed = true;
                self.counts.stood_still += 1;
            }
        }
    }
}

impl Link {
    /// Writes what the socket takes now.
    pub(crate) fn send(&mut self, random: &mut Random) {
        if !self.out.is_empty() && self.to_worker.has_room() {
            let count = self.to_worker.write(&self.out, random);
            self.out.drain(..count);
        }
    }

    /// Lets the worker do its next thing.
    pub(crate) fn step(&mut self, now: Now, random: &mut Random) -> super::worker::Did {
        self.worker.step(now, &mut self.to_worker, &mut self.to_supervisor, random)
    }

    /// Whether bytes of the worker are on their way.
    pub(crate) fn is_heard(&self) -> bool {
        self.to_supervisor.is_empty()
    }

    /// Tasks of a chunk ended.
    fn count(&mut self, chunk: ChunkId, count: u32) {
        if let Some(sent) = self.line.iter_mut().find(|sent| sent.0 == chunk) {
            sent.3 += count;
            if sent.3 >= sent.4 {
                self.former = Some(chunk);
                self.line.retain(|sent| sent.0 != chunk);
            }
        }
    }
}

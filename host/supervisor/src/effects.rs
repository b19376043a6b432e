//! The broker's effects, carried out: processes started and killed, frames written, ends handed to those who wait.
//!
//! No decision is made here. What can fail is told to the broker as an event, and it decides.

use taskcell_broker::{Effect, KillReason, PoolId, Violation, WorkerSpec};
use taskcell_engine::values;
use taskcell_wire::call::{CallError, CallId};
use taskcell_wire::from_worker::BootFailure;
use taskcell_wire::{ChunkId, JobId, Signature, ToWorker, TypeTable, WorkerId, encode};
use taskcell_worker::page;

use crate::audit::ViolationKind;
use crate::delivery::{Block, Logged};
use crate::dispatcher::{Dispatcher, Failure};
use crate::error::{Error, TaskError};
use crate::link::Link;
use crate::loans;
use crate::turn::watch;
use crate::zygotes::Started;

impl Dispatcher {
    /// Hands ends of the API's tasks to those who wait for them.
    pub(crate) fn deliver(&self, job: JobId, block: Block) {
        if let Some(sink) = self.sinks.get(&job) {
            sink.push(block);
        }
    }

    /// Carries out the broker's effects, up to the writes.
    pub(crate) fn perform(&mut self) {
        loop {
            let mut effects = std::mem::take(&mut self.effects);
            self.broker.take_effects(&mut effects);
            if effects.is_empty() {
                self.effects = effects;
                self.last_written = None;
                return;
            }
            for effect in effects.drain(..) {
                self.effect(effect);
            }
            self.effects = effects;
        }
    }

    /// Carries out the broker's effects, and writes what waits for each worker.
    pub(crate) fn carry_out(&mut self) {
        loop {
            self.perform();
            // A full socket tells when it has room again; until then trying is of no use.
            for (id, link) in self.links.iter_mut().filter(|(_, link)| link.has_out() && !link.is_full()) {
                link.send();
                if link.is_full() {
                    watch(&self.epoll, link, *id, true, false);
                }
            }
            let is_over = |link: &Link| link.is_full() && link.reads_nothing();
            let Some(id) = self.links.iter().find(|(_, link)| is_over(link)).map(|(id, _)| *id) else { return };
            if let Some(link) = self.links.remove(&id) {
                self.violated(id, link, Violation::ReadsNothing);
            }
        }
    }

    fn effect(&mut self, effect: Effect) {
        match effect {
            Effect::Spawn(id) => self.spawn(id),
            Effect::Send(worker, chunk) => self.send(worker, chunk),
            Effect::TakeBack(worker, until) => {
                if let Some(link) = self.links.get(&worker) {
                    let claimed = page::take_back(&link.memory, until);
                    self.broker.taken_back(self.now(), worker, until, claimed);
                }
            }
            Effect::Stop(worker, chunk) => {
                if let Some(link) = self.links.get(&worker) {
                    page::ask_to_stop(&link.memory, chunk);
                }
            }
            Effect::Retire(worker) => {
                if let Some(link) = self.links.get_mut(&worker) {
                    // A frame of one byte is never over the cap.
                    let _ = encode(&ToWorker::Shutdown, 64, link.out());
                }
            }
            Effect::Kill(worker, reason) => {
                if reason == KillReason::NotReady {
                    // The same code and the same machine: another one would hang alike.
                    let why = "a worker was not ready in time; do the component's start functions end?";
                    self.boot_failed(worker, BootFailure::Guest, why.into());
                }
                if matches!(reason, KillReason::Timeout | KillReason::NotReady) {
                    self.audit_killed(worker, ViolationKind::Overdue, reason_text(&reason).trim_start_matches("because "));
                }
                if let Some(link) = self.links.get_mut(&worker) {
                    link.kill(reason_text(&reason));
                }
                self.reaper.kill(self.clock.now(), worker, || reason_text(&reason));
            }
            Effect::Lost { job, index, history } => {
                let block = Block::lost(index, history);
                let block = match self.last_written.take_if(|(whose, _)| *whose == (job, index)) {
                    Some((_, written)) => block.with(written),
                    None => block,
                };
                self.deliver(job, block);
            }
            Effect::Cancelled { job, first, count } => {
                self.deliver(job, Block::untried(first, count, TaskError::Cancelled));
            }
            Effect::Expired { job, first, count } => {
                self.deliver(job, Block::untried(first, count, TaskError::Expired));
            }
            Effect::PoolFailed(pool, why) => self.fail(pool, &why),
            Effect::Reply(worker, call, result) => self.answer(worker, call, &ToWorker::Reply(call, result)),
            Effect::Lend(worker, call, reply, loan) => {
                if let Some(link) = self.links.get_mut(&worker) {
                    loans::lend(link, &loan);
                    self.answer(worker, call, &ToWorker::Lend(call, reply, loan));
                }
            }
            Effect::Recover(worker) => loans::recover(self, worker),
            Effect::ReadInput(worker, call, limit) => self.read_input(worker, call, limit),
            Effect::Deadlocked(text) => {
                if let Some(deadlocked) = &mut self.deadlocked {
                    deadlocked(&text);
                }
            }
            Effect::Logged { task, level, text } => {
                if let Some(logged) = &mut self.logged {
                    logged(Logged { task, level, text: &text });
                }
            }
        }
    }

    /// The same code and the same machine: another worker of this pool would fail alike.
    pub(crate) fn boot_failed(&mut self, worker: WorkerId, kind: BootFailure, why: String) {
        if self.broker.pool_of(worker) == Some(self.pool) {
            self.boot_failure.get_or_insert(kind);
        }
        self.broker.fail(self.now(), self.broker.pool_of(worker), why);
    }

    fn answer(&mut self, worker: WorkerId, call: CallId, answer: &ToWorker<'_>) {
        let Some(link) = self.links.get_mut(&worker) else { return };
        let nearby = link.answer(call, answer).unwrap_or_else(|error| {
            // The broker keeps its answers below a frame's cap; were one over it, its caller is told instead of kept waiting.
            let told = Err(CallError::Quota(format!("an answer that fits a frame: {error}")));
            link.answer(call, &ToWorker::Reply(call, told)).unwrap_or(false)
        });
        self.listener.answered(worker, nearby);
    }

    fn spawn(&mut self, id: WorkerId) {
        let Some(spec) = self.broker.spec(id).copied() else { return };
        // Out of processes, descriptors or memory.
        if let Err(error) = self.try_spawn(id, &spec) {
            self.broker.could_not_start(self.now(), id, &format!("failed to {error}"));
        }
    }

    fn try_spawn(&mut self, id: WorkerId, spec: &WorkerSpec) -> Result<(), Error> {
        let plan = self.boots.of(spec)?;
        let (mut link, theirs) = Link::new(&plan)?;
        let started = self.zygotes.start(&plan, id, theirs, &self.epoll, self.cgroup.as_ref())?;
        if let Started::Executed(child) = started {
            // Its boot message is sent later, so only code of ours has run outside of the group.
            if let Some(group) = &self.cgroup {
                group.add(child.pid())?;
            }
            link.executed(child, &plan.frame);
            self.broker.worker_started(self.now(), id, link.pid());
        }
        watch(&self.epoll, &link, id, false, true);
        self.links.insert(id, link);
        Ok(())
    }

    fn send(&mut self, worker: WorkerId, chunk: ChunkId) {
        let (Some(work), Some(link)) = (self.broker.work(worker, chunk), self.links.get_mut(&worker)) else { return };
        let run = work.run(chunk);
        if run.claimed {
            page::give(&link.memory, run.turn, run.together.min(run.count));
        }
        if let Err(error) = link.run(run) {
            // Inputs are capped when they are submitted, below a frame's cap.
            link.kill(format!("because its work could not be sent: {error}"));
        }
    }

    /// A pool gave up. Only the first one's end is the end of all; of a guest's the guest is told.
    fn fail(&mut self, pool: PoolId, why: &str) {
        if pool != self.pool {
            return;
        }
        self.failure = Some(Failure { boot: self.boot_failure, text: why.to_owned() });
        for sink in self.sinks.values() {
            sink.fail(why);
        }
        for link in self.links.values_mut() {
            link.kill("because the pool stopped".into());
        }
    }
}

fn reason_text(reason: &KillReason) -> String {
    match reason {
        KillReason::Timeout => "because its task ran over its time and did not stop".into(),
        KillReason::Cancelled => "because its task was cancelled and did not stop".into(),
        KillReason::NotReady => "because it was not ready in time".into(),
        KillReason::Violation(violation) => format!("because {violation}"),
        KillReason::Killed => "by the task that started it, or with it".into(),
        KillReason::Stopped => "because the pool stopped".into(),
    }
}

/// One input of a task that a guest maps, as the command line's are checked.
pub(crate) fn check_input(types: &TypeTable, signature: &Signature, json: &[u8]) -> Result<(), String> {
    values::check_json(types, signature, json).map_err(|error| error.to_string())
}

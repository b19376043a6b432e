//! How workers are started: executed, or forked by the zygote of their kind.
//!
//! A pool of one executes its worker: a zygote takes as long to start and would be a second process. Every
//! worker after it is forked. Nothing here waits: an order is sent, and the answer comes as an event.
//!
//! A zygote has loaded code, so it may be an attacker's. It can refuse to fork, which is what a worker that
//! dies at its start can do; after [`MOST_FAILURES`] in a row, workers of its kind are executed.

use std::collections::{BTreeMap, VecDeque};
use std::os::fd::OwnedFd;

use rustix::event::epoll::{self, EventData, EventFlags};
use taskcell_sandbox::{Child, Role, SpawnError, SpawnOptions, Stderr, Strictness, Zygote, ZygoteAnswer};
use taskcell_wire::{FromWorker, WorkerId, codec, limits};

use crate::boot::Plan;
use crate::cgroup::Cgroup;
use crate::dispatcher::Dispatcher;
use crate::error::Error;
use crate::inbound;

/// The epoll data of a zygote's socket: this bit, and the number of its plan.
pub(crate) const ZYGOTE: u64 = 1 << 62;
/// After so many zygotes in a row that forked nothing, workers are executed.
const MOST_FAILURES: u32 = 3;

/// How the workers of a pool are started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WorkerStart {
    /// By a process that has loaded the component once and forks them. Fast, and they share that process's
    /// memory. Their code, stacks and canaries are at the same addresses, as long as the pool lives: an
    /// attacker who takes over one worker knows where those of the others are.
    #[default]
    Fork,
    /// By executing the program anew, each with an address layout of its own. Takes ten times as long.
    Exec,
}

/// A kind of workers.
#[derive(Debug, Default)]
struct Nest {
    zygote: Option<Zygote>,
    /// Those that were ordered, in that order.
    waiting: VecDeque<WorkerId>,
    /// Zygotes since the last one that forked a worker.
    failures: u32,
}

/// The zygotes of a job, by plan.
#[derive(Debug)]
pub(crate) struct Zygotes {
    start: WorkerStart,
    strictness: Strictness,
    /// The next worker may be the only one.
    executes_next: bool,
    nests: BTreeMap<u64, Nest>,
}

/// What became of the wish for a worker.
pub(crate) enum Started {
    /// It runs, and reads its boot message from its socket.
    Executed(Child),
    /// It was ordered.
    Ordered,
}

impl Zygotes {
    pub(crate) fn new(start: WorkerStart, strictness: Strictness, executes_next: bool) -> Self {
        Self { start, strictness, executes_next, nests: BTreeMap::new() }
    }

    /// Starts a worker, or orders it. `theirs`: its socket, and its shared memory.
    /// A zygote is put into the control group at once; the workers that it forks are born there.
    pub(crate) fn start(
        &mut self,
        plan: &Plan,
        id: WorkerId,
        theirs: [OwnedFd; 2],
        epoll: &OwnedFd,
        cgroup: Option<&Cgroup>,
    ) -> Result<Started, Error> {
        let executes = std::mem::take(&mut self.executes_next) || self.start == WorkerStart::Exec;
        let nest = self.nests.entry(plan.number).or_default();
        if executes || nest.failures >= MOST_FAILURES {
            return execute(plan, theirs, self.strictness).map(Started::Executed);
        }
        let zygote = match &nest.zygote {
            Some(zygote) => zygote,
            None => {
                nest.failures += 1;
                let zygote = start_zygote(plan, self.strictness)?;
                if let Some(group) = cgroup {
                    group.add(zygote.pid())?;
                }
                epoll::add(epoll, zygote.socket(), EventData::new_u64(ZYGOTE | plan.number), EventFlags::IN)?;
                nest.zygote.insert(zygote)
            }
        };
        zygote.order(&theirs)?;
        nest.waiting.push_back(id);
        Ok(Started::Ordered)
    }

    /// Ends all zygotes. Workers live on.
    pub(crate) fn stop(&mut self) {
        self.nests.clear();
    }
}

fn options(plan: &Plan, strictness: Strictness, inherited: Vec<OwnedFd>) -> Result<SpawnOptions, Error> {
    let mut options = SpawnOptions::new(Role::Worker, strictness, inherited);
    for directory in plan.directories.iter() {
        options.inherited.push(directory.try_clone().map_err(Error::System)?);
    }
    // The user's terminal is no place for a process that may be an attacker's.
    options.stderr = Stderr::Null;
    if !plan.directories.is_empty() {
        // A guest's own limit is on its handles, and its error says so; the process's, below it, would look like a broken disk.
        let files = u64::from(plan.limits.handles) + plan.directories.len() as u64;
        options.limits.open_files = options.limits.open_files.map(|most| most.saturating_add(files));
    }
    Ok(options)
}

fn execute(plan: &Plan, [socket, memory]: [OwnedFd; 2], strictness: Strictness) -> Result<Child, Error> {
    let code = plan.code().try_clone().map_err(Error::System)?;
    Ok(taskcell_sandbox::spawn(options(plan, strictness, vec![socket, code, memory])?)?)
}

fn start_zygote(plan: &Plan, strictness: Strictness) -> Result<Zygote, Error> {
    let code = plan.code().try_clone().map_err(Error::System)?;
    let boot = taskcell_sandbox::sealed_memfd("taskcell-boot", &plan.frame)
        .map_err(|error| Error::System(std::io::Error::other(error)))?;
    let own_uids = plan.directories.is_empty();
    Ok(Zygote::start(options(plan, strictness, vec![code, boot])?, own_uids)?)
}

impl Dispatcher {
    /// A zygote answered, or ended.
    pub(crate) fn zygote_ready(&mut self, data: u64) {
        let number = data & !ZYGOTE;
        while let Some(nest) = self.zygotes.nests.get_mut(&number)
            && let Some(zygote) = &nest.zygote
        {
            match zygote.answer() {
                Ok(None) => return,
                Ok(Some(ZygoteAnswer::Forked(child))) => {
                    // Nobody was ordered: the child is dropped, which ends it.
                    let Some(id) = nest.waiting.pop_front() else { return self.lose_zygote(number, &SpawnError::ZygoteLied) };
                    nest.failures = 0;
                    self.forked(number, id, child);
                }
                Ok(Some(ZygoteAnswer::Refused(error))) => {
                    let Some(id) = nest.waiting.pop_front() else { return self.lose_zygote(number, &SpawnError::ZygoteLied) };
                    if let Some(link) = self.links.remove(&id) {
                        self.forget(id, &link);
                        self.broker.could_not_start(self.now(), id, &format!("failed to {}", SpawnError::Clone(error)));
                    }
                }
                Ok(Some(ZygoteAnswer::Failed(frame))) => return self.zygote_failed(number, &frame),
                Err(lost) => return self.lose_zygote(number, &lost),
            }
        }
    }

    fn forked(&mut self, number: u64, id: WorkerId, child: Child) {
        let zygote = self.zygotes.nests.get(&number).and_then(|nest| nest.zygote.as_ref());
        let (Some(zygote), Some(link)) = (zygote, self.links.get_mut(&id)) else { return };
        // The zygote may have forked it before it was in the group itself.
        if let Some(group) = &self.cgroup
            && let Err(error) = group.add(child.pid())
        {
            link.kill(format!("because it can't be bounded: failed to {error}"));
            return link.started(child);
        }
        // One that can't be released is gone, which its socket shows.
        let _ = zygote.release(&child, link.socket());
        let pid = child.pid();
        link.started(child);
        self.broker.worker_started(self.now(), id, pid);
    }

    /// It can't get ready, so none of its workers can.
    fn zygote_failed(&mut self, number: u64, frame: &[u8]) {
        let waiting = self.end_zygote(number);
        for id in waiting {
            let Some(mut link) = self.links.remove(&id) else { continue };
            let said = codec::first_frame(frame).ok().and_then(|(frame, _)| codec::decode::<FromWorker<'_>>(frame).ok());
            match said.filter(|_| frame.len() as u64 <= limits::BOOT_FRAME) {
                Some(FromWorker::Failed { kind, text }) => inbound::failed(self, id, &mut link, kind, text),
                Some(_) | None => link.last_words = Some(SpawnError::ZygoteLied.to_string()),
            }
            self.end(id, link);
        }
    }

    fn lose_zygote(&mut self, number: u64, why: &SpawnError) {
        for id in self.end_zygote(number) {
            if let Some(mut link) = self.links.remove(&id) {
                link.last_words.get_or_insert(why.to_string());
                self.end(id, link);
            }
        }
    }

    /// Ends a zygote; the next worker of its kind starts another one. Gives those that waited for it.
    fn end_zygote(&mut self, number: u64) -> VecDeque<WorkerId> {
        let Some(nest) = self.zygotes.nests.get_mut(&number) else { return VecDeque::new() };
        if let Some(zygote) = nest.zygote.take() {
            let _ = epoll::delete(&self.epoll, zygote.socket());
        }
        std::mem::take(&mut nest.waiting)
    }
}

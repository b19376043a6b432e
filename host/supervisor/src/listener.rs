//! Which workers' calls are looked for in shared memory, and for how long before the dispatcher sleeps.
//!
//! The failure that this prevents: a guest that makes many short calls waits for two wake-ups in each. A dispatcher that has just answered one looks
//! for the next for a moment before it sleeps; how both sides keep from sleeping on a message is in [`taskcell_worker::mailbox`].
//!
//! Looking takes a processor that somebody else may need, so it is done only if it can pay: a worker that was answered runs, and
//! all that run do so on other processors. One that runs on this one, or was just woken and may be waiting for it, gets it first. After looks in
//! vain the next occasions are let pass, up to 63 in a row.

use std::collections::BTreeMap;

use taskcell_wire::WorkerId;
use taskcell_worker::look::{Backoff, LOOK_NS};
use taskcell_worker::mailbox;
use taskcell_worker::stop::now;

use crate::link::Link;

/// A worker that made no call in so many sleeps of the dispatcher is no longer looked at; its next call goes over the socket.
const SLEEPS: u32 = 100;
/// So many rounds of calls, then sockets have their turn.
const ROUNDS: u32 = 64;

/// Workers that call, and what looking for their calls brought.
#[derive(Debug)]
pub(crate) struct Listener {
    callers: BTreeMap<WorkerId, Caller>,
    cpus: u32,
    /// Rounds since sockets had their turn.
    rounds: u32,
    /// Which occasions to look are taken.
    backoff: Backoff,
    /// Whether somebody was woken since the last look.
    woke: bool,
}

#[derive(Debug)]
struct Caller {
    /// Sleeps since its last call.
    sleeps: u32,
    /// Whether it was answered and is not known to wait for anything.
    runs: bool,
}

impl Listener {
    pub(crate) fn new(cpus: u32) -> Self {
        Self { callers: BTreeMap::new(), cpus, rounds: 0, backoff: Backoff::default(), woke: false }
    }

    /// A worker made a call, by whichever way.
    pub(crate) fn called(&mut self, id: WorkerId, link: &Link) {
        self.callers.insert(id, Caller { sleeps: 0, runs: false });
        mailbox::listen(&link.memory);
    }

    /// A worker posted something, and goes on.
    pub(crate) fn posted(&mut self, id: WorkerId, link: &Link) {
        if self.callers.insert(id, Caller { sleeps: 0, runs: true }).is_none() {
            mailbox::listen(&link.memory);
        }
    }

    /// A worker's call was answered: where it looks for that, or by waking it.
    pub(crate) fn answered(&mut self, id: WorkerId, nearby: bool) {
        if let Some(caller) = self.callers.get_mut(&id) {
            caller.runs = true;
            self.woke |= !nearby;
        }
    }

    pub(crate) fn gone(&mut self, id: WorkerId) {
        self.callers.remove(&id);
    }

    /// Whether no worker's calls are looked for.
    pub(crate) fn is_idle(&self) -> bool {
        self.callers.is_empty()
    }

    /// Whether a worker may look for an answer that takes a while: there are processors enough for all that wait.
    pub(crate) fn is_patient(&self) -> bool {
        (self.callers.len() as u64) < u64::from(self.cpus)
    }

    /// Workers whose calls lie there, at once or after a look for some, if that may pay.
    pub(crate) fn look(&mut self, links: &BTreeMap<WorkerId, Link>) -> Vec<WorkerId> {
        if self.callers.is_empty() || self.rounds >= ROUNDS {
            self.rounds = 0;
            return Vec::new();
        }
        self.rounds += 1;
        let here = self.there(links);
        if !here.is_empty() {
            return here;
        }
        let Some(elsewhere) = self.run_elsewhere(links) else { return here };
        if !self.backoff.may_pay() {
            return here;
        }
        let began = now();
        // One that was just woken may stand in line for this very processor.
        if std::mem::take(&mut self.woke) || !elsewhere {
            std::thread::yield_now();
        }
        let until = if elsewhere { began.saturating_add(LOOK_NS) } else { 0 };
        loop {
            let here = self.there(links);
            let time = now();
            if !here.is_empty() {
                // Giving the processor away may have taken long, and was then as good as a sleep.
                if time < began.saturating_add(2 * LOOK_NS) {
                    self.backoff.looked(true);
                }
                return here;
            }
            if time >= until {
                break;
            }
            std::hint::spin_loop();
        }
        self.backoff.looked(false);
        // Nobody called in time; the next occasion is after the next answer.
        self.callers.values_mut().for_each(|caller| caller.runs = false);
        Vec::new()
    }

    /// Before the dispatcher sleeps: nobody is looked at any more. Workers whose calls lie there all the same, so that it must not sleep.
    pub(crate) fn sleep(&mut self, links: &BTreeMap<WorkerId, Link>) -> Vec<WorkerId> {
        for id in self.callers.keys() {
            if let Some(link) = links.get(id) {
                mailbox::stop_listening(&link.memory);
            }
        }
        let here = self.there(links);
        if here.is_empty() {
            self.callers.retain(|_, caller| {
                caller.sleeps += 1;
                caller.sleeps < SLEEPS
            });
        }
        here
    }

    /// After the sleep.
    pub(crate) fn wake(&mut self, links: &BTreeMap<WorkerId, Link>) {
        self.rounds = 0;
        for id in self.callers.keys() {
            if let Some(link) = links.get(id) {
                mailbox::listen(&link.memory);
            }
        }
    }

    fn there(&self, links: &BTreeMap<WorkerId, Link>) -> Vec<WorkerId> {
        let calls = |id: &&WorkerId| links.get(id).is_some_and(Link::has_laid);
        self.callers.keys().filter(calls).copied().collect()
    }

    /// Whether all callers that run do so on other processors than this one; `None` if none runs.
    fn run_elsewhere(&self, links: &BTreeMap<WorkerId, Link>) -> Option<bool> {
        let running = self.callers.iter().filter(|(_, caller)| caller.runs).filter_map(|(id, _)| links.get(id));
        running.map(|link| !mailbox::calls_from_here(&link.memory)).reduce(|all, one| all && one)
    }
}

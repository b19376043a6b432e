//! One turn of the dispatcher: wait, read, tell the broker, carry out what it wants, write.
//!
//! Before it sleeps it looks for calls in shared memory ([`crate::listener`]); what it finds there, and what sockets bring, is a turn alike.

use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::event::Timespec;
use rustix::event::epoll::{self, EventData, EventFlags};
use taskcell_broker as broker;
use taskcell_wire::{Turn, WorkerId};
use taskcell_worker::{look, page};

use crate::audit::ViolationKind;
use crate::dispatcher::{Dispatcher, WAKE};
use crate::inbound;
use crate::link::{Link, Received};
use crate::loans;
use crate::reaper::{Gone, Reaped};
use crate::zygotes::ZYGOTE;

/// Reads of one worker before the others have their turn.
const READS: usize = 4;
/// Sockets that one wait reports; the rest wait for the next turn.
const EVENTS: usize = 32;

impl Dispatcher {
    /// Waits until something happens, at most `wait`, and handles it. Whether the eventfd rang.
    pub(crate) fn turn(&mut self, wait: Option<Duration>) -> bool {
        let mut calls = self.listener.look(&self.links);
        let rang = if calls.is_empty() {
            self.look_for_results();
            let slept = self.sleep(wait, &mut calls);
            // An interrupted wait, as by a stop of this process, is a turn in which nothing happened: before any moment counts as passed, what
            // has arrived meanwhile is read.
            let Some(rang) = slept else { return false };
            rang
        } else {
            false
        };
        for id in calls {
            self.call_laid(id);
        }
        if self.looks.is_due() {
            self.look();
        }
        if self.broker.next_tick().is_some_and(|at| at <= self.now()) {
            self.broker.tick(self.now());
        }
        for id in self.reaper.due(self.now()) {
            self.reap(id);
        }
        self.carry_out();
        rang
    }

    /// Looks for a moment whether a worker answers, if that may pay: workers have tasks, and all that do run on other processors.
    fn look_for_results(&mut self) {
        let cpus = crate::pool::cpu_count().get() as usize;
        // With more workers than that, somebody else can use this processor.
        if !self.listener.is_idle() || self.links.len() > 4 * cpus {
            return;
        }
        let busy: Vec<&Link> = self.links.iter().filter(|(id, _)| self.broker.is_at_work(**id)).map(|(_, link)| link).collect();
        let elsewhere = busy.iter().all(|link| !look::answers_from_here(&link.memory));
        if !busy.is_empty() && busy.len() < cpus && elsewhere && self.backoff.may_pay() {
            self.backoff.looked(look::look(|| busy.iter().any(|link| link.has_answered())));
        }
    }

    /// Waits for sockets, unless a call lies in shared memory, and handles what is ready. Whether the eventfd rang; `None` if the wait was
    /// interrupted.
    fn sleep(&mut self, wait: Option<Duration>, calls: &mut Vec<WorkerId>) -> Option<bool> {
        let due = [self.broker.next_tick(), self.reaper.next_due()].into_iter().flatten().min();
        let due = due.map(|at| Duration::from_nanos(at.since(self.now()).0));
        let look = (!self.links.is_empty()).then(|| self.looks.wait());
        *calls = self.listener.sleep(&self.links);
        let wait = if calls.is_empty() { [wait, due, look].into_iter().flatten().min() } else { Some(Duration::ZERO) };
        let mut events = [epoll::Event { flags: EventFlags::empty(), data: EventData::new_u64(0) }; EVENTS];
        let waited = epoll::wait(&self.epoll, &mut events[..], wait.map(timespec).as_ref());
        self.clock.waited(wait);
        self.listener.wake(&self.links);
        let count = waited.ok()?;
        let mut rang = false;
        for event in events.iter().take(count) {
            match event.data.u64() {
                WAKE => rang = true,
                zygote if zygote & ZYGOTE != 0 => {
                    self.zygote_ready(zygote);
                    self.carry_out();
                }
                id if self.reaper.contains(WorkerId(id)) => self.reap(WorkerId(id)),
                id => self.socket_ready(WorkerId(id), event.flags),
            }
        }
        Some(rang)
    }

    /// Handles a call that lies in shared memory.
    fn call_laid(&mut self, id: WorkerId) {
        let Some(mut link) = self.links.remove(&id) else { return };
        match inbound::laid(self, id, &mut link) {
            Ok(()) => {
                self.links.insert(id, link);
                self.perform();
                // One that was answered looks no longer.
                if !self.listener.is_patient()
                    && let Some(link) = self.links.get_mut(&id)
                {
                    link.answer_by_socket();
                }
            }
            Err(violation) => self.violated(id, link, violation),
        }
    }

    /// A worker broke the protocol. Its socket's end is its end.
    pub(crate) fn violated(&mut self, id: WorkerId, mut link: Link, violation: broker::Violation) {
        self.audit(id, &link, ViolationKind::Protocol, &violation.to_string());
        link.kill(format!("because {violation}"));
        self.broker.violated(self.now(), id, violation);
        self.end(id, link);
    }

    /// Kills workers that have a task and stand still.
    fn look(&mut self) {
        let mut stalled = Vec::new();
        for (id, link) in &mut self.links {
            let at_work = link.ready && self.broker.is_at_work(*id);
            if !at_work {
                link.give_back_memory();
            }
            if link.pulse.look(at_work, page::beats(&link.memory)) {
                link.kill("because it stood still with a task to run; was it stopped?".into());
                stalled.push(*id);
            }
        }
        for id in stalled {
            self.audit_killed(id, ViolationKind::Stalled, "it stood still with a task to run");
        }
    }

    fn socket_ready(&mut self, id: WorkerId, flags: EventFlags) {
        let Some(mut link) = self.links.remove(&id) else { return };
        if flags.contains(EventFlags::OUT) {
            link.send();
            if !link.is_full() {
                watch(&self.epoll, &link, id, false, false);
            }
        }
        let mut ended = false;
        if flags.intersects(EventFlags::IN | EventFlags::HUP | EventFlags::RDHUP | EventFlags::ERR) {
            for _ in 0..READS {
                let received = link.receive();
                match received {
                    Received::Nothing => break,
                    Received::End => {
                        ended = true;
                        break;
                    }
                    Received::Bytes | Received::Last => {}
                }
                // An honest worker laid a call before it sent what was just received. One that lies there loses what it runs now, and not
                // what it answered before.
                let laid = inbound::laid(self, id, &mut link);
                let handled = inbound::frames(self, id, &mut link).and(laid);
                if let Err(violation) = handled {
                    self.violated(id, link, violation);
                    return self.carry_out();
                }
                if received == Received::Last {
                    break;
                }
            }
        }
        if ended {
            self.end(id, link);
        } else {
            self.links.insert(id, link);
        }
        self.carry_out();
    }

    /// A worker's connection ended. Its process is reaped when it has ended; until then only the task that it ran waits.
    pub(crate) fn end(&mut self, id: WorkerId, mut link: Link) {
        self.forget(id, &link);
        // What it posted and took before its end counts, unless it can't be understood.
        let _ = loans::told(self, id, &mut link);
        // One that still lives begins with no other task from here on.
        let claimed = page::take_back(&link.memory, Turn(u64::MAX));
        let suspect = self.suspect(id, &link);
        match link.into_ending(suspect) {
            Ok(ending) => {
                self.reaper.insert(&self.epoll, self.clock.now(), id, ending);
                self.broker.worker_ending(self.now(), id, claimed);
            }
            Err(gone) => self.gone(id, *gone),
        }
    }

    /// The process of a worker without a connection ended, or has to.
    fn reap(&mut self, id: WorkerId) {
        match self.reaper.reap(&self.epoll, self.clock.now(), id) {
            Reaped::Nothing => {}
            Reaped::Gone(gone) => {
                self.gone(id, *gone);
                self.carry_out();
            }
        }
    }

    fn gone(&mut self, id: WorkerId, gone: Gone) {
        self.audit_end(id, &gone);
        self.last_written = gone.written;
        if gone.wanting {
            self.broker.could_not_start(self.now(), id, &gone.death);
        } else {
            self.broker.worker_gone(self.now(), id, gone.pid, gone.death, gone.running);
        }
    }
}

impl Dispatcher {
    /// Nothing more is expected from there.
    pub(crate) fn forget(&mut self, id: WorkerId, link: &Link) {
        let _ = epoll::delete(&self.epoll, link.socket());
        self.listener.gone(id);
    }
}

/// Has epoll tell of a worker's socket; `new` if it does not yet.
pub(crate) fn watch(epoll: &OwnedFd, link: &Link, id: WorkerId, writable: bool, new: bool) {
    let flags = if writable { EventFlags::IN | EventFlags::OUT } else { EventFlags::IN };
    let data = EventData::new_u64(id.0);
    let socket = link.socket();
    // These fail for want of kernel memory only; the worker then looks stuck and its task runs into its time.
    let _ = if new { epoll::add(epoll, socket, data, flags) } else { epoll::modify(epoll, socket, data, flags) };
}

fn timespec(duration: Duration) -> Timespec {
    Timespec { tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX), tv_nsec: i64::from(duration.subsec_nanos()) }
}

//! Loans: what a worker's running task may do without asking, because the broker has said so beforehand.
//!
//! ```text
//!  answer to a put ──> room is lent ────────> posted, posted, ...        ┐
//!  answer to a get ──> messages are lent ───> taken, taken, ...          ├──> over: what was not used comes back
//!                                             a call in the way, the end ┘
//! ```
//!
//! The failure that this prevents: a stream of short messages that costs a question and an answer each. The failures that it must not bring: a
//! message that is lost with the worker that had it lent, or that somebody else gets out of its turn; a put that is told done and is not. So all
//! stays here. A borrower lays what it posts where its death can't take it, and what it takes is marked there; what it has done
//! is told here ([`Broker::posted`], [`Broker::taken`]) before anything else that it sends, and before any call of others on the same thing
//! ([`Broker::borrowers`]). A call that could tell that something is lent is made after that is over ([`Broker::in_the_way`]). So
//! nobody can tell a loan from calls that were answered one by one, but for this: puts of two tasks into one queue, neither of which could know of the
//! other's, may change places.
//!
//! A loan belongs to one handle of one attempt, and ends with either.

use std::collections::BTreeMap;

use taskcell_wire::WorkerId;
use taskcell_wire::call::{Batch, Bytes, Call, CallId, Create, End, HandleId, Loan, ObjectId, Reply};

use super::Broker;
use super::handles::Grant;
use super::objects::Body;
use crate::effect::{Effect, Violation};
use crate::loan::LOAN_BYTES;
use crate::queue::Conflicts;
use crate::time::Now;

mod lender;
mod lent;

use lender::Lender;
use lent::is_short;
pub(super) use lent::{Kind, Lent, Loans};

/// Who has loans of which object. A worker stands there once for each loan.
pub(super) type Borrowers = BTreeMap<ObjectId, Vec<WorkerId>>;

impl Broker {
    /// Workers whose posts and takings have to be told ([`posted`](Self::posted), [`taken`](Self::taken)) before this call of another one. Those of the
    /// caller are told already.
    #[must_use]
    pub fn borrowers(&self, worker: WorkerId, call: &Call<'_>) -> Vec<WorkerId> {
        if self.borrowers.is_empty() {
            return Vec::new();
        }
        if let Call::WaitAny { .. } = call {
            return self.all_borrowers();
        }
        let (Call::Queue(handle, _) | Call::Pipe(handle, _)) = call else { return Vec::new() };
        let found = self.handle(worker, *handle).ok().and_then(|handle| self.borrowers.get(&handle.object));
        found.into_iter().flatten().filter(|borrower| **borrower != worker).copied().collect()
    }

    /// Workers whose loans have to be taken back ([`recovered`](Self::recovered)) before this call, since it could tell that they are there. What was done
    /// with all loans so far has to be told before.
    #[must_use]
    pub fn in_the_way(&self, worker: WorkerId, call: &Call<'_>) -> Vec<WorkerId> {
        if self.borrowers.is_empty() {
            return Vec::new();
        }
        // Room that is lent may be all that is missing.
        if self.check_bytes(super::primitives::call_bytes(call)).is_err() {
            return self.all_borrowers();
        }
        match call {
            Call::Queue(handle, _) | Call::Pipe(handle, _) => self.in_the_way_at(worker, *handle, call),
            Call::WaitAny { .. } => self.all_borrowers(),
            // Handles may go away with these.
            Call::Create(Create::Process { .. }) | Call::Pool(..) if self.borrows(worker) => vec![worker],
            Call::Create(_)
            | Call::RestrictQueue(..)
            | Call::RestrictMap(..)
            | Call::Map(..)
            | Call::Lock(..)
            | Call::Condition(..)
            | Call::Semaphore(..)
            | Call::Event(..)
            | Call::Barrier(..)
            | Call::Process(..)
            | Call::Pool(..)
            | Call::Future(..)
            | Call::Mapping(..)
            | Call::Identity
            | Call::Input(_) => Vec::new(),
        }
    }

    fn in_the_way_at(&self, worker: WorkerId, handle: HandleId, call: &Call<'_>) -> Vec<WorkerId> {
        let Ok(handle) = self.handle(worker, handle) else { return Vec::new() };
        let Some(borrowers) = self.borrowers.get(&handle.object) else { return Vec::new() };
        let body = self.objects.get(&handle.object).map(|object| &object.body);
        let conflicts = if let (Some(Body::Queue(queue)), Call::Queue(_, call)) = (body, call) {
            queue.conflicts(call)
        } else if let (Some(Body::Pipe(pipe)), Call::Pipe(_, call), Grant::Connection(end)) = (body, call, &handle.grant) {
            pipe.conflicts(*end, call)
        } else {
            Conflicts::NONE
        };
        if conflicts == Conflicts::NONE {
            return Vec::new();
        }
        let is_of = |lent: Option<&Lent>| lent.is_some_and(|lent| lent.object == handle.object);
        let conflict = |borrower: &&WorkerId| {
            self.loans(**borrower).is_some_and(|loans| {
                conflicts.room && is_of(loans.room.as_ref()) || conflicts.messages && is_of(loans.messages.as_ref())
            })
        };
        borrowers.iter().filter(conflict).copied().collect()
    }

    /// A worker posted messages: puts or sends for which it was lent room.
    ///
    /// # Errors
    /// [`Violation`] for anything else than that, or for more than was lent.
    pub fn posted<'c>(
        &mut self,
        now: Now,
        worker: WorkerId,
        calls: impl Iterator<Item = Result<Call<'c>, Violation>>,
    ) -> Result<(), Violation> {
        self.at(now);
        let loans = self.loans_mut(worker).ok_or(Violation::OutOfTurn)?;
        let mut lent = loans.room.ok_or(Violation::OutOfTurn)?;
        let mut result = Ok(());
        self.step(lent.object, None, |body, out| {
            let Some(mut lender) = Lender::of(body, lent.end) else { return };
            result = calls.into_iter().try_for_each(|call| {
                let message = lent.message_of(call?)?;
                lender.post(message);
                Ok(())
            });
            lender.posted(now, out);
        });
        if let Some(room) = self.loans_mut(worker).and_then(|loans| loans.room.as_mut()) {
            let less = room.promised().saturating_sub(lent.promised());
            *room = lent;
            self.promised = self.promised.saturating_sub(less);
        }
        self.settle();
        result
    }

    /// A worker has now taken so many of the messages that it was lent last.
    ///
    /// # Errors
    /// [`Violation`] if these are more than it was lent, or fewer than it had taken.
    pub fn taken(&mut self, now: Now, worker: WorkerId, total: u64) -> Result<(), Violation> {
        self.at(now);
        let loans = self.loans_mut(worker).ok_or(Violation::OutOfTurn)?;
        let lent = loans.messages.as_mut().ok_or(Violation::OutOfTurn)?;
        let more = total.checked_sub(lent.used).filter(|more| *more <= lent.messages).ok_or(Violation::OutOfOrder)?;
        lent.used = total;
        lent.messages -= more;
        let Lent { object, end, .. } = *lent;
        let more = usize::try_from(more).unwrap_or(usize::MAX);
        self.step(object, None, |body, out| {
            if let Some(mut lender) = Lender::of(body, end) {
                lender.taken(now, more, out);
            }
        });
        self.settle();
        Ok(())
    }

    /// A worker uses its loans no more, and what it had done with them was told: what is left comes back.
    pub fn recovered(&mut self, now: Now, worker: WorkerId) {
        self.at(now);
        let is_left = |loans: &Loans, kind| loans.of(kind).is_some_and(|lent| lent.messages > 0);
        let left = self.loans(worker).map(|loans| (is_left(loans, Kind::Put), is_left(loans, Kind::Get)));
        self.end_loans(worker, |_| true);
        if let (Some(loans), Some((room, messages))) = (self.loans_mut(worker), left) {
            if room {
                loans.puts.in_vain();
            }
            if messages {
                loans.gets.in_vain();
            }
        }
        self.settle();
    }

    /// A worker waits for its next message, or was given the only one. One that sends and then receives what comes back has nothing of room
    /// that is lent: each of its messages is waited for, and nobody may be awake to see it.
    pub(super) fn pauses(&mut self, worker: WorkerId) {
        let Some(loans) = self.loans_mut(worker) else { return };
        loans.puts.pause();
        if loans.room.is_some() {
            self.end_loan(worker, Kind::Put);
            self.effects.push(Effect::Recover(worker));
        }
    }

    /// Answers a call that went well at once, with what is lent for the next ones.
    pub(super) fn answer_and_lend(
        &mut self,
        worker: WorkerId,
        theirs: CallId,
        reply: Reply<'static>,
        handle: HandleId,
        kind: Kind,
    ) {
        let is_habit =
            self.options.loans && is_short(&reply) && self.loans_mut(worker).is_some_and(|loans| loans.again(handle, kind));
        let had = is_habit && self.loans(worker).is_some_and(|loans| loans.of(kind).is_some());
        if is_habit {
            self.end_loan(worker, kind);
            if let Some(loan) = self.new_loan(worker, handle, kind) {
                return self.effects.push(Effect::Lend(worker, theirs, reply, loan));
            }
        }
        if had {
            // It must not use what it had.
            self.effects.push(Effect::Recover(worker));
        }
        if kind == Kind::Get {
            self.pauses(worker);
        }
        self.effects.push(Effect::Reply(worker, theirs, Ok(reply)));
    }

    fn new_loan(&mut self, worker: WorkerId, handle: HandleId, kind: Kind) -> Option<Loan<'static>> {
        let handle_of = self.handle(worker, handle).ok()?;
        let object = handle_of.object;
        let end = if let Grant::Connection(end) = handle_of.grant { Some(end) } else { None };
        if self.waiting.is_watched(object) {
            return None;
        }
        let used = 0;
        match kind {
            Kind::Put => {
                let most = self.options.limits.bytes;
                if self.bytes.saturating_add(self.promised).saturating_add(LOAN_BYTES) > most / 2 {
                    return None;
                }
                let (messages, bytes) = self.lender(object, end)?.lend_room()?;
                let lent = Lent { handle, object, end, messages: messages.into(), bytes, used };
                self.promised = self.promised.saturating_add(lent.promised());
                self.loans_mut(worker)?.room = Some(lent);
                self.borrowers.entry(object).or_default().push(worker);
                Some(Loan::Room { messages, bytes: u32::try_from(bytes).unwrap_or(u32::MAX) })
            }
            Kind::Get => {
                let messages = self.lender(object, end)?.lend_messages();
                if messages.is_empty() {
                    return None;
                }
                let lent = Lent { handle, object, end, messages: messages.len() as u64, bytes: 0, used };
                self.loans_mut(worker)?.messages = Some(lent);
                self.borrowers.entry(object).or_default().push(worker);
                Some(Loan::Messages(Batch(messages.into_iter().map(Bytes::from).collect())))
            }
        }
    }

    /// An end of a pipe may be closed: the other one must not be sent to for room that was lent.
    pub(super) fn recover_from(&mut self, object: ObjectId) {
        let Some(borrowers) = self.borrowers.get(&object) else { return };
        if self.objects.get(&object).is_some_and(|object| matches!(object.body, Body::Pipe(_))) {
            self.effects.extend(borrowers.iter().map(|borrower| Effect::Recover(*borrower)));
        }
    }

    /// Ends those loans of a worker's attempt that `which` chooses.
    pub(super) fn end_loans(&mut self, worker: WorkerId, which: impl Fn(&Lent) -> bool) {
        if self.borrowers.is_empty() {
            return;
        }
        for kind in [Kind::Put, Kind::Get] {
            let chosen = self.loans(worker).and_then(|loans| loans.of(kind)).is_some_and(&which);
            if chosen {
                self.end_loan(worker, kind);
            }
        }
    }

    fn end_loan(&mut self, worker: WorkerId, kind: Kind) {
        let Some(loans) = self.loans_mut(worker) else { return };
        let (lent, habit) = match kind {
            Kind::Put => (loans.room.take(), &mut loans.puts),
            Kind::Get => (loans.messages.take(), &mut loans.gets),
        };
        let Some(lent) = lent else { return };
        if lent.used > 0 {
            habit.used();
        }
        if let Some(borrowers) = self.borrowers.get_mut(&lent.object) {
            if let Some(at) = borrowers.iter().position(|borrower| *borrower == worker) {
                borrowers.swap_remove(at);
            }
            if borrowers.is_empty() {
                self.borrowers.remove(&lent.object);
            }
        }
        let now = self.now;
        match kind {
            Kind::Put => {
                self.promised = self.promised.saturating_sub(lent.promised());
                if let Some(mut lender) = self.lender(lent.object, lent.end) {
                    lender.return_room(lent.messages, lent.bytes);
                }
            }
            // What is lent there may be another's by now.
            Kind::Get if lent.messages == 0 => {}
            Kind::Get => {
                self.step(lent.object, None, |body, out| {
                    if let Some(mut lender) = Lender::of(body, lent.end) {
                        lender.take_back(now, out);
                    }
                });
            }
        }
    }

    fn lender(&mut self, object: ObjectId, end: Option<End>) -> Option<Lender<'_>> {
        Lender::of(&mut self.objects.get_mut(&object)?.body, end)
    }

    fn loans(&self, worker: WorkerId) -> Option<&Loans> {
        Some(&self.workers.get(&worker)?.running.as_ref()?.loans)
    }

    fn loans_mut(&mut self, worker: WorkerId) -> Option<&mut Loans> {
        Some(&mut self.workers.get_mut(&worker)?.running.as_mut()?.loans)
    }

    fn borrows(&self, worker: WorkerId) -> bool {
        self.loans(worker).is_some_and(|loans| loans.room.is_some() || loans.messages.is_some())
    }

    fn all_borrowers(&self) -> Vec<WorkerId> {
        let mut all: Vec<WorkerId> = self.borrowers.values().flatten().copied().collect();
        all.sort_unstable();
        all.dedup();
        all
    }
}

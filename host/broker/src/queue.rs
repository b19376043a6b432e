//! Bounded queues of messages.
//!
//! ```text
//!            put                  get
//!  (parked) ─────>  waiting  ──────────────────────────────> gone
//!                    ^   │ receive            ack
//!                    │   └─────────> leased ───────────────> gone
//!                    │                 │ nack, time over, death
//!   nack with delay  └── delayed <─────┤
//!                                      └ reject, last attempt ──> rejected
//! ```
//!
//! The failures that this prevents: a queue that is corrupt because a process was killed in the middle of a put; a message that is lost
//! with the consumer that had taken it; producers that fill all memory.
//!
//! Rules. Messages come out in the order in which they went in, and one that comes back is older than all that were never taken, so it
//! goes first: the next one out is always the oldest of those that wait. Getters and putters are each served in the order in which they came: no
//! getter is overtaken, and a put of many that waits for room is not overtaken by small ones. Room is counted over all that the
//! queue holds, leased and delayed messages too; so a message can always come back, and consumers that don't answer hold up
//! producers instead of filling memory. A put is all or none. `closed` comes to a getter only when nothing is left that could come back.
//!
//! What is lent to a task (`queue/loan.rs`) is still in the queue, and room that is lent is taken.
//!
//! The road not taken is a count of unanswered leases apart from the capacity, as Python's `JoinableQueue` has it: then a message that
//! comes back to a full queue has no room.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use taskcell_wire::call::{
    BATCH_ITEMS, Bytes, CallError, CallId, Holder, LeaseId, ObjectId, QueueCall, QueueCounts, QueueOptions, QueueReply,
    SharedBytes,
};

use crate::object::{Completions, Label, answer};
use crate::quotas::{ATTEMPTS, ITEM_BYTES, Quotas};
use crate::time::Now;
use crate::waiters::{Waiter, Waiters, earlier};

mod lease;
mod loan;
mod put;
#[cfg(test)]
mod tests;

use lease::{Aside, Lease};
pub use loan::Conflicts;
use put::Parcel;

/// What the queue answers.
type Reply = QueueReply<'static>;
type Out = Completions<Reply>;

#[derive(Debug)]
struct Message {
    /// Its place in the order of puts.
    place: u64,
    /// Deliveries under a lease so far.
    attempts: u32,
    body: SharedBytes,
}

/// What a getter waits for.
#[derive(Debug, Clone, Copy)]
enum Take {
    One,
    Many(u32),
    Lease(u64),
}

/// A queue's state.
#[derive(Debug)]
pub struct Queue {
    label: Label,
    quotas: Quotas,
    capacity: u64,
    max_attempts: u32,
    closed: bool,
    /// Messages that came back; all are older than those in `fresh`.
    returned: BTreeMap<u64, Message>,
    /// Messages that were never taken, in order.
    fresh: VecDeque<Message>,
    /// Messages that are lent to the one who gets, in order; all are older than those in `fresh`.
    lent: VecDeque<Message>,
    leases: BTreeMap<LeaseId, Lease>,
    /// The same by who has them: an attempt that ends must not look at all others' leases.
    leased_to: BTreeSet<(Holder, LeaseId)>,
    lease_ends: BTreeSet<(Now, LeaseId)>,
    /// By the moment at which they are ready again, and their place.
    delayed: BTreeMap<(Now, u64), Message>,
    aside: Aside,
    /// Messages that wait, are lent, leased or delayed, and their bytes.
    held: u64,
    held_bytes: u64,
    /// Room that is lent to those who put, in messages and in bytes.
    promised: u64,
    promised_bytes: u64,
    /// Of messages that wait for room.
    parked: u64,
    parked_bytes: u64,
    getters: Waiters<Take>,
    putters: Waiters<Parcel>,
    joiners: Waiters<()>,
    next_place: u64,
    next_lease: u64,
}

impl Queue {
    /// An empty queue.
    ///
    /// # Errors
    /// [`CallError::Invalid`] for a capacity or a number of attempts of 0.
    pub fn new(id: ObjectId, options: &QueueOptions, quotas: Quotas) -> Result<Self, CallError> {
        if options.capacity == Some(0) {
            return Err(CallError::Invalid("a queue with a capacity of 0 could hold nothing".into()));
        }
        if options.max_attempts == Some(0) {
            return Err(CallError::Invalid("with 0 attempts no message could be delivered".into()));
        }
        Ok(Self {
            label: Label::new("queue", id, options.name.as_deref()),
            quotas,
            capacity: u64::from(options.capacity.unwrap_or(u32::MAX).min(quotas.queue_items)),
            max_attempts: options.max_attempts.unwrap_or(ATTEMPTS),
            closed: false,
            returned: BTreeMap::new(),
            fresh: VecDeque::new(),
            lent: VecDeque::new(),
            leases: BTreeMap::new(),
            leased_to: BTreeSet::new(),
            lease_ends: BTreeSet::new(),
            delayed: BTreeMap::new(),
            aside: Aside::default(),
            held: 0,
            held_bytes: 0,
            promised: 0,
            promised_bytes: 0,
            parked: 0,
            parked_bytes: 0,
            getters: Waiters::default(),
            putters: Waiters::default(),
            joiners: Waiters::default(),
            next_place: 0,
            next_lease: 1,
        })
    }

    /// What it is called.
    #[must_use]
    pub fn label(&self) -> &Label {
        &self.label
    }

    /// A call. Whether the caller's handle allows it is checked before ([`QueueCall::needs`]).
    pub fn call(&mut self, now: Now, id: CallId, holder: Holder, call: QueueCall<'_>, out: &mut Out) {
        self.tick(now, out);
        let answered = match call {
            QueueCall::Put { message, timeout } => self.put(now, (id, holder), message, timeout),
            QueueCall::PutMany { messages, timeout } => self.put_many(now, (id, holder), messages.0, timeout),
            QueueCall::Get { timeout } => self.take_or_park(now, (id, holder), Take::One, timeout),
            QueueCall::GetMany { limit: 0, .. } => {
                Err(CallError::Invalid("get-many with a limit of 0 can't get anything".into()))
            }
            QueueCall::GetMany { limit, timeout } => self.take_or_park(now, (id, holder), Take::Many(limit), timeout),
            QueueCall::Receive { lease, timeout } => self.take_or_park(now, (id, holder), Take::Lease(lease), timeout),
            QueueCall::Ack { lease } => self.ack(holder, lease),
            QueueCall::Nack { lease, delay } => self.nack(now, holder, lease, delay),
            QueueCall::Extend { lease, by } => self.extend(now, holder, lease, by),
            QueueCall::Reject { lease } => self.reject(holder, lease),
            QueueCall::Counts => Ok(Some(QueueReply::Counts(self.counts()))),
            QueueCall::Close => {
                self.close(out);
                Ok(Some(QueueReply::Done))
            }
            QueueCall::Join { .. } if self.held == 0 => Ok(Some(QueueReply::Done)),
            QueueCall::Join { timeout } => self.joiners.park(now, id, holder, timeout, (), self.quotas.waiters).map(|()| None),
            QueueCall::TakeRejected { limit } => Ok(Some(QueueReply::Rejected(self.aside.take(limit, self.quotas.reply_bytes)))),
        };
        if let Some(result) = answered.transpose() {
            answer(out, id, result);
        }
        self.settle(now, out);
    }

    /// An attempt ended: its calls are answered with [`CallError::Cancelled`], its leases come back at once.
    pub fn holder_gone(&mut self, now: Now, holder: Holder, out: &mut Out) {
        // Before anything that is due is done: it must not be done for the dead.
        let calls = self.getters.take_holder(holder).into_iter().map(|waiter| waiter.call);
        let calls = calls.chain(self.joiners.take_holder(holder).into_iter().map(|waiter| waiter.call));
        let calls: Vec<_> = calls.chain(self.putters.take_holder(holder).into_iter().map(|waiter| waiter.call)).collect();
        calls.into_iter().for_each(|call| answer(out, call, Err(CallError::Cancelled)));
        self.count_parked();
        self.tick(now, out);
        for lease in self.leases_of(holder) {
            if let Some(lease) = self.end_lease(lease) {
                self.give_back(lease.message, None);
            }
        }
        self.settle(now, out);
    }

    /// Withdraws a call that waits: it is answered with [`CallError::Cancelled`]. Nothing happens if it does not wait here.
    pub fn cancel(&mut self, now: Now, call: CallId, out: &mut Out) {
        let found = self.getters.take_call(call).is_some()
            || self.joiners.take_call(call).is_some()
            || self.putters.take_call(call).is_some();
        if found {
            answer(out, call, Err(CallError::Cancelled));
            self.count_parked();
            self.tick(now, out);
            self.settle(now, out);
        }
    }

    /// Does all that is due by `now`, each thing as if it were done at its own moment.
    pub fn tick(&mut self, now: Now, out: &mut Out) {
        while let Some(at) = self.next_tick().filter(|at| *at <= now) {
            self.return_due(at);
            self.settle(now, out);
            let calls = self.getters.expire(at).into_iter().map(|waiter| waiter.call);
            let calls = calls.chain(self.joiners.expire(at).into_iter().map(|waiter| waiter.call));
            let calls: Vec<_> = calls.chain(self.putters.expire(at).into_iter().map(|waiter| waiter.call)).collect();
            calls.into_iter().for_each(|call| answer(out, call, Err(CallError::TimedOut)));
            self.count_parked();
            self.settle(now, out);
        }
    }

    /// When [`tick`](Self::tick) is to be called at the latest.
    #[must_use]
    pub fn next_tick(&self) -> Option<Now> {
        let returns = earlier(self.lease_ends.first().map(|(at, _)| *at), self.delayed.first_key_value().map(|((at, _), _)| *at));
        let gives_up = earlier(self.getters.next_deadline(), self.putters.next_deadline());
        earlier(earlier(returns, gives_up), self.joiners.next_deadline())
    }

    /// What a call that waits here waits for, for people.
    #[must_use]
    pub fn describe_wait(&self, call: CallId) -> Option<String> {
        let verb = if let Some(waiter) = self.getters.find(call) {
            match waiter.wants {
                Take::One => "get",
                Take::Many(_) => "get-many",
                Take::Lease(_) => "receive",
            }
        } else if let Some(waiter) = self.putters.find(call) {
            if waiter.wants.bodies.len() == 1 { "put" } else { "put-many" }
        } else {
            self.joiners.find(call).map(|_| "join")?
        };
        Some(format!("{}: {verb}", self.label))
    }

    /// Whether a get would be answered at once.
    #[must_use]
    pub fn get_ready(&self) -> bool {
        self.has_message() || self.is_drained()
    }

    /// Whether a put of a short message would be answered at once.
    #[must_use]
    pub fn put_ready(&self) -> bool {
        self.closed || self.admits(1, 1)
    }

    /// Bytes that it keeps: of messages that it holds, that wait for room, and that were put aside.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.held_bytes.saturating_add(self.parked_bytes).saturating_add(self.aside.bytes())
    }

    /// Bytes that it keeps, with what a message takes beside its body.
    #[must_use]
    pub fn footprint(&self) -> u64 {
        let items = self.held.saturating_add(self.parked).saturating_add(self.aside.len() as u64);
        self.bytes().saturating_add(items.saturating_mul(ITEM_BYTES))
    }

    /// How many messages are where.
    #[must_use]
    pub fn counts(&self) -> QueueCounts {
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        QueueCounts {
            waiting: count(self.fresh.len() + self.returned.len() + self.lent.len()),
            leased: count(self.leases.len()),
            delayed: count(self.delayed.len()),
            rejected: count(self.aside.len()),
            dropped: self.aside.dropped(),
        }
    }

    /// Closes it, as [`QueueCall::Close`] does; for an owner that ends it.
    pub fn close(&mut self, out: &mut Out) {
        self.closed = true;
        (self.parked, self.parked_bytes) = (0, 0);
        self.putters.take_all().for_each(|waiter| answer(out, waiter.call, Err(CallError::Closed)));
    }

    fn has_message(&self) -> bool {
        !self.fresh.is_empty() || !self.returned.is_empty()
    }

    fn is_drained(&self) -> bool {
        self.closed && self.held == 0
    }

    fn take_or_park(
        &mut self,
        now: Now,
        (id, holder): (CallId, Holder),
        take: Take,
        timeout: Option<u64>,
    ) -> Result<Option<Reply>, CallError> {
        // Nobody is overtaken: if others wait, then there is no message.
        if self.has_message() {
            return Ok(self.take(now, holder, take));
        }
        if self.is_drained() {
            return Err(CallError::Closed);
        }
        self.getters.park(now, id, holder, timeout, take, self.quotas.waiters).map(|()| None)
    }

    /// Lets all go on who can, in their order.
    fn settle(&mut self, now: Now, out: &mut Out) {
        loop {
            while self.has_message()
                && let Some(Waiter { call, holder, wants, .. }) = self.getters.pop()
            {
                if let Some(reply) = self.take(now, holder, wants) {
                    answer(out, call, Ok(reply));
                }
            }
            let fits = |parcel: &Parcel| self.has_room(parcel.bodies.len() as u64, parcel.bytes);
            if !self.putters.front().is_some_and(|waiter| fits(&waiter.wants)) {
                break;
            }
            if let Some(Waiter { call, wants, .. }) = self.putters.pop() {
                self.parked = self.parked.saturating_sub(wants.bodies.len() as u64);
                self.parked_bytes = self.parked_bytes.saturating_sub(wants.bytes);
                wants.bodies.into_iter().for_each(|body| self.admit(body));
                answer(out, call, Ok(QueueReply::Done));
            }
        }
        if self.held == 0 {
            self.joiners.take_all().for_each(|waiter| answer(out, waiter.call, Ok(QueueReply::Done)));
            if self.closed {
                self.getters.take_all().for_each(|waiter| answer(out, waiter.call, Err(CallError::Closed)));
            }
        }
    }

    /// The oldest message that waits.
    fn pop_message(&mut self) -> Option<Message> {
        self.returned.pop_first().map(|(_, message)| message).or_else(|| self.fresh.pop_front())
    }

    fn front_bytes(&self) -> Option<u64> {
        let message = self.returned.first_key_value().map(|(_, message)| message).or_else(|| self.fresh.front())?;
        Some(message.body.len() as u64)
    }

    /// A message is no longer the queue's affair.
    fn release(&mut self, message: &Message) {
        self.held = self.held.saturating_sub(1);
        self.held_bytes = self.held_bytes.saturating_sub(message.body.len() as u64);
    }

    /// Gives what was asked for; `None` if nothing waits.
    fn take(&mut self, now: Now, holder: Holder, take: Take) -> Option<Reply> {
        let message = self.pop_message()?;
        let limit = match take {
            Take::Lease(length) => return Some(self.lease(now, holder, length, message)),
            Take::One => {
                self.release(&message);
                return Some(QueueReply::Message(message.body.into()));
            }
            Take::Many(limit) => usize::try_from(limit).unwrap_or(BATCH_ITEMS).min(BATCH_ITEMS),
        };
        self.release(&message);
        let mut room = self.quotas.reply_bytes.saturating_sub(message.body.len() as u64);
        let mut bodies = vec![Bytes::from(message.body)];
        while bodies.len() < limit
            && let Some(rest) = self.front_bytes().and_then(|bytes| room.checked_sub(bytes))
            && let Some(message) = self.pop_message()
        {
            room = rest;
            self.release(&message);
            bodies.push(message.body.into());
        }
        Some(QueueReply::Messages(bodies))
    }
}

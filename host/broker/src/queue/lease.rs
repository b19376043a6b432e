//! Messages that were taken and not answered for yet, and those that were given up.
//!
//! The failure that this prevents: a message that is lost with its consumer, and its opposite, a message that kills every consumer it
//! is given to for ever. A lease that ends without an answer brings its message back; a message that came back too often is put aside,
//! where somebody can look at it.
//!
//! A lease is answered by the attempt that took it and nobody else; for all others it does not exist. An answer that comes too
//! late is told so: somebody else may have the message by then.

use std::collections::VecDeque;

use taskcell_wire::call::{CallError, Holder, LeaseId, QueueReply, Rejected};

use super::{Message, Queue, Reply};
use crate::quotas::{Quotas, SHORTEST_LEASE};
use crate::time::{Duration, Now};

#[derive(Debug)]
pub(super) struct Lease {
    pub(super) message: Message,
    pub(super) holder: Holder,
    ends: Now,
}

impl Queue {
    /// Delivers a message under a lease.
    pub(super) fn lease(&mut self, now: Now, holder: Holder, length: u64, mut message: Message) -> Reply {
        message.attempts = message.attempts.saturating_add(1);
        let id = LeaseId(self.next_lease);
        self.next_lease += 1;
        let ends = now.plus(Duration(length.max(SHORTEST_LEASE)));
        let reply = QueueReply::Delivery { lease: id, attempt: message.attempts, message: message.body.clone().into() };
        self.lease_ends.insert((ends, id));
        self.leased_to.insert((holder, id));
        self.leases.insert(id, Lease { message, holder, ends });
        reply
    }

    /// What an attempt has not answered for, the oldest first.
    pub(super) fn leases_of(&self, holder: Holder) -> Vec<LeaseId> {
        self.leased_to.range((holder, LeaseId(0))..=(holder, LeaseId(u64::MAX))).map(|(_, id)| *id).collect()
    }

    /// Takes a lease away from whoever has it.
    pub(super) fn end_lease(&mut self, id: LeaseId) -> Option<Lease> {
        let lease = self.leases.remove(&id)?;
        self.lease_ends.remove(&(lease.ends, id));
        self.leased_to.remove(&(lease.holder, id));
        Some(lease)
    }

    fn answered(&mut self, holder: Holder, id: LeaseId) -> Result<Message, CallError> {
        if self.leases.get(&id).is_none_or(|lease| lease.holder != holder) {
            return Err(CallError::Lapsed);
        }
        self.end_lease(id).map(|lease| lease.message).ok_or(CallError::Lapsed)
    }

    pub(super) fn ack(&mut self, holder: Holder, id: LeaseId) -> Result<Option<Reply>, CallError> {
        let message = self.answered(holder, id)?;
        self.release(&message);
        Ok(Some(QueueReply::Done))
    }

    pub(super) fn nack(&mut self, now: Now, holder: Holder, id: LeaseId, delay: u64) -> Result<Option<Reply>, CallError> {
        let message = self.answered(holder, id)?;
        self.give_back(message, (delay > 0).then(|| now.plus(Duration(delay))));
        Ok(Some(QueueReply::Done))
    }

    pub(super) fn reject(&mut self, holder: Holder, id: LeaseId) -> Result<Option<Reply>, CallError> {
        let message = self.answered(holder, id)?;
        self.put_aside(message);
        Ok(Some(QueueReply::Done))
    }

    pub(super) fn extend(&mut self, now: Now, holder: Holder, id: LeaseId, by: u64) -> Result<Option<Reply>, CallError> {
        let lease = self.leases.get_mut(&id).filter(|lease| lease.holder == holder).ok_or(CallError::Lapsed)?;
        self.lease_ends.remove(&(lease.ends, id));
        lease.ends = now.plus(Duration(by.max(SHORTEST_LEASE)));
        self.lease_ends.insert((lease.ends, id));
        Ok(Some(QueueReply::Done))
    }

    /// A delivery came to nothing: the message is next in line, or ready at a later moment, or given up.
    pub(super) fn give_back(&mut self, message: Message, ready: Option<Now>) {
        if message.attempts >= self.max_attempts {
            self.put_aside(message);
            return;
        }
        match ready {
            None => self.returned.insert(message.place, message),
            Some(at) => self.delayed.insert((at, message.place), message),
        };
    }

    fn put_aside(&mut self, message: Message) {
        self.release(&message);
        self.aside.push(message, &self.quotas);
    }

    /// Brings back what is due: leases that ended, delays that are over.
    pub(super) fn return_due(&mut self, at: Now) {
        while let Some((_, id)) = self.lease_ends.first().copied().filter(|(ends, _)| *ends <= at) {
            if let Some(lease) = self.end_lease(id) {
                self.give_back(lease.message, None);
            }
        }
        while let Some(first) = self.delayed.first_entry().filter(|first| first.key().0 <= at) {
            let message = first.remove();
            self.returned.insert(message.place, message);
        }
    }
}

/// Messages that were given up, oldest first. When there is no room the oldest is dropped and counted: the newest tell more of what
/// goes wrong now, and those who reject must not wait for those who look.
#[derive(Debug, Default)]
pub(super) struct Aside {
    messages: VecDeque<Message>,
    bytes: u64,
    dropped: u64,
}

impl Aside {
    fn push(&mut self, message: Message, quotas: &Quotas) {
        self.bytes += message.body.len() as u64;
        self.messages.push_back(message);
        let most = usize::try_from(quotas.rejected_items).unwrap_or(usize::MAX);
        while (self.messages.len() > most || self.bytes > quotas.rejected_bytes) && self.pop().is_some() {
            self.dropped = self.dropped.saturating_add(1);
        }
    }

    fn pop(&mut self) -> Option<Message> {
        let message = self.messages.pop_front()?;
        self.bytes = self.bytes.saturating_sub(message.body.len() as u64);
        Some(message)
    }

    pub(super) fn take(&mut self, limit: u32, most_bytes: u64) -> Vec<Rejected<'static>> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let mut taken = Vec::new();
        let mut bytes = 0u64;
        while taken.len() < limit
            && let Some(front) = self.messages.front()
            && (taken.is_empty() || bytes.saturating_add(front.body.len() as u64) <= most_bytes)
            && let Some(message) = self.pop()
        {
            bytes = bytes.saturating_add(message.body.len() as u64);
            taken.push(Rejected { attempts: message.attempts, message: message.body.into() });
        }
        taken
    }

    pub(super) fn len(&self) -> usize {
        self.messages.len()
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }
}

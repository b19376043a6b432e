//! Adding messages: the only place where a queue gets longer, and so where its bounds are kept.

use taskcell_wire::call::{Bytes, CallError, CallId, Holder, QueueReply, SharedBytes};

use super::{Message, Queue, Reply};
use crate::time::Now;

/// Messages that wait for room.
#[derive(Debug)]
pub(super) struct Parcel {
    pub(super) bodies: Vec<SharedBytes>,
    pub(super) bytes: u64,
}

impl Queue {
    /// Whether a put of so much goes in at once.
    pub(super) fn admits(&self, items: u64, bytes: u64) -> bool {
        !self.closed && self.putters.is_empty() && self.has_room(items, bytes)
    }

    pub(super) fn has_room(&self, items: u64, bytes: u64) -> bool {
        let items = self.held.saturating_add(self.promised).saturating_add(items);
        let bytes = self.held_bytes.saturating_add(self.promised_bytes).saturating_add(bytes);
        items <= self.capacity && bytes <= self.quotas.queue_bytes
    }

    fn check_message(&self, bytes: u64) -> Result<(), CallError> {
        let most = self.quotas.message_bytes;
        if bytes <= most { Ok(()) } else { Err(CallError::Quota(format!("{most} bytes of a message"))) }
    }

    pub(super) fn admit(&mut self, body: SharedBytes) {
        self.held += 1;
        self.held_bytes += body.len() as u64;
        self.fresh.push_back(Message { place: self.next_place, attempts: 0, body });
        self.next_place += 1;
    }

    pub(super) fn put(
        &mut self,
        now: Now,
        who: (CallId, Holder),
        message: Bytes<'_>,
        timeout: Option<u64>,
    ) -> Result<Option<Reply>, CallError> {
        let bytes = message.len() as u64;
        if !self.admits(1, bytes) {
            return self.park_put(now, who, vec![message], timeout);
        }
        self.check_message(bytes)?;
        self.admit(message.into_shared());
        Ok(Some(QueueReply::Done))
    }

    pub(super) fn put_many(
        &mut self,
        now: Now,
        who: (CallId, Holder),
        messages: Vec<Bytes<'_>>,
        timeout: Option<u64>,
    ) -> Result<Option<Reply>, CallError> {
        let bytes = messages.iter().map(|message| message.len() as u64).sum();
        if messages.is_empty() && !self.closed {
            return Ok(Some(QueueReply::Done));
        }
        if !self.admits(messages.len() as u64, bytes) {
            return self.park_put(now, who, messages, timeout);
        }
        messages.iter().try_for_each(|message| self.check_message(message.len() as u64))?;
        messages.into_iter().for_each(|message| self.admit(message.into_shared()));
        Ok(Some(QueueReply::Done))
    }

    /// For a put that does not go in at once: refused, or parked.
    fn park_put(
        &mut self,
        now: Now,
        (id, holder): (CallId, Holder),
        messages: Vec<Bytes<'_>>,
        timeout: Option<u64>,
    ) -> Result<Option<Reply>, CallError> {
        if self.closed {
            return Err(CallError::Closed);
        }
        messages.iter().try_for_each(|message| self.check_message(message.len() as u64))?;
        let bytes: u64 = messages.iter().map(|message| message.len() as u64).sum();
        if messages.len() as u64 > self.capacity {
            return Err(CallError::Quota(format!("{} messages in this queue", self.capacity)));
        }
        if bytes > self.quotas.queue_bytes {
            return Err(CallError::Quota(format!("{} bytes in a queue", self.quotas.queue_bytes)));
        }
        if timeout == Some(0) {
            return Err(CallError::TimedOut);
        }
        // The first one may always wait, so that a put that fits the queue is never impossible.
        if self.parked_bytes.saturating_add(bytes) > self.quotas.parked_bytes && !self.putters.is_empty() {
            return Err(CallError::Quota(format!("{} bytes that wait for room", self.quotas.parked_bytes)));
        }
        let items = messages.len() as u64;
        let bodies = messages.into_iter().map(Bytes::into_shared).collect();
        self.putters.park(now, id, holder, timeout, Parcel { bodies, bytes }, self.quotas.waiters)?;
        self.parked += items;
        self.parked_bytes += bytes;
        Ok(None)
    }

    /// After calls left the line of putters other than by its front.
    pub(super) fn count_parked(&mut self) {
        self.parked = self.putters.iter().map(|waiter| waiter.wants.bodies.len() as u64).sum();
        self.parked_bytes = self.putters.iter().map(|waiter| waiter.wants.bytes).sum();
    }
}

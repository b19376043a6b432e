//! What a queue lends: room to one who puts, its oldest messages to the one who gets.
//!
//! Room that is lent counts as taken. Messages that are lent are still the queue's: they take room, and come back to their place. Nothing is lent
//! while anybody waits for anything here, or while messages may come back, which would be older than those that are lent; and whoever lends sees
//! to it that what is lent is taken back before a call that could tell ([`Queue::conflicts`]).

use taskcell_wire::call::{QueueCall, SharedBytes};

use super::{Out, Queue};
use crate::loan::{LOAN_BYTES, LOAN_MESSAGES};
use crate::time::Now;

/// Which loans a call can't be made beside.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Conflicts {
    /// Those of room.
    pub room: bool,
    /// Those of messages.
    pub messages: bool,
}

impl Conflicts {
    /// With none.
    pub const NONE: Self = Self { room: false, messages: false };
    /// With all.
    pub const ALL: Self = Self { room: true, messages: true };
}

impl Queue {
    /// Which loans would change what a call does. All that was done with loans so far has to be known here.
    #[must_use]
    pub fn conflicts(&self, call: &QueueCall<'_>) -> Conflicts {
        let if_it_waits = |items: usize, bytes: u64| Conflicts { room: !self.admits(items as u64, bytes), messages: false };
        match call {
            QueueCall::Put { message, .. } => if_it_waits(1, message.len() as u64),
            QueueCall::PutMany { messages, .. } => {
                if_it_waits(messages.0.len(), messages.0.iter().map(|message| message.len() as u64).sum())
            }
            QueueCall::Close | QueueCall::Join { .. } => Conflicts::ALL,
            QueueCall::Get { .. }
            | QueueCall::GetMany { .. }
            | QueueCall::Receive { .. }
            | QueueCall::Ack { .. }
            | QueueCall::Nack { .. }
            | QueueCall::Extend { .. }
            | QueueCall::Reject { .. }
            | QueueCall::Counts
            | QueueCall::TakeRejected { .. } => Conflicts { room: false, messages: !self.lent.is_empty() },
        }
    }

    /// Lends room to one who puts: for so many messages, of so many bytes together. `None` if that is not worth it, or somebody else may want it.
    #[must_use]
    pub fn lend_room(&mut self) -> Option<(u32, u64)> {
        if self.closed || !self.putters.is_empty() || !self.joiners.is_empty() {
            return None;
        }
        let free = self.capacity.saturating_sub(self.held).saturating_sub(self.promised);
        let messages = u32::try_from(free).unwrap_or(u32::MAX).min(LOAN_MESSAGES);
        let free = self.quotas.queue_bytes.saturating_sub(self.held_bytes).saturating_sub(self.promised_bytes);
        if messages < 2 || free < LOAN_BYTES || self.quotas.message_bytes < LOAN_BYTES {
            return None;
        }
        self.promised += u64::from(messages);
        self.promised_bytes += LOAN_BYTES;
        Some((messages, LOAN_BYTES))
    }

    /// Room for so much is no longer lent.
    pub fn return_room(&mut self, messages: u64, bytes: u64) {
        self.promised = self.promised.saturating_sub(messages);
        self.promised_bytes = self.promised_bytes.saturating_sub(bytes);
    }

    /// Puts a message for which room was lent.
    pub fn post(&mut self, message: SharedBytes) {
        self.return_room(1, message.len() as u64);
        self.admit(message);
    }

    /// After [`post`](Self::post).
    pub fn posted(&mut self, now: Now, out: &mut Out) {
        self.tick(now, out);
        self.settle(now, out);
    }

    /// Lends the messages that come next, if there are some and nobody else may want them. To one borrower at a time.
    pub fn lend_messages(&mut self) -> Vec<SharedBytes> {
        let waits = !self.getters.is_empty() || !self.joiners.is_empty();
        let may_come_back = !self.returned.is_empty() || !self.leases.is_empty() || !self.delayed.is_empty();
        if waits || may_come_back || !self.lent.is_empty() {
            return Vec::new();
        }
        let mut left = LOAN_BYTES;
        while self.lent.len() < LOAN_MESSAGES as usize
            && let Some(rest) = self.fresh.front().and_then(|message| left.checked_sub(message.body.len() as u64))
        {
            left = rest;
            self.lent.extend(self.fresh.pop_front());
        }
        self.lent.iter().map(|message| message.body.clone()).collect()
    }

    /// The first so many messages that were lent were got.
    pub fn taken(&mut self, now: Now, count: usize, out: &mut Out) {
        for _ in 0..count {
            if let Some(message) = self.lent.pop_front() {
                self.release(&message);
            }
        }
        self.tick(now, out);
        self.settle(now, out);
    }

    /// What is lent comes back to where it was.
    pub fn take_back(&mut self, now: Now, out: &mut Out) {
        while let Some(message) = self.lent.pop_back() {
            self.fresh.push_front(message);
        }
        self.tick(now, out);
        self.settle(now, out);
    }
}

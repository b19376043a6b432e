//! What a pipe lends: room to the owner of one end, the messages that come next to the owner of the other.
//!
//! The rules are those of a queue's loans (`queue/loan.rs`); but an end has one owner, so only room, a close and a poll can tell the difference.

use taskcell_wire::call::{End, PipeCall, SharedBytes};

use super::{Out, Pipe, push};
use crate::loan::{LOAN_BYTES, LOAN_MESSAGES};
use crate::queue::Conflicts;
use crate::time::Now;

impl Pipe {
    /// Which loans of this pipe would change what a call of the owner of `end` does. All that was done with loans so far has to be known
    /// here.
    #[must_use]
    pub fn conflicts(&self, end: End, call: &PipeCall<'_>) -> Conflicts {
        match call {
            PipeCall::Send { message, .. } => {
                let goes = self.side(end).senders.is_empty() && self.has_room(end.other(), message.len() as u64);
                Conflicts { room: !goes, messages: false }
            }
            PipeCall::Recv { .. } | PipeCall::Poll { .. } => Conflicts { room: false, messages: !self.side(end).lent.is_empty() },
            PipeCall::Close => Conflicts::ALL,
        }
    }

    /// Lends room to the owner of `end`, for messages to the other one: for so many, of so many bytes together.
    #[must_use]
    pub fn lend_room(&mut self, end: End) -> Option<(u32, u64)> {
        let Self { quotas, .. } = *self;
        let waits = !self.side(end).senders.is_empty();
        let side = self.side_mut(end.other());
        let free = quotas.pipe_items.saturating_sub(side.messages());
        let messages = u32::try_from(free).unwrap_or(u32::MAX).min(LOAN_MESSAGES);
        let free = quotas.pipe_bytes.saturating_sub(side.inbox_bytes).saturating_sub(side.promised_bytes);
        if waits || side.is_closed || messages < 2 || free < LOAN_BYTES || quotas.message_bytes < LOAN_BYTES {
            return None;
        }
        side.promised += messages as usize;
        side.promised_bytes += LOAN_BYTES;
        Some((messages, LOAN_BYTES))
    }

    /// Room for so much is no longer lent to the owner of `end`.
    pub fn return_room(&mut self, end: End, messages: u64, bytes: u64) {
        let side = self.side_mut(end.other());
        side.promised = side.promised.saturating_sub(usize::try_from(messages).unwrap_or(usize::MAX));
        side.promised_bytes = side.promised_bytes.saturating_sub(bytes);
    }

    /// Sends a message for which room was lent. One to an end that was closed meanwhile is gone, as if it had been closed just after.
    pub fn post(&mut self, end: End, message: SharedBytes) {
        self.return_room(end, 1, message.len() as u64);
        let side = self.side_mut(end.other());
        if !side.is_closed {
            push(side, message);
        }
    }

    /// After [`post`](Self::post).
    pub fn posted(&mut self, now: Now, out: &mut Out) {
        self.tick(now, out);
        self.settle(out);
    }

    /// Lends the owner of `end` the messages that come next there.
    pub fn lend_messages(&mut self, end: End) -> Vec<SharedBytes> {
        let side = self.side_mut(end);
        if !side.receivers.is_empty() || !side.polls.is_empty() || !side.lent.is_empty() {
            return Vec::new();
        }
        let mut left = LOAN_BYTES;
        while side.lent.len() < LOAN_MESSAGES as usize
            && let Some(rest) = side.inbox.front().and_then(|message| left.checked_sub(message.len() as u64))
        {
            left = rest;
            side.lent.extend(side.inbox.pop_front());
        }
        side.lent.iter().cloned().collect()
    }

    /// The first so many messages that were lent to the owner of `end` were received.
    pub fn taken(&mut self, now: Now, end: End, count: usize, out: &mut Out) {
        let side = self.side_mut(end);
        for _ in 0..count {
            if let Some(message) = side.lent.pop_front() {
                side.inbox_bytes = side.inbox_bytes.saturating_sub(message.len() as u64);
            }
        }
        self.posted(now, out);
    }

    /// What is lent to the owner of `end` comes back to where it was.
    pub fn take_back(&mut self, now: Now, end: End, out: &mut Out) {
        let side = self.side_mut(end);
        while let Some(message) = side.lent.pop_back() {
            side.inbox.push_front(message);
        }
        self.posted(now, out);
    }
}

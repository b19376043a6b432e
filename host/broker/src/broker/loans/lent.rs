//! What is lent, to whom, and how much of it is left.

use taskcell_wire::call::{Call, End, HandleId, ObjectId, PipeCall, PipeReply, QueueCall, QueueReply, Reply, SharedBytes};

use crate::effect::Violation;
use crate::loan::{Habit, LONGEST};
use crate::quotas::ITEM_BYTES;

/// Which calls a loan is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::broker) enum Kind {
    /// Puts and sends.
    Put,
    /// Gets and receives.
    Get,
}

impl Kind {
    /// The handle of a call that a loan could have been for, and its kind.
    pub(in crate::broker) fn of(call: &Call<'_>) -> Option<(HandleId, Self)> {
        if let Call::Queue(handle, QueueCall::Put { message, .. }) | Call::Pipe(handle, PipeCall::Send { message, .. }) = call {
            return (message.len() <= LONGEST).then_some((*handle, Self::Put));
        }
        if let Call::Queue(handle, QueueCall::Get { .. }) | Call::Pipe(handle, PipeCall::Recv { .. }) = call {
            return Some((*handle, Self::Get));
        }
        None
    }
}

/// What is lent: the handle that it is for, and what is left of it.
#[derive(Debug, Clone, Copy)]
pub(in crate::broker) struct Lent {
    pub(in crate::broker) handle: HandleId,
    pub(super) object: ObjectId,
    /// The end, if it is a pipe.
    pub(super) end: Option<End>,
    pub(super) messages: u64,
    /// For room: their bytes.
    pub(super) bytes: u64,
    /// How many messages were posted or taken.
    pub(super) used: u64,
}

impl Lent {
    /// The message of a call for which room was lent.
    pub(super) fn message_of(&mut self, call: Call<'_>) -> Result<SharedBytes, Violation> {
        let (Call::Queue(handle, QueueCall::Put { message, .. }) | Call::Pipe(handle, PipeCall::Send { message, .. })) = call
        else {
            return Err(Violation::OutOfTurn);
        };
        if handle != self.handle {
            return Err(Violation::OutOfTurn);
        }
        self.messages = self.messages.checked_sub(1).ok_or(Violation::OverLimit)?;
        self.bytes = self.bytes.checked_sub(message.len() as u64).ok_or(Violation::OverLimit)?;
        self.used += 1;
        Ok(message.into_shared())
    }

    /// What room that is lent counts for of all bytes.
    pub(super) fn promised(&self) -> u64 {
        self.bytes.saturating_add(self.messages.saturating_mul(ITEM_BYTES))
    }
}

/// The loans of one attempt.
#[derive(Debug, Default)]
pub(in crate::broker) struct Loans {
    pub(super) room: Option<Lent>,
    pub(super) messages: Option<Lent>,
    pub(super) puts: Habit,
    pub(super) gets: Habit,
}

impl Loans {
    /// One more call of a kind. Whether the next ones are likely to be the same.
    pub(super) fn again(&mut self, handle: HandleId, kind: Kind) -> bool {
        match kind {
            Kind::Put => self.puts.again(handle),
            Kind::Get => self.gets.again(handle),
        }
    }

    pub(super) fn of(&self, kind: Kind) -> Option<&Lent> {
        match kind {
            Kind::Put => self.room.as_ref(),
            Kind::Get => self.messages.as_ref(),
        }
    }
}

/// Whether an answer has room for a loan beside it.
pub(super) fn is_short(reply: &Reply<'_>) -> bool {
    if let Reply::Queue(QueueReply::Message(message)) | Reply::Pipe(PipeReply::Message(message)) = reply {
        return message.len() <= LONGEST;
    }
    true
}

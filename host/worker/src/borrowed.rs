//! What the running task was lent, and which of its calls need no answer for that.
//!
//! Only what is left is kept here, to save a call that would be made in vain; what was done is in shared memory ([`crate::loan`]). Handles' numbers
//! are used once, so a loan never is for the handle of another task.

use std::ops::Range;

use taskcell_sandbox::SharedMemory;
use taskcell_wire::FromWorker;
use taskcell_wire::call::{Bytes, Call, CallId, HandleId, Loan, PipeCall, PipeReply, QueueCall, QueueReply, Reply};

use crate::outbox::Outbox;

/// Loans that are left, as far as is known.
#[derive(Debug, Default)]
pub(crate) struct Borrowed {
    room: Option<Room>,
    messages: Option<Messages>,
    /// Words of posts since the last call.
    posted: usize,
    /// Messages that were lent, one behind the other.
    space: Vec<u8>,
}

#[derive(Debug)]
struct Room {
    handle: HandleId,
    messages: u32,
    bytes: u32,
}

#[derive(Debug)]
struct Messages {
    handle: HandleId,
    /// Where each lies in `space`.
    places: Vec<Range<usize>>,
    taken: usize,
}

impl Borrowed {
    /// Makes a call out of what is lent, if that can be, and answers it.
    pub(crate) fn make(&mut self, call: &Call<'_>, outbox: &Outbox, memory: &SharedMemory) -> Option<Reply<'_>> {
        if let Call::Queue(handle, QueueCall::Put { message, .. }) = call {
            self.post(*handle, message, call, outbox, memory).then_some(Reply::Queue(QueueReply::Done))
        } else if let Call::Pipe(handle, PipeCall::Send { message, .. }) = call {
            self.post(*handle, message, call, outbox, memory).then_some(Reply::Pipe(PipeReply::Done))
        } else if let Call::Queue(handle, QueueCall::Get { .. }) = call {
            self.take(*handle, outbox, memory).map(|message| Reply::Queue(QueueReply::Message(message)))
        } else if let Call::Pipe(handle, PipeCall::Recv { .. }) = call {
            self.take(*handle, outbox, memory).map(|message| Reply::Pipe(PipeReply::Message(message)))
        } else {
            None
        }
    }

    /// A call was answered: whoever answered it has read all posts.
    pub(crate) fn answered(&mut self) {
        self.posted = 0;
    }

    /// Something is lent with the answer to this call.
    pub(crate) fn lend(&mut self, call: &Call<'_>, loan: &Loan<'_>) {
        let (Call::Queue(handle, _) | Call::Pipe(handle, _)) = call else { return };
        match loan {
            Loan::Room { messages, bytes } => {
                self.room = Some(Room { handle: *handle, messages: *messages, bytes: *bytes });
            }
            Loan::Messages(messages) => {
                self.space.clear();
                let place = |message: &Bytes<'_>| {
                    let start = self.space.len();
                    self.space.extend_from_slice(message);
                    start..self.space.len()
                };
                let places = messages.0.iter().map(place).collect();
                self.messages = Some(Messages { handle: *handle, places, taken: 0 });
            }
        }
    }

    fn post(&mut self, handle: HandleId, message: &[u8], call: &Call<'_>, outbox: &Outbox, memory: &SharedMemory) -> bool {
        let Some(room) = self.room.as_mut().filter(|room| room.handle == handle && room.messages > 0) else { return false };
        let Some(left) = u32::try_from(message.len()).ok().and_then(|bytes| room.bytes.checked_sub(bytes)) else { return false };
        // Nobody answers, so nobody asks for the number.
        let Some(posted) = outbox.post(&FromWorker::Call(CallId(0), call.clone()), self.posted, memory) else { return false };
        (room.messages, room.bytes) = (room.messages - 1, left);
        self.posted = posted;
        true
    }

    fn take(&mut self, handle: HandleId, outbox: &Outbox, memory: &SharedMemory) -> Option<Bytes<'_>> {
        let messages = self.messages.as_mut().filter(|messages| messages.handle == handle)?;
        let place = messages.places.get(messages.taken)?.clone();
        if !outbox.take(messages.taken as u64, memory) {
            self.messages = None;
            return None;
        }
        messages.taken += 1;
        Some(Bytes::Borrowed(self.space.get(place).unwrap_or(&[])))
    }
}

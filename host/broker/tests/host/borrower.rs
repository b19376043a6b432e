//! A worker's side of loans: calls that need no answer, told to the broker later.

use taskcell_broker::Violation;
use taskcell_wire::WorkerId;
use taskcell_wire::call::{Call, Loan, PipeCall, PipeReply, QueueCall, QueueReply, Reply, SharedBytes};

use super::{Answer, Host};

/// What a worker was lent, and what it did with it since that was told.
#[derive(Debug, Default)]
pub(crate) struct Borrower {
    /// The handle of the last call that was answered: what comes with the answer is lent for it.
    handle: Option<taskcell_wire::HandleId>,
    room: Option<(taskcell_wire::HandleId, u32, u32)>,
    messages: Option<(taskcell_wire::HandleId, Vec<SharedBytes>)>,
    taken: usize,
    told: usize,
    posts: Vec<Call<'static>>,
    /// Calls that were made out of loans.
    pub(crate) posted: u64,
    pub(crate) got: u64,
}

impl Borrower {
    pub(crate) fn lend(&mut self, loan: Loan<'static>) {
        let handle = self.handle.unwrap_or_else(|| panic!("{loan:?} for no call"));
        match loan {
            Loan::Room { messages, bytes } => self.room = Some((handle, messages, bytes)),
            Loan::Messages(messages) => {
                self.messages = Some((handle, messages.0.into_iter().map(taskcell_wire::call::Bytes::into_shared).collect()));
                (self.taken, self.told) = (0, 0);
            }
        }
    }

    /// Makes a call out of what is lent, if that can be.
    fn make(&mut self, call: &Call<'_>) -> Option<Answer> {
        let (Call::Queue(handle, _) | Call::Pipe(handle, _)) = call else { return None };
        if let Call::Queue(_, QueueCall::Put { message, .. }) | Call::Pipe(_, PipeCall::Send { message, .. }) = call {
            let room = self.room.as_mut().filter(|(of, messages, _)| of == handle && *messages > 0)?;
            let left = room.2.checked_sub(u32::try_from(message.len()).ok()?)?;
            (room.1, room.2) = (room.1 - 1, left);
            let message = message.clone().into_shared().into();
            self.posts.push(if matches!(call, Call::Queue(..)) {
                Call::Queue(*handle, QueueCall::Put { message, timeout: None })
            } else {
                Call::Pipe(*handle, PipeCall::Send { message, timeout: None })
            });
            self.posted += 1;
            let is_queue = matches!(call, Call::Queue(..));
            return Some(Ok(if is_queue { Reply::Queue(QueueReply::Done) } else { Reply::Pipe(PipeReply::Done) }));
        }
        if !matches!(call, Call::Queue(_, QueueCall::Get { .. }) | Call::Pipe(_, PipeCall::Recv { .. })) {
            return None;
        }
        let (_, messages) = self.messages.as_ref().filter(|(of, _)| of == handle)?;
        let message = messages.get(self.taken)?.clone();
        self.taken += 1;
        self.got += 1;
        let is_queue = matches!(call, Call::Queue(..));
        let message = message.into();
        Some(Ok(if is_queue { Reply::Queue(QueueReply::Message(message)) } else { Reply::Pipe(PipeReply::Message(message)) }))
    }
}

impl Host {
    /// Tells what a worker did with what it was lent.
    pub(crate) fn told(&mut self, id: WorkerId) {
        let Some(borrower) = self.borrowers.get_mut(&id) else { return };
        let fail = |violation: Violation| panic!("{id}: {violation}");
        if borrower.taken != borrower.told {
            borrower.told = borrower.taken;
            self.broker.taken(self.now, id, borrower.taken as u64).unwrap_or_else(fail);
        }
        if !borrower.posts.is_empty() {
            self.broker.posted(self.now, id, borrower.posts.drain(..).map(Ok)).unwrap_or_else(fail);
        }
        self.settle();
    }

    /// Takes back what a worker was lent.
    pub(crate) fn recover(&mut self, id: WorkerId) {
        self.told(id);
        if let Some(borrower) = self.borrowers.get_mut(&id) {
            (borrower.room, borrower.messages, borrower.taken, borrower.told) = (None, None, 0, 0);
        }
        self.broker.recovered(self.now, id);
        self.settle();
    }

    /// Makes a call as a worker and a supervisor do that know of loans; its answer if that came at once.
    pub(crate) fn call_or_use(&mut self, id: WorkerId, call: Call<'_>) -> Option<Answer> {
        self.use_loan(id, &call).or_else(|| self.call(id, call))
    }

    /// Makes a call out of what is lent, as a worker does, if that can be. Otherwise whatever stands in its way is taken back, as a supervisor
    /// does.
    pub(crate) fn use_loan(&mut self, id: WorkerId, call: &Call<'_>) -> Option<Answer> {
        let borrower = self.borrowers.entry(id).or_default();
        if let Some(answer) = borrower.make(call) {
            return Some(answer);
        }
        if let Call::Queue(handle, _) | Call::Pipe(handle, _) = call {
            borrower.handle = Some(*handle);
        }
        self.told(id);
        for other in self.broker.borrowers(id, call) {
            self.told(other);
        }
        for other in self.broker.in_the_way(id, call) {
            self.recover(other);
        }
        None
    }
}

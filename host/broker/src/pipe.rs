//! Channels between two owners, message by message.
//!
//! The failures that this prevents: a message that is cut in two because its sender was killed while it wrote; a receiver that waits for ever
//! for a peer that is gone; an end that two processes read from, each getting half of what was sent.
//!
//! Rules. An end belongs to one attempt, or to none while it is on its way to its next owner; nobody else can use it. A message is sent whole
//! or not at all, and arrives once, in order. When an end is closed, or its owner ends, then what it had sent can still be
//! received; after that the peer is told `closed`. What was sent to a closed end is gone, and sending there is `closed` at once. A
//! message goes into the pipe if the pipe is empty or has room for it, so one that is longer than the pipe travels alone.
//!
//! ```text
//!                 senders (parked)      inbox of B
//!   A  ── send ──>  [ m7 m6 ]  ──────>  [ m5 m4 ]  ── recv ──>  B       and, if duplex, the same from B to A
//! ```

use std::collections::VecDeque;

use taskcell_wire::call::{
    Bytes, CallError, CallId, End, Holder, ObjectId, PipeCall, PipeOptions, PipeReply, SharedBytes, Timeout,
};

use crate::object::{Completions, Label, answer};
use crate::quotas::{ITEM_BYTES, Quotas};
use crate::time::Now;
use crate::waiters::{Waiters, earlier};

mod loan;
#[cfg(test)]
mod tests;

/// What the pipe answers.
type Reply = PipeReply<'static>;
type Out = Completions<Reply>;

/// One end: whose it is, what waits to be received there, and the calls of its owner that wait.
#[derive(Debug, Default)]
struct Side {
    is_closed: bool,
    /// `None`: on its way.
    owner: Option<Holder>,
    inbox: VecDeque<SharedBytes>,
    /// Messages that are lent to the owner, in order; all are older than those in `inbox`.
    lent: VecDeque<SharedBytes>,
    /// Of both.
    inbox_bytes: u64,
    /// Room that is lent to the one who sends to here, in messages and in bytes.
    promised: usize,
    promised_bytes: u64,
    senders: Waiters<SharedBytes>,
    parked_bytes: u64,
    receivers: Waiters<()>,
    polls: Waiters<()>,
}

impl Side {
    /// Messages that are on their way to here, and those that room was lent for.
    fn messages(&self) -> usize {
        self.inbox.len().saturating_add(self.lent.len()).saturating_add(self.promised)
    }

    /// Takes out all calls that wait, and tells which.
    fn take_calls(&mut self) -> Vec<CallId> {
        self.parked_bytes = 0;
        let calls = self.senders.take_all().map(|waiter| waiter.call);
        let calls = calls.chain(self.receivers.take_all().map(|waiter| waiter.call));
        calls.chain(self.polls.take_all().map(|waiter| waiter.call)).collect()
    }

    fn next_deadline(&self) -> Option<Now> {
        earlier(earlier(self.senders.next_deadline(), self.receivers.next_deadline()), self.polls.next_deadline())
    }

    fn count_parked(&mut self) {
        self.parked_bytes = self.senders.iter().map(|waiter| waiter.wants.len() as u64).sum();
    }
}

/// A pipe's state.
#[derive(Debug)]
pub struct Pipe {
    label: Label,
    quotas: Quotas,
    duplex: bool,
    first: Side,
    second: Side,
}

impl Pipe {
    /// A pipe whose ends both belong to the one who made it.
    #[must_use]
    pub fn new(id: ObjectId, options: &PipeOptions, owner: Holder, quotas: Quotas) -> Self {
        let side = || Side { owner: Some(owner), ..Side::default() };
        let label = Label::new("pipe", id, options.name.as_deref());
        Self { label, quotas, duplex: options.duplex, first: side(), second: side() }
    }

    /// What it is called.
    #[must_use]
    pub fn label(&self) -> &Label {
        &self.label
    }

    /// A call of the owner of `end`; of anybody else it is [`CallError::Denied`].
    pub fn call(&mut self, now: Now, id: CallId, holder: Holder, end: End, call: PipeCall<'_>, out: &mut Out) {
        self.tick(now, out);
        let result = self.answer_to(now, (id, holder), end, call, out);
        if let Some(result) = result.transpose() {
            answer(out, id, result);
        }
        self.settle(out);
    }

    fn answer_to(
        &mut self,
        now: Now,
        (id, holder): (CallId, Holder),
        end: End,
        call: PipeCall<'_>,
        out: &mut Out,
    ) -> Result<Option<Reply>, CallError> {
        let most = self.quotas.waiters;
        let side = self.side(end);
        if side.is_closed {
            let is_close = matches!(call, PipeCall::Close);
            return if is_close { Ok(Some(PipeReply::Done)) } else { Err(CallError::Closed) };
        }
        if side.owner != Some(holder) {
            return Err(CallError::Denied);
        }
        match call {
            PipeCall::Close => {
                self.close(end, out);
                Ok(Some(PipeReply::Done))
            }
            PipeCall::Send { .. } if !self.duplex && end == End::First => Err(CallError::Denied),
            PipeCall::Recv { .. } | PipeCall::Poll { .. } if !self.duplex && end == End::Second => Err(CallError::Denied),
            PipeCall::Send { message, timeout } => self.send(now, (id, holder), end, message, timeout),
            PipeCall::Recv { timeout } => {
                let gone = self.side(end.other()).is_closed;
                let side = self.side_mut(end);
                match pop(side) {
                    Some(message) => Ok(Some(PipeReply::Message(message.into()))),
                    None if gone => Err(CallError::Closed),
                    None => side.receivers.park(now, id, holder, timeout, (), most).map(|()| None),
                }
            }
            PipeCall::Poll { .. } if self.recv_ready(end) => Ok(Some(PipeReply::Ready(true))),
            PipeCall::Poll { timeout: Some(0) } => Ok(Some(PipeReply::Ready(false))),
            PipeCall::Poll { timeout } => self.side_mut(end).polls.park(now, id, holder, timeout, (), most).map(|()| None),
        }
    }

    fn send(
        &mut self,
        now: Now,
        (id, holder): (CallId, Holder),
        end: End,
        message: Bytes<'_>,
        timeout: Timeout,
    ) -> Result<Option<Reply>, CallError> {
        let quotas = self.quotas;
        let bytes = message.len() as u64;
        if self.side(end.other()).is_closed {
            return Err(CallError::Closed);
        }
        if bytes > quotas.message_bytes {
            return Err(CallError::Quota(format!("{} bytes of a message", quotas.message_bytes)));
        }
        if self.side(end).senders.is_empty() && self.has_room(end.other(), bytes) {
            push(self.side_mut(end.other()), message.into_shared());
            return Ok(Some(PipeReply::Done));
        }
        if timeout == Some(0) {
            return Err(CallError::TimedOut);
        }
        let side = self.side_mut(end);
        if side.parked_bytes.saturating_add(bytes) > quotas.parked_bytes && !side.senders.is_empty() {
            return Err(CallError::Quota(format!("{} bytes that wait for room", quotas.parked_bytes)));
        }
        side.senders.park(now, id, holder, timeout, message.into_shared(), quotas.waiters)?;
        side.parked_bytes += bytes;
        Ok(None)
    }

    /// Closes an end, whoever owns it: for a call, and for an end whose next owner never came to be.
    pub fn close(&mut self, end: End, out: &mut Out) {
        self.shut(end, &CallError::Closed, out);
    }

    /// Gives an end to another attempt, or to nobody yet (`None`). Calls on it that wait are answered with [`CallError::Closed`]: for
    /// the one who made them it is.
    pub fn give(&mut self, now: Now, end: End, to: Option<Holder>, out: &mut Out) {
        self.tick(now, out);
        let side = self.side_mut(end);
        side.owner = to;
        let calls = side.take_calls();
        calls.into_iter().for_each(|call| answer(out, call, Err(CallError::Closed)));
        self.settle(out);
    }

    /// Who owns the end: `None` while it is on its way and once it is closed.
    #[must_use]
    pub fn owner(&self, end: End) -> Option<Holder> {
        self.side(end).owner
    }

    /// Whether both ends are closed, so that nothing is left to be done with it.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.first.is_closed && self.second.is_closed
    }

    /// An attempt ended: the ends that it owns are closed, its calls are answered with [`CallError::Cancelled`].
    pub fn holder_gone(&mut self, now: Now, holder: Holder, out: &mut Out) {
        for end in [End::First, End::Second] {
            if self.side(end).owner == Some(holder) {
                self.shut(end, &CallError::Cancelled, out);
            }
        }
        self.tick(now, out);
        self.settle(out);
    }

    /// Withdraws a call that waits: it is answered with [`CallError::Cancelled`]. Nothing happens if it does not wait here.
    pub fn cancel(&mut self, now: Now, call: CallId, out: &mut Out) {
        for end in [End::First, End::Second] {
            let side = self.side_mut(end);
            let found = side.senders.take_call(call).is_some()
                || side.receivers.take_call(call).is_some()
                || side.polls.take_call(call).is_some();
            if found {
                side.count_parked();
                answer(out, call, Err(CallError::Cancelled));
            }
        }
        self.tick(now, out);
        self.settle(out);
    }

    /// Ends the calls whose time is over.
    pub fn tick(&mut self, now: Now, out: &mut Out) {
        while let Some(at) = self.next_tick().filter(|at| *at <= now) {
            for end in [End::First, End::Second] {
                let side = self.side_mut(end);
                let late = side.senders.expire(at).into_iter().map(|waiter| waiter.call);
                let late: Vec<_> = late.chain(side.receivers.expire(at).into_iter().map(|waiter| waiter.call)).collect();
                late.into_iter().for_each(|call| answer(out, call, Err(CallError::TimedOut)));
                side.polls.expire(at).into_iter().for_each(|waiter| answer(out, waiter.call, Ok(PipeReply::Ready(false))));
                side.count_parked();
            }
            self.settle(out);
        }
    }

    /// When [`tick`](Self::tick) is to be called at the latest.
    #[must_use]
    pub fn next_tick(&self) -> Option<Now> {
        earlier(self.first.next_deadline(), self.second.next_deadline())
    }

    /// What a call that waits here waits for, for people.
    #[must_use]
    pub fn describe_wait(&self, call: CallId) -> Option<String> {
        let verb = [&self.first, &self.second].into_iter().find_map(|side| {
            let sends = side.senders.find(call).map(|_| "send");
            let receives = sends.or_else(|| side.receivers.find(call).map(|_| "recv"));
            receives.or_else(|| side.polls.find(call).map(|_| "poll"))
        })?;
        Some(format!("{}: {verb}", self.label))
    }

    /// Whether a receive at this end would be answered at once.
    #[must_use]
    pub fn recv_ready(&self, end: End) -> bool {
        let side = self.side(end);
        side.is_closed || !side.inbox.is_empty() || self.side(end.other()).is_closed
    }

    /// Whether messages come out at this end.
    #[must_use]
    pub fn receives(&self, end: End) -> bool {
        self.duplex || end == End::First
    }

    /// Bytes that it keeps: on their way, and of senders that wait.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        [&self.first, &self.second].iter().map(|side| side.inbox_bytes.saturating_add(side.parked_bytes)).sum()
    }

    /// The same, with what a message takes beside its body.
    #[must_use]
    pub fn footprint(&self) -> u64 {
        let items: usize =
            [&self.first, &self.second].iter().map(|side| side.inbox.len() + side.lent.len() + side.senders.len()).sum();
        self.bytes().saturating_add((items as u64).saturating_mul(ITEM_BYTES))
    }

    fn side(&self, end: End) -> &Side {
        match end {
            End::First => &self.first,
            End::Second => &self.second,
        }
    }

    fn side_mut(&mut self, end: End) -> &mut Side {
        match end {
            End::First => &mut self.first,
            End::Second => &mut self.second,
        }
    }

    fn has_room(&self, to: End, bytes: u64) -> bool {
        let side = self.side(to);
        let fits = side.inbox_bytes.saturating_add(side.promised_bytes).saturating_add(bytes) <= self.quotas.pipe_bytes;
        side.messages() == 0 || (fits && side.messages() < self.quotas.pipe_items)
    }

    /// Closes an end; calls of its owner that wait are answered with `why`.
    fn shut(&mut self, end: End, why: &CallError, out: &mut Out) {
        let side = self.side_mut(end);
        side.is_closed = true;
        side.owner = None;
        side.inbox.clear();
        side.lent.clear();
        side.inbox_bytes = 0;
        let calls = side.take_calls();
        calls.into_iter().for_each(|call| answer(out, call, Err(why.clone())));
        let peer = self.side_mut(end.other());
        peer.parked_bytes = 0;
        peer.senders.take_all().for_each(|waiter| answer(out, waiter.call, Err(CallError::Closed)));
        self.settle(out);
    }

    /// Lets all go on who can, in their order.
    fn settle(&mut self, out: &mut Out) {
        for end in [End::First, End::Second] {
            self.deliver(end, out);
        }
    }

    /// From those who wait to send, through the inbox of `to`, to those who wait to receive.
    fn deliver(&mut self, to: End, out: &mut Out) {
        loop {
            let side = self.side_mut(to);
            while !side.receivers.is_empty()
                && let Some(message) = pop(side)
                && let Some(waiter) = side.receivers.pop()
            {
                answer(out, waiter.call, Ok(PipeReply::Message(message.into())));
            }
            let next = self.side(to.other()).senders.front().map(|waiter| waiter.wants.len() as u64);
            if !next.is_some_and(|bytes| self.has_room(to, bytes)) {
                break;
            }
            let from = self.side_mut(to.other());
            if let Some(waiter) = from.senders.pop() {
                from.parked_bytes = from.parked_bytes.saturating_sub(waiter.wants.len() as u64);
                push(self.side_mut(to), waiter.wants);
                answer(out, waiter.call, Ok(PipeReply::Done));
            }
        }
        if self.recv_ready(to) {
            let gone = self.side(to.other()).is_closed;
            let side = self.side_mut(to);
            side.polls.take_all().for_each(|waiter| answer(out, waiter.call, Ok(PipeReply::Ready(true))));
            if gone {
                // What was there to receive was given away above.
                side.receivers.take_all().for_each(|waiter| answer(out, waiter.call, Err(CallError::Closed)));
            }
        }
    }
}

fn push(side: &mut Side, message: SharedBytes) {
    side.inbox_bytes += message.len() as u64;
    side.inbox.push_back(message);
}

fn pop(side: &mut Side) -> Option<SharedBytes> {
    let message = side.inbox.pop_front()?;
    side.inbox_bytes = side.inbox_bytes.saturating_sub(message.len() as u64);
    Some(message)
}

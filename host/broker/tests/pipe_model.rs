//! Pipes under random histories, against a naive model: for each direction a list of all that was ever sent with a mark how far it was received,
//! and one list of all calls that wait.
//!
//! After each step the answers have to be the model's. Apart from the model: each direction's messages arrive in order, without a gap, and
//! nothing arrives twice.
#![expect(clippy::cast_possible_truncation, reason = "the numbers of a history are small")]

mod history;

use history::{Answers, Holders, MS, Open, Random, Trace, plain, play_all, timeout};
use taskcell_broker::{Completions, Now, Pipe, Quotas};
use taskcell_wire::call::{Bytes, CallError, CallId, End, Holder, ObjectId, PipeCall, PipeOptions, PipeReply};

type Reply = PipeReply<'static>;

const ENDS: [End; 2] = [End::First, End::Second];

#[derive(Debug, Clone, PartialEq, Eq)]
enum Wants {
    Send(Vec<u8>),
    Recv,
    Poll,
}

#[derive(Debug)]
struct Waiting {
    call: CallId,
    end: End,
    deadline: Option<u64>,
    wants: Wants,
}

#[derive(Debug, Default)]
struct Side {
    closed: bool,
    owner: Option<u64>,
    /// All that came to this end, and how many of it were received.
    came: Vec<Vec<u8>>,
    received: usize,
}

#[derive(Debug)]
struct Naive {
    duplex: bool,
    quotas: Quotas,
    sides: [Side; 2],
    waiting: Vec<Waiting>,
    answers: Answers<Reply>,
}

fn place(end: End) -> usize {
    match end {
        End::First => 0,
        End::Second => 1,
    }
}

impl Naive {
    fn side(&mut self, end: End) -> &mut Side {
        &mut self.sides[place(end)]
    }

    fn answer(&mut self, call: CallId, result: Result<Reply, CallError>) {
        self.answers.push((call, plain(result)));
    }

    fn inbox(&self, end: End) -> &[Vec<u8>] {
        let side = &self.sides[place(end)];
        &side.came[side.received..]
    }

    fn fits(&self, to: End, body: &[u8]) -> bool {
        let inbox = self.inbox(to);
        let bytes = inbox.iter().map(Vec::len).sum::<usize>() + body.len();
        inbox.is_empty() || (bytes as u64 <= self.quotas.pipe_bytes && inbox.len() < self.quotas.pipe_items)
    }

    fn is_ready(&self, end: End) -> bool {
        !self.inbox(end).is_empty() || self.sides[place(end.other())].closed
    }

    /// What a call gets now, if it needs not wait.
    fn now(&mut self, end: End, wants: &Wants) -> Option<Result<Reply, CallError>> {
        match wants {
            Wants::Send(_) if self.side(end.other()).closed => Some(Err(CallError::Closed)),
            Wants::Send(body) if self.fits(end.other(), body) => {
                self.side(end.other()).came.push(body.clone());
                Some(Ok(PipeReply::Done))
            }
            Wants::Recv if !self.inbox(end).is_empty() => {
                let body = self.inbox(end)[0].clone();
                self.side(end).received += 1;
                Some(Ok(PipeReply::Message(Bytes::Shared(body.into()))))
            }
            Wants::Recv if self.side(end.other()).closed => Some(Err(CallError::Closed)),
            Wants::Poll if self.is_ready(end) => Some(Ok(PipeReply::Ready(true))),
            Wants::Send(_) | Wants::Recv | Wants::Poll => None,
        }
    }

    /// Answers the first call that can be, again and again. Among those that wait for the same at the same end the first comes first; receivers
    /// come before those who look, and before those who make room for others.
    fn settle(&mut self) {
        let rank = |waiting: &Waiting| match waiting.wants {
            Wants::Recv => 0,
            Wants::Send(_) => 1,
            Wants::Poll => 2,
        };
        'again: loop {
            let mut order: Vec<usize> = (0..self.waiting.len()).collect();
            order.sort_by_key(|at| rank(&self.waiting[*at]));
            for at in order {
                let Waiting { end, wants, .. } = &self.waiting[at];
                let (end, wants) = (*end, wants.clone());
                let is_first = |w: &Waiting| w.end == end && rank(w) == rank(&self.waiting[at]);
                if self.waiting.iter().position(is_first) != Some(at) {
                    continue;
                }
                if let Some(result) = self.now(end, &wants) {
                    let call = self.waiting.remove(at).call;
                    self.answer(call, result);
                    continue 'again;
                }
            }
            return;
        }
    }

    fn tick(&mut self, now: u64) {
        while let Some(at) = self.next().filter(|at| *at <= now) {
            for waiting in std::mem::take(&mut self.waiting) {
                match waiting.wants {
                    Wants::Poll if waiting.deadline == Some(at) => self.answer(waiting.call, Ok(PipeReply::Ready(false))),
                    Wants::Send(_) | Wants::Recv if waiting.deadline == Some(at) => {
                        self.answer(waiting.call, Err(CallError::TimedOut));
                    }
                    Wants::Send(_) | Wants::Recv | Wants::Poll => self.waiting.push(waiting),
                }
            }
            self.settle();
        }
    }

    fn next(&self) -> Option<u64> {
        self.waiting.iter().filter_map(|waiting| waiting.deadline).min()
    }

    fn withdraw(&mut self, is_out: impl Fn(&Waiting) -> bool, why: &CallError) {
        for waiting in std::mem::take(&mut self.waiting) {
            if is_out(&waiting) {
                self.answer(waiting.call, Err(why.clone()));
            } else {
                self.waiting.push(waiting);
            }
        }
    }

    fn close(&mut self, end: End, why: &CallError) {
        self.withdraw(|waiting| waiting.end == end, why);
        let side = self.side(end);
        side.closed = true;
        side.owner = None;
        side.received = side.came.len();
        self.settle();
    }

    fn call(&mut self, now: u64, call: CallId, holder: u64, end: End, what: &PipeCall<'_>) {
        self.tick(now);
        let one_way = |from| !self.duplex && end == from;
        let side = &self.sides[place(end)];
        let (wants, timeout) = match what {
            PipeCall::Close if side.closed => return self.answer(call, Ok(PipeReply::Done)),
            PipeCall::Close | PipeCall::Send { .. } | PipeCall::Recv { .. } | PipeCall::Poll { .. } if side.closed => {
                return self.answer(call, Err(CallError::Closed));
            }
            PipeCall::Close | PipeCall::Send { .. } | PipeCall::Recv { .. } | PipeCall::Poll { .. }
                if side.owner != Some(holder) =>
            {
                return self.answer(call, Err(CallError::Denied));
            }
            PipeCall::Close => {
                self.close(end, &CallError::Closed);
                return self.answer(call, Ok(PipeReply::Done));
            }
            PipeCall::Send { .. } if one_way(End::First) => return self.answer(call, Err(CallError::Denied)),
            PipeCall::Recv { .. } | PipeCall::Poll { .. } if one_way(End::Second) => {
                return self.answer(call, Err(CallError::Denied));
            }
            PipeCall::Send { message, timeout } => (Wants::Send(message.to_vec()), *timeout),
            PipeCall::Recv { timeout } => (Wants::Recv, *timeout),
            PipeCall::Poll { timeout } => (Wants::Poll, *timeout),
        };
        if let Wants::Send(body) = &wants
            && body.len() as u64 > self.quotas.message_bytes
            && !self.side(end.other()).closed
        {
            return self.answer(call, Err(CallError::Quota(String::new())));
        }
        let same = |w: &Waiting| w.end == end && std::mem::discriminant(&w.wants) == std::mem::discriminant(&wants);
        let is_first = !self.waiting.iter().any(same);
        let result = if is_first { self.now(end, &wants) } else { None };
        match (result, timeout, &wants) {
            (Some(result), ..) => self.answer(call, result),
            (None, Some(0), Wants::Poll) => self.answer(call, Ok(PipeReply::Ready(false))),
            (None, Some(0), Wants::Send(_) | Wants::Recv) => self.answer(call, Err(CallError::TimedOut)),
            (None, ..) => self.waiting.push(Waiting { call, end, deadline: timeout.map(|after| now + after), wants }),
        }
        self.settle();
    }
}

/// What arrived at each end, told by the pipe's answers alone: messages of one direction are numbered.
#[derive(Debug, Default)]
struct Arrived {
    next: [u32; 2],
}

impl Arrived {
    fn look(&mut self, end: End, body: &[u8]) {
        let number = u32::from_le_bytes(*body.first_chunk().expect("a message is at least its number"));
        let next = &mut self.next[place(end)];
        assert!(number >= *next, "message {number} came after {next}");
        *next = number + 1;
    }
}

fn play(seed: u64, trace: Trace) {
    let mut random = Random::new(seed);
    let quotas = Quotas { pipe_bytes: 12 + random.below(20), pipe_items: 3, message_bytes: 40, ..Quotas::default() };
    let duplex = random.once_in(2);
    let mut holders = Holders::new(3);
    let maker = holders.pick(&mut random);
    let mut pipe = Pipe::new(ObjectId(1), &PipeOptions { duplex, name: None }, Holder(maker), quotas);
    let sides = [(); 2].map(|()| Side { owner: Some(maker), ..Side::default() });
    let mut naive = Naive { duplex, quotas, sides, waiting: Vec::new(), answers: Vec::new() };
    let (mut open, mut arrived, mut out) = (Open::default(), Arrived::default(), Completions::new());
    let (mut now, mut sent, mut ends_of) = (0u64, 0u32, Vec::new());
    for _ in 0..random.between(5, 60) {
        if random.once_in(2) {
            now += random.below(4) * MS / 2;
        }
        match random.below(24) {
            0 => {
                let (dead, _) = holders.replace(&mut random);
                trace.tell(|| format!("{now}: attempt {dead} ends"));
                pipe.holder_gone(Now(now), Holder(dead), &mut out);
                for end in ENDS {
                    if naive.side(end).owner == Some(dead) {
                        naive.close(end, &CallError::Cancelled);
                    }
                }
                naive.tick(now);
            }
            1..3 => {
                let end = ENDS[place(if random.once_in(2) { End::First } else { End::Second })];
                let to = (!random.once_in(4)).then(|| holders.pick(&mut random));
                if !naive.side(end).closed {
                    trace.tell(|| format!("{now}: {end:?} is given to {to:?}"));
                    pipe.give(Now(now), end, to.map(Holder), &mut out);
                    naive.tick(now);
                    naive.side(end).owner = to;
                    naive.withdraw(|waiting| waiting.end == end, &CallError::Closed);
                    naive.settle();
                }
            }
            3 => {
                if let Some(call) = open.pick(&mut random) {
                    trace.tell(|| format!("{now}: {call} is cancelled"));
                    pipe.cancel(Now(now), call, &mut out);
                    naive.withdraw(|waiting| waiting.call == call, &CallError::Cancelled);
                    // Chosen from all open calls, so it waited here.
                    naive.tick(now);
                    naive.settle();
                }
            }
            4..7 => {
                now = pipe.next_tick().map_or(now, |at| at.0.max(now));
                trace.tell(|| format!("{now}: tick"));
                pipe.tick(Now(now), &mut out);
                naive.tick(now);
            }
            n => {
                let end = if random.once_in(2) { End::First } else { End::Second };
                let owner = naive.side(end).owner;
                let holder = owner.filter(|_| !random.once_in(12)).unwrap_or_else(|| holders.pick(&mut random));
                sent += 1;
                let mut body = sent.to_le_bytes().to_vec();
                let most = if random.once_in(20) { 50 } else { 8 };
                body.resize(4 + random.below(most) as usize, 0);
                let timeout = timeout(&mut random);
                let what = match n {
                    7..15 => PipeCall::Send { message: body[..].into(), timeout },
                    15..20 => PipeCall::Recv { timeout },
                    20..23 => PipeCall::Poll { timeout },
                    _ if random.once_in(6) => PipeCall::Close,
                    _ => PipeCall::Recv { timeout },
                };
                let call = open.call();
                ends_of.push(end);
                trace.tell(|| format!("{now}: {call} of attempt {holder} at {end:?}: {what:?}"));
                naive.call(now, call, holder, end, &what);
                pipe.call(Now(now), call, Holder(holder), end, what, &mut out);
            }
        }
        let in_order: Vec<_> = out.iter().map(|completion| (completion.call, completion.result.clone())).collect();
        for (call, result) in in_order {
            if let Ok(PipeReply::Message(body)) = result {
                arrived.look(ends_of[call.0 as usize], &body);
            }
        }
        compare(&mut open, &pipe, &mut naive, &mut out, trace);
    }
    ENDS.into_iter().for_each(|end| pipe.close(end, &mut out));
    open.take(&mut out);
    assert!(open.is_empty() && pipe.is_over() && pipe.bytes() == 0, "closed, and yet somebody waits");
}

fn compare(open: &mut Open, pipe: &Pipe, naive: &mut Naive, out: &mut Completions<Reply>, trace: Trace) {
    let answers = open.take(out);
    answers.iter().for_each(|answer| trace.tell(|| format!("    {answer:?}")));
    naive.answers.sort_by_key(|(call, _)| *call);
    assert_eq!(answers, std::mem::take(&mut naive.answers));
    assert_eq!(open.is_empty(), naive.waiting.is_empty());
    assert!(naive.waiting.iter().all(|waiting| pipe.describe_wait(waiting.call).is_some()));
    for end in ENDS {
        assert_eq!(pipe.owner(end).map(|holder| holder.0), naive.side(end).owner);
        assert_eq!(pipe.recv_ready(end), naive.side(end).closed || naive.is_ready(end));
    }
    let (told, right) = (pipe.next_tick().map(|at| at.0), naive.next());
    assert!(right.is_none_or(|right| told.is_some_and(|told| told <= right)), "it sleeps until {told:?}, past {right:?}");
}

#[test]
fn a_pipe_delivers_in_order_and_ends_for_both() {
    play_all("pipe_model", 10_000, play);
}

//! Queues under random histories, against a naive model: a list of all messages ever put, each with where it is, and a list of all calls that
//! wait, both searched from the front for every step.
//!
//! After each step the answers have to be the model's, call by call. Apart from the model: what was got is never seen again, what was
//! acknowledged neither, and every call is answered exactly once.
#![expect(clippy::cast_possible_truncation, reason = "the numbers of a history are small")]

mod history;

use std::collections::BTreeSet;

use history::{Answers, Holders, MS, Open, Random, Trace, plain, play_all, timeout};
use taskcell_broker::{Now, Queue, Quotas};
use taskcell_wire::call::{
    Batch, Bytes, CallError, CallId, Holder, LeaseId, ObjectId, QueueCall, QueueCounts, QueueOptions, QueueReply, Rejected,
};

type Reply = QueueReply<'static>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    Waiting,
    Delayed(u64),
    Leased { lease: u64, holder: u64, ends: u64 },
    Aside,
    Dropped,
    Gone,
}

#[derive(Debug)]
struct Message {
    body: Vec<u8>,
    attempts: u32,
    at: At,
}

#[derive(Debug, Clone)]
enum Wants {
    Room(Vec<Vec<u8>>),
    One,
    Many(usize),
    Lease(u64),
    Join,
}

#[derive(Debug)]
struct Waiting {
    call: CallId,
    holder: u64,
    deadline: Option<u64>,
    wants: Wants,
}

#[derive(Debug)]
struct Naive {
    capacity: usize,
    max_attempts: u32,
    quotas: Quotas,
    messages: Vec<Message>,
    /// In the order in which they were put aside.
    aside: Vec<usize>,
    waiting: Vec<Waiting>,
    closed: bool,
    leases: u64,
    answers: Answers<Reply>,
}

impl Naive {
    fn answer(&mut self, call: CallId, result: Result<Reply, CallError>) {
        self.answers.push((call, plain(result)));
    }

    fn held(&self) -> impl Iterator<Item = &Message> {
        let held = |at| matches!(at, At::Waiting | At::Delayed(_) | At::Leased { .. });
        self.messages.iter().filter(move |message| held(message.at))
    }

    fn oldest(&self) -> Option<usize> {
        self.messages.iter().position(|message| message.at == At::Waiting)
    }

    fn fits(&self, bodies: &[Vec<u8>]) -> bool {
        let bytes: usize =
            bodies.iter().map(Vec::len).sum::<usize>() + self.held().map(|message| message.body.len()).sum::<usize>();
        self.held().count() + bodies.len() <= self.capacity && bytes as u64 <= self.quotas.queue_bytes
    }

    fn put(&mut self, bodies: Vec<Vec<u8>>) {
        self.messages.extend(bodies.into_iter().map(|body| Message { body, attempts: 0, at: At::Waiting }));
    }

    fn serve(&mut self, now: u64, holder: u64, wants: &Wants) -> Option<Reply> {
        let first = self.oldest()?;
        let body = self.messages[first].body.clone();
        match wants {
            Wants::One => {
                self.messages[first].at = At::Gone;
                Some(QueueReply::Message(shared(&body)))
            }
            Wants::Many(limit) => {
                let mut bodies = Vec::new();
                let mut bytes = 0;
                while bodies.len() < *limit
                    && let Some(next) = self.oldest()
                    && (bodies.is_empty() || bytes + self.messages[next].body.len() as u64 <= self.quotas.reply_bytes)
                {
                    self.messages[next].at = At::Gone;
                    bytes += self.messages[next].body.len() as u64;
                    bodies.push(shared(&self.messages[next].body));
                }
                Some(QueueReply::Messages(bodies))
            }
            Wants::Lease(length) => {
                self.leases += 1;
                let message = &mut self.messages[first];
                message.attempts += 1;
                message.at = At::Leased { lease: self.leases, holder, ends: now + (*length).max(MS) };
                Some(QueueReply::Delivery { lease: LeaseId(self.leases), attempt: message.attempts, message: shared(&body) })
            }
            Wants::Room(_) | Wants::Join => None,
        }
    }

    fn settle(&mut self, now: u64) {
        loop {
            let getter = self.waiting.iter().position(|w| matches!(w.wants, Wants::One | Wants::Many(_) | Wants::Lease(_)));
            if let Some(at) = getter.filter(|_| self.oldest().is_some()) {
                let waiting = self.waiting.remove(at);
                if let Some(reply) = self.serve(now, waiting.holder, &waiting.wants) {
                    self.answer(waiting.call, Ok(reply));
                }
                continue;
            }
            let putter = self.waiting.iter().position(|w| matches!(w.wants, Wants::Room(_)));
            let Some(at) = putter else { break };
            let Wants::Room(bodies) = self.waiting[at].wants.clone() else { break };
            if !self.fits(&bodies) {
                break;
            }
            let waiting = self.waiting.remove(at);
            self.put(bodies);
            self.answer(waiting.call, Ok(QueueReply::Done));
        }
        if self.held().count() == 0 {
            for waiting in std::mem::take(&mut self.waiting) {
                match waiting.wants {
                    Wants::Join => self.answer(waiting.call, Ok(QueueReply::Done)),
                    Wants::One | Wants::Many(_) | Wants::Lease(_) if self.closed => {
                        self.answer(waiting.call, Err(CallError::Closed))
                    }
                    Wants::One | Wants::Many(_) | Wants::Lease(_) | Wants::Room(_) => self.waiting.push(waiting),
                }
            }
        }
    }

    fn give_back(&mut self, at: usize, ready: Option<u64>) {
        if self.messages[at].attempts >= self.max_attempts {
            self.put_aside(at);
        } else {
            self.messages[at].at = ready.map_or(At::Waiting, At::Delayed);
        }
    }

    fn put_aside(&mut self, at: usize) {
        self.messages[at].at = At::Aside;
        self.aside.push(at);
        if self.aside.len() as u64 > u64::from(self.quotas.rejected_items) {
            let oldest = self.aside.remove(0);
            self.messages[oldest].at = At::Dropped;
        }
    }

    /// The first moment at which something happens by itself.
    fn next(&self) -> Option<u64> {
        let returns = self.messages.iter().filter_map(|message| match message.at {
            At::Delayed(ends) | At::Leased { ends, .. } => Some(ends),
            At::Waiting | At::Aside | At::Dropped | At::Gone => None,
        });
        returns.chain(self.waiting.iter().filter_map(|waiting| waiting.deadline)).min()
    }

    fn tick(&mut self, now: u64) {
        while let Some(at) = self.next().filter(|at| *at <= now) {
            // Leases of one moment end in the order of their numbers: that decides which is put aside first.
            let mut ended: Vec<(u64, usize)> = Vec::new();
            for (place, message) in self.messages.iter_mut().enumerate() {
                match message.at {
                    At::Delayed(ends) if ends <= at => message.at = At::Waiting,
                    At::Leased { ends, lease, .. } if ends <= at => ended.push((lease, place)),
                    At::Delayed(_) | At::Leased { .. } | At::Waiting | At::Aside | At::Dropped | At::Gone => {}
                }
            }
            ended.sort_unstable();
            ended.into_iter().for_each(|(_, place)| self.give_back(place, None));
            self.settle(now);
            for waiting in std::mem::take(&mut self.waiting) {
                if waiting.deadline.is_some_and(|deadline| deadline <= at) {
                    self.answer(waiting.call, Err(CallError::TimedOut));
                } else {
                    self.waiting.push(waiting);
                }
            }
            self.settle(now);
        }
    }

    fn leased(&self, id: LeaseId, who: u64) -> Option<usize> {
        self.messages
            .iter()
            .position(|message| matches!(message.at, At::Leased { lease, holder, .. } if lease == id.0 && holder == who))
    }

    fn call(&mut self, now: u64, call: CallId, holder: u64, what: &QueueCall<'_>) {
        self.tick(now);
        let getters = self.waiting.iter().any(|w| matches!(w.wants, Wants::One | Wants::Many(_) | Wants::Lease(_)));
        let putters = self.waiting.iter().any(|w| matches!(w.wants, Wants::Room(_)));
        let (wants, timeout) = match what {
            QueueCall::Put { message, timeout } => (Wants::Room(vec![message.to_vec()]), timeout),
            QueueCall::PutMany { messages, timeout } => (Wants::Room(messages.0.iter().map(|m| m.to_vec()).collect()), timeout),
            QueueCall::Get { timeout } => (Wants::One, timeout),
            QueueCall::GetMany { limit, timeout } => (Wants::Many(*limit as usize), timeout),
            QueueCall::Receive { lease, timeout } => (Wants::Lease(*lease), timeout),
            QueueCall::Join { timeout } => (Wants::Join, timeout),
            QueueCall::Ack { .. }
            | QueueCall::Nack { .. }
            | QueueCall::Extend { .. }
            | QueueCall::Reject { .. }
            | QueueCall::Counts
            | QueueCall::Close
            | QueueCall::TakeRejected { .. } => {
                let result = self.answer_to(now, holder, what);
                self.answer(call, result);
                self.settle(now);
                return;
            }
        };
        let result = match &wants {
            Wants::Many(0) => Some(Err(CallError::Invalid(String::new()))),
            Wants::Room(_) if self.closed => Some(Err(CallError::Closed)),
            Wants::Room(bodies) if bodies.is_empty() => Some(Ok(QueueReply::Done)),
            Wants::Room(bodies)
                if bodies.iter().any(|body| body.len() as u64 > self.quotas.message_bytes)
                    || bodies.len() > self.capacity
                    || bodies.iter().map(Vec::len).sum::<usize>() as u64 > self.quotas.queue_bytes =>
            {
                Some(Err(CallError::Quota(String::new())))
            }
            Wants::Room(bodies) if !putters && self.fits(bodies) => {
                self.put(bodies.clone());
                Some(Ok(QueueReply::Done))
            }
            Wants::Join if self.held().count() == 0 => Some(Ok(QueueReply::Done)),
            Wants::One | Wants::Many(_) | Wants::Lease(_) if self.oldest().is_some() => {
                assert!(!getters, "a message waits, and so does somebody for it");
                self.serve(now, holder, &wants).map(Ok)
            }
            Wants::One | Wants::Many(_) | Wants::Lease(_) if self.closed && self.held().count() == 0 => {
                Some(Err(CallError::Closed))
            }
            Wants::One | Wants::Many(_) | Wants::Lease(_) | Wants::Room(_) | Wants::Join if *timeout == Some(0) => {
                Some(Err(CallError::TimedOut))
            }
            Wants::One | Wants::Many(_) | Wants::Lease(_) | Wants::Room(_) | Wants::Join => None,
        };
        match result {
            Some(result) => self.answer(call, result),
            None => self.waiting.push(Waiting { call, holder, deadline: timeout.map(|after| now + after), wants }),
        }
        self.settle(now);
    }

    fn answer_to(&mut self, now: u64, holder: u64, what: &QueueCall<'_>) -> Result<Reply, CallError> {
        match what {
            QueueCall::Ack { lease } => {
                let at = self.leased(*lease, holder).ok_or(CallError::Lapsed)?;
                self.messages[at].at = At::Gone;
            }
            QueueCall::Nack { lease, delay } => {
                let at = self.leased(*lease, holder).ok_or(CallError::Lapsed)?;
                self.give_back(at, (*delay > 0).then(|| now + delay));
            }
            QueueCall::Reject { lease } => {
                let at = self.leased(*lease, holder).ok_or(CallError::Lapsed)?;
                self.put_aside(at);
            }
            QueueCall::Extend { lease, by } => {
                let at = self.leased(*lease, holder).ok_or(CallError::Lapsed)?;
                self.messages[at].at = At::Leased { lease: lease.0, holder, ends: now + (*by).max(MS) };
            }
            QueueCall::Counts => return Ok(QueueReply::Counts(self.counts())),
            QueueCall::TakeRejected { limit } => {
                let mut taken = Vec::new();
                let mut bytes = 0;
                while taken.len() < *limit as usize
                    && let Some(first) = self.aside.first()
                    && let message = &mut self.messages[*first]
                    && (taken.is_empty() || bytes + message.body.len() as u64 <= self.quotas.reply_bytes)
                {
                    self.aside.remove(0);
                    bytes += message.body.len() as u64;
                    message.at = At::Gone;
                    taken.push(Rejected { message: shared(&message.body), attempts: message.attempts });
                }
                return Ok(QueueReply::Rejected(taken));
            }
            QueueCall::Close => {
                self.closed = true;
                for waiting in std::mem::take(&mut self.waiting) {
                    if matches!(waiting.wants, Wants::Room(_)) {
                        self.answer(waiting.call, Err(CallError::Closed));
                    } else {
                        self.waiting.push(waiting);
                    }
                }
            }
            QueueCall::Put { .. }
            | QueueCall::PutMany { .. }
            | QueueCall::Get { .. }
            | QueueCall::GetMany { .. }
            | QueueCall::Receive { .. }
            | QueueCall::Join { .. } => {}
        }
        Ok(QueueReply::Done)
    }

    fn counts(&self) -> QueueCounts {
        let count = |is: fn(At) -> bool| self.messages.iter().filter(|message| is(message.at)).count() as u32;
        QueueCounts {
            waiting: count(|at| at == At::Waiting),
            leased: count(|at| matches!(at, At::Leased { .. })),
            delayed: count(|at| matches!(at, At::Delayed(_))),
            rejected: count(|at| at == At::Aside),
            dropped: u64::from(count(|at| at == At::Dropped)),
        }
    }

    fn withdraw(&mut self, now: u64, is_out: impl Fn(&Waiting) -> bool, dead: Option<u64>) {
        for waiting in std::mem::take(&mut self.waiting) {
            if is_out(&waiting) {
                self.answer(waiting.call, Err(CallError::Cancelled));
            } else {
                self.waiting.push(waiting);
            }
        }
        self.tick(now);
        let mut leases: Vec<(u64, usize)> = Vec::new();
        for (at, message) in self.messages.iter().enumerate() {
            if let At::Leased { holder, lease, .. } = message.at
                && Some(holder) == dead
            {
                leases.push((lease, at));
            }
        }
        leases.sort_unstable();
        leases.into_iter().for_each(|(_, at)| self.give_back(at, None));
        self.settle(now);
    }
}

fn shared(body: &[u8]) -> Bytes<'static> {
    Bytes::Shared(body.to_vec().into())
}

/// A body that no other message has, of a random length.
fn body(random: &mut Random, next: &mut u64) -> Vec<u8> {
    *next += 1;
    let mut body = next.to_le_bytes()[..3].to_vec();
    let most = if random.once_in(20) { 40 } else { 6 };
    body.resize(3 + random.below(most) as usize, 0);
    body
}

fn random_call<'a>(random: &mut Random, bodies: &'a [Vec<u8>], leases: u64) -> QueueCall<'a> {
    let lease = LeaseId((leases + 1).saturating_sub(random.below(6)));
    let timeout = timeout(random);
    match random.below(40) {
        0..10 => QueueCall::Put { message: bodies[0][..].into(), timeout },
        10..14 => QueueCall::PutMany { messages: Batch(bodies.iter().map(|body| body[..].into()).collect()), timeout },
        14..18 => QueueCall::Get { timeout },
        18..20 => QueueCall::GetMany { limit: random.between(0, 4), timeout },
        20..28 => QueueCall::Receive { lease: random.below(8) * MS, timeout },
        28..31 => QueueCall::Ack { lease },
        31..33 => QueueCall::Nack { lease, delay: random.below(4) * MS },
        33 => QueueCall::Extend { lease, by: random.below(9) * MS },
        34 => QueueCall::Reject { lease },
        35..37 => QueueCall::Counts,
        37 => QueueCall::Join { timeout },
        38 => QueueCall::TakeRejected { limit: random.between(0, 3) },
        _ if random.once_in(20) => QueueCall::Close,
        _ => QueueCall::Counts,
    }
}

/// What must be true without any model.
#[derive(Debug, Default)]
struct Seen {
    /// Bodies that were taken for good or acknowledged.
    gone: BTreeSet<Vec<u8>>,
}

impl Seen {
    fn look(&mut self, answers: &Answers<Reply>) {
        for (_, answer) in answers {
            match answer {
                Ok(QueueReply::Message(body)) => self.take(body),
                Ok(QueueReply::Messages(bodies)) => bodies.iter().for_each(|body| self.take(body)),
                Ok(QueueReply::Rejected(messages)) => messages.iter().for_each(|rejected| self.take(&rejected.message)),
                Ok(QueueReply::Delivery { message, .. }) => assert!(!self.gone.contains(&**message), "{message:?} came again"),
                Ok(QueueReply::Done | QueueReply::Counts(_)) | Err(_) => {}
            }
        }
    }

    fn take(&mut self, body: &[u8]) {
        assert!(self.gone.insert(body.to_vec()), "{body:?} was given twice");
    }
}

fn play(seed: u64, trace: Trace) {
    let mut random = Random::new(seed);
    let quotas = Quotas {
        message_bytes: 30,
        reply_bytes: 20,
        queue_bytes: 20 + random.below(60),
        rejected_items: random.between(1, 3),
        ..Quotas::default()
    };
    let (capacity, max_attempts) = (random.between(1, 6), random.between(1, 4));
    let options = QueueOptions { capacity: Some(capacity), max_attempts: Some(max_attempts), name: None };
    let mut queue = Queue::new(ObjectId(1), &options, quotas).expect("options are right");
    let mut naive = Naive {
        capacity: capacity as usize,
        max_attempts,
        quotas,
        messages: Vec::new(),
        aside: Vec::new(),
        waiting: Vec::new(),
        closed: false,
        leases: 0,
        answers: Vec::new(),
    };
    let (mut open, mut seen, mut holders) = (Open::default(), Seen::default(), Holders::new(4));
    let (mut now, mut next_body, mut out) = (0u64, 0u64, Vec::new());
    for _ in 0..random.between(5, 80) {
        if random.once_in(2) {
            now += random.below(4) * MS / 2;
        }
        if random.once_in(40) {
            now += 50 * MS;
        }
        match random.below(20) {
            0 => {
                let (dead, _) = holders.replace(&mut random);
                trace.tell(|| format!("{now}: attempt {dead} ends"));
                queue.holder_gone(Now(now), Holder(dead), &mut out);
                naive.withdraw(now, |waiting| waiting.holder == dead, Some(dead));
            }
            1 => {
                if let Some(call) = open.pick(&mut random) {
                    trace.tell(|| format!("{now}: {call} is cancelled"));
                    queue.cancel(Now(now), call, &mut out);
                    naive.withdraw(now, |waiting| waiting.call == call, None);
                }
            }
            2..5 => {
                now = queue.next_tick().map_or(now, |at| at.0.max(now));
                trace.tell(|| format!("{now}: tick"));
                queue.tick(Now(now), &mut out);
                naive.tick(now);
            }
            _ => {
                let bodies: Vec<_> = (0..random.below(4) + 1).map(|_| body(&mut random, &mut next_body)).collect();
                let what = random_call(&mut random, &bodies, naive.leases);
                let (call, holder) = (open.call(), holders.pick(&mut random));
                trace.tell(|| format!("{now}: {call} of attempt {holder}: {what:?}"));
                naive.call(now, call, holder, &what);
                // What is put away by an acknowledgement is known to the model only; the queue's own answers are looked at below.
                queue.call(Now(now), call, Holder(holder), what, &mut out);
            }
        }
        compare(&mut open, &mut seen, &queue, &mut naive, &mut out, trace);
    }
    // In the end all die: nobody is left waiting, and nothing is left leased.
    for holder in holders.all() {
        queue.holder_gone(Now(now), Holder(holder), &mut out);
        naive.withdraw(now, |waiting| waiting.holder == holder, Some(holder));
        compare(&mut open, &mut seen, &queue, &mut naive, &mut out, trace);
    }
    assert_eq!((queue.counts().leased, open.is_empty()), (0, true), "the dead hold leases or wait");
}

fn compare(
    open: &mut Open,
    seen: &mut Seen,
    queue: &Queue,
    naive: &mut Naive,
    out: &mut taskcell_broker::Completions<Reply>,
    trace: Trace,
) {
    let answers = open.take(out);
    answers.iter().for_each(|answer| trace.tell(|| format!("    {answer:?}")));
    naive.answers.sort_by_key(|(call, _)| *call);
    assert_eq!(answers, std::mem::take(&mut naive.answers));
    assert_eq!(queue.counts(), naive.counts());
    assert_eq!(open.is_empty(), naive.waiting.is_empty());
    assert!(naive.waiting.iter().all(|waiting| queue.describe_wait(waiting.call).is_some()));
    let (told, right) = (queue.next_tick().map(|at| at.0), naive.next());
    assert!(right.is_none_or(|right| told.is_some_and(|told| told <= right)), "it sleeps until {told:?}, past {right:?}");
    seen.look(&answers);
    // A message that was acknowledged, dropped or taken is gone for the model; it must not be seen again either.
    let gone = naive.messages.iter().filter(|message| matches!(message.at, At::Gone | At::Dropped));
    seen.gone.extend(gone.map(|message| message.body.clone()));
    let room = naive.quotas.queue_bytes;
    let held: usize = naive.held().map(|message| message.body.len()).sum();
    assert!(held as u64 <= room && naive.held().count() <= naive.capacity, "over its bound");
}

#[test]
fn a_queue_loses_nothing_and_gives_nothing_twice() {
    play_all("queue_model", 10_000, play);
}

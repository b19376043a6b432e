//! Locks, semaphores, events and barriers under random histories.
//!
//! Locks and semaphores are watched by what they answer alone: who owns what follows from the answers, and by that no lock may have two owners
//! or a dead one, nobody may be overtaken, nobody may wait for what is free, and every permit must be somewhere. Events and barriers are
//! small enough to be played against a model.
#![expect(clippy::cast_possible_truncation, reason = "the numbers of a history are small")]

mod history;

use std::collections::{BTreeMap, BTreeSet};

use history::{Answers, Holders, MS, Open, Random, Trace, plain, play_all, timeout};
use taskcell_broker::{Barrier, Completions, Event, Lock, Now, Quotas, Semaphore};
use taskcell_wire::call::{
    Acquired, BarrierCall, BarrierOptions, BarrierReply, CallError, CallId, ConditionCall, EventCall, EventReply, Holder,
    LockCall, LockOptions, LockReply, ObjectId, SemaphoreCall, SemaphoreKind, SemaphoreOptions, SemaphoreReply,
};

const CONDITIONS: [ObjectId; 2] = [ObjectId(2), ObjectId(3)];

/// Where a call waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    Lock,
    Condition {
        id: ObjectId,
        depth: u32,
    },
    /// For the lock, after a condition.
    Return {
        depth: u32,
        notified: bool,
    },
}

#[derive(Debug)]
struct InLine {
    call: CallId,
    holder: u64,
    deadline: Option<u64>,
    line: Line,
}

/// What is known of a lock from its answers.
#[derive(Debug)]
struct Watched {
    reentrant: bool,
    owner: Option<(u64, u32)>,
    abandoned: bool,
    /// Those who wait for the lock, in their order.
    lock: Vec<InLine>,
    /// Those who wait to be notified, in their order.
    conditions: Vec<InLine>,
    answers: Answers<LockReply>,
}

impl Watched {
    fn tell(&mut self, call: CallId, result: Result<LockReply, CallError>) {
        self.answers.push((call, plain(result)));
    }

    fn own(&mut self, holder: u64, depth: u32) -> Acquired {
        assert_eq!(self.owner, None, "two owners");
        self.owner = Some((holder, depth));
        if std::mem::take(&mut self.abandoned) { Acquired::Abandoned } else { Acquired::Clean }
    }

    fn hand_over(&mut self) {
        if self.owner.is_none() && !self.lock.is_empty() {
            let InLine { call, holder, line, .. } = self.lock.remove(0);
            let reply = match line {
                Line::Return { depth, notified } => LockReply::Woken { notified, acquired: self.own(holder, depth) },
                Line::Lock | Line::Condition { .. } => LockReply::Acquired(self.own(holder, 1)),
            };
            self.tell(call, Ok(reply));
        }
    }

    fn go_on(&mut self, is_out: impl Fn(&InLine) -> bool, most: usize, notified: bool) -> usize {
        let mut moved = 0;
        for waiting in std::mem::take(&mut self.conditions) {
            match waiting.line {
                Line::Condition { depth, .. } if moved < most && is_out(&waiting) => {
                    moved += 1;
                    self.lock.push(InLine { deadline: None, line: Line::Return { depth, notified }, ..waiting });
                }
                Line::Condition { .. } | Line::Lock | Line::Return { .. } => self.conditions.push(waiting),
            }
        }
        moved
    }

    fn next(&self) -> Option<u64> {
        self.lock.iter().chain(&self.conditions).filter_map(|waiting| waiting.deadline).min()
    }

    fn tick(&mut self, now: u64) {
        while let Some(at) = self.next().filter(|at| *at <= now) {
            for waiting in std::mem::take(&mut self.lock) {
                if waiting.deadline == Some(at) {
                    self.tell(waiting.call, Err(CallError::TimedOut));
                } else {
                    self.lock.push(waiting);
                }
            }
            for id in CONDITIONS {
                let due = |w: &InLine| w.deadline == Some(at) && matches!(w.line, Line::Condition { id: of, .. } if of == id);
                self.go_on(due, usize::MAX, false);
            }
            self.hand_over();
        }
    }

    fn withdraw(&mut self, is_out: impl Fn(&InLine) -> bool) {
        let all = std::mem::take(&mut self.lock).into_iter().chain(std::mem::take(&mut self.conditions));
        for waiting in all.collect::<Vec<_>>() {
            if is_out(&waiting) {
                self.tell(waiting.call, Err(CallError::Cancelled));
            } else if matches!(waiting.line, Line::Condition { .. }) {
                self.conditions.push(waiting);
            } else {
                self.lock.push(waiting);
            }
        }
    }

    fn acquire(&mut self, now: u64, call: CallId, holder: u64, timeout: Option<u64>) {
        match self.owner {
            None => {
                let acquired = self.own(holder, 1);
                self.tell(call, Ok(LockReply::Acquired(acquired)));
            }
            Some((owner, depth)) if owner == holder && self.reentrant => {
                self.owner = Some((owner, depth + 1));
                self.tell(call, Ok(LockReply::Acquired(Acquired::Clean)));
            }
            Some(_) if timeout == Some(0) => self.tell(call, Err(CallError::TimedOut)),
            Some((owner, _)) if owner == holder => self.tell(call, Err(CallError::Deadlock(String::new()))),
            Some(_) => {
                self.lock.push(InLine { call, holder, deadline: timeout.map(|after| now + after), line: Line::Lock });
            }
        }
    }

    fn release(&mut self, call: CallId, holder: u64) {
        match self.owner {
            Some((owner, depth)) if owner == holder => {
                self.owner = (depth > 1).then_some((owner, depth - 1));
                self.tell(call, Ok(LockReply::Released));
                self.hand_over();
            }
            Some(_) | None => self.tell(call, Err(CallError::Invalid(String::new()))),
        }
    }

    fn condition(&mut self, now: u64, call: CallId, holder: u64, id: ObjectId, what: &ConditionCall) {
        let Some((_, depth)) = self.owner.filter(|(owner, _)| *owner == holder) else {
            return self.tell(call, Err(CallError::Invalid(String::new())));
        };
        match what {
            ConditionCall::Wait { timeout } => {
                self.owner = None;
                if *timeout == Some(0) {
                    let line = Line::Return { depth, notified: false };
                    self.lock.push(InLine { call, holder, deadline: None, line });
                } else {
                    let deadline = timeout.map(|after| now + after);
                    self.conditions.push(InLine { call, holder, deadline, line: Line::Condition { id, depth } });
                }
                self.hand_over();
            }
            ConditionCall::Notify { count } => {
                let most = count.map_or(usize::MAX, |count| count as usize);
                let here = |w: &InLine| matches!(w.line, Line::Condition { id: of, .. } if of == id);
                let moved = self.go_on(here, most, true);
                self.tell(call, Ok(LockReply::Notified(moved as u32)));
            }
        }
    }
}

fn play_lock(seed: u64, trace: Trace) {
    let mut random = Random::new(seed);
    let reentrant = random.once_in(2);
    let mut lock = Lock::new(ObjectId(1), &LockOptions { reentrant, name: None }, Quotas::default());
    CONDITIONS.into_iter().for_each(|id| lock.add_condition(id, None));
    let (conditions, answers) = (Vec::new(), Vec::new());
    let mut watched = Watched { reentrant, owner: None, abandoned: false, lock: Vec::new(), conditions, answers };
    let (mut open, mut holders, mut out) = (Open::default(), Holders::new(4), Completions::new());
    let (mut now, mut dead_ones) = (0, BTreeSet::new());
    for _ in 0..random.between(5, 80) {
        now += random.below(3) * MS / 2;
        match random.below(20) {
            0 => {
                let (dead, _) = holders.replace(&mut random);
                dead_ones.insert(dead);
                trace.tell(|| format!("{now}: attempt {dead} ends"));
                lock.holder_gone(Now(now), Holder(dead), &mut out);
                watched.withdraw(|waiting| waiting.holder == dead);
                watched.tick(now);
                if watched.owner.is_some_and(|(owner, _)| owner == dead) {
                    (watched.owner, watched.abandoned) = (None, true);
                    watched.hand_over();
                }
            }
            1 => {
                if let Some(call) = open.pick(&mut random) {
                    trace.tell(|| format!("{now}: {call} is cancelled"));
                    lock.cancel(Now(now), call, &mut out);
                    watched.withdraw(|waiting| waiting.call == call);
                    watched.tick(now);
                }
            }
            2..4 => {
                now = lock.next_tick().map_or(now, |at| at.0.max(now));
                trace.tell(|| format!("{now}: tick"));
                lock.tick(Now(now), &mut out);
                watched.tick(now);
            }
            n => {
                // Mostly the owner, because most calls are its alone.
                let owner = watched.owner.map(|(owner, _)| owner).filter(|_| random.once_in(2));
                let (call, holder) = (open.call(), owner.unwrap_or_else(|| holders.pick(&mut random)));
                let timeout = timeout(&mut random);
                watched.tick(now);
                let who = Holder(holder);
                match n {
                    4..10 => {
                        trace.tell(|| format!("{now}: {call} of attempt {holder}: acquire {timeout:?}"));
                        lock.call(Now(now), call, who, LockCall::Acquire { timeout }, &mut out);
                        watched.acquire(now, call, holder, timeout);
                    }
                    10..15 => {
                        trace.tell(|| format!("{now}: {call} of attempt {holder}: release"));
                        lock.call(Now(now), call, who, LockCall::Release, &mut out);
                        watched.release(call, holder);
                    }
                    _ => {
                        let count = random.once_in(2).then(|| random.between(0, 2));
                        let what = if n < 18 { ConditionCall::Wait { timeout } } else { ConditionCall::Notify { count } };
                        let id = CONDITIONS[random.below(2) as usize];
                        trace.tell(|| format!("{now}: {call} of attempt {holder}: {id} {what:?}"));
                        watched.condition(now, call, holder, id, &what);
                        lock.condition_call(Now(now), call, who, id, what, &mut out);
                    }
                }
            }
        }
        let answers = open.take(&mut out);
        answers.iter().for_each(|answer| trace.tell(|| format!("    {answer:?}")));
        watched.answers.sort_by_key(|(call, _)| *call);
        assert_eq!(answers, std::mem::take(&mut watched.answers));
        let owner = lock.owner().map(|holder| holder.0);
        assert_eq!(owner, watched.owner.map(|(owner, _)| owner));
        assert!(owner.is_none_or(|owner| !dead_ones.contains(&owner)), "a dead owner");
        assert!(owner.is_some() || watched.lock.is_empty(), "somebody waits for a lock that nobody owns");
        let mut waiting = watched.lock.iter().chain(&watched.conditions);
        assert!(waiting.all(|waiting| lock.describe_wait(waiting.call).is_some()));
        let (told, right) = (lock.next_tick().map(|at| at.0), watched.next());
        assert!(right.is_none_or(|right| told.is_some_and(|told| told <= right)), "it sleeps until {told:?}, past {right:?}");
    }
}

fn play_semaphore(seed: u64, trace: Trace) {
    let mut random = Random::new(seed);
    let kind = if random.once_in(2) { SemaphoreKind::Owned } else { SemaphoreKind::Counting };
    let permits = random.between(1, 5);
    let mut semaphore = Semaphore::new(ObjectId(1), &SemaphoreOptions { permits, kind, name: None }, Quotas::default());
    let (mut open, mut holders, mut out) = (Open::default(), Holders::new(4), Completions::new());
    // What follows from the answers: who holds how many, how many are free, who waits.
    let mut held: BTreeMap<u64, u32> = BTreeMap::new();
    let mut free = permits;
    let mut line: Vec<(CallId, u64, u32, Option<u64>)> = Vec::new();
    let mut now = 0;
    for _ in 0..random.between(5, 80) {
        now += random.below(3) * MS / 2;
        let mut releases = None;
        match random.below(20) {
            0 => {
                let (dead, _) = holders.replace(&mut random);
                trace.tell(|| format!("{now}: attempt {dead} ends"));
                semaphore.holder_gone(Now(now), Holder(dead), &mut out);
                let back = held.remove(&dead).unwrap_or(0);
                free += if kind == SemaphoreKind::Owned { back } else { 0 };
            }
            1 => {
                if let Some(call) = open.pick(&mut random) {
                    semaphore.cancel(Now(now), call, &mut out);
                }
            }
            2..4 => {
                now = semaphore.next_tick().map_or(now, |at| at.0.max(now));
                semaphore.tick(Now(now), &mut out);
            }
            4..12 => {
                let (call, holder, permits) = (open.call(), holders.pick(&mut random), random.between(0, 4));
                let timeout = timeout(&mut random);
                trace.tell(|| format!("{now}: {call} of attempt {holder}: acquire {permits} {timeout:?}"));
                line.push((call, holder, permits, timeout.map(|after| now + after)));
                semaphore.call(Now(now), call, Holder(holder), SemaphoreCall::Acquire { permits, timeout }, &mut out);
            }
            _ => {
                let (call, holder, permits) = (open.call(), holders.pick(&mut random), random.between(0, 3));
                trace.tell(|| format!("{now}: {call} of attempt {holder}: release {permits}"));
                releases = Some((call, holder, permits));
                semaphore.call(Now(now), call, Holder(holder), SemaphoreCall::Release { permits }, &mut out);
            }
        }
        let in_order: Vec<_> = out.iter().map(|completion| (completion.call, completion.result.clone())).collect();
        open.take(&mut out);
        for (call, result) in in_order {
            trace.tell(|| format!("    {call}: {result:?}"));
            if let Some((_, holder, permits)) = releases.filter(|(released, ..)| *released == call) {
                let mine = held.get(&holder).copied().unwrap_or(0);
                let right = permits > 0 && (kind == SemaphoreKind::Counting || permits <= mine);
                assert_eq!(result.is_ok(), right, "a release of {permits} by one who holds {mine}");
                if right {
                    free += permits;
                    held.insert(holder, mine.saturating_sub(permits));
                }
                continue;
            }
            let at = line.iter().position(|(waiting, ..)| *waiting == call).expect("a call that waits");
            let (_, holder, permits, deadline) = line.remove(at);
            match result {
                Ok(_) => {
                    assert_eq!(at, 0, "{call} overtook another");
                    free = free.checked_sub(permits).expect("more permits than there are");
                    *held.entry(holder).or_default() += permits;
                }
                Err(CallError::TimedOut) => assert!(deadline.is_some_and(|deadline| deadline <= now), "too early"),
                Err(_) => {}
            }
        }
        assert!(line.first().is_none_or(|(_, _, wants, _)| *wants > free), "{free} are free, and {line:?} wait");
        assert!(line.iter().all(|(.., deadline)| deadline.is_none_or(|deadline| deadline > now)), "a deadline was missed");
        let all = held.values().sum::<u32>() + free;
        assert!(kind == SemaphoreKind::Counting || all == permits, "{all} permits of {permits}");
        let call = open.call();
        semaphore.call(Now(now), call, Holder(0), SemaphoreCall::Available, &mut out);
        assert_eq!(open.take(&mut out), [(call, Ok(SemaphoreReply::Available(free)))]);
    }
}

fn play_barrier(seed: u64, trace: Trace) {
    let mut random = Random::new(seed);
    let parties = random.between(1, 4);
    let mut barrier =
        Barrier::new(ObjectId(1), &BarrierOptions { parties, name: None }, Quotas::default()).expect("some parties");
    let (mut open, mut holders, mut out) = (Open::default(), Holders::new(5), Completions::new());
    let mut waiting: Vec<(CallId, u64, Option<u64>)> = Vec::new();
    let (mut broken, mut now) = (false, 0);
    for _ in 0..random.between(5, 60) {
        now += random.below(3) * MS / 2;
        let mut right: Answers<BarrierReply> = Vec::new();
        let give_up = |waiting: &mut Vec<(CallId, u64, Option<u64>)>, right: &mut Answers<BarrierReply>, broken: &mut bool| {
            while let Some(at) = waiting.iter().filter_map(|(.., deadline)| *deadline).min().filter(|at| *at <= now) {
                for (call, _, deadline) in std::mem::take(waiting) {
                    let late = deadline == Some(at);
                    right.push((call, Err(if late { CallError::TimedOut } else { CallError::Broken })));
                }
                *broken = true;
            }
        };
        match random.below(16) {
            n @ 0..2 => {
                let (dead, _) = holders.replace(&mut random);
                let picked = if n == 1 { open.pick(&mut random) } else { None };
                let is_out = |call: CallId, holder| if n == 0 { holder == dead } else { Some(call) == picked };
                trace.tell(|| format!("{now}: attempt {dead} ends or {picked:?} is cancelled"));
                match picked {
                    Some(call) => barrier.cancel(Now(now), call, &mut out),
                    None if n == 0 => barrier.holder_gone(Now(now), Holder(dead), &mut out),
                    None => {}
                }
                if waiting.iter().any(|(call, holder, _)| is_out(*call, *holder)) {
                    broken = true;
                    for (call, holder, _) in std::mem::take(&mut waiting) {
                        right.push((call, Err(if is_out(call, holder) { CallError::Cancelled } else { CallError::Broken })));
                    }
                }
                if n == 0 || picked.is_some() {
                    give_up(&mut waiting, &mut right, &mut broken);
                }
            }
            2..4 => {
                now = barrier.next_tick().map_or(now, |at| at.0.max(now));
                barrier.tick(Now(now), &mut out);
                let give_up_now = waiting.iter().filter_map(|(.., deadline)| *deadline).min().filter(|at| *at <= now);
                if let Some(at) = give_up_now {
                    broken = true;
                    for (call, _, deadline) in std::mem::take(&mut waiting) {
                        right.push((call, Err(if deadline == Some(at) { CallError::TimedOut } else { CallError::Broken })));
                    }
                }
            }
            4 => {
                let call = open.call();
                barrier.call(Now(now), call, Holder(0), BarrierCall::Reset, &mut out);
                give_up(&mut waiting, &mut right, &mut broken);
                right.extend(std::mem::take(&mut waiting).into_iter().map(|(call, ..)| (call, Err(CallError::Broken))));
                right.push((call, Ok(BarrierReply::Done)));
                broken = false;
            }
            _ => {
                let (call, holder) = (open.call(), holders.pick(&mut random));
                let timeout = timeout(&mut random);
                trace.tell(|| format!("{now}: {call} of attempt {holder}: wait {timeout:?}"));
                barrier.call(Now(now), call, Holder(holder), BarrierCall::Wait { timeout }, &mut out);
                give_up(&mut waiting, &mut right, &mut broken);
                if broken {
                    right.push((call, Err(CallError::Broken)));
                } else if waiting.len() + 1 == parties as usize {
                    let all = std::mem::take(&mut waiting).into_iter().map(|(call, ..)| call).chain([call]);
                    right.extend((0..).zip(all).map(|(number, call)| (call, Ok(BarrierReply::Arrived(number)))));
                } else if timeout == Some(0) {
                    right.push((call, Err(CallError::TimedOut)));
                } else {
                    waiting.push((call, holder, timeout.map(|after| now + after)));
                }
            }
        }
        right.sort_by_key(|(call, _)| *call);
        assert_eq!(open.take(&mut out), right);
        assert_eq!(open.is_empty(), waiting.is_empty());
    }
}

fn play_event(seed: u64, trace: Trace) {
    let mut random = Random::new(seed);
    let mut event = Event::new(ObjectId(1), None, Quotas::default());
    let (mut open, mut holders, mut out) = (Open::default(), Holders::new(3), Completions::new());
    let mut waiting: Vec<(CallId, u64, Option<u64>)> = Vec::new();
    let (mut is_set, mut now) = (false, 0);
    for _ in 0..random.between(5, 60) {
        now += random.below(3) * MS / 2;
        let mut right: Answers<EventReply> = Vec::new();
        let mut leave = |why: CallError, is_out: &dyn Fn(CallId, u64, Option<u64>) -> bool, right: &mut Answers<EventReply>| {
            for (call, holder, deadline) in std::mem::take(&mut waiting) {
                if is_out(call, holder, deadline) {
                    right.push((call, Err(why.clone())));
                } else {
                    waiting.push((call, holder, deadline));
                }
            }
        };
        let late = |_, _, deadline: Option<u64>| deadline.is_some_and(|deadline| deadline <= now);
        let what = match random.below(12) {
            0 => {
                let (dead, _) = holders.replace(&mut random);
                event.holder_gone(Now(now), Holder(dead), &mut out);
                leave(CallError::Cancelled, &|_, holder, _| holder == dead, &mut right);
                leave(CallError::TimedOut, &late, &mut right);
                None
            }
            1 => {
                event.tick(Now(now), &mut out);
                leave(CallError::TimedOut, &late, &mut right);
                None
            }
            2 => Some(EventCall::Set),
            3 => Some(EventCall::Clear),
            4 => Some(EventCall::IsSet),
            _ => Some(EventCall::Wait { timeout: timeout(&mut random) }),
        };
        if let Some(what) = what {
            leave(CallError::TimedOut, &late, &mut right);
            let (call, holder) = (open.call(), holders.pick(&mut random));
            trace.tell(|| format!("{now}: {call} of attempt {holder}: {what:?}"));
            match what {
                EventCall::Set => {
                    is_set = true;
                    right.extend(std::mem::take(&mut waiting).into_iter().map(|(call, ..)| (call, Ok(EventReply::Done))));
                    right.push((call, Ok(EventReply::Done)));
                }
                EventCall::Clear => {
                    is_set = false;
                    right.push((call, Ok(EventReply::Done)));
                }
                EventCall::IsSet => right.push((call, Ok(EventReply::IsSet(is_set)))),
                EventCall::Wait { .. } if is_set => right.push((call, Ok(EventReply::Done))),
                EventCall::Wait { timeout: Some(0) } => right.push((call, Err(CallError::TimedOut))),
                EventCall::Wait { timeout } => waiting.push((call, holder, timeout.map(|after| now + after))),
            }
            event.call(Now(now), call, Holder(holder), what, &mut out);
        }
        right.sort_by_key(|(call, _)| *call);
        assert_eq!(open.take(&mut out), right);
        assert_eq!((event.is_set(), open.is_empty()), (is_set, waiting.is_empty()));
    }
}

#[test]
fn a_lock_has_one_living_owner_and_a_fair_line() {
    play_all("sync_model", 10_000, play_lock);
}

#[test]
fn permits_are_neither_lost_nor_made() {
    play_all("sync_model", 10_000, play_semaphore);
}

#[test]
fn a_barrier_opens_for_all_or_breaks_for_all() {
    play_all("sync_model", 10_000, play_barrier);
}

#[test]
fn an_event_wakes_all_who_wait() {
    play_all("sync_model", 10_000, play_event);
}

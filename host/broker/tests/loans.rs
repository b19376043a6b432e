//! The same random program twice: once with every call answered, once with all that can be lent. Nobody may be able to tell which is which.
//!
//! The program is a few tasks on one queue and one pipe, in phases in which they do the same again and again, since that is what loans are made
//! for. With loans a task's puts and gets are told to the broker late, as late as a supervisor may. Every answer, every count and every byte has to be
//! the same; answers to calls that wait, when all is told. Only puts of two tasks that know nothing of each other may change places.
//!
//! `BROKER_SEED=n` plays one seed and tells it step by step; `BROKER_SCHEDULES=n` plays so many seeds.

#[path = "history/mod.rs"]
mod history;
#[path = "host/mod.rs"]
mod host;

use std::cell::Cell;
use std::collections::BTreeMap;

use history::{MS, Random, Trace, play_all};
use host::{Answer, Host, json, options, value};
use taskcell_broker::{BrokerOptions, Census};
use taskcell_wire::WorkerId;
use taskcell_wire::call::{
    Batch, Bytes, Call, Create, Ended, HandleId, Interest, LeaseId, PipeCall, PipeOptions, QueueCall, QueueOptions, QueueReply,
    QueueRights, Reply,
};

const SEEDS: u64 = 10_000;

/// What happened in all histories together.
#[derive(Debug, Default)]
struct Counts {
    posted: Cell<u64>,
    got: Cell<u64>,
    waited: Cell<u64>,
    deaths: Cell<u64>,
}

fn count(of: &Cell<u64>, more: u64) {
    of.set(of.get() + more);
}

/// A task that takes part.
#[derive(Debug, Clone)]
struct Actor {
    worker: WorkerId,
    queue: HandleId,
    end: Option<HandleId>,
    leases: Vec<LeaseId>,
}

/// What a task does again and again for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Habit {
    Put,
    Get,
    Send,
    Receive,
    /// Anything.
    Other,
}

struct Twins<'c> {
    plain: Host,
    lending: Host,
    actors: Vec<Actor>,
    random: Random,
    trace: Trace,
    counts: &'c Counts,
    next: u32,
    /// Whether a `get-many` waited: how many it gives tells how many puts were told at once.
    many_waits: bool,
}

fn message(random: &mut Random, next: &mut u32) -> Bytes<'static> {
    *next += 1;
    let length = if random.once_in(9) { 5000 } else { random.at(60) };
    let mut message = next.to_le_bytes().to_vec();
    message.resize(4 + length, 7);
    message.into()
}

impl<'c> Twins<'c> {
    fn new(seed: u64, trace: Trace, counts: &'c Counts) -> Self {
        let mut random = Random::new(seed);
        let mut common = options();
        common.limits.bytes = [20_000, 90_000, 1 << 30][random.at(3)];
        common.quotas.pipe_items = [3, 40, 4096][random.at(3)];
        common.quotas.message_bytes = [100, 1 << 20, 1 << 24][random.at(3)];
        let capacity = [Some(1), Some(5), Some(300), None][random.at(4)];
        let (duplex, count) = (random.once_in(2), 3);
        let hosts = [false, true].map(|loans| Host::with(BrokerOptions { loans, ..common.clone() }, 1));
        let mut actors = Vec::new();
        let [(plain, _), (lending, _)] = hosts.map(|(mut host, root)| {
            let queue = host.make(root, Create::Queue(QueueOptions { capacity, max_attempts: Some(2), name: None }));
            let pipe = Create::Pipe(PipeOptions { duplex, name: None });
            let Some(Ok(Reply::Ends(first, second))) = host.call(root, Call::Create(pipe)) else { panic!("no ends") };
            let own = Actor { worker: root, queue, end: None, leases: Vec::new() };
            let mut all = vec![own];
            for end in [first, second] {
                let arguments = [queue, end].map(taskcell_wire::call::Argument::Handle).into_iter().chain([value("0")]).collect();
                let (_, _, worker) = host.spawn(root, "relay", arguments);
                let given = host.given(worker);
                all.push(Actor { worker, queue: given[0], end: Some(given[1]), leases: Vec::new() });
            }
            assert_eq!(all.len(), count);
            actors = all;
            (host, root)
        });
        Self { plain, lending, actors, random, trace, counts, next: 0, many_waits: false }
    }

    /// All that was done with loans is told; then both are the same.
    fn compare(&mut self) {
        let workers: Vec<WorkerId> = self.lending.workers.keys().copied().collect();
        workers.into_iter().for_each(|id| self.lending.told(id));
        let by_worker = |host: &mut Host| -> BTreeMap<WorkerId, Vec<Answer>> {
            let mut all = BTreeMap::<_, Vec<_>>::new();
            host.answers.drain(..).for_each(|(worker, _, answer)| all.entry(worker).or_default().push(answer));
            all
        };
        let (plain, lending) = (by_worker(&mut self.plain), by_worker(&mut self.lending));
        assert_eq!(plain, lending, "answers to calls that waited");
        for (worker, answer) in plain.iter().flat_map(|(worker, answers)| answers.iter().map(move |answer| (worker, answer))) {
            count(&self.counts.waited, 1);
            note(&mut self.actors, *worker, answer);
        }
        let census = |host: &Host| Census { loans: 0, ..host.broker.census() };
        assert_eq!(census(&self.plain), census(&self.lending));
    }

    fn waits(&self, actor: &Actor) -> bool {
        let waits = |host: &Host| host.workers.get(&actor.worker).is_none_or(|worker| !worker.open.is_empty());
        waits(&self.plain) || waits(&self.lending)
    }

    fn call_of(&mut self, who: usize, habit: Habit) -> Option<Call<'static>> {
        let Actor { queue, end, ref leases, .. } = self.actors[who];
        let timeout = [None, Some(0), Some(2 * MS)][self.random.at(3)];
        let put = |random: &mut Random, next: &mut u32| QueueCall::Put { message: message(random, next), timeout };
        let on_queue = |call| Some(Call::Queue(queue, call));
        let (random, next) = (&mut self.random, &mut self.next);
        match habit {
            Habit::Put => on_queue(put(random, next)),
            Habit::Get => on_queue(QueueCall::Get { timeout }),
            Habit::Send => Some(Call::Pipe(end?, PipeCall::Send { message: message(random, next), timeout })),
            Habit::Receive => Some(Call::Pipe(end?, PipeCall::Recv { timeout })),
            Habit::Other => match random.below(16) {
                0 => {
                    let messages = (0..random.below(4)).map(|_| message(random, next)).collect();
                    on_queue(QueueCall::PutMany { messages: Batch(messages), timeout })
                }
                1 => on_queue(QueueCall::GetMany { limit: random.between(1, 5), timeout }),
                2 | 3 => on_queue(QueueCall::Receive { lease: (1 + random.below(5)) * MS, timeout }),
                4 => on_queue(QueueCall::Ack { lease: *leases.last()? }),
                5 => on_queue(QueueCall::Nack { lease: *leases.last()?, delay: random.below(2) * MS }),
                6 => on_queue(QueueCall::Reject { lease: *leases.last()? }),
                7 | 8 => on_queue(QueueCall::Counts),
                9 => on_queue(QueueCall::Join { timeout }),
                10 => on_queue(QueueCall::TakeRejected { limit: 3 }),
                11 if random.once_in(6) => on_queue(QueueCall::Close),
                12 if random.once_in(6) => Some(Call::Pipe(end?, PipeCall::Close)),
                13 => Some(Call::Pipe(end?, PipeCall::Poll { timeout })),
                14 => Some(Call::RestrictQueue(queue, QueueRights::ALL)),
                15 => {
                    let mut on = vec![(queue, Interest::In), (queue, Interest::Out)];
                    on.extend(end.map(|end| (end, Interest::In)));
                    on.remove(random.at(2));
                    Some(Call::WaitAny { on: Batch(on), timeout })
                }
                _ => None,
            },
        }
    }

    fn act(&mut self, who: usize, habit: Habit) {
        if self.actors.get(who).is_none_or(|actor| self.waits(actor)) {
            return;
        }
        let Some(call) = self.call_of(who, habit) else { return };
        let worker = self.actors[who].worker;
        if habit == Habit::Put {
            // Two tasks' puts that know nothing of each other may change places; here they are made one after the other.
            let others: Vec<WorkerId> = self.lending.workers.keys().copied().filter(|id| *id != worker).collect();
            others.into_iter().for_each(|id| self.lending.told(id));
        }
        let plain = self.plain.call(worker, call.clone());
        let lending = self.lending.call_or_use(worker, call.clone());
        self.trace.tell(|| format!("{worker} {call:?}: {plain:?}, {lending:?}"));
        assert_eq!(plain, lending, "{worker} {call:?}");
        self.many_waits |= plain.is_none() && matches!(call, Call::Queue(_, QueueCall::GetMany { .. }));
        if self.many_waits {
            self.lending.told(worker);
        }
        if let Some(answer) = plain {
            note(&mut self.actors, worker, &answer);
        }
    }

    fn happen(&mut self) {
        match self.random.below(12) {
            0..=2 => {
                self.compare();
                let ms = self.random.below(4);
                self.trace.tell(|| format!("{ms} ms pass"));
                self.plain.wait(ms);
                self.lending.wait(ms);
                self.compare();
            }
            3 | 4 => {
                let id = self.actors[self.random.at(self.actors.len())].worker;
                if self.lending.workers.contains_key(&id) {
                    self.lending.recover(id);
                }
            }
            5 | 6 => {
                let id = self.actors[self.random.at(self.actors.len())].worker;
                self.lending.told(id);
            }
            // A child dies or ends. Its put that waits may have gone in just before, if it is known that there is room.
            7 if self.actors.len() > 1 && self.random.once_in(12) => {
                self.compare();
                let Actor { worker, .. } = self.actors.pop().unwrap_or_else(|| panic!("there are some"));
                let dies = self.random.once_in(2);
                self.trace.tell(|| format!("{worker} ends; dies: {dies}"));
                for host in [&mut self.plain, &mut self.lending] {
                    if dies {
                        host.die(worker);
                    } else if host.workers[&worker].open.is_empty() {
                        host.told(worker);
                        host.end(worker, Ended::Ok(json("0")));
                    }
                }
                if !dies && self.plain.workers.contains_key(&worker) && !self.plain.workers[&worker].open.is_empty() {
                    self.compare();
                }
                count(&self.counts.deaths, 1);
            }
            8 if self.random.once_in(20) => {
                let who = self.random.at(self.actors.len());
                let Actor { worker, queue, end, .. } = self.actors[who];
                if who > 0 && !self.waits(&self.actors[who]) {
                    self.trace.tell(|| format!("{worker} drops its handles"));
                    for host in [&mut self.plain, &mut self.lending] {
                        host.told(worker);
                        [Some(queue), end].into_iter().flatten().for_each(|handle| host.drop(worker, handle));
                    }
                    // Nobody uses a handle that it dropped.
                    self.actors.remove(who);
                }
            }
            _ => self.compare(),
        }
    }

    fn play(&mut self) {
        for _ in 0..self.random.between(1, 8) {
            let all = [Habit::Put, Habit::Get, Habit::Send, Habit::Receive, Habit::Other];
            let mut phase: Vec<(usize, Habit)> = Vec::new();
            for _ in 0..self.random.between(1, 4) {
                phase.push((self.random.at(3), all[self.random.at(5)]));
            }
            self.trace.tell(|| format!("phase {phase:?}"));
            for _ in 0..self.random.between(5, 80) {
                let (who, habit) = phase[self.random.at(phase.len())];
                self.act(who, habit);
                if self.random.once_in(12) {
                    self.happen();
                }
            }
        }
        self.compare();
        let borrowers = self.lending.borrowers.values();
        let (posted, got) = borrowers.fold((0, 0), |(posted, got), one| (posted + one.posted, got + one.got));
        count(&self.counts.posted, posted);
        count(&self.counts.got, got);
        // Everybody ends, and nothing is lent any more.
        let workers: Vec<WorkerId> = self.lending.workers.keys().rev().copied().collect();
        for worker in workers {
            self.lending.gone(worker, None);
        }
        assert_eq!(self.lending.broker.census().loans, 0);
    }
}

/// A task learns of its leases by its answers.
fn note(actors: &mut [Actor], worker: WorkerId, answer: &Answer) {
    let Some(actor) = actors.iter_mut().find(|actor| actor.worker == worker) else { return };
    if let Ok(Reply::Queue(QueueReply::Delivery { lease, .. })) = answer {
        actor.leases.push(*lease);
    }
}

#[test]
fn nobody_can_tell_a_loan_from_calls_that_were_answered_one_by_one() {
    let counts = Counts::default();
    play_all("loans", SEEDS, |seed, trace| Twins::new(seed, trace, &counts).play());
    let all = [&counts.posted, &counts.got, &counts.waited, &counts.deaths].map(Cell::get);
    assert!(
        all.iter().all(|count| *count > 500) || all.iter().sum::<u64>() < 500,
        "a run of all seeds plays all of it: {counts:?}"
    );
}

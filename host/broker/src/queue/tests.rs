//! A queue's rules, one by one. Random histories are in `tests/queue_model.rs`.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use taskcell_wire::call::Batch;

use super::*;

const ME: Holder = Holder(1);
const YOU: Holder = Holder(2);
const MS: u64 = 1_000_000;

/// A queue, the clock and the numbers of its calls.
struct Play {
    queue: Queue,
    now: u64,
    calls: u64,
    out: Out,
}

impl Play {
    fn new(options: &QueueOptions) -> Self {
        Self::with(options, Quotas::default())
    }

    fn with(options: &QueueOptions, quotas: Quotas) -> Self {
        Self { queue: Queue::new(ObjectId(3), options, quotas).unwrap(), now: 0, calls: 0, out: Vec::new() }
    }

    fn bounded(capacity: u32) -> Self {
        Self::new(&QueueOptions { capacity: Some(capacity), ..QueueOptions::default() })
    }

    fn call(&mut self, holder: Holder, call: QueueCall<'_>) -> CallId {
        let id = CallId(self.calls);
        self.calls += 1;
        self.queue.call(Now(self.now), id, holder, call, &mut self.out);
        id
    }

    fn put(&mut self, body: &[u8]) -> CallId {
        self.call(ME, QueueCall::Put { message: body.into(), timeout: None })
    }

    fn get(&mut self) -> CallId {
        self.call(YOU, QueueCall::Get { timeout: None })
    }

    fn receive(&mut self, holder: Holder) -> CallId {
        self.call(holder, QueueCall::Receive { lease: 100 * MS, timeout: None })
    }

    fn at(&mut self, now: u64) {
        self.now = now;
        self.queue.tick(Now(now), &mut self.out);
    }

    /// The answer of a call, which must be there.
    fn answer(&mut self, call: CallId) -> Result<Reply, CallError> {
        let at = self.out.iter().position(|completion| completion.call == call).expect("no answer");
        self.out.remove(at).result
    }

    fn waits(&self, call: CallId) -> bool {
        self.out.iter().all(|completion| completion.call != call)
    }

    fn body(&mut self, call: CallId) -> Vec<u8> {
        match self.answer(call) {
            Ok(QueueReply::Message(body) | QueueReply::Delivery { message: body, .. }) => body.to_vec(),
            other => panic!("{other:?}"),
        }
    }

    fn delivery(&mut self, call: CallId) -> (LeaseId, u32) {
        match self.answer(call) {
            Ok(QueueReply::Delivery { lease, attempt, .. }) => (lease, attempt),
            other => panic!("{other:?}"),
        }
    }

    fn done(&mut self, holder: Holder, call: QueueCall<'_>) -> Result<Reply, CallError> {
        let call = self.call(holder, call);
        self.answer(call)
    }
}

#[test]
fn messages_come_out_as_they_went_in() {
    let mut play = Play::bounded(10);
    for body in [b"a", b"b", b"c"] {
        play.put(body);
    }
    for body in [b"a", b"b", b"c"] {
        let get = play.get();
        assert_eq!(play.body(get), body);
    }
}

#[test]
fn a_getter_waits_for_the_first_message_and_no_other() {
    let mut play = Play::bounded(10);
    let (first, second) = (play.get(), play.get());
    play.put(b"a");
    assert_eq!(play.body(first), b"a");
    assert!(play.waits(second));
}

#[test]
fn a_full_queue_makes_a_put_wait_or_time_out() {
    let mut play = Play::bounded(1);
    play.put(b"a");
    assert_eq!(play.done(ME, QueueCall::Put { message: b"x".into(), timeout: Some(0) }), Err(CallError::TimedOut));
    let waits = play.put(b"b");
    assert!(play.waits(waits));
    let get = play.get();
    assert_eq!(play.body(get), b"a");
    assert_eq!(play.answer(waits), Ok(QueueReply::Done));
    let late = play.call(ME, QueueCall::Put { message: b"c".into(), timeout: Some(5) });
    play.at(4);
    assert!(play.waits(late));
    play.at(5);
    assert_eq!(play.answer(late), Err(CallError::TimedOut));
}

#[test]
fn a_put_of_many_is_all_or_none_and_is_not_overtaken() {
    let mut play = Play::bounded(3);
    play.put(b"a");
    play.put(b"b");
    let many = play.call(ME, QueueCall::PutMany { messages: Batch(vec![b"c".into(), b"d".into()]), timeout: None });
    let small = play.put(b"e");
    assert!(play.waits(many) && play.waits(small), "there is room for the small one, but it came later");
    assert!(!play.queue.put_ready());
    play.get();
    assert_eq!(play.answer(many), Ok(QueueReply::Done));
    assert!(play.waits(small));
    assert_eq!(play.queue.counts().waiting, 3);
}

#[test]
fn more_than_the_queue_could_ever_hold_is_refused_at_once() {
    let mut play = Play::bounded(1);
    let many = QueueCall::PutMany { messages: Batch(vec![b"c".into(), b"d".into()]), timeout: None };
    assert!(matches!(play.done(ME, many), Err(CallError::Quota(_))));
    let quotas = Quotas { message_bytes: 3, ..Quotas::default() };
    let mut play = Play::with(&QueueOptions::default(), quotas);
    assert!(matches!(play.done(ME, QueueCall::Put { message: b"long".into(), timeout: None }), Err(CallError::Quota(_))));
    assert_eq!(play.done(ME, QueueCall::Put { message: b"fit".into(), timeout: None }), Ok(QueueReply::Done));
}

#[test]
fn bytes_are_a_bound_too() {
    let quotas = Quotas { queue_bytes: 10, ..Quotas::default() };
    let mut play = Play::with(&QueueOptions::default(), quotas);
    play.put(&[0; 6]);
    let waits = play.put(&[0; 6]);
    assert!(play.waits(waits));
    play.get();
    assert_eq!(play.answer(waits), Ok(QueueReply::Done));
}

#[test]
fn senders_that_wait_have_a_bound_in_bytes() {
    let quotas = Quotas { parked_bytes: 10, ..Quotas::default() };
    let mut play = Play::with(&QueueOptions { capacity: Some(1), ..QueueOptions::default() }, quotas);
    play.put(b"a");
    let first = play.put(&[0; 20]);
    assert!(play.waits(first), "one may always wait");
    assert!(matches!(play.done(ME, QueueCall::Put { message: b"b".into(), timeout: None }), Err(CallError::Quota(_))));
}

#[test]
fn a_closed_queue_is_drained_and_then_closed() {
    let mut play = Play::bounded(1);
    play.put(b"a");
    let waits = play.put(b"b");
    assert_eq!(play.done(ME, QueueCall::Close), Ok(QueueReply::Done));
    assert_eq!(play.answer(waits), Err(CallError::Closed));
    assert_eq!(play.done(ME, QueueCall::Put { message: b"c".into(), timeout: None }), Err(CallError::Closed));
    let get = play.get();
    assert_eq!(play.body(get), b"a");
    assert_eq!(play.done(YOU, QueueCall::Get { timeout: None }), Err(CallError::Closed));
    assert!(play.queue.get_ready() && play.queue.put_ready());
}

#[test]
fn closing_wakes_all_who_wait_for_messages() {
    let mut play = Play::bounded(1);
    let (one, two) = (play.get(), play.receive(ME));
    play.call(ME, QueueCall::Close);
    assert_eq!((play.answer(one), play.answer(two)), (Err(CallError::Closed), Err(CallError::Closed)));
}

#[test]
fn what_is_leased_can_come_back_even_to_a_closed_queue() {
    let mut play = Play::bounded(1);
    play.put(b"a");
    let receive = play.receive(ME);
    let (lease, _) = play.delivery(receive);
    play.call(ME, QueueCall::Close);
    let get = play.get();
    assert!(play.waits(get));
    play.done(ME, QueueCall::Nack { lease, delay: 0 }).unwrap();
    assert_eq!(play.body(get), b"a");
}

#[test]
fn a_lease_that_ends_brings_its_message_back_to_the_front() {
    let mut play = Play::bounded(10);
    play.put(b"a");
    play.put(b"b");
    let first = play.receive(ME);
    let (lease, attempt) = play.delivery(first);
    assert_eq!(attempt, 1);
    play.at(100 * MS);
    let again = play.receive(YOU);
    let (again_lease, attempt) = play.delivery(again);
    assert_eq!(attempt, 2);
    assert_eq!(play.done(ME, QueueCall::Ack { lease }), Err(CallError::Lapsed));
    assert_eq!(play.done(YOU, QueueCall::Ack { lease: again_lease }), Ok(QueueReply::Done));
}

#[test]
fn messages_that_come_back_are_in_their_old_order() {
    let mut play = Play::bounded(10);
    for body in [b"a", b"b", b"c"] {
        play.put(body);
    }
    play.receive(ME);
    play.receive(ME);
    play.queue.holder_gone(Now(0), ME, &mut play.out);
    for body in [b"a", b"b", b"c"] {
        let get = play.get();
        assert_eq!(play.body(get), body);
    }
}

#[test]
fn a_lease_is_nobody_elses() {
    let mut play = Play::bounded(10);
    play.put(b"a");
    let receive = play.receive(ME);
    let (lease, _) = play.delivery(receive);
    for call in [QueueCall::Ack { lease }, QueueCall::Nack { lease, delay: 0 }, QueueCall::Reject { lease }] {
        assert_eq!(play.done(YOU, call), Err(CallError::Lapsed));
    }
    assert_eq!(play.done(YOU, QueueCall::Extend { lease, by: 1 }), Err(CallError::Lapsed));
    assert_eq!(play.done(ME, QueueCall::Ack { lease }), Ok(QueueReply::Done));
    assert_eq!(play.done(ME, QueueCall::Ack { lease }), Err(CallError::Lapsed), "twice");
}

#[test]
fn an_extended_lease_ends_later() {
    let mut play = Play::bounded(10);
    play.put(b"a");
    let receive = play.receive(ME);
    let (lease, _) = play.delivery(receive);
    play.at(90 * MS);
    play.done(ME, QueueCall::Extend { lease, by: 100 * MS }).unwrap();
    play.at(150 * MS);
    assert_eq!(play.queue.counts().leased, 1);
    play.at(190 * MS);
    assert_eq!(play.queue.counts().waiting, 1);
}

#[test]
fn a_nack_with_a_delay_keeps_the_message_away_for_so_long() {
    let mut play = Play::bounded(10);
    play.put(b"a");
    play.put(b"b");
    let receive = play.receive(ME);
    let (lease, _) = play.delivery(receive);
    play.done(ME, QueueCall::Nack { lease, delay: 50 }).unwrap();
    let (other, waits) = (play.get(), play.get());
    assert_eq!(play.body(other), b"b");
    play.at(49);
    assert!(play.waits(waits));
    play.at(50);
    assert_eq!(play.body(waits), b"a");
}

#[test]
fn a_message_that_came_back_too_often_is_put_aside() {
    let mut play = Play::new(&QueueOptions { max_attempts: Some(2), ..QueueOptions::default() });
    play.put(b"poison");
    for _ in 0..2 {
        let receive = play.receive(ME);
        let (lease, _) = play.delivery(receive);
        play.done(ME, QueueCall::Nack { lease, delay: 0 }).unwrap();
    }
    assert_eq!(play.queue.counts(), QueueCounts { rejected: 1, ..QueueCounts::default() });
    let Ok(QueueReply::Rejected(taken)) = play.done(ME, QueueCall::TakeRejected { limit: 10 }) else { panic!() };
    assert_eq!((&*taken[0].message, taken[0].attempts), (&b"poison"[..], 2));
    assert_eq!(play.queue.bytes(), 0);
}

#[test]
fn the_oldest_rejected_messages_are_dropped_and_counted() {
    let quotas = Quotas { rejected_items: 2, ..Quotas::default() };
    let mut play = Play::with(&QueueOptions::default(), quotas);
    for body in [b"a", b"b", b"c"] {
        play.put(body);
        let receive = play.receive(ME);
        let (lease, _) = play.delivery(receive);
        play.done(ME, QueueCall::Reject { lease }).unwrap();
    }
    assert_eq!(play.queue.counts(), QueueCounts { rejected: 2, dropped: 1, ..QueueCounts::default() });
}

#[test]
fn a_join_waits_until_all_is_answered_for() {
    let mut play = Play::bounded(10);
    assert_eq!(play.done(ME, QueueCall::Join { timeout: None }), Ok(QueueReply::Done), "an empty queue");
    play.put(b"a");
    let join = play.call(ME, QueueCall::Join { timeout: None });
    let receive = play.receive(YOU);
    let (lease, _) = play.delivery(receive);
    assert!(play.waits(join));
    play.done(YOU, QueueCall::Ack { lease }).unwrap();
    assert_eq!(play.answer(join), Ok(QueueReply::Done));
}

#[test]
fn the_dead_get_nothing() {
    let mut play = Play::bounded(1);
    let (dead, alive) = (play.receive(ME), play.get());
    play.queue.holder_gone(Now(0), ME, &mut play.out);
    assert_eq!(play.answer(dead), Err(CallError::Cancelled));
    play.put(b"a");
    assert_eq!(play.body(alive), b"a");
}

#[test]
fn a_dead_sender_makes_way_for_those_behind_it() {
    let mut play = Play::bounded(2);
    play.put(b"a");
    let big = play.call(YOU, QueueCall::PutMany { messages: Batch(vec![b"c".into(), b"d".into()]), timeout: None });
    let small = play.put(b"e");
    play.queue.holder_gone(Now(0), YOU, &mut play.out);
    assert_eq!(play.answer(big), Err(CallError::Cancelled));
    assert_eq!(play.answer(small), Ok(QueueReply::Done));
}

#[test]
fn get_many_takes_what_is_there() {
    let mut play = Play::with(&QueueOptions::default(), Quotas { reply_bytes: 4, ..Quotas::default() });
    for body in [&b"aaaaaa"[..], b"bb", b"cc", b"dd"] {
        play.put(body);
    }
    let mut sizes = Vec::new();
    for _ in 0..2 {
        let Ok(QueueReply::Messages(got)) = play.done(YOU, QueueCall::GetMany { limit: u32::MAX, timeout: None }) else {
            panic!()
        };
        sizes.push(got.len());
    }
    assert_eq!(sizes, [1, 2], "a long message alone, then as many as an answer carries");
    assert!(matches!(play.done(YOU, QueueCall::GetMany { limit: 0, timeout: None }), Err(CallError::Invalid(_))));
}

#[test]
fn a_late_tick_uses_up_no_attempts() {
    let mut play = Play::bounded(1);
    play.put(b"a");
    play.call(ME, QueueCall::Receive { lease: 1, timeout: None });
    let next = play.call(YOU, QueueCall::Receive { lease: 1, timeout: None });
    play.at(3_600_000 * MS);
    assert_eq!(play.delivery(next).1, 2);
    assert_eq!(play.queue.counts().leased, 1);
}

#[test]
fn a_wait_says_what_it_waits_for() {
    let mut play = Play::new(&QueueOptions { name: Some("results".into()), ..QueueOptions::default() });
    let get = play.get();
    assert_eq!(play.queue.describe_wait(get).unwrap(), "queue 3 \"results\": get");
    play.put(b"a");
    assert_eq!(play.queue.describe_wait(get), None);
}

#[test]
fn a_queue_that_could_hold_or_deliver_nothing_is_not_made() {
    for (capacity, max_attempts) in [(Some(0), None), (None, Some(0))] {
        let options = QueueOptions { capacity, max_attempts, name: None };
        assert!(matches!(Queue::new(ObjectId(1), &options, Quotas::default()), Err(CallError::Invalid(_))));
    }
}

#[test]
fn leases_are_found_by_who_has_them_however_they_end() {
    let mut play = Play::bounded(100);
    for n in 0..40u8 {
        play.put(&[n]);
    }
    let take = |play: &mut Play, holder| {
        let call = play.receive(holder);
        match play.answer(call) {
            Ok(QueueReply::Delivery { lease, .. }) => lease,
            other => panic!("no delivery: {other:?}"),
        }
    };
    let mine: Vec<_> = (0..10).map(|_| take(&mut play, ME)).collect();
    let yours: Vec<_> = (0..10).map(|_| take(&mut play, YOU)).collect();
    assert_eq!((play.queue.leases_of(ME), play.queue.leases_of(YOU)), (mine.clone(), yours.clone()));
    play.call(ME, QueueCall::Ack { lease: mine[0] });
    play.call(ME, QueueCall::Nack { lease: mine[1], delay: 0 });
    play.call(ME, QueueCall::Reject { lease: mine[2] });
    play.call(YOU, QueueCall::Ack { lease: mine[3] });
    assert_eq!(play.queue.leases_of(ME), mine[3..], "a lease is answered by who has it");
    play.queue.holder_gone(Now(play.now), ME, &mut play.out);
    assert_eq!((play.queue.leases_of(ME), play.queue.leases_of(YOU)), (Vec::new(), yours));
    play.at(1000 * MS);
    assert_eq!((play.queue.leased_to.len(), play.queue.leases.len()), (0, 0), "their time is over");
}

//! Locks, semaphores, events, conditions and barriers.

use taskcell_wire::call::{
    Acquired, BarrierCall, BarrierOptions, BarrierReply, Call, ConditionCall, Create, EventCall, EventReply, HandleId,
    HandleKind, LockCall, LockOptions, LockReply, Reply, SemaphoreCall, SemaphoreKind, SemaphoreOptions, SemaphoreReply,
};

use crate::stage::{Comes, handle, json};
use crate::tasks::compiled;

const AT: HandleId = HandleId(3);

fn made() -> Comes {
    Reply::Handle(HandleId(8)).into()
}

fn create(create: Create<'static>) -> [(Call<'static>, Comes); 1] {
    [(Call::Create(create), made())]
}

#[test]
fn locks_and_conditions() {
    let mut stage = compiled().stage();
    let lock = || handle(HandleKind::Lock, 3);
    let ask = |call, reply| [(Call::Lock(AT, call), Comes::from(Reply::Lock(reply)))];
    let made = create(Create::Lock(LockOptions { reentrant: true, name: Some("l".into()) }));
    stage.check("lock-create", &[json("true"), json("\"l\"")], &made, "1");
    for (how, expected) in [(Acquired::Clean, "\"clean\""), (Acquired::Abandoned, "\"abandoned\"")] {
        let acquire = ask(LockCall::Acquire { timeout: Some(0) }, LockReply::Acquired(how));
        stage.check("lock-acquire", &[lock(), json("0")], &acquire, expected);
    }
    stage.check("lock-release", &[lock()], &ask(LockCall::Release, LockReply::Released), "null");

    let condition = || handle(HandleKind::Condition, 3);
    let ask = |call, reply| [(Call::Condition(AT, call), Comes::from(Reply::Lock(reply)))];
    stage.check("condition-create", &[lock(), json("null")], &create(Create::Condition { lock: AT, name: None }), "2");
    let woken = LockReply::Woken { notified: true, acquired: Acquired::Abandoned };
    let wait = ask(ConditionCall::Wait { timeout: Some(6) }, woken);
    stage.check("condition-wait", &[condition(), json("6")], &wait, r#"{"notified":true,"acquired":"abandoned"}"#);
    let notify = ask(ConditionCall::Notify { count: Some(2) }, LockReply::Notified(1));
    stage.check("condition-notify", &[condition(), json("2")], &notify, "1");
    let notify = ask(ConditionCall::Notify { count: None }, LockReply::Notified(5));
    stage.check("condition-notify-all", &[condition()], &notify, "5");
}

#[test]
fn semaphores_events_and_barriers() {
    let mut stage = compiled().stage();
    let semaphore = || handle(HandleKind::Semaphore, 3);
    let ask = |call, reply| [(Call::Semaphore(AT, call), Comes::from(Reply::Semaphore(reply)))];
    for (kind, word) in [(SemaphoreKind::Owned, "\"owned\""), (SemaphoreKind::Counting, "\"counting\"")] {
        let made = create(Create::Semaphore(SemaphoreOptions { permits: 2, kind, name: None }));
        stage.check("semaphore-create", &[json("2"), json(word), json("null")], &made, "1");
    }
    let acquire = ask(SemaphoreCall::Acquire { permits: 2, timeout: None }, SemaphoreReply::Done);
    stage.check("semaphore-acquire", &[semaphore(), json("2"), json("null")], &acquire, "null");
    let release = ask(SemaphoreCall::Release { permits: 2 }, SemaphoreReply::Done);
    stage.check("semaphore-release", &[semaphore(), json("2")], &release, "null");
    let available = ask(SemaphoreCall::Available, SemaphoreReply::Available(4));
    stage.check("semaphore-available", &[semaphore()], &available, "4");

    let event = || handle(HandleKind::Event, 3);
    let ask = |call, reply| [(Call::Event(AT, call), Comes::from(Reply::Event(reply)))];
    stage.check("event-create", &[json("null")], &create(Create::Event(None)), "1");
    stage.check("event-set", &[event()], &ask(EventCall::Set, EventReply::Done), "null");
    stage.check("event-clear", &[event()], &ask(EventCall::Clear, EventReply::Done), "null");
    stage.check("event-is-set", &[event()], &ask(EventCall::IsSet, EventReply::IsSet(true)), "true");
    stage.check("event-wait", &[event(), json("3")], &ask(EventCall::Wait { timeout: Some(3) }, EventReply::Done), "null");
    stage.check("event-ready", &[event()], &[], "2");

    let barrier = || handle(HandleKind::Barrier, 3);
    let ask = |call, reply| [(Call::Barrier(AT, call), Comes::from(Reply::Barrier(reply)))];
    let made = create(Create::Barrier(BarrierOptions { parties: 4, name: None }));
    stage.check("barrier-create", &[json("4"), json("null")], &made, "1");
    let wait = ask(BarrierCall::Wait { timeout: None }, BarrierReply::Arrived(3));
    stage.check("barrier-wait", &[barrier(), json("null")], &wait, "3");
    stage.check("barrier-reset", &[barrier()], &ask(BarrierCall::Reset, BarrierReply::Done), "null");
}

//! Waiting for one of several things, for notifications, and for workers that do not do as they are told.

use taskcell_broker::{BrokerOptions, Chunk, Duration, Effect, JobOptions};
use taskcell_wire::call::{
    Acquired, Argument, Batch, Call, CallError, ConditionCall, Create, Ended, EventCall, HandleId, Interest, LockCall,
    LockOptions, LockReply, PipeCall, PipeOptions, ProcessCall, ProcessReply, QueueCall, QueueOptions, Reply, TaskValue, Tell,
};
use taskcell_wire::{Encoding, ItemWriter, JobId, TaskIndex};

use crate::host::{Answer, Host, options};

fn any(on: &[HandleId]) -> Call<'static> {
    Call::WaitAny { on: Batch(on.iter().map(|handle| (*handle, Interest::In)).collect()), timeout: None }
}

fn places(places: &[u32]) -> Option<Answer> {
    Some(Ok(Reply::Places(places.to_vec())))
}

#[test]
fn the_first_of_several_things_wakes() {
    let (mut host, root) = Host::program();
    let queue = host.make(root, Create::Queue(QueueOptions::default()));
    let event = host.make(root, Create::Event(None));
    let ends = host.call(root, Call::Create(Create::Pipe(PipeOptions::default())));
    let Some(Ok(Reply::Ends(receiver, sender))) = ends else { panic!("{ends:?}") };
    let (process, _, child) = host.spawn(root, "with-event", vec![Argument::Handle(event)]);
    let (_, _, other) = host.spawn(root, "with-connection", vec![Argument::Handle(sender)]);
    let (set, end) = (host.given(child)[0], host.given(other)[0]);
    let on = [queue, event, receiver, process];
    assert_eq!(host.call(root, any(&on)), None);
    host.call(child, Call::Event(set, EventCall::Set));
    assert_eq!(host.answer(root), places(&[1]));
    host.call(root, Call::Event(event, EventCall::Clear));
    assert_eq!(host.call(root, any(&on)), None);
    host.call(other, Call::Pipe(end, PipeCall::Send { message: b"m".into(), timeout: None }));
    assert_eq!(host.answer(root), places(&[2]));
    host.finish(child, "null");
    host.drop(other, end);
    assert_eq!(host.call(root, any(&on)), places(&[2, 3]), "a message, and an end");
    let lock = host.make(root, Create::Lock(LockOptions::default()));
    assert!(matches!(host.call(root, any(&[lock])), Some(Err(CallError::Invalid(_)))));
}

#[test]
fn a_condition_is_the_locks() {
    let (mut host, root) = Host::program();
    let lock = host.make(root, Create::Lock(LockOptions::default()));
    let condition = host.make(root, Create::Condition { lock, name: Some("full".into()) });
    let acquire = LockCall::Acquire { timeout: None };
    host.call(root, Call::Lock(lock, acquire.clone()));
    let (_, _, child) = host.spawn(root, "with-lock", vec![Argument::Handle(lock)]);
    let (_, _, idle) = host.spawn(root, "with-condition", vec![Argument::Handle(condition)]);
    let wait = Call::Condition(condition, ConditionCall::Wait { timeout: Some(5_000_000) });
    assert_eq!(host.call(root, wait), None);
    let theirs = host.given(child)[0];
    let acquired = Some(Ok(Reply::Lock(LockReply::Acquired(Acquired::Clean))));
    assert_eq!(host.call(child, Call::Lock(theirs, acquire)), acquired);
    host.wait(5);
    assert_eq!(host.answer(root), None, "its time is over, and the lock is another's");
    host.finish(child, "null");
    let woken = LockReply::Woken { notified: false, acquired: Acquired::Abandoned };
    assert_eq!(host.answer(root), Some(Ok(Reply::Lock(woken))));
    // The condition keeps its lock.
    host.drop(root, lock);
    let only = host.given(idle)[0];
    let notify = Call::Condition(only, ConditionCall::Notify { count: None });
    assert!(matches!(host.call(idle, notify), Some(Err(CallError::Invalid(_)))), "it does not hold the lock");
}

#[test]
fn a_call_that_is_abandoned_is_answered_at_once() {
    let (mut host, root) = Host::program();
    let queue = host.make(root, Create::Queue(QueueOptions::default()));
    let (_, _, child) = host.spawn(root, "with-queue", vec![Argument::Handle(queue)]);
    let theirs = host.given(child)[0];
    let call = host.raw_call(child, Call::Queue(theirs, QueueCall::Get { timeout: None })).unwrap();
    for number in [taskcell_wire::CallId(999), call, call] {
        host.broker.tell(host.now, child, Tell::Abandon(number)).unwrap();
    }
    host.settle();
    assert_eq!(host.answer(child), Some(Err(CallError::TimedOut)));
    assert_eq!(host.answer(child), None, "once");
}

#[test]
fn a_worker_that_was_let_go_and_stays_is_killed() {
    let (mut host, root) = Host::program();
    let (process, _, child) = host.spawn(root, "quiet", vec![]);
    host.quick = false;
    host.finish(child, "null");
    assert!(host.worker(child).retired);
    let joined = host.call(root, Call::Process(process, ProcessCall::Join { timeout: None }));
    assert_eq!(joined, Some(Ok(Reply::Process(ProcessReply::Ended(Ended::Ok(TaskValue::None))))), "its task ended all the same");
    host.wait(1_999);
    assert!(!host.worker(child).killed);
    host.wait(1);
    assert!(host.worker(child).killed);
    host.gone(child, None);
    assert_eq!(host.broker.census().pools, 1);
}

#[test]
fn the_programs_own_bound_does_not_hide_that_it_stands_still() {
    let (mut host, root) = Host::program();
    let limited = JobOptions { timeout: Some(Duration::from_millis(60_000)), ..JobOptions::new(TaskIndex(0)) };
    host.finish(root, "null");
    let job = JobId(2);
    host.broker.open_job(host.pool, job, limited);
    let mut items = ItemWriter::default();
    items.push(b"null");
    host.broker.submit(
        host.now,
        Chunk { job, first: 0, count: 1, items: items.into_parts().0.into(), history: Vec::new(), start_by: None },
    );
    host.settle();
    let queue = host.make(root, Create::Queue(QueueOptions::default()));
    let get = Call::Queue(queue, QueueCall::Get { timeout: None });
    assert!(host.broker.next_tick().is_some());
    assert!(matches!(host.call(root, get), Some(Err(CallError::Deadlock(_)))));
}

#[test]
fn what_the_api_started_comes_back_to_the_api() {
    let (mut host, root) = Host::with(BrokerOptions { is_program: false, ..options() }, 1);
    host.submit(5);
    assert_eq!(host.broker.tasks().len(), 1, "only what runs has a number");
    host.broker.cancel_job(host.now, crate::host::ROOT);
    host.settle();
    host.wait(100);
    let cancelled = |first| Effect::Cancelled { job: crate::host::ROOT, first, count: 1 };
    assert_eq!(host.other, [cancelled(5), cancelled(0)]);
    assert!(!host.workers.contains_key(&root) && host.broker.tasks().is_empty());
}

#[test]
fn bytes_stay_bytes() {
    let (mut host, root) = Host::program();
    let body = TaskValue::Bytes(b"\xff\x00".to_vec().into());
    let (process, _, child) = host.spawn(root, "echo", vec![Argument::Value(body.clone())]);
    let sent = host.worker(child).line[0].clone();
    assert_eq!((sent.options.input, sent.options.output), (Encoding::Arguments, Encoding::Bytes));
    host.end(child, Ended::Ok(body.clone()));
    let joined = host.call(root, Call::Process(process, ProcessCall::Join { timeout: None }));
    assert_eq!(joined, Some(Ok(Reply::Process(ProcessReply::Ended(Ended::Ok(body))))));
}

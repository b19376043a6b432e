//! Waits that could never end.

use taskcell_broker::Effect;
use taskcell_wire::call::{
    Argument, Batch, Call, CallError, Create, Ended, EventCall, FutureCall, Interest, LockCall, LockOptions, PoolCall,
    PoolSettings, ProcessCall, QueueCall, QueueOptions, Reply,
};

use crate::host::{Host, invocation, options};

const ACQUIRE: LockCall = LockCall::Acquire { timeout: None };
const JOIN: ProcessCall = ProcessCall::Join { timeout: None };
const GET: QueueCall<'static> = QueueCall::Get { timeout: None };

fn deadlock(answer: Option<Result<Reply<'static>, CallError>>) -> String {
    match answer {
        Some(Err(CallError::Deadlock(text))) => text,
        other => panic!("{other:?}"),
    }
}

#[test]
fn two_who_wait_for_each_others_locks_are_told_in_an_open_world_too() {
    let open = taskcell_broker::BrokerOptions { is_program: false, ..options() };
    let (mut host, root) = Host::with(open, 1);
    let a = host.make(root, Create::Lock(LockOptions { name: Some("a".into()), ..LockOptions::default() }));
    let b = host.make(root, Create::Lock(LockOptions { name: Some("b".into()), ..LockOptions::default() }));
    let (_, _, one) = host.spawn(root, "with-lock", vec![Argument::Handle(a)]);
    let theirs = host.given(one)[0];
    host.call(one, Call::Lock(theirs, ACQUIRE));
    host.call(root, Call::Lock(b, ACQUIRE));
    assert_eq!(host.call(root, Call::Lock(a, ACQUIRE)), None, "it may be released");
    // The other has no handle of b; it waits for the one who holds it in another way.
    let (process, _, two) = host.spawn(one, "with-lock", vec![Argument::Handle(theirs)]);
    let third = host.given(two)[0];
    assert_eq!(host.call(one, Call::Process(process, JOIN)), None);
    let text = deadlock(host.call(two, Call::Lock(third, ACQUIRE)));
    assert!(text.contains("waits for lock 1 \"a\": acquire") && text.contains("waits for process"), "{text}");
}

#[test]
fn a_wait_with_an_end_is_no_deadlock() {
    let (mut host, root) = Host::program();
    let lock = host.make(root, Create::Lock(LockOptions::default()));
    host.call(root, Call::Lock(lock, ACQUIRE));
    let (process, _, child) = host.spawn(root, "with-lock", vec![Argument::Handle(lock)]);
    let theirs = host.given(child)[0];
    assert_eq!(host.call(child, Call::Lock(theirs, LockCall::Acquire { timeout: Some(5_000_000) })), None);
    assert_eq!(host.call(root, Call::Process(process, JOIN)), None);
    host.wait(5);
    assert_eq!(host.answer(child), Some(Err(CallError::TimedOut)));
}

#[test]
fn a_program_that_stands_still_is_told() {
    let (mut host, root) = Host::program();
    let queue = host.make(root, Create::Queue(QueueOptions { name: Some("in".into()), ..QueueOptions::default() }));
    let (process, _, child) = host.spawn(root, "with-queue", vec![Argument::Handle(queue)]);
    assert_eq!(host.call(root, Call::Process(process, JOIN)), None, "the child may end");
    let theirs = host.given(child)[0];
    let text = deadlock(host.call(child, Call::Queue(theirs, GET)));
    assert!(text.contains("queue 1 \"in\": get") && text.contains("process 2 \"with-queue\": end"), "{text}");
    host.end(child, Ended::Trapped("it gave up".into()));
    assert!(matches!(host.answer(root), Some(Ok(_))));
    let text = deadlock(host.call(root, Call::Queue(queue, GET)));
    assert!(text.starts_with("task 1 \"run\" waits for queue 1"), "{text}");
}

#[test]
fn who_may_still_be_helped_is_not() {
    let (mut host, root) = Host::program();
    host.quick = false;
    let queue = host.make(root, Create::Queue(QueueOptions::default()));
    let get = || Call::Queue(queue, GET);
    // A worker that starts.
    let (_, _, child) = host.spawn(root, "with-queue", vec![Argument::Handle(queue)]);
    assert_eq!(host.call(root, get()), None);
    // One that runs.
    host.ready(child);
    assert_eq!(host.answer(root), None);
    let theirs = host.given(child)[0];
    let put = Call::Queue(theirs, QueueCall::Put { message: b"m".into(), timeout: None });
    host.call(child, put);
    assert!(matches!(host.answer(root), Some(Ok(_))));
    // One that is let go.
    assert_eq!(host.call(root, get()), None);
    host.finish(child, "null");
    assert_eq!(host.answer(root), None);
    host.gone(child, None);
    deadlock(host.answer(root));
}

#[test]
fn a_program_that_waits_for_input_does_not_stand_still() {
    let (mut host, root) = Host::program();
    let queue = host.make(root, Create::Queue(QueueOptions::default()));
    let (_, _, child) = host.spawn(root, "with-queue", vec![Argument::Handle(queue)]);
    let input = host.raw_call(root, Call::Input(1)).unwrap();
    let theirs = host.given(child)[0];
    assert_eq!(host.call(child, Call::Queue(theirs, GET)), None);
    assert!(host.broker.input(host.now, root, input, b""[..].into()));
    host.settle();
    host.answer(root);
    let event = host.make(root, Create::Event(None));
    deadlock(host.call(root, Call::Event(event, EventCall::Wait { timeout: None })));
}

#[test]
fn tasks_that_never_get_a_worker_are_counted() {
    let (mut host, root) = Host::program();
    let queue = host.make(root, Create::Queue(QueueOptions::default()));
    let pool = host.make(root, Create::Pool(PoolSettings { workers: Some(1), ..PoolSettings::default() }));
    let mut futures = Vec::new();
    for _ in 0..3 {
        let submit = PoolCall::Submit(invocation("with-queue", vec![Argument::Handle(queue)]));
        let Some(Ok(Reply::Started(future, _))) = host.call(root, Call::Pool(pool, submit)) else { panic!("no future") };
        futures.push(future);
    }
    let worker = *host.workers.keys().next_back().unwrap();
    let on = Batch(futures.iter().map(|future| (*future, Interest::In)).collect());
    assert_eq!(host.call(root, Call::WaitAny { on, timeout: None }), None);
    let theirs = host.given(worker)[0];
    let text = deadlock(host.call(worker, Call::Queue(theirs, GET)));
    assert!(text.contains("any of task 2") && text.ends_with("; 2 more wait for a worker"), "{text}");
    host.finish(worker, "null");
    assert_eq!(host.answer(root), Some(Ok(Reply::Places(vec![0]))));
    let result = Call::Future(futures[0], FutureCall::Result { timeout: None });
    assert!(matches!(host.call(root, result), Some(Ok(_))));
}

#[test]
fn one_that_is_only_told_goes_on_waiting_and_is_told_once() {
    let warn = taskcell_broker::BrokerOptions { on_deadlock: taskcell_broker::OnDeadlock::Warn, ..options() };
    let (mut host, root) = Host::with(warn, 1);
    let a = host.make(root, Create::Lock(LockOptions { name: Some("a".into()), ..LockOptions::default() }));
    let (_, _, one) = host.spawn(root, "with-lock", vec![Argument::Handle(a)]);
    let theirs = host.given(one)[0];
    host.call(one, Call::Lock(theirs, ACQUIRE));
    let told = |host: &mut Host| -> Vec<String> {
        let effects = std::mem::take(&mut host.other).into_iter();
        effects.filter_map(|effect| if let Effect::Deadlocked(text) = effect { Some(text) } else { None }).collect()
    };
    let (process, _, three) = host.spawn(one, "with-lock", vec![Argument::Handle(theirs)]);
    let third = host.given(three)[0];
    assert_eq!(host.call(one, Call::Process(process, JOIN)), None);
    assert_eq!(told(&mut host), Vec::<String>::new());
    assert_eq!(host.call(three, Call::Lock(third, ACQUIRE)), None, "nobody is answered");
    let text = told(&mut host);
    assert!(
        text.len() == 1 && text[0].contains("waits for lock 1 \"a\": acquire") && text[0].contains("waits for process"),
        "{text:?}"
    );
    // All stand still: the circle is named once more with those who wait for it, and then no more.
    let queue = host.make(root, Create::Queue(QueueOptions::default()));
    assert_eq!(host.call(root, Call::Queue(queue, GET)), None);
    let text = told(&mut host);
    assert!(text.len() == 1 && text[0].matches("waits for").count() == 3, "{text:?}");
    host.wait(10_000);
    assert_eq!(told(&mut host), Vec::<String>::new(), "nothing changed");
    // Somebody ends it from outside.
    host.end(three, Ended::Trapped("it was stopped".into()));
    assert!(matches!(host.answer(one), Some(Ok(_))));
    assert_eq!((host.answer(root), told(&mut host)), (None, Vec::new()));
}

//! The ways in which tasks come to wait for each other: each is found at the very event that closes the circle, whether somebody is answered
//! or all are only told of.

use taskcell_broker::{BrokerOptions, Effect, OnDeadlock};
use taskcell_wire::WorkerId;
use taskcell_wire::call::{
    Argument, Call, CallError, Create, EventCall, FutureCall, HandleId, LockCall, LockOptions, PipeCall, PipeOptions, PoolCall,
    PoolSettings, ProcessCall, QueueCall, QueueOptions, Reply,
};

use crate::host::{Host, invocation, options};

const ACQUIRE: LockCall = LockCall::Acquire { timeout: None };
const JOIN: ProcessCall = ProcessCall::Join { timeout: None };
const RECV: PipeCall<'static> = PipeCall::Recv { timeout: None };

fn host(on_deadlock: OnDeadlock) -> (Host, WorkerId) {
    Host::with(BrokerOptions { on_deadlock, ..options() }, 1)
}

/// Makes the call that closes the circle, and gives what is said of it: in its answer, or beside it. Time stands still meanwhile.
fn close(host: &mut Host, worker: WorkerId, call: Call<'_>, mode: OnDeadlock) -> String {
    let answer = host.call(worker, call);
    let told: Vec<String> = std::mem::take(&mut host.other)
        .into_iter()
        .filter_map(|effect| if let Effect::Deadlocked(text) = effect { Some(text) } else { None })
        .collect();
    match (mode, answer, told.as_slice()) {
        (OnDeadlock::Fail, Some(Err(CallError::Deadlock(text))), []) => text,
        (OnDeadlock::Warn, None, [text]) => text.clone(),
        (_, answer, told) => panic!("{mode:?}: answered {answer:?}, told {told:?}"),
    }
}

/// Who only was told of waits on, and is not told of again.
fn nothing_follows(host: &mut Host, mode: OnDeadlock) {
    host.wait(2000);
    assert!(!host.other.iter().any(|effect| matches!(effect, Effect::Deadlocked(_))), "{mode:?}: {:?}", host.other);
}

fn assert_named(text: &str, names: &[&str]) {
    for name in names {
        assert!(text.contains(name), "no {name} in {text}");
    }
}

#[test]
fn a_lock_whose_owner_waits_for_the_one_who_wants_it() {
    for mode in [OnDeadlock::Fail, OnDeadlock::Warn] {
        let (mut host, root) = host(mode);
        let a = host.make(root, Create::Lock(LockOptions { name: Some("a".into()), ..LockOptions::default() }));
        let (_, _, owner) = host.spawn(root, "with-lock", vec![Argument::Handle(a)]);
        let theirs = host.given(owner)[0];
        host.call(owner, Call::Lock(theirs, ACQUIRE));
        let (child, _, wants) = host.spawn(owner, "with-lock", vec![Argument::Handle(theirs)]);
        assert_eq!(host.call(owner, Call::Process(child, JOIN)), None);
        let of_child = host.given(wants)[0];
        // The first task runs, so not all stand still: these two are known to wait for each other all the same.
        let text = close(&mut host, wants, Call::Lock(of_child, ACQUIRE), mode);
        assert_named(&text, &["task 2 \"with-lock\" waits for process", "task 3 \"with-lock\" waits for lock 1 \"a\": acquire"]);
        nothing_follows(&mut host, mode);
    }
}

#[test]
fn a_pipe_whose_ends_both_listen() {
    for mode in [OnDeadlock::Fail, OnDeadlock::Warn] {
        let (mut host, root) = host(mode);
        let pipe = Create::Pipe(PipeOptions { duplex: true, name: Some("line".into()) });
        let Some(Ok(Reply::Ends(left, right))) = host.call(root, Call::Create(pipe)) else { panic!("no ends") };
        let (child, _, one) = host.spawn(root, "with-connection", vec![Argument::Handle(left)]);
        let (_, _, other) = host.spawn(root, "with-connection", vec![Argument::Handle(right)]);
        let [left, right]: [HandleId; 2] = [one, other].map(|worker| host.given(worker)[0]);
        assert_eq!(host.call(root, Call::Process(child, JOIN)), None);
        assert_eq!(host.call(one, Call::Pipe(left, RECV)), None);
        let text = close(&mut host, other, Call::Pipe(right, RECV), mode);
        let named =
            ["task 1 \"run\" waits for process", "task 2 \"with-connection\"", "task 3 \"with-connection\"", "\"line\": recv"];
        assert_named(&text, &named);
        nothing_follows(&mut host, mode);
    }
}

#[test]
fn a_full_queue_that_nobody_reads() {
    for mode in [OnDeadlock::Fail, OnDeadlock::Warn] {
        let (mut host, root) = host(mode);
        let options = QueueOptions { capacity: Some(2), name: Some("work".into()), ..QueueOptions::default() };
        let queue = host.make(root, Create::Queue(options));
        let put = || Call::Queue(queue, QueueCall::Put { message: b"m".into(), timeout: None });
        assert!(matches!(host.call(root, put()), Some(Ok(_))));
        assert!(matches!(host.call(root, put()), Some(Ok(_))));
        let text = close(&mut host, root, put(), mode);
        assert_eq!(text, "task 1 \"run\" waits for queue 1 \"work\": put");
        nothing_follows(&mut host, mode);
    }
}

#[test]
fn a_pool_of_one_whose_task_waits_for_what_stands_behind_it() {
    for mode in [OnDeadlock::Fail, OnDeadlock::Warn] {
        let (mut host, root) = host(mode);
        let event = host.make(root, Create::Event(Some("behind".into())));
        let pool = host.make(root, Create::Pool(PoolSettings { workers: Some(1), ..PoolSettings::default() }));
        let mut submit = || {
            let submit = PoolCall::Submit(invocation("with-event", vec![Argument::Handle(event)]));
            let Some(Ok(Reply::Started(future, _))) = host.call(root, Call::Pool(pool, submit)) else { panic!("no future") };
            future
        };
        let (before, _) = (submit(), submit());
        assert_eq!(host.call(root, Call::Future(before, FutureCall::Result { timeout: None })), None);
        let worker = *host.workers.keys().next_back().unwrap();
        let theirs = host.given(worker)[0];
        let text = close(&mut host, worker, Call::Event(theirs, EventCall::Wait { timeout: None }), mode);
        assert_named(&text, &["task 1 \"run\" waits for task 2", "task 2 \"with-event\" waits for event", "\"behind\": wait"]);
        assert!(text.ends_with("; 1 more wait for a worker"), "{text}");
        nothing_follows(&mut host, mode);
    }
}

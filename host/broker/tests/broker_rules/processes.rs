//! Processes: how they start, what becomes of them, and of those that they started.

use taskcell_wire::call::{
    Argument, Call, CallError, Create, Ended, HandleId, LockCall, LockOptions, ProcessCall, ProcessOptions, ProcessReply,
    QueueCall, QueueOptions, Reply, TaskState, TaskValue,
};

use crate::host::{Host, invocation, json, value};

const JOIN: ProcessCall = ProcessCall::Join { timeout: None };

fn ended(ended: Ended<'static>) -> Option<Result<Reply<'static>, CallError>> {
    Some(Ok(Reply::Process(ProcessReply::Ended(ended))))
}

fn state(host: &mut Host, id: taskcell_wire::WorkerId, process: HandleId) -> TaskState {
    match host.call(id, Call::Process(process, ProcessCall::State)) {
        Some(Ok(Reply::Process(ProcessReply::State(state)))) => state,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_join_tells_how_it_ended_any_number_of_times() {
    let (mut host, root) = Host::program();
    let (process, _, child) = host.spawn(root, "add", vec![value("1"), value("2")]);
    assert_eq!(host.call(root, Call::Process(process, JOIN)), None);
    host.finish(child, "3");
    assert_eq!(host.answer(root), ended(Ended::Ok(json("3"))));
    assert_eq!(host.call(root, Call::Process(process, JOIN)), ended(Ended::Ok(json("3"))));
    assert_eq!(state(&mut host, root, process), TaskState::Ended);
    assert_eq!(host.workers.len(), 1, "its worker is let go");
}

#[test]
fn a_task_without_a_result_gives_none() {
    let (mut host, root) = Host::program();
    let (process, _, child) = host.spawn(root, "quiet", vec![]);
    host.finish(child, "null");
    assert_eq!(host.call(root, Call::Process(process, JOIN)), ended(Ended::Ok(TaskValue::None)));
}

#[test]
fn its_states_are_told() {
    let (mut host, root) = Host::program();
    host.quick = false;
    let queue = host.make(root, Create::Queue(QueueOptions { name: Some("jobs".into()), ..QueueOptions::default() }));
    let (process, _, child) = host.spawn(root, "with-queue", vec![Argument::Handle(queue)]);
    assert_eq!(state(&mut host, root, process), TaskState::Ready);
    assert_eq!(host.call(root, Call::Process(process, ProcessCall::Pid)), Some(Ok(Reply::Process(ProcessReply::Pid(None)))));
    host.ready(child);
    assert_eq!(state(&mut host, root, process), TaskState::Running);
    let pid = host.call(root, Call::Process(process, ProcessCall::Pid));
    assert!(matches!(pid, Some(Ok(Reply::Process(ProcessReply::Pid(Some(_)))))));
    let theirs = host.given(child)[0];
    host.call(child, Call::Queue(theirs, QueueCall::Get { timeout: None }));
    assert_eq!(state(&mut host, root, process), TaskState::Waiting("queue 1 \"jobs\": get".into()));
    let views = host.broker.tasks();
    assert_eq!(views.len(), 2);
    assert_eq!(views[1].parent, Some(views[0].id));
    assert_eq!(views[1].state, TaskState::Waiting("queue 1 \"jobs\": get".into()));
}

#[test]
fn a_death_is_its_outcome_and_is_not_tried_again() {
    let (mut host, root) = Host::program();
    let (process, _, child) = host.spawn(root, "quiet", vec![]);
    host.die(child);
    let outcome = host.call(root, Call::Process(process, JOIN));
    assert!(
        matches!(&outcome, Some(Ok(Reply::Process(ProcessReply::Ended(Ended::Lost(why))))) if why.contains("fell over")),
        "{outcome:?}"
    );
    assert_eq!(host.workers.len(), 1);
}

#[test]
fn a_process_that_can_not_start_is_lost() {
    let (mut host, root) = Host::program();
    host.quick = false;
    let (process, _, child) = host.spawn(root, "quiet", vec![]);
    let pool = host.broker.pool_of(child);
    host.broker.fail(host.now, pool, "no sandbox".into());
    host.settle();
    assert_eq!(host.call(root, Call::Process(process, JOIN)), ended(Ended::Lost("no sandbox".into())));
    assert!(host.worker(child).killed);
    host.gone(child, None);
    assert!(host.broker.pool_of(child).is_none());
}

#[test]
fn a_limit_is_kept_by_killing() {
    let (mut host, root) = Host::program();
    let task = invocation("quiet", vec![]);
    let options = ProcessOptions { timeout: Some(5_000_000), ..ProcessOptions::default() };
    let answer = host.call(root, Call::Create(Create::Process { task, options }));
    let Some(Ok(Reply::Started(process, _))) = answer else { panic!("{answer:?}") };
    host.wait(104);
    assert_eq!(host.workers.len(), 2);
    host.wait(2);
    assert_eq!(host.workers.len(), 1, "its time and its grace are over");
    assert_eq!(host.call(root, Call::Process(process, JOIN)), ended(Ended::TimedOut));
}

#[test]
fn one_that_is_asked_to_stop_waits_no_more() {
    let (mut host, root) = Host::program();
    let queue = host.make(root, Create::Queue(QueueOptions::default()));
    let (process, _, child) = host.spawn(root, "with-queue", vec![Argument::Handle(queue)]);
    let theirs = host.given(child)[0];
    let get = Call::Queue(theirs, QueueCall::Get { timeout: None });
    assert_eq!(host.call(child, get.clone()), None);
    host.call(root, Call::Process(process, ProcessCall::Terminate { grace: 50_000_000 }));
    assert_eq!(host.answer(child), Some(Err(CallError::Cancelled)));
    assert_eq!(host.call(child, get), Some(Err(CallError::Cancelled)), "nor later");
    host.wait(49);
    assert_eq!(host.workers.len(), 2);
    host.wait(1);
    assert_eq!(host.workers.len(), 1, "its grace is over");
    assert_eq!(host.call(root, Call::Process(process, JOIN)), ended(Ended::Cancelled));
}

#[test]
fn a_second_request_may_only_shorten_the_grace() {
    let (mut host, root) = Host::program();
    let (process, _, _) = host.spawn(root, "quiet", vec![]);
    let terminate = |ms: u64| Call::Process(process, ProcessCall::Terminate { grace: ms * 1_000_000 });
    host.call(root, terminate(50));
    host.wait(10);
    host.call(root, terminate(100));
    host.call(root, terminate(5));
    host.wait(4);
    assert_eq!(host.workers.len(), 2);
    host.wait(1);
    assert_eq!(host.workers.len(), 1);
}

#[test]
fn children_die_with_their_parent_unless_they_are_detached() {
    let (mut host, root) = Host::program();
    let (_, _, child) = host.spawn(root, "quiet", vec![]);
    let (_, _, grandchild) = host.spawn(child, "quiet", vec![]);
    let task = invocation("quiet", vec![]);
    let options = ProcessOptions { detached: true, ..ProcessOptions::default() };
    host.call(child, Call::Create(Create::Process { task, options }));
    let detached = *host.workers.keys().next_back().unwrap();
    host.die(child);
    assert!(!host.workers.contains_key(&grandchild));
    assert!(host.workers.contains_key(&detached));
    host.finish(root, "null");
    assert!(!host.broker.is_idle(), "one lives on");
    host.finish(detached, "null");
    assert!(host.broker.is_idle());
}

#[test]
fn a_lock_of_a_dead_process_goes_on() {
    let (mut host, root) = Host::program();
    let lock = host.make(root, Create::Lock(LockOptions::default()));
    let (_, _, child) = host.spawn(root, "with-lock", vec![Argument::Handle(lock)]);
    let theirs = host.given(child)[0];
    host.call(child, Call::Lock(theirs, LockCall::Acquire { timeout: None }));
    assert_eq!(host.call(root, Call::Lock(lock, LockCall::Acquire { timeout: None })), None);
    host.die(child);
    let answer = host.answer(root);
    assert!(format!("{answer:?}").contains("Abandoned"), "{answer:?}");
}

#[test]
fn names_are_found_and_others_are_offered() {
    let (mut host, root) = Host::program();
    for name in ["add", "other/add"] {
        host.spawn(root, name, vec![value("1"), value("2")]);
    }
    for name in ["square", "math#square", "a:b/math#square", "a:b/math@1.0.0#square", "other/square"] {
        host.spawn(root, name, vec![value("1")]);
    }
    let refused = |host: &mut Host, name: &str, arguments| {
        let (task, options) = (invocation(name, arguments), ProcessOptions::default());
        match host.call(root, Call::Create(Create::Process { task, options })) {
            Some(Err(error)) => error.to_string(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(refused(&mut host, "ad", vec![]), "not found: no task \"ad\"; there is add, other/add");
    assert!(refused(&mut host, "else/add", vec![]).starts_with("not found"));
    assert!(refused(&mut host, "add", vec![value("1")]).starts_with("invalid: add takes 2 arguments, found 1"));
    assert!(refused(&mut host, "add", vec![value("1"), value("bad")]).starts_with("invalid"));
    let queue = host.make(root, Create::Queue(QueueOptions::default()));
    assert!(refused(&mut host, "with-lock", vec![Argument::Handle(queue)]).starts_with("invalid"));
}

#[test]
fn there_is_an_end_to_processes_and_to_their_depth() {
    let mut options = crate::host::options();
    options.limits.processes = 4;
    options.limits.depth = 2;
    let (mut host, root) = Host::with(options, 1);
    let (_, _, child) = host.spawn(root, "quiet", vec![]);
    let (_, _, grandchild) = host.spawn(child, "quiet", vec![]);
    let create = || Call::Create(Create::Process { task: invocation("quiet", vec![]), options: ProcessOptions::default() });
    let deep = host.call(grandchild, create());
    assert!(matches!(&deep, Some(Err(CallError::Quota(why))) if why.starts_with("2 tasks")), "{deep:?}");
    host.spawn(root, "quiet", vec![]);
    let many = host.call(root, create());
    assert!(matches!(&many, Some(Err(CallError::Quota(why))) if why.starts_with("4 worker processes")), "{many:?}");
    host.finish(grandchild, "null");
    host.spawn(root, "quiet", vec![]);
}

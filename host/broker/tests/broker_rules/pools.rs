//! Pools that tasks make, futures, maps and mappings.

use taskcell_wire::call::{
    Argument, Batch, Call, CallError, Create, Ended, FutureCall, HandleId, Mapped, MappingCall, PoolCall, PoolReply,
    PoolSettings, ProcessCall, QueueCall, QueueOptions, Reply, TaskValue,
};
use taskcell_wire::{Encoding, Isolation, WorkerId};

use crate::host::{Host, invocation, json, value};

fn settings(workers: u32) -> PoolSettings {
    PoolSettings { workers: Some(workers), ..PoolSettings::default() }
}

fn submit(host: &mut Host, id: WorkerId, pool: HandleId, task: &str, arguments: Vec<Argument<'_>>) -> HandleId {
    match host.call(id, Call::Pool(pool, PoolCall::Submit(invocation(task, arguments)))) {
        Some(Ok(Reply::Started(future, _))) => future,
        other => panic!("{other:?}"),
    }
}

fn result(future: HandleId) -> Call<'static> {
    Call::Future(future, FutureCall::Result { timeout: None })
}

fn ended(ended: Ended<'static>) -> Option<Result<Reply<'static>, CallError>> {
    Some(Ok(Reply::Pool(PoolReply::Ended(ended))))
}

fn numbers(count: u32) -> Vec<TaskValue<'static>> {
    (0..count).map(|n| json(&n.to_string())).collect()
}

fn map<'a>(pool: HandleId, task: &'a str, values: Vec<TaskValue<'static>>) -> Call<'a> {
    Call::Pool(pool, PoolCall::Map { task, values: Batch(values) })
}

/// The workers but the first.
fn others(host: &Host) -> Vec<WorkerId> {
    host.workers.keys().copied().skip(1).collect()
}

#[test]
fn workers_start_when_there_are_tasks_and_no_more_than_were_asked_for() {
    let (mut host, root) = Host::program();
    let pool = host.make(root, Create::Pool(settings(2)));
    assert_eq!(host.workers.len(), 1);
    let futures: Vec<_> = (0..3).map(|_| submit(&mut host, root, pool, "add", vec![value("1"), value("2")])).collect();
    assert_eq!(host.busy().len(), 3, "the program and two workers");
    let [first, second] = others(&host)[..] else { panic!("two workers") };
    host.finish(first, "3");
    host.finish(second, "4");
    host.finish(first, "5");
    let got: Vec<_> = futures.into_iter().map(|future| host.call(root, result(future))).collect();
    assert_eq!(got, ["3", "4", "5"].map(|text| ended(Ended::Ok(json(text)))));
}

#[test]
fn a_future_is_waited_for_and_cancelled() {
    let (mut host, root) = Host::program();
    let pool = host.make(root, Create::Pool(settings(1)));
    let running = submit(&mut host, root, pool, "quiet", vec![]);
    let waiting = submit(&mut host, root, pool, "quiet", vec![]);
    let cancel = |future| Call::Future(future, FutureCall::Cancel);
    let was_running = |running| Some(Ok(Reply::Pool(PoolReply::Cancelled(running))));
    assert_eq!(host.call(root, cancel(waiting)), was_running(true));
    assert_eq!(host.call(root, result(waiting)), ended(Ended::Cancelled));
    assert_eq!(host.call(root, cancel(waiting)), was_running(false));
    host.call(root, cancel(running));
    assert_eq!(host.call(root, result(running)), None);
    host.wait(100);
    assert_eq!(host.answer(root), ended(Ended::Cancelled));
}

#[test]
fn a_task_that_waits_for_tasks_lends_its_place() {
    let (mut host, root) = Host::program();
    let pool = host.make(root, Create::Pool(settings(1)));
    let outer: Vec<_> = (0..2).map(|_| submit(&mut host, root, pool, "quiet", vec![])).collect();
    let first = others(&host)[0];
    let inner = host.make(first, Create::Pool(settings(1)));
    let task = submit(&mut host, first, inner, "quiet", vec![]);
    assert_eq!(host.workers.len(), 3, "one worker of each pool");
    assert_eq!(host.call(first, result(task)), None);
    assert_eq!(host.workers.len(), 4, "the task that waits lent its place to the next");
    let [_, second, third] = others(&host)[..] else { panic!("three workers") };
    let (inner_worker, lent) = if second.0 >> 32 == first.0 >> 32 { (third, second) } else { (second, third) };
    host.finish(inner_worker, "null");
    assert_eq!(host.answer(first), ended(Ended::Ok(TaskValue::None)));
    host.finish(first, "null");
    host.finish(lent, "null");
    assert_eq!(host.workers.keys().filter(|id| id.0 >> 32 == first.0 >> 32).count(), 1, "one too many is let go");
    for future in outer {
        assert_eq!(host.call(root, result(future)), ended(Ended::Ok(TaskValue::None)));
    }
}

#[test]
fn a_map_gives_all_outcomes_in_order() {
    let (mut host, root) = Host::program();
    let pool = host.make(root, Create::Pool(settings(2)));
    assert_eq!(host.call(root, map(pool, "fib", numbers(5))), None);
    let mut results = 0;
    while let Some(id) = others(&host).into_iter().rev().find(|id| !host.workers[id].line.is_empty()) {
        let front = host.workers[&id].line.front().unwrap().clone();
        assert_eq!(front.options.input, Encoding::Json);
        let input = String::from_utf8(front.items[front.done as usize].clone()).unwrap();
        if input == "2" {
            host.end(id, Ended::Failed(json("2")))
        } else {
            host.finish(id, &format!("1{input}"))
        }
        results += 1;
    }
    assert_eq!(results, 5);
    let outcomes = vec![
        Ended::Ok(json("10")),
        Ended::Ok(json("11")),
        Ended::Failed(json("2")),
        Ended::Ok(json("13")),
        Ended::Ok(json("14")),
    ];
    assert_eq!(host.answer(root), Some(Ok(Reply::Pool(PoolReply::Outcomes(outcomes)))));
}

#[test]
fn a_map_of_what_does_not_fit_starts_nothing() {
    let (mut host, root) = Host::program();
    let pool = host.make(root, Create::Pool(settings(2)));
    let wrong = host.call(root, map(pool, "fib", vec![json("1"), json("bad")]));
    assert!(matches!(&wrong, Some(Err(CallError::Invalid(why))) if why == "value 1: expected better"), "{wrong:?}");
    assert_eq!(host.workers.len(), 1);
    assert!(matches!(host.call(root, map(pool, "fob", numbers(1))), Some(Err(CallError::NotFound(_)))));
    assert_eq!(host.call(root, map(pool, "fib", vec![])), Some(Ok(Reply::Pool(PoolReply::Outcomes(vec![])))));
}

#[test]
fn quick_tasks_travel_together_and_are_taken_back_from_one_that_waits() {
    let (mut host, root) = Host::program();
    let pool = host.make(root, Create::Pool(settings(2)));
    assert_eq!(host.call(root, map(pool, "fib", numbers(1000))), None);
    let [first, second] = others(&host)[..] else { panic!("two workers") };
    // What a task takes is learned: a thousand nanoseconds here.
    host.finish(first, "0");
    assert!(host.workers[&first].line.iter().any(|sent| sent.items.len() > 10), "many to a chunk");
    let before: usize = host.workers[&first].line.iter().map(|sent| sent.items.len() - sent.done as usize).sum();
    let queue = host.make(first, Create::Queue(QueueOptions::default()));
    let get = Call::Queue(queue, QueueCall::Get { timeout: Some(1_000_000) });
    assert_eq!(host.call(first, get), None);
    let left: usize = host.workers[&first].line.iter().map(|sent| sent.items.len() - sent.done as usize).sum();
    assert_eq!((before > 100, left), (true, 1), "the one that waits");
    let mut done = 1;
    while let Some(front) = host.workers[&second].line.front() {
        let input = String::from_utf8(front.items[front.done as usize].clone()).unwrap();
        host.finish(second, &input);
        done += 1;
    }
    assert_eq!(done, 999, "all others ran elsewhere");
    host.wait(1);
    host.answer(first);
    let input =
        String::from_utf8(host.workers[&first].line[0].items[host.workers[&first].line[0].done as usize].clone()).unwrap();
    host.finish(first, &input);
    let Some(Ok(Reply::Pool(PoolReply::Outcomes(outcomes)))) = host.answer(root) else { panic!("no outcomes") };
    let expected: Vec<_> = (0..1000).map(|n| Ended::Ok(json(&n.to_string()))).collect();
    assert_eq!(outcomes, expected);
}

#[test]
fn outcomes_that_are_too_many_bytes_end_the_map() {
    let mut options = crate::host::options();
    options.quotas.reply_bytes = 10;
    let (mut host, root) = Host::with(options, 1);
    let pool = host.make(root, Create::Pool(settings(1)));
    assert_eq!(host.call(root, map(pool, "fib", numbers(3))), None);
    let worker = others(&host)[0];
    host.finish(worker, "123456789");
    host.finish(worker, "12");
    let answer = host.answer(root);
    assert!(matches!(&answer, Some(Err(CallError::Quota(why))) if why.starts_with("10 bytes")), "{answer:?}");
    assert!(host.worker(worker).stop.is_some(), "what runs is told to stop");
}

fn mapping(host: &mut Host, root: WorkerId, pool: HandleId, ordered: bool, window: u32) -> HandleId {
    match host.call(root, Call::Pool(pool, PoolCall::Imap { task: "fib", ordered, window })) {
        Some(Ok(Reply::Handle(handle))) => handle,
        other => panic!("{other:?}"),
    }
}

fn push(mapping: HandleId, values: Vec<TaskValue<'static>>) -> Call<'static> {
    Call::Mapping(mapping, MappingCall::Push { values: Batch(values), timeout: None })
}

fn next(mapping: HandleId, limit: u32) -> Call<'static> {
    Call::Mapping(mapping, MappingCall::Next { limit, timeout: None })
}

fn mapped(all: &[(u64, &str)]) -> Option<Result<Reply<'static>, CallError>> {
    let mapped = all.iter().map(|(index, text)| Mapped { index: *index, ended: Ended::Ok(json(text)) });
    Some(Ok(Reply::Pool(PoolReply::Mapped(mapped.collect()))))
}

#[test]
fn a_mapping_takes_what_its_window_has_room_for() {
    for ordered in [true, false] {
        let (mut host, root) = Host::program();
        let pool = host.make(root, Create::Pool(settings(2)));
        let it = mapping(&mut host, root, pool, ordered, 3);
        let pushed = |count| Some(Ok(Reply::Pool(PoolReply::Pushed(count))));
        assert_eq!(host.call(root, push(it, numbers(5))), pushed(3));
        assert!(matches!(host.call(root, push(it, numbers(1))), Some(Err(CallError::Deadlock(_)))), "nobody else can take");
        let [first, second] = others(&host)[..] else { panic!("two workers") };
        assert_eq!(host.call(root, next(it, 9)), None);
        host.finish(second, "b");
        if ordered {
            assert_eq!(host.answer(root), None);
            host.finish(first, "a");
            assert_eq!(host.answer(root), mapped(&[(0, "a"), (1, "b")]));
        } else {
            assert_eq!(host.answer(root), mapped(&[(1, "b")]));
            host.finish(first, "a");
            assert_eq!(host.call(root, next(it, 9)), mapped(&[(0, "a")]));
        }
        // One of another kind goes another way, and comes back in its place.
        assert_eq!(host.call(root, push(it, vec![TaskValue::None])), pushed(1));
        let busy: Vec<WorkerId> = others(&host).into_iter().filter(|id| !host.workers[id].line.is_empty()).collect();
        assert_eq!(busy.len(), 2);
        host.call(root, Call::Mapping(it, MappingCall::Finish));
        assert_eq!(host.call(root, push(it, numbers(1))), Some(Err(CallError::Closed)));
        busy.into_iter().for_each(|id| host.finish(id, "x"));
        let mut last = [host.call(root, next(it, 1)), host.call(root, next(it, 1))];
        if !ordered {
            last.sort_by_key(|answer| format!("{answer:?}"));
        }
        assert_eq!(last, [mapped(&[(2, "x")]), mapped(&[(3, "x")])]);
        assert_eq!(host.call(root, next(it, 1)), mapped(&[]), "the end");
    }
}

#[test]
fn a_value_that_does_not_fit_is_named_and_those_before_it_are_added() {
    let (mut host, root) = Host::program();
    let pool = host.make(root, Create::Pool(settings(1)));
    let it = mapping(&mut host, root, pool, true, 0);
    assert!(matches!(host.call(root, next(it, 1)), Some(Err(CallError::Deadlock(_)))), "nothing is under way");
    let wrong = host.call(root, push(it, vec![json("1"), json("bad"), json("3")]));
    assert!(matches!(&wrong, Some(Err(CallError::Invalid(why))) if why.starts_with("value 1:")), "{wrong:?}");
    let worker = others(&host)[0];
    host.finish(worker, "1");
    assert_eq!(host.call(root, next(it, 9)), mapped(&[(0, "1")]));
}

#[test]
fn drain_waits_for_all_and_takes_no_more() {
    let (mut host, root) = Host::program();
    let pool = host.make(root, Create::Pool(settings(1)));
    let future = submit(&mut host, root, pool, "quiet", vec![]);
    submit(&mut host, root, pool, "quiet", vec![]);
    assert_eq!(host.call(root, Call::Pool(pool, PoolCall::Drain { timeout: Some(0) })), Some(Err(CallError::TimedOut)));
    assert_eq!(host.call(root, Call::Pool(pool, PoolCall::Drain { timeout: None })), None);
    let worker = others(&host)[0];
    host.finish(worker, "null");
    assert_eq!(host.answer(root), None);
    host.finish(worker, "null");
    assert_eq!(host.answer(root), Some(Ok(Reply::Pool(PoolReply::Done))));
    let refused = host.call(root, Call::Pool(pool, PoolCall::Submit(invocation("quiet", vec![]))));
    assert_eq!(refused, Some(Err(CallError::Closed)));
    assert_eq!(host.call(root, result(future)), ended(Ended::Ok(TaskValue::None)));
    assert_eq!(host.workers.len(), 1, "its worker is let go");
}

#[test]
fn shutdown_cancels_what_waits_if_asked_and_kill_what_runs() {
    let (mut host, root) = Host::program();
    let pool = host.make(root, Create::Pool(settings(1)));
    let futures: Vec<_> = (0..3).map(|_| submit(&mut host, root, pool, "quiet", vec![])).collect();
    host.call(root, Call::Pool(pool, PoolCall::Shutdown { cancel_pending: true }));
    assert_eq!(host.call(root, result(futures[1])), ended(Ended::Cancelled));
    assert_eq!(host.call(root, result(futures[2])), ended(Ended::Cancelled));
    assert_eq!(host.busy().len(), 2, "one runs on");
    host.call(root, Call::Pool(pool, PoolCall::Kill));
    assert_eq!(host.call(root, result(futures[0])), ended(Ended::Cancelled));
    assert_eq!(host.workers.len(), 1);
}

#[test]
fn a_pool_ends_with_its_handle_and_with_its_task() {
    let (mut host, root) = Host::program();
    let (_, _, child) = host.spawn(root, "quiet", vec![]);
    for dies in [false, true] {
        let pool = host.make(child, Create::Pool(settings(1)));
        submit(&mut host, child, pool, "quiet", vec![]);
        assert_eq!(host.workers.len(), 3);
        if dies {
            host.die(child)
        } else {
            host.drop(child, pool)
        }
        assert_eq!(host.workers.len(), if dies { 1 } else { 3 });
        host.wait(100);
        assert_eq!(host.workers.len(), if dies { 1 } else { 2 }, "it did not stop in its grace");
    }
}

#[test]
fn a_task_of_a_pool_is_tried_again_as_often_as_was_said() {
    let (mut host, root) = Host::program();
    let pool = host.make(root, Create::Pool(PoolSettings { retries: 1, ..settings(1) }));
    let queue = host.make(root, Create::Queue(QueueOptions::default()));
    let future = submit(&mut host, root, pool, "with-queue", vec![Argument::Handle(queue)]);
    let first = others(&host)[0];
    let old = host.given(first)[0];
    host.die(first);
    host.wait(20);
    let second = others(&host)[0];
    assert_ne!(first, second);
    let new = host.given(second)[0];
    assert_eq!(old, new, "numbers are of a worker");
    let Some(Ok(Reply::Identity(me))) = host.call(second, Call::Identity) else { panic!("no identity") };
    assert_eq!(me.attempt, 2);
    host.die(second);
    let outcome = host.call(root, result(future));
    assert!(
        matches!(&outcome, Some(Ok(Reply::Pool(PoolReply::Ended(Ended::Lost(why))))) if why.contains("2 attempts")),
        "{outcome:?}"
    );
}

#[test]
fn a_task_with_an_end_of_a_pipe_is_tried_once() {
    let (mut host, root) = Host::program();
    let pool = host.make(root, Create::Pool(PoolSettings { retries: 3, ..settings(1) }));
    let ends = host.call(root, Call::Create(Create::Pipe(Default::default())));
    let Some(Ok(Reply::Ends(_, end))) = ends else { panic!("{ends:?}") };
    let future = submit(&mut host, root, pool, "with-connection", vec![Argument::Handle(end)]);
    let worker = others(&host)[0];
    // It does not even say what it ran.
    host.gone(worker, None);
    host.wait(1000);
    let outcome = host.call(root, result(future));
    assert!(matches!(&outcome, Some(Ok(Reply::Pool(PoolReply::Ended(Ended::Lost(_)))))), "{outcome:?}");
}

#[test]
fn workers_are_replaced_after_so_many_tasks() {
    let (mut host, root) = Host::program();
    let pool = host.make(root, Create::Pool(PoolSettings { max_tasks_per_worker: Some(2), ..settings(1) }));
    let mut ran: Vec<WorkerId> = Vec::new();
    for _ in 0..5 {
        submit(&mut host, root, pool, "quiet", vec![]);
    }
    while let Some(id) = others(&host).into_iter().find(|id| !host.workers[id].line.is_empty()) {
        ran.push(id);
        host.finish(id, "null");
    }
    assert_eq!(ran.len(), 5);
    assert_eq!((ran[0], ran[2]), (ran[1], ran[3]));
    assert!(ran[1] != ran[2] && ran[3] != ran[4]);
}

#[test]
fn tasks_of_another_module_run_in_workers_of_their_own() {
    let (mut host, root) = Host::program();
    let pool = host.make(root, Create::Pool(settings(1)));
    submit(&mut host, root, pool, "quiet", vec![]);
    submit(&mut host, root, pool, "other/quiet", vec![]);
    let modules: Vec<u16> = others(&host).into_iter().map(|id| host.broker.spec(id).unwrap().module.0).collect();
    assert_eq!(modules, [0, 1]);
    assert_eq!(host.broker.spec(others(&host)[0]).unwrap().isolation, Isolation::Fresh);
}

#[test]
fn who_submits_too_much_waits() {
    let mut options = crate::host::options();
    options.limits.waiting_tasks = 2;
    let (mut host, root) = Host::with(options, 1);
    let pool = host.make(root, Create::Pool(settings(1)));
    for _ in 0..3 {
        submit(&mut host, root, pool, "quiet", vec![]);
    }
    assert_eq!(host.call(root, Call::Pool(pool, PoolCall::Submit(invocation("quiet", vec![])))), None);
    let worker = others(&host)[0];
    host.finish(worker, "null");
    assert!(matches!(host.answer(root), Some(Ok(Reply::Started(..)))));
}

#[test]
fn bounds_of_pools_are_told() {
    let mut options = crate::host::options();
    options.limits.pools = 1;
    options.limits.processes = 10;
    let (mut host, root) = Host::with(options, 1);
    let refused = |host: &mut Host, settings| match host.call(root, Call::Create(Create::Pool(settings))) {
        Some(Err(error)) => error.to_string(),
        other => panic!("{other:?}"),
    };
    assert!(refused(&mut host, settings(0)).starts_with("invalid"));
    assert!(refused(&mut host, PoolSettings { max_tasks_per_worker: Some(0), ..settings(1) }).starts_with("invalid"));
    assert!(refused(&mut host, settings(10)).starts_with("quota: 10 worker processes"));
    let pool = host.make(root, Create::Pool(settings(9)));
    assert!(refused(&mut host, settings(1)).starts_with("quota: 1 pools"));
    host.drop(root, pool);
    host.make(root, Create::Pool(settings(9)));
    let wait = Call::Process(HandleId(999), ProcessCall::Kill);
    assert_eq!(host.call(root, wait), Some(Err(CallError::Closed)));
}

#[test]
fn a_task_that_is_told_to_stop_takes_its_map_with_it() {
    let (mut host, root) = Host::program();
    let (process, _, child) = host.spawn(root, "quiet", vec![]);
    let pool = host.make(child, Create::Pool(settings(1)));
    assert_eq!(host.call(child, map(pool, "fib", numbers(100))), None);
    host.call(root, Call::Process(process, ProcessCall::Terminate { grace: u64::MAX }));
    assert_eq!(host.answer(child), Some(Err(CallError::Cancelled)));
    let worker = *host.workers.keys().next_back().unwrap();
    assert!(host.worker(worker).stop.is_some());
    host.end(worker, Ended::Cancelled);
    assert!(host.worker(worker).line.is_empty(), "nothing more of it is started");
}

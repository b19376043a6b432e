//! A double calls the broker as no guest could: it is refused, or dies of it alone.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use taskcell::{Pool, TaskState};
use taskcell_wire::CallKind;

use crate::Case;
use crate::broker_calls::{
    ASKS, DEEP, GUESS, HOLD, LATE_CALL, LATE_TELLS, MAKE, ONE_LOG, ONE_MAP, ONE_PROCESS, order_of, order_to_try,
};
use crate::double::{ANSWER, ASK};
use crate::liars::costs_its_own_task;
use crate::stage::{PATIENCE, assert_lost, assert_right, builder, honest, importing, map, order, probe, ready};

pub(crate) fn cases() -> Vec<Case> {
    let asks = ASKS.iter().zip(ASK..).map(|((name, end, _), number)| -> Case {
        (format!("a caller asks: {name}"), Box::new(move || costs_its_own_task(*end, number)))
    });
    let rest: Vec<Case> = vec![
        ("handles_of_another_worker_are_out_of_reach".into(), Box::new(handles_of_another_worker)),
        ("handles_of_a_former_task_are_out_of_reach".into(), Box::new(handles_of_a_former_task)),
        ("tasks_start_tasks_to_a_depth_and_no_deeper".into(), Box::new(depth_has_an_end)),
        ("calls_that_the_component_does_not_import_are_the_worker's_end".into(), Box::new(calls_without_an_import)),
        ("a_call_without_a_task_is_the_worker's_end".into(), Box::new(a_call_without_a_task)),
        ("tells_without_a_task_are_not_heard".into(), Box::new(tells_without_a_task)),
    ];
    asks.chain(rest).collect()
}

/// Waits for what must come.
fn until(what: &str, is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "waited for {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn handles_of_another_worker() {
    let pool = builder().workers(NonZeroU32::new(3).unwrap()).build().unwrap();
    pool.wait_ready(3, PATIENCE).unwrap();
    let mut holder = pool.submit::<u64>("fib", &order_of(HOLD)).unwrap();
    until("the holder's wait", || pool.tasks().iter().any(|task| matches!(task.state, TaskState::Waiting(_))));
    assert_eq!(order(&pool, order_of(GUESS)), Ok(ANSWER));
    probe(&pool);
    assert_eq!(holder.wait(Some(Duration::ZERO)), None, "the holder's wait has ended");
    holder.cancel();
    // It finds all as it left it; else its answer is another.
    assert_eq!(holder.wait(Some(PATIENCE)), Some(Ok(ANSWER)));
    probe(&pool);
}

/// One worker, so that the next task has the former one's connection and process.
fn handles_of_a_former_task() {
    let pool = builder().workers(NonZeroU32::MIN).build().unwrap();
    pool.wait_ready(1, PATIENCE).unwrap();
    let handle = order(&pool, order_of(MAKE)).unwrap();
    let worker = pool.worker_pids();
    for number in 0..handle + 5 {
        // What each of these tasks makes itself has a higher number.
        assert_eq!(order(&pool, order_to_try(number)), Ok(ANSWER), "the handle {number} of a former task means something");
    }
    assert_eq!(pool.worker_pids(), worker);
}

fn depth_has_an_end() {
    let pool = honest();
    assert_eq!(order(&pool, order_of(DEEP)), Ok(16));
    probe(&pool);
}

/// Whatever the component imports beside it.
fn calls_without_an_import() {
    for (imports, orders) in [
        (&[][..], [ONE_PROCESS, ONE_MAP, ONE_LOG]),
        (&[CallKind::Process, CallKind::Pool], [ONE_MAP, ONE_LOG, ONE_LOG]),
        (&[CallKind::SharedMap, CallKind::Task], [ONE_PROCESS, ONE_PROCESS, ONE_PROCESS]),
    ] {
        let pool = importing(imports);
        let before = children();
        for name in orders {
            assert_lost(&order(&pool, order_of(name)), "it made a call that its component does not import");
            probe(&pool);
            pool.wait_ready(2, PATIENCE).unwrap();
            assert_eq!(children(), before, "{name}: a process was started, or is left");
            assert_eq!(pool.tasks().len(), 0, "{name}: a task was started");
        }
    }
    // With the import the same order is a call like any other.
    assert_eq!(order(&importing(&[CallKind::SharedMap]), order_of(ONE_MAP)), Ok(ANSWER));
}

/// Child processes of this one, of all its threads.
fn children() -> usize {
    let threads = std::fs::read_dir("/proc/self/task").unwrap();
    let of = |thread: std::io::Result<std::fs::DirEntry>| std::fs::read_to_string(thread.unwrap().path().join("children"));
    threads.filter_map(|thread| of(thread).ok()).map(|pids| pids.split_ascii_whitespace().count()).sum()
}

fn a_call_without_a_task() {
    let pool = honest();
    let before = pool.worker_pids();
    assert_eq!(order(&pool, order_of(LATE_CALL)), Ok(ANSWER));
    let survivors = || before.iter().filter(|pid| pool.worker_pids().contains(pid)).count();
    until("the caller's end", || survivors() == 1);
    probe(&pool);
    pool.wait_ready(2, PATIENCE).unwrap();
    assert_eq!(survivors(), 1, "the caller dies, and nobody else");
}

fn tells_without_a_task() {
    let pool = ready(builder());
    let before = pool.worker_pids();
    for _ in 0..4 {
        assert_eq!(order(&pool, order_of(LATE_TELLS)), Ok(ANSWER));
    }
    let inputs: Vec<u32> = (0..1000).map(|n| n % 90).collect();
    assert_right(&inputs, &map(&pool, inputs.clone()), &[]);
    assert_eq!(pool.worker_pids(), before, "a worker died of what nobody heard");
    still_answers(&pool);
}

fn still_answers(pool: &Pool) {
    (0..4).for_each(|_| probe(pool));
}

//! Who may say what, and who gets what.

use taskcell_broker::{JobOptions, KillReason, Now, Pool, PoolEffect, PoolOptions, Violation};
use taskcell_wire::{TaskIndex, WorkerId};

use super::bench::*;

#[test]
fn a_late_result_of_an_old_worker_or_attempt_is_refused() {
    let mut bench = Bench::new(1, budget(1, 0), None);
    bench.submit(JOB, 0, 1);
    let (old, first) = bench.sent().remove(0);
    bench.die(old, Some((first, 0)));
    bench.replace();
    bench.skip();
    let (new, second) = bench.sent().remove(0);
    assert_ne!(first, second, "another attempt has another number");
    assert_eq!(bench.pool.finished(bench.now, old, first, 0, 1, 1), Err(Violation::OutOfTurn));
    assert_eq!(bench.pool.finished(bench.now, new, first, 0, 1, 1), Err(Violation::ForeignChunk));
    assert_eq!(bench.pool.finished(bench.now, new, second, 0, 1, 1), Ok((JOB, 0)));
    assert_eq!(bench.pool.finished(bench.now, new, second, 0, 1, 1), Err(Violation::ForeignChunk), "once");
}

#[test]
fn a_worker_speaks_of_what_it_was_given_in_its_order() {
    let mut bench = Bench::quick(budget(0, 0));
    bench.submit(JOB, 0, 4);
    bench.submit(JOB, 4, 4);
    let sent = bench.sent();
    let (worker, front, behind) = (sent[0].0, sent[0].1, sent[1].1);
    let mut told = |chunk, from, count| bench.pool.finished(bench.now, worker, chunk, from, count, 1).map(|(_, at)| at);
    assert_eq!(told(behind, 0, 1), Err(Violation::ForeignChunk));
    assert_eq!(told(front, 1, 1), Err(Violation::OutOfOrder));
    assert_eq!(told(front, 0, 5), Err(Violation::OutOfOrder));
    assert_eq!(told(front, 0, 0), Err(Violation::OutOfOrder));
    assert_eq!(told(front, 0, 3), Ok(0));
    assert_eq!(told(front, 3, u32::MAX), Err(Violation::OutOfOrder));
    assert_eq!(told(front, 3, 1), Ok(3));
    assert_eq!(told(behind, 0, 4), Ok(4));
    assert_eq!(bench.pool.worker_ready(bench.now, worker), Err(Violation::OutOfTurn), "it is ready once");
}

#[test]
fn a_worker_that_is_to_be_killed_gets_nothing_more() {
    let mut pool = Pool::new(PoolOptions { grace: GRACE, ..PoolOptions::new(1) });
    pool.start(Now(0));
    pool.open_job(JOB, JobOptions::new(TaskIndex(0)));
    pool.violated(WorkerId(0), Violation::Malformed);
    pool.violated(WorkerId(0), Violation::Malformed);
    pool.violated(WorkerId(5), Violation::Malformed);
    let mut effects = Vec::new();
    pool.take_effects(&mut effects);
    let kill = PoolEffect::Kill(WorkerId(0), KillReason::Violation(Violation::Malformed));
    assert_eq!(effects, [PoolEffect::Spawn(WorkerId(0)), kill], "once, and only one that lives");
    assert_eq!(pool.worker_ready(Now(0), WorkerId(0)), Err(Violation::OutOfTurn));
}

#[test]
fn tasks_that_ended_make_room_for_others() {
    let mut bench = Bench::quick(budget(0, 0));
    let mut line = Vec::new();
    for round in 0..1000 {
        bench.submit(JOB, 250 * round, 250);
        line.extend(bench.sent());
        if line.len() > 2 {
            let (worker, chunk) = line.remove(0);
            bench.finish(worker, chunk, 0, 250);
        }
    }
    assert_eq!(line.len(), 2, "250000 short tasks passed, and all but the last two chunks were taken at once");
}

#[test]
fn an_empty_chunk_is_nothing() {
    let mut bench = Bench::new(1, budget(0, 0), None);
    bench.submit(JOB, 0, 0);
    bench.submit(JOB, 0, 1);
    let (worker, chunk) = bench.sent().remove(0);
    assert_eq!(bench.places(worker, chunk), [0]);
}

#[test]
fn a_worker_that_is_not_ready_in_time_is_killed_and_replaced() {
    let mut bench = Bench::starting(1, budget(0, 0));
    let worker = bench.starting.remove(0);
    bench.tick(29_999);
    assert_eq!(bench.look(), []);
    bench.tick(1);
    assert_eq!(bench.look(), [PoolEffect::Kill(worker, KillReason::NotReady)]);
    bench.tick(60_000);
    assert_eq!(bench.look(), [], "once is enough");
    assert_eq!(bench.pool.worker_ready(bench.now, worker), Err(Violation::OutOfTurn));
    bench.die(worker, None);
    bench.replace();
    bench.submit(JOB, 0, 1);
    assert_eq!(bench.sent().len(), 1);
}

//! Cancelling, draining, retiring.

use taskcell_broker::{Attempt, Cause, Duration, JobOptions, KillReason, PoolEffect, RetryBudget, Verdict};
use taskcell_wire::{JobId, TaskIndex, WorkerId};

use super::bench::*;

#[test]
fn a_cancelled_job_never_runs() {
    let mut bench = Bench::new(1, budget(1, 0), None);
    bench.submit(JOB, 0, 1);
    let (worker, chunk) = bench.sent().remove(0);
    bench.submit(JOB, 1, 3);
    // 0 waits for its second attempt, 1 to 3 for a worker.
    bench.die(worker, Some((chunk, 0)));
    bench.look();
    bench.pool.cancel_job(bench.now, JOB);
    bench.submit(JOB, 4, 2);
    assert_eq!(cancelled(&bench.look()), [(1, 3), (0, 1), (4, 2)]);
    bench.tick(10_000);
    bench.ready_all();
    assert!(!bench.look().iter().any(|effect| matches!(effect, PoolEffect::Send(..))));
}

#[test]
fn a_cancelled_task_is_told_to_stop_and_loses_its_worker_after_the_grace() {
    let mut bench = Bench::new(1, budget(5, 5), None);
    bench.submit(JOB, 0, 3);
    let (worker, chunk) = bench.sent().remove(0);
    bench.submit(OTHER, 0, 1);
    bench.pool.cancel_job(bench.now, JOB);
    assert_eq!(bench.look(), [PoolEffect::Stop(worker, chunk)]);
    bench.tick(99);
    assert_eq!(bench.look(), []);
    bench.tick(1);
    assert_eq!(bench.look(), [PoolEffect::Kill(worker, KillReason::Cancelled)]);
    bench.die(worker, Some((chunk, 1)));
    let effects = bench.look();
    assert_eq!((cancelled(&effects), lost(&effects)), (vec![(0, 3)], vec![]), "neither retried nor lost");
    bench.replace();
    let (worker, chunk) = bench.sent().remove(0);
    assert_eq!(bench.pool.flight(worker, chunk).unwrap().0.job, OTHER);
}

#[test]
fn a_worker_is_told_to_stop_one_chunk_at_a_time() {
    let mut bench = Bench::quick(budget(0, 0));
    (0..3).for_each(|chunk| bench.submit(JOB, 4 * chunk, 4));
    bench.submit(OTHER, 1, 1);
    let sent = bench.sent();
    let worker = sent[0].0;
    bench.pool.cancel_job(bench.now, JOB);
    assert_eq!(bench.look(), [PoolEffect::Stop(worker, sent[0].1)], "a later word would hide the one for what runs");
    bench.finish(worker, sent[0].1, 0, 4);
    assert_eq!(bench.look(), [PoolEffect::Stop(worker, sent[1].1)]);
    bench.finish(worker, sent[1].1, 0, 4);
    assert_eq!(bench.look(), [PoolEffect::Stop(worker, sent[2].1)]);
    bench.finish(worker, sent[2].1, 0, 4);
    assert_eq!(bench.look(), []);
}

#[test]
fn cancelling_stuck_tasks_over_and_over_does_not_stop_the_pool() {
    let mut bench = Bench::new(1, budget(0, 0), None);
    for job in (10..40).map(JobId) {
        bench.pool.open_job(job, JobOptions::new(TaskIndex(0)));
        bench.submit(job, 0, 1);
        let (worker, _) = bench.sent().remove(0);
        bench.pool.cancel_job(bench.now, job);
        bench.tick(100);
        bench.die(worker, None);
        bench.look();
        bench.pool.close_job(bench.now, job);
        bench.replace();
    }
    assert!(!bench.pool.has_failed());
}

#[test]
fn drain_lets_running_tasks_end() {
    let mut bench = Bench::new(1, budget(0, 0), None);
    bench.submit(JOB, 0, 2);
    let (worker, chunk) = bench.sent().remove(0);
    bench.submit(JOB, 2, 5);
    bench.pool.drain_job(JOB);
    assert_eq!(cancelled(&bench.look()), [(2, 5)]);
    bench.finish(worker, chunk, 0, 2);
    bench.submit(JOB, 7, 1);
    assert_eq!(cancelled(&bench.look()), [(7, 1)], "nothing of it starts any more");
}

#[test]
fn drain_starts_nothing_again() {
    let all = RetryBudget { deaths: 9, timeouts: 9, traps: 9, errors: 9 };
    let mut bench = Bench::new(1, all, None);
    bench.submit(JOB, 0, 4);
    let (worker, chunk) = bench.sent().remove(0);
    bench.pool.drain_job(JOB);
    let attempt = Attempt { pid: 7, cause: Cause::Trap, ran: Duration(1) };
    assert_eq!(bench.pool.attempt_failed(bench.now, worker, chunk, 0, attempt), Ok((JOB, 0, Verdict::Final)));
    bench.die(worker, Some((chunk, 1)));
    let effects = bench.look();
    assert_eq!((lost(&effects), cancelled(&effects)), (vec![(JOB, 1)], vec![(2, 2)]));
}

#[test]
fn a_pool_that_retires_finishes_first() {
    let mut bench = Bench::new(2, budget(1, 0), None);
    bench.submit(JOB, 0, 1);
    let (worker, chunk) = bench.sent().remove(0);
    bench.pool.retire();
    let idle = WorkerId(1 - worker.0);
    assert_eq!(bench.look(), [PoolEffect::Retire(idle)]);
    bench.submit(JOB, 1, 1);
    assert_eq!(cancelled(&bench.look()), [(1, 1)]);
    bench.die(idle, None);
    assert_eq!(bench.look(), [], "it is not replaced, and that is no failure");
    // The one with work dies; its task has another attempt, and a worker is started for it.
    bench.die(worker, Some((chunk, 0)));
    bench.replace();
    bench.skip();
    let (worker, chunk) = bench.sent().remove(0);
    bench.finish(worker, chunk, 0, 1);
    assert_eq!(bench.look(), [PoolEffect::Retire(worker)]);
    assert_eq!(bench.pool.next_tick(), None);
}

//! How many workers there are, and what becomes of tasks that stand behind one that waits.

use taskcell_broker::{KillReason, Now, PoolEffect, PoolOptions};

use taskcell_wire::Turn;

use crate::bench::{Bench, JOB, OTHER, budget, cancelled};

#[test]
fn workers_on_demand_are_as_many_as_there_is_work_for() {
    let mut bench = Bench::with(PoolOptions { on_demand: true, ..PoolOptions::new(3) });
    bench.tick(1);
    assert_eq!((bench.look(), bench.starting.len()), (vec![], 0));
    bench.submit(JOB, 0, 1);
    bench.submit(JOB, 1, 1);
    bench.look();
    assert_eq!(bench.starting.len(), 2);
    bench.ready_all();
    let sent = bench.sent();
    bench.finish(sent[0].0, sent[0].1, 0, 1);
    bench.submit(JOB, 2, 1);
    assert_eq!(bench.sent()[0].0, sent[0].0, "one that is idle is used first");
    assert_eq!(bench.starting.len(), 0);
}

#[test]
fn a_dead_worker_on_demand_is_replaced_when_it_is_missed() {
    let mut bench = Bench::with(PoolOptions { on_demand: true, ..PoolOptions::new(1) });
    bench.submit(JOB, 0, 1);
    bench.look();
    bench.ready_all();
    let (worker, chunk) = bench.sent()[0];
    bench.finish(worker, chunk, 0, 1);
    bench.die(worker, None);
    bench.tick(10_000);
    bench.look();
    assert_eq!((bench.starting.len(), bench.pool.next_tick()), (0, None));
    bench.submit(JOB, 1, 1);
    bench.look();
    assert_eq!(bench.starting.len(), 1);
}

#[test]
fn one_more_worker_is_lent_and_let_go() {
    let mut bench = Bench::new(1, budget(0, 0), None);
    bench.submit(JOB, 0, 1);
    bench.submit(JOB, 1, 1);
    let (first, _) = bench.sent()[0];
    bench.pool.set_extra(Now(0), 1);
    bench.look();
    assert_eq!((bench.starting.len(), bench.pool.surplus()), (1, 1));
    bench.ready_all();
    let (second, chunk) = bench.sent()[0];
    bench.pool.set_extra(Now(0), 0);
    assert_eq!(bench.look(), [], "it has a task");
    bench.finish(second, chunk, 0, 1);
    assert_eq!(bench.look(), [PoolEffect::Retire(second)]);
    bench.die(second, None);
    bench.tick(10_000);
    bench.look();
    assert_eq!((bench.starting.len(), bench.pool.surplus()), (0, 0), "and is not replaced");
    assert_ne!(first, second);
}

#[test]
fn what_stands_behind_a_task_that_waits_is_taken_back() {
    let mut bench = Bench::quick(budget(0, 0));
    bench.submit(JOB, 0, 5);
    bench.submit(OTHER, 10, 5);
    let sent = bench.sent();
    let (worker, chunk) = sent[0];
    bench.finish(worker, chunk, 0, 2);
    bench.pool.waits(worker);
    let ((turn, _), (_, until)) = (bench.turns(worker, chunk), bench.turns(sent[1].0, sent[1].1));
    assert_eq!(bench.look(), [PoolEffect::TakeBack(worker, until)]);
    bench.pool.taken_back(bench.now, worker, until, Turn(turn + 3));
    assert_eq!(bench.look(), [], "nothing is given to one that waits");
    assert_eq!((bench.places(worker, chunk), bench.pool.waiting()), (vec![0, 1, 2], 2));
    bench.pool.goes_on(bench.now, worker);
    assert_eq!(bench.look(), [], "what waited once is expected to take long");
    bench.finish(worker, chunk, 2, 1);
    let sent = bench.sent();
    assert_eq!(bench.places(sent[0].0, sent[0].1), [3], "in their order");
}

#[test]
fn what_is_taken_back_of_a_job_that_is_over_is_cancelled() {
    let mut bench = Bench::quick(budget(0, 0));
    bench.submit(JOB, 0, 3);
    let (worker, chunk) = bench.sent()[0];
    bench.pool.drain_job(JOB);
    bench.pool.waits(worker);
    let (turn, until) = bench.turns(worker, chunk);
    assert_eq!(bench.look(), [PoolEffect::TakeBack(worker, until)]);
    bench.pool.taken_back(bench.now, worker, until, Turn(turn + 1));
    assert_eq!(cancelled(&bench.look()), [(1, 2)]);
}

#[test]
fn a_worker_that_ran_enough_is_replaced() {
    let mut bench = Bench::with(PoolOptions { max_tasks_per_worker: Some(3), ..PoolOptions::new(1) });
    bench.ready_all();
    for (first, count) in [(0, 2), (2, 2)] {
        bench.submit(JOB, first, count);
    }
    let (worker, chunk) = bench.sent()[0];
    bench.finish(worker, chunk, 0, 2);
    assert_eq!(bench.look(), [PoolEffect::Retire(worker)], "two more would be too many");
    bench.die(worker, None);
    bench.ready_all();
    let (next, chunk) = bench.sent()[0];
    assert_eq!((bench.places(next, chunk), next != worker), (vec![2, 3], true));
}

#[test]
fn killing_all_leaves_nothing() {
    let mut bench = Bench::new(2, budget(3, 3), None);
    (0..3).for_each(|first| bench.submit(JOB, first, 1));
    let sent = bench.sent();
    bench.pool.retire();
    bench.pool.kill_all(bench.now);
    let effects = bench.look();
    assert_eq!(cancelled(&effects), [(2, 1)]);
    for (worker, _) in sent {
        assert!(effects.contains(&PoolEffect::Kill(worker, KillReason::Killed)));
        bench.die(worker, None);
    }
    assert_eq!(cancelled(&bench.look()).len(), 2);
    assert!(bench.pool.is_over());
}

//! Tasks that wait too long for their first attempt.

use taskcell_broker::{Duration, JobOptions, PoolEffect};
use taskcell_wire::{JobId, TaskIndex};

use super::bench::*;

/// A job whose tasks may wait for 50 ms.
const HURRIED: JobId = JobId(3);

fn bench(workers: u32, deaths: u32) -> Bench {
    let mut bench = Bench::new(workers, budget(deaths, 0), None);
    let queue_timeout = Some(Duration::from_millis(50));
    bench.pool.open_job(HURRIED, JobOptions { queue_timeout, ..JobOptions::new(TaskIndex(0)) });
    bench
}

fn expired(first: u64, count: u32) -> PoolEffect {
    PoolEffect::Expired { job: HURRIED, first, count }
}

#[test]
fn what_waits_too_long_never_runs_and_what_runs_goes_on() {
    let mut bench = bench(1, 0);
    bench.submit(HURRIED, 0, 3);
    let sent = bench.sent();
    assert_eq!(bench.places(sent[0].0, sent[0].1), [0], "one at a time, or the others would wait in its chunk");
    bench.submit(OTHER, 0, 1);
    bench.tick(40);
    bench.submit(HURRIED, 3, 1);
    assert_eq!(bench.look(), []);
    bench.tick(10);
    assert_eq!(bench.look(), [expired(1, 1), expired(2, 1)]);
    bench.tick(40);
    assert_eq!(bench.look(), [expired(3, 1)]);
    bench.tick(1_000);
    assert_eq!(bench.look(), [], "the first one runs, and the other job may wait for ever");
    bench.finish(sent[0].0, sent[0].1, 0, 1);
    let next = bench.sent();
    assert_eq!(bench.pool.flight(next[0].0, next[0].1).unwrap().0.job, OTHER);
}

#[test]
fn a_second_attempt_may_wait() {
    let mut bench = bench(1, 1);
    bench.submit(HURRIED, 0, 1);
    let (worker, chunk) = bench.sent().remove(0);
    bench.tick(200);
    bench.die(worker, Some((chunk, 0)));
    bench.tick(500);
    assert_eq!(bench.look(), []);
    bench.ready_all();
    assert_eq!(bench.sent().len(), 1, "it has begun once, so it is not out of date");
}

#[test]
fn a_task_whose_worker_died_before_it_began_is_as_old_as_before() {
    let mut bench = bench(1, 1);
    bench.submit(HURRIED, 0, 1);
    let (worker, _) = bench.sent().remove(0);
    bench.tick(60);
    bench.die(worker, None);
    assert_eq!(bench.look(), [expired(0, 1)]);
}

#[test]
fn it_is_noticed_at_the_next_event_even_without_a_tick() {
    let mut bench = bench(1, 0);
    bench.submit(HURRIED, 0, 2);
    let (worker, chunk) = bench.sent().remove(0);
    bench.now = bench.now.plus(Duration::from_millis(51 + 10));
    bench.finish(worker, chunk, 0, 1);
    assert_eq!(bench.look(), [expired(1, 1)], "a late clock must not let it begin");
}

#[test]
fn what_ended_otherwise_does_not_expire() {
    let mut bench = bench(1, 0);
    bench.submit(OTHER, 0, 1);
    bench.sent();
    bench.submit(HURRIED, 0, 2);
    bench.pool.cancel_job(bench.now, HURRIED);
    assert_eq!(cancelled(&bench.look()), [(0, 1), (1, 1)]);
    bench.tick(1_000);
    assert_eq!((bench.look(), bench.pool.next_tick()), (Vec::new(), None));
}

#[test]
fn a_long_chunk_waits_as_single_tasks() {
    let mut bench = bench(2, 0);
    bench.submit(HURRIED, 0, 1000);
    let sent = bench.sent();
    let places: Vec<_> = sent.iter().map(|(worker, chunk)| bench.places(*worker, *chunk)).collect();
    assert_eq!((places, bench.pool.waiting()), (vec![vec![0], vec![1]], 998));
    bench.tick(50);
    assert_eq!(bench.look(), (2..1000).map(|first| expired(first, 1)).collect::<Vec<_>>());
}

#[test]
fn waiting_for_a_worker_to_start_counts() {
    let mut bench = Bench::starting(1, budget(0, 0));
    bench.pool.open_job(HURRIED, JobOptions { queue_timeout: Some(Duration::from_millis(50)), ..JobOptions::new(TaskIndex(0)) });
    bench.submit(HURRIED, 0, 1);
    bench.tick(49);
    assert_eq!(bench.look(), []);
    bench.tick(1);
    assert_eq!(bench.look(), [expired(0, 1)]);
    bench.ready_all();
    assert_eq!(bench.look(), []);
}

#[test]
fn a_pool_that_retires_lets_go_when_the_last_expired() {
    let mut bench = bench(1, 0);
    bench.submit(OTHER, 0, 1);
    let (worker, chunk) = bench.sent().remove(0);
    bench.submit(HURRIED, 0, 1);
    bench.pool.retire();
    bench.tick(50);
    assert_eq!(bench.look(), [expired(0, 1)]);
    bench.finish(worker, chunk, 0, 1);
    assert_eq!(bench.look(), [PoolEffect::Retire(worker)]);
}

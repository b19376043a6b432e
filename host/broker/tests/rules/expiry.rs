//! Tasks that wait too long for their first attempt.

use taskcell_broker::{Duration, JobOptions, PoolEffect, Violation};
use taskcell_wire::{JobId, TaskIndex, Turn};

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
    assert_eq!(bench.places(sent[0].0, sent[0].1), [0], "one at a time while nobody knows how long they take");
    bench.submit(OTHER, 0, 1);
    bench.tick(40);
    bench.submit(HURRIED, 3, 1);
    assert_eq!(bench.look(), []);
    bench.tick(10);
    assert_eq!(bench.look(), [expired(1, 2)]);
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
    assert_eq!(cancelled(&bench.look()), [(0, 2)]);
    bench.tick(1_000);
    assert_eq!((bench.look(), bench.pool.next_tick()), (Vec::new(), None));
}

#[test]
fn tasks_of_which_nothing_is_known_go_one_by_one() {
    let mut bench = bench(2, 0);
    bench.submit(HURRIED, 0, 1000);
    let sent = bench.sent();
    let places: Vec<_> = sent.iter().map(|(worker, chunk)| bench.places(*worker, *chunk)).collect();
    assert_eq!((places, bench.pool.waiting()), (vec![vec![0], vec![1]], 1));
    bench.tick(50);
    assert_eq!(bench.look(), [expired(2, 998)]);
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

/// A bench that knows how long a task takes: 1 us.
fn quick(workers: u32) -> Bench {
    let mut bench = bench(workers, 0);
    bench.submit(OTHER, 0, 1);
    let (worker, chunk) = bench.sent().remove(0);
    bench.pool.finished(bench.now, worker, chunk, 0, 1, 1_000).expect("it was sent");
    bench.look();
    bench
}

#[test]
fn short_tasks_travel_together_and_none_waits_behind_another_chunk() {
    let mut bench = quick(2);
    bench.submit(HURRIED, 0, 1000);
    let sent = bench.sent();
    let sizes: Vec<_> = sent.iter().map(|(worker, chunk)| bench.places(*worker, *chunk).len()).collect();
    assert_eq!((sizes, bench.pool.waiting()), (vec![250, 250], 1), "a quarter of a millisecond of work each");
    bench.tick(1);
    bench.finish(sent[0].0, sent[0].1, 0, 250);
    assert_eq!(bench.sent().len(), 1);
    bench.tick(0);
    assert_eq!(bench.look(), [], "it takes what it takes");
}

#[test]
fn what_a_worker_has_not_begun_soon_goes_to_another() {
    let mut bench = quick(2);
    bench.submit(HURRIED, 0, 100);
    let (worker, chunk) = bench.sent().remove(0);
    assert_eq!(bench.pool.next_tick(), Some(bench.now.plus(Duration::from_millis(2))));
    bench.tick(2);
    let (turn, until) = bench.turns(worker, chunk);
    assert_eq!(bench.look(), [PoolEffect::TakeBack(worker, until)]);
    bench.pool.taken_back(bench.now, worker, until, Turn(turn + 3));
    let mut ran = Vec::new();
    while let [(other, rest)] = bench.sent()[..] {
        assert_ne!(other, worker);
        let places = bench.places(other, rest);
        bench.finish(other, rest, 0, u32::try_from(places.len()).unwrap());
        ran.extend(places);
    }
    assert_eq!(ran, (3..100).collect::<Vec<_>>());
    bench.finish(worker, chunk, 0, 3);
    assert_eq!(bench.pool.running(worker), None, "it has no more of it");
}

#[test]
fn what_is_taken_back_expires_in_time_though_its_worker_is_busy() {
    let mut bench = quick(1);
    bench.submit(HURRIED, 0, 100);
    let (worker, chunk) = bench.sent().remove(0);
    bench.tick(2);
    let (turn, until) = bench.turns(worker, chunk);
    assert_eq!(bench.look(), [PoolEffect::TakeBack(worker, until)]);
    bench.pool.taken_back(bench.now, worker, until, Turn(turn + 1));
    bench.tick(47);
    assert_eq!(bench.look(), []);
    bench.tick(1);
    assert_eq!(bench.look(), [expired(1, 99)]);
    bench.tick(1_000);
    bench.finish(worker, chunk, 0, 1);
    assert_eq!(bench.look(), [], "the first one ran to its end");
}

#[test]
fn what_has_to_begin_sooner_than_it_would_be_taken_back_goes_alone() {
    let mut bench = quick(1);
    bench.submit(OTHER, 1, 1);
    let (worker, chunk) = bench.sent().remove(0);
    bench.submit(HURRIED, 0, 100);
    bench.tick(49);
    bench.finish(worker, chunk, 0, 1);
    let (worker, chunk) = bench.sent().remove(0);
    assert_eq!(bench.places(worker, chunk), [0]);
}

#[test]
fn a_worker_that_lies_about_what_it_began_changes_nothing_for_others() {
    let mut bench = quick(2);
    bench.submit(HURRIED, 0, 10);
    let (worker, chunk) = bench.sent().remove(0);
    bench.finish(worker, chunk, 0, 4);
    bench.tick(2);
    bench.look();
    let (_, until) = bench.turns(worker, chunk);
    bench.pool.taken_back(bench.now, worker, until, Turn(0));
    let (other, rest) = bench.sent().remove(0);
    assert_eq!(bench.places(other, rest), [4, 5, 6, 7, 8, 9], "four have ended");
    assert_eq!(
        bench.pool.finished(bench.now, worker, chunk, 4, 1, 1),
        Err(Violation::ForeignChunk),
        "and it can't have the others"
    );
    let (_, until) = bench.turns(other, rest);
    bench.pool.taken_back(bench.now, other, until, Turn(u64::MAX));
    assert_eq!(bench.places(other, rest).len(), 6, "all of it, and no more");
}

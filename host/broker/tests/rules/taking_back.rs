//! Quick tasks that turn out to stand behind a slow one.

use std::collections::VecDeque;

use taskcell_broker::{Chunk, JobOptions, PoolEffect, PoolOptions};
use taskcell_wire::{ChunkId, ItemWriter, JobId, TaskIndex, Turn, WorkerId};

use super::bench::*;

/// Two workers that are known to take a microsecond a task; the first one has a hundred, the second none.
fn one_has_all(options: PoolOptions) -> (Bench, WorkerId, ChunkId) {
    let mut bench = Bench::with(options);
    bench.ready_all();
    bench.submit(OTHER, 0, 1);
    bench.ready_all();
    let (worker, chunk) = bench.sent().remove(0);
    bench.pool.finished(bench.now, worker, chunk, 0, 1, 1000).unwrap();
    bench.submit(JOB, 0, 100);
    let (worker, chunk) = bench.sent().remove(0);
    (bench, worker, chunk)
}

/// After two milliseconds it is asked for what it has not begun, and for nothing else: the chunk's first turn, and the one after its last.
fn asked(bench: &mut Bench, worker: WorkerId, chunk: ChunkId) -> (u64, Turn) {
    bench.tick(1);
    assert_eq!(bench.look(), [], "it may be done with all of it in a moment");
    bench.tick(1);
    let (turn, until) = bench.turns(worker, chunk);
    assert_eq!(bench.look(), [PoolEffect::TakeBack(worker, until)]);
    (turn, until)
}

/// Ends what is sent until nothing more is; the places of the tasks, and who ran them.
fn run_out(bench: &mut Bench) -> (Vec<u64>, Vec<WorkerId>) {
    let (mut places, mut workers) = (Vec::new(), Vec::new());
    let mut sent = VecDeque::from(bench.sent());
    while let Some((worker, chunk)) = sent.pop_front() {
        let these = bench.places(worker, chunk);
        bench.finish(worker, chunk, 0, u32::try_from(these.len()).unwrap());
        places.extend(these);
        workers.push(worker);
        sent.extend(bench.sent());
    }
    workers.dedup();
    (places, workers)
}

#[test]
fn what_a_slow_task_holds_up_goes_to_who_is_idle() {
    let (mut bench, worker, chunk) = one_has_all(PoolOptions::new(2));
    let (turn, until) = asked(&mut bench, worker, chunk);
    bench.pool.taken_back(bench.now, worker, until, Turn(turn + 7));
    assert_eq!(bench.places(worker, chunk).len(), 7, "it keeps what it claimed");
    let (places, workers) = run_out(&mut bench);
    assert_eq!((places, workers.contains(&worker)), ((7..100).collect(), false));
    bench.tick(1000);
    assert_eq!((bench.look(), bench.pool.next_tick()), (vec![], None), "nothing more can be had from it");
    bench.finish(worker, chunk, 0, 7);
    assert_eq!(bench.pool.running(worker), None);
}

#[test]
fn nothing_is_taken_back_while_there_is_something_in_line_or_nobody_idle() {
    let mut bench = Bench::quick(budget(0, 0));
    bench.submit(JOB, 0, 100);
    bench.submit(OTHER, 100, 1);
    bench.sent();
    bench.tick(100);
    assert_eq!((bench.look(), bench.pool.next_tick()), (vec![], None), "it is the only one");
}

#[test]
fn the_first_task_of_an_idle_worker_is_not_taken_from_it() {
    let (mut bench, worker, chunk) = one_has_all(PoolOptions::new(2));
    let (turn, until) = asked(&mut bench, worker, chunk);
    bench.pool.taken_back(bench.now, worker, until, Turn(turn));
    assert_eq!(bench.places(worker, chunk), [0], "whatever it says");
    let (places, _) = run_out(&mut bench);
    assert_eq!(places, (1..100).collect::<Vec<_>>());
}

#[test]
fn a_worker_that_is_late_gets_nothing_until_it_tells_of_an_end() {
    let (mut bench, worker, chunk) = one_has_all(PoolOptions::new(2));
    let (turn, until) = asked(&mut bench, worker, chunk);
    bench.pool.taken_back(bench.now, worker, until, Turn(turn + 1));
    run_out(&mut bench);
    for first in [100, 200, 300] {
        bench.submit(JOB, first, 50);
        let sent = bench.sent();
        assert!(sent.iter().all(|(to, _)| *to != worker), "{sent:?}");
    }
    bench.finish(worker, chunk, 0, 1);
    bench.submit(JOB, 400, 50);
    assert!(bench.sent().iter().any(|(to, _)| *to == worker), "it is idle now");
}

#[test]
fn long_inputs_wait_in_line_and_not_at_a_worker() {
    let mut bench = Bench::quick(budget(0, 0));
    let mut long = |first| {
        let mut items = ItemWriter::default();
        items.push(&[7; 200_000]);
        let items = items.into_parts().0.into();
        bench.pool.submit(bench.now, Chunk { job: JOB, first, count: 1, items, history: Vec::new(), start_by: None });
        bench.sent().len()
    };
    assert_eq!([0, 1, 2, 3].map(&mut long), [1, 1, 0, 0], "one runs, and one lies ready");
    let (worker, chunk) = (WorkerId(0), ChunkId(1));
    bench.finish(worker, chunk, 0, 1);
    assert_eq!(bench.sent().len(), 1);
}

#[test]
fn what_is_to_stay_together_does() {
    let mut bench = Bench::new(2, budget(0, 0), None);
    let together = JobId(9);
    bench.pool.open_job(together, JobOptions { together: 10, ..JobOptions::new(TaskIndex(0)) });
    bench.submit(OTHER, 0, 1);
    let (worker, chunk) = bench.sent().remove(0);
    bench.pool.finished(bench.now, worker, chunk, 0, 1, 1000).unwrap();
    bench.submit(together, 0, 100);
    let (worker, chunk) = bench.sent().remove(0);
    let (turn, until) = asked(&mut bench, worker, chunk);
    bench.pool.taken_back(bench.now, worker, until, Turn(turn));
    assert_eq!(bench.places(worker, chunk).len(), 10, "the first ten are its own");
    let (other, rest) = bench.sent().remove(0);
    assert_eq!((other != worker, bench.places(other, rest).len().is_multiple_of(10)), (true, true));
}

#[test]
fn a_pool_that_starts_workers_on_demand_starts_one_for_what_is_held_up() {
    let (mut bench, worker, chunk) = one_has_all(PoolOptions { on_demand: true, ..PoolOptions::new(2) });
    let (turn, until) = asked(&mut bench, worker, chunk);
    bench.pool.taken_back(bench.now, worker, until, Turn(turn + 1));
    assert_eq!((bench.look(), bench.starting.len()), (vec![], 1));
    bench.ready_all();
    let (places, _) = run_out(&mut bench);
    assert_eq!(places, (1..100).collect::<Vec<_>>());
}

#[test]
fn what_is_taken_back_of_a_cancelled_job_is_cancelled() {
    let (mut bench, worker, chunk) = one_has_all(PoolOptions::new(2));
    let (turn, until) = asked(&mut bench, worker, chunk);
    bench.pool.cancel_job(bench.now, JOB);
    bench.look();
    bench.pool.taken_back(bench.now, worker, until, Turn(turn + 1));
    assert_eq!(cancelled(&bench.look()), [(1, 99)]);
}

#[test]
fn what_was_sent_since_it_was_asked_stays() {
    let (mut bench, worker, chunk) = one_has_all(PoolOptions::new(2));
    let (turn, until) = asked(&mut bench, worker, chunk);
    // What it has told meanwhile gives it more, before the one who asks comes to it.
    bench.finish(worker, chunk, 0, 100);
    bench.submit(JOB, 100, 5);
    let (again, next) = bench.sent().remove(0);
    assert_eq!((again, bench.turns(again, next).0), (worker, turn + 100));
    bench.pool.taken_back(bench.now, worker, until, Turn(turn + 101));
    assert_eq!(bench.places(worker, next).len(), 5);
}

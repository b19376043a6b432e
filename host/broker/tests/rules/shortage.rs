//! Workers that could not be started.

use taskcell_broker::PoolEffect;

use crate::bench::{Bench, JOB, budget, lost};

#[test]
fn a_pool_goes_on_with_the_workers_that_it_has() {
    let mut bench = Bench::starting(4, budget(0, 0));
    let ids = std::mem::take(&mut bench.starting);
    for id in &ids[1..] {
        bench.pool.could_not_start(bench.now, *id, "no room");
    }
    bench.pool.worker_ready(bench.now, ids[0]).unwrap();
    for round in 0..100 {
        bench.submit(JOB, round, 1);
        let (worker, chunk) = bench.sent().remove(0);
        assert_eq!(worker, ids[0], "there is no other");
        // A task that outlasts many tries to start the others.
        for _ in 0..10 {
            bench.tick(1000);
            assert_eq!(bench.look(), []);
            let missing = std::mem::take(&mut bench.starting);
            assert_eq!(missing.len(), 3, "each is tried again once a second");
            missing.into_iter().for_each(|id| bench.pool.could_not_start(bench.now, id, "no room"));
        }
        bench.finish(worker, chunk, 0, 1);
    }
    bench.tick(1000);
    bench.ready_all();
    (100..104).for_each(|first| bench.submit(JOB, first, 1));
    let mut workers: Vec<_> = bench.sent().into_iter().map(|(worker, _)| worker).collect();
    workers.dedup();
    assert_eq!(workers.len(), 4, "there is room now");
}

#[test]
fn a_pool_without_any_worker_gives_up_and_says_why() {
    let mut bench = Bench::starting(2, budget(0, 0));
    bench.submit(JOB, 0, 1);
    let mut tries = 0;
    let why = loop {
        for id in std::mem::take(&mut bench.starting) {
            tries += 1;
            assert!(tries < 50, "it never gives up");
            bench.pool.could_not_start(bench.now, id, "no room");
        }
        match bench.look().pop() {
            Some(PoolEffect::Failed(why)) => break why,
            Some(other) => panic!("{other:?}"),
            None if bench.starting.is_empty() => bench.skip(),
            None => {}
        }
    };
    assert!(tries > 5, "a want may pass");
    assert!(why.ends_with("no room"), "{why}");
}

#[test]
fn a_want_that_passes_is_forgotten() {
    let mut bench = Bench::new(1, budget(0, 0), None);
    for first in 0..100 {
        bench.submit(JOB, first, 1);
        let (worker, chunk) = bench.sent().remove(0);
        bench.die(worker, Some((chunk, 0)));
        assert_eq!(lost(&bench.look()), [(JOB, first)]);
        for _ in 0..3 {
            if bench.starting.is_empty() {
                bench.skip();
            }
            let id = bench.starting.pop().unwrap();
            bench.pool.could_not_start(bench.now, id, "no room");
        }
        bench.replace();
    }
    bench.submit(JOB, 100, 1);
    assert_eq!(bench.sent().len(), 1);
}

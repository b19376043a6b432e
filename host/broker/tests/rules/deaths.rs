//! What a death costs, and a task that runs too long.

use taskcell_broker::{Attempt, Cause, Duration, JobOptions, KillReason, Now, PoolEffect, RetryBudget, Verdict, Violation};
use taskcell_wire::{ChunkId, TaskIndex, Turn};

use super::bench::*;

#[test]
fn a_death_costs_the_running_task_only() {
    let mut bench = Bench::quick(budget(0, 0));
    bench.submit(JOB, 0, 6);
    let (worker, chunk) = bench.sent().remove(0);
    bench.finish(worker, chunk, 0, 2);
    // Its word of the results of 2 and 3 did not arrive; it ran 4.
    bench.die(worker, Some((chunk, 4)));
    assert_eq!(lost(&bench.look()), [(JOB, 4)]);
    bench.replace();
    let left: Vec<u64> = bench.sent().into_iter().flat_map(|(worker, chunk)| bench.places(worker, chunk)).collect();
    assert_eq!(left, [2, 3, 5], "the others run, in their order");
}

#[test]
fn a_death_is_charged_where_the_worker_was_though_results_of_chunks_before_were_on_their_way() {
    let mut bench = Bench::quick(budget(0, 0));
    (0..3).for_each(|chunk| bench.submit(JOB, 4 * chunk, 4));
    let sent = bench.sent();
    assert_eq!(sent.len(), 3, "short tasks wait in the line");
    bench.die(sent[0].0, Some((sent[1].1, 2)));
    assert_eq!(lost(&bench.look()), [(JOB, 6)]);
    bench.replace();
    let left: Vec<u64> = bench.sent().into_iter().flat_map(|(worker, chunk)| bench.places(worker, chunk)).collect();
    assert_eq!(left, [0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 11]);
}

#[test]
fn a_worker_that_hides_what_it_ran_costs_its_front_task_the_second_time() {
    for hint in [None, Some((ChunkId(u64::MAX), 0)), Some((ChunkId(1), u32::MAX))] {
        let mut bench = Bench::new(1, budget(0, 0), None);
        bench.submit(JOB, 0, 2);
        let mut all = Vec::new();
        for _ in 0..2 {
            let (worker, _) = bench.sent().remove(0);
            bench.die(worker, hint);
            all.extend(lost(&bench.look()));
            bench.replace();
        }
        assert_eq!(all, [(JOB, 0)], "with {hint:?}");
    }
}

#[test]
fn poison_tasks_do_not_stop_the_pool() {
    for (deaths, hides) in [(0, false), (0, true), (2, false), (2, true)] {
        let mut bench = Bench::new(2, budget(deaths, 0), None);
        let (mut next, mut ended, mut died) = (0, 0, Vec::new());
        while ended < 300 {
            while next < 300 && bench.pool.wants_more() {
                bench.submit(JOB, next, 1);
                next += 1;
            }
            bench.ready_all();
            let effects = bench.look();
            died.extend(lost(&effects).into_iter().map(|(_, index)| index));
            ended += lost(&effects).len();
            let mut idle = true;
            for effect in effects {
                match effect {
                    // With the chunk before it, its worker died.
                    PoolEffect::Send(worker, chunk) if bench.pool.flight(worker, chunk).is_none() => idle = false,
                    PoolEffect::Send(worker, chunk) => {
                        idle = false;
                        if bench.places(worker, chunk)[0].is_multiple_of(3) {
                            bench.die(worker, if hides { None } else { Some((chunk, 0)) });
                        } else {
                            ended += 1;
                            bench.finish(worker, chunk, 0, 1);
                        }
                    }
                    PoolEffect::Failed(why) => panic!("the pool stopped: {why}"),
                    PoolEffect::Lost { .. } => {}
                    PoolEffect::Spawn(_)
                    | PoolEffect::TakeBack(..)
                    | PoolEffect::Stop(..)
                    | PoolEffect::Retire(_)
                    | PoolEffect::Kill(..)
                    | PoolEffect::Cancelled { .. }
                    | PoolEffect::Expired { .. } => {
                        panic!("{effect:?}")
                    }
                }
            }
            if idle && ended < 300 && bench.pool.next_tick().is_some() {
                bench.skip();
            }
        }
        died.sort_unstable();
        assert_eq!(died, (0..100).map(|n| 3 * n).collect::<Vec<_>>(), "{deaths} more attempts, hidden: {hides}");
    }
}

#[test]
fn workers_that_die_without_progress_stop_it() {
    let mut bench = Bench::starting(2, budget(1, 1));
    let mut deaths = 0;
    let why = loop {
        let effects = bench.look();
        if let Some(PoolEffect::Failed(why)) = effects.first() {
            break why.clone();
        }
        let Some(worker) = bench.starting.pop() else {
            bench.skip();
            continue;
        };
        deaths += 1;
        bench.die(worker, None);
    };
    // Two workers, three attempts of a task, four to spare: that many were no reason yet.
    assert_eq!(deaths, 2 * 3 + 4 + 1);
    assert!(why.contains("11 workers in a row") && why.contains("fell over"), "{why}");
    assert!(bench.now >= Now(Duration::from_millis(100).0), "they were started in a hot loop: {:?}", bench.now);
    bench.tick(1_000_000);
    assert_eq!((bench.look(), bench.starting.len()), (vec![], 0));
    assert_eq!(bench.pool.next_tick(), None, "a driver would wake up for nothing, without end");
}

#[test]
fn a_pool_that_failed_starts_nothing_and_waits_for_nothing() {
    let mut bench = Bench::new(2, budget(3, 0), None);
    (0..4).for_each(|at| bench.submit(JOB, at, 1));
    let sent = bench.sent();
    bench.pool.fail("somebody said so".into());
    bench.submit(JOB, 4, 1);
    assert_eq!(bench.look(), [PoolEffect::Failed("somebody said so".into())], "what waits is lost with it, without a word each");
    bench.die(sent[0].0, Some((sent[0].1, 0)));
    bench.finish(sent[1].0, sent[1].1, 0, 1);
    bench.pool.fail("once more".into());
    assert_eq!(lost(&bench.look()), [(JOB, 0)], "no other attempt, no worker, no task");
    assert_eq!((bench.pool.next_tick(), bench.pool.has_failed(), bench.pool.wants_more()), (None, true, false));
}

#[test]
fn a_timeout_kills_after_the_grace() {
    let mut bench = Bench::new(1, budget(0, 1), Some(Duration::from_millis(50)));
    for attempt in 0..2 {
        if attempt == 0 {
            bench.submit(JOB, 0, 1);
        }
        let (worker, chunk) = bench.sent().remove(0);
        bench.tick(149);
        assert_eq!(bench.look(), [], "it may stop by itself until then");
        bench.tick(1);
        assert_eq!(bench.look(), [PoolEffect::Kill(worker, KillReason::Timeout)]);
        bench.tick(1000);
        assert_eq!(bench.look(), [], "once is enough");
        // What it says of what it ran changes nothing.
        bench.die(worker, Some((chunk, 9)));
        if attempt == 0 {
            bench.replace();
            bench.skip();
        }
    }
    let effects = bench.look();
    let Some(PoolEffect::Lost { index: 0, history, .. }) = effects.iter().find(|e| matches!(e, PoolEffect::Lost { .. })) else {
        panic!("{effects:?}")
    };
    let ran = Duration::from_millis(1150);
    assert_eq!(*history, [(); 2].map(|()| Attempt { pid: 7, cause: Cause::Timeout, ran }));
}

#[test]
fn every_task_of_a_chunk_has_its_own_time() {
    let mut bench = Bench::new(1, budget(0, 0), Some(Duration::from_millis(50)));
    bench.submit(JOB, 0, 10);
    let (worker, chunk) = bench.sent().remove(0);
    for at in 0..9 {
        bench.tick(140);
        bench.finish(worker, chunk, at, 1);
    }
    bench.tick(149);
    assert_eq!(bench.look(), []);
    bench.tick(1);
    bench.die(worker, None);
    assert_eq!(lost(&bench.look()), [(JOB, 9)]);
}

#[test]
fn time_in_a_workers_line_does_not_count() {
    let mut bench = Bench::quick(budget(0, 0));
    bench.pool.close_job(bench.now, JOB);
    bench.pool.open_job(JOB, JobOptions { timeout: Some(Duration::from_millis(50)), ..JobOptions::new(TaskIndex(0)) });
    bench.submit(OTHER, 1, 1);
    bench.submit(JOB, 0, 1);
    let sent = bench.sent();
    bench.tick(10_000);
    bench.finish(sent[0].0, sent[0].1, 0, 1);
    bench.tick(149);
    assert_eq!(bench.look(), []);
    bench.tick(1);
    assert_eq!(kills(&bench.look()), [KillReason::Timeout]);
}

#[test]
fn a_result_that_comes_after_the_kill_does_not_put_the_charge_on_the_task_behind() {
    let mut bench = Bench::new(1, budget(0, 0), Some(Duration::from_millis(50)));
    bench.submit(JOB, 0, 2);
    let (worker, chunk) = bench.sent().remove(0);
    bench.tick(150);
    bench.look();
    assert_eq!(bench.pool.finished(bench.now, worker, chunk, 0, 1, 1), Err(Violation::OutOfTurn));
    bench.pool.violated(worker, Violation::OutOfTurn);
    bench.die(worker, Some((chunk, 0)));
    let effects = bench.look();
    assert_eq!(lost(&effects), [(JOB, 0)]);
    assert_eq!(kills(&effects), [], "it was killed before");
}

#[test]
fn retries_stop_at_their_budget_by_cause() {
    let budget = RetryBudget { deaths: 1, timeouts: 1, traps: 2, errors: 0 };
    for (cause, retries) in [(Cause::Timeout, 1), (Cause::Trap, 2), (Cause::Error, 0)] {
        let mut bench = Bench::new(1, budget, None);
        bench.submit(JOB, 5, 1);
        for tried in 0..=retries {
            let (worker, chunk) = bench.sent().remove(0);
            assert_eq!(bench.pool.history(worker, chunk).len(), tried);
            let attempt = Attempt { pid: 7, cause: cause.clone(), ran: Duration(1) };
            let verdict = if tried < retries { Verdict::Again } else { Verdict::Final };
            assert_eq!(bench.pool.attempt_failed(bench.now, worker, chunk, 0, attempt), Ok((JOB, 5, verdict)));
            if tried < retries {
                let wait = bench.pool.next_tick().unwrap().since(bench.now);
                assert_eq!(wait, Duration::from_millis(10 << tried), "each waits twice as long");
                bench.skip();
            }
        }
        assert_eq!(bench.pool.next_tick(), None);
    }
}

#[test]
fn a_budget_without_end_overflows_nothing() {
    let mut bench = Bench::starting(3, budget(u32::MAX, u32::MAX));
    for _ in 0..100 {
        while bench.starting.is_empty() {
            bench.skip();
        }
        let worker = bench.starting.remove(0);
        bench.die(worker, None);
        assert_eq!(bench.look(), []);
    }
    assert!(!bench.pool.has_failed());
}

/// The connection ended and the process lives on: tasks that it has not begun run elsewhere meanwhile, the running one waits.
#[test]
fn an_ending_worker_holds_up_only_the_task_that_it_ran() {
    let mut bench = Bench::quick(budget(0, 0));
    bench.submit(JOB, 0, 6);
    let (worker, chunk) = bench.sent().remove(0);
    bench.finish(worker, chunk, 0, 2);
    let (turn, _) = bench.turns(worker, chunk);
    bench.pool.worker_ending(bench.now, worker, Turn(turn + 3));
    assert_eq!(bench.places(worker, chunk), [0, 1, 2], "it keeps the task that it began");
    assert_eq!((bench.pool.running(worker), bench.pool.waiting()), (None, 1));
    assert_eq!((bench.look(), bench.pool.is_moving()), (vec![], true), "nothing is sent to it, or charged");
    bench.die(worker, Some((chunk, 2)));
    assert_eq!(lost(&bench.look()), [(JOB, 2)]);
    bench.replace();
    let left: Vec<u64> = bench.sent().into_iter().flat_map(|(worker, chunk)| bench.places(worker, chunk)).collect();
    assert_eq!(left, [3, 4, 5]);
}

/// It may not hide its front task by claiming nothing, or that task would never be charged.
#[test]
fn an_ending_worker_keeps_its_front_task_whatever_it_claims() {
    for claimed in [Turn(0), Turn(u64::MAX)] {
        let mut bench = Bench::quick(budget(0, 0));
        let mut all = Vec::new();
        (0..2).for_each(|chunk| bench.submit(JOB, 2 * chunk, 2));
        for _ in 0..2 {
            let sent = bench.sent();
            let (worker, chunk) = sent[0];
            assert!(!bench.places(worker, chunk).is_empty());
            bench.pool.worker_ending(bench.now, worker, claimed);
            bench.die(worker, None);
            all.extend(lost(&bench.look()));
            bench.replace();
        }
        assert_eq!(all, [(JOB, 0)], "with {claimed:?}");
    }
}

#[test]
fn a_violation_or_a_kill_keeps_its_cause_when_the_connection_ends() {
    let mut bench = Bench::quick(budget(0, 0));
    bench.submit(JOB, 0, 3);
    let (worker, chunk) = bench.sent().remove(0);
    bench.pool.violated(worker, Violation::Malformed);
    bench.look();
    bench.pool.worker_ending(bench.now, worker, Turn(0));
    bench.die(worker, Some((chunk, 0)));
    let effects = bench.look();
    let lost = effects.iter().find_map(|e| if let PoolEffect::Lost { history, .. } = e { Some(history.clone()) } else { None });
    let cause = lost.unwrap().remove(0).cause;
    assert_eq!(cause, Cause::Death("killed because it sent bytes that are no message".into()));
}

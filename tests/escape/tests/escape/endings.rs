//! A worker whose connection ended and whose process goes on: it costs its own task and delays no other.

use std::time::{Duration, Instant};

use taskcell::Pool;

use crate::Case;
use crate::double::{LIE, fib};
use crate::lies::{CLOSED, LIES};
use crate::stage::{PATIENCE, assert_lost, honest, probe};

/// Answers of another worker while the process of the first lives on without a socket, for 200 ms. A dispatcher that waits for that
/// process gives none of them; one that does not gives thousands on an idle machine.
const ANSWERS: u32 = 25;
/// A dispatcher that waits keeps another worker's task waiting for 200 ms, every time.
const LONGEST: Duration = Duration::from_millis(100);
/// A machine with other work may keep anybody waiting, but not every time.
const ATTEMPTS: u32 = 5;

pub(crate) fn cases() -> Vec<Case> {
    vec![
        ("a_worker_that_closes_its_socket_and_goes_on_delays_nobody".into(), Box::new(delays_nobody)),
        ("a_pool_that_ends_takes_workers_without_a_socket_with_it".into(), Box::new(ends_with_its_pool)),
    ]
}

fn closing() -> u32 {
    LIE + u32::try_from(LIES.iter().position(|(name, ..)| *name == CLOSED).unwrap()).unwrap()
}

fn delays_nobody() {
    let pool = honest();
    let seen: Vec<(u32, Duration)> = (0..ATTEMPTS).map(|_| answers_meanwhile(&pool)).collect();
    let (answers, longest) = seen.iter().copied().min_by_key(|(_, longest)| *longest).unwrap();
    println!("  {answers} answers of another worker, the slowest in {longest:?}");
    assert!(answers >= ANSWERS && longest < LONGEST, "answers of another worker, and the slowest of each attempt: {seen:?}");
}

/// How many short tasks another worker answers from the order to the end of the process that follows it, and the longest time of one.
fn answers_meanwhile(pool: &Pool) -> (u32, Duration) {
    let mut closed = pool.submit::<u64>("fib", &closing()).unwrap();
    let (mut answers, mut longest) = (0, Duration::ZERO);
    let outcome = loop {
        if let Some(outcome) = closed.wait(Some(Duration::ZERO)) {
            break outcome;
        }
        let began = Instant::now();
        let mut other = pool.submit::<u64>("fib", &50).unwrap();
        assert_eq!(other.wait(Some(PATIENCE)), Some(Ok(fib(50))), "after {answers} answers");
        answers += 1;
        longest = longest.max(began.elapsed());
    };
    assert_lost(&outcome, "because it closed its socket and went on");
    pool.wait_ready(2, PATIENCE).unwrap();
    (answers, longest)
}

/// What is left behind is looked for after all cases.
fn ends_with_its_pool() {
    let pool = honest();
    let before = pool.worker_pids();
    let _lost = pool.submit::<u64>("fib", &closing()).unwrap();
    let began = Instant::now();
    // The link is gone as soon as the socket's end is seen.
    while pool.worker_pids().len() == before.len() {
        assert!(began.elapsed() < PATIENCE, "the end of the socket was never seen");
        probe(&pool);
    }
    drop(pool);
    for pid in before {
        assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists(), "process {pid} outlived its pool");
    }
}

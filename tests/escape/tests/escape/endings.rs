//! A worker whose connection ended and whose process goes on: it costs its own task and delays no other.

use std::time::{Duration, Instant};

use crate::Case;
use crate::double::{LIE, fib};
use crate::lies::{CLOSED, LIES};
use crate::stage::{PATIENCE, assert_lost, honest, probe};

/// Answers of another worker while the process of the first lives on without a socket, for 200 ms. A dispatcher that waits for that
/// process gives none of them; one that does not gives thousands on an idle machine.
const ANSWERS: u32 = 25;

pub(crate) fn cases() -> Vec<Case> {
    vec![
        ("a_worker_that_closes_its_socket_and_goes_on_delays_nobody".into(), Box::new(delays_nobody)),
        ("a_pool_that_ends_takes_workers_without_a_socket_with_it".into(), Box::new(ends_with_its_pool)),
    ]
}

fn closing() -> u32 {
    LIE + u32::try_from(LIES.iter().position(|(name, ..)| *name == CLOSED).unwrap()).unwrap()
}

/// The socket's end is seen within a few answers; all others come while the process lives on.
fn delays_nobody() {
    let pool = honest();
    let mut closed = pool.submit::<u64>("fib", &closing()).unwrap();
    let began = Instant::now();
    let mut answers = 0;
    let outcome = loop {
        if let Some(outcome) = closed.wait(Some(Duration::ZERO)) {
            break outcome;
        }
        let mut other = pool.submit::<u64>("fib", &50).unwrap();
        assert_eq!(other.wait(Some(PATIENCE)), Some(Ok(fib(50))), "after {answers} answers");
        answers += 1;
    };
    assert_lost(&outcome, "because it closed its socket and went on");
    println!("  {answers} answers in {:?}", began.elapsed());
    assert!(answers >= ANSWERS, "{answers} answers of another worker in {:?}", began.elapsed());
    pool.wait_ready(2, PATIENCE).unwrap();
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

//! Every violation is one record of the audit, with the worker that committed it and its component; nothing else is.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use serde_json::Value;
use taskcell::{Pool, Violation, ViolationKind};

use crate::Case;
use crate::acts::{self, ACTS};
use crate::double::{ACT, LIE, fib};
use crate::lies::{CLOSED, LIES};
use crate::stage::{PATIENCE, builder, honest, order, probe, ready};

type Records = Arc<Mutex<Vec<Violation>>>;

pub(crate) fn cases() -> Vec<Case> {
    vec![
        ("the_audit_has_a_forbidden_call".into(), Box::new(forbidden_call)),
        ("the_audit_has_a_lie".into(), Box::new(lie)),
        ("the_audit_has_a_worker_that_goes_on_without_its_socket".into(), Box::new(closed)),
        ("the_audit_has_nothing_of_honest_workers".into(), Box::new(honest_workers)),
    ]
}

fn audited() -> (Pool, Records) {
    let records = Records::default();
    let into = Arc::clone(&records);
    (ready(builder().on_violation(move |violation| into.lock().unwrap().push(violation.clone()))), records)
}

/// One violation by this order: the record, and the line that the command line writes of it.
fn one(number: u32) -> (Violation, Value) {
    let (pool, records) = audited();
    let pids = pool.worker_pids();
    let outcome = order(&pool, number);
    assert!(outcome.is_err(), "{outcome:?}");
    // Records of the same worker would follow within this.
    probe(&pool);
    pool.wait_ready(2, PATIENCE).unwrap();
    let survivors = pool.worker_pids();
    drop(pool);
    let mut records = records.lock().unwrap();
    assert_eq!(records.len(), 1, "{records:?}");
    let record = records.remove(0);
    let dead: Vec<u32> = pids.into_iter().filter(|pid| !survivors.contains(pid)).collect();
    assert_eq!(dead, [record.pid], "the process that died");
    let task = record.task.as_ref().unwrap();
    assert_eq!((task.function.as_str(), task.place.map(|(_, index)| index)), ("fib", Some(0)));
    let expected = honest();
    assert_eq!(record.digest, expected.component().digest());
    let line = record.to_json();
    assert!(!line.contains('\n'));
    let line: Value = serde_json::from_str(&line).unwrap();
    assert_eq!((&line["pid"], &line["digest"]), (&record.pid.into(), &record.digest.as_str().into()));
    (record, line)
}

/// The number of the call is the kernel's word, where its log can be read.
fn forbidden_call() {
    let fork = ACTS.iter().position(|(name, ..)| *name == "become dumpable").unwrap();
    let (record, line) = one(ACT + u32::try_from(fork).unwrap());
    assert_eq!((record.kind, record.signal), (ViolationKind::Syscall, Some(libc::SIGSYS)), "{record:?}");
    assert_eq!((&line["kind"], &line["wall"]), (&"syscall".into(), &"seccomp".into()));
    match record.syscall {
        Some(number) => assert_eq!(number, libc::SYS_prctl),
        None if acts::reads_kernel_log() => panic!("the kernel's log can be read, and the record has no number: {record:?}"),
        None => println!("  the kernel's log can't be read here: the call has no number"),
    }
}

fn lie() {
    let lie = LIES.iter().position(|(name, ..)| *name == "a result that is not JSON").unwrap();
    let (record, line) = one(LIE + u32::try_from(lie).unwrap());
    assert_eq!((record.kind, record.syscall, record.signal), (ViolationKind::Protocol, None, None));
    assert_eq!(line["rule"], "it sent a result that is not one line of JSON");
}

fn closed() {
    let lie = LIES.iter().position(|(name, ..)| *name == CLOSED).unwrap();
    let (record, line) = one(LIE + u32::try_from(lie).unwrap());
    assert_eq!((record.kind, &line["rule"]), (ViolationKind::Protocol, &"it closed its socket and went on".into()));
}

fn honest_workers() {
    let (pool, records) = audited();
    let began = Instant::now();
    for n in 0..200 {
        assert_eq!(order(&pool, n % 90), Ok(fib(n % 90)), "after {:?}", began.elapsed());
    }
    drop(pool);
    assert_eq!(*records.lock().unwrap(), []);
}

//! What calls and tasks cost. As a test it only plays; to measure:
//! `BROKER_SPEED=1 cargo test --release -p taskcell-broker --test broker_rules speed -- --nocapture --test-threads=1`.
//!
//! It counts the time that this thread had a CPU, so that other work on the machine matters little.
#![expect(clippy::disallowed_methods, reason = "a measurement reads a clock; the broker does not")]
#![expect(clippy::print_stdout, reason = "it is what this is for")]

use taskcell_broker::{Duration, Effect};
use taskcell_wire::call::{
    Argument, Batch, Call, CallId, Create, Ended, LockCall, LockOptions, MapCall, PoolCall, PoolSettings, QueueCall,
    QueueOptions, Reply,
};

use crate::host::{Host, json};

/// How often each thing is done.
fn calls() -> u64 {
    if std::env::var_os("BROKER_SPEED").is_some() { 1_000_000 } else { 10_000 }
}

/// A moment in the life of this thread on a CPU, in nanoseconds.
fn cpu_time() -> u64 {
    // Not every kernel tells; then nothing is measured.
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split(' ').next().and_then(|time| time.parse().ok()).unwrap_or(0)
}

/// Nanoseconds for each of `count`, told.
fn tell(what: &str, began: u64, count: u64) {
    println!("{what:<48} {:>6} ns", (cpu_time() - began) / count);
}

/// Makes a call and throws its answer away.
fn call(host: &mut Host, worker: taskcell_wire::WorkerId, number: u64, call: Call<'_>, effects: &mut Vec<Effect>) {
    host.broker.call(host.now, worker, CallId(number), call).unwrap();
    host.broker.take_effects(effects);
    assert!(!effects.is_empty());
    effects.clear();
}

#[test]
fn calls_cost_little() {
    let calls = calls();
    let (mut host, root) = Host::program();
    let queue = host.make(root, Create::Queue(QueueOptions::default()));
    let map = host.make(root, Create::Map(None));
    let lock = host.make(root, Create::Lock(LockOptions::default()));
    // Company: it must not matter.
    for _ in 0..900 {
        host.make(root, Create::Queue(QueueOptions::default()));
    }
    let mut effects = Vec::new();
    let body = [7u8; 64];
    let put = || Call::Queue(queue, QueueCall::Put { message: body[..].into(), timeout: None });
    let get = || Call::Queue(queue, QueueCall::Get { timeout: None });

    let began = cpu_time();
    for n in 0..calls / 2 {
        call(&mut host, root, n, put(), &mut effects);
        call(&mut host, root, n, get(), &mut effects);
    }
    tell("queue put or get of 64 B", began, calls);

    let began = cpu_time();
    for n in 0..calls / 2 {
        call(&mut host, root, n, Call::Lock(lock, LockCall::Acquire { timeout: None }), &mut effects);
        call(&mut host, root, n, Call::Lock(lock, LockCall::Release), &mut effects);
    }
    tell("lock acquire or release", began, calls);

    let began = cpu_time();
    for n in 0..calls {
        call(&mut host, root, n, Call::Map(map, MapCall::Increment { key: "n", by: 1 }), &mut effects);
    }
    tell("map increment", began, calls);

    let (_, _, child) = host.spawn(root, "with-queue", vec![Argument::Handle(queue)]);
    let theirs = host.given(child)[0];
    let began = cpu_time();
    for n in 0..calls / 2 {
        host.broker.call(host.now, child, CallId(n), Call::Queue(theirs, QueueCall::Get { timeout: None })).unwrap();
        host.broker.take_effects(&mut effects);
        assert!(effects.is_empty());
        call(&mut host, root, n, put(), &mut effects);
    }
    tell("get that waits, and the put that ends it (both)", began, calls / 2);

    let began = cpu_time();
    for n in 0..calls / 2 {
        let get = QueueCall::Get { timeout: Some(1_000_000_000) };
        host.broker.call(host.now, child, CallId(n), Call::Queue(theirs, get)).unwrap();
        call(&mut host, root, n, put(), &mut effects);
    }
    tell("the same with a deadline", began, calls / 2);
}

#[test]
fn tasks_cost_little() {
    let (mut host, root) = Host::program();
    let pool = host.make(root, Create::Pool(PoolSettings { workers: Some(2), ..PoolSettings::default() }));
    let values: Vec<_> = (0..16_000).map(|n| json(&n.to_string())).collect();
    let began = cpu_time();
    let rounds = calls() / 50_000 + 1;
    for _ in 0..rounds {
        let map = PoolCall::Map { task: "fib", values: Batch(values.clone()) };
        assert_eq!(host.call(root, Call::Pool(pool, map)), None);
        // Workers answer whole chunks.
        while let Some(id) = host.busy().into_iter().find(|id| *id != root) {
            let sent = host.worker(id).line.pop_front().unwrap();
            let count = u32::try_from(sent.items.len()).unwrap();
            let (job, first) = host.broker.finished(host.now, id, sent.chunk, sent.done, count, 1000 * u64::from(count)).unwrap();
            for index in first..first + u64::from(count) {
                host.broker.ended(host.now, job, index, Ended::Ok(json("1")));
            }
            host.settle();
        }
        assert!(matches!(host.answer(root), Some(Ok(Reply::Pool(_)))));
    }
    tell("a value of a map, from call to outcome", began, rounds * 16_000);

    let began = cpu_time();
    let count = calls() / 10;
    for _ in 0..count {
        let (process, _, child) = host.spawn(root, "quiet", vec![]);
        host.finish(child, "null");
        host.drop(root, process);
        host.now = host.now.plus(Duration(1000));
    }
    tell("a process, from spawn to its end", began, count);
}

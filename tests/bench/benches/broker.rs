//! The broker's state machines without sockets or clocks: what assigning and finishing cost a task, and what calls cost a queue in which
//! many messages wait and a map of many keys.

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use taskcell_broker::{Chunk, JobOptions, MapView, Now, Pool, PoolEffect, PoolOptions, Queue, Quotas, SharedMap};
use taskcell_wire::call::{CallId, Holder, MapCall, ObjectId, QueueCall, QueueOptions};
use taskcell_wire::{ItemWriter, JobId, TaskIndex};

const JOB: JobId = JobId(1);
/// Tasks of one round of a bench.
const TASKS: u32 = 10_000;

/// A pool whose workers are ready and known to be quick.
fn pool(workers: u32) -> Pool {
    let mut pool = Pool::new(PoolOptions::new(workers));
    let mut effects = Vec::new();
    pool.start(Now(0));
    pool.open_job(JOB, JobOptions::new(TaskIndex(0)));
    pool.take_effects(&mut effects);
    for effect in effects {
        if let PoolEffect::Spawn(id) = effect {
            pool.worker_ready(Now(0), id).expect("it was starting");
        }
    }
    pool
}

fn chunk(first: u64, count: u32, items: &[u8]) -> Chunk {
    Chunk { job: JOB, first, count, items: items.to_vec().into(), history: Vec::new(), start_by: None }
}

/// Submits as a mapping does, and ends at once whatever was sent.
fn drive(pool: &mut Pool, count: u32) -> u64 {
    let mut writer = ItemWriter::default();
    (0..count).for_each(|_| writer.push(b"1"));
    let (items, _) = writer.into_parts();
    let mut effects = Vec::new();
    let (mut submitted, mut ended, mut now) = (0u64, 0u64, 0u64);
    while ended < u64::from(TASKS) {
        while submitted < u64::from(TASKS) && pool.wants_more() {
            pool.submit(Now(now), chunk(submitted, count, &items));
            submitted += u64::from(count);
        }
        pool.take_effects(&mut effects);
        for effect in effects.drain(..) {
            if let PoolEffect::Send(worker, chunk) = effect {
                now += 100;
                pool.finished(Now(now), worker, chunk, 0, count, u64::from(count) * 100).expect("it was sent");
                ended += u64::from(count);
            }
        }
    }
    ended
}

fn assign_and_finish(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("submit, assign, finish");
    group.throughput(Throughput::Elements(u64::from(TASKS)));
    for workers in [1, 2, 8, 64] {
        for count in [1, 100] {
            group.bench_function(BenchmarkId::from_parameter(format!("{workers} workers, chunk {count}")), |bencher| {
                bencher.iter_batched_ref(|| pool(workers), |pool| drive(pool, count), BatchSize::SmallInput);
            });
        }
    }
    group.finish();
}

fn queue_with_many(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("put and get");
    for waiting in [1, 100, 10_000, 100_000] {
        let quotas = Quotas::default();
        let mut queue = Queue::new(ObjectId(1), &QueueOptions::default(), quotas).expect("options of a queue");
        let mut out = Vec::new();
        let mut call = |call| {
            queue.call(Now(0), CallId(1), Holder(1), call, &mut out);
            assert!(out.pop().is_some_and(|answer| answer.result.is_ok()), "it is answered at once");
        };
        let put = || QueueCall::Put { message: [7; 64].as_slice().into(), timeout: None };
        (0..waiting).for_each(|_| call(put()));
        group.bench_function(BenchmarkId::from_parameter(format!("{waiting} messages wait")), |bencher| {
            bencher.iter(|| {
                call(put());
                call(QueueCall::Get { timeout: None });
            });
        });
    }
    group.finish();
}

fn set(key: &str) -> MapCall<'_> {
    MapCall::Set { key, value: [7; 64].as_slice().into(), expires_in: None }
}

fn map_of_many(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("map");
    for count in [100u64, 10_000, 1_000_000] {
        let keys: Vec<String> = (0..count).map(|n| format!("key-{n:012}")).collect();
        let (mut map, view) = (SharedMap::new(ObjectId(1), None, Quotas::default()), MapView::default());
        let mut out = Vec::new();
        let mut call = |call| {
            map.call(Now(0), CallId(1), Holder(1), &view, call, &mut out);
            assert!(out.pop().is_some_and(|answer| answer.result.is_ok()), "it is answered at once");
        };
        keys.iter().for_each(|key| call(set(key)));
        // A step that meets all keys, far from each other.
        let mut spread = keys.iter().cycle().step_by(7919);
        let mut next = move || spread.next().expect("it is a cycle").as_str();
        group.bench_function(BenchmarkId::new("get", count), |bencher| bencher.iter(|| call(MapCall::Get { key: next() })));
        group.bench_function(BenchmarkId::new("set", count), |bencher| bencher.iter(|| call(set(next()))));
    }
    group.finish();
}

criterion_group!(benches, assign_and_finish, queue_with_many, map_of_many);
criterion_main!(benches);

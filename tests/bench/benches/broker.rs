//! The pool's state machine: what assigning and finishing cost a task, without sockets or clocks.

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use taskcell_broker::{Chunk, JobOptions, Now, Pool, PoolEffect, PoolOptions};
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
    Chunk { job: JOB, first, count, items: items.to_vec(), history: Vec::new(), start_by: None }
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

criterion_group!(benches, assign_and_finish);
criterion_main!(benches);

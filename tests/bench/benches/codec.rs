//! Frames, items and outcomes: what a task costs on the wire, both ways, without sockets.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use taskcell_wire::{
    ChunkId, Encoding, FrameBuffer, FromWorker, ItemReader, ItemWriter, Outcome, OutcomeReader, OutcomeWriter, Run, TaskIndex,
    ToWorker, Turn, codec, encode,
};

const CAP: u64 = 64 << 20;
/// Items in a frame, and bytes of each.
const SHAPES: [(u32, usize); 4] = [(1, 1), (1000, 1), (1000, 64), (1, 1 << 20)];

fn items(count: u32, size: usize) -> Vec<u8> {
    let mut items = ItemWriter::default();
    let item = vec![b'1'; size];
    (0..count).for_each(|_| items.push(&item));
    items.into_parts().0
}

fn run(count: u32, items: &[u8]) -> ToWorker<'_> {
    ToWorker::Run(Run {
        chunk: ChunkId(7),
        task: TaskIndex(0),
        input: Encoding::Json,
        output: Encoding::Json,
        timeout: None,
        timed: false,
        turn: Turn(7),
        together: 1,
        claimed: false,
        count,
        items,
    })
}

fn label(count: u32, size: usize) -> BenchmarkId {
    BenchmarkId::from_parameter(format!("{count} x {size} B"))
}

fn frames(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("run frame, encode");
    for (count, size) in SHAPES {
        let items = items(count, size);
        let mut out = Vec::new();
        group.throughput(Throughput::Bytes(items.len() as u64));
        group.bench_function(label(count, size), |bencher| {
            bencher.iter(|| {
                out.clear();
                encode(&run(count, black_box(&items)), CAP, &mut out)
            });
        });
    }
    group.finish();
    let mut group = criterion.benchmark_group("run frame, receive and decode");
    for (count, size) in SHAPES {
        let items = items(count, size);
        let mut frame = Vec::new();
        encode(&run(count, &items), CAP, &mut frame).expect("it fits");
        let mut buffer = FrameBuffer::new(CAP);
        group.throughput(Throughput::Bytes(items.len() as u64));
        group.bench_function(label(count, size), |bencher| {
            bencher.iter(|| receive(&mut buffer, black_box(&frame)));
        });
    }
    group.finish();
}

/// Fills the buffer as a socket would, and counts the bytes of the items that came.
fn receive(buffer: &mut FrameBuffer, mut bytes: &[u8]) -> usize {
    loop {
        if let Ok(Some(frame)) = buffer.next_frame() {
            let Ok(ToWorker::Run(run)) = codec::decode::<ToWorker<'_>>(frame) else { return 0 };
            return ItemReader::new(run.items).flatten().map(<[u8]>::len).sum();
        }
        let space = buffer.space();
        let count = space.len().min(bytes.len());
        let (now, later) = bytes.split_at(count);
        space[..count].copy_from_slice(now);
        buffer.filled(count);
        bytes = later;
    }
}

fn outcomes(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("outcomes, write and frame");
    for (count, size) in SHAPES {
        let result = vec![b'1'; size];
        let mut out = Vec::new();
        let mut writer = OutcomeWriter::default();
        group.throughput(Throughput::Elements(u64::from(count)));
        group.bench_function(label(count, size), |bencher| {
            bencher.iter(|| {
                out.clear();
                writer.clear(usize::MAX);
                (0..count).for_each(|_| writer.push(0, &Outcome::Ok(black_box(&result))));
                let outcomes = writer.bytes();
                encode(&FromWorker::Results { chunk: ChunkId(7), first: 0, count, nanoseconds: 1, outcomes }, CAP, &mut out)
            });
        });
    }
    group.finish();
    let mut group = criterion.benchmark_group("outcomes, read");
    for (count, size) in SHAPES {
        let result = vec![b'1'; size];
        let mut writer = OutcomeWriter::default();
        (0..count).for_each(|_| writer.push(0, &Outcome::Ok(&result)));
        group.throughput(Throughput::Elements(u64::from(count)));
        group.bench_function(label(count, size), |bencher| {
            bencher.iter(|| OutcomeReader::new(black_box(writer.bytes())).flatten().filter(|(_, one)| is_ok(one)).count());
        });
    }
    group.finish();
}

fn is_ok(outcome: &Outcome<'_>) -> bool {
    matches!(outcome, Outcome::Ok(_))
}

criterion_group!(benches, frames, outcomes);
criterion_main!(benches);

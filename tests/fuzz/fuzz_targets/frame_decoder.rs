//! What arrives from a worker or a compile child, cut into reads of any size: decoded or refused, never a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use taskcell_wire::{FrameBuffer, FromCompiler, FromWorker, ItemReader, OutcomeReader, ToCompiler, ToWorker, codec};

const CAP: u64 = 4096;

fuzz_target!(|input: (Vec<u8>, &[u8])| {
    let (cuts, mut bytes) = input;
    let mut cuts = cuts.iter().cycle();
    let mut buffer = FrameBuffer::new(CAP);
    while !bytes.is_empty() {
        let space = buffer.space();
        let count = cuts.next().map_or(bytes.len(), |cut| usize::from(*cut) + 1).min(bytes.len()).min(space.len());
        let (now, later) = bytes.split_at(count);
        space[..count].copy_from_slice(now);
        buffer.filled(count);
        bytes = later;
        loop {
            match buffer.next_frame() {
                Ok(Some(frame)) => decode(frame),
                Ok(None) => break,
                Err(_) => return,
            }
        }
    }
});

fn decode(frame: &[u8]) {
    assert!(frame.len() as u64 <= CAP);
    if let Ok(FromWorker::Results { outcomes, .. }) = codec::decode(frame) {
        assert!(OutcomeReader::new(outcomes).count() <= outcomes.len());
    }
    if let Ok(ToWorker::Run(run)) = codec::decode(frame) {
        assert!(ItemReader::new(run.items).count() <= run.items.len());
    }
    if let Ok(FromCompiler::Described(interface)) = codec::decode(frame) {
        let _ = interface.check();
    }
    let _ = codec::decode::<ToCompiler>(frame);
    let read = |bytes| OutcomeReader::new(bytes).map_while(Result::ok).count();
    assert!(read(frame) <= frame.len());
}

//! What a hijacked worker or compile child could send: no bytes may cost more than an error.
//!
//! `WIRE_SEED=n` plays one round of each kind, `WIRE_ROUNDS=n` so many, for long runs.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod memory;
mod random;
mod samples;

use random::Random;
use serde::{Deserialize, Serialize};
use taskcell_wire::{
    FrameBuffer, FromCompiler, FromWorker, Interface, ItemReader, OutcomeReader, ToCompiler, ToWorker, TypeTable, WireError,
    codec, encode,
};

const ROUNDS: u64 = 100_000;

/// Memory that decoding a message may take, for each of its bytes: a list of enum cases with empty names is the densest, where
/// one byte becomes a `String` of 24, in a vector that doubles.
const PER_BYTE: usize = 64;
/// And however short it is.
const SPARE: usize = 64 * 1024;

fn rounds() -> std::ops::Range<u64> {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    match number("WIRE_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("WIRE_ROUNDS").unwrap_or(ROUNDS),
    }
}

/// Tells how to see it again, if a round fails.
struct Replay(u64);

impl Drop for Replay {
    #[expect(clippy::print_stderr, reason = "this is what a person needs to go on")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("\nround {0} failed: WIRE_SEED={0} cargo test --release -p taskcell-wire --test hostile\n", self.0);
        }
    }
}

/// Sound messages of every kind, without their frames' headers.
fn corpus() -> Vec<Vec<u8>> {
    fn bytes(message: &impl Serialize) -> Vec<u8> {
        let mut frame = Vec::new();
        encode(message, 1 << 20, &mut frame).unwrap();
        frame.split_off(4)
    }
    let (items, count) = samples::items();
    let outcomes = samples::outcomes();
    let mut corpus = Vec::new();
    corpus.extend(samples::to_worker(&items, count).iter().map(|(_, message)| bytes(message)));
    corpus.extend(samples::from_worker(&outcomes).iter().map(|(_, message)| bytes(message)));
    corpus.extend(samples::to_compiler().iter().map(|(_, message)| bytes(message)));
    corpus.extend(samples::from_compiler().iter().map(|(_, message)| bytes(message)));
    // As often as messages with a variant for each call: what is only one of many would hardly ever be tried.
    corpus.extend(vec![bytes(&samples::interface()); 16]);
    for _ in 0..4 {
        corpus.extend(samples::to_compiler().iter().map(|(_, message)| bytes(message)));
    }
    corpus.push(items);
    corpus.push(outcomes.bytes().to_vec());
    corpus
}

/// Numbers that break readers: nothing, the most, lengths beyond all memory, varints without end.
const TRICKS: [&[u8]; 8] = [
    &[0],
    &[0xff],
    &[0x80],
    &[0xff, 0xff, 0xff, 0xff, 0x0f],
    &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
    &[0xff; 16],
    &[0x80, 0x80, 0x80, 0x80, 0x00],
    b"\xf0\x28\x8c\x28",
];

fn mutate(random: &mut Random, corpus: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = corpus[random.below(corpus.len())].clone();
    for _ in 0..=random.below(4) {
        let at = random.below(bytes.len() + 1);
        let end = at + random.below(bytes.len() - at + 1);
        match random.below(9) {
            0 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
            1 if at < bytes.len() => bytes[at] = random.byte(),
            2 => bytes.truncate(at),
            3 => drop(bytes.drain(at..end)),
            4 => {
                let again = bytes[at..end].to_vec();
                bytes.splice(at..at, again);
            }
            5 => {
                let other = &corpus[random.below(corpus.len())];
                let from = random.below(other.len());
                bytes.splice(at..end, other[from..].iter().copied());
            }
            6 => bytes = (0..random.below(200)).map(|_| random.byte()).collect(),
            _ => {
                let trick = TRICKS[random.below(TRICKS.len())];
                let end = end.min(at + trick.len());
                bytes.splice(at..end, trick.iter().copied());
            }
        }
    }
    bytes
}

/// Decodes as `M` and checks what it took.
fn decode<'a, M: Deserialize<'a>>(bytes: &'a [u8]) -> Result<M, WireError> {
    let (decoded, peak) = memory::peak(|| codec::decode::<M>(bytes));
    let most = PER_BYTE * bytes.len() + SPARE;
    assert!(peak <= most, "{peak} bytes of memory for a message of {} bytes", bytes.len());
    decoded
}

fn read_all(bytes: &[u8]) {
    let ((), peak) = memory::peak(|| {
        let outcomes = OutcomeReader::new(bytes).take_while(Result::is_ok).count();
        assert!(outcomes <= bytes.len(), "each outcome takes at least a byte");
        let items = ItemReader::new(bytes).take_while(Result::is_ok).count();
        assert!(items <= bytes.len(), "each item takes at least a byte");
        assert!(OutcomeReader::new(bytes).skip_while(Result::is_ok).nth(1).is_none(), "an error is the end");
        assert!(ItemReader::new(bytes).skip_while(Result::is_ok).nth(1).is_none(), "an error is the end");
    });
    assert_eq!(peak, 0, "outcomes and items are read where they lie");
}

/// Uses a description as the supervisor does, once it passed its check.
fn use_interface(interface: &Interface) {
    let Ok(()) = interface.check() else { return };
    assert!(interface.types.depth() <= 200);
    for task in &interface.tasks {
        assert!(task.params.iter().map(|(_, ty)| *ty).chain(task.result).all(|ty| interface.types.get(ty).is_some()));
    }
}

#[test]
fn mutated_messages_cost_an_error_and_no_more() {
    let corpus = corpus();
    let mut sound = [0; 6];
    for seed in rounds() {
        let _replay = Replay(seed);
        let bytes = mutate(&mut Random::new(seed), &corpus);
        if let Ok(message) = decode::<ToWorker<'_>>(&bytes) {
            sound[0] += 1;
            match message {
                ToWorker::Boot(boot) => use_interface(&boot.interface),
                ToWorker::Run(run) => read_all(run.items),
                ToWorker::Reply(..) | ToWorker::Lend(..) | ToWorker::LaidRun(_) | ToWorker::Laid(..) | ToWorker::Shutdown => {}
            }
        }
        if let Ok(message) = decode::<FromWorker<'_>>(&bytes) {
            sound[1] += 1;
            match message {
                FromWorker::Results { outcomes, .. } => read_all(outcomes),
                FromWorker::Ready(_)
                | FromWorker::Failed { .. }
                | FromWorker::Printed { .. }
                | FromWorker::Call(..)
                | FromWorker::Tell(_)
                | FromWorker::LaidResults(_)
                | FromWorker::Laid => {}
            }
        }
        if decode::<ToCompiler>(&bytes).is_ok() {
            sound[2] += 1;
        }
        if let Ok(message) = decode::<FromCompiler>(&bytes) {
            sound[3] += 1;
            match message {
                FromCompiler::Described(interface) => use_interface(&interface),
                FromCompiler::Compiled { .. } | FromCompiler::Refused(_) => {}
            }
        }
        if let Ok(interface) = decode::<Interface>(&bytes) {
            sound[4] += 1;
            use_interface(&interface);
        }
        if let Ok(types) = decode::<TypeTable>(&bytes) {
            sound[5] += usize::from(types.check().is_ok());
        }
        read_all(&bytes);
    }
    if rounds().count() >= 10_000 {
        assert!(sound.iter().all(|count| *count >= 50), "mutations that decode, and so go deeper, are too rare: {sound:?}");
    }
}

#[test]
fn the_densest_message_takes_memory_by_its_length() {
    // One enum whose cases all have empty names; as many types as fit; a record, a variant.
    let dense = |head: &[u8], each: &[u8]| {
        let count = (1 << 20) / each.len();
        let mut bytes = head.to_vec();
        let mut length = count;
        while length >= 0x80 {
            bytes.push(u8::try_from(length & 0x7f).unwrap() | 0x80);
            length >>= 7;
        }
        bytes.push(u8::try_from(length).unwrap());
        bytes.extend(each.repeat(count));
        bytes
    };
    for bytes in [dense(&[1, 18], &[0]), dense(&[], &[0]), dense(&[1, 15], &[0, 0]), dense(&[1, 17], &[0, 0])] {
        let types = decode::<TypeTable>(&bytes).unwrap();
        assert!(types.check().is_err());
    }
}

/// What a stream of bytes holds, found in the plainest way: whole messages, and whether a length over the cap ends them.
fn plain_frames(mut bytes: &[u8], cap: u64) -> (Vec<&[u8]>, bool) {
    let mut frames = Vec::new();
    while let Some((header, rest)) = bytes.split_first_chunk::<4>() {
        let length = u64::from(u32::from_le_bytes(*header));
        if length > cap {
            return (frames, true);
        }
        let Some((frame, rest)) = rest.split_at_checked(usize::try_from(length).unwrap()) else { break };
        frames.push(frame);
        bytes = rest;
    }
    (frames, false)
}

#[test]
fn frames_come_out_of_any_stream_cut_anywhere() {
    let corpus = corpus();
    let cap = 4096;
    for seed in rounds().take(20_000) {
        let _replay = Replay(seed);
        let mut random = Random::new(seed);
        let mut stream = Vec::new();
        for _ in 0..random.below(12) {
            let message = &corpus[random.below(corpus.len())];
            let length = match random.below(40) {
                0 => u32::try_from(random.next() >> 32).unwrap(),
                1 => u32::try_from(cap).unwrap() + 1,
                2 => 0,
                _ => u32::try_from(message.len()).unwrap(),
            };
            stream.extend_from_slice(&length.to_le_bytes());
            stream.extend_from_slice(message);
        }
        let (expected, too_long) = plain_frames(&stream, cap);
        let mut buffer = FrameBuffer::new(cap);
        let (mut seen, mut refused) = (0, false);
        let mut rest = stream.as_slice();
        'stream: while !rest.is_empty() {
            let space = buffer.space();
            let count = (1 + random.below(300)).min(rest.len()).min(space.len());
            space[..count].copy_from_slice(&rest[..count]);
            buffer.filled(count);
            rest = &rest[count..];
            loop {
                match buffer.next_frame() {
                    Ok(Some(frame)) => {
                        assert_eq!(Some(&frame), expected.get(seen));
                        seen += 1;
                    }
                    Ok(None) => break,
                    Err(error) => {
                        assert!(matches!(error, WireError::FrameTooLong { cap: 4096, .. }));
                        refused = true;
                        break 'stream;
                    }
                }
            }
        }
        assert_eq!((seen, refused), (expected.len(), too_long));
    }
}

#[test]
fn a_trickle_of_single_bytes_takes_memory_by_what_arrived() {
    let cap = 64 << 20;
    let ((), peak) = memory::peak(|| {
        let mut buffer = FrameBuffer::new(cap);
        let announced = u32::try_from(cap).unwrap().to_le_bytes();
        for byte in announced.into_iter().chain(std::iter::repeat_n(7, 100_000)) {
            buffer.space()[0] = byte;
            buffer.filled(1);
            assert_eq!(buffer.next_frame(), Ok(None));
            assert!(buffer.is_partial());
        }
    });
    assert!(peak <= 2 << 20, "{peak} bytes of memory for 100000 bytes of a frame of 64 MiB that was announced");
}

#[test]
fn a_long_frame_arrives_and_its_memory_is_given_back() {
    let cap = 64 << 20;
    let long = vec![7u8; 40 << 20];
    let mut buffer = FrameBuffer::new(cap);
    let (frames, peak) = memory::peak(|| {
        let header = u32::try_from(long.len()).unwrap().to_le_bytes();
        let mut frames = 0;
        for piece in [header.as_slice(), &long, &header, &long, &[0, 0, 0, 0]] {
            let mut rest = piece;
            while !rest.is_empty() {
                let space = buffer.space();
                let count = space.len().min(rest.len()).min(200_000);
                assert!(count > 0, "a reader without space would take the end of the stream for its own");
                space[..count].copy_from_slice(&rest[..count]);
                buffer.filled(count);
                rest = &rest[count..];
                while let Some(frame) = buffer.next_frame().unwrap() {
                    assert!(frame.is_empty() || frame == long);
                    frames += 1;
                }
            }
        }
        frames
    });
    assert_eq!(frames, 3);
    assert!(peak <= 3 * long.len(), "{peak} bytes of memory for a frame of {}", long.len());
    assert!(buffer.space().len() <= 1 << 20, "a rare long frame's memory is kept for ever");
}

/// The digest is no defence against who can write to the cache, so it always agrees here.
#[test]
fn entries_of_the_cache_are_sound_or_none() {
    fn agreeable(_: &[&[u8]]) -> [u8; 32] {
        [0; 32]
    }
    use taskcell_wire::entry;
    let code = b"code";
    let mut corpus: Vec<Vec<u8>> = corpus();
    for interface in [Interface::default(), samples::interface()] {
        let whole = [&entry::head(&interface, code, agreeable).unwrap()[..], code].concat();
        let (again, at) = entry::decode(&whole, agreeable).unwrap();
        assert_eq!((&again, &whole[at..]), (&interface, &code[..]));
        corpus.push(whole[32..].to_vec());
    }
    let mut found = 0;
    for seed in rounds() {
        let _replay = Replay(seed);
        let mut random = Random::new(seed);
        let whole = [&[0; 32][..], &mutate(&mut random, &corpus)].concat();
        let Some((interface, at)) = entry::decode(&whole, agreeable) else { continue };
        assert!(at <= whole.len());
        use_interface(&interface);
        found += 1;
    }
    assert!(found > 0 || rounds().count() < 1000, "no mutation was ever an entry: the test looks at nothing");
}

//! The bytes of every message, frozen.
//!
//! A supervisor and a worker of two builds must not misread each other: that is what `PROTOCOL_VERSION` is for, and this test sees to
//! it that nobody changes bytes and forgets it. The bytes stand in `golden.txt`, a line each: name, then hexadecimal.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod samples;

use std::fmt::Write as _;

use serde::Serialize;
use taskcell_wire::{FromCompiler, FromWorker, PROTOCOL_VERSION, ToCompiler, ToWorker, codec, encode};

const GOLDEN: &str = include_str!("golden.txt");

fn line(out: &mut String, name: &str, message: &impl Serialize) {
    let mut frame = Vec::new();
    encode(message, 1 << 20, &mut frame).unwrap();
    write!(out, "{name}: ").unwrap();
    frame.iter().for_each(|byte| write!(out, "{byte:02x}").unwrap());
    out.push('\n');
}

fn all() -> String {
    let (items, count) = samples::items();
    let outcomes = samples::outcomes();
    let mut out = format!("PROTOCOL_VERSION: {PROTOCOL_VERSION}\n");
    samples::to_worker(&items, count).iter().for_each(|(name, message)| line(&mut out, name, message));
    samples::from_worker(&outcomes).iter().for_each(|(name, message)| line(&mut out, name, message));
    samples::to_compiler().iter().for_each(|(name, message)| line(&mut out, name, message));
    samples::from_compiler().iter().for_each(|(name, message)| line(&mut out, name, message));
    out
}

#[test]
fn a_change_of_bytes_demands_a_new_version() {
    let found = all();
    for (found, frozen) in found.lines().zip(GOLDEN.lines()).skip(1) {
        assert!(
            found == frozen,
            "\nThe bytes of a message changed. Such a change demands a PROTOCOL_VERSION bump: raise it by one in \
             host/wire/src/lib.rs, and then put what is found into host/wire/tests/golden.txt.\nfrozen {frozen}\nfound  {found}\n"
        );
    }
    assert_eq!(found.lines().count(), GOLDEN.lines().count(), "every message has its line in golden.txt:\n{found}");
    assert!(found == GOLDEN, "the version in golden.txt is that of another day; all its bytes should be:\n{found}");
}

#[test]
fn every_message_comes_back_as_it_went() {
    fn back<'a, M: serde::Deserialize<'a>>(frame: &'a [u8]) -> M {
        codec::decode(&frame[4..]).unwrap()
    }
    let (items, count) = samples::items();
    let outcomes = samples::outcomes();
    let mut frame = Vec::new();
    for (_, message) in samples::to_worker(&items, count) {
        frame.clear();
        encode(&message, 1 << 20, &mut frame).unwrap();
        assert_eq!(back::<ToWorker<'_>>(&frame), message);
    }
    for (_, message) in samples::from_worker(&outcomes) {
        frame.clear();
        encode(&message, 1 << 20, &mut frame).unwrap();
        assert_eq!(back::<FromWorker<'_>>(&frame), message);
    }
    for (_, message) in samples::to_compiler() {
        frame.clear();
        encode(&message, 1 << 20, &mut frame).unwrap();
        assert_eq!(back::<ToCompiler>(&frame), message);
    }
    for (_, message) in samples::from_compiler() {
        frame.clear();
        encode(&message, 1 << 20, &mut frame).unwrap();
        assert_eq!(back::<FromCompiler>(&frame), message);
    }
}

/// A new variant does not compile here until it has its place in `samples`.
#[test]
fn no_variant_is_forgotten() {
    use taskcell_wire::{Limit, TrapKind};
    let to_worker = |message: &ToWorker<'_>| match message {
        ToWorker::Boot(_) => 0,
        ToWorker::Run(_) => 1,
        ToWorker::Reply(..) => 2,
        ToWorker::Shutdown => 3,
        ToWorker::LaidRun(_) => 4,
        ToWorker::Laid(..) => 5,
        ToWorker::Lend(..) => 6,
    };
    let from_worker = |message: &FromWorker<'_>| match message {
        FromWorker::Ready(_) => 0,
        FromWorker::Failed { .. } => 1,
        FromWorker::Results { .. } => 2,
        FromWorker::Printed { .. } => 3,
        FromWorker::Call(..) => 4,
        FromWorker::Tell(_) => 5,
        FromWorker::LaidResults(_) => 6,
        FromWorker::Laid => 7,
    };
    let to_compiler = |message: &ToCompiler| match message {
        ToCompiler::Compile { .. } => 0,
        ToCompiler::Describe { .. } => 1,
    };
    let from_compiler = |message: &FromCompiler| match message {
        FromCompiler::Compiled { .. } => 0,
        FromCompiler::Described(_) => 1,
        FromCompiler::Refused(_) => 2,
    };
    let trap = |trap: &TrapKind| match trap {
        TrapKind::Unreachable => 0,
        TrapKind::MemoryOutOfBounds => 1,
        TrapKind::Table => 2,
        TrapKind::Arithmetic => 3,
        TrapKind::Abi => 4,
        TrapKind::Other => 5,
    };
    let limit = |limit: &Limit| match limit {
        Limit::Memory => 0,
        Limit::Table => 1,
        Limit::Instances => 2,
        Limit::Stack => 3,
        Limit::Fuel => 4,
        Limit::HostCall => 5,
        Limit::Handles => 6,
        Limit::Message => 7,
        Limit::Result => 8,
        Limit::Random => 9,
    };
    fn numbers(numbers: impl Iterator<Item = usize>) -> Vec<usize> {
        let mut numbers: Vec<usize> = numbers.collect();
        numbers.dedup();
        numbers
    }
    let (items, count) = samples::items();
    let outcomes = samples::outcomes();
    assert_eq!(numbers(samples::to_worker(&items, count).iter().map(|(_, m)| to_worker(m))), [0, 1, 2, 3, 4, 5, 6]);
    assert_eq!(numbers(samples::from_worker(&outcomes).iter().map(|(_, m)| from_worker(m))), [0, 1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(numbers(samples::to_compiler().iter().map(|(_, m)| to_compiler(m))), [0, 1]);
    assert_eq!(numbers(samples::from_compiler().iter().map(|(_, m)| from_compiler(m))), [0, 1, 2]);
    assert_eq!(numbers(samples::TRAPS.iter().map(trap)), [0, 1, 2, 3, 4, 5]);
    assert_eq!(numbers(samples::LIMITS.iter().map(limit)), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
}

//! Both sides of the exchange in one process.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use super::*;

fn shared() -> (SharedMemory, SharedMemory) {
    let (ours, fd) = SharedMemory::create().unwrap();
    (ours, SharedMemory::map(fd).unwrap())
}

fn writes(writer: &mut Writer<'_>, bytes: &[u8]) -> bool {
    writer.write(bytes);
    true
}

fn call(memory: &SharedMemory, bytes: &[u8]) -> Laid {
    super::call(memory, bytes.len(), |writer| writes(writer, bytes))
}

fn answer(memory: &SharedMemory, bytes: &[u8]) -> bool {
    super::answer(memory, bytes.len(), |writer| writes(writer, bytes))
}

fn lay_answer(memory: &SharedMemory, bytes: &[u8]) -> Option<u32> {
    super::lay_answer(memory, bytes.len(), |writer| writes(writer, bytes))
}

fn take_call<'a>(memory: &SharedMemory, space: &'a mut Vec<u8>) -> Option<&'a [u8]> {
    let length = super::take_call(memory)?;
    Some(read_call(memory, length, space))
}

#[test]
fn what_could_not_be_written_is_not_told() {
    let (ours, theirs) = shared();
    listen(&ours);
    assert_eq!(super::call(&theirs, 5, |_| false), Laid::No);
    assert!(!has_call(&ours));
    assert!(call(&theirs, b"call") == Laid::Seen && super::take_call(&ours) == Some(4));
    assert!(!super::answer(&ours, 5, |_| false));
    assert!(answer(&ours, b"now"));
}

#[test]
fn nothing_is_laid_for_one_who_does_not_listen() {
    let (ours, theirs) = shared();
    assert_eq!(call(&theirs, b"call"), Laid::No);
    listen(&ours);
    assert_eq!(call(&theirs, b"call"), Laid::Seen);
    stop_listening(&ours);
    assert!(has_call(&ours), "the last look finds it");
    assert_eq!(call(&theirs, b"call"), Laid::No);
}

#[test]
fn bytes_of_every_length_come_as_they_were_laid() {
    let (ours, theirs) = shared();
    listen(&ours);
    let most = most_bytes(&ours);
    let bytes: Vec<u8> = (0..=u8::MAX).cycle().take(most).collect();
    let mut space = Vec::new();
    for length in (1..100).chain([4095, 4096, 4097, most]) {
        assert_eq!(call(&theirs, &bytes[..length]), Laid::Seen, "{length}");
        assert!(take_call(&ours, &mut space) == Some(&bytes[..length]), "{length}");
        assert_eq!(take_call(&ours, &mut space), None, "a call is taken once");
        assert!(answer(&ours, &bytes[bytes.len() - length..]), "{length}");
        assert!(await_answer(&theirs, &mut space) == Some(&bytes[bytes.len() - length..]), "{length}");
    }
    assert_eq!(call(&theirs, &[]), Laid::No);
    assert_eq!(call(&theirs, &vec![0; most + 1]), Laid::No);
}

#[test]
fn an_answer_is_laid_for_one_who_looks_and_no_other() {
    let (ours, theirs) = shared();
    listen(&ours);
    let mut space = Vec::new();
    assert!(call(&theirs, b"call") == Laid::Seen && take_call(&ours, &mut space).is_some());
    assert_eq!(await_answer(&theirs, &mut space), None, "nobody answers");
    assert!(!answer(&ours, b"late"));
    assert!(call(&theirs, b"call") == Laid::Seen && take_call(&ours, &mut space).is_some());
    answer_by_socket(&ours);
    assert!(!answer(&ours, b"after it was said that it comes elsewhere"));
    assert_eq!(await_answer(&theirs, &mut space), None);
    assert!(call(&theirs, b"call") == Laid::Seen && take_call(&ours, &mut space).is_some());
    assert!(answer(&ours, b"once") && !answer(&ours, b"twice"));
    assert_eq!(await_answer(&theirs, &mut space), Some(&b"once"[..]));
}

#[test]
fn what_is_long_is_laid_for_one_who_does_not_look_too() {
    let (ours, theirs) = shared();
    let long = vec![7; LONG_BYTES];
    let mut space = Vec::new();
    assert_eq!(call(&theirs, &long), Laid::Unseen);
    assert_eq!(await_answer(&theirs, &mut space), None, "the supervisor sleeps");
    assert!(take_call(&ours, &mut space) == Some(&long));
    assert_eq!(lay_answer(&ours, &long[1..]), None, "short ones go over the socket");
    let length = lay_answer(&ours, &long).unwrap();
    assert!(read_answer(&theirs, length, &mut space) == long);
    assert_eq!(read_answer(&theirs, u32::MAX, &mut space).len(), most_bytes(&theirs));
    assert!(give_back(&ours));
    assert!(read_answer(&ours, length, &mut space).iter().all(|byte| *byte == 0), "its memory was given back");
    // One that looks all the same is told to look at the socket.
    listen(&ours);
    assert!(call(&theirs, b"call") == Laid::Seen && take_call(&ours, &mut space).is_some());
    assert!(lay_answer(&ours, &long).is_some() && await_answer(&theirs, &mut space).is_none());
}

#[test]
fn long_inputs_and_results_are_laid_and_none_over_another() {
    let (ours, theirs) = shared();
    let (long, other) = (vec![7; LONG_BYTES], vec![8; LONG_BYTES + 1]);
    let mut space = Vec::new();
    let lay_run = |bytes: &[u8]| super::lay_run(&ours, bytes.len(), |writer| writes(writer, bytes));
    let lay_results = |bytes: &[u8]| super::lay_results(&theirs, bytes.len(), |writer| writes(writer, bytes));
    assert_eq!(lay_run(&long[1..]), None, "short ones go over the socket");
    let length = lay_run(&long).unwrap();
    assert_eq!(lay_run(&other), None, "the others were not read");
    assert!(!give_back(&ours), "nor is their memory free");
    assert!(read_run(&theirs, length, &mut space) == long);
    assert!(!lay_results(&long[1..]) && lay_results(&other));
    assert!(!lay_results(&long), "the others were not read");
    listen(&ours);
    assert_eq!(call(&theirs, b"call"), Laid::No, "it would lie over them");
    assert!(lay_run(&long).is_some() && read_run(&theirs, length, &mut space) == long, "inputs lie elsewhere");
    assert!(take_results(&ours, u32::try_from(other.len()).unwrap(), &mut space) == other);
    assert_eq!(call(&theirs, b"call"), Laid::Seen);
    assert!(!lay_results(&long), "they would lie over a call");
    assert_eq!(take_call(&ours, &mut space), Some(&b"call"[..]));
    assert!(lay_results(&long));
    assert_eq!(take_results(&ours, u32::MAX, &mut space).len(), most_bytes(&ours));
    assert_eq!(lay_run(&vec![0; most_bytes(&ours) + 1]), None);
}

#[test]
fn a_hostile_length_is_clamped() {
    let (ours, theirs) = shared();
    let mut space = Vec::new();
    let most = most_bytes(&ours) as u64;
    for length in [1, 9, most + 1, 1 << 40, SOCKET, ASLEEP] {
        theirs.word(CALL).store(length, Ordering::SeqCst);
        assert_eq!(take_call(&ours, &mut space).map(<[u8]>::len), usize::try_from(length.min(most)).ok());
        theirs.word(ANSWER).store(length, Ordering::SeqCst);
        assert!(!answer(&ours, b"over something that was there already"));
    }
}

/// Two threads, each of which goes to sleep at random moments, with channels for sockets: nobody ever sleeps on a message.
#[test]
fn no_message_is_slept_on() {
    const CALLS: u64 = 40_000;
    let (ours, theirs) = shared();
    let (calls, called) = channel::<Vec<u8>>();
    let (answers, answered) = channel::<Vec<u8>>();
    let worker = std::thread::spawn(move || {
        let (mut nearby, mut space) = (0u64, Vec::new());
        for number in 0..CALLS {
            let message = number.to_le_bytes();
            let laid = call(&theirs, &message) == Laid::Seen;
            if !laid {
                calls.send(message.to_vec()).unwrap();
            }
            let looked = laid.then(|| await_answer(&theirs, &mut space)).flatten();
            nearby += u64::from(looked.is_some());
            let seen = looked.map_or_else(|| answered.recv_timeout(Duration::from_secs(60)).unwrap(), <[u8]>::to_vec);
            assert_eq!(seen, (number + 1).to_le_bytes());
        }
        nearby
    });
    let (mut space, mut taken) = (Vec::new(), 0u64);
    let mut spins = 0u32;
    loop {
        let handle = |frame: &[u8], laid: bool| {
            let number = u64::from_le_bytes(frame.try_into().unwrap());
            let message = (number + 1).to_le_bytes();
            // Every seventh is said to come by the other way, and every third does without a word.
            if laid && number % 7 == 0 {
                answer_by_socket(&ours);
            }
            if !laid || number % 3 == 0 || !answer(&ours, &message) {
                answers.send(message.to_vec()).unwrap();
            }
        };
        if let Some(frame) = take_call(&ours, &mut space) {
            taken += 1;
            handle(frame, true);
            continue;
        }
        spins = spins.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        if spins >> 28 != 0 {
            std::hint::spin_loop();
            continue;
        }
        stop_listening(&ours);
        if !has_call(&ours) {
            match called.recv_timeout(Duration::from_secs(60)) {
                Ok(frame) => handle(&frame, false),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("nobody called for a minute, and nothing lies here"),
            }
        }
        listen(&ours);
    }
    let nearby = worker.join().unwrap();
    // How many depends on what else runs; that each call was answered is what counts.
    assert!(taken >= nearby, "{taken} of {CALLS} calls were taken here, {nearby} answered");
}

//! One call and its answer in shared memory, while the supervisor is awake.
//!
//! Over the socket a call costs two wake-ups, each several times what the broker needs to answer it. So a supervisor that expects
//! calls listens for a few microseconds before it sleeps, and a worker whose call it will see waits for the answer as briefly. One place for a call
//! is enough, since a guest stands still until it is answered. The road not taken: a ring for all messages; tasks and results travel
//! many in a frame, and gain nothing from it.
//!
//! Invariants, and who keeps them:
//! 1. Messages arrive in the order in which they were sent, as over one stream. A call is laid here only if all that went
//!    over the socket before it was handled (`outbox.rs`), and answered here only if nothing was sent over the socket since.
//! 2. Nobody sleeps while something lies here for it. Whoever goes to sleep says so and then looks once more; whoever lays
//!    something looks then whether the other one sleeps, and takes it back to send it over the socket. Which of both happens is decided by
//!    one compare-and-swap.
//! 3. The other side may write anything at any time. Nothing is waited for without a bound, lengths are clamped, and what lies here is copied
//!    before it is looked at.

use std::sync::atomic::Ordering;

use taskcell_sandbox::SharedMemory;

use crate::stop::now;

/// The longest call or answer, with its frame's header, in bytes. Longer ones go over the socket, where a wake-up is the smaller part.
pub const MAILBOX_BYTES: usize = 28 * 1024;
/// How long either side looks before it sleeps, in nanoseconds: about what a wake-up costs, so at worst it costs twice.
pub const LOOK_NS: u64 = 20_000;

/// Eight words are a cache line; the first two lines are `page.rs`'s.
/// The length of the call that lies here; 0: none.
const CALL: usize = 16;
/// Where the caller ran, plus one.
const CALLER_CPU: usize = 17;
/// Where the supervisor listens, plus one; 0: it does not.
const LISTENING: usize = 24;
/// The answer's state, see [`OPEN`] and the others, or its length.
const ANSWER: usize = 32;
const CALL_BYTES: usize = 512;
const ANSWER_BYTES: usize = 4096;
const _: () = assert!(CALL_BYTES + MAILBOX_BYTES / 8 <= ANSWER_BYTES, "calls end where answers begin");
const _: () = assert!(ANSWER_BYTES + MAILBOX_BYTES / 8 <= SharedMemory::WORDS, "answers end with the memory");

/// The caller looks here for its answer.
const OPEN: u64 = 0;
/// The supervisor will send it over the socket.
const SOCKET: u64 = u64::MAX;
/// The caller looks at the socket only.
const ASLEEP: u64 = u64::MAX - 1;

/// The worker's side: lays `frames` for the supervisor. If not, they have to go over the socket.
#[must_use]
pub fn call(memory: &SharedMemory, frames: &[u8]) -> bool {
    memory.word(CALLER_CPU).store(cpu(), Ordering::Relaxed);
    if frames.is_empty() || frames.len() > MAILBOX_BYTES || memory.word(LISTENING).load(Ordering::Relaxed) == 0 {
        return false;
    }
    write(memory, CALL_BYTES, frames);
    memory.word(ANSWER).store(OPEN, Ordering::Relaxed);
    let length = frames.len() as u64;
    memory.word(CALL).store(length, Ordering::SeqCst);
    // The supervisor writes LISTENING and then reads CALL, so one of both sees the other.
    if memory.word(LISTENING).load(Ordering::SeqCst) != 0 {
        return true;
    }
    memory.word(CALL).compare_exchange(length, 0, Ordering::SeqCst, Ordering::Relaxed).is_err()
}

/// The worker's side, after [`call`]: looks for the answer for a moment. If it did not come, it comes over the socket.
#[must_use]
pub fn await_answer(memory: &SharedMemory, frame: &mut Vec<u8>) -> bool {
    let listener = memory.word(LISTENING).load(Ordering::Relaxed);
    // One who runs on the same processor runs when this one sleeps.
    let until = if listener == cpu() { 0 } else { now().saturating_add(LOOK_NS) };
    loop {
        match memory.word(ANSWER).load(Ordering::Acquire) {
            OPEN if now() < until => std::hint::spin_loop(),
            OPEN => {
                let asleep = memory.word(ANSWER).compare_exchange(OPEN, ASLEEP, Ordering::SeqCst, Ordering::Relaxed);
                if asleep.is_ok() {
                    return false;
                }
            }
            SOCKET | ASLEEP => return false,
            length => {
                read(memory, ANSWER_BYTES, length, frame);
                return true;
            }
        }
    }
}

/// The supervisor's side: from now on calls that are laid are looked for.
pub fn listen(memory: &SharedMemory) {
    memory.word(LISTENING).store(cpu(), Ordering::SeqCst);
}

/// The supervisor's side: the last look follows, and then none.
pub fn stop_listening(memory: &SharedMemory) {
    memory.word(LISTENING).store(0, Ordering::SeqCst);
}

/// The supervisor's side: whether a call seems to lie here.
#[must_use]
pub fn has_call(memory: &SharedMemory) -> bool {
    memory.word(CALL).load(Ordering::SeqCst) != 0
}

/// The supervisor's side: whether the worker last called from this very processor, so that it can't call while we look.
#[must_use]
pub fn calls_from_here(memory: &SharedMemory) -> bool {
    memory.word(CALLER_CPU).load(Ordering::Relaxed) == cpu()
}

/// The supervisor's side: takes the frames that were laid, as many bytes as the worker says, at most [`MAILBOX_BYTES`].
#[must_use]
pub fn take_call(memory: &SharedMemory, frames: &mut Vec<u8>) -> bool {
    let length = memory.word(CALL).load(Ordering::SeqCst);
    if length == 0 || memory.word(CALL).compare_exchange(length, 0, Ordering::SeqCst, Ordering::Relaxed).is_err() {
        return false;
    }
    read(memory, CALL_BYTES, length, frames);
    true
}

/// The supervisor's side: lays the answer to the call that was taken. If not, it has to go over the socket.
#[must_use]
pub fn answer(memory: &SharedMemory, frame: &[u8]) -> bool {
    if frame.is_empty() || frame.len() > MAILBOX_BYTES || memory.word(ANSWER).load(Ordering::Relaxed) != OPEN {
        return false;
    }
    write(memory, ANSWER_BYTES, frame);
    memory.word(ANSWER).compare_exchange(OPEN, frame.len() as u64, Ordering::SeqCst, Ordering::Relaxed).is_ok()
}

/// The supervisor's side: the answer to the call that was taken takes a while, and comes over the socket.
pub fn answer_by_socket(memory: &SharedMemory) {
    let _ = memory.word(ANSWER).compare_exchange(OPEN, SOCKET, Ordering::SeqCst, Ordering::Relaxed);
}

/// This processor's number plus one.
fn cpu() -> u64 {
    rustix::thread::sched_getcpu() as u64 + 1
}

fn write(memory: &SharedMemory, at: usize, bytes: &[u8]) {
    let (words, rest) = bytes.as_chunks();
    let mut last = [0; size_of::<u64>()];
    last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
    for (place, word) in (at..).zip(words.iter().chain((!rest.is_empty()).then_some(&last))) {
        memory.word(place).store(u64::from_le_bytes(*word), Ordering::Relaxed);
    }
}

fn read(memory: &SharedMemory, at: usize, length: u64, bytes: &mut Vec<u8>) {
    let length = usize::try_from(length).unwrap_or(usize::MAX).min(MAILBOX_BYTES);
    bytes.clear();
    let words = (at..).take(length.div_ceil(size_of::<u64>()));
    bytes.extend(words.flat_map(|place| memory.word(place).load(Ordering::Relaxed).to_le_bytes()));
    bytes.truncate(length);
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use std::sync::mpsc::{RecvTimeoutError, channel};
    use std::time::Duration;

    use super::*;

    fn shared() -> (SharedMemory, SharedMemory) {
        let (ours, fd) = SharedMemory::create().unwrap();
        (ours, SharedMemory::map(fd).unwrap())
    }

    #[test]
    fn nothing_is_laid_for_one_who_does_not_listen() {
        let (ours, theirs) = shared();
        assert!(!call(&theirs, b"call"));
        listen(&ours);
        assert!(call(&theirs, b"call"));
        stop_listening(&ours);
        assert!(has_call(&ours), "the last look finds it");
        assert!(!call(&theirs, b"call"));
    }

    #[test]
    fn bytes_of_every_length_come_as_they_were_laid() {
        let (ours, theirs) = shared();
        listen(&ours);
        let bytes: Vec<u8> = (0..=u8::MAX).cycle().take(MAILBOX_BYTES).collect();
        let mut seen = Vec::new();
        for length in (1..100).chain([4095, 4096, 4097, MAILBOX_BYTES]) {
            assert!(call(&theirs, &bytes[..length]), "{length}");
            assert!(take_call(&ours, &mut seen) && seen == bytes[..length], "{length}");
            assert!(!take_call(&ours, &mut seen), "a call is taken once");
            assert!(answer(&ours, &bytes[bytes.len() - length..]), "{length}");
            assert!(await_answer(&theirs, &mut seen) && seen == bytes[bytes.len() - length..], "{length}");
        }
        assert!(!call(&theirs, &[]) && !call(&theirs, &vec![0; MAILBOX_BYTES + 1]));
    }

    #[test]
    fn an_answer_is_laid_for_one_who_looks_and_no_other() {
        let (ours, theirs) = shared();
        listen(&ours);
        let mut seen = Vec::new();
        assert!(call(&theirs, b"call") && take_call(&ours, &mut seen));
        assert!(!await_answer(&theirs, &mut seen), "nobody answers");
        assert!(!answer(&ours, b"late"));
        assert!(call(&theirs, b"call") && take_call(&ours, &mut seen));
        answer_by_socket(&ours);
        assert!(!answer(&ours, b"after it was said that it comes elsewhere"));
        assert!(!await_answer(&theirs, &mut seen));
        assert!(call(&theirs, b"call") && take_call(&ours, &mut seen));
        assert!(answer(&ours, b"once") && !answer(&ours, b"twice"));
        assert!(await_answer(&theirs, &mut seen) && seen == b"once");
    }

    #[test]
    fn a_hostile_length_is_clamped() {
        let (ours, theirs) = shared();
        let mut seen = Vec::new();
        for length in [1, 9, MAILBOX_BYTES as u64 + 1, 1 << 40, SOCKET, ASLEEP] {
            theirs.word(CALL).store(length, Ordering::SeqCst);
            assert!(take_call(&ours, &mut seen));
            assert_eq!(seen.len() as u64, length.min(MAILBOX_BYTES as u64));
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
            let (mut nearby, mut frame) = (0u64, Vec::new());
            for number in 0..CALLS {
                let message = number.to_le_bytes();
                let laid = call(&theirs, &message);
                if !laid {
                    calls.send(message.to_vec()).unwrap();
                }
                let seen = if laid && await_answer(&theirs, &mut frame) {
                    nearby += 1;
                    frame.clone()
                } else {
                    answered.recv_timeout(Duration::from_secs(60)).unwrap()
                };
                assert_eq!(seen, (number + 1).to_le_bytes());
            }
            nearby
        });
        let (mut frame, mut taken) = (Vec::new(), 0u64);
        let mut spins = 0u32;
        loop {
            let mut handle = |frame: &[u8], laid: bool| {
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
            if take_call(&ours, &mut frame) {
                taken += 1;
                handle(&frame, true);
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
        assert!(taken >= nearby && nearby > 0, "{taken} of {CALLS} calls were taken here, {nearby} answered");
    }
}

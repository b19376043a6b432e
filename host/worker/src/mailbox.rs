//! One call and its answer in shared memory, while the supervisor is awake.
//!
//! Over the socket a call costs two wake-ups, each several times what the broker needs to answer it. So a supervisor that expects
//! calls listens for a few microseconds before it sleeps, and a worker whose call it will see waits for the answer as briefly. One place for a call
//! is enough, since a guest stands still until it is answered. The road not taken: a ring for all messages; tasks and results travel
//! many in a frame, and gain nothing from it.
//!
//! A long call or answer is laid here too when nobody looks, and a short message over the socket says so: a socket takes some 200 KiB, and for
//! a longer message both sides would have to wake each other several times.
//!
//! Long inputs and long results are laid in the same two places, one of each at a time: inputs for a worker that waits for no answer, since it has nothing to do or makes
//! no calls; results when their task has ended, which makes no call any more.
//!
//! Invariants, and who keeps them:
//! 1. Messages arrive in the order in which they were sent, as over one stream. A call is laid here only if all that went
//!    over the socket before it was handled (`outbox.rs`), and answered here only if nothing was sent over the socket since. A message that
//!    says that something lies here stands for it in the stream.
//! 2. Nobody sleeps while something lies here for it. Whoever goes to sleep says so and then looks once more; whoever lays
//!    something looks then whether the other one sleeps, and takes it back to send it over the socket. Which of both happens is decided by
//!    one compare-and-swap.
//! 3. The other side may write anything at any time. Nothing is waited for without a bound, lengths are clamped, and what lies here is copied
//!    before it is looked at.

use std::sync::atomic::Ordering;

use taskcell_sandbox::SharedMemory;

pub use area::Writer;

use crate::look::cpu;
use crate::stop::now;
use crate::words::{ANSWER, CALL, CALL_BYTES, CALLER_CPU, LISTENING, LONG, RESULTS, RUN, answer_bytes};

/// From this length on a message is laid here whether somebody looks or not: copying it is what costs most.
pub const LONG_BYTES: usize = 16 * 1024;
/// How long a caller looks for its answer before it sleeps, in nanoseconds: about what a wake-up costs, so at worst it costs twice.
const LOOK_NS: u64 = 20_000;

/// States of [`ANSWER`] that are no length. The caller looks here for its answer.
const OPEN: u64 = 0;
/// The supervisor will send it over the socket.
const SOCKET: u64 = u64::MAX;
/// The caller looks at the socket only.
const ASLEEP: u64 = u64::MAX - 1;

/// What became of a call that was to be laid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Laid {
    /// It lies there, and the supervisor looks.
    Seen,
    /// It lies there, and the supervisor has to be told.
    Unseen,
    /// It has to go over the socket.
    No,
}

/// The longest call or answer, with its frame's header, in bytes: nearly half of the memory, so 2 MiB, or 476 KiB. Longer ones go over the socket.
#[must_use]
pub fn most_bytes(memory: &SharedMemory) -> usize {
    (answer_bytes(memory) - CALL_BYTES) * size_of::<u64>()
}

/// The worker's side: says on which processor it makes calls.
pub(crate) fn calls_here(memory: &SharedMemory) {
    memory.word(CALLER_CPU).store(cpu(), Ordering::Relaxed);
}

/// The worker's side: lays frames of `length` bytes for the supervisor, if that can be. `write` writes them, and says whether it did.
#[must_use]
pub fn call(memory: &SharedMemory, length: usize, write: impl FnOnce(&mut Writer<'_>) -> bool) -> Laid {
    calls_here(memory);
    let long = length >= LONG_BYTES;
    let sleeps = !long && memory.word(LISTENING).load(Ordering::Relaxed) == 0;
    if length == 0 || length > most_bytes(memory) || sleeps || has_results(memory) || !lay(memory, CALL_BYTES, write) {
        return Laid::No;
    }
    if long {
        memory.word(LONG).store(1, Ordering::Relaxed);
    }
    memory.word(ANSWER).store(OPEN, Ordering::Relaxed);
    let length = length as u64;
    memory.word(CALL).store(length, Ordering::SeqCst);
    // The supervisor writes LISTENING and then reads CALL, so one of both sees the other.
    if memory.word(LISTENING).load(Ordering::SeqCst) != 0 {
        return Laid::Seen;
    }
    if long {
        return Laid::Unseen;
    }
    match memory.word(CALL).compare_exchange(length, 0, Ordering::SeqCst, Ordering::Relaxed) {
        Ok(_) => Laid::No,
        Err(_) => Laid::Seen,
    }
}

/// The worker's side, after [`call`]: looks for the answer for a moment. If it did not come, it comes over the socket.
#[must_use]
pub fn await_answer<'a>(memory: &SharedMemory, space: &'a mut Vec<u8>) -> Option<&'a [u8]> {
    let listener = memory.word(LISTENING).load(Ordering::Relaxed);
    // One who runs on the same processor runs when this one sleeps, and one who sleeps takes longer than a look.
    let until = if listener == 0 || listener == cpu() { 0 } else { now().saturating_add(LOOK_NS) };
    loop {
        match memory.word(ANSWER).load(Ordering::Acquire) {
            OPEN if now() < until => std::hint::spin_loop(),
            OPEN => {
                let asleep = memory.word(ANSWER).compare_exchange(OPEN, ASLEEP, Ordering::SeqCst, Ordering::Relaxed);
                if asleep.is_ok() {
                    return None;
                }
            }
            SOCKET | ASLEEP => return None,
            length => return Some(read(memory, answer_bytes(memory), length, space)),
        }
    }
}

/// The worker's side: the answer of which was told over the socket that it lies here.
#[must_use]
pub fn read_answer<'a>(memory: &SharedMemory, length: u32, space: &'a mut Vec<u8>) -> &'a [u8] {
    memory.word(LONG).store(1, Ordering::Relaxed);
    read(memory, answer_bytes(memory), u64::from(length), space)
}

/// The worker's side, between calls: lays a frame of long results, to be told over the socket. Whether it did: not if it is short, or if the supervisor has not read
/// the last ones.
#[must_use]
pub fn lay_results(memory: &SharedMemory, length: usize, write: impl FnOnce(&mut Writer<'_>) -> bool) -> bool {
    let fits = (LONG_BYTES..=most_bytes(memory)).contains(&length);
    if !fits || has_results(memory) || has_call(memory) || !lay(memory, CALL_BYTES, write) {
        return false;
    }
    memory.word(RESULTS).store(length as u64, Ordering::SeqCst);
    true
}

fn has_results(memory: &SharedMemory) -> bool {
    memory.word(RESULTS).load(Ordering::SeqCst) != 0
}

/// The supervisor's side: the results of which was told over the socket that they lie here, in a copy. From then on the worker may lay others.
#[must_use]
pub fn take_results<'a>(memory: &SharedMemory, length: u32, space: &'a mut Vec<u8>) -> &'a [u8] {
    let results = read(memory, CALL_BYTES, u64::from(length), space);
    memory.word(RESULTS).store(0, Ordering::SeqCst);
    results
}

/// The supervisor's side: lays a frame of long inputs for a worker that waits for no answer. Its length, to be told over the socket; `None` if it has to go there
/// itself, since it is short or the last one was not read.
#[must_use]
pub fn lay_run(memory: &SharedMemory, length: usize, write: impl FnOnce(&mut Writer<'_>) -> bool) -> Option<u32> {
    let told = u32::try_from(length).ok().filter(|_| (LONG_BYTES..=most_bytes(memory)).contains(&length))?;
    if memory.word(RUN).load(Ordering::SeqCst) != 0 || !lay(memory, answer_bytes(memory), write) {
        return None;
    }
    memory.word(RUN).store(length as u64, Ordering::SeqCst);
    Some(told)
}

/// The worker's side: the inputs of which was told over the socket that they lie here.
#[must_use]
pub fn read_run<'a>(memory: &SharedMemory, length: u32, space: &'a mut Vec<u8>) -> &'a [u8] {
    let run = read(memory, answer_bytes(memory), u64::from(length), space);
    memory.word(RUN).store(0, Ordering::SeqCst);
    run
}

/// The worker's side, while it makes no calls: the allocator gives memory back that long messages took.
pub fn rest(memory: &SharedMemory) {
    if memory.word(LONG).load(Ordering::Relaxed) != 0 {
        taskcell_sandbox::give_back_memory();
        memory.word(LONG).store(0, Ordering::Relaxed);
    }
}

/// The supervisor's side, while the worker has nothing to do: the memory where messages lie is given back, unless one lies there that was not read (inputs, all of
/// which were taken back). Whether it was. The worker can't do it, since inputs may be laid at any moment.
#[must_use]
pub fn give_back(memory: &SharedMemory) -> bool {
    let is_free = [CALL, RESULTS, RUN].iter().all(|word| memory.word(*word).load(Ordering::SeqCst) == 0);
    if is_free {
        memory.release(CALL_BYTES);
    }
    is_free
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

/// The supervisor's side: takes the frames that were laid: how many bytes the worker says they are, at most [`most_bytes`]. They lie here until the call
/// is answered.
#[must_use]
pub fn take_call(memory: &SharedMemory) -> Option<usize> {
    let length = memory.word(CALL).load(Ordering::SeqCst);
    if length == 0 || memory.word(CALL).compare_exchange(length, 0, Ordering::SeqCst, Ordering::Relaxed).is_err() {
        return None;
    }
    Some(usize::try_from(length).unwrap_or(usize::MAX).min(most_bytes(memory)))
}

/// The supervisor's side: the frames that were taken.
#[must_use]
pub fn read_call<'a>(memory: &SharedMemory, length: usize, space: &'a mut Vec<u8>) -> &'a [u8] {
    read(memory, CALL_BYTES, length as u64, space)
}

/// The supervisor's side: lays the answer to the call that was taken, a frame of `length` bytes that `write` writes. If not, it has to go over the
/// socket.
#[must_use]
pub fn answer(memory: &SharedMemory, length: usize, write: impl FnOnce(&mut Writer<'_>) -> bool) -> bool {
    if length == 0 || length > most_bytes(memory) || memory.word(ANSWER).load(Ordering::Relaxed) != OPEN {
        return false;
    }
    lay(memory, answer_bytes(memory), write)
        && memory.word(ANSWER).compare_exchange(OPEN, length as u64, Ordering::SeqCst, Ordering::Relaxed).is_ok()
}

/// The supervisor's side: lays a long answer that nobody looks for. Its length, to be told over the socket; `None` if it has to go there itself.
#[must_use]
pub fn lay_answer(memory: &SharedMemory, length: usize, write: impl FnOnce(&mut Writer<'_>) -> bool) -> Option<u32> {
    let told = u32::try_from(length).ok().filter(|_| (LONG_BYTES..=most_bytes(memory)).contains(&length))?;
    answer_by_socket(memory);
    lay(memory, answer_bytes(memory), write).then_some(told)
}

/// The supervisor's side: the answer to the call that was taken takes a while, and comes over the socket.
pub fn answer_by_socket(memory: &SharedMemory) {
    let _ = memory.word(ANSWER).compare_exchange(OPEN, SOCKET, Ordering::SeqCst, Ordering::Relaxed);
}

/// Writes from `at` on; whether all was written.
fn lay(memory: &SharedMemory, at: usize, write: impl FnOnce(&mut Writer<'_>) -> bool) -> bool {
    area::lay(memory, at, most_bytes(memory), write)
}

/// The bytes that lie there, in a copy. `space` only grows: clearing it would cost as much as copying.
fn read<'a>(memory: &SharedMemory, at: usize, length: u64, space: &'a mut Vec<u8>) -> &'a [u8] {
    let length = usize::try_from(length).unwrap_or(usize::MAX).min(most_bytes(memory));
    area::read(memory, at, length, space)
}

pub(crate) mod area;
#[cfg(test)]
mod tests;

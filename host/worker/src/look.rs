//! A look before going to sleep: whether the other side has sent something, without a system call.
//!
//! The failure that this prevents: one task after the other, each of a few microseconds, waits twice for a sleeping processor, which takes 20 to 50
//! us where processors are virtual. So whoever expects the other side to send soon watches a counter in shared memory for about as long as a
//! wake-up takes. What was sent is on the socket in any case, and who looked in vain sleeps there: a counter that lies costs a look.
//!
//! Looking takes a processor, so it is done only while the other side runs on another one (it could not send anything from this one), and looks in
//! vain let pass the next occasions, up to 63 in a row ([`Backoff`]).

use std::sync::atomic::{AtomicU64, Ordering};

use taskcell_sandbox::SharedMemory;

use crate::stop::now;
use crate::words::{ANSWERED, SENT, SUPERVISOR_CPU, WORKER_CPU};

/// How long a look lasts, in nanoseconds: what it takes a process to wake up where processors are virtual and asleep.
pub const LOOK_NS: u64 = 50_000;
/// Looks in vain double the number of occasions that are let pass, up to 2 to the power of this.
const MOST_DOUBLINGS: u32 = 6;

/// Which occasions to look are taken.
#[derive(Debug, Default)]
pub struct Backoff {
    /// Looks in vain since one was not.
    vain: u32,
    /// Occasions to let pass.
    pass: u32,
}

impl Backoff {
    /// Whether to look at this occasion.
    #[must_use]
    pub fn may_pay(&mut self) -> bool {
        self.pass = self.pass.saturating_sub(1);
        self.pass == 0
    }

    /// The look found something, or not.
    pub fn looked(&mut self, found: bool) {
        self.vain = if found { 0 } else { (self.vain + 1).min(MOST_DOUBLINGS) };
        self.pass = if found { 0 } else { (1 << self.vain) - 1 };
    }
}

/// The worker's side: what was to be sent is sent.
pub fn answered(memory: &SharedMemory) {
    count(memory, ANSWERED, WORKER_CPU);
}

/// The supervisor's side: what was to be sent is sent.
pub fn sent(memory: &SharedMemory) {
    count(memory, SENT, SUPERVISOR_CPU);
}

/// The worker's side: how often the supervisor has sent something.
#[must_use]
pub fn sendings(memory: &SharedMemory) -> u64 {
    memory.word(SENT).load(Ordering::Acquire)
}

/// The supervisor's side: how often the worker has answered.
#[must_use]
pub fn answers(memory: &SharedMemory) -> u64 {
    memory.word(ANSWERED).load(Ordering::Acquire)
}

/// The supervisor's side: whether the worker last answered from this very processor.
#[must_use]
pub fn answers_from_here(memory: &SharedMemory) -> bool {
    memory.word(WORKER_CPU).load(Ordering::Relaxed) == cpu()
}

/// The worker's side: looks for a moment, if that may pay, whether more was sent than the `seen` times.
pub fn await_sending(memory: &SharedMemory, backoff: &mut Backoff, seen: u64) {
    if memory.word(SUPERVISOR_CPU).load(Ordering::Relaxed) != cpu() && backoff.may_pay() {
        backoff.looked(look(|| sendings(memory) != seen));
    }
}

/// Looks for a moment until `found`; whether it was.
pub fn look(mut found: impl FnMut() -> bool) -> bool {
    let until = now().saturating_add(LOOK_NS);
    loop {
        if found() {
            return true;
        }
        if now() >= until {
            return false;
        }
        std::hint::spin_loop();
    }
}

/// This processor's number plus one.
pub(crate) fn cpu() -> u64 {
    rustix::thread::sched_getcpu() as u64 + 1
}

/// Each side counts in its own words only.
fn count(memory: &SharedMemory, counter: usize, place: usize) {
    let word: &AtomicU64 = memory.word(counter);
    memory.word(place).store(cpu(), Ordering::Relaxed);
    word.store(word.load(Ordering::Relaxed).wrapping_add(1), Ordering::Release);
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use super::*;

    #[test]
    fn looks_in_vain_become_rare_and_one_that_pays_brings_them_back() {
        let mut backoff = Backoff::default();
        let looks = (0..1000).filter(|_| backoff.may_pay()).count();
        assert_eq!(looks, 1000);
        let mut taken = Vec::new();
        for occasion in 0..1000 {
            if backoff.may_pay() {
                taken.push(occasion);
                backoff.looked(false);
            }
        }
        assert_eq!(&taken[..6], [0, 1, 4, 11, 26, 57]);
        assert_eq!(taken.last().unwrap() - taken[taken.len() - 2], 63);
        while !backoff.may_pay() {}
        backoff.looked(true);
        assert!(backoff.may_pay() && backoff.may_pay());
    }

    #[test]
    fn what_is_sent_ends_a_look_and_nothing_else_does() {
        let (memory, _fd) = SharedMemory::create().unwrap();
        let seen = sendings(&memory);
        answered(&memory);
        assert!(!look(|| sendings(&memory) != seen), "the other side's counter is another");
        assert_eq!(answers(&memory), 1);
        sent(&memory);
        assert!(look(|| sendings(&memory) != seen));
    }
}

//! Which word of the shared memory is whose, and where messages lie in it.
//!
//! In one place because four modules use it: an index that two of them took for theirs would make a counter of one a flag of the other. Eight words
//! are a cache line; words that different sides write to stand in different lines, but for those that both sides write to.

use taskcell_sandbox::SharedMemory;

/// By the worker: the running task (`page.rs`).
pub(crate) const RUNNING: usize = 0;
/// By the worker: grows while a task runs and the process does.
pub(crate) const BEAT: usize = 1;
/// By the worker: how often it has answered (`look.rs`).
pub(crate) const ANSWERED: usize = 2;
/// By the worker: the processor on which it did, plus one.
pub(crate) const WORKER_CPU: usize = 3;

/// By the supervisor: the chunk to stop (`page.rs`).
pub(crate) const STOP: usize = 8;
/// By the supervisor: how often it has sent (`look.rs`).
pub(crate) const SENT: usize = 9;
/// By the supervisor: the processor on which it did, plus one.
pub(crate) const SUPERVISOR_CPU: usize = 10;
/// By the supervisor: the length of the inputs that lie where answers do; 0: none (`mailbox.rs`). The worker sets it to 0 when it has read them.
pub(crate) const RUN: usize = 11;

/// By the worker: the length of the call that lies here; 0: none (`mailbox.rs`). The supervisor takes it by setting it to 0.
pub const CALL: usize = 16;
/// By the worker: where the caller ran, plus one.
pub(crate) const CALLER_CPU: usize = 17;
/// By the worker: whether a long message lay here since memory was last given back.
pub(crate) const LONG: usize = 18;

/// By the worker: the length of the results that lie where calls do; 0: none (`mailbox.rs`). The supervisor sets it to 0 when it has read them.
pub(crate) const RESULTS: usize = 19;

/// By the supervisor: where it listens, plus one; 0: it does not.
pub const LISTENING: usize = 24;

/// By both: the answer's state or its length.
pub(crate) const ANSWER: usize = 32;

/// By both: the turn of the task that is claimed next (`page.rs`).
pub const CLAIMED: usize = 40;

/// By both: how many words of posts there are, and whether they are all (`loan.rs`).
pub(crate) const POSTED: usize = 48;
/// By both: whether the supervisor was rung for them.
pub(crate) const RUNG: usize = 49;

/// By both: how many messages of those that were lent were taken, and whether they are all (`loan.rs`).
pub(crate) const TAKEN: usize = 56;

/// Where the bytes of posts begin: 32 KiB.
pub(crate) const POST_BYTES: usize = 512;

/// Where a call's bytes begin.
pub const CALL_BYTES: usize = POST_BYTES + 4096;

/// Where an answer's bytes begin, and a call's end.
pub(crate) fn answer_bytes(memory: &SharedMemory) -> usize {
    memory.words() / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each side's words, and those that both write to.
    const WORKER: [usize; 8] = [RUNNING, BEAT, ANSWERED, WORKER_CPU, CALL, CALLER_CPU, LONG, RESULTS];
    const SUPERVISOR: [usize; 5] = [STOP, SENT, SUPERVISOR_CPU, RUN, LISTENING];
    const BOTH: [usize; 5] = [ANSWER, CLAIMED, POSTED, RUNG, TAKEN];

    #[test]
    fn no_word_has_two_meanings_and_no_line_two_writers() {
        let all = [&WORKER[..], &SUPERVISOR, &BOTH].concat();
        for (at, word) in all.iter().enumerate() {
            assert!(*word < POST_BYTES && !all[..at].contains(word), "word {word}");
        }
        let line = |words: &[usize]| words.iter().map(|word| word / 8).collect::<Vec<_>>();
        let (worker, supervisor, both) = (line(&WORKER), line(&SUPERVISOR), line(&BOTH));
        assert!(supervisor.iter().all(|line| !worker.contains(line)));
        assert!(both.iter().all(|line| !worker.contains(line) && !supervisor.contains(line)));
    }
}

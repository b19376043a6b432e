//! Outcomes as a worker wrote them: checked, held against what it was given, and handed to those who wait.
//!
//! The failures that this prevents: a result that nobody asked for, or that an embedder's parser chokes on; a task that counts as ended and
//! whose outcome went nowhere. All outcomes of a message are checked before the first of them is taken.
//!
//! It is here and not with the sockets so that simulated workers (`tests/simulation`) meet the same code as real ones.

use taskcell_wire::call::{Bytes, Ended, SharedBytes, TaskValue};
use taskcell_wire::limits::EXPLANATION_BYTES;
use taskcell_wire::{ChunkId, Encoding, JobId, Outcome, OutcomeReader, OutcomeWriter, WorkerId};

use super::Broker;
use crate::chunk::{Attempt, Cause};
use crate::effect::Violation;
use crate::options::{RetryBudget, Verdict};
use crate::time::{Duration, Now};

/// Outcomes of consecutive tasks of a chunk, as a worker sent them.
#[derive(Debug, Clone)]
pub struct Results<'a> {
    /// Of which chunk.
    pub chunk: ChunkId,
    /// The first task's place in it.
    pub first: u32,
    /// How many there should be.
    pub count: u32,
    /// How long they ran together.
    pub nanoseconds: u64,
    /// As [`OutcomeWriter`] writes them.
    pub outcomes: Bytes<'a>,
}

/// By what a worker's outcomes are measured.
#[derive(Debug, Clone, Copy)]
pub struct ResultCheck {
    /// The worker's process, for the record of attempts that failed.
    pub pid: u32,
    /// The longest result, in bytes.
    pub result_bytes: u64,
    /// Whether bytes are one line of JSON that may be printed. The engine knows; it is not linked here.
    pub is_printable_json: fn(&[u8]) -> bool,
}

/// Consecutive tasks of the API that ended with outcomes of their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// Whose tasks.
    pub job: JobId,
    /// The first one's place in the job.
    pub first: u64,
    /// How many.
    pub count: u32,
    /// How many of them ended badly; those that were cancelled are not among them.
    pub failures: u32,
    /// Their outcomes as the worker wrote them, checked.
    pub outcomes: SharedBytes,
    /// Attempts of the (only) task that failed before.
    pub history: Vec<Attempt>,
}

impl Broker {
    /// A worker that is ready sent outcomes. Those of a guest's tasks go to the guest that started them, those of the API's to `deliver`.
    ///
    /// # Errors
    /// A [`Violation`]: the worker has to be killed. What was delivered until then has ended all the same.
    pub fn results(
        &mut self,
        now: Now,
        worker: WorkerId,
        results: Results<'_>,
        check: &ResultCheck,
        deliver: &mut dyn FnMut(Finished),
    ) -> Result<(), Violation> {
        let Results { chunk, first, count, nanoseconds, outcomes } = results;
        let output = self.output(worker, chunk).ok_or(Violation::ForeignChunk)?;
        let budget = self.budget(worker);
        let history = self.history(worker, chunk).to_vec();
        let mut retried: Vec<(u32, Cause, u64)> = Vec::new();
        let (mut seen, mut failures) = (0u32, 0u32);
        for outcome in OutcomeReader::new(&outcomes) {
            let (ns, outcome) = outcome.map_err(|_| Violation::Malformed)?;
            failures += u32::from(is_failure(&outcome));
            check_outcome(&outcome, output, check)?;
            if let Some(cause) = cause(budget, &outcome) {
                retried.push((seen, cause, ns));
            }
            seen = seen.checked_add(1).ok_or(Violation::OutOfOrder)?;
        }
        // What a command wrote belongs to one outcome.
        if seen != count || (output == Encoding::Command && count > 1) {
            return Err(Violation::OutOfOrder);
        }
        if retried.is_empty() {
            let (job, place) = self.finished(now, worker, chunk, first, count, nanoseconds)?;
            let finished = Finished { job, first: place, count, failures, outcomes: outcomes.into_shared(), history };
            self.hand_on(now, output, finished, deliver);
            return Ok(());
        }
        let each = nanoseconds / u64::from(count.max(1));
        for (at, outcome) in (0u32..).zip(OutcomeReader::new(&outcomes)) {
            let (ns, outcome) = outcome.map_err(|_| Violation::Malformed)?;
            let place = first.saturating_add(at);
            let (job, index) = match retried.iter().find(|(retried, _, _)| *retried == at) {
                None => self.finished(now, worker, chunk, place, 1, each)?,
                Some((_, cause, ran)) => {
                    let attempt = Attempt { pid: check.pid, cause: cause.clone(), ran: Duration(*ran) };
                    match self.attempt_failed(now, worker, chunk, place, attempt)? {
                        (_, _, Verdict::Again) => continue,
                        (job, index, Verdict::Final) => (job, index),
                    }
                }
            };
            let mut one = OutcomeWriter::default();
            one.push(ns, &outcome);
            let failures = u32::from(is_failure(&outcome));
            let outcomes = SharedBytes::copy_from_slice(one.bytes());
            let finished = Finished { job, first: index, count: 1, failures, outcomes, history: history.clone() };
            self.hand_on(now, output, finished, deliver);
        }
        Ok(())
    }

    fn hand_on(&mut self, now: Now, output: Encoding, finished: Finished, deliver: &mut dyn FnMut(Finished)) {
        if !self.owns(finished.job) {
            return deliver(finished);
        }
        for (index, outcome) in (finished.first..).zip(OutcomeReader::new(&finished.outcomes)) {
            // Checked when it arrived.
            let outcome = outcome.map_or(Outcome::Cancelled, |(_, outcome)| outcome);
            self.ended(now, finished.job, index, ended(&outcome, output));
        }
    }
}

/// What an outcome that may be tried again failed for.
fn cause(budget: RetryBudget, outcome: &Outcome<'_>) -> Option<Cause> {
    match outcome {
        Outcome::TimedOut if budget.timeouts > 0 => Some(Cause::Timeout),
        Outcome::Trapped { .. } | Outcome::OverLimit { .. } if budget.traps > 0 => Some(Cause::Trap),
        Outcome::Failed(_) | Outcome::Exited(_) if budget.errors > 0 => Some(Cause::Error),
        Outcome::Ok(_)
        | Outcome::Failed(_)
        | Outcome::Exited(_)
        | Outcome::Trapped { .. }
        | Outcome::TimedOut
        | Outcome::OverLimit { .. }
        | Outcome::Cancelled
        | Outcome::Invalid { .. } => None,
    }
}

fn is_failure(outcome: &Outcome<'_>) -> bool {
    !matches!(outcome, Outcome::Ok(_) | Outcome::Cancelled)
}

/// Whether an outcome may be believed to be what an honest worker sends, and may be printed.
fn check_outcome(outcome: &Outcome<'_>, output: Encoding, check: &ResultCheck) -> Result<(), Violation> {
    let (length, most, sound) = match outcome {
        Outcome::Ok(bytes) => {
            let sound = match output {
                Encoding::Json => (check.is_printable_json)(bytes),
                Encoding::Bytes | Encoding::Arguments => true,
                Encoding::Command => bytes.is_empty(),
            };
            (bytes.len(), check.result_bytes, sound)
        }
        Outcome::Failed(json) => (json.len(), check.result_bytes, (check.is_printable_json)(json)),
        Outcome::Trapped { text, .. } | Outcome::OverLimit { text, .. } | Outcome::Invalid { text } => {
            (text.len(), EXPLANATION_BYTES as u64, true)
        }
        Outcome::TimedOut | Outcome::Cancelled | Outcome::Exited(_) => (0, 0, true),
    };
    if length as u64 > most {
        return Err(Violation::OverLimit);
    }
    if sound { Ok(()) } else { Err(Violation::BadResult) }
}

/// A task's end as a guest is told it.
fn ended(outcome: &Outcome<'_>, output: Encoding) -> Ended<'static> {
    let json = |bytes: &[u8]| TaskValue::Json(SharedBytes::copy_from_slice(bytes).into());
    match *outcome {
        Outcome::Ok(bytes) => Ended::Ok(match output {
            Encoding::Bytes => TaskValue::Bytes(SharedBytes::copy_from_slice(bytes).into()),
            Encoding::Json | Encoding::Arguments | Encoding::Command => json(bytes),
        }),
        Outcome::Failed(payload) => Ended::Failed(json(payload)),
        Outcome::Exited(code) => Ended::Failed(json(code.to_string().as_bytes())),
        Outcome::Trapped { kind, text } => Ended::Trapped(format!("{}: {text}", kind.name())),
        Outcome::TimedOut => Ended::TimedOut,
        Outcome::OverLimit { limit, text } => Ended::OverLimit(format!("{}: {text}", limit.name())),
        Outcome::Cancelled => Ended::Cancelled,
        // Arguments were checked before the task started, so this is a worker's word against ours.
        Outcome::Invalid { text } => Ended::Lost(text.to_owned()),
    }
}

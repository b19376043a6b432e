//! What workers send, checked before anything believes it.
//!
//! Frames by their caps, outcomes by decoding each, results by being one line of JSON. An error here is a violation: the worker is
//! killed, and that costs the task it ran.

use taskcell_broker::{self as broker, Attempt, Cause, RetryBudget, Verdict, Violation};
use taskcell_engine::values;
use taskcell_sandbox::Strictness;
use taskcell_wire::from_worker::BootFailure;
use taskcell_wire::limits::EXPLANATION_BYTES;
use taskcell_wire::{ChunkId, Encoding, FromWorker, Outcome, OutcomeReader, OutcomeWriter, WorkerId, codec};
use taskcell_worker::mailbox;

use crate::delivery::{Block, Printed};
use crate::dispatcher::Dispatcher;
use crate::link::Link;
use crate::written::{Capture, PRINT_MARK, Written};

/// Handles the call that the worker laid in shared memory, if there is one. It was laid there after all that went over the socket had been
/// handled, and before anything that came over the socket since.
pub(crate) fn laid(dispatcher: &mut Dispatcher, id: WorkerId, link: &mut Link) -> Result<(), Violation> {
    let mut space = std::mem::take(&mut dispatcher.laid);
    let result = match mailbox::take_call(&link.memory, &mut space) {
        None => Ok(()),
        Some(frames) => every(dispatcher, id, link, frames),
    };
    dispatcher.laid = space;
    result
}

fn every(dispatcher: &mut Dispatcher, id: WorkerId, link: &mut Link, mut frames: &[u8]) -> Result<(), Violation> {
    while !frames.is_empty() {
        let (frame, rest) = codec::first_frame(frames).map_err(|_| Violation::Malformed)?;
        let received = codec::decode::<FromWorker<'_>>(frame).map_err(|_| Violation::Malformed)?;
        message(dispatcher, id, link, received, true)?;
        frames = rest;
    }
    Ok(())
}

/// Handles every whole frame that arrived over the socket.
pub(crate) fn frames(dispatcher: &mut Dispatcher, id: WorkerId, link: &mut Link) -> Result<(), Violation> {
    let mut received = std::mem::replace(&mut link.received, taskcell_wire::FrameBuffer::new(0));
    let result = loop {
        match received.next_frame() {
            Ok(None) => break Ok(()),
            Err(_) => break Err(Violation::Malformed),
            Ok(Some(frame)) => match codec::decode::<FromWorker<'_>>(frame) {
                Err(_) => break Err(Violation::Malformed),
                Ok(received_message) => {
                    let is_ready = matches!(received_message, FromWorker::Ready(_));
                    if let Err(violation) = message(dispatcher, id, link, received_message, false) {
                        break Err(violation);
                    }
                    if is_ready {
                        received.set_cap(link.cap);
                    }
                }
            },
        }
    };
    link.received = received;
    result
}

/// `nearby`: it came through shared memory, where its answer may go too.
fn message(
    dispatcher: &mut Dispatcher,
    id: WorkerId,
    link: &mut Link,
    message: FromWorker<'_>,
    nearby: bool,
) -> Result<(), Violation> {
    match message {
        FromWorker::Ready(_) if link.ready => Err(Violation::OutOfTurn),
        FromWorker::Ready(_) => {
            // What a worker says of its confinement counts for nothing; what the kernel says of it does.
            if dispatcher.strictness == Strictness::Required
                && let Err(error) = taskcell_sandbox::verify(link.pid())
            {
                link.kill(format!("because it is not confined: failed to {error}"));
                return Ok(());
            }
            link.ready = true;
            dispatcher.broker.worker_ready(dispatcher.now(), id)
        }
        FromWorker::Failed { .. } if link.ready => Err(Violation::OutOfTurn),
        FromWorker::Failed { kind, text } => {
            link.last_words = Some(text.to_owned());
            let what = match kind {
                BootFailure::Sandbox => "sandbox",
                BootFailure::Guest => "component",
                // Most likely the machine had no more threads, memory or descriptors for this one.
                BootFailure::Boot => {
                    link.wanting = true;
                    return Ok(());
                }
            };
            dispatcher.boot_failed(id, kind, format!("a worker could not get ready ({what}): failed to {text}"));
            Ok(())
        }
        FromWorker::Results { chunk, first, count, nanoseconds, outcomes } => {
            results(dispatcher, id, link, chunk, first, count, nanoseconds, outcomes)
        }
        FromWorker::Printed { chunk, task, stream, bytes } => {
            let (job, index) = dispatcher.broker.place(id, chunk, task)?;
            match dispatcher.broker.output(id, chunk) {
                Some(Encoding::Command) => {
                    Capture::take_in(&mut link.capture, (chunk, task), (job, index), stream, bytes, &link.limits)?;
                }
                Some(Encoding::Json | Encoding::Bytes | Encoding::Arguments) | None => {
                    count_printed(link, chunk, task, bytes.len(), link.limits.log_bytes)?;
                }
            }
            let task = if dispatcher.broker.owns(job) { dispatcher.broker.running(id) } else { None };
            if let Some(printed) = &mut dispatcher.printed {
                printed(Printed { index, task, stream, bytes });
            }
            Ok(())
        }
        FromWorker::Call(call, body) => {
            link.laid = nearby.then_some(call);
            dispatcher.listener.called(id, link);
            dispatcher.broker.call(dispatcher.now(), id, call, body)
        }
        FromWorker::Tell(tell) => dispatcher.broker.tell(dispatcher.now(), id, tell),
        // It was taken before this was read.
        FromWorker::Laid => Ok(()),
    }
}

/// Holds a worker to what its tasks may print. Tasks print in their order, so one count is enough.
fn count_printed(link: &mut Link, chunk: ChunkId, task: u32, bytes: usize, limit: u64) -> Result<(), Violation> {
    let (last_chunk, last_task, so_far) = link.printed;
    if chunk == last_chunk && task < last_task {
        return Err(Violation::OutOfOrder);
    }
    let before = if (chunk, task) == (last_chunk, last_task) { so_far } else { 0 };
    let now = before.saturating_add(bytes as u64);
    link.printed = (chunk, task, now);
    if now > limit.saturating_add(PRINT_MARK) { Err(Violation::OverLimit) } else { Ok(()) }
}

/// Checks and delivers outcomes: runs of final ones at once, one that is tried again by itself.
#[expect(clippy::too_many_arguments, reason = "the fields of one message")]
fn results(
    dispatcher: &mut Dispatcher,
    id: WorkerId,
    link: &mut Link,
    chunk: ChunkId,
    first: u32,
    count: u32,
    nanoseconds: u64,
    outcomes: &[u8],
) -> Result<(), Violation> {
    let foreign = if link.ready { Violation::ForeignChunk } else { Violation::OutOfTurn };
    let output = dispatcher.broker.output(id, chunk).ok_or(foreign)?;
    let budget = dispatcher.broker.budget(id);
    let history = dispatcher.broker.history(id, chunk).to_vec();
    let mut retried: Vec<(u32, Cause, u64)> = Vec::new();
    let (mut seen, mut failures) = (0u32, 0u32);
    for outcome in OutcomeReader::new(outcomes) {
        let (ns, outcome) = outcome.map_err(|_| Violation::Malformed)?;
        failures += u32::from(is_failure(&outcome));
        check(&outcome, output, link.limits.result_bytes)?;
        if let Some(cause) = cause(budget, &outcome) {
            retried.push((seen, cause, ns));
        }
        seen = seen.checked_add(1).ok_or(Violation::OutOfOrder)?;
    }
    if seen != count {
        return Err(Violation::OutOfOrder);
    }
    // What a command wrote belongs to one outcome.
    let written = (output == Encoding::Command).then(|| Capture::end(&mut link.capture, chunk, first));
    if written.is_some() && count > 1 {
        return Err(Violation::OutOfOrder);
    }
    let with = |block: Block, written: Option<Written>| match written {
        Some(written) => block.with(written),
        None => block,
    };
    if retried.is_empty() {
        let (job, index) = dispatcher.broker.finished(dispatcher.now(), id, chunk, first, count, nanoseconds)?;
        let block = Block::outcomes(index, count, failures, outcomes.to_vec(), history);
        dispatcher.deliver(job, output, with(block, written));
        return Ok(());
    }
    let each = nanoseconds / u64::from(count.max(1));
    for (at, outcome) in (0u32..).zip(OutcomeReader::new(outcomes)) {
        let (ns, outcome) = outcome.map_err(|_| Violation::Malformed)?;
        let place = first.saturating_add(at);
        let (job, index) = match retried.iter().find(|(retried, _, _)| *retried == at) {
            None => dispatcher.broker.finished(dispatcher.now(), id, chunk, place, 1, each)?,
            Some((_, cause, ran)) => {
                let attempt = Attempt { pid: link.pid(), cause: cause.clone(), ran: broker::Duration(*ran) };
                match dispatcher.broker.attempt_failed(dispatcher.now(), id, chunk, place, attempt)? {
                    (_, _, Verdict::Again) => continue,
                    (job, index, Verdict::Final) => (job, index),
                }
            }
        };
        let mut one = OutcomeWriter::default();
        one.push(ns, &outcome);
        let block = Block::outcomes(index, 1, u32::from(is_failure(&outcome)), one.bytes().to_vec(), history.clone());
        dispatcher.deliver(job, output, with(block, written.clone()));
    }
    Ok(())
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
fn check(outcome: &Outcome<'_>, output: Encoding, result_bytes: u64) -> Result<(), Violation> {
    let (length, most, sound) = match outcome {
        Outcome::Ok(bytes) => {
            let sound = match output {
                Encoding::Json => values::is_printable_json(bytes),
                Encoding::Bytes | Encoding::Arguments => true,
                Encoding::Command => bytes.is_empty(),
            };
            (bytes.len(), result_bytes, sound)
        }
        Outcome::Failed(json) => (json.len(), result_bytes, values::is_printable_json(json)),
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

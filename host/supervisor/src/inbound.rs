//! What workers send, checked before anything believes it.
//!
//! Frames by their caps here; outcomes one by one, and results by being one line of JSON, in the broker ([`taskcell_broker::Broker::results`]).
//! An error is a violation: the worker is killed, and that costs the task it ran.

use taskcell_broker::{ResultCheck, Results, Violation};
use taskcell_engine::values;
use taskcell_sandbox::Strictness;
use taskcell_wire::call::SharedBytes;
use taskcell_wire::from_worker::BootFailure;
use taskcell_wire::{ChunkId, Encoding, FromWorker, WorkerId, codec};
use taskcell_worker::{loan, mailbox};

use crate::audit::ViolationKind;
use crate::delivery::{Block, Printed};
use crate::dispatcher::Dispatcher;
use crate::link::Link;
use crate::loans;
use crate::written::{Capture, PRINT_MARK};

/// Handles what the worker posted, and the call that it laid in shared memory, if there is one. It was laid there after all that went over the socket had been
/// handled, and before anything that came over the socket since.
pub(crate) fn laid(dispatcher: &mut Dispatcher, id: WorkerId, link: &mut Link) -> Result<(), Violation> {
    let call = mailbox::take_call(&link.memory);
    loans::told(dispatcher, id, link)?;
    let Some(length) = call else { return Ok(()) };
    if length >= mailbox::LONG_BYTES {
        link.has_long = true;
        // The broker may keep it as it is.
        let frames = dispatcher.buffers.fill(length, |space| mailbox::read_call(&link.memory, length, space).len());
        return every(dispatcher, id, link, &frames, Some(&frames));
    }
    let mut space = std::mem::take(&mut dispatcher.laid);
    let result = every(dispatcher, id, link, mailbox::read_call(&link.memory, length, &mut space), None);
    dispatcher.laid = space;
    result
}

/// `kept`: the same bytes, if they may be kept.
fn every(
    dispatcher: &mut Dispatcher,
    id: WorkerId,
    link: &mut Link,
    mut frames: &[u8],
    kept: Option<&SharedBytes>,
) -> Result<(), Violation> {
    while !frames.is_empty() {
        let (frame, rest) = codec::first_frame(frames).map_err(|_| Violation::Malformed)?;
        let mut received = codec::decode::<FromWorker<'_>>(frame).map_err(|_| Violation::Malformed)?;
        if let (FromWorker::Call(_, call), Some(kept)) = (&mut received, kept) {
            call.share(kept);
        }
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
                && let Err(error) = taskcell_sandbox::verify(link.pid(), dispatcher.boots.uid(dispatcher.broker.spec(id)))
            {
                dispatcher.audit(id, link, ViolationKind::NotConfined, &format!("it is not confined: failed to {error}"));
                link.kill(format!("because it is not confined: failed to {error}"));
                return Ok(());
            }
            link.ready = true;
            dispatcher.broker.worker_ready(dispatcher.now(), id)
        }
        FromWorker::Failed { .. } if link.ready => Err(Violation::OutOfTurn),
        FromWorker::Failed { kind, text } => {
            failed(dispatcher, id, link, kind, text);
            Ok(())
        }
        FromWorker::Results { .. } if !link.ready => Err(Violation::OutOfTurn),
        FromWorker::Results { chunk, first, count, nanoseconds, outcomes } => {
            results(dispatcher, id, link, Results { chunk, first, count, nanoseconds, outcomes: outcomes.into() })
        }
        FromWorker::LaidResults(_) if !link.ready => Err(Violation::OutOfTurn),
        FromWorker::LaidResults(length) => laid_results(dispatcher, id, link, length),
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
            link.called()?;
            link.laid = nearby.then_some(call);
            dispatcher.listener.called(id, link);
            loans::clear_the_way(dispatcher, id, link, &body)?;
            dispatcher.broker.call(dispatcher.now(), id, call, body)
        }
        FromWorker::Tell(tell) => dispatcher.broker.tell(dispatcher.now(), id, tell),
        // What lay there was taken before this was read; what was laid since rings again, or is seen now.
        FromWorker::Laid => {
            loan::looked(&link.memory);
            loans::told(dispatcher, id, link)
        }
    }
}

/// A worker, or the zygote that was to fork it, can't get ready.
pub(crate) fn failed(dispatcher: &mut Dispatcher, id: WorkerId, link: &mut Link, kind: BootFailure, text: &str) {
    link.last_words = Some(text.to_owned());
    let what = match kind {
        BootFailure::Sandbox => "sandbox",
        BootFailure::Guest => "component",
        // Most likely the machine had no more threads, memory or descriptors for this one.
        BootFailure::Boot => {
            link.wanting = true;
            return;
        }
    };
    dispatcher.boot_failed(id, kind, format!("a worker could not get ready ({what}): failed to {text}"));
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

/// Results lie in shared memory: what is read there is kept as it is by those who wait for it.
fn laid_results(dispatcher: &mut Dispatcher, id: WorkerId, link: &mut Link, length: u32) -> Result<(), Violation> {
    let told = usize::try_from(length).unwrap_or(usize::MAX).min(mailbox::most_bytes(&link.memory));
    link.has_long = true;
    let frames = dispatcher.buffers.fill(told, |space| mailbox::take_results(&link.memory, length, space).len());
    let (frame, rest) = codec::first_frame(&frames).map_err(|_| Violation::Malformed)?;
    if frame.len() as u64 > link.cap || !rest.is_empty() {
        return Err(Violation::Malformed);
    }
    match codec::decode::<FromWorker<'_>>(frame) {
        Ok(FromWorker::Results { chunk, first, count, nanoseconds, outcomes }) => {
            let outcomes = frames.slice_ref(outcomes).into();
            results(dispatcher, id, link, Results { chunk, first, count, nanoseconds, outcomes })
        }
        Ok(_) | Err(_) => Err(Violation::Malformed),
    }
}

/// Hands outcomes to the broker, which checks them, and what ended of the API's to those who wait.
fn results(dispatcher: &mut Dispatcher, id: WorkerId, link: &mut Link, results: Results<'_>) -> Result<(), Violation> {
    let check =
        ResultCheck { pid: link.pid(), result_bytes: link.limits.result_bytes, is_printable_json: values::is_printable_json };
    // What a command wrote belongs to its one outcome.
    let is_command = dispatcher.broker.output(id, results.chunk) == Some(Encoding::Command);
    let mut written = is_command.then(|| Capture::end(&mut link.capture, results.chunk, results.first));
    let (now, sinks) = (dispatcher.now(), &dispatcher.sinks);
    dispatcher.broker.results(now, id, results, &check, &mut |finished| {
        if let Some(sink) = sinks.get(&finished.job) {
            let block = Block::outcomes(finished);
            sink.push(match written.take() {
                Some(written) => block.with(written),
                None => block,
            });
        }
    })
}

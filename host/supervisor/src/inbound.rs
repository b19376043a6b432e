//! What workers send, checked before anything believes it.
//!
//! Frames by their caps here; outcomes one by one, and results by being one line of JSON, in the broker ([`taskcell_broker::Broker::results`]).
//! An error is a violation: the worker is killed, and that costs the task it ran.

use taskcell_broker::{ResultCheck, Results, Violation};
use taskcell_engine::values;
use taskcell_sandbox::Strictness;
use taskcell_wire::from_worker::BootFailure;
use taskcell_wire::{ChunkId, FromWorker, WorkerId, codec};

use crate::delivery::{Block, Printed};
use crate::dispatcher::Dispatcher;
use crate::link::Link;

/// Handles every whole frame that arrived.
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
                    if let Err(violation) = message(dispatcher, id, link, received_message) {
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

fn message(dispatcher: &mut Dispatcher, id: WorkerId, link: &mut Link, message: FromWorker<'_>) -> Result<(), Violation> {
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
        FromWorker::Results { .. } if !link.ready => Err(Violation::OutOfTurn),
        FromWorker::Results { chunk, first, count, nanoseconds, outcomes } => {
            results(dispatcher, id, link, Results { chunk, first, count, nanoseconds, outcomes })
        }
        FromWorker::Printed { chunk, task, stream, bytes } => {
            let (job, index) = dispatcher.broker.place(id, chunk, task)?;
            count_printed(link, chunk, task, bytes.len(), link.limits.log_bytes)?;
            let task = if dispatcher.broker.owns(job) { dispatcher.broker.running(id) } else { None };
            if let Some(printed) = &mut dispatcher.printed {
                printed(Printed { index, task, stream, bytes });
            }
            Ok(())
        }
        FromWorker::Call(call, body) => dispatcher.broker.call(dispatcher.now(), id, call, body),
        FromWorker::Tell(tell) => dispatcher.broker.tell(dispatcher.now(), id, tell),
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

/// What a worker adds to say that it cut, in bytes.
const PRINT_MARK: u64 = 256;

/// Hands outcomes to the broker, which checks them, and what ended of the API's to those who wait.
fn results(dispatcher: &mut Dispatcher, id: WorkerId, link: &Link, results: Results<'_>) -> Result<(), Violation> {
    let check =
        ResultCheck { pid: link.pid(), result_bytes: link.limits.result_bytes, is_printable_json: values::is_printable_json };
    let (now, sinks) = (dispatcher.now(), &dispatcher.sinks);
    dispatcher.broker.results(now, id, results, &check, &mut |finished| {
        if let Some(sink) = sinks.get(&finished.job) {
            sink.push(Block::outcomes(finished));
        }
    })
}

//! A guest's call, from the main thread to the broker and back.
//!
//! The thread that runs the guest writes the call and reads the answer itself: a hop to another thread would cost as much again as
//! the way to the supervisor. Results of tasks that ended before leave first, so the supervisor knows which task makes the call. A
//! supervisor that listens is called through shared memory ([`crate::mailbox`]).
//!
//! A call ends with its answer. A cancelled task's call is answered by the broker, at once; a task that runs over its time in a call gives it
//! up ([`Tell::Abandon`]) and is stopped when that was answered.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use taskcell_engine::{Answer, Port, PortError, StopReason};
use taskcell_sandbox::SharedMemory;
use taskcell_wire::call::{Call, CallId, Loan, SharedBytes, Tell};
use taskcell_wire::{CallError, FromWorker, ToWorker, WireError, codec};

use crate::borrowed::Borrowed;
use crate::error::WorkerError;
use crate::inbox::{Inbox, Wait};
use crate::mailbox::{self, Laid};
use crate::outbox::Outbox;
use crate::stop::TaskStop;
use crate::watch::Watch;

/// What is done with an answer, and with what is lent beside it.
type Answered<'f> = dyn FnMut(Answer<'_>, Option<Loan<'_>>) + 'f;

/// Makes calls for the guest.
#[derive(Debug)]
pub struct Caller {
    outbox: Arc<Outbox>,
    inbox: Arc<Inbox>,
    stop: Arc<TaskStop>,
    /// Set once the watch thread runs; before that, only the guest's start functions could make a call.
    watch: OnceLock<Arc<Watch>>,
    next: AtomicU64,
    memory: Arc<SharedMemory>,
    /// For answers that come through it. A long one is given away as it lies here, and here is room again when that is dropped.
    space: Mutex<Arc<Vec<u8>>>,
    borrowed: Mutex<Borrowed>,
}

impl Caller {
    /// Calls over the outbox's socket, or through `memory`.
    #[must_use]
    pub fn new(outbox: Arc<Outbox>, inbox: Arc<Inbox>, stop: Arc<TaskStop>, memory: Arc<SharedMemory>) -> Self {
        Self {
            outbox,
            inbox,
            stop,
            watch: OnceLock::new(),
            next: AtomicU64::new(0),
            memory,
            space: Mutex::default(),
            borrowed: Mutex::default(),
        }
    }

    /// Tasks may come, and `watch` looks after the guest.
    pub fn start(&self, watch: Arc<Watch>) {
        let _ = self.watch.set(watch);
    }

    /// The answer to a call that was laid in shared memory, wherever it comes.
    fn answer_nearby(&self, id: CallId, answer: &mut Answered<'_>) -> Result<(), PortError> {
        let mut space = self.space.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(length) = mailbox::await_answer(&self.memory, own(&mut space)).map(<[u8]>::len) {
            return hand_over(id, &space, length, answer);
        }
        drop(space);
        self.answer(id, answer)
    }

    /// The answer that lies in shared memory, as was told over the socket.
    fn answer_laid(&self, id: CallId, length: u32, answer: &mut Answered<'_>) -> Result<(), PortError> {
        let mut space = self.space.lock().unwrap_or_else(PoisonError::into_inner);
        let length = mailbox::read_answer(&self.memory, length, own(&mut space)).len();
        hand_over(id, &space, length, answer)
    }

    /// Reads until the answer is there. Over the task's time the call is given up, and the answer to that is read all the same: it
    /// comes after everything that was sent before.
    fn answer(&self, id: CallId, answer: &mut Answered<'_>) -> Result<(), PortError> {
        let mut arrived = self.inbox.lock();
        let mut deadline = self.stop.deadline();
        let mut over = false;
        loop {
            while let Some(frame) = arrived.next_new().map_err(gone)? {
                match codec::decode::<ToWorker<'_>>(frame).map_err(gone)? {
                    ToWorker::Reply(of, _) | ToWorker::Lend(of, ..) if of != id => return Err(gone(WorkerError::OutOfTurn)),
                    ToWorker::Reply(..) | ToWorker::Lend(..) if over => return Err(PortError::Stopped(StopReason::TimedOut)),
                    ToWorker::Reply(_, result) => {
                        answer(result, None);
                        return Ok(());
                    }
                    ToWorker::Lend(_, reply, loan) => {
                        answer(Ok(reply), Some(loan));
                        return Ok(());
                    }
                    ToWorker::Laid(of, _) if of != id => return Err(gone(WorkerError::OutOfTurn)),
                    ToWorker::Laid(..) if over => return Err(PortError::Stopped(StopReason::TimedOut)),
                    ToWorker::Laid(_, length) => return self.answer_laid(id, length, answer),
                    ToWorker::Run(_) => {
                        let frame = frame.to_vec();
                        arrived.keep(frame);
                    }
                    // Nobody is told to end while it has a task.
                    ToWorker::Boot(_) | ToWorker::Shutdown | ToWorker::LaidRun(_) => return Err(gone(WorkerError::OutOfTurn)),
                }
            }
            match self.inbox.read(&mut arrived, deadline).map_err(gone)? {
                Wait::Bytes => {}
                Wait::End => return Err(gone(WorkerError::Gone)),
                Wait::Deadline => {
                    self.outbox.send(&FromWorker::Tell(Tell::Abandon(id))).map_err(gone)?;
                    (deadline, over) = (None, true);
                }
            }
        }
    }
}

impl Port for Caller {
    fn call(&self, call: &Call<'_>, answer: &mut dyn FnMut(Answer<'_>)) -> Result<(), PortError> {
        let Some(watch) = self.watch.get() else {
            // A start function belongs to no task.
            answer(Err(CallError::Invalid("a call before the first task".into())));
            return Ok(());
        };
        let mut borrowed = self.borrowed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(reply) = borrowed.make(call, &self.outbox, &self.memory) {
            answer(Ok(reply));
            return Ok(());
        }
        let id = CallId(self.next.fetch_add(1, Ordering::Relaxed));
        let laid = match self.outbox.call(&FromWorker::Call(id, call.clone()), &self.memory) {
            Ok(laid) => laid,
            Err(WorkerError::Wire(WireError::MessageTooLong { length, cap })) => {
                answer(Err(CallError::Quota(format!("a call of {length} bytes; the most is {cap}"))));
                return Ok(());
            }
            Err(error) => return Err(gone(error)),
        };
        // The guest stands still: nobody has to look after it.
        watch.idle();
        let mut answered = |result: Answer<'_>, loan: Option<Loan<'_>>| {
            if let Some(loan) = loan {
                borrowed.lend(call, &loan);
            }
            answer(result);
        };
        let result = match laid {
            Laid::Seen | Laid::Unseen => self.answer_nearby(id, &mut answered),
            Laid::No => self.answer(id, &mut answered),
        };
        borrowed.answered();
        watch.busy();
        result
    }

    fn tell(&self, tell: &Tell<'_>) {
        self.outbox.tell(tell);
    }
}

/// The bytes, to be written: new ones if somebody still has what lies there.
fn own(space: &mut Arc<Vec<u8>>) -> &mut Vec<u8> {
    if Arc::get_mut(space).is_none() {
        *space = Arc::default();
    }
    Arc::make_mut(space)
}

/// What owns a long answer: the bytes are free again when this is dropped.
struct Kept(Arc<Vec<u8>>);

impl AsRef<[u8]> for Kept {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// The answer in the first so many bytes, a frame from shared memory.
fn hand_over(id: CallId, space: &Arc<Vec<u8>>, length: usize, answer: &mut Answered<'_>) -> Result<(), PortError> {
    let frame = space.get(..length).unwrap_or_default();
    let kept = (length >= mailbox::LONG_BYTES).then(|| SharedBytes::from_owner(Kept(Arc::clone(space))).slice(..length));
    let (message, _) = codec::first_frame(kept.as_deref().unwrap_or(frame)).map_err(gone)?;
    match codec::decode::<ToWorker<'_>>(message).map_err(gone)? {
        ToWorker::Reply(of, mut result) if of == id => {
            if let (Ok(reply), Some(kept)) = (&mut result, &kept) {
                reply.share(kept);
            }
            answer(result, None);
            Ok(())
        }
        ToWorker::Lend(of, reply, loan) if of == id => {
            answer(Ok(reply), Some(loan));
            Ok(())
        }
        ToWorker::Reply(..)
        | ToWorker::Lend(..)
        | ToWorker::Laid(..)
        | ToWorker::Run(_)
        | ToWorker::LaidRun(_)
        | ToWorker::Boot(_)
        | ToWorker::Shutdown => Err(gone(WorkerError::OutOfTurn)),
    }
}

fn gone(error: impl Into<WorkerError>) -> PortError {
    PortError::Gone(format!("failed to {}", error.into()))
}

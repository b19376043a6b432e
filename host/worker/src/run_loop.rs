//! Read frames, run tasks, answer.

use std::sync::Arc;

use taskcell_engine::Guest;
use taskcell_sandbox::SharedMemory;
use taskcell_wire::limits::KEPT_BYTES;
use taskcell_wire::{Encoding, ItemReader, Outcome, Run, ToWorker, codec};

use crate::error::WorkerError;
use crate::inbox::{Inbox, Wait};
use crate::look::{self, Backoff};
use crate::mailbox;
use crate::outbox::Outbox;
use crate::page;
use crate::stop::{TaskStop, now};
use crate::watch::Watch;

/// A worker that is ready.
#[derive(Debug)]
pub struct RunLoop {
    /// What runs the tasks.
    pub guest: Guest,
    /// Whether the guest makes calls: then what arrives while it runs is read under it.
    pub calls: bool,
    /// Where work comes from.
    pub inbox: Arc<Inbox>,
    /// Where answers go.
    pub outbox: Arc<Outbox>,
    /// The running task's bounds.
    pub stop: Arc<TaskStop>,
    /// The watch thread.
    pub watch: Arc<Watch>,
    /// What the supervisor can see while a task runs.
    pub page: Arc<SharedMemory>,
    /// For inputs that lay there.
    pub space: Vec<u8>,
}

impl RunLoop {
    /// Serves until Shutdown or the end of the socket.
    ///
    /// # Errors
    /// [`WorkerError`] if the supervisor's bytes are not understood or it can't be answered.
    pub fn serve(&mut self) -> Result<(), WorkerError> {
        let inbox = Arc::clone(&self.inbox);
        let mut backoff = Backoff::default();
        let mut seen = look::sendings(&self.page);
        loop {
            let mut arrived = inbox.lock();
            while let Some(frame) = arrived.next_frame()? {
                let goes_on = if self.calls {
                    let frame = frame.to_vec();
                    drop(arrived);
                    let goes_on = self.handle(&frame)?;
                    arrived = inbox.lock();
                    goes_on
                } else {
                    self.handle(frame)?
                };
                if !goes_on {
                    return self.outbox.flush();
                }
            }
            self.watch.idle();
            self.outbox.hand_over(&self.page)?;
            mailbox::rest(&self.page);
            look::answered(&self.page);
            look::await_sending(&self.page, &mut backoff, seen);
            match inbox.read(&mut arrived, None)? {
                Wait::Bytes => {}
                Wait::End | Wait::Deadline => return Ok(()),
            }
            seen = look::sendings(&self.page);
            self.watch.busy();
        }
    }

    /// Whether to go on after this message.
    fn handle(&mut self, frame: &[u8]) -> Result<bool, WorkerError> {
        match codec::decode::<ToWorker<'_>>(frame)? {
            ToWorker::Run(run) => self.run(&run)?,
            ToWorker::LaidRun(length) => {
                let mut space = std::mem::take(&mut self.space);
                let (frame, _) = codec::first_frame(mailbox::read_run(&self.page, length, &mut space))?;
                let ToWorker::Run(run) = codec::decode::<ToWorker<'_>>(frame)? else { return Err(WorkerError::OutOfTurn) };
                self.run(&run)?;
                if space.len() <= KEPT_BYTES {
                    self.space = space;
                }
            }
            ToWorker::Shutdown => return Ok(false),
            // Boot is over; the others are for a call that waits, and are read there.
            ToWorker::Boot(_) | ToWorker::Reply(..) | ToWorker::Lend(..) | ToWorker::Laid(..) => {
                return Err(WorkerError::OutOfTurn);
            }
        }
        Ok(true)
    }

    fn run(&mut self, run: &Run<'_>) -> Result<(), WorkerError> {
        self.outbox.begin(run.chunk, run.output == Encoding::Command)?;
        self.stop.set_chunk(Some(run.chunk));
        let mut claims = page::Claims::of(run);
        let items = ItemReader::new(run.items).take(run.count as usize);
        for (place, item) in (0u32..).zip(items) {
            let item = item?;
            if !claims.has_next(&self.page) {
                break;
            }
            page::begin(&self.page, run.chunk, place);
            let began = if run.timed || run.timeout.is_some() { now() } else { 0 };
            self.stop.set_deadline(run.timeout.map(|timeout| began.saturating_add(timeout)));
            let outcome =
                if self.stop.is_cancelled() { Outcome::Cancelled } else { self.guest.run(run.task, run.input, run.output, item) };
            let took = if run.timed { now().saturating_sub(began) } else { 0 };
            self.outbox.ended(took, &outcome, &self.page)?;
        }
        page::rest(&self.page);
        self.stop.set_chunk(None);
        self.stop.set_deadline(None);
        Ok(())
    }
}

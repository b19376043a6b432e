//! Read frames, run tasks, answer.

use std::sync::Arc;

use taskcell_engine::Guest;
use taskcell_sandbox::SharedPage;
use taskcell_wire::{FrameBuffer, ItemReader, Outcome, Run, ToWorker, codec};

use crate::error::WorkerError;
use crate::outbox::Outbox;
use crate::page;
use crate::stop::{TaskStop, now};
use crate::watch::Watch;

/// A worker that is ready.
#[derive(Debug)]
pub struct RunLoop {
    /// What runs the tasks.
    pub guest: Guest,
    /// Where answers go.
    pub outbox: Arc<Outbox>,
    /// The running task's bounds.
    pub stop: Arc<TaskStop>,
    /// The watch thread.
    pub watch: Arc<Watch>,
    /// What the supervisor can see while a task runs.
    pub page: Arc<SharedPage>,
}

impl RunLoop {
    /// Serves until Shutdown or the end of the socket.
    ///
    /// # Errors
    /// [`WorkerError`] if the supervisor's bytes are not understood or it can't be answered.
    pub fn serve(&mut self, buffer: &mut FrameBuffer) -> Result<(), WorkerError> {
        loop {
            while let Some(frame) = buffer.next_frame()? {
                match codec::decode::<ToWorker<'_>>(frame)? {
                    ToWorker::Run(run) => self.run(&run)?,
                    ToWorker::Shutdown => return self.outbox.flush(),
                    ToWorker::Boot(_) => return Err(WorkerError::OutOfTurn),
                }
            }
            self.watch.idle();
            self.outbox.flush()?;
            if read(&self.outbox, buffer)? == 0 {
                return Ok(());
            }
            self.watch.busy();
        }
    }

    fn run(&mut self, run: &Run<'_>) -> Result<(), WorkerError> {
        self.outbox.begin(run.chunk)?;
        self.stop.set_chunk(Some(run.chunk));
        let items = ItemReader::new(run.items).take(run.count as usize);
        for (place, item) in (0u32..).zip(items) {
            let item = item?;
            page::begin(&self.page, run.chunk, place);
            let began = if run.timed || run.timeout.is_some() { now() } else { 0 };
            self.stop.set_deadline(run.timeout.map(|timeout| began.saturating_add(timeout)));
            let outcome =
                if self.stop.is_cancelled() { Outcome::Cancelled } else { self.guest.run(run.task, run.input, run.output, item) };
            let took = if run.timed { now().saturating_sub(began) } else { 0 };
            self.outbox.ended(took, &outcome)?;
        }
        page::rest(&self.page);
        self.stop.set_chunk(None);
        self.stop.set_deadline(None);
        Ok(())
    }
}

/// Waits for bytes and takes them; 0 at the end.
///
/// # Errors
/// [`WorkerError::Socket`].
pub fn read(outbox: &Outbox, buffer: &mut FrameBuffer) -> Result<usize, WorkerError> {
    loop {
        match rustix::io::read(outbox.socket(), buffer.space()) {
            Ok(count) => {
                buffer.filled(count);
                return Ok(count);
            }
            Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

//! A dispatcher that runs, with its thread and its socket: what a pool and a program have in common.

use std::sync::Arc;

use taskcell_broker::{Chunk, JobOptions};
use taskcell_wire::JobId;

use crate::control::Listing;
use crate::dispatcher::{DispatcherOptions, next_job};
use crate::error::Error;
use crate::future::{Decode, Future};
use crate::lead::{Request, Shared};
use crate::sink::Sink;

/// Dropping it ends all that runs.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) shared: Arc<Shared>,
    thread: Option<std::thread::JoinHandle<()>>,
    /// Its socket, if it has one; kept for its end.
    #[expect(dead_code, reason = "what it does, it does when it is dropped")]
    listing: Option<Listing>,
}

impl Host {
    /// Starts the workers; they get ready while the caller goes on. With a title, others of this user may look.
    ///
    /// # Errors
    /// [`Error::System`] or [`Error::Thread`].
    pub(crate) fn start(options: DispatcherOptions, title: Option<&str>) -> Result<Self, Error> {
        let (shared, thread) = Shared::start(options)?;
        let listing = title.and_then(|title| Listing::start(title, Arc::downgrade(&shared)));
        Ok(Self { shared, thread: Some(thread), listing })
    }

    /// A job begins; its ends come to the sink.
    pub(crate) fn open(&self, options: JobOptions) -> (JobId, Sink) {
        let (job, sink) = (next_job(), Sink::default());
        self.shared.request(Request::Open(job, options, sink.clone()));
        (job, sink)
    }

    /// A job of one task.
    pub(crate) fn submit<T>(&self, options: JobOptions, item: &[u8], decode: Decode<T>) -> Future<T> {
        let (job, sink) = self.open(options);
        let items = self.shared.buffers.one_item(item);
        self.shared.request(Request::Submit(Chunk { job, first: 0, count: 1, items, history: Vec::new(), start_by: None }));
        Future::new(Arc::clone(&self.shared), job, sink, decode)
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.shared.close("it was dropped");
        if let Some(thread) = self.thread.take() {
            // Its panic was printed when it happened.
            let _ = thread.join();
        }
    }
}

//! What a guest prints, on its way out of the worker.
//!
//! A guest's standard output is not a stream of the host's: results go there. Each write is handed to a [`PrintSink`], which knows the
//! running task. Writes never wait and never fail: a quota cuts them, in the sink. Only what a command writes to its standard output is a
//! result, and one that was cut would look like a whole one; so a command that writes more than a result may have is stopped.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use taskcell_wire::Stream;
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamError, StreamResult};

use crate::abi::TooLong;

/// Takes what the running task prints.
pub trait PrintSink: Send + Sync {
    /// `bytes` were printed; they may be cut anywhere.
    fn printed(&self, stream: Stream, bytes: &[u8]);
}

/// One of a guest's output streams.
#[derive(Clone)]
pub(crate) struct Printer {
    stream: Stream,
    sink: Arc<dyn PrintSink>,
    quota: Option<Quota>,
}

/// What may still be written to a stream, in bytes; shared by all handles that the guest has of it.
#[derive(Clone)]
struct Quota {
    limit: u64,
    left: Arc<AtomicU64>,
}

/// How much a guest may write in one go, in bytes; what more it has comes in the next.
const PERMIT: usize = 64 * 1024;

impl Printer {
    pub(crate) fn new(stream: Stream, sink: &Arc<dyn PrintSink>) -> Self {
        Self { stream, sink: Arc::clone(sink), quota: None }
    }

    /// The same, for at most so many bytes: the write after them ends the task.
    pub(crate) fn limited(self, limit: u64) -> Self {
        Self { quota: Some(Quota { limit, left: Arc::new(AtomicU64::new(limit)) }), ..self }
    }

    fn print(&self, bytes: &[u8]) -> Result<(), TooLong> {
        if let Some(Quota { limit, left }) = &self.quota {
            // One thread runs the guest, so nothing comes between the two.
            let rest = left.load(Ordering::Relaxed).checked_sub(bytes.len() as u64).ok_or(TooLong(*limit))?;
            left.store(rest, Ordering::Relaxed);
        }
        self.sink.printed(self.stream, bytes);
        Ok(())
    }
}

impl IsTerminal for Printer {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Printer {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Printer {
    async fn ready(&mut self) {}
}

impl OutputStream for Printer {
    fn write(&mut self, bytes: bytes::Bytes) -> StreamResult<()> {
        self.print(&bytes).map_err(|too_long| StreamError::Trap(too_long.into()))
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(PERMIT)
    }
}

impl AsyncWrite for Printer {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        Poll::Ready(self.print(bytes).map(|()| bytes.len()).map_err(std::io::Error::other))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

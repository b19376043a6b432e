//! What a guest prints, on its way out of the worker.
//!
//! A guest's standard output is not a stream of the host's: results go there. Each write is handed to a [`PrintSink`], which knows the
//! running task. Writes never wait and never fail: a quota cuts them, in the sink.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use taskcell_wire::Stream;
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

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
}

/// How much a guest may write in one go, in bytes; what more it has comes in the next.
const PERMIT: usize = 64 * 1024;

impl Printer {
    pub(crate) fn new(stream: Stream, sink: &Arc<dyn PrintSink>) -> Self {
        Self { stream, sink: Arc::clone(sink) }
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
        self.sink.printed(self.stream, &bytes);
        Ok(())
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
        self.sink.printed(self.stream, bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

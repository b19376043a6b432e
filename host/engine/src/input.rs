//! What a program reads as its standard input: bytes that the supervisor has, asked for through the port.
//!
//! A read that waits keeps the worker's only thread, as any call does. So a guest that waits for its input and a timer at once
//! (WASI's `poll`) is woken by the input only, or by a timer that was due before.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use taskcell_wire::call::{Call, Reply};
use tokio::io::{AsyncRead, ReadBuf};
use wasmtime_wasi::cli::{IsTerminal, StdinStream};
use wasmtime_wasi::p2::{InputStream, Pollable, StreamError, StreamResult};

use crate::host::Attempts;
use crate::port::PortError;
use crate::trap::{Gone, Stopped};

/// How much is asked for at once, in bytes. Larger than what a guest's read usually wants, so that a line does not cost a call each.
const CHUNK: u32 = 64 * 1024;

/// A guest's standard input. Its streams share what came and was not read yet.
#[derive(Clone)]
pub(crate) struct Input {
    shared: Arc<Mutex<Shared>>,
    attempts: Arc<Attempts>,
}

#[derive(Default)]
struct Shared {
    /// Came, and was not read yet.
    bytes: Bytes,
    /// There is no more, for good.
    is_over: bool,
    /// What the last call failed with, for the read that comes next.
    failed: Option<wasmtime::Error>,
}

impl Input {
    pub(crate) fn new(attempts: &Arc<Attempts>) -> Self {
        Self { shared: Arc::default(), attempts: Arc::clone(attempts) }
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until a read would give something: bytes, the end or an error.
    fn fill(&self) {
        let mut shared = self.lock();
        if !shared.bytes.is_empty() || shared.is_over || shared.failed.is_some() {
            return;
        }
        let mut came = Err(io::Error::other("standard input was not answered").into());
        let called = self.attempts.call(&Call::Input(CHUNK), &mut |answer| {
            came = match answer {
                Ok(Reply::Input(bytes)) => Ok(Bytes::copy_from_slice(&bytes)),
                Ok(_) => Err(Gone("the answer was of another kind than the call".into()).into()),
                Err(error) => Err(io::Error::other(error.to_string()).into()),
            };
        });
        let came = match called {
            Ok(()) => came,
            Err(PortError::Stopped(reason)) => Err(Stopped(reason).into()),
            Err(PortError::Gone(why)) => Err(Gone(why).into()),
        };
        match came {
            Ok(bytes) => {
                shared.is_over = bytes.is_empty();
                shared.bytes = bytes;
            }
            Err(error) => shared.failed = Some(error),
        }
    }

    /// What a read gives without waiting: nothing, if nothing came yet.
    fn take(&self, most: usize) -> StreamResult<Bytes> {
        let mut shared = self.lock();
        if let Some(error) = shared.failed.take() {
            // What the task is told it may handle; what ends it, ends it.
            let told = error.is::<io::Error>();
            return Err(if told { StreamError::LastOperationFailed(error) } else { StreamError::Trap(error) });
        }
        if shared.bytes.is_empty() && shared.is_over {
            return Err(StreamError::Closed);
        }
        let most = most.min(shared.bytes.len());
        Ok(shared.bytes.split_to(most))
    }
}

impl IsTerminal for Input {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdinStream for Input {
    fn async_stream(&self) -> Box<dyn AsyncRead + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn InputStream> {
        Box::new(self.clone())
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Input {
    async fn ready(&mut self) {
        self.fill();
    }
}

impl InputStream for Input {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        self.take(size)
    }
}

impl AsyncRead for Input {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.fill();
        match self.take(buffer.remaining()) {
            Ok(bytes) => buffer.put_slice(&bytes),
            Err(StreamError::Closed) => {}
            Err(StreamError::LastOperationFailed(error) | StreamError::Trap(error)) => {
                return Poll::Ready(Err(io::Error::other(error.to_string())));
            }
        }
        Poll::Ready(Ok(()))
    }
}

//! Why a worker or a compile child ends early. The supervisor is told before, where the socket still works.

use taskcell_engine::EngineError;
use taskcell_sandbox::{ConfineError, InheritError, MemfdError, ServeError, SharedMemoryError};
use taskcell_wire::WireError;
use taskcell_wire::from_worker::BootFailure;

/// A step that failed.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// The descriptors were not as the supervisor leaves them; somebody else started this process.
    #[error("take over from the supervisor: {0}")]
    Inherit(#[from] InheritError),
    /// The shared page could not be mapped.
    #[error("{0}")]
    Page(#[from] SharedMemoryError),
    /// A memory file could not be mapped.
    #[error("{0}")]
    Memfd(#[from] MemfdError),
    /// Reading or writing the socket.
    #[error("talk to the supervisor: {0}")]
    Socket(#[from] rustix::io::Errno),
    /// The supervisor closed the socket before it said what to do.
    #[error("hear from the supervisor: it is gone")]
    Gone,
    /// A frame was not understood.
    #[error("{0}")]
    Wire(#[from] WireError),
    /// A layer of the sandbox.
    #[error("{0}")]
    Confine(#[from] ConfineError),
    /// The engine or the guest.
    #[error("{0}")]
    Engine(#[from] EngineError),
    /// What a forked worker does first.
    #[error("{0}")]
    Serve(#[from] ServeError),
    /// A thread could not be started.
    #[error("start the watch thread: {0}")]
    Thread(std::io::Error),
    /// A system call of the watch thread's own.
    #[error("set up the watch thread: {0}")]
    Watch(rustix::io::Errno),
    /// A message came that has no place here.
    #[error("follow the supervisor: a message out of turn")]
    OutOfTurn,
    /// The socket could not be duplicated.
    #[error("duplicate the socket: {0}")]
    Duplicate(std::io::Error),
    /// The code could not be handed back.
    #[error("hand back the code: {0}")]
    Code(std::io::Error),
}

impl WorkerError {
    /// What class of failure a boot that failed so is.
    #[must_use]
    pub fn boot_failure(&self) -> BootFailure {
        match self {
            Self::Confine(_) => BootFailure::Sandbox,
            Self::Engine(
                EngineError::Instantiate(_) | EngineError::Link(_) | EngineError::Load(_) | EngineError::OverLimit { .. },
            ) => BootFailure::Guest,
            Self::Engine(
                EngineError::Refused(_) | EngineError::Configure(_) | EngineError::Mismatch | EngineError::Describe(_),
            )
            | Self::Inherit(_)
            | Self::Page(_)
            | Self::Memfd(_)
            | Self::Socket(_)
            | Self::Gone
            | Self::Wire(_)
            | Self::Serve(_)
            | Self::Thread(_)
            | Self::Watch(_)
            | Self::OutOfTurn
            | Self::Duplicate(_)
            | Self::Code(_) => BootFailure::Boot,
        }
    }
}

//! The messages between supervisor and worker, and the only place where a byte layout exists.
//!
//! A crate of its own because everybody links it and it must link nobody: no socket, no clock, no engine.
//!
//! ```text
//! supervisor                      worker                      supervisor                compile child
//!     | -- ToWorker::Boot -------->  |                             | -- ToCompiler::Compile --> |
//!     |                              | load, confine               |                            | compile
//!     | <------- FromWorker::Ready - |                             | <- FromCompiler::Compiled -|
//!     | -- ToWorker::Run ----------> |                             v                            v
//!     | <----- FromWorker::Results - |   (any number, in the order of the runs)
//!     | <----- FromWorker::Call ---- |   (a guest asks; one at a time)
//!     | -- ToWorker::Reply --------> |   (or ::Lend: with what its next calls need not ask for)
//!     | -- ToWorker::Shutdown -----> |
//! ```
//!
//! A message is typed, a frame is bytes: four bytes of little-endian length, then the message in postcard. The length is checked
//! against a cap before anything is allocated or decoded ([`codec`]). There is one enum per direction, so that a receiver
//! matches every arm and none is "unexpected". Bulk data (inputs, results) travels as one byte string per frame and is borrowed,
//! not copied, on arrival ([`items`]).
//!
//! Everything that a worker or a compile child sends is hostile: decoding is total, types are a flat table that is checked
//! before use ([`types`]), and nothing recurses over received data.

pub mod call;
pub mod codec;
pub mod command;
pub mod compile;
pub mod entry;
pub mod error;
pub mod from_worker;
pub mod ids;
pub mod items;
pub mod limits;
pub mod outcome;
pub mod rights;
pub mod to_worker;
pub mod types;
pub mod visible;

pub use call::{CallError, CallId, HandleId, Holder, LeaseId, ObjectId, TaskId};
pub use codec::{FrameBuffer, encode};
pub use command::CommandInput;
pub use compile::{FromCompiler, Refusal, RefusalKind, ToCompiler};
pub use error::WireError;
pub use from_worker::{FromWorker, LayerReport, Ready, Stream};
pub use ids::{ChunkId, JobId, TaskIndex, Turn, WorkerId};
pub use items::{ItemReader, ItemWriter};
pub use limits::{Isolation, Limits};
pub use outcome::{Limit, Outcome, OutcomeReader, OutcomeWriter, TrapKind};
pub use rights::{CallKind, CallRights};
pub use to_worker::{Boot, DirGrant, Encoding, Grants, Run, ToWorker};
pub use types::{HOST_PACKAGE, Import, Interface, Signature, TypeDef, TypeId, TypeTable};
pub use visible::{is_hidden, visible, visible_json};

/// Raised by one with every change of a message's bytes. Supervisor and worker are the same binary, so a difference means that
/// the file was replaced while it ran; the handshake tells it instead of misreading frames.
pub const PROTOCOL_VERSION: u16 = 6;

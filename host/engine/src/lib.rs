//! The only crate that names wasmtime: compile, load, run, and values by their types.
//!
//! It knows no socket and no process. A compile child calls [`compile()`]; a confined process loads what came out of it as
//! [`Code`]; a worker connects that to itself as a [`Guest`] and calls [`Guest::run`] for each task. What the
//! guest asks of the broker meanwhile leaves through a [`Port`]. Everything that depends on the engine's
//! version, its traps and its configuration ends here; other crates see [`taskcell_wire`]'s words.

mod abi;
pub mod accept;
mod block;
mod call;
pub mod compile;
pub mod config;
pub mod error;
mod exit_code;
pub mod guest;
mod host;
mod input;
mod interface;
mod limiter;
mod link;
mod load;
mod port;
mod print;
mod state;
mod threads;
mod trap;
pub mod value;
pub mod values;

pub use compile::compile;
pub use config::fingerprint;
pub use error::EngineError;
pub use guest::{Code, CodeOptions, Connections, Guest, Machine, Ticker};
pub use load::CodeFile;
pub use port::{Answer, NoPort, Port, PortError};
pub use print::PrintSink;
pub use state::{Stop, StopReason};

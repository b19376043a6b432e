//! Between a supervisor and its compile child: one question, one answer. The code itself goes through a memory file.

use serde::{Deserialize, Serialize};

use crate::limits::Limits;
use crate::types::Interface;

/// Supervisor to compile child.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToCompiler {
    /// Compile the bytes in the inherited memory file.
    Compile {
        /// [`PROTOCOL_VERSION`](crate::PROTOCOL_VERSION) of the supervisor.
        version: u16,
        /// Settings that change the code: stack, fuel.
        limits: Limits,
        /// Whether to refuse to run when a required layer of the sandbox is missing.
        strict: bool,
    },
}

/// Why a component can't be run here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RefusalKind {
    /// Not WebAssembly at all, neither binary nor text.
    NotWasm,
    /// Precompiled code: it would run as it is, so it is never accepted.
    Precompiled,
    /// WebAssembly, but broken.
    Malformed,
    /// A core module without component type information that is no WASI command either.
    NotComponent,
    /// Sound, but over a limit or with something this host can't do.
    Unsupported,
    /// A required layer of the sandbox could not be put in force.
    Sandbox,
}

/// A component that can't be run here, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// What class of reason.
    pub kind: RefusalKind,
    /// One line for people: what is wrong, and what to do.
    pub text: String,
}

/// A component's description; its code is in the memory file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compiled {
    /// Exports, imports, types.
    pub interface: Interface,
}

/// Compile child to supervisor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum FromCompiler {
    /// The code is in the memory file.
    Compiled(Compiled),
    /// There is none.
    Refused(Refusal),
}

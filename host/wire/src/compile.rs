//! Between a supervisor and its compile children: one question, one answer. Component and code go through memory files.
//!
//! Two children work on a component, one after the other. The first turns it into code. The second maps that code, gives up all its
//! rights, and only then reads the component's types out of it; so the one that parses and compiles hostile bytes never needs
//! the right to make memory executable, which mapping code takes.

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
        /// Whether components with `async func` are accepted.
        concurrency: bool,
    },
    /// Describe the code in the inherited memory file.
    Describe {
        /// As for compiling.
        version: u16,
        /// As for compiling.
        limits: Limits,
        /// As for compiling.
        strict: bool,
        /// What [`FromCompiler::Compiled`] said.
        is_concurrent: bool,
        /// What [`FromCompiler::Compiled`] said.
        has_start: bool,
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

/// Compile child to supervisor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum FromCompiler {
    /// The code is in the memory file.
    Compiled {
        /// Whether the code needs support for `async func`.
        is_concurrent: bool,
        /// Whether making an instance runs code of the guest.
        has_start: bool,
    },
    /// Exports, imports, types.
    Described(Interface),
    /// There is none.
    Refused(Refusal),
}

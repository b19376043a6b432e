//! Every cap, with its reason. Those that a user may set are fields of [`Limits`].

use serde::{Deserialize, Serialize};

/// One kibibyte, in bytes.
pub const KIB: u64 = 1024;
/// One mebibyte, in bytes.
pub const MIB: u64 = 1024 * KIB;

/// What a frame may hold beside its payload: ids, counts, the varints of postcard.
pub const FRAME_OVERHEAD: u64 = 4 * KIB;
/// Before a worker is ready it has nothing long to say; the first frames are capped by this, in bytes.
pub const BOOT_FRAME: u64 = 64 * KIB;
/// A component's description: its exports, imports and types, in bytes. A generated binding of all of WASI takes about 60 KiB.
pub const INTERFACE_FRAME: u64 = 4 * MIB;
/// The most bytes of inputs that one chunk collects before it is sent; a longer single input travels alone.
pub const CHUNK_BYTES: usize = 256 * 1024;
/// The most tasks in a chunk. With 4096 a task's share of a frame's fixed cost (about 5 us) is under 2 ns.
pub const CHUNK_TASKS: u32 = 4096;
/// Results collected by a worker before it sends them, in bytes.
pub const RESULT_BYTES: usize = 256 * 1024;
/// Memory for frames that is kept for the next ones, in bytes; what a rare longer one took is given back. Messages of 1 MiB, which some
/// jobs send all the time, must not pay for new memory each time.
pub const KEPT_BYTES: usize = 5 * 1024 * 1024;
/// The most types in a component's description. The largest seen, a Python component with all of WASI, has under 300.
pub const TYPES: usize = 20_000;
/// Exported functions in a component's description.
pub const TASKS: usize = 10_000;
/// A guest's component as it is handed in, in bytes. Python components take 18 to 40 MB.
pub const COMPONENT_BYTES: u64 = 256 * MIB;
/// A text that explains a failure is cut to this many bytes before it travels.
pub const EXPLANATION_BYTES: usize = 2048;

/// A fresh instance for every task, or one instance for all tasks of a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Isolation {
    /// Each task runs in an instance of its own: nothing of a former task can be seen.
    #[default]
    Fresh,
    /// One instance serves a worker's tasks one after the other, until one of them traps.
    Reuse,
}

/// What a guest may use. All are on by default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Linear memory of one instance, all its memories together, in bytes.
    pub memory_bytes: u64,
    /// Elements of one table.
    pub table_elements: u64,
    /// Core instances, memories and tables of one instance, each.
    pub instances: u32,
    /// Wasm stack in bytes.
    pub stack_bytes: u64,
    /// Units of fuel for one task; `None`: not counted (counting costs about as much again as the code itself).
    pub fuel: Option<u64>,
    /// Bytes that a guest may hand to the host in one call.
    pub host_call_bytes: u64,
    /// Handles that a guest may hold.
    pub handles: u32,
    /// The longest input, in bytes of its encoding.
    pub message_bytes: u64,
    /// The longest result, in bytes of its encoding.
    pub result_bytes: u64,
    /// What one task may print, in bytes; the rest is dropped, with a mark.
    pub log_bytes: u64,
    /// Bytes that a guest may ask of a random source in one call.
    pub random_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory_bytes: 256 * MIB,
            table_elements: 1_000_000,
            instances: 64,
            stack_bytes: 512 * KIB,
            fuel: None,
            host_call_bytes: 64 * MIB,
            handles: 1024,
            message_bytes: 16 * MIB,
            result_bytes: 16 * MIB,
            log_bytes: MIB,
            random_bytes: 64 * KIB,
        }
    }
}

impl Limits {
    /// The longest frame in either direction once a worker runs tasks, in bytes.
    #[must_use]
    pub fn frame_bytes(&self) -> u64 {
        self.message_bytes.max(self.result_bytes).max(CHUNK_BYTES as u64).max(RESULT_BYTES as u64)
            + 2 * CHUNK_BYTES as u64
            + FRAME_OVERHEAD
    }
}

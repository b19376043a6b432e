//! What objects may hold.
//!
//! The failure that this prevents: a guest that fills the supervisor's memory, which all tasks share. Whatever a guest can make longer has its cap here,
//! and what happens at the cap is one of two things: the call waits for room (a full queue or pipe), or it is answered with
//! `quota` and the cap's name (a map, a line of waiters). These are caps per object; how many objects a task may have is counted
//! where handles are.

use taskcell_wire::limits::MIB;

/// The most characters of an object's name that are kept.
pub const NAME_CHARS: usize = 64;
/// The shortest lease, in nanoseconds: one millisecond. Below that, more leases would end on their way than be answered for.
pub const SHORTEST_LEASE: u64 = 1_000_000;
/// The most entries that one call of `keys` or `items` gives.
pub const PAGE_ENTRIES: u32 = 1000;
/// The longest key of a map, in bytes.
pub const KEY_BYTES: usize = 4096;
/// How often a message is delivered under a lease if its queue was made without a word about that.
pub const ATTEMPTS: u32 = 16;

/// What a message takes beside its body, in bytes, where all bytes are counted: an empty message is not free.
pub const ITEM_BYTES: u64 = 64;
/// What an entry of a map takes beside its key and value, likewise.
pub const ENTRY_BYTES: u64 = 2 * ITEM_BYTES;

/// Caps per object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quotas {
    /// The longest message or value, in bytes. 16 MiB, as for inputs and results.
    pub message_bytes: u64,
    /// The most that one answer carries, in bytes; one message may always travel. 16 MiB, so that it fits a frame.
    pub reply_bytes: u64,
    /// Calls that wait on one object. 4096: more than there are tasks on a machine, each with its one call.
    pub waiters: usize,
    /// Bytes of messages whose senders wait for room, per object. 64 MiB.
    pub parked_bytes: u64,
    /// Messages in a queue. One million: about 100 MB of bookkeeping.
    pub queue_items: u32,
    /// Bytes of messages in a queue. 256 MiB.
    pub queue_bytes: u64,
    /// Messages of a queue that were put aside and kept. 1024.
    pub rejected_items: u32,
    /// Their bytes. 16 MiB.
    pub rejected_bytes: u64,
    /// Messages on their way in one direction of a pipe. 4096.
    pub pipe_items: usize,
    /// Their bytes; a longer message travels alone. 1 MiB.
    pub pipe_bytes: u64,
    /// Keys in a map. One million.
    pub map_keys: usize,
    /// Bytes of a map's keys and values. 256 MiB.
    pub map_bytes: u64,
}

impl Default for Quotas {
    fn default() -> Self {
        Self {
            message_bytes: 16 * MIB,
            reply_bytes: 16 * MIB,
            waiters: 4096,
            parked_bytes: 64 * MIB,
            queue_items: 1_000_000,
            queue_bytes: 256 * MIB,
            rejected_items: 1024,
            rejected_bytes: 16 * MIB,
            pipe_items: 4096,
            pipe_bytes: MIB,
            map_keys: 1_000_000,
            map_bytes: 256 * MIB,
        }
    }
}

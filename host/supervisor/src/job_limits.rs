//! What the tasks of one job may have together, and one object of theirs.
//!
//! The failure that this prevents: tasks that are each within their own limits ([`Limits`]) and take the machine together, or the
//! supervisor, which holds what they share. They are the job's, not the component's: how a component is compiled and what its
//! instances get does not depend on them. The road not taken: all caps of the broker as options. Those that are not here follow from how
//! it works (calls that wait on one object, pieces of a pipe); nobody has to choose them.

use taskcell_broker::{HostLimits, Quotas};
use taskcell_wire::Limits;

/// What all tasks of a pool or a program may have together, and one queue or map of theirs. A guest that reaches one is told so by a
/// `quota` error that names it, or waits where there will be room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JobLimits {
    /// Worker processes: those of the pool itself, of processes and of pools that tasks made. 256.
    pub processes: u32,
    /// How deep tasks may start tasks. 16.
    pub depth: u32,
    /// Pools that tasks made. 64.
    pub pools: u32,
    /// Queues, pipes, maps, locks and the like. 65 536.
    pub objects: u32,
    /// Bytes of all messages, entries, inputs that wait and outcomes that nobody took. 1 GiB.
    pub shared_bytes: u64,
    /// Messages of one queue. One million.
    pub queue_items: u32,
    /// Bytes of messages of one queue. 256 MiB.
    pub queue_bytes: u64,
    /// Keys of one map. One million.
    pub map_keys: u32,
    /// Bytes of keys and values of one map. 256 MiB.
    pub map_bytes: u64,
}

impl Default for JobLimits {
    fn default() -> Self {
        let (limits, quotas) = (HostLimits::default(), Quotas::default());
        Self {
            processes: limits.processes,
            depth: limits.depth,
            pools: limits.pools,
            objects: limits.objects,
            shared_bytes: limits.bytes,
            queue_items: quotas.queue_items,
            queue_bytes: quotas.queue_bytes,
            map_keys: u32::try_from(quotas.map_keys).unwrap_or(u32::MAX),
            map_bytes: quotas.map_bytes,
        }
    }
}

impl JobLimits {
    /// The broker's caps on all together; what one task may have is its component's.
    pub(crate) fn together(self, limits: &Limits) -> HostLimits {
        HostLimits {
            processes: self.processes,
            depth: self.depth,
            pools: self.pools,
            objects: self.objects,
            bytes: self.shared_bytes,
            handles: limits.handles,
            log_bytes: limits.log_bytes,
            ..HostLimits::default()
        }
    }

    /// The broker's caps per object.
    pub(crate) fn per_object(self, limits: &Limits) -> Quotas {
        Quotas {
            message_bytes: limits.message_bytes,
            queue_items: self.queue_items,
            queue_bytes: self.queue_bytes,
            map_keys: usize::try_from(self.map_keys).unwrap_or(usize::MAX),
            map_bytes: self.map_bytes,
            ..Quotas::default()
        }
    }
}

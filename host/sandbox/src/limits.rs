//! Resource limits of a child.
//!
//! Most are set between fork and exec, so they hold even while the child's own start-up code runs. Two wait for
//! [`Confined::seal`](crate::Confined::seal): the file size, because it binds memfds too and the
//! engine writes its memory images into one during warm-up, and the number of processes, because it counts threads.
//!
//! An address-space cap is for the compiler only: an engine that runs wasm reserves gigabytes that it never touches.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The main thread's stack in a child, in bytes: what Linux gives by default.
const STACK: u64 = 8 << 20;

/// Processes that a zygote and its workers may be at a time: a compromised zygote can't fill the machine.
pub(crate) const ZYGOTE_PROCESSES: u64 = 4096;
/// Address space in bytes that a sealed process may still reserve. Page tables of mappings that are only
/// read are in no other limit.
pub(crate) const SPARE_ADDRESS_SPACE: u64 = 64 << 30;

/// How large this process is: `RLIMIT_DATA` and `RLIMIT_AS` count from there.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sizes {
    /// Private writable memory in bytes.
    pub(crate) data: Option<u64>,
    /// Address space in bytes.
    pub(crate) address_space: Option<u64>,
}

impl Sizes {
    /// Lines `VmData` and `VmSize` of `/proc/self/status`, in KiB (proc(5)).
    pub(crate) fn of_this_process() -> Self {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let line = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
        };
        Self { data: line("VmData:"), address_space: line("VmSize:") }
    }
}

/// Caps that the supervisor puts on a child before it executes. `None` leaves the supervisor's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Address space in bytes (`RLIMIT_AS`). For the compiler only.
    pub memory_bytes: Option<u64>,
    /// Processor time in seconds (`RLIMIT_CPU`); the process is killed one second after the warning signal.
    pub cpu_seconds: Option<u64>,
    /// Number of open descriptors (`RLIMIT_NOFILE`).
    pub open_files: Option<u64>,
    /// Size in bytes of any file or memfd that the child writes to (`RLIMIT_FSIZE`).
    pub file_bytes: Option<u64>,
}

impl Default for Limits {
    fn default() -> Self {
        Self { memory_bytes: None, cpu_seconds: None, open_files: Some(64), file_bytes: None }
    }
}

impl Limits {
    /// The limits as pairs for the fork path, computed where allocation is still allowed. A cap above the hard limit we
    /// live under becomes that limit: raising it would fail, and the stricter cap is what the administrator wants.
    pub(crate) fn settings(self) -> Vec<(Resource, Rlimit)> {
        let caps = [
            (Resource::Core, Some(0)),
            (Resource::As, self.memory_bytes),
            (Resource::Cpu, self.cpu_seconds),
            (Resource::Nofile, self.open_files),
            (Resource::Fsize, self.file_bytes),
        ];
        let capped = caps.into_iter().filter_map(|(resource, cap)| {
            let cap = cap?;
            let ceiling = getrlimit(resource).maximum.unwrap_or(u64::MAX);
            // Processor time: the soft limit only warns (and kills by default), the hard one a second later kills for sure.
            let hard = if resource == Resource::Cpu { cap.saturating_add(1) } else { cap };
            Some((resource, Rlimit { current: Some(cap.min(ceiling)), maximum: Some(hard.min(ceiling)) }))
        });
        lifted().into_iter().chain(capped).collect()
    }
}

/// Soft limits that a child gets back, up to the hard ones. A shell that sets them has other programs in mind: a guest runs on the main
/// thread's stack, and an engine reserves hundreds of GiB of address space.
fn lifted() -> Vec<(Resource, Rlimit)> {
    let (stack, space) = (getrlimit(Resource::Stack), getrlimit(Resource::As));
    let wanted = STACK.min(stack.maximum.unwrap_or(u64::MAX));
    let mut lifted = Vec::new();
    if stack.current.is_some_and(|current| current < wanted) {
        lifted.push((Resource::Stack, Rlimit { current: Some(wanted), ..stack }));
    }
    if space.current != space.maximum {
        lifted.push((Resource::As, Rlimit { current: space.maximum, ..space }));
    }
    lifted
}

/// Sets one limit of the calling process, soft and hard; never above the hard limit in force.
pub(crate) fn lower(resource: Resource, cap: u64) -> rustix::io::Result<()> {
    let ceiling = getrlimit(resource).maximum.unwrap_or(u64::MAX);
    let cap = Some(cap.min(ceiling));
    setrlimit(resource, Rlimit { current: cap, maximum: cap })
}

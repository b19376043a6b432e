//! A control group for a job's workers: bounds that the kernel keeps, whatever code runs in a worker.
//!
//! The operator gives a directory of cgroup v2 that is delegated to this user. Each pool makes a group of its own in it
//! (`taskcell-PID-N`), bounds it, and puts every executed worker into it before the first byte is sent to that worker: until then
//! only code of ours runs there. Zygotes are put there as soon as they were started, and forked workers are born there. It is removed
//! when all workers have ended.
//!
//! Compile children stay outside: they are bounded by limits of their own.

use std::fs;
use std::io;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::error::Error;

/// The magic number of cgroup v2 file systems (`CGROUP2_SUPER_MAGIC`).
const MAGIC: u64 = 0x6367_7270;
/// What a worker takes beside its guest's memory: code, stacks, shared memory, messages under way.
const BESIDE_BYTES: u64 = 128 * 1024 * 1024;
/// Threads of a worker, at most, with some to spare; the kernel counts threads.
const THREADS: u64 = 16;
/// The period in which processor time is counted, in microseconds.
const PERIOD: u64 = 100_000;
/// Attempts to remove a group, and the pause between two.
const REMOVALS: u32 = 20;
const PAUSE: Duration = Duration::from_millis(5);

/// Bounds of all workers of a pool or a program together, kept by the kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CgroupOptions {
    /// A directory of cgroup v2 that is delegated to this user, without processes of its own.
    pub parent: PathBuf,
    /// Memory of all workers together, in bytes. By default a pool has its workers' limits and some for each worker; a program has none.
    pub memory_bytes: Option<u64>,
    /// Processor time of all workers together, in CPUs. No bound by default.
    pub cpus: Option<NonZeroU32>,
}

impl CgroupOptions {
    /// The default bounds, in this directory.
    #[must_use]
    pub fn new(parent: impl Into<PathBuf>) -> Self {
        Self { parent: parent.into(), memory_bytes: None, cpus: None }
    }

    /// With a bound on memory for so many workers with guests of so many bytes, if none was given.
    pub(crate) fn for_workers(mut self, workers: NonZeroU32, guest_bytes: u64) -> Self {
        let each = guest_bytes.saturating_add(BESIDE_BYTES);
        self.memory_bytes.get_or_insert(each.saturating_mul(u64::from(workers.get())));
        self
    }
}

/// A group of a dispatcher's. Dropping it removes it, if its processes have ended.
#[derive(Debug)]
pub(crate) struct Cgroup {
    path: PathBuf,
}

impl Cgroup {
    /// Makes the group and sets its bounds. `processes`: as many workers as the job may have.
    ///
    /// # Errors
    /// [`Error::Cgroup`], with the file and what to do about it.
    pub(crate) fn create(options: &CgroupOptions, processes: u32) -> Result<Self, Error> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let parent = &options.parent;
        let found =
            rustix::fs::statfs(parent).map_err(|error| failed(parent, "use", error.into(), "give a directory of cgroup v2"))?;
        if u64::try_from(found.f_type) != Ok(MAGIC) {
            let error = io::Error::other("it is no directory of cgroup v2");
            return Err(failed(
                parent,
                "use",
                error,
                "give one, as below /sys/fs/cgroup; `systemd-run --user -p Delegate=yes` makes one",
            ));
        }
        enable(parent, if options.cpus.is_some() { &["memory", "pids", "cpu"] } else { &["memory", "pids"] })?;
        let path = parent.join(format!("taskcell-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed)));
        fs::create_dir(&path).map_err(|error| failed(&path, "make", error, "the directory has to be delegated to this user"))?;
        let group = Self { path };
        if let Some(bytes) = options.memory_bytes {
            group.set("memory.max", &bytes.to_string())?;
            // Without swap the bound is one; kernels without it have no such file.
            let _ = fs::write(group.path.join("memory.swap.max"), "0");
        }
        // The kernel kills one worker for want of memory, and not all.
        group.set("memory.oom.group", "0")?;
        group.set("pids.max", &u64::from(processes).saturating_mul(THREADS).to_string())?;
        if let Some(cpus) = options.cpus {
            group.set("cpu.max", &format!("{} {PERIOD}", u64::from(cpus.get()).saturating_mul(PERIOD)))?;
        }
        Ok(group)
    }

    /// Puts a process into the group.
    ///
    /// # Errors
    /// [`Error::Cgroup`]; the process is not bounded then, and must not be used.
    pub(crate) fn add(&self, pid: u32) -> Result<(), Error> {
        self.set("cgroup.procs", &pid.to_string())
    }

    fn set(&self, file: &str, value: &str) -> Result<(), Error> {
        let path = self.path.join(file);
        fs::write(&path, value)
            .map_err(|error| failed(&path, &format!("write {value} to"), error, "is the controller delegated?"))
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        for _ in 0..REMOVALS {
            match fs::remove_dir(&self.path) {
                // A process that just ended may be counted a moment longer.
                Err(error) if error.kind() == io::ErrorKind::ResourceBusy => std::thread::sleep(PAUSE),
                // An empty group that stays costs next to nothing, and its name says whose it was.
                Ok(()) | Err(_) => return,
            }
        }
    }
}

/// Has the directory's groups bounded by these controllers.
fn enable(parent: &Path, controllers: &[&str]) -> Result<(), Error> {
    let list = |file: &str| {
        let path = parent.join(file);
        let text = fs::read_to_string(&path).map_err(|error| failed(&path, "read", error, "give a directory of cgroup v2"))?;
        Ok::<Vec<String>, Error>(text.split_ascii_whitespace().map(str::to_owned).collect())
    };
    let (there, enabled) = (list("cgroup.controllers")?, list("cgroup.subtree_control")?);
    let has = |list: &[String], name: &str| list.iter().any(|other| other == name);
    for name in controllers {
        if !has(&there, name) {
            let error = io::Error::other(format!("the controller {name} is not there"));
            return Err(failed(parent, "use", error, "delegate it, and see that it is not in use by cgroup v1"));
        }
        if !has(&enabled, name) {
            let path = parent.join("cgroup.subtree_control");
            let advice = "the directory has to be delegated to this user, and to have no processes of its own";
            fs::write(&path, format!("+{name}")).map_err(|error| failed(&path, &format!("write +{name} to"), error, advice))?;
        }
    }
    Ok(())
}

fn failed(path: &Path, act: &str, error: io::Error, advice: &str) -> Error {
    Error::Cgroup { what: format!("{act} {}", path.display()), error, advice: advice.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_control_group_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        for path in [folder.path().to_owned(), folder.path().join("nothing")] {
            let error = Cgroup::create(&CgroupOptions::new(&path), 1).err().map(|error| error.to_string()).unwrap_or_default();
            assert!(error.starts_with(&format!("use {}: ", path.display())) && error.contains("cgroup v2"), "{error}");
        }
    }

    #[test]
    fn a_controller_that_is_not_there_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("cgroup.controllers"), "cpu io\n").expect("a file");
        fs::write(folder.path().join("cgroup.subtree_control"), "cpu\n").expect("a file");
        assert!(enable(folder.path(), &["cpu"]).is_ok());
        let error = enable(folder.path(), &["cpu", "memory"]).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains("the controller memory is not there"), "{error}");
        enable(folder.path(), &["io"]).expect("it is there");
        assert_eq!(fs::read_to_string(folder.path().join("cgroup.subtree_control")).expect("a file"), "+io");
    }

    #[test]
    fn memory_is_that_of_all_workers_unless_it_is_given() {
        let two = NonZeroU32::new(2).expect("two");
        let of = |options: CgroupOptions| options.for_workers(two, 1000).memory_bytes;
        assert_eq!(of(CgroupOptions::new("/x")), Some(2 * (1000 + BESIDE_BYTES)));
        assert_eq!(of(CgroupOptions { memory_bytes: Some(5), ..CgroupOptions::new("/x") }), Some(5));
    }
}

//! What a run left behind: processes, files, entries in `/dev/shm`.
//!
//! The test process declares itself the one that orphans fall to, so whatever outlives a run becomes its child, in any session and with
//! any environment, and is found by that. Killing takes effect a moment later than it is asked for, so a look is repeated for a
//! while before it counts.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::{Pid, WaitOptions, getpid, set_child_subreaper, waitpid};

use crate::process::{Process, children};

/// How long a process that is being killed may take on a busy machine.
const GRACE: Duration = Duration::from_secs(10);

/// How things were before a run.
#[derive(Debug)]
pub struct Before {
    shared_memory: BTreeSet<OsString>,
    /// Folders that were empty and must be empty again.
    folders: Vec<PathBuf>,
}

impl Before {
    /// Looks around. `folders` are those that a run must leave empty.
    ///
    /// # Panics
    /// If the kernel does not let this process take in orphans.
    #[must_use]
    pub fn look(folders: Vec<PathBuf>) -> Self {
        set_child_subreaper(Some(getpid())).expect("orphans fall to this process");
        Self { shared_memory: names(Path::new("/dev/shm")), folders }
    }

    /// What there is now that was not there before, for people; `None` if there is nothing.
    #[must_use]
    pub fn leftovers(&self) -> Option<String> {
        let began = Instant::now();
        loop {
            let found = self.now();
            if found.is_empty() {
                return None;
            }
            if began.elapsed() > GRACE {
                return Some(found.join("; "));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn now(&self) -> Vec<String> {
        let mut found: Vec<String> = orphans().into_iter().map(|orphan| format!("a process: {orphan:?}")).collect();
        let shared = names(Path::new("/dev/shm"));
        found.extend(
            shared.difference(&self.shared_memory).filter(|name| !is_foreign(name)).map(|name| format!("/dev/shm/{name:?}")),
        );
        for folder in &self.folders {
            found.extend(names(folder).iter().map(|name| format!("a file: {}", folder.join(name).display())));
        }
        found
    }
}

/// Python's pools and queues, which others may be running here, have entries of their own.
fn is_foreign(name: &OsString) -> bool {
    name.to_str().is_some_and(|name| name.starts_with("psm_") || name.starts_with("sem."))
}

/// Workers, compile children and zygotes whose supervisor is gone. Those that have ended are reaped and do not count.
fn orphans() -> Vec<Process> {
    let confined = children(getpid().as_raw_nonzero().get()).into_iter().filter(|child| child.is_confined() || child.is_zygote());
    confined.filter(|orphan| orphan.state != 'Z' || !reap(orphan.pid)).collect()
}

fn reap(pid: i32) -> bool {
    Pid::from_raw(pid).is_some_and(|pid| waitpid(Some(pid), WaitOptions::NOHANG).is_ok())
}

fn names(folder: &Path) -> BTreeSet<OsString> {
    let Ok(folder) = std::fs::read_dir(folder) else { return BTreeSet::new() };
    folder.filter_map(|entry| Some(entry.ok()?.file_name())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::process::Command;

    use rustix::process::{Signal, kill_process};

    use crate::bound::until;

    #[test]
    fn what_is_left_is_found() {
        let folder = tempfile::tempdir().expect("a folder");
        let before = Before::look(vec![folder.path().to_owned()]);
        assert_eq!(before.now(), Vec::<String>::new());

        std::fs::write(folder.path().join("forgotten"), "").expect("a file");
        assert!(before.now()[0].contains("forgotten"));
        std::fs::remove_file(folder.path().join("forgotten")).expect("it is there");

        // An orphan in a session of its own, with nothing in its environment, as workers are.
        let script = "setsid bash -c 'exec -c -a taskcell-worker sleep 300' & disown";
        assert!(Command::new("bash").args(["-c", script]).status().expect("bash is there").success());
        let orphan = until("the orphan", || orphans().into_iter().next());
        assert!(before.now()[0].contains("taskcell-worker") || before.now()[0].contains("sleep"), "{:?}", before.now());
        kill_process(Pid::from_raw(orphan.pid).expect("a process id"), Signal::KILL).expect("it is there");
        assert_eq!(before.leftovers(), None, "what is being killed is waited for and reaped");
    }
}

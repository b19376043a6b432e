//! Processes as `/proc` shows them.

use std::fs;

/// One process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its id.
    pub pid: i32,
    /// Its parent's.
    pub parent: i32,
    /// The short name that it goes by.
    pub name: String,
    /// One letter: R runs, S sleeps, T is stopped, Z has ended and waits to be reaped.
    pub state: char,
    /// Processor time that it used, in hundredths of a second.
    pub ticks: u64,
}

impl Process {
    /// Reads one, if it is there.
    #[must_use]
    pub fn read(pid: i32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name stands in parentheses and may itself hold some.
        let (before, after) = stat.rsplit_once(')')?;
        let (_, name) = before.split_once('(')?;
        let fields: Vec<&str> = after.split_ascii_whitespace().collect();
        let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
        Some(Self {
            pid,
            parent: fields.get(1)?.parse().ok()?,
            name: name.to_owned(),
            state: fields.first()?.chars().next()?,
            ticks: number(11)? + number(12)?,
        })
    }

    /// Whether it was started as a worker or a compile child.
    #[must_use]
    pub fn is_confined(&self) -> bool {
        self.goes_by("taskcell-worker") || self.goes_by("taskcell-compil")
    }

    /// Whether it was started to fork workers.
    #[must_use]
    pub fn is_zygote(&self) -> bool {
        self.goes_by("taskcell-zygote")
    }

    fn goes_by(&self, wanted: &str) -> bool {
        let ours = |name: &str| name.starts_with(wanted);
        // The short name is the executed file's until the process gave itself another; the arguments are right from the start.
        ours(&self.name) || fs::read_to_string(format!("/proc/{}/cmdline", self.pid)).is_ok_and(|line| ours(&line))
    }
}

/// All children of a process, in the order of their ids.
#[must_use]
pub fn children(parent: i32) -> Vec<Process> {
    let Ok(folder) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = folder.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let mut found: Vec<Process> = pids.filter_map(Process::read).filter(|process| process.parent == parent).collect();
    found.sort_by_key(|process| process.pid);
    found
}

/// Memory of a process that is in RAM, in bytes.
#[must_use]
pub fn resident(pid: i32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

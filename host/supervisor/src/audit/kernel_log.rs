//! The number of the system call for which a process was killed, out of the kernel's log.
//!
//! A process that is killed by its filter (`SECCOMP_RET_KILL_PROCESS`) takes the number with it: it is in no wait status, and `/proc`
//! has no system call of a dead process. The kernel writes it to its audit log before it kills, and to `/dev/kmsg` unless an audit
//! daemon takes it. So this is best effort: root only, in the first process-id namespace only (the log has that namespace's numbers,
//! and others would be matched with strangers), and without a number where a flood of messages or a rate limit swallowed the line.
//!
//! Rejected: `SECCOMP_RET_TRAP` with a handler, since a worker that was taken over can replace the handler and live; a listener
//! (`SECCOMP_RET_USER_NOTIF`), since then the kill depends on the supervisor, and the call fails with an error when that is slow or
//! gone; a tracer, which costs every call of every worker.

use std::os::fd::OwnedFd;

use rustix::fs::{Mode, OFlags, SeekFrom};
use rustix::io::Errno;

/// The longest line of the log.
const LINE: usize = 8192;
/// Lines that are read for one death at most.
const LINES: usize = 20_000;
/// The inode of the first process-id namespace (`PROC_PID_INIT_INO`).
const FIRST_NAMESPACE: u64 = 0xEFFF_FFFC;

/// The kernel's log, from the moment that it was opened.
#[derive(Debug)]
pub(crate) struct KernelLog {
    file: OwnedFd,
}

impl KernelLog {
    /// Opens the log at its end; `None` if it cannot be read, or has other process ids.
    pub(crate) fn open() -> Option<Self> {
        let namespace = rustix::fs::stat("/proc/self/ns/pid").ok()?;
        if namespace.st_ino != FIRST_NAMESPACE {
            return None;
        }
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
        let file = rustix::fs::open("/dev/kmsg", flags, Mode::empty()).ok()?;
        rustix::fs::seek(&file, SeekFrom::End(0)).ok()?;
        Some(Self { file })
    }

    /// The call for which this process was killed. Reads what was written since the last time.
    pub(crate) fn call_of(&self, pid: u32) -> Option<i64> {
        let mut line = [0; LINE];
        for _ in 0..LINES {
            match rustix::io::read(&self.file, &mut line) {
                Ok(count) => {
                    let text = line.get(..count).map(String::from_utf8_lossy).unwrap_or_default();
                    if let Some((of, call)) = parse(&text)
                        && of == pid
                    {
                        return Some(call);
                    }
                }
                // What was overwritten before it was read is skipped.
                Err(Errno::PIPE | Errno::INTR) => {}
                Err(_) => return None,
            }
        }
        None
    }
}

/// The process and the call of a line about a process that its filter killed.
fn parse(line: &str) -> Option<(u32, i64)> {
    let (prefix, message) = line.split_once(';')?;
    // Facility 0, the kernel: lines that processes write to the log have another one.
    let priority: u32 = prefix.split(',').next()?.parse().ok()?;
    if priority >> 3 != 0 || !message.starts_with("audit: type=1326 ") {
        return None;
    }
    let field = |name: &str| message.split_ascii_whitespace().find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
    let killed = field("code")? == "0x80000000";
    killed.then_some((field("pid")?.parse().ok()?, field("syscall")?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "5,847,2342099959,-;audit: type=1326 audit(1795926118.912:617): auid=4294967295 uid=1879054740 ses=4294967295 \
                        pid=6548 comm=\"taskcell-forker\" exe=\"/usr/bin/taskcell\" sig=31 arch=c000003e syscall=46 compat=0 \
                        ip=0x5618e0b8bfc7 code=0x80000000\n";

    #[test]
    fn a_kill_by_a_filter_is_understood() {
        assert_eq!(parse(LINE), Some((6548, 46)));
    }

    #[test]
    fn nothing_else_is() {
        for line in [
            "",
            "5,1,1,-;audit: type=1300 syscall=46 pid=6548 code=0x80000000",
            &LINE.replace("code=0x80000000", "code=0x7ffc0000"),
            // What a process writes to /dev/kmsg has facility 1 (user) or more.
            &LINE.replace("5,847", "13,847"),
            &LINE.replace("syscall=46", "syscall=-"),
            &LINE.replace("audit: type", "x audit: type"),
        ] {
            assert_eq!(parse(line), None, "{line}");
        }
    }
}

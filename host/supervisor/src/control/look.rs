//! The side of the one who looks: asks every host of this user, and takes away what dead ones left.

use std::io::Read;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use super::{DOCUMENT_BYTES, HostStatus, VERSION, directory};

/// How long a host may take to answer: its dispatcher answers between two turns.
const PATIENCE: Duration = Duration::from_secs(5);

/// Every host of this user that can be seen, by process number. Empty if there is no `$XDG_RUNTIME_DIR`, or none is running.
#[must_use]
pub fn hosts() -> Vec<HostStatus> {
    let Some(entries) = directory().and_then(|directory| std::fs::read_dir(directory).ok()) else { return Vec::new() };
    let mut hosts: Vec<HostStatus> = entries.flatten().filter_map(|entry| ask(&entry.path())).collect();
    hosts.sort_by_key(|host| host.pid);
    hosts
}

fn ask(path: &Path) -> Option<HostStatus> {
    let peer = match UnixStream::connect(path) {
        Ok(peer) => peer,
        Err(error) => {
            // Nobody listens: its host was killed. Only names that we give are taken away.
            if error.kind() == std::io::ErrorKind::ConnectionRefused && is_ours(path) {
                let _ = std::fs::remove_file(path);
            }
            return None;
        }
    };
    peer.set_read_timeout(Some(PATIENCE)).ok()?;
    let mut json = Vec::new();
    peer.take(DOCUMENT_BYTES).read_to_end(&mut json).ok()?;
    let mut host: HostStatus = serde_json::from_slice(&json).ok()?;
    if host.version != VERSION {
        return None;
    }
    for task in &mut host.tasks {
        if let Some((cpu, memory)) = task.pid.and_then(usage) {
            task.cpu_ms = Some(cpu);
            task.memory_bytes = Some(memory);
        }
    }
    Some(host)
}

/// `PID-SERIAL.sock`
fn is_ours(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let numbers = name.strip_suffix(".sock").and_then(|stem| stem.split_once('-'));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    numbers.is_some_and(|(pid, serial)| is_number(pid) && is_number(serial))
}

/// CPU time in milliseconds and resident memory in bytes, as proc(5) tells them.
fn usage(pid: u32) -> Option<(u64, u64)> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name may hold anything, spaces and parentheses too; the fields after it are numbers.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_ascii_whitespace().collect();
    let number = |at: usize| fields.get(at).and_then(|field| field.parse::<u64>().ok());
    // Fields 14, 15 and 24 of the page; the first after the name is the third.
    let (user, system, pages) = (number(11)?, number(12)?, number(21)?);
    let ticks = rustix::param::clock_ticks_per_second().max(1);
    let memory = pages.saturating_mul(rustix::param::page_size() as u64);
    Some((user.saturating_add(system).saturating_mul(1000) / ticks, memory))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use super::*;

    #[test]
    fn only_names_that_a_host_gives_are_taken_away() {
        assert!(is_ours(Path::new("/run/taskcell/12-0.sock")));
        for other in ["/run/taskcell/12.sock", "/run/taskcell/a-0.sock", "/run/taskcell/12-0", "/run/taskcell/-0.sock"] {
            assert!(!is_ours(Path::new(other)), "{other}");
        }
    }

    #[test]
    fn a_process_has_memory() {
        let (_, memory) = usage(std::process::id()).unwrap();
        assert!(memory > 100_000);
    }
}

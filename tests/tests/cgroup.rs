//! `--cgroup DIR`: workers are in a group of their own while they run, bounded, and it is gone afterwards.
//!
//! Needs a directory of cgroup v2 with the controllers memory and pids, and the right to make groups in it; else the case says so and ends.

use std::fs;
use std::path::{Path, PathBuf};

use taskcell_tests::{taskcell, until, wat};

/// Half a second of processor time.
const BUSY: u64 = 50;

/// An empty group that is delegated to us, removed at the end.
struct Delegated(PathBuf);

impl Delegated {
    fn make() -> Option<Self> {
        let mounts = fs::read_to_string("/proc/self/mounts").expect("the mounts");
        let mount = mounts.lines().find_map(|line| {
            let mut fields = line.split(' ').skip(1);
            let (place, kind) = (fields.next()?, fields.next()?);
            (kind == "cgroup2").then(|| PathBuf::from(place))
        })?;
        let path = mount.join(format!("taskcell-test-{}", std::process::id()));
        for name in ["memory", "pids"] {
            let _ = fs::write(mount.join("cgroup.subtree_control"), format!("+{name}"));
        }
        fs::create_dir(&path).ok()?;
        let made = Self(path);
        let there = fs::read_to_string(made.0.join("cgroup.controllers")).ok()?;
        ["memory", "pids"].iter().all(|name| there.split_ascii_whitespace().any(|other| other == *name)).then_some(made)
    }

    fn groups(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(&self.0).expect("the group").map(|entry| entry.expect("an entry").path());
        entries.filter(|path| path.is_dir()).collect()
    }
}

impl Drop for Delegated {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}

fn pids(group: &Path) -> Vec<i32> {
    let text = fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
    text.lines().filter_map(|line| line.parse().ok()).collect()
}

#[test]
#[expect(clippy::print_stdout, reason = "says why it is skipped")]
fn workers_are_in_a_group_of_their_own() {
    let Some(delegated) = Delegated::make() else {
        println!("skipped: no cgroup v2 with the controllers memory and pids, in which a group can be made");
        return;
    };
    let running = taskcell!()
        .args(["map", "-j", "2", "--timeout", "3s", "--cgroup-memory", "300M", "--cgroup"])
        .arg(&delegated.0)
        .arg(wat("numbers"))
        .args(["spin", "0", "0"])
        .start();
    let workers = until("two busy workers", || {
        let workers: Vec<i32> = running.busy_workers(BUSY).iter().map(|worker| worker.pid).collect();
        (workers.len() == 2).then_some(workers)
    });
    let groups = delegated.groups();
    assert_eq!(groups.len(), 1, "{groups:?}");
    let mut inside = pids(&groups[0]);
    inside.sort_unstable();
    assert!(workers.iter().all(|pid| inside.contains(pid)), "{workers:?} in {inside:?}");
    assert_eq!(fs::read_to_string(groups[0].join("memory.max")).expect("a bound").trim(), (300 << 20).to_string());
    assert_eq!(running.end().code, Some(1), "both tasks run over their time");
    assert_eq!(delegated.groups(), Vec::<PathBuf>::new(), "the group is gone");
}

#[test]
fn what_is_no_control_group_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    for (path, why) in [(folder.path().to_owned(), "cgroup v2"), (folder.path().join("nothing"), "cgroup v2")] {
        let ended = taskcell!().args(["call", "--cgroup"]).arg(&path).arg(wat("numbers")).arg("spin(1)").run();
        assert_eq!(ended.code, Some(2), "{ended:#?}");
        assert!(ended.stderr.contains(&path.display().to_string()) && ended.stderr.contains(why), "{ended:#?}");
    }
}

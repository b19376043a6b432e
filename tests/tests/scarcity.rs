//! A machine that has too little: descriptors, processes, threads, memory. The pool goes as far as it can, and what can't be done is one line that
//! says so.
#![expect(clippy::print_stdout, reason = "a check that can't be made here says why")]

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use taskcell_tests::{Ended, Taskcell, repository, taskcell, until, wat};

/// Enough for every worker that there is room for to get a task: a fifth of a second each.
const ROUNDS: [&str; 8] = ["300000001", "300000002", "300000003", "300000004", "5", "6", "7", "8"];

/// A map over more workers than any of these machines has room for.
fn map() -> Taskcell {
    taskcell!().args(["map", "-j", "8"]).arg(wat("numbers")).arg("burn").args(ROUNDS)
}

/// It gave every result, or one error whose text has one of `why` in it. Whether it gave results.
fn went_well_or_said(ended: &Ended, why: &[&str], what: &str) -> bool {
    if ended.code == Some(0) {
        assert_eq!((ended.lines(), ended.stderr.as_str()), (ROUNDS.to_vec(), ""), "{what}");
        return true;
    }
    let said = ended.one_error(1);
    assert!(why.iter().any(|why| said.contains(why)), "{what}: {said}");
    false
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn skip(test: &str, why: &str) {
    println!("skipped: {test}: {why}");
}

#[test]
fn few_descriptors_are_used_or_the_error_says_that_they_are_too_few() {
    for compiled in [true, false] {
        let mut worked = Vec::new();
        for descriptors in 3..=40 {
            // What can't be run at all takes a second to give up.
            if !compiled && descriptors % 4 != 0 {
                continue;
            }
            let run = if compiled { map() } else { map().arg("--no-cache") };
            let ended = run.after(&format!("ulimit -n {descriptors}")).run();
            if ended.code == Some(127) {
                assert!(descriptors < 6 && ended.stderr.contains("shared libraries"), "{descriptors}: {ended:#?}");
                continue;
            }
            let what = format!("{descriptors} descriptors, compiled before: {compiled}");
            if went_well_or_said(&ended, &["Too many open files"], &what) {
                worked.push(descriptors);
            }
        }
        let least = worked.first().copied().expect("it works with some number of descriptors");
        println!("compiled before: {compiled}: from {least} descriptors on");
        assert!(least <= 20, "20 descriptors are enough for a worker or two: {worked:?}");
        assert_eq!(worked.len(), (least..=40).filter(|n| compiled || n % 4 == 0).count(), "more are never worse: {worked:?}");
    }
}

/// A user that nobody else is, so that its limit on processes counts this run's only.
fn as_user(run: Taskcell, user: u32, processes: u32) -> Taskcell {
    let (user, processes) = (user.to_string(), format!("--nproc={processes}"));
    run.under(["setpriv", "--reuid", &user, "--regid", &user, "--clear-groups", "prlimit", &processes])
}

#[test]
fn few_processes_are_used_or_the_error_says_that_they_are_too_few() {
    let test = "a user's limit on processes";
    if !is_root() {
        return skip(test, "only root can be another user");
    }
    let user = 1_700_000_000 + std::process::id();
    let program = env!("CARGO_BIN_EXE_taskcell-under-test");
    let reached = as_user(taskcell!().arg("--version"), user, 100).run();
    if reached.code != Some(0) {
        return skip(test, &format!("another user can't execute {program}: {}", reached.stderr));
    }
    // The guest too has to be where that user may read it.
    let place = tempfile::tempdir().expect("a folder");
    open_to_all(place.path());
    let guest = place.path().join("numbers.wat");
    fs::copy(wat("numbers"), &guest).expect("a copy of the guest");
    let mut worked = Vec::new();
    for processes in [1, 2, 3, 4, 5, 6, 8, 10, 14, 20, 30, 60] {
        let run = taskcell!().args(["map", "-j", "8"]).arg(&guest).arg("burn").args(ROUNDS);
        let ended = as_user(run, user, processes).run();
        if went_well_or_said(&ended, &["Resource temporarily unavailable"], &format!("{processes} processes")) {
            worked.push(processes);
        }
    }
    println!("as another user: with {worked:?} processes");
    assert!(worked.contains(&14), "processes and threads for two workers are enough: {worked:?}");
    assert!(worked.contains(&30) && worked.contains(&60), "more are never worse: {worked:?}");
}

fn open_to_all(folder: &Path) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).expect("a folder that all may enter");
}

/// A control group of this test's own. Gone when it is dropped.
struct Group(PathBuf);

impl Group {
    /// With `limit` in one of `files`, which differ by the kernel's version of groups; `None` with the reason if there can't be one.
    fn new(controller: &str, files: &[&str], limit: u64) -> Result<Self, String> {
        let name = format!("taskcell-test-{controller}-{}", std::process::id());
        let root = Path::new("/sys/fs/cgroup");
        let mut reasons = Vec::new();
        for parent in [root.join(controller), root.to_owned()] {
            let group = Self(parent.join(&name));
            if let Err(error) = fs::create_dir(&group.0) {
                reasons.push(format!("{}: {error}", group.0.display()));
                continue;
            }
            match files.iter().find(|file| group.0.join(file).exists()) {
                Some(file) => {
                    let written = fs::write(group.0.join(file), limit.to_string());
                    return written.map(|()| group).map_err(|error| format!("{file}: {error}"));
                }
                None => reasons.push(format!("{} has none of {files:?}", group.0.display())),
            }
        }
        Err(reasons.join("; "))
    }

    fn holding(&self, run: Taskcell) -> Taskcell {
        run.after(&format!("echo $$ > {}/cgroup.procs", self.0.display()))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if self.0.exists() {
            // A process leaves its group a moment after its end was told.
            until("the group to be empty", || fs::remove_dir(&self.0).ok());
        }
    }
}

#[test]
fn a_container_with_few_processes_gets_as_many_workers_as_fit() {
    let mut worked = Vec::new();
    for processes in [2, 3, 4, 5, 6, 8, 10, 14, 20, 30, 60] {
        let group = match Group::new("pids", &["pids.max"], processes) {
            Ok(group) => group,
            Err(why) => return skip("a control group's limit on processes", &why),
        };
        let ended = group.holding(map().arg("--no-cache")).run();
        if went_well_or_said(&ended, &["Resource temporarily unavailable"], &format!("{processes} processes")) {
            worked.push(processes);
        }
    }
    println!("in a control group: with {worked:?} processes");
    assert!(worked.contains(&14) && worked.contains(&60), "{worked:?}");
}

#[test]
fn a_limit_on_address_space_is_named() {
    for mebibytes in [64, 256, 4096] {
        for option in ["--quiet", "--no-cache"] {
            let ended = map().arg(option).after(&format!("ulimit -v {}", mebibytes * 1024)).run();
            let said = ended.one_error(1);
            assert!(said.contains("ulimit -v") && said.contains(&format!("{mebibytes} MiB")), "{said}");
        }
        let soft = map().after(&format!("ulimit -Sv {}", mebibytes * 1024)).run();
        assert_eq!(soft.well().lines(), ROUNDS, "a soft limit is for this process, and workers need more");
    }
}

#[test]
fn too_little_address_space_for_the_supervisor_is_an_error_too() {
    for mebibytes in [34, 36, 40, 48] {
        let ended = map().after(&format!("ulimit -v {}", mebibytes * 1024)).run();
        // The system's loader may be the one that finds too little.
        if ended.signal.is_none() && ended.code != Some(127) {
            let said = ended.one_error(1);
            assert!(["os error 11", "os error 12", "ulimit -v"].iter().any(|why| said.contains(why)), "{mebibytes} MiB: {said}");
        }
    }
}

#[test]
fn a_small_stack_is_for_the_shell_and_not_for_guests() {
    let ended = map().arg("--no-cache").after("ulimit -Ss 128").run();
    assert_eq!(ended.well().lines(), ROUNDS);
    let deep = taskcell!().call(wat("numbers"), "recurse(0)").after("ulimit -Ss 128").run();
    assert!(deep.one_error(1).contains("stack limit"), "a guest's own limit ends it, not the system's: {deep:#?}");
}

#[test]
fn a_limit_on_file_sizes_is_an_error_and_not_a_death() {
    let ended = map().after("ulimit -f 0").run();
    assert!(ended.one_error(1).contains("File too large"), "{ended:#?}");
}

/// The kernel takes the worker, not the supervisor, and of the tasks only the one that took the memory.
#[test]
fn a_worker_that_the_kernel_kills_for_memory_costs_its_task() {
    let group = match Group::new("memory", &["memory.limit_in_bytes", "memory.max"], 96 << 20) {
        Ok(group) => group,
        Err(why) => return skip("a kill for want of memory (tests/death.rs kills workers without that reason)", &why),
    };
    let options = ["map", "--records", "-j", "2", "--memory", "2GiB", "--retries", "1"];
    let bomb = repository().join("tests/guests/hostile/memory-bomb.wat");
    let run = taskcell!().args(options).arg(bomb).arg("attack").args(["1", "2", "0", "3", "4"]);
    let ended = group.holding(run).run();
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(1), ""), "{ended:#?}");
    let records: Vec<Value> = ended.lines().into_iter().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(records.len(), 5);
    for (record, expected) in records.iter().zip([1, 2, 0, 3, 4]) {
        if expected == 0 {
            assert_eq!((record["error"]["kind"].as_str(), record["attempts"].as_u64()), (Some("lost"), Some(2)), "{record}");
            assert!(record["error"]["message"].as_str().is_some_and(|text| text.contains("want of memory")), "{record}");
        } else {
            assert_eq!((&record["ok"], record["attempts"].as_u64()), (&Value::from(expected), Some(1)), "{record}");
        }
    }
}

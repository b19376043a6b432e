//! The process that forks workers: what becomes of it, and of workers, when it is in trouble.
//!
//! That forked workers are like executed ones is shown by all other cases, which are played with both.

use std::fs;
use std::os::unix::net::UnixStream;

use rustix::process::{Pid, Signal, kill_process};
use taskcell_sandbox::{Child, Forker, Role, SpawnError, SpawnOptions, Strictness, Termination};

use crate::Case;
use crate::child::{options, until, wait};

pub(crate) const CASES: &[Case] = &[
    ("a_forker_keeps_nothing_of_its_workers", a_forker_keeps_nothing_of_its_workers),
    ("a_single_worker_needs_no_forker", a_single_worker_needs_no_forker),
    ("a_forker_that_was_killed_is_replaced", a_forker_that_was_killed_is_replaced),
    ("a_stopped_forker_holds_nobody_up", a_stopped_forker_holds_nobody_up),
    ("workers_outlive_their_forker", workers_outlive_their_forker),
    ("too_many_descriptors_are_refused_and_cost_nothing", too_many_descriptors_are_refused_and_cost_nothing),
];

/// Children of this process with that name.
fn named(name: &str) -> Vec<Pid> {
    let is_ours = |pid: &i32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let fields: Vec<&str> = stat.rsplit_once(')').map_or("", |(_, fields)| fields).split_whitespace().take(2).collect();
        let arguments = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        fields.get(1).is_some_and(|parent| *parent == std::process::id().to_string()) && arguments.starts_with(name)
    };
    let pids = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
    pids.filter(is_ours).filter_map(Pid::from_raw).collect()
}

/// What `start` makes that was not there before.
fn new<T>(name: &str, start: impl FnOnce() -> T) -> (Pid, T) {
    let before = named(name);
    let made = start();
    let now: Vec<Pid> = named(name).into_iter().filter(|pid| !before.contains(pid)).collect();
    assert_eq!(now.len(), 1, "one new {name}");
    (now[0], made)
}

fn worker(forker: &mut Forker) -> Result<(UnixStream, Child), SpawnError> {
    let (socket, theirs) = UnixStream::pair().unwrap();
    let child = forker.spawn(options(Role::Worker, theirs.into(), fs::File::open("/dev/null").unwrap().into()))?;
    Ok((socket, child))
}

/// A child without anything to do sees the end of its socket, and ends.
fn ends((socket, mut child): (UnixStream, Child)) {
    drop(socket);
    // Its part begins with a line that never comes.
    assert!(matches!(wait(&mut child), Termination::Exited(_) | Termination::Signalled { .. }));
}

fn a_forker_keeps_nothing_of_its_workers() {
    let mut forker = Forker::default();
    let (pid, first) = new("taskcell-forker", || worker(&mut forker).unwrap());
    let open = || fs::read_dir(format!("/proc/{}/fd", pid.as_raw_nonzero())).unwrap().count();
    let (_, second) = new("taskcell-worker", || worker(&mut forker).unwrap());
    let workers: Vec<_> = (0..20).map(|_| worker(&mut forker).unwrap()).collect();
    // The standard three, and the way to its supervisor. Its answer may arrive before it has closed the last worker's.
    until("the forker has closed what it handed on", || open() == 4);
    workers.into_iter().chain([first, second]).for_each(ends);
}

fn a_single_worker_needs_no_forker() {
    let before = named("taskcell-forker");
    let mut forker = Forker::after_the_first();
    forker.start();
    let first = worker(&mut forker).unwrap();
    assert_eq!(named("taskcell-forker"), before);
    let (_, second) = new("taskcell-forker", || worker(&mut forker).unwrap());
    ends(first);
    ends(second);
}

fn a_forker_that_was_killed_is_replaced() {
    let mut forker = Forker::default();
    for _ in 0..3 {
        let (pid, before) = new("taskcell-forker", || worker(&mut forker).unwrap());
        kill_process(pid, Signal::KILL).unwrap();
        until("the forker is dead", || {
            fs::read(format!("/proc/{}/cmdline", pid.as_raw_nonzero())).is_ok_and(|line| line.is_empty())
        });
        ends(worker(&mut forker).unwrap());
        assert!(!named("taskcell-forker").contains(&pid), "it was reaped");
        ends(before);
    }
}

fn a_stopped_forker_holds_nobody_up() {
    let mut forker = Forker::default();
    let (pid, before) = new("taskcell-forker", || worker(&mut forker).unwrap());
    kill_process(pid, Signal::STOP).unwrap();
    let error = worker(&mut forker).unwrap_err();
    assert!(matches!(error, SpawnError::ForkerLost), "{error}");
    assert!(!named("taskcell-forker").contains(&pid), "it was killed");
    let others = named("taskcell-forker");
    ends(worker(&mut forker).unwrap());
    assert_eq!(named("taskcell-forker"), others, "the next one is executed");
    let (_, again) = new("taskcell-forker", || worker(&mut forker).unwrap());
    ends(again);
    ends(before);
}

fn workers_outlive_their_forker() {
    let mut forker = Forker::default();
    let (pid, (socket, mut child)) = new("taskcell-forker", || worker(&mut forker).unwrap());
    forker.stop();
    assert!(!named("taskcell-forker").contains(&pid));
    std::thread::sleep(std::time::Duration::from_millis(50));
    assert_eq!(child.try_wait().unwrap(), None);
    ends((socket, child));
}

fn too_many_descriptors_are_refused_and_cost_nothing() {
    let mut forker = Forker::default();
    let (pid, before) = new("taskcell-forker", || worker(&mut forker).unwrap());
    let many = (0..65).map(|_| fs::File::open("/dev/null").unwrap().into()).collect();
    let error = forker.spawn(SpawnOptions::new(Role::Worker, Strictness::Required, many)).unwrap_err();
    assert!(matches!(error, SpawnError::TooManyDescriptors(65)), "{error}");
    assert!(named("taskcell-forker").contains(&pid));
    ends(before);
}

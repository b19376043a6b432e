//! What happens to workers when their supervisor is gone. It takes a supervisor that may die: a process in the middle.

use std::io::{BufRead as _, BufReader};
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::sync::atomic::Ordering;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};
use taskcell_sandbox::Role;

use crate::Case;
use crate::child::{FORKED, PATIENCE, Puppet, options, until};

pub(crate) const CASES: &[Case] = &[
    ("workers_die_with_their_supervisor", workers_die_with_their_supervisor),
    ("a_supervisor_whose_file_is_gone_starts_workers", a_supervisor_whose_file_is_gone_starts_workers),
];

pub(crate) const WORD: &str = "as-supervisor";

/// Starts a supervisor for that part, of workers as this run has them.
fn supervisor(program: &str, part: &str) -> Command {
    let mut command = Command::new(program);
    command.args([WORD, &format!("{part}{}", if FORKED.load(Ordering::Relaxed) { "-forked" } else { "" })]);
    command
}

pub(crate) fn main(what: &str) -> ! {
    let part = what.strip_suffix("-forked");
    FORKED.store(part.is_some(), Ordering::Relaxed);
    match part.unwrap_or(what) {
        "of-hanging-workers" => {
            let workers: Vec<Puppet> = (0..5)
                .map(|number| {
                    // The last one, where possible, in a process namespace: there a signal from inside would be ignored.
                    let mut worker = Puppet::configured(Role::Worker, "hang", |options| options.pid_namespace = number == 4);
                    worker.expect("hanging");
                    worker
                })
                .collect();
            // One is stopped: it could do nothing for itself.
            let stopped = Pid::from_raw(workers[0].child.pid().cast_signed()).unwrap();
            kill_process(stopped, Signal::STOP).unwrap();
            println!("{}", workers.iter().map(|worker| worker.child.pid().to_string()).collect::<Vec<_>>().join(" "));
            loop {
                std::thread::sleep(Duration::from_secs(1));
            }
        }
        "without-a-file" => {
            let own = std::env::current_exe().unwrap();
            std::fs::remove_file(&own).unwrap();
            std::fs::write(&own, "something else").unwrap();
            let mut worker = Puppet::worker("idle");
            println!("{}", worker.hear().unwrap());
            std::process::exit(0)
        }
        unknown => panic!("no such part: {unknown}"),
    }
}

fn workers_die_with_their_supervisor() {
    let mut middle = supervisor("/proc/self/exe", "of-hanging-workers").stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(middle.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let workers: Vec<_> = line
        .split_whitespace()
        .map(|pid| pidfd_open(Pid::from_raw(pid.parse().unwrap()).unwrap(), PidfdFlags::empty()).unwrap())
        .collect();
    assert_eq!(workers.len(), 5);
    middle.kill().unwrap();
    middle.wait().unwrap();
    let patience = Timespec::try_from(PATIENCE).unwrap();
    for worker in &workers {
        let ready = poll(&mut [PollFd::new(worker, PollFlags::IN)], Some(&patience)).unwrap();
        assert_eq!(ready, 1, "a worker outlived its supervisor");
    }
}

fn a_supervisor_whose_file_is_gone_starts_workers() {
    let directory = std::env::temp_dir().join(format!("taskcell-sandbox-{}", std::process::id()));
    std::fs::create_dir(&directory).unwrap();
    let copy = directory.join("supervisor");
    std::fs::copy("/proc/self/exe", &copy).unwrap();
    let output = supervisor(copy.to_str().unwrap(), "without-a-file").output();
    std::fs::remove_dir_all(&directory).unwrap();
    let output = output.unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "here\n", "{}", String::from_utf8_lossy(&output.stderr));
}

/// The signal comes when the *thread* that made a child ends. Whoever calls `spawn` must not have to know.
pub(crate) fn a_worker_outlives_the_thread_that_asked_for_it() {
    let mut worker = std::thread::spawn(|| {
        let mut worker = Puppet::worker("hang");
        worker.expect("hanging");
        worker
    })
    .join()
    .unwrap();
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(worker.child.try_wait().unwrap(), None);
}

/// Dropped without being waited for, on an error path say.
pub(crate) fn a_dropped_child_is_gone() {
    let (_socket, theirs) = UnixStream::pair().unwrap();
    let child =
        taskcell_sandbox::spawn(options(Role::Worker, theirs.into(), std::fs::File::open("/dev/null").unwrap().into())).unwrap();
    let pid = child.pid();
    drop(child);
    until("the process is gone", || !std::path::Path::new(&format!("/proc/{pid}")).exists());
}

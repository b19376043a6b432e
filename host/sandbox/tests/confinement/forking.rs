//! The zygote: what it can do itself, and what becomes of it and its workers when it is in trouble.
//!
//! That forked workers are like executed ones is shown by all other cases, which are played with both.

use std::fs;
use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use rustix::process::{Pid, Signal, kill_process};
use taskcell_sandbox::{
    Child, Confined, Policy, Role, SpawnError, SpawnOptions, Stderr, Strictness, Termination, Unconfined, Zygote, ZygoteAnswer,
    ZygoteSocket, take_inherited,
};

use crate::Case;
use crate::child::{PATIENCE, is_root, until, wait};

pub(crate) const CASES: &[Case] = &[
    ("a_zygote_has_no_privilege", a_zygote_has_no_privilege),
    ("workers_of_a_zygote_have_different_uids", workers_of_a_zygote_have_different_uids),
    ("a_zygote_keeps_nothing_of_its_workers", a_zygote_keeps_nothing_of_its_workers),
    ("a_zygote_that_was_killed_is_noticed", a_zygote_that_was_killed_is_noticed),
    ("a_stopped_zygote_delays_nobody", a_stopped_zygote_delays_nobody),
    ("workers_outlive_their_zygote", workers_outlive_their_zygote),
    ("a_worker_that_is_not_released_waits", a_worker_that_is_not_released_waits),
    ("too_many_descriptors_are_refused_and_cost_nothing", too_many_descriptors_are_refused_and_cost_nothing),
    ("a_zygote_that_lies_is_not_believed", a_zygote_that_lies_is_not_believed),
    ("a_zygote_that_fails_says_why", a_zygote_that_fails_says_why),
];

/// What a zygote of these tests is to be, by the number of descriptors behind its socket.
const HONEST: usize = 0;
const LIAR: usize = 1;
const FAILING: usize = 2;

fn start_as(what: usize, own_uids: bool) -> Zygote {
    let null = || OwnedFd::from(fs::File::open("/dev/null").unwrap());
    let mut options = SpawnOptions::new(Role::Zygote, Strictness::Required, (0..what).map(|_| null()).collect());
    options.stderr = Stderr::Null;
    Zygote::start(options, own_uids).unwrap()
}

pub(crate) fn start(own_uids: bool) -> Zygote {
    start_as(HONEST, own_uids)
}

/// A zygote's part; it returns in a worker.
pub(crate) fn zygote(policy: &Policy) -> (Vec<OwnedFd>, Option<Confined>) {
    let mut inherited = take_inherited(1).unwrap();
    let what = inherited.len() - 1;
    let socket = inherited.remove(0);
    match what {
        LIAR => lie(&socket),
        FAILING => {
            ZygoteSocket::new(socket).fail(b"on purpose");
            std::process::exit(0)
        }
        _ => {}
    }
    let socket = ZygoteSocket::new(socket);
    let confined = Unconfined.confine(policy).unwrap();
    let Some(forked) = socket.serve(confined) else { std::process::exit(0) };
    let (confined, descriptors) = forked.settle(None).unwrap();
    (descriptors, Some(confined))
}

/// Answers each order with a descriptor that is no child's: a file, then a process that is not its
/// supervisor's child, then none.
fn lie(socket: &OwnedFd) -> ! {
    let file = OwnedFd::from(fs::File::open("/dev/null").unwrap());
    let parent = rustix::process::getppid().unwrap();
    let parent = rustix::process::pidfd_open(parent, rustix::process::PidfdFlags::empty()).unwrap();
    for handed in [Some(&file), Some(&parent), None] {
        let mut order = [0; 16];
        assert!(rustix::io::read(socket, &mut order).unwrap() > 0);
        let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        let handed: Vec<_> = handed.into_iter().map(std::os::fd::AsFd::as_fd).collect();
        if !handed.is_empty() {
            assert!(control.push(SendAncillaryMessage::ScmRights(&handed)));
        }
        sendmsg(socket, &[std::io::IoSlice::new(&[0])], &mut control, SendFlags::empty()).unwrap();
    }
    std::process::exit(0)
}

/// Waits for the answer to an order.
pub(crate) fn answer(zygote: &Zygote) -> Result<ZygoteAnswer, SpawnError> {
    loop {
        if let Some(answer) = zygote.answer()? {
            return Ok(answer);
        }
        let patience = Timespec::try_from(PATIENCE).unwrap();
        assert_eq!(poll(&mut [PollFd::new(&zygote.socket(), PollFlags::IN)], Some(&patience)).unwrap(), 1, "no answer");
    }
}

pub(crate) fn forked(zygote: &Zygote) -> Child {
    match answer(zygote).unwrap() {
        ZygoteAnswer::Forked(child) => child,
        other @ (ZygoteAnswer::Refused(_) | ZygoteAnswer::Failed(_)) => panic!("no worker: {other:?}"),
    }
}

fn order(zygote: &Zygote) -> UnixStream {
    let (socket, theirs) = UnixStream::pair().unwrap();
    let null = fs::File::open("/dev/null").unwrap();
    zygote.order(&[theirs.into(), null.into()]).unwrap();
    socket
}

fn worker(zygote: &Zygote) -> (UnixStream, Child) {
    let socket = order(zygote);
    let child = forked(zygote);
    zygote.release(&child, &socket).unwrap();
    (socket, child)
}

/// A child without anything to do sees the end of its socket, and ends.
fn ends((socket, mut child): (UnixStream, Child)) {
    drop(socket);
    // Its part begins with a line that never comes.
    assert!(matches!(wait(&mut child), Termination::Exited(_) | Termination::Signalled { .. }));
}

fn status(pid: u32, field: &str) -> String {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    status.lines().find_map(|line| line.strip_prefix(field)).unwrap().trim_start_matches(':').trim().to_owned()
}

fn a_zygote_has_no_privilege() {
    let zygote = start(true);
    let first = worker(&zygote);
    for (field, wanted) in [
        ("CapEff", "0000000000000000"),
        ("CapPrm", "0000000000000000"),
        ("CapInh", "0000000000000000"),
        ("NoNewPrivs", "1"),
        ("Seccomp", "2"),
        ("Threads", "1"),
    ] {
        // Matches the whole name: "Seccomp" is also the beginning of "Seccomp_filters".
        assert_eq!(status(zygote.pid(), &format!("{field}:")), wanted, "{field}");
    }
    if is_root() {
        assert!(!status(zygote.pid(), "Uid:").split_whitespace().any(|uid| uid == "0"));
    }
    ends(first);
}

fn workers_of_a_zygote_have_different_uids() {
    let zygote = start(true);
    let workers: Vec<_> = (0..4).map(|_| worker(&zygote)).collect();
    let own: Vec<u32> = workers.iter().map(|(_, child)| child.pid()).chain([zygote.pid()]).collect();
    if is_root() {
        let uid = |pid: u32| status(pid, "Uid:").split_whitespace().next().unwrap().to_owned();
        // It takes its uid when it was released.
        let distinct = || own.iter().map(|pid| uid(*pid)).collect::<std::collections::BTreeSet<_>>().len();
        until("each has a uid of its own", || distinct() == own.len());
    }
    workers.into_iter().for_each(ends);
}

fn a_zygote_keeps_nothing_of_its_workers() {
    let zygote = start(true);
    let first = worker(&zygote);
    let open = || fs::read_dir(format!("/proc/{}/fd", zygote.pid())).unwrap().count();
    // The standard three, its socket, and the names of its descriptors.
    let before = 5;
    let workers: Vec<_> = (0..20).map(|_| worker(&zygote)).collect();
    // Its answer may arrive before it has closed the last worker's.
    until("the zygote has closed what it handed on", || open() == before);
    workers.into_iter().chain([first]).for_each(ends);
}

fn a_zygote_that_was_killed_is_noticed() {
    let zygote = start(true);
    let first = worker(&zygote);
    let waits = {
        kill_process(Pid::from_raw(zygote.pid().cast_signed()).unwrap(), Signal::KILL).unwrap();
        let (socket, theirs) = UnixStream::pair().unwrap();
        // Whether the order still arrives depends on who is faster.
        let _ = zygote.order(&[theirs.into()]);
        socket
    };
    assert!(matches!(answer(&zygote), Err(SpawnError::ZygoteLost(_))));
    drop(zygote);
    let mut end = Vec::new();
    let _ = (&waits).read_to_end(&mut end);
    assert!(end.is_empty(), "the order's descriptors are closed with it");
    ends(first);
}

fn a_stopped_zygote_delays_nobody() {
    let zygote = start(true);
    let first = worker(&zygote);
    kill_process(Pid::from_raw(zygote.pid().cast_signed()).unwrap(), Signal::STOP).unwrap();
    let sockets: Vec<_> = (0..100).map(|_| order(&zygote)).collect();
    assert!(matches!(zygote.answer(), Ok(None)), "nothing waits for it");
    drop((sockets, zygote));
    ends(first);
}

fn workers_outlive_their_zygote() {
    let zygote = start(true);
    let (socket, mut child) = worker(&zygote);
    drop(zygote);
    std::thread::sleep(std::time::Duration::from_millis(50));
    assert_eq!(child.try_wait().unwrap(), None);
    ends((socket, child));
}

fn a_worker_that_is_not_released_waits() {
    let zygote = start(true);
    let socket = order(&zygote);
    let mut child = forked(&zygote);
    std::thread::sleep(std::time::Duration::from_millis(50));
    assert_eq!(child.try_wait().unwrap(), None);
    assert_eq!(status(child.pid(), "Seccomp:"), "2", "it has its zygote's filter meanwhile");
    drop(socket);
    assert!(matches!(wait(&mut child), Termination::Exited(_) | Termination::Signalled { .. }));
}

fn too_many_descriptors_are_refused_and_cost_nothing() {
    let zygote = start(true);
    let many: Vec<OwnedFd> = (0..65).map(|_| fs::File::open("/dev/null").unwrap().into()).collect();
    assert!(matches!(zygote.order(&many), Err(SpawnError::TooManyDescriptors(65))));
    ends(worker(&zygote));
}

fn a_zygote_that_lies_is_not_believed() {
    let zygote = start_as(LIAR, true);
    for _ in 0..3 {
        let _socket = order(&zygote);
        assert!(matches!(answer(&zygote), Err(SpawnError::ZygoteLied)));
    }
}

fn a_zygote_that_fails_says_why() {
    let zygote = start_as(FAILING, true);
    match answer(&zygote).unwrap() {
        ZygoteAnswer::Failed(why) => assert_eq!(why, b"on purpose"),
        other @ (ZygoteAnswer::Forked(_) | ZygoteAnswer::Refused(_)) => panic!("{other:?}"),
    }
}

//! What a double does before it is ready, or instead of locking itself up.
//!
//! The order stands in the guest's environment, which a pool gives to all its workers: `double=KIND`, or `double=KIND PATH`, by which
//! only the first worker of the pool follows it: the one that can make the file at PATH.

use std::fs::File;
use std::path::Path;

use taskcell_sandbox::{Policy, Role, Strictness, Unconfined};
use taskcell_wire::from_worker::BootFailure;
use taskcell_wire::{Boot, ChunkId, FromWorker, Outcome, OutcomeWriter, Stream, limits};

use crate::double::{Double, frame, results, start_thread, stay};
use crate::leave;

/// The variable's name.
pub(crate) const VARIABLE: &str = "double";

/// Told before ready: the order, and what the supervisor says of it.
pub(crate) const TOLD: &[(&str, &str)] = &[
    ("results", "it spoke out of turn"),
    ("printed", "it spoke out of turn"),
    ("garbage", "it sent bytes that are no message"),
    ("a frame longer than boot needs", "it sent bytes that are no message"),
    ("half a frame and the end", "exited with code 3"),
];

/// How a worker can be short of confinement, and the line of the kernel's report that gives it away.
pub(crate) const UNCONFINED: &[(&str, &str)] =
    &[("not confined at all", "Seccomp"), ("not sealed", "Seccomp_filters"), ("one thread not sealed", "Seccomp_filters")];

/// Never ready, and silent.
pub(crate) const SILENT: &str = "silent";
/// Says that it can't get ready.
pub(crate) const FAILED: &str = "failed";

/// Works as it should, and reads and writes single bytes from now on.
pub(crate) const IN_BYTES: &str = "in single bytes";

/// Follows the order, if there is one for this worker; returns if there is none.
pub(crate) fn play(double: &mut Double, boot: &Boot) {
    let Some((_, order)) = boot.grants.env.iter().find(|(name, _)| name == VARIABLE) else { return };
    let (kind, path) = order.split_once(" /").map_or((order.as_str(), None), |(kind, path)| (kind, Some(format!("/{path}"))));
    if path.as_ref().is_some_and(|path| File::create_new(path).is_err()) {
        return;
    }
    let policy = Policy::new(Role::Worker, Strictness::Required);
    match kind {
        "results" => double.send(&results(ChunkId(0), 0, &one_outcome())),
        "printed" => {
            double.send(&frame(&FromWorker::Printed { chunk: ChunkId(0), task: 0, stream: Stream::Stdout, bytes: b"early" }));
        }
        "garbage" => double.send(&[5, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff]),
        "a frame longer than boot needs" => double.send(&u32::try_from(limits::BOOT_FRAME + 1).unwrap().to_le_bytes()),
        "half a frame and the end" => {
            double.send(&[200, 0, 0, 0, 0]);
            leave(3);
        }
        FAILED => double.send(&frame(&FromWorker::Failed { kind: BootFailure::Guest, text: "make an instance: on purpose" })),
        SILENT => {}
        IN_BYTES => {
            double.in_bytes = true;
            return;
        }
        "not confined at all" => accept_tasks(double, path.as_deref()),
        "not sealed" => {
            Unconfined.confine(&policy).unwrap();
            accept_tasks(double, None);
        }
        "one thread not sealed" => {
            Unconfined.confine(&policy).unwrap();
            start_thread();
            filter_own_thread();
            accept_tasks(double, None);
        }
        unknown => panic!("no such order: {unknown}"),
    }
    stay()
}

fn one_outcome() -> OutcomeWriter {
    let mut outcomes = OutcomeWriter::default();
    outcomes.push(0, &Outcome::Ok(b"7"));
    outcomes
}

/// Says that it is ready, and answers whatever comes with nonsense. If it can, it notes that something came.
fn accept_tasks(double: &Double, path: Option<&str>) {
    double.say_ready();
    let mut bytes = [0; 4096];
    while rustix::io::read(&double.socket, &mut bytes).is_ok_and(|count| count > 0) {
        if let Some(path) = path {
            File::create(note_of_task(Path::new(path))).unwrap();
        }
        (0..10).for_each(|chunk| double.send(&results(ChunkId(chunk), 0, &one_outcome())));
    }
}

/// Where an unconfined double notes that it was given a task.
pub(crate) fn note_of_task(path: &Path) -> std::path::PathBuf {
    path.with_extension("task")
}

/// Two filters that allow everything, for the calling thread and no other: as many as a sealed worker has more.
fn filter_own_thread() {
    let mut allow = libc::sock_filter { code: 0x06, jt: 0, jf: 0, k: libc::SECCOMP_RET_ALLOW };
    let program = libc::sock_fprog { len: 1, filter: &raw mut allow };
    for _ in 0..2 {
        // SAFETY: the program is one instruction long, as it says, and lives until after the call.
        let outcome = unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, &raw const program) };
        assert_eq!(outcome, 0);
    }
}

//! The confined process seen from both sides: what is gone, what still works, how it ends.

use std::io::{Read as _, pipe};
use std::path::{Path, PathBuf};

use taskcell_sandbox::{
    ProcessError, Role, SpawnError, SpawnOptions, Stderr, Strictness, Termination, WorkerUid, survey, verify,
};

use crate::Case;
use crate::child::{FORKED, Puppet, is_root, wait};
use crate::middle;

pub(crate) const CASES: &[Case] = &[
    ("a_confined_child_passes_the_look_from_outside", a_confined_child_passes_the_look_from_outside),
    ("an_unconfined_child_does_not", an_unconfined_child_does_not),
    ("layers_are_as_surveyed", layers_are_as_surveyed),
    ("a_survey_leaves_the_caller_as_it_was", a_survey_leaves_the_caller_as_it_was),
    ("a_child_has_other_namespaces_and_uid", a_child_has_other_namespaces_and_uid),
    ("a_childs_memory_is_closed_to_its_user", a_childs_memory_is_closed_to_its_user),
    ("a_child_starts_with_nothing", a_child_starts_with_nothing),
    ("a_worker_does_its_work", || says("work", "worked")),
    ("a_worker_writes_no_memfd", || says("write", "Err(Some(27))")),
    ("a_compiler_writes_a_memfd", || Puppet::compiler("write").expect("Ok(())")),
    ("a_compiler_starts_no_thread", || {
        assert_eq!(Puppet::compiler("threads").end(), Termination::Signalled { signal: libc::SIGSYS, core: false });
    }),
    ("a_compiler_does_a_workers_work", || Puppet::compiler("work").expect("worked")),
    ("a_worker_starts_no_thread", || ends("threads", Termination::Signalled { signal: libc::SIGSYS, core: false })),
    ("a_panic_is_told_and_survived", a_panic_is_told_and_survived),
    ("an_abort_is_an_abort", || ends("abort", Termination::Signalled { signal: libc::SIGABRT, core: false })),
    ("a_stack_overflow_is_an_abort", || ends("overflow", Termination::Signalled { signal: libc::SIGABRT, core: false })),
    ("an_exit_code_is_told", || ends("exit 7", Termination::Exited(7))),
    ("a_kill_is_told_and_waiting_twice_is_harmless", a_kill_is_told_and_waiting_twice_is_harmless),
    ("a_dropped_child_is_gone", middle::a_dropped_child_is_gone),
    ("a_worker_outlives_the_thread_that_asked_for_it", middle::a_worker_outlives_the_thread_that_asked_for_it),
    ("granted_directories_and_nothing_beside", granted_directories_and_nothing_beside),
    ("a_memory_cap_holds", a_memory_cap_holds),
    ("a_cap_on_processor_time_holds", a_cap_on_processor_time_holds),
    ("a_process_namespace_makes_it_process_1", a_process_namespace_makes_it_process_1),
    ("a_failed_start_is_typed", a_failed_start_is_typed),
];

fn says(act: &str, line: &str) {
    Puppet::worker(act).expect(line);
}

fn ends(act: &str, how: Termination) {
    assert_eq!(Puppet::worker(act).end(), how);
}

/// Reads the layers a confined child reports: name, whether active, detail.
fn layers(child: &mut Puppet) -> Vec<(String, bool, String)> {
    let mut layers = Vec::new();
    loop {
        let line = child.hear().unwrap();
        if line == "confined" {
            return layers;
        }
        let mut words = line.splitn(3, ' ');
        let mut word = || words.next().unwrap().to_owned();
        layers.push((word(), word() == "active", word()));
    }
}

fn a_confined_child_passes_the_look_from_outside() {
    for mut child in [Puppet::worker("confine"), Puppet::compiler("confine")] {
        layers(&mut child);
        verify(child.child.pid(), WorkerUid::OwnIfRoot).unwrap();
        assert_eq!(child.end(), Termination::Exited(0));
    }
}

fn an_unconfined_child_does_not() {
    let mut child = Puppet::worker("idle");
    child.expect("here");
    let error = verify(child.child.pid(), WorkerUid::OwnIfRoot).unwrap_err().to_string();
    let forked = FORKED.load(std::sync::atomic::Ordering::Relaxed);
    // A forked worker has its zygote's filters and not its own.
    let missing = if forked { "Seccomp_filters is 3, not 5" } else { "Seccomp is 0, not 2" };
    assert!(error.contains(missing), "{error}");
    assert!(verify(std::process::id(), WorkerUid::OwnIfRoot).is_err());
    assert!(verify(u32::MAX, WorkerUid::OwnIfRoot).is_err());
}

fn layers_are_as_surveyed() {
    let mut child = Puppet::worker("confine");
    let told = layers(&mut child);
    let surveyed = survey();
    assert_eq!(told.len(), surveyed.len());
    for ((name, active, detail), surveyed) in told.iter().zip(&surveyed) {
        println!("  {name:20} {} {detail}", if *active { "active " } else { "missing" });
        assert_eq!(name, surveyed.layer.name());
        if name != "pid-namespace" && name != "speculation" {
            assert_eq!(*active, surveyed.is_active(), "{name}: {detail} / {surveyed:?}");
        }
        assert!(*active || !surveyed.layer.required());
    }
}

fn a_survey_leaves_the_caller_as_it_was() {
    let state = || {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let lines = ["NoNewPrivs", "Seccomp", "CapEff", "Uid", "Threads"];
        let kept: Vec<_> =
            status.lines().filter(|line| lines.iter().any(|name| line.starts_with(name))).map(str::to_owned).collect();
        let links = ["net", "ipc", "mnt", "user", "pid"].map(|name| std::fs::read_link(format!("/proc/self/ns/{name}")).unwrap());
        (kept, links)
    };
    // The thread that starts children is there from the first one on.
    drop(Puppet::worker("idle"));
    let before = state();
    for applied in survey() {
        assert!(applied.is_active() || !applied.layer.required(), "{applied:?}");
    }
    assert_eq!(before, state());
}

fn a_child_has_other_namespaces_and_uid() {
    let mut child = Puppet::worker("confine");
    let told = layers(&mut child);
    let active = |name: &str| told.iter().any(|(layer, active, _)| layer == name && *active);
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.child.pid())).unwrap();
    let uid = status.lines().find(|line| line.starts_with("Uid:")).unwrap();
    if is_root() {
        assert!(active("uid") && !uid.split_whitespace().any(|id| id == "0"), "{uid}");
        for (layer, name) in [("net-namespace", "net"), ("ipc-namespace", "ipc"), ("mount-namespace", "mnt")] {
            if active(layer) {
                let link = |pid: String| std::fs::read_link(format!("/proc/{pid}/ns/{name}")).unwrap();
                assert_ne!(link(child.child.pid().to_string()), link("self".to_owned()), "{name}");
            }
        }
        if active("mount-namespace") {
            let root = PathBuf::from(format!("/proc/{}/root", child.child.pid()));
            assert_eq!(std::fs::read_dir(root).unwrap().count(), 0, "the root is empty");
        }
    }
}

fn a_childs_memory_is_closed_to_its_user() {
    let mut child = Puppet::worker("confine");
    layers(&mut child);
    let memory = std::fs::File::open(format!("/proc/{}/mem", child.child.pid()));
    let environment = std::fs::read(format!("/proc/{}/environ", child.child.pid()));
    assert!(is_root() || (memory.is_err() && environment.is_err()));
}

fn a_child_starts_with_nothing() {
    let _open = std::fs::File::open("/etc/passwd").unwrap();
    // SAFETY: a descriptor that every child would inherit, was it not closed: a plain copy without close-on-exec.
    let leak = unsafe { libc::fcntl(0, libc::F_DUPFD, 50) };
    assert!(leak >= 50);
    let mut child = Puppet::worker("surroundings");
    // SAFETY: made above, owned by nobody else.
    unsafe { libc::close(leak) };
    child.expect("RUST_BACKTRACE=0");
    child.expect("taskcell-worker taskcell:worker");
    let open = child.hear().unwrap();
    let open: Vec<&str> = open.split(' ').collect();
    // Standard three, the socket and its copy, the second inherited one.
    assert_eq!(open.len(), 6, "{open:?}");
    assert_eq!(open.iter().filter(|target| target.starts_with("socket:")).count(), 2, "{open:?}");
    assert_eq!(open.iter().filter(|target| **target == "/dev/null").count(), 4, "{open:?}");
    child.expect("session of its own: true");
    child.expect("Max core file size 0 0 bytes");
    child.expect("Max open files 64 64 files");
    child.expect("done");
}

fn a_panic_is_told_and_survived() {
    let (mut reader, writer) = pipe().unwrap();
    let mut child = Puppet::configured(Role::Worker, "panic", |options| options.stderr = Stderr::To(writer.into()));
    child.expect("survived");
    assert_eq!(child.end(), Termination::Exited(0));
    let mut message = String::new();
    reader.read_to_string(&mut message).unwrap();
    assert!(message.contains("on purpose"), "{message}");
}

fn a_kill_is_told_and_waiting_twice_is_harmless() {
    let mut worker = Puppet::worker("hang");
    worker.expect("hanging");
    assert_eq!(worker.child.try_wait().unwrap(), None);
    worker.child.kill().unwrap();
    let killed = Termination::Signalled { signal: libc::SIGKILL, core: false };
    assert_eq!(wait(&mut worker.child), killed);
    assert!(killed.is_kill() && !killed.is_sandbox_violation());
    let again: Result<_, ProcessError> = worker.child.wait();
    assert_eq!(again.unwrap(), killed);
    worker.child.kill().unwrap();
}

fn granted_directories_and_nothing_beside() {
    let base = std::env::temp_dir().join(format!("taskcell-granted-{}", std::process::id()));
    for name in ["readable", "writable"] {
        std::fs::create_dir_all(base.join(name)).unwrap();
        open_to_all(&base.join(name));
    }
    open_to_all(&base);
    std::fs::write(base.join("readable/file"), "text").unwrap();
    std::fs::write(base.join("beside"), "text").unwrap();
    let mut child = Puppet::worker(&format!("directories {}", base.display()));
    let heard: Vec<String> = (0..15).map_while(|_| child.hear()).collect();
    std::fs::remove_dir_all(&base).unwrap();
    let allowed = ["read", "list", "write to writable", "read of writable"];
    assert_eq!(heard.len(), 15, "{heard:?}");
    for line in heard {
        let (what, outcome) = line.split_once(": ").unwrap();
        assert_eq!(outcome, allowed.contains(&what).to_string(), "{line}");
    }
}

/// Started by root, the child has another uid: let only the sandbox stand in its way.
fn open_to_all(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o777)).unwrap();
}

fn a_memory_cap_holds() {
    let mut capped = Puppet::configured(Role::Compiler, "allocate 1024", |options| options.limits.memory_bytes = Some(512 << 20));
    capped.expect("refused");
    Puppet::compiler("allocate 1024").expect("allocated");
}

fn a_cap_on_processor_time_holds() {
    let mut spinning = Puppet::configured(Role::Compiler, "spin", |options| options.limits.cpu_seconds = Some(1));
    let ended = wait(&mut spinning.child);
    assert!(ended.is_out_of_cpu_time(), "{ended:?}");
}

fn a_process_namespace_makes_it_process_1() {
    let mut child = Puppet::configured(Role::Worker, "confine", |options| options.pid_namespace = true);
    let told = layers(&mut child);
    let (_, active, detail) = told.iter().find(|(layer, ..)| layer == "pid-namespace").unwrap();
    assert_eq!(*active, is_root(), "{detail}");
    verify(child.child.pid(), WorkerUid::OwnIfRoot).unwrap();
    assert_eq!(child.end(), Termination::Exited(0));
}

fn a_failed_start_is_typed() {
    let many = (0..65).map(|_| std::fs::File::open("/dev/null").unwrap().into()).collect();
    let error = taskcell_sandbox::spawn(SpawnOptions::new(Role::Worker, Strictness::Required, many)).unwrap_err();
    assert!(matches!(error, SpawnError::TooManyDescriptors(65)), "{error}");
    let fits = |error: &SpawnError| error.to_string().starts_with("hand on 65 descriptors");
    assert!(fits(&error), "{error}");
}

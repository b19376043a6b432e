//! After an escape: native code in a confined process makes system calls by number. Each must be refused or be its last.
//!
//! The arguments are harmless: null pointers, descriptor -1, made-up flags. Were a call carried out, it would fail with
//! another error than a refusal's, so the test can tell. No call is ever made by an unconfined process.

use taskcell_sandbox::{Answer, Role, Termination, policy_table};

use crate::Case;
use crate::acts::Stage;
use crate::child::Puppet;

pub(crate) const CASES: &[Case] = &[
    ("a_worker_makes_no_forbidden_call", || each_is_refused(Role::Worker)),
    ("a_compiler_makes_no_forbidden_call", || each_is_refused(Role::Compiler)),
    #[cfg(target_arch = "x86_64")]
    ("calls_of_other_abis_are_forbidden", calls_of_other_abis_are_forbidden),
];

struct Call {
    name: &'static str,
    number: i64,
    arguments: [i64; 6],
}

const fn call(name: &'static str, number: i64, arguments: [i64; 6]) -> Call {
    Call { name, number, arguments }
}

const NO_FD: i64 = -1;
/// Flags that no version of any of the calls below knows.
const ODD: i64 = 0x4000_0000;
const PAGE: i64 = 4096;
/// An address that is never mapped.
const NOWHERE: i64 = 16;
const PROT_RX: i64 = 1 | 4;
const PROT_RWX: i64 = 1 | 2 | 4;
const MAP_ANONYMOUS_PRIVATE: i64 = 0x22;
const INIT: i64 = 1;

const CALLS: &[Call] = &[
    // New programs and processes.
    call("execve", libc::SYS_execve, [0; 6]),
    call("execveat", libc::SYS_execveat, [NO_FD, 0, 0, 0, 0, 0]),
    call("clone: a process with an invalid mix of flags", libc::SYS_clone, [0x0001_0000, 0, 0, 0, 0, 0]),
    call("clone: a thread in a user namespace", libc::SYS_clone, [0x1001_0f00, 0, 0, 0, 0, 0]),
    call("clone3", libc::SYS_clone3, [0, 0, 0, 0, 0, 0]),
    // Descriptors and out-of-band bytes over a socket.
    call("sendmsg", libc::SYS_sendmsg, [NO_FD, 0, 0, 0, 0, 0]),
    call("recvmsg", libc::SYS_recvmsg, [NO_FD, 0, 0, 0, 0, 0]),
    call("sendmmsg", libc::SYS_sendmmsg, [NO_FD, 0, 0, 0, 0, 0]),
    call("sendto: out of band", libc::SYS_sendto, [NO_FD, 0, 0, 1, 0, 0]),
    call("recvfrom: out of band", libc::SYS_recvfrom, [NO_FD, 0, 0, 1, 0, 0]),
    // Other processes.
    call("ptrace", libc::SYS_ptrace, [ODD, 0, 0, 0, 0, 0]),
    call("process_vm_readv", libc::SYS_process_vm_readv, [INIT, 0, 0, 0, 0, 0]),
    call("process_vm_writev", libc::SYS_process_vm_writev, [INIT, 0, 0, 0, 0, 0]),
    call("process_madvise", libc::SYS_process_madvise, [NO_FD, 0, 0, 0, 0, 0]),
    call("kcmp", libc::SYS_kcmp, [0, 0, ODD, 0, 0, 0]),
    call("kill: init, signal 0", libc::SYS_kill, [INIT, 0, 0, 0, 0, 0]),
    call("kill: itself, signal 0", libc::SYS_kill, [0, 0, 0, 0, 0, 0]),
    call("tkill", libc::SYS_tkill, [INIT, 0, 0, 0, 0, 0]),
    call("tgkill: another process, signal 0", libc::SYS_tgkill, [INIT, INIT, 0, 0, 0, 0]),
    call("rt_sigqueueinfo", libc::SYS_rt_sigqueueinfo, [INIT, 0, 0, 0, 0, 0]),
    call("rt_tgsigqueueinfo", libc::SYS_rt_tgsigqueueinfo, [INIT, INIT, 0, 0, 0, 0]),
    call("pidfd_open", libc::SYS_pidfd_open, [INIT, 0, 0, 0, 0, 0]),
    call("pidfd_getfd", libc::SYS_pidfd_getfd, [NO_FD, 0, 0, 0, 0, 0]),
    call("pidfd_send_signal", libc::SYS_pidfd_send_signal, [NO_FD, 0, 0, 0, 0, 0]),
    call("wait4", libc::SYS_wait4, [NO_FD, 0, 1, 0, 0, 0]),
    call("waitid", libc::SYS_waitid, [0, 0, 0, 1, 0, 0]),
    call("setpriority", libc::SYS_setpriority, [ODD, 0, 0, 0, 0, 0]),
    call("sched_setaffinity", libc::SYS_sched_setaffinity, [0, 0, 0, 0, 0, 0]),
    call("sched_setscheduler", libc::SYS_sched_setscheduler, [0, ODD, 0, 0, 0, 0]),
    call("prlimit64", libc::SYS_prlimit64, [0, ODD, 0, 0, 0, 0]),
    call("setsid", libc::SYS_setsid, [0; 6]),
    call("setpgid", libc::SYS_setpgid, [NO_FD, NO_FD, 0, 0, 0, 0]),
    // Files.
    call("openat", libc::SYS_openat, [-100, 0, 0, 0, 0, 0]),
    call("openat2", libc::SYS_openat2, [-100, 0, 0, 0, 0, 0]),
    call("newfstatat", libc::SYS_newfstatat, [-100, 0, 0, 0, 0, 0]),
    call("statx", libc::SYS_statx, [-100, 0, 0, 0, 0, 0]),
    call("faccessat", libc::SYS_faccessat, [-100, 0, 0, 0, 0, 0]),
    call("readlinkat", libc::SYS_readlinkat, [-100, 0, 0, 0, 0, 0]),
    call("getcwd", libc::SYS_getcwd, [0; 6]),
    call("getdents64", libc::SYS_getdents64, [NO_FD, 0, 0, 0, 0, 0]),
    call("unlinkat", libc::SYS_unlinkat, [-100, 0, 0, 0, 0, 0]),
    call("mkdirat", libc::SYS_mkdirat, [-100, 0, 0, 0, 0, 0]),
    call("mknodat", libc::SYS_mknodat, [-100, 0, 0, 0, 0, 0]),
    call("linkat", libc::SYS_linkat, [-100, 0, -100, 0, 0, 0]),
    call("symlinkat", libc::SYS_symlinkat, [0, -100, 0, 0, 0, 0]),
    call("renameat2", libc::SYS_renameat2, [-100, 0, -100, 0, 0, 0]),
    call("fchmodat", libc::SYS_fchmodat, [-100, 0, 0, 0, 0, 0]),
    call("fchownat", libc::SYS_fchownat, [-100, 0, 0, 0, 0, 0]),
    call("truncate", libc::SYS_truncate, [0; 6]),
    call("chdir", libc::SYS_chdir, [0; 6]),
    call("chroot", libc::SYS_chroot, [0; 6]),
    call("inotify_init1", libc::SYS_inotify_init1, [ODD, 0, 0, 0, 0, 0]),
    call("fanotify_init", libc::SYS_fanotify_init, [ODD, 0, 0, 0, 0, 0]),
    call("name_to_handle_at", libc::SYS_name_to_handle_at, [NO_FD, 0, 0, 0, 0, 0]),
    call("open_by_handle_at", libc::SYS_open_by_handle_at, [NO_FD, 0, 0, 0, 0, 0]),
    call("memfd_create", libc::SYS_memfd_create, [0, ODD, 0, 0, 0, 0]),
    call("copy_file_range", libc::SYS_copy_file_range, [NO_FD, 0, NO_FD, 0, 0, 0]),
    call("sendfile", libc::SYS_sendfile, [NO_FD, NO_FD, 0, 0, 0, 0]),
    call("splice", libc::SYS_splice, [NO_FD, 0, NO_FD, 0, 0, 0]),
    call("pipe2", libc::SYS_pipe2, [0, ODD, 0, 0, 0, 0]),
    call("dup", libc::SYS_dup, [NO_FD, 0, 0, 0, 0, 0]),
    call("fcntl: a lock", libc::SYS_fcntl, [NO_FD, libc::F_SETLK as i64, 0, 0, 0, 0]),
    call("fcntl: an owner of signals", libc::SYS_fcntl, [NO_FD, libc::F_SETOWN as i64, 0, 0, 0, 0]),
    call("ioctl: push a character into a terminal", libc::SYS_ioctl, [NO_FD, libc::TIOCSTI as i64, 0, 0, 0, 0]),
    call("ioctl: ask for a terminal", libc::SYS_ioctl, [NO_FD, libc::TCGETS as i64, 0, 0, 0, 0]),
    // The network.
    call("socket", libc::SYS_socket, [ODD, 0, 0, 0, 0, 0]),
    call("socketpair", libc::SYS_socketpair, [ODD, 0, 0, 0, 0, 0]),
    call("connect", libc::SYS_connect, [NO_FD, 0, 0, 0, 0, 0]),
    call("bind", libc::SYS_bind, [NO_FD, 0, 0, 0, 0, 0]),
    call("listen", libc::SYS_listen, [NO_FD, 0, 0, 0, 0, 0]),
    call("accept4", libc::SYS_accept4, [NO_FD, 0, 0, 0, 0, 0]),
    call("setsockopt", libc::SYS_setsockopt, [NO_FD, 0, 0, 0, 0, 0]),
    // Executable memory.
    call("mmap: read and execute", libc::SYS_mmap, [0, PAGE, PROT_RX, MAP_ANONYMOUS_PRIVATE, NO_FD, 0]),
    call("mmap: read, write and execute", libc::SYS_mmap, [0, PAGE, PROT_RWX, MAP_ANONYMOUS_PRIVATE, NO_FD, 0]),
    call("mmap: shared", libc::SYS_mmap, [0, PAGE, 1, 0x21, NO_FD, 0]),
    call("mmap: shared and validated", libc::SYS_mmap, [0, PAGE, 1, 0x23, NO_FD, 0]),
    call("mmap: huge pages", libc::SYS_mmap, [0, PAGE, 1, 0x4_0022, NO_FD, 0]),
    call("mmap: locked", libc::SYS_mmap, [0, PAGE, 1, 0x2022, NO_FD, 0]),
    call("mmap: grows down", libc::SYS_mmap, [0, PAGE, 1, 0x0122, NO_FD, 0]),
    call("madvise: merge pages with other processes", libc::SYS_madvise, [PAGE, PAGE, libc::MADV_MERGEABLE as i64, 0, 0, 0]),
    call("madvise: huge pages", libc::SYS_madvise, [PAGE, PAGE, libc::MADV_HUGEPAGE as i64, 0, 0, 0]),
    call("madvise: inject an error", libc::SYS_madvise, [PAGE, PAGE, libc::MADV_HWPOISON as i64, 0, 0, 0]),
    call("mprotect: execute", libc::SYS_mprotect, [NOWHERE, PAGE, PROT_RX, 0, 0, 0]),
    call("pkey_mprotect", libc::SYS_pkey_mprotect, [NOWHERE, PAGE, PROT_RX, 0, 0, 0]),
    call("remap_file_pages", libc::SYS_remap_file_pages, [NOWHERE, PAGE, 0, 0, 0, 0]),
    call("shmget", libc::SYS_shmget, [0, 0, 0, 0, 0, 0]),
    call("shmat", libc::SYS_shmat, [NO_FD, 0, 0, 0, 0, 0]),
    call("msgget", libc::SYS_msgget, [1, 0, 0, 0, 0, 0]),
    call("semget", libc::SYS_semget, [1, 0, 0, 0, 0, 0]),
    call("mq_open", libc::SYS_mq_open, [0; 6]),
    call("userfaultfd", libc::SYS_userfaultfd, [ODD, 0, 0, 0, 0, 0]),
    call("personality: ask", libc::SYS_personality, [0xffff_ffff, 0, 0, 0, 0, 0]),
    // Privileges and the sandbox itself.
    call("prctl: dumpable again", libc::SYS_prctl, [libc::PR_SET_DUMPABLE as i64, ODD, 0, 0, 0, 0]),
    call("prctl: no parent-death signal", libc::SYS_prctl, [libc::PR_SET_PDEATHSIG as i64, ODD, 0, 0, 0, 0]),
    call("seccomp", libc::SYS_seccomp, [ODD, 0, 0, 0, 0, 0]),
    call("landlock_create_ruleset", libc::SYS_landlock_create_ruleset, [0, 0, ODD, 0, 0, 0]),
    call("capset", libc::SYS_capset, [0; 6]),
    call("setuid: to the own uid", libc::SYS_setresuid, [NO_FD, NO_FD, NO_FD, 0, 0, 0]),
    call("setgid: to the own gid", libc::SYS_setresgid, [NO_FD, NO_FD, NO_FD, 0, 0, 0]),
    call("setgroups", libc::SYS_setgroups, [NO_FD, 0, 0, 0, 0, 0]),
    call("unshare", libc::SYS_unshare, [ODD | 1, 0, 0, 0, 0, 0]),
    call("setns", libc::SYS_setns, [NO_FD, 0, 0, 0, 0, 0]),
    call("mount", libc::SYS_mount, [0; 6]),
    call("umount2", libc::SYS_umount2, [0, ODD, 0, 0, 0, 0]),
    call("pivot_root", libc::SYS_pivot_root, [0; 6]),
    call("fsopen", libc::SYS_fsopen, [0, ODD, 0, 0, 0, 0]),
    call("open_tree", libc::SYS_open_tree, [NO_FD, 0, ODD, 0, 0, 0]),
    call("move_mount", libc::SYS_move_mount, [NO_FD, 0, NO_FD, 0, ODD, 0]),
    // Wide doors into the kernel.
    call("io_uring_setup", libc::SYS_io_uring_setup, [0, 0, 0, 0, 0, 0]),
    call("io_uring_enter", libc::SYS_io_uring_enter, [NO_FD, 0, 0, 0, 0, 0]),
    call("io_uring_register", libc::SYS_io_uring_register, [NO_FD, 0, 0, 0, 0, 0]),
    call("bpf", libc::SYS_bpf, [ODD, 0, 0, 0, 0, 0]),
    call("perf_event_open", libc::SYS_perf_event_open, [0, 0, 0, NO_FD, ODD, 0]),
    call("keyctl", libc::SYS_keyctl, [ODD, 0, 0, 0, 0, 0]),
    call("add_key", libc::SYS_add_key, [0; 6]),
    call("request_key", libc::SYS_request_key, [0; 6]),
    call("init_module", libc::SYS_init_module, [0; 6]),
    call("finit_module", libc::SYS_finit_module, [NO_FD, 0, 0, 0, 0, 0]),
    call("kexec_load", libc::SYS_kexec_load, [0, 0, 0, ODD, 0, 0]),
    call("reboot: without its magic", libc::SYS_reboot, [0; 6]),
    call("swapon", libc::SYS_swapon, [0; 6]),
    call("acct: a bad address", libc::SYS_acct, [NOWHERE, 0, 0, 0, 0, 0]),
    call("syslog", libc::SYS_syslog, [NO_FD, 0, 0, 0, 0, 0]),
    call("quotactl", libc::SYS_quotactl, [0, 0, 0, 0, 0, 0]),
    call("clock_settime", libc::SYS_clock_settime, [NO_FD, 0, 0, 0, 0, 0]),
    call("adjtimex", libc::SYS_adjtimex, [0; 6]),
    call("timer_create", libc::SYS_timer_create, [NO_FD, 0, 0, 0, 0, 0]),
    call("uname", libc::SYS_uname, [0; 6]),
    call("sysinfo", libc::SYS_sysinfo, [0; 6]),
    call("membarrier", libc::SYS_membarrier, [ODD, 0, 0, 0, 0, 0]),
    call("a call that no kernel has", 4000, [0; 6]),
];

/// In the child: makes one call and tells what came of it, if it is still there to tell.
pub(crate) fn act(stage: &mut Stage, index: usize) {
    let Call { number, arguments: [a, b, c, d, e, f], .. } = CALLS[index];
    stage.confine();
    // SAFETY: none of the calls in the table can touch this process's memory or descriptors: every pointer is null or never
    // mapped, every descriptor is -1, and every clone has flags that are refused before anything is copied.
    let outcome = unsafe { libc::syscall(number, a, b, c, d, e, f) };
    let error = std::io::Error::last_os_error().raw_os_error().unwrap_or(0);
    stage.say(&format!("{outcome} {error}"));
}

fn each_is_refused(role: Role) {
    let mut killed = 0;
    for (index, call) in CALLS.iter().enumerate() {
        let act = format!("forbidden {index}");
        let mut child = match role {
            Role::Worker | Role::Zygote => Puppet::worker(&act),
            Role::Compiler => Puppet::compiler(&act),
        };
        let heard = child.hear();
        let ended = child.end();
        let answer = policy_table(role).iter().find(|rule| rule.number == call.number).map(|rule| rule.answer);
        match answer {
            Some(Answer::Allow) => panic!("{}: the table allows it", call.name),
            Some(Answer::Refuse(error)) => {
                assert_eq!(heard.as_deref(), Some(format!("-1 {error}").as_str()), "{}", call.name);
                assert_eq!(ended, Termination::Exited(0), "{}", call.name);
            }
            // Listed, but not with these arguments; or not listed at all.
            Some(Answer::AllowIf(_)) | None => {
                assert!(ended.is_sandbox_violation(), "{}: {heard:?}, {ended:?}", call.name);
                killed += 1;
            }
        }
    }
    println!("  {} calls made by a {role:?}: {killed} were its last, {} were refused", CALLS.len(), CALLS.len() - killed);
    assert!(CALLS.len() >= 100 && killed >= 60);
}

/// One processor, three ways to number its calls: a filter that knows one only would be a door.
#[cfg(target_arch = "x86_64")]
fn calls_of_other_abis_are_forbidden() {
    let mut x32 = Puppet::worker("abi x32");
    assert_eq!(x32.hear(), None);
    assert!(x32.end().is_sandbox_violation());
    let mut i386 = Puppet::worker("abi i386");
    assert_eq!(i386.hear(), None);
    // A kernel without 32-bit emulation faults instead.
    let ended = i386.end();
    assert!(ended.is_sandbox_violation() || ended == Termination::Signalled { signal: libc::SIGSEGV, core: false }, "{ended:?}");
}

/// Asks for its own process id by the numbers of another ABI.
#[cfg(target_arch = "x86_64")]
pub(crate) fn other_abi(stage: &mut Stage, name: &str) {
    stage.confine();
    let outcome: i64 = match name {
        "x32" => {
            // SAFETY: getpid has no arguments and no effect.
            unsafe { libc::syscall(libc::SYS_getpid | 0x4000_0000) }
        }
        _ => {
            let mut number: i64 = 20;
            // SAFETY: getpid of the 32-bit ABI; it returns in eax and changes no memory.
            unsafe { std::arch::asm!("int 0x80", inout("rax") number, out("r8") _, out("r9") _, out("r10") _, out("r11") _) };
            number
        }
    };
    stage.say(&outcome.to_string());
}

//! Forbidden system calls, with arguments that do no harm.
//!
//! Were one carried out, it would fail on its arguments, with another error than a refusal's: -1 is no descriptor, no address and no
//! set of flags that any of them knows. The sandbox's own tests have such a table too; they ask whether a call is stopped, these
//! ask what becomes of the pool around it.

/// A name, the number, the arguments.
pub(crate) type Call = (&'static str, i64, [i64; 6]);

/// What none of the calls knows.
const ODD: [i64; 6] = [-1; 6];

macro_rules! calls {
    ($($call:ident),* $(,)?) => { [$((stringify!($call), libc::$call, ODD)),*] };
}

/// Each fails on -1 wherever it is allowed.
const PLAIN: [Call; 98] = calls![
    // New programs, processes and threads.
    SYS_execve,
    SYS_execveat,
    SYS_clone,
    SYS_clone3,
    // Other processes.
    SYS_ptrace,
    SYS_process_vm_readv,
    SYS_process_vm_writev,
    SYS_process_madvise,
    SYS_kcmp,
    SYS_kill,
    SYS_tkill,
    SYS_tgkill,
    SYS_rt_sigqueueinfo,
    SYS_rt_tgsigqueueinfo,
    SYS_pidfd_open,
    SYS_pidfd_getfd,
    SYS_pidfd_send_signal,
    SYS_wait4,
    SYS_waitid,
    SYS_setpriority,
    SYS_sched_setaffinity,
    SYS_sched_setscheduler,
    SYS_prlimit64,
    SYS_setpgid,
    SYS_ioprio_set,
    // Files.
    SYS_openat,
    SYS_openat2,
    SYS_newfstatat,
    SYS_statx,
    SYS_faccessat,
    SYS_readlinkat,
    SYS_getcwd,
    SYS_getdents64,
    SYS_unlinkat,
    SYS_mkdirat,
    SYS_mknodat,
    SYS_linkat,
    SYS_symlinkat,
    SYS_renameat2,
    SYS_fchmodat,
    SYS_fchownat,
    SYS_truncate,
    SYS_chdir,
    SYS_fchdir,
    SYS_chroot,
    SYS_inotify_init1,
    SYS_fanotify_init,
    SYS_name_to_handle_at,
    SYS_open_by_handle_at,
    SYS_memfd_create,
    SYS_copy_file_range,
    SYS_sendfile,
    SYS_splice,
    SYS_pipe2,
    SYS_dup,
    SYS_dup3,
    SYS_flock,
    SYS_setxattr,
    // The network.
    SYS_socket,
    SYS_socketpair,
    SYS_connect,
    SYS_bind,
    SYS_listen,
    SYS_accept4,
    SYS_setsockopt,
    // Memory shared by name, and executable memory.
    SYS_pkey_mprotect,
    SYS_remap_file_pages,
    SYS_shmget,
    SYS_shmat,
    SYS_semget,
    SYS_mq_open,
    SYS_userfaultfd,
    // Privileges and the sandbox itself.
    SYS_prctl,
    SYS_seccomp,
    SYS_landlock_create_ruleset,
    SYS_capset,
    SYS_setresuid,
    SYS_setresgid,
    SYS_setgroups,
    SYS_unshare,
    SYS_setns,
    SYS_mount,
    SYS_umount2,
    SYS_pivot_root,
    SYS_fsopen,
    SYS_open_tree,
    // Wide doors into the kernel.
    SYS_io_uring_setup,
    SYS_io_uring_enter,
    SYS_io_uring_register,
    SYS_bpf,
    SYS_perf_event_open,
    SYS_keyctl,
    SYS_add_key,
    SYS_init_module,
    SYS_finit_module,
    SYS_kexec_load,
    SYS_reboot,
    SYS_clock_settime,
];

const PAGE: i64 = 4096;
/// An address that is never mapped.
const NOWHERE: i64 = 16;
const INIT: i64 = 1;

/// Listed calls with arguments that the list does not have.
const PARTLY_ALLOWED: [Call; 9] = [
    ("mmap: read and execute", libc::SYS_mmap, [0, PAGE, 1 | 4, 0x22, -1, 0]),
    ("mmap: read, write and execute", libc::SYS_mmap, [0, PAGE, 1 | 2 | 4, 0x22, -1, 0]),
    ("mprotect: execute", libc::SYS_mprotect, [NOWHERE, PAGE, 1 | 4, 0, 0, 0]),
    ("tgkill: another process, signal 0", libc::SYS_tgkill, [INIT, INIT, 0, 0, 0, 0]),
    ("fcntl: a lock", libc::SYS_fcntl, [-1, libc::F_SETLK as i64, 0, 0, 0, 0]),
    ("fcntl: an owner of signals", libc::SYS_fcntl, [-1, libc::F_SETOWN as i64, 0, 0, 0, 0]),
    ("fcntl: new seals", libc::SYS_fcntl, [-1, libc::F_ADD_SEALS as i64, 0, 0, 0, 0]),
    ("ioctl: push a character into a terminal", libc::SYS_ioctl, [-1, libc::TIOCSTI as i64, 0, 0, 0, 0]),
    ("a call that no kernel has", 4000, [0; 6]),
];

/// All of them.
pub(crate) fn all() -> impl Iterator<Item = Call> + Clone {
    PLAIN.into_iter().chain(PARTLY_ALLOWED)
}

/// What a call that was carried out is told as; no error number is as large.
const CARRIED_OUT: u64 = 1_000_000;

/// In a double: makes the call, and gives the error number if it comes back with one.
pub(crate) fn make(index: usize) -> u64 {
    let (_, number, [a, b, c, d, e, f]) = all().nth(index).unwrap();
    // SAFETY: no call of the table can touch this process's memory or descriptors: every pointer is -1 or never mapped, every
    // descriptor is -1, and flags of -1 are refused before anything is done.
    let outcome = unsafe { libc::syscall(number, a, b, c, d, e, f) };
    if outcome == -1 { errno() } else { CARRIED_OUT }
}

/// The last call's error number.
pub(crate) fn errno() -> u64 {
    std::io::Error::last_os_error().raw_os_error().and_then(|number| u64::try_from(number).ok()).unwrap_or(0)
}

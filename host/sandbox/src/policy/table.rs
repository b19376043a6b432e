//! The tables themselves. To add a call: a line here with its reason, and take it off the list of `tests/confinement`
//! if it stood there.
//!
//! Calls in [`COMMON`] that look idle serve the ways to die: a panic message, `abort`, a stack overflow's report. A process
//! that cannot die properly is reported as a sandbox violation, which it was not.

use super::{Answer, Check, Operand, Rule};

const fn allow(number: i64, name: &'static str, reason: &'static str) -> Rule {
    Rule { name, number, answer: Answer::Allow, reason }
}

const fn allow_if(number: i64, name: &'static str, groups: &'static [&'static [Check]], reason: &'static str) -> Rule {
    Rule { name, number, answer: Answer::AllowIf(groups), reason }
}

const fn refuse(number: i64, name: &'static str, error: i32, reason: &'static str) -> Rule {
    Rule { name, number, answer: Answer::Refuse(error), reason }
}

const fn is(argument: u8, number: u32) -> Check {
    Check { argument, mask: u32::MAX, equals: Operand::Number(number) }
}

#[expect(clippy::cast_sign_loss, reason = "command numbers are positive; the kernel sees them as 32 bits either way")]
const fn is_command(argument: u8, command: i32) -> Check {
    is(argument, command as u32)
}

/// The flags of sendto and recvfrom: MSG_DONTWAIT and MSG_NOSIGNAL at most. Out-of-band bytes of Unix sockets have been a way out of
/// sandboxes.
const PLAIN_MESSAGE: &[&[Check]] =
    &[&[Check { argument: 3, mask: !bits(libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL), equals: Operand::Number(0) }]];

/// The protection argument of mprotect, without the right to execute.
const NOT_EXECUTABLE: &[&[Check]] = &[&[NO_EXECUTION]];
const NO_EXECUTION: Check = Check { argument: 2, mask: PROT_EXEC, equals: Operand::Number(0) };
const PROT_WRITE: u32 = 0x2;
const PROT_EXEC: u32 = 0x4;

/// Private memory without the right to execute: the flags argument of mmap may have these bits and
/// no others. Shared, locked and huge mappings would escape `RLIMIT_DATA`.
const PRIVATE_MEMORY: &[&[Check]] = &[&[
    NO_EXECUTION,
    Check {
        argument: 3,
        mask: !bits(libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED | libc::MAP_NORESERVE | libc::MAP_STACK),
        equals: Operand::Number(0),
    },
]];

/// Advice that gives pages back. Merging pages (`MADV_MERGEABLE`) would be a side channel to other
/// processes, and huge pages would cost memory of the machine that no limit counts.
const GIVE_PAGES_BACK: &[&[Check]] =
    &[&[is_command(2, libc::MADV_DONTNEED)], &[is_command(2, libc::MADV_FREE)], &[is_command(2, libc::MADV_NOHUGEPAGE)]];

/// What a `clone` for a thread has set, and what would make it a process, a namespace or a traced task.
const THREAD: u32 = bits(libc::CLONE_THREAD | libc::CLONE_VM | libc::CLONE_SIGHAND);
const NOT_A_THREAD: u32 = bits(
    libc::CLONE_NEWNS
        | libc::CLONE_NEWCGROUP
        | libc::CLONE_NEWUTS
        | libc::CLONE_NEWIPC
        | libc::CLONE_NEWUSER
        | libc::CLONE_NEWPID
        | libc::CLONE_NEWNET
        | libc::CLONE_PTRACE
        | libc::CLONE_VFORK
        | libc::CLONE_PIDFD
        | libc::CLONE_PARENT
        | libc::CLONE_IO,
);

#[expect(clippy::cast_sign_loss, reason = "a set of flags in 32 bits")]
const fn bits(flags: i32) -> u32 {
    flags as u32
}

/// `PAGEMAP_SCAN`, which tells which pages of its own memory a process has written.
const PAGEMAP_SCAN: u32 = 0xc060_6610;
/// `FIONBIO`, by which the standard library makes a socket non-blocking.
const FIONBIO: u32 = 0x5421;

const NO_FILES: &str = "a backtrace, a locale or a processor count is looked for in files: not found is a good answer";

pub(super) const COMMON: &[Rule] = &[
    allow(libc::SYS_read, "read", "frames from the supervisor, counts from an eventfd"),
    allow(libc::SYS_write, "write", "frames to the supervisor, panic messages to standard error"),
    allow(libc::SYS_readv, "readv", "a frame's head and body at once"),
    allow(libc::SYS_writev, "writev", "several frames at once; the standard library's panic message"),
    // Not recvmsg and sendmsg: their flags lie in memory where a filter can't see them, and descriptors could travel.
    allow_if(libc::SYS_recvfrom, "recvfrom", PLAIN_MESSAGE, "bytes from the supervisor, no kind but the plain"),
    allow_if(libc::SYS_sendto, "sendto", PLAIN_MESSAGE, "bytes to the supervisor without SIGPIPE, no kind but the plain"),
    allow(libc::SYS_shutdown, "shutdown", "end of one direction of the socket to the supervisor"),
    allow(libc::SYS_close, "close", "descriptors that are done with"),
    #[cfg(target_arch = "x86_64")]
    allow(libc::SYS_poll, "poll", "waiting for the supervisor"),
    allow(libc::SYS_ppoll, "ppoll", "waiting for the supervisor"),
    #[cfg(target_arch = "x86_64")]
    allow(libc::SYS_epoll_wait, "epoll_wait", "waiting for the supervisor"),
    allow(libc::SYS_epoll_pwait, "epoll_pwait", "waiting for the supervisor"),
    allow(libc::SYS_epoll_ctl, "epoll_ctl", "what to wait for, in an epoll instance made earlier"),
    allow(libc::SYS_timerfd_settime, "timerfd_settime", "when to wake, by a timer made earlier"),
    allow(libc::SYS_futex, "futex", "locks and parking between the process's threads"),
    allow(libc::SYS_fstat, "fstat", "size of a descriptor that is already open"),
    allow(libc::SYS_lseek, "lseek", "position in a memfd that is already open"),
    allow_if(
        libc::SYS_fcntl,
        "fcntl",
        &[
            &[is_command(1, libc::F_GETFL)],
            &[is_command(1, libc::F_SETFL)],
            &[is_command(1, libc::F_GETFD)],
            &[is_command(1, libc::F_SETFD)],
            &[is_command(1, libc::F_DUPFD_CLOEXEC)],
        ],
        "flags and copies of descriptors; the standard library's check before a close",
    ),
    allow_if(libc::SYS_mmap, "mmap", PRIVATE_MEMORY, "memory for the allocator and for guests, private, never executable"),
    allow_if(libc::SYS_mprotect, "mprotect", NOT_EXECUTABLE, "guests' memory grows into reserved space, never executable"),
    allow(libc::SYS_munmap, "munmap", "memory given back"),
    allow(libc::SYS_mremap, "mremap", "large allocations grow in place"),
    allow_if(libc::SYS_madvise, "madvise", GIVE_PAGES_BACK, "pages given back, and zeroed between tasks"),
    allow(libc::SYS_brk, "brk", "the allocator's first region"),
    allow(libc::SYS_rt_sigreturn, "rt_sigreturn", "every guest trap returns from a signal handler"),
    allow(libc::SYS_rt_sigprocmask, "rt_sigprocmask", "abort, and threads that start or end"),
    allow(libc::SYS_rt_sigaction, "rt_sigaction", "a fault that is not a guest's gets its default action back, and kills"),
    allow(libc::SYS_sigaltstack, "sigaltstack", "a thread's stack for signal handlers is taken down when it ends"),
    allow_if(
        libc::SYS_tgkill,
        "tgkill",
        &[&[Check { argument: 0, mask: u32::MAX, equals: Operand::OwnPid }]],
        "abort, which signals its own thread; own process only",
    ),
    allow(libc::SYS_getpid, "getpid", "abort looks up its own process"),
    allow(libc::SYS_gettid, "gettid", "abort looks up its own thread"),
    allow(libc::SYS_getppid, "getppid", "is the supervisor still there"),
    allow(libc::SYS_clock_gettime, "clock_gettime", "time, where the kernel does not offer it without a call"),
    allow(libc::SYS_clock_getres, "clock_getres", "the resolution of a guest's clock"),
    allow(libc::SYS_clock_nanosleep, "clock_nanosleep", "the watch thread's tick"),
    allow(libc::SYS_nanosleep, "nanosleep", "short pauses"),
    allow(libc::SYS_gettimeofday, "gettimeofday", "time, where the kernel does not offer it without a call"),
    allow(libc::SYS_getrandom, "getrandom", "hash seeds and guests' random bytes"),
    allow(libc::SYS_sched_yield, "sched_yield", "spinning that gives way"),
    allow(libc::SYS_sched_getaffinity, "sched_getaffinity", "how many processors may be used"),
    allow(libc::SYS_getcpu, "getcpu", "on which processor this is, where the kernel does not offer it without a call"),
    allow(libc::SYS_getrusage, "getrusage", "the process's own use of time and memory"),
    allow(libc::SYS_restart_syscall, "restart_syscall", "the kernel's own way to go on after a stop signal"),
    allow(libc::SYS_exit, "exit", "end of a thread"),
    allow(libc::SYS_exit_group, "exit_group", "end of the process"),
    #[cfg(target_arch = "x86_64")]
    refuse(libc::SYS_open, "open", libc::EACCES, NO_FILES),
    refuse(libc::SYS_openat, "openat", libc::EACCES, NO_FILES),
    #[cfg(target_arch = "x86_64")]
    refuse(libc::SYS_stat, "stat", libc::EACCES, NO_FILES),
    #[cfg(target_arch = "x86_64")]
    refuse(libc::SYS_lstat, "lstat", libc::EACCES, NO_FILES),
    refuse(libc::SYS_newfstatat, "newfstatat", libc::EACCES, NO_FILES),
    refuse(libc::SYS_statx, "statx", libc::EACCES, NO_FILES),
    #[cfg(target_arch = "x86_64")]
    refuse(libc::SYS_access, "access", libc::EACCES, NO_FILES),
    refuse(libc::SYS_faccessat, "faccessat", libc::EACCES, NO_FILES),
    #[cfg(target_arch = "x86_64")]
    refuse(libc::SYS_readlink, "readlink", libc::EACCES, NO_FILES),
    refuse(libc::SYS_readlinkat, "readlinkat", libc::EACCES, NO_FILES),
    refuse(libc::SYS_getcwd, "getcwd", libc::EACCES, NO_FILES),
];

pub(super) const WORKER: &[Rule] = &[allow_if(
    libc::SYS_ioctl,
    "ioctl",
    &[&[is(1, PAGEMAP_SCAN)], &[is(1, FIONBIO)]],
    "which pages a task wrote, asked of a descriptor opened earlier; a socket's blocking mode",
)];

/// The compiler's threads exist before its last filter: it can't start any. On a machine that had no room for
/// all of them, some of those that are to end again may still be at their first calls.
pub(super) const COMPILER: &[Rule] = &[
    allow(libc::SYS_set_robust_list, "set_robust_list", "a thread's first calls, if it ends again"),
    allow(libc::SYS_rseq, "rseq", "a thread's first calls, if it ends again"),
    allow_if(libc::SYS_prctl, "prctl", &[&[is_command(0, libc::PR_SET_NAME)]], "a thread's first calls, if it ends again"),
    allow_if(libc::SYS_ioctl, "ioctl", &[&[is(1, FIONBIO)]], "a socket's blocking mode"),
    allow(libc::SYS_pread64, "pread64", "the component's bytes in a memfd"),
    allow(libc::SYS_pwrite64, "pwrite64", "compiled code into a memfd"),
    allow(libc::SYS_ftruncate, "ftruncate", "room for compiled code in a memfd"),
    allow(libc::SYS_fallocate, "fallocate", "room for compiled code in a memfd"),
];

const LOAD: &str = "between the two filters: loads code and starts threads";

/// What the first filter allows beside a role's table, until the last filter takes it away again. In
/// force while code that a compile child wrote is parsed and mapped, so nothing here reaches a file
/// (Landlock), another process, a socket or a namespace.
pub(super) const BOOT: &[Rule] = &[
    allow(libc::SYS_openat, "openat", "the sealed code by its descriptor's name; Landlock refuses all files"),
    allow(libc::SYS_statx, "statx", "the size of the code; there are no other names in the tree"),
    allow(libc::SYS_newfstatat, "newfstatat", "the size of the code; there are no other names in the tree"),
    allow(libc::SYS_chdir, "chdir", "back to the root when the code is loaded"),
    allow(libc::SYS_fchdir, "fchdir", "to the names of the own descriptors, by which the code is opened"),
    allow_if(
        libc::SYS_fcntl,
        "fcntl",
        &[
            &[is_command(1, libc::F_GETFL)],
            &[is_command(1, libc::F_SETFL)],
            &[is_command(1, libc::F_GETFD)],
            &[is_command(1, libc::F_SETFD)],
            &[is_command(1, libc::F_DUPFD_CLOEXEC)],
            &[is_command(1, libc::F_GET_SEALS)],
        ],
        "flags, copies and seals of descriptors",
    ),
    allow_if(libc::SYS_mmap, "mmap", NOT_EXECUTABLE, "the code, the shared memory, stacks; never executable"),
    allow_if(
        libc::SYS_mprotect,
        "mprotect",
        &[&[NO_EXECUTION], &[Check { argument: 2, mask: PROT_WRITE, equals: Operand::Number(0) }]],
        "the code becomes executable, and nothing that is writable",
    ),
    allow(libc::SYS_madvise, "madvise", LOAD),
    refuse(libc::SYS_clone3, "clone3", libc::ENOSYS, "its flags can't be checked; the C library falls back to clone"),
    allow_if(libc::SYS_clone, "clone", &[A_THREAD], "threads; flags of a process or a namespace are not accepted"),
    allow(libc::SYS_set_robust_list, "set_robust_list", "a thread starts"),
    allow(libc::SYS_rseq, "rseq", "a thread starts"),
    allow_if(
        libc::SYS_prctl,
        "prctl",
        &[
            &[is_command(0, libc::PR_SET_NAME)],
            &[is_command(0, libc::PR_SET_DUMPABLE)],
            &[is_command(0, libc::PR_SET_PDEATHSIG)],
            &[is_command(0, libc::PR_SET_NO_NEW_PRIVS)],
            &[is_command(0, libc::PR_CAP_AMBIENT)],
            &[is_command(0, PR_GET_TID_ADDRESS)],
            &[is_command(0, PR_GET_AUXV)],
        ],
        "names of threads, and what a forked worker sets anew",
    ),
    allow(libc::SYS_seccomp, "seccomp", "the last filter"),
    allow(libc::SYS_prlimit64, "prlimit64", "limits are lowered"),
    allow(libc::SYS_getrlimit, "getrlimit", "limits are lowered"),
    allow(libc::SYS_setrlimit, "setrlimit", "limits are lowered"),
    allow(libc::SYS_eventfd2, "eventfd2", "wakes a thread"),
    allow(libc::SYS_epoll_create1, "epoll_create1", "timers of guests"),
    allow(libc::SYS_timerfd_create, "timerfd_create", "timers of guests"),
    allow_if(
        libc::SYS_tgkill,
        "tgkill",
        &[&[is_command(2, libc::SIGABRT)]],
        "abort; the last filter narrows it to the own process",
    ),
];

/// `linux/prctl.h`; not in `libc` for this target. The second finds the kernel's page of code.
const PR_GET_TID_ADDRESS: i32 = 40;
const PR_GET_AUXV: i32 = 0x4155_5856;

const A_THREAD: &[Check] = &[Check { argument: 0, mask: THREAD | NOT_A_THREAD, equals: Operand::Number(THREAD) }];
/// The flags of a fork of [`clone`](crate::clone), with or without a user namespace for the worker.
const A_WORKER: &[Check] =
    &[Check { argument: 0, mask: !bits(libc::CLONE_NEWUSER), equals: Operand::Number(bits(crate::clone::FORK_FLAGS)) }];

/// What a zygote may do besides: fork workers, and take descriptors for them.
pub(super) const ZYGOTE: &[Rule] = &[
    allow_if(libc::SYS_clone, "clone", &[A_THREAD, A_WORKER], "workers are forked; threads of a forked worker"),
    allow(libc::SYS_recvmsg, "recvmsg", "orders, with the descriptors of a worker"),
    allow(libc::SYS_sendmsg, "sendmsg", "the process descriptor of a worker that was forked"),
    allow(libc::SYS_dup3, "dup3", "a forked worker puts its own page map in the place of the zygote's"),
    allow(libc::SYS_setresuid, "setresuid", "a forked worker takes its own uid, inside its user namespace"),
    allow(libc::SYS_setresgid, "setresgid", "a forked worker takes its own gid, inside its user namespace"),
    allow(libc::SYS_capset, "capset", "a forked worker gives up what its user namespace gave it"),
    allow(libc::SYS_set_tid_address, "set_tid_address", "a forked worker's thread id"),
];

const WASI: &str = "files below a granted directory; Landlock judges which";

pub(super) const DIRECTORIES: &[Rule] = &[
    allow(libc::SYS_openat, "openat", WASI),
    allow(libc::SYS_openat2, "openat2", WASI),
    allow(libc::SYS_newfstatat, "newfstatat", WASI),
    allow(libc::SYS_statx, "statx", WASI),
    allow(libc::SYS_faccessat, "faccessat", WASI),
    allow(libc::SYS_faccessat2, "faccessat2", WASI),
    allow(libc::SYS_readlinkat, "readlinkat", WASI),
    allow(libc::SYS_getdents64, "getdents64", WASI),
    allow(libc::SYS_fstatfs, "fstatfs", WASI),
    allow(libc::SYS_pread64, "pread64", WASI),
    allow(libc::SYS_pwrite64, "pwrite64", WASI),
    allow(libc::SYS_preadv, "preadv", WASI),
    allow(libc::SYS_pwritev, "pwritev", WASI),
    allow(libc::SYS_preadv2, "preadv2", WASI),
    allow(libc::SYS_pwritev2, "pwritev2", WASI),
    allow(libc::SYS_ftruncate, "ftruncate", WASI),
    allow(libc::SYS_fallocate, "fallocate", WASI),
    allow(libc::SYS_fsync, "fsync", WASI),
    allow(libc::SYS_fdatasync, "fdatasync", WASI),
    allow(libc::SYS_fadvise64, "fadvise64", WASI),
    allow(libc::SYS_mkdirat, "mkdirat", WASI),
    allow(libc::SYS_unlinkat, "unlinkat", WASI),
    #[cfg(target_arch = "x86_64")]
    allow(libc::SYS_renameat, "renameat", WASI),
    allow(libc::SYS_renameat2, "renameat2", WASI),
    allow(libc::SYS_linkat, "linkat", WASI),
    allow(libc::SYS_symlinkat, "symlinkat", WASI),
    allow(libc::SYS_utimensat, "utimensat", WASI),
];

//! What a double does with what a worker has: its descriptors, its memory, the number of its parent.

use std::os::fd::{AsRawFd as _, RawFd};

use crate::calls::errno;
use crate::double::{Double, start_thread};

/// How an act must end.
#[derive(Debug, Clone, Copy)]
pub(crate) enum End {
    /// The worker is killed for it.
    Killed,
    /// It fails with one of these error numbers.
    Refused(&'static [i32]),
    /// It gives this.
    Gives(u64),
}

type Act = (&'static str, End, fn(&Double) -> u64);

const SIZE_FIXED: &[i32] = &[libc::EPERM, libc::EFBIG];
const NO_FILES: &[i32] = &[libc::EACCES];
/// Standard input, output and error, the socket, the code, and the page's file that a double keeps.
const DESCRIPTORS: u64 = 6;

/// All acts.
pub(crate) const ACTS: &[Act] = &[
    ("environment", End::Gives(0), |_| count(std::env::vars_os().filter(|(name, _)| name != "RUST_BACKTRACE"))),
    ("arguments", End::Gives(2), |_| count(std::env::args_os())),
    ("descriptors", End::Gives(DESCRIPTORS), |_| {
        // SAFETY: reads a flag of a descriptor, if there is one.
        count((0..4096).filter(|fd| unsafe { libc::fcntl(*fd, libc::F_GETFD) } != -1))
    }),
    ("standard input", End::Gives(0), |_| told(read(0) < 0)),
    ("write to the code", End::Refused(SIZE_FIXED), |double| told(write(double.code.as_raw_fd()) < 0)),
    ("map the code to write", End::Killed, |double| {
        told(map(double.code.as_raw_fd(), libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED))
    }),
    ("map the code to execute", End::Killed, |double| {
        told(map(double.code.as_raw_fd(), libc::PROT_READ | libc::PROT_EXEC, libc::MAP_PRIVATE))
    }),
    ("write behind the page", End::Refused(SIZE_FIXED), |double| {
        // SAFETY: moves the position of a descriptor of our own.
        unsafe { libc::lseek(double.page_file.as_raw_fd(), 0, libc::SEEK_END) };
        told(write(double.page_file.as_raw_fd()) < 0)
    }),
    ("shrink the page", End::Killed, |double| {
        // SAFETY: takes plain numbers; it would fail for the seals.
        told(unsafe { libc::ftruncate(double.page_file.as_raw_fd(), 0) } == -1)
    }),
    ("read /proc/self/maps", End::Refused(NO_FILES), |_| told(open(c"/proc/self/maps"))),
    ("read /etc/passwd", End::Refused(NO_FILES), |_| told(open(c"/etc/passwd"))),
    ("open the terminal", End::Refused(NO_FILES), |_| told(open(c"/dev/tty"))),
    ("reopen the code through /proc", End::Refused(NO_FILES), |_| told(open(c"/proc/self/fd/4"))),
    ("ask after the supervisor by a signal", End::Killed, |_| {
        // SAFETY: signal 0 is none.
        told(unsafe { libc::kill(parent(), 0) } == -1)
    }),
    ("ask after the supervisor's thread by a signal", End::Killed, |_| by_number(libc::SYS_tgkill, [parent(), parent(), 0])),
    ("have the socket signal the supervisor", End::Killed, |double| {
        // SAFETY: takes plain numbers.
        told(unsafe { libc::fcntl(double.socket.as_raw_fd(), libc::F_SETOWN, parent()) } == -1)
    }),
    ("hold the supervisor by descriptor", End::Killed, |_| by_number(libc::SYS_pidfd_open, [parent(), 0, 0])),
    ("read the supervisor's limits", End::Killed, |_| by_number(libc::SYS_prlimit64, [parent(), libc::RLIMIT_NOFILE as i32, 0])),
    ("look into the supervisor's memory", End::Killed, |_| by_number(libc::SYS_process_vm_readv, [parent(), 0, 0])),
    ("start a thread", End::Killed, |_| {
        start_thread();
        0
    }),
    ("fork", End::Killed, |_| {
        // SAFETY: never carried out; were it, the child would exit at once.
        if unsafe { libc::fork() } == 0 {
            crate::leave(0);
        }
        0
    }),
    ("become dumpable", End::Killed, |_| by_number(libc::SYS_prctl, [libc::PR_SET_DUMPABLE, 1, 0])),
    ("outlive the supervisor", End::Killed, |_| by_number(libc::SYS_prctl, [libc::PR_SET_PDEATHSIG, 0, 0])),
    ("more descriptors than it may have", End::Refused(&[libc::EMFILE]), |double| {
        let copies: Vec<_> = (0..1000).map_while(|_| double.code.try_clone().ok()).collect();
        // SAFETY: takes plain numbers; there is no room for another.
        let one_more = unsafe { libc::fcntl(3, libc::F_DUPFD_CLOEXEC, 0) };
        let told = told(one_more == -1);
        drop(copies);
        told
    }),
    ("a byte out of band", End::Killed, |double| {
        // Unix sockets have such bytes since Linux 5.15, and faults in that code since as long; no worker needs them.
        // SAFETY: sends one byte of our own.
        told(unsafe { libc::send(double.socket.as_raw_fd(), c"!".as_ptr().cast(), 1, libc::MSG_OOB | libc::MSG_NOSIGNAL) } == -1)
    }),
    ("stop itself", End::Killed, |_| {
        // SAFETY: a signal to ourselves.
        told(unsafe { libc::raise(libc::SIGSTOP) } == -1)
    }),
];

/// In a double: does it, and tells an error's number or 0.
pub(crate) fn carry_out(double: &Double, index: usize) -> u64 {
    let (_, _, act) = ACTS[index];
    act(double)
}

/// Whether this process can learn from the kernel's log what a worker was killed for.
pub(crate) fn reads_kernel_log() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let first = std::fs::metadata("/proc/self/ns/pid").is_ok_and(|namespace| namespace.ino() == 0xEFFF_FFFC);
    // An audit daemon takes the lines before they get to the log.
    let taken = std::fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.ok())
        .any(|entry| std::fs::read_to_string(entry.path().join("comm")).is_ok_and(|name| name == "auditd\n"));
    let logs = std::fs::read_to_string("/proc/sys/kernel/seccomp/actions_logged");
    first && !taken && logs.is_ok_and(|logs| logs.contains("kill_process")) && std::fs::File::open("/dev/kmsg").is_ok()
}

fn count(things: impl Iterator) -> u64 {
    u64::try_from(things.count()).unwrap()
}

fn told(failed: bool) -> u64 {
    if failed { errno() } else { 0 }
}

fn parent() -> i32 {
    rustix::process::getppid().unwrap().as_raw_nonzero().get()
}

/// A call with numbers only.
fn by_number(call: i64, [a, b, c]: [i32; 3]) -> u64 {
    // SAFETY: the calls made so take numbers, and null where they take an address.
    told(unsafe { libc::syscall(call, i64::from(a), i64::from(b), i64::from(c), 0_i64, 0_i64, 0_i64) } == -1)
}

fn read(fd: RawFd) -> isize {
    let mut byte = [0_u8; 1];
    // SAFETY: reads into a buffer of this length.
    unsafe { libc::read(fd, byte.as_mut_ptr().cast(), 1) }
}

fn write(fd: RawFd) -> isize {
    // SAFETY: writes from a buffer of this length.
    unsafe { libc::write(fd, c"xxxxxxxx".as_ptr().cast(), 8) }
}

/// Whether it failed.
fn map(fd: RawFd, protection: i32, flags: i32) -> bool {
    // SAFETY: a fresh mapping at an address of the kernel's choice disturbs no other memory.
    let start = unsafe { libc::mmap(std::ptr::null_mut(), 4096, protection, flags, fd, 0) };
    start == libc::MAP_FAILED
}

/// Whether it failed.
fn open(path: &std::ffi::CStr) -> bool {
    // SAFETY: the path ends with a zero byte.
    unsafe { libc::open(path.as_ptr(), libc::O_RDWR) == -1 }
}

//! What the child does between `clone` and `exec`.
//!
//! It runs in its parent's memory while other threads of the parent go on, so it makes system calls and nothing else: no
//! allocation, no lock, no panic, no unwinding. All it needs lies ready in the [`Plan`], and a failure goes back the same
//! way. System calls that keep state in the C library (`errno`) use the suspended parent thread's, as `vfork` does.
#![allow(unsafe_code, reason = "runs after clone, where only plain system calls are allowed")]

use std::ffi::{c_char, c_int, c_void};
use std::os::fd::RawFd;
use std::ptr;

use rustix::process::{Pid, Resource, Rlimit, Signal};

/// All that the child needs, prepared where allocation was still allowed.
pub(super) struct Plan {
    /// Descriptors that become 0, 1, 2, ...; the last one is the program, which becomes the highest and closes at exec.
    pub(super) sources: Vec<RawFd>,
    /// All numbers that are not in `sources`, as ranges.
    pub(super) unneeded: Vec<(u32, u32)>,
    /// As long as `sources`: room for copies at high numbers.
    pub(super) moved: Vec<RawFd>,
    pub(super) limits: Vec<(Resource, Rlimit)>,
    pub(super) limits_must_hold: bool,
    /// Who the parent must be, where the child can see it.
    pub(super) parent: Option<Pid>,
    /// Ends with a null pointer, as `envp`.
    pub(super) argv: [*const c_char; 3],
    pub(super) envp: [*const c_char; 2],
    /// Filled in by the child: the step that failed, and the error number.
    pub(super) failure: Option<(Step, i32)>,
}

/// The steps that can fail.
#[derive(Debug, Clone, Copy)]
pub(super) enum Step {
    Session,
    Descriptors,
    Limits,
    ParentDeathSignal,
    ParentCheck,
    Execute,
}

/// The exit code when a step failed; the supervisor looks at the plan instead.
const FAILED: c_int = 127;

/// The child's entry. `plan` points to a [`Plan`] that nobody else uses until the child has executed or ended.
pub(super) extern "C" fn run(plan: *mut c_void) -> c_int {
    // SAFETY: `launch` passes a pointer to a live Plan, and is suspended while this runs.
    let plan = unsafe { &mut *plan.cast::<Plan>() };
    let Err(failure) = steps(plan);
    plan.failure = Some(failure);
    // SAFETY: ends this process without running destructors or exit handlers, which belong to the parent.
    unsafe { libc::_exit(FAILED) }
}

/// Returns only on failure: success is another program.
fn steps(plan: &mut Plan) -> Result<std::convert::Infallible, (Step, i32)> {
    reset_signal_handlers();
    let at = |step| move |errno: rustix::io::Errno| (step, errno.raw_os_error());
    rustix::process::setsid().map_err(at(Step::Session))?;
    let program = place_descriptors(plan).map_err(|errno| (Step::Descriptors, errno))?;
    for &(resource, limit) in &plan.limits {
        let outcome = rustix::process::setrlimit(resource, limit);
        if plan.limits_must_hold {
            outcome.map_err(at(Step::Limits))?;
        }
    }
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).map_err(at(Step::ParentDeathSignal))?;
    // The parent may have died before the line above, and then no signal comes.
    if plan.parent.is_some() && rustix::process::getppid() != plan.parent {
        return Err((Step::ParentCheck, libc::ESRCH));
    }
    unblock_signals();
    // SAFETY: both arrays end with a null pointer and point to strings that outlive the call (they are the parent's locals,
    // and the parent is suspended). The empty path with AT_EMPTY_PATH means the descriptor itself.
    unsafe {
        libc::syscall(libc::SYS_execveat, program, c"".as_ptr(), plan.argv.as_ptr(), plan.envp.as_ptr(), libc::AT_EMPTY_PATH)
    };
    Err((Step::Execute, errno()))
}

/// Gives every signal its default action, as no handler may run here, and an ignored signal would stay ignored in the
/// child. One is ignored on purpose: writing past the file-size limit shall be an error, not a death.
fn reset_signal_handlers() {
    for signal in 1..=64 {
        let action = if signal == libc::SIGXFSZ { libc::SIG_IGN } else { libc::SIG_DFL };
        // SAFETY: sets a disposition of this process only (CLONE_SIGHAND was not asked for). It fails, without effect, for
        // numbers that can't be changed.
        unsafe { libc::signal(signal, action) };
    }
}

/// Lets signals in again: the mask would outlive exec.
fn unblock_signals() {
    let mut none = std::mem::MaybeUninit::uninit();
    // SAFETY: sigemptyset initialises the set, and sigprocmask only reads it.
    unsafe {
        libc::sigemptyset(none.as_mut_ptr());
        libc::sigprocmask(libc::SIG_SETMASK, none.as_ptr(), ptr::null_mut());
    }
}

/// Moves all descriptors to their places, closes all others, and returns the program's number. This process has its own
/// table (CLONE_FILES was not asked for), so the parent's is not touched.
fn place_descriptors(plan: &mut Plan) -> Result<RawFd, i32> {
    let count = RawFd::try_from(plan.sources.len()).map_err(|_| libc::EMFILE)?;
    // A supervisor near its limit of descriptors has no room for copies, but its child needs few of them.
    for &(first, last) in &plan.unneeded {
        close_range(first, last)?;
    }
    // Then up and out of the way, so that no move overwrites a source that is still needed.
    for (source, moved) in plan.sources.iter().zip(&mut plan.moved) {
        // SAFETY: takes plain numbers.
        *moved = checked(unsafe { libc::fcntl(*source, libc::F_DUPFD_CLOEXEC, count) })?;
    }
    let program = count - 1;
    for (target, &moved) in (0..).zip(&plan.moved) {
        let flags = if target == program { libc::O_CLOEXEC } else { 0 };
        // SAFETY: takes plain numbers; what was open at `target` was a copy that this process doesn't need.
        checked(unsafe { libc::dup3(moved, target, flags) })?;
    }
    close_range(u32::try_from(count).map_err(|_| libc::EMFILE)?, u32::MAX)?;
    Ok(program)
}

fn close_range(first: u32, last: u32) -> Result<(), i32> {
    // SAFETY: takes plain numbers; nothing in this process owns a descriptor but by the numbers in the plan, which are used before they are
    // closed.
    match unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) } {
        0 => Ok(()),
        _ => Err(errno()),
    }
}

fn checked(result: c_int) -> Result<c_int, i32> {
    if result == -1 { Err(errno()) } else { Ok(result) }
}

fn errno() -> i32 {
    // SAFETY: the C library's errno of the suspended parent thread, whose thread-local storage this process uses.
    unsafe { *libc::__errno_location() }
}

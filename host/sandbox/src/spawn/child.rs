//! What the child does between `clone` and `exec`.
//!
//! Before `exec` it runs in its parent's memory while other threads of the parent go on, so it makes system calls and nothing else: no
//! allocation, no lock, no panic, no unwinding. All it needs lies ready in the [`Plan`], and a failure goes back the same
//! way. System calls that keep state in the C library (`errno`) use the suspended parent thread's, as `vfork` does.
#![allow(unsafe_code, reason = "runs after clone, where only plain system calls are allowed")]

use std::ffi::{c_char, c_int, c_void};
use std::os::fd::RawFd;
use std::ptr;

use rustix::process::{Pid, Resource, Rlimit, Signal};

/// All that the child needs, prepared where allocation was still allowed.
pub(super) struct Plan {
    /// The last descriptor is the program, which closes at exec.
    pub(super) places: Places,
    pub(super) bounds: Bounds,
    /// Ends with a null pointer, as `envp`.
    pub(super) argv: [*const c_char; 3],
    pub(super) envp: [*const c_char; 2],
    /// Filled in by the child: the step that failed, and the error number.
    pub(super) failure: Option<(Step, i32)>,
}

/// The only descriptors that a child keeps, and where they belong.
pub(super) struct Places {
    /// They become 0, 1, 2, ... The last one, the highest, is not handed on to a program.
    sources: Vec<RawFd>,
    /// All numbers that are not in `sources`, as ranges.
    unneeded: Vec<(u32, u32)>,
    /// As long as `sources`: room for copies at high numbers.
    moved: Vec<RawFd>,
    /// Where the last one is by now.
    last: RawFd,
}

/// What holds a child from its first moment on.
pub(super) struct Bounds {
    pub(super) limits: Vec<(Resource, Rlimit)>,
    pub(super) limits_must_hold: bool,
    /// Who the parent must be, where the child can see it.
    pub(super) parent: Option<Pid>,
}

/// The steps that can fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
    settle(&mut plan.places, &plan.bounds)?;
    let program = plan.places.last();
    unblock_signals();
    // SAFETY: both arrays end with a null pointer and point to strings that outlive the call (they are the parent's locals,
    // and the parent is suspended). The empty path with AT_EMPTY_PATH means the descriptor itself.
    unsafe {
        libc::syscall(libc::SYS_execveat, program, c"".as_ptr(), plan.argv.as_ptr(), plan.envp.as_ptr(), libc::AT_EMPTY_PATH)
    };
    Err((Step::Execute, errno()))
}

/// Makes the process one of its own, with these descriptors, within these bounds.
///
/// The caller's process must own no other descriptor, or never use it again.
pub(super) fn settle(places: &mut Places, bounds: &Bounds) -> Result<(), (Step, i32)> {
    let at = |step| move |errno: rustix::io::Errno| (step, errno.raw_os_error());
    rustix::process::setsid().map_err(at(Step::Session))?;
    places.take().map_err(|errno| (Step::Descriptors, errno))?;
    for &(resource, limit) in &bounds.limits {
        let outcome = rustix::process::setrlimit(resource, limit);
        if bounds.limits_must_hold {
            outcome.map_err(at(Step::Limits))?;
        }
    }
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).map_err(at(Step::ParentDeathSignal))?;
    // The parent may have died before the line above, and then no signal comes.
    if bounds.parent.is_some() && rustix::process::getppid() != bounds.parent {
        return Err((Step::ParentCheck, libc::ESRCH));
    }
    Ok(())
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

impl Places {
    /// Standard input, output and error, then what the child inherits, then one that it does not hand on.
    pub(super) fn new(sources: Vec<RawFd>) -> Self {
        let last = sources.last().copied().unwrap_or(-1);
        Self { unneeded: gaps(&sources), moved: vec![-1; sources.len()], sources, last }
    }

    /// Where the last descriptor is by now.
    pub(super) fn last(&self) -> RawFd {
        self.last
    }

    /// Moves all descriptors to their places and closes all others. This process has its own table (CLONE_FILES was not asked for), so the
    /// parent's is not touched.
    fn take(&mut self) -> Result<(), i32> {
        let count = RawFd::try_from(self.sources.len()).map_err(|_| libc::EMFILE)?;
        // A supervisor near its limit of descriptors has no room for copies, but its child needs few of them.
        for &(first, last) in &self.unneeded {
            close_range(first, last)?;
        }
        // Then up and out of the way, so that no move overwrites a source that is still needed.
        for (source, moved) in self.sources.iter().zip(&mut self.moved) {
            // SAFETY: takes plain numbers.
            *moved = checked(unsafe { libc::fcntl(*source, libc::F_DUPFD_CLOEXEC, count) })?;
            self.last = *moved;
        }
        for (target, &moved) in (0..).zip(&self.moved) {
            let flags = if target == count - 1 { libc::O_CLOEXEC } else { 0 };
            // SAFETY: takes plain numbers; what was open at `target` was a copy that this process doesn't need.
            checked(unsafe { libc::dup3(moved, target, flags) })?;
        }
        self.last = count - 1;
        close_range(u32::try_from(count).map_err(|_| libc::EMFILE)?, u32::MAX)
    }
}

/// The ranges of numbers between the descriptors of a child, and after the last.
fn gaps(kept: &[RawFd]) -> Vec<(u32, u32)> {
    let mut kept: Vec<u32> = kept.iter().filter_map(|&fd| u32::try_from(fd).ok()).collect();
    kept.sort_unstable();
    kept.dedup();
    let starts = std::iter::once(0).chain(kept.iter().map(|fd| fd + 1));
    let ends = kept.iter().map(|&fd| fd.checked_sub(1)).chain(std::iter::once(Some(u32::MAX)));
    starts.zip(ends).filter_map(|(first, last)| last.filter(|last| first <= *last).map(|last| (first, last))).collect()
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

#[cfg(test)]
mod tests {
    use super::gaps;

    #[test]
    fn what_is_between_descriptors_is_closed_and_nothing_else() {
        assert_eq!(gaps(&[5, 5, 5, 9, 3, 10]), [(0, 2), (4, 4), (6, 8), (11, u32::MAX)]);
        assert_eq!(gaps(&[0, 1, 2]), [(3, u32::MAX)]);
        assert_eq!(gaps(&[]), [(0, u32::MAX)]);
    }
}

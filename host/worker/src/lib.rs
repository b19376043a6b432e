//! The worker's and the compile child's main: boot, confine, ready, run loop.
//!
//! A crate of its own because of what it must not link: no command line, no supervisor. What a worker is:
//!
//! ```text
//! boot     take the inherited descriptors, read Boot; one thread
//! confine  namespaces, own uid, no capabilities, Landlock, first filter
//! load     map the code; in a zygote: fork workers on request, and only they go on
//! seal     start the watch thread, last limits and filter
//! warm up  make the first instance; from here on the guest's code runs
//! ready    tell the supervisor, which checks from outside before it sends work
//! run      read frames, run tasks, answer; until Shutdown or the end of the socket
//! ```
//!
//! Two threads. The main thread reads the socket itself and runs the guest: a hop to another thread costs about 10 us, more than
//! most tasks. The watch thread ([`watch`]) moves the epoch on, so that a running guest looks up at its deadline and at
//! cancellations, sends results that have waited too long behind a slow task, and ends the process when the supervisor is gone.

pub mod boot;
mod borrowed;
pub mod caller;
pub mod compiler;
pub mod error;
pub mod inbox;
pub mod loan;
pub mod look;
pub mod mailbox;
pub mod outbox;
pub mod page;
pub mod run_loop;
mod short_results;
pub mod stop;
pub mod watch;
pub mod words;

use taskcell_sandbox::Role;

pub use error::WorkerError;

/// The descriptors that an executed worker inherits, in order: the socket, the code, the shared memory. A
/// zygote: the socket for orders, the code, the boot message. A compile child: the socket, the component,
/// the file for the code. Behind those of a worker and a zygote come the granted directories.
pub const INHERITED: usize = 3;

/// Plays the part that this process was started for, if it was started by a supervisor; returns at once otherwise.
///
/// Gives the exit code to end with: 0 after Shutdown or the socket's end, 1 after a failure that was told to the supervisor.
#[must_use]
pub fn serve() -> Option<i32> {
    let role = Role::of_this_process()?;
    end_at_a_panic();
    // Executed by a descriptor, the process would be listed under that descriptor's number. Only a name: no failure matters.
    let name = std::ffi::CString::new(role.process_name()).unwrap_or_default();
    let _ = rustix::thread::set_name(&name);
    let result = match role {
        Role::Worker => boot::worker(),
        Role::Zygote => boot::zygote(),
        Role::Compiler => compiler::compiler(),
    };
    Some(i32::from(result.is_err()))
}

/// A child doesn't unwind: an unwinder reads tables that loaded code could bring with it.
fn end_at_a_panic() {
    let print = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        print(panic);
        std::process::abort();
    }));
}

//! The harness of the end-to-end tests: it runs the command as a user would, and looks afterwards at what was left behind.
//!
//! Every run gets a home, a folder for temporary files and a working folder of its own, and a bound on its time, so that what hangs
//! fails with a message. When it ended, nothing may be left: no process that it started, no file, no entry in `/dev/shm`
//! ([`leftover`]). No test can forget the check, since it is made where a run ends and where it is dropped.

pub mod bound;
pub mod ended;
pub mod guest;
pub mod leftover;
pub mod process;
pub mod running;
pub mod taskcell;

pub use bound::until;
pub use ended::Ended;
pub use guest::{built, if_built, repository, wat};
pub use running::Running;
pub use taskcell::Taskcell;

/// The command under test, with a cache that all tests of one file share.
#[macro_export]
macro_rules! taskcell {
    () => {
        $crate::Taskcell::new(env!("CARGO_BIN_EXE_taskcell-under-test"), env!("CARGO_TARGET_TMPDIR"), env!("CARGO_CRATE_NAME"))
    };
}

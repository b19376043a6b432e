//! The one call that an embedding program owes us.

/// Call this first in `main`: a worker is this very program, started again, and this is where it turns into one.
///
/// In a process that nobody started as a worker it does nothing and returns. In a worker it never returns. So call it before
/// anything else: before threads, before arguments are parsed, before anything is printed.
///
/// The road not taken is a second binary beside the program: it would have to be found (by a path, an environment variable),
/// and whatever finds it can be made to find another one.
pub fn init() {
    if let Some(code) = taskcell_worker::serve() {
        #[expect(clippy::exit, reason = "this process is a worker; the program's own main must not run in it")]
        std::process::exit(code);
    }
}

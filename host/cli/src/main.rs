//! The `taskcell` binary: all of it is in the library, so that tests can have a binary of their own.

use std::process::ExitCode;

fn main() -> ExitCode {
    taskcell_cli::main()
}

//! The `taskcell` command once more, so that tests of this package know where it is.

use std::process::ExitCode;

fn main() -> ExitCode {
    taskcell_cli::main()
}

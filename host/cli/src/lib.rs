//! The `taskcell` command.
//!
//! Parsing never acts ([`args`]), a file per subcommand does ([`commands`]), only [`output`] prints, and one match chooses the exit
//! code ([`exit`]). What an embedder would miss is not here but in the library, `taskcell`.

mod args;
mod commands;
mod error;
mod exit;
mod guest_output;
mod input;
mod output;
mod pass;
mod progress;
mod record;
mod signals;
mod units;

use std::process::ExitCode;

use clap::Parser;

pub use exit::Exit;

/// Runs the command line of this process. Turns into a worker first, if that is what this process was started for.
#[must_use]
pub fn main() -> ExitCode {
    taskcell::init();
    let args = match args::Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            let code = if error.use_stderr() { Exit::Usage } else { Exit::Ok };
            // Nothing is left to be done if even this can't be printed.
            let _ = error.print();
            return code.into();
        }
    };
    match args.command.execute() {
        Ok(exit) => exit.into(),
        Err(error) => {
            let exit = error.exit();
            // Whoever closed our output has heard enough.
            if exit != Exit::ReaderGone {
                output::complain(&error.to_string());
            }
            exit.into()
        }
    }
}

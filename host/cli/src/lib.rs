//! The `taskcell` command.
//!
//! Parsing never acts ([`args`]), a file per subcommand does ([`commands`]), only [`output`] and [`pass`] print, and one match chooses the exit
//! code ([`exit`]). What an embedder would miss is not here but in the library, `taskcell`.

mod args;
mod audit;
mod commands;
mod error;
mod exit;
mod guest_output;
mod input;
mod output;
mod pass;
mod places;
mod progress;
mod record;
mod signals;
mod template;
mod units;

use std::process::ExitCode;

use clap::Parser;

use error::CliError;
pub use exit::Exit;

/// Runs the command line of this process. Turns into a worker first, if that is what this process was started for.
#[must_use]
pub fn main() -> ExitCode {
    taskcell::init();
    signals::survive_file_size();
    let args = match args::Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            return told(&error).into();
        }
    };
    match args.command.execute() {
        Ok(exit) => exit.into(),
        Err(error) => complained(&error).into(),
    }
}

/// Prints what the parser has to say: what is wrong, or the help that was asked for.
fn told(said: &clap::Error) -> Exit {
    match said.print() {
        _ if said.use_stderr() => Exit::Usage,
        Ok(()) => Exit::Ok,
        Err(error) => complained(&CliError::Output(error)),
    }
}

fn complained(error: &CliError) -> Exit {
    let exit = error.exit();
    // Whoever closed our output has heard enough.
    if exit != Exit::ReaderGone {
        output::complain(&error.to_string());
    }
    exit
}

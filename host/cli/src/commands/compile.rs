//! `taskcell compile COMPONENT`: fills the cache, so that the first real run starts at once.

use std::path::PathBuf;

use clap::Args;
use taskcell::Origin;

use crate::args::RunArgs;
use crate::commands::open_to_run;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output;
use crate::progress::Progress;

/// Compile a component into the cache, so that later commands start at once
#[derive(Debug, Args)]
pub(crate) struct Compile {
    /// The component
    component: PathBuf,

    #[command(flatten)]
    run: RunArgs,
}

impl Compile {
    pub(crate) fn execute(self) -> Result<Exit, CliError> {
        let progress = Progress::new(self.run.quiet);
        let component = open_to_run(&self.component, &self.run, &progress)?;
        let text = match component.origin() {
            Origin::Compiled(took) => format!("compiled in {:.1} s\n", took.as_secs_f64()),
            Origin::Cached => "already in the cache\n".to_owned(),
        };
        output::print(&text).map_err(CliError::Output)?;
        Ok(Exit::Ok)
    }
}

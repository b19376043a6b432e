//! `taskcell new NAME --lang LANGUAGE [--program]`: a folder with tasks, or with a program, in that language, which builds and runs as it is.

mod copies;
mod project;

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use clap::Args;

use self::project::{File, Kind, Language};
use crate::error::CliError;
use crate::exit::Exit;
use crate::output;

/// Make a folder with example tasks or a program in a language, ready to be built and run
#[derive(Debug, Args)]
#[command(after_help = "The folder's README.md has the commands that build and run what is in it:
  taskcell new my-task --lang python
  taskcell new my-program --lang python --program")]
pub(crate) struct New {
    /// The folder, which must not be there yet; its name is the project's: lower-case words with hyphens between them
    #[arg(value_name = "NAME")]
    path: PathBuf,

    /// The language
    #[arg(long, value_enum)]
    lang: Language,

    /// A program instead of tasks: for `taskcell run`, with a task that it starts in a process of its own
    #[arg(long)]
    program: bool,
}

impl New {
    pub(crate) fn execute(self) -> Result<Exit, CliError> {
        let name = self.path.file_name().and_then(OsStr::to_str).filter(|name| is_name(name)).ok_or_else(|| {
            self.failed("the name has to be lower-case words of letters and digits with hyphens between them, such as my-task")
        })?;
        match fs::create_dir(&self.path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(self.failed("it is there already; choose another name"));
            }
            Err(error) => return Err(self.failed(&error.to_string())),
        }
        for file in self.lang.files(self.kind()) {
            if let Err(error) = file.write(&self.path, name) {
                // All that is in the folder is ours; if even this fails, the error says where to look.
                let _ = fs::remove_dir_all(&self.path);
                return Err(self.failed(&format!("{}: {error}", file.path)));
            }
        }
        output::print(&self.told(name)).map_err(CliError::Output)?;
        Ok(Exit::Ok)
    }

    fn kind(&self) -> Kind {
        if self.program { Kind::Program } else { Kind::Tasks }
    }

    fn failed(&self, why: &str) -> CliError {
        CliError::Usage(format!("failed to make {}: {why}", self.path.display()))
    }

    /// What was made, and what to do with it.
    fn told(&self, name: &str) -> String {
        let (build, built) = self.lang.build(self.kind(), name);
        let (what, them) = match self.kind() {
            Kind::Tasks => ("tasks", "them"),
            Kind::Program => ("a program", "it"),
        };
        let mut text = String::new();
        // Writing to a String does not fail.
        let _ = writeln!(text, "made {}, with {what} in {}; to build and run {them}:", self.path.display(), self.lang.name());
        let _ = writeln!(text, "  cd {}", self.path.display());
        let _ = writeln!(text, "  {build}");
        let _ = writeln!(text, "  {}", self.kind().run(&built));
        text
    }
}

impl File {
    fn write(&self, folder: &Path, name: &str) -> io::Result<()> {
        let path = folder.join(self.path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        OpenOptions::new().write(true).create_new(true).mode(self.mode).open(path)?.write_all(self.text(name).as_bytes())
    }
}

/// Fit for packages of every language, for files and for shells.
fn is_name(name: &str) -> bool {
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    name.len() <= 64 && name.starts_with(|first: char| first.is_ascii_lowercase()) && name.split('-').all(is_word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_words_with_hyphens() {
        for good in ["a", "my-task", "x2", "a-1"] {
            assert!(is_name(good), "{good}");
        }
        for bad in ["", "-a", "a-", "a--b", "A", "1a", "a_b", "a b", "ä", "a/b", ".."] {
            assert!(!is_name(bad), "{bad}");
        }
        assert!(is_name(&"a".repeat(64)) && !is_name(&"a".repeat(65)));
    }
}

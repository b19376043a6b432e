//! `--audit FILE`: a line of JSON for every worker that ran into a wall, or broke the rules of one.
//!
//! The file is opened once, before a worker is started, and only ever appended to. Each line is one write, so that several runs may share
//! a file.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use rustix::fs::{Mode, OFlags};
use taskcell::Violation;

use crate::error::CliError;
use crate::output;

/// Where lines go.
#[derive(Debug)]
pub(crate) struct Audit {
    file: File,
    name: String,
}

impl Audit {
    /// Opens the file, or makes it for this user alone.
    pub(crate) fn open(path: &Path) -> Result<Self, CliError> {
        let name = path.display().to_string();
        let failed = |error: io::Error| CliError::Audit { path: name.clone(), error };
        // A symbolic link at its end is an error; a pipe that nobody reads does not block.
        let safe = OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NOCTTY | OFlags::NONBLOCK;
        let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE | safe;
        let file = rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR).map_err(|error| failed(error.into()))?;
        let file = File::from(file);
        if !file.metadata().map_err(failed)?.is_file() {
            return Err(failed(io::Error::other("it is no regular file")));
        }
        Ok(Self { file, name })
    }

    /// Writes a line. What could not be written is named on stderr: the run goes on.
    pub(crate) fn record(&mut self, violation: &Violation) {
        let mut line = violation.to_json();
        line.push('\n');
        let written = match self.file.write(line.as_bytes()) {
            Ok(count) if count == line.len() => Ok(()),
            Ok(_) => Err(io::Error::other("the disk is full")),
            Err(error) => Err(error),
        };
        if let Err(error) = written {
            output::complain(&format!("failed to write to the audit file {}: {error}: {}", self.name, line.trim_end()));
        }
    }
}

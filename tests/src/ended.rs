//! What a run left to read: its exit code and what it wrote.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

/// A run that ended.
#[derive(Debug)]
pub struct Ended {
    /// The exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// What it wrote to stdout.
    pub stdout: String,
    /// What it wrote to stderr.
    pub stderr: String,
}

impl Ended {
    pub(crate) fn new(status: ExitStatus, stdout: &[u8], stderr: &[u8]) -> Self {
        Self {
            code: status.code(),
            signal: status.signal(),
            stdout: String::from_utf8_lossy(stdout).into_owned(),
            stderr: String::from_utf8_lossy(stderr).into_owned(),
        }
    }

    /// The lines of stdout.
    #[must_use]
    pub fn lines(&self) -> Vec<&str> {
        self.stdout.lines().collect()
    }

    /// The lines of stderr.
    #[must_use]
    pub fn complaints(&self) -> Vec<&str> {
        self.stderr.lines().collect()
    }

    /// It went well: exit code 0 and nothing on stderr. Gives it back, for its lines.
    ///
    /// # Panics
    /// If it did not.
    #[must_use]
    pub fn well(self) -> Self {
        assert!(self.code == Some(0) && self.stderr.is_empty(), "expected it to go well: {self:#?}");
        self
    }

    /// It failed with `code`, nothing on stdout and one line on stderr, an error; gives that line's text.
    ///
    /// # Panics
    /// If it did not.
    #[must_use]
    pub fn one_error(&self, code: i32) -> &str {
        assert_eq!(self.code, Some(code), "the exit code of {self:#?}");
        assert_eq!(self.stdout, "", "stdout is for results only: {self:#?}");
        let line = self.stderr.strip_suffix('\n').filter(|line| !line.contains('\n'));
        let text = line.and_then(|line| line.strip_prefix("error: "));
        text.unwrap_or_else(|| panic!("expected one line that says error: {self:#?}"))
    }
}

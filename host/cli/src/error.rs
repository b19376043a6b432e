//! Why a command could not do its work. One line each: what, where, what to do.

/// A command's error.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    /// The command line makes no sense beyond what the parser can tell.
    #[error("{0}")]
    Usage(String),
    /// An input given on the command line does not fit.
    #[error("failed to use {place}: {why}")]
    Input {
        /// Which one.
        place: String,
        /// Where in it, what was expected, what was found.
        why: String,
    },
    /// The text of a call is wrong.
    #[error("failed to read the call: {0}")]
    Call(String),
    /// Results could not be written.
    #[error("failed to write results: {0}")]
    Output(std::io::Error),
    /// The machine has no more threads for this process.
    #[error("failed to start a thread: {0}")]
    Thread(std::io::Error),
    /// Signals can't be listened for.
    #[error("failed to listen for signals: {0}")]
    Signals(std::io::Error),
    /// The audit file can't be used.
    #[error("failed to open the audit file {path}: {error}; it has to be a regular file, and no symbolic link")]
    Audit {
        /// Which file.
        path: String,
        /// What the system said.
        error: std::io::Error,
    },
    /// The host's error.
    #[error("failed to {0}")]
    Host(#[from] taskcell::Error),
}

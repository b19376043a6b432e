//! The command line under test, before it is started.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Once;

use tempfile::TempDir;

use crate::ended::Ended;
use crate::leftover::Before;
use crate::running::{Input, Running};

/// A run of the command, being put together.
#[derive(Debug)]
pub struct Taskcell {
    command: Command,
    /// Words before the command: a program that arranges something and then executes the rest.
    before: Vec<OsString>,
    input: Input,
    place: TempDir,
    stdout: Option<Stdio>,
}

impl Taskcell {
    /// A run of `program`, with its cache in `folder`, in a part of its own for the test file `name`. See
    /// [`taskcell!`](crate::taskcell!).
    ///
    /// # Panics
    /// If the folders can't be made.
    #[must_use]
    pub fn new(program: &str, folder: &str, name: &str) -> Self {
        static EMPTIED: Once = Once::new();
        let cache = PathBuf::from(folder).join(format!("cache-{name}"));
        // What an earlier build compiled may be wrong by now, under the same name.
        EMPTIED.call_once(|| drop(fs::remove_dir_all(&cache)));
        fs::create_dir_all(&cache).expect("a folder for the cache");
        let place = tempfile::Builder::new().prefix("taskcell-test-").tempdir().expect("a folder for the run");
        let mut command = Command::new(program);
        for (variable, name) in [("HOME", "home"), ("TMPDIR", "tmp"), ("PWD", "work")] {
            let path = place.path().join(name);
            fs::create_dir(&path).expect("a folder for the run");
            command.env(variable, path);
        }
        command.current_dir(place.path().join("work")).env("XDG_CACHE_HOME", cache);
        for variable in ["COLUMNS", "LINES", "RUST_BACKTRACE", "NO_COLOR", "CLICOLOR_FORCE", "XDG_RUNTIME_DIR"] {
            command.env_remove(variable);
        }
        // Whoever runs the tests in the background may ignore signals, and what is ignored is inherited.
        let before = ["env", "--default-signal=HUP,INT,QUIT,TERM"].map(OsString::from).into();
        Self { command, before, input: Input::None, place, stdout: None }
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<S: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.command.args(args);
        self
    }

    /// Adds one argument.
    #[must_use]
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.command.arg(arg);
        self
    }

    /// Begins `map COMPONENT EXPORT`.
    #[must_use]
    pub fn map(self, component: impl AsRef<Path>, export: &str) -> Self {
        self.arg("map").arg(component.as_ref()).arg(export)
    }

    /// Begins `call COMPONENT CALL`.
    #[must_use]
    pub fn call(self, component: impl AsRef<Path>, call: &str) -> Self {
        self.arg("call").arg(component.as_ref()).arg(call)
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Takes an environment variable away.
    #[must_use]
    pub fn without_env(mut self, name: &str) -> Self {
        self.command.env_remove(name);
        self
    }

    /// Uses another folder for caches.
    #[must_use]
    pub fn cache(self, folder: &Path) -> Self {
        self.env("XDG_CACHE_HOME", folder)
    }

    /// Gives it this on stdin.
    #[must_use]
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.input = Input::Bytes(bytes.into());
        self
    }

    /// Gives it what `write` writes on stdin, from a thread; an error there (it reads no more) ends the writing.
    #[must_use]
    pub fn stdin_from(mut self, write: impl FnOnce(&mut dyn std::io::Write) -> std::io::Result<()> + Send + 'static) -> Self {
        self.input = Input::Written(Box::new(write));
        self
    }

    /// Has another program start it, which is given the command as its last arguments.
    #[must_use]
    pub fn under<S: AsRef<OsStr>>(mut self, words: impl IntoIterator<Item = S>) -> Self {
        self.before.extend(words.into_iter().map(|word| word.as_ref().to_owned()));
        self
    }

    /// Has a shell run `script` first, and become the command.
    #[must_use]
    pub fn after(self, script: &str) -> Self {
        self.under(["bash", "-c", &format!("set -e; {script}; exec \"$@\""), "bash"])
    }

    /// Sends its stdout elsewhere; it then reads as empty.
    #[must_use]
    pub fn stdout(mut self, stdout: impl Into<Stdio>) -> Self {
        self.stdout = Some(stdout.into());
        self
    }

    /// Runs it to its end and checks that nothing is left.
    ///
    /// # Panics
    /// If it takes too long or leaves something behind.
    #[must_use]
    pub fn run(self) -> Ended {
        self.start().end()
    }

    /// Starts it.
    ///
    /// # Panics
    /// If it can't be started.
    #[must_use]
    pub fn start(mut self) -> Running {
        let folders = ["home", "tmp", "work"].map(|name| self.place.path().join(name));
        let before = Before::look(folders.to_vec());
        let words: Vec<OsString> = self.command.get_args().map(OsStr::to_owned).collect();
        let child = self.arranged(&words).spawn().expect("the command starts");
        Running::new(child, self.input, before, self.place, words)
    }

    /// The command with all that comes before it. It holds the only copy of another stdout, whose reader waits for the end of it.
    fn arranged(&mut self, words: &[OsString]) -> Command {
        let mut all = std::mem::take(&mut self.before).into_iter();
        let mut command = Command::new(all.next().expect("something comes before the command"));
        command.args(all).arg(self.command.get_program()).args(words);
        for (name, value) in self.command.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        if let Some(folder) = self.command.get_current_dir() {
            command.current_dir(folder);
        }
        command.stdin(if matches!(self.input, Input::None) { Stdio::null() } else { Stdio::piped() });
        command.stdout(self.stdout.take().unwrap_or_else(Stdio::piped)).stderr(Stdio::piped());
        command
    }
}

//! A run under way.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdout};
use std::thread::JoinHandle;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::bound::until;
use crate::ended::Ended;
use crate::leftover::Before;
use crate::process::{Process, children};

/// What writes to a run's stdin.
type Writer = dyn FnOnce(&mut dyn Write) -> std::io::Result<()> + Send;

/// What a run reads.
pub(crate) enum Input {
    None,
    Bytes(Vec<u8>),
    Written(Box<Writer>),
}

impl std::fmt::Debug for Input {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Input")
    }
}

/// A command that runs. Dropping it kills it; its leftovers are looked for all the same.
#[derive(Debug)]
pub struct Running {
    child: Child,
    stdout: Option<BufReader<ChildStdout>>,
    stderr: Option<JoinHandle<Vec<u8>>>,
    before: Option<Before>,
    /// What was read by [`line`](Self::line).
    read: Vec<u8>,
    words: Vec<OsString>,
    /// Its folders, removed after the check.
    _place: TempDir,
}

impl Running {
    pub(crate) fn new(mut child: Child, input: Input, before: Before, place: TempDir, words: Vec<OsString>) -> Self {
        if let Some(mut stdin) = child.stdin.take() {
            // A command that reads no more is none of the writer's business; neither is joining it.
            std::thread::spawn(move || match input {
                Input::None => Ok(()),
                Input::Bytes(bytes) => stdin.write_all(&bytes),
                Input::Written(write) => write(&mut stdin),
            });
        }
        let stderr = child.stderr.take().map(|mut stderr| {
            std::thread::spawn(move || {
                let mut bytes = Vec::new();
                let _ = stderr.read_to_end(&mut bytes);
                bytes
            })
        });
        let stdout = child.stdout.take().map(BufReader::new);
        Self { child, stdout, stderr, before: Some(before), read: Vec::new(), words, _place: place }
    }

    /// The process id of the supervisor.
    #[must_use]
    pub fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).unwrap_or(0)
    }

    /// Its workers and compile children that have not ended.
    #[must_use]
    pub fn workers(&self) -> Vec<Process> {
        children(self.pid()).into_iter().filter(|child| child.state != 'Z' && child.is_confined()).collect()
    }

    /// Those that fork its workers.
    #[must_use]
    pub fn zygotes(&self) -> Vec<Process> {
        children(self.pid()).into_iter().filter(|child| child.state != 'Z' && child.is_zygote()).collect()
    }

    /// Workers that have used so much processor time, in hundredths of a second, that they must be at a long task.
    #[must_use]
    pub fn busy_workers(&self, ticks: u64) -> Vec<Process> {
        self.workers().into_iter().filter(|worker| worker.ticks >= ticks).collect()
    }

    /// Waits for the next line of stdout; `None` at its end.
    ///
    /// # Panics
    /// If stdout was sent elsewhere or taken.
    pub fn line(&mut self) -> Option<String> {
        let stdout = self.stdout.as_mut().expect("stdout is ours to read");
        let mut line = Vec::new();
        let count = stdout.read_until(b'\n', &mut line).unwrap_or(0);
        self.read.extend_from_slice(&line);
        (count > 0).then(|| String::from_utf8_lossy(&line).trim_end().to_owned())
    }

    /// Takes stdout, to read it in another way. Dropping it closes the pipe.
    ///
    /// # Panics
    /// If it was sent elsewhere or taken before.
    pub fn take_stdout(&mut self) -> BufReader<ChildStdout> {
        self.stdout.take().expect("stdout is ours to take")
    }

    /// Sends the supervisor a signal.
    ///
    /// # Panics
    /// If it is gone.
    pub fn signal(&self, signal: Signal) {
        send(self.pid(), signal);
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|status| status.is_some())
    }

    /// Waits for its end and checks that nothing is left.
    ///
    /// # Panics
    /// If it takes too long or leaves something behind.
    #[must_use]
    pub fn end(self) -> Ended {
        self.end_watched(|_| ())
    }

    /// The same, and meanwhile has `look` look at the process again and again.
    ///
    /// # Panics
    /// If it takes too long or leaves something behind.
    #[must_use]
    pub fn end_watched(mut self, mut look: impl FnMut(i32)) -> Ended {
        // Read beside the wait: a full pipe would keep it from ending.
        let reader = self.stdout.take().map(|mut stdout| {
            std::thread::spawn(move || {
                let mut bytes = Vec::new();
                let _ = stdout.read_to_end(&mut bytes);
                bytes
            })
        });
        let what = format!("the end of taskcell {:?}", self.words);
        let pid = self.pid();
        let status = until(&what, || {
            look(pid);
            self.child.try_wait().ok().flatten()
        });
        // Before reading to the end: what is left may still hold the pipes.
        self.check();
        let mut stdout = std::mem::take(&mut self.read);
        stdout.extend(reader.and_then(|reader| reader.join().ok()).unwrap_or_default());
        let stderr = self.stderr.take().and_then(|reader| reader.join().ok()).unwrap_or_default();
        Ended::new(status, &stdout, &stderr)
    }

    fn check(&mut self) {
        let leftovers = self.before.take().and_then(|before| before.leftovers());
        if let Some(found) = leftovers {
            assert!(std::thread::panicking(), "taskcell {:?} left behind: {found}", self.words);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.check();
    }
}

/// Sends a process that a test started a signal.
///
/// # Panics
/// If there is no such process.
pub fn send(pid: i32, signal: Signal) {
    let pid = Pid::from_raw(pid).expect("a process id is positive");
    kill_process(pid, signal).expect("the process is there");
}

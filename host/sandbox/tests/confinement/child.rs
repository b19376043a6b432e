//! The runner's hold on one child: it sends what to do and reads what came of it.

use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use taskcell_sandbox::{Child, Role, SpawnOptions, Stderr, Strictness, Termination, Zygote};

use crate::forking;

/// Far more than any step takes, on a loaded machine too: it only turns a hang into a failure.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Whether workers are forked.
pub(crate) static FORKED: AtomicBool = AtomicBool::new(false);

/// Acts that need what a zygote has given up, so that they are played by executed workers in every run.
const UNCONFINED: [&str; 7] = ["surroundings", "directories", "write", "startup", "refuse", "panic", "take-again"];

/// The zygote of this run.
static ZYGOTE: Mutex<Option<Zygote>> = Mutex::new(None);

fn is_forked(options: &SpawnOptions, act: &str) -> bool {
    let act = act.split(' ').next().unwrap_or(act);
    let plain = options.role == Role::Worker && !options.pid_namespace && !UNCONFINED.contains(&act);
    FORKED.load(Ordering::Relaxed) && plain
}

/// A worker of the zygote of this run.
fn fork(socket: &UnixStream, descriptors: &[OwnedFd]) -> Child {
    let mut zygote = ZYGOTE.lock().unwrap_or_else(PoisonError::into_inner);
    let zygote = zygote.get_or_insert_with(|| forking::start(true));
    zygote.order(descriptors).unwrap();
    let child = forking::forked(zygote);
    zygote.release(&child, socket).unwrap();
    child
}

pub(crate) struct Puppet {
    pub(crate) child: Child,
    socket: UnixStream,
}

/// What a child is given as its second descriptor when a case has nothing to give.
fn nothing() -> OwnedFd {
    std::fs::File::open("/dev/null").unwrap().into()
}

pub(crate) fn options(role: Role, socket: OwnedFd, extra: OwnedFd) -> SpawnOptions {
    let mut options = SpawnOptions::new(role, Strictness::Required, vec![socket, extra]);
    options.stderr = Stderr::Null;
    options
}

impl Puppet {
    pub(crate) fn worker(act: &str) -> Self {
        Self::start(Role::Worker, act, nothing(), |_| {})
    }

    pub(crate) fn compiler(act: &str) -> Self {
        Self::start(Role::Compiler, act, nothing(), |_| {})
    }

    pub(crate) fn worker_with(act: &str, extra: OwnedFd) -> Self {
        Self::start(Role::Worker, act, extra, |_| {})
    }

    pub(crate) fn configured(role: Role, act: &str, configure: impl FnOnce(&mut SpawnOptions)) -> Self {
        Self::start(role, act, nothing(), configure)
    }

    fn start(role: Role, act: &str, extra: OwnedFd, configure: impl FnOnce(&mut SpawnOptions)) -> Self {
        let (socket, theirs) = UnixStream::pair().unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut options = options(role, theirs.into(), extra);
        configure(&mut options);
        let child =
            if is_forked(&options, act) { fork(&socket, &options.inherited) } else { taskcell_sandbox::spawn(options).unwrap() };
        let mut puppet = Self { child, socket };
        puppet.tell(act);
        puppet
    }

    pub(crate) fn tell(&mut self, line: &str) {
        self.socket.write_all(format!("{line}\n").as_bytes()).unwrap();
    }

    /// The next line from the child, or `None` when it has ended.
    pub(crate) fn hear(&mut self) -> Option<String> {
        let mut line = Vec::new();
        let mut byte = [0];
        loop {
            match self.socket.read(&mut byte) {
                Ok(0) => return None,
                Ok(_) if byte == *b"\n" => return Some(String::from_utf8(line).unwrap()),
                Ok(_) => line.extend(byte),
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return None,
                Err(error) => panic!("no word from the child: {error}"),
            }
        }
    }

    pub(crate) fn expect(&mut self, line: &str) {
        assert_eq!(self.hear().as_deref(), Some(line));
    }

    /// Lets the child go on to its end.
    pub(crate) fn end(mut self) -> Termination {
        drop(self.socket);
        wait(&mut self.child)
    }
}

/// Waits with patience rather than for ever.
pub(crate) fn wait(child: &mut Child) -> Termination {
    let mut ended = None;
    until("the child has ended", || {
        ended = child.try_wait().unwrap();
        ended.is_some()
    });
    ended.unwrap()
}

pub(crate) fn until(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < PATIENCE, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

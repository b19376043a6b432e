//! What `ps` shows: each host of this user answers who asks it what its tasks are doing.
//!
//! A host that wants to be seen has a socket in `$XDG_RUNTIME_DIR/taskcell/`, a directory of this user's alone, and gives one JSON
//! document to each peer that has its own uid. Nobody can tell it anything. Without that variable there is no socket: a place that others
//! could write to is no place for it. A host that was killed leaves its socket's name behind, which the next one that looks takes away.
//!
//! This is the only thing with a name that a host makes beside its cache. The road not taken is an abstract socket, which leaves
//! nothing behind and which anybody on the machine can be first to make.

mod listen;
mod look;

use std::fs::DirBuilder;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub(crate) use listen::Listing;
pub use look::hosts;

/// Raised with every change of the document that an older reader would misread.
const VERSION: u32 = 1;
/// The longest document that is read, in bytes: 65,536 tasks of 1 KiB.
const DOCUMENT_BYTES: u64 = 64 << 20;

/// A host and its tasks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostStatus {
    /// Of the document.
    pub version: u32,
    /// The host's process.
    pub pid: u32,
    /// What it runs, in its own words.
    pub title: String,
    /// How long it has run, in milliseconds.
    pub running_ms: u64,
    /// Tasks that have not ended.
    pub tasks: Vec<TaskLine>,
}

/// One task of a [`HostStatus`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskLine {
    /// Its number, unique within its host.
    pub id: u64,
    /// Who started it.
    pub parent: Option<u64>,
    /// Its name. Chosen by a guest: print it with care.
    pub name: String,
    /// The module that it is of; empty for the host's own component.
    pub module: String,
    /// `ready`, `running` or `waiting`.
    pub state: String,
    /// What it waits on, for people.
    pub waiting_on: Option<String>,
    /// Its worker process, once it has one.
    pub pid: Option<u32>,
    /// How long it has been in the line or with its worker, in milliseconds.
    pub since_ms: u64,
    /// Which attempt this is, from 1.
    pub attempt: u32,
    /// Done and total, if it told.
    pub progress: Option<(u64, Option<u64>)>,
    /// The CPU time of its worker process, in milliseconds; read by the one who looks.
    #[serde(default)]
    pub cpu_ms: Option<u64>,
    /// The resident memory of its worker process, in bytes; likewise.
    #[serde(default)]
    pub memory_bytes: Option<u64>,
}

/// The directory of the sockets; made if it is not there. `None` if there is no safe place for it.
fn directory() -> Option<PathBuf> {
    let base = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|path| path.is_absolute())?;
    let directory = base.join("taskcell");
    // One that is there already is looked at below.
    let _ = DirBuilder::new().mode(0o700).create(&directory);
    let found = std::fs::symlink_metadata(&directory).ok()?;
    let ours = found.is_dir() && found.uid() == rustix::process::getuid().as_raw() && found.mode() & 0o077 == 0;
    ours.then_some(directory)
}

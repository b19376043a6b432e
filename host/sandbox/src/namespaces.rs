//! Namespaces: what the process can name is empty.
//!
//! Each is optional, because machines differ in who may have them; what each stops is stopped by Landlock or seccomp too.
//! Root gets them directly. An ordinary user gets them through a user namespace, where the process has every capability
//! *inside* for the moment; [`credentials`](crate::credentials) takes those away again before anything else happens.
#![allow(unsafe_code, reason = "unshare is unsafe in general, though not with the flags used here")]

use std::path::PathBuf;

use rustix::process::{getegid, geteuid};
use rustix::thread::{UnshareFlags, unshare_unsafe};
use serde::{Deserialize, Serialize};

use crate::layer::{Applied, Layer};
use crate::policy::{Directory, Policy};
use crate::tree::{self, TreeError};

/// Which namespaces a child tries to have. All by default; a network namespace is the dearest, at about a third of a
/// millisecond per child, the others take some tens of microseconds each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Namespaces {
    /// No network interface that is up, no abstract sockets of others.
    pub net: bool,
    /// No System V or POSIX message queues and shared memory of others.
    pub ipc: bool,
    /// One empty, read-only directory as the whole file tree, or one with nothing but the granted directories in it.
    pub mount: bool,
}

impl Default for Namespaces {
    fn default() -> Self {
        Self { net: true, ipc: true, mount: true }
    }
}

impl Namespaces {
    /// None at all.
    pub const NONE: Self = Self { net: false, ipc: false, mount: false };
}

const OFF: &str = "switched off";

/// Enters the namespaces, best effort, and reports what became of each. Needs a process with one thread.
/// Gives the paths of the granted directories in the private file tree, or `None` if there is no such tree.
///
/// # Errors
/// [`TreeError`] if a granted directory is not where it was opened.
pub(crate) fn enter(policy: &Policy, root: bool, report: &mut Vec<Applied>) -> Result<Option<Vec<PathBuf>>, TreeError> {
    let wanted = policy.namespaces;
    let any = wanted.net || wanted.ipc || wanted.mount;
    let user = match (root, any) {
        (true, _) => Err("not needed: root gives each child a uid of its own".to_owned()),
        (false, false) => Err(OFF.to_owned()),
        (false, true) => user_namespace(policy.grants_directories()),
    };
    let able = root || user.is_ok();
    let mut add = |layer, outcome: Result<(), String>, detail: &str| {
        report.push(match outcome {
            Ok(()) => Applied::active(layer, detail),
            Err(why) => Applied::missing(layer, &why),
        });
    };
    add(Layer::UserNamespace, user, "no id of the machine is mapped but its own, for granted directories");
    let attempt = |wanted: bool, enter: &dyn Fn() -> Result<(), String>| match (wanted, able) {
        (false, _) => Err(OFF.to_owned()),
        (true, false) => Err("needs a user namespace or root".to_owned()),
        (true, true) => enter(),
    };
    add(Layer::NetNamespace, attempt(wanted.net, &|| unshare(UnshareFlags::NEWNET)), "no interface is up");
    add(Layer::IpcNamespace, attempt(wanted.ipc, &|| unshare(UnshareFlags::NEWIPC)), "nothing in it");
    let mounted = attempt(wanted.mount, &|| unshare(UnshareFlags::NEWNS));
    let paths = match mounted {
        Err(why) => Err(why),
        Ok(()) => match tree::private(&policy.directories) {
            Ok(paths) => Ok(paths),
            Err(TreeError::Mount(errno)) => Err(format!("a private file tree could not be set up: {errno}")),
            Err(moved @ TreeError::Moved { .. }) => return Err(moved),
        },
    };
    let detail = detail(&policy.directories);
    add(Layer::MountNamespace, paths.as_ref().map(drop).map_err(Clone::clone), &detail);
    add(
        Layer::PidNamespace,
        if std::process::id() == 1 { Ok(()) } else { Err("not asked for, or not possible without root".to_owned()) },
        "no other process has a number here",
    );
    Ok(paths.ok())
}

fn detail(directories: &[Directory]) -> String {
    match directories.len() {
        0 => "one empty, read-only directory".to_owned(),
        1 => "the granted directory and nothing else".to_owned(),
        count => format!("{count} granted directories and nothing else"),
    }
}

/// Files of granted directories belong to the user, so that one id is mapped, to itself.
fn user_namespace(map_own_id: bool) -> Result<(), String> {
    let (uid, gid) = (geteuid().as_raw(), getegid().as_raw());
    unshare(UnshareFlags::NEWUSER)?;
    if map_own_id {
        // A failure leaves the ids unmapped: files then seem to be nobody's.
        let _ = std::fs::write("/proc/self/setgroups", "deny");
        let _ = std::fs::write("/proc/self/uid_map", format!("{uid} {uid} 1"));
        let _ = std::fs::write("/proc/self/gid_map", format!("{gid} {gid} 1"));
    }
    Ok(())
}

fn unshare(flags: UnshareFlags) -> Result<(), String> {
    // SAFETY: the danger of unshare is in unsharing the descriptor table between threads, and no flag used here does that.
    unsafe { unshare_unsafe(flags) }.map_err(|errno| format!("the kernel refused it: {errno}"))
}

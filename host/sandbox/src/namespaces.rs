//! Namespaces: what the process can name is empty.
//!
//! Each is optional, because machines differ in who may have them; what each stops is stopped by Landlock or seccomp too.
//! Root gets them directly. An ordinary user gets them through a user namespace, where the process has every capability
//! *inside* for the moment; [`credentials`](crate::credentials) takes those away again before anything else happens.
#![allow(unsafe_code, reason = "unshare is unsafe in general, though not with the flags used here")]

use rustix::fs::CWD;
use rustix::mount::{MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_change, unmount};
use rustix::process::{chdir, pivot_root};
use rustix::thread::{UnshareFlags, unshare_unsafe};
use serde::{Deserialize, Serialize};

use crate::layer::{Applied, Layer};

/// Which namespaces a child tries to have. All by default; a network namespace is the dearest, at about a third of a
/// millisecond per child, the others take some tens of microseconds each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Namespaces {
    /// No network interface that is up, no abstract sockets of others.
    pub net: bool,
    /// No System V or POSIX message queues and shared memory of others.
    pub ipc: bool,
    /// One empty, read-only directory as the whole file tree. Not used when directories are granted.
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

/// Enters the namespaces, best effort, and tells what became of each. Needs a process with one thread.
pub(crate) fn enter(wanted: Namespaces, root: bool, directories_granted: bool, report: &mut Vec<Applied>) {
    let any = wanted.net || wanted.ipc || wanted.mount;
    let user = match (root, any) {
        (true, _) => Err("not needed: root gives each child a uid of its own".to_owned()),
        (false, false) => Err(OFF.to_owned()),
        (false, true) => unshare(UnshareFlags::NEWUSER),
    };
    let able = root || user.is_ok();
    let mut tell = |layer, outcome: Result<(), String>, detail: &str| {
        report.push(match outcome {
            Ok(()) => Applied::active(layer, detail),
            Err(why) => Applied::missing(layer, &why),
        });
    };
    tell(Layer::UserNamespace, user, "no id of the machine is mapped");
    let mut each = |layer, wanted: bool, enter: &dyn Fn() -> Result<(), String>, detail| {
        let outcome = match (wanted, able) {
            (false, _) => Err(OFF.to_owned()),
            (true, false) => Err("needs a user namespace or root".to_owned()),
            (true, true) => enter(),
        };
        tell(layer, outcome, detail);
    };
    each(Layer::NetNamespace, wanted.net, &|| unshare(UnshareFlags::NEWNET), "no interface is up");
    each(Layer::IpcNamespace, wanted.ipc, &|| unshare(UnshareFlags::NEWIPC), "nothing in it");
    let empty = || match directories_granted {
        true => Err("directories are granted, which Landlock guards".to_owned()),
        false => unshare(UnshareFlags::NEWNS)
            .and_then(|()| empty_root().map_err(|errno| format!("an empty root could not be set up: {errno}"))),
    };
    each(Layer::MountNamespace, wanted.mount, &empty, "one empty, read-only directory");
    tell(
        Layer::PidNamespace,
        if std::process::id() == 1 { Ok(()) } else { Err("not asked for, or not possible without root".to_owned()) },
        "no other process has a number here",
    );
}

fn unshare(flags: UnshareFlags) -> Result<(), String> {
    // SAFETY: the danger of unshare is in unsharing the descriptor table between threads, and no flag used here does that.
    unsafe { unshare_unsafe(flags) }.map_err(|errno| format!("the kernel refused it: {errno}"))
}

/// Makes an empty, read-only directory the root of this mount namespace and lets go of the old one. Makes plain system
/// calls only, so it may run in a fresh child of a process with threads.
pub(crate) fn empty_root() -> rustix::io::Result<()> {
    // Nothing done here may reach the machine's own mounts.
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
    let flags = MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    // Any directory serves as the place: it is covered in this namespace only.
    let place = ["/tmp", "/usr", "/dev"]
        .into_iter()
        .find(|place| rustix::fs::accessat(CWD, *place, rustix::fs::Access::EXISTS, rustix::fs::AtFlags::empty()).is_ok())
        .ok_or(rustix::io::Errno::NOENT)?;
    mount("tmpfs", place, "tmpfs", flags, Some(c"size=4096,nr_inodes=2,mode=0555"))?;
    chdir(place)?;
    // The new root on top of the old one, which then is the top mount of "." and can be let go.
    pivot_root(".", ".")?;
    unmount(".", UnmountFlags::DETACH)?;
    chdir("/")
}

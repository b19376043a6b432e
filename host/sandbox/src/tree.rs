//! The private file tree of a child: an empty, read-only directory, with a bind mount for each granted
//! directory and nothing else.
//!
//! A path names whatever lies there at the moment. So a granted directory is a descriptor, opened once by
//! the supervisor, and the child mounts that very directory: the kernel can't clone a mount of another
//! mount namespace, so the path is opened again in the child's own, without following symbolic links,
//! and must lead to the same device and inode.
//!
//! Invariants: what lies above and beside a granted directory has no name in the tree, for any system
//! call (Landlock judges opening, not stat, readlink or utimes). Mounts in it are nosuid, nodev and
//! noexec, and read-only where the grant is.
#![allow(unsafe_code, reason = "mount_setattr has no safe wrapper yet")]

use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};
use std::path::PathBuf;

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, fstat, mkdir, openat2};
use rustix::io::Errno;
use rustix::mount::{
    MountFlags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags, mount, mount_change, mount_remount,
    move_mount, open_tree, unmount,
};
use rustix::process::{chdir, pivot_root};

use crate::policy::Directory;

/// Why there is no private tree.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TreeError {
    /// This machine doesn't let the process mount.
    #[error("{0}")]
    Mount(#[from] Errno),
    /// Another directory is in its place, or none.
    #[error("find the granted directory {path} where it was: {why}", path = path.display())]
    Moved { path: PathBuf, why: String },
}

/// Makes a private tree the root of this mount namespace and lets go of the old one. Gives the path of
/// each directory in it. Without directories it makes plain system calls only, so it may then run in a
/// fresh child of a process with threads.
pub(crate) fn private(directories: &[Directory]) -> Result<Vec<PathBuf>, TreeError> {
    // Nothing done here may reach the machine's own mounts.
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
    // Opened before anything is mounted over the way to them.
    let trees = directories.iter().map(bind).collect::<Result<Vec<_>, _>>()?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    // Any directory serves as the place: it is covered in this namespace only.
    let place = ["/tmp", "/usr", "/dev"]
        .into_iter()
        .find(|place| rustix::fs::accessat(CWD, *place, rustix::fs::Access::EXISTS, rustix::fs::AtFlags::empty()).is_ok())
        .ok_or(Errno::NOENT)?;
    mount("tmpfs", place, "tmpfs", flags, Some(c"size=4096,nr_inodes=1024,mode=0555"))?;
    chdir(place)?;
    let mut paths = Vec::with_capacity(trees.len());
    for (number, tree) in trees.iter().enumerate() {
        let name = number.to_string();
        mkdir(name.as_str(), Mode::from_raw_mode(0o555))?;
        move_mount(tree, c"", CWD, name.as_str(), MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)?;
        paths.push(PathBuf::from(format!("/{name}")));
    }
    mount_remount(".", flags | MountFlags::RDONLY, c"size=4096,nr_inodes=1024,mode=0555")?;
    // The new root on top of the old one, which then is the top mount of "." and can be let go.
    pivot_root(".", ".")?;
    unmount(".", UnmountFlags::DETACH)?;
    chdir("/")?;
    Ok(paths)
}

/// A detached mount of a granted directory, with all that is mounted below it: the kernel refuses to
/// uncover those to a user namespace.
fn bind(directory: &Directory) -> Result<OwnedFd, TreeError> {
    let moved = |why: &str| TreeError::Moved { path: directory.path.clone(), why: why.to_owned() };
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let again = openat2(CWD, &directory.path, flags, Mode::empty(), ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS)
        .map_err(|errno| match errno {
            Errno::NOENT => moved("it is gone"),
            Errno::LOOP => moved("a symbolic link is in its place"),
            other => TreeError::Mount(other),
        })?;
    let (granted, found) = (fstat(&directory.descriptor)?, fstat(&again)?);
    if (granted.st_dev, granted.st_ino) != (found.st_dev, found.st_ino) {
        return Err(moved("another one is in its place"));
    }
    let clone = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_EMPTY_PATH
        | OpenTreeFlags::AT_RECURSIVE;
    let tree = open_tree(&again, c"", clone)?;
    restrict(tree.as_fd(), directory.writable)?;
    Ok(tree)
}

/// `struct mount_attr` of `linux/mount.h`.
#[repr(C)]
struct MountAttributes {
    set: u64,
    clear: u64,
    propagation: u64,
    user_namespace: u64,
}

/// No program of it is executed, no device opened, and nothing changed unless it is writable; for all
/// mounts of the tree (mount_setattr(2), Linux 5.12).
fn restrict(tree: BorrowedFd<'_>, writable: bool) -> rustix::io::Result<()> {
    let read_only = if writable { 0 } else { libc::MOUNT_ATTR_RDONLY };
    let set = libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV | libc::MOUNT_ATTR_NOEXEC | read_only;
    let attributes = MountAttributes { set, clear: 0, propagation: 0, user_namespace: 0 };
    // SAFETY: the kernel reads as many bytes of the structure as it is told, and an empty string.
    let outcome = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            tree.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH | libc::AT_RECURSIVE,
            &raw const attributes,
            size_of::<MountAttributes>(),
        )
    };
    if outcome == 0 {
        return Ok(());
    }
    Err(std::io::Error::last_os_error().raw_os_error().map_or(Errno::INVAL, Errno::from_raw_os_error))
}

//! Granted directories, each opened once. From then on the descriptor is the directory: a task that may
//! change what lies above it can put something else in its place, and no worker follows.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat2};
use taskcell_wire::DirGrant;

use crate::error::Error;

/// Opens the directories, and makes their paths absolute and free of symbolic links.
///
/// # Errors
/// [`Error::Directory`] with the first that can't be opened.
pub(crate) fn open(grants: &mut [DirGrant]) -> Result<Arc<[OwnedFd]>, Error> {
    let open = |grant: &mut DirGrant| {
        let failed = |source: std::io::Error| Error::Directory { path: grant.host.clone(), source };
        let path = std::fs::canonicalize(&grant.host).map_err(failed)?;
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let resolve = ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        let opened = openat2(CWD, &path, flags, Mode::empty(), resolve).map_err(|errno| failed(errno.into()))?;
        grant.host = path;
        Ok(opened)
    };
    grants.iter_mut().map(open).collect()
}

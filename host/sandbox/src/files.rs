//! Landlock: which parts of the file tree stay reachable. None, unless a directory was granted.
//!
//! All rights that this build knows are asked for, and those that the kernel doesn't know are left out: an older kernel
//! that guards files but not yet TCP is worth having, since seccomp refuses sockets anyway. No Landlock at all is a missing
//! layer. The grant to read never includes the right to execute.

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible as _, LandlockStatus, PathBeneath, PathFd, Ruleset,
    RulesetAttr as _, RulesetCreatedAttr as _, RulesetError, RulesetStatus, Scope,
};
use rustix::fs::{FileType, fstat};
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};

/// The newest version whose rights were reviewed and tested for this crate.
const REVIEWED: ABI = ABI::V7;

/// Why no path rule could be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FilesError {
    #[error("open the granted path {path}: {error}", path = path.display())]
    Open { path: PathBuf, error: String },
    #[error("{0}")]
    Ruleset(#[from] RulesetError),
}

/// Restricts the calling thread, and all that it starts later, to the given paths. `Ok(Err(why))`: the kernel has none of it.
pub(crate) fn restrict(readable: &[PathBuf], writable: &[PathBuf]) -> Result<Result<String, String>, FilesError> {
    let mut ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(REVIEWED))?
        .handle_access(AccessNet::from_all(REVIEWED))?
        .scope(Scope::from_all(REVIEWED))?
        .create()?;
    let read = AccessFs::from_read(REVIEWED) & !AccessFs::Execute;
    let write = AccessFs::from_write(REVIEWED)
        & !(AccessFs::MakeChar | AccessFs::MakeBlock | AccessFs::MakeSock | AccessFs::MakeFifo | AccessFs::IoctlDev);
    for path in readable {
        ruleset = ruleset.add_rule(rule(path, read)?)?;
    }
    for path in writable {
        ruleset = ruleset.add_rule(rule(path, read | write)?)?;
    }
    let status = ruleset.restrict_self()?;
    let abi = match status.landlock {
        LandlockStatus::Available { effective_abi, .. } => effective_abi,
        LandlockStatus::NotEnabled => return Ok(Err("the kernel has Landlock, but it was not enabled at boot".into())),
        LandlockStatus::NotImplemented => return Ok(Err("the kernel has no Landlock".into())),
    };
    Ok(match status.ruleset {
        RulesetStatus::FullyEnforced => Ok(format!("ABI {abi}: files, TCP, abstract sockets, signals")),
        RulesetStatus::PartiallyEnforced => Ok(format!("ABI {abi}: files; newer rights are not in this kernel")),
        RulesetStatus::NotEnforced => Err("the kernel accepted the rules but enforces none".into()),
    })
}

fn rule(path: &Path, access: BitFlags<AccessFs>) -> Result<PathBeneath<PathFd>, FilesError> {
    let open = |error: String| FilesError::Open { path: path.to_owned(), error };
    let fd = PathFd::new(path).map_err(|error| open(error.to_string()))?;
    let mode = fstat(fd.as_fd()).map_err(|error| open(error.to_string()))?.st_mode;
    // Rights that only make sense for directories are an error on a file.
    let access =
        if FileType::from_raw_mode(mode) == FileType::Directory { access } else { access & AccessFs::from_file(REVIEWED) };
    Ok(PathBeneath::new(fd, access))
}

//! Landlock: which parts of the file tree stay reachable. None, unless a directory was granted.
//!
//! All rights that this build knows are asked for, and those that the kernel doesn't know are left out: an older kernel
//! that guards files but not yet TCP is worth having, since seccomp refuses sockets anyway. No Landlock at all is a missing
//! layer, and so is one that can't keep a file below a read-only grant from being emptied (ABI 1 and 2). The grant to read
//! never includes the right to execute.

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, CompatLevel, Compatible as _, LandlockStatus, PathBeneath, Ruleset, RulesetAttr as _,
    RulesetCreatedAttr as _, RulesetError, RulesetStatus, Scope,
};
use rustix::fs::{FileType, fstat};
use std::os::fd::AsFd as _;

use crate::policy::Directory;

/// The newest version whose rights were reviewed and tested for this crate.
const REVIEWED: ABI = ABI::V7;
/// The first one that knows truncating.
const TRUNCATES: ABI = ABI::V3;

/// Restricts the calling thread, and all that it starts later, to these directories. The rules are made
/// from their descriptors. `Ok(Err(why))`: the kernel has none of it, or too little.
pub(crate) fn restrict(directories: &[Directory]) -> Result<Result<String, String>, RulesetError> {
    let mut ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(REVIEWED))?
        .handle_access(AccessNet::from_all(REVIEWED))?
        .scope(Scope::from_all(REVIEWED))?
        .create()?;
    let read = AccessFs::from_read(REVIEWED) & !AccessFs::Execute;
    let write = AccessFs::from_write(REVIEWED)
        & !(AccessFs::MakeChar | AccessFs::MakeBlock | AccessFs::MakeSock | AccessFs::MakeFifo | AccessFs::IoctlDev);
    for directory in directories {
        let access = if directory.writable { read | write } else { read };
        let is_directory =
            fstat(&directory.descriptor).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Directory);
        // Rights that only make sense for directories are an error on a file.
        let access = if is_directory { access } else { access & AccessFs::from_file(REVIEWED) };
        ruleset = ruleset.add_rule(PathBeneath::new(directory.descriptor.as_fd(), access))?;
    }
    let status = ruleset.restrict_self()?;
    let abi = match status.landlock {
        LandlockStatus::Available { effective_abi, .. } => effective_abi,
        LandlockStatus::NotEnabled => return Ok(Err("the kernel has Landlock, but it was not enabled at boot".into())),
        LandlockStatus::NotImplemented => return Ok(Err("the kernel has no Landlock".into())),
    };
    if abi < TRUNCATES && directories.iter().any(|directory| !directory.writable) {
        return Ok(Err(format!("ABI {abi} can't keep files of a read-only directory from being emptied (Linux 6.2 can)")));
    }
    Ok(match status.ruleset {
        RulesetStatus::FullyEnforced => Ok(format!("ABI {abi}: files, TCP, abstract sockets, signals")),
        RulesetStatus::PartiallyEnforced => Ok(format!("ABI {abi}: files; {}", gaps(abi))),
        RulesetStatus::NotEnforced => Err("the kernel accepted the rules but enforces none".into()),
    })
}

/// What an older kernel's Landlock leaves to the other walls.
fn gaps(abi: ABI) -> &'static str {
    if abi < ABI::V3 {
        "not truncating, TCP, device commands, abstract sockets, signals"
    } else if abi < ABI::V4 {
        "not TCP, device commands, abstract sockets, signals"
    } else if abi < ABI::V5 {
        "not device commands, abstract sockets, signals"
    } else if abi < ABI::V6 {
        "not abstract sockets, signals"
    } else {
        "newer rights are not in this kernel"
    }
}

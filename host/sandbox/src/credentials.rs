//! Who the process is to the rest of the machine: nobody, without any privilege.
//!
//! Calls that the C library would spread over all threads are made for the calling thread only; there is no other yet.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};

use rustix::process::{Gid, Uid};
use rustix::thread::{
    CapabilitySet, CapabilitySets, clear_ambient_capability_set, set_capabilities, set_thread_groups, set_thread_res_gid,
    set_thread_res_uid,
};

use crate::layer::{Applied, Layer};
use crate::policy::WorkerUid;

/// Own uids start here: above those of people, daemons and directory services (SSSD maps ids below
/// 2,000,200,000), and of containers' ranges. 28 bits follow.
const FIRST_OWN_ID: u32 = 0xf000_0000;
const ID_MASK: u32 = 0x0fff_ffff;

/// Gives up root for a uid of the process's own. Two workers with one uid could signal each other, hence one each.
pub(crate) fn leave_root(root: bool, wanted: WorkerUid, report: &mut Vec<Applied>) {
    let outcome = match (root, wanted) {
        (false, _) => Err("not started by root: the child has its supervisor's uid".to_owned()),
        (true, WorkerUid::Keep) => Err("asked to keep the supervisor's uid".to_owned()),
        (true, WorkerUid::OwnIfRoot) => {
            // In a container only some ids may exist, and this may not be one of them. A uid that others
            // have too, such as nobody's, is no substitute.
            become_user(own_id(std::process::id(), nonce())).map_err(|errno| format!("the kernel refused it: {errno}"))
        }
    };
    report.push(match outcome {
        Ok(id) => Applied::active(Layer::Uid, &format!("{id}, no groups")),
        Err(why) => Applied::missing(Layer::Uid, &why),
    });
}

/// A uid that no other process of the machine has: process ids differ inside a container, and the nonce
/// keeps containers apart that use the machine's ids.
pub(crate) fn own_id(pid: u32, nonce: u32) -> u32 {
    // The highest ids are special: -1 means "unchanged".
    FIRST_OWN_ID | ((pid ^ nonce) & ID_MASK).min(ID_MASK - 16)
}

/// Whether a uid is one of those.
pub(crate) fn is_own_id(uid: u32) -> bool {
    uid >= FIRST_OWN_ID
}

/// A number that others can't guess.
pub(crate) fn nonce() -> u32 {
    let [a, b, c, d, ..] = RandomState::new().build_hasher().finish().to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}

/// Takes a uid and the gid of the same number, without groups.
fn become_user(id: u32) -> rustix::io::Result<u32> {
    set_thread_groups(&[])?;
    take_ids(id)
}

/// The same for a forked worker: its zygote gave up all groups.
pub(crate) fn take_ids(id: u32) -> rustix::io::Result<u32> {
    let (uid, gid) = (Uid::from_raw(id), Gid::from_raw(id));
    set_thread_res_gid(gid, gid, gid)?;
    set_thread_res_uid(uid, uid, uid)?;
    Ok(id)
}

/// Gives up every capability: those of root, and those inside a user namespace.
pub(crate) fn drop_capabilities() -> rustix::io::Result<()> {
    // Kernels without ambient capabilities have none to clear.
    let _ = clear_ambient_capability_set();
    let none = CapabilitySet::empty();
    set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none })
}

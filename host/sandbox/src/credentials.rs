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

/// Own uids start here: far above those of people, daemons and containers' ranges.
const FIRST_OWN_ID: u32 = 0x7000_0000;
/// Process ids have at most 22 bits.
const ID_MASK: u32 = 0x003f_ffff;
/// What a machine that maps only some ids calls "nobody".
const NOBODY: u32 = 65_534;

/// Gives up root for a uid of the process's own. Two workers with one uid could signal each other, hence one each.
pub(crate) fn leave_root(root: bool, wanted: WorkerUid, report: &mut Vec<Applied>) {
    let outcome = match (root, wanted) {
        (false, _) => Err("not started by root: the child has its supervisor's uid".to_owned()),
        (true, WorkerUid::Keep) => Err("asked to keep the supervisor's uid".to_owned()),
        (true, WorkerUid::OwnIfRoot) => {
            let own = FIRST_OWN_ID + own_number();
            // In a container only some ids may exist.
            become_user(own).or_else(|_| become_user(NOBODY)).map_err(|errno| format!("the kernel refused it: {errno}"))
        }
    };
    report.push(match outcome {
        Ok(id) => Applied::active(Layer::Uid, &format!("{id}, no groups")),
        Err(why) => Applied::missing(Layer::Uid, &why),
    });
}

/// A number that no other living child has: the process id. In a process-id namespace that is 1 for all, so there a random
/// one.
fn own_number() -> u32 {
    let pid = std::process::id();
    if pid != 1 {
        return pid & ID_MASK;
    }
    let [a, b, c, ..] = RandomState::new().build_hasher().finish().to_le_bytes();
    u32::from_le_bytes([a, b, c, 0]) & ID_MASK
}

fn become_user(id: u32) -> rustix::io::Result<u32> {
    let (uid, gid) = (Uid::from_raw(id), Gid::from_raw(id));
    set_thread_groups(&[])?;
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

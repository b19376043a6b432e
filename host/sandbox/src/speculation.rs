//! Speculation controls of the processor, for the calling thread and all that it starts later.
//!
//! A guest that reads its own process's memory through a mispredicted branch or load reads other tasks'
//! inputs and results, if instances are reused, and the host's. What is switched off stays off
//! (`PR_SPEC_FORCE_DISABLE`).
#![allow(unsafe_code, reason = "prctl with these numbers has no safe wrapper")]

use std::ffi::c_int;

use crate::layer::{Applied, Layer};

/// `linux/prctl.h`; not in `libc`.
const PR_SET_SPECULATION_CTRL: c_int = 53;
const STORE_BYPASS: c_int = 0;
const INDIRECT_BRANCH: c_int = 1;
const FORCE_DISABLE: c_int = 1 << 3;

/// Forbids speculation past indirect branches and stores, where the kernel leaves that to a process.
pub(crate) fn restrict() -> Applied {
    let controls = [("indirect branches", INDIRECT_BRANCH), ("stores", STORE_BYPASS)];
    let restricted: Vec<&str> = controls.into_iter().filter(|(_, which)| disable(*which)).map(|(name, _)| name).collect();
    if restricted.is_empty() {
        Applied::missing(Layer::Speculation, "the kernel offers no control here: the processor may not need any")
    } else {
        Applied::active(Layer::Speculation, &format!("none past {}", restricted.join(" and ")))
    }
}

fn disable(which: c_int) -> bool {
    // SAFETY: takes plain numbers; a control that the kernel doesn't offer is an error.
    unsafe { libc::prctl(PR_SET_SPECULATION_CTRL, which, FORCE_DISABLE, 0, 0) == 0 }
}

//! What this machine offers, without changing the caller.
//!
//! Each probe does the real thing where it binds nobody else: in a thread that ends right after (Landlock, seccomp and
//! `no_new_privs` are properties of a thread), or in a child process (namespaces). Reading version numbers and
//! configuration files instead would miss what containers and security modules take away.
#![allow(unsafe_code, reason = "starts probe processes")]

use std::ffi::{c_int, c_void};
use std::{ptr, thread};

use crate::clone;
use crate::layer::{Applied, Layer, LayerState, Strictness};
use crate::policy::{Policy, Role};
use crate::process::{Child, Termination};
use crate::seccomp::Filters;
use crate::tree::{self, TreeError};
use crate::{files, speculation};

/// Tells for each layer whether a child started now would have it.
#[must_use]
pub fn survey() -> Vec<Applied> {
    Layer::ALL
        .into_iter()
        .map(|layer| match probe(layer) {
            Ok(detail) => Applied::active(layer, &detail),
            Err(why) => Applied::missing(layer, &why),
        })
        .collect()
}

fn probe(layer: Layer) -> Result<String, String> {
    let root = rustix::process::geteuid().is_root();
    let user = if root { 0 } else { libc::CLONE_NEWUSER };
    match layer {
        Layer::NoNewPrivs => in_thread(|| rustix::thread::set_no_new_privs(true).map_err(refused).map(|()| "can be set".into())),
        Layer::NotDumpable => rustix::process::dumpable_behavior().map_err(refused).map(|_| "can be set".into()),
        Layer::Rlimits => Ok("can be set".into()),
        Layer::Landlock => in_thread(|| files::restrict(&[]).map_err(|error| error.to_string())?),
        Layer::Seccomp => in_thread(seccomp),
        Layer::ParentDeathSignal => rustix::process::parent_process_death_signal().map_err(refused).map(|_| "can be set".into()),
        Layer::Uid if root => Ok("each child gets its own".into()),
        Layer::Uid => Err("needs a supervisor started by root; children have its uid".into()),
        Layer::UserNamespace if root => Err("not needed: root gives each child a uid of its own".into()),
        Layer::UserNamespace => in_process(user, nothing),
        Layer::NetNamespace => in_process(user | libc::CLONE_NEWNET, nothing),
        Layer::IpcNamespace => in_process(user | libc::CLONE_NEWIPC, nothing),
        Layer::MountNamespace => in_process(user | libc::CLONE_NEWNS, empty_root),
        Layer::PidNamespace if root => in_process(libc::CLONE_NEWPID, nothing).map(|_| "available, used when asked for".into()),
        Layer::Speculation => in_thread(|| {
            let applied = speculation::restrict();
            match applied.state {
                LayerState::Active(detail) => Ok(detail),
                LayerState::Missing(why) => Err(why),
            }
        }),
        Layer::PidNamespace => Err("needs a supervisor started by root".into()),
    }
}

fn refused(errno: rustix::io::Errno) -> String {
    format!("the kernel refused it: {errno}")
}

/// Runs a probe in a thread that ends with it.
fn in_thread(probe: impl FnOnce() -> Result<String, String> + Send + 'static) -> Result<String, String> {
    let thread = thread::Builder::new().name("taskcell-probe".into()).spawn(probe).map_err(|error| error.to_string())?;
    thread.join().unwrap_or_else(|_| Err("the probe itself failed".into()))
}

/// Installs a filter that refuses nothing but a call nobody makes here: the real one would kill the caller.
fn seccomp() -> Result<String, String> {
    let policy = Policy::new(Role::Worker, Strictness::Required);
    let real = Filters::compile(policy.rules(), std::process::id()).map_err(|error| error.to_string())?;
    Filters::probe().and_then(|filters| filters.install_on_this_thread()).map_err(|error| error.to_string())?;
    Ok(format!("{} calls listed, {} instructions", policy.rules().count(), real.instructions()))
}

/// Runs a probe in a child that has the namespaces of `flags`.
fn in_process(flags: c_int, probe: extern "C" fn(*mut c_void) -> c_int) -> Result<String, String> {
    // SAFETY: the probes below make system calls only, use no argument, and return straight into the end of the process.
    // Without CLONE_VM they have a copy of our memory.
    let (pid, pidfd) =
        unsafe { clone::start(flags, probe, ptr::null_mut()) }.map_err(|error| format!("the kernel refused it: {error}"))?;
    match Child::new(pid, pidfd).wait() {
        Ok(Termination::Exited(0)) => Ok("available".into()),
        Ok(Termination::Exited(error)) => Err(refused(rustix::io::Errno::from_raw_os_error(error))),
        Ok(Termination::Signalled { signal, .. }) => Err(format!("the probe was killed by signal {signal}")),
        Err(error) => Err(error.to_string()),
    }
}

/// Being there is the whole probe.
extern "C" fn nothing(_: *mut c_void) -> c_int {
    end(0)
}

extern "C" fn empty_root(_: *mut c_void) -> c_int {
    end(match tree::private(&[]) {
        Ok(_) => 0,
        Err(TreeError::Mount(errno)) => errno.raw_os_error(),
        Err(TreeError::Moved { .. }) => libc::ENOENT,
    })
}

fn end(code: c_int) -> ! {
    // SAFETY: ends the process without running exit handlers, which belong to the process it is a copy of.
    unsafe { libc::_exit(code) }
}

//! Confinement of a process by the operating system, and the island of `unsafe`.
//!
//! A guest is held by WebAssembly first. Should it break out of that, it owns the worker process, so this crate makes the
//! process worthless: no files, no network, no other process, no new code, a capped life. Two halves use it:
//!
//! * the supervisor calls [`spawn()`] to start a child that is this very program in another [`Role`], or has a [`Zygote`] fork it, and
//!   [`verify()`] to look from outside whether the child really confined itself;
//! * the child calls [`take_inherited`], then [`Unconfined::confine`], then [`Confined::seal`].
//!
//! # The order, and why
//!
//! | step | where | why there |
//! |---|---|---|
//! | empty environment, bare argv, all but the listed descriptors closed | before exec | what was never handed over cannot leak |
//! | session, rlimits, parent-death signal | the same | holds even if the child never reaches its main |
//! | namespaces, private file tree | `confine` | need privileges that the next step gives up, and a process with one thread |
//! | own uid, no capabilities | `confine`, after exec | a binary below `/root` cannot be executed by another uid |
//! | not dumpable, parent-death signal again, parent checked | after the uid | a change of credentials resets both |
//! | `no_new_privs`, Landlock | after it | Landlock binds one thread and its later children, so no other may exist |
//! | first filter | last of `confine` | from here on hostile bytes may be parsed, mapped and made executable |
//! | memory, file size 0, no new processes | `seal` | the engine takes memory and starts threads between the two |
//! | last filter, on all threads | `seal` | after warm-up, when no step needs a call that is refused from here on |
//!
//! The first hostile byte may be read after `confine`; the first guest instruction may run after `seal`.
//! A layer that is required and missing is an error: the process refuses to go on ([`Strictness::Required`]).
//!
//! # Invariants
//!
//! * Nothing here is looked up by PATH, by environment or by a name that others can write to.
//! * Every `unsafe` block of the project, but the engine's loading of compiled code, is in this crate, and says which fact
//!   makes it sound.
//! * The crate knows nothing of wasm, messages or tasks.
//!
//! Not taken: a set-uid helper (one more thing to install and to attack); a bare `chroot` (a privileged process leaves it);
//! cgroups (they need delegation; whoever has it can put the supervisor into one); a deny-list of system calls (kernels
//! gain calls faster than lists gain lines).

#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
compile_error!(
    "taskcell confines its workers with Linux facilities, on x86_64 and aarch64 only: it refuses to build where it could not"
);

mod allocator;
mod clone;
mod confine;
mod credentials;
mod doctor;
mod fds;
mod files;
mod inherited;
mod layer;
mod limits;
mod memfd;
mod memory;
mod namespaces;
mod policy;
mod process;
mod seccomp;
mod spawn;
mod speculation;
mod tree;
mod verify;
mod zygote;

pub use allocator::{give_back_memory, keep_freed_memory};
pub use confine::{ConfineError, Confined, Sealed, Unconfined};
pub use doctor::survey;
pub use inherited::{InheritError, take_inherited};
pub use layer::{Applied, Layer, LayerState, Strictness};
pub use limits::Limits;
pub use memfd::{MappedBytes, MemfdError, seal, sealed_memfd, writable_memfd};
pub use memory::{SharedMemory, SharedMemoryError};
pub use namespaces::Namespaces;
pub use policy::{Answer, Check, Directory, Operand, Policy, Role, Rule, WorkerUid, boot_table, directory_table, policy_table};
pub use process::{Child, ProcessError, Termination};
pub use spawn::{SpawnError, SpawnOptions, Stderr, check_spawn, spawn};
pub use verify::{VerifyError, verify};
pub use zygote::{Forked, PageMap, ServeError, Zygote, ZygoteAnswer, ZygoteSocket};

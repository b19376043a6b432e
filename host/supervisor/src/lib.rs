//! Run tasks of WebAssembly components in sandboxed worker processes.
//!
//! ```no_run
//! use taskcell::{Component, Pool};
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     taskcell::init();
//!     let component = Component::open("fib.wasm")?;
//!     let pool = Pool::builder(&component).build()?;
//!
//!     let future = pool.submit::<u64>("fib", &30)?;
//!     println!("fib(30) = {}", future.result()?);
//!
//!     for result in pool.map::<_, u64>("fib", 20..30)? {
//!         println!("{}", result?);
//!     }
//!     Ok(())
//! }
//! ```
//!
//! A task is one call of one exported function. Inputs and results are values of serde, written as JSON by the function's WIT
//! types; a function of several parameters takes a tuple. Each task runs in a worker process that holds one component, confined by
//! WebAssembly inside and by the operating system around it. A worker that dies costs the task that it ran ([`TaskError::Lost`]),
//! and is replaced.
//!
//! A component that is a program and knows nothing of tasks runs as one too: [`Command`] has its arguments and standard input, and
//! [`CommandEnd`] what it wrote and its exit code.
//!
//! The library prints nothing, reads no environment variables but those that say where the cache is, and leaves no process and no
//! named thing behind.

mod audit;
mod awaited;
mod boot;
mod buffers;
mod cache;
mod cgroup;
mod clock;
mod command;
mod compile;
mod component;
mod control;
mod delivery;
mod directories;
mod dispatcher;
mod effects;
mod error;
mod future;
mod host;
mod inbound;
mod init;
mod input;
mod job_limits;
mod lead;
mod link;
mod listener;
mod loans;
mod map;
mod mapping;
mod pool;
mod program;
mod pulse;
mod reaper;
mod sink;
mod source;
mod status;
mod turn;
mod written;
mod zygotes;

pub use audit::{Violation, ViolationKind, ViolationTask};
pub use cgroup::CgroupOptions;
pub use command::{Command, CommandEnd, CommandFuture, CommandMap};
pub use component::{Component, ComponentOptions, Origin};
pub use control::{HostStatus, TaskLine, hosts};
pub use delivery::{Block, Logged, Printed, TaskEnd};
pub use error::{Error, TaskError};
pub use future::Future;
pub use init::init;
pub use job_limits::JobLimits;
pub use map::Map;
pub use mapping::{Bell, Mapping, MappingOptions, Next, Source, Supply};
pub use pool::{Pool, PoolBuilder, RunOptions, cpu_count};
pub use program::{Program, ProgramBuilder};

pub use status::{TaskProgress, TaskStatus};
pub use written::Written;
pub use zygotes::WorkerStart;

pub use taskcell_broker::{Attempt, Cause, RetryBudget};
pub use taskcell_sandbox::Strictness;
pub use taskcell_wire::call::{Level, TaskState};
pub use taskcell_wire::from_worker::BootFailure;
pub use taskcell_wire::{
    DirGrant, Encoding, Import, Interface, Isolation, ItemWriter, Limit, Limits, Refusal, RefusalKind, Signature, Stream, TaskId,
    TaskIndex, TrapKind, TypeDef, TypeId, TypeTable, is_hidden, visible, visible_json,
};

//! The owner of all shared state, as pure state machines: (state, event, now) -> effects.
//!
//! A crate of its own because of what it must not link: no thread, no clock, no file, no process, no engine. Whoever drives it
//! tells it what happened and what time it is, and carries out the [`Effect`]s that it answers with. So every order of
//! events can be played by a test, deaths and clocks included, and a fault is replayed by its seed.
//!
//! State that tasks share lives here and nowhere else: a worker that is killed at any instruction takes nothing with it.
//!
//! [`Broker`] is the whole: who has what, who waits for whom, who runs where. It is made of parts that know nothing of each other and can be
//! tested alone: [`Pool`] (tasks over workers), [`Queue`], [`Pipe`], [`SharedMap`], [`sync`], [`Waiting`].

pub mod broker;
pub mod chunk;
pub mod effect;
pub mod estimate;
pub mod loan;
pub mod object;
pub mod options;
pub mod order;
pub mod pipe;
pub mod pool;
pub mod queue;
pub mod quotas;
pub mod restart;
pub mod shared_map;
pub mod sync;
pub mod time;
pub mod waiters;
pub mod waiting;

pub use broker::{
    Broker, BrokerOptions, Census, CheckArguments, CheckInput, Finished, HostLimits, Module, ModuleId, OnDeadlock, PoolId,
    Progress, ResultCheck, Results, RunningTask, TaskView, Work, WorkerSpec,
};
pub use chunk::{Attempt, Cause, Chunk};
pub use effect::{Effect, KillReason, PoolEffect, Violation};
pub use object::{Completion, Completions, Label};
pub use options::{JobOptions, PoolOptions, RetryBudget, Verdict};
pub use order::Reorder;
pub use pipe::Pipe;
pub use pool::Pool;
pub use queue::Queue;
pub use quotas::Quotas;
pub use restart::RestartPolicy;
pub use shared_map::{MapView, SharedMap};
pub use sync::{Barrier, Event, Lock, Semaphore};
pub use time::{Duration, Now};
pub use waiting::Waiting;

//! Write Taskcell tasks and programs in Rust.
//!
//! A **task** is an exported function of a WebAssembly component. A **program** is a component with a `main`, which starts tasks, its own
//! and those of other components, and lets them work together.
//!
//! # A task, by its signature
//!
//! ```no_run
//! # fn main() {}
//! #[taskcell_guest::task]
//! fn shout(text: String) -> String {
//!     text.to_uppercase()
//! }
//! ```
//!
//! in `src/lib.rs` of a crate with `crate-type = ["cdylib"]`, whose only dependency is this one. `cargo build --release --target
//! wasm32-unknown-unknown` makes a module that `taskcell` takes as it is: `taskcell map shout.wasm shout '"hello"'` prints `"HELLO"`.
//! [`task`](macro@task) says which types there are. For types of your own, write what you export in WIT and use [`generate!`].
//!
//! # A program
//!
//! ```no_run
//! use taskcell_guest::{Process, Queue, Result, task};
//!
//! #[task]
//! fn data_producer(queue: Queue<String>) -> Result {
//!     queue.put("Data item")
//! }
//!
//! fn main() -> Result {
//!     let queue = Queue::<String>::new()?;
//!     let producer = Process::spawn("data-producer", (&queue,))?;
//!     println!("Received: {}", queue.get()?);
//!     producer.join::<()>()?;
//!     Ok(())
//! }
//! ```
//!
//! in `src/main.rs`. `cargo build --release --target wasm32-wasip1` makes a module, and `taskcell run FILE` runs it. Its own tasks are
//! named as they are exported, with hyphens.
//!
//! # What is where
//!
//! | | |
//! |---|---|
//! | [`Process`] | a task in a process of its own |
//! | [`Pool`] | many tasks over a fixed number of processes: [`submit`](Pool::submit), [`map`](Pool::map), [`imap`](Pool::imap) |
//! | [`Queue`] | messages from many to many, with leases |
//! | [`pipe()`], [`duplex`] | messages between two, and byte streams |
//! | [`SharedMap`] | keys and values, exact increments, compare and swap |
//! | [`Lock`], [`RLock`], [`Semaphore`], [`Event`], [`Condition`], [`Barrier`] | as everywhere, and safe when a holder dies |
//! | [`wait_any`] | the first of several |
//! | [`task`](mod@task) | who am I, am I to stop, progress, log |
//!
//! Functions that can wait have three forms: `get` waits for as long as it takes, `try_get` does not wait, `get_timeout` waits for so
//! long. They suspend this task only. A wait that cannot end, because all wait for each other, fails with [`Error::Deadlock`].
//!
//! # How a task fails
//!
//! A task that returns `Result` fails by returning `Err`; the host reports the value, and whoever waits for the task gets
//! [`TaskError::Failed`]. A panic is a trap: it ends the task, and the instance with it, but neither the worker nor any other task.
//! On `wasm32-unknown-unknown` its message is lost, as there is nowhere to print it; so return an error for what a caller can get wrong.
//!
//! # Tests
//!
//! `cargo test` runs natively, where there is no host: what calls it panics. Put what a task computes into functions without handles, and
//! test those.

#![warn(missing_docs, missing_debug_implementations)]

pub mod argument;
pub mod bindings;
mod error;
mod message;
pub mod pipe;
pub mod pool;
pub mod process;
pub mod queue;
pub mod shared_map;
pub mod sync;
pub mod task;
mod value;
mod waiting;

pub use argument::{Argument, Arguments, Invocation};
pub use error::{Error, Result, TaskError};
pub use message::{Bytes, Decode, Encode};
pub use pipe::{Connection, Receiver, Sender, duplex, pipe};
pub use pool::{Future, Pool};
pub use process::Process;
pub use queue::{Delivery, Queue};
pub use shared_map::SharedMap;
pub use sync::{Barrier, Condition, Event, Lock, LockGuard, Permits, RLock, Semaphore};
pub use task::State;
pub use value::{FromValue, ToValue, Value};
pub use waiting::{Waitable, wait_any, wait_any_timeout};

/// The bindings generator and its run time, for what [`generate!`] does not cover.
pub use wit_bindgen;

/// Makes the bindings of the world in the crate's `wit` folder: the `Guest` trait, the types, and the `export!` macro.
///
/// ```ignore
/// taskcell_guest::generate!();
///
/// struct Shout;
///
/// impl Guest for Shout {
///     fn shout(text: String) -> String {
///         text.to_uppercase()
///     }
/// }
///
/// export!(Shout);
/// ```
///
/// An exported interface has its own trait, in the module `exports::NAMESPACE::PACKAGE::INTERFACE`. `export!` names the type that
/// implements them all; it holds no state, as every task gets a fresh instance unless the host was asked to reuse one.
///
/// The world may use the interfaces of `taskcell:host@0.1.0`; they need not be copied into `wit/deps`. A handle that an export takes is
/// then the type in [`bindings`], which goes by the name in the world, and becomes the library's with [`From`]:
///
/// ```wit
/// use taskcell:host/queue@0.1.0.{queue};
/// export data-producer: func(queue: queue);
/// ```
///
/// ```ignore
/// fn data_producer(queue: Queue) {
///     let queue = taskcell_guest::Queue::<String>::from(queue);
///     // ...
/// }
/// ```
///
/// Takes the options of [`wit_bindgen::generate!`], such as `world`, `path`, `with` and `additional_derives`, one after the other and
/// without braces.
///
/// ```ignore
/// taskcell_guest::generate!(world: "shout", additional_derives: [PartialEq]);
/// ```
pub use taskcell_guest_macros::generate;

/// Makes a function a task. Its name is the function's with hyphens: `compute_fibonacci` is `compute-fibonacci`.
///
/// The types are taken by their names:
///
/// | Rust | WIT |
/// |---|---|
/// | `bool`, `char`, `u8` … `u64`, `i8` … `i64`, `f32`, `f64`, `String` | the same |
/// | `Vec<T>`, `Option<T>`, tuples, of these | `list<T>`, `option<T>`, `tuple<…>` |
/// | [`Bytes`] | `list<u8>` |
/// | `Result<T, E>` as the result | `result<T, E>`; an `E` of another type, or none, is told by its `Display` |
/// | [`Queue<T>`](Queue) | `queue` |
/// | [`Sender<T>`](Sender), [`Receiver<T>`](Receiver), [`Connection<S, R>`](Connection) | `connection` |
/// | [`SharedMap<K, V>`](SharedMap) | `shared-map` |
/// | [`Lock`], [`RLock`] | `lock` |
/// | [`Semaphore`], [`Event`], [`Condition`], [`Barrier`] | the same |
///
/// Bytes and handles are parameters of their own, not inside of other types. The function stays as it is, and can be called.
///
/// ```no_run
/// # fn main() {}
/// # use taskcell_guest::SharedMap;
/// #[taskcell_guest::task]
/// fn modify_data(shared_dict: SharedMap<String, u32>, key: String, value: u32) -> taskcell_guest::Result {
///     shared_dict.set(&key, &value)?;
///     Ok(())
/// }
/// ```
pub use taskcell_guest_macros::task;

/// Makes `fn main()` the beginning of a program, with its directories and its environment in place.
///
/// ```no_run
/// #[taskcell_guest::main]
/// fn main() -> Result<(), std::io::Error> {
///     println!("{}", std::fs::read_to_string("data/input.txt")?.len());
///     Ok(())
/// }
/// ```
pub use taskcell_guest_macros::main;

/// Runs the C library's constructors, once; [`macro@main`] does it. Without them there are no directories.
#[doc(hidden)]
pub fn prepare() {
    #[cfg(target_arch = "wasm32")]
    wit_bindgen::rt::run_ctors_once();
}

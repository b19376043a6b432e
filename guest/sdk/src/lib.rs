//! Write Taskcell tasks in Rust.
//!
//! A task is an exported function of a WebAssembly component. Its name and types stand in a WIT file, `wit/world.wit`:
//!
//! ```wit
//! package example:shout;
//!
//! world shout {
//!     /// Says it louder.
//!     export shout: func(text: string) -> string;
//! }
//! ```
//!
//! and its code in `src/lib.rs` of a crate with `crate-type = ["cdylib"]`, whose only dependency is this one:
//!
//! ```ignore
//! taskcell_guest::generate!();
//!
//! struct Shout;
//!
//! impl Guest for Shout {
//!     fn shout(text: String) -> String {
//!         text.to_uppercase()
//!     }
//! }
//!
//! export!(Shout);
//! ```
//!
//! `cargo build --release --target wasm32-unknown-unknown` makes a module that `taskcell` takes as it is:
//! `taskcell map shout.wasm shout '"hello"'` prints `"HELLO"`.
//!
//! # What goes where
//!
//! [`generate!`] reads the world and makes a `Guest` trait with one function per task, and the types of the world beside
//! it. An exported interface has its own trait, in the module `exports::NAMESPACE::PACKAGE::INTERFACE`. `export!` names
//! the type that implements them all; it holds no state, as every task gets a fresh instance unless the host was asked
//! to reuse one.
//!
//! # How a task fails
//!
//! A task that returns `result<T, E>` fails by returning `Err`; the host reports the value. A panic is a trap: it ends
//! the task, and the instance with it, but neither the worker nor any other task. Its message does not leave the guest,
//! as a module of this kind has nowhere to print it; so return an error for what a caller can get wrong.
//!
//! # Tests
//!
//! `cargo test` runs natively. Put what a task computes into ordinary functions, and let the trait's functions only call
//! them.

/// The bindings generator and its run time, for what [`generate!`] does not cover.
pub use wit_bindgen;

/// Makes the bindings of the world in the crate's `wit` folder: the `Guest` trait, the types, and the `export!` macro.
///
/// Takes the options of [`wit_bindgen::generate!`], such as `world`, `path`, `with` and `additional_derives`, one after
/// the other and without braces; the location of the run time is already set.
///
/// ```ignore
/// taskcell_guest::generate!(world: "shout", additional_derives: [PartialEq]);
/// ```
#[macro_export]
macro_rules! generate {
    ($($option:tt)*) => {
        $crate::wit_bindgen::generate!({
            runtime_path: "::taskcell_guest::wit_bindgen::rt",
            generate_all,
            $($option)*
        });
    };
}

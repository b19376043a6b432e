//! The one place where machine code is taken from bytes.
#![expect(unsafe_code, reason = "loading compiled code trusts its bytes; see the SAFETY note")]

use std::fs::File;
use std::os::fd::AsRawFd;

use wasmtime::Engine;
use wasmtime::component::Component;

use crate::error::{EngineError, one_line};

/// Maps compiled code from a sealed memory file.
///
/// The file is opened again through /proc, so this must happen before the process gives up its view of files; no code of the
/// guest runs here.
pub(crate) fn load(engine: &Engine, code: &File) -> Result<Component, EngineError> {
    let path = format!("/proc/self/fd/{}", code.as_raw_fd());
    // SAFETY: the bytes must be what this engine's version serialised, and must not change while they are mapped.
    // - They come from a compile child of this very binary (checked by the protocol version), either directly or through the cache,
    //   whose folder only this user can write and whose entries carry a digest; never from a file that a user names
    //   (`accept` refuses precompiled code). wasmtime checks its own version and settings in the header.
    // - They can't change: the supervisor sealed the memory file against writing, growing and shrinking before it passed it on.
    // - Should a hostile component have taken over the compile child, the code is hostile. It then runs in a worker only, which
    //   is confined as if it ran native code of an attacker; the supervisor never loads code.
    unsafe { Component::deserialize_file(engine, path) }.map_err(|error| refused(&one_line(&error)))
}

/// The engine checks a component's fixed needs against its pool when it loads it; a limit of ours then has the pool's words.
fn refused(text: &str) -> EngineError {
    let limit =
        [("memory", "memory", "--memory"), ("table", "table", "--max-table"), ("instances", "instances", "--max-instances")]
            .into_iter()
            .find(|(word, _, _)| text.contains("pooling allocator") && text.contains(word));
    match limit {
        Some((_, limit, option)) => EngineError::OverLimit { limit, option, text: text.to_owned() },
        None => EngineError::Load(text.to_owned()),
    }
}

//! Files of this repository that a program's project gets a copy of: the library of its language, and the interfaces of the host.
//!
//! A file that is not in these lists is missing in projects, so `tests/tests/new.rs` compares a project with the repository's folders.

use super::project::{File, file};

/// Files from a folder of the repository for a folder of the project.
macro_rules! copies {
    ($from:literal to $to:literal: $($path:literal)*) => {
        &[$(file(concat!($to, $path), include_str!(concat!("../../../../../", $from, $path)))),*]
    };
}

/// The interfaces, where tools look for what a world includes.
pub(super) const WIT: &[File] = &[
    file("wit/deps/cli/run.wit", include_str!("../../../../../wit/deps/cli/run.wit")),
    file("wit/deps/host/pipe.wit", include_str!("../../../../../wit/pipe.wit")),
    file("wit/deps/host/pool.wit", include_str!("../../../../../wit/pool.wit")),
    file("wit/deps/host/process.wit", include_str!("../../../../../wit/process.wit")),
    file("wit/deps/host/queue.wit", include_str!("../../../../../wit/queue.wit")),
    file("wit/deps/host/shared-map.wit", include_str!("../../../../../wit/shared-map.wit")),
    file("wit/deps/host/sync.wit", include_str!("../../../../../wit/sync.wit")),
    file("wit/deps/host/task.wit", include_str!("../../../../../wit/task.wit")),
    file("wit/deps/host/types.wit", include_str!("../../../../../wit/types.wit")),
    file("wit/deps/host/waiting.wit", include_str!("../../../../../wit/waiting.wit")),
    file("wit/deps/host/world.wit", include_str!("../../../../../wit/world.wit")),
];

/// The library in Rust looks for them where they are beside it here.
pub(super) const WIT_FOR_RUST: &[File] = copies!("wit/" to "taskcell/wit/":
    "pipe.wit" "pool.wit" "process.wit" "queue.wit" "shared-map.wit" "sync.wit" "task.wit" "types.wit" "waiting.wit"
    "world.wit" "deps/cli/run.wit"
);

pub(super) const RUST: &[File] = copies!("guest/" to "taskcell/guest/":
    "Cargo.toml" "macros/Cargo.toml" "macros/src/bindings.rs" "macros/src/lib.rs" "macros/src/program.rs"
    "macros/src/task.rs" "macros/src/types.rs" "sdk/Cargo.toml" "sdk/src/argument.rs" "sdk/src/bindings.rs"
    "sdk/src/error.rs" "sdk/src/lib.rs" "sdk/src/message.rs" "sdk/src/pipe.rs" "sdk/src/pipe/ends.rs"
    "sdk/src/pipe/stream.rs" "sdk/src/pool.rs" "sdk/src/pool/feed.rs" "sdk/src/pool/future.rs"
    "sdk/src/pool/mapping.rs" "sdk/src/process.rs" "sdk/src/queue.rs" "sdk/src/queue/delivery.rs"
    "sdk/src/queue/get.rs" "sdk/src/queue/put.rs" "sdk/src/shared_map.rs" "sdk/src/shared_map/changes.rs"
    "sdk/src/shared_map/key.rs" "sdk/src/shared_map/pages.rs" "sdk/src/shared_map/read.rs"
    "sdk/src/shared_map/update.rs" "sdk/src/shared_map/write.rs" "sdk/src/sync.rs" "sdk/src/sync/barrier.rs"
    "sdk/src/sync/condition.rs" "sdk/src/sync/event.rs" "sdk/src/sync/lock.rs" "sdk/src/sync/semaphore.rs"
    "sdk/src/task.rs" "sdk/src/value.rs" "sdk/src/value/bytes.rs" "sdk/src/waiting.rs"
);

pub(super) const JS: &[File] = copies!("guest/js/sdk/" to "taskcell/":
    "codec.js" "errors.js" "pipe.js" "pool.js" "process.js" "queue.js" "shared-map.js" "sync.js" "task.js"
    "waiting.js"
);

pub(super) const PYTHON: &[File] = copies!("guest/python/sdk/taskcell/" to "taskcell/":
    "__init__.py" "codec.py" "errors.py" "maps.py" "pipes.py" "pools.py" "processes.py" "queues.py" "sync.py"
    "task.py" "waiting.py"
);

/// The file that has the versions of what the library in Rust uses.
pub(super) const RUST_WORKSPACE: &str = "taskcell/guest/Cargo.toml";

/// The workspace of guests without those that a copy does not have.
pub(super) fn without_examples(manifest: &str) -> String {
    let line =
        |line: &str| if line.starts_with("members = [") { "members = [\"sdk\", \"macros\"]".to_owned() } else { line.to_owned() };
    manifest.lines().map(|text| line(text) + "\n").collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_of_the_workspace_has_the_members_that_are_copied() {
        let manifest = RUST.iter().find(|file| file.path == RUST_WORKSPACE).map_or("", |file| file.text);
        let copied = without_examples(manifest);
        assert!(copied.contains("\nmembers = [\"sdk\", \"macros\"]\n") && !copied.contains("examples"), "{copied}");
        assert_eq!(copied.lines().count(), manifest.lines().count());
    }
}

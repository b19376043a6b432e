//! What a project is made of: the files of each language, for tasks and for a program, and the commands that build it.
//!
//! All of it is in the binary, so that a project needs nothing of this repository: what a program uses of it, the library of its language and
//! the interfaces of the host, is copied into the project. Packages in registries would make projects smaller; a copy is always of the
//! version that the host at hand provides.

use clap::ValueEnum;

use super::copies;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Language {
    /// With cargo
    Rust,
    /// With wit-bindgen, make, and zig or a WASI SDK
    C,
    /// JavaScript, with npm and componentize-js
    Js,
    /// With pip and componentize-py
    Python,
}

/// What a project makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Functions for `taskcell map`; the same in all languages, and so are their results.
    Tasks,
    /// A program for `taskcell run`, which starts a task of its own; it prints the same in all languages.
    Program,
}

/// A file of a project: where it goes, what is in it, whether it can be run.
#[derive(Debug)]
pub(super) struct File {
    pub(super) path: &'static str,
    pub(super) text: &'static str,
    pub(super) mode: u32,
}

pub(super) const fn file(path: &'static str, text: &'static str) -> File {
    File { path, text, mode: 0o666 }
}

const fn script(path: &'static str, text: &'static str) -> File {
    File { path, text, mode: 0o777 }
}

/// What the templates are named; a project's own name takes its place. In Rust it is the name of a crate's library as well.
pub(super) const PLACEHOLDER: &str = "my-task";
const PLACEHOLDER_IN_RUST: &str = "my_task";

/// A template's text.
macro_rules! template {
    ($path:literal) => {
        include_str!(concat!("../../../templates/", $path))
    };
}

/// A file that a project shares with the guests of this repository.
macro_rules! guest {
    ($path:literal) => {
        include_str!(concat!("../../../../../guest/", $path))
    };
}

const TASKS: File = file("wit/world.wit", template!("world.wit"));
const PROGRAM: File = file("wit/world.wit", template!("program/world.wit"));

const RUST: &[File] = &[file(".gitignore", template!("rust/gitignore"))];
const RUST_TASKS: &[File] = &[
    TASKS,
    file("Cargo.toml", template!("rust/Cargo.toml")),
    file("src/lib.rs", template!("rust/src/lib.rs")),
    file("README.md", template!("rust/README.md")),
];
/// Its tasks have their types from their signatures.
const RUST_PROGRAM: &[File] = &[
    file("Cargo.toml", template!("program/rust/Cargo.toml")),
    file("src/main.rs", template!("program/rust/src/main.rs")),
    file("README.md", template!("program/rust/README.md")),
];

const C: &[File] = &[file("taskcell.h", guest!("c/sdk/taskcell.h")), file(".gitignore", template!("c/gitignore"))];
const C_TASKS: &[File] = &[
    TASKS,
    file("Makefile", template!("c/Makefile")),
    file("tasks.c", template!("c/tasks.c")),
    file("README.md", template!("c/README.md")),
];
const C_PROGRAM: &[File] = &[
    PROGRAM,
    file("Makefile", template!("program/c/Makefile")),
    file("program.c", template!("program/c/program.c")),
    file("taskcell-host.h", guest!("c/sdk/taskcell-host.h")),
    file("README.md", template!("program/c/README.md")),
];

const JS: &[File] = &[file("build.mjs", guest!("js/build.mjs")), file(".gitignore", template!("js/gitignore"))];
const JS_TASKS: &[File] = &[
    TASKS,
    file("package.json", template!("js/package.json")),
    file("tasks.js", template!("js/tasks.js")),
    file("README.md", template!("js/README.md")),
];
const JS_PROGRAM: &[File] = &[
    PROGRAM,
    file("package.json", template!("program/js/package.json")),
    file("program.js", template!("program/js/program.js")),
    file("README.md", template!("program/js/README.md")),
];

const PYTHON: &[File] =
    &[file("requirements.txt", template!("python/requirements.txt")), file(".gitignore", template!("python/gitignore"))];
const PYTHON_TASKS: &[File] = &[
    TASKS,
    file("app.py", template!("python/app.py")),
    script("build", template!("python/build")),
    file("README.md", template!("python/README.md")),
];
const PYTHON_PROGRAM: &[File] = &[
    PROGRAM,
    file("app.py", template!("program/python/app.py")),
    script("build", template!("program/python/build")),
    file("README.md", template!("program/python/README.md")),
];

impl Language {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Rust => "Rust",
            Self::C => "C",
            Self::Js => "JavaScript",
            Self::Python => "Python",
        }
    }

    /// All files of a project.
    pub(super) fn files(self, kind: Kind) -> impl Iterator<Item = &'static File> {
        let parts: &[&'static [File]] = match (self, kind) {
            (Self::Rust, Kind::Tasks) => &[RUST, RUST_TASKS],
            (Self::Rust, Kind::Program) => &[RUST, RUST_PROGRAM, copies::RUST, copies::WIT_FOR_RUST],
            (Self::C, Kind::Tasks) => &[C, C_TASKS],
            (Self::C, Kind::Program) => &[C, C_PROGRAM, copies::WIT],
            (Self::Js, Kind::Tasks) => &[JS, JS_TASKS],
            (Self::Js, Kind::Program) => &[JS, JS_PROGRAM, copies::JS, copies::WIT],
            (Self::Python, Kind::Tasks) => &[PYTHON, PYTHON_TASKS],
            (Self::Python, Kind::Program) => &[PYTHON, PYTHON_PROGRAM, copies::PYTHON, copies::WIT],
        };
        parts.iter().copied().flatten()
    }

    /// The command that builds a project, and what it makes.
    pub(super) fn build(self, kind: Kind, name: &str) -> (&'static str, String) {
        match (self, kind) {
            (Self::Rust, Kind::Tasks) => {
                let library = name.replace('-', "_");
                let built = format!("target/wasm32-unknown-unknown/release/{library}.wasm");
                ("cargo build --release --target wasm32-unknown-unknown", built)
            }
            (Self::Rust, Kind::Program) => {
                ("cargo build --release --target wasm32-wasip1", format!("target/wasm32-wasip1/release/{name}.wasm"))
            }
            (Self::C, _) => ("make", format!("{name}.wasm")),
            (Self::Js, _) => ("npm install && npm run build", format!("{name}.wasm")),
            (Self::Python, _) => ("pip install -r requirements.txt && ./build", format!("{name}.wasm")),
        }
    }
}

impl Kind {
    /// The command that runs what was built.
    pub(super) fn run(self, built: &str) -> String {
        match self {
            Self::Tasks => format!("taskcell map {built} greet '\"Ann\"'"),
            Self::Program => format!("taskcell run {built}"),
        }
    }
}

impl File {
    /// What is in it, in a project of this name.
    pub(super) fn text(&self, name: &str) -> String {
        if self.path == copies::RUST_WORKSPACE {
            return copies::without_examples(self.text);
        }
        self.text.replace(PLACEHOLDER, name).replace(PLACEHOLDER_IN_RUST, &name.replace('-', "_"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> impl Iterator<Item = (Language, Kind)> {
        Language::value_variants().iter().flat_map(|language| [Kind::Tasks, Kind::Program].map(|kind| (*language, kind)))
    }

    #[test]
    fn every_project_has_its_types_its_page_and_no_file_twice() {
        for (language, kind) in all() {
            let mut paths: Vec<&str> = language.files(kind).map(|file| file.path).collect();
            let types = match (language, kind) {
                (Language::Rust, Kind::Program) => "src/main.rs",
                _ => "wit/world.wit",
            };
            for needed in [types, "README.md", ".gitignore"] {
                assert!(paths.contains(&needed), "{language:?} {kind:?} has {needed}");
            }
            let count = paths.len();
            paths.sort_unstable();
            paths.dedup();
            assert_eq!(paths.len(), count, "{language:?} {kind:?}");
        }
    }

    #[test]
    fn pages_tell_the_commands_that_build_and_run() {
        for (language, kind) in all() {
            let page = language.files(kind).find(|file| file.path == "README.md").map_or("", |file| file.text);
            let (build, built) = language.build(kind, PLACEHOLDER);
            for command in build.split(" && ") {
                assert!(page.contains(&format!("    {command}\n")), "{language:?} {kind:?}: {command}");
            }
            assert!(page.contains(&format!("    {}", kind.run(&built))), "{language:?} {kind:?}: {built}");
        }
    }

    #[test]
    fn what_is_copied_does_not_have_the_name_that_is_replaced() {
        for file in [copies::RUST, copies::JS, copies::PYTHON, copies::WIT, copies::WIT_FOR_RUST].into_iter().flatten() {
            assert!(!file.text.contains(PLACEHOLDER) && !file.text.contains(PLACEHOLDER_IN_RUST), "{}", file.path);
        }
    }
}

//! `taskcell new NAME --lang LANGUAGE`: a folder with tasks in that language, which builds and runs as it is.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use crate::error::CliError;
use crate::exit::Exit;
use crate::output;

/// Make a folder with example tasks in a language, ready to be built and run
#[derive(Debug, Args)]
#[command(
    after_help = "The folder's README.md has the commands that build and run the tasks:\n  taskcell new my-task --lang python"
)]
pub(crate) struct New {
    /// The folder, which must not be there yet; its name is the project's: lower-case words with hyphens between them
    #[arg(value_name = "NAME")]
    path: PathBuf,

    /// The language
    #[arg(long, value_enum)]
    lang: Language,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Language {
    /// With cargo
    Rust,
    /// With wit-bindgen, make, and zig or a WASI SDK
    C,
    /// JavaScript, with npm and componentize-js
    Js,
    /// With pip and componentize-py
    Python,
}

/// A file of a project: where it goes, what is in it, whether it can be run.
struct File {
    path: &'static str,
    text: &'static str,
    mode: u32,
}

const fn file(path: &'static str, text: &'static str) -> File {
    File { path, text, mode: 0o666 }
}

const fn script(path: &'static str, text: &'static str) -> File {
    File { path, text, mode: 0o777 }
}

/// What the templates are named; a project's own name takes its place. In Rust it is the name of a crate's library as well.
const PLACEHOLDER: &str = "my-task";
const PLACEHOLDER_IN_RUST: &str = "my_task";

/// The same for all languages, and so are the tasks' results.
const WORLD: File = file("wit/world.wit", include_str!("../../templates/world.wit"));

const RUST: &[File] = &[
    WORLD,
    file("Cargo.toml", include_str!("../../templates/rust/Cargo.toml")),
    file("src/lib.rs", include_str!("../../templates/rust/src/lib.rs")),
    file("README.md", include_str!("../../templates/rust/README.md")),
    file(".gitignore", include_str!("../../templates/rust/gitignore")),
];

const C: &[File] = &[
    WORLD,
    file("Makefile", include_str!("../../templates/c/Makefile")),
    file("tasks.c", include_str!("../../templates/c/tasks.c")),
    file("taskcell.h", include_str!("../../../../guest/c/sdk/taskcell.h")),
    file("README.md", include_str!("../../templates/c/README.md")),
    file(".gitignore", include_str!("../../templates/c/gitignore")),
];

const JS: &[File] = &[
    WORLD,
    file("package.json", include_str!("../../templates/js/package.json")),
    file("tasks.js", include_str!("../../templates/js/tasks.js")),
    file("build.mjs", include_str!("../../../../guest/js/build.mjs")),
    file("README.md", include_str!("../../templates/js/README.md")),
    file(".gitignore", include_str!("../../templates/js/gitignore")),
];

const PYTHON: &[File] = &[
    WORLD,
    file("app.py", include_str!("../../templates/python/app.py")),
    file("requirements.txt", include_str!("../../templates/python/requirements.txt")),
    script("build", include_str!("../../templates/python/build")),
    file("README.md", include_str!("../../templates/python/README.md")),
    file(".gitignore", include_str!("../../templates/python/gitignore")),
];

impl Language {
    fn name(self) -> &'static str {
        match self {
            Self::Rust => "Rust",
            Self::C => "C",
            Self::Js => "JavaScript",
            Self::Python => "Python",
        }
    }

    fn files(self) -> &'static [File] {
        match self {
            Self::Rust => RUST,
            Self::C => C,
            Self::Js => JS,
            Self::Python => PYTHON,
        }
    }

    /// The command that builds a project, and what it makes.
    fn build(self, name: &str) -> (&'static str, String) {
        match self {
            Self::Rust => {
                let library = name.replace('-', "_");
                let target = "wasm32-unknown-unknown";
                ("cargo build --release --target wasm32-unknown-unknown", format!("target/{target}/release/{library}.wasm"))
            }
            Self::C => ("make", format!("{name}.wasm")),
            Self::Js => ("npm install && npm run build", format!("{name}.wasm")),
            Self::Python => ("pip install -r requirements.txt && ./build", format!("{name}.wasm")),
        }
    }
}

impl New {
    pub(crate) fn execute(self) -> Result<Exit, CliError> {
        let name = self.path.file_name().and_then(OsStr::to_str).filter(|name| is_name(name)).ok_or_else(|| {
            self.failed("the name has to be lower-case words of letters and digits with hyphens between them, such as my-task")
        })?;
        match fs::create_dir(&self.path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(self.failed("it is there already; choose another name"));
            }
            Err(error) => return Err(self.failed(&error.to_string())),
        }
        for file in self.lang.files() {
            if let Err(error) = file.write(&self.path, name) {
                // All that is in the folder is ours; if even this fails, the error says where to look.
                let _ = fs::remove_dir_all(&self.path);
                return Err(self.failed(&format!("{}: {error}", file.path)));
            }
        }
        output::print(&self.told(name)).map_err(CliError::Output)?;
        Ok(Exit::Ok)
    }

    fn failed(&self, why: &str) -> CliError {
        CliError::Usage(format!("failed to make {}: {why}", self.path.display()))
    }

    /// What was made, and what to do with it.
    fn told(&self, name: &str) -> String {
        let (build, built) = self.lang.build(name);
        let mut text = String::new();
        // Writing to a String does not fail.
        let _ = writeln!(text, "made {}, with tasks in {}; to build and run them:", self.path.display(), self.lang.name());
        let _ = writeln!(text, "  cd {}", self.path.display());
        let _ = writeln!(text, "  {build}");
        let _ = writeln!(text, "  taskcell map {built} greet '\"Ann\"'");
        text
    }
}

impl File {
    fn write(&self, folder: &Path, name: &str) -> io::Result<()> {
        let path = folder.join(self.path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        let text = self.text.replace(PLACEHOLDER, name).replace(PLACEHOLDER_IN_RUST, &name.replace('-', "_"));
        OpenOptions::new().write(true).create_new(true).mode(self.mode).open(path)?.write_all(text.as_bytes())
    }
}

/// Fit for packages of every language, for files and for shells.
fn is_name(name: &str) -> bool {
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    name.len() <= 64 && name.starts_with(|first: char| first.is_ascii_lowercase()) && name.split('-').all(is_word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_words_with_hyphens() {
        for good in ["a", "my-task", "x2", "a-1"] {
            assert!(is_name(good), "{good}");
        }
        for bad in ["", "-a", "a-", "a--b", "A", "1a", "a_b", "a b", "ä", "a/b", ".."] {
            assert!(!is_name(bad), "{bad}");
        }
        assert!(is_name(&"a".repeat(64)) && !is_name(&"a".repeat(65)));
    }

    #[test]
    fn every_project_has_its_types_its_page_and_no_file_twice() {
        for language in Language::value_variants() {
            let mut paths: Vec<&str> = language.files().iter().map(|file| file.path).collect();
            for needed in ["wit/world.wit", "README.md", ".gitignore"] {
                assert!(paths.contains(&needed), "{language:?} has {needed}");
            }
            paths.sort_unstable();
            paths.dedup();
            assert_eq!(paths.len(), language.files().len(), "{language:?}");
        }
    }

    #[test]
    fn pages_tell_the_command_that_builds() {
        for language in Language::value_variants() {
            let page = language.files().iter().find(|file| file.path == "README.md").map_or("", |file| file.text);
            let (build, built) = language.build(PLACEHOLDER);
            for command in build.split(" && ") {
                assert!(page.contains(&format!("    {command}\n")), "{language:?}: {command}");
            }
            assert!(page.contains(&format!("taskcell map {built} greet")), "{language:?}: {built}");
        }
    }
}

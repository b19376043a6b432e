//! `taskcell new`: a folder for each language, with tasks or with a program, which builds and runs with the commands that it tells.
//!
//! A language whose tools were not fetched is built by nobody here, with a line that says so; with `TASKCELL_GUESTS=all` in the environment
//! that is a failure. Fetching is the business of `guest/build`, `guest/c/build`, `guest/js/build` and `guest/python/build`.

#![allow(clippy::print_stderr, reason = "who reads the tests' output has to see what was not tested")]

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use taskcell_tests::{repository, taskcell};
use tempfile::TempDir;

fn cache() -> PathBuf {
    std::env::var_os("TASKCELL_CACHE").map_or_else(|| repository().join(".cache"), PathBuf::from)
}

/// Makes a project and gives its folder.
fn made(place: &TempDir, name: &str, language: &str) -> PathBuf {
    made_with(place, name, &["--lang", language])
}

fn made_with(place: &TempDir, name: &str, options: &[&str]) -> PathBuf {
    let folder = place.path().join(name);
    let ended = taskcell!().arg("new").arg(&folder).args(options).run().well();
    assert!(ended.stdout.contains(&format!("cd {}\n", folder.display())), "{ended:#?}");
    folder
}

/// The files of a folder, by their paths in it.
fn files(folder: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut left = vec![folder.to_owned()];
    while let Some(next) = left.pop() {
        for entry in fs::read_dir(&next).expect("a folder").flatten() {
            if entry.path().is_dir() {
                left.push(entry.path());
            } else {
                let path = entry.path();
                found.insert(path.strip_prefix(folder).expect("it is in it").display().to_string());
            }
        }
    }
    found
}

/// Whether a language's tools are here; says so if not.
fn have(language: &str, tools: &Path) -> bool {
    let here = tools.exists();
    let all = std::env::var_os("TASKCELL_GUESTS").is_some_and(|which| which == "all");
    assert!(here || !all, "{language} can't be built: {} is not there", tools.display());
    if !here {
        eprintln!("skipped: building tasks in {language}: {} is not there", tools.display());
    }
    here
}

/// Runs a build in a project, as its page says; `toolchain` brings its language's tools.
fn build(folder: &Path, toolchain: &str, command: &[&str]) {
    let mut build = Command::new(repository().join(toolchain));
    build.arg("run").args(command).current_dir(folder).env("PYTHONDONTWRITEBYTECODE", "1");
    // All languages share what was built before: the standard library, where it has to be built, takes half a minute.
    build.env("TASKCELL_CACHE", cache()).env("CARGO_TARGET_DIR", cache().join("guest-target")).env("CARGO_NET_OFFLINE", "true");
    let output = build.output().expect("the tool chain is there");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// The tasks are the same in every language.
fn assert_runs(component: &Path) {
    let ended = taskcell!().map(component, "greet").args(["\"Ann\"", "\"Zoë\""]).run();
    assert_eq!(ended.lines(), ["\"Hello, Ann!\"", "\"Hello, Zoë!\""], "{ended:#?}");
    let ended = taskcell!().args(["map", "-q"]).arg(component).arg("summarize").args(["[1, 2, 6]", "[]", "[-0.5]"]).run();
    let expected = [
        "{\"count\":3,\"sum\":9.0,\"mean\":3.0,\"smallest\":1.0,\"largest\":6.0}",
        "{\"count\":1,\"sum\":-0.5,\"mean\":-0.5,\"smallest\":-0.5,\"largest\":-0.5}",
    ];
    assert_eq!((ended.code, ended.lines()), (Some(1), expected.to_vec()), "{ended:#?}");
    assert_eq!(ended.complaints(), ["error: argument 2: the task returned an error: \"there are no numbers\""], "{ended:#?}");
}

/// Programs print the same in every language.
fn assert_program_runs(component: &Path) {
    let ended = taskcell!().args(["run", "-q"]).arg(component).run().well();
    assert_eq!(ended.lines(), ["squares: 1 4 9 16 25", "jobs done: 5"], "{ended:#?}");
}

#[test]
fn a_project_has_its_files_and_its_name() {
    let place = tempfile::tempdir().expect("a folder");
    for (language, expected) in [
        ("rust", &["Cargo.toml", "src/lib.rs"][..]),
        ("c", &["Makefile", "taskcell.h", "tasks.c"]),
        ("js", &["build.mjs", "package.json", "tasks.js"]),
        ("python", &["app.py", "build", "requirements.txt"]),
    ] {
        let folder = made(&place, &format!("in-{language}"), language);
        let shared = [".gitignore", "README.md", "wit/world.wit"];
        let expected: BTreeSet<String> = expected.iter().chain(&shared).map(|path| (*path).to_owned()).collect();
        assert_eq!(files(&folder), expected, "{language}");
        for path in expected {
            let text = fs::read_to_string(folder.join(&path)).expect("a file");
            assert!(!text.contains("my-task") && !text.contains("my_task"), "{language}: {path} has its project's name");
        }
        let page = fs::read_to_string(folder.join("README.md")).expect("a page");
        assert!(page.starts_with(&format!("# in-{language}\n")), "{page}");
    }
    let build = fs::metadata(place.path().join("in-python/build")).expect("a script");
    assert!(build.permissions().mode() & 0o100 != 0, "the script can be run");
}

#[test]
fn a_program_has_the_library_and_the_interfaces_of_this_repository() {
    let place = tempfile::tempdir().expect("a folder");
    for (language, sources, copies) in [
        (
            "rust",
            &["Cargo.toml", "src/main.rs"][..],
            &[("guest/sdk", "taskcell/guest/sdk"), ("guest/macros", "taskcell/guest/macros")][..],
        ),
        ("c", &["Makefile", "program.c", "taskcell-host.h", "taskcell.h", "wit/world.wit"], &[]),
        ("js", &["build.mjs", "package.json", "program.js", "wit/world.wit"], &[("guest/js/sdk", "taskcell")]),
        ("python", &["app.py", "build", "requirements.txt", "wit/world.wit"], &[("guest/python/sdk/taskcell", "taskcell")]),
    ] {
        let folder = made_with(&place, &format!("in-{language}"), &["--lang", language, "--program"]);
        let mut expected: BTreeSet<String> =
            sources.iter().chain(&[".gitignore", "README.md"]).map(|path| (*path).to_owned()).collect();
        for path in &expected {
            let text = fs::read_to_string(folder.join(path)).expect("a file");
            assert!(!text.contains("my-task") && !text.contains("my_task"), "{language}: {path} has its project's name");
        }
        // The interfaces, where each language's tools look for them.
        let mut copies = copies.to_vec();
        if language == "rust" {
            copies.push(("wit", "taskcell/wit"));
            let manifest = fs::read_to_string(folder.join("taskcell/guest/Cargo.toml")).expect("a manifest");
            assert!(manifest.contains("\nwit-bindgen = ") && !manifest.contains("examples"), "{manifest}");
            expected.insert("taskcell/guest/Cargo.toml".to_owned());
        } else {
            copies.push(("wit/deps/cli", "wit/deps/cli"));
            copies.push(("wit", "wit/deps/host"));
        }
        for (from, to) in copies {
            let from = repository().join(from);
            // What compilers and editors leave behind is not ours.
            let other = |path: &String| path.contains("__pycache__") || to == "wit/deps/host" && path.starts_with("deps/");
            for path in files(&from).into_iter().filter(|path| !other(path)) {
                let copy = fs::read_to_string(folder.join(to).join(&path))
                    .unwrap_or_else(|error| panic!("{language}: {to}/{path}: {error}"));
                assert_eq!(copy, fs::read_to_string(from.join(&path)).expect("a file"), "{language}: {to}/{path}");
                expected.insert(format!("{to}/{path}"));
            }
        }
        assert_eq!(files(&folder), expected, "{language}");
    }
}

#[test]
fn what_is_there_is_left_alone() {
    let place = tempfile::tempdir().expect("a folder");
    let folder = made(&place, "twice", "c");
    fs::write(folder.join("tasks.c"), "mine").expect("a file");
    let before = files(&folder);
    let ended = taskcell!().arg("new").arg(&folder).args(["--lang", "python"]).run();
    assert_eq!(ended.one_error(2), format!("failed to make {}: it is there already; choose another name", folder.display()));
    assert_eq!((fs::read_to_string(folder.join("tasks.c")).expect("a file").as_str(), files(&folder)), ("mine", before));

    let file = place.path().join("file");
    fs::write(&file, "mine").expect("a file");
    let link = place.path().join("link");
    std::os::unix::fs::symlink(place.path().join("nowhere"), &link).expect("a link");
    for taken in [&file, &link] {
        let ended = taskcell!().arg("new").arg(taken).args(["--lang", "js"]).run();
        assert!(ended.one_error(2).ends_with("it is there already; choose another name"), "{ended:#?}");
    }
    assert_eq!(fs::read_to_string(&file).expect("a file"), "mine");
    assert!(!place.path().join("nowhere").exists());
}

#[test]
fn wrong_names_and_places_are_one_line() {
    let place = tempfile::tempdir().expect("a folder");
    for name in ["My", "a_b", "1a", "a b", "a--b", "a-", "ä", ".hidden", "a;b", "a\u{1b}[31m"] {
        let ended = taskcell!().arg("new").arg(place.path().join(name)).args(["--lang", "c"]).run();
        assert!(ended.one_error(2).contains("the name has to be lower-case words"), "{ended:#?}");
    }
    for path in ["", "..", "/"] {
        let ended = taskcell!().args(["new", path, "--lang", "c"]).run();
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{ended:#?}");
    }
    let ended = taskcell!().arg("new").arg(place.path().join("not/there")).args(["--lang", "c"]).run();
    assert!(ended.one_error(2).contains("No such file or directory"), "{ended:#?}");
    assert_eq!(fs::read_dir(place.path()).expect("a folder").count(), 0, "nothing was made");
    let ended = taskcell!().args(["new", "x", "--lang", "cobol"]).run();
    assert!(ended.code == Some(2) && ended.stderr.contains("rust, c, js, python"), "{ended:#?}");
}

#[test]
fn tasks_in_rust_build_and_run() {
    let target = cache().join("guest-target");
    if have("Rust", &target) {
        let place = tempfile::tempdir().expect("a folder");
        let folder = made(&place, "new-rust", "rust");
        build(&folder, "guest/toolchain", &["cargo", "build", "--release", "--target", "wasm32-unknown-unknown"]);
        assert_runs(&target.join("wasm32-unknown-unknown/release/new_rust.wasm"));
    }
}

#[test]
fn a_program_in_rust_builds_and_runs() {
    let target = cache().join("guest-target");
    if have("Rust", &target) {
        let place = tempfile::tempdir().expect("a folder");
        let folder = made_with(&place, "new-rust-program", &["--lang", "rust", "--program"]);
        build(&folder, "guest/toolchain", &["cargo", "build", "--release", "--target", "wasm32-wasip1"]);
        assert_program_runs(&target.join("wasm32-wasip1/release/new-rust-program.wasm"));
    }
}

#[test]
fn tasks_and_a_program_in_c_build_and_run() {
    if have("C", &cache().join("c/bin/wasm-cc")) {
        let place = tempfile::tempdir().expect("a folder");
        let folder = made(&place, "new-c", "c");
        build(&folder, "guest/c/toolchain", &["make"]);
        assert_runs(&folder.join("new-c.wasm"));

        let folder = made_with(&place, "new-c-program", &["--lang", "c", "--program"]);
        build(&folder, "guest/c/toolchain", &["make"]);
        assert_program_runs(&folder.join("new-c-program.wasm"));
    }
}

#[test]
fn tasks_and_a_program_in_javascript_build_and_run() {
    let packages = cache().join("js/node_modules");
    if have("JavaScript", &packages) {
        let place = tempfile::tempdir().expect("a folder");
        let packages = fs::canonicalize(packages).expect("a folder");
        for (name, options) in [("new-js", &["--lang", "js"][..]), ("new-js-program", &["--lang", "js", "--program"])] {
            let folder = made_with(&place, name, options);
            // What `npm install` would bring.
            std::os::unix::fs::symlink(&packages, folder.join("node_modules")).expect("a link");
            build(&folder, "guest/js/toolchain", &["npm", "run", "build"]);
        }
        assert_runs(&place.path().join("new-js/new-js.wasm"));
        assert_program_runs(&place.path().join("new-js-program/new-js-program.wasm"));
    }
}

#[test]
fn tasks_and_a_program_in_python_build_and_run() {
    if have("Python", &cache().join("python/venv/bin/componentize-py")) {
        let place = tempfile::tempdir().expect("a folder");
        let folder = made(&place, "new-python", "python");
        build(&folder, "guest/python/toolchain", &["./build"]);
        assert_runs(&folder.join("new-python.wasm"));

        let folder = made_with(&place, "new-python-program", &["--lang", "python", "--program"]);
        build(&folder, "guest/python/toolchain", &["./build"]);
        assert_program_runs(&folder.join("new-python-program.wasm"));
    }
}

#[test]
fn projects_use_the_versions_that_the_guests_here_use() {
    let text = |path: &str| fs::read_to_string(repository().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    assert_eq!(text("host/cli/templates/python/requirements.txt"), text("guest/python/requirements.txt"));
    let packages = |path: &str| -> (serde_json::Value, serde_json::Value) {
        let package: serde_json::Value = serde_json::from_str(&text(path)).expect("JSON");
        (package["devDependencies"].clone(), package["overrides"].clone())
    };
    for project in ["js", "program/js"] {
        assert_eq!(packages(&format!("host/cli/templates/{project}/package.json")), packages("guest/js/package.json"));
    }
    let line = text("guest/Cargo.toml").lines().find(|line| line.starts_with("wit-bindgen = ")).expect("a version").to_owned();
    assert!(text("host/cli/templates/rust/Cargo.toml").contains(&line), "the template has {line}");
    for (path, line) in [("guest/c/toolchain", "bindgen="), ("guest/c/toolchain", "zig=")] {
        let version = text(path).lines().find_map(|found| found.strip_prefix(line).map(str::to_owned)).expect("a version");
        for project in ["c", "program/c"] {
            let page = text(&format!("host/cli/templates/{project}/README.md"));
            assert!(page.contains(&version), "the template {project} has {line}{version}");
        }
    }
}

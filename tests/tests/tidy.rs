//! The house rules that a program can check.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use taskcell_tests::repository;

/// The most lines of a source file.
const LINES: usize = 600;

/// Where `unsafe` may stand, and why.
const UNSAFE: &[(&str, &str)] = &[
    ("host/sandbox/", "system calls that no safe crate offers; the island"),
    ("host/engine/src/load.rs", "compiled code is trusted because we compiled and sealed it"),
    ("host/engine/src/abi/", "the engine's traits for typed calls are unsafe to implement"),
    ("host/wire/tests/memory/", "an allocator that counts, for tests"),
    ("tests/escape/", "stands in for native code in a worker"),
];

/// Every file of ours, tracked or new, by its path in the repository.
fn files() -> Vec<PathBuf> {
    let mut git = Command::new("git");
    git.arg("-C").arg(repository()).args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let output = git.output().expect("git is there");
    assert!(output.status.success(), "git ls-files: {}", String::from_utf8_lossy(&output.stderr));
    let list = String::from_utf8(output.stdout).expect("paths in UTF-8");
    let all: Vec<PathBuf> =
        list.split_terminator('\0').map(PathBuf::from).filter(|path| repository().join(path).is_file()).collect();
    assert!(all.len() > 50, "only {} files: is this the whole repository?", all.len());
    all
}

fn with_ending(ending: &str) -> impl Iterator<Item = (PathBuf, String)> {
    let files = files().into_iter().filter(move |path| path.extension().is_some_and(|found| found == ending));
    files.map(|path| {
        let text = fs::read_to_string(repository().join(&path)).expect("a source file is text");
        (path, text)
    })
}

/// Lines of code: without what stands in comments of whole lines.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(at, line)| (at + 1, line)).filter(|(_, line)| !line.trim_start().starts_with("//"))
}

fn assert_none(rule: &str, found: &[String]) {
    assert!(found.is_empty(), "{rule}:\n  {}", found.join("\n  "));
}

#[test]
fn no_source_file_is_longer_than_can_be_read() {
    let long = |(path, text): (PathBuf, String)| {
        let lines = text.lines().count();
        (lines > LINES).then(|| format!("{}: {lines} lines", path.display()))
    };
    let mut found: Vec<String> = with_ending("rs").filter_map(long).collect();
    found.extend(with_ending("wit").filter_map(long));
    assert_none(&format!("a file has at most {LINES} lines; split it by what it does"), &found);
}

#[test]
fn every_source_file_says_what_it_is() {
    let without = |(path, text): (PathBuf, String)| (!text.starts_with("//!")).then(|| path.display().to_string());
    assert_none("a source file begins with //! and what it is for", &with_ending("rs").filter_map(without).collect::<Vec<_>>());
}

#[test]
fn unsafe_code_stays_where_it_belongs() {
    let word = "unsafe";
    let forms: Vec<String> = ["{", "impl", "fn", "extern", "trait"].iter().map(|next| format!("{word} {next}")).collect();
    let mut found = Vec::new();
    let mut used = BTreeSet::new();
    for (path, text) in with_ending("rs") {
        for (at, line) in code(&text) {
            if !forms.iter().any(|form| line.contains(form.as_str())) {
                continue;
            }
            match UNSAFE.iter().find(|(place, _)| path.starts_with(Path::new(place))) {
                Some((place, _)) => drop(used.insert(*place)),
                None => found.push(format!("{}:{at}: {}", path.display(), line.trim())),
            }
        }
    }
    assert_none("no unsafe code outside of its islands", &found);
    for (place, reason) in UNSAFE.iter().filter(|(place, _)| place.starts_with("host/")) {
        assert!(used.contains(place) || !repository().join(place).exists(), "{place} ({reason}) needs no exception any more");
    }
}

#[test]
fn nothing_is_left_for_later() {
    // Put together here, so that this file does not find itself.
    let words = ["todo", "unimplemented"].map(|word| format!("{word}!("));
    let ignored = ["#[", "ignore"].concat();
    let mut found = Vec::new();
    for (path, text) in with_ending("rs") {
        for (at, line) in code(&text) {
            if words.iter().any(|word| line.contains(word.as_str())) || line.contains(&ignored) {
                found.push(format!("{}:{at}: {}", path.display(), line.trim()));
            }
        }
    }
    assert_none("what is not finished is not committed, and no test is switched off", &found);
}

#[test]
fn names_say_something() {
    let empty = ["util", "utils", "helper", "helpers", "common", "misc", "manager", "imp"];
    let nothing =
        |path: &PathBuf| path.iter().filter_map(|part| Path::new(part).file_stem()?.to_str()).any(|part| empty.contains(&part));
    let found: Vec<String> = files().iter().filter(|path| nothing(path)).map(|path| path.display().to_string()).collect();
    assert_none("a file's name says what is in it", &found);
}

#[test]
fn members_of_the_workspace_inherit_its_lints() {
    let root = fs::read_to_string(repository().join("Cargo.toml")).expect("the workspace");
    let members = root.split_once("members = [").and_then(|(_, rest)| rest.split_once(']')).expect("members").0;
    let members: Vec<&str> =
        members.split(',').map(|member| member.trim().trim_matches('"')).filter(|member| !member.is_empty()).collect();
    assert!(members.len() >= 8, "{members:?}");
    for member in members {
        let manifest = fs::read_to_string(repository().join(member).join("Cargo.toml")).expect("a member's manifest");
        assert!(manifest.contains("[lints]\nworkspace = true"), "{member} does not inherit the workspace's lints");
        assert!(manifest.contains("description = "), "{member} does not say what it is");
    }
}

/// Names of all packages that a package of ours needs to run.
fn dependencies(package: &str) -> BTreeSet<String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut tree = Command::new(cargo);
    tree.current_dir(repository()).args(["tree", "-p", package, "-e", "normal", "--prefix", "none", "--offline"]);
    let output = tree.output().expect("cargo is there");
    assert!(output.status.success(), "cargo tree: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().filter_map(|line| Some(line.split_whitespace().next()?.to_owned())).collect()
}

#[test]
fn rooms_do_not_reach_where_they_must_not() {
    for (package, never) in [
        ("taskcell-worker", &["clap", "indicatif", "taskcell", "taskcell-broker", "taskcell-cli"][..]),
        ("taskcell-broker", &["wasmtime", "rustix", "libc", "crossbeam-channel", "taskcell-engine", "taskcell-sandbox"]),
        ("taskcell-wire", &["wasmtime", "rustix", "libc", "taskcell-broker", "taskcell-engine", "taskcell-sandbox"]),
        ("taskcell-sandbox", &["wasmtime", "clap", "taskcell-engine", "taskcell-broker"]),
        ("taskcell-engine", &["clap", "taskcell-broker", "taskcell"]),
        ("taskcell", &["clap", "indicatif", "taskcell-cli"]),
    ] {
        let needs = dependencies(package);
        assert!(needs.contains(package), "{package} is a package");
        for name in never {
            assert!(!needs.contains(*name), "{package} must not depend on {name}");
        }
    }
}

#[test]
fn only_the_engine_names_wasmtime() {
    for (path, text) in with_ending("toml") {
        let names = text.lines().any(|line| line.starts_with("wasmtime"));
        let may = path == Path::new("Cargo.toml") || path == Path::new("host/engine/Cargo.toml");
        assert!(may || !names, "{} names wasmtime", path.display());
    }
}

#[test]
fn no_machine_is_named() {
    let places = ["root", "work", "home"].map(|name| format!("/{name}/"));
    let mut found = Vec::new();
    for path in files() {
        // What is no text has no lines to show; a lock file names packages only.
        let Ok(text) = fs::read_to_string(repository().join(&path)) else { continue };
        for (at, line) in text.lines().enumerate() {
            let named = |place: &String| {
                line.match_indices(place.as_str()).any(|(at, _)| {
                    let before = line[..at].chars().next_back();
                    before.is_none_or(|c| !(c.is_alphanumeric() || "._-/$}~".contains(c)))
                })
            };
            if places.iter().any(named) {
                found.push(format!("{}:{}: {}", path.display(), at + 1, line.trim()));
            }
        }
    }
    assert_none("no path of one machine stands in the repository", &found);
}

#[test]
fn a_guest_for_tests_is_used_by_one() {
    let tests = repository().join("tests/tests");
    let mut text = String::new();
    for entry in fs::read_dir(tests).expect("the tests are there").flatten() {
        if entry.path().extension().is_some_and(|ending| ending == "rs") {
            text.push_str(&fs::read_to_string(entry.path()).expect("a test is text"));
        }
    }
    for (path, _) in with_ending("wat").filter(|(path, _)| path.starts_with("tests/guests")) {
        let name = path.file_stem().and_then(|name| name.to_str()).expect("a name in UTF-8");
        let used = [format!("\"{name}\""), format!("{name}.wat\""), format!("/{name}\"")]
            .iter()
            .any(|form| text.contains(form.as_str()));
        assert!(used, "no test uses {}", path.display());
    }
}

#[test]
fn a_fuzz_target_is_there_and_has_a_twin_that_always_runs() {
    let folder = repository().join("tests/fuzz");
    let manifest = fs::read_to_string(folder.join("Cargo.toml")).expect("the fuzz targets' manifest");
    let table = fs::read_to_string(folder.join("README.md")).expect("the fuzz targets' table");
    let declared: BTreeSet<&str> =
        manifest.lines().filter_map(|line| line.strip_prefix("path = \"")?.strip_suffix('"')).collect();
    let is_source = |path: &PathBuf| path.starts_with("tests/fuzz/fuzz_targets");
    let there: BTreeSet<String> = with_ending("rs")
        .filter(|(path, _)| is_source(path))
        .map(|(path, _)| path.strip_prefix("tests/fuzz").expect("there").display().to_string())
        .collect();
    assert_eq!(declared, there.iter().map(String::as_str).collect(), "targets of the manifest, and files");
    for path in declared {
        let name = Path::new(path).file_stem().and_then(|name| name.to_str()).expect("a name in UTF-8");
        let row = table.lines().find(|line| line.starts_with(&format!("| `{name}` |")));
        let twins = row.and_then(|row| row.trim_end_matches(" |").rsplit(" | ").next()).unwrap_or_default();
        let twins: Vec<&str> = twins.split('`').filter(|part| part.ends_with(".rs")).collect();
        assert!(!twins.is_empty(), "{name} has no stable twin in tests/fuzz/README.md");
        for twin in twins {
            let text = fs::read_to_string(repository().join(twin)).unwrap_or_else(|error| panic!("{name}: {twin}: {error}"));
            assert!(text.contains("#[test]"), "{name}: {twin} has no test");
        }
    }
}

#[test]
fn scripts_can_be_run_and_stop_at_errors() {
    use std::os::unix::fs::PermissionsExt;
    for name in ["tests/run", ".ci/run", "guest/build", "guest/toolchain"] {
        let path = repository().join(name);
        let mode = fs::metadata(&path).unwrap_or_else(|error| panic!("{name}: {error}")).permissions().mode();
        assert!(mode & 0o111 != 0, "{name} is not executable");
        let text = fs::read_to_string(&path).expect("a script is text");
        assert!(text.starts_with("#!/usr/bin/env bash\n") && text.contains("set -euo pipefail"), "{name} goes on after errors");
    }
}

/// What stands between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

#[test]
fn promises_name_tests_that_exist() {
    for page in ["host/SECURITY.md", "tests/fuzz/README.md"] {
        let text = fs::read_to_string(repository().join(page)).expect("the page is there");
        let mut paths = 0;
        for name in quoted(&text).filter(|name| !name.contains(char::is_whitespace)) {
            let path = match name.strip_suffix(".rs").map(|stem| stem.contains('/')) {
                // By its name alone a file is one of the worker's that was taken over.
                Some(false) => repository().join("tests/escape/tests/escape").join(name),
                Some(true) => repository().join(name),
                None if ["host/", "tests/"].iter().any(|room| name.starts_with(room)) => repository().join(name),
                None => continue,
            };
            assert!(path.exists(), "{page}: there is no {name}");
            paths += 1;
        }
        assert!(paths > 5, "{page} names {paths} files");
    }
}

#[test]
fn every_fuzz_target_is_there_and_has_a_twin_that_runs_everywhere() {
    let fuzz = repository().join("tests/fuzz");
    let read = |name: &str| fs::read_to_string(fuzz.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    let (manifest, readme) = (read("Cargo.toml"), read("README.md"));
    let names = manifest.split("[[bin]]").skip(1).filter_map(|bin| bin.split('"').nth(1));
    let targets: BTreeSet<&str> = names.collect();
    let files = fs::read_dir(fuzz.join("fuzz_targets")).expect("the targets are there").flatten();
    let files: BTreeSet<String> = files.map(|file| file.file_name().to_string_lossy().replace(".rs", "")).collect();
    assert_eq!(targets, files.iter().map(String::as_str).collect(), "each file is a target, and each target a file");
    for target in targets {
        let row = readme.lines().find(|line| line.starts_with(&format!("| `{target}` |")));
        let row = row.unwrap_or_else(|| panic!("tests/fuzz/README.md says nothing of {target}"));
        let twin = row.trim_end_matches([' ', '|']).rsplit('|').next().unwrap_or_default();
        assert!(quoted(twin).next().is_some_and(|path| path.starts_with("host/")), "{target} has no stable twin: {twin}");
    }
}

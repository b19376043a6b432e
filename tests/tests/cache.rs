//! Compiled code is kept, found again, and never trusted further than it deserves.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use taskcell_tests::{Taskcell, taskcell, wat};
use tempfile::TempDir;

fn compile(cache: &Path) -> String {
    taskcell!().cache(cache).arg("compile").arg(wat("numbers")).run().well().stdout
}

fn was_compiled(told: &str) -> bool {
    match told {
        "already in the cache\n" => false,
        text if text.starts_with("compiled in ") => true,
        text => panic!("neither compiled nor found: {text}"),
    }
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

fn entries(cache: &Path) -> Vec<PathBuf> {
    let Ok(folder) = fs::read_dir(cache.join("taskcell")) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = folder.map(|entry| entry.expect("it can be listed").path()).collect();
    paths.sort();
    paths
}

/// The one entry.
fn entry(cache: &Path) -> PathBuf {
    let paths = entries(cache);
    assert_eq!(paths.len(), 1, "{paths:?}");
    paths[0].clone()
}

fn works(taskcell: Taskcell) {
    assert_eq!(taskcell.map(wat("numbers"), "echo").args(["7"]).run().well().stdout, "7\n");
}

#[test]
fn the_second_run_does_not_compile() {
    let cache = folder();
    assert!(was_compiled(&compile(cache.path())));
    assert!(!was_compiled(&compile(cache.path())));
    works(taskcell!().cache(cache.path()));
    assert_eq!(entries(cache.path()).len(), 1, "the run used the entry");
}

#[test]
fn a_run_fills_the_cache_unless_told_not_to() {
    let cache = folder();
    let run = taskcell!().cache(cache.path()).args(["map", "--no-cache"]).arg(wat("numbers")).args(["echo", "7"]).run();
    assert_eq!(run.well().stdout, "7\n");
    assert!(entries(cache.path()).is_empty(), "--no-cache keeps nothing");
    works(taskcell!().cache(cache.path()));
    assert!(!was_compiled(&compile(cache.path())));
}

#[test]
fn settings_that_change_the_code_have_entries_of_their_own() {
    let cache = folder();
    assert!(was_compiled(&compile(cache.path())));
    let with_fuel =
        || taskcell!().cache(cache.path()).args(["compile", "--fuel", "1000"]).arg(wat("numbers")).run().well().stdout;
    assert!(was_compiled(&with_fuel()));
    assert!(!was_compiled(&with_fuel()));
    assert!(!was_compiled(&compile(cache.path())));
}

#[test]
fn a_damaged_entry_is_compiled_again() {
    let cache = folder();
    let _ = compile(cache.path());
    let path = entry(cache.path());
    let sound = fs::read(&path).expect("the entry is read");
    let flipped = |at: usize| {
        let mut bytes = sound.clone();
        bytes[at] ^= 1;
        bytes
    };
    let damaged = [
        flipped(0),
        flipped(33),
        flipped(60),
        flipped(sound.len() / 2),
        flipped(sound.len() - 1),
        sound[..sound.len() / 2].to_vec(),
        sound[..10].to_vec(),
        Vec::new(),
        vec![0xff; 100],
        [&sound[..], b"more"].concat(),
    ];
    for bytes in damaged {
        fs::write(&path, bytes).expect("the entry is damaged");
        works(taskcell!().cache(cache.path()));
        assert_eq!(fs::read(&path).expect("the entry is back").len(), sound.len());
        assert!(!was_compiled(&compile(cache.path())));
    }
}

#[test]
fn first_runs_at_the_same_time_all_succeed() {
    let cache = folder();
    let runs: Vec<_> =
        (0..4).map(|n: u64| taskcell!().cache(cache.path()).map(wat("numbers"), "echo").arg(n.to_string()).start()).collect();
    for (n, run) in runs.into_iter().enumerate() {
        assert_eq!(run.end().well().stdout, format!("{n}\n"));
    }
    let _ = entry(cache.path());
}

#[test]
fn the_cache_is_for_its_user_alone() {
    let cache = folder();
    let _ = compile(cache.path());
    let mode = |path: &Path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    assert_eq!(mode(&cache.path().join("taskcell")), 0o700);
    assert_eq!(mode(&entry(cache.path())), 0o600);
}

#[test]
fn a_folder_that_others_can_reach_is_not_used() {
    for mode in [0o755, 0o777, 0o770, 0o701] {
        let cache = folder();
        let _ = compile(cache.path());
        fs::set_permissions(cache.path().join("taskcell"), fs::Permissions::from_mode(mode)).expect("permissions are set");
        assert!(was_compiled(&compile(cache.path())), "mode {mode:o}: what others may have written is not run");
        works(taskcell!().cache(cache.path()));
    }
}

#[test]
fn a_link_is_not_followed() {
    let (cache, elsewhere) = (folder(), folder());
    std::os::unix::fs::symlink(elsewhere.path(), cache.path().join("taskcell")).expect("a link is made");
    assert!(was_compiled(&compile(cache.path())));
    assert!(was_compiled(&compile(cache.path())));
    assert_eq!(fs::read_dir(elsewhere.path()).expect("it is there").count(), 0);
}

#[test]
fn an_entry_that_is_a_link_or_has_another_name_or_writers_is_compiled_again() {
    type Change = (&'static str, fn(&Path, &Path));
    let changes: [Change; 3] = [
        ("a link", |entry, aside| {
            fs::rename(entry, aside).expect("it is moved");
            std::os::unix::fs::symlink(aside, entry).expect("a link is made");
        }),
        ("a second name", |entry, aside| fs::hard_link(entry, aside).expect("a link is made")),
        ("others may write", |entry, _| {
            fs::set_permissions(entry, fs::Permissions::from_mode(0o622)).expect("permissions are set");
        }),
    ];
    for (what, change) in changes {
        let cache = folder();
        let _ = compile(cache.path());
        change(&entry(cache.path()), &cache.path().join("aside"));
        assert!(was_compiled(&compile(cache.path())), "{what}");
        assert!(!was_compiled(&compile(cache.path())), "{what}: a new entry took its place");
    }
}

#[test]
fn an_entry_renamed_to_the_key_of_another_component_is_compiled_again() {
    let cache = folder();
    let other = || taskcell!().cache(cache.path()).arg("compile").arg(wat("text")).run().well().stdout;
    let _ = compile(cache.path());
    let numbers = entry(cache.path());
    let _ = other();
    let text = entries(cache.path()).into_iter().find(|path| *path != numbers).expect("a second entry");
    fs::rename(&numbers, &text).expect("it is moved");
    assert!(was_compiled(&other()), "code of another component would run");
    assert!(!was_compiled(&other()));
}

#[test]
fn it_works_where_nothing_can_be_kept() {
    for home in ["/dev/null", "/proc/1", "/no/such/folder"] {
        works(taskcell!().without_env("XDG_CACHE_HOME").env("HOME", home));
        works(taskcell!().env("XDG_CACHE_HOME", home));
    }
    let read_only = folder();
    fs::set_permissions(read_only.path(), fs::Permissions::from_mode(0o500)).expect("permissions are set");
    works(taskcell!().without_env("XDG_CACHE_HOME").env("HOME", read_only.path()));
    works(taskcell!().without_env("XDG_CACHE_HOME").without_env("HOME"));
    works(taskcell!().without_env("XDG_CACHE_HOME").env("HOME", ""));
    works(taskcell!().env("XDG_CACHE_HOME", "relative/path").env("HOME", read_only.path()));
}

#[test]
fn without_another_place_the_cache_is_in_the_home_folder() {
    let home = folder();
    let compile =
        || taskcell!().without_env("XDG_CACHE_HOME").env("HOME", home.path()).arg("compile").arg(wat("numbers")).run().well();
    assert!(was_compiled(&compile().stdout));
    assert!(!was_compiled(&compile().stdout));
    assert!(home.path().join(".cache/taskcell").is_dir());
}

//! Surroundings that are not as usual: no room on the disk, no home, no `/proc`, closed or full streams, odd signals. What can be done is done
//! as anywhere; what can't is one line that says so.
#![expect(clippy::print_stdout, reason = "a check that can't be made here says why")]

use std::fs::OpenOptions;
use std::process::Command;

use taskcell_tests::{Taskcell, taskcell, until, wat};

fn map() -> Taskcell {
    taskcell!().map(wat("numbers"), "echo").args(["1", "2", "3"])
}

const RESULTS: &str = "1\n2\n3\n";

/// In a mount namespace of its own, after `script`. `None` with a printed reason where there can't be one.
fn in_own_mounts(test: &str, run: Taskcell, script: &str) -> Option<Taskcell> {
    let tried = Command::new("unshare").args(["--mount", "true"]).output();
    if !tried.as_ref().is_ok_and(|output| output.status.success()) {
        println!("skipped: {test}: no mount namespace can be made here: {tried:?}");
        return None;
    }
    Some(run.under(["unshare", "--mount", "--propagation", "private"]).after(script))
}

#[test]
fn a_cache_that_can_not_be_written_costs_time_and_nothing_else() {
    // What the run leaves in there is told after it; a file in part would be a lie to the next one.
    for (what, options) in [
        ("a disk that is full", "size=4k"),
        ("a disk with less room than code needs", "size=12k"),
        ("a disk without a free entry", "size=1m,nr_inodes=2"),
        ("a disk that is read only", "size=1m,ro"),
    ] {
        let script =
            format!("mount -t tmpfs -o {options} none \"$XDG_CACHE_HOME\"; \"$@\"; find \"$XDG_CACHE_HOME\" -type f >&2; exit 0");
        let Some(run) = in_own_mounts(what, map(), &script) else { continue };
        assert_eq!(run.run().well().stdout, RESULTS, "{what}");
    }
    // The same, when another run filled it before.
    let cache = tempfile::tempdir().expect("a folder");
    assert_eq!(map().cache(cache.path()).run().well().stdout, RESULTS);
    let script = "mount --bind \"$XDG_CACHE_HOME\" \"$XDG_CACHE_HOME\"; mount -o remount,ro,bind \"$XDG_CACHE_HOME\"";
    if let Some(run) = in_own_mounts("a cache that became read only", map().cache(cache.path()), script) {
        assert_eq!(run.run().well().stdout, RESULTS);
    }
}

#[test]
fn a_home_that_is_no_place_for_a_cache_is_done_without() {
    let homeless = || map().without_env("XDG_CACHE_HOME");
    assert_eq!(homeless().without_env("HOME").run().well().stdout, RESULTS);
    for home in ["", "relative", "/dev/null", "/proc", "/no/such/folder/and/nobody/may/make/one\u{1}/\u{2}"] {
        // One that can be made is: the last of these, for root.
        if home.starts_with("/no") && rustix::process::geteuid().is_root() {
            continue;
        }
        assert_eq!(homeless().env("HOME", home).run().well().stdout, RESULTS, "HOME={home}");
    }
}

#[test]
fn without_proc_nothing_runs_and_that_is_said() {
    let no_proc = "umount --lazy /proc";
    for run in [map(), map().arg("--no-cache"), taskcell!().call(wat("numbers"), "echo(1)")] {
        let Some(run) = in_own_mounts("a machine without /proc", run, no_proc) else { return };
        let ended = run.run();
        assert!(ended.one_error(1).contains("/proc/self/exe"), "{ended:#?}");
    }
    let Some(doctor) = in_own_mounts("a machine without /proc", taskcell!().arg("doctor"), no_proc) else { return };
    let ended = doctor.run();
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(1), ""), "{ended:#?}");
    assert!(ended.lines().last().is_some_and(|last| last.contains("can't run") && last.contains("/proc/self/exe")), "{ended:#?}");
}

#[test]
fn without_devices_nothing_runs_and_that_is_said() {
    let Some(run) = in_own_mounts("a machine without /dev", map(), "mount -t tmpfs none /dev") else { return };
    let ended = run.run();
    assert!(ended.one_error(1).contains("/dev/null"), "{ended:#?}");
}

#[test]
fn closed_streams_are_as_good_as_dev_null() {
    for closed in ["<&-", ">&-", "2>&-", "<&- >&-", "<&- 2>&-", ">&- 2>&-", "<&- >&- 2>&-"] {
        for option in ["--quiet", "--no-cache"] {
            let results = if closed.split(' ').any(|stream| stream == ">&-") { "" } else { RESULTS };
            let ended = map().arg(option).after(&format!("exec {closed}")).run().well();
            assert_eq!(ended.stdout, results, "with {closed}");
        }
        // The exit code tells, whoever can't be told otherwise.
        let failing = taskcell!().map(wat("numbers"), "trap").args(["0"]).after(&format!("exec {closed}")).run();
        assert_eq!(failing.code, Some(1), "with {closed}: {failing:#?}");
        assert_eq!(failing.complaints().len(), usize::from(!closed.contains("2>")), "with {closed}: {failing:#?}");
    }
    let no_inputs = taskcell!().map(wat("numbers"), "echo").after("exec <&-").run();
    assert_eq!(no_inputs.well().stdout, "");
}

#[test]
fn results_that_can_not_be_written_are_an_error() {
    let many: String = (0..200_000).map(|n| format!("{n}\n")).collect();
    for run in [
        map(),
        taskcell!().map(wat("numbers"), "echo").stdin(many),
        taskcell!().call(wat("numbers"), "echo(1)"),
        taskcell!().arg("inspect").arg(wat("numbers")),
        taskcell!().arg("doctor"),
        taskcell!().arg("--help"),
        taskcell!().arg("--version"),
    ] {
        let full = OpenOptions::new().write(true).open("/dev/full").expect("/dev/full is there");
        let ended = run.stdout(full).run();
        assert!(ended.one_error(1).contains("No space left"), "{ended:#?}");
    }
}

#[test]
fn a_full_stderr_changes_no_exit_code() {
    let ended = taskcell!().map(wat("numbers"), "trap").args(["0", "1"]).after("exec 2>/dev/full").run();
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), "1\n"), "{ended:#?}");
    let ended = taskcell!().map(wat("numbers"), "echo").args(["x"]).after("exec 2>/dev/full").run();
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{ended:#?}");
}

#[test]
fn a_reader_that_leaves_ends_the_run_quietly() {
    for signal in ["--default-signal=PIPE", "--ignore-signal=PIPE"] {
        let endless = |stdin: &mut dyn std::io::Write| (0u64..).try_for_each(|n| writeln!(stdin, "{n}"));
        let run = taskcell!().map(wat("numbers"), "echo").stdin_from(endless).under(["env", signal]);
        let mut running = run.start();
        assert_eq!(running.line().as_deref(), Some("0"));
        drop(running.take_stdout());
        until("the end", || running.has_ended().then_some(()));
        let ended = running.end();
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(141), ""), "{signal}: {ended:#?}");
    }
}

#[test]
fn a_working_folder_that_is_gone_is_not_missed() {
    let gone = "mkdir gone; cd gone; rmdir ../gone";
    assert_eq!(map().after(gone).run().well().stdout, RESULTS);
    let relative = taskcell!().map("numbers.wat", "echo").args(["1"]).after(gone).run();
    assert!(relative.one_error(2).contains("numbers.wat"), "{relative:#?}");
}

#[test]
fn what_surrounds_a_run_does_not_change_it() {
    let text = "x".repeat(100_000);
    let large = (0..10).fold(map(), |run, n| run.env(&format!("LARGE_{n}"), &text));
    assert_eq!(large.run().well().stdout, RESULTS, "a large environment");
    for (what, words) in [
        ("nice", &["nice", "-n", "19"][..]),
        ("one CPU", &["taskset", "--cpu-list", "0"]),
        ("ends of children are ignored", &["env", "--ignore-signal=CHLD"]),
        ("all signals are ignored", &["env", "--ignore-signal"]),
        ("all signals are blocked", &["env", "--block-signal"]),
        ("no environment", &["env", "--ignore-environment"]),
    ] {
        for option in ["--quiet", "--no-cache"] {
            assert_eq!(map().arg(option).under(words).run().well().stdout, RESULTS, "{what}");
        }
    }
    assert_eq!(map().after("umask 777").run().well().stdout, RESULTS, "a mask that takes every right");
}

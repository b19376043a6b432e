//! `--audit FILE`: a line for every worker that broke a rule or was ended from outside, and none for a run that went well.
//!
//! Guests of these tests can't leave wasm, so what makes a worker a violator here is a signal. Workers that make forbidden calls and lie
//! are in `tests/escape`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use rustix::process::Signal;
use serde_json::Value;
use taskcell_tests::running::send;
use taskcell_tests::{taskcell, until, wat};

/// Half a second of processor time.
const BUSY: u64 = 50;

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder for the audit")
}

fn lines(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).expect("the audit");
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

/// Ends the worker of an endless task by a signal; its pid, and the audit.
fn end_by(signal: Signal) -> (i32, Vec<Value>) {
    let folder = folder();
    let path = folder.path().join("audit");
    let running =
        taskcell!().args(["map", "-j", "1", "--audit"]).arg(&path).arg(wat("numbers")).args(["spin", "0", "1", "2"]).start();
    let pid = until("the worker to be busy", || running.busy_workers(BUSY).first().map(|worker| worker.pid));
    send(pid, signal);
    let ended = running.end();
    assert_eq!(ended.code, Some(1), "{ended:#?}");
    (pid, lines(&path))
}

#[test]
fn a_worker_that_a_signal_ends_is_one_line() {
    for (signal, kind, wall) in
        [(Signal::KILL, "killed", "process"), (Signal::ABORT, "crash", "process"), (Signal::SYS, "syscall", "seccomp")]
    {
        let (pid, lines) = end_by(signal);
        assert_eq!(lines.len(), 1, "{lines:?}");
        let line = &lines[0];
        assert_eq!((&line["kind"], &line["wall"]), (&kind.into(), &wall.into()), "{line}");
        assert_eq!((&line["pid"], &line["signal"]), (&pid.into(), &signal.as_raw().into()), "{line}");
        // A signal from outside is no system call, so the kernel names none.
        assert_eq!((&line["syscall"], &line["syscall_name"]), (&Value::Null, &Value::Null), "{line}");
        assert_eq!((&line["index"], &line["function"]), (&0.into(), &"spin".into()), "{line}");
        assert!(line["component"].as_str().is_some_and(|name| name.ends_with("numbers.wat")), "{line}");
        assert!(line["digest"].as_str().is_some_and(|digest| digest.len() == 64), "{line}");
        assert!(line["time"].as_str().is_some_and(|time| time.len() == 24 && time.ends_with('Z')), "{line}");
    }
}

#[test]
fn a_task_over_its_time_that_stops_is_no_violation() {
    let folder = folder();
    let path = folder.path().join("audit");
    let ended =
        taskcell!().args(["map", "--timeout", "100ms", "--audit"]).arg(&path).arg(wat("numbers")).args(["spin", "0", "1"]).run();
    assert_eq!(ended.code, Some(1), "{ended:#?}");
    assert_eq!(lines(&path), Vec::<Value>::new());
}

#[test]
fn the_file_is_this_users_and_is_appended_to() {
    let folder = folder();
    let path = folder.path().join("audit");
    for _ in 0..2 {
        let ended = taskcell!().args(["call", "--audit"]).arg(&path).arg(wat("numbers")).arg("spin(1)").run();
        assert_eq!(ended.code, Some(0), "{ended:#?}");
        assert_eq!(fs::metadata(&path).expect("the audit").permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_to_string(&path).unwrap_or_default().replace("kept\n", ""), "");
        fs::write(&path, "kept\n").expect("a line of before");
    }
    assert_eq!(fs::read_to_string(&path).expect("the audit"), "kept\n");
}

#[test]
fn what_is_no_regular_file_is_refused() {
    let folder = folder();
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(folder.path().join("elsewhere"), &link).expect("a link");
    for path in [link, folder.path().to_owned(), PathBuf::from("/dev/null"), folder.path().join("no/such/folder")] {
        let ended = taskcell!().args(["call", "--audit"]).arg(&path).arg(wat("numbers")).arg("spin(1)").run();
        assert_eq!(ended.code, Some(2), "{}: {ended:#?}", path.display());
        assert!(ended.stderr.contains("failed to open the audit file"), "{ended:#?}");
    }
    assert!(!folder.path().join("elsewhere").exists());
}

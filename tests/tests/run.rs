//! `taskcell run`: a program's input, output, arguments and exit code are the command's.

use rustix::process::Signal;
use taskcell_tests::{built, taskcell, until, wat};

#[test]
fn output_is_passed_on_byte_by_byte() {
    let ended = taskcell!().arg("run").arg(wat("print")).run();
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), "to stdout\n\u{1b}[31mred\nlast"), "{ended:#?}");
    assert_eq!(ended.stderr, "to stderr\n");
}

#[test]
fn the_exit_code_is_the_programs() {
    let ended = taskcell!().arg("run").arg(wat("exit-3")).run();
    assert_eq!((ended.code, ended.stdout.as_str(), ended.stderr.as_str()), (Some(3), "", ""), "{ended:#?}");
}

#[test]
fn arguments_come_after_the_programs_name() {
    let ended = taskcell!().arg("run").arg(wat("print-args")).args(["--", "--fast", "a b", "\u{e9}"]).run();
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), "print-args.wat\0--fast\0a b\0\u{e9}\0"), "{ended:#?}");
    let ended = taskcell!().arg("run").arg(wat("print-args")).run();
    assert_eq!(ended.stdout, "print-args.wat\0");
}

#[test]
fn the_environment_is_what_was_granted() {
    let ended = taskcell!().env("SECRET", "x").args(["run", "--env", "A=b"]).arg(wat("print-env")).run();
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), "A=b\0"), "{ended:#?}");
}

#[test]
fn variables_come_from_the_environment_and_from_files() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("variables");
    let run = |options: &[&str], text: &str| {
        std::fs::write(&file, text).expect("a file is written");
        taskcell!().env("TOKEN", "secret").arg("run").args(options).arg(wat("print-env")).run()
    };
    let path = file.to_str().expect("a plain path");
    assert_eq!(run(&["--env", "TOKEN"], "").well().stdout, "TOKEN=secret\0");
    let text = "# what the guest sees\n\nA=1\n  # and\nB=x=y z\nA=2\nC=\r\n";
    assert_eq!(run(&["--env-file", path], text).well().stdout, "B=x=y z\0A=2\0C=\0");
    assert_eq!(run(&["--env", "A=3", "--env-file", path, "--env", "TOKEN"], "A=1").well().stdout, "A=3\0TOKEN=secret\0");
    for (options, text, says) in [
        (["--env", "UNSET"], "", "UNSET is not set in the environment"),
        (["--env-file", path], "A=1\n\nTOKEN\n", "line 3: expected NAME=VALUE"),
        (["--env-file", path], "=1", "line 1: expected NAME=VALUE"),
        (["--env-file", "/no/such/file"], "", "No such file"),
        (["--env-file", path], &format!("A={}", "x".repeat(1 << 20)), "longer than 1048576 bytes"),
    ] {
        let ended = run(&options, text);
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{ended:#?}");
        assert!(ended.stderr.contains(says), "{options:?}: {}", ended.stderr);
    }
}

#[test]
fn input_is_read_to_its_end() {
    let ended = taskcell!().arg("run").arg(wat("cat")).run();
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), ""), "an empty one: {ended:#?}");
    let bytes: String = (0..300_000).map(|n| format!("line {n}\n")).collect();
    let ended = taskcell!().arg("run").arg(wat("cat")).stdin(bytes.as_bytes()).run();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stdout == bytes, "{} bytes became {}", bytes.len(), ended.stdout.len());
}

#[test]
fn input_is_answered_as_it_comes() {
    let (said, heard) = std::sync::mpsc::channel::<&str>();
    let mut running = taskcell!()
        .arg("run")
        .arg(wat("cat"))
        .stdin_from(move |stdin| {
            for line in heard {
                stdin.write_all(line.as_bytes())?;
                stdin.flush()?;
            }
            Ok(())
        })
        .start();
    for line in ["one\n", "two\n", "three\n"] {
        said.send(line).expect("the writer goes on");
        assert_eq!(running.line().as_deref(), Some(line.trim_end()), "before there is more input");
    }
    drop(said);
    let ended = running.end();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
}

#[test]
fn a_reader_that_goes_away_ends_the_program() {
    let mut running = taskcell!().arg("run").arg(wat("cat")).stdin_from(|stdin| {
        let piece = [b'x'; 65536];
        loop {
            stdin.write_all(&piece)?;
        }
    });
    running = running.args(["--grace", "100ms"]);
    let mut running = running.start();
    drop(running.take_stdout());
    let ended = running.end();
    assert_eq!(ended.code, Some(141), "{ended:#?}");
}

#[test]
fn a_program_over_its_time_is_stopped() {
    let ended = taskcell!().args(["run", "--timeout", "200ms"]).arg(wat("spin")).run();
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""), "{ended:#?}");
    assert_eq!(ended.stderr, "error: the task ran over its time\n");
}

#[test]
fn a_signal_ends_the_program_and_tells_so() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let running = taskcell!().arg("run").arg(wat("spin")).start();
        until("the program to run", || (!running.busy_workers(10).is_empty()).then_some(()));
        running.signal(signal);
        let ended = running.end();
        assert_eq!(ended.code, Some(code), "{ended:#?}");
    }
}

#[test]
fn what_is_no_program_is_refused() {
    let ended = taskcell!().arg("run").arg(wat("numbers")).run();
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{ended:#?}");
    assert!(ended.stderr.contains("it is no program") && ended.stderr.lines().count() == 1, "{}", ended.stderr);
}

#[test]
fn modules_have_names_of_their_own() {
    let module = |name: &str| format!("{name}={}", wat("numbers").display());
    for (modules, says) in [
        (vec![module("a"), module("a")], "another module has it"),
        (vec![module("a/b")], "letters, digits"),
        (vec!["a=/nowhere.wasm".to_owned()], "/nowhere.wasm"),
        (vec!["a".to_owned()], "expected NAME=PATH"),
    ] {
        let options = modules.iter().flat_map(|module| ["--module", module.as_str()]);
        let ended = taskcell!().arg("run").args(options).arg(wat("print")).run();
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{modules:?}: {ended:#?}");
        assert!(ended.stderr.contains(says), "{modules:?}: {}", ended.stderr);
    }
}

/// What `taskcell ps --json` says with this folder for sockets.
fn hosts(runtime: &std::path::Path) -> Vec<serde_json::Value> {
    let ended = taskcell!().env("XDG_RUNTIME_DIR", runtime).args(["ps", "--json"]).run();
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{ended:#?}");
    serde_json::from_str(&ended.stdout).expect("an array of JSON")
}

#[test]
fn ps_shows_who_runs_and_forgets_who_was_killed() {
    let runtime = tempfile::tempdir().expect("a folder");
    assert_eq!(hosts(runtime.path()), Vec::<serde_json::Value>::new());
    let program = taskcell!().env("XDG_RUNTIME_DIR", runtime.path()).arg("run").arg(wat("spin")).start();
    let map = taskcell!()
        .env("XDG_RUNTIME_DIR", runtime.path())
        .args(["map", "-j", "2"])
        .arg(wat("numbers"))
        .args(["spin", "0", "0", "0"])
        .start();
    let seen = until("both hosts, at work", || {
        let hosts = hosts(runtime.path());
        let running = |host: &serde_json::Value| {
            let tasks = host["tasks"].as_array().map_or(&[][..], Vec::as_slice);
            tasks.iter().filter(|task| task["state"] == "running" && task["cpu_ms"].as_u64() > Some(20)).count()
        };
        let at_work = |pid: i32, tasks| hosts.iter().any(|host| host["pid"] == pid && running(host) == tasks);
        (at_work(program.pid(), 1) && at_work(map.pid(), 2)).then_some(hosts.clone())
    });
    assert_eq!(seen.len(), 2, "{seen:#?}");
    let task = &seen.iter().find(|host| host["pid"] == program.pid()).expect("the program")["tasks"][0];
    assert!(task["name"].as_str().is_some_and(|name| name.contains("run")), "{task}");
    assert!(task["memory_bytes"].as_u64() > Some(1 << 20), "{task}");
    let text = taskcell!().env("XDG_RUNTIME_DIR", runtime.path()).arg("ps").run();
    assert!(text.stdout.contains("running") && text.stdout.contains("spin"), "{}", text.stdout);

    // Ended with time to tidy up: its socket is gone. Killed: the next one that looks takes it away.
    let sockets = || std::fs::read_dir(runtime.path().join("taskcell")).expect("the folder").count();
    assert_eq!(sockets(), 2);
    program.signal(Signal::INT);
    let _ = program.end();
    assert_eq!(sockets(), 1);
    map.signal(Signal::KILL);
    let _ = map.end();
    assert_eq!(sockets(), 1, "nobody was left to take it away");
    assert_eq!(hosts(runtime.path()), Vec::<serde_json::Value>::new());
    assert_eq!(sockets(), 0);
}

#[test]
fn ps_uses_no_folder_that_others_could_write_to() {
    use std::os::unix::fs::PermissionsExt;
    let runtime = tempfile::tempdir().expect("a folder");
    let folder = runtime.path().join("taskcell");
    std::fs::create_dir(&folder).expect("a folder");
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o777)).expect("its mode");
    let running = taskcell!().env("XDG_RUNTIME_DIR", runtime.path()).arg("run").arg(wat("spin")).start();
    until("the program to run", || (!running.busy_workers(10).is_empty()).then_some(()));
    assert_eq!(std::fs::read_dir(&folder).expect("the folder").count(), 0);
    assert_eq!(hosts(runtime.path()), Vec::<serde_json::Value>::new());
    running.signal(Signal::INT);
    let _ = running.end();
}

#[test]
fn tasks_that_wait_for_each_other_are_told_who_for_what() {
    let deadlock = |case: &str| taskcell!().arg("run").arg(built("deadlock")).args(["--", case]).run().well().stdout;
    let locks = deadlock("locks");
    for part in ["hold\\\" waits for lock", "a\\\": acquire", "b\\\": acquire", "\nwent on\n"] {
        let went_first = format!("\n{locks}");
        assert!(went_first.contains(part), "one was told, the other went on: no {part} in {locks}");
    }
    let pipes = deadlock("pipes");
    assert!(pipes.contains("listen\\\" waits for pipe") && pipes.contains("recv"), "{pipes}");
    let queue = deadlock("queue");
    assert!(queue.starts_with("told: task 1 ") && queue.contains("waits for queue") && queue.contains("put"), "{queue}");
    let pool = deadlock("pool");
    assert!(
        pool.contains("waits for event 2 \\\"behind\\\": wait; 1 more wait for a worker") && pool.ends_with("went on\n"),
        "{pool}"
    );
}

#[test]
fn a_deadlock_that_is_only_told_goes_on_until_somebody_ends_it() {
    for (case, named) in
        [("locks", "waits for lock"), ("pipes", "waits for pipe"), ("queue", "waits for queue"), ("pool", "waits for event")]
    {
        // Long enough for it to be found, and ended by a bound of the program that could not help it.
        let warn = ["run", "--on-deadlock", "warn", "--timeout", "3s", "--grace", "100ms"];
        let ended = taskcell!().args(warn).arg(built("deadlock")).args(["--", case]).run();
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""), "{ended:#?}");
        assert!(ended.stderr.contains(named), "{ended:#?}");
        // A circle is told once when it closes, and once when nothing else goes on any more.
        let told = ended.stderr.lines().filter(|line| line.contains("deadlock: ")).count();
        assert!((1..=2).contains(&told), "{ended:#?}");
    }
}

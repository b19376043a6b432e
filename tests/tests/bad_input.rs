//! Whatever is wrong with what a user gives: one line that says what and where, nothing on stdout, the right exit code.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use taskcell_tests::{Ended, Taskcell, built, taskcell, wat};

/// What is no component: a name for the case, the file, the exit code, and what the error has to say.
fn refused(folder: &Path) -> Vec<(String, PathBuf, i32, &'static str)> {
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.join(name);
        fs::write(&path, bytes).expect("a file is written");
        path
    };
    let module = fs::read(built("types")).expect("the guest is read");
    let mut cases = vec![
        ("empty".into(), file("empty.wasm", b""), 3, "empty"),
        ("garbage".into(), file("garbage.wasm", &[0xde, 0xad, 0xbe, 0xef, 0x80, 0xff]), 3, "not WebAssembly"),
        ("zeros".into(), file("zeros.wasm", &[0; 5000]), 3, "not WebAssembly"),
        ("text".into(), file("text.wasm", b"hello, world\n"), 3, "not WebAssembly"),
        ("broken text form".into(), file("broken.wat", b"(component (core module (fun)))"), 3, "broken text form"),
        ("header and garbage".into(), file("header.wasm", b"\0asm\x01\0\0\0\xff\xff\xff\xff\xff\xff"), 3, "broken at byte"),
        ("wrong version".into(), file("version.wasm", b"\0asm\xff\0\0\0"), 3, "version"),
        ("ELF".into(), std::env::current_exe().expect("a program"), 3, "ELF"),
        ("a core module".into(), file("core.wat", b"(module (func (export \"echo\")))"), 3, "wit-bindgen"),
        ("directory".into(), folder.to_owned(), 2, "directory"),
        ("device".into(), "/dev/zero".into(), 2, "device"),
        ("missing".into(), folder.join("missing.wasm"), 2, "No such file"),
        ("below a file".into(), folder.join("empty.wasm/below"), 2, "Not a directory"),
        ("unknown import".into(), wat("unknown-import"), 3, "example:weather/forecast@1.0.0"),
    ];
    for cut in [1, 4, 6, 8, 9, 100, 1000, module.len() / 2, module.len() - 1] {
        let path = file(&format!("cut-{cut}.wasm"), &module[..cut]);
        cases.push((format!("cut at {cut}"), path, 3, ""));
    }
    cases
}

#[test]
fn what_is_no_component_is_refused_with_one_line() {
    let folder = tempfile::tempdir().expect("a folder");
    for (what, path, code, says) in refused(folder.path()) {
        for begin in [map_echo, call_echo] {
            let ended = begin(taskcell!(), &path).run();
            let error = ended.one_error(code);
            assert!(error.contains(says), "{what}: {error}");
            let name = path.file_name().unwrap_or(path.as_os_str());
            assert!(error.as_bytes().windows(name.len()).any(|part| part == name.as_bytes()), "{what} is named: {error}");
        }
    }
}

fn map_echo(taskcell: Taskcell, path: &Path) -> Taskcell {
    taskcell.map(path, "echo").args(["1"])
}

fn call_echo(taskcell: Taskcell, path: &Path) -> Taskcell {
    taskcell.call(path, "echo(1)")
}

#[test]
fn inspect_and_compile_refuse_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    for (what, path, code, says) in refused(folder.path()) {
        if what == "unknown import" {
            // These two only tell of it.
            continue;
        }
        for word in ["inspect", "compile"] {
            let ended = taskcell!().arg(word).arg(&path).run();
            let error = ended.one_error(code);
            assert!(error.contains(says), "{what}: {error}");
        }
    }
    let told = taskcell!().arg("inspect").arg(wat("unknown-import")).run().well();
    assert!(told.stdout.contains("runs here: no"), "{}", told.stdout);
    assert!(told.stdout.contains("example:weather/forecast@1.0.0  (nobody provides it)"), "{}", told.stdout);
}

#[test]
fn a_pipe_that_nobody_writes_to_does_not_hang() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("pipe");
    rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::from_raw_mode(0o600)).expect("a pipe is made");
    for word in ["inspect", "compile"] {
        assert!(taskcell!().arg(word).arg(&path).run().one_error(2).contains("a pipe"));
    }
    assert!(taskcell!().map(&path, "echo").run().one_error(2).contains("a pipe"));
}

#[test]
fn precompiled_code_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let _ = taskcell!().cache(folder.path()).arg("compile").arg(wat("numbers")).run().well();
    let entry = fs::read_dir(folder.path().join("taskcell")).expect("the cache is there").next().expect("it has an entry");
    let bytes = fs::read(entry.expect("it can be listed").path()).expect("the entry is read");
    // A digest of 32 bytes, the length of the description, the description, the code.
    let length: [u8; 4] = bytes[32..36].try_into().expect("four bytes");
    let code = &bytes[36 + usize::try_from(u32::from_le_bytes(length)).expect("a length")..];
    assert!(code.starts_with(b"\x7fELF"), "compiled code is an ELF file: {:?}", &code[..8]);
    let path = folder.path().join("numbers.cwasm");
    fs::write(&path, code).expect("the code is written");
    for begin in [map_echo, call_echo] {
        let ended = begin(taskcell!(), &path).run();
        assert!(ended.one_error(3).contains("precompiled"), "{ended:#?}");
    }
    // A whole entry, as it lies in the cache, is nothing that is known.
    fs::write(&path, &bytes).expect("the entry is written");
    assert!(map_echo(taskcell!(), &path).run().one_error(3).contains("not WebAssembly"));
}

#[test]
fn an_export_that_is_not_there_offers_the_nearest() {
    let ended = taskcell!().map(wat("numbers"), "ecko").args(["1"]).run();
    assert!(ended.one_error(2).contains("did you mean echo?"), "{ended:#?}");
    let ended = taskcell!().call(wat("numbers"), "anser()").run();
    assert!(ended.one_error(2).contains("answer"), "{ended:#?}");
    let ended = taskcell!().map(built("types"), "example:types/shapes#aera").args(["1"]).run();
    assert!(ended.one_error(2).contains("example:types/shapes#area"), "{ended:#?}");
    let ended = taskcell!().map(wat("numbers"), "").args(["1"]).run();
    assert!(ended.one_error(2).contains("exports no function of that name"), "{ended:#?}");
    // A name is shown, not obeyed.
    let ended = taskcell!().map(wat("numbers"), "\x1b[2J\n").args(["1"]).run();
    assert!(ended.one_error(2).contains("\\u{1b}"), "{ended:#?}");
}

/// Inputs that do not fit, to `task` of the guest of all types.
const INPUTS: &[(&str, &str, &str)] = &[
    ("echo-u32", "", "expected"),
    ("echo-u32", "nonsense", "expected valid JSON"),
    ("echo-u32", "{", "expected"),
    ("echo-u32", "1 2", "column 3"),
    ("echo-u32", "\"1\"", "expected u32"),
    ("echo-u32", "-1", "expected u32"),
    ("echo-u32", "1.5", "expected u32"),
    ("echo-u32", "4294967296", "0 to 4294967295"),
    ("echo-u32", "null", "expected u32"),
    ("echo-u8", "256", "0 to 255"),
    ("echo-s8", "-129", "-128 to 127"),
    ("echo-u64", "18446744073709551616", "0 to 18446744073709551615"),
    ("echo-s64", "-9223372036854775809", "expected s64"),
    ("echo-bool", "1", "expected bool"),
    ("echo-char", "\"ab\"", "expected"),
    ("echo-char", "\"\\ud800\"", "expected"),
    ("echo-string", "17", "expected string"),
    ("echo-list-u32", "[1,2,\"3\"]", "[2]"),
    ("echo-list-u32", "{}", "expected list<u32>"),
    ("echo-tuple", "[1,\"a\"]", "expected"),
    ("echo-record", "{\"full-name\":\"A\"}", "expected"),
    ("echo-record", "{\"full-name\":\"A\",\"age\":300,\"home-address\":{},\"nick-names\":[]}", "age"),
    ("echo-variant", "{\"no-such\":1}", "expected"),
    ("echo-enum", "\"someday\"", "expected"),
    ("echo-flags", "[\"fly\"]", "expected"),
    ("two-params", "[1]", "expected"),
    ("two-params", "[1,\"a\",2]", "expected"),
    ("two-params", "1", "expected"),
    ("no-params", "1", "expected"),
];

#[test]
fn an_argument_that_does_not_fit_is_told_before_any_worker_starts() {
    for (task, input, says) in INPUTS {
        let ended = taskcell!().map(built("types"), task).arg(input).run();
        let error = ended.one_error(2);
        assert!(error.contains("argument 1") && error.contains(says), "{task} {input}: {error}");
        // A good one before it is not run either.
        if *task == "echo-u32" {
            let ended = taskcell!().map(built("types"), task).arg("7").arg(input).run();
            assert!(ended.one_error(2).contains("argument 2"), "{ended:#?}");
        }
    }
}

#[test]
fn a_line_that_does_not_fit_is_told_with_its_number() {
    for (task, input, says) in INPUTS {
        let ended = taskcell!().map(built("types"), task).stdin(format!("{input}\n")).run();
        let error = ended.one_error(2);
        assert!(error.starts_with("line 1: ") && error.contains(says), "{task} {input}: {error}");
    }
    let ended = taskcell!().map(wat("numbers"), "echo").stdin("1\n2\n\"x\"\n4\n").run();
    assert_eq!((ended.code, ended.lines()), (Some(2), vec!["1", "2", "4"]), "{ended:#?}");
    assert!(ended.stderr.starts_with("error: line 3: "), "{ended:#?}");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("inputs.txt");
    fs::write(&file, "1\nx\n").expect("a file is written");
    let ended = taskcell!().arg("map").arg("--input").arg(&file).arg(wat("numbers")).arg("echo").run();
    assert!(ended.stderr.contains("inputs.txt:2: "), "{ended:#?}");
}

#[test]
fn a_call_that_is_no_wave_is_told_with_its_place() {
    for (call, says) in [
        ("", "call"),
        ("echo-u32", "call"),
        ("echo-u32(", "column"),
        ("echo-u32(1", "column"),
        ("echo-u32(1))", "column"),
        ("echo-u32(1) 2", "column"),
        ("echo-u32(x)", "expected u32"),
        ("echo-u32(4294967296)", "u32"),
        ("echo-u32(-1)", "u32"),
        ("echo-u32(1, 2)", "call"),
        ("echo-u32()", "call"),
        ("echo-string(\"open)", "column"),
        ("echo-record({full-name: \"A\"})", "call"),
        ("echo-enum(someday)", "call"),
    ] {
        let ended = taskcell!().call(built("types"), call).run();
        let error = ended.one_error(2);
        assert!(error.contains(says), "{call}: {error}");
    }
}

#[test]
fn a_hundred_megabytes_on_one_line_are_refused_and_the_rest_goes_on() {
    let write = |stdin: &mut dyn std::io::Write| {
        stdin.write_all(b"1\n\"")?;
        let block = vec![b'a'; 1_000_000];
        for _ in 0..100 {
            stdin.write_all(&block)?;
        }
        stdin.write_all(b"\"\n3\n")
    };
    let ended = taskcell!().map(wat("numbers"), "echo").stdin_from(write).run();
    assert_eq!((ended.code, ended.lines()), (Some(2), vec!["1", "3"]), "{ended:#?}");
    assert_eq!(ended.complaints().len(), 1, "{ended:#?}");
    assert!(ended.stderr.starts_with("error: line 2: ") && ended.stderr.contains("--max-message"), "{ended:#?}");
    // A task without parameters must not take it for no input.
    let write = |stdin: &mut dyn std::io::Write| stdin.write_all(&vec![b' '; 20_000_000]);
    assert!(taskcell!().map(wat("numbers"), "answer").stdin_from(write).run().one_error(2).contains("--max-message"));
}

#[test]
fn nesting_without_end_is_refused() {
    let deep = |open: &str, close: &str| format!("{}{}\n", open.repeat(100_000), close.repeat(100_000));
    for task in ["echo-u32", "echo-list-list", "echo-nested", "echo-option-option", "echo-record"] {
        for text in [deep("[", "]"), deep("[", ""), deep("{\"some\":", "}"), deep("{\"a\":", "")] {
            let ended = taskcell!().map(built("types"), task).stdin(text).run();
            assert!(ended.one_error(2).starts_with("line 1: "), "{ended:#?}");
        }
    }
    // As an unknown field, where the whole text has to be passed over.
    let inside = format!("{{\"full-name\":{}{}}}\n", "[".repeat(100_000), "]".repeat(100_000));
    let ended = taskcell!().map(built("types"), "echo-record").stdin(inside).run();
    assert!(ended.one_error(2).contains("full-name"), "{ended:#?}");
    let call = format!("echo-list-list({}{})", "[".repeat(60_000), "]".repeat(60_000));
    let ended = taskcell!().call(built("types"), &call).run();
    let _ = ended.one_error(2);
}

#[test]
fn what_is_no_utf_8_is_refused() {
    for bytes in [&b"\xff\xfe\n"[..], b"\"\xc3\x28\"\n", b"\"\xed\xa0\x80\"\n"] {
        let ended = taskcell!().map(built("types"), "echo-string").stdin(bytes).run();
        assert!(ended.one_error(2).contains("expected UTF-8"), "{ended:#?}");
    }
    let argument = std::ffi::OsStr::from_bytes(b"\"\xff\"");
    let ended = taskcell!().map(built("types"), "echo-string").arg(argument).run();
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{ended:#?}");
    assert!(ended.stderr.starts_with("error: "), "{ended:#?}");
}

#[test]
fn a_file_that_cannot_be_read_fails_its_task_and_no_other() {
    let folder = tempfile::tempdir().expect("a folder");
    let good = folder.path().join("good");
    fs::write(&good, "12345").expect("a file is written");
    let missing = folder.path().join("missing");
    for task in ["count-bytes", "count-text"] {
        let ended =
            taskcell!().args(["map", "--files"]).arg(wat("text")).arg(task).arg(&good).arg(&missing).arg(folder.path()).run();
        assert_eq!(ended.lines(), ["5"], "a file that is not there is no empty file: {ended:#?}");
        assert_eq!(ended.complaints().len(), 2, "{ended:#?}");
        assert!(ended.stderr.contains("missing") && ended.stderr.contains("directory"), "{ended:#?}");
        assert_ne!(ended.code, Some(0), "{ended:#?}");
    }
    let long = taskcell!().args(["map", "--files", "--max-message", "4"]).arg(wat("text")).arg("count-bytes").arg(&good).run();
    assert!(long.one_error(2).contains("longer than 4 bytes"), "{long:#?}");
}

#[test]
fn inputs_that_cannot_be_read_are_told_before_anything_runs() {
    for path in ["/no/such/file", "/"] {
        let ended = taskcell!().args(["map", "--input", path]).arg(wat("numbers")).arg("echo").run();
        let _ = ended.one_error(2);
    }
    let ended = taskcell!().args(["map", "--files"]).arg(wat("numbers")).args(["echo", "/etc/passwd"]).run();
    assert!(ended.one_error(2).contains("no single parameter of type list<u8> or string"), "{ended:#?}");
}

/// A run that writes more than a pipe holds, into `stdout`.
fn writing_to(stdout: impl Into<std::process::Stdio>) -> Ended {
    let inputs = |stdin: &mut dyn std::io::Write| (0..300_000).try_for_each(|n| writeln!(stdin, "{n}"));
    taskcell!().map(wat("numbers"), "echo").stdin_from(inputs).stdout(stdout).run()
}

#[test]
fn a_reader_that_goes_away_ends_the_run_quietly() {
    let mut running =
        taskcell!().map(wat("numbers"), "echo").stdin_from(|stdin| (0..300_000).try_for_each(|n| writeln!(stdin, "{n}"))).start();
    assert_eq!(running.line().as_deref(), Some("0"));
    drop(running.take_stdout());
    let ended = running.end();
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(141), ""), "{ended:#?}");

    // It was never there.
    let (reader, writer) = rustix::pipe::pipe().expect("a pipe");
    drop(reader);
    let ended = writing_to(writer);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(141), ""), "{ended:#?}");
    for word in ["inspect", "compile", "call"] {
        let (reader, writer) = rustix::pipe::pipe().expect("a pipe");
        drop(reader);
        let call = if word == "call" { &["echo(1)"][..] } else { &[] };
        let ended = taskcell!().arg(word).arg(wat("numbers")).args(call).stdout(writer).run();
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(141), ""), "{word}: {ended:#?}");
    }
}

#[test]
fn a_full_disk_is_one_error() {
    let full = || fs::File::options().write(true).open("/dev/full").expect("/dev/full is there");
    assert!(writing_to(full()).one_error(1).contains("No space left on device"));
    let one = taskcell!().map(wat("numbers"), "echo").args(["1"]).stdout(full()).run();
    assert!(one.one_error(1).contains("No space left on device"));
    for word in ["inspect", "compile", "call"] {
        let call = if word == "call" { &["echo(1)"][..] } else { &[] };
        let ended = taskcell!().arg(word).arg(wat("numbers")).args(call).stdout(full()).run();
        assert!(ended.one_error(1).contains("No space left on device"), "{word}: {ended:#?}");
    }
    let help = taskcell!().arg("--help").stdout(full()).run();
    assert_ne!(help.code, Some(101), "no panic: {help:#?}");
}

#[test]
fn no_stdin_is_no_input() {
    let ended = taskcell!().map(wat("numbers"), "echo").run().well();
    assert_eq!(ended.stdout, "");
    let ended = taskcell!().map(wat("numbers"), "echo").stdin("\n").run();
    assert!(ended.one_error(2).starts_with("line 1: "), "{ended:#?}");
}

#[test]
fn a_component_with_async_functions_is_refused_unless_the_operator_accepts_it() {
    let commands: [&[&str]; 4] = [&["map"], &["call"], &["inspect"], &["compile"]];
    for (words, call) in commands.into_iter().zip([&["next", "7"][..], &["next(7)"], &[], &[]]) {
        // Twice: what one compile accepted is not found in the cache by the next.
        for _ in 0..2 {
            let run = |options: &[&str]| taskcell!().args(words).args(options).arg(wat("async")).args(call).run();
            let refused = run(&[]);
            let error = refused.one_error(3);
            assert!(error.contains("--async"), "{words:?}: {error}");
            assert!(!run(&["--async"]).well().stdout.is_empty(), "{words:?}");
        }
    }
    assert_eq!(taskcell!().args(["map", "--async"]).arg(wat("async")).args(["next", "7"]).run().well().stdout, "8\n");
}

//! Programs that others wrote and published, run as they are: CPython and resvg, as `guest/commands/build` fetches them.

use std::path::PathBuf;

use serde_json::Value;
use taskcell_tests::{if_built, repository, taskcell};

fn foreign(name: &str) -> Option<PathBuf> {
    if_built(&format!("command-{name}"), "guest/commands/build")
}

/// A hash of a text by another way than the guest's own: FNV-1a, 64 bits.
fn fnv(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

const FNV: &str = "
import sys
h = 0xcbf29ce484222325
for b in sys.argv[1].encode():
    h = (h ^ b) * 0x100000001b3 % 2**64
print(h)
";

#[test]
fn python_maps_a_hundred_inputs() {
    let Some(python) = foreign("python") else { return };
    let inputs: Vec<String> = (0..100).map(|n| format!("input {n} \u{e9}\"'$x\\")).collect();
    let ended =
        taskcell!().args(["map", "-q", "--command"]).arg(&python).stdin(inputs.join("\n")).args(["--", "-c", FNV]).run().well();
    let expected: Vec<String> = inputs.iter().map(|input| fnv(input).to_string()).collect();
    assert_eq!(ended.lines(), expected);
}

#[test]
fn python_reads_files_and_says_how_it_ended() {
    let Some(python) = foreign("python") else { return };
    let script = "import sys, json; lines = sys.stdin.readlines(); print(json.dumps({'lines': len(lines)})); \
                  print('odd', file=sys.stderr) if len(lines) % 2 else None; sys.exit(len(lines) % 7)";
    let files = ["README.md", "CONTRIBUTING.md", "LICENSE"].map(|name| repository().join(name));
    let ended = taskcell!()
        .args(["map", "-q", "--records", "--files", "--command"])
        .arg(&python)
        .args(&files)
        .args(["--", "-c", script])
        .run();
    let mut failed = false;
    assert_eq!(ended.lines().len(), files.len(), "{ended:#?}");
    for (file, line) in files.iter().zip(ended.lines()) {
        let record: Value = serde_json::from_str(line).expect("a record is one JSON object");
        let count = std::fs::read_to_string(file).expect("a text").lines().count();
        assert_eq!(record["stdout"], format!("{{\"lines\": {count}}}\n"), "{record}");
        assert_eq!(record["stderr"], if count % 2 == 1 { "odd\n" } else { "" }, "{record}");
        assert_eq!(record["code"], count % 7, "{record}");
        failed |= count % 7 != 0;
    }
    assert_eq!(ended.code, Some(i32::from(failed)));
}

#[test]
fn python_gets_its_directories_and_its_errors_are_shown() {
    let Some(python) = foreign("python") else { return };
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["a", "b", "c"] {
        std::fs::write(folder.path().join(name), name.repeat(1000)).expect("a file");
    }
    let grant = format!("{}::/in", folder.path().display());
    let script = "import sys; t = open('/in/' + sys.argv[1]).read(); open('/in/' + sys.argv[1] + '.up', 'w').write(t.upper()); print(len(t))";
    let map = |names: &[&str]| {
        taskcell!().args(["map", "-q", "--dir", &grant, "--command"]).arg(&python).args(names).args(["--", "-c", script]).run()
    };
    assert_eq!(map(&["a", "b", "c"]).well().lines(), ["1000", "1000", "1000"]);
    assert_eq!(std::fs::read_to_string(folder.path().join("b.up")).ok(), Some("B".repeat(1000)));
    let ended = map(&["missing", "a"]);
    assert_eq!((ended.code, ended.lines()), (Some(1), vec!["1000"]));
    assert!(ended.stderr.contains("[task 0] FileNotFoundError"), "{}", ended.stderr);
    assert!(ended.stderr.contains("error: argument 1: the program ended with exit code 1"), "{}", ended.stderr);
}

#[test]
fn resvg_makes_pictures_of_drawings() {
    let Some(resvg) = foreign("resvg") else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let sizes: Vec<(u32, u32)> = (1..=20).map(|n| (n * 3, n * 2)).collect();
    let mut files = Vec::new();
    for (width, height) in &sizes {
        let path = folder.path().join(format!("{width}.svg"));
        let drawing =
            format!("<svg xmlns='http://www.w3.org/2000/svg' width='{width}' height='{height}'><circle r='9' fill='red'/></svg>");
        std::fs::write(&path, drawing).expect("a file");
        files.push(path);
    }
    // From standard input to standard output, `-` and `-c`.
    let ended = taskcell!()
        .args(["map", "-q", "--records", "--files", "--command"])
        .arg(&resvg)
        .args(&files)
        .args(["--", "-", "-c"])
        .run();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    for ((width, height), line) in sizes.iter().zip(ended.lines()) {
        let record: Value = serde_json::from_str(line).expect("a record is one JSON object");
        let picture = decoded(record["stdout_base64"].as_str().expect("a picture is no text"));
        let number = |at: usize| u32::from_be_bytes(picture[at..at + 4].try_into().expect("four bytes"));
        assert!(picture.starts_with(b"\x89PNG\r\n\x1a\n"), "{record}");
        assert_eq!((number(16), number(20)), (*width, *height));
    }
    // The same from file to file.
    let grant = format!("{}::.", folder.path().display());
    let names: Vec<String> = sizes.iter().map(|(width, _)| format!("{width}.svg")).collect();
    let ended =
        taskcell!().args(["map", "-q", "--dir", &grant, "--command"]).arg(&resvg).args(&names).args(["--", "{}", "{}.png"]).run();
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), ""), "{ended:#?}");
    for name in names {
        let picture = std::fs::read(folder.path().join(format!("{name}.png"))).expect("a picture");
        assert!(picture.starts_with(b"\x89PNG\r\n\x1a\n"), "{name}");
    }
}

/// Base64 with its usual alphabet.
fn decoded(text: &str) -> Vec<u8> {
    let value = |c: u8| match c {
        b'A'..=b'Z' => u32::from(c - b'A'),
        b'a'..=b'z' => u32::from(c - b'a') + 26,
        b'0'..=b'9' => u32::from(c - b'0') + 52,
        b'+' => 62,
        b'/' => 63,
        _ => 0,
    };
    let quads = text.as_bytes().chunks(4).map(|quad| {
        let number = quad.iter().fold(0u32, |number, c| number << 6 | value(*c));
        let padding = quad.iter().filter(|c| **c == b'=').count();
        number.to_be_bytes()[1..4 - padding].to_vec()
    });
    quads.flatten().collect()
}

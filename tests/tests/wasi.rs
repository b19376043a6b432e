//! What programs may expect of WASI p1: the cases of `guest/commands/wasi.c`, each a task, compared with the table in
//! `guest/commands/WASI.md`, so that the table can't differ from what happens.

use std::os::unix::fs::symlink;

use serde_json::Value;
use taskcell_tests::{if_built, repository, taskcell};

/// One row of the table.
#[derive(Debug, PartialEq, Eq, Clone)]
struct Row {
    case: String,
    expected: String,
    holds: bool,
    /// Why not.
    why: String,
}

impl std::fmt::Display for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { case, expected, holds, why } = self;
        write!(f, "| `{case}` | {expected} | {} | {why} |", if *holds { "yes" } else { "no" })
    }
}

fn table() -> Vec<Row> {
    let page = std::fs::read_to_string(repository().join("guest/commands/WASI.md")).expect("the page is there");
    let rows = page.lines().filter(|line| line.starts_with("| `"));
    rows.map(|line| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [_, case, expected, holds, why, _] = cells.as_slice() else { panic!("a row has four cells: {line}") };
        assert!(["yes", "no"].contains(holds), "{line}");
        Row { case: case.trim_matches('`').into(), expected: (*expected).into(), holds: *holds == "yes", why: (*why).into() }
    })
    .collect()
}

#[test]
fn the_table_says_what_happens() {
    let Some(program) = if_built("command-wasi", "guest/commands/build wasi") else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let (data, read_only) = (folder.path().join("data"), folder.path().join("ro"));
    std::fs::create_dir(&data).expect("a folder");
    std::fs::create_dir(&read_only).expect("a folder");
    std::fs::write(read_only.join("file"), "read me\n").expect("a file");
    std::fs::write(folder.path().join("secret"), "secret\n").expect("a file");
    for (to, link) in [("../secret", "out"), ("/etc/passwd", "absolute"), ("..", "above")] {
        symlink(to, data.join(link)).expect("a link");
    }

    let listed = taskcell!().arg("run").arg(&program).run().well();
    let cases: Vec<(&str, &str)> =
        listed.lines().iter().map(|line| line.split_once('\t').expect("a case and what it expects")).collect();
    assert!(cases.len() > 50, "{cases:?}");
    let names: Vec<&str> = cases.iter().map(|(name, _)| *name).collect();
    let ended = taskcell!()
        .args(["map", "--records", "--stdin", "--env", "A=b=c", "--env", "EMPTY="])
        .args(["--dir", &format!("{}::/data", data.display()), "--dir", &format!("{}::/ro:ro", read_only.display())])
        .arg("--command")
        .arg(&program)
        .args(["--", "{}", "a b", "", "\u{e9}"])
        .stdin(names.join("\n"))
        .run();
    assert_eq!(ended.lines().len(), cases.len(), "{}", ended.stderr);

    let table = table();
    let mut found = Vec::new();
    let mut complaints = Vec::new();
    for ((case, expected), line) in cases.iter().zip(ended.lines()) {
        let record: Value = serde_json::from_str(line).expect("a record is one JSON object");
        let code = record["code"].as_i64();
        assert_ne!(code, Some(64), "{case} is listed and not known");
        let why = table.iter().find(|row| row.case == *case).map(|row| row.why.clone()).unwrap_or_default();
        found.push(Row { case: (*case).into(), expected: (*expected).into(), holds: code == Some(0), why });
        if code != Some(0) {
            complaints.push(format!("{case}: {} {}", record["error"]["message"], record["stderr"]));
        }
    }
    let rows: Vec<String> = found.iter().map(Row::to_string).collect();
    assert!(
        found == table,
        "the table in guest/commands/WASI.md should be:\n{}\nwhat does not hold:\n{}",
        rows.join("\n"),
        complaints.join("\n")
    );
    for row in &table {
        assert_eq!(row.holds, row.why.is_empty(), "what does not hold has a reason, and nothing else does: {row}");
    }
    // Whatever the cases tried, the walls stood.
    assert_eq!(std::fs::read_to_string(folder.path().join("secret")).ok().as_deref(), Some("secret\n"));
    assert_eq!(std::fs::read_to_string(read_only.join("file")).ok().as_deref(), Some("read me\n"));
    let mut beside: Vec<_> =
        std::fs::read_dir(folder.path()).expect("it is there").filter_map(|entry| Some(entry.ok()?.file_name())).collect();
    beside.sort();
    assert_eq!(beside, ["data", "ro", "secret"]);
}

//! Guests that take all they can get of what tasks share: each is refused by name, the supervisor stays as small as its limits say, and
//! another job of the same user is answered meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use taskcell_tests::process::resident;
use taskcell_tests::{built, taskcell, wat};

const MIB: u64 = 1 << 20;

/// Runs `greedy` for one thing; gives how much it got and what it was told. The supervisor may take so much memory.
fn take(what: &str, most: u64) -> (u64, String) {
    let mut largest = 0;
    let running = taskcell!().arg("run").arg(built("greedy")).args(["--", what]).start();
    let ended = running.end_watched(|pid| largest = largest.max(resident(pid).unwrap_or(0)));
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{what}: {ended:#?}");
    assert!(largest < most, "{what}: the supervisor took {} MiB", largest / MIB);
    let line = ended.stdout.trim_end();
    let told = line.strip_prefix(what).and_then(|rest| rest.trim_start().split_once(": "));
    let (count, why) = told.unwrap_or_else(|| panic!("{what}: {line}"));
    (count.parse().unwrap_or_else(|_| panic!("{what}: {line}")), why.to_owned())
}

#[test]
fn a_queue_has_an_end() {
    let (tens_of_thousands, why) = take("messages", 600 * MIB);
    assert_eq!(tens_of_thousands, 100, "a million messages: {why}");
    let (mebibytes, why) = take("bytes", 600 * MIB);
    assert_eq!(mebibytes, 256, "256 MiB: {why}");
    let (doublings, why) = take("a-long-message", 200 * MIB);
    assert_eq!(doublings, 5, "16 MiB and no longer: {why}");
    assert!(why.contains("limit"), "{why}");
}

#[test]
fn a_map_has_an_end() {
    let (tens_of_thousands, why) = take("keys", 800 * MIB);
    assert_eq!(tens_of_thousands, 100, "a million keys: {why}");
    assert!(why.contains("limit"), "{why}");
    let (mebibytes, why) = take("values", 600 * MIB);
    assert!((250..=256).contains(&mebibytes), "256 MiB with their keys: {mebibytes}: {why}");
    assert!(why.contains("limit"), "{why}");
}

#[test]
fn handles_and_pools_have_an_end() {
    for (what, least, most) in [("handles", 1000, 1024), ("pipes", 500, 512), ("pools", 60, 64)] {
        let (count, why) = take(what, 200 * MIB);
        assert!((least..=most).contains(&count), "{what}: {count}: {why}");
        assert!(why.contains("limit"), "{what}: {why}");
    }
}

#[test]
fn processes_have_an_end_in_number_and_in_depth() {
    let (count, why) = take("processes", 300 * MIB);
    assert!((200..=256).contains(&count), "{count}: {why}");
    assert!(why.contains("limit"), "{why}");
    let (depth, why) = take("depth", 200 * MIB);
    assert!((10..=16).contains(&depth), "{depth}: {why}");
    assert!(why.contains("limit"), "{why}");
}

#[test]
fn a_fork_bomb_goes_out_and_others_are_answered_meanwhile() {
    let over = Arc::new(AtomicBool::new(false));
    let ended = Arc::clone(&over);
    let bomb = std::thread::spawn(move || {
        let bomb = taskcell!().args(["run", "--timeout", "20s"]).arg(built("greedy")).args(["--", "fork-bomb"]).run();
        ended.store(true, Ordering::SeqCst);
        bomb
    });
    let mut answered = 0;
    while !over.load(Ordering::SeqCst) || answered == 0 {
        let probe = taskcell!().args(["map"]).arg(wat("numbers")).args(["echo", "7"]).run();
        assert_eq!((probe.code, probe.stdout.as_str()), (Some(0), "7\n"), "{probe:#?}");
        answered += 1;
    }
    let bomb = bomb.join().expect("the bomb's thread");
    assert_eq!(bomb.code, Some(0), "{bomb:#?}");
}

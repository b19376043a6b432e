//! Leaves marks and looks for them: what a task can see of the program, of the tasks before it, and of the machine.
//!
//! A task that looks tells what it found, which should be nothing; the program finds the same things where it may.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::io::{BufRead, Read, Write, stdin, stdout};
use std::sync::atomic::{AtomicU64, Ordering};

use taskcell_guest::{Pool, Process, Queue, Result, SharedMap, TaskError, task};

/// Survives the task in an instance that is used again.
static PLANTED: AtomicU64 = AtomicU64::new(0);

/// Where a file of the machine's own would be.
const PATHS: [&str; 8] =
    ["/", ".", "/proc/self/environ", "/proc/self/fd/0", "/proc/self/fd/3", "/proc/1/environ", "/etc/passwd", "/tmp"];

/// Leaves a mark in memory and in objects of its own, and half a line.
#[task]
fn plant(number: u64) -> Result<u64> {
    PLANTED.store(number, Ordering::Relaxed);
    std::mem::forget(vec![0xca_u8; 4 << 20]);
    let (queue, map) = (Queue::<u64>::new()?, SharedMap::<String, u64>::new()?);
    queue.try_put(&number)?;
    map.set("canary", &number)?;
    print!("canary {number}");
    let _ = stdout().flush();
    Ok(number)
}

/// What it finds.
#[task]
fn look() -> Vec<String> {
    let mut found = Vec::new();
    if PLANTED.load(Ordering::Relaxed) != 0 {
        found.push("memory".to_owned());
    }
    found.extend(std::env::args().map(|argument| format!("argument {argument}")));
    found.extend(std::env::vars().map(|(name, _)| format!("variable {name}")));
    let mut input = Vec::new();
    if stdin().read_to_end(&mut input).is_ok() && !input.is_empty() {
        found.push(format!("{} bytes of input", input.len()));
    }
    for path in PATHS {
        if std::fs::read(path).is_ok() || std::fs::read_dir(path).is_ok() {
            found.push(format!("file {path}"));
        }
    }
    found
}

/// What it finds of the last one like it, and a mark for the next.
#[task]
fn plant_and_look(number: u64) -> Vec<String> {
    let found = look();
    PLANTED.store(number, Ordering::Relaxed);
    found
}

/// A number that nobody can know who has another instance's.
#[task]
fn seed(_: u64) -> u64 {
    RandomState::new().build_hasher().finish()
}

#[taskcell_guest::main]
fn main() -> Result<(), TaskError> {
    let mut first = String::new();
    let _ = stdin().lock().read_line(&mut first);
    // One worker, so that all tasks run in one process.
    let pool = Pool::with_workers(1)?;
    for number in 1..=5 {
        let planted: u64 = pool.submit("plant", (number,))?.result()?;
        println!();
        let found: Vec<String> = pool.submit("look", ())?.result()?;
        println!("after {planted}: {found:?}");
    }
    let found: Vec<String> = Process::spawn("look", ())?.join()?;
    println!("a process: {found:?}");
    let mut rest = String::new();
    let _ = stdin().read_to_string(&mut rest);
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    println!("the program: {:?} {:?} {arguments:?}", first.trim_end(), rest.trim_end());
    Ok(())
}

//! Each mechanism shown from inside and outside, on real child processes.
//!
//! A sandbox that is only tested from outside, or on a thread of the test itself, is not tested: so the cases start this very
//! binary as a worker through [`taskcell_sandbox::spawn()`], let it lock itself up, and have it try what it must not be able to
//! do. Hence the main of its own: it first looks whether it is such a child.

#![expect(unsafe_code, reason = "makes forbidden system calls by number")]
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test: it stops at the first surprise and prints")]
#![allow(clippy::exit, reason = "children of the test end there")]

mod acts;
mod cases;
mod child;
mod forbidden;
mod forking;
mod memory;
mod middle;
mod refusals;
mod startup;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::atomic::Ordering;

use taskcell_sandbox::Role;

type Case = (&'static str, fn());

fn main() -> ExitCode {
    if let Some(role) = Role::of_this_process() {
        acts::main(role);
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [word, what] = arguments.as_slice()
        && word == middle::WORD
    {
        middle::main(what);
    }
    let cases: Vec<Case> =
        [cases::CASES, forbidden::CASES, forking::CASES, memory::CASES, middle::CASES, refusals::CASES, startup::CASES].concat();
    if arguments.iter().any(|argument| argument == "--list") {
        for (name, _) in cases {
            println!("{name}: test");
        }
        return ExitCode::SUCCESS;
    }
    run(&cases, &arguments)
}

fn run(cases: &[Case], arguments: &[String]) -> ExitCode {
    let mut wanted = arguments.iter().filter(|argument| !argument.starts_with('-')).peekable();
    let all = wanted.peek().is_none();
    let wanted: Vec<&String> = wanted.collect();
    let (mut passed, mut failed) = (0, 0);
    for (name, case) in cases {
        if !all && !wanted.iter().any(|word| name.contains(word.as_str())) {
            continue;
        }
        // Once with workers that are executed, once with workers that are forked.
        for (forked, how) in [(false, ""), (true, " (forked)")] {
            child::FORKED.store(forked, Ordering::Relaxed);
            let ok = catch_unwind(AssertUnwindSafe(case)).is_ok();
            println!("test {name}{how} ... {}", if ok { "ok" } else { "FAILED" });
            if ok {
                passed += 1;
            } else {
                failed += 1;
            }
        }
    }
    let verdict = if failed == 0 { "ok" } else { "FAILED" };
    println!("\ntest result: {verdict}. {passed} passed; {failed} failed; 0 ignored; 0 measured");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

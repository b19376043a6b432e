//! After an escape: what native code in a worker can do to the supervisor and to others' tasks. It should be nothing.
//!
//! A guest that broke out of wasm owns its worker process. Nobody can write a test with such a fault in hand, so this program's
//! workers are *doubles*: the supervisor starts its workers by executing the running program again, which is this one, and so
//! [`double`] plays them. A double locks itself up exactly as a worker does, speaks the protocol honestly, and at a given task does
//! what an attacker would: it makes a forbidden system call, or lies. The supervisor is the real one, and so is the compile child.
//!
//! | file | what it holds |
//! |---|---|
//! | `double` | the worker that can misbehave |
//! | `calls`, `acts` | what it does to the system |
//! | `lies`, `early` | what it tells the supervisor, after ready and before |
//! | `broker_calls` | what it asks of the broker, as no guest could |
//! | `stage` | pools of doubles, and how a map that has a liar in it must end |
//! | `escaped`, `liars`, `callers`, `unconfined`, `floods`, `endings`, `audited` | the cases |
//! | `leftovers` | that nothing stays behind after all of them |

#![expect(unsafe_code, reason = "doubles make system calls by number, as an attacker would")]
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test: it stops at the first surprise and prints")]

mod acts;
mod audited;
mod broker_calls;
mod callers;
mod calls;
mod double;
mod early;
mod endings;
mod escaped;
mod floods;
mod leftovers;
mod liars;
mod lies;
mod stage;
mod unconfined;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use taskcell_sandbox::Role;

/// A case's name, and what it does.
type Case = (String, Box<dyn Fn()>);

/// No case takes longer unless something hangs; then the run ends and says where.
const PATIENCE: Duration = Duration::from_secs(180);

/// Panics in threads of the supervisor's own. Nothing that a worker does may cause one.
static PANICS: AtomicU64 = AtomicU64::new(0);

/// How many cases have begun.
static BEGUN: AtomicU64 = AtomicU64::new(0);

fn main() -> ExitCode {
    match Role::of_this_process() {
        Some(Role::Worker) => double::main(),
        Some(Role::Compiler | Role::Zygote) => return ExitCode::from(u8::from(taskcell_worker::serve() != Some(0))),
        None => {}
    }
    let cases: Vec<Case> = [
        escaped::cases(),
        unconfined::cases(),
        liars::cases(),
        callers::cases(),
        floods::cases(),
        endings::cases(),
        audited::cases(),
    ]
    .into_iter()
    .flatten()
    .collect();
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words.iter().any(|word| word == "--list") {
        cases.iter().for_each(|(name, _)| println!("{name}: test"));
        return ExitCode::SUCCESS;
    }
    count_panics_of_the_supervisor();
    watch_for_hanging();
    run(&cases, &words)
}

fn run(cases: &[Case], words: &[String]) -> ExitCode {
    let wanted: Vec<&String> = words.iter().filter(|word| !word.starts_with('-')).collect();
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|word| name.contains(word.as_str()));
    // What the first pool starts stays for the life of the process: it belongs to what was there before.
    stage::probe(&stage::honest());
    let before = leftovers::Before::look();
    let (mut passed, mut failed) = (0, 0);
    let mut count = |name: &str, case: &dyn Fn()| {
        BEGUN.fetch_add(1, Ordering::SeqCst);
        let ok = catch_unwind(AssertUnwindSafe(case)).is_ok();
        println!("test {name} ... {}", if ok { "ok" } else { "FAILED" });
        *(if ok { &mut passed } else { &mut failed }) += 1;
    };
    for (name, case) in cases.iter().filter(|(name, _)| is_wanted(name)) {
        count(name, &|| {
            case();
            assert_eq!(PANICS.load(Ordering::SeqCst), 0, "a thread of the supervisor panicked");
        });
    }
    count("nothing_is_left_behind", &|| before.assert_nothing_is_left());
    // As cargo's own harness says it, for who counts over all suites; then for people.
    let verdict = if failed == 0 { "ok" } else { "FAILED" };
    println!("\ntest result: {verdict}. {passed} passed; {failed} failed; 0 ignored; 0 measured");
    println!("{passed} passed, {failed} failed");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn count_panics_of_the_supervisor() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if std::thread::current().name().is_some_and(|name| name.starts_with("taskcell-")) {
            PANICS.fetch_add(1, Ordering::SeqCst);
        }
        usual(panic);
    }));
}

fn watch_for_hanging() {
    std::thread::spawn(|| {
        let mut seen = 0;
        loop {
            std::thread::sleep(PATIENCE);
            let begun = BEGUN.load(Ordering::SeqCst);
            if begun == seen {
                println!("case {begun} takes longer than {PATIENCE:?}");
                leave(1);
            }
            seen = begun;
        }
    });
}

#[expect(clippy::exit, reason = "the process is a double, or hangs")]
fn leave(code: i32) -> ! {
    std::process::exit(code)
}

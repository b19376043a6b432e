//! What the primitives promise, tried out: a line for each promise that holds, and an exit code of 1 if one does not.
//!
//! It is also a place to look up how a function of the library is called.

mod long;
mod map;
mod pipes;
mod pools;
mod processes;
mod queues;
mod streams;
mod syncing;

use std::process::ExitCode;
use std::time::Duration;

use taskcell_guest::{Error, Result};

/// Long enough for anything that is to happen, and a failure if it does not.
const LONG: Duration = Duration::from_secs(10);
/// Long enough to see that nothing happens.
const SHORT: Duration = Duration::from_millis(20);
/// Long enough to do something before it is over, on a busy machine too.
const WHILE: Duration = Duration::from_millis(300);

type Promise = (&'static str, fn() -> Result);

#[taskcell_guest::main]
fn main() -> ExitCode {
    let only = std::env::args().nth(1).unwrap_or_default();
    let mut broken = 0;
    for promises in [
        queues::PROMISES,
        pipes::PROMISES,
        map::PROMISES,
        syncing::PROMISES,
        processes::PROMISES,
        pools::PROMISES,
        long::PROMISES,
        streams::PROMISES,
    ] {
        for (promise, holds) in promises.iter().filter(|(promise, _)| promise.contains(&only)) {
            match holds() {
                Ok(()) => println!("ok: {promise}"),
                Err(error) => {
                    println!("BROKEN: {promise}: {error}");
                    broken += 1;
                }
            }
        }
    }
    if broken == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Fails unless it is so.
fn expect<T: PartialEq + std::fmt::Debug>(what: &str, found: T, expected: T) -> Result {
    if found == expected { Ok(()) } else { Err(Error::Other(format!("{what}: expected {expected:?}, found {found:?}"))) }
}

/// Fails unless it fails in this way; texts are for people, and not compared.
fn expect_error<T: std::fmt::Debug>(what: &str, found: Result<T>, expected: &Error) -> Result {
    match found {
        Err(error) if std::mem::discriminant(&error) == std::mem::discriminant(expected) => Ok(()),
        other => Err(Error::Other(format!("{what}: expected {expected:?}, found {other:?}"))),
    }
}

//! Processes: ends, limits, stopping, who am I.

use std::thread::sleep;
use std::time::Duration;

use taskcell_guest::task::{current, is_cancelled, progress};
use taskcell_guest::{Bytes, Error, Event, Process, Queue, Result, State, TaskError, info, task, wait_any_timeout};

use crate::{LONG, Promise, SHORT, expect, expect_error};

pub(crate) const PROMISES: &[Promise] = &[
    ("process: arguments and results keep their types", values),
    ("process: a failure has a value", failing),
    ("process: a trap is told", trapping),
    ("process: a time limit is kept", timeouts),
    ("process: a memory limit is kept", memory),
    ("process: one that is asked to stop can end by itself", stopping),
    ("process: one that waits is answered when it is asked to stop", stopping_a_wait),
    ("process: one that does not stop is killed", killing),
    ("process: what does not fit is refused before it starts", refused),
    ("process: it knows who it is", identity),
    ("process: a wait that can't end is told", deadlock),
    ("process: its end is something to wait for", ended),
];

#[task]
fn echo_all(
    number: i64,
    text: String,
    bytes: Bytes,
    list: Vec<f64>,
    maybe: Option<(u8, char)>,
) -> (i64, String, Vec<f64>, Option<(u8, char)>) {
    let text = format!("{text} {}", bytes.len());
    (number, text, list, maybe)
}

#[task]
fn echo_bytes(bytes: Bytes) -> Result<Bytes> {
    if bytes.is_empty() { Err(Error::Invalid("no bytes".to_owned())) } else { Ok(bytes) }
}

#[task]
fn echo_text(text: String) -> String {
    text
}

type All = (i64, String, Vec<f64>, Option<(u8, char)>);

fn values() -> Result {
    let arguments = (i64::MIN, "Zoë \"\n", Bytes::from(b"\x00\xff"), [0.1, -0.0, 1e300], Some((255_u8, 'ë')));
    let process = Process::spawn("echo-all", arguments)?;
    let all = (i64::MIN, "Zoë \"\n 2".to_owned(), vec![0.1, -0.0, 1e300], Some((255, 'ë')));
    expect("all", process.join::<All>()?, all)?;
    let bytes = Bytes((0..=u8::MAX).collect());
    expect("bytes", Process::spawn("echo-bytes", (&bytes,))?.join::<Bytes>()?, bytes)?;
    expect("text", Process::spawn("echo-text", ("a\tb",))?.join::<String>()?, "a\tb".to_owned())
}

fn failing() -> Result {
    let process = Process::spawn("echo-bytes", (Bytes::default(),))?;
    for _ in 0..2 {
        let error = process.join::<Bytes>().err();
        expect("failure", error.and_then(|error| error.failure()), Some("no bytes".to_owned()))?;
    }
    expect("state", process.state(), State::Ended)
}

#[task]
fn trap() {
    panic!("on purpose");
}

fn trapping() -> Result {
    let end = Process::spawn("trap", ())?.join::<()>();
    expect("trapped", matches!(end, Err(TaskError::Trapped(_))), true)
}

#[task]
fn spin() {
    while std::hint::black_box(true) {}
}

fn timeouts() -> Result {
    let end = Process::builder("spin").timeout(Duration::from_millis(50)).spawn(())?.join::<()>();
    expect("end", end, Err(TaskError::TimedOut))
}

#[task]
fn fill_memory() -> u64 {
    let mut kept = Vec::new();
    while kept.len() < 64 {
        kept.push(std::hint::black_box(vec![1_u8; 1 << 20]));
    }
    kept.len() as u64
}

fn memory() -> Result {
    expect("enough", Process::spawn("fill-memory", ())?.join::<u64>()?, 64)?;
    let end = Process::builder("fill-memory").memory(16 << 20).spawn(())?.join::<u64>();
    expect("too little", matches!(end, Err(TaskError::OverLimit(_) | TaskError::Trapped(_))), true)
}

#[task]
fn work_until_cancelled(started: Event) -> u32 {
    started.set();
    let mut rounds = 1;
    while !is_cancelled() {
        progress(rounds.into(), None, "round");
        sleep(Duration::from_millis(1));
        rounds += 1;
    }
    info!("stopped after {rounds} rounds");
    rounds
}

fn stopping() -> Result {
    let started = Event::new()?;
    let process = Process::builder("work-until-cancelled").name("worker").spawn((&started,))?;
    started.wait_timeout(LONG)?;
    expect("name", (process.name().as_str(), process.is_alive()), ("worker", true))?;
    expect_error("busy", process.join_timeout::<u32>(SHORT).map_err(Error::from), &Error::TimedOut)?;
    process.terminate(LONG);
    let rounds = process.join_timeout::<u32>(LONG)?;
    expect("rounds", rounds > 0, true)
}

#[task]
fn wait_for_ever(queue: Queue<u32>) -> String {
    format!("{:?}", queue.get())
}

fn stopping_a_wait() -> Result {
    let queue = Queue::<u32>::new()?;
    let process = Process::spawn("wait-for-ever", (&queue,))?;
    while !matches!(process.state(), State::Waiting(_)) {
        sleep(Duration::from_millis(1));
    }
    process.terminate(LONG);
    expect("answer", process.join_timeout::<String>(LONG)?, "Err(Cancelled)".to_owned())
}

fn killing() -> Result {
    let process = Process::spawn("spin", ())?;
    expect("pid", process.started()?.is_some(), true)?;
    process.terminate(SHORT);
    let end = process.join_timeout::<()>(LONG);
    expect("asked", matches!(end, Err(TaskError::Cancelled | TaskError::Lost(_))), true)?;
    let process = Process::spawn("spin", ())?;
    process.kill();
    let end = process.join_timeout::<()>(LONG);
    expect("killed", matches!(end, Err(TaskError::Cancelled | TaskError::Lost(_))), true)
}

fn refused() -> Result {
    let invalid = Error::Invalid(String::new());
    expect_error("too few", Process::spawn("echo-text", ()).map(drop), &invalid)?;
    expect_error("too many", Process::spawn("echo-text", ("a", "b")).map(drop), &invalid)?;
    expect_error("type", Process::spawn("echo-text", (1,)).map(drop), &invalid)?;
    expect_error("a value for a handle", Process::spawn("wait-for-ever", (1,)).map(drop), &invalid)?;
    expect_error("another handle", Process::spawn("wait-for-ever", (&Event::new()?,)).map(drop), &invalid)?;
    expect_error("name", Process::spawn("echo-txt", ("a",)).map(drop), &Error::NotFound(String::new()))
}

#[task]
fn who() -> (u64, u32, String, Option<u64>) {
    let me = current();
    (me.id, me.attempt, me.name, me.parent)
}

fn identity() -> Result {
    let process = Process::builder("who").name("somebody").spawn(())?;
    let who: (u64, u32, String, Option<u64>) = process.join()?;
    expect("who", who, (process.id(), 1, "somebody".to_owned(), Some(current().id)))
}

fn deadlock() -> Result {
    // Nobody else has a handle: no message can ever come.
    let queue = Queue::<u32>::new()?;
    expect_error("alone", queue.get(), &Error::Deadlock(String::new()))
}

fn ended() -> Result {
    let (quick, slow) = (Process::spawn("echo-text", ("a",))?, Process::spawn("spin", ())?);
    let ready = wait_any_timeout(&[slow.ended(), quick.ended()], LONG)?;
    slow.kill();
    expect("quick", ready, vec![1])
}

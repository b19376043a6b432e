//! A double that sends as fast as it can: the supervisor's memory, its time and others' tasks must not suffer.

use std::num::NonZeroU32;
use std::os::fd::{AsFd, AsRawFd as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use taskcell::{Limits, Pool, TaskError, TrapKind, WorkerStart};
use taskcell_wire::limits::EXPLANATION_BYTES;
use taskcell_wire::{Outcome, OutcomeWriter};

use crate::Case;
use crate::broker_calls::{ASKS, UNREAD};
use crate::double::{ANSWER, ASK, Double, FLOOD, Place, results};
use crate::lies::{Then, printed};
use crate::stage::{PATIENCE, assert_lost, builder, compile, order, probe, ready};

const MIB: u64 = 1 << 20;

pub(crate) fn cases() -> Vec<Case> {
    vec![
        ("a_flood_of_printing_costs_no_memory".into(), Box::new(a_flood_costs_no_memory)),
        ("a_flood_of_printing_ends_at_the_limit".into(), Box::new(a_flood_ends_at_the_limit)),
        ("explanations_are_short".into(), Box::new(explanations_are_short)),
        ("a_result_over_the_limit_is_refused".into(), Box::new(a_result_over_the_limit_is_refused)),
        ("calls_without_reading_cost_no_memory".into(), Box::new(calls_without_reading_cost_no_memory)),
        ("bytes_out_of_band_keep_no_processor_busy".into(), Box::new(out_of_band_bytes_keep_no_processor_busy)),
        ("a_worker_reaches_no_terminal".into(), Box::new(a_worker_reaches_no_terminal)),
    ]
}

/// What the doubles of these cases do.
type Flood = (&'static str, fn(&Double, &Place) -> Then);

const FLOODS: &[Flood] = &[
    ("printing for ever", |double, at| {
        loop {
            double.send(&printed(at.chunk, at.place, &[b'x'; 64 << 10]));
        }
    }),
    ("64 MiB of printing", |double, at| {
        let message = printed(at.chunk, at.place, &[b'x'; 64 << 10]);
        (0..1024).for_each(|_| double.send(&message));
        Then::Answer(ANSWER)
    }),
    ("a byte out of band and silence", |double, _| {
        // SAFETY: sends one byte of our own.
        unsafe { libc::send(double.socket.as_raw_fd(), c"!".as_ptr().cast(), 1, libc::MSG_OOB | libc::MSG_NOSIGNAL) };
        Then::Stay
    }),
    ("an explanation of a mebibyte", |double, at| {
        let mut outcomes = OutcomeWriter::default();
        outcomes.push(0, &Outcome::Trapped { kind: TrapKind::Other, text: &"x".repeat(1 << 20) });
        double.send(&results(at.chunk, at.place, &outcomes));
        Then::Answered
    }),
    ("a result of 64 KiB", |double, at| {
        let mut outcomes = OutcomeWriter::default();
        outcomes.push(0, &Outcome::Ok(format!("\"{}\"", "x".repeat(64 << 10)).as_bytes()));
        double.send(&results(at.chunk, at.place, &outcomes));
        Then::Answered
    }),
    ("a line for the terminal", |_, _| {
        // SAFETY: writes from a buffer of this length.
        unsafe { libc::write(libc::STDERR_FILENO, c"\x1b[31mforged".as_ptr().cast(), 11) };
        Then::Answer(ANSWER)
    }),
    ("what is typed", |_, _| {
        let mut bytes = [0_u8; 16];
        // SAFETY: receives into a buffer of this length; it does not wait, and a descriptor that is no socket is an error.
        let read = unsafe { libc::recv(libc::STDERR_FILENO, bytes.as_mut_ptr().cast(), bytes.len(), libc::MSG_DONTWAIT) };
        Then::Answer(u64::try_from(read).unwrap_or(0))
    }),
];

/// In a double: does it.
pub(crate) fn play(double: &Double, index: usize, at: &Place) -> Then {
    let (_, play) = FLOODS[index];
    play(double, at)
}

fn flood(name: &str) -> u32 {
    FLOOD + u32::try_from(FLOODS.iter().position(|(flood, _)| *flood == name).unwrap()).unwrap()
}

fn a_flood_costs_no_memory() {
    let pool = ready(builder().timeout(Some(Duration::from_secs(3))).on_printed(|_| {}));
    let before = resident();
    let mut flood = pool.submit::<u64>("fib", &flood("printing for ever")).unwrap();
    // The other worker answers meanwhile.
    while flood.wait(Some(Duration::from_millis(100))).is_none() {
        probe(&pool);
        let grown = resident().saturating_sub(before);
        assert!(grown < 64 * MIB, "the supervisor grew by {} MiB", grown / MIB);
    }
    let ended = flood.wait(Some(Duration::ZERO));
    let limit = |text: &str| text.contains("it sent more than its limits allow");
    assert!(matches!(&ended, Some(Err(TaskError::Lost { text })) if limit(text)), "{ended:?}");
    probe(&pool);
}

/// A worker cuts what its guest prints. One that a guest has taken over does not, so the supervisor has to.
fn a_flood_ends_at_the_limit() {
    let seen = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&seen);
    let pool = ready(builder().on_printed(move |printed| {
        count.fetch_add(u64::try_from(printed.bytes.len()).unwrap(), Ordering::Relaxed);
    }));
    // Cut or killed: either keeps the limit.
    let _either = order(&pool, flood("64 MiB of printing"));
    probe(&pool);
    let (seen, most) = (seen.load(Ordering::Relaxed), Limits::default().log_bytes);
    assert!(seen <= most + MIB / 4, "{} MiB were printed by one task; the limit is {} MiB", seen / MIB, most / MIB);
}

fn explanations_are_short() {
    let pool = ready(builder());
    let outcome = order(&pool, flood("an explanation of a mebibyte"));
    let length = outcome.unwrap_err().to_string().len();
    assert!(length <= 2 * EXPLANATION_BYTES, "an explanation has {length} bytes; the most is {EXPLANATION_BYTES}");
    probe(&pool);
}

fn a_result_over_the_limit_is_refused() {
    let limits = Limits { result_bytes: 1024, ..Limits::default() };
    let pool = Pool::builder(&compile(limits)).workers(NonZeroU32::MIN).worker_start(WorkerStart::Exec).build().unwrap();
    let mut future = pool.submit::<String>("fib", &flood("a result of 64 KiB")).unwrap();
    let outcome = future.wait(Some(PATIENCE)).unwrap();
    assert!(outcome.is_err(), "a result of {} bytes was taken; the limit is 1024", outcome.map_or(0, |text| text.len()));
    probe(&pool);
}

/// Each call of some 12 bytes has an answer of 3 MiB.
fn calls_without_reading_cost_no_memory() {
    let pool = ready(builder());
    let at = ASKS.iter().position(|(name, ..)| *name == UNREAD).unwrap();
    let before = resident();
    let mut flood = pool.submit::<u64>("fib", &(ASK + u32::try_from(at).unwrap())).unwrap();
    let mut most = 0;
    let ended = loop {
        most = most.max(resident().saturating_sub(before));
        if let Some(ended) = flood.wait(Some(Duration::from_millis(1))) {
            break ended;
        }
    };
    assert!(most < 64 * MIB, "the supervisor grew by {} MiB", most / MIB);
    assert_lost(&ended, "it spoke out of turn");
    probe(&pool);
}

fn out_of_band_bytes_keep_no_processor_busy() {
    let pool = ready(builder().timeout(Some(Duration::from_secs(2))));
    let before = processor_time();
    let outcome = order(&pool, flood("a byte out of band and silence"));
    let used = processor_time() - before;
    assert_ne!(outcome, Ok(ANSWER));
    assert!(used < Duration::from_secs(1), "the supervisor was busy for {used:?} with a worker that said nothing");
    probe(&pool);
}

/// Standard error of the supervisor is often a terminal. A worker that has it can move the cursor, and read what is typed.
fn a_worker_reaches_no_terminal() {
    let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    let kept = rustix::io::fcntl_dupfd_cloexec(std::io::stderr(), 3).unwrap();
    let pool = {
        replace_stderr(&theirs);
        let pool = builder().build().unwrap();
        let ready = pool.wait_ready(2, PATIENCE);
        replace_stderr(&kept);
        ready.unwrap();
        pool
    };
    drop(theirs);
    // Fails when no worker holds the other end, which is as it should be.
    let _ = std::io::Write::write_all(&mut &ours, b"secret");
    let answers = [order(&pool, flood("a line for the terminal")), order(&pool, flood("what is typed"))];
    let mut bytes = [0; 64];
    let read = std::io::Read::read(&mut &ours, &mut bytes).unwrap_or(0);
    let written = String::from_utf8_lossy(&bytes[..read]);
    assert_eq!((written.as_ref(), &answers[1]), ("", &Ok(0)), "a worker wrote to the terminal, or read from it");
}

fn replace_stderr(with: &impl AsFd) {
    // SAFETY: nobody owns descriptor 2 by value; what is written to it meanwhile goes to the replacement.
    let outcome = unsafe { libc::dup2(with.as_fd().as_raw_fd(), libc::STDERR_FILENO) };
    assert_eq!(outcome, libc::STDERR_FILENO);
}

/// Memory of this process that is in RAM, in bytes.
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split_ascii_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

/// Processor time that this process has used.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap(), u32::try_from(time.tv_nsec).unwrap())
}

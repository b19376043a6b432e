//! What a double tells the supervisor that is not so.

use std::net::Shutdown;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::sync::atomic::Ordering;

use rustix::io::Errno;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use taskcell_wire::from_worker::BootFailure;
use taskcell_wire::{ChunkId, FromWorker, LayerReport, Outcome, OutcomeWriter, PROTOCOL_VERSION, Ready, Stream, TrapKind};
use taskcell_worker::page;
use taskcell_worker::words::{CALL, CALL_BYTES, CLAIMED, LISTENING};

use crate::double::{ANSWER, Double, Place, frame, results};
use crate::leave;

/// What the double does after its lie.
pub(crate) enum Then {
    /// It answers the task.
    Answer(u64),
    /// The lie answered it.
    Answered,
    /// It lives on, and says nothing more.
    Stay,
}

/// How the liar's task must end. All other tasks must end right, whatever it is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum End {
    /// Lost, and the text has this in it.
    Lost(&'static str),
    /// Answered; the one after it is lost, and the text has this in it.
    NextLost(&'static str),
    /// Lost in the end. What the worker said of what it ran was useless, so the task may have cost more than one worker.
    LostAtLast(&'static str),
    /// Over its time.
    TimedOut,
    /// Answered: the lie does nothing.
    Answered,
    /// Answered, or lost with its worker.
    Harmless,
}

const FOREIGN: End = End::Lost("it answered for a chunk that it was not running");
const ORDER: End = End::Lost("its answers were out of order");
const TURN: End = End::Lost("it spoke out of turn");
const NO_MESSAGE: End = End::Lost("it sent bytes that are no message");
const BAD_RESULT: End = End::Lost("it sent a result that is not one line of JSON");

/// By name, since another case needs it.
pub(crate) const A_THOUSAND_DESCRIPTORS: &str = "a thousand descriptors";

/// By name, as the one before.
pub(crate) const CLOSED: &str = "a closed socket, and it lives on";

type Lie = (&'static str, End, fn(&mut Double, &Place) -> Then);

fn noise(double: &Double, words: std::ops::Range<usize>) {
    words.for_each(|word| double.page.word(word).store(u64::MAX, Ordering::Relaxed));
}

fn put(double: &Double, frames: &[u8]) {
    for (word, piece) in (CALL_BYTES..).zip(frames.chunks(8)) {
        let mut bytes = [0; 8];
        bytes[..piece.len()].copy_from_slice(piece);
        double.page.word(word).store(u64::from_le_bytes(bytes), Ordering::Relaxed);
    }
}

/// As an honest worker lays a call, without looking whether it may.
fn lay(double: &Double, frames: &[u8]) {
    put(double, frames);
    double.page.word(CALL).store(frames.len() as u64, Ordering::SeqCst);
}

/// The same with results.
fn lay_results(double: &Double, frames: &[u8]) -> Then {
    put(double, frames);
    double.say(&frame(&FromWorker::LaidResults(u32::try_from(frames.len()).unwrap())))
}

/// All lies.
pub(crate) const LIES: &[Lie] = &[
    // Others' tasks.
    ("a chunk that nobody has", FOREIGN, |double, at| double.answer(ChunkId(at.chunk.0 + 1000), at.place, 1)),
    ("the chunk after its own", FOREIGN, |double, at| double.answer(ChunkId(at.chunk.0 + 1), 0, 1)),
    ("the chunk before its own", FOREIGN, |double, at| double.answer(ChunkId(at.chunk.0 - 1), 0, 1)),
    ("a chunk with the largest number", FOREIGN, |double, at| double.answer(ChunkId(u64::MAX), at.place, 1)),
    ("the former chunk's results again", FOREIGN, |double, _| double.say(&double.former)),
    ("this chunk's results again", ORDER, |double, _| double.say(&double.latest)),
    ("an answer twice", End::NextLost("its answers were out of order"), |double, at| {
        double.answer(at.chunk, at.place, 1);
        double.answer(at.chunk, at.place, 1)
    }),
    // Its own, but not as they are due.
    ("a task skipped", ORDER, |double, at| double.answer(at.chunk, at.place + 1, 1)),
    ("a task long answered", ORDER, |double, at| double.answer(at.chunk, 0, 1)),
    ("a place at the end of numbers", ORDER, |double, at| double.answer(at.chunk, u32::MAX, 1)),
    ("more results than tasks", ORDER, |double, at| double.answer(at.chunk, at.place, at.count - at.place + 1)),
    ("a million results", ORDER, |double, at| double.answer(at.chunk, at.place, 1_000_000)),
    ("results without an outcome", ORDER, |double, at| double.say(&counted(at, 0, &outcomes(0)))),
    ("fewer outcomes than it says", ORDER, |double, at| double.say(&counted(at, 2, &outcomes(1)))),
    ("more outcomes than it says", ORDER, |double, at| double.say(&counted(at, 1, &outcomes(2)))),
    ("a count at the end of numbers", ORDER, |double, at| double.say(&counted(at, u32::MAX, &outcomes(1)))),
    // Results that would forge a record or move a cursor.
    ("a result that is not JSON", BAD_RESULT, |double, at| double.claim(at, b"seven")),
    ("an empty result", BAD_RESULT, |double, at| double.claim(at, b"")),
    ("a result with a new line", BAD_RESULT, |double, at| double.claim(at, b"7\n")),
    ("a result with a record behind it", BAD_RESULT, |double, at| double.claim(at, b"7\n{\"index\":0,\"value\":8}")),
    ("a result of two values", BAD_RESULT, |double, at| double.claim(at, b"7 8")),
    ("a result with an escape sequence", BAD_RESULT, |double, at| double.claim(at, b"\"\x1b[31m\"")),
    ("a result with a C1 control", BAD_RESULT, |double, at| double.claim(at, "\"\u{9b}31m\"".as_bytes())),
    ("a result with a line separator", BAD_RESULT, |double, at| double.claim(at, "\"\u{2028}\"".as_bytes())),
    ("a result that is not UTF-8", BAD_RESULT, |double, at| double.claim(at, b"\"\xff\"")),
    ("a result of open brackets", BAD_RESULT, |double, at| double.claim(at, &[b'['; 1 << 20])),
    ("a result with half a surrogate pair", BAD_RESULT, |double, at| double.claim(at, br#""\udddd""#)),
    ("a result that nests deeper than readers go", BAD_RESULT, |double, at| {
        double.claim(at, &[[b'['; 1000], [b']'; 1000]].concat())
    }),
    ("an error that is not JSON", BAD_RESULT, |double, at| double.claim_failed(at, b"seven")),
    ("an error with a record behind it", BAD_RESULT, |double, at| double.claim_failed(at, b"7\n{\"index\":0}")),
    ("an error with an escape sequence", BAD_RESULT, |double, at| double.claim_failed(at, b"\"\x1b]0;owned\x07\"")),
    ("an error of two values", BAD_RESULT, |double, at| double.claim_failed(at, b"{}{}")),
    // Messages that have no place here.
    ("printing of a foreign chunk", FOREIGN, |double, at| double.print(ChunkId(at.chunk.0 + 1000), at.place, b"hello")),
    ("printing of a task past the chunk", ORDER, |double, at| double.print(at.chunk, at.count, b"hello")),
    ("printing of a task at the end of numbers", ORDER, |double, at| double.print(at.chunk, u32::MAX, b"hello")),
    ("ready once more", TURN, |double, _| {
        double.say_ready();
        Then::Stay
    }),
    ("failed after ready", TURN, |double, _| {
        double.say(&frame(&FromWorker::Failed { kind: BootFailure::Sandbox, text: "get ready" }))
    }),
    // Bytes.
    ("garbage", NO_MESSAGE, |double, _| double.say(&framed(&[0xff; 512]))),
    ("another protocol", NO_MESSAGE, |double, _| double.say(b"GET / HTTP/1.1\r\n\r\n")),
    ("zeros", NO_MESSAGE, |double, _| double.say(&[0; 1 << 16])),
    ("an empty frame", NO_MESSAGE, |double, _| double.say(&framed(&[]))),
    ("a frame of 4 GiB", NO_MESSAGE, |double, _| double.say(&[0xff; 4])),
    ("a frame one byte too long", NO_MESSAGE, |double, _| double.say(&u32::try_from(double.cap + 1).unwrap().to_le_bytes())),
    ("an unknown message", NO_MESSAGE, |double, _| double.say(&framed(&[200, 1, 0, 0, 0]))),
    ("bytes behind a message", NO_MESSAGE, |double, at| {
        let message = counted(at, 1, &outcomes(1));
        double.say(&framed(&[&message[4..], &[0]].concat()))
    }),
    ("a message cut short", NO_MESSAGE, |double, at| {
        let message = counted(at, 1, &outcomes(1));
        double.say(&framed(&message[4..message.len() - 1]))
    }),
    ("an unknown outcome", NO_MESSAGE, |double, at| double.say(&raw_outcomes(at, &[0, 99, 1, 2, 3]))),
    ("an outcome with a text that is not UTF-8", NO_MESSAGE, |double, at| {
        let mut outcomes = OutcomeWriter::default();
        outcomes.push(0, &Outcome::Trapped { kind: TrapKind::Other, text: "mark" });
        let bytes: Vec<u8> = outcomes.bytes().iter().map(|byte| if *byte == b'm' { 0xff } else { *byte }).collect();
        double.say(&raw_outcomes(at, &bytes))
    }),
    ("a length inside that no frame has", NO_MESSAGE, |double, _| {
        // Ready with the version 1 and 2^63 layers.
        double.say(&framed(&[0, 1, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01]))
    }),
    ("a thousand layers once more", TURN, |double, _| {
        let layer = LayerReport { name: "trust".into(), active: true, detail: "me".into() };
        double.say(&frame(&FromWorker::Ready(Ready { version: PROTOCOL_VERSION, layers: vec![layer; 1000] })))
    }),
    // Half a word.
    ("half a frame and silence", End::TimedOut, |double, at| {
        let message = counted(at, 1, &outcomes(1));
        double.say(&message[..message.len() / 2])
    }),
    ("half a length and silence", End::TimedOut, |double, _| double.say(&[7, 0])),
    ("a byte a second", End::TimedOut, |double, at| {
        for byte in counted(at, 1, &outcomes(1000)) {
            double.send(&[byte]);
            std::thread::sleep(std::time::Duration::from_secs(1));
        }
        Then::Stay
    }),
    ("silence", End::TimedOut, |_, _| Then::Stay),
    ("printing for ever", End::Lost("it sent more than its limits allow"), |double, at| {
        loop {
            double.print(at.chunk, at.place, &[b'x'; 1000]);
        }
    }),
    ("half a frame and the end", End::Lost("exited with code 9"), |double, at| {
        double.say(&counted(at, 1, &outcomes(1))[..6]);
        leave(9)
    }),
    (CLOSED, End::Lost("closed its socket"), |double, _| {
        let socket = std::mem::replace(&mut double.socket, double.page_file.try_clone().unwrap().into());
        drop(socket);
        Then::Stay
    }),
    ("a socket closed for writing, and it lives on", End::Lost("closed its socket"), |double, _| {
        UnixStream::from(double.socket.as_fd().try_clone_to_owned().unwrap()).shutdown(Shutdown::Write).unwrap();
        Then::Stay
    }),
    ("a socket closed for reading", End::TimedOut, |double, _| {
        UnixStream::from(double.socket.as_fd().try_clone_to_owned().unwrap()).shutdown(Shutdown::Read).unwrap();
        Then::Stay
    }),
    // In the shared page: what runs.
    ("the page says: a foreign chunk; and the end", End::LostAtLast("exited with code 9"), |double, at| {
        page::begin(&double.page, ChunkId(at.chunk.0 + 1000), at.place);
        leave(9)
    }),
    ("the page says: a task past the chunk; and the end", End::LostAtLast("exited with code 9"), |double, at| {
        page::begin(&double.page, at.chunk, at.count);
        leave(9)
    }),
    ("the page says: nothing; and the end", End::LostAtLast("exited with code 9"), |double, _| {
        page::rest(&double.page);
        leave(9)
    }),
    ("the page says: a task long answered; and the end", End::Lost("exited with code 9"), |double, at| {
        page::begin(&double.page, at.chunk, 0);
        leave(9)
    }),
    ("noise all over the page", End::Answered, |double, _| {
        noise(double, 0..CALL);
        Then::Answer(ANSWER)
    }),
    ("noise where a call lies, and all over the memory behind it", End::Harmless, |double, _| {
        noise(double, CALL..double.page.words());
        Then::Answer(ANSWER)
    }),
    // Which of its tasks are claimed.
    ("that it has claimed none of its tasks", End::Harmless, |double, _| {
        double.page.word(CLAIMED).store(0, Ordering::SeqCst);
        Then::Answer(ANSWER)
    }),
    ("that it has claimed all tasks that will ever be", End::Harmless, |double, _| {
        double.page.word(CLAIMED).store(u64::MAX, Ordering::SeqCst);
        Then::Answer(ANSWER)
    }),
    ("results of tasks that were taken back", End::Harmless, |double, _| {
        let claimed = double.page.word(CLAIMED).load(Ordering::SeqCst);
        while double.page.word(CLAIMED).load(Ordering::SeqCst) == claimed {
            std::thread::yield_now();
        }
        double.claims_nothing = true;
        Then::Answer(ANSWER)
    }),
    ("noise where its answers lie", End::Answered, |double, _| {
        noise(double, LISTENING..CLAIMED);
        noise(double, CLAIMED + 1..double.page.words());
        Then::Answer(ANSWER)
    }),
    ("half a frame laid in shared memory", End::Harmless, |double, _| {
        let half = frame(&FromWorker::Failed { kind: BootFailure::Guest, text: "half of this" });
        lay(double, &half[..half.len() - 1]);
        Then::Answer(ANSWER)
    }),
    ("a second ready, laid in shared memory", End::Harmless, |double, _| {
        lay(double, &frame(&FromWorker::Ready(Ready { version: PROTOCOL_VERSION, layers: Vec::new() })));
        Then::Answer(ANSWER)
    }),
    ("that a call lies there, a thousand times, and none does", End::Answered, |double, _| {
        (0..1000).for_each(|_| double.send(&frame(&FromWorker::Laid)));
        Then::Answer(ANSWER)
    }),
    ("results that lie nowhere", NO_MESSAGE, |double, _| double.say(&frame(&FromWorker::LaidResults(100_000)))),
    ("results that lie there, of no length", NO_MESSAGE, |double, _| double.say(&frame(&FromWorker::LaidResults(0)))),
    ("results at the end of numbers, and noise where they lie", NO_MESSAGE, |double, _| {
        noise(double, CALL_BYTES..double.page.words());
        double.say(&frame(&FromWorker::LaidResults(u32::MAX)))
    }),
    ("results laid in shared memory that are something else", NO_MESSAGE, |double, _| {
        lay_results(double, &frame(&FromWorker::LaidResults(8)))
    }),
    ("results laid in shared memory, and half of others", NO_MESSAGE, |double, at| {
        let one = results(at.chunk, at.place, &outcomes(1));
        lay_results(double, &[&one[..], &one[..7]].concat())
    }),
    ("an answer twice, laid in shared memory", End::NextLost("its answers were out of order"), |double, at| {
        let one = results(at.chunk, at.place, &outcomes(1));
        lay_results(double, &one);
        lay_results(double, &one)
    }),
    ("its answer, laid in shared memory", End::Answered, |double, at| {
        lay_results(double, &results(at.chunk, at.place, &outcomes(1)));
        Then::Answered
    }),
    // What does no harm.
    ("a run time at the end of numbers", End::Answered, |double, at| {
        let (chunk, first, nanoseconds) = (at.chunk, at.place, u64::MAX);
        let outcomes = outcomes(1);
        double.send(&frame(&FromWorker::Results { chunk, first, count: 1, nanoseconds, outcomes: outcomes.bytes() }));
        Then::Answered
    }),
    (A_THOUSAND_DESCRIPTORS, End::Harmless, |double, at| {
        let sockets = [double.socket.as_fd(); 8];
        for _ in 0..128 {
            let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(8))];
            let mut control = SendAncillaryBuffer::new(&mut space);
            assert!(control.push(SendAncillaryMessage::ScmRights(&sockets)));
            let message = printed(at.chunk, at.place, b"x");
            let data = [std::io::IoSlice::new(&message)];
            // So many may be under way as a worker may have open, until the supervisor reads.
            while sendmsg(&double.socket, &data, &mut control, SendFlags::NOSIGNAL) == Err(Errno::TOOMANYREFS) {
                std::thread::yield_now();
            }
        }
        Then::Answer(ANSWER)
    }),
];

/// In a double: tells one.
pub(crate) fn tell(double: &mut Double, index: usize, at: &Place) -> Then {
    let (_, _, tell) = LIES[index];
    tell(double, at)
}

/// So many honest answers.
fn outcomes(count: u32) -> OutcomeWriter {
    let mut outcomes = OutcomeWriter::default();
    (0..count).for_each(|_| outcomes.push(0, &Outcome::Ok(ANSWER.to_string().as_bytes())));
    outcomes
}

/// Results of the task at hand with a count of the liar's choice.
fn counted(at: &Place, count: u32, outcomes: &OutcomeWriter) -> Vec<u8> {
    let (chunk, first) = (at.chunk, at.place);
    frame(&FromWorker::Results { chunk, first, count, nanoseconds: 1000, outcomes: outcomes.bytes() })
}

fn raw_outcomes(at: &Place, outcomes: &[u8]) -> Vec<u8> {
    frame(&FromWorker::Results { chunk: at.chunk, first: at.place, count: 1, nanoseconds: 1000, outcomes })
}

pub(crate) fn printed(chunk: ChunkId, task: u32, bytes: &[u8]) -> Vec<u8> {
    frame(&FromWorker::Printed { chunk, task, stream: Stream::Stdout, bytes })
}

/// Any bytes, with a right length before them.
pub(crate) fn framed(bytes: &[u8]) -> Vec<u8> {
    [&u32::try_from(bytes.len()).unwrap().to_le_bytes(), bytes].concat()
}

impl Double {
    fn say(&self, bytes: &[u8]) -> Then {
        self.send(bytes);
        Then::Stay
    }

    fn answer(&self, chunk: ChunkId, first: u32, count: u32) -> Then {
        self.say(&results(chunk, first, &outcomes(count)))
    }

    fn claim(&self, at: &Place, json: &[u8]) -> Then {
        let mut outcomes = OutcomeWriter::default();
        outcomes.push(0, &Outcome::Ok(json));
        self.say(&counted(at, 1, &outcomes))
    }

    fn claim_failed(&self, at: &Place, json: &[u8]) -> Then {
        let mut outcomes = OutcomeWriter::default();
        outcomes.push(0, &Outcome::Failed(json));
        self.say(&counted(at, 1, &outcomes))
    }

    fn print(&self, chunk: ChunkId, task: u32, bytes: &[u8]) -> Then {
        self.say(&printed(chunk, task, bytes))
    }
}

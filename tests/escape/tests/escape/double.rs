//! A worker that can misbehave.
//!
//! It computes `fib` natively and honestly, as a worker would with `fib.wat`. Its environment is empty and its arguments are a worker's,
//! so what else it is to do stands in what a worker is given: in the environment of the *guest* ([`early`]), and in the inputs, where
//! large numbers are orders ([`CALL`], [`LIE`], [`ACT`], [`FLOOD`], [`ASK`], [`ALONE`]).

use std::collections::VecDeque;
use std::io::Write as _;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use taskcell_sandbox::{Policy, Role, SharedMemory, Strictness, Unconfined, take_inherited};
use taskcell_wire::call::{Batch, Call, CallError, CallId, Reply, RunArgument, TaskValue, Tell};
use taskcell_wire::{
    Boot, ChunkId, Encoding, FrameBuffer, FromWorker, ItemReader, Outcome, OutcomeWriter, PROTOCOL_VERSION, Ready, Run, ToWorker,
    codec, encode, limits,
};
use taskcell_worker::{INHERITED, mailbox, page};

use crate::lies::Then;
use crate::{acts, broker_calls, calls, early, floods, leave, lies};

/// Inputs from here on: make the forbidden system call of this index.
pub(crate) const CALL: u32 = 1000;
/// Tell the lie of this index.
pub(crate) const LIE: u32 = 2000;
/// Do the act of this index.
pub(crate) const ACT: u32 = 3000;
/// Flood the supervisor, in the manner of this index.
pub(crate) const FLOOD: u32 = 4000;
/// Make the calls on the broker of this index.
pub(crate) const ASK: u32 = 5000;
/// The same for what has a case of its own.
pub(crate) const ALONE: u32 = 6000;

/// What an order is answered with where an answer is given.
pub(crate) const ANSWER: u64 = 7;

/// Small enough for the supervisor to keep several chunks waiting at each worker.
const NANOSECONDS: u64 = 20_000;

/// All that a worker holds.
pub(crate) struct Double {
    pub(crate) socket: std::fs::File,
    pub(crate) code: OwnedFd,
    /// A worker closes it once it is mapped. An attacker would rather have it.
    pub(crate) page_file: OwnedFd,
    pub(crate) page: SharedMemory,
    buffer: FrameBuffer,
    /// It reads and writes single bytes.
    pub(crate) in_bytes: bool,
    /// The longest frame that the supervisor takes.
    pub(crate) cap: u64,
    /// The last frame of results that was sent for an earlier chunk, and for this one.
    pub(crate) former: Vec<u8>,
    pub(crate) latest: Vec<u8>,
    /// Work that came while it waited for an answer.
    kept: VecDeque<Vec<u8>>,
    next_call: u64,
    /// It runs whatever it was sent.
    pub(crate) claims_nothing: bool,
}

/// The answer to a call. Answers live as long as the double, which is not long.
pub(crate) type Answer = Result<Reply<'static>, CallError>;

/// The task at which the double misbehaves.
pub(crate) struct Place {
    pub(crate) chunk: ChunkId,
    pub(crate) place: u32,
    /// How many tasks the chunk has.
    pub(crate) count: u32,
}

pub(crate) fn main() -> ! {
    let mut inherited = take_inherited(INHERITED).unwrap().into_iter();
    let (socket, code, page_file) = (inherited.next().unwrap(), inherited.next().unwrap(), inherited.next().unwrap());
    let page = SharedMemory::map(page_file.try_clone().unwrap()).unwrap();
    let mut double = Double {
        socket: socket.into(),
        code,
        page_file,
        page,
        buffer: FrameBuffer::new(limits::INTERFACE_FRAME),
        in_bytes: false,
        cap: limits::BOOT_FRAME,
        former: Vec::new(),
        latest: Vec::new(),
        kept: VecDeque::new(),
        next_call: 1,
        claims_nothing: false,
    };
    let boot = double.read_boot();
    early::play(&mut double, &boot);
    confine();
    double.cap = boot.limits.frame_bytes();
    double.buffer.set_cap(double.cap);
    double.say_ready();
    double.serve()
}

/// The steps of `taskcell_worker::boot`, in their order.
pub(crate) fn confine() {
    let policy = Policy::new(Role::Worker, Strictness::Required);
    let confined = Unconfined.confine(&policy).unwrap();
    start_thread();
    // The first reading of the clock looks for the kernel's page of code, with a call that goes.
    let _ = Instant::now();
    confined.seal(&policy).unwrap();
}

/// A second thread, as a worker has one.
pub(crate) fn start_thread() {
    let (running, started) = std::sync::mpsc::sync_channel::<()>(1);
    std::thread::spawn(move || {
        drop(running);
        stay();
    });
    assert!(started.recv().is_err());
}

/// Lives on and does nothing.
pub(crate) fn stay() -> ! {
    loop {
        std::thread::sleep(Duration::from_secs(1));
    }
}

pub(crate) fn frame(message: &FromWorker<'_>) -> Vec<u8> {
    let mut frame = Vec::new();
    encode(message, u64::MAX, &mut frame).unwrap();
    frame
}

pub(crate) fn results(chunk: ChunkId, first: u32, outcomes: &OutcomeWriter) -> Vec<u8> {
    let count = outcomes.count();
    let nanoseconds = NANOSECONDS * u64::from(count);
    frame(&FromWorker::Results { chunk, first, count, nanoseconds, outcomes: outcomes.bytes() })
}

impl Double {
    /// Sends bytes, of whatever kind. That the supervisor is gone is its end.
    pub(crate) fn send(&self, bytes: &[u8]) {
        let piece = if self.in_bytes { 1 } else { bytes.len().max(1) };
        if bytes.chunks(piece).any(|piece| (&self.socket).write_all(piece).is_err()) {
            leave(0);
        }
    }

    pub(crate) fn say_ready(&self) {
        self.send(&frame(&FromWorker::Ready(Ready { version: PROTOCOL_VERSION, layers: Vec::new() })));
    }

    fn receive(&mut self) {
        let space = self.buffer.space();
        let most = if self.in_bytes { 1 } else { space.len() };
        match rustix::io::read(&self.socket, &mut space[..most]) {
            Ok(0) | Err(_) => leave(0),
            Ok(count) => self.buffer.filled(count),
        }
    }

    fn read_boot(&mut self) -> Boot {
        loop {
            if let Some(frame) = self.buffer.next_frame().unwrap() {
                let ToWorker::Boot(boot) = codec::decode(frame).unwrap() else { panic!("the first message is Boot") };
                return *boot;
            }
            self.receive();
        }
    }

    fn next_frame(&mut self) -> Vec<u8> {
        loop {
            if let Some(frame) = self.buffer.next_frame().unwrap() {
                return frame.to_vec();
            }
            self.receive();
        }
    }

    /// Answers until the end.
    pub(crate) fn serve(&mut self) -> ! {
        loop {
            // The frame is copied: an order may want to use the buffer's owner.
            let frame = self.kept.pop_front().unwrap_or_else(|| self.next_frame());
            match codec::decode(&frame).unwrap() {
                ToWorker::Run(run) => self.run(&run),
                ToWorker::LaidRun(length) => {
                    let laid = mailbox::read_run(&self.page, length, &mut Vec::new()).to_vec();
                    let (message, _) = codec::first_frame(&laid).unwrap();
                    let ToWorker::Run(run) = codec::decode(message).unwrap() else { panic!("no work lies there") };
                    self.run(&run);
                }
                ToWorker::Shutdown => leave(0),
                // Whoever asks reads the answer.
                ToWorker::Reply(..) | ToWorker::Lend(..) | ToWorker::Laid(..) => panic!("an answer without a call"),
                ToWorker::Boot(_) => panic!("Boot comes once"),
            }
        }
    }

    /// Makes a call and waits for its answer, as a worker does.
    pub(crate) fn call(&mut self, call: Call<'_>) -> Answer {
        let id = CallId(self.next_call);
        self.next_call += 1;
        self.ask(id, call);
        self.answer_to(id)
    }

    /// Makes a call under a number of its choice.
    pub(crate) fn ask(&self, id: CallId, call: Call<'_>) {
        self.send(&frame(&FromWorker::Call(id, call)));
    }

    pub(crate) fn tell(&self, tell: Tell<'_>) {
        self.send(&frame(&FromWorker::Tell(tell)));
    }

    /// Reads until the answer; an answer to anything else is a fault.
    pub(crate) fn answer_to(&mut self, id: CallId) -> Answer {
        loop {
            if let Some((to, answer)) = self.heard() {
                assert_eq!(to, id, "the answer to another call");
                return answer;
            }
        }
    }

    /// The next frame, if it is an answer; work is kept.
    fn heard(&mut self) -> Option<(CallId, Answer)> {
        let frame = self.next_frame();
        if matches!(codec::decode(&frame).unwrap(), ToWorker::Run(_)) {
            self.kept.push_back(frame);
            return None;
        }
        match codec::decode(frame.leak()).unwrap() {
            ToWorker::Reply(to, answer) => Some((to, answer)),
            // Nobody has to use what it is lent.
            ToWorker::Lend(to, reply, _) => Some((to, Ok(reply))),
            ToWorker::Laid(to, length) => {
                let laid = mailbox::read_answer(&self.page, length, &mut Vec::new()).to_vec();
                let (message, _) = codec::first_frame(laid.leak()).unwrap();
                let (of, answer) = match codec::decode(message).unwrap() {
                    ToWorker::Reply(of, answer) => (of, answer),
                    ToWorker::Lend(of, reply, _) => (of, Ok(reply)),
                    other @ (ToWorker::Boot(_)
                    | ToWorker::Run(_)
                    | ToWorker::LaidRun(_)
                    | ToWorker::Shutdown
                    | ToWorker::Laid(..)) => {
                        panic!("no answer lies there: {other:?}")
                    }
                };
                assert_eq!(of, to);
                Some((to, answer))
            }
            ToWorker::Run(_) | ToWorker::Boot(_) => panic!("it was looked at above, or comes once"),
            ToWorker::LaidRun(_) => panic!("it has something to do"),
            ToWorker::Shutdown => leave(0),
        }
    }

    fn run(&mut self, run: &Run<'_>) {
        self.former = std::mem::take(&mut self.latest);
        let (chunk, count) = (run.chunk, run.count);
        let mut first = 0;
        let mut outcomes = OutcomeWriter::default();
        let mut claims = page::Claims::of(run);
        for (place, item) in (0..).zip(ItemReader::new(run.items)) {
            if !self.claims_nothing && !claims.has_next(&self.page) {
                break;
            }
            let number = number_of(run.input, item.unwrap());
            if number >= CALL {
                // What the supervisor believes of the tasks before is settled first.
                self.flush(chunk, first, &mut outcomes);
                first = place;
                page::begin(&self.page, chunk, place);
            }
            match self.carry_out(number, &Place { chunk, place, count }) {
                Then::Answer(value) => outcomes.push(0, &Outcome::Ok(value.to_string().as_bytes())),
                Then::Answered => first = place + 1,
                Then::Stay => stay(),
            }
        }
        self.flush(chunk, first, &mut outcomes);
        page::rest(&self.page);
    }

    fn carry_out(&mut self, number: u32, place: &Place) -> Then {
        let index = |base: u32| usize::try_from(number - base).unwrap();
        match number {
            ..CALL => Then::Answer(fib(number)),
            CALL..LIE => Then::Answer(calls::make(index(CALL))),
            LIE..ACT => lies::tell(self, index(LIE), place),
            ACT..FLOOD => Then::Answer(acts::carry_out(self, index(ACT))),
            FLOOD..ASK => floods::play(self, index(FLOOD), place),
            ASK..ALONE => broker_calls::ask(self, index(ASK), place),
            ALONE.. => broker_calls::ask_alone(self, index(ALONE), place),
        }
    }

    fn flush(&mut self, chunk: ChunkId, first: u32, outcomes: &mut OutcomeWriter) {
        if outcomes.count() > 0 {
            self.latest = results(chunk, first, outcomes);
            self.send(&self.latest);
            outcomes.clear(0);
        }
    }
}

/// The one argument of a task.
fn number_of(encoding: Encoding, item: &[u8]) -> u32 {
    match encoding {
        Encoding::Json | Encoding::Bytes | Encoding::Command => serde_json::from_slice(item).unwrap(),
        Encoding::Arguments => match codec::decode::<Batch<RunArgument<'_>>>(item).unwrap().0.as_slice() {
            [RunArgument::Value(TaskValue::Json(json))] => serde_json::from_slice(json).unwrap(),
            other => panic!("{other:?}"),
        },
    }
}

/// As `fib.wat` does it: modulo 2^64.
pub(crate) fn fib(n: u32) -> u64 {
    (0..n).fold((0_u64, 1_u64), |(a, b), _| (b, a.wrapping_add(b))).0
}

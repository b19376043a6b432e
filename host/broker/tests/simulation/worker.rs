//! A worker as a state machine of its own, that knows nothing but the bytes that reach it: what `host/worker` does with two threads and a
//! socket, in steps that anything may come between.
//!
//! It follows that crate's rules: outcomes leave together, and before a call and before a wait at the latest; a call reads until its
//! answer, and keeps work that comes before it for later; work that was taken back is not begun; a task over its time in a call
//! abandons the call and reads on to its answer. It is held to the protocol's other side too: what a worker is never to be sent is a panic here.

use std::collections::VecDeque;

use taskcell_broker::Now;
use taskcell_wire::call::{CallId, Tell};
use taskcell_wire::from_worker::BootFailure;
use taskcell_wire::{
    ChunkId, Encoding, FrameBuffer, FromWorker, ItemReader, OutcomeWriter, PROTOCOL_VERSION, Ready, TaskIndex, ToWorker, Turn,
    WorkerId, codec, encode,
};

use super::CAP;
use super::guest::{End, Guest, Step};
use super::stream::{self, Stream};
use crate::random::Random;

/// A chunk that it works on.
#[derive(Debug)]
struct Run {
    chunk: ChunkId,
    task: TaskIndex,
    input: Encoding,
    timeout: Option<u64>,
    items: VecDeque<Vec<u8>>,
    /// The running task's place, or the next one's.
    at: u32,
    /// The turn of that task.
    turn: Turn,
    /// Whether that task is claimed.
    claimed: bool,
}

/// How a worker's process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Life {
    /// Getting ready, which ends like this.
    Boot(Boot),
    Up,
    /// It ended by itself; its socket is closed when all is written.
    Exiting,
    Dead,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Boot {
    Well,
    Fails(BootFailure),
    Dies,
}

/// What came of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Did {
    /// It waits for bytes, for room, or for time.
    Nothing,
    Something,
    /// It began with a task.
    Began(ChunkId, u32),
    /// It ended a task, in its own words.
    Ended(ChunkId, u32, End),
}

#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) id: WorkerId,
    pub(crate) life: Life,
    /// Stopped by a signal.
    pub(crate) stopped: bool,
    /// It sent what an honest one does not.
    pub(crate) lied: bool,
    inbox: FrameBuffer,
    kept: VecDeque<Vec<u8>>,
    frames: Vec<u8>,
    /// It stands in a write until all frames are gone.
    writing: bool,
    outcomes: OutcomeWriter,
    chunk: ChunkId,
    first: u32,
    run: Option<Run>,
    guest: Option<Guest>,
    until: Now,
    deadline: Option<Now>,
    waits: Option<CallId>,
    abandoned: bool,
    next_call: u64,
    /// The shared page: what it runs, what it is asked to stop, and its signs of life.
    pub(crate) running: Option<(ChunkId, u32)>,
    pub(crate) stop: Option<ChunkId>,
    /// The turn that is claimed next.
    pub(crate) claimed: Turn,
    pub(crate) beats: u64,
}

impl Worker {
    pub(crate) fn new(id: WorkerId, boot: Boot) -> Self {
        Self {
            id,
            life: Life::Boot(boot),
            stopped: false,
            lied: false,
            inbox: stream::buffer(CAP),
            kept: VecDeque::new(),
            frames: Vec::new(),
            writing: false,
            outcomes: OutcomeWriter::default(),
            chunk: ChunkId(0),
            first: 0,
            run: None,
            guest: None,
            until: Now(0),
            deadline: None,
            waits: None,
            abandoned: false,
            next_call: 0,
            running: None,
            stop: None,
            claimed: Turn(0),
            beats: 0,
        }
    }

    /// Whether its task waits in a call.
    pub(crate) fn is_in_call(&self) -> bool {
        self.waits.is_some()
    }

    /// Its memory is gone; what it wrote before is not.
    pub(crate) fn die(&mut self) {
        self.life = Life::Dead;
        self.frames.clear();
        let inbox = std::mem::replace(&mut self.inbox, FrameBuffer::new(0));
        stream::give_back(inbox);
    }

    /// Whether it would do something if it were left alone, now or when time has passed.
    pub(crate) fn wakes_at(&self) -> Option<Now> {
        match (&self.guest, self.waits) {
            (Some(_), None) => Some(self.deadline.map_or(self.until, |deadline| deadline.min(self.until))),
            (Some(_), Some(_)) if !self.abandoned => self.deadline,
            (Some(_) | None, _) => None,
        }
    }

    /// Whether it stands in a write that is not through.
    pub(crate) fn is_cut(&self) -> bool {
        self.writing
    }

    /// Whether it waits for work and has told all.
    pub(crate) fn is_at_rest(&self) -> bool {
        self.life == Life::Up && self.run.is_none() && self.frames.is_empty() && self.outcomes.count() == 0
    }

    /// Adds a message that may be no message.
    pub(crate) fn lie(&mut self, frame: &[u8]) {
        self.frame();
        self.frames.extend_from_slice(frame);
        self.lied = true;
        self.writing = true;
    }

    /// Does the next thing.
    pub(crate) fn step(&mut self, now: Now, input: &mut Stream, output: &mut Stream, random: &mut Random) -> Did {
        self.beats += 1;
        if self.writing {
            let count = output.write(&self.frames, random);
            self.frames.drain(..count);
            self.writing = !self.frames.is_empty();
            return if count > 0 { Did::Something } else { Did::Nothing };
        }
        match self.life {
            Life::Boot(boot) => self.boot(boot),
            Life::Exiting => {
                self.die();
                Did::Something
            }
            Life::Dead => Did::Nothing,
            Life::Up => match (self.waits, self.guest.is_some()) {
                (Some(call), _) => self.wait(call, now, input, random),
                (None, true) => self.go_on(now, random),
                (None, false) => self.next_task(now, input, random),
            },
        }
    }

    fn boot(&mut self, boot: Boot) -> Did {
        match boot {
            Boot::Well => {
                self.send(&FromWorker::Ready(Ready { version: PROTOCOL_VERSION, layers: Vec::new() }));
                self.life = Life::Up;
            }
            Boot::Fails(kind) => {
                self.send(&FromWorker::Failed { kind, text: "get what it needs" });
                self.life = Life::Exiting;
            }
            Boot::Dies => self.die(),
        }
        Did::Something
    }

    /// Puts outcomes that wait into a frame.
    fn frame(&mut self) {
        let count = self.outcomes.count();
        if count > 0 {
            let (chunk, first, outcomes) = (self.chunk, self.first, self.outcomes.bytes());
            let message = FromWorker::Results { chunk, first, count, nanoseconds: 1000 * u64::from(count), outcomes };
            encode(&message, CAP, &mut self.frames).expect("a few short outcomes");
            self.first += count;
            self.outcomes.clear(0);
        }
    }

    fn send(&mut self, message: &FromWorker<'_>) {
        self.frame();
        encode(message, CAP, &mut self.frames).expect("a short message");
        self.writing = true;
    }

    /// In a call: reads until the answer.
    fn wait(&mut self, call: CallId, now: Now, input: &mut Stream, random: &mut Random) -> Did {
        let id = self.id;
        while let Some(frame) = self.inbox.next_frame().expect("a supervisor keeps to the cap") {
            match codec::decode::<ToWorker<'_>>(frame).expect("a supervisor sends messages") {
                ToWorker::Reply(of, answer) => {
                    assert_eq!(of, call, "{id} is answered another call");
                    self.waits = None;
                    if std::mem::take(&mut self.abandoned) {
                        return self.ended(End::TimedOut);
                    }
                    if let Some(guest) = &mut self.guest {
                        guest.answered(answer);
                    }
                    return Did::Something;
                }
                ToWorker::Run(_) => self.kept.push_back(frame.to_vec()),
                other @ (ToWorker::Boot(_)
                | ToWorker::LaidRun(_)
                | ToWorker::Lend(..)
                | ToWorker::Laid(..)
                | ToWorker::Shutdown) => {
                    panic!("{id} is sent {other:?} in a call")
                }
            }
        }
        if input.read(&mut self.inbox, random) > 0 {
            return Did::Something;
        }
        if !self.abandoned && self.deadline.is_some_and(|deadline| deadline <= now) {
            self.abandoned = true;
            self.send(&FromWorker::Tell(Tell::Abandon(call)));
            return Did::Something;
        }
        Did::Nothing
    }

    /// The guest runs.
    fn go_on(&mut self, now: Now, random: &mut Random) -> Did {
        let Some(guest) = &mut self.guest else { return Did::Nothing };
        if !guest.is_stubborn() {
            if self.stop == Some(self.chunk) && !guest.was_told() {
                return self.ended(End::Cancelled);
            }
            if self.deadline.is_some_and(|deadline| deadline <= now) {
                return self.ended(End::TimedOut);
            }
        }
        if now < self.until {
            // The other thread sends what waits behind a task that takes its time.
            if (self.outcomes.count() > 0 || !self.frames.is_empty()) && random.once_in(2) {
                self.frame();
                self.writing = true;
                return Did::Something;
            }
            return Did::Nothing;
        }
        match guest.step(random) {
            Step::Call(call) => {
                let id = CallId(self.next_call);
                self.next_call += 1;
                self.waits = Some(id);
                self.send(&FromWorker::Call(id, call));
            }
            Step::Tell(tell) => {
                self.frame();
                encode(&FromWorker::Tell(tell), CAP, &mut self.frames).expect("a short message");
            }
            Step::Work(nanoseconds) => self.until = now.plus(taskcell_broker::Duration(nanoseconds)),
            Step::Die => self.die(),
            Step::End(end) => return self.ended(end),
        }
        Did::Something
    }

    fn ended(&mut self, end: End) -> Did {
        end.tell(|outcome| self.outcomes.push(0, outcome));
        self.guest = None;
        let Some(run) = &mut self.run else { return Did::Nothing };
        let at = run.at;
        run.at += 1;
        Did::Ended(run.chunk, at, end)
    }

    /// Between tasks.
    fn next_task(&mut self, now: Now, input: &mut Stream, random: &mut Random) -> Did {
        let Some(run) = &mut self.run else { return self.next_chunk(input, random) };
        let (chunk, at) = (run.chunk, run.at);
        let after = Turn(run.turn.0 + 1);
        // As in `host/worker/src/page.rs`.
        let (given, next) = (std::mem::take(&mut run.claimed), self.claimed == run.turn);
        let Some(item) = run.items.pop_front().filter(|_| given || next) else {
            self.run = None;
            self.running = None;
            return Did::Something;
        };
        run.turn = after;
        self.claimed = if next && !given { after } else { self.claimed };
        self.running = Some((chunk, at));
        self.deadline = run.timeout.map(|timeout| now.plus(taskcell_broker::Duration(timeout)));
        self.until = now;
        self.guest = Some(Guest::of(run.task, run.input, &item));
        if self.stop == Some(chunk) {
            return self.ended(End::Cancelled);
        }
        Did::Began(chunk, at)
    }

    fn next_chunk(&mut self, input: &mut Stream, random: &mut Random) -> Did {
        let kept = self.kept.pop_front();
        let frame = match &kept {
            Some(frame) => Some(frame.as_slice()),
            None => self.inbox.next_frame().expect("a supervisor keeps to the cap"),
        };
        let id = self.id;
        let Some(frame) = frame else {
            if self.outcomes.count() > 0 || !self.frames.is_empty() {
                self.frame();
                self.writing = true;
                return Did::Something;
            }
            return if input.read(&mut self.inbox, random) > 0 { Did::Something } else { Did::Nothing };
        };
        match codec::decode::<ToWorker<'_>>(frame).expect("a supervisor sends messages") {
            ToWorker::Run(run) => {
                let items: VecDeque<Vec<u8>> =
                    ItemReader::new(run.items).map(|item| item.expect("whole items").to_vec()).collect();
                assert_eq!(items.len(), run.count as usize, "{id}: items of {}", run.chunk);
                let run = Run {
                    chunk: run.chunk,
                    task: run.task,
                    input: run.input,
                    timeout: run.timeout,
                    items,
                    at: 0,
                    turn: run.turn,
                    claimed: run.claimed,
                };
                self.frame();
                (self.chunk, self.first) = (run.chunk, 0);
                self.run = Some(run);
            }
            ToWorker::Shutdown => {
                self.frame();
                self.writing = true;
                self.life = Life::Exiting;
            }
            other
            @ (ToWorker::Boot(_) | ToWorker::LaidRun(_) | ToWorker::Reply(..) | ToWorker::Lend(..) | ToWorker::Laid(..)) => {
                panic!("{id} is sent {other:?} between tasks")
            }
        }
        Did::Something
    }
}

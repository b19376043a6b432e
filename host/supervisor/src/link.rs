//! One worker as the dispatcher sees it: its process, its socket, the memory they share, and bytes under way in both directions.

use std::os::fd::{AsFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, Shutdown, SocketFlags, SocketType, recv, send, shutdown, socketpair};
use taskcell_broker::Violation;
use taskcell_sandbox::{Child, SharedMemory};
use taskcell_wire::call::CallId;
use taskcell_wire::{ChunkId, FrameBuffer, Limits, Run, ToWorker, WireError, codec, encode, limits};
use taskcell_worker::{loan, look, mailbox, page};

use crate::audit::Suspect;
use crate::awaited::Awaited;
use crate::boot::Plan;
use crate::error::Error;
use crate::pulse::Pulse;
use crate::reaper::{Ending, Gone};
use crate::written::Capture;

/// A worker process and the way to it.
#[derive(Debug)]
pub(crate) struct Link {
    /// `None`: ordered of a zygote, and not forked yet.
    child: Option<Child>,
    socket: OwnedFd,
    pub(crate) memory: SharedMemory,
    pub(crate) received: FrameBuffer,
    /// How often it had answered when its socket was last read.
    answers: u64,
    /// The call that was taken out of shared memory, to be answered there if nothing goes over the socket before.
    pub(crate) laid: Option<CallId>,
    /// Words of posts that were handled since its last call, if room was lent to it.
    pub(crate) room: Option<usize>,
    /// How many of the messages that it was lent last are known to be taken, if it was lent any.
    pub(crate) lent: Option<u64>,
    /// Whether its guest can make calls.
    calls: bool,
    /// Whether a long message lay in shared memory since memory was last given back.
    pub(crate) has_long: bool,
    /// Frames to send; `sent` bytes of them are gone.
    out: Vec<u8>,
    sent: usize,
    /// The socket took less than there was; it will tell when it takes more.
    full: bool,
    /// The answer to its last call.
    awaited: Awaited,
    /// Whether it said ready and was checked.
    pub(crate) ready: bool,
    /// The longest frame in either direction once it is ready, in bytes.
    pub(crate) cap: u64,
    /// What its guest may use.
    pub(crate) limits: Limits,
    /// Its signs of life.
    pub(crate) pulse: Pulse,
    /// The task that printed last, and how many bytes of what it printed came.
    pub(crate) printed: (ChunkId, u32, u64),
    /// What the command that it runs wrote.
    pub(crate) capture: Option<Capture>,
    /// Why we killed it, for people.
    pub(crate) killed: Option<String>,
    /// What it said before it gave up.
    pub(crate) last_words: Option<String>,
    /// It gave up for want of something that others of its pool may have, or that may come.
    pub(crate) wanting: bool,
}

/// What a read gave.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Received {
    /// Bytes, and there may be more.
    Bytes,
    /// Bytes, and there was no more: the space was larger.
    Last,
    /// Nothing for now.
    Nothing,
    /// No more, ever.
    End,
}

impl Link {
    /// Makes a link to a worker that is to be started with the two descriptors: its socket and its shared
    /// memory.
    pub(crate) fn new(plan: &Plan) -> Result<(Self, [OwnedFd; 2]), Error> {
        let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
        let (memory, given) = SharedMemory::create().map_err(|error| Error::System(std::io::Error::other(error)))?;
        let link = Self {
            child: None,
            socket: ours,
            memory,
            received: FrameBuffer::new(limits::BOOT_FRAME),
            answers: 0,
            laid: None,
            room: None,
            lent: None,
            calls: plan.component.interface().makes_calls(),
            has_long: false,
            out: Vec::new(),
            sent: 0,
            full: false,
            awaited: Awaited::default(),
            ready: false,
            cap: plan.limits.frame_bytes(),
            limits: plan.limits.clone(),
            pulse: Pulse::default(),
            printed: (ChunkId(0), 0, 0),
            capture: None,
            killed: None,
            last_words: None,
            wanting: false,
        };
        Ok((link, [theirs, given]))
    }

    /// Its process runs. An executed one reads its boot message first.
    pub(crate) fn executed(&mut self, child: Child, boot: &[u8]) {
        self.out.extend_from_slice(boot);
        self.started(child);
    }

    /// Its process runs. It may be one that nobody wants any more.
    pub(crate) fn started(&mut self, child: Child) {
        if self.killed.is_some() {
            // Only a process that is gone already can't be killed.
            let _ = child.kill();
        }
        self.child = Some(child);
    }

    /// Its process; 0 before there is one.
    pub(crate) fn pid(&self) -> u32 {
        self.child.as_ref().map_or(0, Child::pid)
    }

    pub(crate) fn socket(&self) -> impl AsFd + '_ {
        &self.socket
    }

    /// Where to append frames.
    pub(crate) fn out(&mut self) -> &mut Vec<u8> {
        &mut self.out
    }

    /// Whether bytes wait to be sent.
    pub(crate) fn has_out(&self) -> bool {
        self.sent < self.out.len()
    }

    /// Whether more can't be sent before the socket is writable again.
    pub(crate) fn is_full(&self) -> bool {
        self.full
    }

    /// The worker makes a call.
    ///
    /// # Errors
    /// [`Violation::OutOfTurn`] if it can't have read the answer to its last call.
    pub(crate) fn called(&mut self) -> Result<(), Violation> {
        self.awaited.called(self.sent)
    }

    /// Whether more bytes wait to be sent than for a worker that reads: one chunk that it runs next, one that was taken back from
    /// it, one answer, and the boot message.
    pub(crate) fn reads_nothing(&self) -> bool {
        let unsent = self.out.len().saturating_sub(self.sent);
        unsent as u64 > self.cap.saturating_mul(3).saturating_add(limits::INTERFACE_FRAME)
    }

    /// Answers a call: in shared memory if it is looked for there, or if it is long. Whether nobody has to be woken for it.
    ///
    /// # Errors
    /// [`WireError::MessageTooLong`] if it is over the cap; then it was not answered.
    pub(crate) fn answer(&mut self, call: CallId, answer: &ToWorker<'_>) -> Result<bool, WireError> {
        let looks = self.laid.take() == Some(call);
        let length = codec::frame_length(answer, self.cap).inspect_err(|_| mailbox::answer_by_socket(&self.memory))?;
        let write = |writer: &mut mailbox::Writer<'_>| codec::encode_pieces(answer, length, |piece| writer.write(piece)).is_ok();
        self.has_long |= length >= mailbox::LONG_BYTES;
        if looks && self.out.is_empty() && mailbox::answer(&self.memory, length, write) {
            self.awaited.answered(None);
            return Ok(true);
        }
        if let Some(length) = mailbox::lay_answer(&self.memory, length, write) {
            encode(&ToWorker::Laid(call, length), self.cap, &mut self.out)?;
        } else {
            if looks {
                mailbox::answer_by_socket(&self.memory);
            }
            self.out.reserve(length);
            encode(answer, self.cap, &mut self.out)?;
        }
        self.awaited.answered(Some(self.out.len()));
        Ok(false)
    }

    /// Lays work ready to be sent. Long inputs are laid in shared memory, where answers lie, if the worker waits for none: it has nothing else, or makes no
    /// calls.
    ///
    /// # Errors
    /// [`WireError::MessageTooLong`] if it is over the cap.
    pub(crate) fn run(&mut self, run: Run<'_>) -> Result<(), WireError> {
        let may_lie = run.items.len() >= mailbox::LONG_BYTES && (run.claimed || !self.calls);
        let run = ToWorker::Run(run);
        if !may_lie {
            return encode(&run, self.cap, &mut self.out);
        }
        let length = codec::frame_length(&run, self.cap)?;
        let write = |writer: &mut mailbox::Writer<'_>| codec::encode_pieces(&run, length, |piece| writer.write(piece)).is_ok();
        match mailbox::lay_run(&self.memory, length, write) {
            Some(length) => {
                self.has_long = true;
                encode(&ToWorker::LaidRun(length), self.cap, &mut self.out)
            }
            None => encode(&run, self.cap, &mut self.out),
        }
    }

    /// Gives memory back that long messages took. Only while the worker has nothing to do.
    pub(crate) fn give_back_memory(&mut self) {
        self.has_long = self.has_long && !mailbox::give_back(&self.memory);
    }

    /// Whether something new seems to stand in shared memory: a call, or what was done with a loan.
    pub(crate) fn has_laid(&self) -> bool {
        let has_taken = self.lent.is_some_and(|told| loan::taken(&self.memory) != told);
        mailbox::has_call(&self.memory) || self.has_posted() || has_taken
    }

    /// Whether posts lie there.
    pub(crate) fn has_posted(&self) -> bool {
        self.room.is_some_and(|seen| loan::posted(&self.memory) > seen)
    }

    /// The answer to the call that was laid, if there is one without an answer, will go over the socket.
    pub(crate) fn answer_by_socket(&mut self) {
        if self.laid.take().is_some() {
            mailbox::answer_by_socket(&self.memory);
        }
    }

    /// Sends what the socket takes now. A worker that is gone shows at the next read.
    pub(crate) fn send(&mut self) {
        self.full = false;
        if self.has_out() {
            self.answer_by_socket();
        }
        while let Some(rest) = self.out.get(self.sent..).filter(|rest| !rest.is_empty()) {
            match send(&self.socket, rest, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
                Ok(count) => self.sent += count,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => {
                    self.full = true;
                    return;
                }
                Err(_) => break,
            }
        }
        if !self.out.is_empty() {
            look::sent(&self.memory);
        }
        self.out.clear();
        self.awaited.all_sent();
        // One rare long input must not hold its memory for ever.
        self.out.shrink_to(limits::KEPT_BYTES);
        self.sent = 0;
    }

    /// Takes what the socket has now.
    pub(crate) fn receive(&mut self) -> Received {
        self.answers = look::answers(&self.memory);
        loop {
            let space = self.received.space();
            let room = space.len();
            match recv(&self.socket, space, RecvFlags::DONTWAIT) {
                Ok((_, 0)) => return Received::End,
                Ok((_, count)) => {
                    self.received.filled(count);
                    return if count < room { Received::Last } else { Received::Bytes };
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Received::Nothing,
                Err(_) => return Received::End,
            }
        }
    }

    /// Whether it seems to have answered since its socket was last read.
    pub(crate) fn has_answered(&self) -> bool {
        look::answers(&self.memory) != self.answers
    }

    /// Kills the process; its end is noticed at its socket.
    pub(crate) fn kill(&mut self, why: String) {
        self.killed.get_or_insert(why);
        match &self.child {
            // Only a process that is gone already can't be killed.
            Some(child) => drop(child.kill()),
            // Its end is noticed at its socket all the same.
            None => drop(shutdown(&self.socket, Shutdown::Both)),
        }
    }

    /// Its process, whose socket is closed with this: for the reaper.
    ///
    /// # Errors
    /// Its end, if there is no process.
    pub(crate) fn into_ending(mut self, suspect: Option<Suspect>) -> Result<Ending, Box<Gone>> {
        let running = page::running(&self.memory);
        let written = self.capture.take().map(Capture::left);
        let Self { child, killed, last_words, wanting, .. } = self;
        match child {
            Some(child) => Ok(Ending { child, running, written, killed, last_words, wanting, suspect }),
            None => {
                let why = killed.map(|why| format!("was not wanted any more {why}"));
                let words = last_words.map(|words| format!("was not started: failed to {words}"));
                let death = why.or(words).unwrap_or_else(|| "was not started: its zygote ended".into());
                Err(Box::new(Gone::without_process(death, running, written, wanting, suspect)))
            }
        }
    }

    /// Its process alone, if there is one, which is not waited for.
    pub(crate) fn into_child(self) -> Option<Child> {
        self.child
    }
}

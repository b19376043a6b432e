//! What waits to be sent, shared by the two threads of a worker.
//!
//! Outcomes of one chunk are collected into as few frames as possible, and all frames that wait leave in one write. They leave
//! before the worker waits for work, when there are many bytes of them, and when the watch thread finds that they wait behind
//! a task that takes its time. What a task prints leaves before its outcome.
//!
//! What a command prints is its result, so all of it is sent, whoever listens; and each outcome of one gets a frame of its own, so that the
//! supervisor never holds what two commands of one worker wrote.

use std::os::fd::OwnedFd;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use taskcell_engine::PrintSink;
use taskcell_sandbox::SharedMemory;
use taskcell_wire::call::Tell;
use taskcell_wire::limits::{KEPT_BYTES, RESULT_BYTES};
use taskcell_wire::{ChunkId, FromWorker, Outcome, OutcomeWriter, Stream, codec, encode};

use crate::error::WorkerError;
use crate::loan;
use crate::mailbox::{self, Laid};
use crate::short_results::ShortResults;
use crate::stop::now;

/// Collects and sends.
#[derive(Debug)]
pub struct Outbox {
    socket: OwnedFd,
    waiting: Mutex<Waiting>,
    /// Outcomes after those in `waiting`, which takes them in whenever it is locked.
    short: ShortResults,
    /// Whether the chunk's outcomes may go to `short`.
    takes_short: AtomicBool,
    /// Whether a write failed: the supervisor is gone.
    broken: AtomicBool,
}

#[derive(Debug)]
struct Waiting {
    /// Whole frames.
    frames: Vec<u8>,
    /// Whether something went over the socket after the last call: the supervisor has perhaps not read it.
    unread: bool,
    outcomes: OutcomeWriter,
    /// So much of `short` was taken in.
    taken: usize,
    chunk: ChunkId,
    /// The place of the first outcome that is not in a frame yet.
    first: u32,
    /// When its task began.
    since: u64,
    /// The place of the task that printed last.
    printer: u32,
    /// What it may still print, in bytes, and whether the mark for more was sent.
    print_left: u64,
    print_cut: bool,
    print_limit: u64,
    send_printed: bool,
    /// Whether the chunk's tasks are commands.
    commands: bool,
    cap: u64,
}

impl Outbox {
    /// An empty outbox on `socket`, for frames of at most `cap` bytes. A task may print `print_limit` bytes.
    #[must_use]
    pub fn new(socket: OwnedFd, cap: u64, print_limit: u64, send_printed: bool) -> Self {
        let waiting = Waiting {
            frames: Vec::new(),
            unread: true,
            outcomes: OutcomeWriter::default(),
            taken: 0,
            chunk: ChunkId(0),
            first: 0,
            since: 0,
            printer: 0,
            print_left: print_limit,
            print_cut: false,
            print_limit,
            send_printed,
            commands: false,
            cap,
        };
        let short = ShortResults::new();
        Self { socket, waiting: Mutex::new(waiting), short, takes_short: AtomicBool::new(false), broken: AtomicBool::new(false) }
    }

    /// From now on what guests print is sent, or dropped.
    pub fn print(&self, send: bool) {
        self.lock().send_printed = send;
    }

    /// The socket, for reading.
    #[must_use]
    pub fn socket(&self) -> &OwnedFd {
        &self.socket
    }

    /// Outcomes of `chunk` come from now on; of commands or of functions. From the thread that runs tasks.
    ///
    /// # Errors
    /// [`WorkerError::Wire`] if what waited fits no frame.
    pub fn begin(&self, chunk: ChunkId, commands: bool) -> Result<(), WorkerError> {
        let mut waiting = self.lock();
        waiting.frame()?;
        self.clear_short(&mut waiting);
        self.takes_short.store(!commands, Ordering::Relaxed);
        waiting.commands = commands;
        waiting.chunk = chunk;
        waiting.first = 0;
        waiting.since = now();
        waiting.refill_print(0);
        Ok(())
    }

    /// The next task of the chunk ended. From the thread that runs tasks.
    ///
    /// # Errors
    /// [`WorkerError`] if the supervisor is gone or the outcome fits no frame.
    pub fn ended(&self, nanoseconds: u64, outcome: &Outcome<'_>, memory: &SharedMemory) -> Result<(), WorkerError> {
        if let Outcome::Ok(result) = outcome
            && nanoseconds == 0
            && self.takes_short.load(Ordering::Relaxed)
            && self.short.add(result)
        {
            return Ok(());
        }
        let mut waiting = self.lock();
        self.clear_short(&mut waiting);
        // Short ones may have filled a frame, and this one may be as long as a frame has room for beside one.
        if waiting.outcomes.bytes().len() >= RESULT_BYTES {
            waiting.frame()?;
        }
        waiting.outcomes.push(nanoseconds, outcome);
        if waiting.outcomes.bytes().len() >= RESULT_BYTES && self.lay(&mut waiting, memory)? {
            return Ok(());
        }
        if waiting.commands || waiting.outcomes.bytes().len() >= RESULT_BYTES {
            waiting.frame()?;
        }
        if waiting.frames.len() >= RESULT_BYTES { self.write(&mut waiting) } else { Ok(()) }
    }

    /// Sends all that waits, and then one message.
    ///
    /// # Errors
    /// [`WorkerError`] if the supervisor is gone or the message is too long; then it is as if it had not been asked.
    pub fn send(&self, message: &FromWorker<'_>) -> Result<(), WorkerError> {
        let mut waiting = self.lock();
        waiting.frame()?;
        let cap = waiting.cap;
        encode(message, cap, &mut waiting.frames)?;
        self.write(&mut waiting)
    }

    /// Sends all that waits, and then a call: in shared memory if they can be laid there and the supervisor has read all before it, else over the
    /// socket. A call ends with its answer, so when there is another one the supervisor has read this one.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn call(&self, call: &FromWorker<'_>, memory: &SharedMemory) -> Result<Laid, WorkerError> {
        let mut waiting = self.lock();
        waiting.frame()?;
        let cap = waiting.cap;
        let length = codec::frame_length(call, cap)?;
        let laid = match waiting.unread {
            true => Laid::No,
            false => mailbox::call(memory, waiting.frames.len().saturating_add(length), |writer| {
                writer.write(&waiting.frames);
                codec::encode_pieces(call, length, |piece| writer.write(piece)).is_ok()
            }),
        };
        match laid {
            Laid::Seen => {
                waiting.frames.clear();
                waiting.frames.shrink_to(KEPT_BYTES);
                return Ok(laid);
            }
            Laid::Unseen => {
                waiting.frames.clear();
                encode(&FromWorker::Laid, cap, &mut waiting.frames)?;
            }
            Laid::No => {
                waiting.frames.reserve(length);
                encode(call, cap, &mut waiting.frames)?;
            }
        }
        self.write(&mut waiting)?;
        waiting.unread = false;
        Ok(laid)
    }

    /// Posts a call that needs no answer, since room was lent for it, behind `at` words of others. How many words there are then; `None` if something
    /// waits to be sent or read, which comes before it, or if it can't be posted.
    pub fn post(&self, call: &FromWorker<'_>, at: usize, memory: &SharedMemory) -> Option<usize> {
        let waiting = self.lock();
        if waiting.unread || !waiting.frames.is_empty() || waiting.outcomes.count() > 0 {
            return None;
        }
        let length = codec::frame_length(call, waiting.cap).ok()?;
        let write = |writer: &mut mailbox::Writer<'_>| codec::encode_pieces(call, length, |piece| writer.write(piece)).is_ok();
        let posted = loan::post(memory, at, length, write)?;
        if at == 0 {
            mailbox::calls_here(memory);
        }
        if loan::rings(memory) {
            self.ring(&waiting);
        }
        Some(posted)
    }

    /// Takes the next of the messages that were lent, after `taken` others. False if the loan is over.
    pub fn take(&self, taken: u64, memory: &SharedMemory) -> bool {
        let is_taken = loan::take(memory, taken);
        if is_taken && loan::rings(memory) {
            self.ring(&self.lock());
        }
        is_taken
    }

    /// Wakes the supervisor, so that it looks at what was posted or taken.
    fn ring(&self, waiting: &Waiting) {
        let mut ring = Vec::new();
        // It says nothing that something else could come before, so it does not count as unread. A failure shows at the next outcome.
        let _ = encode(&FromWorker::Laid, waiting.cap, &mut ring).map(|()| self.write_all(&ring));
    }

    /// Adds something of the running task's that has no hurry.
    pub fn tell(&self, tell: &Tell<'_>) {
        let mut waiting = self.lock();
        let cap = waiting.cap;
        if waiting.frame().is_ok() && encode(&FromWorker::Tell(tell.clone()), cap, &mut waiting.frames).is_ok() {
            waiting.write_if_long(self);
        }
    }

    /// Sends all that waits, long results in shared memory. From the thread that runs tasks, when none runs.
    ///
    /// # Errors
    /// [`WorkerError`] if the supervisor is gone.
    pub fn hand_over(&self, memory: &SharedMemory) -> Result<(), WorkerError> {
        let mut waiting = self.lock();
        if self.lay(&mut waiting, memory)? {
            return Ok(());
        }
        waiting.frame()?;
        self.write(&mut waiting)
    }

    /// Lays the outcomes that wait in shared memory, behind what else does, if they are long. Whether all that waited is sent.
    fn lay(&self, waiting: &mut Waiting, memory: &SharedMemory) -> Result<bool, WorkerError> {
        if waiting.outcomes.bytes().len() < mailbox::LONG_BYTES || waiting.commands {
            return Ok(false);
        }
        let end = now();
        let results = waiting.results(end);
        let length = codec::frame_length(&results, waiting.cap)?;
        let laid = mailbox::lay_results(memory, length, |writer| {
            codec::encode_pieces(&results, length, |piece| writer.write(piece)).is_ok()
        });
        let Some(told) = u32::try_from(length).ok().filter(|_| laid) else { return Ok(false) };
        waiting.framed(end);
        let cap = waiting.cap;
        encode(&FromWorker::LaidResults(told), cap, &mut waiting.frames)?;
        self.write(waiting)?;
        Ok(true)
    }

    /// Sends all that waits.
    ///
    /// # Errors
    /// [`WorkerError`] if the supervisor is gone.
    pub fn flush(&self) -> Result<(), WorkerError> {
        let mut waiting = self.lock();
        waiting.frame()?;
        self.write(&mut waiting)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Waiting> {
        // A panic of the other thread ends the process; until then its half-written state is as good as any.
        let mut waiting = self.waiting.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let Waiting { outcomes, taken, .. } = &mut *waiting;
        *taken = self.short.take(*taken, |result| outcomes.push(0, &Outcome::Ok(result)));
        waiting
    }

    /// Makes room for short results, all of which were taken in.
    fn clear_short(&self, waiting: &mut Waiting) {
        self.short.clear();
        waiting.taken = 0;
    }

    fn write(&self, waiting: &mut Waiting) -> Result<(), WorkerError> {
        waiting.unread |= !waiting.frames.is_empty();
        self.write_all(&waiting.frames)?;
        waiting.frames.clear();
        waiting.frames.shrink_to(KEPT_BYTES);
        Ok(())
    }

    fn write_all(&self, mut rest: &[u8]) -> Result<(), WorkerError> {
        while !rest.is_empty() {
            match rustix::io::write(&self.socket, rest) {
                Ok(written) => rest = rest.get(written..).unwrap_or(&[]),
                Err(rustix::io::Errno::INTR) => {}
                Err(errno) => {
                    self.broken.store(true, Ordering::Relaxed);
                    return Err(errno.into());
                }
            }
        }
        Ok(())
    }
}

impl Waiting {
    /// Puts the outcomes that wait into a frame.
    fn frame(&mut self) -> Result<(), WorkerError> {
        if self.outcomes.count() == 0 {
            return Ok(());
        }
        let end = now();
        let mut frames = std::mem::take(&mut self.frames);
        let encoded = encode(&self.results(end), self.cap, &mut frames);
        self.frames = frames;
        encoded?;
        self.framed(end);
        Ok(())
    }

    /// The outcomes that wait, the last of which ended at `end`.
    fn results(&self, end: u64) -> FromWorker<'_> {
        FromWorker::Results {
            chunk: self.chunk,
            first: self.first,
            count: self.outcomes.count(),
            nanoseconds: end.saturating_sub(self.since),
            outcomes: self.outcomes.bytes(),
        }
    }

    /// They wait no more.
    fn framed(&mut self, end: u64) {
        self.first = self.first.saturating_add(self.outcomes.count());
        self.since = end;
        self.outcomes.clear(KEPT_BYTES);
    }

    /// Keeps what a guest only adds to from filling memory. A failure shows at the next outcome.
    fn write_if_long(&mut self, outbox: &Outbox) {
        if self.frames.len() >= RESULT_BYTES {
            let _ = outbox.write(self);
        }
    }

    /// The task at this place may print as much as any.
    fn refill_print(&mut self, task: u32) {
        self.printer = task;
        self.print_left = self.print_limit;
        self.print_cut = false;
    }

    /// The place of the task after those that ended.
    fn running(&self) -> u32 {
        self.first.saturating_add(self.outcomes.count())
    }

    fn printed(&mut self, stream: Stream, bytes: &[u8]) {
        let task = self.running();
        // A frame holds this much for sure; a guest's single write may be longer.
        for piece in bytes.chunks(RESULT_BYTES) {
            let message = FromWorker::Printed { chunk: self.chunk, task, stream, bytes: piece };
            // Only a cap below a piece's size could fail here, and there is none.
            let _ = encode(&message, self.cap, &mut self.frames);
        }
    }
}

impl PrintSink for Outbox {
    fn printed(&self, stream: Stream, bytes: &[u8]) {
        let mut waiting = self.lock();
        if !(waiting.send_printed || waiting.commands) || self.broken.load(Ordering::Relaxed) {
            return;
        }
        if waiting.commands && stream == Stream::Stdout {
            // Counted in the engine, where too much ends the task.
            waiting.printed(stream, bytes);
            return waiting.write_if_long(self);
        }
        let task = waiting.running();
        if waiting.printer != task {
            waiting.refill_print(task);
        }
        let room = usize::try_from(waiting.print_left).unwrap_or(usize::MAX);
        let (kept, cut) = bytes.split_at(bytes.len().min(room));
        if !kept.is_empty() {
            waiting.print_left -= kept.len() as u64;
            waiting.printed(stream, kept);
        }
        if !cut.is_empty() && !waiting.print_cut {
            waiting.print_cut = true;
            let mark = format!("\n[cut here: the limit is {} bytes a task]\n", waiting.print_limit);
            waiting.printed(stream, mark.as_bytes());
        }
        waiting.write_if_long(self);
    }
}

//! A worker's run loop in a thread of this process, unconfined, and its supervisor played by hand.

mod guests;

use std::fs::File;
use std::mem::ManuallyDrop;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::sync::Arc;
use std::thread::JoinHandle;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{AddressFamily, Shutdown, SocketFlags, SocketType, shutdown, socketpair};
use taskcell_engine::{Code, CodeFile, CodeOptions, Connections, Guest, Machine};
use taskcell_sandbox::{Confined, SharedMemory, sealed_memfd};
use taskcell_wire::{
    ChunkId, Encoding, FrameBuffer, FromWorker, Grants, Isolation, ItemWriter, Limits, Outcome, OutcomeReader, Run, Stream,
    TaskIndex, ToWorker, Turn, codec, encode,
};
use taskcell_worker::WorkerError;
use taskcell_worker::caller::Caller;
use taskcell_worker::inbox::Inbox;
use taskcell_worker::mailbox;
use taskcell_worker::outbox::Outbox;
use taskcell_worker::run_loop::RunLoop;
use taskcell_worker::stop::TaskStop;
use taskcell_worker::watch::Watch;

pub(crate) use guests::{CHATTY, Compiled, NUMBERS, PRINT, compiled};

/// Whatever takes longer than this does not happen at all, on the slowest machine.
const PATIENCE: Timespec = Timespec { tv_sec: 120, tv_nsec: 0 };

pub(crate) fn limits() -> Limits {
    Limits { memory_bytes: 16 << 20, result_bytes: 1 << 20, ..Limits::default() }
}

/// How a stage is set.
pub(crate) struct Setting {
    pub(crate) isolation: Isolation,
    pub(crate) log_bytes: u64,
    pub(crate) send_printed: bool,
    /// Whether the watch thread looks at the worker's own socket. It ends the whole process when the supervisor hangs up, so a
    /// test that hangs up has to do without.
    pub(crate) watched: bool,
}

impl Default for Setting {
    fn default() -> Self {
        Self { isolation: Isolation::Reuse, log_bytes: 1 << 20, send_printed: true, watched: true }
    }
}

/// What a worker said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Heard {
    Results { chunk: u64, first: u32, outcomes: Vec<String> },
    Printed { chunk: u64, task: u32, stream: Stream, text: String },
}

pub(crate) struct Stage {
    compiled: &'static Compiled,
    /// Not closed by itself: see [`Setting::watched`].
    socket: ManuallyDrop<OwnedFd>,
    buffer: FrameBuffer,
    pub(crate) page: SharedMemory,
    worker: JoinHandle<Result<(), WorkerError>>,
    next: u64,
}

/// Loads code as a worker does, in this process, which is not confined.
pub(crate) fn with_code<T>(file: &File, load: impl FnOnce(&Confined, &CodeFile<'_>) -> T) -> T {
    let path = std::path::PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
    let bytes = std::fs::read(&path).unwrap();
    load(&Confined::pretended(), &CodeFile { path: &path, bytes: &bytes })
}

fn pair() -> (OwnedFd, OwnedFd) {
    socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None).unwrap()
}

impl Stage {
    pub(crate) fn set(compiled: &'static Compiled, setting: Setting) -> Self {
        let (ours, theirs) = pair();
        let (page, page_fd) = SharedMemory::create().unwrap();
        // As in `boot.rs`, without confinement, Ready and what leads to it.
        let worker = std::thread::spawn(move || {
            let limits = Limits { log_bytes: setting.log_bytes, ..limits() };
            let cap = limits.frame_bytes();
            let page = Arc::new(SharedMemory::map(page_fd).unwrap());
            let outbox = Arc::new(Outbox::new(theirs, cap, limits.log_bytes, setting.send_printed));
            let stop = Arc::new(TaskStop::new(Arc::clone(&page)));
            let socket = outbox.socket().try_clone().unwrap();
            let inbox = Arc::new(Inbox::new(socket, FrameBuffer::new(cap)));
            let caller = Arc::new(Caller::new(Arc::clone(&outbox), Arc::clone(&inbox), Arc::clone(&stop), Arc::clone(&page)));
            let calls = compiled.interface.makes_calls();
            let machine = Machine::new(&limits, compiled.interface.is_concurrent).unwrap();
            let (interface, isolation) = (compiled.interface.clone(), setting.isolation);
            let options = CodeOptions { interface, limits, grants: Grants::default(), isolation, cpus: 2 };
            let file = File::from(sealed_memfd("code", &compiled.code).unwrap());
            let code = with_code(&file, |confined, file| Code::load(confined, &machine, file, options)).unwrap();
            let (sink, port) = (Arc::clone(&outbox) as _, Arc::clone(&caller) as _);
            let mut guest = Guest::new(&code, &Connections { stop: Arc::clone(&stop) as _, sink, port });
            let watched = if setting.watched {
                Arc::clone(&outbox)
            } else {
                let (held, other) = pair();
                std::mem::forget(held);
                Arc::new(Outbox::new(other, cap, 0, false))
            };
            let watch = Watch::start(guest.ticker(), watched, Arc::clone(&page)).unwrap();
            watch.busy();
            guest.warm_up().unwrap();
            watch.idle();
            caller.start(Arc::clone(&watch));
            let mut run_loop = RunLoop { guest, calls, inbox, outbox, stop, watch, page, space: Vec::new() };
            run_loop.serve()
        });
        let buffer = FrameBuffer::new(limits().frame_bytes());
        Self { compiled, socket: ManuallyDrop::new(ours), buffer, page, worker, next: 0 }
    }

    pub(crate) fn task(&self, name: &str) -> TaskIndex {
        let at = self.compiled.interface.tasks.iter().position(|task| task.name == name).unwrap();
        TaskIndex(u16::try_from(at).unwrap())
    }

    /// Appends a chunk of JSON inputs to `out`; gives its number.
    pub(crate) fn run(&mut self, out: &mut Vec<u8>, task: &str, inputs: &[&str], timeout: Option<u64>) -> u64 {
        let inputs: Vec<&[u8]> = inputs.iter().map(|input| input.as_bytes()).collect();
        self.run_encoded(out, task, &inputs, timeout, Encoding::Json)
    }

    pub(crate) fn run_encoded(
        &mut self,
        out: &mut Vec<u8>,
        task: &str,
        inputs: &[&[u8]],
        timeout: Option<u64>,
        encoding: Encoding,
    ) -> u64 {
        let mut items = ItemWriter::default();
        inputs.iter().for_each(|input| items.push(input));
        let chunk = ChunkId(self.next);
        self.next += 1;
        let (items, count) = items.into_parts();
        let task = self.task(task);
        // All of them are this worker's.
        let (turn, together, claimed) = (Turn(0), count.max(1), true);
        let (input, output, timed, items) = (encoding, encoding, false, &items[..]);
        let run = Run { chunk, task, input, output, timeout, timed, turn, together, claimed, count, items };
        message(out, &ToWorker::Run(run));
        chunk.0
    }

    pub(crate) fn write(&self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let written = rustix::io::write(&*self.socket, bytes).unwrap();
            bytes = &bytes[written..];
        }
    }

    /// The supervisor's end once more, for another thread to write to.
    pub(crate) fn socket(&self) -> OwnedFd {
        self.socket.try_clone().unwrap()
    }

    /// The next thing that the worker says.
    pub(crate) fn hear(&mut self) -> Heard {
        loop {
            if let Some(frame) = self.buffer.next_frame().unwrap() {
                let message = codec::decode(frame).unwrap();
                let FromWorker::LaidResults(length) = message else { return heard(&message) };
                let mut space = Vec::new();
                let (frame, rest) = codec::first_frame(mailbox::take_results(&self.page, length, &mut space)).unwrap();
                assert!(rest.is_empty());
                return heard(&codec::decode(frame).unwrap());
            }
            let mut fds = [PollFd::new(&*self.socket, PollFlags::IN)];
            assert_eq!(poll(&mut fds, Some(&PATIENCE)), Ok(1), "the worker says nothing");
            let count = rustix::io::read(&*self.socket, self.buffer.space()).unwrap();
            assert!(count > 0, "the worker hung up");
            self.buffer.filled(count);
        }
    }

    /// Listens until `tasks` outcomes came; gives all that was said.
    pub(crate) fn hear_outcomes(&mut self, tasks: usize) -> Vec<Heard> {
        let mut all = Vec::new();
        let mut outcomes = 0;
        while outcomes < tasks {
            let heard = self.hear();
            if let Heard::Results { outcomes: some, .. } = &heard {
                outcomes += some.len();
            }
            all.push(heard);
        }
        assert_eq!(outcomes, tasks, "more outcomes than tasks: {all:?}");
        all
    }

    /// Writes one chunk and listens until it ended; gives its outcomes.
    pub(crate) fn outcomes(&mut self, task: &str, inputs: &[&str]) -> Vec<String> {
        let mut out = Vec::new();
        self.run(&mut out, task, inputs, None);
        self.write(&out);
        flat(self.hear_outcomes(inputs.len()))
    }

    /// Waits until the page says so.
    pub(crate) fn wait_for(&self, says: impl Fn(&SharedMemory) -> bool) {
        let began = std::time::Instant::now();
        while !says(&self.page) {
            assert!(began.elapsed().as_secs() < 120, "the page never says so");
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
    }

    /// Ends the supervisor's half of the conversation.
    pub(crate) fn hang_up(&self) {
        shutdown(&*self.socket, Shutdown::Write).unwrap();
    }

    /// How the run loop ended.
    pub(crate) fn end(self) -> Result<(), WorkerError> {
        self.worker.join().unwrap()
    }

    /// Waits for the run loop's end; gives what it left in the page.
    pub(crate) fn end_page(self) -> Result<SharedMemory, WorkerError> {
        self.worker.join().unwrap().map(|()| self.page)
    }
}

pub(crate) fn message(out: &mut Vec<u8>, message: &ToWorker<'_>) {
    encode(message, u64::from(u32::MAX), out).unwrap();
}

/// All outcomes, one behind the other.
pub(crate) fn flat(heard: Vec<Heard>) -> Vec<String> {
    let outcomes = |heard| if let Heard::Results { outcomes, .. } = heard { outcomes } else { Vec::new() };
    heard.into_iter().flat_map(outcomes).collect()
}

fn heard(message: &FromWorker<'_>) -> Heard {
    match message {
        FromWorker::Results { chunk, first, count, outcomes, .. } => {
            let outcomes: Vec<String> =
                OutcomeReader::new(outcomes).map(|outcome| outcome.unwrap().1).map(|o| word(&o)).collect();
            assert_eq!(outcomes.len(), *count as usize, "as many outcomes as were announced");
            Heard::Results { chunk: chunk.0, first: *first, outcomes }
        }
        FromWorker::Printed { chunk, task, stream, bytes } => {
            Heard::Printed { chunk: chunk.0, task: *task, stream: *stream, text: String::from_utf8_lossy(bytes).into_owned() }
        }
        FromWorker::Ready(_)
        | FromWorker::Failed { .. }
        | FromWorker::Call(..)
        | FromWorker::Tell(_)
        | FromWorker::LaidResults(_)
        | FromWorker::Laid => {
            panic!("out of turn: {message:?}")
        }
    }
}

fn word(outcome: &Outcome<'_>) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match outcome {
        Outcome::Ok(bytes) => text(bytes),
        Outcome::Failed(bytes) => format!("failed {}", text(bytes)),
        Outcome::Exited(code) => format!("exited {code}"),
        Outcome::Trapped { kind, .. } => format!("trapped {}", kind.name()),
        Outcome::TimedOut => "timed out".into(),
        Outcome::OverLimit { limit, .. } => format!("over limit {}", limit.name()),
        Outcome::Cancelled => "cancelled".into(),
        Outcome::Invalid { .. } => "invalid".into(),
    }
}

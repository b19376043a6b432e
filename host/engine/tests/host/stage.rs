//! A guest on a stage: what it asks is written down, and answered from a script.

use std::collections::{HashMap, VecDeque};
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::fd::AsRawFd as _;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use taskcell_engine::compile::{compile, open};
use taskcell_engine::{
    Answer, Code, CodeFile, CodeOptions, Connections, EngineError, Guest, Machine, Port, PortError, PrintSink, Stop, StopReason,
};
use taskcell_sandbox::Confined;
use taskcell_wire::call::{Batch, Call, CallError, HandleId, HandleKind, Reply, RunArgument, TaskValue, Tell};
use taskcell_wire::{Encoding, Grants, Interface, Isolation, Limits, Outcome, Stream, TaskIndex};

/// What comes of a call.
#[derive(Debug, Clone)]
pub(crate) enum Comes {
    Answer(Result<Reply<'static>, CallError>),
    Stopped(StopReason),
    Gone,
    /// Nothing, though the call ends.
    Nothing,
}

impl From<Reply<'static>> for Comes {
    fn from(reply: Reply<'static>) -> Self {
        Self::Answer(Ok(reply))
    }
}

impl From<CallError> for Comes {
    fn from(error: CallError) -> Self {
        Self::Answer(Err(error))
    }
}

/// A port that writes down and plays its script.
#[derive(Default)]
pub(crate) struct Script {
    pub(crate) log: Mutex<Vec<String>>,
    answers: Mutex<VecDeque<Comes>>,
}

impl Script {
    /// What the calls that follow are answered with.
    pub(crate) fn play(&self, script: &[Comes]) {
        *self.answers.lock().unwrap() = script.iter().cloned().collect();
    }
}

impl Port for Script {
    fn call(&self, call: &Call<'_>, answer: &mut dyn FnMut(Answer<'_>)) -> Result<(), PortError> {
        self.log.lock().unwrap().push(format!("{call:?}"));
        match self.answers.lock().unwrap().pop_front() {
            Some(Comes::Answer(answered)) => answer(answered),
            Some(Comes::Stopped(reason)) => return Err(PortError::Stopped(reason)),
            Some(Comes::Gone) => return Err(PortError::Gone("the script says so".into())),
            Some(Comes::Nothing) => {}
            None => return Err(PortError::Gone("the script is over".into())),
        }
        Ok(())
    }

    fn tell(&self, tell: &Tell<'_>) {
        self.log.lock().unwrap().push(format!("{tell:?}"));
    }
}

/// 0: go on; 1: cancelled; 2: over its time.
#[derive(Default)]
pub(crate) struct Asked(pub(crate) AtomicU32);

impl Stop for Asked {
    fn reason(&self) -> Option<StopReason> {
        match self.0.load(Ordering::Relaxed) {
            0 => None,
            1 => Some(StopReason::Cancelled),
            _ => Some(StopReason::TimedOut),
        }
    }
}

/// Keeps what was printed.
#[derive(Default)]
pub(crate) struct Printed(pub(crate) Mutex<Vec<u8>>);

impl PrintSink for Printed {
    fn printed(&self, _: Stream, bytes: &[u8]) {
        self.0.lock().unwrap().extend_from_slice(bytes);
    }
}

/// A file without a name.
fn file(bytes: &[u8]) -> File {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let name = format!("taskcell-host-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    let path = std::env::temp_dir().join(name);
    let mut file = OpenOptions::new().read(true).write(true).create_new(true).open(&path).unwrap();
    std::fs::remove_file(path).unwrap();
    file.write_all(bytes).unwrap();
    file
}

/// Loads code as a worker does, in this process, which is not confined.
fn with_code<T>(file: &File, load: impl FnOnce(&Confined, &CodeFile<'_>) -> T) -> T {
    let path = std::path::PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
    let bytes = std::fs::read(&path).unwrap();
    load(&Confined::pretended(), &CodeFile { path: &path, bytes: &bytes })
}

/// Compiled, and not loaded yet.
pub(crate) struct Compiled {
    file: File,
    pub(crate) interface: Interface,
    limits: Limits,
}

impl Compiled {
    pub(crate) fn new(component: &[u8], limits: Limits) -> Self {
        let code = compile(component, &limits, true).unwrap_or_else(|error| panic!("{error}"));
        let file = file(&code.bytes);
        let interface = with_code(&file, |confined, file| open(confined, file, &limits, code.is_concurrent, code.has_start))
            .unwrap()
            .describe()
            .unwrap();
        Self { file, interface, limits }
    }

    pub(crate) fn stage(&self) -> Stage {
        self.stage_with(Isolation::Fresh, Grants::default(), |_| {})
    }

    pub(crate) fn stage_with(&self, isolation: Isolation, grants: Grants, change: impl FnOnce(&mut Limits)) -> Stage {
        self.try_stage(isolation, grants, change).unwrap_or_else(|error| panic!("{error}"))
    }

    pub(crate) fn try_stage(
        &self,
        isolation: Isolation,
        grants: Grants,
        change: impl FnOnce(&mut Limits),
    ) -> Result<Stage, EngineError> {
        let (port, stop, sink) = (Arc::<Script>::default(), Arc::<Asked>::default(), Arc::<Printed>::default());
        let mut limits = self.limits.clone();
        change(&mut limits);
        let machine = Machine::new(&limits, self.interface.is_concurrent)?;
        let options = CodeOptions { interface: self.interface.clone(), limits, grants, isolation, cpus: 3 };
        let code = with_code(&self.file, |confined, file| Code::load(confined, &machine, file, options))?;
        let connections =
            Connections { stop: Arc::clone(&stop) as _, sink: Arc::clone(&sink) as _, port: Arc::clone(&port) as _ };
        let mut guest = Guest::new(&code, &connections);
        guest.start_threads()?;
        guest.warm_up()?;
        let tasks = self.interface.tasks.iter().enumerate();
        let tasks = tasks.map(|(at, task)| (task.name.clone(), TaskIndex(u16::try_from(at).unwrap()))).collect();
        Ok(Stage { guest, port, stop, sink, tasks })
    }
}

pub(crate) struct Stage {
    pub(crate) guest: Guest,
    pub(crate) port: Arc<Script>,
    pub(crate) stop: Arc<Asked>,
    pub(crate) sink: Arc<Printed>,
    tasks: HashMap<String, TaskIndex>,
}

impl Stage {
    /// Runs a task. What it ended with, as text, and what it asked and told.
    pub(crate) fn run(&mut self, task: &str, arguments: &[RunArgument<'static>], script: &[Comes]) -> (String, Vec<String>) {
        self.port.play(script);
        let input = postcard::to_stdvec(&Batch(arguments.to_vec())).unwrap();
        let task = *self.tasks.get(task).unwrap_or_else(|| panic!("no task {task}: {:?}", self.tasks.keys()));
        let ended = ended(&self.guest.run(task, Encoding::Arguments, Encoding::Json, &input));
        (ended, std::mem::take(&mut *self.port.log.lock().unwrap()))
    }

    /// Runs a task that asks exactly this and is answered with that, tells nothing, and ends like this.
    #[track_caller]
    pub(crate) fn check(&mut self, task: &str, arguments: &[RunArgument<'static>], calls: &[(Call<'_>, Comes)], expected: &str) {
        let script: Vec<Comes> = calls.iter().map(|(_, comes)| comes.clone()).collect();
        let (ended, log) = self.run(task, arguments, &script);
        let asked: Vec<String> = calls.iter().map(|(call, _)| format!("{call:?}")).collect();
        assert_eq!(log, asked, "{task}, which ended {ended}");
        assert_eq!(ended, expected, "{task}");
    }
}

pub(crate) fn ended(outcome: &Outcome<'_>) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match outcome {
        Outcome::Ok(bytes) => text(bytes),
        Outcome::Failed(bytes) => format!("failed {}", text(bytes)),
        Outcome::Exited(code) => format!("exited {code}"),
        Outcome::Trapped { kind, text } => format!("trapped {}: {text}", kind.name()),
        Outcome::TimedOut => "timed out".into(),
        Outcome::OverLimit { limit, text } => format!("over {}: {text}", limit.name()),
        Outcome::Cancelled => "cancelled".into(),
        Outcome::Invalid { text } => format!("invalid: {text}"),
    }
}

/// A handle as an argument.
pub(crate) fn handle(kind: HandleKind, id: u64) -> RunArgument<'static> {
    RunArgument::Handle(kind, HandleId(id))
}

/// A JSON text as an argument.
pub(crate) fn json(text: &'static str) -> RunArgument<'static> {
    RunArgument::Value(TaskValue::Json(text.as_bytes().into()))
}

/// Bytes as an argument.
pub(crate) fn bytes(bytes: &'static [u8]) -> RunArgument<'static> {
    RunArgument::Value(TaskValue::Bytes(bytes.into()))
}

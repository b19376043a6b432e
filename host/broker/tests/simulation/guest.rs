//! What tasks do. A task is a script that makes calls, works for a while, and ends; it learns of the world only by the answers to its calls.

use taskcell_wire::call::{
    Batch, Call, CallError, Create, HandleId, QueueCall, QueueOptions, Reply, RunArgument, TaskValue, Tell,
};
use taskcell_wire::{Encoding, Limit, Outcome, TaskIndex, TrapKind, codec};

use super::consumer::Consumer;
use super::root::Root;
use super::sender::Sender;
use crate::random::Random;

/// One millisecond in nanoseconds.
pub(crate) const MS: u64 = 1_000_000;

/// Exports of the simulated component, by place.
pub(crate) const ROOT: TaskIndex = TaskIndex(0);
pub(crate) const VALUE: TaskIndex = TaskIndex(1);
pub(crate) const CONSUME: TaskIndex = TaskIndex(2);
pub(crate) const SEND: TaskIndex = TaskIndex(3);

/// What a task does next.
#[derive(Debug)]
pub(crate) enum Step {
    Call(Call<'static>),
    Tell(Tell<'static>),
    /// Compute for so many nanoseconds.
    Work(u64),
    /// The worker falls over.
    Die,
    End(End),
}

/// How a task ends, in its worker's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum End {
    Ok(Vec<u8>),
    Failed,
    Trapped,
    OverLimit,
    TimedOut,
    Cancelled,
}

impl End {
    pub(crate) fn tell(&self, tell: impl FnOnce(&Outcome<'_>)) {
        tell(&match self {
            Self::Ok(result) => Outcome::Ok(result),
            Self::Failed => Outcome::Failed(b"7"),
            Self::Trapped => Outcome::Trapped { kind: TrapKind::Unreachable, text: "on purpose" },
            Self::OverLimit => Outcome::OverLimit { limit: Limit::Memory, text: "on purpose" },
            Self::TimedOut => Outcome::TimedOut,
            Self::Cancelled => Outcome::Cancelled,
        });
    }
}

/// A task that runs.
#[derive(Debug)]
pub(crate) enum Guest {
    Value(Value),
    Consumer(Consumer),
    Sender(Sender),
    Root(Box<Root>),
}

impl Guest {
    /// The task of a run, with what it was given.
    pub(crate) fn of(task: TaskIndex, input: Encoding, item: &[u8]) -> Self {
        let handles: Vec<HandleId> = match input {
            Encoding::Arguments => {
                let arguments = codec::decode::<Batch<RunArgument<'_>>>(item).expect("arguments");
                let handle = |argument: &RunArgument<'_>| match argument {
                    RunArgument::Handle(_, handle) => Some(*handle),
                    RunArgument::Value(_) => None,
                };
                arguments.0.iter().filter_map(handle).collect()
            }
            Encoding::Json | Encoding::Bytes | Encoding::Command => Vec::new(),
        };
        match task {
            ROOT => Self::Root(Box::new(Root::new(number(item)))),
            VALUE => Self::Value(Value::new(number(item))),
            CONSUME => Self::Consumer(Consumer::new(&handles)),
            SEND => Self::Sender(Sender::new(handles[0])),
            other => panic!("there is no {other}"),
        }
    }

    pub(crate) fn step(&mut self, random: &mut Random) -> Step {
        match self {
            Self::Value(value) => value.step(random),
            Self::Consumer(consumer) => consumer.step(random),
            Self::Sender(sender) => sender.step(random),
            Self::Root(root) => root.step(random),
        }
    }

    pub(crate) fn answered(&mut self, answer: Result<Reply<'_>, CallError>) {
        match self {
            Self::Value(value) => value.answered(&answer),
            Self::Consumer(consumer) => consumer.answered(answer),
            Self::Sender(sender) => sender.answered(answer),
            Self::Root(root) => root.answered(answer),
        }
    }

    /// Whether the engine can't interrupt it.
    pub(crate) fn is_stubborn(&self) -> bool {
        matches!(self, Self::Value(value) if value.kind == Kind::Stubborn)
    }

    /// Whether a call of it was answered `cancelled`: it tidies up and ends by itself.
    pub(crate) fn was_told(&self) -> bool {
        match self {
            Self::Consumer(consumer) => consumer.was_told(),
            Self::Value(_) | Self::Sender(_) | Self::Root(_) => false,
        }
    }
}

/// A number in JSON.
pub(crate) fn number(item: &[u8]) -> u64 {
    std::str::from_utf8(item).ok().and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("no number: {item:?}"))
}

pub(crate) fn json(number: u64) -> TaskValue<'static> {
    TaskValue::Json(number.to_string().into_bytes().into())
}

/// What the task of a value is like; a value's last digits say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Quick,
    /// Works for a while before its answer.
    Slow,
    /// Waits in a call before its answer.
    Waits,
    /// Ends badly in half of its attempts.
    Flaky,
    /// Takes its worker with it in half of its attempts.
    Shaky,
    Fails,
    Traps,
    TooMuch,
    /// Takes its worker with it, each time.
    Poison,
    /// Works for ever.
    Endless,
    /// The same, and can't be interrupted.
    Stubborn,
}

impl Kind {
    pub(crate) const ALL: [Self; 11] = [
        Self::Quick,
        Self::Slow,
        Self::Waits,
        Self::Flaky,
        Self::Shaky,
        Self::Fails,
        Self::Traps,
        Self::TooMuch,
        Self::Poison,
        Self::Endless,
        Self::Stubborn,
    ];

    pub(crate) fn of(value: u64) -> Self {
        usize::try_from(value % 100).ok().and_then(|at| Self::ALL.get(at)).copied().unwrap_or(Self::Quick)
    }

    /// A value whose task is of this kind.
    pub(crate) fn value(self, random: &mut Random) -> u64 {
        100 * (1 + random.below(1000)) + self as u64
    }
}

/// The one right answer.
pub(crate) fn answer(value: u64) -> Vec<u8> {
    (value * value + 1).to_string().into_bytes()
}

/// One value of a map.
#[derive(Debug)]
pub(crate) struct Value {
    value: u64,
    kind: Kind,
    steps: u32,
    queue: Option<HandleId>,
}

impl Value {
    fn new(value: u64) -> Self {
        Self { value, kind: Kind::of(value), steps: 0, queue: None }
    }

    fn step(&mut self, random: &mut Random) -> Step {
        self.steps += 1;
        let well = Step::End(End::Ok(answer(self.value)));
        match (self.kind, self.steps) {
            (Kind::Slow, 1) => Step::Work(20 * MS),
            (Kind::Endless | Kind::Stubborn, _) => Step::Work(u64::MAX / 2),
            (Kind::Waits, 1) => Step::Call(Call::Create(Create::Queue(QueueOptions::default()))),
            (Kind::Waits, 2) => match self.queue {
                // Nobody puts anything in: it waits for the time.
                Some(queue) => Step::Call(Call::Queue(queue, QueueCall::Get { timeout: Some(2 * MS) })),
                None => well,
            },
            (Kind::Quick | Kind::Slow | Kind::Waits, _) => well,
            (Kind::Flaky, _) if random.once_in(2) => Step::End(End::Failed),
            (Kind::Shaky, _) if random.once_in(2) => Step::Die,
            (Kind::Flaky | Kind::Shaky, _) => well,
            (Kind::Fails, _) => Step::End(End::Failed),
            (Kind::Traps, _) => Step::End(End::Trapped),
            (Kind::TooMuch, _) => Step::End(End::OverLimit),
            (Kind::Poison, _) => Step::Die,
        }
    }

    fn answered(&mut self, answer: &Result<Reply<'_>, CallError>) {
        if let Ok(Reply::Handle(queue)) = answer {
            self.queue = Some(*queue);
        }
    }
}

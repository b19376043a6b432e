//! Pools of doubles, and what every map must look like in the end, whoever lied in it.

use std::num::NonZeroU32;
use std::path::Path;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use taskcell::{
    Component, ComponentOptions, Encoding, ItemWriter, Limits, MappingOptions, Next, Pool, PoolBuilder, RunOptions, Source,
    Supply, TaskError, WorkerStart,
};
use taskcell_wire::CallKind;

use crate::double::fib;
use crate::early;

/// How long a pool may take for a short task, with a machine that does other things too.
const PROBE: Duration = Duration::from_secs(10);
/// How long anything else may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Tasks that travel together.
const CHUNK: u32 = 8;
/// Tasks of a map.
const TASKS: u32 = 4096;
/// Where a map has its liar: in the middle of a chunk in the middle.
pub(crate) const LIAR: usize = 2051;

pub(crate) type Outcome = Result<u64, TaskError>;

/// [`text`], compiled by the real compile child.
fn component() -> &'static Component {
    static COMPONENT: OnceLock<Component> = OnceLock::new();
    COMPONENT.get_or_init(|| compile(Limits::default()))
}

pub(crate) fn compile(limits: Limits) -> Component {
    let options = ComponentOptions { limits, cache: false, ..ComponentOptions::default() };
    Component::from_bytes("fib.wat", text(&CallKind::ALL).as_bytes(), options).unwrap()
}

/// `fib.wat` with imports, so that its workers may make these calls.
fn text(calls: &[CallKind]) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../guest/examples/fib.wat");
    let version = |kind| if kind == CallKind::Stdin { "0.2.0" } else { "0.1.0" };
    let import = |kind: &CallKind| {
        let name = format!("{}@{}", kind.interface(), version(*kind));
        format!(r#"(import "{name}" (instance (export "used" (func))))"#)
    };
    let imports: String = calls.iter().map(import).collect();
    std::fs::read_to_string(path).unwrap().replacen("(component", &format!("(component {imports}"), 1)
}

/// Two doubles that are ready, of a component with these imports.
pub(crate) fn importing(calls: &[CallKind]) -> Pool {
    let options = ComponentOptions { cache: false, ..ComponentOptions::default() };
    let component = Component::from_bytes("fib.wat", text(calls).as_bytes(), options).unwrap();
    ready(Pool::builder(&component).workers(NonZeroU32::new(2).unwrap()).worker_start(WorkerStart::Exec))
}

/// Two doubles.
pub(crate) fn builder() -> PoolBuilder {
    // Doubles play executed workers.
    Pool::builder(component()).workers(NonZeroU32::new(2).unwrap()).worker_start(WorkerStart::Exec)
}

/// Two doubles that are ready, and honest unless a task orders otherwise.
pub(crate) fn honest() -> Pool {
    ready(builder())
}

/// The same, where a task may run for a second.
pub(crate) fn impatient() -> Pool {
    ready(builder().timeout(Some(Duration::from_secs(1))).grace(Duration::from_millis(300)))
}

/// Two doubles with an order for before they are ready; with a path, only for the first of them.
pub(crate) fn ordered(order: &str, path: Option<&Path>) -> Pool {
    let order = path.map_or_else(|| order.to_owned(), |path| format!("{order} {}", path.display()));
    builder().env(vec![(early::VARIABLE.to_owned(), order)]).build().unwrap()
}

pub(crate) fn ready(builder: PoolBuilder) -> Pool {
    let pool = builder.build().unwrap();
    pool.wait_ready(2, PATIENCE).unwrap();
    pool
}

/// One honest task, answered soon and right.
pub(crate) fn probe(pool: &Pool) {
    let mut future = pool.submit::<u64>("fib", &50).unwrap();
    assert_eq!(future.wait(Some(PROBE)), Some(Ok(fib(50))), "the pool answers no more");
}

/// One task with an order.
pub(crate) fn order(pool: &Pool, number: u32) -> Outcome {
    let mut future = pool.submit::<u64>("fib", &number).unwrap();
    future.wait(Some(PATIENCE)).unwrap_or_else(|| panic!("the task {number} has not ended"))
}

struct Numbers(std::vec::IntoIter<u32>);

impl Source for Numbers {
    fn supply(&mut self, items: &mut ItemWriter, tasks: u32, _bytes: usize) -> Supply {
        for number in self.0.by_ref().take(usize::try_from(tasks).unwrap()) {
            items.push(number.to_string().as_bytes());
        }
        if self.0.len() == 0 { Supply::End } else { Supply::More }
    }
}

/// The inputs of a map with an order in it.
pub(crate) fn inputs(order: u32) -> Vec<u32> {
    let mut inputs: Vec<u32> = (0..TASKS).map(|n| n % 90).collect();
    inputs[LIAR] = order;
    inputs
}

/// Runs a map; each task must end once, and in its turn.
pub(crate) fn map(pool: &Pool, inputs: Vec<u32>) -> Vec<Outcome> {
    let task = pool.component().task("fib").unwrap();
    let run = RunOptions { input: Encoding::Json, output: Encoding::Json, timed: false };
    let options = MappingOptions { ordered: true, chunk: Some(CHUNK) };
    let (count, began) = (inputs.len(), Instant::now());
    let mut mapping = pool.mapping(task, Numbers(inputs.into_iter()), run, options);
    let mut outcomes: Vec<Outcome> = Vec::new();
    loop {
        match mapping.next(Some(PATIENCE)) {
            Next::Block(block) => block.each(|end| {
                assert_eq!(end.index, u64::try_from(outcomes.len()).unwrap(), "a task ended twice, or not at all");
                outcomes.push(end.result.map(|json| serde_json::from_slice(json).unwrap_or(u64::MAX)));
            }),
            Next::End => break,
            Next::Stopped(why) => panic!("the pool stopped after {} of {count} tasks: {why}", outcomes.len()),
            Next::Timeout => panic!("after {:?} {} of {count} tasks have ended", began.elapsed(), outcomes.len()),
        }
    }
    assert_eq!(outcomes.len(), count);
    outcomes
}

/// One task with an order, run as a command is.
pub(crate) fn order_command(pool: &Pool, number: u32) -> Result<(), TaskError> {
    let task = pool.component().task("fib").unwrap();
    let run = RunOptions { input: Encoding::Json, output: Encoding::Command, timed: false };
    let options = MappingOptions { ordered: true, chunk: None };
    let mut mapping = pool.mapping(task, Numbers(vec![number].into_iter()), run, options);
    let mut ended = None;
    match mapping.next(Some(PATIENCE)) {
        Next::Block(block) => block.each(|end| ended = Some(end.result.map(drop))),
        other @ (Next::End | Next::Timeout | Next::Stopped(_)) => panic!("the task {number} has not ended: {other:?}"),
    }
    ended.unwrap()
}

/// All tasks but those in `but` ended right.
pub(crate) fn assert_right(inputs: &[u32], outcomes: &[Outcome], but: &[usize]) {
    for (at, (input, outcome)) in inputs.iter().zip(outcomes).enumerate().filter(|(at, _)| !but.contains(at)) {
        assert_eq!(outcome, &Ok(fib(*input)), "task {at}");
    }
}

/// The task was lost, and the text says why.
pub(crate) fn assert_lost(outcome: &Outcome, why: &str) {
    match outcome {
        Err(TaskError::Lost { text }) => assert!(text.contains(why), "it was lost, but not since {why}: {text}"),
        other => panic!("expected it to be lost since {why}: {other:?}"),
    }
}

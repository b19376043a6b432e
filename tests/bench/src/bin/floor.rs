//! The floor: the same guests on the same engine with the same settings, in this process. No worker process, no socket, no broker, no
//! check of what comes back; what Taskcell takes on top of it is the price of its walls.
//!
//! Values go in and out as for a worker (JSON or bytes), through the same code. Throughput is that of one thread for each worker
//! that the others have, each with an engine of its own.

use std::fs::File;
use std::io::Write as _;
use std::os::fd::AsRawFd as _;
use std::sync::Arc;
use std::time::Instant;

use taskcell_bench::{Fallible, PAYLOADS, Setup, WORKERS, number, per_second, tell, tell_times, time_each};
use taskcell_engine::compile::{compile, open};
use taskcell_engine::{Code, CodeFile, CodeOptions, Connections, Guest, Machine, NoPort, PrintSink, Stop, StopReason};
use taskcell_sandbox::Confined;
use taskcell_wire::{Encoding, Grants, Interface, Isolation, Limits, Outcome, Stream, TaskIndex};

const ISOLATIONS: [(Isolation, &str); 2] = [(Isolation::Reuse, "reuse"), (Isolation::Fresh, "fresh")];

struct Never;

impl Stop for Never {
    fn reason(&self) -> Option<StopReason> {
        None
    }
}

struct Nowhere;

impl PrintSink for Nowhere {
    fn printed(&self, _: Stream, _: &[u8]) {}
}

fn main() -> Fallible<()> {
    let setup = Setup::from_args()?;
    match setup.group.as_str() {
        "startup" => startup(&setup),
        "task" => task(&setup),
        "bytes" => bytes(&setup),
        "map" => map(&setup),
        "fib" => fib(&setup),
        "words" => words(&setup),
        "payload" => payload(&setup),
        other => Err(format!("there is no group {other}").into()),
    }
}

/// Loads code as a worker does, in this process, which is not confined.
fn with_code<T>(file: &File, load: impl FnOnce(&Confined, &CodeFile<'_>) -> T) -> Fallible<T> {
    let path = std::path::PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
    let bytes = std::fs::read(&path)?;
    Ok(load(&Confined::pretended(), &CodeFile { path: &path, bytes: &bytes }))
}

/// Machine code in a file without a name, and what it exports.
struct Compiled {
    file: File,
    interface: Interface,
    limits: Limits,
}

impl Compiled {
    fn compile(setup: &Setup, name: &str) -> Fallible<Self> {
        let limits = Limits::default();
        let code = compile(&std::fs::read(setup.file(name))?, &limits, false)?;
        let mut file = File::from(rustix::fs::memfd_create("code", rustix::fs::MemfdFlags::CLOEXEC)?);
        file.write_all(&code.bytes)?;
        let interface =
            with_code(&file, |confined, file| open(confined, file, &limits, code.is_concurrent, code.has_start))??.describe()?;
        Ok(Self { file, interface, limits })
    }

    fn load(&self, isolation: Isolation) -> Fallible<Guest> {
        let (interface, limits) = (self.interface.clone(), self.limits.clone());
        let machine = Machine::new(&limits, interface.is_concurrent)?;
        let options = CodeOptions { interface, limits, grants: Grants::default(), isolation, cpus: 1 };
        let code = with_code(&self.file, |confined, file| Code::load(confined, &machine, file, options))??;
        let connections = Connections { stop: Arc::new(Never), sink: Arc::new(Nowhere), port: Arc::new(NoPort) };
        let mut guest = Guest::new(&code, &connections);
        guest.warm_up()?;
        Ok(guest)
    }

    fn task(&self, name: &str) -> Fallible<TaskIndex> {
        let at = self.interface.tasks.iter().position(|task| task.name == name).ok_or("no such task")?;
        Ok(TaskIndex(u16::try_from(at)?))
    }

    /// The given inputs over several threads; gives what `each` makes of the results, added up, and when they began.
    fn on_threads(
        &self,
        task: &str,
        isolation: Isolation,
        encodings: (Encoding, Encoding),
        inputs: &[&[u8]],
        times: u64,
        each: fn(&[u8]) -> u64,
    ) -> Fallible<(u64, Instant)> {
        let task = self.task(task)?;
        let guests = (0..WORKERS).map(|_| self.load(isolation)).collect::<Fallible<Vec<Guest>>>()?;
        let next = std::sync::atomic::AtomicU64::new(0);
        let began = Instant::now();
        let sum = std::thread::scope(|scope| {
            let run = |mut guest: Guest| {
                let next = &next;
                scope.spawn(move || {
                    let mut sum = 0;
                    loop {
                        // As a worker gets them: some at once, so that threads don't meet at every task.
                        let first = next.fetch_add(16, std::sync::atomic::Ordering::Relaxed);
                        if first >= times {
                            return Ok(sum);
                        }
                        for at in first..times.min(first + 16) {
                            let input = inputs.get(usize::try_from(at).unwrap_or(0) % inputs.len()).copied().unwrap_or_default();
                            let outcome = guest.run(task, encodings.0, encodings.1, input);
                            let Outcome::Ok(result) = outcome else { return Err(format!("{outcome:?}")) };
                            sum += each(result);
                        }
                    }
                })
            };
            let threads: Vec<_> = guests.into_iter().map(run).collect();
            threads
                .into_iter()
                .map(|thread| thread.join().map_err(|_| "a thread panicked".to_owned())?)
                .sum::<Result<u64, String>>()
        })?;
        Ok((sum, began))
    }
}

const JSON: (Encoding, Encoding) = (Encoding::Json, Encoding::Json);
const BYTES: (Encoding, Encoding) = (Encoding::Bytes, Encoding::Bytes);

fn one(_: &[u8]) -> u64 {
    1
}

fn startup(setup: &Setup) -> Fallible<()> {
    let code = Compiled::compile(setup, "numbers.wat")?;
    let task = code.task("fib")?;
    let first = time_each(setup.times(20), || {
        code.load(Isolation::Fresh)?.run(task, Encoding::Json, Encoding::Json, b"1");
        Ok(())
    })?;
    tell("startup/open", "ms", taskcell_bench::median_ms(first));
    Ok(())
}

fn task(setup: &Setup) -> Fallible<()> {
    let code = Compiled::compile(setup, "numbers.wat")?;
    let task = code.task("fib")?;
    for (isolation, name) in ISOLATIONS {
        let mut guest = code.load(isolation)?;
        let mut run = || {
            guest.run(task, Encoding::Json, Encoding::Json, b"1");
            Ok(())
        };
        time_each(setup.times(1000), &mut run)?;
        tell_times(&format!("task/{name}"), time_each(setup.times(10_000), run)?);
    }
    Ok(())
}

fn bytes(setup: &Setup) -> Fallible<()> {
    let code = Compiled::compile(setup, "bytes.wat")?;
    let task = code.task("same")?;
    for (isolation, name) in ISOLATIONS {
        let mut guest = code.load(isolation)?;
        for size in PAYLOADS {
            let payload = vec![7; size];
            let mut run = || {
                guest.run(task, Encoding::Bytes, Encoding::Bytes, &payload);
                Ok(())
            };
            let times = if size > 100_000 { 400 } else { 4000 };
            time_each(setup.times(times / 10), &mut run)?;
            tell_times(&format!("bytes/{size}/{name}"), time_each(setup.times(times), run)?);
        }
    }
    Ok(())
}

fn map(setup: &Setup) -> Fallible<()> {
    let code = Compiled::compile(setup, "numbers.wat")?;
    let times = setup.times(1_000_000);
    for (isolation, name) in ISOLATIONS {
        let (count, began) = code.on_threads("fib", isolation, JSON, &[b"1"], times, one)?;
        tell(&format!("map/{name}"), "tasks/s", per_second(count, began));
    }
    Ok(())
}

fn fib(setup: &Setup) -> Fallible<()> {
    let code = Compiled::compile(setup, "numbers.wat")?;
    for (isolation, name) in ISOLATIONS {
        for (n, times) in [("20", 40_000), ("25", 4000)] {
            let (count, began) = code.on_threads("fib", isolation, JSON, &[n.as_bytes()], setup.times(times), one)?;
            tell(&format!("fib-{n}/{name}"), "tasks/s", per_second(count, began));
        }
    }
    Ok(())
}

fn words(setup: &Setup) -> Fallible<()> {
    let code = Compiled::compile(setup, "words.wasm")?;
    let pieces = setup.pieces()?;
    let inputs: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
    let bytes: usize = pieces.iter().map(Vec::len).sum();
    let in_result = |result: &[u8]| {
        let counts: serde_json::Value = serde_json::from_slice(result).unwrap_or_default();
        counts["words"].as_u64().unwrap_or(0)
    };
    for (isolation, name) in ISOLATIONS {
        let encodings = (Encoding::Bytes, Encoding::Json);
        let (words, began) = code.on_threads("count-words", isolation, encodings, &inputs, inputs.len() as u64, in_result)?;
        tell(&format!("words/{name}"), "MB/s", number(bytes as u64) / 1e6 / began.elapsed().as_secs_f64());
        tell("words", "check", number(words));
    }
    Ok(())
}

fn payload(setup: &Setup) -> Fallible<()> {
    let code = Compiled::compile(setup, "bytes.wat")?;
    for (isolation, name) in ISOLATIONS {
        for size in setup.rest.iter().map(|size| size.parse::<usize>()) {
            let size = size?;
            let payload = vec![7; size];
            let times = setup.times(1_000_000_000 / (2000 + 2 * size as u64)).max(20);
            let (count, began) = code.on_threads("same", isolation, BYTES, &[&payload], times, one)?;
            tell(&format!("payload/{size}/{name}"), "tasks/s", per_second(count, began));
        }
    }
    Ok(())
}

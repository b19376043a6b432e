//! The library as a stranger's program uses it, through its public interface only.
//!
//! Workers are this very program, started again, and turn into workers in the first line of its `main`; so this test has a
//! main of its own, which afterwards runs its cases one by one. It takes words that cases are chosen by, and `--list`.
#![expect(clippy::print_stdout, reason = "it is its own test runner")]

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Command, ExitCode};
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use taskcell::{Component, Error, Isolation, JobLimits, Pool, PoolBuilder, Program, TaskError};
use taskcell_tests::leftover::Before;
use taskcell_tests::{built, repository, until, wat};

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(60);
/// So many rounds of `burn` take some seconds.
const ROUNDS: u64 = 8_000_000_000;

type Case = (&'static str, fn());

const CASES: &[Case] = &[
    ("a_result_is_a_value_of_the_type_asked_for", a_result_is_a_value_of_the_type_asked_for),
    ("a_result_can_be_waited_for_with_a_timeout", a_result_can_be_waited_for_with_a_timeout),
    ("a_running_task_can_be_cancelled", a_running_task_can_be_cancelled),
    ("a_waiting_task_can_be_cancelled", a_waiting_task_can_be_cancelled),
    ("a_dropped_future_frees_its_worker", a_dropped_future_frees_its_worker),
    ("a_map_is_lazy", a_map_is_lazy),
    ("a_map_that_is_dropped_cancels_its_tasks", a_map_that_is_dropped_cancels_its_tasks),
    ("an_unordered_map_gives_every_result", an_unordered_map_gives_every_result),
    ("no_task_waits_behind_one_that_takes_long", no_task_waits_behind_one_that_takes_long),
    ("a_failed_input_is_one_item_of_a_map", a_failed_input_is_one_item_of_a_map),
    ("bytes_travel_as_they_are", bytes_travel_as_they_are),
    ("long_inputs_and_results_come_back_as_they_went", long_inputs_and_results_come_back_as_they_went),
    ("wrong_names_and_inputs_are_errors", wrong_names_and_inputs_are_errors),
    ("a_component_that_cannot_begin_is_an_error", a_component_that_cannot_begin_is_an_error),
    ("dropping_a_pool_ends_work_under_way", dropping_a_pool_ends_work_under_way),
    ("two_threads_can_map_on_one_pool", two_threads_can_map_on_one_pool),
    ("many_submitted_tasks_all_end", many_submitted_tasks_all_end),
    ("pools_live_side_by_side", pools_live_side_by_side),
    ("a_killed_worker_is_told_and_replaced", a_killed_worker_is_told_and_replaced),
    ("a_timeout_ends_a_task", a_timeout_ends_a_task),
    ("a_task_that_waits_too_long_never_runs", a_task_that_waits_too_long_never_runs),
    ("an_instance_is_used_again_when_asked_for", an_instance_is_used_again_when_asked_for),
    ("what_guests_print_is_handed_over", what_guests_print_is_handed_over),
    ("a_pool_may_be_moved_and_used_elsewhere", a_pool_may_be_moved_and_used_elsewhere),
    ("a_command_ends_with_what_it_wrote", a_command_ends_with_what_it_wrote),
    ("commands_are_mapped_in_order", commands_are_mapped_in_order),
    ("limits_of_a_job_are_the_builders", limits_of_a_job_are_the_builders),
    ("the_example_runs", the_example_runs),
];

fn main() -> ExitCode {
    taskcell::init();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with('-')).collect();
    let wanted: Vec<&Case> =
        CASES.iter().filter(|(name, _)| words.is_empty() || words.iter().any(|word| name.contains(word.as_str()))).collect();
    if arguments.iter().any(|argument| argument == "--list") {
        wanted.iter().for_each(|(name, _)| println!("{name}: test"));
        return ExitCode::SUCCESS;
    }
    let (mut passed, mut failed) = (0, 0);
    for (name, case) in wanted {
        let before = Before::look(Vec::new());
        let ran = catch_unwind(AssertUnwindSafe(case)).is_ok();
        let left = before.leftovers();
        let ok = ran && left.is_none();
        println!("test {name} ... {}", if ok { "ok" } else { "FAILED" });
        if let Some(left) = left {
            println!("left behind: {left}");
        }
        if ok { passed += 1 } else { failed += 1 }
    }
    let verdict = if failed == 0 { "ok" } else { "FAILED" };
    println!("\ntest result: {verdict}. {passed} passed; {failed} failed; 0 ignored");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn component(name: &str) -> Component {
    Component::open(wat(name)).expect("the guest is taken")
}

fn builder(workers: u32) -> PoolBuilder {
    Pool::builder(&component("numbers")).workers(workers.try_into().expect("some workers"))
}

fn pool(workers: u32) -> Pool {
    builder(workers).build().expect("a pool")
}

fn a_result_is_a_value_of_the_type_asked_for() {
    let pool = pool(2);
    assert_eq!(pool.submit::<u32>("echo", &7).expect("submitted").result(), Ok(7));
    assert_eq!(pool.submit::<u64>("add", &(40, 2)).expect("submitted").result(), Ok(42));
    assert_eq!(pool.submit::<u32>("answer", &()).expect("submitted").result(), Ok(42));
    let wrong = pool.submit::<String>("echo", &7).expect("submitted").result();
    assert!(matches!(wrong, Err(TaskError::Decode { .. })), "{wrong:?}");
    let types = Component::open(built("types")).expect("the guest is taken");
    let pool = Pool::builder(&types).build().expect("a pool");
    let fallible = |n: u32| pool.submit::<u32>("fallible", &n).expect("submitted").result();
    assert_eq!(fallible(2), Ok(2));
    assert_eq!(fallible(3), Err(TaskError::Failed { json: "\"3 is odd\"".into() }));
    let echoed = pool.submit::<Option<u32>>("echo-option", &Some(1)).expect("submitted").result();
    assert_eq!(echoed, Ok(Some(1)));
}

fn a_result_can_be_waited_for_with_a_timeout() {
    let pool = pool(1);
    let mut future = pool.submit::<u64>("burn", &ROUNDS).expect("submitted");
    assert_eq!(future.wait(Some(Duration::ZERO)), None);
    assert_eq!(future.wait(Some(Duration::from_millis(50))), None);
    assert!(!future.is_done());
    assert_eq!(future.wait(Some(LONG)), Some(Ok(ROUNDS)));
    assert!(future.is_done());
    assert_eq!(future.wait(None), Some(Ok(ROUNDS)), "asking again gives the same");
    assert_eq!(future.result(), Ok(ROUNDS));
}

fn a_running_task_can_be_cancelled() {
    let pool = pool(1);
    let mut future = pool.submit::<u32>("spin", &0).expect("submitted");
    assert_eq!(future.wait(Some(Duration::from_millis(500))), None, "it runs");
    future.cancel();
    assert_eq!(future.wait(Some(LONG)), Some(Err(TaskError::Cancelled)));
    assert_eq!(pool.submit::<u32>("spin", &5).expect("submitted").result(), Ok(5), "the pool goes on");
    future.cancel();
    assert_eq!(future.result(), Err(TaskError::Cancelled), "once more does nothing");
}

fn a_waiting_task_can_be_cancelled() {
    let pool = pool(1);
    let first = pool.submit::<u64>("burn", &ROUNDS).expect("submitted");
    let mut second = pool.submit::<u64>("burn", &ROUNDS).expect("submitted");
    second.cancel();
    assert_eq!(second.wait(Some(LONG)), Some(Err(TaskError::Cancelled)));
    assert_eq!(first.result(), Ok(ROUNDS), "another's cancellation is none of its business");
}

fn a_dropped_future_frees_its_worker() {
    let pool = pool(1);
    for _ in 0..3 {
        let mut future = pool.submit::<u32>("spin", &0).expect("submitted");
        assert_eq!(future.wait(Some(Duration::from_millis(100))), None);
    }
    let mut last = pool.submit::<u32>("echo", &1).expect("submitted");
    assert_eq!(last.wait(Some(LONG)), Some(Ok(1)));
}

fn a_map_is_lazy() {
    let pool = pool(2);
    let pulled = Rc::new(Cell::new(0u64));
    let counter = Rc::clone(&pulled);
    let inputs = (0u64..).inspect(move |n| counter.set(n + 1));
    let mut map = pool.map::<_, u64>("echo", inputs).expect("a map");
    assert_eq!(pulled.get(), 0, "nothing is taken before a result is wanted");
    for n in 0..100 {
        assert_eq!(map.next(), Some(Ok(n)));
    }
    // An endless supply ends where the window does.
    assert!((100..3_000_000).contains(&pulled.get()), "{} inputs were taken", pulled.get());
    drop(map);
    let after = pulled.get();
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(pulled.get(), after);
    assert_eq!(pool.submit::<u32>("echo", &1).expect("submitted").result(), Ok(1));
}

fn a_map_that_is_dropped_cancels_its_tasks() {
    let pool = pool(2);
    let mut map = pool.map_unordered::<_, u32>("spin", [5u32, 0, 0, 0]).expect("a map");
    assert_eq!(map.next(), Some(Ok(5)));
    drop(map);
    let results: Vec<_> = pool.map::<_, u32>("echo", 0..10u32).expect("a map").collect();
    assert_eq!(results, (0..10).map(Ok).collect::<Vec<_>>());
}

fn an_unordered_map_gives_every_result() {
    let pool = pool(3);
    let mut found: Vec<u64> =
        pool.map_unordered::<_, u64>("echo", 0..50_000u64).expect("a map").map(|result| result.expect("a result")).collect();
    found.sort_unstable();
    assert!(found.into_iter().eq(0..50_000));
}

fn no_task_waits_behind_one_that_takes_long() {
    for isolation in [Isolation::Fresh, Isolation::Reuse] {
        let pool = builder(3).isolation(isolation).build().expect("a pool");
        // Two of these never end, each amid others that are quick, and by then known to be.
        let endless = [7_000u32, 15_013];
        let inputs = (1..=30_000u32).map(|n| if endless.contains(&n) { 0 } else { n });
        let results = pool.map_unordered::<_, u32>("spin", inputs).expect("a map");
        let mut found: Vec<u32> = results.take(30_000 - endless.len()).map(|result| result.expect("a result")).collect();
        found.sort_unstable();
        assert!(found.into_iter().eq((1..=30_000).filter(|n| !endless.contains(n))), "with {isolation:?} instances");
    }
}

fn a_failed_input_is_one_item_of_a_map() {
    let pool = pool(2);
    let results: Vec<_> = pool.map::<_, u32>("trap", [1u32, 0, 3]).expect("a map").collect();
    assert_eq!((&results[0], &results[2]), (&Ok(1), &Ok(3)));
    assert!(matches!(results[1], Err(TaskError::Trapped { .. })), "{results:?}");
    let inputs = ["1", "2", "three"].map(|text| serde_json::from_str(text).unwrap_or(serde_json::Value::Null));
    let results: Vec<_> = pool.map::<_, u32>("echo", inputs).expect("a map").collect();
    assert!(matches!(results.as_slice(), [Ok(1), Ok(2), Err(TaskError::Invalid { .. })]), "{results:?}");
}

fn bytes_travel_as_they_are() {
    let pool = Pool::builder(&component("text")).build().expect("a pool");
    let bytes: Vec<u8> = (0..=255u8).cycle().take(10_000_000).collect();
    assert_eq!(pool.submit_bytes("same-bytes", &bytes).expect("submitted").result().as_ref(), Ok(&bytes));
    assert_eq!(pool.submit_bytes("same-text", "grün".as_bytes()).expect("submitted").result(), Ok("grün".into()));
    assert_eq!(pool.submit_bytes("count-bytes", b"").expect("submitted").result(), Ok(b"0".to_vec()));
    let invalid = pool.submit_bytes("same-text", b"\xff").expect("submitted").result();
    assert!(matches!(invalid, Err(TaskError::Invalid { .. })), "{invalid:?}");
    let long = pool.submit_bytes("count-bytes", &vec![0; 17 << 20]);
    assert!(matches!(long, Err(Error::Input { .. })), "{long:?}");
}

fn long_inputs_and_results_come_back_as_they_went() {
    let text = component("text");
    for isolation in [Isolation::Fresh, Isolation::Reuse] {
        let pool = Pool::builder(&text).workers(2.try_into().expect("two")).isolation(isolation).build().expect("a pool");
        // Some shorter than what is laid in shared memory, some longer than what fits there, and more than workers can carry.
        let length = |n: usize| [40_000, 1 << 20, 100, 17_000, 3 << 20, 300_000, 2_000_000, 16_384][n % 8] + n;
        let input = |n: usize| (0..=u8::MAX).cycle().skip(n).take(length(n)).collect::<Vec<u8>>();
        let futures: Vec<_> = (0..80).map(|n| pool.submit_bytes("same-bytes", &input(n)).expect("submitted")).collect();
        for (n, future) in futures.into_iter().enumerate() {
            assert!(future.result().as_ref() == Ok(&input(n)), "input {n} of {} bytes", length(n));
        }
        pool.wait_ready(2, LONG).expect("nobody died");
    }
}

fn wrong_names_and_inputs_are_errors() {
    assert!(matches!(Component::open("/no/such/file"), Err(Error::Read { .. })));
    assert!(matches!(Component::from_bytes("x", b"nonsense", Default::default()), Err(Error::Refused { .. })));
    let pool = pool(1);
    let named = pool.submit::<u32>("ecko", &1);
    assert!(matches!(&named, Err(Error::NoSuchTask { nearest, .. }) if nearest.contains(&"echo".to_owned())), "{named:?}");
    assert!(matches!(pool.map::<_, u32>("ecko", [1]), Err(Error::NoSuchTask { .. })));
    for wrong in [pool.submit::<u32>("echo", &"text"), pool.submit("echo", &-1), pool.submit("add", &(1, 2, 3))] {
        let ended = wrong.expect("what does not fit is the task's failure").result();
        assert!(matches!(ended, Err(TaskError::Invalid { .. })), "{ended:?}");
    }
    let unfit = Pool::builder(&component("unknown-import")).build();
    assert!(matches!(unfit, Err(Error::MissingImport { .. })), "{unfit:?}");
}

fn a_component_that_cannot_begin_is_an_error() {
    let pool = Pool::builder(&component("hostile/trap-in-start")).build().expect("a pool");
    let ready = pool.wait_ready(1, LONG);
    assert!(matches!(ready, Err(Error::Boot { .. })), "{ready:?}");
    let ended = pool.submit::<u32>("attack", &1).expect("submitted").result();
    assert!(matches!(ended, Err(TaskError::Stopped { .. })), "{ended:?}");
    let results: Vec<_> = pool.map::<_, u32>("attack", [1u32, 2]).expect("a map").collect();
    assert!(matches!(results.last(), Some(Err(TaskError::Stopped { .. }))), "{results:?}");
}

fn dropping_a_pool_ends_work_under_way() {
    let pool = pool(2);
    let futures: Vec<_> = (0..10u32).map(|_| pool.submit::<u32>("spin", &0).expect("submitted")).collect();
    pool.wait_ready(2, LONG).expect("workers");
    let began = Instant::now();
    drop(pool);
    assert!(began.elapsed() < LONG);
    for future in futures {
        let ended = future.result();
        assert!(matches!(ended, Err(TaskError::Stopped { .. })), "{ended:?}");
    }
}

fn two_threads_can_map_on_one_pool() {
    let pool = pool(2);
    let map = |from: u64| {
        let results: Vec<_> = pool.map::<_, u64>("echo", from..from + 30_000).expect("a map").collect();
        assert!(results.into_iter().eq((from..from + 30_000).map(Ok)));
    };
    std::thread::scope(|scope| {
        scope.spawn(|| map(0));
        scope.spawn(|| map(1_000_000));
        scope.spawn(|| {
            for n in 0..200u32 {
                assert_eq!(pool.submit::<u32>("echo", &n).expect("submitted").result(), Ok(n));
            }
        });
    });
}

fn many_submitted_tasks_all_end() {
    let pool = pool(2);
    let futures: Vec<_> = (0..20_000u32).map(|n| pool.submit::<u32>("echo", &n).expect("submitted")).collect();
    for (n, future) in (0u32..).zip(futures).collect::<Vec<_>>().into_iter().rev() {
        assert_eq!(future.result(), Ok(n), "in any order");
    }
}

fn pools_live_side_by_side() {
    let numbers = component("numbers");
    let pools: Vec<Pool> =
        (0..3).map(|_| Pool::builder(&numbers).workers(std::num::NonZeroU32::MIN).build().expect("a pool")).collect();
    let futures: Vec<_> = pools.iter().map(|pool| pool.submit::<u32>("answer", &()).expect("submitted")).collect();
    for future in futures {
        assert_eq!(future.result(), Ok(42));
    }
}

fn a_killed_worker_is_told_and_replaced() {
    let pool = pool(1);
    pool.wait_ready(1, LONG).expect("a worker");
    let mut future = pool.submit::<u32>("spin", &0).expect("submitted");
    assert_eq!(future.wait(Some(Duration::from_millis(500))), None, "it runs");
    let pid = pool.worker_pids()[0];
    taskcell_tests::running::send(pid.try_into().expect("a process id"), rustix::process::Signal::KILL);
    let ended = future.result();
    assert!(matches!(&ended, Err(TaskError::Lost { text }) if text.contains("signal 9")), "{ended:?}");
    assert_eq!(pool.submit::<u32>("echo", &1).expect("submitted").result(), Ok(1));
    let now = until("another worker", || pool.worker_pids().first().copied());
    assert_ne!(now, pid);
}

fn a_timeout_ends_a_task() {
    let pool = builder(1).timeout(Some(Duration::from_millis(200))).build().expect("a pool");
    assert_eq!(pool.submit::<u32>("spin", &0).expect("submitted").result(), Err(TaskError::TimedOut));
    assert_eq!(pool.submit::<u32>("spin", &1).expect("submitted").result(), Ok(1));
}

fn a_task_that_waits_too_long_never_runs() {
    let pool = builder(1).queue_timeout(Some(Duration::from_millis(100))).build().expect("a pool");
    let mut first = pool.submit::<u64>("burn", &ROUNDS).expect("a task");
    let waiting: Vec<_> = (0..50).map(|_| pool.submit::<u64>("burn", &1).expect("a task")).collect();
    for late in waiting {
        assert_eq!(late.result(), Err(TaskError::Expired));
    }
    assert_eq!(first.wait(Some(Duration::ZERO)), None, "what runs goes on");
    first.cancel();
    assert_eq!(first.result(), Err(TaskError::Cancelled));
    assert!(pool.submit::<u64>("burn", &1).expect("a task").result().is_ok(), "who need not wait runs");
}

fn an_instance_is_used_again_when_asked_for() {
    for (isolation, expected) in [(Isolation::Fresh, [1, 1, 1]), (Isolation::Reuse, [1, 2, 3])] {
        let pool = builder(1).isolation(isolation).build().expect("a pool");
        let counts = [(); 3].map(|()| pool.submit::<u32>("count", &()).expect("submitted").result().expect("a count"));
        assert_eq!(counts, expected, "{isolation:?}");
    }
}

fn what_guests_print_is_handed_over() {
    let printed: Arc<Mutex<Vec<u8>>> = Arc::default();
    let collected = Arc::clone(&printed);
    let take = move |piece: taskcell::Printed<'_>| collected.lock().expect("a lock").extend_from_slice(piece.bytes);
    let pool = Pool::builder(&component("print")).on_printed(take).build().expect("a pool");
    assert_eq!(pool.submit::<()>("run", &()).expect("submitted").result(), Ok(()));
    let text = String::from_utf8_lossy(&printed.lock().expect("a lock")).into_owned();
    assert_eq!(text, "to stdout\n\u{1b}[31mred\nlastto stderr\n");
}

fn a_pool_may_be_moved_and_used_elsewhere() {
    // Children die with the thread that made them; the one that built the pool ends here, and they must not.
    let pool = std::thread::spawn(|| {
        let pool = pool(2);
        pool.wait_ready(2, LONG).expect("workers");
        pool
    });
    let pool = pool.join().expect("a pool");
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(pool.submit::<u32>("echo", &3).expect("submitted").result(), Ok(3));
    std::thread::spawn(move || assert_eq!(pool.submit::<u32>("echo", &4).expect("submitted").result(), Ok(4)))
        .join()
        .expect("it went well");
}

fn a_command_ends_with_what_it_wrote() {
    use taskcell::Command;
    // Whatever the pool's isolation is, a program starts anew.
    let pool = Pool::builder(&component("cat")).isolation(Isolation::Reuse).build().expect("a pool");
    for text in ["one", "two", ""] {
        let end = pool.submit_command(&Command::new().stdin(text)).expect("submitted").end();
        assert_eq!((end.code(), end.result, end.written.stdout.as_slice()), (Some(0), Ok(()), text.as_bytes()));
        assert_eq!(end.written.stderr, b"");
    }
    let pool = Pool::builder(&component("exit-3")).build().expect("a pool");
    let end = pool.submit_command(&Command::new()).expect("submitted").end();
    assert_eq!((end.code(), end.result), (Some(3), Err(TaskError::Exited { code: 3 })));
    let pool = Pool::builder(&component("print-and-trap")).build().expect("a pool");
    let end = pool.submit_command(&Command::new()).expect("submitted").end();
    assert!(matches!(end.result, Err(TaskError::Trapped { .. })), "{end:?}");
    assert_eq!(
        (end.code(), end.written.stdout.as_slice(), end.written.stderr.as_slice()),
        (None, &b"before\n"[..], &b"the reason\n"[..])
    );
    let mut future =
        Pool::builder(&component("spin")).build().expect("a pool").submit_command(&Command::new()).expect("submitted");
    assert!(matches!(future.wait(Some(LONG)).expect("it ends with its pool").result, Err(TaskError::Stopped { .. })));
    let wrong = pool.submit_command(&Command::new().arg("a\0b")).map(drop);
    assert!(matches!(wrong, Err(Error::Input { .. })), "{wrong:?}");
    let no_program = Pool::builder(&component("numbers")).build().expect("a pool").submit_command(&Command::new()).map(drop);
    assert!(matches!(no_program, Err(Error::NotAProgram { .. })), "{no_program:?}");
}

fn commands_are_mapped_in_order() {
    use taskcell::Command;
    let pool = Pool::builder(&component("print-args")).build().expect("a pool");
    let commands = (0..1000).map(|n| Command::new().args(["-n", &n.to_string()]));
    let ends: Vec<taskcell::CommandEnd> = pool.map_commands(commands).expect("a map").collect();
    assert_eq!(ends.len(), 1000);
    for (n, end) in ends.iter().enumerate() {
        assert_eq!(String::from_utf8_lossy(&end.written.stdout), format!("print-args.wat\0-n\0{n}\0"));
    }
    let one_is_bad = ["a", "b\0", "c"].map(|arg| Command::new().arg(arg));
    let ends: Vec<Option<i32>> = pool.map_commands(one_is_bad).expect("a map").map(|end| end.code()).collect();
    assert_eq!(ends, [Some(0), None, Some(0)]);
}

fn limits_of_a_job_are_the_builders() {
    let greedy = Component::open(built("greedy")).expect("the guest is taken");
    let told = |limits| {
        let printed: Arc<Mutex<Vec<u8>>> = Arc::default();
        let collected = Arc::clone(&printed);
        let take = move |piece: taskcell::Printed<'_>| collected.lock().expect("a lock").extend_from_slice(piece.bytes);
        let program = Program::builder(&greedy).args(["pools".to_owned()]).job_limits(limits).on_printed(take);
        assert_eq!(program.build().expect("a program").wait(Some(LONG)), Some(Ok(())));
        String::from_utf8_lossy(&printed.lock().expect("a lock")).into_owned()
    };
    let few = told(JobLimits { pools: 3, ..JobLimits::default() });
    assert!(few.starts_with("pools 3: ") && few.contains("3 pools"), "{few}");
    let all = told(JobLimits::default());
    assert!(all.starts_with("pools 64: ") && all.contains("64 pools"), "{all}");
}

fn the_example_runs() {
    let fib = repository().join("guest/examples/fib.wat");
    let output = Command::new(env!("CARGO_BIN_EXE_embed-under-test")).arg(fib).output().expect("the example starts");
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8_lossy(&output.stdout);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[..2], ["fib(30) = 832040", "fib(0..10) = [0, 1, 1, 2, 3, 5, 8, 13, 21, 34]"]);
    assert!(lines[2].starts_with("fib of a text: the input does not fit"), "{text}");
}

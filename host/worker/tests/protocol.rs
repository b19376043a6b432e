//! What goes over the wire while a worker runs tasks: the run loop, the outbox and the watch thread together, over a real socket.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod stage;

use stage::{CHATTY, Heard, NUMBERS, PRINT, Setting, Stage, compiled, flat, message};
use taskcell_wire::{
    Boot, ChunkId, CommandInput, Encoding, Grants, Isolation, PROTOCOL_VERSION, Run, Stream, TaskIndex, ToWorker, Turn,
    WireError, limits::MIB,
};
use taskcell_worker::{WorkerError, page};

const MILLISECOND: u64 = 1_000_000;

fn numbers() -> Stage {
    Stage::set(compiled(NUMBERS), Setting::default())
}

fn shut_down(stage: Stage) {
    let mut out = Vec::new();
    message(&mut out, &ToWorker::Shutdown);
    stage.write(&out);
    stage.end().unwrap();
}

#[test]
fn runs_of_one_write_are_answered_in_order_and_in_few_frames() {
    for isolation in [Isolation::Reuse, Isolation::Fresh] {
        let mut stage = Stage::set(compiled(NUMBERS), Setting { isolation, ..Setting::default() });
        let inputs: Vec<String> = (0..50).map(|n| n.to_string()).collect();
        let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
        let mut out = Vec::new();
        let chunks: Vec<u64> = (0..40).map(|_| stage.run(&mut out, "echo", &inputs, None)).collect();
        stage.write(&out);
        let heard = stage.hear_outcomes(2000);
        assert!(heard.len() < 500, "{} frames for 2000 outcomes of 40 chunks", heard.len());
        let mut due = chunks.iter().flat_map(|chunk| (0..50).map(move |at| (*chunk, at)));
        for heard in heard {
            let Heard::Results { chunk, first, outcomes } = heard else { panic!("{heard:?}") };
            for (at, outcome) in (first..).zip(outcomes) {
                assert_eq!(Some((chunk, at)), due.next());
                assert_eq!(outcome, at.to_string());
            }
        }
        shut_down(stage);
    }
}

/// As if each of the supervisor's sends went out a byte at a time: frames begin and end anywhere in what is read.
#[test]
fn frames_that_arrive_byte_by_byte_are_whole_frames() {
    let mut stage = numbers();
    let mut out = Vec::new();
    let inputs: Vec<String> = (0..300).map(|n| n.to_string()).collect();
    for inputs in inputs.chunks(7) {
        let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
        stage.run(&mut out, "echo", &inputs, None);
    }
    let mut heard = Vec::new();
    std::thread::scope(|scope| {
        let stage = &mut stage;
        let socket = stage.socket();
        // Beside the listening: the answers to the first frames come while the last are under way.
        scope.spawn(move || {
            for byte in &out {
                rustix::io::write(&socket, &[*byte]).unwrap();
                std::thread::yield_now();
            }
        });
        heard = flat(stage.hear_outcomes(inputs.len()));
    });
    assert_eq!(heard, inputs);
    shut_down(stage);
}

#[test]
fn a_fresh_instance_forgets_and_one_that_is_used_again_does_not() {
    let nothing = ["[]", "[]", "[]"];
    let mut stage = Stage::set(compiled(NUMBERS), Setting { isolation: Isolation::Fresh, ..Setting::default() });
    assert_eq!(stage.outcomes("count", &nothing), ["1", "1", "1"]);
    shut_down(stage);
    let mut stage = numbers();
    assert_eq!(stage.outcomes("count", &nothing), ["1", "2", "3"]);
    assert_eq!(stage.outcomes("mood", &["1", "2"]), ["trapped unreachable", "2"]);
    assert_eq!(stage.outcomes("count", &nothing), ["1", "2", "3"], "what a trap leaves behind is not used again");
    shut_down(stage);
}

#[test]
fn inputs_that_do_not_fit_are_told_and_the_next_task_runs() {
    let mut stage = numbers();
    let outcomes = stage.outcomes("echo", &["7", "-1", "nonsense", "", "{}", "8"]);
    assert_eq!(outcomes, ["7", "invalid", "invalid", "invalid", "invalid", "8"]);
    let mut out = Vec::new();
    let run = Run {
        chunk: ChunkId(99),
        task: TaskIndex(u16::MAX),
        input: Encoding::Json,
        output: Encoding::Json,
        timeout: None,
        timed: true,
        turn: Turn(0),
        together: 1,
        claimed: true,
        count: 1,
        items: &[2, b'[', b']'],
    };
    message(&mut out, &ToWorker::Run(run));
    stage.write(&out);
    assert_eq!(flat(stage.hear_outcomes(1)), ["invalid"]);
    shut_down(stage);
}

#[test]
fn results_do_not_wait_for_a_slow_task_behind_them() {
    let mut stage = numbers();
    let mut out = Vec::new();
    stage.run(&mut out, "echo", &["1", "2"], None);
    let slow = stage.run(&mut out, "mood", &["3", "0", "4"], None);
    stage.write(&out);
    // The last but one never ends by itself, so these came before it did.
    assert_eq!(flat(stage.hear_outcomes(3)), ["1", "2", "3"]);
    page::ask_to_stop(&stage.page, ChunkId(slow));
    assert_eq!(flat(stage.hear_outcomes(2)), ["cancelled", "cancelled"]);
    shut_down(stage);
}

#[test]
fn a_deadline_ends_its_task_and_no_other() {
    for isolation in [Isolation::Reuse, Isolation::Fresh] {
        let mut stage = Stage::set(compiled(NUMBERS), Setting { isolation, ..Setting::default() });
        let mut out = Vec::new();
        stage.run(&mut out, "mood", &["0", "5", "0", "6"], Some(100 * MILLISECOND));
        stage.run(&mut out, "mood", &["7"], None);
        stage.write(&out);
        let outcomes = flat(stage.hear_outcomes(5));
        // On a machine that stands still, a short task may run over its time too.
        assert_eq!([&outcomes[0], &outcomes[2], &outcomes[4]], ["timed out", "timed out", "7"]);
        assert!(["5", "timed out"].contains(&outcomes[1].as_str()), "{outcomes:?}");
        shut_down(stage);
    }
}

#[test]
fn a_request_to_stop_cancels_the_rest_of_its_chunk_and_nothing_else() {
    let mut stage = numbers();
    let mut out = Vec::new();
    let chunk = stage.run(&mut out, "mood", &["2", "0", "3", "4"], None);
    stage.run(&mut out, "mood", &["5", "6"], None);
    stage.write(&out);
    assert_eq!(flat(stage.hear_outcomes(1)), ["2"]);
    // The page tells what would die with the worker; its word for the next task follows the outcome of the one before.
    stage.wait_for(|page| page::running(page) == Some((ChunkId(chunk), 1)));
    page::ask_to_stop(&stage.page, ChunkId(chunk + 7));
    page::ask_to_stop(&stage.page, ChunkId(chunk));
    assert_eq!(flat(stage.hear_outcomes(5)), ["cancelled", "cancelled", "cancelled", "5", "6"]);
    assert_eq!(stage.outcomes("mood", &["9"]), ["9"]);
    shut_down(stage);
}

#[test]
fn a_chunk_that_was_stopped_before_it_began_does_not_run() {
    let mut stage = numbers();
    page::ask_to_stop(&stage.page, ChunkId(0));
    let mut out = Vec::new();
    // Would never end, if it ran.
    stage.run(&mut out, "mood", &["0", "0"], None);
    stage.run(&mut out, "mood", &["2"], None);
    stage.write(&out);
    assert_eq!(flat(stage.hear_outcomes(3)), ["cancelled", "cancelled", "2"]);
    shut_down(stage);
}

#[test]
fn shutdown_ends_it_after_what_was_sent_before() {
    let mut stage = numbers();
    let mut out = Vec::new();
    stage.run(&mut out, "echo", &["1", "2"], None);
    message(&mut out, &ToWorker::Shutdown);
    stage.run(&mut out, "mood", &["0"], None);
    stage.write(&out);
    assert_eq!(flat(stage.hear_outcomes(2)), ["1", "2"]);
    let page = stage.end_page().unwrap();
    assert_eq!(page::running(&page), None);
}

#[test]
fn what_was_taken_back_is_not_run_and_what_comes_after_it_is() {
    let mut stage = numbers();
    let mut out = Vec::new();
    let mut run = |chunk: u64, turn: u64, claimed: bool, inputs: &[u8]| {
        let items: Vec<u8> = inputs.iter().flat_map(|digit| [1, *digit]).collect();
        let count = u32::try_from(inputs.len()).unwrap();
        let (chunk, turn, task, encoding) = (ChunkId(chunk), Turn(turn), stage.task("echo"), Encoding::Json);
        let (input, output, timeout, timed, together) = (encoding, encoding, None, false, 1);
        let run = Run { chunk, task, input, output, timeout, timed, turn, together, claimed, count, items: &items };
        message(&mut out, &ToWorker::Run(run));
    };
    // One turn was claimed when the rest was taken back; the first chunk had three, the second two.
    run(0, 0, true, b"123");
    run(1, 3, false, b"45");
    run(2, 5, true, b"6");
    run(3, 6, false, b"78");
    page::give(&stage.page, Turn(0), 1);
    assert_eq!(page::take_back(&stage.page, Turn(5)), Turn(1));
    page::give(&stage.page, Turn(5), 1);
    stage.write(&out);
    assert_eq!(flat(stage.hear_outcomes(4)), ["1", "6", "7", "8"]);
    shut_down(stage);
}

#[test]
fn many_bytes_of_results_pass_through_a_small_socket() {
    let mut stage = numbers();
    let long: Vec<u8> = (0u8..=255).cycle().take(300_000).collect();
    let too_long = vec![1; 1_200_000];
    let mut out = Vec::new();
    stage.run_encoded(&mut out, "echo-bytes", &[&long, &long, &too_long, b"", &long], None, Encoding::Bytes);
    stage.write(&out);
    let outcomes = flat(stage.hear_outcomes(5));
    let text = String::from_utf8_lossy(&long);
    assert!([0, 1, 4].iter().all(|at| outcomes[*at] == text), "the bytes came back as they went");
    assert_eq!([&outcomes[2], &outcomes[3]], ["over limit result", ""]);
    shut_down(stage);
}

#[test]
fn garbage_ends_it_with_an_error() {
    let boot = Boot {
        version: PROTOCOL_VERSION,
        interface: compiled(NUMBERS).interface.clone(),
        limits: stage::limits(),
        grants: Grants::default(),
        isolation: Isolation::Fresh,
        strict: true,
        restrict_speculation: false,
        send_printed: true,
        cpus: 2,
    };
    let mut twice = Vec::new();
    message(&mut twice, &ToWorker::Boot(Box::new(boot)));
    let mut broken_items = Vec::new();
    let run = Run {
        chunk: ChunkId(0),
        task: TaskIndex(0),
        input: Encoding::Json,
        output: Encoding::Json,
        timeout: None,
        timed: false,
        turn: Turn(0),
        together: 1,
        claimed: true,
        count: 2,
        items: &[3, b'[', b'1', b']', 0xff, 0xff, 0xff],
    };
    message(&mut broken_items, &ToWorker::Run(run));
    let over_cap = u32::try_from(64 * MIB).unwrap().to_le_bytes();
    let wire = |error: &WorkerError| matches!(error, WorkerError::Wire(WireError::Malformed(_)));
    let too_long = |error: &WorkerError| matches!(error, WorkerError::Wire(WireError::FrameTooLong { .. }));
    let out_of_turn = |error: &WorkerError| matches!(error, WorkerError::OutOfTurn);
    type Expected<'a> = &'a dyn Fn(&WorkerError) -> bool;
    let cases: [(&str, &[u8], Expected<'_>); 6] = [
        ("no message at all", &[3, 0, 0, 0, 0xff, 0xff, 0xff], &wire),
        ("an empty frame", &[0, 0, 0, 0], &wire),
        ("bytes behind a message", &[2, 0, 0, 0, 2, 2], &wire),
        ("inputs that end early", &broken_items, &wire),
        ("a frame over the cap", &over_cap, &too_long),
        ("a second Boot", &twice, &out_of_turn),
    ];
    for (what, bytes, expected) in cases {
        let stage = numbers();
        stage.write(bytes);
        let ended = stage.end();
        assert!(ended.as_ref().is_err_and(expected), "{what}: {ended:?}");
    }
}

#[test]
fn it_ends_well_when_the_supervisor_hangs_up_even_within_a_frame() {
    let mut whole = Vec::new();
    let mut stage = Stage::set(compiled(NUMBERS), Setting { watched: false, ..Setting::default() });
    stage.run(&mut whole, "echo", &["1", "2"], None);
    drop(stage);
    for cut in [0, 1, 4, 7, whole.len() - 1] {
        let stage = Stage::set(compiled(NUMBERS), Setting { watched: false, ..Setting::default() });
        stage.write(&whole[..cut]);
        stage.hang_up();
        stage.end().unwrap();
    }
    // What came whole is answered before.
    let mut stage = Stage::set(compiled(NUMBERS), Setting { watched: false, ..Setting::default() });
    stage.write(&whole);
    stage.write(&whole[..whole.len() - 1]);
    stage.hang_up();
    assert_eq!(flat(stage.hear_outcomes(2)), ["1", "2"]);
    stage.end().unwrap();
}

fn printed(heard: &[Heard], wanted: u32) -> String {
    let text = |heard: &Heard| match heard {
        Heard::Printed { task, stream: Stream::Stdout, text, .. } if *task == wanted => Some(text.clone()),
        Heard::Printed { .. } | Heard::Results { .. } => None,
    };
    heard.iter().filter_map(text).collect()
}

const NOTHING: [&str; 4] = ["[]"; 4];
const COMMAND: &str = "wasi:cli/run@0.2.6#run";

fn command(which: usize) -> String {
    compiled(which).interface.tasks.first().map_or(COMMAND.into(), |task| task.name.clone())
}

#[test]
fn what_a_task_prints_leaves_before_its_outcome() {
    let mut stage = Stage::set(compiled(PRINT), Setting { isolation: Isolation::Fresh, ..Setting::default() });
    let mut out = Vec::new();
    let first = stage.run(&mut out, &command(PRINT), &NOTHING, None);
    stage.run(&mut out, &command(PRINT), &NOTHING, None);
    stage.write(&out);
    let heard = stage.hear_outcomes(8);
    let mut spoke = std::collections::BTreeSet::new();
    let mut ended = 0;
    for heard in &heard {
        match heard {
            Heard::Printed { chunk, task, stream, text } => {
                assert_eq!(text, "hello\n");
                let number = usize::try_from((chunk - first) * 4 + u64::from(*task)).unwrap();
                assert!(number >= ended, "a word of task {number} comes after its outcome");
                assert!(spoke.insert((number, stream.name())), "said twice");
            }
            Heard::Results { outcomes, .. } => {
                ended += outcomes.len();
                assert!(outcomes.iter().all(|outcome| outcome == "null"), "{outcomes:?}");
                assert!((0..ended).all(|n| spoke.contains(&(n, "stdout")) && spoke.contains(&(n, "stderr"))), "{heard:?}");
            }
        }
    }
    assert_eq!((ended, spoke.len()), (8, 16));
    shut_down(stage);
}

#[test]
fn what_is_over_the_print_limit_is_cut_once_for_each_task() {
    let setting = Setting { isolation: Isolation::Fresh, log_bytes: 25, ..Setting::default() };
    let mut stage = Stage::set(compiled(CHATTY), setting);
    let mut out = Vec::new();
    stage.run(&mut out, &command(CHATTY), &NOTHING, None);
    stage.write(&out);
    let heard = stage.hear_outcomes(4);
    for task in 0..4 {
        let text = printed(&heard, task);
        assert_eq!(text, "123456789\n123456789\n12345\n[cut here: the limit is 25 bytes a task]\n", "task {task}");
    }
    shut_down(stage);
}

#[test]
fn what_a_command_prints_is_always_sent_and_each_outcome_follows_its_own() {
    for send_printed in [true, false] {
        let setting = Setting { isolation: Isolation::Fresh, send_printed, log_bytes: 3, ..Setting::default() };
        let mut stage = Stage::set(compiled(PRINT), setting);
        let item = CommandInput { args: vec!["print"], stdin: b"" }.item();
        let mut out = Vec::new();
        stage.run_encoded(&mut out, &command(PRINT), &[&item, &item, &item], None, Encoding::Command);
        stage.write(&out);
        let heard = stage.hear_outcomes(3);
        let mut order = Vec::new();
        for one in &heard {
            match one {
                Heard::Printed { task, stream: Stream::Stdout, text, .. } => order.push((*task, text.clone())),
                // Only standard error is cut.
                Heard::Printed { text, .. } => assert!(text.starts_with("hel") || text.contains("cut here"), "{text}"),
                Heard::Results { first, outcomes, .. } => {
                    assert_eq!(outcomes.as_slice(), [""], "one outcome at a time");
                    order.push((*first, "ended".to_owned()));
                }
            }
        }
        let expected: Vec<(u32, String)> =
            (0..3).flat_map(|task| ["hello\n", "ended"].map(|what| (task, what.to_owned()))).collect();
        assert_eq!(order, expected);
        shut_down(stage);
    }
}

#[test]
fn nothing_printed_is_sent_if_nobody_wants_it() {
    let setting = Setting { isolation: Isolation::Fresh, send_printed: false, ..Setting::default() };
    let mut stage = Stage::set(compiled(PRINT), setting);
    let mut out = Vec::new();
    stage.run(&mut out, &command(PRINT), &NOTHING, None);
    stage.write(&out);
    let heard = stage.hear_outcomes(4);
    assert!(heard.iter().all(|heard| matches!(heard, Heard::Results { .. })), "{heard:?}");
    shut_down(stage);
}

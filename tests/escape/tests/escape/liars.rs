//! A double tells a lie in the middle of a map: it costs the task that the double ran, and no other.

use taskcell::{Pool, TaskError};

use crate::double::{ANSWER, LIE, fib};
use crate::lies::{A_THOUSAND_DESCRIPTORS, End, LIES};
use crate::stage::{self, LIAR, PATIENCE, assert_lost, assert_right, honest, impatient, inputs, map, ordered, probe};
use crate::{Case, early, unconfined};

pub(crate) fn cases() -> Vec<Case> {
    let lies = LIES.iter().zip(LIE..).map(|((name, end, _), number)| -> Case {
        (format!("a liar tells: {name}"), Box::new(move || costs_its_own_task(*end, number)))
    });
    let early = early::TOLD.iter().flat_map(|(order, why)| -> [Case; 2] {
        [
            (format!("one tells before ready: {order}"), Box::new(move || one_tells_before_ready(order))),
            (format!("all tell before ready: {order}"), Box::new(move || all_tell_before_ready(order, why))),
        ]
    });
    let rest: Vec<Case> = vec![
        ("a_worker_that_fails_to_get_ready_stops_the_pool_with_its_words".into(), Box::new(fails_to_get_ready)),
        ("workers_that_never_get_ready_are_given_up".into(), Box::new(never_ready)),
        ("descriptors_that_a_worker_sends_are_not_kept".into(), Box::new(descriptors_are_not_kept)),
        ("what_liars_say_of_commands_is_checked".into(), Box::new(commands_are_checked)),
        ("single_bytes_are_as_good_as_frames".into(), Box::new(single_bytes)),
    ];
    lies.chain(early).chain(rest).collect()
}

/// A map with one order in it: the order's task ends so, and all others as if nothing were.
pub(crate) fn costs_its_own_task(end: End, lie: u32) {
    let pool = if matches!(end, End::TimedOut) { impatient() } else { honest() };
    let before = pool.worker_pids();
    let inputs = inputs(lie);
    let outcomes = map(&pool, inputs.clone());
    match end {
        End::Lost(why) | End::LostAtLast(why) => {
            assert_lost(&outcomes[LIAR], why);
            assert_right(&inputs, &outcomes, &[LIAR]);
        }
        End::NextLost(why) => {
            assert_eq!(outcomes[LIAR], Ok(ANSWER));
            // Unless somebody idle has taken it over.
            if outcomes[LIAR + 1] != Ok(fib(inputs[LIAR + 1])) {
                assert_lost(&outcomes[LIAR + 1], why);
            }
            assert_right(&inputs, &outcomes, &[LIAR, LIAR + 1]);
        }
        End::TimedOut => {
            assert_eq!(outcomes[LIAR], Err(TaskError::TimedOut));
            assert_right(&inputs, &outcomes, &[LIAR]);
        }
        End::Answered => {
            assert_eq!(outcomes[LIAR], Ok(ANSWER));
            assert_right(&inputs, &outcomes, &[LIAR]);
        }
        End::Harmless => {
            assert!(matches!(outcomes[LIAR], Ok(ANSWER) | Err(TaskError::Lost { .. })), "{:?}", outcomes[LIAR]);
            assert_right(&inputs, &outcomes, &[LIAR]);
        }
    }
    probe(&pool);
    pool.wait_ready(2, PATIENCE).unwrap();
    let after = pool.worker_pids();
    let survivors = before.iter().filter(|pid| after.contains(pid)).count();
    match end {
        End::Lost(_) | End::NextLost(_) | End::TimedOut => assert_eq!(survivors, 1, "the liar dies, and nobody else"),
        End::Answered => assert_eq!(survivors, 2, "nobody dies"),
        // A liar that is found out late has said by then that it runs nothing: its task is tried again, elsewhere.
        End::Harmless | End::LostAtLast(_) => {}
    }
}

fn one_tells_before_ready(order: &str) {
    let folder = unconfined::Folder::new();
    let pool = ordered(order, Some(&folder.mark()));
    let inputs: Vec<u32> = (0..1000).map(|n| n % 90).collect();
    assert_right(&inputs, &map(&pool, inputs.clone()), &[]);
    pool.wait_ready(2, PATIENCE).unwrap();
    probe(&pool);
    assert!(folder.mark().exists(), "nobody told it");
}

fn all_tell_before_ready(order: &str, why: &str) {
    let pool = ordered(order, None);
    let text = stops(&pool);
    assert!(text.contains(why), "expected the pool to stop since {why}: {text}");
}

/// The pool stops, and with it its tasks; why.
pub(crate) fn stops(pool: &Pool) -> String {
    let mut future = pool.submit::<u64>("fib", &20).unwrap();
    match future.wait(Some(PATIENCE)) {
        Some(Err(TaskError::Stopped { text })) => text,
        other => panic!("expected the task to end with the pool: {other:?}"),
    }
}

fn fails_to_get_ready() {
    let pool = ordered(early::FAILED, None);
    let error = pool.wait_ready(1, PATIENCE).unwrap_err();
    assert!(matches!(&error, taskcell::Error::Boot { kind: taskcell::BootFailure::Guest, .. }), "{error:?}");
    assert!(error.to_string().contains("make an instance: on purpose"), "{error}");
    assert!(stops(&pool).contains("make an instance: on purpose"));
}

/// A guest's start functions run before ready, so one that broke out of wasm there can keep silent for ever.
fn never_ready() {
    let pool = ordered(early::SILENT, None);
    stops(&pool);
}

fn descriptors_are_not_kept() {
    let open = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    let lie = LIES.iter().position(|(name, ..)| *name == A_THOUSAND_DESCRIPTORS).unwrap();
    let pool = honest();
    let before = open();
    for _ in 0..4 {
        let _either = stage::order(&pool, LIE + u32::try_from(lie).unwrap());
        probe(&pool);
        pool.wait_ready(2, PATIENCE).unwrap();
    }
    assert!(open() < before + 8, "{before} descriptors were open, now {}", open());
}

/// A command's result is what it printed before, so its outcome is empty, and printing has an end.
fn commands_are_checked() {
    let named = |wanted: &str| LIE + u32::try_from(LIES.iter().position(|(name, ..)| *name == wanted).unwrap()).unwrap();
    let pool = honest();
    for (number, why) in [
        (20, "it sent a result that is not one line of JSON"),
        (named("printing for ever"), "it sent more than its limits allow"),
        (named("results without an outcome"), "its answers were out of order"),
    ] {
        match stage::order_command(&pool, number) {
            Err(TaskError::Lost { text }) => assert!(text.contains(why), "it was lost, but not since {why}: {text}"),
            other => panic!("expected it to be lost since {why}: {other:?}"),
        }
        probe(&pool);
        pool.wait_ready(2, PATIENCE).unwrap();
    }
    assert_eq!(stage::order_command(&pool, named("an empty result")), Ok(()), "for a command that is the right one");
}

/// Both ways: the supervisor's sends are taken a byte at a time, and fill its socket; what comes back is cut anywhere.
fn single_bytes() {
    let pool = ordered(early::IN_BYTES, None);
    let inputs: Vec<u32> = (0..4096).map(|n| n % 90).collect();
    assert_right(&inputs, &map(&pool, inputs.clone()), &[]);
    probe(&pool);
}

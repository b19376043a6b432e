//! A confined double does what is forbidden: nothing comes of it but its own death, and the pool goes on.

use taskcell_sandbox::{Answer, Role, policy_table};

use crate::acts::{ACTS, End};
use crate::double::{ACT, CALL};
use crate::stage::{assert_lost, honest, order, probe};
use crate::{Case, calls};

/// What the supervisor says of a worker that was killed for a system call.
const VIOLATION: &str = "sandbox-violation";

pub(crate) fn cases() -> Vec<Case> {
    let acts = ACTS
        .iter()
        .zip(ACT..)
        .map(|((name, end, _), number)| -> Case { (format!("after an escape: {name}"), Box::new(move || ends(*end, number))) });
    let calls: Case = ("no_forbidden_call_is_carried_out".into(), Box::new(no_forbidden_call_is_carried_out));
    std::iter::once(calls).chain(acts).collect()
}

fn no_forbidden_call_is_carried_out() {
    let pool = honest();
    let (mut killed, mut refused) = (0, 0);
    for ((name, number, _), index) in calls::all().zip(CALL..) {
        let outcome = order(&pool, index);
        let answer = policy_table(Role::Worker).iter().find(|rule| rule.number == number).map(|rule| rule.answer);
        match answer {
            Some(Answer::Allow) => panic!("{name}: the table allows it"),
            Some(Answer::Refuse(error)) => {
                assert_eq!(outcome, Ok(u64::try_from(error).unwrap()), "{name}");
                refused += 1;
            }
            Some(Answer::AllowIf(_)) | None => {
                assert!(outcome.is_err(), "{name} was carried out, or refused with an error: {outcome:?}");
                assert_lost(&outcome, VIOLATION);
                killed += 1;
            }
        }
        probe(&pool);
    }
    println!("  {} calls: {killed} were their worker's last, {refused} were refused", killed + refused);
    assert!(killed + refused >= 100 && killed >= 60);
}

fn ends(end: End, number: u32) {
    let pool = honest();
    let outcome = order(&pool, number);
    match end {
        End::Killed => assert_lost(&outcome, VIOLATION),
        End::Gives(value) => assert_eq!(outcome, Ok(value)),
        End::Refused(errors) => {
            let expected = |found: &u64| errors.iter().any(|error| u64::try_from(*error) == Ok(*found));
            assert!(outcome.as_ref().is_ok_and(expected), "expected an error of {errors:?}: {outcome:?}");
        }
    }
    probe(&pool);
}

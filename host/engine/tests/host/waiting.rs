//! Waiting for several things.

use taskcell_wire::call::{Batch, Call, CallError, HandleId, HandleKind, Interest, Reply};

use crate::stage::{Comes, handle, json};
use crate::tasks::compiled;

#[test]
fn places_are_those_of_the_list() {
    let mut stage = compiled().stage();
    let given = [handle(HandleKind::Queue, 3), handle(HandleKind::Event, 4), json("5")];
    let on = vec![(HandleId(3), Interest::In), (HandleId(4), Interest::In), (HandleId(3), Interest::Out)];
    let call = Call::WaitAny { on: Batch(on), timeout: Some(5) };
    let (ended, log) = stage.run("wait-any", &given, &[Reply::Places(vec![1, 2]).into()]);
    // The queue lived as long as its waitables did, and was dropped once.
    assert_eq!((ended.as_str(), log), ("[1,2]", vec![format!("{call:?}"), "Drop(HandleId(3))".into()]));
    let (ended, _) = stage.run("wait-any", &given, &[CallError::TimedOut.into()]);
    assert_eq!(ended, r#"failed {"timed-out":null}"#);
    // A place that is none.
    let (ended, _) = stage.run("wait-any", &given, &[Reply::Places(vec![3]).into()]);
    assert!(ended.contains("another kind"), "{ended}");
}

#[test]
fn how_many_is_within_bounds() {
    let mut stage = compiled().stage();
    let many = |count| [handle(HandleKind::Event, 4), json(count)];
    let (ended, log) = stage.run("wait-many", &many("0"), &[]);
    assert_eq!((ended.as_str(), log.len()), (r#"failed {"invalid":"there is nothing to wait for"}"#, 0));
    let (ended, log) = stage.run("wait-many", &many("1025"), &[]);
    assert_eq!((ended.as_str(), log.len()), (r#"failed {"quota":"wait-any takes 1024 things at most, found 1025"}"#, 0));
    let (ended, log) = stage.run("wait-many", &many("1024"), &[Reply::Places(vec![1023]).into()]);
    assert_eq!((ended.as_str(), log.len()), ("[1023]", 1));
}

#[test]
fn whether_one_is_ready_is_always_answered() {
    let mut stage = compiled().stage();
    let given = [handle(HandleKind::Event, 4)];
    let call = || Call::WaitAny { on: Batch(vec![(HandleId(4), Interest::In)]), timeout: Some(0) };
    stage.check("waitable-ready", &given, &[(call(), Reply::Places(vec![0]).into())], "true");
    stage.check("waitable-ready", &given, &[(call(), CallError::TimedOut.into())], "false");
    // Whatever the call that it stands for would fail with, it would do so at once.
    for error in [CallError::Closed, CallError::Denied, CallError::Cancelled] {
        stage.check("waitable-ready", &given, &[(call(), Comes::from(error))], "true");
    }
}

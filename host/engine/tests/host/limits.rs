//! Guests that go too far.

use taskcell_wire::call::Create;
use taskcell_wire::call::{BATCH_ITEMS, Call, HandleId, HandleKind, LeaseId, PoolReply, QueueReply, Reply, TaskId};
use taskcell_wire::{Grants, Isolation, Limits};

use crate::stage::{Comes, Compiled, Stage, handle, json};
use crate::tasks::compiled;

fn stage(handles: u32) -> Stage {
    compiled().stage_with(Isolation::Fresh, Grants::default(), |limits| limits.handles = handles)
}

#[test]
fn a_guest_has_so_many_handles_and_no_more() {
    let event = || handle(HandleKind::Event, 3);
    let (ended, log) = stage(10).run("fill-table", &[event()], &[]);
    assert_eq!((ended.as_str(), log), ("over handles: wanted another handle, the limit is 10", vec![]));
    // Too many arguments.
    let (ended, log) = stage(3).run("spawn-with-all", &HandleKind::ALL.map(|kind| handle(kind, 3)), &[]);
    assert_eq!((ended.as_str(), log), ("over handles: wanted another handle, the limit is 3", vec![]));
    // What can fail is told before it asks, so that nothing is left behind with the broker.
    let mut stage = stage(10);
    let many = |made, which| [event(), handle(HandleKind::Queue, 4), json(made), json(which)];
    for which in ["0", "1", "2"] {
        let (ended, log) = stage.run("nearly-full", &many("8", which), &[]);
        assert_eq!((ended.as_str(), log), (r#"failed {"quota":"wanted another handle, the limit is 10"}"#, vec![]), "{which}");
    }
    let delivery = || Comes::from(Reply::Queue(QueueReply::Delivery { lease: LeaseId(1), attempt: 1, message: b"".into() }));
    assert_eq!(stage.run("nearly-full", &many("7", "0"), &[delivery()]).0, "10");
    assert_eq!(stage.run("nearly-full", &many("7", "2"), &[Reply::Handle(HandleId(9)).into()]).0, "10");
    // A pipe needs two places, and is not made for one.
    assert_eq!(stage.run("nearly-full", &many("7", "1"), &[]).1, Vec::<String>::new());
    assert_eq!(stage.run("nearly-full", &many("6", "1"), &[Reply::Ends(HandleId(9), HandleId(10)).into()]).1.len(), 1);
}

#[test]
fn handles_of_the_guests_own_have_a_limit_too() {
    let wat = r#"(component
        (type $r' (resource (rep i32)))
        (export $r "r" (type $r'))
        (core func $new (canon resource.new $r'))
        (core module $m (import "" "new" (func $new (param i32) (result i32)))
            (func (export "hog") (param i32)
                (loop $next (drop (call $new (i32.const 1)))
                    (local.set 0 (i32.sub (local.get 0) (i32.const 1))) (br_if $next (local.get 0)))))
        (core instance $i (instantiate $m (with "" (instance (export "new" (func $new))))))
        (func (export "hog") (param "n" u32) (canon lift (core func $i "hog"))))"#;
    let mut stage = Compiled::new(wat.as_bytes(), Limits::default()).stage();
    stage.check("hog", &[json("100000")], &[], "null");
    let (ended, _) = stage.run("hog", &[json("10000000")], &[]);
    assert!(ended.starts_with("over handles: "), "{ended}");
}

#[test]
fn a_handle_is_only_what_it_is() {
    let mut stage = compiled().stage();
    let refused = |(ended, log): (String, Vec<String>), expected: &[&str]| {
        assert!(ended.starts_with("trapped abi: ") && ended.contains("handle"), "{ended}");
        assert_eq!(log, expected);
    };
    let queue = || [handle(HandleKind::Queue, 3)];
    refused(stage.run("drop-twice", &queue(), &[]), &["Drop(HandleId(3))"]);
    refused(stage.run("use-as-event", &queue(), &[]), &[]);
    for guess in ["0", "1", "7", "4294967295"] {
        refused(stage.run("guess", &[json(guess)], &[]), &[]);
    }
}

#[test]
fn a_list_has_so_many_elements_and_no_more() {
    let queue = || handle(HandleKind::Queue, 3);
    let mut stage = compiled().stage();
    let done = || Comes::from(Reply::Queue(QueueReply::Done));
    assert_eq!(stage.run("put-much", &[queue(), json("0"), json("16384")], &[done()]).0, "null");
    let (ended, log) = stage.run("put-much", &[queue(), json("0"), json("16385")], &[]);
    assert_eq!(ended, format!(r#"failed {{"quota":"a call takes a list of {BATCH_ITEMS} at most, this one has 16385"}}"#));
    assert_eq!(log, Vec::<String>::new());
    // A million empty messages are 24 MB here, of which the host holds no more than it says.
    let (ended, _) = stage.run("put-much", &[queue(), json("0"), json("250000")], &[]);
    assert!(ended.contains("a list of 16384 at most"), "{ended}");
    let mut small = compiled().stage_with(Isolation::Fresh, Grants::default(), |limits| limits.host_call_bytes = 1 << 20);
    let (ended, _) = small.run("put-much", &[queue(), json("0"), json("250000")], &[]);
    assert!(ended.starts_with("over host-call: "), "{ended}");
    // The same megabyte again and again.
    let (ended, _) = stage.run("put-much", &[queue(), json("1048576"), json("100")], &[]);
    assert!(ended.starts_with("over host-call: "), "{ended}");
    let (ended, _) = stage.run("put-much", &[queue(), json("4294967295"), json("1")], &[]);
    assert!(ended.starts_with("trapped abi: "), "{ended}");
}

#[test]
fn an_invocation_keeps_no_more_than_one_message_takes() {
    let end = || handle(HandleKind::Connection, 3);
    let mut stage = compiled().stage_with(Isolation::Fresh, Grants::default(), |limits| {
        limits.message_bytes = 10_000;
        limits.host_call_bytes = 100_000;
    });
    let started = || Comes::from(Reply::Started(HandleId(9), TaskId(1)));
    let (ended, log) = stage.run("push-much", &[end(), json("1000"), json("8"), json("1")], &[started()]);
    assert_eq!((ended.as_str(), log.len()), ("2", 1));
    // Its ends are closed, once, and nobody is asked.
    let (ended, log) = stage.run("push-much", &[end(), json("1000"), json("15"), json("1")], &[]);
    let drop = vec!["Drop(HandleId(3))".to_owned()];
    assert_eq!((ended.as_str(), log), (r#"failed {"quota":"an invocation takes 10000 bytes at most"}"#, drop));
    // A value that is nothing takes room as well.
    let (ended, _) = stage.run("push-much", &[end(), json("0"), json("4000"), json("1")], &[]);
    assert_eq!(ended, r#"failed {"quota":"invocations and deliveries keep 100000 bytes at most together"}"#);
    // One value as long as a message may be, with a name and another value beside it.
    let (ended, log) = stage.run("push-much", &[end(), json("10000"), json("1"), json("1")], &[started()]);
    assert_eq!((ended.as_str(), log.len()), ("2", 1));
    // All invocations together.
    let (ended, _) = stage.run("push-much", &[end(), json("1000"), json("8"), json("20")], &[]);
    assert_eq!(ended, r#"failed {"quota":"invocations and deliveries keep 100000 bytes at most together"}"#);
    let mut large = compiled().stage();
    let (ended, _) = large.run("push-much", &[end(), json("0"), json("16385"), json("1")], &[]);
    assert_eq!(ended, r#"failed {"quota":"an invocation takes 16384 arguments at most"}"#);
}

#[test]
fn deliveries_keep_no_more_than_they_may() {
    let mut stage = compiled().stage_with(Isolation::Fresh, Grants::default(), |limits| limits.host_call_bytes = 100_000);
    let message: &'static [u8] = vec![0; 30_000].leak();
    let delivery = || Comes::from(Reply::Queue(QueueReply::Delivery { lease: LeaseId(1), attempt: 1, message: message.into() }));
    let (ended, log) = stage.run("receive-much", &[handle(HandleKind::Queue, 3)], &vec![delivery(); 10]);
    // One too many, because nobody knew how long it would be; and no message was taken in vain.
    assert_eq!(
        (ended.as_str(), log.len()),
        (r#"failed {"quota":"invocations and deliveries keep 100000 bytes at most together"}"#, 4)
    );
}

#[test]
fn a_mapping_is_pushed_as_much_as_one_message_takes() {
    let mut stage = compiled().stage_with(Isolation::Fresh, Grants::default(), |limits| limits.message_bytes = 100);
    let made = || [Reply::Handle(HandleId(8)).into(), Reply::Handle(HandleId(9)).into()];
    let pushed = |count| Comes::from(Reply::Pool(PoolReply::Pushed(count)));
    let values = |lengths: &[usize]| {
        let each: Vec<String> = lengths.iter().map(|length| format!(r#"{{"json":"{}"}}"#, "1".repeat(*length))).collect();
        json(format!("[{}]", each.join(",")).leak())
    };
    for (lengths, sent) in [(&[30, 30, 30][..], 2), (&[], 0), (&[200, 1], 1), (&[1, 200], 1)] {
        let script = [&made()[..], &[pushed(sent)]].concat();
        let (ended, log) = stage.run("mapping-push", &[values(lengths), json("null")], &script);
        assert_eq!(ended, sent.to_string());
        assert_eq!(log[2].matches("Json").count(), usize::try_from(sent).unwrap(), "{}", log[2]);
    }
    let many = vec![0; BATCH_ITEMS + 5];
    let mut stage = compiled().stage();
    let script = [&made()[..], &[pushed(16384)]].concat();
    assert_eq!(stage.run("mapping-push", &[values(&many), json("null")], &script).0, "16384");
    // A map is one call, so all or nothing.
    let (ended, log) = stage.run("pool-map", &[json("\"t\""), values(&many)], &made()[..1]);
    assert!(ended.starts_with(r#"failed {"quota":"#) && log.len() == 1, "{ended}");
}

#[test]
fn a_name_is_as_long_as_it_is_shown() {
    let mut stage = compiled().stage();
    let name = json(format!("\"{}\"", "é".repeat(100_000)).leak());
    let (_, log) = stage.run("event-create", &[name], &[Reply::Handle(HandleId(9)).into()]);
    assert_eq!(log, [format!("{:?}", Call::Create(Create::Event(Some("é".repeat(64)))))]);
}

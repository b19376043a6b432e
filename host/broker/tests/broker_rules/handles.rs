//! What can be reached, by whom, and until when.

use taskcell_broker::{Effect, Violation};
use taskcell_wire::call::{
    Acquired, Argument, Batch, Call, CallError, Create, HandleId, Interest, Level, LockCall, LockOptions, LockReply, MapCall,
    MapReply, MapRights, PipeCall, PipeOptions, PipeReply, QueueCall, QueueOptions, QueueReply, QueueRights, Reply,
    SemaphoreCall, SemaphoreOptions, SemaphoreReply, Tell,
};

use crate::host::{Host, value};

fn put(handle: HandleId, message: &[u8]) -> Call<'_> {
    Call::Queue(handle, QueueCall::Put { message: message.into(), timeout: None })
}

fn get(handle: HandleId) -> Call<'static> {
    Call::Queue(handle, QueueCall::Get { timeout: None })
}

fn message(text: &[u8]) -> Result<Reply<'_>, CallError> {
    Ok(Reply::Queue(QueueReply::Message(text.into())))
}

const PUT: Result<Reply<'static>, CallError> = Ok(Reply::Queue(QueueReply::Done));

#[test]
fn what_one_task_puts_another_gets() {
    let (mut host, root) = Host::program();
    let queue = host.make(root, Create::Queue(QueueOptions::default()));
    let (_, _, child) = host.spawn(root, "with-queue", vec![Argument::Handle(queue)]);
    let theirs = host.given(child)[0];
    assert_eq!(host.call(child, get(theirs)), None);
    assert_eq!(host.call(root, put(queue, b"hello")), Some(PUT));
    assert_eq!(host.answer(child), Some(message(b"hello")));
}

#[test]
fn a_number_that_is_not_ones_own_is_closed_whoevers_it_is() {
    let (mut host, root) = Host::program();
    let queue = host.make(root, Create::Queue(QueueOptions::default()));
    let lock = host.make(root, Create::Lock(LockOptions::default()));
    let (_, _, child) = host.spawn(root, "quiet", vec![]);
    for number in [queue, lock, HandleId(0), HandleId(99), HandleId(u64::MAX)] {
        assert_eq!(host.call(child, get(number)), Some(Err(CallError::Closed)));
    }
    assert!(matches!(host.call(root, get(lock)), Some(Err(CallError::Invalid(_)))), "its own, and of another kind");
}

#[test]
fn a_handle_ends_with_its_attempt() {
    let (mut host, root) = Host::program();
    let queue = host.make(root, Create::Queue(QueueOptions::default()));
    host.finish(root, "null");
    host.submit(7);
    assert_eq!(host.call(root, get(queue)), Some(Err(CallError::Closed)), "the next task of the same worker");
    assert!(host.make(root, Create::Queue(QueueOptions::default())) > queue, "numbers are not used again");
}

#[test]
fn one_call_at_a_time() {
    let (mut host, root) = Host::program();
    let queue = host.make(root, Create::Queue(QueueOptions::default()));
    let other = host.make(root, Create::Queue(QueueOptions::default()));
    let get = Call::Queue(queue, QueueCall::Get { timeout: Some(1_000_000) });
    assert_eq!(host.call(root, get), None);
    assert_eq!(host.raw_call(root, Call::Identity), Err(Violation::OutOfTurn));
    assert_eq!(host.broker.tell(host.now, root, Tell::Drop(other)), Err(Violation::OutOfTurn));
    host.wait(1);
    assert_eq!(host.answer(root), Some(Err(CallError::TimedOut)));
    host.drop(root, other);
}

#[test]
fn rights_are_narrowed_and_lent_as_they_are() {
    let (mut host, root) = Host::program();
    let queue = host.make(root, Create::Queue(QueueOptions::default()));
    let Some(Ok(Reply::Handle(gets))) = host.call(root, Call::RestrictQueue(queue, QueueRights { get: true, put: false })) else {
        panic!("no handle")
    };
    let Some(Ok(Reply::Handle(wide))) = host.call(root, Call::RestrictQueue(gets, QueueRights::ALL)) else { panic!("no handle") };
    assert_eq!(host.call(root, put(wide, b"x")), Some(Err(CallError::Denied)));
    let (_, _, child) = host.spawn(root, "with-queue", vec![Argument::Handle(gets)]);
    let theirs = host.given(child)[0];
    assert_eq!(host.call(child, put(theirs, b"x")), Some(Err(CallError::Denied)));
    // A side that the handle does not allow is ready: the call would be answered at once.
    let on = Batch(vec![(theirs, Interest::In), (theirs, Interest::Out), (HandleId(77), Interest::In)]);
    assert_eq!(host.call(child, Call::WaitAny { on, timeout: None }), Some(Ok(Reply::Places(vec![1, 2]))));
}

#[test]
fn a_map_shows_what_its_handle_may_see() {
    let (mut host, root) = Host::program();
    let map = host.make(root, Create::Map(None));
    let set = |key| Call::Map(map, MapCall::Set { key, value: b"v".into(), expires_in: None });
    host.call(root, set("a/1"));
    host.call(root, set("b/1"));
    let read = MapRights { read: true, write: false };
    let Some(Ok(Reply::Handle(part))) = host.call(root, Call::RestrictMap(map, read, "a/")) else { panic!("no handle") };
    let get = |key| Call::Map(part, MapCall::Get { key });
    assert!(matches!(host.call(root, get("a/1")), Some(Ok(Reply::Map(MapReply::Entry(Some(_)))))));
    assert_eq!(host.call(root, get("b/1")), Some(Err(CallError::Denied)));
    assert_eq!(host.call(root, Call::RestrictMap(part, read, "b/")), Some(Err(CallError::Denied)));
}

#[test]
fn an_end_of_a_pipe_moves_and_is_closed_with_its_owner() {
    let (mut host, root) = Host::program();
    let ends = host.call(root, Call::Create(Create::Pipe(PipeOptions { duplex: true, name: None })));
    let Some(Ok(Reply::Ends(mine, theirs))) = ends else { panic!("{ends:?}") };
    let (_, _, child) = host.spawn(root, "with-connection", vec![Argument::Handle(theirs)]);
    let send = |end| Call::Pipe(end, PipeCall::Send { message: b"m".into(), timeout: None });
    let recv = |end| Call::Pipe(end, PipeCall::Recv { timeout: None });
    assert_eq!(host.call(root, send(theirs)), Some(Err(CallError::Closed)), "it was given away");
    let given = host.given(child)[0];
    assert_eq!(host.call(child, send(given)), Some(Ok(Reply::Pipe(PipeReply::Done))));
    assert_eq!(host.call(root, recv(mine)), Some(Ok(Reply::Pipe(PipeReply::Message(b"m".into())))));
    assert_eq!(host.call(root, recv(mine)), None);
    host.die(child);
    assert_eq!(host.answer(root), Some(Err(CallError::Closed)));
}

#[test]
fn an_end_that_nobody_got_is_closed() {
    let (mut host, root) = Host::program();
    for task in ["with-lock", "no-such-task"] {
        let ends = host.call(root, Call::Create(Create::Pipe(PipeOptions::default())));
        let Some(Ok(Reply::Ends(mine, theirs))) = ends else { panic!("{ends:?}") };
        let task = crate::host::invocation(task, vec![Argument::Handle(theirs), Argument::Handle(theirs)]);
        let options = taskcell_wire::call::ProcessOptions::default();
        assert!(matches!(host.call(root, Call::Create(Create::Process { task, options })), Some(Err(_))));
        let recv = Call::Pipe(mine, PipeCall::Recv { timeout: None });
        assert_eq!(host.call(root, recv), Some(Err(CallError::Closed)));
    }
}

#[test]
fn the_last_handle_gives_back_what_was_held() {
    let (mut host, root) = Host::program();
    let lock = host.make(root, Create::Lock(LockOptions::default()));
    let permits = host.make(root, Create::Semaphore(SemaphoreOptions { permits: 1, ..SemaphoreOptions::default() }));
    let (_, _, child) = host.spawn(root, "with-lock", vec![Argument::Handle(lock)]);
    let (_, _, other) = host.spawn(root, "with-semaphore", vec![Argument::Handle(permits)]);
    let acquire = |handle| Call::Lock(handle, LockCall::Acquire { timeout: None });
    let take = |handle| Call::Semaphore(handle, SemaphoreCall::Acquire { permits: 1, timeout: None });
    assert_eq!(host.call(root, acquire(lock)), Some(Ok(Reply::Lock(LockReply::Acquired(Acquired::Clean)))));
    assert_eq!(host.call(root, take(permits)), Some(Ok(Reply::Semaphore(SemaphoreReply::Done))));
    let (theirs, permit) = (host.given(child)[0], host.given(other)[0]);
    assert_eq!(host.call(child, acquire(theirs)), None);
    assert_eq!(host.call(other, take(permit)), None);
    host.drop(root, lock);
    assert_eq!(host.answer(child), Some(Ok(Reply::Lock(LockReply::Acquired(Acquired::Abandoned)))));
    host.drop(root, permits);
    assert_eq!(host.answer(other), Some(Ok(Reply::Semaphore(SemaphoreReply::Done))));
}

#[test]
fn a_dead_tasks_call_takes_nothing_with_it() {
    let (mut host, root) = Host::program();
    let queue = host.make(root, Create::Queue(QueueOptions::default()));
    let (_, _, child) = host.spawn(root, "with-queue", vec![Argument::Handle(queue)]);
    let theirs = host.given(child)[0];
    assert_eq!(host.call(child, get(theirs)), None);
    host.quick = false;
    // It is to be killed, and is not dead yet: the message is not for it.
    host.broker.violated(host.now, child, Violation::Malformed);
    host.settle();
    assert!(host.worker(child).killed);
    assert_eq!(host.call(root, put(queue, b"kept")), Some(PUT));
    host.gone(child, None);
    assert_eq!(host.call(root, get(queue)), Some(message(b"kept")));
}

#[test]
fn there_is_an_end_to_handles_and_to_bytes() {
    let mut options = crate::host::options();
    options.limits.handles = 3;
    options.limits.bytes = 1000;
    let (mut host, root) = Host::with(options, 1);
    let queue = host.make(root, Create::Queue(QueueOptions::default()));
    host.make(root, Create::Map(None));
    let pipe = host.call(root, Call::Create(Create::Pipe(PipeOptions::default())));
    assert!(matches!(&pipe, Some(Err(CallError::Quota(why))) if why.contains("3 handles")), "{pipe:?}");
    assert_eq!(host.call(root, put(queue, &[0; 900])), Some(PUT));
    let full = host.call(root, put(queue, &[0; 900]));
    assert!(matches!(&full, Some(Err(CallError::Quota(why))) if why.contains("1000 bytes")), "{full:?}");
    host.call(root, get(queue));
    assert_eq!(host.call(root, put(queue, &[0; 900])), Some(PUT), "room came back");
}

#[test]
fn the_log_of_a_task_has_an_end() {
    let mut options = crate::host::options();
    options.limits.log_bytes = 10;
    let (mut host, root) = Host::with(options, 1);
    for text in ["12345", "1234567", "more"] {
        host.broker.tell(host.now, root, Tell::Log { level: Level::Info, text }).unwrap();
    }
    host.settle();
    let logged: Vec<&str> = host
        .other
        .iter()
        .filter_map(|effect| if let Effect::Logged { text, .. } = effect { Some(text.as_str()) } else { None })
        .collect();
    assert_eq!(logged, ["12345", "12345 [the log of this task is full; the rest is dropped]"]);
}

#[test]
fn who_a_task_is() {
    let (mut host, root) = Host::program();
    let (_, number, child) = host.spawn(root, "add", vec![value("1"), value("2")]);
    let Some(Ok(Reply::Identity(me))) = host.call(child, Call::Identity) else { panic!("no identity") };
    assert_eq!((me.id, me.attempt, me.name.as_str()), (number, 1, "add"));
    let Some(Ok(Reply::Identity(parent))) = host.call(root, Call::Identity) else { panic!("no identity") };
    assert_eq!((me.parent, parent.parent, parent.name.as_str()), (Some(parent.id), None, "run"));
}

#[test]
fn standard_input_is_the_programs() {
    let (mut host, root) = Host::program();
    let (_, _, child) = host.spawn(root, "quiet", vec![]);
    assert_eq!(host.call(child, Call::Input(10)), Some(Err(CallError::Denied)));
    let call = host.raw_call(root, Call::Input(10)).unwrap();
    assert_eq!(host.other, [Effect::ReadInput(root, call, 10)]);
    assert!(host.broker.input(host.now, root, call, b"line\n"[..].into()));
    assert!(!host.broker.input(host.now, root, call, b"again\n"[..].into()), "once");
    host.settle();
    assert_eq!(host.answer(root), Some(Ok(Reply::Input(b"line\n".into()))));
}

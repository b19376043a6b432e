//! Caps on all that a job holds: what is counted is what is kept, the bookkeeping included.

use taskcell_broker::quotas::{ENTRY_BYTES, ITEM_BYTES};
use taskcell_wire::WorkerId;
use taskcell_wire::call::{
    Batch, Bytes, Call, CallError, Create, HandleId, MapCall, MapReply, PipeCall, PipeOptions, PipeReply, QueueCall,
    QueueOptions, QueueReply, Reply,
};

use crate::host::{Host, options};

/// All bytes of a job, here.
const MOST: u64 = 10 * ITEM_BYTES;

fn small() -> (Host, WorkerId) {
    let mut options = options();
    options.limits.bytes = MOST;
    // Somebody outside might make room for a call that waits.
    options.is_program = false;
    Host::with(options, 1)
}

/// Makes a call until it is refused; how often it was not. It must be refused for all bytes.
fn until_refused(host: &mut Host, id: WorkerId, done: &Reply<'_>, mut call: impl FnMut(u64) -> Call<'static>) -> u64 {
    for times in 0..1000 {
        match host.call(id, call(times)) {
            Some(Ok(reply)) if reply == *done || matches!(reply, Reply::Map(MapReply::Version(_))) => {}
            Some(Err(CallError::Quota(what))) => {
                assert!(what.starts_with(&format!("{MOST} bytes in all ")), "{what}");
                assert!(host.broker.census().bytes <= MOST, "{:?}", host.broker.census());
                return times;
            }
            other => panic!("{other:?}"),
        }
    }
    panic!("1000 times, and never refused");
}

#[test]
fn empty_messages_fill_a_job_too() {
    let (mut host, id) = small();
    let queue = host.make(id, Create::Queue(QueueOptions::default()));
    let put = |_| Call::Queue(queue, QueueCall::Put { message: b"".into(), timeout: Some(0) });
    assert_eq!(until_refused(&mut host, id, &Reply::Queue(QueueReply::Done), put), MOST / ITEM_BYTES);
    // Several at once count as several, and there is room again for what was taken.
    let many = |_| {
        let messages = Batch(vec![Bytes::from(b""), Bytes::from(b"")]);
        Call::Queue(queue, QueueCall::PutMany { messages, timeout: Some(0) })
    };
    let taken = host.call(id, Call::Queue(queue, QueueCall::GetMany { limit: 5, timeout: Some(0) }));
    assert!(matches!(&taken, Some(Ok(Reply::Queue(QueueReply::Messages(messages)))) if messages.len() == 5), "{taken:?}");
    assert_eq!(until_refused(&mut host, id, &Reply::Queue(QueueReply::Done), many), 2);
}

#[test]
fn messages_that_wait_for_room_count_with_their_bookkeeping() {
    let (mut host, id) = small();
    let queue = host.make(id, Create::Queue(QueueOptions { capacity: Some(4), ..QueueOptions::default() }));
    let four = || QueueCall::PutMany { messages: Batch(vec![Bytes::from(b""); 4]), timeout: None };
    assert_eq!(host.call(id, Call::Queue(queue, four())), Some(Ok(Reply::Queue(QueueReply::Done))));
    assert_eq!(host.broker.census().bytes, 4 * ITEM_BYTES);
    assert_eq!(host.call(id, Call::Queue(queue, four())), None);
    assert_eq!(host.broker.census().bytes, 8 * ITEM_BYTES);
    host.die(id);
    assert_eq!(host.broker.census().bytes, 0);
}

#[test]
fn empty_messages_fill_a_pipe_and_short_entries_a_map() {
    let (mut host, id) = small();
    let ends = host.call(id, Call::Create(Create::Pipe(PipeOptions::default())));
    let Some(Ok(Reply::Ends(_, second))) = ends else { panic!("{ends:?}") };
    let send = |_| Call::Pipe(second, PipeCall::Send { message: b"".into(), timeout: Some(0) });
    assert_eq!(until_refused(&mut host, id, &Reply::Pipe(PipeReply::Done), send), MOST / ITEM_BYTES);

    let (mut host, id) = small();
    let map: HandleId = host.make(id, Create::Map(None));
    let keys = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"];
    let set = |times: u64| {
        let key = keys[usize::try_from(times).expect("few")];
        Call::Map(map, MapCall::Set { key, value: b"".into(), expires_in: None })
    };
    // One byte of a key each, so that the last does not fit.
    let fit = MOST / (ENTRY_BYTES + 1);
    assert_eq!(until_refused(&mut host, id, &Reply::Map(MapReply::Version(0)), set), fit);
}

#[test]
fn objects_of_all_tasks_have_an_end_together() {
    let mut options = options();
    options.limits.objects = 5;
    let (mut host, first) = Host::with(options, 2);
    let second = *host.workers.keys().nth(1).expect("two workers");
    for _ in 0..3 {
        host.make(first, Create::Queue(QueueOptions::default()));
    }
    let theirs = [0; 2].map(|_| host.make(second, Create::Map(None)));
    for id in [first, second] {
        let refused = host.call(id, Call::Create(Create::Event(None)));
        let Some(Err(CallError::Quota(what))) = refused else { panic!("{refused:?}") };
        assert_eq!(what, "5 queues, pipes, maps and the like of this job");
    }
    host.drop(second, theirs[0]);
    host.make(first, Create::Event(None));
    assert_eq!(host.broker.census().objects, 5);
}

//! What is lent, when, and what happens to those who take more.

use taskcell_broker::{BrokerOptions, Violation};
use taskcell_wire::WorkerId;
use taskcell_wire::call::{
    Argument, Call, CallError, Create, HandleId, PipeCall, PipeOptions, PipeReply, ProcessOptions, QueueCall, QueueOptions,
    QueueReply, Reply,
};

use crate::host::{Host, invocation, options};

const GET: QueueCall<'static> = QueueCall::Get { timeout: Some(0) };

fn put(number: u8) -> QueueCall<'static> {
    QueueCall::Put { message: vec![number; 10].into(), timeout: Some(0) }
}

/// A host that lends, its root, and a queue.
fn lending(capacity: Option<u32>) -> (Host, WorkerId, HandleId) {
    let (mut host, root) = Host::with(BrokerOptions { loans: true, ..options() }, 1);
    let queue = host.make(root, Create::Queue(QueueOptions { capacity, max_attempts: None, name: None }));
    (host, root, queue)
}

/// Starts a process with this handle as a supervisor does that knows of loans; its worker and its handle.
fn give(host: &mut Host, id: WorkerId, task: &'static str, handle: HandleId) -> (WorkerId, HandleId) {
    let task = invocation(task, vec![Argument::Handle(handle)]);
    let started = host.call_or_use(id, Call::Create(Create::Process { task, options: ProcessOptions::default() }));
    assert!(matches!(started, Some(Ok(Reply::Started(..)))), "{started:?}");
    let child = *host.workers.keys().last().unwrap();
    (child, host.given(child)[0])
}

fn loans(host: &Host) -> usize {
    host.broker.census().loans
}

fn post(host: &mut Host, id: WorkerId, call: Call<'static>) -> Result<(), Violation> {
    host.broker.posted(host.now, id, std::iter::once(Ok(call)))
}

/// A queue with 20 messages, after puts that made a loan.
fn with_room() -> (Host, WorkerId, HandleId) {
    let (mut host, root, queue) = lending(None);
    (0..20).for_each(|number| drop(host.call_or_use(root, Call::Queue(queue, put(number)))));
    host.told(root);
    assert_eq!(loans(&host), 1);
    (host, root, queue)
}

#[test]
fn a_few_puts_in_a_row_are_lent_room_and_one_now_and_then_is_not() {
    let (mut host, root, queue) = lending(None);
    for number in 0..3 {
        host.call(root, Call::Queue(queue, put(number)));
        assert_eq!(loans(&host), 0);
    }
    host.call_or_use(root, Call::Queue(queue, put(3)));
    assert_eq!(loans(&host), 1);
    // One that waits for what comes back is not.
    let (mut host, root, queue) = lending(None);
    for number in 0..20 {
        host.call(root, Call::Queue(queue, put(number)));
        host.call(root, Call::Queue(queue, GET));
        assert_eq!(loans(&host), 0);
    }
}

#[test]
fn room_that_is_lent_is_nobody_elses_until_somebody_needs_it() {
    let (mut host, root, queue) = lending(Some(30));
    (0..10).for_each(|number| drop(host.call_or_use(root, Call::Queue(queue, put(number)))));
    assert_eq!(loans(&host), 1);
    let (child, theirs) = give(&mut host, root, "with-queue", queue);
    assert_eq!(loans(&host), 0, "handles go away with such a call");
    (10..20).for_each(|number| drop(host.call_or_use(root, Call::Queue(queue, put(number)))));
    for number in 20..30 {
        let answer = host.call_or_use(child, Call::Queue(theirs, put(number)));
        assert_eq!(answer, Some(Ok(Reply::Queue(QueueReply::Done))), "{number}");
    }
    assert_eq!(host.call_or_use(child, Call::Queue(theirs, put(30))), Some(Err(CallError::TimedOut)));
    assert_eq!(host.call_or_use(root, Call::Queue(queue, put(30))), Some(Err(CallError::TimedOut)));
}

#[test]
fn who_posts_what_was_not_lent_breaks_the_protocol() {
    let (mut host, root, queue) = with_room();
    assert_eq!(post(&mut host, root, Call::Queue(HandleId(99), put(1))), Err(Violation::OutOfTurn), "another handle");
    assert_eq!(post(&mut host, root, Call::Queue(queue, GET)), Err(Violation::OutOfTurn), "no put");
    assert_eq!(post(&mut host, root, Call::Identity), Err(Violation::OutOfTurn), "no put");
    let long = QueueCall::Put { message: vec![1; 40_000].into(), timeout: None };
    assert_eq!(post(&mut host, root, Call::Queue(queue, long)), Err(Violation::OverLimit), "longer than all that was lent");
    let malformed = std::iter::once(Err(Violation::Malformed));
    assert_eq!(host.broker.posted(host.now, root, malformed), Err(Violation::Malformed));
    let more = (0..300).map(|_| Ok(Call::Queue(queue, put(1))));
    assert_eq!(host.broker.posted(host.now, root, more), Err(Violation::OverLimit), "more than was lent");
    host.recover(root);
    assert_eq!(post(&mut host, root, Call::Queue(queue, put(1))), Err(Violation::OutOfTurn), "the loan is over");
    assert_eq!(host.broker.taken(host.now, root, 1), Err(Violation::OutOfTurn), "no loan of messages");
}

#[test]
fn who_takes_more_than_was_lent_breaks_the_protocol() {
    let (mut host, root, queue) = with_room();
    (0..4).for_each(|_| drop(host.call_or_use(root, Call::Queue(queue, GET))));
    // 16 are left and lent.
    assert_eq!(host.broker.taken(host.now, root, 17), Err(Violation::OutOfOrder));
    assert_eq!(host.broker.taken(host.now, root, 5), Ok(()));
    assert_eq!(host.broker.taken(host.now, root, 4), Err(Violation::OutOfOrder), "not again");
    assert_eq!(host.broker.taken(host.now, root, 16), Ok(()));
    assert_eq!(host.broker.taken(host.now, root, u64::MAX), Err(Violation::OutOfOrder));
    assert_eq!(host.broker.census().bytes, 0);
}

#[test]
fn what_a_dead_task_was_lent_is_there_for_others() {
    let (mut host, root, queue) = lending(None);
    (0..20).for_each(|number| drop(host.call_or_use(root, Call::Queue(queue, put(number)))));
    let (child, theirs) = give(&mut host, root, "with-queue", queue);
    (0..7).for_each(|_| drop(host.call_or_use(child, Call::Queue(theirs, GET))));
    host.told(child);
    host.gone(child, None);
    for number in 7..20 {
        let answer = host.call_or_use(root, Call::Queue(queue, GET));
        assert_eq!(answer, Some(Ok(Reply::Queue(QueueReply::Message(vec![number; 10].into())))));
    }
    host.recover(root);
    assert_eq!(loans(&host), 0);
}

#[test]
fn an_end_that_is_given_away_takes_no_loan_along() {
    let (mut host, root, _) = lending(None);
    let pipe = Create::Pipe(PipeOptions { duplex: false, name: None });
    let Some(Ok(Reply::Ends(first, second))) = host.call(root, Call::Create(pipe)) else { panic!("no ends") };
    for number in 0..10 {
        let send = PipeCall::Send { message: vec![number; 10].into(), timeout: None };
        host.call_or_use(root, Call::Pipe(second, send));
    }
    let receive = PipeCall::Recv { timeout: Some(0) };
    (0..5).for_each(|_| drop(host.call_or_use(root, Call::Pipe(first, receive.clone()))));
    assert_eq!(loans(&host), 1, "of messages; one who receives has no room lent");
    let (child, theirs) = give(&mut host, root, "with-connection", first);
    assert_eq!(loans(&host), 0);
    let answer = host.call(child, Call::Pipe(theirs, receive));
    assert_eq!(answer, Some(Ok(Reply::Pipe(PipeReply::Message(vec![5; 10].into())))));
}

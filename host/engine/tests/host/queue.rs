//! Queues and deliveries.

use taskcell_wire::call::{
    Batch, Call, CallError, Create, HandleId, HandleKind, LeaseId, QueueCall, QueueCounts, QueueOptions, QueueReply, QueueRights,
    Rejected, Reply,
};

use crate::stage::{Comes, bytes, handle, json};
use crate::tasks::compiled;

const QUEUE: HandleId = HandleId(3);

fn done() -> Comes {
    Reply::Queue(QueueReply::Done).into()
}

#[test]
fn each_function_asks_what_it_says() {
    let mut stage = compiled().stage();
    let queue = || handle(HandleKind::Queue, 3);
    let ask = |call, reply| [(Call::Queue(QUEUE, call), Comes::from(Reply::Queue(reply)))];
    let options = QueueOptions { capacity: Some(9), max_attempts: None, name: Some("jobs".into()) };
    let create = (Call::Create(Create::Queue(options)), Reply::Handle(HandleId(8)).into());
    stage.check("queue-create", &[json(r#"{"capacity":9,"name":"jobs"}"#)], &[create], "1");

    let put = QueueCall::Put { message: b"m".into(), timeout: Some(5) };
    stage.check("queue-put", &[queue(), bytes(b"m"), json("5")], &ask(put, QueueReply::Done), "null");
    let put = QueueCall::PutMany { messages: Batch(vec![b"hi".into(), b"".into()]), timeout: None };
    stage.check("queue-put-many", &[queue(), json(r#"["aGk=",""]"#), json("null")], &ask(put, QueueReply::Done), "null");
    let get = QueueCall::Get { timeout: Some(0) };
    stage.check("queue-get", &[queue(), json("0")], &ask(get, QueueReply::Message(b"hi".into())), "\"aGk=\"");
    let get = QueueCall::GetMany { limit: 7, timeout: None };
    let messages = QueueReply::Messages(vec![b"hi".into(), b"".into()]);
    stage.check("queue-get-many", &[queue(), json("7"), json("null")], &ask(get, messages), "[\"aGk=\",\"\"]");
    let receive = QueueCall::Receive { lease: 9, timeout: None };
    let delivery = QueueReply::Delivery { lease: LeaseId(4), attempt: 2, message: b"hi".into() };
    stage.check("queue-receive", &[queue(), json("9"), json("null")], &ask(receive, delivery), "2");

    let counts = QueueCounts { waiting: 1, leased: 2, delayed: 3, rejected: 4, dropped: 5 };
    stage.check("queue-len", &[queue()], &ask(QueueCall::Counts, QueueReply::Counts(counts)), "1");
    let all = r#"{"waiting":1,"leased":2,"delayed":3,"rejected":4,"dropped":5}"#;
    stage.check("queue-counts", &[queue()], &ask(QueueCall::Counts, QueueReply::Counts(counts)), all);
    stage.check("queue-close", &[queue()], &ask(QueueCall::Close, QueueReply::Done), "null");
    stage.check("queue-join", &[queue(), json("1")], &ask(QueueCall::Join { timeout: Some(1) }, QueueReply::Done), "null");
    let rejected = QueueReply::Rejected(vec![Rejected { message: b"hi".into(), attempts: 16 }]);
    let take = QueueCall::TakeRejected { limit: 10 };
    stage.check("queue-take-rejected", &[queue(), json("10")], &ask(take, rejected), r#"[{"message":"aGk=","attempts":16}]"#);
    let restrict = (Call::RestrictQueue(QUEUE, QueueRights { get: false, put: true }), Reply::Handle(HandleId(8)).into());
    stage.check("queue-restrict", &[queue(), json(r#"["put"]"#)], &[restrict], "2");
    stage.check("queue-get-ready", &[queue()], &[], "2");
    stage.check("queue-put-ready", &[queue()], &[], "2");
}

#[test]
fn a_delivery_is_answered_for_once() {
    let mut stage = compiled().stage();
    let queue = || handle(HandleKind::Queue, 3);
    let receive = || {
        let delivery = QueueReply::Delivery { lease: LeaseId(4), attempt: 2, message: b"hi".into() };
        (Call::Queue(QUEUE, QueueCall::Receive { lease: 5, timeout: None }), Comes::from(Reply::Queue(delivery)))
    };
    let lease = LeaseId(4);
    let answer = |call| [receive(), (Call::Queue(QUEUE, call), done())];
    stage.check("delivery-message", &[queue()], &[receive()], "\"aGk=\"");
    stage.check("delivery-attempt", &[queue()], &[receive()], "2");
    stage.check("delivery-ack", &[queue()], &answer(QueueCall::Ack { lease }), "null");
    stage.check("delivery-nack", &[queue(), json("8")], &answer(QueueCall::Nack { lease, delay: 8 }), "null");
    stage.check("delivery-extend", &[queue(), json("8")], &answer(QueueCall::Extend { lease, by: 8 }), "null");
    stage.check("delivery-reject", &[queue()], &answer(QueueCall::Reject { lease }), "null");
    // One that is dropped is given back, and whether that was in time is nobody's business any more.
    stage.check("delivery-drop", &[queue()], &answer(QueueCall::Nack { lease, delay: 0 }), "null");
    let [received, (nack, _)] = answer(QueueCall::Nack { lease, delay: 0 });
    stage.check("delivery-drop", &[queue()], &[received, (nack, CallError::Lapsed.into())], "null");
    // One that was answered for is not; and it keeps its queue.
    let script = [receive().1, receive().1, done(), done()];
    let (ended, log) = stage.run("receive-two", &[queue()], &script);
    let last = ["Queue(HandleId(3), Ack { lease: LeaseId(4) })", "Queue(HandleId(3), Nack { lease: LeaseId(4), delay: 0 })"];
    assert_eq!(
        (ended.as_str(), &log[2..]),
        ("null", &[last[0].to_owned(), last[1].to_owned(), "Drop(HandleId(3))".to_owned()][..])
    );
}

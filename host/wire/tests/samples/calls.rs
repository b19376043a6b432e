//! One call, one answer and one telling of every kind, with every variant of what they hold.

use taskcell_wire::call::{
    Acquired, Argument, BarrierCall, BarrierOptions, BarrierReply, Batch, Call, CallId, ConditionCall, Create, Ended, EventCall,
    EventReply, FutureCall, HandleId, Identity, Interest, Invocation, LeaseId, Level, Loan, LockCall, LockOptions, LockReply,
    MapCall, MapChange, MapEntry, MapItem, MapReply, MapRights, Mapped, MappingCall, PipeCall, PipeOptions, PipeReply, PoolCall,
    PoolReply, PoolSettings, ProcessCall, ProcessOptions, ProcessReply, QueueCall, QueueCounts, QueueOptions, QueueReply,
    QueueRights, Rejected, Reply, SemaphoreCall, SemaphoreKind, SemaphoreOptions, SemaphoreReply, Swap, TaskId, TaskState,
    TaskValue, Tell, Update,
};
use taskcell_wire::{CallError, FromWorker, Isolation, ToWorker};

const H: HandleId = HandleId(0x0506);

fn name() -> Option<String> {
    Some("n".into())
}

fn invocation<'a>() -> Invocation<'a> {
    let arguments = vec![
        Argument::Value(TaskValue::None),
        Argument::Value(TaskValue::Json(b"1".into())),
        Argument::Value(TaskValue::Bytes(b"b".into())),
        Argument::Handle(H),
    ];
    Invocation { task: "module/export", arguments: Batch(arguments) }
}

fn creates<'a>() -> Vec<Create<'a>> {
    let semaphore = |kind| Create::Semaphore(SemaphoreOptions { permits: 2, kind, name: name() });
    let pool = PoolSettings {
        workers: Some(2),
        isolation: Isolation::Reuse,
        timeout: Some(3),
        retries: 4,
        memory_bytes: Some(5),
        max_tasks_per_worker: Some(6),
        name: name(),
    };
    vec![
        Create::Queue(QueueOptions { capacity: Some(2), max_attempts: Some(3), name: name() }),
        Create::Pipe(PipeOptions { duplex: true, name: name() }),
        Create::Map(name()),
        Create::Lock(LockOptions { reentrant: true, name: name() }),
        semaphore(SemaphoreKind::Owned),
        semaphore(SemaphoreKind::Counting),
        Create::Event(None),
        Create::Condition { lock: H, name: None },
        Create::Barrier(BarrierOptions { parties: 3, name: None }),
        Create::Process {
            task: invocation(),
            options: ProcessOptions { name: name(), timeout: Some(1), memory_bytes: Some(2), detached: true },
        },
        Create::Pool(pool),
    ]
}

fn queue_calls<'a>() -> Vec<QueueCall<'a>> {
    let lease = LeaseId(9);
    vec![
        QueueCall::Put { message: b"m".into(), timeout: Some(1) },
        QueueCall::PutMany { messages: Batch(vec![b"a".into(), b"".into()]), timeout: None },
        QueueCall::Get { timeout: None },
        QueueCall::GetMany { limit: 3, timeout: Some(0) },
        QueueCall::Receive { lease: 5, timeout: None },
        QueueCall::Ack { lease },
        QueueCall::Nack { lease, delay: 1 },
        QueueCall::Extend { lease, by: 2 },
        QueueCall::Reject { lease },
        QueueCall::Counts,
        QueueCall::Close,
        QueueCall::Join { timeout: None },
        QueueCall::TakeRejected { limit: 7 },
    ]
}

fn map_calls<'a>() -> Vec<MapCall<'a>> {
    let changes = vec![MapChange::Set("a", b"1".into()), MapChange::Remove("b"), MapChange::Check("c", Some(2))];
    vec![
        MapCall::Get { key: "k" },
        MapCall::GetMany { keys: Batch(vec!["a", "b"]) },
        MapCall::Set { key: "k", value: b"v".into(), expires_in: Some(1) },
        MapCall::SetMany { entries: Batch(vec![("a", b"1".into())]) },
        MapCall::SetDefault { key: "k", value: b"v".into() },
        MapCall::Remove { key: "k" },
        MapCall::Pop { key: "k" },
        MapCall::Contains { key: "k" },
        MapCall::Len,
        MapCall::Clear,
        MapCall::Keys { prefix: "p", cursor: Some("p1"), limit: 3 },
        MapCall::Items { prefix: "p", cursor: None, limit: 3 },
        MapCall::CompareAndSwap { key: "k", version: Some(1), value: b"v".into(), expires_in: None },
        MapCall::Increment { key: "k", by: -1 },
        MapCall::UpdateMany { changes: Batch(changes) },
        MapCall::Watch { key: "k", since: None, timeout: Some(1) },
    ]
}

fn pool_calls<'a>() -> Vec<PoolCall<'a>> {
    vec![
        PoolCall::Submit(invocation()),
        PoolCall::Map { task: "t", values: Batch(vec![TaskValue::Json(b"1".into())]) },
        PoolCall::Imap { task: "t", ordered: true, window: 8 },
        PoolCall::Drain { timeout: None },
        PoolCall::Shutdown { cancel_pending: true },
        PoolCall::Kill,
    ]
}

pub(super) fn calls<'a>() -> Vec<(&'static str, FromWorker<'a>)> {
    let timeout = Some(1);
    let mut calls: Vec<Call<'a>> = creates().into_iter().map(Call::Create).collect();
    calls.push(Call::RestrictQueue(H, QueueRights { get: true, put: false }));
    calls.push(Call::RestrictMap(H, MapRights { read: true, write: false }, "p"));
    calls.extend(queue_calls().into_iter().map(|call| Call::Queue(H, call)));
    let pipe = [
        PipeCall::Send { message: b"m".into(), timeout },
        PipeCall::Recv { timeout },
        PipeCall::Poll { timeout },
        PipeCall::Close,
    ];
    calls.extend(pipe.map(|call| Call::Pipe(H, call)));
    calls.extend(map_calls().into_iter().map(|call| Call::Map(H, call)));
    calls.extend([LockCall::Acquire { timeout }, LockCall::Release].map(|call| Call::Lock(H, call)));
    calls.extend([ConditionCall::Wait { timeout }, ConditionCall::Notify { count: None }].map(|call| Call::Condition(H, call)));
    let semaphore =
        [SemaphoreCall::Acquire { permits: 1, timeout }, SemaphoreCall::Release { permits: 1 }, SemaphoreCall::Available];
    calls.extend(semaphore.map(|call| Call::Semaphore(H, call)));
    let event = [EventCall::Set, EventCall::Clear, EventCall::IsSet, EventCall::Wait { timeout }];
    calls.extend(event.map(|call| Call::Event(H, call)));
    calls.extend([BarrierCall::Wait { timeout }, BarrierCall::Reset].map(|call| Call::Barrier(H, call)));
    let process = [
        ProcessCall::Pid,
        ProcessCall::State,
        ProcessCall::Join { timeout },
        ProcessCall::Terminate { grace: 1 },
        ProcessCall::Kill,
    ];
    calls.extend(process.map(|call| Call::Process(H, call)));
    calls.extend(pool_calls().into_iter().map(|call| Call::Pool(H, call)));
    calls.extend([FutureCall::State, FutureCall::Result { timeout }, FutureCall::Cancel].map(|call| Call::Future(H, call)));
    let mapping = [
        MappingCall::Push { values: Batch(vec![TaskValue::Bytes(b"b".into())]), timeout },
        MappingCall::Finish,
        MappingCall::Next { limit: 4, timeout },
    ];
    calls.extend(mapping.map(|call| Call::Mapping(H, call)));
    calls.push(Call::WaitAny { on: Batch(vec![(H, Interest::In), (H, Interest::Out)]), timeout });
    calls.push(Call::Identity);
    calls.push(Call::Input(4096));
    calls.into_iter().map(|call| ("FromWorker::Call", FromWorker::Call(CallId(0x0708), call))).collect()
}

pub(super) fn tells<'a>() -> Vec<(&'static str, FromWorker<'a>)> {
    let levels = [Level::Trace, Level::Debug, Level::Info, Level::Warn, Level::Error];
    let mut tells = vec![Tell::Drop(H), Tell::Abandon(CallId(9)), Tell::Progress { done: 1, total: Some(2), note: "half" }];
    tells.extend(levels.map(|level| Tell::Log { level, text: "line" }));
    tells.into_iter().map(|tell| ("FromWorker::Tell", FromWorker::Tell(tell))).collect()
}

fn endings<'a>() -> Vec<Ended<'a>> {
    vec![
        Ended::Ok(TaskValue::Json(b"1".into())),
        Ended::Failed(TaskValue::None),
        Ended::Trapped("t".into()),
        Ended::TimedOut,
        Ended::OverLimit("o".into()),
        Ended::Cancelled,
        Ended::Lost("l".into()),
    ]
}

fn queue_replies<'a>() -> Vec<QueueReply<'a>> {
    vec![
        QueueReply::Done,
        QueueReply::Message(b"m".into()),
        QueueReply::Messages(vec![b"a".into(), b"b".into()]),
        QueueReply::Delivery { lease: LeaseId(1), attempt: 2, message: b"m".into() },
        QueueReply::Counts(QueueCounts { waiting: 1, leased: 2, delayed: 3, rejected: 4, dropped: 5 }),
        QueueReply::Rejected(vec![Rejected { message: b"r".into(), attempts: 3 }]),
    ]
}

fn map_replies<'a>() -> Vec<MapReply<'a>> {
    let entry = MapEntry { value: b"v".into(), version: 7 };
    vec![
        MapReply::Entry(None),
        MapReply::Entries(vec![None, Some(entry.clone())]),
        MapReply::Version(1),
        MapReply::Found(true),
        MapReply::Len(2),
        MapReply::Keys { keys: vec!["k".into()], next: Some("k".into()) },
        MapReply::Items { items: vec![MapItem { key: "k".into(), entry: entry.clone() }], next: None },
        MapReply::Swap(Swap::Swapped(3)),
        MapReply::Swap(Swap::Stale(Some(entry))),
        MapReply::Sum(-4),
        MapReply::Update(Update::Applied(5)),
        MapReply::Update(Update::Stale(6)),
    ]
}

fn pool_replies<'a>() -> Vec<PoolReply<'a>> {
    vec![
        PoolReply::Done,
        PoolReply::Outcomes(endings()),
        PoolReply::State(TaskState::Ended),
        PoolReply::Ended(Ended::TimedOut),
        PoolReply::Cancelled(true),
        PoolReply::Pushed(2),
        PoolReply::Mapped(vec![Mapped { index: 3, ended: Ended::Cancelled }]),
    ]
}

fn errors() -> Vec<CallError> {
    vec![
        CallError::TimedOut,
        CallError::Closed,
        CallError::Cancelled,
        CallError::Denied,
        CallError::Lapsed,
        CallError::Broken,
        CallError::Quota("q".into()),
        CallError::Deadlock("d".into()),
        CallError::Invalid("i".into()),
        CallError::NotFound("n".into()),
        CallError::Other("o".into()),
    ]
}

pub(super) fn replies<'a>() -> Vec<(&'static str, ToWorker<'a>)> {
    let mut replies = vec![Reply::Handle(H), Reply::Ends(H, HandleId(2)), Reply::Started(H, TaskId(3))];
    replies.extend(queue_replies().into_iter().map(Reply::Queue));
    replies.extend([PipeReply::Done, PipeReply::Message(b"m".into()), PipeReply::Ready(true)].map(Reply::Pipe));
    replies.extend(map_replies().into_iter().map(Reply::Map));
    let lock = [
        LockReply::Acquired(Acquired::Clean),
        LockReply::Released,
        LockReply::Woken { notified: true, acquired: Acquired::Abandoned },
        LockReply::Notified(2),
    ];
    replies.extend(lock.map(Reply::Lock));
    replies.extend([SemaphoreReply::Done, SemaphoreReply::Available(1)].map(Reply::Semaphore));
    replies.extend([EventReply::Done, EventReply::IsSet(true)].map(Reply::Event));
    replies.extend([BarrierReply::Arrived(1), BarrierReply::Done].map(Reply::Barrier));
    let states = [TaskState::Ready, TaskState::Running, TaskState::Waiting("w".into()), TaskState::Ended];
    replies.extend([ProcessReply::Done, ProcessReply::Pid(Some(1))].map(Reply::Process));
    replies.extend(states.map(|state| Reply::Process(ProcessReply::State(state))));
    replies.extend(endings().into_iter().map(|ended| Reply::Process(ProcessReply::Ended(ended))));
    replies.extend(pool_replies().into_iter().map(Reply::Pool));
    replies.push(Reply::Places(vec![0, 2]));
    replies.push(Reply::Identity(Identity { id: TaskId(1), attempt: 2, name: "n".into(), parent: Some(TaskId(3)) }));
    replies.push(Reply::Input(b"in".into()));
    let replies = replies.into_iter().map(Ok).chain(errors().into_iter().map(Err));
    replies.map(|reply| ("ToWorker::Reply", ToWorker::Reply(CallId(0x0708), reply))).collect()
}

/// Answers with what is lent.
pub(super) fn loans() -> Vec<(&'static str, ToWorker<'static>)> {
    let room = Loan::Room { messages: 0x0102, bytes: 0x0304 };
    let messages = Loan::Messages(Batch(vec![b"a".into(), b"".into()]));
    vec![
        ("ToWorker::Lend, room", ToWorker::Lend(CallId(0x0708), Reply::Queue(QueueReply::Done), room)),
        ("ToWorker::Lend, messages", ToWorker::Lend(CallId(0x0708), Reply::Pipe(PipeReply::Message(b"m".into())), messages)),
    ]
}

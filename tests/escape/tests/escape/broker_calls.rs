//! What a double asks of the broker: calls that no honest worker would make, since no guest can.
//!
//! An order of [`ASKS`] is carried out in the middle of a map, like a lie. Where every call is answered the double holds the answers
//! against what they should be, and answers its task with [`ANSWER`] if all were; so the map tells.

use taskcell_wire::call::{
    Argument, BarrierCall, Batch, Call, CallError, CallId, ConditionCall, Create, Ended, EventCall, FutureCall, HandleId,
    Interest, Invocation, LeaseId, Level, LockCall, MapCall, MapRights, MappingCall, PipeCall, PoolCall, PoolSettings,
    ProcessCall, ProcessOptions, ProcessReply, QueueCall, QueueOptions, QueueReply, QueueRights, Reply, SemaphoreCall, TaskValue,
    Tell,
};
use taskcell_wire::{FromWorker, Outcome, OutcomeWriter, limits};

use crate::double::{ALONE, ANSWER, Answer, Double, Place, frame, results};
use crate::lies::{End, Then, framed};

/// What does not need a case of its own.
type Ask = (&'static str, End, fn(&mut Double, &Place) -> Then);

const TURN: End = End::Lost("it spoke out of turn");
const NO_MESSAGE: End = End::Lost("it sent bytes that are no message");
const DONE: Answer = Ok(Reply::Queue(QueueReply::Done));
const GET: QueueCall<'static> = QueueCall::Get { timeout: None };
const NOW: QueueCall<'static> = QueueCall::Get { timeout: Some(0) };
/// One more than a list in a call may have.
const TOO_MANY: usize = taskcell_wire::call::BATCH_ITEMS + 1;

pub(crate) const ASKS: &[Ask] = &[
    // Handles.
    ("numbers that are no handle of its own", End::Answered, |double, _| {
        let numbers = (0..50).chain([1 << 32, u64::MAX - 1, u64::MAX]);
        told(numbers.map(HandleId).all(|number| all_closed(double, number)))
    }),
    ("a handle of another kind", End::Answered, |double, _| {
        let queue = double.queue();
        let others = calls_on(queue).into_iter().filter(|call| !matches!(call, Call::Queue(..) | Call::RestrictQueue(..)));
        told(others.map(|call| double.call(call)).all(|answer| matches!(answer, Err(CallError::Invalid(_)))))
    }),
    ("a handle that it dropped", End::Answered, |double, _| {
        let queue = double.queue();
        double.tell(Tell::Drop(queue));
        told(all_closed(double, queue))
    }),
    ("more rights than a handle has", End::Answered, |double, _| {
        let queue = double.queue();
        let none = QueueRights { get: false, put: false };
        let narrow = double.handle(Call::RestrictQueue(queue, none));
        let wide = double.handle(Call::RestrictQueue(narrow, QueueRights::ALL));
        told(double.call(Call::Queue(wide, GET)) == Err(CallError::Denied))
    }),
    ("leases that it never had", End::Answered, |double, _| {
        let queue = double.queue();
        double.put(queue, b"leased");
        let lapsed = (0..100).flat_map(|number| {
            let lease = LeaseId(number);
            let by = 1_000_000_000;
            [
                QueueCall::Ack { lease },
                QueueCall::Nack { lease, delay: 0 },
                QueueCall::Extend { lease, by },
                QueueCall::Reject { lease },
            ]
        });
        let refused = lapsed.map(|call| double.call(Call::Queue(queue, call))).all(|answer| answer == Err(CallError::Lapsed));
        told(refused && double.got(queue) == Some(b"leased".to_vec()))
    }),
    ("the input of a program that it is not", End::Answered, |double, _| {
        told(double.call(Call::Input(100)) == Err(CallError::Denied))
    }),
    // Turns.
    ("a second call while the first waits", TURN, |double, _| {
        let queue = double.queue();
        double.ask(CallId(100), Call::Queue(queue, GET));
        double.ask(CallId(101), Call::Identity);
        Then::Stay
    }),
    ("the number of a call that waits", TURN, |double, _| {
        let queue = double.queue();
        double.ask(CallId(100), Call::Queue(queue, GET));
        double.ask(CallId(100), Call::Queue(queue, GET));
        Then::Stay
    }),
    ("a drop of what its call waits on", TURN, |double, _| {
        let queue = double.queue();
        double.ask(CallId(100), Call::Queue(queue, GET));
        double.tell(Tell::Drop(queue));
        Then::Stay
    }),
    (UNREAD, TURN, |double, _| {
        let map = double.with_long_value();
        let get = |number| frame(&FromWorker::Call(CallId(number), Call::Map(map, MapCall::Get { key: "long" })));
        double.send(&(100..220).flat_map(get).collect::<Vec<u8>>());
        Then::Stay
    }),
    ("a call before it reads the answer to the last one", TURN, |double, _| {
        let map = double.with_long_value();
        for number in 100..200 {
            double.ask(CallId(number), Call::Map(map, MapCall::Get { key: "long" }));
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        Then::Stay
    }),
    ("the number of a call that was answered", End::Answered, |double, _| {
        let id = CallId(u64::MAX);
        let answers = [0, 1].map(|_| {
            double.ask(id, Call::Identity);
            double.answer_to(id)
        });
        told(answers[0] == answers[1] && matches!(&answers[0], Ok(Reply::Identity(who)) if who.name == "fib"))
    }),
    ("a result while its call waits", End::Answered, |double, at| {
        let queue = double.queue();
        double.ask(CallId(100), Call::Queue(queue, GET));
        double.send(&results(at.chunk, at.place, &one_outcome()));
        Then::Answered
    }),
    ("a wait without end", End::TimedOut, |double, _| {
        let queue = double.queue();
        double.ask(CallId(100), Call::Queue(queue, GET));
        Then::Stay
    }),
    ("calls on after it was told to stop", End::TimedOut, |double, _| {
        let queue = double.queue();
        loop {
            assert_eq!(double.call(Call::Queue(queue, GET)), Err(CallError::Cancelled));
        }
    }),
    // Loans.
    ("posts to room that it was not lent", End::Answered, |double, _| {
        let queue = double.queue();
        let _ = double.post(0, &put_of(queue, b"posted"));
        double.put(queue, b"put");
        told(double.got(queue) == Some(b"put".to_vec()) && double.call(Call::Queue(queue, NOW)) == Err(CallError::TimedOut))
    }),
    ("posts that are no messages", NO_MESSAGE, |double, _| {
        let queue = double.with_room();
        assert!(double.post(0, &[0xff; 64]).is_some());
        double.call_at_all(Call::Queue(queue, GET))
    }),
    ("posts that are cut short", NO_MESSAGE, |double, _| {
        let queue = double.with_room();
        let frame = put_of(queue, b"posted and cut");
        assert!(double.post(0, &frame[..frame.len() - 8]).is_some());
        double.call_at_all(Call::Queue(queue, GET))
    }),
    ("posts that are other calls", TURN, |double, _| {
        let queue = double.with_room();
        assert!(double.post(0, &frame(&FromWorker::Call(CallId(0), Call::Queue(queue, GET)))).is_some());
        double.call_at_all(Call::Queue(queue, GET))
    }),
    ("posts to another queue than it was lent room in", TURN, |double, _| {
        let other = double.queue();
        let queue = double.with_room();
        assert!(double.post(0, &put_of(other, b"posted")).is_some());
        double.call_at_all(Call::Queue(queue, GET))
    }),
    ("posts of more than it was lent room for", End::Lost("it sent more than its limits allow"), |double, _| {
        let queue = double.with_room();
        let (frame, mut at) = (put_of(queue, b""), 0);
        while let Some(end) = double.post(at, &frame) {
            at = end;
        }
        double.call_at_all(Call::Queue(queue, GET))
    }),
    ("takings of more than it was lent", End::Lost("its answers were out of order"), |double, _| {
        let queue = double.with_room();
        (0..4).for_each(|_| assert!(double.got(queue).is_some()));
        (0..1000).for_each(|taken| assert!(taskcell_worker::loan::take(&double.page, taken)));
        double.call_at_all(Call::Queue(queue, GET))
    }),
    // Tells.
    ("drops of what it does not have", End::Answered, |double, _| {
        let queue = double.queue();
        (queue.0 + 1..2000).chain([0, u64::MAX]).for_each(|number| double.tell(Tell::Drop(HandleId(number))));
        double.put(queue, b"still here");
        told(double.got(queue) == Some(b"still here".to_vec()))
    }),
    ("abandons of calls that it never made", End::Answered, |double, _| {
        let queue = double.queue();
        (0..1000).chain([u64::MAX]).for_each(|number| double.tell(Tell::Abandon(CallId(number))));
        let call = Call::Queue(queue, QueueCall::Get { timeout: Some(50_000_000) });
        told(double.call(call) == Err(CallError::TimedOut))
    }),
    ("an abandon of another call than the one that waits", End::Answered, |double, _| {
        let queue = double.queue();
        double.ask(CallId(100), Call::Queue(queue, QueueCall::Get { timeout: Some(50_000_000) }));
        (0..100).chain(101..1000).for_each(|number| double.tell(Tell::Abandon(CallId(number))));
        told(double.answer_to(CallId(100)) == Err(CallError::TimedOut))
    }),
    ("16 MiB for the log", End::Answered, |double, _| {
        let text = "\u{1b}]0;forged\u{7}\n".repeat(300);
        (0..4096).for_each(|_| double.tell(Tell::Log { level: Level::Error, text: &text }));
        Then::Answer(ANSWER)
    }),
    ("progress without end", End::Answered, |double, _| {
        let note = "x".repeat(1000);
        (0..10_000).for_each(|_| double.tell(Tell::Progress { done: u64::MAX, total: Some(0), note: &note }));
        Then::Answer(ANSWER)
    }),
    // Lists.
    ("as many messages as a list may have", End::Answered, |double, _| {
        let queue = double.queue();
        let messages = Batch(vec![b"".into(); TOO_MANY - 1]);
        told(double.call(Call::Queue(queue, QueueCall::PutMany { messages, timeout: Some(0) })) == DONE)
    }),
    ("one message more than a list may have", NO_MESSAGE, |double, _| {
        let queue = double.queue();
        let messages = Batch(vec![b"".into(); TOO_MANY]);
        double.ask(CallId(100), Call::Queue(queue, QueueCall::PutMany { messages, timeout: Some(0) }));
        Then::Stay
    }),
    ("one key more than a list may have", NO_MESSAGE, |double, _| {
        double.ask(CallId(100), Call::Map(HandleId(1), MapCall::GetMany { keys: Batch(vec![""; TOO_MANY]) }));
        Then::Stay
    }),
    ("one argument more than a list may have", NO_MESSAGE, |double, _| {
        double.ask(CallId(100), process(vec![Argument::Value(TaskValue::None); TOO_MANY]));
        Then::Stay
    }),
    ("a list that says it has 2^63 messages", NO_MESSAGE, |double, _| {
        let call = Call::Queue(HandleId(1), QueueCall::PutMany { messages: Batch(vec![b"mark".into()]), timeout: None });
        let honest = frame(&FromWorker::Call(CallId(100), call));
        let at = honest.windows(4).position(|four| four == b"mark").unwrap();
        // The count stands before the first message's length.
        let count = [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01];
        double.send(&framed(&[&honest[4..at - 2], &count, &honest[at - 1..]].concat()));
        Then::Stay
    }),
    ("more to wait for than a wait may have", End::Answered, |double, _| {
        let queue = double.queue();
        let on = Batch(vec![(queue, Interest::In); TOO_MANY - 1]);
        is_quota(&double.call(Call::WaitAny { on, timeout: None }), "things to wait for")
    }),
    // Bytes.
    ("a call cut short", NO_MESSAGE, |double, _| {
        let call = frame(&FromWorker::Call(CallId(100), process(Vec::new())));
        double.send(&framed(&call[4..call.len() - 1]));
        Then::Stay
    }),
    ("bytes behind a call", NO_MESSAGE, |double, _| {
        let call = frame(&FromWorker::Call(CallId(100), Call::Identity));
        double.send(&framed(&[&call[4..], &[0]].concat()));
        Then::Stay
    }),
    ("a name in a call that is not UTF-8", NO_MESSAGE, |double, _| {
        let call = frame(&FromWorker::Call(CallId(100), process(Vec::new())));
        let bytes: Vec<u8> = call[4..].iter().map(|byte| if *byte == b'f' { 0xff } else { *byte }).collect();
        assert_ne!(bytes, call[4..]);
        double.send(&framed(&bytes));
        Then::Stay
    }),
    // Quotas.
    ("handles without end", End::Answered, |double, _| {
        let (made, refused) = double.make_all(|| Call::Create(Create::Event(None)));
        if made == 1024 { is_quota(&refused, "1024 handles") } else { told(false) }
    }),
    ("pools without end", End::Answered, |double, _| {
        let settings = || PoolSettings { workers: Some(1), ..PoolSettings::default() };
        let (made, refused) = double.make_all(|| Call::Create(Create::Pool(settings())));
        if made == 64 { is_quota(&refused, "64 pools") } else { told(false) }
    }),
    ("a pool with more workers than there may be", End::Answered, |double, _| {
        let settings = PoolSettings { workers: Some(u32::MAX), ..PoolSettings::default() };
        is_quota(&double.call(Call::Create(Create::Pool(settings))), "256 worker processes")
    }),
    ("a message longer than messages may be", End::Answered, |double, _| {
        let queue = double.queue();
        let message = vec![0; usize::try_from(16 * limits::MIB + 1).unwrap()];
        let put = QueueCall::Put { message: message.as_slice().into(), timeout: None };
        is_quota(&double.call(Call::Queue(queue, put)), "bytes of a message")
    }),
    ("a task's name of a mebibyte", End::Answered, |double, _| {
        let task = "\u{1b}".repeat(1 << 20);
        let task = Invocation { task: &task, arguments: Batch(Vec::new()) };
        let answer = double.call(Call::Create(Create::Process { task, options: ProcessOptions::default() }));
        told(matches!(answer, Err(CallError::NotFound(text)) if text.len() < 1000 && !text.contains('\u{1b}')))
    }),
];

/// In a double: carries out an order of [`ASKS`].
pub(crate) fn ask(double: &mut Double, index: usize, at: &Place) -> Then {
    let (_, _, ask) = ASKS[index];
    ask(double, at)
}

/// Calls for a long value again and again, and reads no answer.
pub(crate) const UNREAD: &str = "calls without reading";

/// Starts itself, and gives how deep that went.
pub(crate) const DEEP: &str = "itself as deep as it may";
/// Fills a queue and a map, and waits until it is cancelled; then it looks whether all is there.
pub(crate) const HOLD: &str = "a queue to hold";
/// Tries all numbers that [`HOLD`] may have.
pub(crate) const GUESS: &str = "all numbers of another worker";
/// Makes a queue, and its task ends.
pub(crate) const MAKE: &str = "a queue for the next task";
/// Calls after the outcome of its only task.
pub(crate) const LATE_CALL: &str = "a call without a task";
/// Tells after the outcome of its only task.
pub(crate) const LATE_TELLS: &str = "tells without a task";

/// Starts a process.
pub(crate) const ONE_PROCESS: &str = "one process";
/// Makes a map.
pub(crate) const ONE_MAP: &str = "one map";
/// Writes a line to the log, and waits.
pub(crate) const ONE_LOG: &str = "one line of the log";

type Alone = (&'static str, fn(&mut Double, &Place) -> Then);

const ASKS_ALONE: &[Alone] = &[
    (ONE_PROCESS, |double, _| {
        let number = TaskValue::Json(b"20"[..].into());
        told(double.call(process(vec![Argument::Value(number)])).is_ok())
    }),
    (ONE_MAP, |double, _| told(double.call(Call::Create(Create::Map(None))).is_ok())),
    (ONE_LOG, |double, _| {
        double.tell(Tell::Log { level: Level::Error, text: "forged" });
        Then::Stay
    }),
    (DEEP, |double, _| {
        let number = TaskValue::Json(order_of(DEEP).to_string().into_bytes().leak::<'static>()[..].into());
        let process = match double.call(process(vec![Argument::Value(number)])) {
            Ok(Reply::Started(process, _)) => process,
            refused => return Then::Answer(if is_refused(&refused, "tasks that started each other") { 0 } else { 10_000 }),
        };
        match double.call(Call::Process(process, ProcessCall::Join { timeout: None })) {
            Ok(Reply::Process(ProcessReply::Ended(Ended::Ok(TaskValue::Json(depth))))) => {
                Then::Answer(1 + serde_json::from_slice::<u64>(&depth).unwrap())
            }
            other => panic!("{other:?}"),
        }
    }),
    (HOLD, |double, _| {
        let (queue, empty) = (double.queue(), double.queue());
        let map = double.handle(Call::Create(Create::Map(None)));
        double.put(queue, b"canary");
        let set = MapCall::Set { key: "canary", value: b"canary".into(), expires_in: None };
        assert!(double.call(Call::Map(map, set)).is_ok());
        assert_eq!(double.call(Call::Queue(empty, GET)), Err(CallError::Cancelled));
        let left = double.call(Call::Map(map, MapCall::Contains { key: "canary" }));
        let found = Ok(Reply::Map(taskcell_wire::call::MapReply::Found(true)));
        told(double.got(queue) == Some(b"canary".to_vec()) && left == found)
    }),
    (GUESS, |double, _| {
        // The numbers are those of this worker's own connection: the first is its own queue, whatever the other's first is.
        let own = double.queue();
        double.put(own, b"own");
        let guessed = (0..200).filter(|number| *number != own.0).all(|number| all_closed(double, HandleId(number)));
        told(guessed && double.got(own) == Some(b"own".to_vec()))
    }),
    (MAKE, |double, _| {
        let queue = double.queue();
        double.put(queue, b"canary");
        Then::Answer(queue.0)
    }),
    (LATE_CALL, |double, at| {
        double.send(&results(at.chunk, at.place, &one_outcome()));
        double.ask(CallId(100), Call::Identity);
        Then::Stay
    }),
    (LATE_TELLS, |double, at| {
        let queue = double.queue();
        double.send(&results(at.chunk, at.place, &one_outcome()));
        for number in 0..1000 {
            double.tell(Tell::Drop(HandleId(number)));
            double.tell(Tell::Abandon(CallId(number)));
            double.tell(Tell::Progress { done: 1, total: None, note: "late" });
            double.tell(Tell::Log { level: Level::Error, text: "late" });
        }
        double.tell(Tell::Drop(queue));
        Then::Answered
    }),
];

/// The number of an order that has a case of its own.
pub(crate) fn order_of(name: &str) -> u32 {
    ALONE + u32::try_from(ASKS_ALONE.iter().position(|(ask, _)| *ask == name).unwrap()).unwrap()
}

/// In a double: carries out such an order; numbers behind them try the handle that is so far behind.
pub(crate) fn ask_alone(double: &mut Double, index: usize, at: &Place) -> Then {
    match ASKS_ALONE.get(index) {
        Some((_, ask)) => ask(double, at),
        None => {
            let number = HandleId(u64::try_from(index - ASKS_ALONE.len()).unwrap());
            let closed = all_closed(double, number);
            // A new handle has a number of its own.
            told(closed && double.queue() > number)
        }
    }
}

/// The order to try the handle of this number.
pub(crate) fn order_to_try(handle: u64) -> u32 {
    ALONE + u32::try_from(ASKS_ALONE.len()).unwrap() + u32::try_from(handle).unwrap()
}

fn told(as_it_should_be: bool) -> Then {
    Then::Answer(if as_it_should_be { ANSWER } else { 0 })
}

fn is_refused(answer: &Answer, limit: &str) -> bool {
    matches!(answer, Err(CallError::Quota(text)) if text.contains(limit))
}

fn is_quota(answer: &Answer, limit: &str) -> Then {
    told(is_refused(answer, limit))
}

fn put_of(queue: HandleId, message: &[u8]) -> Vec<u8> {
    frame(&FromWorker::Call(CallId(0), Call::Queue(queue, QueueCall::Put { message: message.into(), timeout: None })))
}

fn one_outcome() -> OutcomeWriter {
    let mut outcomes = OutcomeWriter::default();
    outcomes.push(0, &Outcome::Ok(ANSWER.to_string().as_bytes()));
    outcomes
}

fn process(arguments: Vec<Argument<'_>>) -> Call<'_> {
    let task = Invocation { task: "fib", arguments: Batch(arguments) };
    Call::Create(Create::Process { task, options: ProcessOptions::default() })
}

/// A call of every kind on a handle.
fn calls_on(handle: HandleId) -> Vec<Call<'static>> {
    let timeout = Some(0);
    vec![
        Call::RestrictQueue(handle, QueueRights::ALL),
        Call::RestrictMap(handle, MapRights::ALL, ""),
        Call::Queue(handle, QueueCall::Get { timeout }),
        Call::Queue(handle, QueueCall::Close),
        Call::Pipe(handle, PipeCall::Recv { timeout }),
        Call::Map(handle, MapCall::Get { key: "canary" }),
        Call::Lock(handle, LockCall::Acquire { timeout }),
        Call::Condition(handle, ConditionCall::Notify { count: None }),
        Call::Semaphore(handle, SemaphoreCall::Available),
        Call::Event(handle, EventCall::Set),
        Call::Barrier(handle, BarrierCall::Reset),
        Call::Process(handle, ProcessCall::Kill),
        Call::Pool(handle, PoolCall::Kill),
        Call::Future(handle, FutureCall::Cancel),
        Call::Mapping(handle, MappingCall::Next { limit: 1, timeout }),
        Call::Create(Create::Condition { lock: handle, name: None }),
        process(vec![Argument::Handle(handle)]),
    ]
}

/// Whether nothing is behind a number.
fn all_closed(double: &mut Double, number: HandleId) -> bool {
    calls_on(number).into_iter().all(|call| double.call(call) == Err(CallError::Closed))
}

impl Double {
    /// Makes a call that gives a handle.
    fn handle(&mut self, call: Call<'_>) -> HandleId {
        match self.call(call) {
            Ok(Reply::Handle(handle)) => handle,
            other => panic!("{other:?}"),
        }
    }

    fn queue(&mut self) -> HandleId {
        self.handle(Call::Create(Create::Queue(QueueOptions::default())))
    }

    fn put(&mut self, queue: HandleId, message: &[u8]) {
        let put = QueueCall::Put { message: message.into(), timeout: Some(0) };
        assert_eq!(self.call(Call::Queue(queue, put)), DONE);
    }

    /// A map with a value that is too long for shared memory, so that it comes over the socket.
    fn with_long_value(&mut self) -> HandleId {
        let map = self.handle(Call::Create(Create::Map(None)));
        let value = vec![b'v'; usize::try_from(3 * limits::MIB).unwrap()];
        let set = MapCall::Set { key: "long", value: value.as_slice().into(), expires_in: None };
        assert!(self.call(Call::Map(map, set)).is_ok());
        map
    }

    /// A queue with messages, and after so many puts in a row room for more is lent.
    fn with_room(&mut self) -> HandleId {
        let queue = self.queue();
        (0..20).for_each(|_| self.put(queue, b"message"));
        queue
    }

    /// Lays a frame where posts lie, behind so many words of others.
    fn post(&self, at: usize, frame: &[u8]) -> Option<usize> {
        taskcell_worker::loan::post(&self.page, at, frame.len(), |writer| {
            writer.write(frame);
            true
        })
    }

    /// Makes a call that nobody may live to answer.
    fn call_at_all(&mut self, call: Call<'_>) -> Then {
        self.ask(CallId(100), call);
        Then::Stay
    }

    fn got(&mut self, queue: HandleId) -> Option<Vec<u8>> {
        match self.call(Call::Queue(queue, QueueCall::Get { timeout: Some(0) })) {
            Ok(Reply::Queue(QueueReply::Message(message))) => Some(message.to_vec()),
            _ => None,
        }
    }

    /// Makes one after the other until one is refused; how many were made, and the refusal.
    fn make_all(&mut self, call: impl Fn() -> Call<'static>) -> (u32, Answer) {
        let mut made = 0;
        loop {
            match self.call(call()) {
                Ok(_) => made += 1,
                refused => return (made, refused),
            }
        }
    }
}

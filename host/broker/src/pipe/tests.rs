//! A pipe's rules, one by one. Random histories are in `tests/pipe_model.rs`.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use super::*;

const LEFT: Holder = Holder(1);
const RIGHT: Holder = Holder(2);

struct Play {
    pipe: Pipe,
    now: u64,
    calls: u64,
    out: Out,
}

impl Play {
    /// The first end is LEFT's, the second is RIGHT's.
    fn new(duplex: bool, quotas: Quotas) -> Self {
        let mut out = Vec::new();
        let mut pipe = Pipe::new(ObjectId(4), &PipeOptions { duplex, name: None }, LEFT, quotas);
        pipe.give(Now(0), End::Second, Some(RIGHT), &mut out);
        Self { pipe, now: 0, calls: 0, out }
    }

    fn call(&mut self, holder: Holder, end: End, call: PipeCall<'_>) -> CallId {
        let id = CallId(self.calls);
        self.calls += 1;
        self.pipe.call(Now(self.now), id, holder, end, call, &mut self.out);
        id
    }

    /// From RIGHT to LEFT.
    fn send(&mut self, body: &[u8]) -> CallId {
        self.call(RIGHT, End::Second, PipeCall::Send { message: body.into(), timeout: None })
    }

    fn recv(&mut self) -> CallId {
        self.call(LEFT, End::First, PipeCall::Recv { timeout: None })
    }

    fn answer(&mut self, call: CallId) -> Option<Result<Reply, CallError>> {
        let at = self.out.iter().position(|completion| completion.call == call)?;
        Some(self.out.remove(at).result)
    }

    fn received(&mut self) -> Option<Vec<u8>> {
        let call = self.recv();
        match self.answer(call) {
            Some(Ok(PipeReply::Message(body))) => Some(body.to_vec()),
            _ => None,
        }
    }
}

fn tiny() -> Quotas {
    Quotas { pipe_bytes: 4, ..Quotas::default() }
}

#[test]
fn messages_arrive_whole_and_in_order() {
    let mut play = Play::new(false, Quotas::default());
    play.send(b"one");
    play.send(b"");
    play.send(b"two");
    assert_eq!([play.received(), play.received(), play.received()], [Some(b"one".to_vec()), Some(vec![]), Some(b"two".to_vec())]);
}

#[test]
fn one_way_means_one_way() {
    let mut play = Play::new(false, Quotas::default());
    let wrong = play.call(LEFT, End::First, PipeCall::Send { message: b"x".into(), timeout: None });
    assert_eq!(play.answer(wrong), Some(Err(CallError::Denied)));
    let wrong = play.call(RIGHT, End::Second, PipeCall::Recv { timeout: None });
    assert_eq!(play.answer(wrong), Some(Err(CallError::Denied)));
}

#[test]
fn the_directions_of_a_duplex_pipe_are_apart() {
    let mut play = Play::new(true, tiny());
    play.send(b"full");
    let other_way = play.call(LEFT, End::First, PipeCall::Send { message: b"x".into(), timeout: Some(0) });
    assert_eq!(play.answer(other_way), Some(Ok(PipeReply::Done)));
    let back = play.call(RIGHT, End::Second, PipeCall::Recv { timeout: Some(0) });
    assert_eq!(play.answer(back), Some(Ok(PipeReply::Message(b"x".into()))));
}

#[test]
fn a_full_pipe_holds_up_the_sender() {
    let mut play = Play::new(false, tiny());
    play.send(b"abc");
    let waits = play.send(b"de");
    let behind = play.send(b"f");
    assert_eq!((play.answer(waits), play.answer(behind)), (None, None), "the short one does not overtake");
    assert_eq!(play.received().unwrap(), b"abc");
    assert!(play.answer(waits).is_some() && play.answer(behind).is_some());
}

#[test]
fn a_message_longer_than_the_pipe_travels_alone() {
    let mut play = Play::new(false, tiny());
    let long = play.send(&[7; 100]);
    assert!(play.answer(long).is_some());
    assert_eq!(play.received().unwrap().len(), 100);
    let mut play = Play::new(false, Quotas { message_bytes: 3, ..tiny() });
    let over = play.send(b"long");
    assert!(matches!(play.answer(over), Some(Err(CallError::Quota(_)))));
}

#[test]
fn after_the_end_of_the_peer_what_it_sent_still_arrives() {
    let mut play = Play::new(false, Quotas::default());
    play.send(b"last words");
    play.pipe.holder_gone(Now(0), RIGHT, &mut play.out);
    assert_eq!(play.received().unwrap(), b"last words");
    let end = play.recv();
    assert_eq!(play.answer(end), Some(Err(CallError::Closed)));
}

#[test]
fn those_who_wait_learn_of_the_end() {
    let mut play = Play::new(true, Quotas::default());
    let recv = play.recv();
    let poll = play.call(LEFT, End::First, PipeCall::Poll { timeout: None });
    play.call(RIGHT, End::Second, PipeCall::Close);
    assert_eq!(play.answer(recv), Some(Err(CallError::Closed)));
    assert_eq!(play.answer(poll), Some(Ok(PipeReply::Ready(true))));
}

#[test]
fn sending_to_a_closed_end_is_closed_at_once() {
    let mut play = Play::new(false, tiny());
    play.send(b"full");
    let waits = play.send(b"more");
    play.call(LEFT, End::First, PipeCall::Close);
    assert_eq!(play.answer(waits), Some(Err(CallError::Closed)));
    let after = play.send(b"x");
    assert_eq!(play.answer(after), Some(Err(CallError::Closed)));
    assert_eq!(play.pipe.bytes(), 0);
}

#[test]
fn closing_twice_is_no_error_and_using_a_closed_end_is() {
    let mut play = Play::new(false, tiny());
    for _ in 0..2 {
        let close = play.call(LEFT, End::First, PipeCall::Close);
        assert_eq!(play.answer(close), Some(Ok(PipeReply::Done)));
    }
    let recv = play.recv();
    assert_eq!(play.answer(recv), Some(Err(CallError::Closed)));
    assert!(!play.pipe.is_over());
    play.call(RIGHT, End::Second, PipeCall::Close);
    assert!(play.pipe.is_over());
}

#[test]
fn an_end_is_used_by_its_owner_alone() {
    let mut play = Play::new(true, tiny());
    for call in [PipeCall::Recv { timeout: None }, PipeCall::Close, PipeCall::Poll { timeout: None }] {
        let call = play.call(RIGHT, End::First, call);
        assert_eq!(play.answer(call), Some(Err(CallError::Denied)));
    }
}

#[test]
fn an_end_on_its_way_survives_its_last_owner() {
    let mut play = Play::new(false, Quotas::default());
    play.pipe.give(Now(0), End::Second, None, &mut play.out);
    play.pipe.holder_gone(Now(0), RIGHT, &mut play.out);
    let recv = play.recv();
    assert_eq!(play.answer(recv), None);
    play.pipe.give(Now(0), End::Second, Some(Holder(3)), &mut play.out);
    play.call(Holder(3), End::Second, PipeCall::Send { message: b"hi".into(), timeout: None });
    assert_eq!(play.answer(recv), Some(Ok(PipeReply::Message(b"hi".into()))));
}

#[test]
fn polling_takes_nothing() {
    let mut play = Play::new(false, Quotas::default());
    let now = play.call(LEFT, End::First, PipeCall::Poll { timeout: Some(0) });
    assert_eq!(play.answer(now), Some(Ok(PipeReply::Ready(false))));
    let later = play.call(LEFT, End::First, PipeCall::Poll { timeout: Some(5) });
    play.pipe.tick(Now(5), &mut play.out);
    assert_eq!(play.answer(later), Some(Ok(PipeReply::Ready(false))));
    let waits = play.call(LEFT, End::First, PipeCall::Poll { timeout: None });
    play.send(b"x");
    assert_eq!(play.answer(waits), Some(Ok(PipeReply::Ready(true))));
    assert_eq!(play.received().unwrap(), b"x");
}

#[test]
fn a_wait_says_what_it_waits_for() {
    let mut play = Play::new(false, tiny());
    let recv = play.recv();
    assert_eq!(play.pipe.describe_wait(recv).unwrap(), "pipe 4: recv");
}

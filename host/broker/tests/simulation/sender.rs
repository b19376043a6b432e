//! A process that sends numbers through its end of a pipe, one after the other, and ends.

use taskcell_wire::call::{Call, CallError, HandleId, PipeCall, Reply};

use super::guest::{End, MS, Step};
use crate::random::Random;

/// How many it sends.
pub(crate) const NUMBERS: u8 = 6;

#[derive(Debug)]
pub(crate) struct Sender {
    pipe: HandleId,
    sent: u8,
    over: Option<End>,
}

impl Sender {
    pub(crate) fn new(pipe: HandleId) -> Self {
        Self { pipe, sent: 0, over: None }
    }

    pub(crate) fn step(&mut self, random: &mut Random) -> Step {
        if let Some(end) = &self.over {
            return Step::End(end.clone());
        }
        if self.sent == NUMBERS {
            return Step::End(End::Ok(b"null".to_vec()));
        }
        if random.once_in(8) {
            return Step::Work(random.below(4) * MS);
        }
        let message = vec![self.sent + 1].into();
        Step::Call(Call::Pipe(self.pipe, PipeCall::Send { message, timeout: None }))
    }

    pub(crate) fn answered(&mut self, answer: Result<Reply<'_>, CallError>) {
        match answer {
            Ok(_) => self.sent += 1,
            Err(CallError::Cancelled) => self.over = Some(End::Cancelled),
            Err(error) => panic!("a sender is refused: {error}"),
        }
    }
}

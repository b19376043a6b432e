//! A queue, or a pipe from one of its ends: what lends.

use taskcell_wire::call::{End, SharedBytes};

use crate::broker::Answers;
use crate::broker::objects::Body;
use crate::pipe::Pipe;
use crate::queue::Queue;
use crate::time::Now;

/// What loans do to an object, whatever it is.
pub(super) enum Lender<'a> {
    Queue(&'a mut Queue),
    Pipe(&'a mut Pipe, End),
}

impl<'a> Lender<'a> {
    pub(super) fn of(body: &'a mut Body, end: Option<End>) -> Option<Self> {
        if let Body::Queue(queue) = body {
            return Some(Self::Queue(queue));
        }
        if let (Body::Pipe(pipe), Some(end)) = (body, end) { Some(Self::Pipe(pipe, end)) } else { None }
    }

    pub(super) fn lend_room(&mut self) -> Option<(u32, u64)> {
        match self {
            Self::Queue(queue) => queue.lend_room(),
            Self::Pipe(pipe, end) => pipe.lend_room(*end),
        }
    }

    pub(super) fn lend_messages(&mut self) -> Vec<SharedBytes> {
        match self {
            Self::Queue(queue) => queue.lend_messages(),
            Self::Pipe(pipe, end) => pipe.lend_messages(*end),
        }
    }

    pub(super) fn return_room(&mut self, messages: u64, bytes: u64) {
        match self {
            Self::Queue(queue) => queue.return_room(messages, bytes),
            Self::Pipe(pipe, end) => pipe.return_room(*end, messages, bytes),
        }
    }

    pub(super) fn post(&mut self, message: SharedBytes) {
        match self {
            Self::Queue(queue) => queue.post(message),
            Self::Pipe(pipe, end) => pipe.post(*end, message),
        }
    }

    pub(super) fn posted(&mut self, now: Now, out: &mut Answers) {
        match self {
            Self::Queue(queue) => queue.posted(now, &mut out.queue),
            Self::Pipe(pipe, _) => pipe.posted(now, &mut out.pipe),
        }
    }

    pub(super) fn taken(&mut self, now: Now, count: usize, out: &mut Answers) {
        match self {
            Self::Queue(queue) => queue.taken(now, count, &mut out.queue),
            Self::Pipe(pipe, end) => pipe.taken(now, *end, count, &mut out.pipe),
        }
    }

    pub(super) fn take_back(&mut self, now: Now, out: &mut Answers) {
        match self {
            Self::Queue(queue) => queue.take_back(now, &mut out.queue),
            Self::Pipe(pipe, end) => pipe.take_back(now, *end, &mut out.pipe),
        }
    }
}

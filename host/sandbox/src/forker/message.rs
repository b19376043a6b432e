//! What a supervisor and its forker say to each other: one order, one answer, each a packet with descriptors.
//!
//! Both are the same program and trust each other; lengths are checked all the same, so that a mistake is an error and nothing else.

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

use crate::limits::Limits;
use crate::spawn::MOST_INHERITED;
use crate::spawn::child::Step;

/// The most descriptors in a packet: what a child may inherit, and its standard error.
const HANDED: usize = MOST_INHERITED + 1;

/// How to make a worker. The descriptors beside it are its standard error, if it has one of its own, and what it inherits.
pub(super) struct Order {
    pub(super) strict: bool,
    pub(super) own_stderr: bool,
    pub(super) limits: Limits,
}

/// What became of an order. Beside it is the descriptor of the process, if there is one.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Made {
    /// This process is the worker.
    Worker(u32),
    /// This process was to be one, and ended at this step with this error number.
    Failed(u32, Step, i32),
    /// No process could be made, for this error number.
    Nothing(i32),
}

impl Order {
    pub(super) const BYTES: usize = 2 + 4 * 9;

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let Limits { memory_bytes, cpu_seconds, open_files, file_bytes } = self.limits;
        let mut bytes = vec![u8::from(self.strict), u8::from(self.own_stderr)];
        for cap in [memory_bytes, cpu_seconds, open_files, file_bytes] {
            bytes.push(u8::from(cap.is_some()));
            bytes.extend(cap.unwrap_or(0).to_le_bytes());
        }
        bytes
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let ([strict, own_stderr], caps) = bytes.split_first_chunk()?;
        let (caps, []) = caps.as_chunks::<9>() else { return None };
        let mut caps = caps.iter().map(|[some, cap @ ..]| (*some != 0).then(|| u64::from_le_bytes(*cap)));
        let mut next = || caps.next();
        let limits = Limits { memory_bytes: next()?, cpu_seconds: next()?, open_files: next()?, file_bytes: next()? };
        Some(Self { strict: *strict != 0, own_stderr: *own_stderr != 0, limits })
    }
}

impl Made {
    pub(super) const BYTES: usize = 12;

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let (pid, step, error) = match *self {
            Self::Worker(pid) => (pid, 0, 0),
            Self::Failed(pid, step, error) => (pid, number(step), error),
            Self::Nothing(error) => (0, 0, error),
        };
        [pid.to_le_bytes(), step.to_le_bytes(), error.to_le_bytes()].concat()
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let ([pid, step, error], []) = bytes.as_chunks() else { return None };
        let (pid, error) = (u32::from_le_bytes(*pid), i32::from_le_bytes(*error));
        match u32::from_le_bytes(*step) {
            0 if pid == 0 => Some(Self::Nothing(error)),
            0 => Some(Self::Worker(pid)),
            step => Some(Self::Failed(pid, STEPS.into_iter().find(|known| number(*known) == step)?, error)),
        }
    }
}

const STEPS: [Step; 7] =
    [Step::Session, Step::Descriptors, Step::Limits, Step::ParentDeathSignal, Step::ParentCheck, Step::Execute, Step::Tell];

/// A step in a message; 0 is none.
const fn number(step: Step) -> u32 {
    match step {
        Step::Session => 1,
        Step::Descriptors => 2,
        Step::Limits => 3,
        Step::ParentDeathSignal => 4,
        Step::ParentCheck => 5,
        Step::Execute => 6,
        Step::Tell => 7,
    }
}

/// Sends a packet with descriptors.
pub(super) fn send(socket: BorrowedFd<'_>, bytes: &[u8], handed: &[BorrowedFd<'_>]) -> rustix::io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(HANDED))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !handed.is_empty() && !control.push(SendAncillaryMessage::ScmRights(handed)) {
        return Err(rustix::io::Errno::TOOBIG);
    }
    let packet = [IoSlice::new(bytes)];
    rustix::io::retry_on_intr(|| sendmsg(socket, &packet, &mut control, SendFlags::NOSIGNAL)).map(drop)
}

/// Waits for a packet of `length` bytes; `None` if there is none to come, or another one came.
pub(super) fn receive(socket: BorrowedFd<'_>, length: usize) -> Option<(Vec<u8>, Vec<OwnedFd>)> {
    // One more, so that a longer packet shows.
    let mut bytes = vec![0; length + 1];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(HANDED))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let received =
        rustix::io::retry_on_intr(|| recvmsg(socket, &mut [IoSliceMut::new(&mut bytes)], &mut control, RecvFlags::CMSG_CLOEXEC));
    if received.ok()?.bytes != length {
        return None;
    }
    bytes.truncate(length);
    let mut handed = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(descriptors) = message {
            handed.extend(descriptors);
        }
    }
    Some((bytes, handed))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use super::*;

    #[test]
    fn an_order_arrives_as_it_was_given() {
        for limits in [
            Limits::default(),
            Limits { memory_bytes: Some(u64::MAX), cpu_seconds: Some(0), open_files: None, file_bytes: Some(1 << 40) },
        ] {
            let order = Order { strict: true, own_stderr: false, limits };
            let bytes = order.to_bytes();
            assert_eq!(bytes.len(), Order::BYTES);
            let read = Order::from_bytes(&bytes).unwrap();
            assert_eq!((read.strict, read.own_stderr, read.limits), (true, false, limits));
        }
        assert!(Order::from_bytes(&[0; Order::BYTES - 1]).is_none());
        assert!(Order::from_bytes(&[0; Order::BYTES + 9]).is_some_and(|order| order.limits.memory_bytes.is_none()));
    }

    #[test]
    fn an_answer_arrives_as_it_was_given() {
        let failures = STEPS.into_iter().map(|step| Made::Failed(7, step, libc::EPERM));
        for made in failures.chain([Made::Worker(u32::MAX), Made::Nothing(libc::EAGAIN)]) {
            let bytes = made.to_bytes();
            assert_eq!((bytes.len(), Made::from_bytes(&bytes)), (Made::BYTES, Some(made)));
        }
        assert_eq!(Made::from_bytes(&[1; Made::BYTES]), None);
    }
}

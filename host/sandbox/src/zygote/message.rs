//! What a supervisor, a zygote and a forked worker send each other: packets of a few bytes with
//! descriptors.

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

use crate::spawn::MOST_INHERITED;

/// The longest packet: the text of a failure.
pub(crate) const MOST_BYTES: usize = 8 << 10;

/// A zygote's answer to an order. With [`Forked`](Self::Forked) comes the worker's process descriptor.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer<'a> {
    Forked,
    Refused(i32),
    Failed(&'a [u8]),
}

impl<'a> Answer<'a> {
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Forked => vec![0],
            Self::Refused(error) => [&[1][..], &error.to_le_bytes()].concat(),
            Self::Failed(text) => [&[2][..], text.get(..MOST_BYTES - 1).unwrap_or(text)].concat(),
        }
    }

    pub(super) fn from_bytes(bytes: &'a [u8]) -> Option<Self> {
        match bytes.split_first()? {
            (0, []) => Some(Self::Forked),
            (1, error) => Some(Self::Refused(i32::from_le_bytes(error.try_into().ok()?))),
            (2, text) => Some(Self::Failed(text)),
            _ => None,
        }
    }
}

/// A supervisor's word to a forked worker. With it comes the worker's page map, if it could be opened.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Go {
    /// The uid to take; `None`: the zygote's.
    pub(super) uid: Option<u32>,
}

impl Go {
    pub(super) fn to_bytes(&self) -> [u8; 5] {
        let [a, b, c, d] = self.uid.unwrap_or(0).to_le_bytes();
        [u8::from(self.uid.is_some()), a, b, c, d]
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let [some, uid @ ..]: [u8; 5] = bytes.try_into().ok()?;
        Some(Self { uid: (some != 0).then(|| u32::from_le_bytes(uid)) })
    }
}

/// Sends a packet with descriptors. Never waits.
pub(super) fn send(socket: BorrowedFd<'_>, bytes: &[u8], handed: &[BorrowedFd<'_>]) -> rustix::io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_INHERITED))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !handed.is_empty() && !control.push(SendAncillaryMessage::ScmRights(handed)) {
        return Err(rustix::io::Errno::TOOBIG);
    }
    let packet = [IoSlice::new(bytes)];
    let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
    rustix::io::retry_on_intr(|| sendmsg(socket, &packet, &mut control, flags)).map(drop)
}

/// The next packet and its descriptors; an empty one when there is none to come.
pub(super) fn receive(socket: BorrowedFd<'_>, at_once: bool) -> rustix::io::Result<(Vec<u8>, Vec<OwnedFd>)> {
    receive_at_most(socket, MOST_BYTES, at_once)
}

/// [`receive`] of a socket on which other bytes may follow: takes `most` bytes at most.
pub(super) fn receive_at_most(socket: BorrowedFd<'_>, most: usize, at_once: bool) -> rustix::io::Result<(Vec<u8>, Vec<OwnedFd>)> {
    let mut bytes = vec![0; most];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_INHERITED))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::CMSG_CLOEXEC | if at_once { RecvFlags::DONTWAIT } else { RecvFlags::empty() };
    let received = rustix::io::retry_on_intr(|| recvmsg(socket, &mut [IoSliceMut::new(&mut bytes)], &mut control, flags))?;
    bytes.truncate(received.bytes);
    let mut handed = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(descriptors) = message {
            handed.extend(descriptors);
        }
    }
    Ok((bytes, handed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_arrives_as_it_was_given() {
        for answer in [Answer::Forked, Answer::Refused(libc::EAGAIN), Answer::Failed(b"why"), Answer::Failed(b"")] {
            assert_eq!(Answer::from_bytes(&answer.to_bytes()), Some(answer));
        }
        for lie in [&[][..], &[0, 0], &[1, 2], &[1, 2, 3, 4, 5, 6], &[3], &[255; 100]] {
            assert_eq!(Answer::from_bytes(lie), None, "{lie:?}");
        }
        assert_eq!(Answer::Failed(&[7; 2 * MOST_BYTES]).to_bytes().len(), MOST_BYTES);
    }

    #[test]
    fn a_release_arrives_as_it_was_given() {
        for uid in [None, Some(0), Some(u32::MAX)] {
            assert_eq!(Go::from_bytes(&Go { uid }.to_bytes()), Some(Go { uid }));
        }
        assert_eq!(Go::from_bytes(&[1, 2]), None);
    }
}

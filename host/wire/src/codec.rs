//! Frames: four bytes of little-endian length, then a message in postcard.
//!
//! The failure that this prevents: a sender that announces 4 GiB and has it allocated. The cap is checked on the length alone,
//! and memory grows with the bytes that really arrive. A frame is borrowed while its message is handled and forgotten after;
//! the buffer is used again.

use serde::{Deserialize, Serialize};

use crate::error::WireError;
use crate::limits::KEPT_BYTES;

const HEADER: usize = 4;
/// Space offered to a read, in bytes: one read takes all frames that wait in a socket of the usual size (208 KiB).
const READ: usize = 256 * 1024;

/// Appends `message` to `out` as a frame.
///
/// # Errors
/// [`WireError::MessageTooLong`] if it is longer than `cap` bytes; `out` is then as it was.
pub fn encode<M: Serialize>(message: &M, cap: u64, out: &mut Vec<u8>) -> Result<(), WireError> {
    let start = out.len();
    out.extend_from_slice(&[0; HEADER]);
    let written = postcard::to_io(message, std::mem::take(out))?;
    *out = written;
    let length = out.len() - start - HEADER;
    match u32::try_from(length) {
        Ok(short) if length as u64 <= cap => {
            if let Some(header) = out.get_mut(start..start + HEADER) {
                header.copy_from_slice(&short.to_le_bytes());
            }
            Ok(())
        }
        Ok(_) | Err(_) => {
            out.truncate(start);
            Err(WireError::MessageTooLong { length: length as u64, cap })
        }
    }
}

/// How long `message` is as a frame, in bytes.
///
/// # Errors
/// [`WireError::MessageTooLong`] if it is longer than `cap` bytes, its header apart.
pub fn frame_length<M: Serialize>(message: &M, cap: u64) -> Result<usize, WireError> {
    let mut length = 0;
    write_pieces(message, |piece| length += piece.len())?;
    if length as u64 <= cap && u32::try_from(length).is_ok() {
        Ok(HEADER + length)
    } else {
        Err(WireError::MessageTooLong { length: length as u64, cap })
    }
}

/// Gives `message` as a frame, piece by piece, for one who writes it where it belongs; of its length, see [`frame_length`]. Bytes in it come in one
/// piece.
///
/// # Errors
/// As [`encode`], but for the length.
pub fn encode_pieces<M: Serialize>(message: &M, length: usize, mut write: impl FnMut(&[u8])) -> Result<(), WireError> {
    let header = u32::try_from(length.saturating_sub(HEADER)).unwrap_or(u32::MAX);
    write(&header.to_le_bytes());
    write_pieces(message, write)
}

fn write_pieces<M: Serialize>(message: &M, write: impl FnMut(&[u8])) -> Result<(), WireError> {
    Ok(postcard::serialize_with_flavor(message, Pieces(write))?)
}

/// Where postcard puts what it makes.
struct Pieces<W>(W);

impl<W: FnMut(&[u8])> postcard::ser_flavors::Flavor for Pieces<W> {
    type Output = ();

    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        (self.0)(bytes);
        Ok(())
    }

    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        (self.0)(&[byte]);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}

/// Bytes in one piece; serde takes a slice of them for a sequence, and writes it byte by byte.
pub(crate) fn raw<S: serde::Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_bytes(bytes)
}

/// Decodes a whole message; bytes behind it are an error.
///
/// # Errors
/// [`WireError::Malformed`] with what is wrong.
pub fn decode<'a, M: Deserialize<'a>>(frame: &'a [u8]) -> Result<M, WireError> {
    let (message, rest) = postcard::take_from_bytes(frame)?;
    if rest.is_empty() { Ok(message) } else { Err(WireError::Malformed("trailing bytes")) }
}

/// The message bytes of the first of the frames that `bytes` are, and the frames behind it.
///
/// # Errors
/// [`WireError::Malformed`] if they are less than one.
pub fn first_frame(bytes: &[u8]) -> Result<(&[u8], &[u8]), WireError> {
    let half = WireError::Malformed("half a frame");
    let Some((header, rest)) = bytes.split_first_chunk::<HEADER>() else { return Err(half) };
    let length = usize::try_from(u32::from_le_bytes(*header)).unwrap_or(usize::MAX);
    rest.split_at_checked(length).ok_or(half)
}

/// Bytes that arrived and were not handled yet.
#[derive(Debug)]
pub struct FrameBuffer {
    bytes: Vec<u8>,
    /// `bytes[start..end]` arrived and waits.
    start: usize,
    end: usize,
    cap: u64,
}

impl FrameBuffer {
    /// An empty buffer that refuses frames over `cap` bytes.
    #[must_use]
    pub fn new(cap: u64) -> Self {
        Self { bytes: Vec::new(), start: 0, end: 0, cap }
    }

    /// Changes the cap for the frames to come.
    pub fn set_cap(&mut self, cap: u64) {
        self.cap = cap;
    }

    /// Space to read into; tell with [`filled`](Self::filled) how much of it was used.
    pub fn space(&mut self) -> &mut [u8] {
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
            // A rare long frame must not hold its memory for ever.
            if self.bytes.len() > KEPT_BYTES {
                self.bytes = Vec::new();
            }
        }
        if self.bytes.len() - self.end < self.missing().max(READ / 4) {
            if self.start > 0 {
                self.bytes.copy_within(self.start..self.end, 0);
                self.end -= self.start;
                self.start = 0;
            }
            if self.bytes.len() - self.end < READ / 4 {
                // Only when it is nearly full, and then by what arrived, not by what a length claims: a sender that announces much
                // and sends little costs little.
                let more = self.end.min(self.missing()).max(READ);
                if self.end == 0 {
                    // Zeros that nobody writes to take no memory; most frames are short.
                    self.bytes = vec![0; more];
                } else {
                    self.bytes.resize(self.end + more, 0);
                }
            }
        }
        &mut self.bytes[self.end..]
    }

    /// `count` bytes of the space were filled.
    pub fn filled(&mut self, count: usize) {
        self.end = self.bytes.len().min(self.end + count);
    }

    /// Whether bytes of an unfinished frame wait.
    #[must_use]
    pub fn is_partial(&self) -> bool {
        self.start != self.end
    }

    /// The next whole frame's message bytes, or `None` until more arrived.
    ///
    /// # Errors
    /// [`WireError::FrameTooLong`]; the buffer is of no use after that.
    pub fn next_frame(&mut self) -> Result<Option<&[u8]>, WireError> {
        let Some(length) = self.announced() else { return Ok(None) };
        if length > self.cap {
            return Err(WireError::FrameTooLong { length, cap: self.cap });
        }
        // Fits: the cap is checked, and caps are far below usize::MAX.
        let length = usize::try_from(length).unwrap_or(usize::MAX - HEADER);
        let from = self.start + HEADER;
        if self.end - self.start < HEADER + length {
            return Ok(None);
        }
        self.start = from + length;
        Ok(Some(&self.bytes[from..from + length]))
    }

    fn announced(&self) -> Option<u64> {
        let header = self.bytes.get(self.start..self.end)?.first_chunk::<HEADER>()?;
        Some(u64::from(u32::from_le_bytes(*header)))
    }

    /// How many bytes the frame under way still lacks; at most what the cap allows.
    fn missing(&self) -> usize {
        let announced = self.announced().unwrap_or(0).min(self.cap);
        let whole = usize::try_from(announced).unwrap_or(0) + HEADER;
        whole.saturating_sub(self.end - self.start)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use super::*;

    fn feed(buffer: &mut FrameBuffer, bytes: &[u8]) {
        let space = buffer.space();
        space[..bytes.len()].copy_from_slice(bytes);
        buffer.filled(bytes.len());
    }

    #[test]
    fn frames_survive_any_cut() {
        let mut bytes = Vec::new();
        for n in 0..50u32 {
            encode(&vec![n; n as usize], 1000, &mut bytes).unwrap();
        }
        for cut in [1, 2, 3, 5, 7, 64, 1000, bytes.len()] {
            let mut buffer = FrameBuffer::new(1000);
            let mut seen = Vec::new();
            for piece in bytes.chunks(cut) {
                feed(&mut buffer, piece);
                while let Some(frame) = buffer.next_frame().unwrap() {
                    seen.push(decode::<Vec<u32>>(frame).unwrap());
                }
            }
            assert_eq!(seen.len(), 50, "cut into {cut}");
            assert!(seen.iter().enumerate().all(|(n, v)| v.len() == n));
            assert!(!buffer.is_partial());
        }
    }

    #[test]
    fn a_long_frame_is_refused_on_its_length_alone() {
        let mut buffer = FrameBuffer::new(100);
        feed(&mut buffer, &101u32.to_le_bytes());
        assert_eq!(buffer.next_frame(), Err(WireError::FrameTooLong { length: 101, cap: 100 }));
    }

    #[test]
    fn an_announced_length_allocates_nothing_before_bytes_arrive() {
        let mut buffer = FrameBuffer::new(u64::from(u32::MAX));
        feed(&mut buffer, &u32::MAX.to_le_bytes());
        assert_eq!(buffer.next_frame(), Ok(None));
        assert!(buffer.space().len() <= 2 * READ);
    }

    #[test]
    fn a_message_over_the_cap_is_told_before_it_is_sent() {
        let mut out = vec![1, 2, 3];
        let error = encode(&vec![0u8; 64], 10, &mut out).unwrap_err();
        assert_eq!(error, WireError::MessageTooLong { length: 65, cap: 10 });
        assert_eq!(out, [1, 2, 3]);
    }

    #[test]
    fn pieces_are_the_frame() {
        for text in ["", "a", "some more"] {
            let message = (7u32, text, [300u16; 3], Some(crate::call::Bytes::from(&b"bytes"[..])));
            let (mut frame, mut pieces) = (Vec::new(), Vec::new());
            encode(&message, 100, &mut frame).unwrap();
            let length = frame_length(&message, 100).unwrap();
            encode_pieces(&message, length, |piece| pieces.extend_from_slice(piece)).unwrap();
            assert_eq!((&pieces, length), (&frame, frame.len()));
            let most = frame.len() as u64 - 4;
            assert!(frame_length(&message, most).is_ok());
            assert_eq!(frame_length(&message, most - 1), Err(WireError::MessageTooLong { length: most, cap: most - 1 }));
        }
    }

    #[test]
    fn frames_are_taken_off_one_by_one() {
        let mut bytes = Vec::new();
        encode(&7u8, 10, &mut bytes).unwrap();
        encode(&8u8, 10, &mut bytes).unwrap();
        let (first, rest) = first_frame(&bytes).unwrap();
        assert_eq!((first, first_frame(rest)), (&[7][..], Ok((&[8][..], &[][..]))));
        for cut in 0..rest.len() {
            assert!(first_frame(&rest[..cut]).is_err(), "{cut}");
        }
    }

    #[test]
    fn trailing_bytes_are_refused() {
        assert_eq!(decode::<u8>(&[1, 2]), Err(WireError::Malformed("trailing bytes")));
    }
}

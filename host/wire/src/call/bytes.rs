//! A message's or a value's bytes, borrowed from the frame or shared with the broker.
//!
//! The failure that this prevents: 16 MiB that are copied at each step of their way. What arrives is a slice of its frame. What the broker keeps is
//! copied once, or is a part of the frame that it came in if it is most of it, and is then shared by all who are sent it.

pub use bytes::Bytes as SharedBytes;
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Bytes that are cheap to pass on.
#[derive(Clone)]
pub enum Bytes<'a> {
    /// A part of the frame that they came in.
    Borrowed(&'a [u8]),
    /// The broker's own.
    Shared(SharedBytes),
}

impl Bytes<'_> {
    /// The same bytes for keeping: copied if they were borrowed.
    #[must_use]
    pub fn into_shared(self) -> SharedBytes {
        match self {
            Self::Borrowed(bytes) => SharedBytes::copy_from_slice(bytes),
            Self::Shared(bytes) => bytes,
        }
    }

    /// Makes them a part of `frame`, out of which they were borrowed, so that keeping them copies nothing. Nothing happens if they are no part of it, or
    /// not nearly all of it: a few bytes must not keep a long frame in memory, which nobody would count.
    pub fn share(&mut self, frame: &SharedBytes) {
        if let Self::Borrowed(bytes) = self {
            let (whole, part) = (frame.as_ptr_range(), bytes.as_ptr_range());
            let within = whole.start <= part.start && part.end <= whole.end;
            if within && frame.len() - bytes.len() <= bytes.len() / 64 {
                *self = Self::Shared(frame.slice_ref(bytes));
            }
        }
    }
}

impl std::ops::Deref for Bytes<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Borrowed(bytes) => bytes,
            Self::Shared(bytes) => bytes,
        }
    }
}

impl<'a> From<&'a [u8]> for Bytes<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::Borrowed(bytes)
    }
}

impl<'a, const N: usize> From<&'a [u8; N]> for Bytes<'a> {
    fn from(bytes: &'a [u8; N]) -> Self {
        Self::Borrowed(bytes)
    }
}

impl From<SharedBytes> for Bytes<'_> {
    fn from(bytes: SharedBytes) -> Self {
        Self::Shared(bytes)
    }
}

impl From<Vec<u8>> for Bytes<'_> {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Shared(bytes.into())
    }
}

impl PartialEq for Bytes<'_> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Bytes<'_> {}

impl std::fmt::Debug for Bytes<'_> {
    /// As text, and only its beginning: a failed comparison must not print 16 MiB.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = self.get(..32).unwrap_or(self);
        write!(f, "\"{}\"", shown.escape_ascii())?;
        if shown.len() < self.len() { write!(f, "... ({} bytes)", self.len()) } else { Ok(()) }
    }
}

impl Serialize for Bytes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Bytes<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_bytes(BytesVisitor)
    }
}

struct BytesVisitor;

impl<'de> Visitor<'de> for BytesVisitor {
    type Value = Bytes<'de>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("bytes")
    }

    fn visit_borrowed_bytes<E: Error>(self, bytes: &'de [u8]) -> Result<Bytes<'de>, E> {
        Ok(Bytes::Borrowed(bytes))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use super::*;

    #[test]
    fn what_arrives_is_a_slice_of_its_frame() {
        let frame = postcard::to_stdvec(&Bytes::from(SharedBytes::from_static(b"hello"))).unwrap();
        let bytes: Bytes<'_> = postcard::from_bytes(&frame).unwrap();
        assert!(matches!(bytes, Bytes::Borrowed(slice) if std::ptr::eq(slice, &raw const frame[1..])));
    }

    #[test]
    fn most_of_a_frame_is_shared_with_it_and_less_is_not() {
        let frame = SharedBytes::from(vec![7; 6500]);
        for (part, is_shared) in [(0..6500, true), (50..6500, true), (200..6500, false), (0..1, false), (0..0, false)] {
            let mut bytes = Bytes::Borrowed(&frame[part.clone()]);
            bytes.share(&frame);
            assert_eq!(matches!(bytes, Bytes::Shared(_)), is_shared, "{part:?}");
            assert!(!is_shared || bytes.into_shared().as_ptr() == frame[part].as_ptr());
        }
        let mut other = Bytes::Borrowed(&[7; 6500]);
        other.share(&frame);
        assert!(matches!(other, Bytes::Borrowed(_)));
    }

    #[test]
    fn a_long_value_is_shown_short() {
        assert!(format!("{:?}", Bytes::from(&[0u8; 1000])).len() < 200);
    }
}

//! A message's or a value's bytes, borrowed from the frame or shared with the broker.
//!
//! The failure that this prevents: 16 MiB that are copied at each step of their way. What arrives is a slice of its frame. What the broker keeps is
//! copied once, and is then shared by all who are sent it.

use std::sync::Arc;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Bytes that are cheap to pass on.
#[derive(Clone)]
pub enum Bytes<'a> {
    /// A part of the frame that they came in.
    Borrowed(&'a [u8]),
    /// The broker's own.
    Shared(Arc<[u8]>),
}

impl Bytes<'_> {
    /// The same bytes for keeping: copied if they were borrowed.
    #[must_use]
    pub fn into_shared(self) -> Arc<[u8]> {
        match self {
            Self::Borrowed(bytes) => Arc::from(bytes),
            Self::Shared(bytes) => bytes,
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

impl From<Arc<[u8]>> for Bytes<'_> {
    fn from(bytes: Arc<[u8]>) -> Self {
        Self::Shared(bytes)
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
        let frame = postcard::to_stdvec(&Bytes::from(Arc::<[u8]>::from(&b"hello"[..]))).unwrap();
        let bytes: Bytes<'_> = postcard::from_bytes(&frame).unwrap();
        assert!(matches!(bytes, Bytes::Borrowed(slice) if std::ptr::eq(slice, &raw const frame[1..])));
    }

    #[test]
    fn a_long_value_is_shown_short() {
        assert!(format!("{:?}", Bytes::from(&[0u8; 1000])).len() < 200);
    }
}

//! Lists in calls.
//!
//! The failure that this prevents: a frame of 16 MiB that holds 16 million empty messages, each of which takes 40 bytes once it is decoded. The
//! number is checked before the first element is, and again with each one.

use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::marker::PhantomData;

/// The most elements of a list in one call. At 16 384 the fixed cost of a call is under 1 ns an element.
pub const BATCH_ITEMS: usize = 16_384;

/// A list of at most [`BATCH_ITEMS`] elements; a longer one is not decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch<T>(pub Vec<T>);

impl<T: Serialize> Serialize for Batch<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Batch<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(BatchVisitor(PhantomData))
    }
}

struct BatchVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for BatchVisitor<T> {
    type Value = Batch<T>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "a list of at most {BATCH_ITEMS}")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Batch<T>, A::Error> {
        let told = seq.size_hint().unwrap_or(0);
        if told > BATCH_ITEMS {
            return Err(Error::invalid_length(told, &self));
        }
        let mut items = Vec::with_capacity(told);
        while let Some(item) = seq.next_element()? {
            if items.len() == BATCH_ITEMS {
                return Err(Error::invalid_length(BATCH_ITEMS + 1, &self));
            }
            items.push(item);
        }
        Ok(Batch(items))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use super::*;
    use crate::call::Bytes;

    #[test]
    fn a_list_comes_back_as_it_went() {
        let batch = Batch(vec![Bytes::from(b"a"), Bytes::from(b""), Bytes::from(b"bc")]);
        let frame = postcard::to_stdvec(&batch).unwrap();
        assert_eq!(postcard::from_bytes::<Batch<Bytes<'_>>>(&frame).unwrap(), batch);
    }

    #[test]
    fn a_list_over_the_cap_is_not_decoded() {
        let frame = postcard::to_stdvec(&vec![0u8; BATCH_ITEMS + 1]).unwrap();
        assert!(postcard::from_bytes::<Batch<u8>>(&frame).is_err());
        assert!(postcard::from_bytes::<Batch<u8>>(&[0xff, 0xff, 0xff, 0xff, 0x0f]).is_err());
        let frame = postcard::to_stdvec(&vec![0u8; BATCH_ITEMS]).unwrap();
        assert_eq!(postcard::from_bytes::<Batch<u8>>(&frame).unwrap().0.len(), BATCH_ITEMS);
    }
}

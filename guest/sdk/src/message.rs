//! What queues, pipes and maps carry: JSON by serde, or raw bytes.
//!
//! The host sees bytes only. JSON is what every language can read, so that a queue can have a producer in Rust and a consumer in
//! Python. For what is bytes already, and where speed counts, there is [`Bytes`].

use std::borrow::Borrow;
use std::ops::Deref;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::Result;

/// Something that can be sent: what implements [`Serialize`], as JSON, and [`Bytes`], as they are.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be sent",
    note = "what is sent is `Bytes`, or implements `serde::Serialize`"
)]
pub trait Encode {
    /// The bytes that are sent.
    ///
    /// # Errors
    /// [`Error::Conversion`](crate::Error::Conversion) if it can't be written as JSON, such as a map with keys that are no strings.
    fn encode(&self) -> Result<Vec<u8>>;
}

/// Something that can be received: what implements [`DeserializeOwned`], from JSON, and [`Bytes`], as they are.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be received",
    note = "what is received is `Bytes`, or implements `serde::de::DeserializeOwned`"
)]
pub trait Decode: Sized {
    /// What was sent as these bytes.
    ///
    /// # Errors
    /// [`Error::Conversion`](crate::Error::Conversion) if they are not the JSON of this type.
    fn decode(bytes: Vec<u8>) -> Result<Self>;
}

impl<T: Serialize + ?Sized> Encode for T {
    fn encode(&self) -> Result<Vec<u8>> {
        Ok(serde_json::to_vec(self)?)
    }
}

impl<T: DeserializeOwned> Decode for T {
    fn decode(bytes: Vec<u8>) -> Result<Self> {
        Ok(serde_json::from_slice(&bytes)?)
    }
}

/// Bytes that are sent, stored, given and received as they are.
///
/// They are not a serde value, so that nobody sends them as a JSON array by mistake; for bytes inside of a struct use what serde
/// offers.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bytes(pub Vec<u8>);

impl Encode for Bytes {
    fn encode(&self) -> Result<Vec<u8>> {
        Ok(self.0.clone())
    }
}

impl Decode for Bytes {
    fn decode(bytes: Vec<u8>) -> Result<Self> {
        Ok(Self(bytes))
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl From<&[u8]> for Bytes {
    fn from(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }
}

impl<const LENGTH: usize> From<&[u8; LENGTH]> for Bytes {
    fn from(bytes: &[u8; LENGTH]) -> Self {
        Self(bytes.to_vec())
    }
}

impl From<String> for Bytes {
    fn from(text: String) -> Self {
        Self(text.into_bytes())
    }
}

impl From<&str> for Bytes {
    fn from(text: &str) -> Self {
        Self(text.as_bytes().to_vec())
    }
}

impl From<Bytes> for Vec<u8> {
    fn from(bytes: Bytes) -> Self {
        bytes.0
    }
}

/// Several messages, each encoded.
pub(crate) fn encode_all<T, M>(messages: impl IntoIterator<Item = M>) -> Result<Vec<Vec<u8>>>
where
    T: Encode,
    M: Borrow<T>,
{
    messages.into_iter().map(|message| message.borrow().encode()).collect()
}

/// Several messages, each decoded.
pub(crate) fn decode_all<T: Decode>(messages: Vec<Vec<u8>>) -> Result<Vec<T>> {
    messages.into_iter().map(T::decode).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::error::Error;

    #[test]
    fn messages_are_json() {
        assert_eq!("Data item".encode(), Ok(br#""Data item""#.to_vec()));
        assert_eq!((1, "a", None::<u8>).encode(), Ok(br#"[1,"a",null]"#.to_vec()));
        assert_eq!(<(u8, String)>::decode(br#"[1,"a"]"#.to_vec()), Ok((1, "a".to_owned())));
        assert_eq!(f64::decode(0.1_f64.encode().unwrap_or_default()), Ok(0.1));
    }

    #[test]
    fn bytes_are_as_they_are() {
        let bytes = Bytes::from(b"\x00\xff");
        assert_eq!(bytes.encode(), Ok(vec![0, 255]));
        assert_eq!(Bytes::decode(vec![0, 255]), Ok(bytes));
    }

    #[test]
    fn what_is_no_json_of_the_type_is_an_error() {
        assert!(matches!(u8::decode(b"300".to_vec()), Err(Error::Conversion(_))));
        assert!(matches!(String::decode(b"\xff".to_vec()), Err(Error::Conversion(_))));
        assert!(matches!(HashMap::from([((1, 2), 3)]).encode(), Err(Error::Conversion(_))));
    }

    #[test]
    fn several_are_given_as_values_or_by_reference() {
        let expected = Ok(vec![b"1".to_vec(), b"2".to_vec()]);
        assert_eq!(encode_all::<u8, _>([1, 2]), expected);
        assert_eq!(encode_all::<u8, _>(&[1, 2]), expected);
        assert_eq!(decode_all::<u8>(vec![b"1".to_vec(), b"2".to_vec()]), Ok(vec![1, 2]));
    }
}

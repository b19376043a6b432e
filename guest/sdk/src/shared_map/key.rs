//! What can be a key: maps have strings for keys, and other types have texts.

use std::borrow::Cow;

use crate::error::{Error, Result};

/// Something that is a key of a map, by its text: strings as they are, numbers in decimal, `bool` and `char` as Rust shows them.
///
/// The host has keys in the order of their bytes, so that numbers come as 1, 10, 2. A key may have 4096 bytes.
pub trait Key {
    /// The key's text.
    fn to_key(&self) -> Cow<'_, str>;
}

/// A key that can be read back from its text, which [`keys`](super::SharedMap::keys) and [`items`](super::SharedMap::items) need.
pub trait FromKey: Sized {
    /// The key that has this text.
    ///
    /// # Errors
    /// [`Error::Conversion`] if no key has.
    fn from_key(key: String) -> Result<Self>;
}

impl Key for str {
    fn to_key(&self) -> Cow<'_, str> {
        Cow::Borrowed(self)
    }
}

impl Key for &str {
    fn to_key(&self) -> Cow<'_, str> {
        Cow::Borrowed(self)
    }
}

impl Key for String {
    fn to_key(&self) -> Cow<'_, str> {
        Cow::Borrowed(self)
    }
}

impl FromKey for String {
    fn from_key(key: String) -> Result<Self> {
        Ok(key)
    }
}

macro_rules! keys_by_text {
    ($($key:ty)*) => {$(
        impl Key for $key {
            fn to_key(&self) -> Cow<'_, str> {
                Cow::Owned(self.to_string())
            }
        }

        impl FromKey for $key {
            fn from_key(key: String) -> Result<Self> {
                key.parse().map_err(|error| Error::Conversion(format!("the key {key:?} is no {}: {error}", stringify!($key))))
            }
        }
    )*};
}

keys_by_text!(u8 u16 u32 u64 u128 usize i8 i16 i32 i64 i128 isize bool char);

#[cfg(test)]
mod tests {
    use super::*;

    fn there_and_back<K: Key + FromKey>(key: &K, text: &str) -> Result<K> {
        assert_eq!(key.to_key(), text);
        K::from_key(text.to_owned())
    }

    #[test]
    fn keys_go_by_their_texts() {
        assert_eq!("key_1".to_key(), "key_1");
        assert_eq!(there_and_back(&"a b".to_owned(), "a b"), Ok("a b".to_owned()));
        assert_eq!(there_and_back(&-7_i64, "-7"), Ok(-7));
        assert_eq!(there_and_back(&'ë', "ë"), Ok('ë'));
        assert_eq!(there_and_back(&true, "true"), Ok(true));
    }

    #[test]
    fn a_text_of_no_key_is_an_error() {
        let expected = r#"the key "300" is no u8: number too large to fit in target type"#;
        assert_eq!(u8::from_key("300".to_owned()), Err(Error::Conversion(expected.to_owned())));
        assert!(char::from_key("ab".to_owned()).is_err());
    }
}

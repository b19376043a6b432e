//! Bytes as a serde value: text, a list of numbers or bytes, as the type that is read wants it.

use serde::de::value::{Error as Unfit, SeqDeserializer, StringDeserializer};
use serde::de::{DeserializeOwned, Deserializer, Error as _, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;

use crate::error::{Error, Result};

pub(super) fn read<T: DeserializeOwned>(bytes: Vec<u8>) -> Result<T> {
    T::deserialize(Plain(bytes)).map_err(|error| Error::Conversion(error.to_string()))
}

struct Plain(Vec<u8>);

impl Plain {
    fn text(self) -> Result<StringDeserializer<Unfit>, Unfit> {
        let text = String::from_utf8(self.0).map_err(|error| Unfit::custom(format!("expected text: {}", error.utf8_error())))?;
        Ok(text.into_deserializer())
    }
}

impl<'de> Deserializer<'de> for Plain {
    type Error = Unfit;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        match String::from_utf8(self.0) {
            Ok(text) => visitor.visit_string(text),
            Err(error) => visitor.visit_byte_buf(error.into_bytes()),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        self.text()?.deserialize_str(visitor)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        self.text()?.deserialize_string(visitor)
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        self.text()?.deserialize_char(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        visitor.visit_byte_buf(self.0)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        visitor.visit_byte_buf(self.0)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        SeqDeserializer::new(self.0.into_iter()).deserialize_seq(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Unfit> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unfit> {
        self.text()?.deserialize_enum(name, variants, visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 unit unit_struct tuple tuple_struct map struct identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Name(String);

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    enum Colour {
        Red,
    }

    #[test]
    fn bytes_are_read_as_what_is_wanted() {
        assert_eq!(read::<String>("Zoë".into()), Ok("Zoë".to_owned()));
        assert_eq!(read::<Option<String>>("a".into()), Ok(Some("a".to_owned())));
        assert_eq!(read::<Name>("a".into()), Ok(Name("a".to_owned())));
        assert_eq!(read::<char>("ë".into()), Ok('ë'));
        assert_eq!(read::<Colour>("red".into()), Ok(Colour::Red));
        assert_eq!(read::<Vec<u8>>(vec![0, 255]), Ok(vec![0, 255]));
        assert_eq!(read::<serde_json::Value>("a".into()), Ok(serde_json::Value::from("a")));
    }

    #[test]
    fn what_is_no_text_is_none() {
        assert!(read::<String>(vec![0xff]).is_err());
        assert!(read::<u32>("7".into()).is_err());
        assert!(read::<()>(Vec::new()).is_err());
    }
}

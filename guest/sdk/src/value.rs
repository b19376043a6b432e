//! What tasks are given and give back: by serde as JSON, or as bytes.

mod bytes;

use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::bindings::taskcell::host::types;
use crate::error::{Error, Result};
use crate::message::Bytes;

/// An argument or a result, as it travels. The host converts it by the type of the task's parameter or result.
///
/// | WIT | serde |
/// |---|---|
/// | numbers, `bool`, `string`, `char`, `list`, `tuple`, `option` | the same; a float must be finite |
/// | record | struct, with `#[serde(rename_all = "kebab-case")]` |
/// | variant, enum | enum, with `#[serde(rename_all = "kebab-case")]` |
/// | `list<u8>` | [`Bytes`] |
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Nothing: the result of a function that has none.
    None,
    /// One JSON text.
    Json(String),
    /// The bytes of a `list<u8>`, or the UTF-8 of a `string`.
    Bytes(Vec<u8>),
}

/// Something that can be given to a task as a value.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be given to a task as a value",
    note = "values are `Bytes`, and what implements `serde::Serialize`"
)]
pub trait ToValue {
    /// The value as it travels.
    ///
    /// # Errors
    /// [`Error::Conversion`] if it can't be written as JSON.
    fn to_value(&self) -> Result<Value>;
}

/// Something that a task's result can be read as.
#[diagnostic::on_unimplemented(
    message = "the result of a task can't be read as `{Self}`",
    note = "results are read as `Bytes`, as `Value`, or as what implements `serde::de::DeserializeOwned`"
)]
pub trait FromValue: Sized {
    /// The value as it was before it travelled.
    ///
    /// # Errors
    /// [`Error::Conversion`] if it is something else.
    fn from_value(value: Value) -> Result<Self>;
}

impl<T: Serialize + ?Sized> ToValue for T {
    fn to_value(&self) -> Result<Value> {
        Ok(Value::Json(serde_json::to_string(self)?))
    }
}

impl ToValue for Bytes {
    fn to_value(&self) -> Result<Value> {
        Ok(Value::Bytes(self.to_vec()))
    }
}

impl ToValue for Value {
    fn to_value(&self) -> Result<Value> {
        Ok(self.clone())
    }
}

impl<T: DeserializeOwned> FromValue for T {
    fn from_value(value: Value) -> Result<Self> {
        match value {
            Value::None => Ok(serde_json::from_str("null")?),
            Value::Json(text) => Ok(serde_json::from_str(&text)?),
            Value::Bytes(bytes) => bytes::read(bytes),
        }
    }
}

impl FromValue for Bytes {
    fn from_value(value: Value) -> Result<Self> {
        match value {
            Value::Bytes(bytes) => Ok(Self(bytes)),
            Value::None => Err(Error::Conversion("expected bytes, found nothing".to_owned())),
            Value::Json(text) => match serde_json::from_str(&text)? {
                serde_json::Value::String(text) => {
                    BASE64_STANDARD.decode(text).map(Self).map_err(|error| Error::Conversion(format!("no base64: {error}")))
                }
                other => Ok(Self(serde_json::from_value(other)?)),
            },
        }
    }
}

impl FromValue for Value {
    fn from_value(value: Value) -> Result<Self> {
        Ok(value)
    }
}

impl fmt::Display for Value {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => formatter.write_str("null"),
            Self::Json(text) => formatter.write_str(text),
            Self::Bytes(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => write!(formatter, "{text:?}"),
                Err(_) => write!(formatter, "{} bytes", bytes.len()),
            },
        }
    }
}

impl From<types::Value> for Value {
    fn from(value: types::Value) -> Self {
        match value {
            types::Value::None => Self::None,
            types::Value::Json(text) => Self::Json(text),
            types::Value::Bytes(bytes) => Self::Bytes(bytes),
        }
    }
}

impl From<Value> for types::Value {
    fn from(value: Value) -> Self {
        match value {
            Value::None => Self::None,
            Value::Json(text) => Self::Json(text),
            Value::Bytes(bytes) => Self::Bytes(bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    struct Job {
        file_name: String,
        size: Option<u64>,
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    enum Shape {
        None,
        Circle(f64),
    }

    fn json(text: &str) -> Value {
        Value::Json(text.to_owned())
    }

    #[test]
    fn values_are_written_as_the_host_reads_them() {
        let job = Job { file_name: "a".to_owned(), size: None };
        assert_eq!(job.to_value(), Ok(json(r#"{"file-name":"a","size":null}"#)));
        assert_eq!(Shape::Circle(1.5).to_value(), Ok(json(r#"{"circle":1.5}"#)));
        assert_eq!(u64::MAX.to_value(), Ok(json("18446744073709551615")));
        assert_eq!("hi".to_value(), Ok(json(r#""hi""#)));
        assert_eq!(Bytes::from(b"hi").to_value(), Ok(Value::Bytes(b"hi".to_vec())));
    }

    #[test]
    fn results_are_read_as_the_host_writes_them() {
        assert_eq!(Job::from_value(json(r#"{"size":3,"file-name":"a"}"#)), Ok(Job { file_name: "a".to_owned(), size: Some(3) }));
        assert_eq!(Shape::from_value(json(r#"{"none":null}"#)), Ok(Shape::None));
        assert_eq!(Shape::from_value(json(r#""none""#)), Ok(Shape::None));
        assert_eq!(f64::from_value(json("3")), Ok(3.0));
        assert_eq!(<()>::from_value(Value::None), Ok(()));
        assert_eq!(Option::<u8>::from_value(Value::None), Ok(None));
    }

    #[test]
    fn bytes_are_read_in_all_forms_that_they_come_in() {
        let hi = Ok(Bytes::from(b"hi"));
        assert_eq!(Bytes::from_value(Value::Bytes(b"hi".to_vec())), hi);
        assert_eq!(Bytes::from_value(json(r#""aGk=""#)), hi);
        assert_eq!(Bytes::from_value(json("[104,105]")), hi);
        assert!(Bytes::from_value(json(r#""a""#)).is_err());
        assert!(Bytes::from_value(json("[300]")).is_err());
        assert!(Bytes::from_value(Value::None).is_err());
    }

    #[test]
    fn what_is_something_else_is_an_error() {
        assert!(matches!(u8::from_value(json("300")), Err(Error::Conversion(_))));
        assert!(matches!(u8::from_value(Value::None), Err(Error::Conversion(_))));
        assert!(matches!(String::from_value(json("{")), Err(Error::Conversion(_))));
    }

    #[test]
    fn a_value_is_shown_as_people_read_it() {
        assert_eq!(json("[1]").to_string(), "[1]");
        assert_eq!(Value::Bytes(b"a\nb".to_vec()).to_string(), r#""a\nb""#);
        assert_eq!(Value::Bytes(vec![0xff; 3]).to_string(), "3 bytes");
    }
}

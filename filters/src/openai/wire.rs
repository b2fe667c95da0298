//! Values that vendors write in more ways than one, and the text that they are read from.

use std::{borrow::Cow, fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{self, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

use crate::{
    json::{Text, keep_raw, slice},
    model::{RawJson, Str},
};

/// The text that wire structs borrow from, to turn what they borrowed into shared slices of it.
#[derive(Clone, Debug)]
pub(crate) struct Source(Str);

impl Source {
    pub(crate) fn new(text: Str) -> Self {
        Self(text)
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The text as a slice of the source; a copy only where JSON had an escape.
    pub(crate) fn text(&self, text: &Text<'_>) -> Str {
        text.keep(&self.0)
    }

    /// The JSON of a value, as a slice of the source.
    pub(crate) fn raw(&self, raw: &RawValue) -> RawJson {
        keep_raw(&self.0, raw)
    }

    /// `text` as a shared slice. What does not stand in the source is copied.
    pub(crate) fn slice(&self, text: &str) -> Str {
        slice(&self.0, text)
    }
}

/// A string, or a list.
#[derive(Clone, Debug)]
pub(crate) enum OneOrMany<'a, T> {
    One(Text<'a>),
    Many(Vec<T>),
}

impl<'de: 'a, 'a, T: Deserialize<'de>> Deserialize<'de> for OneOrMany<'a, T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Either<T> {
            type Value = OneOrMany<'de, T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or a list")
            }

            fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(OneOrMany::One(Text(Cow::Borrowed(text))))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(OneOrMany::One(Text(Cow::Owned(text.to_owned()))))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    items.push(item);
                }
                Ok(OneOrMany::Many(items))
            }
        }
        deserializer.deserialize_any(Either(PhantomData))
    }
}

/// A count that vendors write as an integer, a float or a string. What is none of these counts as 0.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Count(pub(crate) u64);

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?.get().trim_matches('"');
        if let Ok(count) = raw.parse() {
            return Ok(Self(count));
        }
        let float = raw.parse::<f64>().unwrap_or(0.0);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "`as` saturates, as it should")]
        Ok(Self(float as u64))
    }
}

/// Reads a member whose shape vendors differ in; what is not the shape asked for is as if it were absent.
pub(crate) fn lenient<'a, T: Deserialize<'a>>(raw: Option<&'a RawValue>) -> Option<T> {
    raw.and_then(|raw| serde_json::from_str(raw.get()).ok())
}

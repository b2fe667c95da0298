//! Reading with serde: text that borrows, and shared slices of what it was read from.
//!
//! Wire structs borrow from a body or an event; what is kept of them becomes a slice of that text.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

use crate::model::{RawJson, Str};

/// A JSON string, borrowed where it has no escapes. (A bare `Cow` borrows only outside of `Option` and `Vec`.)
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(transparent)]
pub(crate) struct Text<'a>(#[serde(borrow)] pub(crate) Cow<'a, str>);

impl Text<'_> {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The text as a slice of `body`, copied only where it was escaped.
    pub(crate) fn keep(&self, body: &Str) -> Str {
        slice(body, &self.0)
    }
}

/// `text` as a slice of `body` if it lies in it, else a copy.
pub(crate) fn slice(body: &Str, text: &str) -> Str {
    let (all, part) = (body.as_bytes().as_ptr_range(), text.as_bytes().as_ptr_range());
    if all.start <= part.start && part.end <= all.end { body.slice_ref(text) } else { Str::from(text) }
}

/// Raw JSON as a slice of `body`.
pub(crate) fn keep_raw(body: &Str, raw: &RawValue) -> RawJson {
    RawJson::from_checked(slice(body, raw.get()))
}

/// The members of an object in their order, unparsed.
#[derive(Debug)]
pub(crate) struct Object<'a>(pub(crate) Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Object<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Object<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some(Text(name)) = map.next_key()? {
                    members.push((name, map.next_value()?));
                }
                Ok(Object(members))
            }
        }
        deserializer.deserialize_map(Collect)
    }
}

//! The members of the wire format that are read, and a writer of JSON objects and lists.
//!
//! Everything borrows from the body; what is kept becomes a slice of it.

use std::{borrow::Cow, fmt};

use bytes::{BufMut, BytesMut};
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

use crate::{
    json,
    model::{RawJson, Str},
};

/// A JSON string, borrowed where it has no escape. (serde borrows a bare `Cow`, but not one inside an `Option`.)
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(super) struct Text<'a>(#[serde(borrow)] pub(super) Cow<'a, str>);

impl Text<'_> {
    /// The text as a slice of `body`, copied only where it was escaped.
    pub(super) fn keep(&self, body: &Str) -> Str {
        match &self.0 {
            Cow::Borrowed(text) => slice(body, text),
            Cow::Owned(text) => Str::from(text.as_str()),
        }
    }
}

/// `text` as a slice of `body` if it lies in it, else a copy.
pub(super) fn slice(body: &Str, text: &str) -> Str {
    let (all, part) = (body.as_bytes().as_ptr_range(), text.as_bytes().as_ptr_range());
    if all.start <= part.start && part.end <= all.end { body.slice_ref(text) } else { Str::from(text) }
}

/// Raw JSON as a slice of `body`.
pub(super) fn keep_raw(body: &Str, raw: &RawValue) -> RawJson {
    RawJson::from_checked(slice(body, raw.get()))
}

/// The members of an object in their order, unparsed.
#[derive(Debug)]
pub(super) struct Object<'a>(pub(super) Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Object<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Object<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some(Text(name)) = map.next_key()? {
                    members.push((name, map.next_value()?));
                }
                Ok(Object(members))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

/// A content block of any kind. Members that a kind does not have are absent.
#[derive(Debug, Deserialize)]
pub(super) struct Block<'a> {
    #[serde(borrow, rename = "type")]
    pub(super) kind: Text<'a>,
    #[serde(borrow)]
    pub(super) text: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) thinking: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) signature: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) data: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) name: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) input: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) tool_use_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) content: Option<&'a RawValue>,
    pub(super) is_error: Option<bool>,
    #[serde(borrow)]
    pub(super) source: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) title: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) context: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) citations: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) cache_control: Option<CacheControl<'a>>,
}

/// `cache_control` of a block, a tool or a system block.
#[derive(Debug, Deserialize)]
pub(super) struct CacheControl<'a> {
    #[serde(borrow)]
    pub(super) ttl: Option<Text<'a>>,
}

/// `source` of an image or a document.
#[derive(Debug, Deserialize)]
pub(super) struct Source<'a> {
    #[serde(borrow, rename = "type")]
    pub(super) kind: Text<'a>,
    #[serde(borrow)]
    pub(super) media_type: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) data: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) url: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) file_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) content: Option<&'a RawValue>,
}

/// A citation of any kind.
#[derive(Debug, Deserialize)]
pub(super) struct WireCitation<'a> {
    #[serde(borrow)]
    pub(super) url: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) title: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) document_title: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) cited_text: Option<Text<'a>>,
}

/// Writes one JSON object.
#[derive(Debug)]
pub(super) struct ObjectWriter<'o> {
    out: &'o mut BytesMut,
    empty: bool,
}

impl<'o> ObjectWriter<'o> {
    /// Opens the object.
    pub(super) fn begin(out: &'o mut BytesMut) -> Self {
        out.put_u8(b'{');
        Self { out, empty: true }
    }

    /// Opens an object of a kind: `{"type":"…"`.
    pub(super) fn of_type(out: &'o mut BytesMut, kind: &str) -> Self {
        let mut object = Self::begin(out);
        object.str("type", kind);
        object
    }

    /// Writes a name; the caller writes its value.
    pub(super) fn key(&mut self, name: &str) -> &mut BytesMut {
        if !std::mem::take(&mut self.empty) {
            self.out.put_u8(b',');
        }
        json::push_str(self.out, name);
        self.out.put_u8(b':');
        self.out
    }

    pub(super) fn str(&mut self, name: &str, value: &str) {
        json::push_str(self.key(name), value);
    }

    pub(super) fn opt_str(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.str(name, value);
        }
    }

    pub(super) fn u64(&mut self, name: &str, value: u64) {
        json::push_u64(self.key(name), value);
    }

    pub(super) fn f64(&mut self, name: &str, value: f64) {
        let text = serde_json::Number::from_f64(value).map_or_else(|| "0".to_owned(), |number| number.to_string());
        self.raw(name, &text);
    }

    pub(super) fn bool(&mut self, name: &str, value: bool) {
        self.raw(name, if value { "true" } else { "false" });
    }

    /// Writes a member whose value is JSON text already.
    pub(super) fn raw(&mut self, name: &str, value: &str) {
        self.key(name).extend_from_slice(value.as_bytes());
    }

    /// Closes the object.
    pub(super) fn end(self) {
        self.out.put_u8(b'}');
    }
}

/// Writes one JSON array.
#[derive(Debug)]
pub(super) struct ListWriter<'o> {
    out: &'o mut BytesMut,
    empty: bool,
}

impl<'o> ListWriter<'o> {
    /// Opens the array.
    pub(super) fn begin(out: &'o mut BytesMut) -> Self {
        out.put_u8(b'[');
        Self { out, empty: true }
    }

    /// Begins an item; the caller writes its value.
    pub(super) fn item(&mut self) -> &mut BytesMut {
        if !std::mem::take(&mut self.empty) {
            self.out.put_u8(b',');
        }
        self.out
    }

    /// Closes the array.
    pub(super) fn end(self) {
        self.out.put_u8(b']');
    }
}

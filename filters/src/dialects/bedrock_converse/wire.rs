//! The members of the wire format that are read.
//!
//! Everything borrows from the body; what is kept becomes a slice of it.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

pub(super) use crate::json::{Object, Text, Writer, keep_raw, slice};

/// What is wrong with a piece of a body, and where in it.
#[derive(Debug)]
pub(super) struct Fault {
    /// Where, as a JSON pointer within the piece.
    pub(super) at: String,
    /// What is wrong and what to do.
    pub(super) message: String,
}

impl Fault {
    /// A fault of the piece itself.
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { at: String::new(), message: message.into() }
    }

    /// A member that must be there is not.
    pub(super) fn missing(member: &str) -> Self {
        Self { at: format!("/{member}"), message: format!("`{member}` is required here, add it") }
    }

    /// The parser's complaint.
    pub(super) fn syntax(error: &serde_json::Error) -> Self {
        Self::new(format!("this member cannot be read: {error}"))
    }

    /// The same fault, seen from outside.
    pub(super) fn inside(mut self, member: &str) -> Self {
        self.at.insert_str(0, &format!("/{member}"));
        self
    }
}

/// Parses a piece of a body.
pub(super) fn parse<'a, T: Deserialize<'a>>(raw: &'a RawValue) -> Result<T, Fault> {
    serde_json::from_str(raw.get()).map_err(|error| Fault::syntax(&error))
}

/// The one member of a union that is set, as every list of the wire format holds them.
pub(super) fn union(raw: &RawValue) -> Result<(Cow<'_, str>, &RawValue), Fault> {
    let Object(members) = parse(raw)?;
    let mut set = members.into_iter().filter(|(_, raw)| raw.get() != "null");
    match (set.next(), set.next()) {
        (Some(member), None) => Ok(member),
        (None, _) => Err(Fault::new("an entry of this list is empty, set one member of it")),
        (Some((first, _)), Some((second, _))) => {
            Err(Fault::new(format!("`{first}` and `{second}` stand in one entry of this list, give each its own")))
        }
    }
}

/// `source` of an image, a document, a sound or a film.
#[derive(Debug, Deserialize)]
pub(super) struct Source<'a> {
    #[serde(borrow)]
    pub(super) bytes: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) text: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) content: Option<Vec<PlainText<'a>>>,
    #[serde(borrow, rename = "s3Location")]
    pub(super) s3: Option<S3Location<'a>>,
}

/// A file in S3.
#[derive(Debug, Deserialize)]
pub(super) struct S3Location<'a> {
    #[serde(borrow)]
    pub(super) uri: Text<'a>,
    #[serde(borrow, rename = "bucketOwner")]
    pub(super) owner: Option<Text<'a>>,
}

/// A piece of text in a list of its own kind.
#[derive(Debug, Deserialize)]
pub(super) struct PlainText<'a> {
    #[serde(borrow, default)]
    pub(super) text: Text<'a>,
}

/// An image, a sound or a film.
#[derive(Debug, Deserialize)]
pub(super) struct MediaBlock<'a> {
    #[serde(borrow)]
    pub(super) format: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) source: Option<Source<'a>>,
    #[serde(borrow)]
    pub(super) name: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) context: Option<Text<'a>>,
    pub(super) citations: Option<Switch>,
}

/// `citations` of a document.
#[derive(Debug, Deserialize)]
pub(super) struct Switch {
    pub(super) enabled: bool,
}

/// `searchResult`.
#[derive(Debug, Deserialize)]
pub(super) struct SearchResult<'a> {
    #[serde(borrow)]
    pub(super) source: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) title: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(super) content: Vec<PlainText<'a>>,
    pub(super) citations: Option<Switch>,
}

/// `toolUse`.
#[derive(Debug, Deserialize)]
pub(super) struct ToolUse<'a> {
    #[serde(borrow, rename = "toolUseId")]
    pub(super) id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) name: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) input: Option<&'a RawValue>,
    #[serde(borrow, rename = "type")]
    pub(super) kind: Option<Text<'a>>,
}

/// `toolResult`.
#[derive(Debug, Deserialize)]
pub(super) struct WireResult<'a> {
    #[serde(borrow, rename = "toolUseId")]
    pub(super) id: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(super) content: Vec<&'a RawValue>,
    #[serde(borrow)]
    pub(super) status: Option<Text<'a>>,
    #[serde(borrow, rename = "type")]
    pub(super) kind: Option<Text<'a>>,
}

/// `reasoningContent`, whole or a piece of it.
#[derive(Debug, Deserialize)]
pub(super) struct ReasoningContent<'a> {
    #[serde(borrow, rename = "reasoningText")]
    pub(super) whole: Option<ReasoningText<'a>>,
    #[serde(borrow, rename = "redactedContent")]
    pub(super) redacted: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) text: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) signature: Option<Text<'a>>,
}

/// `reasoningText`.
#[derive(Debug, Deserialize)]
pub(super) struct ReasoningText<'a> {
    #[serde(borrow)]
    pub(super) text: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) signature: Option<Text<'a>>,
}

/// `citationsContent`.
#[derive(Debug, Deserialize)]
pub(super) struct CitationsContent<'a> {
    #[serde(borrow, default)]
    pub(super) content: Vec<PlainText<'a>>,
    #[serde(borrow, default)]
    pub(super) citations: Vec<&'a RawValue>,
}

/// A citation.
#[derive(Debug, Deserialize)]
pub(super) struct WireCitation<'a> {
    #[serde(borrow)]
    pub(super) title: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) source: Option<Text<'a>>,
    #[serde(borrow, default, rename = "sourceContent")]
    pub(super) quoted: Vec<PlainText<'a>>,
    #[serde(borrow)]
    pub(super) location: Option<Location<'a>>,
}

/// Where a citation's source is; only that of web pages is read.
#[derive(Debug, Deserialize)]
pub(super) struct Location<'a> {
    #[serde(borrow)]
    pub(super) web: Option<WebLocation<'a>>,
}

/// A web page.
#[derive(Debug, Deserialize)]
pub(super) struct WebLocation<'a> {
    #[serde(borrow)]
    pub(super) url: Option<Text<'a>>,
}

/// `cachePoint`.
#[derive(Debug, Deserialize)]
pub(super) struct WireCachePoint<'a> {
    #[serde(borrow)]
    pub(super) ttl: Option<Text<'a>>,
}

/// `guardContent`.
#[derive(Debug, Deserialize)]
pub(super) struct GuardContent<'a> {
    #[serde(borrow)]
    pub(super) text: Option<PlainText<'a>>,
    #[serde(borrow)]
    pub(super) image: Option<&'a RawValue>,
}

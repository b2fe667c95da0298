//! The canonical model: one request, one response, one stream of events for every dialect.
//!
//! Decoders build these values from a wire format, encoders write a wire format from them; nothing else in the
//! crate knows two formats at once. Text is a [`Str`]: a checked UTF-8 slice of the bytes it arrived in, so that
//! decoding copies only where JSON had an escape.

mod error;
mod event;
mod loss;
mod part;
mod request;
mod response;
mod usage;

pub use error::{ErrorClass, ErrorInfo, FilterError};
pub use event::{Delta, Event, MAX_CANDIDATES, PartKey, PartKind, PartStart, Start};
pub use loss::{Field, Loss, LossLevel, Losses};
pub use part::{
    CachePoint, CallKind, Citation, Family, Media, MediaClass, MediaSource, Opaque, OpaqueKind, Part, PartContent,
    Reasoning, ServerCall, ServerResult, Span, SpanUnit, ToolCall, ToolResult,
};
pub use request::{
    Display, Effort, Identity, Limits, OutputFormat, OutputSpec, ReasoningMode, ReasoningSpec, Request, Role, Sampling,
    State, StreamSpec, Tool, ToolChoice, Turn,
};
pub use response::{Candidate, Finish, FinishReason, Response};
pub use usage::Usage;

/// A checked UTF-8 slice of shared bytes. Cloning and slicing never copy text.
pub type Str = bytestring::ByteString;

/// JSON text kept as it was written: tool schemas, tool arguments, members that no model field holds.
///
/// Invariant: the text is one valid JSON value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawJson(Str);

impl RawJson {
    /// Keeps `text` if it is one JSON value.
    ///
    /// # Errors
    /// The parser's complaint, if it is not.
    pub fn parse(text: Str) -> Result<Self, serde_json::Error> {
        serde_json::from_str::<&serde_json::value::RawValue>(&text)?;
        Ok(Self(text))
    }

    /// Keeps text that a JSON parser has already delimited (a `RawValue` of the body it is a slice of).
    pub fn from_checked(text: Str) -> Self {
        Self(text)
    }

    /// Writes `value` as JSON text.
    pub fn from_value(value: &serde_json::Value) -> Self {
        Self(Str::from(value.to_string()))
    }

    /// The JSON text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The JSON text as a shared slice.
    pub fn text(&self) -> &Str {
        &self.0
    }

    /// Parses the text into a tree.
    pub fn to_value(&self) -> serde_json::Value {
        serde_json::from_str(&self.0).unwrap_or(serde_json::Value::Null)
    }
}

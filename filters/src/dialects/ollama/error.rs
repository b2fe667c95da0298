//! Error bodies, both ways: `{"error":"…"}`. They have no kinds, so some failures are told by their words.

use bytes::{Bytes, BytesMut};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::wire::{Text, Writer};
use crate::model::{ErrorClass, ErrorInfo, Str};

/// The error as the wire has it: a text, or an object of a server that imitates the format.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    error: Option<&'a RawValue>,
    #[serde(borrow)]
    message: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct Inner<'a> {
    #[serde(borrow)]
    message: Option<Text<'a>>,
}

/// Decodes an error body; `status` decides where its words say nothing.
pub(super) fn decode(status: u16, body: &[u8]) -> ErrorInfo {
    let envelope = serde_json::from_slice::<Envelope<'_>>(body).ok();
    let message = envelope.and_then(|envelope| {
        let text = envelope.error.and_then(message_of);
        text.or_else(|| envelope.message.map(|text| Str::from(text.as_str())))
    });
    let message = message
        .filter(|message| !message.is_empty())
        .unwrap_or_else(|| Str::from(format!("the upstream answered with status {status} and no error message")));
    let class = refine(ErrorClass::from_status(status), &message);
    ErrorInfo { upstream_status: Some(status), ..ErrorInfo::new(class, message) }
}

/// Decodes the `error` member of an answer or of a line.
pub(super) fn decode_in_band(error: &RawValue) -> ErrorInfo {
    let message = message_of(error).filter(|message| !message.is_empty());
    let message = message.unwrap_or_else(|| Str::from_static("the upstream reported an error without a message"));
    ErrorInfo::new(refine(ErrorClass::Upstream, &message), message)
}

fn message_of(error: &RawValue) -> Option<Str> {
    if let Ok(text) = serde_json::from_str::<Text<'_>>(error.get()) {
        return Some(Str::from(text.as_str()));
    }
    let inner = serde_json::from_str::<Inner<'_>>(error.get()).ok()?;
    inner.message.map(|text| Str::from(text.as_str()))
}

fn refine(class: ErrorClass, message: &str) -> ErrorClass {
    match class {
        ErrorClass::NotFound if message.contains("model") => ErrorClass::ModelNotFound,
        ErrorClass::InvalidRequest | ErrorClass::Upstream
            if message.contains("exceeds the context") || message.contains("exceeds maximum context") =>
        {
            ErrorClass::ContextTooLong
        }
        class => class,
    }
}

/// Encodes an error, as a body or as a line without its end.
pub(super) fn encode(error: &ErrorInfo) -> Bytes {
    let mut out = BytesMut::with_capacity(16 + error.message.len());
    push(&mut out, error);
    out.freeze()
}

/// Writes an error object.
pub(super) fn push(out: &mut BytesMut, error: &ErrorInfo) {
    let mut body = Writer::object(out);
    body.str("error", &error.message);
    body.end();
}

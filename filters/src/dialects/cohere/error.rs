//! Error bodies, both ways: `{"message","id"}`. They have no kinds, so some failures are told by their words.

use bytes::{Bytes, BytesMut};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::wire::{Text, Writer, lenient};
use crate::model::{ErrorClass, ErrorInfo, Str};

/// Status for a token that is not valid, of the vendor's own making.
const INVALID_TOKEN: u16 = 498;

#[derive(Deserialize)]
struct Envelope<'a> {
    /// In an answer this is the message itself, an object.
    #[serde(borrow)]
    message: Option<&'a RawValue>,
    /// As servers that imitate the format write it.
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Inner<'a> {
    #[serde(borrow)]
    message: Option<Text<'a>>,
}

/// Decodes an error body; `status` decides where its words say nothing.
pub(super) fn decode(status: u16, body: &[u8]) -> ErrorInfo {
    let message = read(body).filter(|message| !message.is_empty());
    let message = message
        .unwrap_or_else(|| Str::from(format!("the upstream answered with status {status} and no error message")));
    let class = if status == INVALID_TOKEN { ErrorClass::Auth } else { ErrorClass::from_status(status) };
    ErrorInfo { upstream_status: Some(status), ..ErrorInfo::new(refine(class, &message), message) }
}

/// The error that a body of success is, if it is one: it has words where an answer has its message.
pub(super) fn in_band(body: &[u8]) -> Option<ErrorInfo> {
    let message = read(body)?;
    let message =
        if message.is_empty() { Str::from_static("the upstream reported an error without a message") } else { message };
    Some(ErrorInfo::new(refine(ErrorClass::Upstream, &message), message))
}

fn read(body: &[u8]) -> Option<Str> {
    let envelope: Envelope<'_> = serde_json::from_slice(body).ok()?;
    let text = |raw: Option<&RawValue>| lenient::<Text<'_>>(raw).map(|text| Str::from(text.as_str()));
    let inner = || lenient::<Inner<'_>>(envelope.error)?.message.map(|text| Str::from(text.as_str()));
    text(envelope.message).or_else(|| text(envelope.error)).or_else(inner)
}

fn refine(class: ErrorClass, message: &str) -> ErrorClass {
    match class {
        ErrorClass::InvalidRequest | ErrorClass::Upstream if message.contains("too many tokens") => {
            ErrorClass::ContextTooLong
        }
        ErrorClass::NotFound if message.contains("model") => ErrorClass::ModelNotFound,
        class => class,
    }
}

/// Encodes an error as a whole body.
pub(super) fn encode(error: &ErrorInfo, request_id: &str) -> Bytes {
    let mut out = BytesMut::with_capacity(64 + error.message.len());
    let mut body = Writer::object(&mut out);
    body.str("message", &error.message);
    body.str("id", request_id);
    body.end();
    out.freeze()
}

//! Error bodies, both ways: `{"type":"error","error":{"type","message"},"request_id"}`.

use bytes::{Bytes, BytesMut};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::wire::{Text, Writer};
use crate::model::{ErrorClass, ErrorInfo, Str};

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    error: Option<&'a RawValue>,
    #[serde(borrow)]
    message: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct Inner<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<Text<'a>>,
    #[serde(borrow)]
    message: Option<Text<'a>>,
}

/// Decodes an error body; `status` decides where it says nothing.
pub(super) fn decode(status: u16, body: &[u8]) -> ErrorInfo {
    let mut info = read(body, Some(status));
    info.upstream_status = Some(status);
    info
}

/// Decodes an error that came inside a success.
pub(super) fn decode_in_band(body: &[u8]) -> ErrorInfo {
    read(body, None)
}

/// Whether a body is an error as the vendor writes it. Google's front door writes its own.
pub(super) fn is_own(body: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Kind<'a> {
        #[serde(borrow, rename = "type")]
        kind: Text<'a>,
    }
    serde_json::from_slice::<Kind<'_>>(body).is_ok_and(|kind| kind.kind.0 == "error")
}

fn read(body: &[u8], status: Option<u16>) -> ErrorInfo {
    // Google answers a streamed request with a list of one error.
    let listed = serde_json::from_slice::<[&RawValue; 1]>(body).ok();
    let body = listed.map_or(body, |[only]| only.get().as_bytes());
    let envelope = serde_json::from_slice::<Envelope<'_>>(body).ok();
    let inner = envelope.as_ref().and_then(|envelope| envelope.error);
    // Some hosts write `{"message"}` without an envelope, and some `{"error":"…"}`.
    let text = inner.and_then(|raw| serde_json::from_str::<Text<'_>>(raw.get()).ok());
    let inner = inner.and_then(|raw| serde_json::from_str::<Inner<'_>>(raw.get()).ok());
    let (kind, message) = inner.map_or((None, None), |inner| (inner.kind, inner.message));
    let message = message.or(text).or_else(|| envelope.and_then(|envelope| envelope.message));
    let message = message.map(|message| Str::from(&*message.0)).filter(|message| !message.is_empty());
    let class = kind.as_ref().and_then(|kind| class_of(&kind.0));
    let class = class.or_else(|| status.map(ErrorClass::from_status)).unwrap_or(ErrorClass::Upstream);
    let class = message.as_ref().map_or(class, |message| refine(class, message));
    let message = message.unwrap_or_else(|| match status {
        Some(status) => Str::from(format!("the upstream answered with status {status} and no error message")),
        None => Str::from_static("the upstream reported an error without a message"),
    });
    ErrorInfo::new(class, message)
}

fn class_of(kind: &str) -> Option<ErrorClass> {
    Some(match kind {
        "invalid_request_error" => ErrorClass::InvalidRequest,
        "authentication_error" => ErrorClass::Auth,
        "billing_error" => ErrorClass::Billing,
        "permission_error" => ErrorClass::Permission,
        "not_found_error" => ErrorClass::NotFound,
        "request_too_large" => ErrorClass::TooLarge,
        "rate_limit_error" => ErrorClass::RateLimit,
        "api_error" => ErrorClass::Upstream,
        "timeout_error" => ErrorClass::Timeout,
        "overloaded_error" => ErrorClass::Overloaded,
        _ => return None,
    })
}

/// Some failures have no type of their own and are told by their words.
fn refine(class: ErrorClass, message: &str) -> ErrorClass {
    match class {
        ErrorClass::InvalidRequest if is_context(message) => ErrorClass::ContextTooLong,
        ErrorClass::InvalidRequest if message.contains("credit balance is too low") => ErrorClass::Billing,
        ErrorClass::NotFound if message.starts_with("model:") => ErrorClass::ModelNotFound,
        // Vertex.
        ErrorClass::NotFound if message.starts_with("Publisher Model") => ErrorClass::ModelNotFound,
        class => class,
    }
}

fn is_context(message: &str) -> bool {
    message.contains("prompt is too long") || message.contains("exceed context limit")
}

fn type_of(class: ErrorClass) -> &'static str {
    match class {
        ErrorClass::InvalidRequest
        | ErrorClass::ContextTooLong
        | ErrorClass::MethodNotAllowed
        | ErrorClass::Conflict => "invalid_request_error",
        ErrorClass::Auth => "authentication_error",
        ErrorClass::Billing => "billing_error",
        ErrorClass::Permission => "permission_error",
        ErrorClass::NotFound | ErrorClass::ModelNotFound => "not_found_error",
        ErrorClass::TooLarge => "request_too_large",
        ErrorClass::RateLimit => "rate_limit_error",
        ErrorClass::RequestTimeout | ErrorClass::Timeout => "timeout_error",
        ErrorClass::Overloaded => "overloaded_error",
        ErrorClass::Internal | ErrorClass::Upstream | ErrorClass::UpstreamAuth | ErrorClass::Cancelled => "api_error",
    }
}

/// Encodes an error as a whole body.
pub(super) fn encode(error: &ErrorInfo, request_id: &str) -> Bytes {
    let mut out = BytesMut::with_capacity(128 + error.message.len());
    push(&mut out, error, Some(request_id));
    out.freeze()
}

/// Writes an error object.
pub(super) fn push(out: &mut BytesMut, error: &ErrorInfo, request_id: Option<&str>) {
    let mut body = Writer::of_type(out, "error");
    let mut inner = Writer::of_type(body.member("error"), type_of(error.class));
    inner.str("message", &error.message);
    inner.end();
    body.maybe_str("request_id", request_id);
    body.end();
}

//! Errors inside of answers and streams; whole error bodies are those of all of `OpenAI`'s dialects.

use serde_json::value::RawValue;

use super::wire::{Answer, Text, Writer};
use crate::{
    model::{ErrorClass, ErrorInfo, Str},
    openai::error,
};

/// Codes that the response object has for failures of the provider's own.
const SERVER: &[&str] = &["server_error", "vector_store_timeout", "invalid_prompt"];

/// Reads an error object that came where an answer was to come.
pub(super) fn decode(raw: &RawValue) -> ErrorInfo {
    let mut info = error::decode_in_band(raw);
    if info.code.as_deref() == Some("invalid_prompt") {
        info.class = ErrorClass::InvalidRequest;
    }
    info
}

/// The error that a response object says it ended with.
pub(super) fn of_answer(answer: &Answer<'_>) -> Option<ErrorInfo> {
    if let Some(raw) = answer.error {
        return Some(decode(raw));
    }
    let status = answer.status();
    match status.as_ref().map(Text::as_str) {
        Some("failed") => Some(ErrorInfo::new(ErrorClass::Upstream, "the upstream's answer failed; try again")),
        Some("cancelled") => Some(ErrorInfo::new(ErrorClass::Upstream, "the upstream cancelled its answer; try again")),
        _ => None,
    }
}

/// The code of an error in a response object.
pub(super) fn code(info: &ErrorInfo) -> Str {
    match &info.code {
        Some(code) => code.clone(),
        None => Str::from_static(match info.class {
            ErrorClass::RateLimit => "rate_limit_exceeded",
            ErrorClass::Upstream | ErrorClass::Internal => SERVER.first().copied().unwrap_or_default(),
            class => class.code(),
        }),
    }
}

/// Writes an error as the members of an event: flat, as the specification says, and in an object of its own, as the
/// vendor sends it and its clients read it.
pub(super) fn push_members(event: &mut Writer<'_>, info: &ErrorInfo) {
    push_flat(event, info);
    let mut body = bytes::BytesMut::new();
    error::write(info, &mut body);
    // The same object as in a body, without the braces around it.
    let member = body.strip_prefix(b"{").and_then(|rest| rest.strip_suffix(b"}")).unwrap_or_default();
    event.element().extend_from_slice(member);
}

fn push_flat(event: &mut Writer<'_>, info: &ErrorInfo) {
    event.str("code", &code(info));
    event.str("message", &info.message);
    match &info.param {
        Some(param) => event.str("param", param),
        None => event.raw("param", "null"),
    }
}

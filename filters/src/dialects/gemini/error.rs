//! Error bodies, both ways: `{"error":{"code","message","status","details"}}`, possibly in an array of one.

use bytes::{Bytes, BytesMut};
use serde_json::Value;

use super::emit;
use crate::model::{ErrorClass, ErrorInfo, Str};

/// The canonical status of each class. Decoding takes the first class of a status.
const STATUSES: &[(&str, ErrorClass)] = &[
    ("INVALID_ARGUMENT", ErrorClass::InvalidRequest),
    ("FAILED_PRECONDITION", ErrorClass::InvalidRequest),
    ("OUT_OF_RANGE", ErrorClass::InvalidRequest),
    ("INVALID_ARGUMENT", ErrorClass::ContextTooLong),
    ("INVALID_ARGUMENT", ErrorClass::TooLarge),
    ("INVALID_ARGUMENT", ErrorClass::MethodNotAllowed),
    ("UNAUTHENTICATED", ErrorClass::Auth),
    ("PERMISSION_DENIED", ErrorClass::Permission),
    ("NOT_FOUND", ErrorClass::NotFound),
    ("NOT_FOUND", ErrorClass::ModelNotFound),
    ("UNIMPLEMENTED", ErrorClass::NotFound),
    ("ABORTED", ErrorClass::Conflict),
    ("ALREADY_EXISTS", ErrorClass::Conflict),
    ("RESOURCE_EXHAUSTED", ErrorClass::RateLimit),
    ("RESOURCE_EXHAUSTED", ErrorClass::Billing),
    ("UNAVAILABLE", ErrorClass::Overloaded),
    ("DEADLINE_EXCEEDED", ErrorClass::Timeout),
    ("DEADLINE_EXCEEDED", ErrorClass::RequestTimeout),
    ("CANCELLED", ErrorClass::Cancelled),
    ("INTERNAL", ErrorClass::Upstream),
    ("INTERNAL", ErrorClass::UpstreamAuth),
    ("INTERNAL", ErrorClass::Internal),
    ("UNKNOWN", ErrorClass::Upstream),
    ("DATA_LOSS", ErrorClass::Upstream),
];

/// Reads an upstream's error body.
pub(super) fn decode(status: u16, body: &[u8]) -> ErrorInfo {
    let text = std::str::from_utf8(body).unwrap_or_default();
    let value: Value = serde_json::from_str(text).unwrap_or_default();
    let value = match &value {
        Value::Array(elements) => elements.first().unwrap_or(&value),
        value => value,
    };
    let error = value.get("error").unwrap_or(value);
    read(Some(status), error)
}

/// Reads the value of an `error` member, as streams carry it.
pub(super) fn decode_value(status: Option<u16>, json: &str) -> ErrorInfo {
    read(status, &serde_json::from_str(json).unwrap_or_default())
}

fn read(status: Option<u16>, error: &Value) -> ErrorInfo {
    let code = error.get("code").and_then(Value::as_u64).and_then(|code| u16::try_from(code).ok());
    let status = status.or_else(|| code.filter(|code| (400..600).contains(code)));
    let message = error.get("message").or(Some(error)).and_then(Value::as_str).unwrap_or_default();
    let word = error.get("status").and_then(Value::as_str).unwrap_or_default();
    let details = error.get("details").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let reason = details.iter().find_map(|detail| detail.get("reason")?.as_str()).unwrap_or_default();
    let class = class_of(status, word, reason, message);
    let message = match message {
        "" => Str::from(format!("the upstream answered with status {} and no message", status.unwrap_or(500))),
        message => Str::from(message),
    };
    let retry_after = details.iter().find_map(|detail| seconds(detail.get("retryDelay")?.as_str()?));
    ErrorInfo { retry_after, upstream_status: status, ..ErrorInfo::new(class, message) }
}

fn class_of(status: Option<u16>, word: &str, reason: &str, message: &str) -> ErrorClass {
    // A bad key is a 400 `INVALID_ARGUMENT` on the Developer API.
    if matches!(reason, "API_KEY_INVALID" | "API_KEY_EXPIRED" | "ACCESS_TOKEN_EXPIRED") {
        return ErrorClass::Auth;
    }
    if matches!(reason, "BILLING_DISABLED") {
        return ErrorClass::Billing;
    }
    let known = STATUSES.iter().find(|(of, _)| *of == word).map(|(_, class)| *class);
    let class = known.unwrap_or_else(|| ErrorClass::from_status(status.unwrap_or(500)));
    let says = |text: &str| message.contains(text);
    match class {
        ErrorClass::InvalidRequest if says("API key not valid") || says("API key expired") => ErrorClass::Auth,
        ErrorClass::InvalidRequest if says("token") && (says("exceed") || says("too long")) => {
            ErrorClass::ContextTooLong
        }
        ErrorClass::NotFound if says("models/") || says("Publisher Model") => ErrorClass::ModelNotFound,
        class => class,
    }
}

/// Whole seconds of a duration such as `34.4s`, rounded up.
fn seconds(text: &str) -> Option<u64> {
    let (whole, fraction) = text.strip_suffix('s')?.split_once('.').unwrap_or((text.strip_suffix('s')?, ""));
    let more = fraction.bytes().any(|digit| digit != b'0');
    whole.parse::<u64>().ok()?.checked_add(u64::from(more))
}

/// Writes an error as a whole body.
pub(super) fn encode(error: &ErrorInfo, status: u16, request_id: &str) -> Bytes {
    let mut out = BytesMut::with_capacity(192 + error.message.len());
    write(&mut out, error, status, request_id);
    out.freeze()
}

/// Appends an error object. `error` is its first member: official clients look at the first bytes.
pub(super) fn write(out: &mut BytesMut, error: &ErrorInfo, status: u16, request_id: &str) {
    let word = STATUSES.iter().find(|(_, class)| *class == error.class).map_or("UNKNOWN", |(word, _)| *word);
    out.extend_from_slice(b"{\"error\":{");
    emit::number(out, "code", status);
    emit::text(out, "message", &error.message);
    emit::text(out, "status", word);
    emit::key(out, "details");
    out.extend_from_slice(b"[");
    detail(out, "ErrorInfo", |out| {
        let code = error.code.as_deref().unwrap_or_else(|| error.class.code());
        emit::text(out, "reason", &code.to_ascii_uppercase());
        emit::text(out, "domain", "lockgate");
    });
    if let Some(param) = error.param.as_deref().filter(|param| !param.is_empty()) {
        detail(out, "BadRequest", |out| {
            emit::key(out, "fieldViolations");
            out.extend_from_slice(b"[{");
            emit::text(out, "field", param);
            emit::text(out, "description", &error.message);
            out.extend_from_slice(b"}]");
        });
    }
    if let Some(wait) = error.retry_after {
        detail(out, "RetryInfo", |out| emit::text(out, "retryDelay", &format!("{wait}s")));
    }
    if !request_id.is_empty() {
        detail(out, "RequestInfo", |out| emit::text(out, "requestId", request_id));
    }
    out.extend_from_slice(b"]}}");
}

/// Appends one of Google's standard error details.
fn detail(out: &mut BytesMut, kind: &str, write: impl FnOnce(&mut BytesMut)) {
    emit::item(out);
    out.extend_from_slice(b"{");
    emit::text(out, "@type", &format!("type.googleapis.com/google.rpc.{kind}"));
    write(out);
    out.extend_from_slice(b"}");
}

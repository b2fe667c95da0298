//! Errors, both ways.
//!
//! What arrives differs by vendor: `{"error":{…}}` (`OpenAI` and most), the same in an array (Google), `{"error":"…"}`,
//! members at the top level with `"object":"error"` (Mistral, vLLM), `{"detail":…}` (`FastAPI`), or no JSON at all.

use bytes::{Bytes, BytesMut};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::wire::lenient;
use crate::{
    json::{Text, Writer},
    model::{ErrorClass, ErrorInfo, Str},
};

/// The most of a body without structure that becomes a message.
const MAX_PLAIN_BYTES: usize = 500;

#[derive(Default, Deserialize)]
struct Wire<'a> {
    #[serde(borrow)]
    error: Option<&'a RawValue>,
    #[serde(borrow)]
    message: Option<&'a RawValue>,
    #[serde(borrow)]
    detail: Option<&'a RawValue>,
    #[serde(borrow, rename = "type")]
    kind: Option<&'a RawValue>,
    #[serde(borrow)]
    param: Option<&'a RawValue>,
    #[serde(borrow)]
    code: Option<&'a RawValue>,
}

/// Reads an error body; `status` decides where the body says nothing.
pub(crate) fn decode(status: u16, body: &[u8]) -> ErrorInfo {
    let text = std::str::from_utf8(body).unwrap_or_default().trim();
    // Google's compatible endpoint answers with an array of one.
    let whole = serde_json::from_str::<Vec<&RawValue>>(text).ok().and_then(|list| list.first().copied());
    let whole = whole.map_or(text, RawValue::get);
    let mut error = match serde_json::from_str::<Wire<'_>>(whole) {
        Ok(wire) => of_wire(&wire, Some(status)),
        Err(_) => ErrorInfo::new(class_of(Some(status), "", "", text), plain_message(status, text)),
    };
    error.upstream_status = Some(status);
    error
}

/// Reads an error object that came where an answer was to come.
pub(crate) fn decode_in_band(error: &RawValue) -> ErrorInfo {
    if let Some(message) = lenient::<Text<'_>>(Some(error)) {
        return ErrorInfo::new(class_of(None, "", "", message.as_str()), message.as_str());
    }
    match serde_json::from_str::<Wire<'_>>(error.get()) {
        Ok(wire) => of_wire(&wire, None),
        Err(_) => ErrorInfo::new(ErrorClass::Upstream, "the upstream sent an error that could not be read"),
    }
}

fn of_wire(wire: &Wire<'_>, status: Option<u16>) -> ErrorInfo {
    if let Some(error) = wire.error {
        if let Ok(inner) = serde_json::from_str::<Wire<'_>>(error.get()) {
            return of_members(&inner, status);
        }
        if let Some(message) = lenient::<Text<'_>>(Some(error)) {
            return ErrorInfo::new(class_of(status, "", "", message.as_str()), message.as_str());
        }
    }
    of_members(wire, status)
}

fn of_members(wire: &Wire<'_>, status: Option<u16>) -> ErrorInfo {
    let text = |raw: Option<&RawValue>| lenient::<Text<'_>>(raw).map(|text| text.0.into_owned());
    let number = wire.code.and_then(|code| code.get().trim_matches('"').parse::<u16>().ok());
    let code = text(wire.code).filter(|code| !code.is_empty());
    let kind = text(wire.kind).unwrap_or_default();
    let message = match text(wire.message).or_else(|| text(wire.detail)) {
        Some(message) if !message.is_empty() => message,
        // A list of complaints (FastAPI), or an object: better shown as it is than lost.
        _ => match wire.message.or(wire.detail) {
            Some(raw) if raw.get() != "null" && raw.get() != "\"\"" => cut(raw.get()).to_owned(),
            _ => plain_message(status.unwrap_or(502), ""),
        },
    };
    let status = status.filter(|status| *status >= 400).or_else(|| number.filter(|code| (400..600).contains(code)));
    let mut error =
        ErrorInfo::new(class_of(status, code.as_deref().unwrap_or_default(), &kind, &message), Str::from(message));
    error.code = code.map(Str::from);
    error.param = text(wire.param).filter(|param| !param.is_empty()).map(Str::from);
    error
}

/// Codes and types that say more than the status. In `OpenAI`'s own errors the code is the finer of the two.
const CODES: &[(&str, ErrorClass)] = &[
    ("context_length_exceeded", ErrorClass::ContextTooLong),
    ("string_above_max_length", ErrorClass::InvalidRequest),
    ("model_not_found", ErrorClass::ModelNotFound),
    ("invalid_model", ErrorClass::ModelNotFound),
    ("DeploymentNotFound", ErrorClass::ModelNotFound),
    ("insufficient_quota", ErrorClass::Billing),
    ("billing_hard_limit_reached", ErrorClass::Billing),
    ("billing_not_active", ErrorClass::Billing),
    ("budget_exceeded", ErrorClass::Billing),
    ("rate_limit_exceeded", ErrorClass::RateLimit),
    ("rate_limit_error", ErrorClass::RateLimit),
    ("rate_limited", ErrorClass::RateLimit),
    ("tokens", ErrorClass::RateLimit),
    ("requests", ErrorClass::RateLimit),
    ("invalid_api_key", ErrorClass::Auth),
    ("authentication_error", ErrorClass::Auth),
    ("permission_error", ErrorClass::Permission),
    ("permission_denied", ErrorClass::Permission),
    ("unsupported_country_region_territory", ErrorClass::Permission),
    ("overloaded", ErrorClass::Overloaded),
    ("overloaded_error", ErrorClass::Overloaded),
    ("engine_overloaded", ErrorClass::Overloaded),
    ("model_overloaded", ErrorClass::Overloaded),
    ("service_unavailable", ErrorClass::Overloaded),
    ("timeout", ErrorClass::Timeout),
    ("timeout_error", ErrorClass::Timeout),
    ("request_too_large", ErrorClass::TooLarge),
    ("not_found_error", ErrorClass::NotFound),
    ("conflict_error", ErrorClass::Conflict),
];

/// Types that only stand in for a status that is not there.
const TYPES: &[(&str, ErrorClass)] =
    &[("invalid_request_error", ErrorClass::InvalidRequest), ("BadRequestError", ErrorClass::InvalidRequest)];

/// How vendors without a code of their own say that the prompt is too long.
const TOO_LONG: &[&str] = &["maximum context length", "context window", "context length", "prompt is too long"];

fn class_of(status: Option<u16>, code: &str, kind: &str, message: &str) -> ErrorClass {
    let listed = |table: &[(&str, ErrorClass)], word: &str| {
        table.iter().find(|(known, _)| *known == word).map(|(_, class)| *class)
    };
    if let Some(class) = listed(CODES, code).or_else(|| listed(CODES, kind)) {
        return class;
    }
    let class = status
        .filter(|status| *status >= 400)
        .map(ErrorClass::from_status)
        .or_else(|| listed(TYPES, kind))
        .unwrap_or(ErrorClass::Upstream);
    let lower = || message.to_ascii_lowercase();
    if matches!(class, ErrorClass::InvalidRequest | ErrorClass::TooLarge)
        && TOO_LONG.iter().any(|words| lower().contains(words))
    {
        return ErrorClass::ContextTooLong;
    }
    class
}

fn plain_message(status: u16, text: &str) -> String {
    // A page of HTML is a proxy's answer, and tells a client nothing.
    if text.is_empty() || text.starts_with('<') {
        return format!("the upstream answered with status {status} and no readable error");
    }
    cut(text).to_owned()
}

fn cut(text: &str) -> &str {
    let mut end = text.len().min(MAX_PLAIN_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

/// Writes an error as a whole body.
pub(crate) fn encode(error: &ErrorInfo) -> Bytes {
    let mut out = BytesMut::with_capacity(160 + error.message.len());
    write(error, &mut out);
    out.freeze()
}

/// Appends an error object. All four members are always there.
pub(crate) fn write(error: &ErrorInfo, out: &mut BytesMut) {
    let mut body = Writer::object(out);
    let mut object = body.nested("error");
    object.str("message", &error.message);
    object.str("type", type_of(error.class));
    match &error.param {
        Some(param) => object.str("param", param),
        None => object.raw("param", "null"),
    }
    object.str("code", error.code.as_deref().unwrap_or_else(|| code_of(error)));
    object.end();
    body.end();
}

fn code_of(error: &ErrorInfo) -> &'static str {
    match error.class {
        ErrorClass::InvalidRequest if error.param.is_some() => "invalid_value",
        class => class.code(),
    }
}

fn type_of(class: ErrorClass) -> &'static str {
    match class {
        ErrorClass::Auth => "authentication_error",
        ErrorClass::Billing => "budget_exceeded",
        ErrorClass::Permission => "permission_error",
        ErrorClass::NotFound => "not_found_error",
        ErrorClass::ModelNotFound => "model_not_found",
        ErrorClass::Conflict => "conflict_error",
        ErrorClass::RateLimit => "rate_limit_error",
        ErrorClass::Internal => "server_error",
        ErrorClass::Upstream | ErrorClass::UpstreamAuth | ErrorClass::Overloaded => "provider_error",
        ErrorClass::Timeout | ErrorClass::RequestTimeout => "timeout_error",
        _ => "invalid_request_error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_vendors_shape_is_read() {
        let cases: &[(u16, &str, ErrorClass, &str)] = &[
            (
                400,
                r#"{"error":{"message":"This model's maximum context length is 8192 tokens.","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}"#,
                ErrorClass::ContextTooLong,
                "This model's maximum context length is 8192 tokens.",
            ),
            (
                429,
                r#"{"error":{"message":"You exceeded your current quota","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}"#,
                ErrorClass::Billing,
                "You exceeded your current quota",
            ),
            (429, r#"{"error":{"message":"slow down","type":"tokens"}}"#, ErrorClass::RateLimit, "slow down"),
            (
                401,
                r#"{"error":{"message":"no","type":"invalid_request_error","code":"invalid_api_key"}}"#,
                ErrorClass::Auth,
                "no",
            ),
            (500, r#"{"error":{"code":500,"message":"boom","type":"server_error"}}"#, ErrorClass::Upstream, "boom"),
            (
                400,
                r#"[{"error":{"code":400,"message":"bad","status":"INVALID_ARGUMENT"}}]"#,
                ErrorClass::InvalidRequest,
                "bad",
            ),
            (
                400,
                r#"{"code":"1500","message":"Invalid model: x","object":"error","param":null,"type":"invalid_model"}"#,
                ErrorClass::ModelNotFound,
                "Invalid model: x",
            ),
            (
                422,
                r#"{"detail":[{"msg":"Field required"}]}"#,
                ErrorClass::InvalidRequest,
                r#"[{"msg":"Field required"}]"#,
            ),
            (503, r#"{"error":"loading model"}"#, ErrorClass::Overloaded, "loading model"),
            (502, "upstream down", ErrorClass::Upstream, "upstream down"),
        ];
        for (status, body, class, message) in cases {
            let error = decode(*status, body.as_bytes());
            assert_eq!((error.class, &*error.message), (*class, *message), "{body}");
            assert_eq!(error.upstream_status, Some(*status));
        }
    }

    #[test]
    fn a_page_of_html_is_not_a_message() {
        let error = decode(504, b"<html><body>gateway timeout</body></html>");
        assert_eq!(error.class, ErrorClass::Timeout);
        assert!(!error.message.contains('<'));
    }

    #[test]
    fn all_four_members_are_written() {
        let written: serde_json::Value =
            serde_json::from_slice(&encode(&ErrorInfo::new(ErrorClass::RateLimit, "wait"))).expect("errors are JSON");
        assert_eq!(
            written,
            serde_json::json!({"error":{"message":"wait","type":"rate_limit_error","param":null,"code":"rate_limit_exceeded"}})
        );
    }
}

//! Errors, both ways: a body `{"message"}`, and the sort in the header `x-amzn-errortype` or, in a stream, in a frame's
//! `:exception-type`.

use bytes::{Bytes, BytesMut};
use serde::Deserialize;

use super::wire::{Text, Writer};
use crate::model::{ErrorClass, ErrorInfo, Str};

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    message: Option<Text<'a>>,
    #[serde(borrow, rename = "Message")]
    capital: Option<Text<'a>>,
    #[serde(borrow, rename = "__type")]
    kind: Option<Text<'a>>,
}

/// Decodes an error body; `status` decides where it says nothing.
pub(super) fn decode(status: u16, body: &[u8]) -> ErrorInfo {
    let mut info = read(body, None, Some(status));
    info.upstream_status = Some(status);
    info
}

/// Decodes an error that came inside a success: the sort `kind` is a frame's, if it came in one.
pub(super) fn decode_in_band(kind: Option<&str>, body: &[u8]) -> ErrorInfo {
    read(body, kind, None)
}

fn read(body: &[u8], kind: Option<&str>, status: Option<u16>) -> ErrorInfo {
    let body = serde_json::from_slice::<Body<'_>>(body).ok();
    let written = body.as_ref().and_then(|body| body.kind.as_ref()).map(|kind| &*kind.0);
    let class = kind.or(written).and_then(class_of);
    let class = class.or_else(|| status.map(class_of_status)).unwrap_or(ErrorClass::Upstream);
    let message = body.and_then(|body| body.message.or(body.capital));
    let message = message.map(|message| Str::from(&*message.0)).filter(|message| !message.is_empty());
    let class = message.as_ref().map_or(class, |message| refine(class, message));
    let message = message.unwrap_or_else(|| match (status, kind) {
        (Some(status), _) => Str::from(format!("the upstream answered with status {status} and no error message")),
        (None, Some(kind)) => Str::from(format!("the upstream reported `{kind}` without a message")),
        (None, None) => Str::from_static("the upstream reported an error without a message"),
    });
    ErrorInfo::new(class, message)
}

/// The class of an error's name, in any of the ways that the vendor's services write it (`throttlingException`,
/// `com.amazon#ThrottlingException:http://…`).
fn class_of(kind: &str) -> Option<ErrorClass> {
    let name = kind.split(':').next().unwrap_or_default();
    let name = name.rsplit('#').next().unwrap_or_default();
    let name = name.strip_suffix("Exception").unwrap_or(name).to_ascii_lowercase();
    Some(match &*name {
        "validation" => ErrorClass::InvalidRequest,
        "unrecognizedclient" | "missingauthenticationtoken" | "invalidsignature" | "expiredtoken" => ErrorClass::Auth,
        "accessdenied" => ErrorClass::Permission,
        "resourcenotfound" => ErrorClass::NotFound,
        "conflict" => ErrorClass::Conflict,
        "throttling" | "servicequotaexceeded" => ErrorClass::RateLimit,
        "modeltimeout" => ErrorClass::Timeout,
        "modelerror" | "modelstreamerror" | "internalserver" => ErrorClass::Upstream,
        "modelnotready" | "serviceunavailable" => ErrorClass::Overloaded,
        _ => return None,
    })
}

/// The class of a status, where this service has a meaning of its own for it.
fn class_of_status(status: u16) -> ErrorClass {
    match status {
        424 => ErrorClass::Upstream,
        status => ErrorClass::from_status(status),
    }
}

/// Some failures have no name of their own and are told by their words.
fn refine(class: ErrorClass, message: &str) -> ErrorClass {
    let says = |words: &[&str]| words.iter().any(|word| message.contains(word));
    match class {
        ErrorClass::InvalidRequest if says(&["Input is too long", "prompt is too long", "exceed context limit"]) => {
            ErrorClass::ContextTooLong
        }
        ErrorClass::InvalidRequest if says(&["model identifier is invalid"]) => ErrorClass::ModelNotFound,
        class => class,
    }
}

/// The name of an error, as the clients of this dialect tell errors apart.
pub(super) fn name(class: ErrorClass) -> &'static str {
    match class {
        ErrorClass::InvalidRequest
        | ErrorClass::ContextTooLong
        | ErrorClass::MethodNotAllowed
        | ErrorClass::TooLarge => "ValidationException",
        ErrorClass::Auth | ErrorClass::Permission => "AccessDeniedException",
        ErrorClass::Billing => "ServiceQuotaExceededException",
        ErrorClass::NotFound | ErrorClass::ModelNotFound => "ResourceNotFoundException",
        ErrorClass::Conflict => "ConflictException",
        ErrorClass::RateLimit => "ThrottlingException",
        ErrorClass::RequestTimeout | ErrorClass::Timeout => "ModelTimeoutException",
        ErrorClass::Overloaded => "ServiceUnavailableException",
        ErrorClass::Internal | ErrorClass::Upstream | ErrorClass::UpstreamAuth | ErrorClass::Cancelled => {
            "InternalServerException"
        }
    }
}

/// The name of an error in a stream, where only five sorts are known.
pub(super) fn name_in_stream(class: ErrorClass) -> &'static str {
    match class {
        ErrorClass::InvalidRequest
        | ErrorClass::ContextTooLong
        | ErrorClass::MethodNotAllowed
        | ErrorClass::TooLarge
        | ErrorClass::Auth
        | ErrorClass::Permission
        | ErrorClass::NotFound
        | ErrorClass::ModelNotFound
        | ErrorClass::Conflict => "validationException",
        ErrorClass::RateLimit | ErrorClass::Billing => "throttlingException",
        ErrorClass::Overloaded => "serviceUnavailableException",
        ErrorClass::Upstream | ErrorClass::Timeout | ErrorClass::RequestTimeout => MODEL_STREAM_ERROR,
        ErrorClass::Internal | ErrorClass::UpstreamAuth | ErrorClass::Cancelled => "internalServerException",
    }
}

/// The sort of error in a stream that says what the model's own server answered.
const MODEL_STREAM_ERROR: &str = "modelStreamErrorException";

/// Encodes an error as a whole body.
pub(super) fn encode(error: &ErrorInfo) -> Bytes {
    let mut out = BytesMut::with_capacity(32 + error.message.len());
    let mut body = Writer::object(&mut out);
    body.str("message", &error.message);
    body.end();
    out.freeze()
}

/// Writes the payload of an error in a stream.
pub(super) fn push_in_stream(out: &mut BytesMut, error: &ErrorInfo) {
    let mut body = Writer::object(out);
    body.str("message", &error.message);
    if name_in_stream(error.class) == MODEL_STREAM_ERROR {
        let status = error.upstream_status.unwrap_or_else(|| error.class.status());
        body.u64("originalStatusCode", status.into());
        body.str("originalMessage", &error.message);
    }
    body.end();
}

//! What AWS's services have in common: how their errors are written, whole and in a stream of frames.
//!
//! Names are those of the service model in botocore (`bedrock-runtime`).

use serde::Deserialize;

use crate::{
    eventstream::Frame,
    json::Text,
    model::{ErrorClass, ErrorInfo, Str},
};

/// The header that tells an event's frame from an exception's.
pub(crate) const MESSAGE_TYPE: &str = ":message-type";

/// The header that tells events apart.
pub(crate) const EVENT_TYPE: &str = ":event-type";

/// The header that tells exceptions apart.
pub(crate) const EXCEPTION_TYPE: &str = ":exception-type";

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
pub(crate) fn decode(status: u16, body: &[u8]) -> ErrorInfo {
    let mut info = read(body, None, Some(status));
    info.upstream_status = Some(status);
    info
}

/// Decodes an error that came inside a success: the sort `kind` is a frame's, if it came in one.
pub(crate) fn decode_in_band(kind: Option<&str>, body: &[u8]) -> ErrorInfo {
    read(body, kind, None)
}

/// Reads the frame of an exception, which is of the API, or of an error, which is of the transport.
pub(crate) fn exception(frame: Frame) -> ErrorInfo {
    let kind = frame.text(EXCEPTION_TYPE).or_else(|| frame.text(":error-code")).unwrap_or_default().to_owned();
    let said = frame.text(":error-message").map(Str::from);
    let payload = frame.into_payload();
    let mut error = decode_in_band(Some(&kind), &payload);
    if let Some(said) = said.filter(|_| payload.is_empty()) {
        error.message = said;
    }
    error
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

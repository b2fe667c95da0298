//! Errors as clients of this dialect read them: a body `{"message"}`, and the sort in the header `x-amzn-errortype` or,
//! in a stream, in a frame's `:exception-type`. How they are read is the same for all of the vendor's services.

use bytes::{Bytes, BytesMut};

use super::wire::Writer;
use crate::model::{ErrorClass, ErrorInfo};

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

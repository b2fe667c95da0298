//! Errors in a JSON-RPC envelope. (Bare ones are `OpenAI`'s.)

use bytes::{Bytes, BytesMut};

use crate::{
    json::Writer,
    model::{ErrorClass, ErrorInfo},
};

/// Encodes an error; `id` is the request's, as JSON text.
pub(super) fn encode(error: &ErrorInfo, id: &str) -> Bytes {
    let mut out = BytesMut::with_capacity(160 + error.message.len());
    let mut envelope = Writer::object(&mut out);
    envelope.str("jsonrpc", "2.0");
    envelope.raw("id", id);
    let mut object = envelope.nested("error");
    object.raw("code", code(error));
    object.str("message", &error.message);
    let mut data = object.nested("data");
    data.u64("status", error.upstream_status.unwrap_or_else(|| error.class.status()).into());
    data.str("class", error.code.as_deref().unwrap_or_else(|| error.class.code()));
    data.maybe_str("param", error.param.as_deref());
    if let Some(seconds) = error.retry_after {
        data.u64("retryAfter", seconds);
    }
    data.end();
    object.end();
    envelope.end();
    out.freeze()
}

/// The codes of JSON-RPC 2.0, and MCP's own for what the user did not allow.
fn code(error: &ErrorInfo) -> &'static str {
    match error.class {
        _ if error.code.as_deref() == Some("invalid_json") => "-32700",
        _ if error.code.as_deref() == Some("method_not_found") => "-32601",
        ErrorClass::InvalidRequest
        | ErrorClass::ContextTooLong
        | ErrorClass::NotFound
        | ErrorClass::ModelNotFound
        | ErrorClass::Conflict
        | ErrorClass::TooLarge => "-32602",
        ErrorClass::Cancelled => "-1",
        _ => "-32603",
    }
}

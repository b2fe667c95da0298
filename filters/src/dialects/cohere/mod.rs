//! Cohere's chat, version 2: `POST /v2/chat`.
//!
//! Reference: <https://docs.cohere.com/v2/reference/chat> and, for streams,
//! <https://docs.cohere.com/v2/docs/streaming>; where they are silent, the vendor's Python client.
//!
//! What shapes this dialect: a request may carry documents, and answers cite them (and tools' results) by characters
//! of the answer; before it calls tools, a model without thinking of its own tells its plan (`tool_plan`); answers do
//! not name their model; a stream's events are told apart by their `type`, and end with `message-end` and `[DONE]`.

mod citations;
mod documents;
mod error;
mod finish;
mod inspect;
mod logprobs;
mod pointer;
mod request;
mod response;
mod stream;
#[cfg(test)]
mod tests;
mod thinking;
mod usage;
mod wire;

use bytes::Bytes;

use super::{
    CallHead, Dialect, Encoded, Glance, Inspection, Reply, ResponseError, StreamDecoder, StreamEncoder, StreamForm,
    Tap, TapSpec, Target, Upstream,
};
use crate::{
    json::Splice,
    model::{ErrorInfo, Field, Media, MediaClass, Request, Response},
};

/// The v2 chat dialect.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cohere;

impl Dialect for Cohere {
    fn name(&self) -> &'static str {
        "cohere"
    }

    fn config_name(&self) -> (&'static str, &'static str) {
        ("cohere", "llm/v1/chat")
    }

    fn upstream(&self) -> Option<&'static dyn Upstream> {
        Some(&Cohere)
    }

    fn carries_state(&self) -> bool {
        false
    }

    fn inspect(&self, _call: &CallHead<'_>, body: &Bytes) -> Result<Inspection, ErrorInfo> {
        inspect::inspect(body)
    }

    fn decode_request(&self, _call: &CallHead<'_>, body: &Bytes) -> Result<Request, ErrorInfo> {
        request::decode(body)
    }

    fn encode_response(&self, response: &Response, reply: &Reply) -> Bytes {
        response::encode(response, reply)
    }

    fn stream_encoder(&self, reply: &Reply) -> Box<dyn StreamEncoder> {
        Box::new(stream::Encoder::new(reply))
    }

    fn encode_error(&self, error: &ErrorInfo, request_id: &str) -> Bytes {
        error::encode(error, request_id)
    }

    fn keepalive(&self, _form: StreamForm) -> &'static [u8] {
        b": ka\n\n"
    }

    fn pointer(&self, field: Field) -> &'static str {
        pointer::pointer(field)
    }
}

impl Upstream for Cohere {
    fn splices(&self, inspection: &Inspection, target: &Target<'_>) -> Vec<Splice> {
        inspect::splices(inspection, target)
    }

    fn encode_request(&self, request: &Request, target: &Target<'_>) -> Result<Encoded, ErrorInfo> {
        request::encode(request, target)
    }

    fn takes_url(&self, media: &Media) -> bool {
        media.class == MediaClass::Image
    }

    fn decode_response(&self, body: &Bytes) -> Result<Response, ResponseError> {
        response::decode(body)
    }

    fn inspect_response(&self, body: &Bytes) -> Glance {
        inspect::glance(body)
    }

    fn decode_error(&self, status: u16, body: &[u8]) -> ErrorInfo {
        error::decode(status, body)
    }

    fn stream_decoder(&self) -> Box<dyn StreamDecoder> {
        Box::new(stream::Decoder::default())
    }

    fn tap(&self, _tap: TapSpec) -> Box<dyn Tap> {
        // Usage always comes, so there is never an uninvited piece of it to take out.
        Box::new(stream::StreamTap::default())
    }
}

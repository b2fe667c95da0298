//! `OpenAI` Chat Completions, and what speaks like it: Azure, Mistral, Groq, `DeepSeek`, `OpenRouter`, vLLM and many more.
//!
//! Reference: <https://platform.openai.com/docs/api-reference/chat>. Where the vendors differ, the decoders accept what
//! any of them sends, and the encoder writes what all of them take; what an upstream wants otherwise is a named quirk
//! (the table stands in `quirks`).
//!
//! Wire facts: `POST /v1/chat/completions`, the model in the body; streams are server-sent events without names, ended
//! by `data: [DONE]`; SSE comments keep a stream alive with every client.

mod answer;
mod pointer;
mod quirks;
mod reasoning;
mod request;
mod response;
mod stream;
#[cfg(test)]
mod tests;
mod wire;

use bytes::Bytes;

use super::{
    CallHead, Dialect, Encoded, Glance, Inspection, Quirk, Reply, ResponseError, StreamDecoder, StreamEncoder,
    StreamForm, Tap, TapSpec, Target, Upstream,
};
use crate::{
    json::Splice,
    model::{ErrorInfo, Field, Media, MediaClass, Request, Response},
    openai::{error, inspect, profile, tap::StreamTap, usage},
};

/// The Chat Completions dialect.
#[derive(Clone, Copy, Debug, Default)]
pub struct OpenAiChat;

impl Dialect for OpenAiChat {
    fn name(&self) -> &'static str {
        "openai_chat"
    }

    fn config_name(&self) -> (&'static str, &'static str) {
        ("openai", "llm/v1/chat")
    }

    fn upstream(&self) -> Option<&'static dyn Upstream> {
        Some(&OpenAiChat)
    }

    fn carries_state(&self) -> bool {
        // Some servers have a place for it, but official clients leave out what they do not know.
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

    fn encode_error(&self, error: &ErrorInfo, _request_id: &str) -> Bytes {
        error::encode(error)
    }

    fn stream_encoder(&self, reply: &Reply) -> Box<dyn StreamEncoder> {
        Box::new(stream::Encoder::new(reply))
    }

    fn keepalive(&self, _form: StreamForm) -> &'static [u8] {
        b": ka\n\n"
    }

    fn pointer(&self, field: Field) -> &'static str {
        pointer::pointer(field)
    }
}

impl Upstream for OpenAiChat {
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

    fn tap(&self, tap: TapSpec) -> Box<dyn Tap> {
        Box::new(StreamTap::new(tap))
    }

    fn quirks(&self) -> &'static [Quirk] {
        quirks::QUIRKS
    }
}

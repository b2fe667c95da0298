//! `OpenAI`'s legacy Completions, and what speaks like it: vLLM, llama.cpp, Ollama and others that complete plain text.
//!
//! Reference: <https://platform.openai.com/docs/api-reference/completions>.
//!
//! What shapes this dialect: a request is one text to be continued, an answer is text alone. There are no roles, tools,
//! media or thinking. Passing between speakers of it, everything survives (several prompts, prompts of tokens, `suffix`,
//! `echo`, `best_of`); translated, a request is one prompt of text, and a conversation that comes from elsewhere becomes a
//! transcript, which is reported.

mod finish;
mod logprobs;
mod pointer;
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
    model::{ErrorInfo, Field, Media, Request, Response},
    openai::{error, inspect, tap::StreamTap},
};

/// In what upstreams deviate from the dialect.
const QUIRKS: &[Quirk] = &[
    Quirk { name: "no_stream_options", what: "`stream_options` is left out, so streams may end without usage" },
    Quirk { name: "no_user", what: "`user` is left out" },
    Quirk { name: "top_k", what: "`top_k` is sent" },
];

/// The Completions dialect.
#[derive(Clone, Copy, Debug, Default)]
pub struct OpenAiCompletions;

impl Dialect for OpenAiCompletions {
    fn name(&self) -> &'static str {
        "openai_completions"
    }

    fn config_name(&self) -> (&'static str, &'static str) {
        ("openai", "llm/v1/completions")
    }

    fn upstream(&self) -> Option<&'static dyn Upstream> {
        Some(&OpenAiCompletions)
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

    fn encode_error(&self, error: &ErrorInfo, _request_id: &str) -> Bytes {
        error::encode(error)
    }

    fn keepalive(&self, _form: StreamForm) -> &'static [u8] {
        b": ka\n\n"
    }

    fn pointer(&self, field: Field) -> &'static str {
        pointer::pointer(field)
    }
}

impl Upstream for OpenAiCompletions {
    fn splices(&self, inspection: &Inspection, target: &Target<'_>) -> Vec<Splice> {
        inspect::splices(inspection, target)
    }

    fn encode_request(&self, request: &Request, target: &Target<'_>) -> Result<Encoded, ErrorInfo> {
        request::encode(request, target)
    }

    fn takes_url(&self, _media: &Media, _quirks: &[String]) -> bool {
        false
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
        QUIRKS
    }
}

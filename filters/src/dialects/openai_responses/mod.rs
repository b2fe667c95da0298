//! `OpenAI` Responses, and what speaks like it: Azure, xAI, `OpenRouter`, Groq, vLLM and others ("Open Responses").
//!
//! Reference: <https://platform.openai.com/docs/api-reference/responses> and, for streams,
//! <https://platform.openai.com/docs/api-reference/responses-streaming>.
//!
//! What shapes this dialect: an answer is a list of *items* (messages, reasoning, calls, tools that the provider ran),
//! each with an id of its own, and a conversation is a list of such items again. A call has two ids: the item's, and
//! `call_id`, by which its output names it. Reasoning comes back as encrypted state that is bound to its item's id. A
//! stream announces every item and part, numbers its events, and ends with the whole response.
//!
//! Wire facts: `POST /v1/responses`, the model in the body; events have a name that repeats `type`; SSE comments keep a
//! stream alive with every client. Answers that a provider stores (`previous_response_id`, `conversation`,
//! `background`, `item_reference`) exist at that provider alone.

mod citation;
mod count;
mod error;
mod finish;
mod inspect;
mod item;
mod likeness;
mod logprobs;
mod output;
mod pointer;
mod request;
mod response;
mod stream;
mod usage;
mod wire;

#[cfg(test)]
mod tests;

use bytes::Bytes;
pub use count::CountTokens;

use super::{
    CallHead, Dialect, Encoded, Glance, Inspection, Quirk, Reply, ResponseError, StreamDecoder, StreamEncoder,
    StreamForm, Tap, TapSpec, Target, Upstream,
};
use crate::{
    json::Splice,
    model::{ErrorInfo, Field, Media, MediaClass, Request, Response},
};

/// In what upstreams deviate from the vendor's own endpoint.
const QUIRKS: &[Quirk] = &[
    Quirk { name: "no_include", what: "`include` is left out, so thinking comes without its state" },
    Quirk { name: "no_parallel_tool_calls", what: "`parallel_tool_calls` is left out" },
    Quirk { name: "no_user", what: "`user` is left out" },
    Quirk { name: "prompt_cache_breakpoint", what: "cache breakpoints are sent as `prompt_cache_breakpoint`" },
];

/// The Responses dialect.
#[derive(Clone, Copy, Debug, Default)]
pub struct OpenAiResponses;

/// The dialect's name; members that only it has are told by it.
const NAME: &str = "openai_responses";

impl Dialect for OpenAiResponses {
    fn name(&self) -> &'static str {
        NAME
    }

    fn config_name(&self) -> (&'static str, &'static str) {
        ("openai", "llm/v1/responses")
    }

    fn upstream(&self) -> Option<&'static dyn Upstream> {
        Some(&OpenAiResponses)
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
        crate::openai::error::encode(error)
    }

    fn keepalive(&self, _form: StreamForm) -> &'static [u8] {
        b": ka\n\n"
    }

    fn pointer(&self, field: Field) -> &'static str {
        pointer::pointer(field)
    }
}

impl Upstream for OpenAiResponses {
    fn splices(&self, inspection: &Inspection, target: &Target<'_>) -> Vec<Splice> {
        inspect::splices(inspection, target)
    }

    fn encode_request(&self, request: &Request, target: &Target<'_>) -> Result<Encoded, ErrorInfo> {
        request::encode(request, target)
    }

    fn takes_url(&self, media: &Media, _quirks: &[String]) -> bool {
        matches!(media.class, MediaClass::Image | MediaClass::Document)
    }

    fn decode_response(&self, body: &Bytes) -> Result<Response, ResponseError> {
        response::decode(body)
    }

    fn inspect_response(&self, body: &Bytes) -> Glance {
        inspect::glance(body)
    }

    fn decode_error(&self, status: u16, body: &[u8]) -> ErrorInfo {
        crate::openai::error::decode(status, body)
    }

    fn stream_decoder(&self) -> Box<dyn StreamDecoder> {
        Box::new(stream::Decoder::default())
    }

    fn tap(&self, _tap: TapSpec) -> Box<dyn Tap> {
        // Usage always comes here, so there is never an uninvited piece of it to take out.
        Box::new(stream::StreamTap::default())
    }

    fn quirks(&self) -> &'static [Quirk] {
        QUIRKS
    }
}

//! Gemini `generateContent` and `streamGenerateContent`, Developer API and Vertex.
//!
//! Reference: <https://ai.google.dev/api/generate-content>. Model and verb stand in the path, so a request of the
//! same dialect passes without an edit. Errors: <https://google.aip.dev/193>.

mod count;
mod emit;
mod error;
mod finish;
mod grounding;
mod inspect;
mod logprobs;
mod parts;
mod profile;
mod request;
mod response;
mod scalar;
mod stream;
mod usage;
mod wire;
mod write;

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
    model::{ErrorInfo, Field, Media, MediaSource, Request, Response},
};

/// In what upstreams deviate from the Developer API.
const QUIRKS: &[Quirk] =
    &[Quirk { name: "vertex", what: "the upstream is Vertex AI, which takes labels and web addresses of files" }];

/// The dialect.
#[derive(Clone, Copy, Debug)]
pub struct Gemini;

impl Dialect for Gemini {
    fn name(&self) -> &'static str {
        "gemini"
    }

    fn config_name(&self) -> (&'static str, &'static str) {
        ("gemini", "llm/v1/chat")
    }

    fn upstream(&self) -> Option<&'static dyn Upstream> {
        Some(&Gemini)
    }

    fn inspect(&self, call: &CallHead<'_>, body: &Bytes) -> Result<Inspection, ErrorInfo> {
        inspect::inspect(call, body)
    }

    fn decode_request(&self, call: &CallHead<'_>, body: &Bytes) -> Result<Request, ErrorInfo> {
        request::decode(call, body)
    }

    fn encode_response(&self, response: &Response, reply: &Reply) -> Bytes {
        response::encode(response, reply)
    }

    fn encode_error(&self, error: &ErrorInfo, request_id: &str) -> Bytes {
        error::encode(error, self.error_status(error), request_id)
    }

    fn stream_encoder(&self, reply: &Reply) -> Box<dyn StreamEncoder> {
        Box::new(stream::Encoder::new(reply))
    }

    fn keepalive(&self, _form: StreamForm) -> &'static [u8] {
        // Blank lines: official clients fail on comments, and an array takes space between its elements.
        b"\n\n"
    }

    fn pointer(&self, field: Field) -> &'static str {
        pointer(field)
    }
}

impl Upstream for Gemini {
    fn splices(&self, _inspection: &Inspection, _target: &Target<'_>) -> Vec<Splice> {
        // The model stands in the path, and usage always comes.
        Vec::new()
    }

    fn encode_request(&self, request: &Request, target: &Target<'_>) -> Result<Encoded, ErrorInfo> {
        request::encode(request, target)
    }

    fn takes_url(&self, media: &Media) -> bool {
        // Google knows its own files and films by their addresses, and fetches nothing else.
        matches!(&media.source, MediaSource::Url(url) if parts::is_google_only(url))
    }

    fn takes_url_with(&self, media: &Media, quirks: &[String]) -> bool {
        quirks.iter().any(|quirk| quirk == "vertex") || self.takes_url(media)
    }

    fn decode_response(&self, body: &Bytes) -> Result<Response, ResponseError> {
        response::decode(body)
    }

    fn inspect_response(&self, body: &Bytes) -> Glance {
        inspect::inspect_response(body)
    }

    fn decode_error(&self, status: u16, body: &[u8]) -> ErrorInfo {
        error::decode(status, body)
    }

    fn stream_decoder(&self) -> Box<dyn StreamDecoder> {
        Box::new(stream::Decoder::default())
    }

    fn tap(&self, tap: TapSpec) -> Box<dyn Tap> {
        Box::new(stream::Watcher::new(tap))
    }

    fn quirks(&self) -> &'static [Quirk] {
        QUIRKS
    }
}

fn pointer(field: Field) -> &'static str {
    match field {
        Field::System | Field::SystemMid => "/systemInstruction",
        Field::Tools | Field::CustomTool | Field::ServerTool => "/tools",
        Field::ToolSchema => "/tools/functionDeclarations/parameters",
        Field::ToolStrict => "/toolConfig/functionCallingConfig/mode",
        Field::ToolChoice | Field::ParallelTools => "/toolConfig/functionCallingConfig",
        Field::ImageDetail => "/generationConfig/mediaResolution",
        Field::Signature => "/contents/parts/thoughtSignature",
        Field::ToolArguments => "/contents/parts/functionCall/args",
        Field::ToolResult | Field::ToolError => "/contents/parts/functionResponse",
        Field::Image | Field::Document | Field::Audio | Field::Video | Field::Citations => "/contents/parts/inlineData",
        Field::ReasoningHistory => "/contents/parts/thought",
        Field::Messages | Field::Name | Field::Prefill => "/contents",
        Field::Reasoning => "/generationConfig/thinkingConfig",
        Field::ReasoningDisplay => "/generationConfig/thinkingConfig/includeThoughts",
        Field::ResponseFormat => "/generationConfig/responseMimeType",
        Field::ResponseSchema => "/generationConfig/responseSchema",
        Field::Modalities => "/generationConfig/responseModalities",
        Field::Temperature => "/generationConfig/temperature",
        Field::TopP => "/generationConfig/topP",
        Field::TopK => "/generationConfig/topK",
        Field::FrequencyPenalty => "/generationConfig/frequencyPenalty",
        Field::PresencePenalty => "/generationConfig/presencePenalty",
        Field::Seed => "/generationConfig/seed",
        Field::Logprobs => "/generationConfig/responseLogprobs",
        Field::MaxTokens => "/generationConfig/maxOutputTokens",
        Field::Stop => "/generationConfig/stopSequences",
        Field::Candidates => "/generationConfig/candidateCount",
        Field::LogitBias | Field::Verbosity => "/generationConfig",
        Field::User | Field::Metadata => "/labels",
        Field::CacheControl | Field::CacheKey | Field::CachedContent => "/cachedContent",
        Field::Store => "/store",
        Field::Tier => "/serviceTier",
        Field::Safety => "/safetySettings",
        Field::Extra => "/",
    }
}

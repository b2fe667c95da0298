//! Anthropic Messages, as the vendor, Vertex and Bedrock's invoke speak it.
//!
//! Reference: <https://docs.claude.com/en/api/messages> and, for streams,
//! <https://docs.claude.com/en/docs/build-with-claude/streaming>.
//!
//! What shapes this dialect: a list of content blocks is the whole of a message; tool results are the user's and come
//! first in their turn; thinking is signed and must come back unchanged; a stream has one block open at a time, and
//! its events are told apart by their SSE name. Counts of input exclude what caches served.

mod blocks;
mod count;
mod error;
mod finish;
mod host;
mod inspect;
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
    StreamForm, Tap, TapSpec, Target, Upstream, relayed_status,
};
use crate::{
    hosts::HostWire,
    json::Splice,
    model::{ErrorClass, ErrorInfo, Field, Media, MediaClass, Request, Response, Str},
};

/// The Messages dialect.
#[derive(Clone, Copy, Debug)]
pub struct Anthropic;

impl Dialect for Anthropic {
    fn name(&self) -> &'static str {
        "anthropic"
    }

    fn config_name(&self) -> (&'static str, &'static str) {
        ("anthropic", "llm/v1/chat")
    }

    fn upstream(&self) -> Option<&'static dyn Upstream> {
        Some(&Anthropic)
    }

    fn claims_hosted(&self, body: &Bytes) -> bool {
        host::claims(body)
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
        error::encode(error, request_id)
    }

    fn error_status(&self, error: &ErrorInfo) -> u16 {
        // Clients of this dialect know overload by a status of the vendor's own.
        if error.class == ErrorClass::Overloaded {
            return 529;
        }
        relayed_status(error).unwrap_or_else(|| error.class.status())
    }

    fn stream_encoder(&self, reply: &Reply) -> Box<dyn StreamEncoder> {
        Box::new(stream::Encoder::new(reply))
    }

    fn keepalive(&self, _form: StreamForm) -> &'static [u8] {
        stream::PING
    }

    fn pointer(&self, field: Field) -> &'static str {
        match field {
            Field::System => "/system",
            Field::CacheControl => "/cache_control",
            Field::Reasoning => "/thinking",
            Field::ReasoningDisplay => "/thinking/display",
            Field::Tools | Field::ServerTool | Field::CustomTool => "/tools",
            Field::ToolSchema => "/tools/input_schema",
            Field::ToolStrict => "/tools/strict",
            Field::ToolChoice => "/tool_choice",
            Field::ParallelTools => "/tool_choice/disable_parallel_tool_use",
            Field::ResponseFormat => "/output_config/format",
            Field::ResponseSchema => "/output_config/format/schema",
            Field::Temperature => "/temperature",
            Field::TopP => "/top_p",
            Field::TopK => "/top_k",
            Field::MaxTokens => "/max_tokens",
            Field::Stop => "/stop_sequences",
            Field::User => "/metadata/user_id",
            Field::Metadata => "/metadata",
            Field::Tier => "/service_tier",
            Field::ToolArguments => "/messages/content/input",
            Field::ToolResult => "/messages/content/tool_result",
            Field::ToolError => "/messages/content/is_error",
            Field::ReasoningHistory => "/messages/content/thinking",
            Field::Signature => "/messages/content/signature",
            Field::Image | Field::ImageDetail => "/messages/content/image",
            Field::Document => "/messages/content/document",
            Field::Audio => "/messages/content/audio",
            Field::Video => "/messages/content/video",
            Field::Citations => "/messages/content/citations",
            Field::Messages | Field::SystemMid | Field::Name | Field::Prefill => "/messages",
            // Members that this dialect does not have, under the names that others give them.
            Field::Modalities => "/modalities",
            Field::Verbosity => "/verbosity",
            Field::FrequencyPenalty => "/frequency_penalty",
            Field::PresencePenalty => "/presence_penalty",
            Field::Seed => "/seed",
            Field::LogitBias => "/logit_bias",
            Field::Logprobs => "/logprobs",
            Field::Candidates => "/n",
            Field::Store => "/store",
            Field::CacheKey => "/prompt_cache_key",
            Field::CachedContent => "/cached_content",
            Field::Safety => "/safety",
            Field::Extra => "/extra",
        }
    }

    fn headers(&self) -> &'static [&'static str] {
        &["anthropic-beta", "anthropic-version"]
    }
}

impl Upstream for Anthropic {
    fn splices(&self, inspection: &Inspection, target: &Target<'_>) -> Vec<Splice> {
        inspect::splices(inspection, target)
    }

    fn edits(
        &self,
        body: &Bytes,
        inspection: &Inspection,
        target: &Target<'_>,
        headers: &mut Vec<(&'static str, Str)>,
    ) -> Vec<Splice> {
        match host::of(target) {
            Some(host) => host.edits(body, inspection, host::Asks::Message, headers),
            None => self.splices(inspection, target),
        }
    }

    fn encode_request(&self, request: &Request, target: &Target<'_>) -> Result<Encoded, ErrorInfo> {
        request::encode(request, target)
    }

    fn takes_url(&self, media: &Media, _quirks: &[String]) -> bool {
        match media.class {
            MediaClass::Image => true,
            // `URLPDFSource` is the only document source with a URL.
            MediaClass::Document => media.mime.as_deref().is_none_or(|mime| mime == "application/pdf"),
            MediaClass::Audio | MediaClass::Video => false,
        }
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

    fn is_own_error(&self, body: &[u8]) -> bool {
        error::is_own(body)
    }

    fn host_wire(&self, target: &Target<'_>) -> Option<&'static dyn HostWire> {
        host::of(target).and_then(host::Host::wire)
    }

    fn stream_decoder(&self) -> Box<dyn StreamDecoder> {
        Box::new(stream::Decoder::default())
    }

    fn tap(&self, _tap: TapSpec) -> Box<dyn Tap> {
        // Usage always comes here, so there is never an uninvited piece of it to take out.
        Box::new(stream::StreamTap::default())
    }

    fn quirks(&self) -> &'static [Quirk] {
        host::QUIRKS
    }
}

//! Where members stand in this dialect's requests.

use crate::model::Field;

/// The JSON pointer of a member.
pub(super) fn pointer(field: Field) -> &'static str {
    match field {
        Field::Temperature => "/temperature",
        Field::TopP => "/top_p",
        Field::TopK => "/top_k",
        Field::FrequencyPenalty => "/frequency_penalty",
        Field::PresencePenalty => "/presence_penalty",
        Field::Seed => "/seed",
        Field::LogitBias => "/logit_bias",
        Field::Logprobs => "/logprobs",
        Field::MaxTokens => "/max_tokens",
        Field::Stop => "/stop",
        Field::Candidates => "/n",
        Field::User => "/user",
        Field::Extra => "/extra_body",
        // All that a conversation is made of is in the one text; the other settings do not exist here.
        Field::System
        | Field::SystemMid
        | Field::Messages
        | Field::Name
        | Field::Prefill
        | Field::Image
        | Field::ImageDetail
        | Field::Document
        | Field::Audio
        | Field::Video
        | Field::Citations
        | Field::ReasoningHistory
        | Field::Signature
        | Field::ToolArguments
        | Field::ToolResult
        | Field::ToolError
        | Field::CacheControl => "/prompt",
        Field::Reasoning | Field::ReasoningDisplay => "/reasoning_effort",
        Field::Tools | Field::ServerTool | Field::CustomTool | Field::ToolSchema | Field::ToolStrict => "/tools",
        Field::ToolChoice => "/tool_choice",
        Field::ParallelTools => "/parallel_tool_calls",
        Field::ResponseFormat | Field::ResponseSchema => "/response_format",
        Field::Modalities => "/modalities",
        Field::Verbosity => "/verbosity",
        Field::Metadata => "/metadata",
        Field::Store => "/store",
        Field::CacheKey => "/prompt_cache_key",
        Field::CachedContent => "/cached_content",
        Field::Tier => "/service_tier",
        Field::Safety => "/moderation",
    }
}

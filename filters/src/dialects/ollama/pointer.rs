//! Where a member stands in this dialect's requests.

use super::Endpoint;
use crate::model::Field;

pub(super) fn pointer(field: Field, endpoint: Endpoint) -> &'static str {
    let chat = endpoint == Endpoint::Chat;
    match field {
        Field::System if !chat => "/system",
        Field::Messages | Field::SystemMid | Field::Name | Field::Prefill if !chat => "/prompt",
        Field::Image if !chat => "/images",
        Field::System | Field::Messages | Field::SystemMid | Field::Name | Field::Prefill => "/messages",
        Field::Image => "/messages/images",
        Field::ReasoningHistory => "/messages/thinking",
        Field::ToolArguments => "/messages/tool_calls/function/arguments",
        Field::ToolResult | Field::ToolError => "/messages/content",
        Field::Reasoning => "/think",
        Field::Tools | Field::ServerTool | Field::CustomTool => "/tools",
        Field::ToolSchema => "/tools/function/parameters",
        Field::ResponseFormat | Field::ResponseSchema => "/format",
        Field::Temperature => "/options/temperature",
        Field::TopP => "/options/top_p",
        Field::TopK => "/options/top_k",
        Field::FrequencyPenalty => "/options/frequency_penalty",
        Field::PresencePenalty => "/options/presence_penalty",
        Field::Seed => "/options/seed",
        Field::MaxTokens => "/options/num_predict",
        Field::Stop => "/options/stop",
        Field::Logprobs => "/logprobs",
        // Members that this dialect does not have, under the names that others give them.
        Field::ImageDetail => "/messages/images/detail",
        Field::Document => "/messages/document",
        Field::Audio => "/messages/audio",
        Field::Video => "/messages/video",
        Field::CacheControl => "/cache_control",
        Field::ReasoningDisplay => "/think/display",
        Field::Signature => "/messages/signature",
        Field::ToolStrict => "/tools/function/strict",
        Field::ToolChoice => "/tool_choice",
        Field::ParallelTools => "/parallel_tool_calls",
        Field::Modalities => "/modalities",
        Field::Verbosity => "/verbosity",
        Field::LogitBias => "/logit_bias",
        Field::Candidates => "/n",
        Field::User => "/user",
        Field::Metadata => "/metadata",
        Field::Store => "/store",
        Field::CacheKey => "/prompt_cache_key",
        Field::CachedContent => "/cached_content",
        Field::Tier => "/service_tier",
        Field::Safety => "/safety",
        Field::Citations => "/citations",
        Field::Extra => "/extra",
    }
}

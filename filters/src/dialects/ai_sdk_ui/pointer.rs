//! Where members stand in this dialect's requests.

use crate::model::Field;

/// The JSON pointer of a member.
pub(super) fn pointer(field: Field) -> &'static str {
    match field {
        Field::System => "/system",
        Field::Messages | Field::SystemMid | Field::Prefill | Field::Name => "/messages",
        Field::Image | Field::ImageDetail | Field::Document | Field::Audio | Field::Video => "/messages/parts/file",
        Field::ReasoningHistory => "/messages/parts/reasoning",
        Field::Signature | Field::Citations => "/messages/parts/providerMetadata",
        Field::ToolArguments => "/messages/parts/input",
        Field::ToolResult => "/messages/parts/output",
        Field::ToolError => "/messages/parts/errorText",
        Field::ServerTool => "/messages/parts/providerExecuted",
        Field::Tools | Field::CustomTool => "/tools",
        Field::ToolSchema => "/tools/inputSchema",
        Field::ToolStrict => "/tools/strict",
        Field::ToolChoice => "/toolChoice",
        Field::ResponseFormat => "/response_format",
        Field::ResponseSchema => "/response_format/json_schema/schema",
        Field::Verbosity => "/verbosity",
        Field::Temperature => "/temperature",
        Field::TopP => "/topP",
        Field::TopK => "/topK",
        Field::FrequencyPenalty => "/frequencyPenalty",
        Field::PresencePenalty => "/presencePenalty",
        Field::Seed => "/seed",
        Field::MaxTokens => "/maxOutputTokens",
        Field::Stop => "/stopSequences",
        Field::Reasoning | Field::ReasoningDisplay => "/providerOptions",
        // Members that this dialect does not have, under the names that others give them.
        Field::CacheControl => "/cacheControl",
        Field::ParallelTools => "/parallelToolCalls",
        Field::Modalities => "/modalities",
        Field::LogitBias => "/logitBias",
        Field::Logprobs => "/logprobs",
        Field::Candidates => "/n",
        Field::User => "/user",
        Field::Metadata => "/metadata",
        Field::Store => "/store",
        Field::CacheKey => "/promptCacheKey",
        Field::CachedContent => "/cachedContent",
        Field::Tier => "/serviceTier",
        Field::Safety => "/safety",
        Field::Extra => "/body",
    }
}

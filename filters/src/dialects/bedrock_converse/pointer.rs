//! Where members stand in requests.

use crate::model::Field;

/// Where a member stands, as a JSON pointer; members that this dialect does not have, under the names that others give
/// them.
pub(super) fn pointer(field: Field) -> &'static str {
    match field {
        Field::System => "/system",
        Field::MaxTokens => "/inferenceConfig/maxTokens",
        Field::Temperature => "/inferenceConfig/temperature",
        Field::TopP => "/inferenceConfig/topP",
        Field::Stop => "/inferenceConfig/stopSequences",
        Field::Tools | Field::CustomTool => "/toolConfig/tools",
        Field::ServerTool => "/toolConfig/tools/systemTool",
        Field::ToolSchema => "/toolConfig/tools/toolSpec/inputSchema",
        Field::ToolStrict => "/toolConfig/tools/toolSpec/strict",
        Field::ToolChoice | Field::ParallelTools => "/toolConfig/toolChoice",
        Field::ResponseFormat => "/outputConfig/textFormat",
        Field::ResponseSchema => "/outputConfig/textFormat/structure/jsonSchema",
        Field::Reasoning | Field::ReasoningDisplay => "/additionalModelRequestFields/thinking",
        Field::TopK => "/additionalModelRequestFields/top_k",
        Field::User | Field::Metadata => "/requestMetadata",
        Field::Tier => "/serviceTier",
        Field::Safety => "/guardrailConfig",
        Field::CacheControl => "/messages/content/cachePoint",
        Field::ToolArguments => "/messages/content/toolUse/input",
        Field::ToolResult => "/messages/content/toolResult",
        Field::ToolError => "/messages/content/toolResult/status",
        Field::ReasoningHistory | Field::Signature => "/messages/content/reasoningContent",
        Field::Image | Field::ImageDetail => "/messages/content/image",
        Field::Document => "/messages/content/document",
        Field::Audio => "/messages/content/audio",
        Field::Video => "/messages/content/video",
        Field::Citations => "/messages/content/citationsContent",
        Field::Messages | Field::SystemMid | Field::Name | Field::Prefill => "/messages",
        Field::Extra => "/additionalModelRequestFields",
        Field::Modalities => "/modalities",
        Field::Verbosity => "/verbosity",
        Field::FrequencyPenalty => "/frequencyPenalty",
        Field::PresencePenalty => "/presencePenalty",
        Field::Seed => "/seed",
        Field::LogitBias => "/logitBias",
        Field::Logprobs => "/logprobs",
        Field::Candidates => "/candidates",
        Field::Store => "/store",
        Field::CacheKey => "/cacheKey",
        Field::CachedContent => "/cachedContent",
    }
}

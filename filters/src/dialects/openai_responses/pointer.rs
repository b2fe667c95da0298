//! Where members stand in this dialect's requests.

use crate::model::Field;

/// The JSON pointer of a member.
pub(super) fn pointer(field: Field) -> &'static str {
    match field {
        Field::System => "/instructions",
        Field::Tools | Field::ServerTool | Field::CustomTool => "/tools",
        Field::ToolSchema => "/tools/parameters",
        Field::ToolStrict => "/tools/strict",
        Field::ToolChoice => "/tool_choice",
        Field::ToolArguments => "/input/arguments",
        Field::ToolResult | Field::ToolError => "/input/output",
        Field::ParallelTools => "/parallel_tool_calls",
        Field::Image => "/input/content/input_image",
        Field::ImageDetail => "/input/content/input_image/detail",
        Field::Document | Field::Video => "/input/content/input_file",
        Field::Audio => "/input/content/input_audio",
        Field::Citations => "/input/content/annotations",
        Field::CacheControl => "/input/content/prompt_cache_breakpoint",
        Field::Reasoning => "/reasoning/effort",
        Field::ReasoningDisplay => "/reasoning/summary",
        Field::ReasoningHistory => "/input/reasoning",
        Field::Signature => "/input/encrypted_content",
        Field::ResponseFormat => "/text/format",
        Field::ResponseSchema => "/text/format/schema",
        Field::Verbosity => "/text/verbosity",
        Field::Temperature => "/temperature",
        Field::TopP => "/top_p",
        Field::Logprobs => "/top_logprobs",
        Field::MaxTokens => "/max_output_tokens",
        Field::User => "/safety_identifier",
        Field::Metadata => "/metadata",
        Field::Store => "/store",
        Field::CacheKey => "/prompt_cache_key",
        Field::Tier => "/service_tier",
        Field::Safety => "/moderation",
        Field::Messages | Field::SystemMid | Field::Name | Field::Prefill => "/input",
        // Members that this dialect does not have, under the names that others give them.
        Field::Modalities => "/modalities",
        Field::TopK => "/top_k",
        Field::FrequencyPenalty => "/frequency_penalty",
        Field::PresencePenalty => "/presence_penalty",
        Field::Seed => "/seed",
        Field::LogitBias => "/logit_bias",
        Field::Stop => "/stop",
        Field::Candidates => "/n",
        Field::CachedContent => "/cached_content",
        Field::Extra => "/extra_body",
    }
}
